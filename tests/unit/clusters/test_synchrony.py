"""Every metric of the panel against a plain implementation, and against its null."""

from __future__ import annotations

import itertools
import math
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from scipy.stats import rankdata

from graphscan.clusters.digital_dna import digital_dna_lcs
from graphscan.clusters.incidence import Incidence
from graphscan.clusters.significance import MemberActs, acts_of_rows
from graphscan.clusters.synchrony import PANEL, Panel, action_strings, panel_of, synchrony_panel
from graphscan.clusters.togetherness import (
    MAX_PAIRS,
    burst_overlap,
    cascade_entropy,
    delay_dispersion,
    event_sync,
    event_sync_direction,
    kendall_w,
    lead_scores,
    permuted_order,
    persistence,
    phase_coherence,
)
from graphscan.network.layers import encoded_events

SECOND = 10  # ticks
WINDOW_S = 60.0


def incidence_of(rows: list[tuple[int, int, float]], births_s: np.ndarray) -> Incidence:
    """An incidence of (account, object, delay in seconds)."""
    rows = sorted(rows, key=lambda r: (r[1], r[2], r[0]))
    account = np.array([r[0] for r in rows], np.int64)
    obj = np.array([r[1] for r in rows], np.int64)
    delay = np.array([round(r[2] * 1e6) for r in rows], np.int64)
    n_accounts, n_objects = int(account.max()) + 1, len(births_s)
    time_us = delay + (births_s * 1e6).astype(np.int64)[obj]
    return Incidence(
        account,
        obj,
        np.arange(len(rows)),
        time_us,
        delay,
        n_accounts,
        n_objects,
        n_accounts,
        pa.array([f"o{k}" for k in range(n_objects)]),
        np.full(n_objects, -1, np.int64),
        np.array([delay[obj == k].max(initial=0) for k in range(n_objects)]),
    )


def group(
    rng: np.random.Generator,
    *,
    n: int = 12,
    n_objects: int = 24,
    share: float = 0.6,
    jitter_s: float | None = None,
    habit: bool = True,
    n_outsiders: int = 6,
) -> tuple[Incidence, MemberActs]:
    """Members 0 … n - 1 with common moments (jitter) or without, and outsiders on the same objects."""
    pace = np.exp(rng.uniform(np.log(60), np.log(7_200), n)) if habit else np.full(n, 1_800.0)
    rows = []
    for o in range(n_objects):
        order = rng.lognormal(np.log(7_200), 1.2)
        for a in range(n):
            if rng.random() < share or a < 2:
                own = rng.lognormal(np.log(pace[a]), 0.8)
                rows.append((a, o, own if jitter_s is None else order + rng.uniform(0, jitter_s)))
        rows += [(n + k, o, rng.lognormal(np.log(7_200), 1.5)) for k in range(n_outsiders)]
    incidence = incidence_of(rows, np.sort(rng.uniform(0, 30 * 86_400, n_objects)))
    return incidence, acts_of_rows(incidence, incidence.rows_of(np.arange(n)))


@pytest.fixture(params=range(4))
def panel(request: pytest.FixtureRequest) -> Panel:
    rng = np.random.default_rng(request.param)
    incidence, acts = group(rng, n=7, n_objects=9, jitter_s=90.0 if request.param % 2 else None)
    return panel_of(acts, incidence, window_s=WINDOW_S, seed=0)


def one(value: np.ndarray) -> float:
    assert value.shape == (1,)
    return float(value[0])


def by_object(panel: Panel) -> list[list[tuple[int, int]]]:
    """(member, delay) on each object."""
    acts = panel.acts
    lists: list[list[tuple[int, int]]] = [[] for _ in range(acts.n_objects)]
    for who, o, d in zip(panel.who.tolist(), acts.obj.tolist(), acts.ticks.tolist(), strict=True):
        lists[o].append((who, d))
    return lists


def test_phase_coherence_is_the_length_of_the_mean_phase(panel: Panel) -> None:
    total = 0.0
    for acts in by_object(panel):
        c = sum(math.cos(2 * math.pi * d / (4 * WINDOW_S * SECOND)) for _, d in acts)
        s = sum(math.sin(2 * math.pi * d / (4 * WINDOW_S * SECOND)) for _, d in acts)
        total += math.hypot(c, s)
    assert one(phase_coherence(panel, panel.acts.ticks[None])) == pytest.approx(total / len(panel.acts))


