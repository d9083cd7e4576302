"""Events back out of the graph, in the event schema and in canonical order."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import islice
from typing import Any, Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from graphscan.errors import EXIT_INCOMPATIBLE, GraphscanError
from graphscan.events.model import EVENT_SCHEMA
from graphscan.graphdb import cypher
from graphscan.graphdb.client import Connection
from graphscan.graphdb.schema import EVENT_TYPES, EventType

CHUNK_ROWS: Final = 50_000
CANONICAL_ORDER: Final = ("timestamp_us", "event_id", "account_id", "action", "object_id")


def read_events(
    connection: Connection,
    since_us: int | None = None,
    until_us: int | None = None,
    *,
    on_progress: Callable[[str, int, int], None] | None = None,
) -> pa.Table:
    """All events of the graph, or those of a period.

    Loading events and reading them back gives the same table as reading them from their files. Relationships
    that others wrote count as events if they have the types, keys, ``event_id`` and ``at`` of the schema.

    Parameters
    ----------
    connection
        Where from.
    since_us, until_us
        Only events with ``since_us <= time < until_us``, microseconds UTC; None: no bound.
    on_progress
        Called as ``on_progress("events from Neo4j", rows_done, 0)``.

    Returns
    -------
    pa.Table
        EVENT_SCHEMA, sorted by (timestamp_us, event_id), each event id once.

    Raises
    ------
    GraphscanError
        Exit code 4: a relationship has an ``event_id``, but no time or a property of the wrong type.
    """
    parts: list[pa.Table] = []
    n_read = 0
    for event_type in EVENT_TYPES:
        for part in _of_type(connection, event_type, since_us, until_us):
            parts.append(part)
            n_read += part.num_rows
            if on_progress is not None:
                on_progress("events from Neo4j", n_read, 0)
    events = pa.concat_tables([EVENT_SCHEMA.empty_table(), *parts])
    return _canonical(events)


def _of_type(
    connection: Connection, event_type: EventType, since_us: int | None, until_us: int | None
) -> Iterator[pa.Table]:
    names, rows = connection.columns(cypher.events_between(event_type), since_us=since_us, until_us=until_us)
    while chunk := list(islice(rows, CHUNK_ROWS)):
        columns: dict[str, Any] = dict(zip(names, zip(*chunk, strict=True), strict=True))
        columns["action"] = [event_type.action] * len(chunk)
        arrays = [_array(columns[field.name], field, event_type) for field in EVENT_SCHEMA]
        yield pa.Table.from_arrays(arrays, schema=EVENT_SCHEMA)


def _array(values: Any, field: pa.Field, event_type: EventType) -> pa.Array:
    try:
        array = pa.array(values, type=field.type)
    except (pa.ArrowInvalid, pa.ArrowTypeError) as error:
        raise _unfit(event_type, field.name, str(error)) from error
    if array.null_count and not field.nullable:
        raise _unfit(event_type, "at" if field.name == "timestamp_us" else field.name, "a value is missing")
    return array


def _unfit(event_type: EventType, name: str, reason: str) -> GraphscanError:
    return GraphscanError(
        f"the graph holds an event that does not fit the schema: {reason}",
        where=f"relationship {event_type.relationship}, property {name}",
        mend="events need a text `event_id` and a date-time `at`; mend or remove the relationship",
        exit_code=EXIT_INCOMPATIBLE,
    )


def _canonical(events: pa.Table) -> pa.Table:
    events = events.sort_by([(name, "ascending") for name in CANONICAL_ORDER])
    if pc.count_distinct(events["event_id"]).as_py() == events.num_rows:
        return events.combine_chunks()
    # The constraint holds for each type alone: an id that stands in two types is one event, the one that
    # sorts first.
    ids = events["event_id"].combine_chunks()
    codes = pc.index_in(ids, pc.unique(ids)).to_numpy()
    keep = np.zeros(len(codes), dtype=bool)
    keep[np.unique(codes, return_index=True)[1]] = True
    return events.filter(pa.array(keep)).combine_chunks()
