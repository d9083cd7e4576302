"""Hashes, order and derived ids against plain Python."""

from __future__ import annotations

import hashlib

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from graphscan.events.identity import SeenHashes, canonical_order, derived_event_ids, repeats, text_hashes

TEXTS = st.text(st.characters(exclude_characters="\0", exclude_categories=("Cs",)), max_size=30)


def chunked(texts: list[str], n_chunks: int = 1) -> pa.ChunkedArray:
    step = max(1, -(-len(texts) // n_chunks))
    chunks = [pa.array(texts[i : i + step], type=pa.string()) for i in range(0, len(texts), step)]
    return pa.chunked_array(chunks, type=pa.string())


@settings(max_examples=200)
@given(
    st.lists(st.tuples(st.integers(0, 5), TEXTS), max_size=40, unique_by=lambda e: e[1]),
    st.integers(1, 4),
)
def test_canonical_order(events: list[tuple[int, str]], n_chunks: int) -> None:
    times = np.array([time for time, _ in events], dtype=np.int64)
    order = canonical_order(times, chunked([text for _, text in events], n_chunks))
    found = list(range(len(events))) if order is None else order.tolist()
    assert found == sorted(range(len(events)), key=lambda i: (events[i][0], events[i][1].encode()))


def test_canonical_order_over_slices(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("graphscan.events.identity._SLICE_ROWS", 7)
    rng = np.random.default_rng(3)
    for n_times in (1, 5, 40, 1000):
        times = rng.integers(0, n_times, 300)
        ids = [f"id{i:05d}" for i in rng.permutation(300)]
        order = canonical_order(times, chunked(ids, 3))
        assert order is not None
        assert order.tolist() == sorted(range(300), key=lambda i: (times[i], ids[i]))
        in_order = [ids[i] for i in order]
        assert canonical_order(times[order], chunked(in_order)) is None


@given(st.lists(TEXTS, max_size=30), st.integers(1, 4))
def test_equal_hashes_mean_equal_texts_here(texts: list[str], n_chunks: int) -> None:
    hashes = text_hashes(chunked(texts, n_chunks)).tolist()
    assert len(set(hashes)) == len(set(texts))
    assert hashes == [int(text_hashes(chunked([t]))[0]) for t in texts]


def test_hashes_do_not_change() -> None:
    """They decide nothing by themselves, but a platform on which they differ would be a surprise."""
    assert [hex(h) for h in text_hashes(chunked(["", "a", "abcdefgh", "abcdefghi", "é"])).tolist()] == HASHES


HASHES = [
    "0xe220a8397b1dcdaf",
    "0x2e291a69a5eb399b",
    "0x4656d84df5cb3e4d",
    "0x650f4879f5850599",
    "0xc28a388c7566e058",
]


def events(ids: list[str], texts: list[str]) -> pa.Table:
    n = len(ids)
    return pa.table(
        {
            "account_id": ["a"] * n,
            "action": ["post"] * n,
            "object_id": ["o"] * n,
            "timestamp_us": pa.array([1_700_000_000_000_000] * n),
            "event_id": ids,
            "text": texts,
        }
    )


def test_colliding_hashes_are_no_duplicates(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(
        "graphscan.events.identity.text_hashes", lambda texts: np.zeros(len(texts), dtype=np.uint64)
    )
    found = repeats(events(["x", "y", "x", "z", "y"], ["1", "2", "1", "4", "0"]))
    assert found.kept is not None
    assert len(found.kept) == 3
    assert found.n_duplicates == 1
    assert found.conflicts == ((1, 4),)
    assert repeats(events(["x", "y", "z"], ["1", "2", "3"])).kept is None


@pytest.mark.parametrize("n_rows", [3, 10_001])
def test_derived_ids(n_rows: int) -> None:
    texts = [f"text {i}" for i in range(n_rows)]
    ids = derived_event_ids(events([""] * n_rows, texts)).to_pylist()
    for row in (0, 1, n_rows - 1):
        content = (
            "account_id=:1:a\naction=:4:post\nobject_id=:1:o\ntimestamp_us=:16:1700000000000000\n"
            f"text=:{len(texts[row])}:{texts[row]}"
        )
        assert ids[row] == "gs1:" + hashlib.sha256(content.encode()).hexdigest()[:32]
    assert len(set(ids)) == n_rows


@given(st.lists(st.lists(st.integers(0, 30), max_size=12), max_size=20))
def test_seen_hashes(blocks: list[list[int]]) -> None:
    seen = SeenHashes()
    met: set[int] = set()
    for block in blocks:
        repeated = seen.add(np.array(block, dtype=np.uint64))
        for value in set(block):
            flags = [bool(r) for v, r in zip(block, repeated, strict=True) if v == value]
            assert flags.count(False) == (0 if value in met else 1)
        met.update(block)
