"""Evaluation: how well a head ranks, how honest its probabilities are, and what the errors would cost."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from graphscan.entropy import generator

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

N_BINS: Final = 10
N_SIMULATED: Final = 2_000
# What it costs to put an account of a class into a tier; a person terminated is the worst that can happen.
COSTS: Final[Mapping[str, Mapping[str, float]]] = {
    "human": {"none": 0.0, "warn": 0.5, "limit": 10.0, "review": 2.0, "terminate": 100.0},
    "human_ai_assisted": {"none": 0.0, "warn": 0.2, "limit": 10.0, "review": 2.0, "terminate": 100.0},
    "automated": {"none": 5.0, "warn": 3.0, "limit": 1.0, "review": 0.5, "terminate": 0.0},
    "ai_managed": {"none": 5.0, "warn": 3.0, "limit": 1.0, "review": 0.5, "terminate": 0.0},
}


@dataclass(frozen=True)
class Share:
    """A count of a total with its exact two-sided 95 % interval (Clopper and Pearson 1934)."""

    n: int
    of: int

    @property
    def value(self) -> float:
        """The share, NaN of nothing."""
        return self.n / self.of if self.of else float("nan")

    @property
    def interval(self) -> tuple[float, float]:
        """Lower and upper 95 % bound."""
        from scipy.special import betaincinv

        if not self.of:
            return 0.0, 1.0
        low = float(betaincinv(self.n, self.of - self.n + 1, 0.025)) if self.n else 0.0
        high = float(betaincinv(self.n + 1, self.of - self.n, 0.975)) if self.n < self.of else 1.0
        return low, high

    def __str__(self) -> str:
        low, high = self.interval
        return f"{self.n}/{self.of} = {self.value:.3f} [{low:.3f}, {high:.3f}]"


@dataclass(frozen=True)
class Ranking:
    """How well scores rank hosted accounts before people.

    Parameters
    ----------
    auprc, auroc
        Area under the precision-recall (average precision) and the ROC curve.
    tpr_at_1pct, tpr_at_01pct
        Hosted accounts above the threshold that at most 1 % (0.1 %) of the people exceed.
    threshold_1pct
        That threshold; a score must exceed it.
    precision_at
        k to the precision among the k highest scores.
    """

    auprc: float
    auroc: float
    tpr_at_1pct: Share
    tpr_at_01pct: Share
    threshold_1pct: float
    precision_at: Mapping[int, Share]


@dataclass(frozen=True)
class CalibrationError:
    """Honesty of probabilities.

    Parameters
    ----------
    brier
        Mean squared error of the probabilities.
    error
        Expected calibration error over 10 bins of equal size.
    error_95
        95 % quantile of that error for a perfectly calibrated head with the same probabilities.
    """

    brier: float
    error: float
    error_95: float

    @property
    def honest(self) -> bool:
        """Whether the error is no larger than that of a perfect head of this size."""
        return self.error <= self.error_95


def people_threshold(y: Ints, score: Floats, share: float) -> float:
    """The lowest threshold that at most ``share`` of the people (y = 0) exceed."""
    people = np.sort(score[y == 0])[::-1]
    allowed = int(np.floor(share * len(people)))
    return float(people[allowed]) if allowed < len(people) else -np.inf


def ranking(y: Ints, score: Floats, ks: tuple[int, ...] = (10, 20, 50)) -> Ranking:
    """Ranking measures of scores (higher means hosted) against labels (1 hosted, 0 people)."""
    from sklearn.metrics import average_precision_score, roc_auc_score

    hosted = score[y == 1]
    one, tenth = people_threshold(y, score, 0.01), people_threshold(y, score, 0.001)
    order = np.argsort(-score, kind="stable")
    return Ranking(
        auprc=float(average_precision_score(y, score)),
        auroc=float(roc_auc_score(y, score)),
        tpr_at_1pct=Share(int((hosted > one).sum()), len(hosted)),
        tpr_at_01pct=Share(int((hosted > tenth).sum()), len(hosted)),
        threshold_1pct=one,
        precision_at={k: Share(int(y[order[:k]].sum()), k) for k in ks if k <= len(y)},
    )


def calibration_error(y: Ints, p: Floats, seed: int = 0) -> CalibrationError:
    """Brier score and expected calibration error, with the error a perfect head of this size would show."""
    order = np.argsort(p, kind="stable")
    bins = np.array_split(order, min(N_BINS, len(order)))
    rng = generator(seed, "calibration")
    drawn = rng.random((N_SIMULATED, len(p))) < p
    errors = np.zeros(N_SIMULATED)
    error = 0.0
    for members in bins:
        weight = len(members) / len(p)
        mean = p[members].mean()
        error += weight * abs(float(y[members].mean() - mean))
        errors += weight * np.abs(drawn[:, members].mean(axis=1) - mean)
    return CalibrationError(
        brier=float(np.mean((p - y) ** 2)), error=float(error), error_95=float(np.quantile(errors, 0.95))
    )


def tier_cost(labels: list[str], tiers: list[str]) -> float:
    """Mean cost of tiers over labelled accounts (``COSTS``)."""
    known = [(label, tier) for label, tier in zip(labels, tiers, strict=True) if label in COSTS]
    return sum(COSTS[label][tier] for label, tier in known) / max(len(known), 1)
