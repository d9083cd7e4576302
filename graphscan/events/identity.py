"""Who an event is: ids and their hashes, the canonical order, and which of several rows of one id stays."""

from __future__ import annotations

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
# Which of two rows of one id is kept: the one that sorts first by these, then by all other columns as listed.
SORT_COLUMNS: Final = (
    "timestamp_us",
    "account_id",
    "action",
    "object_id",
    *(c for c in _CONTENT_COLUMNS if c not in {"timestamp_us", "account_id", "action", "object_id"}),
)


def _bytes_and_offsets(texts: pa.Array) -> tuple[NDArray[np.uint8], NDArray[np.int64]]:
    """The bytes of a text array, and where each value begins (one more for the end)."""
    wide = pa.types.is_large_string(texts.type)
    _, offsets_buffer, data = texts.buffers()
    stored = np.frombuffer(offsets_buffer, dtype=np.int64 if wide else np.int32)
    offsets = stored[texts.offset : texts.offset + len(texts) + 1].astype(np.int64)
    bytes_ = np.frombuffer(data, dtype=np.uint8) if data is not None else np.zeros(0, dtype=np.uint8)
    return bytes_, offsets


def _one_array(column: pa.ChunkedArray | pa.Array) -> pa.Array:
    """The column as one text array with 64-bit offsets where 32 would not do."""
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

    def __init__(self, texts: pa.ChunkedArray | pa.Array) -> None:
        array = _one_array(texts)
        data, offsets = _bytes_and_offsets(array)
        self._starts = offsets[:-1]
        self.n_bytes: NDArray[np.int64] = np.diff(offsets)
        # Eight zero bytes behind the last text let every word be loaded whole.
        end = int(offsets[-1]) if offsets.size else 0
        padded = np.zeros(end + 8, dtype=np.uint8)
        padded[:end] = data[:end]
        self._loads = np.ndarray(shape=(end + 1,), dtype=">u8", buffer=padded.data, strides=(1,))
        self.n_words = int((self.n_bytes.max(initial=0) + 7) // 8)

    def word(self, position: int, rows: NDArray[np.int64] | None = None) -> NDArray[np.uint64]:
        """Word ``position`` of the given rows (of all rows by default)."""
        starts = self._starts if rows is None else self._starts[rows]
        left = (self.n_bytes if rows is None else self.n_bytes[rows]) - 8 * position
        at = np.minimum(starts + 8 * position, self._loads.size - 1)
        words = self._loads[at].astype(np.uint64)
        short = left < 8
        if short.any():
            keep = np.clip(left, 0, 8).astype(np.uint64)
            drop = (np.uint64(8) - keep) * np.uint64(8)
            # A shift by 64 is not defined, so texts that ended before this word are blanked apart.
            words = (words >> np.minimum(drop, np.uint64(63))) << np.minimum(drop, np.uint64(63))
            words[left <= 0] = 0
        return words


def text_hashes(texts: pa.ChunkedArray | pa.Array) -> NDArray[np.uint64]:
    """A 64-bit hash of each text, the same on every machine.

    It only groups candidates; whoever uses it compares the texts themselves before believing in equality.
    """
    words = Words(texts)
    hashes = mix64(words.n_bytes.astype(np.uint64))
    rows: NDArray[np.int64] | None = None
    for position in range(words.n_words):
        if rows is None:
            longer = words.n_bytes > 8 * position
            if not longer.all():
                rows = np.flatnonzero(longer)
        else:
            rows = rows[words.n_bytes[rows] > 8 * position]
        if rows is None:
            hashes = mix64(hashes ^ words.word(position))
        else:
            hashes[rows] = mix64(hashes[rows] ^ words.word(position, rows))
    return hashes


def canonical_order(
    times_us: NDArray[np.int64], event_ids: pa.ChunkedArray | pa.Array
) -> NDArray[np.int64] | None:
    """The order by (time, UTF-8 bytes of the event id), or None if the rows are in it already.

    Parameters
    ----------
    times_us
        Times in microseconds, shape (n,).
    event_ids
        Event ids without nulls, length n.
    """
    n_rows = times_us.size
    if n_rows < 2:
        return None
    steps = np.diff(times_us)
    order: NDArray[np.int64] | None = None
    if (steps < 0).any():
        order = np.argsort(times_us, kind="stable")
        sorted_times = times_us[order]
        steps = np.diff(sorted_times)
    tied = steps == 0
    if not tied.any():
        return order
    in_tie = np.zeros(n_rows, dtype=bool)
    in_tie[1:] |= tied
    in_tie[:-1] |= tied
    places = np.flatnonzero(in_tie)
    group = np.cumsum(np.concatenate(([True], ~tied)))[places]
    rows = places if order is None else order[places]
    ranked = _sorted_within(group, rows, Words(event_ids))
    if order is None:
        if np.array_equal(ranked, rows):
            return None
        order = np.arange(n_rows, dtype=np.int64)
    order[places] = ranked
    return order


def _sorted_within(group: NDArray[np.int64], rows: NDArray[np.int64], words: Words) -> NDArray[np.int64]:
    """Rows sorted by their text inside each group; groups ascend and keep their places."""
    rows = rows.copy()
    todo = np.arange(rows.size)
    for position in range(words.n_words):
        keys = words.word(position, rows[todo])
        groups = group[todo]
        if not ((np.diff(groups) > 0) | (keys[1:] >= keys[:-1])).all():
            by_key = np.lexsort((keys, groups))
            rows[todo] = rows[todo][by_key]
            keys = keys[by_key]
        # What is still equal goes on to the next word, in groups of equal words.
        same = (np.diff(groups) == 0) & (np.diff(keys) == 0)
        if not same.any():
            break
        open_ = np.zeros(todo.size, dtype=bool)
        open_[1:] |= same
        open_[:-1] |= same
        finer = np.cumsum(np.concatenate(([True], ~same)))
        group = group.copy()
        group[todo] = finer
        todo = todo[open_]
    return rows


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
    import duckdb

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
    connection = duckdb.connect(":memory:", config={"autoload_known_extensions": "false"})
    try:
        connection.register("rows", pa.table({"content": content}))
        hashed = connection.sql(f"SELECT '{DERIVED_PREFIX}' || left(sha256(content), 32) AS id FROM rows")
        result = hashed.to_arrow_table()["id"]
    finally:
        connection.close()
    return _one_array(result.cast(pa.string()))
