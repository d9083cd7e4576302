"""Events cut into batches that always mean the same rows, and a batch as the rows of Cypher statements."""

from __future__ import annotations

import hashlib
import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from graphscan.events.model import EVENT_SCHEMA
from graphscan.graphdb.schema import (
    ACCOUNT,
    CHAT,
    CONTENT,
    EVENT_PROPERTIES,
    EVENT_TYPES,
    SCHEMA_VERSION,
    TYPE_OF_ACTION,
    EventType,
    NodeLabel,
)

BATCH_ROWS: Final = 10_000
# A transaction lives in the server's memory: long texts make shorter batches.
BATCH_BYTES: Final = 8_000_000
CAPTION_CHARACTERS: Final = 60
US_PER_S: Final = 1_000_000


@dataclass(frozen=True)
class EventBatch:
    """Events of one action, at most ``BATCH_ROWS`` of them.

    Attributes
    ----------
    batch_id
        Hash of the rows: the same id always means the same rows.
    event_type
        What the events become.
    events
        The rows, in EVENT_SCHEMA.
    """

    batch_id: str
    event_type: EventType
    events: pa.Table

    @property
    def owner(self) -> str:
        """The short mark that everything of the batch carries."""
        return self.batch_id[:12]


def ordered_for_loading(events: pa.Table) -> pa.Table:
    """The events by action, then by time and event id, each event id once.

    Of rows with one event id the one that sorts first by (time, account, action, object) stays. Within an
    action newer events come last, so that a file that has grown keeps all of its whole batches.
    """
    events = events.select(EVENT_SCHEMA.names).cast(EVENT_SCHEMA)
    if pc.count_distinct(events["event_id"]).as_py() < events.num_rows:
        events = events.sort_by(
            [
                (name, "ascending")
                for name in ("event_id", "timestamp_us", "account_id", "action", "object_id")
            ]
        )
        ids = events["event_id"].combine_chunks()
        first = np.ones(len(ids), dtype=bool)
        first[1:] = pc.not_equal(ids[1:], ids[:-1]).to_numpy(zero_copy_only=False)
        events = events.filter(pa.array(first))
    rank = pc.index_in(events["action"], pa.array([event.action for event in EVENT_TYPES]))
    return (
        events.append_column("rank", rank)
        .sort_by([("rank", "ascending"), ("timestamp_us", "ascending"), ("event_id", "ascending")])
        .drop_columns(["rank"])
    )


def event_batches(events: pa.Table) -> Iterator[EventBatch]:
    """Cut events in the order of :func:`ordered_for_loading` into batches.

    Parameters
    ----------
    events
        Rows in EVENT_SCHEMA, sorted.
    """
    actions = events["action"]
    start = 0
    for event_type in EVENT_TYPES:
        n_rows = pc.sum(pc.equal(actions, event_type.action)).as_py() or 0
        of_type = events.slice(start, n_rows)
        start += n_rows
        for rows in _slices(of_type):
            yield EventBatch(batch_id(rows), event_type, rows)


def _slices(events: pa.Table) -> Iterator[pa.Table]:
    at = 0
    while at < events.num_rows:
        rows = events.slice(at, BATCH_ROWS)
        n_bytes = pc.fill_null(pc.binary_length(rows["text"]), 0).to_numpy()
        within = int(np.searchsorted(np.cumsum(n_bytes, dtype=np.int64), BATCH_BYTES, side="right"))
        rows = rows.slice(0, max(1, within))
        yield rows
        at += rows.num_rows


def batch_id(events: pa.Table) -> str:
    """SHA-256 of the rows' content, in their order (32 hexadecimal digits).

    Neither the layout of the table in memory nor what lies under a missing value has a part in it.
    """
    digest = hashlib.sha256(f"graphscan events {SCHEMA_VERSION}".encode())
    for name in EVENT_SCHEMA.names:
        digest.update(b"\0" + name.encode())
        _update(digest, events[name].combine_chunks())
    return digest.hexdigest()[:32]


def _update(digest: Any, column: pa.Array) -> None:
    if isinstance(column, pa.ChunkedArray):
        column = pa.concat_arrays(column.chunks) if column.num_chunks else pa.array([], type=column.type)
    if pa.types.is_list(column.type):
        digest.update(pc.fill_null(pc.list_value_length(column), -1).to_numpy(zero_copy_only=False).tobytes())
        _update(digest, pc.list_flatten(column))
    elif pa.types.is_string(column.type):
        digest.update(pc.fill_null(pc.binary_length(column), -1).to_numpy(zero_copy_only=False).tobytes())
        filled = pc.fill_null(column, "")
        if len(filled):
            _, offsets, data = filled.buffers()
            ends = np.frombuffer(offsets, dtype=np.int32)[filled.offset : filled.offset + len(filled) + 1]
            if data is not None:
                digest.update(memoryview(data)[int(ends[0]) : int(ends[-1])])
    else:
        digest.update(pc.is_valid(column).to_numpy(zero_copy_only=False).tobytes())
        zero = pa.scalar(0).cast(column.type)
        digest.update(pc.fill_null(column, zero).to_numpy(zero_copy_only=False).tobytes())


