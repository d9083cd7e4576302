"""Clock: do the sessions of the account start at fixed minutes, or at fixed intervals?

Only the start of a session counts. Without that step 39 to 60 % of people look locked to a clock, because one
session brings many acts close together.
"""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray

from graphscan.signals.acts import US_PER_S, AccountActs
from graphscan.signals.grouping import count, missing_below, top_rows, total
from graphscan.signals.model import N_EXAMPLES, FamilyValues, Signal, SignalValues

PERIODS_MIN: Final = (5, 6, 10, 12, 15, 20, 30, 60, 120)
SILENCE_US: Final = 600 * US_PER_S
MIN_STARTS: Final = 30
LOG10_P_CAP: Final = 300.0
# A start is on the clock when its phase lies within this share of the period of the account's own phase.
ON_PHASE_SHARE: Final = 0.1
REGULAR_SHARE: Final = 0.1
CLOCK_P: Final = 1e-6

SIGNALS: Final = (
    Signal(
        "clock_phase_lock",
        "clock",
        1,
        "Session starts locked to a clock",
        "-log10 of the Rayleigh p-value of the phases of session starts (600 s of silence before each) "
        "at periods "
        "of 5 to 120 minutes, Bonferroni over the periods; periods up to 5 times the time resolution "
        "are left out",
        "-log10 p",
        1,
        True,
        "30 session starts",
        (),
        "People with a scheduling tool for their posts (one surface only), reminders set to the full hour.",
        "Rayleigh test: Mardia and Jupp 2000, doi:10.1002/9780470316979; p-value: Zar 1999, eq. 27.4",
        "session starts locked to a clock, p = 1e-{value:.0f} over {n} starts (a person: p above 1e-6)",
    ),
    Signal(
        "interval_regularity",
        "clock",
        1,
        "Session starts at one interval",
        "largest share of intervals between session starts (600 s of silence before each) that lie "
        "within 5 % of "
        "one value, less the share expected if the logarithms of the intervals were spread evenly over their "
        "middle 80 %",
        "share above chance",
        1,
        False,
        "30 session starts",
        (),
        "People with a strict routine, devices that check in for their owner.",
        "Own definition, after the periodicity of bots in Gianvecchio et al. 2011, "
        "doi:10.1109/TNET.2011.2126591",
        "{value:.0%} of {n} intervals between sessions are the same within 5 %, beyond chance",
    ),
)


def session_starts(acts: AccountActs) -> NDArray[np.bool_]:
    """Acts that follow at least 600 s of silence of the account (or are its first), in grouped order."""
    return (acts.gap_us_g < 0) | (acts.gap_us_g >= SILENCE_US)


def usable_periods_us(resolution_us: int) -> tuple[int, ...]:
    """Periods long enough for the time resolution of the source."""
    return tuple(p * 60 * US_PER_S for p in PERIODS_MIN if p * 60 * US_PER_S > 5 * resolution_us)


def phase_lock(acts: AccountActs) -> tuple[NDArray[np.float64], NDArray[np.int64], NDArray[np.float64]]:
    """Strongest phase lock of each account.

    Returns
    -------
    log10_p
        -log10 of the Bonferroni-corrected Rayleigh p-value, shape (n_accounts,), NaN below 30 starts.
    period_us
        The period it was found at; 0 where there is none.
    phase
        Mean phase at that period as a share of the period, in [0, 1).
    """
    starts = session_starts(acts)
    group, time = acts.account_g[starts], acts.time_g[starts]
    a = acts.n_accounts
    n = count(group, a)
    periods = usable_periods_us(acts.resolution_us)
    best = np.full(a, -np.inf)
    period_us = np.zeros(a, dtype=np.int64)
    phase = np.zeros(a)
    for period in periods:
        angle = 2 * np.pi * (time % period) / period
        c, s = total(group, np.cos(angle), a), total(group, np.sin(angle), a)
        log10_p = -_rayleigh_log10_p(n, np.hypot(c, s))
        better = log10_p > best
        best = np.where(better, log10_p, best)
        period_us = np.where(better, period, period_us)
        phase = np.where(better, (np.arctan2(s, c) / (2 * np.pi)) % 1.0, phase)
    if not periods:
        return np.full(a, np.nan), period_us, phase
    corrected = np.clip(best - np.log10(len(periods)), 0.0, LOG10_P_CAP)
    return missing_below(corrected, n, MIN_STARTS), period_us, phase


