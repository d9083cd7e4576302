"""From finds to clusters: fragments together, glued farms apart, quiet parts out."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from graphscan.clusters import detection
from graphscan.clusters.assembly import LayerCluster, layer_clusters
from graphscan.clusters.candidates import Candidate
from graphscan.clusters.detection import (
    LayerProblem,
    candidate_acts,
    first_tests,
    object_folds,
    with_q_values,
)
from tests.unit.clusters.cluster_worlds import (
    DAY_S,
    Act,
    births,
    farm_acts,
    habit_acts,
    incidence_of,
    problem_of,
)

N_OBJECTS = 60
PEOPLE = range(40, 100)


def problem_with(rng: np.random.Generator, acts: list[Act]) -> LayerProblem:
    acts = acts + habit_acts(rng, PEOPLE, range(N_OBJECTS), share=0.1)
    return problem_of(incidence_of(acts, births(rng, N_OBJECTS), span_s=[9.0 * DAY_S] * N_OBJECTS))


def finds_of(problem: LayerProblem, *groups: Sequence[int] | range) -> list[detection.TestedCandidate]:
    candidates = [Candidate(np.array(sorted(group)), "incidence", -1, 0.0) for group in groups]
    return with_q_values(first_tests(problem, candidates, object_folds(problem)))


def members_of(clusters: list[LayerCluster]) -> list[list[int]]:
    return sorted(c.members.tolist() for c in clusters)


def test_fragments_of_one_farm_are_one_cluster() -> None:
    rng = np.random.default_rng(0)
    problem = problem_with(rng, farm_acts(rng, range(20), range(40)))
    finds = finds_of(problem, range(20), range(14), range(6, 20), range(3, 17))
    assert all(t.found(problem.settings) for t in finds)
    (cluster,) = layer_clusters(problem, finds)
    assert cluster.members.tolist() == list(range(20))
    assert cluster.is_core.sum() >= 18
    # The evidence is the held-out test of the candidate that is most like the cluster.
    assert cluster.candidate == 0
    assert cluster.test is finds[0].test
    assert set(cluster.candidates) == {0, 1, 2, 3}


def test_two_farms_glued_by_discovery_are_two_clusters() -> None:
    for seed in range(3):
        rng = np.random.default_rng(seed)
        acts = farm_acts(rng, range(12), range(40)) + farm_acts(rng, range(12, 28), range(10, 50))
        problem = problem_with(rng, acts)
        found = layer_clusters(problem, finds_of(problem, range(28)))
        assert members_of(found) == [list(range(12)), list(range(12, 28))]


def test_strangers_in_a_find_do_not_become_members() -> None:
    for seed in range(3):
        rng = np.random.default_rng(seed)
        problem = problem_with(rng, farm_acts(rng, range(12), range(40)))
        (cluster,) = layer_clusters(problem, finds_of(problem, [*range(12), *range(40, 46)]))
        assert set(range(12)) <= set(cluster.members.tolist())
        assert len(cluster.members) <= 13


def test_people_who_ride_on_a_loud_farm_are_no_cluster_of_their_own() -> None:
    rng = np.random.default_rng(1)
    acts = farm_acts(rng, range(12), range(40), share=0.8)
    acts += habit_acts(rng, range(12, 24), range(40), share=0.6)
    problem = problem_with(rng, acts)
    finds = finds_of(problem, range(24))
    assert finds[0].found(problem.settings)
    (cluster,) = layer_clusters(problem, finds)
    assert set(range(12)) <= set(cluster.members.tolist())
    assert len(np.intersect1d(cluster.members, range(12, 24))) <= 3


def test_nothing_found_nothing_assembled() -> None:
    rng = np.random.default_rng(2)
    problem = problem_with(rng, [])
    finds = finds_of(problem, range(40, 60), range(60, 80))
    assert not any(t.found(problem.settings) for t in finds)
    assert layer_clusters(problem, finds) == []


def test_only_finds_of_the_own_layer_are_used() -> None:
    rng = np.random.default_rng(3)
    acts = farm_acts(rng, range(12), range(40))
    problem = problem_with(rng, acts)
    finds = finds_of(problem, range(12))
    other = problem_of(problem.incidence, layer="co_like")
    assert layer_clusters(other, finds) == []
    assert len(layer_clusters(problem, finds)) == 1


def test_the_bots_are_found_and_the_victim_is_not_core() -> None:
    """Bots follow all that a person does. Their acts may make it a member, never core."""
    for seed in range(3):
        rng = np.random.default_rng(seed)
        own = habit_acts(rng, [0], range(N_OBJECTS), share=1.0)
        acts = own + [
            (bot, o, d + rng.uniform(2, 20)) for _, o, d in own for bot in range(1, 20) if rng.random() < 0.8
        ]
        problem = problem_with(rng, acts)
        (cluster,) = layer_clusters(problem, finds_of(problem, range(20)))
        core = set(cluster.members[cluster.is_core].tolist())
        assert 0 not in core
        assert len(core & set(range(1, 20))) >= 17


def test_the_order_of_finds_does_not_count() -> None:
    rng = np.random.default_rng(4)
    acts = farm_acts(rng, range(14), range(40)) + farm_acts(rng, range(14, 26), range(20, 60), jitter_s=900)
    problem = problem_with(rng, acts)
    finds = finds_of(problem, range(26), range(14), range(14, 26), range(8), range(16, 26))
    first = members_of(layer_clusters(problem, finds))
    assert len(first) == 2
    for _ in range(3):
        shuffled = [finds[i] for i in rng.permutation(len(finds))]
        assert members_of(layer_clusters(problem, shuffled)) == first
    acts_of_first = candidate_acts(problem, finds[0].candidate, object_folds(problem))
    assert acts_of_first.n_objects > 30
