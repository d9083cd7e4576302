"""The counting core: windows exact to the microsecond, caps, partial edges, bounded memory."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from graphscan.network import coaction
from graphscan.network.coaction import (
    LayerEvents,
    accounts_in_pairs,
    capped_layer,
    coaction_edges,
    last_partner,
    merged_edges,
    order_by_object_and_time,
    pair_chunks,
    partial_edges,
    sorted_layer,
)

ROOT = Path(__file__).resolve().parents[3]
SECOND = 1_000_000
YEAR_US = 365 * 86_400 * SECOND


def layer_of(account: object, obj: object, time_us: object, event: object = None) -> LayerEvents:
    account, obj, time_us = (np.asarray(values, np.int64) for values in (account, obj, time_us))
    event = np.arange(len(account)) if event is None else np.asarray(event, np.int64)
    sizes = (int(values.max()) + 1 if len(values) else 1 for values in (account, obj))
    return sorted_layer(account, obj, event, time_us, *sizes)


def crowd(n_rows: int, n_accounts: int, seed: int = 1, span_s: int = 60) -> LayerEvents:
    """Rows on one object, two of every three from the accounts in turn."""
    random = np.random.Generator(np.random.PCG64(seed))
    account = random.integers(0, n_accounts, n_rows)
    return layer_of(account, np.zeros(n_rows), random.integers(0, span_s * SECOND, n_rows))


# --- order and windows ---------------------------------------------------------------------------------


@given(
    rows=st.lists(
        st.tuples(st.integers(0, 4), st.integers(0, 5), st.sampled_from([-(2**61), -5, 0, 1, 7, 2**60])),
        max_size=30,
    ),
    in_time_order=st.booleans(),
)
def test_layers_are_sorted_by_object_time_account_and_event(
    rows: list[tuple[int, int, int]], in_time_order: bool
) -> None:
    if in_time_order:
        rows = sorted(rows, key=lambda row: row[2])
    account, obj, time_us = (np.array([row[k] for row in rows], np.int64) for k in range(3))
    layer = sorted_layer(account, obj, np.arange(len(rows)), time_us, 5, 6)
    shared = {o for o in set(obj.tolist()) if len(set(account[obj == o].tolist())) > 1}
    expected = sorted(
        (o, t, a, e) for e, (a, o, t) in enumerate(zip(account, obj, time_us, strict=True)) if o in shared
    )
    found = zip(layer.obj, layer.time_us, layer.account, layer.event, strict=True)
    assert [tuple(map(int, row)) for row in found] == [tuple(map(int, row)) for row in expected]


@given(
    rows=st.lists(st.tuples(st.integers(0, 3), st.integers(-20, 20)), max_size=30),
    scale=st.sampled_from([1, SECOND, YEAR_US]),
    window=st.sampled_from([0, 1, 3, 50, 2**62]),
)
def test_last_partner_is_the_last_row_within_the_window(
    rows: list[tuple[int, int]], scale: int, window: int
) -> None:
    obj = np.array([o for o, _ in rows], np.int64)
    time_us = np.array([t * scale for _, t in rows], np.int64)
    order = order_by_object_and_time(obj, time_us)
    obj, time_us = obj[order], time_us[order]
    window_us = min(window * scale, 2**62)
    expected = [
        max(k for k in range(i, len(rows)) if obj[k] == obj[i] and time_us[k] - time_us[i] <= window_us) + 1
        for i in range(len(rows))
    ]
    assert last_partner(obj, time_us, window_us).tolist() == expected


def test_a_window_of_centuries_does_not_overflow() -> None:
    """Fifty thousand rows over thirty years: the sum of all gaps is far beyond 64 bits."""
    n = 50_000
    obj = np.repeat(np.arange(n // 2), 2)
    time_us = np.tile([0, 30 * YEAR_US], n // 2)
    assert last_partner(obj, time_us, 10**17).tolist() == (2 * (obj + 1)).tolist()
    edges, _ = coaction_edges(layer_of(np.tile([0, 1], n // 2), obj, time_us), 10**17)
    assert edges.n_pairs.tolist() == [n // 2]
    assert coaction_edges(layer_of(np.tile([0, 1], n // 2), obj, time_us), 30 * YEAR_US - 1)[0].a.size == 0


def test_pair_chunks_give_each_pair_once_at_every_size() -> None:
    layer = layer_of([0, 1, 2, 0, 1, 2, 0, 0], [0, 0, 0, 1, 1, 1, 2, 2], [0, 1, 2, 0, 0, 5, 1, 1])
    whole = {pair for i, j in pair_chunks(layer, 2) for pair in zip(i.tolist(), j.tolist(), strict=True)}
    assert len(whole) == 4
    for size in (1, 2, 3, 100):
        pairs = [
            pair for i, j in pair_chunks(layer, 2, size) for pair in zip(i.tolist(), j.tolist(), strict=True)
        ]
        assert len(pairs) == len(set(pairs))
        assert set(pairs) == whole


def test_nothing_gives_nothing() -> None:
    layer = layer_of([], [], [])
    edges, capped = coaction_edges(layer, SECOND, min_pairs=2, min_participation=3, edge_quantile=0.9)
    assert (len(edges), capped) == (0, [])
    assert len(merged_edges(partial_edges(layer, SECOND), 1)) == 0
    assert not accounts_in_pairs(layer, SECOND, 1).any()


# --- a hot object ---------------------------------------------------------------------------------------


def test_an_object_larger_than_a_chunk_counts_as_one_object(monkeypatch: pytest.MonkeyPatch) -> None:
    """Its events and the object itself must not be counted anew in each chunk."""
    layer = crowd(300, 7)
    whole, _ = coaction_edges(layer, 60 * SECOND)
    assert set(whole.n_objects.tolist()) == {1}
    assert whole.n_a.max() < 300
    for size in (10, 100, 1_000, 10_000):
        monkeypatch.setattr(coaction, "CHUNK_PAIRS", size)
        chunked, _ = coaction_edges(layer, 60 * SECOND)
        for name in whole.__dataclass_fields__:
            np.testing.assert_array_equal(getattr(chunked, name), getattr(whole, name))


@pytest.mark.parametrize("n_accounts", [2, 3, 40, 3_000])
def test_a_capped_object_is_counted_and_stays_within_the_cap(n_accounts: int) -> None:
    layer = crowd(3_000, n_accounts)
    thin, (capped,) = capped_layer(layer, 60 * SECOND, 10_000)
    assert (capped.obj, capped.n_rows, capped.n_kept) == (0, 3_000, len(thin))
    n_pairs = sum(len(i) for i, _ in pair_chunks(thin, 60 * SECOND))
    # Not so little either that nothing of the object is left to see.
    assert 1_000 < n_pairs <= 10_000
    assert (np.diff(thin.time_us) >= 0).all()


def test_whom_a_cap_keeps_depends_on_nothing_but_the_times_of_day() -> None:
    random = np.random.Generator(np.random.PCG64(5))
    account, time_us = random.integers(0, 400, 2_000), random.choice(60_000, 2_000, replace=False) * 1_000
    obj = np.zeros(2_000, np.int64)

    def kept(account: np.ndarray, time_us: np.ndarray, obj: np.ndarray) -> list[tuple[int, int]]:
        thin, (capped,) = capped_layer(layer_of(account, obj, time_us), 60 * SECOND, 20_000)
        assert capped.n_rows == 2_000
        rows = thin.obj == capped.obj
        return sorted(zip(thin.account[rows].tolist(), thin.time_us[rows].tolist(), strict=True))

    first = kept(account, time_us, obj)
    assert 100 < len(first) < 2_000
    order = random.permutation(2_000)
    assert kept(account[order], time_us[order], obj) == first
    other_names = random.permutation(400)
    renamed = kept(other_names[account], time_us, obj)
    assert renamed == sorted((int(other_names[a]), t) for a, t in first)
    day = 3 * 86_400 * SECOND
    assert kept(account, time_us + day, obj) == [(a, t + day) for a, t in first]
    # Strangers, and another object before it.
    more = kept(
        np.concatenate((account + 2, [0, 1])),
        np.concatenate((time_us, [0, 0])),
        np.concatenate((obj + 1, [0, 0])),
    )
    assert more == [(a + 2, t) for a, t in first]


def test_objects_under_the_cap_are_left_alone() -> None:
    account = [*range(100), 0, 1]
    layer = layer_of(account, [0] * 100 + [1, 1], [0] * 100 + [5, 6])
    thin, capped = capped_layer(layer, SECOND, 1_000)
    assert [c.obj for c in capped] == [0]
    assert thin.account[thin.obj == 1].tolist() == [0, 1]
    assert capped_layer(layer, SECOND, 4_950) == (layer, [])


HOT = """
import sys
import numpy as np
from graphscan.network.coaction import coaction_edges, sorted_layer
n, n_accounts, min_pairs, cap = map(int, sys.argv[1:])
random = np.random.Generator(np.random.PCG64(1))
account, at = random.integers(0, n_accounts, n), random.integers(0, 60_000_000, n)
layer = sorted_layer(account, np.zeros(n, np.int64), np.arange(n), at, n_accounts, 1)
edges, capped = coaction_edges(layer, 60_000_000, min_pairs=min_pairs, max_pairs_per_object=cap)
# Not ru_maxrss: that one begins with the size of the process that started this one.
peak_kb = next(int(x.split()[1]) for x in open("/proc/self/status") if x.startswith("VmHWM:"))
print(len(edges), int(edges.n_pairs.sum()), capped[0].n_rows, capped[0].n_kept, peak_kb)
"""


@pytest.mark.parametrize("n_accounts", [2, 1_000_000])
def test_a_million_rows_on_one_object_never_square_up(n_accounts: int) -> None:
    """In one minute they make 5e11 pairs: eight terabytes as pairs of row numbers."""
    done = subprocess.run(
        [sys.executable, "-c", HOT, "1000000", str(n_accounts), "1", "2000000"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    )
    n_edges, n_pairs, n_rows, n_kept, peak_kb = map(int, done.stdout.split())
    assert n_rows == 1_000_000
    assert 1 <= n_edges <= n_pairs <= 2_000_000
    assert 1_000 <= n_kept <= 4_000
    assert peak_kb < 700_000


# --- partial edges, floors -------------------------------------------------------------------------------


@pytest.mark.parametrize(("n_bits", "n_hashes"), [(4, 1 << 26), (20, 1_000), (4, 77)])
def test_pruning_loses_no_repeat_however_small_its_memory(
    monkeypatch: pytest.MonkeyPatch, n_bits: int, n_hashes: int
) -> None:
    """With sixteen buckets for thousands of edges the filter lets all through; with few hashes at a time it
    takes many passes."""
    layer = crowd(400, 90)
    expected, _ = coaction_edges(layer, 5 * SECOND)
    monkeypatch.setattr(coaction, "_FILTER_BITS", (n_bits, n_bits))
    monkeypatch.setattr(coaction, "_HASHES", n_hashes)
    monkeypatch.setattr(coaction, "_BLOCK_PAIRS", 500)
    found, _ = coaction_edges(layer, 5 * SECOND, min_pairs=2)
    strong = expected.take(expected.n_pairs >= 2)
    assert 0 < len(strong) < len(expected)
    for name in strong.__dataclass_fields__:
        np.testing.assert_array_equal(getattr(found, name), getattr(strong, name))


def test_partials_are_sorted_and_hold_what_the_merge_needs() -> None:
    layer = LayerEvents(
        *(np.array(x, np.int64) for x in ([0, 1, 0, 1], [0, 0, 1, 1], [0, 1, 0, 1], [0, 4, 0, 4])), 2, 2, True
    )
    (partial,) = partial_edges(layer, 10)
    assert partial.key.tolist() == [1]
    assert (partial.n_pairs.tolist(), partial.n_objects.tolist()) == ([2], [2])
    # Event 0 of account 0 stands on both objects and counts once.
    assert (partial.n_a.tolist(), partial.events_a.tolist()) == ([1], [0])
    assert partial.lags_us.tolist() == [4, 4]
    twice = merged_edges([partial, partial], 2)
    assert (twice.n_pairs.tolist(), twice.n_a.tolist(), twice.n_b.tolist()) == ([4], [1], [1])


def test_medians_of_many_groups_of_huge_lags() -> None:
    """Where group and lag do not fit one integer together, the slow way gives the same."""
    sizes = np.array([1, 2, 3, 4])
    lags = np.array([7, 2, 2**60, 9, 1, 5, 4, 3, 2, 2**61 + 2])
    medians = coaction._grouped_median(lags, sizes)
    assert medians.tolist() == [7.0, (2 + 2**60) / 2, 5.0, 3.5]


@given(
    rows=st.lists(st.tuples(st.integers(0, 3), st.integers(0, 2), st.integers(0, 9)), max_size=25),
    window_us=st.integers(0, 4),
    minimum=st.integers(1, 3),
)
def test_accounts_in_pairs(rows: list[tuple[int, int, int]], window_us: int, minimum: int) -> None:
    account, obj, time_us = (np.array([row[k] for row in rows], np.int64) for k in range(3))
    layer = sorted_layer(account, obj, np.arange(len(rows)), time_us, 4, 3)
    paired = [any(a != b and o == p and abs(t - s) <= window_us for b, p, s in rows) for a, o, t in rows]
    counts = np.bincount(account[np.array(paired, bool)], minlength=4) if rows else np.zeros(4)
    assert accounts_in_pairs(layer, window_us, minimum).tolist() == (counts >= minimum).tolist()
