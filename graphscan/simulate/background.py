"""A real or simulated background, made ready for planting: objects, their births, delays and sizes."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from graphscan.errors import EXIT_INPUT, GraphscanError
from graphscan.simulate.world import canonical_events, conform_events

SESSION_GAP_US: Final = 30 * 60 * 1_000_000
SIZE_CLASSES: Final = (2, 4, 8, 16)
"""Lower bounds of the size classes after the first: 1, 2-3, 4-7, 8-15, 16 and more accounts."""

_CONTENT_ACTIONS: Final = ("repost", "comment", "like", "post", "other")
_CHAT_ACTIONS: Final = ("chat_message", "chat_join")

Int64 = NDArray[np.int64]


@dataclass(frozen=True)
class Layer:
    """The units of one action that a campaign can act on.

    A unit is an object with its birth, or, in chats, a session: a stretch of one chat without a silence of
    30 minutes. Rows are ordered by unit and time.

    Attributes
    ----------
    rows
        Row numbers in the background, shape (n_rows,).
    times_us, account
        Time and account code of each row, shape (n_rows,).
    unit
        Unit of each row, shape (n_rows,).
    start
        First row of each unit, with one more at the end, shape (n_units + 1,).
    object_code
        Object of each unit, shape (n_units,), as a place in ``names``.
    names
        Ids of the objects.
    birth_us, end_us
        Birth and last act of each unit, shape (n_units,).
    size
        Distinct accounts on each unit, shape (n_units,).
    birth_known
        Whether the birth is the object's own post (or a session's start), not merely the first act.
    is_chat
        Whether units are sessions.
    """

    rows: Int64
    times_us: Int64
    account: Int64
    unit: Int64
    start: Int64
    object_code: Int64
    names: pa.Array
    birth_us: Int64
    end_us: Int64
    size: Int64
    birth_known: NDArray[np.bool_]
    is_chat: bool

    @cached_property
    def size_class(self) -> Int64:
        """Size class of each unit, 0 to 4."""
        return np.searchsorted(SIZE_CLASSES, self.size, side="right")

    @cached_property
    def by_birth(self) -> Int64:
        """Units in the order of their births; those of unknown birth left out if enough are known."""
        order: Int64 = np.argsort(self.birth_us, kind="stable")
        return order[self.birth_known[order]] if self.birth_known.mean() > 0.2 else order

    @cached_property
    def rows_by_birth(self) -> tuple[Int64, Int64]:
        """Places of the layer's rows in the order of their units' births, and these births."""
        born = self.birth_us[self.unit]
        order: Int64 = np.argsort(born, kind="stable")
        return order, born[order]

    @cached_property
    def delays_by_class(self) -> tuple[Int64, Int64, Int64]:
        """Rows after their unit's birth, by size class: their units, delays, and where each class begins."""
        delay = self.times_us - self.birth_us[self.unit]
        later = np.flatnonzero(delay > 0)
        classes = self.size_class[self.unit[later]]
        later = later[np.argsort(classes, kind="stable")]
        counts = np.bincount(classes, minlength=len(SIZE_CLASSES) + 1)
        return self.unit[later], delay[later], np.concatenate([[0], np.cumsum(counts)])

    def last_rows(self, units: Int64, times_us: Int64) -> Int64:
        """The last background row on each unit at or before each time, else the unit's first row."""
        keys, moments = self._row_keys
        wanted = units * (len(moments) + 1) + np.searchsorted(moments, times_us, side="right")
        place = np.searchsorted(keys, wanted, side="right") - 1
        found: Int64 = self.rows[np.maximum(place, self.start[units])]
        return found

    @cached_property
    def _row_keys(self) -> tuple[Int64, Int64]:
        # Ranks of times instead of times: a unit and a rank fit one 64-bit key however long the span.
        moments = np.sort(self.times_us)
        rank = np.searchsorted(moments, self.times_us, side="right")
        return self.unit * (len(moments) + 1) + rank, moments


