"""The synchrony test: its counting, its null, its tail, and what its p-values are worth."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pytest
from scipy.stats import norm, pearson3

from graphscan.clusters.significance import (
    TICK_US,
    MemberActs,
    acts_of_rows,
    benjamini_hochberg,
    chosen_acts,
    log_upper_tail,
    member_acts,
    pairs_within,
    permuted_delays,
    sampled_acts,
    synchrony,
    synchrony_test,
    window_ticks,
)
from graphscan.entropy import generator
from tests.unit.clusters.cluster_worlds import births, farm_acts, habit_acts, incidence_of

WINDOWS_S = (60.0, 600.0, 3_600.0, 14_400.0, 43_200.0)


def acts_of(rng: np.random.Generator, *, farm: bool, n: int = 12, n_objects: int = 30) -> MemberActs:
    acts = (farm_acts if farm else habit_acts)(rng, range(n), range(n_objects))
    incidence = incidence_of(acts, births(rng, n_objects), span_s=[30 * 86_400.0] * n_objects)
    return acts_of_rows(incidence, np.arange(len(incidence)))


# Up to 16 acts on an object all pairs are written out, up to 48 neighbours at each lag, beyond that a search.
@pytest.mark.parametrize("sizes", [(2, 3, 16), (17, 17, 48), (49, 90), (2, 16, 17, 48, 49, 120, 5, 49)])
@pytest.mark.parametrize("span", [3, 400, 100_000])
def test_pairs_within_against_brute_force(sizes: tuple[int, ...], span: int) -> None:
    rng = np.random.default_rng(sum(sizes) + span)
    obj = np.repeat(np.arange(len(sizes)), sizes)
    delays = rng.integers(0, span, (4, len(obj))).astype(np.int32)
    windows = np.array([0, 1, 60, 5_000], np.int32)
    found = pairs_within(delays, obj, windows)
    expected = np.zeros_like(found)
    for p, k in itertools.product(range(4), range(len(sizes))):
        gaps = [abs(int(x) - int(y)) for x, y in itertools.combinations(delays[p, obj == k], 2)]
        expected[:, p, k] = [sum(gap <= w for gap in gaps) for w in windows]
    assert found.shape == (4, 4, len(sizes))
    assert np.array_equal(found, expected)
    assert expected.any()


def test_pairs_within_at_the_largest_delays() -> None:
    """Delays are cut at 2**30 - 1 ticks: three years, and their sums must not overflow 32 bits."""
    delays = np.array([[2**30 - 1, 0, 2**30 - 1] * 20], np.int32)
    obj = np.repeat([0, 1], 30)
    found = pairs_within(delays, obj, np.array([600], np.int32))
    assert found.ravel().tolist() == [math.comb(20, 2) + math.comb(10, 2)] * 2


def test_the_statistic_is_the_sum_of_roots() -> None:
    incidence = incidence_of([(0, 0, 0), (1, 0, 30), (2, 0, 90), (0, 1, 0), (1, 1, 61)], [0, 10_000])
    acts = acts_of_rows(incidence, np.arange(5))
    found = synchrony(acts, acts.ticks[None, :], window_ticks((60.0, 80.0)))
    # At 60 s two pairs on the first object and none on the second. The second lasted 61 s: told at 60 s, not
    # at 80 s, where everybody on it would be together whatever they did.
    assert found[0].tolist() == pytest.approx([2.0, 2.0])


def test_the_null_keeps_own_delays_and_classes() -> None:
    rng = np.random.default_rng(3)
    acts = acts_of(rng, farm=False, n=20, n_objects=40)
    size_class = np.floor(np.log2(np.bincount(acts.obj)))[acts.obj]
    assert len(np.unique(size_class)) >= 2
    arranged = permuted_delays(acts, 50, generator(0, "test"))
    assert arranged.shape == (50, len(acts))
    for account in range(20):
        for each in np.unique(size_class):
            own = (acts.account == account) & (size_class == each)
            assert np.array_equal(np.sort(arranged[:, own]), np.tile(np.sort(acts.ticks[own]), (50, 1)))
    assert (arranged != acts.ticks).any(axis=1).all()


def test_every_arrangement_is_as_likely() -> None:
    """Three delays of one account on three objects of one size: six orders, a sixth of the draws each."""
    rows = [(0, o, 100.0 * (o + 1)) for o in range(3)] + [(1, o, 50.0) for o in range(3)]
    incidence = incidence_of(rows, [0, 1e5, 2e5])
    acts = acts_of_rows(incidence, np.arange(6))
    drawn = permuted_delays(acts, 6_000, generator(1, "test"))[:, acts.account == 0]
    _, counts = np.unique(drawn, axis=0, return_counts=True)
    assert len(counts) == 6
    assert float(((counts - 1_000) ** 2 / 1_000).sum()) < 20.5  # chi-squared of 5 degrees, p = .001


def test_null_p_values_are_uniform() -> None:
    """Exchangeable groups: independent delays with each account's own pace, no common offset."""
    p_values = []
    for trial in range(320):
        rng = np.random.default_rng(10_000 + trial)
        acts = acts_of(rng, farm=False, n=int(rng.integers(5, 14)), n_objects=14)
        p_values.append(synchrony_test(acts, WINDOWS_S, seed=trial, n_permutations=99).p_value)
    p = np.array(p_values)
    assert (p <= 0.05).mean() <= 0.08
    # Not conservative either: a test that never rejects would pass the line above.
    assert (p <= 0.05).mean() >= 0.02
    ends = np.sort(p)
    assert np.abs(ends - np.arange(1, len(p) + 1) / len(p)).max() < 1.63 / math.sqrt(len(p)) + 0.01


