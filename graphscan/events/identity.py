"""Who an event is: ids and their hashes, the canonical order, and which of several rows of one id stays."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from graphscan.entropy import mix64
from graphscan.events.model import EVENT_COLUMNS

# An id of content begins with this, so that it is never taken for an id of the source.
DERIVED_PREFIX: Final = "gs1:"
_CONTENT_COLUMNS: Final = tuple(c for c in EVENT_COLUMNS if c != "event_id")
# Up to here Python's own SHA-256 is quicker than starting a database for it.
_FEW_ROWS: Final = 10_000
# Rows that are hashed or sorted at once: temporary arrays stay small beside the events themselves.
_SLICE_ROWS: Final = 1 << 18
# Rows that are hashed at once: few enough for the processor's cache.
_HASH_ROWS: Final = 1 << 15
# Which of two rows of one id is kept: the one that sorts first by these, then by all other columns as listed.
SORT_COLUMNS: Final = (
    "timestamp_us",
    "account_id",
    "action",
    "object_id",
    *(c for c in _CONTENT_COLUMNS if c not in {"timestamp_us", "account_id", "action", "object_id"}),
)


def _one_array(column: pa.ChunkedArray | pa.Array) -> pa.Array:
    """The column as one text array, with 64-bit offsets where 32 would not do."""
    if isinstance(column, pa.Array):
        return column
    if column.num_chunks == 1:
        return column.chunk(0)
    if column.nbytes > 1 << 30:
        column = column.cast(pa.large_string())
    return column.combine_chunks() if column.num_chunks else pa.array([], type=column.type)


class Words:
    """The texts of an array as 64-bit words, eight bytes a word, zero past the end.

    Texts never hold NUL (such rows are rejected), so equal words at every position mean equal texts, and
    big-endian words sort as UTF-8 bytes do.
    """

    def __init__(self, texts: pa.Array) -> None:
        wide = pa.types.is_large_string(texts.type)
        _, offsets, data = texts.buffers()
        stored = np.frombuffer(offsets, dtype=np.int64 if wide else np.int32)
        self._offsets = stored[texts.offset : texts.offset + len(texts) + 1]
        contents = np.frombuffer(data, dtype=np.uint8) if data is not None else np.zeros(0, dtype=np.uint8)
        if contents.size < 8:
            contents = np.concatenate((contents, np.zeros(8 - contents.size, dtype=np.uint8)))
        self._last_load = contents.size - 8
        # Overlapping loads, one at every byte.
        self._loads = np.ndarray(shape=(contents.size - 7,), dtype=">u8", buffer=contents.data, strides=(1,))

    def n_bytes(self) -> NDArray[np.int64]:
        """Length of each text in bytes."""
        return np.diff(self._offsets).astype(np.int64)

    def word(self, position: int, rows: NDArray[np.int64] | None = None) -> NDArray[np.uint64]:
        """Word ``position`` of the given rows (of all rows by default)."""
        offsets = self._offsets
        begins = (offsets[:-1] if rows is None else offsets[rows]).astype(np.int64) + 8 * position
        ends = (offsets[1:] if rows is None else offsets[rows + 1]).astype(np.int64)
        left = ends - begins
        at = np.minimum(begins, self._last_load)
        words = self._loads[at].astype(np.uint64)
        moved = begins - at
        if moved.any():
            words <<= np.minimum(moved * 8, 63).astype(np.uint64)
        if left.min(initial=8) < 8:
            # A shift by 64 is not defined, so texts that ended before this word are blanked apart.
            drop = (8 * (8 - np.clip(left, 1, 8))).astype(np.uint64)
            words = (words >> drop) << drop
            words[left <= 0] = 0
        return words


def text_hashes(texts: pa.ChunkedArray) -> NDArray[np.uint64]:
    """A 64-bit hash of each text, the same on every machine.

    It only groups candidates; whoever uses it compares the texts themselves before believing in equality.
    """
    parts = [
        _array_hashes(chunk.slice(at, _HASH_ROWS))
        for chunk in texts.chunks
        for at in range(0, len(chunk), _HASH_ROWS)
    ]
    return np.concatenate(parts) if parts else np.zeros(0, dtype=np.uint64)


def _array_hashes(texts: pa.Array) -> NDArray[np.uint64]:
    words = Words(texts)
    n_bytes = words.n_bytes()
    hashes = mix64(n_bytes.astype(np.uint64))
    longest = int(n_bytes.max(initial=0))
    shortest = int(n_bytes.min(initial=0))
    for position in range((longest + 7) // 8):
        if shortest > 8 * position:
            hashes = mix64(hashes ^ words.word(position))
        else:
            rows = np.flatnonzero(n_bytes > 8 * position)
            hashes[rows] = mix64(hashes[rows] ^ words.word(position, rows))
    return hashes


def canonical_order(times_us: NDArray[np.int64], event_ids: pa.ChunkedArray) -> NDArray[np.int64] | None:
    """The order by (time, UTF-8 bytes of the event id), or None if the rows are in it already.

    Parameters
    ----------
    times_us
        Times in microseconds, shape (n,).
    event_ids
        Event ids without nulls, no two equal, length n.
    """
    n_rows = times_us.size
    if n_rows < 2:
        return None
    order: NDArray[np.int64] | None = None
    times = times_us
    if (times[1:] < times[:-1]).any():
        # Equal times fall in any order here: their ids order them below.
        order = np.argsort(times_us)
        times = times_us[order]
    tied = times[1:] == times[:-1]
    if not tied.any():
        return order
    words = Words(_one_array(event_ids))
    identity = order is None
    if order is None:
        order = np.arange(n_rows, dtype=np.int64)
    changed = False
    for begin, end in _segments(tied):
        inside = np.zeros(end - begin, dtype=bool)
        inside[1:] |= tied[begin : end - 1]
        inside[:-1] |= tied[begin : end - 1]
        places = begin + np.flatnonzero(inside)
        if not places.size:
            continue
        group = np.cumsum(np.concatenate(([True], ~tied[begin : end - 1])))[places - begin]
        changed |= _sort_ties(order, places, group, words)
    return None if identity and not changed else order


def _segments(tied: NDArray[np.bool_]) -> Iterator[tuple[int, int]]:
    """Stretches of rows of bounded size that cut no run of equal times."""
    n_rows = tied.size + 1
    begin = 0
    while begin < n_rows:
        end = min(begin + _SLICE_ROWS, n_rows)
        while end < n_rows and tied[end - 1]:
            ahead = tied[end - 1 : end - 1 + _SLICE_ROWS]
            loose = np.flatnonzero(~ahead)
            end += int(loose[0]) if loose.size else ahead.size
        yield begin, end
        begin = end


def _sort_ties(
    order: NDArray[np.int64], places: NDArray[np.int64], group: NDArray[np.int64], words: Words
) -> bool:
    """Sort rows by their text inside each group of equal times, in place; whether anything moved."""
    changed = False
    position = 0
    while places.size:
        rows = order[places]
        keys = words.word(position, rows)
        same_group = group[1:] == group[:-1]
        if (same_group & (keys[1:] < keys[:-1])).any():
            by_key = _order_within(group, keys)
            order[places] = rows[by_key]
            keys = keys[by_key]
            changed = True
        # What is still equal goes on to the next word, in groups of equal words.
        same = same_group & (keys[1:] == keys[:-1])
        left = np.zeros(places.size, dtype=bool)
        left[1:] |= same
        left[:-1] |= same
        group = np.cumsum(np.concatenate(([True], ~same)))[left]
        places = places[left]
        position += 1
    return changed


def _order_within(group: NDArray[np.int64], keys: NDArray[np.uint64]) -> NDArray[np.int64]:
    """The order by (group, key): two quick sorts of one number each cost less than one stable sort of two."""
    by_key = np.argsort(keys)
    in_order = keys[by_key]
    ranks = np.empty(keys.size, dtype=np.uint64)
    ranks[by_key] = np.concatenate(([0], np.cumsum(in_order[1:] != in_order[:-1]))).astype(np.uint64)
    return np.argsort((group.astype(np.uint64) << np.uint64(32)) | ranks)


class SeenHashes:
    """Hashes met so far, eight bytes each.

    Sorted runs of growing size: a new one is merged into its neighbour as soon as that is not much larger, so
    that adding and looking up cost little however many blocks come.
    """

    def __init__(self) -> None:
        self._runs: list[NDArray[np.uint64]] = []

    def add(self, hashes: NDArray[np.uint64]) -> NDArray[np.bool_]:
        """Take hashes in; which of them were met before, here or earlier in the same array."""
        order = np.argsort(hashes)
        run = hashes[order]
        repeated = np.zeros(hashes.size, dtype=bool)
        same = run[1:] == run[:-1]
        if same.any():
            # Which of several rows counts as the first is of no consequence: all others are looked at.
            repeated[order[1:][same]] = True
        for earlier in self._runs:
            at = np.minimum(np.searchsorted(earlier, hashes), earlier.size - 1)
            repeated |= earlier[at] == hashes
        if run.size:
            self._runs.append(run)
        while len(self._runs) > 1 and self._runs[-2].size <= 2 * self._runs[-1].size:
            last = self._runs.pop()
            self._runs[-1] = np.sort(np.concatenate((self._runs[-1], last)))
        return repeated


@dataclass(frozen=True)
class Repeats:
    """What became of rows that share an event id.

    Attributes
    ----------
    kept
        Row numbers that stay, ascending; None if all do.
    n_duplicates
        Rows equal in all columns to the kept one.
    conflicts
        (row, kept row) of rows with the same id and other content.
    """

    kept: NDArray[np.int64] | None
    n_duplicates: int
    conflicts: tuple[tuple[int, int], ...]


def repeats(table: pa.Table) -> Repeats:
    """Find rows that share an event id, and choose which one stays.

    The one that sorts first by (timestamp, account, action, object, the other columns) is kept, so that the
    choice does not depend on the order of the rows.
    """
    ids = table["event_id"]
    hashes = text_hashes(ids)
    in_order = np.sort(hashes)
    if not (in_order[1:] == in_order[:-1]).any():
        return Repeats(None, 0, ())
    suspects = np.flatnonzero(np.isin(hashes, in_order[1:][in_order[1:] == in_order[:-1]]))
    return _resolved(table, suspects)


def _resolved(table: pa.Table, suspects: NDArray[np.int64]) -> Repeats:
    """Exact comparison of the rows whose ids may repeat."""
    part = table.take(pa.array(suspects))
    codes = pc.dictionary_encode(_one_array(part["event_id"])).indices.to_numpy()
    keys = [codes, *(_ranks(part[name]) for name in SORT_COLUMNS if name in part.column_names)]
    # numpy sorts by the last key first.
    order = np.lexsort(tuple(reversed(keys)))
    sorted_codes = codes[order]
    first = np.concatenate(([True], sorted_codes[1:] != sorted_codes[:-1]))
    kept_at = np.flatnonzero(first)[np.cumsum(first) - 1]
    equal = np.ones(order.size, dtype=bool)
    for ranks in keys[1:]:
        ranked = ranks[order]
        equal &= ranked == ranked[kept_at]
    dropped = suspects[order[~first]]
    conflicting = ~equal & ~first
    pairs = zip(
        suspects[order[conflicting]].tolist(), suspects[order[kept_at[conflicting]]].tolist(), strict=True
    )
    stay = np.ones(table.num_rows, dtype=bool)
    stay[dropped] = False
    return Repeats(
        kept=np.flatnonzero(stay) if dropped.size else None,
        n_duplicates=int((equal & ~first).sum()),
        conflicts=tuple(sorted(pairs)),
    )


def _ranks(column: pa.ChunkedArray) -> NDArray[np.int64]:
    """Dense ranks of a column's values, missing first, texts by their UTF-8 bytes."""
    if pa.types.is_dictionary(column.type):
        column = column.cast(column.type.value_type)
    if pa.types.is_list(column.type):
        column = list_as_text(column)
    if pa.types.is_boolean(column.type):
        column = column.cast(pa.int8())
    missing = np.asarray(pc.is_null(column))
    ranks = pc.rank(column.combine_chunks(), sort_keys="ascending", tiebreaker="dense").to_numpy()
    return np.where(missing, 0, ranks.astype(np.int64))


