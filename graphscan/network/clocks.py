"""Accounts that keep the same clock: a period and a phase that chance does not give.

A scheduler that posts every hour at :07 leaves a phase: the starts of its bursts, taken modulo the period,
fall together. The Rayleigh test (Mardia & Jupp, Directional Statistics, 2000, §6.3.1) asks whether they do.
Starts are declustered first (600 s of silence before each), because a person's burst of ten messages is one
decision, not ten; without that most busy people look periodic.

Blind spots: finds schedulers only. An agent that reacts to events has no phase, and a jitter near half the
period hides one.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

IntArray = NDArray[np.int64]

PERIODS_S: Final = (300, 600, 900, 1_200, 1_800, 3_600, 7_200)
SILENCE_S: Final = 600
MIN_STARTS: Final = 30
MAX_P_VALUE: Final = 1e-6


@dataclass(frozen=True)
class ClockLocks:
    """Which accounts are locked to which period, one row a lock.

    Parameters
    ----------
    row
        A row of the input that stands for the lock: the account's first start.
    period
        Index into ``periods_s``.
    phase_us
        Mean phase in microseconds after the start of the period, shifted for each period so that the
        widest empty arc of phases lies at the ends: two phases are neighbours on the clock if and only if
        they are neighbours as numbers.
    periods_s
        The periods tested, in seconds.
    """

    row: IntArray
    period: IntArray
    phase_us: IntArray
    periods_s: tuple[int, ...]


def declustered_starts(account: IntArray, time_us: IntArray, silence_s: float = SILENCE_S) -> IntArray:
    """Row numbers, sorted by (account, time), of events after ``silence_s`` of an account's own silence."""
    order = np.lexsort((time_us, account))
    account, time_us = account[order], time_us[order]
    is_start = np.ones(len(order), bool)
    is_start[1:] = (account[1:] != account[:-1]) | (np.diff(time_us) > silence_s * 1e6)
    result: IntArray = order[is_start]
    return result


def clock_locks(account: IntArray, time_us: IntArray, n_accounts: int, resolution_us: int = 1) -> ClockLocks:
    """Accounts locked to a clock at p < 1e-6 after Bonferroni over the periods, one lock an account.

    Who keeps an hourly clock is also locked to each of its fractions; the longest locked period is the
    clock, the others are its echoes.

    Periods of at most five times the resolution of the source are skipped: on minute-rounded times a period
    of one minute "locks" nearly everybody.

    Parameters
    ----------
    account, time_us
        Account code and time of each event, shape ``(n,)``.
    n_accounts
        Size of the code space.
    resolution_us
        Time resolution of the source.
    """
    periods = tuple(p for p in PERIODS_S if p * 1_000_000 > 5 * resolution_us)
    starts = declustered_starts(account, time_us)
    enough = np.bincount(account[starts], minlength=n_accounts) >= MIN_STARTS
    starts = starts[enough[account[starts]]]
    who, when = account[starts], time_us[starts]
    n = np.bincount(who, minlength=n_accounts)
    first = np.full(n_accounts, -1, np.int64)
    first[who[::-1]] = starts[::-1]
    rows, which, phases = [], [], []
    is_taken = np.zeros(n_accounts, bool)
    for k in reversed(range(len(periods))):
        period_us = periods[k] * 1_000_000
        angle = (when % period_us) * (2 * np.pi / period_us)
        c = np.bincount(who, weights=np.cos(angle), minlength=n_accounts)
        s = np.bincount(who, weights=np.sin(angle), minlength=n_accounts)
        log_p = -(c**2 + s**2) / np.maximum(n, 1)
        locked = np.flatnonzero(~is_taken & (log_p + np.log(len(periods)) < np.log(MAX_P_VALUE)))
        is_taken[locked] = True
        phase = np.round(np.arctan2(s[locked], c[locked]) / (2 * np.pi) * period_us).astype(np.int64)
        rows.append(first[locked])
        which.append(np.full(len(locked), k, np.int64))
        phases.append(_cut_at_widest_gap(phase % period_us, period_us))
    none = [np.empty(0, np.int64)]
    return ClockLocks(
        np.concatenate(rows or none), np.concatenate(which or none), np.concatenate(phases or none), periods
    )


def _cut_at_widest_gap(phase_us: IntArray, period_us: int) -> IntArray:
    if len(phase_us) < 2:
        return phase_us
    around = np.sort(phase_us)
    gaps = np.diff(np.concatenate((around, [around[0] + period_us])))
    widest = int(np.argmax(gaps))
    zero = around[(widest + 1) % len(around)]
    result: IntArray = (phase_us - zero) % period_us
    return result