def test_a_farm_is_far_out_and_habits_are_not() -> None:
    rng = np.random.default_rng(5)
    farm = synchrony_test(acts_of(rng, farm=True), WINDOWS_S, seed=0, n_permutations=99)
    habit = synchrony_test(acts_of(rng, farm=False), WINDOWS_S, seed=0, n_permutations=99)
    assert farm.p_value < 1e-6
    assert habit.p_value > 0.01
    assert farm.window_s in {60.0, 600.0}
    assert farm.kappa > 0.5 > habit.kappa
    assert farm.effect_ratio > 1.5 > habit.effect_ratio


def test_very_small_p_values_stay_above_zero() -> None:
    acts = acts_of(np.random.default_rng(6), farm=True, n=40, n_objects=120)
    test = synchrony_test(acts, WINDOWS_S, seed=0, n_permutations=199)
    assert 0 < test.p_value < 1e-30
    assert math.isfinite(test.z)


def test_the_p_value_is_the_exact_one_where_arrangements_reach_the_data() -> None:
    acts = acts_of(np.random.default_rng(8), farm=False)
    test = synchrony_test(acts, WINDOWS_S, seed=0, n_permutations=99)
    assert test.p_value * 100 == pytest.approx(round(test.p_value * 100))
    assert test.p_value > 0.01


@pytest.mark.parametrize("skew", [0.1, 0.5, 1.0, 2.0])
@pytest.mark.parametrize("z", [0.0, 1.5, 4.0, 9.0, 40.0])
def test_the_fitted_tail_is_pearson_iii(skew: float, z: float) -> None:
    sample = pearson3.rvs(skew, size=4_000, random_state=2)
    sd = sample.std(ddof=1)
    fitted = float((((sample - sample.mean()) / sd) ** 3).mean())
    value = sample.mean() + z * sd
    expected = pearson3.logsf(z, fitted)
    if z < 40:
        assert np.isfinite(expected)
        assert log_upper_tail(float(value), sample) == pytest.approx(expected, rel=1e-6, abs=1e-9)
    else:
        # Where doubles end, against the density: above it times its own scale there, and close to it.
        scale = 2 / fitted
        density = pearson3.logpdf(z, fitted) - np.log(scale - 1 / (z + scale))
        assert log_upper_tail(float(value), sample) == pytest.approx(density, abs=1.0)


def test_a_tail_with_negative_skew_has_no_end() -> None:
    sample = -np.random.default_rng(1).gamma(2.0, size=2_000)
    z = 8.0
    value = float(sample.mean() + z * sample.std(ddof=1))
    assert log_upper_tail(value, sample) == pytest.approx(norm.logsf(z))


def test_a_null_without_any_spread() -> None:
    assert log_upper_tail(1.0, np.ones(9)) == 0.0
    assert log_upper_tail(2.0, np.ones(9)) == -np.inf


def test_log_tails_do_not_underflow() -> None:
    sample = pearson3.rvs(0.2, size=500, random_state=3)
    far = [log_upper_tail(float(z), sample) for z in (50.0, 200.0, 1_000.0)]
    assert far[0] > far[1] > far[2] > -np.inf
    assert far[1] < -745  # beyond the smallest double


@pytest.mark.parametrize("n", [0, 1, 2, 7, 200])
def test_benjamini_hochberg_against_its_definition(n: int) -> None:
    p = np.round(np.random.default_rng(n).beta(0.4, 1.5, n), 3)  # rounded: ties
    expected = [
        min(1.0, min((n * x / sum(p <= x) for x in p[p >= value]), default=1.0)) for value in p.tolist()
    ]
    assert benjamini_hochberg(p).tolist() == pytest.approx(expected)


def test_the_family_does_not_depend_on_its_order() -> None:
    p = np.random.default_rng(1).random(50) ** 3
    order = np.random.default_rng(2).permutation(50)
    assert np.array_equal(benjamini_hochberg(p)[order], benjamini_hochberg(p[order]))


