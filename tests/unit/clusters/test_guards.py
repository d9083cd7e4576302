"""Each guard takes away what it was made for, and leaves a farm standing."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from graphscan.clusters.detection import LayerProblem
from graphscan.clusters.guards import (
    passing_test,
    same_hours_acts,
    same_span_acts,
    stands_out_of_crowd,
    stands_the_guards,
    without_extreme_objects,
)
from graphscan.clusters.significance import MemberActs, acts_of_rows
from graphscan.settings import ClusterSettings
from tests.unit.clusters.cluster_worlds import (
    DAY_S,
    Act,
    births,
    farm_acts,
    habit_acts,
    incidence_of,
    problem_of,
)

N = 12
N_OBJECTS = 40
World = tuple[LayerProblem, MemberActs]


def world(
    acts: list[Act], when: np.ndarray, *, span_s: list[float] | None = None, has_sessions: bool = False
) -> World:
    incidence = incidence_of(acts, when, span_s=span_s)
    members = np.flatnonzero(incidence.account < N)
    # The floor of kappa alone would stop most sessions; here it is low, so that the guards have to.
    settings = ClusterSettings(min_kappa=0.1) if has_sessions else ClusterSettings()
    problem = problem_of(incidence, has_sessions=has_sessions, settings=settings)
    return problem, acts_of_rows(incidence, members)


def outsiders(rng: np.random.Generator, n: int = 40, **options: float) -> list[Act]:
    return habit_acts(rng, range(N, N + n), range(N_OBJECTS), share=0.2, **options)


def farm(rng: np.random.Generator, jitter_s: float = 120.0) -> World:
    acts = farm_acts(rng, range(N), range(N_OBJECTS), jitter_s=jitter_s)
    return world(acts + outsiders(rng), births(rng, N_OBJECTS), span_s=[9.0 * DAY_S] * N_OBJECTS)


def late_objects(rng: np.random.Generator) -> World:
    """People with habits, on a few objects that came to light long after they were posted."""
    delay = np.where(np.arange(N_OBJECTS) % 6 == 0, rng.uniform(1, 6, N_OBJECTS) * DAY_S, 0.0)
    acts = [
        (a, o, float(delay[o] + rng.lognormal(np.log(3_000), 0.5)))
        for a in range(N)
        for o in range(N_OBJECTS)
        if rng.random() < 0.5
    ]
    return world(acts + outsiders(rng), births(rng, N_OBJECTS), span_s=[9.0 * DAY_S] * N_OBJECTS)


def sleepers(rng: np.random.Generator) -> World:
    """People of one place: what is born at night is read from seven on, what is born by day at once."""
    when = births(rng, N_OBJECTS)
    acts = []
    for a in range(N):
        for o in range(N_OBJECTS):
            hour = when[o] % DAY_S
            wait = max(0.0, 7 * 3_600 - hour) if hour < 8 * 3_600 else 0.0
            if rng.random() < 0.5:
                acts.append((a, o, wait + float(rng.exponential(2_400))))
    return world(acts + outsiders(rng), when, span_s=[9.0 * DAY_S] * N_OBJECTS)


def sessions(rng: np.random.Generator) -> World:
    """A few people each time, who speak whenever while the session lasts; some sessions are very long."""
    length = np.where(np.arange(N_OBJECTS) % 5 < 3, 650.0, 90_000.0)
    acts = [
        (a, o, float(rng.uniform(0, length[o])))
        for a in range(N + 10)
        for o in range(N_OBJECTS)
        if rng.random() < 0.2
    ]
    return world(acts, births(rng, N_OBJECTS), span_s=length.tolist(), has_sessions=True)


def crowd(rng: np.random.Generator) -> World:
    """Every object has one burst, and everybody on it is in the burst."""
    acts = farm_acts(rng, range(N), range(N_OBJECTS), jitter_s=900)
    burst = {o: min(d for _, p, d in acts if p == o) for _, o, _ in acts}
    acts += [
        (a, o, burst[o] + float(rng.uniform(0, 900)))
        for o in burst
        for a in rng.choice(np.arange(N, N + 200), 60, replace=False).tolist()
    ]
    return world(acts, births(rng, N_OBJECTS), span_s=[9.0 * DAY_S] * N_OBJECTS)


def stands(found: World) -> bool:
    problem, acts = found
    test = passing_test(problem, acts)
    return test is not None and stands_the_guards(problem, acts, test)


@pytest.mark.parametrize("jitter_s", [20.0, 180.0, 1_800.0])
def test_a_farm_stands_all_guards(jitter_s: float) -> None:
    assert [stands(farm(np.random.default_rng(seed), jitter_s)) for seed in range(3)] == [True] * 3


@pytest.mark.parametrize("artefact", [late_objects, sleepers, sessions, crowd])
def test_an_artefact_falls(artefact: Callable[[np.random.Generator], World]) -> None:
    passed_before = 0
    for seed in range(4):
        found = artefact(np.random.default_rng(seed))
        passed_before += passing_test(*found) is not None
        assert not stands(found)
    # Without the guards these would be found, else this test would show nothing.
    assert passed_before >= 3


def test_late_objects_are_what_the_trimming_takes() -> None:
    problem, acts = late_objects(np.random.default_rng(0))
    trimmed = without_extreme_objects(acts)
    assert trimmed.n_objects == acts.n_objects - acts.n_objects // 5
    assert not np.isin(trimmed.object_code, np.arange(0, N_OBJECTS, 6)).any()
    assert passing_test(problem, trimmed, 0.5) is None


def test_few_objects_are_not_trimmed() -> None:
    rng = np.random.default_rng(0)
    acts = acts_of_rows(
        found := incidence_of(farm_acts(rng, range(5), range(4)), births(rng, 4)), np.arange(len(found))
    )
    assert without_extreme_objects(acts) is acts


def test_hours_part_the_exchange_and_nothing_else() -> None:
    problem, acts = sleepers(np.random.default_rng(1))
    parted = same_hours_acts(acts)
    assert np.array_equal(parted.ticks, acts.ticks)
    third = (acts.time_us - acts.ticks.astype(np.int64) * 100_000) % 86_400_000_000 // 28_800_000_000
    for group in np.unique(parted.group):
        rows = parted.group == group
        assert len(np.unique(acts.group[rows])) == 1
        # All acts on one object stay together though ticks round its birth down.
        assert len(np.unique(third[rows])) == 1 or len(np.unique(acts.obj[rows])) < rows.sum()
    assert parted.group.max() > acts.group.max()
    assert passing_test(problem, parted, 0.5) is None


def test_sessions_are_exchanged_with_sessions_of_like_length() -> None:
    _, acts = sessions(np.random.default_rng(2))
    parted = same_span_acts(acts)
    for group in np.unique(parted.group):
        rows = parted.group == group
        assert len(np.unique(acts.span_ticks[rows])) == 1
        assert len(np.unique(acts.account[rows])) == 1


def test_a_farm_inside_a_crowd_stands_out_by_being_closer() -> None:
    rng = np.random.default_rng(3)
    acts = farm_acts(rng, range(N), range(N_OBJECTS), jitter_s=30)
    problem, own = world(
        acts + habit_acts(rng, range(N, N + 150), range(N_OBJECTS), share=0.4), births(rng, N_OBJECTS)
    )
    assert (problem.incidence.accounts_on_object[own.object_code] > 2 * N).all()
    assert stands_out_of_crowd(problem, own, 60.0)
    crowded, members = crowd(rng)
    assert not stands_out_of_crowd(crowded, members, 600.0)


def test_one_object_is_no_test() -> None:
    incidence = incidence_of([(a, 0, float(a)) for a in range(6)], [0])
    assert passing_test(problem_of(incidence), acts_of_rows(incidence, np.arange(6))) is None
