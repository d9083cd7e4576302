"""When people are awake, and when they act: time zones, sessions, bursts."""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray

from graphscan.entropy import mix64

Int64 = NDArray[np.int64]
Float64 = NDArray[np.float64]

HOUR_US: Final = 3_600_000_000
DAY_US: Final = 24 * HOUR_US

USUAL: Final = 0
SHIFT: Final = 1
INSOMNIAC: Final = 2
ALWAYS: Final = 3

# Share of a day's activity by local hour, fitted by eye to the usual two humps of working people.
_USUAL: Final = np.hstack(
    (
        [2.4, 1.2, 0.6, 0.35, 0.3, 0.5, 1.3, 2.8, 4.2, 4.8, 5.0, 5.0],
        [5.4, 5.2, 5.0, 4.9, 5.0, 5.2, 5.6, 6.2, 6.8, 6.9, 5.8, 4.1],
    )
)
_INSOMNIAC: Final = np.hstack(
    (
        [4.8, 4.4, 4.0, 3.4, 2.8, 1.8, 1.4, 1.6, 2.2, 3.0, 3.4, 3.8],
        [4.2, 4.4, 4.4, 4.4, 4.6, 4.8, 5.0, 5.4, 5.8, 6.2, 6.0, 5.4],
    )
)


def _table() -> Float64:
    rows = np.array([_USUAL**1.2, _USUAL**1.2, _INSOMNIAC, np.ones(24)])
    table: Float64 = rows / rows.max(axis=1, keepdims=True)
    return table


AWAKE: Final = _table()
"""Relative activity by habit (``USUAL``, ``SHIFT``, ``INSOMNIAC``, ``ALWAYS``) and local hour, at most 1."""


class Clocks:
    """Local time and habit of every account.

    Parameters
    ----------
    zone_h
        Hours ahead of UTC, shape (n_accounts,).
    shift_h
        How much later than usual an account lives, in hours, shape (n_accounts,).
    habit
        ``USUAL``, ``SHIFT`` (nights every third week), ``INSOMNIAC`` or ``ALWAYS``, shape (n_accounts,).
    """

    def __init__(self, zone_h: Float64, shift_h: Float64, habit: Int64) -> None:
        self.zone_h = zone_h
        self.shift_h = shift_h
        self.habit = habit

    def _offset_h(self, account: Int64, time_us: Int64) -> Float64:
        """Hours from UTC to the hour of an account's own day."""
        nights = (self.habit[account] == SHIFT) & ((time_us // (7 * DAY_US) + account) % 3 == 0)
        offset: Float64 = self.zone_h[account] - self.shift_h[account] + np.where(nights, -10.0, 0.0)
        return offset

    def awake(self, account: Int64, time_us: Int64) -> Float64:
        """Relative activity, 0 to 1, of each account at each time."""
        hour = (time_us / HOUR_US + self._offset_h(account, time_us)) % 24
        out: Float64 = AWAKE[self.habit[account], np.minimum(hour.astype(np.int64), 23)]
        return out

    def times_of_day(self, account: Int64, day: Int64, rng: np.random.Generator) -> Int64:
        """A time on each day, by the account's habit, shape (n,)."""
        cumulative = np.cumsum(AWAKE, axis=1) / AWAKE.sum(axis=1, keepdims=True)
        habit = self.habit[account]
        draw = rng.random(len(account))
        hour = np.zeros(len(account), dtype=np.int64)
        for which in range(len(AWAKE)):
            mine = np.flatnonzero(habit == which)
            hour[mine] = np.searchsorted(cumulative[which], draw[mine], side="right")
        local = np.minimum(hour, 23) + rng.random(len(account))
        begin = day * DAY_US
        offset = self._offset_h(account, begin)
        out: Int64 = begin + ((local - offset) * HOUR_US).astype(np.int64)
        return out


def _own_uniform(value: Int64, salt: int) -> Float64:
    """A number in [0, 1) that belongs to each value."""
    mixed = mix64(value.astype(np.uint64) + np.uint64(salt << 50))
    out: Float64 = (mixed >> np.uint64(11)).astype(np.float64) / 2.0**53
    return out


def session_times(
    account: Int64,
    new_session: NDArray[np.bool_],
    first_day: Int64,
    last_day: Int64,
    clocks: Clocks,
    rng: np.random.Generator,
) -> tuple[Int64, Int64]:
    """Times of events in sessions.

    Parameters
    ----------
    account
        Account of each event, shape (n,), events of a session one after another.
    new_session
        Where a session begins, shape (n,); true wherever the account changes.
    first_day, last_day
        Days since the epoch between which each account is active, shape (n_accounts,).
    clocks
        Local times.

    Returns
    -------
    tuple
        Time of each event in microseconds and number of its session, shape (n,) each.
    """
    session = np.cumsum(new_session) - 1
    starts = np.flatnonzero(new_session)
    owner = account[starts]
    length = last_day[owner] - first_day[owner] + 1
    # People come for some days and stay away for others: each has its own active days.
    liveliness = 0.15 + 0.85 * _own_uniform(owner, 1) ** 1.3
    pick = (rng.random(len(owner)) ** 1.2 * np.maximum(length * liveliness, 1.0)).astype(np.int64)
    day = first_day[owner] + (_own_uniform(owner * 4_096 + pick, 2) * length).astype(np.int64)
    begin = clocks.times_of_day(owner, day, rng)
    # Heavy-tailed pauses: most acts follow within a minute, some after a quarter of an hour.
    gap = np.minimum(rng.lognormal(np.log(38e6), 1.35, len(account)), 1_500e6)
    gap[starts] = 0.0
    run = np.cumsum(gap)
    time_us = begin[session] + (run - run[starts][session]).astype(np.int64)
    return time_us, session