def test_ties_everywhere() -> None:
    """Everybody on everything at one delay: no arrangement differs, so nothing can be said."""
    rows = [(a, o, 600.0) for a in range(8) for o in range(10)]
    incidence = incidence_of(rows, np.arange(10) * 1e5)
    test = synchrony_test(acts_of_rows(incidence, np.arange(80)), WINDOWS_S, seed=0, n_permutations=99)
    assert test.p_value == 1.0
    assert test.z == 0.0


def test_minutes_as_the_finest_time() -> None:
    """Many equal delays: the exact p-value counts ties with the data as reaching it."""
    rng = np.random.default_rng(4)
    rows = [(a, o, 60.0 * rng.integers(0, 3)) for a in range(6) for o in range(12)]
    incidence = incidence_of(rows, np.arange(12) * 1e5, span_s=[1e4] * 12)
    test = synchrony_test(acts_of_rows(incidence, np.arange(72)), (3_600.0,), seed=0, n_permutations=99)
    assert test.p_value == 1.0


def test_the_test_does_not_depend_on_names_or_rows() -> None:
    rng = np.random.default_rng(9)
    rows = farm_acts(rng, range(8), range(20), jitter_s=1_800)
    when = births(rng, 20)
    tests = []
    for renumbered in (np.arange(20), rng.permutation(20)):
        at = np.empty(20)
        at[renumbered] = when
        incidence = incidence_of([(a, int(renumbered[o]), d) for a, o, d in rows], at)
        acts = acts_of_rows(incidence, np.arange(len(incidence)))
        tests.append(synchrony_test(acts, WINDOWS_S, seed=3, n_permutations=99))
    assert tests[0] == tests[1]


def test_only_over_represented_objects_are_looked_at() -> None:
    """Members meet on their own objects and, as everybody does, on one that all like."""
    rows = [(a, o, 60.0 * a) for a in range(6) for o in range(5)]
    rows += [(a, 5, 60.0 * a) for a in range(200)]
    rows += [(a, 6 + a % 40, 60.0 * a) for a in range(6, 200)]
    incidence = incidence_of(rows, np.arange(46) * 1e5)
    acts = member_acts(incidence, np.arange(6))
    assert set(acts.object_code.tolist()) == set(range(5))
    half = np.zeros(46, bool)
    half[:2] = True
    assert set(member_acts(incidence, np.arange(6), objects=half).object_code.tolist()) == {0, 1}


def test_objects_that_members_opened_can_be_left_out() -> None:
    rows = [(a, o, 60.0 * a) for a in range(4) for o in range(4)] + [(9, 4, 0.0), (8, 4, 1.0)]
    incidence = incidence_of(rows, np.arange(5) * 1e5, opener=[2, -1, 9, 0, 9])
    members = np.arange(4)
    assert set(member_acts(incidence, members).object_code.tolist()) == {0, 1, 2, 3}
    left = member_acts(incidence, members, opened_by_members=False)
    assert set(left.object_code.tolist()) == {1, 2}


def test_acts_are_those_on_shared_objects_in_order() -> None:
    incidence = incidence_of([(1, 0, 5), (0, 0, 9), (0, 1, 1), (2, 2, 4), (0, 2, 6)], [500, 300, 100])
    acts = acts_of_rows(incidence, np.arange(5))
    assert acts.object_code.tolist() == [2, 2, 0, 0]  # the earlier object first, the lone act left out
    assert acts.account.tolist() == [0, 2, 0, 1]
    assert (acts.ticks * TICK_US / 1e6).tolist() == [6, 4, 9, 5]
    assert acts.n_objects == 2


def test_arrangements_are_counted() -> None:
    incidence = incidence_of([(a, o, 60.0 * (a + o)) for a in range(2) for o in range(4)], np.arange(4) * 1e5)
    acts = acts_of_rows(incidence, np.arange(8))
    assert acts.log_arrangements == pytest.approx(2 * math.log(math.factorial(4)))
    none = acts_of_rows(incidence, np.empty(0, np.int64))
    assert none.n_objects == 0
    assert none.log_arrangements == 0.0


def test_large_groups_are_tested_on_a_sample_of_whole_objects() -> None:
    acts = acts_of(np.random.default_rng(2), farm=True, n=20, n_objects=60)
    part = sampled_acts(acts, 150)
    assert 100 < len(part) <= 150
    kept = set(part.object_code.tolist())
    assert np.array_equal(part.event, acts.event[np.isin(acts.object_code, list(kept))])
    assert sampled_acts(acts, len(acts)) is acts
    assert np.array_equal(np.unique(part.obj), np.arange(part.n_objects))


def test_chosen_acts_keep_their_classes() -> None:
    acts = acts_of(np.random.default_rng(2), farm=False)
    part = chosen_acts(acts, acts.obj < 5)
    arranged = permuted_delays(part, 20, generator(0, "test"))
    for account in np.unique(part.account):
        own = part.account == account
        assert np.array_equal(np.sort(arranged[:, own]), np.tile(np.sort(part.ticks[own]), (20, 1)))
