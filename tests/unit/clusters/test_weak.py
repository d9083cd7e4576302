"""The weak layer: decoys keep habits, scores are what they say, sparse farms are found and crowds are not."""

from __future__ import annotations

import math

import numpy as np
import pyarrow as pa
import pytest

from graphscan.clusters.detection import LayerProblem
from graphscan.clusters.incidence import Incidence
from graphscan.clusters.stage import detect_clusters
from graphscan.clusters.weak import (
    WorldGroups,
    acts_together,
    decoy_incidence,
    group_scores,
    weak_clusters,
    weak_tests,
)
from graphscan.clusters.weights import AccountGraph
from graphscan.network.layers import LAYERS, encoded_events, layer_events
from graphscan.settings import ClusterSettings
from graphscan.simulate.truth import Cell, truth_world

N_FARM, N_OTHERS, N_OBJECTS, N_ORGANIC = 60, 300, 200, 500


def incidence_of(account: np.ndarray, obj: np.ndarray, delay_s: np.ndarray, birth_s: np.ndarray) -> Incidence:
    delay = np.round(delay_s * 1e6).astype(np.int64)
    time = delay + np.round(birth_s * 1e6).astype(np.int64)[obj]
    order = np.lexsort((account, time, obj))
    n_objects, n_accounts = len(birth_s), int(account.max()) + 1
    span = np.zeros(n_objects, np.int64)
    np.maximum.at(span, obj, delay)
    return Incidence(
        account[order],
        obj[order],
        np.arange(len(order)),
        time[order],
        delay[order],
        n_accounts,
        n_objects,
        n_accounts,
        pa.array([f"o{k}" for k in range(n_objects)]),
        np.full(n_objects, -1, np.int64),
        span,
    )


def layer_of(seed: int, *, ordered: bool) -> Incidence:
    """Accounts 0 ... 59 act on 5 of 200 objects each: at the operator's time, or each at its own pace."""
    rng = np.random.default_rng(seed)
    account = np.repeat(np.arange(N_FARM), 5)
    obj = np.concatenate([rng.choice(N_OBJECTS, 5, replace=False) for _ in range(N_FARM)])
    pace = rng.lognormal(np.log(3_600), 1, N_FARM + N_OTHERS)
    if ordered:
        delay = rng.lognormal(np.log(7_200), 1.2, N_OBJECTS)[obj] + rng.uniform(0, 10, len(obj))
    else:
        delay = pace[account] * rng.lognormal(0, 0.8, len(obj))
    others = np.repeat(np.arange(N_FARM, N_FARM + N_OTHERS), 20)
    popular = rng.zipf(1.6, len(others)) % N_ORGANIC
    seen = rng.integers(N_OBJECTS + N_ORGANIC, size=len(others))
    on = np.where(rng.random(len(others)) < 0.3, N_OBJECTS + popular, seen)
    key = np.unique(others * 10_000 + on)
    others, on = key // 10_000, key % 10_000
    return incidence_of(
        np.concatenate((account, others)),
        np.concatenate((obj, on)),
        np.concatenate((delay, pace[others] * rng.lognormal(0, 0.8, len(on)))),
        np.sort(rng.uniform(0, 60 * 86_400, N_OBJECTS + N_ORGANIC)),
    )


def problem_of(incidence: Incidence, alpha: float = 0.05) -> LayerProblem:
    return LayerProblem("co_repost", incidence, False, False, ClusterSettings(alpha=alpha), 3)


@pytest.fixture(scope="module")
def farm() -> LayerProblem:
    return problem_of(layer_of(1, ordered=True))


def own_acts(incidence: Incidence, account: int, values: np.ndarray) -> list[int]:
    return sorted(values[incidence.account == account].tolist())


def test_a_decoy_keeps_objects_births_and_everybodys_own_delays(farm: LayerProblem) -> None:
    real, decoy = farm.incidence, decoy_incidence(farm, 1)
    for account in range(0, N_FARM + N_OTHERS, 7):
        assert own_acts(real, account, real.obj) == own_acts(decoy, account, decoy.obj)
        assert own_acts(real, account, real.delay_us) == own_acts(decoy, account, decoy.delay_us)
    births = np.unique(np.column_stack((real.obj, real.time_us - real.delay_us)), axis=0)
    after = np.unique(np.column_stack((decoy.obj, decoy.time_us - decoy.delay_us)), axis=0)
    np.testing.assert_array_equal(births, after)
    assert (np.lexsort((decoy.account, decoy.time_us, decoy.obj)) == np.arange(len(decoy))).all()


def test_a_decoy_moves_even_the_few_acts_of_a_sparse_account(farm: LayerProblem) -> None:
    real, decoy = farm.incidence, decoy_incidence(farm, 1)
    key_real = real.account * real.n_objects + real.obj
    key_decoy = decoy.account * decoy.n_objects + decoy.obj
    delay = dict(zip(key_decoy.tolist(), decoy.delay_us.tolist(), strict=True))
    ours = real.account < N_FARM
    same = np.mean([delay[k] == d for k, d in zip(key_real[ours], real.delay_us[ours], strict=True)])
    assert same < 0.3  # one in five stays where it was by chance
    np.testing.assert_array_equal(decoy.delay_us, decoy_incidence(farm, 1).delay_us)
    assert (decoy.delay_us != decoy_incidence(farm, 2).delay_us).any()


