"""Who acted on what, and how long after it came into being: the table that clusters are tested on.

A delay is the time of an account's first act on an object less the object's birth. The synchrony null keeps
every account's own delays and every object's birth, and breaks only what they have in common, so a layer
whose objects have no birth has no valid null.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from graphscan.network.coaction import LayerEvents
from graphscan.network.layers import EncodedEvents, Layer, dictionary_codes

if TYPE_CHECKING:
    import pyarrow as pa

IntArray = NDArray[np.int64]


@dataclass(frozen=True)
class Incidence:
    """First act of each account on each object of a layer, sorted by (object, time, account).

    Parameters
    ----------
    account, obj, event
        Codes, shape ``(n,)``; ``event`` is the row in the events table.
    time_us, delay_us
        Time of the act, and time since the birth of the object, in microseconds.
    n_accounts, n_objects
        Sizes of the code spaces.
    n_active
        Accounts that share at least one object with somebody: the A of the weights. Strangers do not count,
        so adding them changes nothing.
    object_ids
        Name of each object code.
    opener
        Account that opened each object, shape ``(n_objects,)``: who posted the content, or was the first to
        speak in the session; -1 where unknown.
    span_us
        Time from each object's birth to the last act on it, shape ``(n_objects,)``.
    """

    account: IntArray
    obj: IntArray
    event: IntArray
    time_us: IntArray
    delay_us: IntArray
    n_accounts: int
    n_objects: int
    n_active: int
    object_ids: pa.Array
    opener: IntArray
    span_us: IntArray

    def __len__(self) -> int:
        return len(self.account)

    def take(self, rows: NDArray[np.bool_] | IntArray) -> Incidence:
        """Only ``rows``; the code spaces and ``n_active`` stay."""
        return Incidence(
            self.account[rows],
            self.obj[rows],
            self.event[rows],
            self.time_us[rows],
            self.delay_us[rows],
            self.n_accounts,
            self.n_objects,
            self.n_active,
            self.object_ids,
            self.opener,
            self.span_us,
        )

    @cached_property
    def accounts_on_object(self) -> IntArray:
        """Number of accounts on each object, shape ``(n_objects,)``."""
        return np.bincount(self.obj, minlength=self.n_objects)

    @cached_property
    def _by_account(self) -> tuple[IntArray, IntArray]:
        order = np.argsort(self.account, kind="stable")
        bounds = np.searchsorted(self.account[order], np.arange(self.n_accounts + 1))
        return order, bounds

    def rows_of(self, accounts: IntArray) -> IntArray:
        """Row numbers of the given accounts, ascending."""
        order, bounds = self._by_account
        start, end = bounds[accounts], bounds[accounts + 1]
        n = end - start
        within = np.arange(int(n.sum())) - np.repeat(np.cumsum(n) - n, n)
        result: IntArray = np.sort(order[np.repeat(start, n) + within])
        return result


def layer_incidence(
    layer: Layer, events: EncodedEvents, *, session_gap_s: float = 1_200, min_objects: int = 2
) -> Incidence:
    """The incidence of a layer, with births as the layer's definition says.

    Parameters
    ----------
    layer
        Sorted layer events.
    events
        The events it came from (births are found there).
    session_gap_s
        A silence of this length ends a chat session. Sessions are the objects of a chat layer; the objects of
        a layer of comments are what the comments answer.
    min_objects
        Accounts with fewer distinct objects take no part: one shared object is a perfect overlap.
    """
    rows, object_ids = layer.events, layer.object_ids
    if layer.definition.birth == "session":
        sessions, chat = _sessions(rows.obj, rows.time_us, session_gap_s)
        rows, object_ids = replace(rows, obj=sessions, n_objects=len(chat)), object_ids.take(_arrow(chat))
    elif layer.definition.is_conversation:
        rows, object_ids = _answered(rows, events, object_ids)
    birth, opener = _births(layer.definition.birth, rows, object_ids, events)
    obj, n_objects = rows.obj, rows.n_objects
    last = np.zeros(n_objects, np.int64)
    np.maximum.at(last, obj, rows.time_us)
    keep = _first_acts(rows.account, obj)
    account, obj, event, time_us = rows.account[keep], obj[keep], rows.event[keep], rows.time_us[keep]
    delay_us = time_us - birth[obj] if len(obj) else time_us
    keep = delay_us >= 0
    while True:  # dropping an account can leave an object with one account, and the other way round
        n_of_account = np.bincount(account[keep], minlength=rows.n_accounts)
        n_of_object = np.bincount(obj[keep], minlength=n_objects)
        still = keep & (n_of_account[account] >= min_objects) & (n_of_object[obj] >= 2)
        if still.sum() == keep.sum():
            break
        keep = still
    n_active = int((np.bincount(account[keep], minlength=rows.n_accounts) > 0).sum())
    return Incidence(
        account[keep],
        obj[keep],
        event[keep],
        time_us[keep],
        delay_us[keep],
        rows.n_accounts,
        n_objects,
        n_active,
        object_ids,
        opener,
        np.maximum(last - birth, 0),
    )


def _arrow(values: IntArray) -> pa.Array:
    import pyarrow as pa

    return pa.array(values)


def _first_acts(account: IntArray, obj: IntArray) -> NDArray[np.bool_]:
    """True for the first row of each (account, object); rows are sorted by (object, time)."""
    order = np.lexsort((np.arange(len(obj)), account, obj))
    first = np.ones(len(obj), bool)
    first[1:] = (obj[order][1:] != obj[order][:-1]) | (account[order][1:] != account[order][:-1])
    result = np.zeros(len(obj), bool)
    result[order[first]] = True
    return result


def _sessions(chat: IntArray, time_us: IntArray, gap_s: float) -> tuple[IntArray, IntArray]:
    """Session of each row, and the chat of each session; rows are sorted by (chat, time)."""
    new = np.ones(len(chat), bool)
    new[1:] = (chat[1:] != chat[:-1]) | (np.diff(time_us) > gap_s * 1e6)
    return np.cumsum(new) - 1, chat[new]


def _answered(rows: LayerEvents, events: EncodedEvents, object_ids: pa.Array) -> tuple[LayerEvents, pa.Array]:
    """The rows with what each event answers as its object, where that is known.

    In a thread people answer each other. A reply comes soon after the comment that it answers, so its delay
    is counted from there; counted from the post above it, every conversation would look like an appointment.
    """
    import pyarrow.compute as pc

    if "parent_id" not in events.table.column_names or not len(rows):
        return rows, object_ids
    parent = events.table["parent_id"].take(_arrow(rows.event))
    answered = pc.coalesce(parent.cast(parent.type), object_ids.take(_arrow(rows.obj)))
    obj, names = dictionary_codes(answered)
    order = np.lexsort((rows.event, rows.account, rows.time_us, obj))
    return replace(rows.take(order), obj=obj[order], n_objects=len(names)), names


def _births(
    kind: str, rows: LayerEvents, object_ids: pa.Array, events: EncodedEvents
) -> tuple[IntArray, IntArray]:
    """Birth and opener of each object: when and by whom it was posted, else the first act on it, by nobody.

    The birth of a target account is its own first act; the birth of a chat session is its first message.
    """
    never = np.iinfo(np.int64).max
    first_act = np.full(rows.n_objects, never)
    np.minimum.at(first_act, rows.obj, rows.time_us)
    nobody = np.full(rows.n_objects, -1, np.int64)
    if kind == "none" or not len(rows):
        return first_act, nobody
    if kind == "session":
        return first_act, rows.account[np.searchsorted(rows.obj, np.arange(rows.n_objects))]
    if kind == "trigger":
        # Greeters write to newcomers within minutes of a join, each for themselves. Where the join is not in
        # the data that looks like a common order, so such targets are left out: no birth, no delay.
        known = _first_appearance(object_ids, events, rows.n_objects)
        return np.where(known <= first_act, known, never), nobody
    posted, opener = _posted(object_ids, events, rows.n_objects)
    # A post later than the first act on it is a fault of the source: the first act wins.
    return np.minimum(first_act, posted), np.where(posted <= first_act, opener, -1)


def _posted(object_ids: pa.Array, events: EncodedEvents, n_objects: int) -> tuple[IntArray, IntArray]:
    """Time and account of the event that made each object: a post of it, or the event whose id it is."""
    import pyarrow as pa
    import pyarrow.compute as pc

    posted = np.full(n_objects, np.iinfo(np.int64).max)
    opener = np.full(n_objects, -1, np.int64)
    actions, names = dictionary_codes(events.table["action"])
    posts = np.flatnonzero(np.isin(actions, [i for i, v in enumerate(names.to_pylist()) if v == "post"]))
    for column, made in (("object_id", posts), ("event_id", np.arange(len(events.time_us)))):
        if column not in events.table.column_names:
            continue
        values = events.table[column].take(pa.array(made))
        if pa.types.is_dictionary(values.type):
            values = values.cast(pa.string())
        code = pc.fill_null(pc.index_in(values, value_set=object_ids), -1).to_numpy()
        made, code = made[code >= 0], code[code >= 0]
        # Events are in canonical order, so the first row of each object is its earliest.
        objs, first = np.unique(code, return_index=True)
        earlier = events.time_us[made[first]] < posted[objs]
        posted[objs[earlier]] = events.time_us[made[first[earlier]]]
        opener[objs[earlier]] = events.account[made[first[earlier]]]
    return posted, opener


def _first_appearance(object_ids: pa.Array, events: EncodedEvents, n_objects: int) -> IntArray:
    """When each target account first acted itself."""
    import pyarrow.compute as pc

    first = np.full(events.n_accounts, np.iinfo(np.int64).max)
    np.minimum.at(first, events.account, events.time_us)
    code = pc.fill_null(pc.index_in(object_ids, value_set=events.account_ids), -1).to_numpy()
    born = np.full(n_objects, np.iinfo(np.int64).max)
    born[: len(code)][code >= 0] = first[code[code >= 0]]
    return born
