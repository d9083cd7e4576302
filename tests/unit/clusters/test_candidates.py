"""Communities of the discovery graphs: planted ones come back, and always the same."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

from graphscan.clusters.candidates import Candidate, dense_groups, distinct_candidates
from graphscan.clusters.weights import AccountGraph


def graph_of(weights: dict[tuple[int, int], float]) -> AccountGraph:
    pairs = sorted(weights)
    a, b = (np.array([pair[k] for pair in pairs], np.int64) for k in (0, 1))
    return AccountGraph(a, b, np.array([weights[pair] for pair in pairs]), np.ones(len(pairs), np.int64))


def planted(
    rng: np.random.Generator, cliques: list[list[int]], n: int, noise: float = 0.02
) -> dict[tuple[int, int], float]:
    """Cliques of weight about 3 in a sparse random graph of weight up to 1."""
    weights = {
        pair: float(rng.uniform(0.1, 1.0))
        for pair in itertools.combinations(range(n), 2)
        if rng.random() < noise
    }
    for clique in cliques:
        weights |= {pair: float(rng.uniform(2.5, 3.5)) for pair in itertools.combinations(sorted(clique), 2)}
    return weights


CLIQUES = [[3, 17, 40, 55, 71, 90], list(range(100, 112)), list(range(150, 155))]


@pytest.mark.parametrize("seed", range(5))
def test_planted_cliques_are_recovered(seed: int) -> None:
    graph = graph_of(planted(np.random.default_rng(seed), CLIQUES, 200))
    groups = [g.tolist() for g in dense_groups(graph, (0.8,), seed=seed)]
    assert groups == sorted(CLIQUES)


def test_small_cliques_are_not_glued_however_large_the_graph() -> None:
    """Modularity joins neighbouring cliques of a long ring (its resolution limit); CPM does not."""
    ring = [list(range(5 * k, 5 * k + 5)) for k in range(60)]
    weights = {pair: 1.0 for clique in ring for pair in itertools.combinations(clique, 2)}
    weights |= {tuple(sorted((5 * k, (5 * k + 6) % 300))): 1.0 for k in range(60)}
    graph = graph_of(weights)  # type: ignore[arg-type]
    assert [g.tolist() for g in dense_groups(graph, (0.5,), seed=0)] == ring
    glued = dense_groups(graph, (1.0,), seed=0, objective="modularity", prune=False)
    assert len(glued) < 60


def test_a_resolution_is_a_weight() -> None:
    graph = graph_of(planted(np.random.default_rng(0), CLIQUES, 200, noise=0.0))
    assert len(dense_groups(graph, (2.0,), seed=0)) == 3
    assert dense_groups(graph, (4.0,), seed=0) == []
    assert len(dense_groups(graph, (2.0,), seed=0, min_size=6)) == 2
    both = dense_groups(graph, (0.5, 2.0), seed=0)
    assert [g.tolist() for g in both] == sorted(CLIQUES) * 2


def test_loose_members_are_pruned() -> None:
    weights = dict.fromkeys(itertools.combinations(range(8), 2), 3.0)
    weights |= {(a, 8): 1.0 for a in range(8)}
    graph = graph_of(weights)
    assert dense_groups(graph, (0.5,), seed=0)[0].tolist() == list(range(8))
    assert dense_groups(graph, (0.5,), seed=0, prune=False)[0].tolist() == list(range(9))


def test_the_same_seed_gives_the_same_and_row_order_does_not_count() -> None:
    rng = np.random.default_rng(7)
    weights = planted(rng, CLIQUES, 300, noise=0.2)
    graph = graph_of(weights)
    first = [g.tolist() for g in dense_groups(graph, (0.1, 0.3, 0.8), seed=5)]
    assert len(first) > 3
    for _ in range(3):
        assert [g.tolist() for g in dense_groups(graph, (0.1, 0.3, 0.8), seed=5)] == first
    # A graph is sorted by construction; what moves the rows around is another order of the dictionary.
    again = graph_of(dict(sorted(weights.items(), key=lambda _: rng.random())))
    assert [g.tolist() for g in dense_groups(again, (0.1, 0.3, 0.8), seed=5)] == first


def test_gaps_between_codes_change_nothing() -> None:
    """Accounts that take no part (strangers) leave gaps; only the order of the others counts."""
    weights = planted(np.random.default_rng(2), CLIQUES, 200, noise=0.1)
    spread = {(7 * a + 3, 7 * b + 3): w for (a, b), w in weights.items()}
    plain = dense_groups(graph_of(weights), (0.3, 0.8), seed=1)
    assert [(7 * g + 3).tolist() for g in plain] == [
        g.tolist() for g in dense_groups(graph_of(spread), (0.3, 0.8), seed=1)
    ]


def test_no_edges_no_groups() -> None:
    none = np.empty(0, np.int64)
    assert dense_groups(AccountGraph(none, none, np.empty(0), none), (0.5,), seed=0) == []


def candidate(
    members: range | list[int], source: str = "crossfit", fold: int = 0, window: float = 60.0
) -> Candidate:
    return Candidate(np.array(members), source, fold, window)


def test_near_copies_of_one_source_and_fold_are_one_candidate() -> None:
    large, near, half = candidate(range(10)), candidate(range(9), window=600.0), candidate(range(5))
    kept = distinct_candidates([half, near, large])
    assert [c.members.tolist() for c in kept] == [list(range(10)), list(range(5))]
    others = [large, candidate(range(10), fold=1), candidate(range(10), source="incidence", fold=-1)]
    assert len(distinct_candidates(others)) == 3


def test_copies_do_not_depend_on_the_order_they_come_in() -> None:
    rng = np.random.default_rng(3)
    many = [
        candidate(sorted(rng.choice(20, int(rng.integers(5, 12)), replace=False).tolist()), window=float(w))
        for w in rng.choice([60, 600, 3_600], 60)
    ]
    first = {tuple(c.members.tolist()) for c in distinct_candidates(many)}
    for _ in range(3):
        shuffled = [many[i] for i in rng.permutation(len(many))]
        assert {tuple(c.members.tolist()) for c in distinct_candidates(shuffled)} == first