def test_delays_on_crowded_objects_stay_on_crowded_objects() -> None:
    # Account 0 acts on ten objects alone with account 1, fast, and on ten crowded ones, slowly.
    rows = [(0, o, 10.0 + o) for o in range(10)] + [(0, o, 10_000.0 + o) for o in range(10, 20)]
    rows += [(1, o, 50.0) for o in range(20)]
    rows += [(a, o, 100.0 * a) for a in range(2, 12) for o in range(10, 20)]
    account, obj, delay = (np.array(column) for column in zip(*rows, strict=True))
    problem = problem_of(incidence_of(account, obj, delay, np.arange(20) * 86_400.0))
    decoy = decoy_incidence(problem, 5)
    own = decoy.account == 0
    assert decoy.delay_us[own & (decoy.obj < 10)].max() < 100e6
    assert decoy.delay_us[own & (decoy.obj >= 10)].min() >= 10_000e6


def test_the_score_is_a_poisson_ratio_less_the_names() -> None:
    # A triangle of ln(A) on each edge: three acts together. One edge leaves the group.
    log_a = math.log(100)
    graph = AccountGraph(
        np.array([0, 0, 1, 2]), np.array([1, 2, 2, 3]), np.full(4, log_a), np.ones(4, np.int64)
    )
    label = np.array([0, 0, 0, -1, -1], np.int32)
    observed = acts_together(graph, label, 1, 100)
    assert observed == pytest.approx([3.0])
    world = WorldGroups([np.arange(3)], label, observed, np.array([0.5]))
    names = 0.25 * 3 * math.log(100 / 3)
    by_activity = 3 * math.log(3 / 0.5) - 2.5
    by_habit = 3 * math.log(3 / 2.0) - 1.0
    assert group_scores(world, np.array([0.1]), 100) == pytest.approx([by_activity - names])
    assert group_scores(world, np.array([2.0]), 100) == pytest.approx([by_habit - names])
    assert group_scores(world, np.array([5.0]), 100) == pytest.approx([-names])


def test_a_farm_that_shares_5_of_200_is_found(farm: LayerProblem) -> None:
    tests = weak_tests([farm])
    clusters = weak_clusters(farm, tests, first_number=100)
    members = np.unique(np.concatenate([c.members for c in clusters]))
    core = np.unique(np.concatenate([c.members[c.is_core] for c in clusters]))
    assert np.mean(np.isin(np.arange(N_FARM), members)) >= 0.75
    assert np.mean(members < N_FARM) >= 0.95
    assert (core < N_FARM).all()
    for cluster in clusters:
        find = tests[cluster.candidate - 100]
        assert find.candidate.source == "weak"
        assert cluster.q_value == find.q_value == cluster.test.p_value == pytest.approx(1 / 21)
        assert cluster.test.kappa >= 0.20
        assert cluster.test.effect_ratio >= 1.15


def test_no_p_value_is_below_what_the_decoys_can_say(farm: LayerProblem) -> None:
    p_values = [t.q_value for t in weak_tests([farm]) if t.test is not None]
    assert min(p_values) == pytest.approx(1 / 21)
    assert max(p_values) == 1.0
    finer = problem_of(farm.incidence, alpha=0.03)
    assert min(t.q_value for t in weak_tests([finer]) if t.test is not None) == pytest.approx(1 / 34)


@pytest.mark.parametrize("seed", range(3))
def test_the_same_objects_at_everyones_own_pace_are_no_find(seed: int) -> None:
    problem = problem_of(layer_of(10 + seed, ordered=False))
    tests = weak_tests([problem])
    assert tests
    assert not weak_clusters(problem, tests)


def test_reruns_are_equal(farm: LayerProblem) -> None:
    first, second = weak_tests([farm]), weak_tests([farm])
    assert [t.candidate.members.tolist() for t in first] == [t.candidate.members.tolist() for t in second]
    assert [t.test for t in first] == [t.test for t in second]


def test_accounts_of_tested_clusters_are_set_apart(farm: LayerProblem) -> None:
    apart = np.arange(40)
    groups = [t.candidate.members for t in weak_tests([farm], apart={"co_repost": apart})]
    assert groups
    assert not np.isin(np.concatenate(groups), apart).any()


def test_windows_below_the_resolution_of_the_source_are_not_used(farm: LayerProblem) -> None:
    coarse = LayerProblem("co_repost", farm.incidence, False, False, ClusterSettings(), 3, 300_000_000)
    assert {t.candidate.window_s for t in weak_tests([coarse])} == {600.0}
    daily = LayerProblem("co_repost", farm.incidence, False, False, ClusterSettings(), 3, 86_400_000_000)
    assert weak_tests([daily]) == []
    assert weak_tests([]) == []


def test_the_stage_runs_it_on_demand_only() -> None:
    world = truth_world(
        None,
        4,
        n_farms=1,
        cells=[Cell(5, 200, 10.0)],
        sizes=[60],
        camouflages=[0.0],
        action="repost",
        n_background_events=20_000,
    )
    events = encoded_events(world.events)
    layers = [layer_events(events, LAYERS["co_repost"])]
    truth = world.truth.to_pandas().set_index("account_id")
    farm = set(truth.index[truth.archetype == "farm"])
    ids = np.array(events.account_ids.to_pylist(), dtype=object)

    def in_clusters(weak: bool) -> tuple[float, set[str]]:
        detection = detect_clusters(events, layers, ClusterSettings(weak=weak))
        members = {a for c in detection.clusters for a in ids[c.members]}
        for cluster in detection.clusters:
            assert detection.tested[cluster.candidate].test == cluster.test
        return len(members & farm) / len(farm), {t.candidate.source for t in detection.tested}

    without, sources = in_clusters(False)
    assert "weak" not in sources
    recall, sources = in_clusters(True)
    assert "weak" in sources
    assert recall >= max(0.75, without)
