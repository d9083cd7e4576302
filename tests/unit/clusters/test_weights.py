"""Graphs for discovery against plain implementations."""

from __future__ import annotations

import itertools
import math

import networkx as nx
import numpy as np
import pytest

from graphscan.clusters.incidence import Incidence
from graphscan.clusters.weights import (
    AccountGraph,
    edge_excess,
    excess_graph,
    incidence_graph,
    moment_graph,
)
from tests.unit.clusters.cluster_worlds import incidence_of

MINUTE_US = 60_000_000
NO_CAP = 10**9


@pytest.fixture(params=range(3))
def incidence(request: pytest.FixtureRequest) -> Incidence:
    rng = np.random.default_rng(request.param)
    acts = [(a, o, float(rng.integers(0, 300))) for a in range(15) for o in range(12) if rng.random() < 0.4]
    return incidence_of(acts, rng.uniform(0, 1e6, 12), n_accounts=20)


def weights_of(graph: AccountGraph) -> dict[tuple[int, int], float]:
    return {(int(a), int(b)): float(w) for a, b, w in zip(graph.a, graph.b, graph.weight, strict=True)}


def expected_weights(
    incidence: Incidence, window_us: int, *, per_pair: bool = False
) -> dict[tuple[int, int], float]:
    """Every pair of acts, and the crowd around each, by looking at all of them."""
    total: dict[tuple[int, int], float] = {}
    acts = list(
        zip(incidence.account.tolist(), incidence.obj.tolist(), incidence.time_us.tolist(), strict=True)
    )

    def value(obj: int, t: int) -> float:
        crowd = sum(o == obj and abs(u - t) <= window_us for _, o, u in acts)
        worth = math.log(max(incidence.n_active / crowd, 1.0))
        return worth / max(crowd - 1, 1) if per_pair else worth

    for (a, o, t), (b, p, u) in itertools.combinations(acts, 2):
        if o == p and abs(t - u) <= window_us:
            pair = (min(a, b), max(a, b))
            total[pair] = total.get(pair, 0.0) + 0.5 * (value(o, t) + value(o, u))
    return total


@pytest.mark.parametrize("window_s", [10, 60, 1_000])
@pytest.mark.parametrize("per_pair", [False, True])
def test_moment_weights_against_brute_force(incidence: Incidence, window_s: int, per_pair: bool) -> None:
    window_us = window_s * 1_000_000
    graph = moment_graph(incidence, window_us, max_pairs_per_object=NO_CAP, per_pair=per_pair)
    assert len(graph) > 5
    assert weights_of(graph) == pytest.approx(expected_weights(incidence, window_us, per_pair=per_pair))
    assert (graph.a < graph.b).all()
    key = graph.a * 20 + graph.b
    assert (np.diff(key) > 0).all()
    assert graph.n_shared.sum() == sum(
        o == p and a != b and abs(t - u) <= window_us
        for (a, o, t), (b, p, u) in itertools.combinations(
            zip(incidence.account, incidence.obj, incidence.time_us, strict=True), 2
        )
    )


def test_the_window_is_inclusive() -> None:
    incidence = incidence_of([(0, 0, 0), (1, 0, 60), (2, 0, 120.000001)], [0], n_accounts=9)
    graph = moment_graph(incidence, MINUTE_US, max_pairs_per_object=NO_CAP)
    assert set(weights_of(graph)) == {(0, 1)}


def test_shared_objects_weigh_by_how_few_are_on_them(incidence: Incidence) -> None:
    graph = incidence_graph(incidence, max_accounts=8)
    on = [set(incidence.account[incidence.obj == o].tolist()) for o in range(12)]
    assert any(len(who) > 8 for who in on) or min(map(len, on)) >= 2
    expected: dict[tuple[int, int], float] = {}
    for who in on:
        if 2 <= len(who) <= 8:
            for pair in itertools.combinations(sorted(who), 2):
                expected[pair] = expected.get(pair, 0) + math.log(incidence.n_active / len(who))
    assert weights_of(graph) == pytest.approx(expected)
    assert graph.n_shared.max() >= 2


def test_excess_is_the_modularity_matrix_of_networkx(incidence: Incidence) -> None:
    graph = moment_graph(incidence, MINUTE_US, max_pairs_per_object=NO_CAP)
    plain = nx.Graph()
    plain.add_nodes_from(range(20))
    plain.add_weighted_edges_from(zip(graph.a.tolist(), graph.b.tolist(), graph.weight.tolist(), strict=True))
    matrix = np.asarray(nx.modularity_matrix(plain, nodelist=range(20), weight="weight"))
    excess = excess_graph(graph, 20)
    expected = {(a, b): matrix[a, b] for (a, b) in weights_of(graph) if matrix[a, b] > 0}
    assert weights_of(excess) == pytest.approx(expected)
    assert 0 < len(excess) < len(graph)
    a, b = (np.array(side) for side in zip(*itertools.combinations(range(20), 2), strict=True))
    given = edge_excess(incidence, a, b, MINUTE_US, max_pairs_per_object=NO_CAP)
    assert given == pytest.approx(matrix[a, b])


def test_nothing_shared_no_weight() -> None:
    incidence = incidence_of([(0, 0, 0), (1, 1, 0)], [0, 0])
    graph = moment_graph(incidence, MINUTE_US, max_pairs_per_object=NO_CAP)
    assert len(graph) == len(excess_graph(graph, 2)) == len(incidence_graph(incidence, max_accounts=9)) == 0
    assert np.isnan(edge_excess(incidence, np.array([0]), np.array([1]), MINUTE_US, max_pairs_per_object=9))


def test_a_hot_object_is_thinned_and_named() -> None:
    acts = [(a, 0, a * 0.01) for a in range(2_000)] + [(a, 1, a * 100.0) for a in range(5)]
    incidence = incidence_of(acts, [0, 1e6])
    graph = moment_graph(incidence, MINUTE_US, max_pairs_per_object=10_000)
    assert len(graph) <= 10_000 + 10
    ((obj, n_rows, n_kept),) = graph.capped
    assert (obj, n_rows) == (0, 2_000)
    assert 100 < n_kept < 160
    assert moment_graph(incidence, MINUTE_US, max_pairs_per_object=NO_CAP).capped == ()


def test_a_crowded_moment_weighs_nothing() -> None:
    """Everybody active is there within the window: meeting there says nothing."""
    incidence = incidence_of([(a, 0, float(a)) for a in range(8)], [0])
    graph = moment_graph(incidence, MINUTE_US, max_pairs_per_object=NO_CAP)
    assert graph.weight.tolist() == [0.0] * 28
