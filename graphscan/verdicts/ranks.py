"""Ranks inside the scanned platform: what travels from one platform to the next.

A value of a signal means different things on different platforms; its rank among the accounts of one platform
means nearly the same on all. Ranks are oriented (high speaks for automation), turned into normal scores, and
cut
at the median: whatever is unremarkable or missing counts as nothing. So missing data can never raise a score,
and no head can reward an account for what is not known about it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from graphscan.signals import SIGNALS, SignalTable

MAX_KNOTS: Final = 1_001
MIN_ACCOUNTS: Final = 30
# The reference ranks of the model weigh as much as this many accounts of the platform.
MODEL_WEIGHT: Final = 100.0
MAX_SCORE: Final = 3.5


@dataclass(frozen=True)
class ReferenceRanks:
    """Distributions of oriented signal values among the scored accounts of a platform.

    Parameters
    ----------
    knots
        Signal id to sorted oriented values (at most 1,001 quantiles), float64.
    n
        Signal id to the number of accounts behind them.
    """

    knots: Mapping[str, NDArray[np.float64]]
    n: Mapping[str, int]

    def rank_0_1(self, signal_id: str, oriented: NDArray[np.float64]) -> NDArray[np.float64]:
        """Mid-ranks in (0, 1), NaN where the value is missing or the reference knows the signal not."""
        knots = self.knots.get(signal_id)
        if knots is None or len(knots) == 0:
            return np.full(oriented.shape, np.nan)
        below = np.searchsorted(knots, oriented, side="left")
        upto = np.searchsorted(knots, oriented, side="right")
        rank = (below + upto) / 2 / len(knots)
        edge = 0.5 / max(self.n[signal_id], 1)
        return np.where(np.isnan(oriented), np.nan, np.clip(rank, edge, 1 - edge))


def oriented_values(table: SignalTable, signal_id: str) -> NDArray[np.float64]:
    """Values of a signal turned so that high speaks for automation; NaN where missing."""
    if signal_id not in table.signals:
        return np.full(table.n_accounts, np.nan)
    return table.signals[signal_id].value * SIGNALS[signal_id].direction


def reference_ranks(
    table: SignalTable, signal_ids: tuple[str, ...], among: NDArray[np.bool_]
) -> ReferenceRanks:
    """Distributions among the accounts of ``among`` (boolean, shape (n_accounts,)); unlabelled is enough."""
    knots: dict[str, NDArray[np.float64]] = {}
    n: dict[str, int] = {}
    for signal_id in signal_ids:
        values = oriented_values(table, signal_id)[among]
        values = np.sort(values[~np.isnan(values)])
        if len(values) < MIN_ACCOUNTS:
            continue
        n[signal_id] = len(values)
        if len(values) > MAX_KNOTS:
            values = np.quantile(values, np.linspace(0, 1, MAX_KNOTS), method="inverted_cdf")
        knots[signal_id] = values
    return ReferenceRanks(knots, n)


def rank_scores(
    table: SignalTable,
    signal_ids: tuple[str, ...],
    platform: ReferenceRanks,
    model: ReferenceRanks | None = None,
) -> NDArray[np.float64]:
    """Normal scores of the ranks, cut at the median from below; float64 of shape (n_accounts, n_signals).

    On a small platform the model's own reference steadies the ranks: it weighs as much as 100 accounts.
    """
    from scipy.special import ndtri

    result = np.zeros((table.n_accounts, len(signal_ids)))
    for column, signal_id in enumerate(signal_ids):
        values = oriented_values(table, signal_id)
        here = platform.rank_0_1(signal_id, values)
        there = np.full_like(here, np.nan) if model is None else model.rank_0_1(signal_id, values)
        n_here = float(platform.n.get(signal_id, 0))
        weight = n_here / (n_here + MODEL_WEIGHT)
        rank = np.where(
            np.isnan(there), here, np.where(np.isnan(here), there, weight * here + (1 - weight) * there)
        )
        score = np.clip(ndtri(rank), 0.0, MAX_SCORE)
        result[:, column] = np.nan_to_num(score, nan=0.0)
    return result


def score_table(
    table: SignalTable, signal_ids: tuple[str, ...], among: NDArray[np.bool_]
) -> NDArray[np.float64]:
    """Rank scores of a platform against itself, for training."""
    return rank_scores(table, signal_ids, reference_ranks(table, signal_ids, among))


def family_signals(family: str) -> tuple[str, ...]:
    """Monotone signals of a family."""
    return tuple(s.signal_id for s in SIGNALS.values() if s.family == family and s.monotone)


def family_scores(
    table: SignalTable,
    weights: Mapping[str, Mapping[str, float]],
    platform: ReferenceRanks,
    model: ReferenceRanks | None = None,
) -> dict[str, NDArray[np.float64]]:
    """How conspicuous each family is: the weighted sum of the rank scores of its monotone signals.

    The clock family is judged by its own null instead: its score is -log10 of the p-value of the phase lock.

    Parameters
    ----------
    weights
        Family to signal id to weight.
    """
    result = {}
    for family, weight in weights.items():
        if family == "clock":
            result[family] = np.nan_to_num(oriented_values(table, "clock_phase_lock"), nan=0.0)
        else:
            signal_ids = tuple(weight)
            result[family] = rank_scores(table, signal_ids, platform, model) @ np.array(list(weight.values()))
    return result