def test_event_sync_and_direction_are_those_of_quian_quiroga(panel: Panel) -> None:
    m = np.bincount(panel.who)
    follows = np.zeros((panel.n, panel.n))  # c(a|b): a after b
    for acts in by_object(panel):
        for (a, da), (b, db) in itertools.permutations(acts, 2):
            if 0 < da - db <= WINDOW_S * SECOND:
                follows[a, b] += 1
            elif da == db:
                follows[a, b] += 0.5
    scale = np.sqrt(np.outer(m, m))
    q_sym = (follows + follows.T) / scale
    q_dir = (follows.T - follows) / scale  # positive where the row leads
    upper = np.triu_indices(panel.n, 1)
    real = panel.acts.ticks[None]
    assert one(event_sync(panel, real)) == pytest.approx(q_sym[upper].mean())
    scores = q_dir.sum(axis=1) / (panel.n - 1)
    np.testing.assert_allclose(lead_scores(panel, real)[0], scores, atol=1e-12)
    assert one(event_sync_direction(panel, real)) == pytest.approx(scores.max())


def test_delay_dispersion_compares_mean_differences_with_outsiders() -> None:
    rng = np.random.default_rng(5)
    incidence, acts = group(rng, n=6, n_objects=8)
    panel = panel_of(acts, incidence, window_s=WINDOW_S, seed=0)
    of_object: dict[int, tuple[list[int], list[int]]] = {}
    for account, obj, delay in zip(incidence.account, incidence.obj, incidence.delay_us, strict=True):
        of_object.setdefault(int(obj), ([], []))[int(account >= 6)].append(int(delay) // 100_000)
    ratios = []
    for own, others in of_object.values():
        spread = [
            np.mean([abs(x - y) for x, y in itertools.combinations(v, 2)]) + SECOND for v in (own, others)
        ]
        ratios.append(math.log2(spread[0] / spread[1]))
    assert one(delay_dispersion(panel, acts.ticks[None])) == pytest.approx(np.mean(ratios))


def test_burst_overlap_counts_common_seconds() -> None:
    rng = np.random.default_rng(2)
    rows = [
        (a, o, float(rng.integers(0, 30))) for a in range(5) for o in range(4) if rng.random() < 0.8 or a < 2
    ]
    incidence = incidence_of(rows, np.array([0.0, 10.0, 40.0, 45.0]))
    acts = acts_of_rows(incidence, incidence.rows_of(np.arange(5)))
    panel = panel_of(acts, incidence, window_s=6.0, seed=0)
    depth: dict[int, set[int]] = {}
    for who, time_us in zip(panel.who.tolist(), acts.time_us.tolist(), strict=True):
        for tick in range(time_us // 100_000, time_us // 100_000 + 60):
            depth.setdefault(tick, set()).add(who)
    d = np.array([len(v) for v in depth.values()])
    expected = (d * (d - 1)).sum() / ((panel.n - 1) * d.sum())
    assert one(burst_overlap(panel, acts.ticks[None])) == pytest.approx(expected)


def test_cascade_entropy_shares_ties(panel: Panel) -> None:
    ticks = panel.acts.ticks // 3_000 * 3_000  # ties
    count = np.zeros(panel.n)
    for o in range(panel.acts.n_objects):
        rows = np.flatnonzero(panel.acts.obj == o)
        first = rows[ticks[rows] == ticks[rows].min()]
        count[panel.who[first]] += 1 / len(first)
    p = count[count > 0] / count.sum()
    expected = -(p * np.log(p)).sum() / math.log(min(panel.n, panel.acts.n_objects))
    assert one(cascade_entropy(panel, ticks[None])) == pytest.approx(min(expected, 1.0))


def test_kendall_w_with_missing_entries_and_ties(panel: Panel) -> None:
    ticks = panel.acts.ticks // 3_000 * 3_000
    sums, most = np.zeros(panel.n), np.zeros(panel.n)
    for o in range(panel.acts.n_objects):
        rows = np.flatnonzero(panel.acts.obj == o)
        q = len(rows)
        sums[panel.who[rows]] += math.sqrt(12 / (q + 1)) * (rankdata(ticks[rows]) - (q + 1) / 2)
        most[panel.who[rows]] += math.sqrt(q - 1)
    assert one(kendall_w(panel, ticks[None])) == pytest.approx((sums**2).sum() / (most**2).sum())


def test_kendall_w_of_complete_data_is_kendalls() -> None:
    rng = np.random.default_rng(3)
    delays = rng.permuted(np.tile(np.arange(6), (10, 1)), axis=1) * 100.0
    rows = [(a, o, delays[o, a]) for o in range(10) for a in range(6)]
    incidence = incidence_of(rows, np.arange(10) * 86_400.0)
    panel = panel_of(
        acts_of_rows(incidence, incidence.rows_of(np.arange(6))), incidence, window_s=WINDOW_S, seed=0
    )
    total = (delays / 100 + 1).sum(axis=0)
    expected = 12 * ((total - total.mean()) ** 2).sum() / (10**2 * (6**3 - 6))
    assert one(kendall_w(panel, panel.acts.ticks[None])) == pytest.approx(expected)


def test_persistence_counts_pairs_in_slices(panel: Panel) -> None:
    k = panel.acts.n_objects
    n = min(8, k // 2)
    expected = np.zeros(n)
    for o, acts in enumerate(by_object(panel)):
        expected[o * n // k] += sum(
            abs(x - y) <= WINDOW_S * SECOND for (_, x), (_, y) in itertools.combinations(acts, 2)
        )
    np.testing.assert_array_equal(persistence(panel, panel.acts.ticks[None])[0], expected)


def test_digital_dna_finds_the_longest_common_run() -> None:
    rng = np.random.default_rng(8)
    for _ in range(20):
        strings = ["".join(rng.choice(list("ABC"), rng.integers(10, 40))) for _ in range(7)]
        longest = 0
        for s in strings:
            for i, j in itertools.combinations(range(len(s) + 1), 2):
                if j - i > longest and sum(s[i:j] in other for other in strings) >= 4:
                    longest = j - i
        expected = longest / np.median([len(s) for s in strings])
        assert digital_dna_lcs(strings, seed=0)[0] == pytest.approx(expected)


def test_digital_dna_z_sees_a_common_script_and_no_common_habit() -> None:
    rng = np.random.default_rng(9)
    script = "".join(rng.choice(list("ABCD"), 30))
    scripted = ["".join(rng.choice(list("ABCD"), 10)) + script for _ in range(8)]
    assert digital_dna_lcs(scripted, seed=0)[1] > 8
    free = [
        digital_dna_lcs(["".join(rng.choice(list("AAB"), 40)) for _ in range(8)], seed=k)[1]
        for k in range(30)
    ]
    assert abs(np.mean(free)) < 0.9


def test_digital_dna_needs_strings() -> None:
    assert all(math.isnan(x) for x in digital_dna_lcs(["AB" * 10] * 4, seed=0))
    assert all(math.isnan(x) for x in digital_dna_lcs(["A" * 20] * 9, seed=0))


def test_action_strings_follow_time() -> None:
    table = pa.table(
        {
            "account_id": ["b", "a", "b", "c", "b"],
            "action": ["post", "like", "repost", "post", "post"],
            "object_id": list("vwxyz"),
            "timestamp_us": pa.array([1, 2, 3, 4, 5], pa.int64()),
        }
    )
    assert action_strings(encoded_events(table), np.array([0, 1])) == ["D", "ABA"]


def test_common_moments_are_far_out_in_every_metric_of_togetherness() -> None:
    incidence, acts = group(np.random.default_rng(1), n=15, n_objects=40, jitter_s=60.0)
    found = synchrony_panel(acts, incidence, window_s=WINDOW_S, seed=0)
    for name in ("phase_coherence", "event_sync", "burst_overlap", "persistence"):
        assert found[name][1] > 8, name
    assert found["delay_dispersion"][1] < -8


def test_a_fixed_order_is_far_out_in_every_metric_of_order() -> None:
    rng = np.random.default_rng(1)
    rows = [
        (a, o, 600 + 5 * a + rng.uniform(0, 10))
        for o in range(30)
        for a in range(10)
        if rng.random() < 0.8 or a < 2
    ]
    incidence = incidence_of(rows, np.arange(30) * 86_400.0)
    acts = acts_of_rows(incidence, incidence.rows_of(np.arange(10)))
    found = synchrony_panel(acts, incidence, window_s=WINDOW_S, seed=0)
    assert found["kendall_w"][1] > 8
    assert found["event_sync_direction"][1] > 5
    assert found["cascade_entropy"][1] < -5


def test_z_is_standard_normal_without_anything_in_common() -> None:
    rng = np.random.default_rng(0)
    of_metric: dict[str, list[float]] = {}
    for k in range(60):
        # Strangers with habits for togetherness; without habits for order, where habit counts.
        incidence, acts = group(rng, habit=k % 2 == 0)
        found = synchrony_panel(acts, incidence, window_s=600.0, seed=k, n_permutations=99)
        for metric in PANEL:
            if metric.null == "delays" or (metric.null == "order" and k % 2):
                of_metric.setdefault(metric.name, []).append(found[metric.name][1])
    assert len(of_metric) == 8
    for name, z in of_metric.items():
        standard_error = 1 / math.sqrt(len(z))
        assert abs(np.mean(z)) < 4 * standard_error, (name, np.mean(z))
        assert 0.65 < np.std(z) < 1.4, (name, np.std(z))


def test_the_order_null_keeps_the_times_of_each_object(panel: Panel) -> None:
    arranged = permuted_order(panel.acts, 20, np.random.default_rng(0))
    for o in range(panel.acts.n_objects):
        rows = panel.acts.obj == o
        np.testing.assert_array_equal(
            np.sort(arranged[:, rows], axis=1), np.tile(np.sort(panel.acts.ticks[rows]), (20, 1))
        )


def test_large_groups_are_sampled_and_the_value_stays() -> None:
    rng = np.random.default_rng(4)
    incidence, acts = group(rng, n=120, n_objects=12, jitter_s=200.0, n_outsiders=2)
    panel = panel_of(acts, incidence, window_s=WINDOW_S, seed=0)
    assert (panel.size * (panel.size - 1) // 2).sum() > MAX_PAIRS >= len(panel.pairs[0]) > 0.9 * MAX_PAIRS
    m = np.bincount(panel.who)
    exact = 0.0
    for here in by_object(panel):
        for (a, x), (b, y) in itertools.combinations(here, 2):
            exact += (abs(x - y) <= WINDOW_S * SECOND) / math.sqrt(m[a] * m[b])
    exact /= panel.n * (panel.n - 1) / 2
    assert one(event_sync(panel, acts.ticks[None])) == pytest.approx(exact, rel=0.03)


def test_what_cannot_be_computed_is_nan_and_never_zero() -> None:
    incidence = incidence_of([(0, 0, 5.0), (1, 0, 9.0)], np.array([0.0]))
    acts = acts_of_rows(incidence, incidence.rows_of(np.arange(2)))
    found = synchrony_panel(acts, incidence, window_s=WINDOW_S, seed=0)
    assert list(found) == [m.name for m in PANEL]
    for name in ("delay_dispersion", "cascade_entropy", "digital_dna_lcs", "persistence"):
        assert all(math.isnan(x) for x in found[name]), name
    assert math.isnan(found["event_sync"][1])
    nobody = acts_of_rows(incidence, np.empty(0, np.int64))
    empty = synchrony_panel(nobody, incidence, window_s=WINDOW_S, seed=0)
    assert all(math.isnan(x) for pair in empty.values() for x in pair)


def test_the_panel_is_a_function_of_its_input() -> None:
    incidence, acts = group(np.random.default_rng(6))
    kwargs = {
        "window_s": WINDOW_S,
        "seed": 3,
        "n_permutations": 49,
        "member_action_strings": ["ABAB" * 9] * 6,
    }
    first, second = (synchrony_panel(acts, incidence, **kwargs) for _ in range(2))  # type: ignore[arg-type]
    assert repr(first) == repr(second)


def test_every_metric_is_documented() -> None:
    page = (Path(__file__).resolve().parents[3] / "docs/explanation/synchronisation-panel.md").read_text(
        "utf-8"
    )
    for metric in PANEL:
        assert "Blind spots" in metric.description, metric.name
        assert f"| `{metric.name}` | {metric.unit} |" in page
