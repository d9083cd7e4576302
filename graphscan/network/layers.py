"""Layers: what kind of act on what kind of object counts as acting together.

A layer turns the events table into (account, object, event, time) rows. The table of layers is data; each
can be switched off, given another window, or added to in the settings.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from graphscan.errors import EXIT_USAGE, GraphscanError
from graphscan.events.identity import Words
from graphscan.network.coaction import LayerEvents, participants, sorted_layer
from graphscan.settings import BirthKind, LayerSettings, ObjectKind, default_layers

if TYPE_CHECKING:
    from collections.abc import Sequence

IntArray = NDArray[np.int64]


@dataclass(frozen=True)
class LayerDefinition:
    """One row of the table of layers.

    Parameters
    ----------
    name
        As it appears in the outputs.
    actions
        The actions whose events take part.
    object_kind
        Which column, or what derived from it, is the object.
    window_s
        Default co-action window in seconds.
    birth
        How the birth of an object is known: ``content`` (the time it was posted, else the first act on it),
        ``session`` (the chat session's start), ``trigger`` (the target's join or first post), ``none`` (no
        valid synchrony null: the layer can support a cluster but never find one).
    is_conversation
        Acts answer each other, so people who talk are together in time without any agreement. Objects that
        a group's own member opened then have no valid null for that group.
    """

    name: str
    actions: tuple[str, ...]
    object_kind: ObjectKind
    window_s: float
    birth: BirthKind
    is_conversation: bool = False


def layer_table(layers: Mapping[str, LayerSettings]) -> dict[str, LayerDefinition]:
    """The table of layers of some settings, enabled ones only, by name."""
    return {
        name: LayerDefinition(
            name, layer.actions, layer.object_kind, layer.window_s, layer.birth, layer.is_conversation
        )
        for name, layer in sorted(layers.items())
        if layer.enabled
    }


LAYERS: Final[Mapping[str, LayerDefinition]] = layer_table(default_layers())


@dataclass(frozen=True)
class EncodedEvents:
    """The events table with accounts as codes that follow the byte order of the ids.

    Parameters
    ----------
    table
        Events in canonical order.
    account
        Account code of each event, shape ``(n_events,)``.
    account_ids
        Id of each code, sorted by UTF-8 bytes.
    time_us
        Microseconds UTC, shape ``(n_events,)``.
    resolution_us
        Time resolution of the source: shorter windows mean nothing.
    """

    table: pa.Table
    account: IntArray
    account_ids: pa.StringArray
    time_us: IntArray
    resolution_us: int = 1

    @property
    def n_accounts(self) -> int:
        """Number of distinct accounts."""
        return len(self.account_ids)


@dataclass(frozen=True)
class Layer:
    """A layer's events and the names of its objects."""

    definition: LayerDefinition
    events: LayerEvents
    object_ids: pa.Array
    rows_by_account: IntArray


def dictionary_codes(column: pa.ChunkedArray | pa.Array) -> tuple[IntArray, pa.Array]:
    """Codes (null = -1) and distinct values, in order of first occurrence."""
    if isinstance(column, pa.Array):
        column = pa.chunked_array([column])
    if not pa.types.is_dictionary(column.type):
        column = column.dictionary_encode()
    column = column.unify_dictionaries()
    if not column.num_chunks:
        return np.empty(0, np.int64), pa.array([], column.type.value_type)
    codes = [
        (chunk.indices if not chunk.null_count else pc.fill_null(chunk.indices, -1)).to_numpy()
        for chunk in column.chunks
    ]
    return np.concatenate(codes, dtype=np.int64, casting="same_kind"), column.chunk(0).dictionary


def encoded_events(table: pa.Table, *, resolution_us: int = 1) -> EncodedEvents:
    """Events with sorted account codes; ``table`` must be in canonical order."""
    codes, values = dictionary_codes(table["account_id"])
    order = pc.sort_indices(values).to_numpy()
    rank = np.empty(len(order), np.int64)
    rank[order] = np.arange(len(order))
    account = rank[codes] if len(codes) else codes
    time_us = table["timestamp_us"].to_numpy().astype(np.int64, copy=False)
    return EncodedEvents(table, account, values.take(pa.array(order)), time_us, resolution_us)


