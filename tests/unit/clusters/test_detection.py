"""From a layer to tested candidates: folds, discovery, one test each, and the correction for all of them."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from graphscan.clusters import detection
from graphscan.clusters.candidates import Candidate
from graphscan.clusters.detection import (
    LayerProblem,
    candidate_acts,
    confirmed,
    first_tests,
    layer_candidates,
    object_folds,
    with_q_values,
)
from graphscan.clusters.incidence import Incidence
from graphscan.clusters.significance import SynchronyTest
from graphscan.settings import ClusterSettings
from tests.unit.clusters.cluster_worlds import DAY_S, births, farm_acts, habit_acts, incidence_of, problem_of

FARM = range(12)


def organic_with_farm(seed: int) -> Incidence:
    """A farm of 12 on 40 of 120 objects, 60 people on all of them, and a fan club."""
    rng = np.random.default_rng(seed)
    acts = farm_acts(rng, FARM, range(40))
    acts += habit_acts(rng, range(12, 72), range(120), share=0.08)
    acts += habit_acts(rng, range(72, 92), range(80, 120), share=0.8, fastest_s=15, slowest_s=3_600)
    return incidence_of(acts, births(rng, 120), span_s=[9.0 * DAY_S] * 120)


@pytest.fixture(scope="module")
def problem() -> LayerProblem:
    return problem_of(organic_with_farm(0))


def result_of(
    p_value: float, *, z: float = 5.0, effect_ratio: float = 2.0, kappa: float = 0.5
) -> detection.TestedCandidate:
    test = SynchronyTest(60.0, 9.0, 4.0, 1.0, effect_ratio, kappa, p_value, effect_ratio, kappa, z, 499)
    return detection.TestedCandidate("co_repost", Candidate(np.arange(5), "crossfit", 0, 60.0), 9, test)


def untestable() -> detection.TestedCandidate:
    return detection.TestedCandidate("co_repost", Candidate(np.arange(5), "crossfit", 0, 60.0), 2, None)


def test_folds_are_halves_that_hold_under_other_names_and_strangers(problem: LayerProblem) -> None:
    folds = object_folds(problem)
    assert 0.3 < folds.mean() < 0.7
    assert not np.array_equal(folds, object_folds(replace(problem, seed=1)))
    incidence = problem.incidence
    # Strangers act on objects of their own, whose codes come first; the others keep their half.
    moved = replace(
        incidence,
        obj=np.concatenate(([0, 0, 1, 1], incidence.obj + 2)),
        account=np.concatenate(([0, 1, 0, 1], incidence.account + 2)),
        time_us=np.concatenate(([5, 6, 7, 8], incidence.time_us)),
        n_objects=incidence.n_objects + 2,
    )
    assert np.array_equal(object_folds(replace(problem, incidence=moved))[2:], folds)
    later = replace(incidence, time_us=incidence.time_us + 3 * 86_400_000_000)
    assert np.array_equal(object_folds(replace(problem, incidence=later)), folds)


def test_both_sources_find_the_farm(problem: LayerProblem) -> None:
    candidates, capped = layer_candidates(problem, object_folds(problem))
    assert capped == {}
    for source, fold in (("crossfit", 0), ("crossfit", 1), ("incidence", -1)):
        best = max(
            len(np.intersect1d(c.members, FARM)) / len(np.union1d(c.members, FARM))
            for c in candidates
            if (c.source, c.fold) == (source, fold)
        )
        assert best >= 0.75, (source, fold)


def test_a_candidate_is_never_tested_on_what_found_it(problem: LayerProblem) -> None:
    folds = object_folds(problem)
    members = np.array(FARM)
    for fold in (0, 1):
        acts = candidate_acts(problem, Candidate(members, "crossfit", fold, 60.0), folds)
        assert len(acts)
        assert (folds[acts.object_code] == 1 - fold).all()
    every = candidate_acts(problem, Candidate(members, "incidence", -1, 0.0), folds)
    assert set(folds[every.object_code].tolist()) == {0, 1}


@pytest.mark.parametrize("seed", range(3))
def test_the_farm_is_found_and_the_fan_club_is_not(seed: int) -> None:
    problem = problem_of(organic_with_farm(seed))
    folds = object_folds(problem)
    candidates, _ = layer_candidates(problem, folds)
    tested = confirmed(
        first_tests(problem, candidates, folds),
        lambda t: candidate_acts(problem, t.candidate, folds),
        lambda _: problem,
        problem.settings,
    )
    found = [t.candidate.members for t in tested if t.found(problem.settings)]
    assert found
    fans = np.arange(72, 92)
    fans_tested = [t for t in tested if len(np.intersect1d(t.candidate.members, fans)) >= 10]
    assert fans_tested, "the fan club was never a candidate, so nothing was shown"
    # In a world so small a coarse find takes in the people around the farm; the assembly takes them out.
    for members in found:
        assert len(np.intersect1d(members, FARM)) >= 8
        assert len(np.intersect1d(members, fans)) <= 2
    assert any(set(members.tolist()) <= set(FARM) for members in found)


def test_floors_are_not_optional() -> None:
    settings = ClusterSettings()
    sure = replace(result_of(1e-9), q_value=1e-8)
    assert sure.found(settings)
    assert not replace(result_of(1e-9, effect_ratio=1.14), q_value=1e-8).found(settings)
    assert not replace(result_of(1e-9, kappa=0.19), q_value=1e-8).found(settings)
    assert not replace(sure, q_value=0.06).found(settings)
    assert not replace(untestable(), q_value=0.0).found(settings)


def test_untestable_candidates_do_not_count_in_the_family() -> None:
    tested = with_q_values([result_of(0.01), untestable(), result_of(0.04), *[untestable()] * 50])
    assert tested[0].q_value == pytest.approx(0.02)
    assert tested[2].q_value == pytest.approx(0.04)
    assert np.isnan(tested[1].q_value)
    with pytest.raises(ValueError, match="untestable"):
        detection.tested_synchrony(tested[1])


def test_candidates_with_too_little_to_exchange_are_untestable() -> None:
    rng = np.random.default_rng(0)
    two = incidence_of(farm_acts(rng, range(8), range(2), share=1.0), births(rng, 2))
    few = incidence_of(farm_acts(rng, range(2), range(3), share=1.0), births(rng, 3))
    for incidence in (two, few):
        problem = problem_of(incidence)
        candidate = Candidate(np.unique(incidence.account), "incidence", -1, 0.0)
        (result,) = first_tests(problem, [candidate], object_folds(problem))
        assert result.test is None
        assert result.n_objects == incidence.n_objects


def test_what_would_be_flagged_on_a_fitted_tail_is_tested_again(
    problem: LayerProblem, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A fit of a few hundred permutations can be fifty times too small; only far-out results skip this."""
    asked: list[int] = []
    real = LayerProblem.test

    def counted(self: LayerProblem, acts: object, n_permutations: int) -> SynchronyTest:
        asked.append(n_permutations)
        return real(self, acts, n_permutations)  # type: ignore[arg-type]

    monkeypatch.setattr(detection.LayerProblem, "test", counted)
    settings = ClusterSettings(permutations=(19, 99, 499, 1_999))
    people = candidate_acts(
        problem, Candidate(np.arange(12, 40), "incidence", -1, 0.0), object_folds(problem)
    )
    too_good, far_out = result_of(1e-4, z=5.0), result_of(1e-12, z=30.0)
    result = confirmed([too_good, far_out], lambda _: people, lambda _: problem, settings)
    assert asked == [1_999]
    assert detection.tested_synchrony(result[0]).p_value >= 0.01
    assert not result[0].found(settings)
    assert result[1].found(settings)
    assert confirmed([result_of(0.5)], lambda _: people, lambda _: problem, settings)[0].q_value == 0.5
    assert asked == [1_999]