def clock_values(acts: AccountActs) -> FamilyValues:
    """Phase lock and interval regularity of session starts."""
    a = acts.n_accounts
    starts = session_starts(acts)
    n = count(acts.account_g[starts], a)
    log10_p, period_us, phase = phase_lock(acts)
    on = starts & on_phase(acts, period_us, phase)
    regularity, n_intervals, regular = _interval_regularity(acts, starts)
    return {
        "clock_phase_lock": SignalValues(
            log10_p, n, top_rows(acts.account_g, acts.order, on.astype(np.float64), a, N_EXAMPLES)
        ),
        "interval_regularity": SignalValues(
            regularity,
            n_intervals,
            top_rows(acts.account_g, acts.order, regular.astype(np.float64), a, N_EXAMPLES),
        ),
    }


def on_phase(
    acts: AccountActs, period_us: NDArray[np.int64], phase: NDArray[np.float64]
) -> NDArray[np.bool_]:
    """Acts whose session started within a tenth of a period of the account's phase, in grouped order.

    By chance a fifth of all sessions would.
    """
    starts = session_starts(acts)
    if acts.n_acts == 0:
        return starts
    begin = np.maximum.accumulate(np.where(starts, np.arange(acts.n_acts), 0))
    start_time = acts.time_g[begin]
    period = np.maximum(period_us[acts.account_g], 1)
    offset = (start_time % period) / period - phase[acts.account_g]
    offset = np.abs((offset + 0.5) % 1.0 - 0.5)
    return (period_us[acts.account_g] > 0) & (offset <= ON_PHASE_SHARE)


def regular_starts(acts: AccountActs) -> NDArray[np.bool_]:
    """Session starts that stand at the account's usual interval from the one before, in grouped order."""
    return _interval_regularity(acts, session_starts(acts))[2]


def _interval_regularity(
    acts: AccountActs, starts: NDArray[np.bool_]
) -> tuple[NDArray[np.float64], NDArray[np.int64], NDArray[np.bool_]]:
    a = acts.n_accounts
    at = np.flatnonzero(starts)
    group, time = acts.account_g[at], acts.time_g[at]
    regular = np.zeros(acts.n_acts, dtype=bool)
    same = np.zeros(len(at), dtype=bool)
    same[1:] = np.diff(group) == 0
    interval = np.zeros(len(at))
    interval[1:] = np.diff(time)
    keep = np.flatnonzero(same)
    g, log_interval = group[keep], np.log(np.maximum(interval[keep], 1.0))
    n = count(g, a)
    order = np.lexsort((log_interval, g))
    gs, ls = g[order], log_interval[order]
    # Widest set of intervals within a factor of 1.1: a sliding window over the sorted logarithms, per
    # account.
    offset = ls + gs * 1e3
    upper = np.searchsorted(offset, offset + np.log(1 + REGULAR_SHARE), side="right")
    held = (upper - np.arange(len(ls))).astype(np.float64)
    begin = np.concatenate([[0], np.cumsum(n)])
    best = np.zeros(a)
    np.maximum.at(best, gs, held)
    position = np.arange(len(ls)) - begin[gs]
    n_here = n[gs]
    low = position == (0.1 * (n_here - 1)).astype(np.int64)
    high = position == (0.9 * (n_here - 1)).astype(np.int64)
    span = total(gs[high], ls[high], a) - total(gs[low], ls[low], a)
    expected = np.clip(np.log(1 + REGULAR_SHARE) / np.maximum(span / 0.8, np.log(1 + REGULAR_SHARE)), 0, 1)
    # A window this narrow holds most of a tight distribution by definition: that is regularity, not chance.
    expected = np.where(span < 4 * np.log(1 + REGULAR_SHARE), 0.0, expected)
    share = best / np.maximum(n, 1)
    at_best = held >= best[gs]
    first_best = np.full(a, -1, dtype=np.int64)
    index = np.flatnonzero(at_best)[::-1]
    first_best[gs[index]] = index
    low_edge = np.where(first_best >= 0, ls[np.maximum(first_best, 0)] if len(ls) else 0.0, np.inf)
    inside = (log_interval >= low_edge[g] - 1e-12) & (log_interval <= low_edge[g] + np.log(1 + REGULAR_SHARE))
    regular[at[keep[inside]]] = True
    return missing_below(share - expected, n, MIN_STARTS - 1), n, regular


def _rayleigh_log10_p(n: NDArray[np.int64], resultant: NDArray[np.float64]) -> NDArray[np.float64]:
    """log10 of the Rayleigh p-value, shape as ``n``; never above 0."""
    n_f = n.astype(np.float64)
    exponent = np.sqrt(np.maximum(1 + 4 * n_f + 4 * (n_f**2 - resultant**2), 0.0)) - (1 + 2 * n_f)
    return np.asarray(np.minimum(exponent, 0.0) / np.log(10), dtype=np.float64)
