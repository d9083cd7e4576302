"""Who belongs by its own acts, who is core, and what is one cluster."""

from __future__ import annotations

import numpy as np
import pytest

from graphscan.clusters.membership import company, membership, overlap_groups, parts, shared_part
from graphscan.clusters.significance import acts_of_rows, window_ticks
from graphscan.entropy import generator
from tests.unit.clusters.cluster_worlds import Act, births, farm_acts, habit_acts, incidence_of

N_OBJECTS = 40
LONG = [30 * 86_400.0] * 80


def acts_of(acts: list[Act], rng: np.random.Generator, n_objects: int = N_OBJECTS):  # type: ignore[no-untyped-def]
    incidence = incidence_of(acts, births(rng, n_objects), span_s=LONG[:n_objects])
    return acts_of_rows(incidence, np.arange(len(incidence)))


@pytest.mark.parametrize("seed", range(3))
def test_company_against_brute_force(seed: int) -> None:
    rng = np.random.default_rng(seed)
    acts = acts_of(habit_acts(rng, range(9), range(12), slowest_s=900), rng, 12)
    window = int(window_ticks((300.0,))[0])
    delays = np.stack([acts.ticks, rng.permutation(acts.ticks)])
    around, before = company(acts, delays, window)
    for p in range(2):
        for i in range(len(acts)):
            others = np.flatnonzero((acts.obj == acts.obj[i]) & (np.arange(len(acts)) != i))
            gap = delays[p, i] - delays[p, others]
            assert around[p, i] == pytest.approx((abs(gap) <= window).mean())
            assert before[p, i] == pytest.approx(((gap >= 0) & (gap <= window)).mean())
    assert 0 < around.mean() < 1


def test_a_farm_stays_and_outsiders_drop_out() -> None:
    for seed in range(3):
        rng = np.random.default_rng(seed)
        rows = farm_acts(rng, range(10), range(N_OBJECTS)) + habit_acts(rng, range(10, 16), range(N_OBJECTS))
        found = membership(acts_of(rows, rng), 60.0, seed=0)
        assert set(range(10)) <= set(found.members.tolist())
        # The bound is one standard deviation, so of people one in six or so comes by chance.
        assert len(found.members) <= 12
        assert set(range(10)) <= set(found.members[found.is_core].tolist())


def test_company_on_one_object_is_not_enough() -> None:
    rng = np.random.default_rng(1)
    rows = farm_acts(rng, range(8), range(20), share=0.7)
    (order,) = {round(d - d % 1) for a, o, d in rows if o == 3 and a == min(x for x, p, _ in rows if p == 3)}
    rows += [(8, 3, float(order)), *((8, o, 500_000.0 + 1_000 * o) for o in range(4, 12))]
    assert 8 not in membership(acts_of(rows, rng, 20), 60.0, seed=0).members


@pytest.mark.parametrize("seed", range(4))
def test_a_shadowed_victim_is_never_core(seed: int) -> None:
    """Bots act seconds after everything one person does: it keeps company, but it follows nobody."""
    rng = np.random.default_rng(seed)
    own = habit_acts(rng, [0], range(N_OBJECTS), share=1.0)
    rows = own + [
        (bot, o, d + rng.uniform(2, 20)) for _, o, d in own for bot in range(1, 16) if rng.random() < 0.8
    ]
    found = membership(acts_of(rows, rng), 60.0, seed=0)
    core = found.members[found.is_core]
    assert 0 in found.members
    assert 0 not in core
    assert len(core) >= 13


def test_the_same_seed_gives_the_same() -> None:
    rng = np.random.default_rng(0)
    acts = acts_of(habit_acts(rng, range(12), range(20)), rng, 20)
    first, second = (membership(acts, 3_600.0, seed=4) for _ in range(2))
    assert np.array_equal(first.members, second.members)
    assert np.array_equal(first.is_core, second.is_core)


def test_no_acts_no_members() -> None:
    rng = np.random.default_rng(0)
    none = acts_of([(0, 0, 1.0), (1, 1, 1.0)], rng, 2)
    assert len(membership(none, 60.0, seed=0).members) == 0
    assert generator(0, "membership").random() == generator(0, "membership").random()


def test_two_farms_that_were_glued_are_taken_apart() -> None:
    for seed in range(3):
        rng = np.random.default_rng(seed)
        one = farm_acts(rng, range(8), range(N_OBJECTS))
        other = farm_acts(rng, range(8, 20), range(N_OBJECTS))
        found = parts(acts_of(one + other, rng), 60.0, seed=0, min_size=5)
        assert sorted(g.tolist() for g in found) == [list(range(8)), list(range(8, 20))]


def test_one_farm_is_left_whole_however_sparse() -> None:
    for share in (0.15, 0.5, 1.0):
        rng = np.random.default_rng(2)
        acts = acts_of(farm_acts(rng, range(30), range(80), share=share), rng, 80)
        (whole,) = parts(acts, 60.0, seed=0, min_size=5)
        assert whole.tolist() == list(range(30))


def test_people_who_never_meet_are_no_part() -> None:
    rows = [(a, o, 10_000.0 * a) for a in range(12) for o in range(4)]
    assert parts(acts_of(rows, np.random.default_rng(0), 4), 60.0, seed=0, min_size=5) == []


def test_a_group_too_small_to_halve_is_not_looked_at() -> None:
    rows = [(a, o, 10_000.0 * a) for a in range(9) for o in range(4)]
    (whole,) = parts(acts_of(rows, np.random.default_rng(0), 4), 60.0, seed=0, min_size=5)
    assert whole.tolist() == list(range(9))


def test_overlap_is_counted_on_the_smaller() -> None:
    assert shared_part(np.arange(10), np.arange(8, 12)) == 0.5
    assert shared_part(np.arange(3), np.arange(5, 9)) == 0.0
    assert shared_part(np.empty(0, np.int64), np.arange(3)) == 0.0


def test_finds_join_the_strongest_that_holds_half_of_them() -> None:
    members = [np.arange(6), np.arange(20), np.arange(17, 23), np.arange(40, 46), np.arange(15, 22)]
    # Strongest first: 1, then 4 (5 of 7 in 1), 0 (all in 1), 2 (half in 1 and 5 of 6 in the grown group), 3.
    assert overlap_groups(members, [1.0, 9.0, 0.5, 0.1, 5.0]) == [[1, 4, 0, 2], [3]]
    assert overlap_groups([np.arange(6), np.arange(4, 10)], [2.0, 1.0]) == [[0], [1]]


def test_equal_finds_are_put_in_order_by_size_and_members() -> None:
    members = [np.arange(5, 10), np.arange(5), np.arange(3, 12)]
    first = overlap_groups(members, [1.0] * 3)
    assert first == [[2, 0], [1]]
    again = overlap_groups(members[::-1], [1.0] * 3)
    assert [[2 - k for k in group] for group in again] == first