def test_a_confirmed_p_value_is_never_below_its_resolution(problem: LayerProblem) -> None:
    folds = object_folds(problem)
    acts = candidate_acts(problem, Candidate(np.array(FARM), "incidence", -1, 0.0), folds)
    settings = ClusterSettings(permutations=(19, 99, 499, 999))
    (again,) = confirmed([result_of(1e-4, z=5.0)], lambda _: acts, lambda _: problem, settings)
    assert detection.tested_synchrony(again).p_value == pytest.approx(1 / 1_000)


def test_few_accounts_give_no_candidates() -> None:
    rng = np.random.default_rng(0)
    for n in (1, 4):
        problem = problem_of(incidence_of(farm_acts(rng, range(n), range(20)), births(rng, 20)))
        assert layer_candidates(problem, object_folds(problem)) == ([], {})


def test_windows_under_the_resolution_of_the_source_are_not_used() -> None:
    incidence = organic_with_farm(0)
    problem = problem_of(incidence, resolution_us=3_600_000_000)
    assert problem.windows_s == (3_600.0, 14_400.0, 43_200.0)
    candidates, _ = layer_candidates(problem, object_folds(problem))
    assert {c.window_s for c in candidates} <= {0.0, 3_600.0}
    blind = problem_of(incidence, resolution_us=86_400_000_000)
    folds = object_folds(blind)
    candidates, _ = layer_candidates(blind, folds)
    assert candidates
    assert all(t.test is None for t in first_tests(blind, candidates, folds))


def test_a_hot_object_is_named() -> None:
    incidence = organic_with_farm(0)
    problem = problem_of(incidence, settings=ClusterSettings(max_pairs_per_object=20))
    _, capped = layer_candidates(problem, object_folds(problem))
    assert capped
    for obj, (n_rows, n_kept) in capped.items():
        assert n_kept < n_rows == incidence.accounts_on_object[obj]
