"""Accounts that keep the same clock: what locks, at which period, and what must not."""

from __future__ import annotations

import numpy as np
import pytest

from graphscan.network.clocks import (
    MAX_P_VALUE,
    MIN_STARTS,
    PERIODS_S,
    SILENCE_S,
    clock_locks,
    declustered_starts,
)

SECOND = 1_000_000
HOUR_US = 3_600 * SECOND
START_US = 1_700_000_000 * SECOND // HOUR_US * HOUR_US


def scheduled(period_s: int, phase_s: float, n: int, jitter_s: float = 0.0, seed: int = 1) -> np.ndarray:
    """Times of a scheduler that skips some of its turns, as people's schedulers do."""
    random = np.random.Generator(np.random.PCG64(seed))
    turns = np.sort(random.choice(np.arange(40 * n), n, replace=False))
    # Turns so close that they would count as one burst are moved apart, by whole periods.
    apart = -(-int(SILENCE_S + 2 * jitter_s + 1) // period_s)
    turns = turns + apart * np.arange(n)
    jitter = random.uniform(-jitter_s, jitter_s, n) if jitter_s else np.zeros(n)
    return START_US + np.round((turns * period_s + phase_s + jitter) * SECOND).astype(np.int64)


def locks_of(*times: np.ndarray, resolution_us: int = 1) -> dict[int, int]:
    """Account to its locked period in seconds."""
    account = np.repeat(np.arange(len(times)), [len(t) for t in times])
    all_times = np.concatenate(times)
    found = clock_locks(account, all_times, len(times), resolution_us)
    assert len(found.row) == len(set(account[found.row].tolist()))
    return {int(account[row]): found.periods_s[k] for row, k in zip(found.row, found.period, strict=True)}


def test_a_burst_is_one_start() -> None:
    account = np.array([0, 0, 0, 1, 0, 1])
    time_us = np.array([0, 10, 600, 5, 1_201, 606]) * SECOND
    # Of account 0: silence of 590 s, then of 601 s; of account 1: 601 s. The limit itself is no silence.
    assert declustered_starts(account, time_us).tolist() == [0, 4, 3, 5]
    assert declustered_starts(account, time_us, silence_s=601).tolist() == [0, 3]


@pytest.mark.parametrize("period_s", PERIODS_S)
def test_a_scheduler_is_locked_to_its_own_period_not_to_its_fractions(period_s: int) -> None:
    assert locks_of(scheduled(period_s, 0.3 * period_s, 60)) == {0: period_s}


def test_jitter_of_a_tenth_of_the_period_does_not_hide_it() -> None:
    assert locks_of(scheduled(3_600, 420, 60, jitter_s=360)) == {0: 3_600}


def test_people_and_few_starts_are_not_locked() -> None:
    """Of 300 accounts that act at random none is locked: the level is one in a million."""
    random = np.random.Generator(np.random.PCG64(3))
    people = [np.sort(START_US + random.integers(0, 90 * 24 * HOUR_US, 200)) for _ in range(300)]
    assert locks_of(*people) == {}
    assert locks_of(scheduled(3_600, 420, MIN_STARTS - 1)) == {}
    assert locks_of(scheduled(3_600, 420, MIN_STARTS)) == {0: 3_600}


def test_bursts_do_not_count_as_many_starts() -> None:
    """One person on three evenings, two hundred messages each: hundreds of events, three decisions."""
    evening = np.arange(200) * 15 * SECOND
    assert locks_of(np.concatenate([START_US + d * 24 * HOUR_US + evening for d in range(3)])) == {}


def test_periods_near_the_resolution_of_the_source_are_left_out() -> None:
    minute = 60 * SECOND
    random = np.random.Generator(np.random.PCG64(4))
    people = [START_US + random.integers(0, 90 * 24 * 60, 400) // 1 * minute for _ in range(50)]
    found = clock_locks(np.repeat(np.arange(50), 400), np.concatenate(people), 50, resolution_us=minute)
    assert found.periods_s == tuple(p for p in PERIODS_S if p > 300)
    assert len(found.row) == 0
    assert max(PERIODS_S) < 12 * 3_600
    assert MAX_P_VALUE <= 1e-6


def test_phases_of_one_clock_are_neighbours_also_across_the_full_hour() -> None:
    """Phases of 59:50, 0:05 and 30:00: the first two are fifteen seconds apart."""
    times = [scheduled(3_600, phase, 60, seed=k) for k, phase in enumerate((3_590, 5, 1_800))]
    account = np.repeat(np.arange(3), 60)
    found = clock_locks(account, np.concatenate(times), 3)
    phase_s = dict(zip(account[found.row].tolist(), (found.phase_us / 1e6).tolist(), strict=True))
    assert abs(phase_s[0] - phase_s[1]) == pytest.approx(15, abs=0.01)
    assert abs(phase_s[0] - phase_s[2]) > 1_000
    assert all(0 <= phase < 3_600 for phase in phase_s.values())


def test_nobody_at_all() -> None:
    found = clock_locks(np.empty(0, np.int64), np.empty(0, np.int64), 0)
    assert (len(found.row), len(found.period), len(found.phase_us)) == (0, 0, 0)
