"""Training: from labelled platforms to a model."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

import numpy as np
from numpy.typing import NDArray

from graphscan.errors import EXIT_INPUT, GraphscanError
from graphscan.signals import REGISTRY, SIGNALS, ClusterFrames, SignalTable
from graphscan.signals.clock import CLOCK_P
from graphscan.signals.model import TEXT_FAMILIES
from graphscan.verdicts.farm import FarmHead, fitted_farm
from graphscan.verdicts.heads import (
    Head,
    fitted_calibration,
    fitted_head,
    folds_by_group,
    out_of_fold,
    volume_band,
)
from graphscan.verdicts.hosting import HostingHead, fitted_hosting
from graphscan.verdicts.labels import ASSISTED, CLASSES, HOSTED, HUMAN, Labels
from graphscan.verdicts.ranks import (
    ReferenceRanks,
    family_scores,
    family_signals,
    rank_scores,
    reference_ranks,
)

# Families whose signals may move the automation heads. The network has a head of its own.
BEHAVIOUR_FAMILIES: Final = ("timing", "clock", "latency", "actions", "human")
GENERAL: Final = "general"
PLATFORM: Final = "platform"
# An account shows a family when it stands out in it from all but this share of people.
FAMILY_ALPHA: Final = 0.05


def head_signals(*, with_text: bool) -> tuple[str, ...]:
    """Signals of the automation heads, in the order of the registry: the monotone ones of own behaviour."""
    families = set(BEHAVIOUR_FAMILIES) | (set(TEXT_FAMILIES) if with_text else set())
    return tuple(s.signal_id for f in REGISTRY if f.name in families for s in f.signals if s.monotone)


@dataclass(frozen=True)
class LabelledPlatform:
    """One platform with labels.

    Parameters
    ----------
    name
        Name for the model card.
    table
        Its signals.
    labels
        Its labels.
    group_of
        Account id to a group that must stay in one fold (a campaign); accounts without one stand alone.
    clusters
        Frames of the cluster stage, for the farm head.
    """

    name: str
    table: SignalTable
    labels: Labels
    group_of: Mapping[str, str] = field(default_factory=dict)
    clusters: ClusterFrames | None = None


@dataclass(frozen=True)
class TrainingRows:
    """Scored and labelled accounts of one or several platforms, stacked."""

    scores: NDArray[np.float64]
    y: NDArray[np.int64]
    label: NDArray[np.str_]
    n_events: NDArray[np.int64]
    group: NDArray[np.int64]
    weight: NDArray[np.float64]
    account_id: tuple[str, ...]
    platform: NDArray[np.int64]


@dataclass(frozen=True)
class Model:
    """A trained model: heads, references, thresholds and what is known about them.

    Parameters
    ----------
    name, scope
        ``general`` for a model that must not decide on a platform it has no labels of, ``platform`` for one
        calibrated on the platform's own people.
    behaviour, full
        Automation heads without and with text. Only the first can carry a restriction.
    hosting
        The head that tells hosting from assistance.
    farm
        The head of farm membership.
    ranks
        Reference distributions of the training platforms.
    family_weight, family_threshold
        Family to the weights of its signals, and to the score that 19 of 20 people stay under.
    notes
        Plain facts for the model card: data, counts, metrics, versions.
    """

    name: str
    scope: str
    seed: int
    behaviour: Head
    full: Head
    hosting: HostingHead | None
    farm: FarmHead
    ranks: ReferenceRanks
    family_weight: Mapping[str, Mapping[str, float]]
    family_threshold: Mapping[str, float]
    notes: Mapping[str, object]

    @property
    def calibrated(self) -> bool:
        """Whether its probabilities hold on the platform it is used on."""
        return self.scope == PLATFORM


def training_rows(platforms: Sequence[LabelledPlatform], signal_ids: tuple[str, ...]) -> TrainingRows:
    """Rank scores of the labelled accounts with enough events.

    Every platform weighs the same and has the pooled share of hosted accounts, so that a head cannot
    learn which
    platform an account is from.
    """
    parts = []
    for index, platform in enumerate(platforms):
        table = platform.table
        ids = table.account_ids.to_pylist()
        label = np.array([platform.labels.label_of.get(i, "") for i in ids], dtype=object)
        scores = rank_scores(table, signal_ids, reference_ranks(table, signal_ids, table.sufficient))
        keep = np.flatnonzero((label != "") & table.sufficient)
        groups = [platform.group_of.get(ids[i], f"\x00{ids[i]}") for i in keep]
        parts.append(
            (
                scores[keep],
                label[keep].astype(str),
                table.n_events[keep],
                [f"{index}:{g}" for g in groups],
                [ids[i] for i in keep],
                np.full(len(keep), index),
            )
        )
    label = np.concatenate([p[1] for p in parts])
    platform_index = np.concatenate([p[5] for p in parts]).astype(np.int64)
    y = np.isin(label, sorted(HOSTED)).astype(np.int64)
    weight = _balanced(y, platform_index, len(parts))
    names = [g for p in parts for g in p[3]]
    group = (
        np.unique(np.array(names, dtype=object).astype(str), return_inverse=True)[1] if names else np.zeros(0)
    )
    return TrainingRows(
        scores=np.concatenate([p[0] for p in parts]),
        y=y,
        label=label,
        n_events=np.concatenate([p[2] for p in parts]),
        group=group.astype(np.int64),
        weight=weight,
        account_id=tuple(i for p in parts for i in p[4]),
        platform=platform_index,
    )


def _balanced(y: NDArray[np.int64], platform: NDArray[np.int64], n_platforms: int) -> NDArray[np.float64]:
    weight = np.ones(len(y))
    if n_platforms < 2:
        return weight
    shares = [float(y[platform == p].mean()) if (platform == p).any() else 0.0 for p in range(n_platforms)]
    share = float(np.mean(shares))
    for p in range(n_platforms):
        for c, part in ((1, share), (0, 1 - share)):
            cell = (platform == p) & (y == c)
            if cell.any():
                weight[cell] = part * len(y) / n_platforms / cell.sum()
    return weight


def family_weights(behaviour: Head, full: Head) -> dict[str, dict[str, float]]:
    """Weights of the signals inside each family: those of the heads, none under a quarter of the largest.

    The floor keeps a signal in play that the regression dropped for a sister it is correlated with.
    """
    weight_of = dict(zip(full.signal_ids, full.scorer.weights.tolist(), strict=True))
    weight_of |= dict(zip(behaviour.signal_ids, behaviour.scorer.weights.tolist(), strict=True))
    result = {}
    for family in (*sorted(TEXT_FAMILIES), *(f for f in BEHAVIOUR_FAMILIES if f != "human")):
        own = {s: weight_of[s] for s in family_signals(family)}
        floor = max(own.values()) / 4 or 1.0
        result[family] = {s: max(w, floor) for s, w in own.items()}
    return result


def family_thresholds(
    platforms: Sequence[LabelledPlatform], weights: Mapping[str, Mapping[str, float]]
) -> dict[str, float]:
    """Score of each family that 19 of 20 people stay under; of several platforms the strictest counts.

    A locked clock is judged by its own null: p < 1e-6.
    """
    result: dict[str, float] = {}
    for platform in platforms:
        table = platform.table
        ids = table.account_ids.to_pylist()
        person = np.array([platform.labels.label_of.get(i, "") in (HUMAN, ASSISTED) for i in ids], dtype=bool)
        person &= table.sufficient
        ranks = reference_ranks(table, head_signals(with_text=True), table.sufficient)
        for family, score in family_scores(table, weights, ranks).items():
            if person.any():
                strict = float(np.quantile(score[person], 1 - FAMILY_ALPHA, method="higher"))
                result[family] = max(result.get(family, 0.0), strict)
    result["clock"] = float(-np.log10(CLOCK_P))
    return result


def trained_model(
    platforms: Sequence[LabelledPlatform], *, name: str, scope: str = PLATFORM, seed: int = 0
) -> Model:
    """Train all heads.

    Parameters
    ----------
    platforms
        Labelled platforms; ranks are taken inside each.
    name
        Name for the model card.
    scope
        ``platform`` for a model that is used on the platform it was trained on, ``general`` otherwise.
    seed
        Seed of folds and trees.

    Raises
    ------
    GraphscanError
        Exit 3 with too few labelled accounts, or with one class only.
    """
    if not platforms:
        raise GraphscanError("no labelled platform given", "", "give events and labels", EXIT_INPUT)
    behaviour, rows = _fitted(platforms, with_text=False, scope=scope, seed=seed)
    full, _ = _fitted(platforms, with_text=True, scope=scope, seed=seed)
    signal_ids = head_signals(with_text=True)
    references = [reference_ranks(p.table, signal_ids, p.table.sufficient) for p in platforms]
    counts = {
        p.name: {c: int(((rows.platform == i) & (rows.label == c)).sum()) for c in CLASSES}
        for i, p in enumerate(platforms)
    }
    weights = family_weights(behaviour, full)
    return Model(
        name=name,
        scope=scope,
        seed=seed,
        behaviour=behaviour,
        full=full,
        hosting=fitted_hosting(platforms),
        farm=fitted_farm(platforms, _automation(platforms, behaviour)),
        ranks=_pooled_ranks(references, signal_ids),
        family_weight=weights,
        family_threshold=family_thresholds(platforms, weights),
        notes={
            "accounts": counts,
            "labels_sha256": {p.name: labels_hash(p.labels) for p in platforms},
            "left_out": {p.name: dict(p.labels.left_out) for p in platforms},
        },
    )


def _fitted(
    platforms: Sequence[LabelledPlatform], *, with_text: bool, scope: str, seed: int
) -> tuple[Head, TrainingRows]:
    signal_ids = head_signals(with_text=with_text)
    rows = training_rows(platforms, signal_ids)
    head = fitted_head(
        signal_ids,
        rows.scores,
        rows.y,
        rows.n_events,
        rows.group,
        rows.weight,
        boosting=scope == PLATFORM,
        seed=seed,
    )
    return head, rows


def _automation(platforms: Sequence[LabelledPlatform], head: Head) -> list[NDArray[np.float64]]:
    """Behaviour probabilities of all accounts of each platform, 0 without a score."""
    result = []
    for platform in platforms:
        table = platform.table
        ranks = reference_ranks(table, head.signal_ids, table.sufficient)
        log_odds = head.scorer.log_odds(rank_scores(table, head.signal_ids, ranks))
        p = head.calibration.probability(log_odds, volume_band(table.n_events))
        result.append(np.where(table.sufficient, p, 0.0))
    return result


def labels_hash(labels: Labels) -> str:
    """Hash of the labels in the order of the ids."""
    text = "\n".join(f"{a}\t{labels.label_of[a]}" for a in sorted(labels.label_of))
    return hashlib.sha256(text.encode()).hexdigest()


def _pooled_ranks(references: Sequence[ReferenceRanks], signal_ids: tuple[str, ...]) -> ReferenceRanks:
    """One reference from several platforms: each gives the same number of quantiles."""
    knots: dict[str, NDArray[np.float64]] = {}
    n: dict[str, int] = {}
    grid = np.linspace(0, 1, 501)
    for signal_id in signal_ids:
        known = [r.knots[signal_id] for r in references if signal_id in r.knots]
        if known:
            quantiles = [np.quantile(k, grid, method="inverted_cdf") for k in known]
            knots[signal_id] = np.sort(np.concatenate(quantiles))
            n[signal_id] = sum(r.n.get(signal_id, 0) for r in references)
    return ReferenceRanks(knots, n)


def held_out_scores(
    rows: TrainingRows, *, boosting: bool, seed: int
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Cross-validated log-odds and calibrated probabilities.

    The calibration of each fold is fitted on inner out-of-fold scores, so that no account helps to calibrate
    its own score.
    """
    fold = folds_by_group(rows.y, rows.group, seed)
    log_odds = out_of_fold(rows.scores, rows.y, rows.weight, fold, boosting=boosting, seed=seed)
    probability = np.zeros(len(rows.y))
    band = volume_band(rows.n_events)
    for k in np.unique(fold):
        test, train = fold == k, fold != k
        inner_group = np.unique(rows.group[train], return_inverse=True)[1]
        inner_fold = folds_by_group(rows.y[train], inner_group, seed + 1)
        inner = out_of_fold(
            rows.scores[train], rows.y[train], rows.weight[train], inner_fold, boosting=boosting, seed=seed
        )
        calibration = fitted_calibration(inner, rows.y[train], band[train], rows.weight[train])
        probability[test] = calibration.probability(log_odds[test], band[test])
    return log_odds, probability


def registry_keys() -> tuple[str, ...]:
    """Signals with their versions; a model from another registry is refused."""
    return tuple(SIGNALS[s].key for s in head_signals(with_text=True))
