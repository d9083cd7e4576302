"""The analytic configuration model against degree-preserving swaps of the real table."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pyarrow as pa
import pytest

from graphscan.clusters.configuration import fitted_configuration, incidence_p_value, shared_objects
from graphscan.clusters.incidence import Incidence


def incidence_of(objects_of: list[set[int]], n_objects: int) -> Incidence:
    pairs = sorted((o, a) for a, objects in enumerate(objects_of) for o in objects)
    obj, account = (np.array([p[k] for p in pairs], np.int64) for k in (0, 1))
    n = len(pairs)
    time = np.arange(n) * 1_000_000
    return Incidence(
        account,
        obj,
        np.arange(n),
        time,
        time,
        len(objects_of),
        n_objects,
        len(objects_of),
        pa.array([str(k) for k in range(n_objects)]),
        np.full(n_objects, -1, np.int64),
        np.zeros(n_objects, np.int64),
    )


def random_table(rng: np.random.Generator, n_accounts: int, n_objects: int, skew: float) -> list[set[int]]:
    fame = 1 / np.arange(1, n_objects + 1) ** skew
    degree = np.minimum(2 + rng.poisson(7 * rng.gamma(1.0, 1.0, n_accounts)), n_objects // 2)
    return [set(rng.choice(n_objects, d, replace=False, p=fame / fame.sum()).tolist()) for d in degree]


def swapped(objects_of: list[set[int]], rng: np.random.Generator, n_trades: int) -> list[set[int]]:
    """Curveball trades (Strona et al., Nature Communications 5:4114, 2014): degrees and sizes stay."""
    table = [set(s) for s in objects_of]
    for _ in range(n_trades):
        i, j = rng.choice(len(table), 2, replace=False).tolist()
        both = table[i] & table[j]
        pool = sorted((table[i] | table[j]) - both)
        rng.shuffle(pool)
        cut = len(table[i]) - len(both)
        table[i], table[j] = both | set(pool[:cut]), both | set(pool[cut:])
    return table


def n_shared(objects_of: list[set[int]], members: np.ndarray) -> int:
    count = Counter(o for m in members.tolist() for o in objects_of[m])
    return sum(q * (q - 1) // 2 for q in count.values())


@pytest.mark.parametrize(("n_accounts", "n_objects", "skew"), [(120, 200, 1.0), (60, 80, 0.7)])
def test_mean_spread_and_tail_agree_with_swaps(n_accounts: int, n_objects: int, skew: float) -> None:
    rng = np.random.default_rng(1)
    table = swapped(random_table(rng, n_accounts, n_objects, skew), rng, 10 * n_accounts)
    incidence = incidence_of(table, n_objects)
    model = fitted_configuration(incidence)
    groups = [np.sort(rng.choice(n_accounts, g, replace=False)) for g in (5, 10, 20)]
    seen: list[list[int]] = [[] for _ in groups]
    for _ in range(600):
        table = swapped(table, rng, n_accounts // 2)
        for values, members in zip(seen, groups, strict=True):
            values.append(n_shared(table, members))
    for values, members in zip(seen, groups, strict=True):
        sample = np.array(values)
        found = shared_objects(incidence, members, model)
        assert found.mean == pytest.approx(sample.mean(), rel=0.06, abs=0.5)
        assert sample.std() * 0.85 < found.sd < sample.std() * 1.4
        simulated = float((sample >= found.n_shared).mean())
        # Never much smaller than the swaps say: that would make communities out of chance.
        assert found.p_value > simulated - 0.08
        assert found.p_value < simulated + 0.15


def test_p_values_of_random_groups_are_not_too_small() -> None:
    rng = np.random.default_rng(7)
    p = []
    for _ in range(4):
        table = random_table(rng, 150, 200, 1.0)
        table = swapped(table, rng, 1_500)
        incidence = incidence_of(table, 200)
        model = fitted_configuration(incidence)
        p += [
            incidence_p_value(
                incidence, np.sort(rng.choice(150, int(rng.integers(5, 30)), replace=False)), model
            )
            for _ in range(150)
        ]
    sample = np.array(p)
    for level in (0.01, 0.05, 0.2):
        error = 3 * np.sqrt(level * (1 - level) / len(sample))
        assert (sample <= level).mean() <= level + error
    assert 0.4 < np.median(sample) < 0.65


def test_margins_are_kept_by_the_fit() -> None:
    rng = np.random.default_rng(2)
    incidence = incidence_of(random_table(rng, 80, 60, 0.8), 60)
    model = fitted_configuration(incidence)
    p = model.x[:, None] * model.y / (1 + model.x[:, None] * model.y)
    np.testing.assert_allclose((p * model.n_of_size).sum(axis=1), model.degree_values, rtol=1e-3)
    np.testing.assert_allclose((p * model.n_of_degree[:, None]).sum(axis=0), model.size_values, rtol=1e-3)


def test_a_group_with_the_same_objects_is_far_out_in_logarithms() -> None:
    rng = np.random.default_rng(3)
    table = random_table(rng, 300, 400, 0.9)
    own = set(range(300, 330))
    for m in range(40):
        table[m] = set(rng.choice(sorted(own), 20, replace=False).tolist())
    incidence = incidence_of(table, 400)
    found = shared_objects(incidence, np.arange(40))
    assert found.log_p_value < -200
    assert np.isfinite(found.log_p_value)
    assert found.p_value > 0
    assert found.z > 20


def test_a_very_large_group_stays_in_range() -> None:
    rng = np.random.default_rng(4)
    table = [set(rng.choice(40, 20, replace=False).tolist()) for _ in range(1_000)]
    table += [set(rng.choice(np.arange(40, 400), 6, replace=False).tolist()) for _ in range(500)]
    found = shared_objects(incidence_of(table, 400), np.arange(1_000))
    # The number of tables bounds how small a probability can be.
    assert -20_000 * np.log(400) < found.log_p_value < -1_000


def test_nothing_shared_is_no_evidence() -> None:
    incidence = incidence_of([{0, 1}, {2, 3}, {0, 2}, {1, 3}], 4)
    assert incidence_p_value(incidence, np.array([0, 1])) == 1.0
    assert incidence_p_value(incidence, np.array([0])) == 1.0
    assert incidence_p_value(incidence, np.empty(0, np.int64)) == 1.0


def test_objects_that_everybody_is_on_prove_nothing() -> None:
    incidence = incidence_of([{0, 1, 2}] * 12, 3)
    assert incidence_p_value(incidence, np.arange(6)) > 0.5


def test_unknown_accounts_are_refused() -> None:
    incidence = incidence_of([{0, 1}, {0, 1}], 2)
    with pytest.raises(ValueError, match="account codes"):
        incidence_p_value(incidence, np.array([0, 7]))