def layer_definitions(
    names: Iterable[str] | None = None, table: Mapping[str, LayerDefinition] = LAYERS
) -> list[LayerDefinition]:
    """Definitions of the named layers (all when None), sorted by name.

    Raises
    ------
    GraphscanError
        Exit code 2, for a name that is not in the table, with the nearest one.
    """
    chosen = sorted(table if names is None else set(names))
    for name in chosen:
        if name not in table:
            import difflib

            near = difflib.get_close_matches(name, table, n=1)
            hint = f"Did you mean {near[0]}? " if near else ""
            raise GraphscanError(
                f"Unknown layer {name!r}.", "", f"{hint}The layers are: {', '.join(table)}.", EXIT_USAGE
            )
    return [table[name] for name in chosen]


def layer_events(events: EncodedEvents, definition: LayerDefinition, *, min_participation: int = 1) -> Layer:
    """The (account, object, event, time) rows of one layer.

    An event without the layer's object takes no part, nor does one whose object is its own content.

    Parameters
    ----------
    events
        Encoded events in canonical order.
    definition
        The layer.
    min_participation
        Accounts with fewer rows in the layer are dropped before anything else.
    """
    rows = _OBJECTS[definition.object_kind](events, _rows_of_actions(events.table, definition.actions))
    account = events.account[rows.event]
    n_rows = np.bincount(account, minlength=events.n_accounts)
    layer = sorted_layer(
        account,
        rows.obj,
        rows.event,
        rows.time_us,
        events.n_accounts,
        max(len(rows.object_ids), 1),
        events_span_objects=definition.object_kind == "urls",
    )
    if definition.object_kind == "clock":
        layer = replace(layer, at_us=events.time_us[layer.event])
    if min_participation > 1:
        layer = participants(layer, n_rows, min_participation)
    return Layer(definition, layer, rows.object_ids, n_rows)


@dataclass(frozen=True)
class _ObjectRows:
    event: IntArray
    obj: IntArray
    time_us: IntArray
    object_ids: pa.Array


def _rows_of_actions(table: pa.Table, actions: Sequence[str]) -> IntArray:
    codes, values = dictionary_codes(table["action"])
    wanted = np.array([value in actions for value in values.to_pylist()], bool)
    return np.flatnonzero(wanted[codes]) if len(codes) else codes


def _taken(column: pa.ChunkedArray, event: IntArray) -> pa.ChunkedArray:
    """The column at ``event``; all of it costs nothing."""
    return column if len(event) == len(column) else column.take(pa.array(event))


def _coded(events: EncodedEvents, event: IntArray, column: pa.ChunkedArray | pa.Array) -> _ObjectRows:
    """Rows with the objects of ``column``, null left out."""
    obj, object_ids = dictionary_codes(column)
    if column.null_count or object_ids.null_count:
        present = obj >= 0
        event, obj = event[present], obj[present]
    return _ObjectRows(event, obj, events.time_us[event], object_ids)


def _acted_on(events: EncodedEvents, event: IntArray) -> _ObjectRows:
    rows = _coded(events, event, _taken(events.table["object_id"], event))
    if "event_id" not in events.table.column_names:
        return rows
    own = _same_text(rows.object_ids, rows.obj, _plain(_taken(events.table["event_id"], rows.event)))
    if not len(own):
        return rows
    other = np.ones(len(rows.event), bool)
    other[own] = False
    return _ObjectRows(rows.event[other], rows.obj[other], rows.time_us[other], rows.object_ids)


def _same_text(values: pa.Array, code: IntArray, texts: pa.ChunkedArray) -> IntArray:
    """Rows whose ``values[code]`` equals their text.

    Compared eight bytes at a time and only as far as the rows still agree, so that no value is spelled out.
    """
    if not len(code):
        return code
    left = Words(values.cast(pa.string()))
    same = []
    at = 0
    for chunk in texts.chunks:
        right = Words(chunk)
        mine = code[at : at + len(chunk)]
        n_bytes = left.n_bytes()[mine]
        rows = np.flatnonzero(n_bytes == right.n_bytes())
        position = 0
        while len(rows) and 8 * position < n_bytes[rows].max():
            rows = rows[left.word(position, mine[rows]) == right.word(position, rows)]
            position += 1
        same.append(rows + at)
        at += len(chunk)
    return np.concatenate(same)