class Background:
    """Events that are not ours to change, with codes and layers that planting needs.

    Prepare it once to plant into it with many seeds.

    Parameters
    ----------
    events
        Events in ``EVENT_SCHEMA``; extra columns are dropped, missing optional ones are null.
    """

    def __init__(self, events: pa.Table) -> None:
        if not events.num_rows:
            raise GraphscanError(
                "the background has no events", "", "give a file with events", exit_code=EXIT_INPUT
            )
        self.events: pa.Table = canonical_events(conform_events(events))
        self.times_us: Int64 = self.events.column("timestamp_us").to_numpy()
        self.account, self.account_ids = _codes(self.events.column("account_id"))
        self.object, self.object_ids = _codes(self.events.column("object_id"))
        self.action, action_ids = _codes(self.events.column("action"))
        self.actions: list[str] = action_ids.to_pylist()
        self.first_us = int(self.times_us[0])
        self.last_us = int(self.times_us[-1])
        self.resolution_us = _resolution_us(self.times_us)
        self._layers: dict[str, Layer] = {}
        self._rows: dict[str, Int64] = {}

    def on_clock(self, times_us: Int64) -> Int64:
        """Times cut to the resolution of the background's own, so that fractions give nothing away."""
        return times_us // self.resolution_us * self.resolution_us

    def rows_of(self, *actions: str) -> Int64:
        """Row numbers of the events with one of these actions, in time order."""
        key = "+".join(sorted(actions))
        if key not in self._rows:
            wanted = [i for i, name in enumerate(self.actions) if name in actions]
            self._rows[key] = np.flatnonzero(np.isin(self.action, wanted))
        return self._rows[key]

    def main_action(self) -> str:
        """The action of most events among those that people can coordinate on."""
        counts = {
            name: int((self.action == i).sum())
            for i, name in enumerate(self.actions)
            if name in ("repost", "comment", "like", "chat_message", "follow", "message", "chat_join")
        }
        return max(sorted(counts), key=lambda name: counts[name]) if counts else "repost"

    def layer(self, action: str) -> Layer:
        """The units that ``action`` can be planted on.

        Where the background has no such action, the objects of its content (or chat) events serve.

        Raises
        ------
        GraphscanError
            Exit 3 if the background has nothing that this action could act on.
        """
        if action not in self._layers:
            rows = self.rows_of(action)
            if len(rows) < 10:
                rows = self.rows_of(*(_CHAT_ACTIONS if action in _CHAT_ACTIONS else _CONTENT_ACTIONS))
            if not len(rows):
                raise GraphscanError(
                    f"the background has nothing that {action!r} could act on",
                    f"actions found: {', '.join(sorted(self.actions))}",
                    "plant an action that the background has, or take another background",
                    EXIT_INPUT,
                )
            self._layers[action] = self._built(rows, action in _CHAT_ACTIONS)
        return self._layers[action]

    @cached_property
    def author(self) -> Int64:
        """Account that first posted each object, -1 where no post is among the events."""
        posts = self.rows_of("post")[::-1]
        out = np.full(len(self.object_ids), -1, dtype=np.int64)
        out[self.object[posts]] = self.account[posts]
        return out

    def account_layer(self) -> Layer:
        """Accounts as objects (for messages and follows): birth is an account's first event."""
        if "*account" not in self._layers:
            order = np.lexsort((self.times_us, self.account))
            sorted_account = self.account[order]
            start = np.concatenate([[0], np.flatnonzero(np.diff(sorted_account)) + 1, [len(order)]])
            n = len(start) - 1
            self._layers["*account"] = Layer(
                rows=order,
                times_us=self.times_us[order],
                account=sorted_account,
                unit=np.repeat(np.arange(n), np.diff(start)),
                start=start,
                object_code=np.arange(n),
                names=self.account_ids,
                birth_us=self.times_us[order[start[:-1]]],
                end_us=self.times_us[order[start[1:] - 1]],
                size=np.ones(n, dtype=np.int64),
                birth_known=np.ones(n, dtype=bool),
                is_chat=False,
            )
        return self._layers["*account"]

    def _built(self, rows: Int64, is_chat: bool) -> Layer:
        times, objects = self.times_us[rows], self.object[rows]
        order = np.lexsort((times, objects))
        rows, times, objects = rows[order], times[order], objects[order]
        new = np.ones(len(rows), dtype=bool)
        new[1:] = objects[1:] != objects[:-1]
        if is_chat:
            new[1:] |= np.diff(times) > SESSION_GAP_US
        unit = np.cumsum(new) - 1
        first = np.flatnonzero(new)
        start = np.concatenate([first, [len(rows)]])
        birth = times[first].copy()
        object_code = objects[first]
        known = np.full(len(first), is_chat)
        if not is_chat:
            posts = self.rows_of("post")
            at = np.full(len(self.object_ids), np.iinfo(np.int64).max)
            np.minimum.at(at, self.object[posts], self.times_us[posts])
            # An event makes content of its own, under its event id, that others may act on.
            made = pc.index_in(self.events.column("event_id"), value_set=self.object_ids)
            made = pc.fill_null(made, -1).to_numpy()
            np.minimum.at(at, made[made >= 0], self.times_us[made >= 0])
            posted = at[object_code]
            known = posted <= birth
            birth = np.where(known, posted, birth)
        pairs = np.unique(unit * np.int64(len(self.account_ids)) + self.account[rows])
        size = np.bincount(pairs // len(self.account_ids), minlength=len(first))
        return Layer(
            rows=rows,
            times_us=times,
            account=self.account[rows],
            unit=unit,
            start=start,
            object_code=object_code,
            names=self.object_ids,
            birth_us=birth,
            end_us=times[start[1:] - 1],
            size=size,
            birth_known=known,
            is_chat=is_chat,
        )


def _codes(column: pa.ChunkedArray) -> tuple[Int64, pa.Array]:
    encoded = pc.dictionary_encode(column.combine_chunks())
    if isinstance(encoded, pa.ChunkedArray):
        encoded = encoded.combine_chunks()
    return encoded.indices.to_numpy(zero_copy_only=False).astype(np.int64), encoded.dictionary


def _resolution_us(times_us: Int64) -> int:
    return next(unit for unit in (60_000_000, 1_000_000, 1_000, 1) if not (times_us % unit).any())