def list_as_text(column: pa.ChunkedArray) -> pa.ChunkedArray:
    """Lists of texts as one text each, unambiguous: every item behind its length."""
    chunks = []
    for chunk in column.chunks:
        items = chunk.flatten()
        lengths = pc.cast(pc.binary_length(items), pa.string())
        marked = pc.binary_join_element_wise(
            lengths, items, ":", null_handling="replace", null_replacement="~"
        )
        sizes = pc.fill_null(pc.list_value_length(chunk), 0).to_numpy()
        offsets = pa.array(np.concatenate(([0], np.cumsum(sizes))), type=pa.int32())
        regrouped = pa.ListArray.from_arrays(offsets, marked)
        joined = pc.binary_join(regrouped, ",")
        chunks.append(pc.if_else(pc.is_null(chunk), pa.scalar(None, pa.string()), joined))
    return pa.chunked_array(chunks, type=pa.string())


def derived_event_ids(table: pa.Table) -> pa.Array:
    """Ids for events whose source gives none: a hash of all the row's content.

    Every value that is there goes in with its column's name and its length, so no two different rows read the
    same and a column that a later release adds leaves the ids of old rows as they are. SHA-256, cut to 128
    bits, because a short or unkeyed hash would let somebody craft a row that erases another's.

    Parameters
    ----------
    table
        Events in the native schema, all columns that the source has.
    """
    parts = []
    for name in _CONTENT_COLUMNS:
        if name not in table.column_names:
            continue
        column = table[name]
        if column.null_count == len(column):
            continue
        if pa.types.is_list(column.type):
            column = list_as_text(column)
        elif pa.types.is_floating(column.type):
            # The bits, not a decimal rendering, which could change with a library.
            bits = np.asarray(column.to_numpy(), dtype=np.float64).view(np.int64)
            text = pc.cast(pa.array(bits), pa.string())
            column = pc.if_else(pc.is_null(column), pa.scalar(None, pa.string()), text)
        else:
            column = pc.cast(column, pa.string())
        length = pc.cast(pc.binary_length(column), pa.string())
        # null where the value is null, so the join below leaves the piece out whole
        parts.append(pc.binary_join_element_wise(f"{name}=", length, column, ":"))
    if not parts:
        return pa.array([None] * table.num_rows, type=pa.string())
    content = pc.binary_join_element_wise(*parts, "\n", null_handling="skip")
    if table.num_rows <= _FEW_ROWS:
        hashed = [hashlib.sha256(value.encode()).hexdigest()[:32] for value in content.to_pylist()]
        return pa.array([DERIVED_PREFIX + value for value in hashed], type=pa.string())
    import duckdb

    connection = duckdb.connect(":memory:", config={"autoload_known_extensions": "false"})
    try:
        connection.register("rows", pa.table({"content": content}))
        query = f"SELECT '{DERIVED_PREFIX}' || left(sha256(content), 32) AS id FROM rows"
        result = connection.sql(query).to_arrow_table()["id"]
    finally:
        connection.close()
    return _one_array(result.cast(pa.string()))