def _plain(column: pa.ChunkedArray) -> pa.ChunkedArray:
    return column.cast(pa.string()) if pa.types.is_dictionary(column.type) else column


def _none() -> _ObjectRows:
    empty = np.empty(0, np.int64)
    return _ObjectRows(empty, empty, empty, pa.array([], pa.string()))


def _column(events: EncodedEvents, event: IntArray, name: str) -> pa.ChunkedArray | None:
    """A column at ``event``, or None when it is absent or empty there."""
    if name not in events.table.column_names:
        return None
    column = events.table[name].take(pa.array(event))
    return column if column.null_count < len(column) else None


def _urls(events: EncodedEvents, event: IntArray) -> _ObjectRows:
    from graphscan.network.urls import canonical_urls

    column = _column(events, event, "urls")
    if column is None:
        return _none()
    lists = column.combine_chunks()
    parent = pc.list_parent_indices(lists).to_numpy()
    rows = _coded(events, event[parent], canonical_urls(pc.list_flatten(lists)))
    # The same URL twice in one event is one object of that event.
    packed = np.unique(rows.event * max(len(rows.object_ids), 1) + rows.obj)
    row, obj = np.divmod(packed, max(len(rows.object_ids), 1))
    return _ObjectRows(row, obj, events.time_us[row], rows.object_ids)


def _hashtags(events: EncodedEvents, event: IntArray) -> _ObjectRows:
    from graphscan.network.tags import tag_list_objects

    column = _column(events, event, "hashtags")
    return _none() if column is None else _coded(events, event, tag_list_objects(column))


def _media(events: EncodedEvents, event: IntArray) -> _ObjectRows:
    column = _column(events, event, "media_hash")
    return _none() if column is None else _coded(events, event, column)


def _text(events: EncodedEvents, event: IntArray) -> _ObjectRows:
    from graphscan.network.text import near_duplicate_groups

    column = _column(events, event, "text")
    return _none() if column is None else _grouped(events, event, near_duplicate_groups(column), "text")


def _profile(events: EncodedEvents, event: IntArray) -> _ObjectRows:
    from graphscan.network.handles import bio_groups

    column = _column(events, event, "text")
    return _none() if column is None else _grouped(events, event, bio_groups(column), "bio")


def _grouped(events: EncodedEvents, event: IntArray, group: IntArray, prefix: str) -> _ObjectRows:
    """Rows whose object is a group of similar texts, named after the group's first event."""
    present = group >= 0
    event, group = event[present], group[present]
    _, first, obj = np.unique(group, return_index=True, return_inverse=True)
    if "event_id" in events.table.column_names:
        named = _plain(events.table["event_id"].take(pa.array(event[first]))).to_pylist()
    else:
        named = [str(row) for row in event[first]]
    object_ids = pa.array([f"{prefix}:{name}" for name in named], pa.string())
    return _ObjectRows(event, obj.astype(np.int64), events.time_us[event], object_ids)


def _clock(events: EncodedEvents, event: IntArray) -> _ObjectRows:
    from graphscan.network.clocks import clock_locks

    locks = clock_locks(events.account[event], events.time_us[event], events.n_accounts, events.resolution_us)
    object_ids = pa.array([f"clock:{period_s}s" for period_s in locks.periods_s], pa.string())
    return _ObjectRows(event[locks.row], locks.period, locks.phase_us, object_ids)


_OBJECTS: Final[Mapping[ObjectKind, Callable[[EncodedEvents, IntArray], _ObjectRows]]] = {
    "object_id": _acted_on,
    "urls": _urls,
    "hashtags": _hashtags,
    "text": _text,
    "media_hash": _media,
    "profile": _profile,
    "clock": _clock,
}