@dataclass(frozen=True)
class EventRows:
    """A batch as the parameters of its statements.

    Attributes
    ----------
    properties
        The event columns that have a value somewhere in the batch.
    rows
        ``[account, object, seconds, microseconds, *properties]`` for each event.
    replies
        ``[content, parent]`` for each event that answers something.
    """

    properties: tuple[str, ...]
    rows: list[list[Any]]
    replies: list[list[str]]


def event_rows(event_type: EventType, events: pa.Table) -> EventRows:
    """The events of one type as Cypher parameters."""
    properties = tuple(name for name in EVENT_PROPERTIES if events[name].null_count < events.num_rows)
    time_us = events["timestamp_us"].to_numpy()
    seconds, microseconds = np.divmod(time_us, US_PER_S)
    columns = [
        events["account_id"].to_pylist(),
        events["object_id"].to_pylist(),
        seconds.tolist(),
        microseconds.tolist(),
        *(events[name].to_pylist() for name in properties),
    ]
    return EventRows(
        properties, [list(row) for row in zip(*columns, strict=True)], replies(event_type, events)
    )


def replies(event_type: EventType, events: pa.Table) -> list[list[str]]:
    """``[content, parent]`` of the events that answer something other than themselves."""
    if not event_type.makes_content or events["parent_id"].null_count == events.num_rows:
        return []
    answers = pc.fill_null(pc.not_equal(events["parent_id"], events["event_id"]), False)
    chosen = events.filter(answers)
    pairs = zip(chosen["event_id"].to_pylist(), chosen["parent_id"].to_pylist(), strict=True)
    return [list(pair) for pair in pairs]


@dataclass(frozen=True)
class NodeRows:
    """The nodes of one label that events need: ``[id, caption or None]``, sorted by id, each id once."""

    label: NodeLabel
    rows: list[list[str | None]]


def nodes_of(events: pa.Table) -> list[NodeRows]:
    """Every account, content and chat that the events name, in any order of the events."""
    ids: dict[NodeLabel, list[pa.Array]] = {ACCOUNT: [_unique(events["account_id"])], CONTENT: [], CHAT: []}
    made: list[pa.Table] = []
    for action in pc.unique(events["action"]).to_pylist():
        event_type = TYPE_OF_ACTION[action]
        of_type = events.filter(pc.equal(events["action"], action))
        ids[event_type.target].append(_unique(of_type["object_id"]))
        if event_type.makes_content:
            made.append(of_type.select(["event_id", "text"]))
            answers = of_type.filter(
                pc.fill_null(pc.not_equal(of_type["parent_id"], of_type["event_id"]), False)
            )
            ids[CONTENT] += [_unique(answers["event_id"]), _unique(answers["parent_id"])]
    found: list[NodeRows] = []
    for label, parts in ids.items():
        unique = _unique(pa.chunked_array(parts, type=pa.string()))
        names = unique.take(pc.array_sort_indices(unique))
        captions = _captions(names, made) if label is CONTENT else {}
        found.append(NodeRows(label, [[name, captions.get(name)] for name in names.to_pylist()]))
    return found


def _unique(column: pa.ChunkedArray) -> pa.Array:
    return pc.unique(column) if len(column) else pa.array([], type=pa.string())


def _captions(content_ids: pa.Array, made: list[pa.Table]) -> dict[str, str]:
    if not made:
        return {}
    table = pa.concat_tables(made)
    chosen = table.filter(pc.and_(pc.is_in(table["event_id"], content_ids), pc.is_valid(table["text"])))
    # Four code points for each shown one are enough for white space that is folded.
    heads = pc.utf8_slice_codeunits(chosen["text"], 0, 4 * CAPTION_CHARACTERS)
    captions: dict[str, str] = {}
    for event_id, head in zip(chosen["event_id"].to_pylist(), heads.to_pylist(), strict=True):
        if shown := caption(head):
            captions[event_id] = shown
    return captions


def caption(text: str) -> str:
    """The beginning of a text on one line, without control characters and direction overrides.

    >>> caption("two\\nlines")
    'two lines'
    """
    line = " ".join(text.split())
    if not line.isascii() or not line.isprintable():
        line = "".join(char for char in line if unicodedata.category(char) not in ("Cc", "Cf", "Cs"))
    return line if len(line) <= CAPTION_CHARACTERS else line[: CAPTION_CHARACTERS - 1] + "…"
