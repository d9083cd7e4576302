"""Hosting against assistance: who decides and posts, the account's person or a machine?

The head looks only at what was posted how, never at how it reads: the share of hosted acts, the best lower
bound
over the surfaces, and the behaviour head's rank scores of latency and action mix summed. All weights are
positive, so more evidence of hosting never lowers it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np
from numpy.typing import NDArray

from graphscan.signals import SignalTable
from graphscan.verdicts.labels import ASSISTED, HOSTED
from graphscan.verdicts.ranks import rank_scores, reference_ranks

if TYPE_CHECKING:
    from graphscan.verdicts.ranks import ReferenceRanks
    from graphscan.verdicts.training import LabelledPlatform

MIN_EACH: Final = 10
_SIGNALS: Final = (
    "quietest_hours_share",
    "prompt_reactions",
    "implausible_speed",
    "routine_entropy",
    "clock_phase_lock",
)
FEATURES: Final = ("hosted_share", "best_lower_bound", *_SIGNALS)


@dataclass(frozen=True)
class HostingHead:
    """Logistic weights over ``FEATURES`` and the intercept."""

    weights: NDArray[np.float64]
    intercept: float

    def probability(self, features: NDArray[np.float64]) -> NDArray[np.float64]:
        """Probability of hosting rather than assistance, shape (n_accounts,)."""
        return 1.0 / (1.0 + np.exp(-np.clip(features @ self.weights + self.intercept, -30, 30)))


def hosting_features(
    table: SignalTable, platform: ReferenceRanks, model: ReferenceRanks | None = None
) -> NDArray[np.float64]:
    """Features of shape (n_accounts, len(FEATURES))."""
    coverage = table.coverage
    share = coverage.n_hosted.sum(axis=1) / np.maximum(coverage.n_acts.sum(axis=1), 1)
    bound = np.where(coverage.n_acts >= 14, coverage.lower_bound, 0.0).max(axis=1, initial=0.0)
    return np.column_stack([share, bound, rank_scores(table, _SIGNALS, platform, model)])


def fitted_hosting(platforms: Sequence[LabelledPlatform]) -> HostingHead | None:
    """Fit on hosted against assisted accounts; None where there are fewer than 10 of either."""
    from graphscan.verdicts.heads import positive_logistic

    features, y = [], []
    for platform in platforms:
        table = platform.table
        label = np.array(
            [platform.labels.label_of.get(i, "") for i in table.account_ids.to_pylist()], dtype=object
        )
        rows = table.sufficient & np.isin(label.astype(str), [*sorted(HOSTED), ASSISTED])
        if not rows.any():
            continue
        ranks = reference_ranks(table, _SIGNALS, table.sufficient)
        features.append(hosting_features(table, ranks)[rows])
        y.append(np.isin(label[rows].astype(str), sorted(HOSTED)).astype(np.int64))
    if not y:
        return None
    target = np.concatenate(y)
    if min(int(target.sum()), int((1 - target).sum())) < MIN_EACH:
        return None
    weights, intercept = positive_logistic(np.concatenate(features), target, np.ones(len(target)))
    return HostingHead(weights, intercept)
