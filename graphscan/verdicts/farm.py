"""Farm membership: does the account belong to a group that one operator runs?

The head sees the graph only: core membership by own acts, the strength of the timing test, the layers, and
how
automated the other core members look. So it can never take an account past ``review``.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np
from numpy.typing import NDArray

from graphscan.signals.network import ClusterFrames, ClusterStanding
from graphscan.verdicts.labels import HOSTED

if TYPE_CHECKING:
    from graphscan.verdicts.training import LabelledPlatform

FEATURES: Final = ("in_core", "log10_q", "further_layers", "peer_automation", "unexplained")
MIN_EACH: Final = 10
# Until farms are labelled, these weights order accounts; they were set by hand and are not calibrated.
_BY_HAND: Final = (2.0, 0.2, 0.8, 2.0, 1.5)
_BY_HAND_INTERCEPT: Final = -4.0


@dataclass(frozen=True)
class FarmHead:
    """Logistic weights over ``FEATURES``, the intercept, and whether they were trained on labelled farms."""

    weights: NDArray[np.float64]
    intercept: float
    trained: bool

    def probability(
        self, features: NDArray[np.float64], in_cluster: NDArray[np.bool_]
    ) -> NDArray[np.float64]:
        """Probability of farm membership; 0 outside every cluster."""
        p = 1.0 / (1.0 + np.exp(-np.clip(features @ self.weights + self.intercept, -30, 30)))
        return np.where(in_cluster, p, 0.0)


def untrained_farm() -> FarmHead:
    """The head with weights set by hand."""
    return FarmHead(np.array(_BY_HAND), _BY_HAND_INTERCEPT, False)


def farm_features(
    standing: ClusterStanding, n_accounts: int, p_automation: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Features of shape (n_accounts, len(FEATURES)); peers are the other core members of the same cluster."""
    core = standing.in_core & ~standing.shadowed
    log10_q = np.clip(-np.log10(np.maximum(standing.q_time, 1e-300)), 0, 10)
    cluster = standing.cluster_row
    inside = core & (cluster >= 0)
    n_clusters = int(cluster.max(initial=-1)) + 1
    p = np.nan_to_num(p_automation, nan=0.0)
    n_core = np.bincount(cluster[inside], minlength=n_clusters)
    sum_p = np.bincount(cluster[inside], weights=p[inside], minlength=n_clusters)
    peer = np.zeros(n_accounts)
    member = np.flatnonzero(cluster >= 0)
    own = inside[member]
    others = n_core[cluster[member]] - own
    peer[member] = (sum_p[cluster[member]] - own * p[member]) / np.maximum(others, 1)
    features = np.column_stack(
        [
            core,
            log10_q * core,
            np.maximum(standing.n_layers - 1, 0) * core,
            peer,
            (~standing.benign) & (cluster >= 0),
        ]
    )
    return features.astype(np.float64)


def fitted_farm(
    platforms: Sequence[LabelledPlatform], p_automation: Sequence[NDArray[np.float64]]
) -> FarmHead:
    """Fit on accounts in clusters: hosted members of a campaign against everybody else; by hand where too
    few.
    """
    from graphscan.signals.acts import account_acts
    from graphscan.signals.network import cluster_standing
    from graphscan.verdicts.heads import positive_logistic

    features, y = [], []
    for platform, p in zip(platforms, p_automation, strict=True):
        frames: ClusterFrames | None = platform.clusters
        if frames is None:
            continue
        standing = cluster_standing(account_acts(platform.table.events), frames)
        ids = platform.table.account_ids.to_pylist()
        rows = np.array([i in platform.labels.label_of for i in ids], dtype=bool) & (
            standing.cluster_row >= 0
        )
        target = [platform.labels.label_of.get(i) in HOSTED and i in platform.labels.campaign_of for i in ids]
        features.append(farm_features(standing, len(ids), p)[rows])
        y.append(np.array(target, dtype=np.int64)[rows])
    target_rows = np.concatenate(y) if y else np.zeros(0, dtype=np.int64)
    if min(int(target_rows.sum()), int((1 - target_rows).sum())) < MIN_EACH:
        return untrained_farm()
    weights, intercept = positive_logistic(np.concatenate(features), target_rows, np.ones(len(target_rows)))
    return FarmHead(weights, intercept, True)
