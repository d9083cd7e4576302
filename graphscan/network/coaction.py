"""Co-action pairs and the edges they make.

Two events of a layer are a *pair* when they are by different accounts, on the same object, and at most
``window`` apart: sliding, inclusive at both ends, exact in microseconds. Everything an edge carries comes
from the same enumeration of pairs.

The counting core sits behind one seam, so that another engine can run it on data that no one machine
holds: `partial_edges` takes the events of a partition of *objects* (all events of an object are in one
partition) and gives additive partial edges; `merged_edges` puts any number of partials together.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from graphscan.entropy import mix64

IntArray = NDArray[np.int64]

_CHUNK_PAIRS = 6_000_000  # pairs enumerated at a time: bounds the working memory, about 0.4 GB
_FILTER_BITS = 25  # one byte a bucket: two tables of 32 MiB
_DAY_US = 86_400_000_000


@dataclass(frozen=True)
class LayerEvents:
    """The events of one layer as integer arrays, sorted by (object, time, event).

    Parameters
    ----------
    account, obj, event
        Codes, shape ``(n,)``, int64. Account codes follow the byte order of the ids. ``event`` is the row
        in the events table; one event may stand on several objects (two URLs in one post).
    time_us
        Microseconds UTC, shape ``(n,)``.
    n_accounts, n_objects
        Sizes of the code spaces.
    events_span_objects
        Whether one event may stand on more than one object. If not, per-edge event counts simply add up
        over partitions.
    """

    account: IntArray
    obj: IntArray
    event: IntArray
    time_us: IntArray
    n_accounts: int
    n_objects: int
    events_span_objects: bool = False

    def __len__(self) -> int:
        return len(self.account)

    def take(self, rows: IntArray | NDArray[np.bool_]) -> LayerEvents:
        """The same layer with only ``rows``, in the order given."""
        return LayerEvents(
            self.account[rows],
            self.obj[rows],
            self.event[rows],
            self.time_us[rows],
            self.n_accounts,
            self.n_objects,
            self.events_span_objects,
        )


@dataclass(frozen=True)
class CappedObject:
    """An object with more pairs than the cap, of whose rows only some were used."""

    obj: int
    n_rows: int
    n_kept: int


@dataclass(frozen=True)
class PartialEdges:
    """Additive edges of one partition of objects, sorted by key ``a * n_accounts + b`` with a < b.

    ``lags_us`` holds the lag of every pair, edge after edge (``n_pairs`` of them each). ``events_a`` and
    ``events_b`` hold the distinct events of each side, edge after edge (``n_a`` and ``n_b``); they are only
    filled when events span objects, because then the counts of two partitions may overlap.
    """

    key: IntArray
    n_pairs: IntArray
    n_objects: IntArray
    n_a: IntArray
    n_b: IntArray
    a_leads_twice: IntArray
    first_us: IntArray
    last_us: IntArray
    lags_us: IntArray
    events_a: IntArray = field(default_factory=lambda: np.empty(0, np.int64))
    events_b: IntArray = field(default_factory=lambda: np.empty(0, np.int64))

    def __len__(self) -> int:
        return len(self.key)


@dataclass(frozen=True)
class Edges:
    """Edges of one layer and window, one row an unordered pair of accounts, sorted by (a, b)."""

    a: IntArray
    b: IntArray
    n_pairs: IntArray
    n_objects: IntArray
    n_a: IntArray
    n_b: IntArray
    median_lag_us: NDArray[np.float64]
    a_leads_share: NDArray[np.float64]
    first_us: IntArray
    last_us: IntArray

    def __len__(self) -> int:
        return len(self.a)

    def take(self, rows: IntArray | NDArray[np.bool_]) -> Edges:
        """Only ``rows`` of these edges."""
        return Edges(*(getattr(self, name)[rows] for name in self.__dataclass_fields__))


def sorted_layer(
    account: IntArray,
    obj: IntArray,
    event: IntArray,
    time_us: IntArray,
    n_accounts: int,
    n_objects: int,
    events_span_objects: bool = False,
) -> LayerEvents:
    """Arrays in any order as `LayerEvents`.

    Rows on objects that only one account touches can make no pair and are left out.
    """
    rows = _rows_on_shared_objects(account, obj, n_objects)
    account, obj, event, time_us = account[rows], obj[rows], event[rows], time_us[rows]
    order = order_by_object_and_time(obj, time_us)
    # Ties in time are put in account order, so that nothing downstream depends on the order of the input.
    account, obj, event, time_us = account[order], obj[order], event[order], time_us[order]
    tied = np.flatnonzero((obj[1:] == obj[:-1]) & (time_us[1:] == time_us[:-1]))
    if len(tied):
        span = np.union1d(tied, tied + 1)
        sub = np.lexsort((event[span], account[span], time_us[span], obj[span]))
        account[span], event[span] = account[span][sub], event[span][sub]
    return LayerEvents(account, obj, event, time_us, n_accounts, n_objects, events_span_objects)


def order_by_object_and_time(obj: IntArray, time_us: IntArray) -> IntArray:
    """Row numbers sorted by (object, time); packed into one integer key where it fits."""
    if not len(obj):
        return np.empty(0, np.int64)
    start = time_us.min()
    span = int(time_us.max() - start) + 1
    if (int(obj.max()) + 1) * span < 2**63:
        return np.argsort(obj * span + (time_us - start)).astype(np.int64, copy=False)
    return np.lexsort((time_us, obj)).astype(np.int64, copy=False)


def _rows_on_shared_objects(account: IntArray, obj: IntArray, n_objects: int) -> NDArray[np.bool_]:
    """True for rows whose object is touched by at least two accounts."""
    low = np.full(n_objects, np.iinfo(np.int64).max)
    high = np.full(n_objects, -1, np.int64)
    np.minimum.at(low, obj, account)
    np.maximum.at(high, obj, account)
    result: NDArray[np.bool_] = (low != high)[obj]
    return result


def last_partner(obj: IntArray, time_us: IntArray, window_us: int) -> IntArray:
    """For each row of a sorted layer, one past the last row on its object within the window after it.

    Gaps longer than the window, and the step to the next object, are cut to ``window + 1``: that keeps every
    comparison with the window exact and lets one search serve all objects at once.
    """
    if not len(obj):
        return np.empty(0, np.int64)
    step = np.minimum(np.diff(time_us), window_us + 1)
    step[obj[1:] != obj[:-1]] = window_us + 1
    clock = np.concatenate(([0], np.cumsum(step)))
    return np.searchsorted(clock, clock + window_us, side="right").astype(np.int64, copy=False)


def capped_layer(
    layer: LayerEvents, window_us: int, max_pairs_per_object: int
) -> tuple[LayerEvents, list[CappedObject]]:
    """The layer with its hottest objects thinned, and what was thinned.

    An object with r rows at one moment makes r (r - 1) / 2 pairs; a million rows would make more than any
    machine holds. Above ``max_pairs_per_object`` a sample of *accounts* is kept with all their rows on that
    object. The sample is drawn by a hash of the time of day of each account's first row there, so it does
    not depend on the ids, the row order or on accounts elsewhere.
    """
    upto = last_partner(layer.obj, layer.time_us, window_us)
    n_after = upto - np.arange(len(layer)) - 1
    pairs = np.bincount(layer.obj, weights=n_after, minlength=layer.n_objects)
    hot = np.flatnonzero(pairs > max_pairs_per_object)
    if not len(hot):
        return layer, []
    keep = np.ones(len(layer), bool)
    capped = []
    starts = np.searchsorted(layer.obj, hot, "left")
    ends = np.searchsorted(layer.obj, hot, "right")
    for o, start, end in zip(hot, starts, ends, strict=True):
        accounts, first = np.unique(layer.account[start:end], return_index=True)
        rank = mix64((layer.time_us[start:end][first] % _DAY_US).astype(np.uint64))
        by_hash = np.lexsort((accounts, rank))
        share = float(np.sqrt(max_pairs_per_object / pairs[o]))
        while True:
            chosen = np.sort(accounts[by_hash[: max(2, int(share * len(accounts)))]])
            rows = start + np.flatnonzero(np.isin(layer.account[start:end], chosen))
            left = last_partner(layer.obj[rows], layer.time_us[rows], window_us)
            if int((left - np.arange(len(rows)) - 1).sum()) <= max_pairs_per_object or len(chosen) <= 2:
                break
            share *= 0.9
        keep[start:end] = False
        keep[rows] = True
        capped.append(CappedObject(int(o), int(end - start), len(rows)))
    return layer.take(keep), capped


def pair_chunks(
    layer: LayerEvents, window_us: int, chunk_pairs: int = _CHUNK_PAIRS
) -> Iterator[tuple[IntArray, IntArray]]:
    """Rows (i, j) of every pair, i before j in the sorted layer, in chunks of about ``chunk_pairs``."""
    upto = last_partner(layer.obj, layer.time_us, window_us)
    n_after = upto - np.arange(len(layer)) - 1
    total = np.concatenate(([0], np.cumsum(n_after)))
    start = 0
    while start < len(layer):
        end = int(np.searchsorted(total, total[start] + chunk_pairs, "right")) - 1
        end = min(max(end, start + 1), len(layer))
        # Never split an object over two chunks unless it alone is larger than a chunk: fewer partials.
        if end < len(layer):
            boundary = int(np.searchsorted(layer.obj[start:end], layer.obj[end], "left")) + start
            end = boundary if boundary > start else end
        counts = n_after[start:end]
        i = np.repeat(np.arange(start, end), counts)
        if len(i):
            j = i + 1 + np.arange(len(i)) - np.repeat(total[start:end] - total[start], counts)
            different = layer.account[i] != layer.account[j]
            yield i[different], j[different]
        start = end


def _keys(layer: LayerEvents, i: IntArray, j: IntArray) -> IntArray:
    x, y = layer.account[i], layer.account[j]
    return np.minimum(x, y) * layer.n_accounts + np.maximum(x, y)


class _RepeatFilter:
    """Which edge keys may occur at least twice: exact "no", probable "yes", in bounded memory."""

    def __init__(self) -> None:
        self._once = np.zeros(1 << _FILTER_BITS, bool)
        self._twice = np.zeros(1 << _FILTER_BITS, bool)

    @staticmethod
    def _bucket(key: IntArray) -> NDArray[np.uint32]:
        with np.errstate(over="ignore"):
            mixed = key.astype(np.uint64) * np.uint64(0x9E3779B97F4A7C15)
        return (mixed >> np.uint64(64 - _FILTER_BITS)).astype(np.uint32)

    def add(self, key: IntArray) -> None:
        bucket = np.sort(self._bucket(key))
        self._twice[bucket[1:][bucket[1:] == bucket[:-1]]] = True
        self._twice[bucket[self._once[bucket]]] = True
        self._once[bucket] = True

    def may_repeat(self, key: IntArray) -> NDArray[np.bool_]:
        result: NDArray[np.bool_] = self._twice[self._bucket(key)]
        return result


def _runs(sorted_values: IntArray) -> IntArray:
    """Start of each run of equal values."""
    if not len(sorted_values):
        return np.empty(0, np.int64)
    return np.concatenate(([0], np.flatnonzero(sorted_values[1:] != sorted_values[:-1]) + 1))


def _distinct(edge: IntArray, value: IntArray, n_values: int) -> tuple[IntArray, IntArray]:
    """Distinct (edge, value) combinations, sorted, as two arrays."""
    packed = np.sort(edge * n_values + value)
    packed = packed[_runs(packed)]
    return packed // n_values, packed % n_values


def _aggregated(layer: LayerEvents, i: IntArray, j: IntArray, key: IntArray) -> PartialEdges:
    """Partial edges of enumerated pairs."""
    order = np.argsort(key)
    key, i, j = key[order], i[order], j[order]
    start = _runs(key)
    n_pairs = np.diff(np.concatenate((start, [len(key)])))
    edge = np.repeat(np.arange(len(start)), n_pairs)
    i_is_a = layer.account[i] < layer.account[j]
    lag = layer.time_us[j] - layer.time_us[i]
    leads = np.where(lag == 0, 1, np.where(i_is_a, 2, 0))
    n_events = int(layer.event.max()) + 1
    edge_a, event_a = _distinct(edge, layer.event[np.where(i_is_a, i, j)], n_events)
    edge_b, event_b = _distinct(edge, layer.event[np.where(i_is_a, j, i)], n_events)
    edge_o, _ = _distinct(edge, layer.obj[i], layer.n_objects)
    none = np.empty(0, np.int64)
    return PartialEdges(
        key=key[start],
        n_pairs=n_pairs,
        n_objects=np.bincount(edge_o, minlength=len(start)),
        n_a=np.bincount(edge_a, minlength=len(start)),
        n_b=np.bincount(edge_b, minlength=len(start)),
        a_leads_twice=np.add.reduceat(leads, start) if len(start) else none,
        first_us=np.minimum.reduceat(layer.time_us[i], start) if len(start) else none,
        last_us=np.maximum.reduceat(layer.time_us[j], start) if len(start) else none,
        lags_us=lag,
        events_a=event_a if layer.events_span_objects else none,
        events_b=event_b if layer.events_span_objects else none,
    )


def partial_edges(
    layer: LayerEvents,
    window_us: int,
    *,
    min_pairs: int = 1,
    qualified: NDArray[np.bool_] | None = None,
) -> list[PartialEdges]:
    """Edges of one partition of objects.

    Parameters
    ----------
    layer
        All events of the objects of this partition, sorted.
    window_us
        The co-action window in microseconds, inclusive.
    min_pairs
        Pairs of edges that cannot reach two pairs are dropped before grouping when this is 2 or more. Only
        valid if this partition is the only one; give 1 where partials of several machines are merged.
    qualified
        Boolean per account; a pair stays if either side is qualified.

    Returns
    -------
    list of PartialEdges
        One for each chunk of pairs, to be merged by `merged_edges`.
    """
    repeats = None
    if min_pairs >= 2:
        repeats = _RepeatFilter()
        for i, j in pair_chunks(layer, window_us):
            repeats.add(_keys(layer, i, j))
    partials = []
    for i, j in pair_chunks(layer, window_us):
        if qualified is not None:
            stays = qualified[layer.account[i]] | qualified[layer.account[j]]
            i, j = i[stays], j[stays]
        key = _keys(layer, i, j)
        if repeats is not None:
            stays = repeats.may_repeat(key)
            i, j, key = i[stays], j[stays], key[stays]
        if len(key):
            partials.append(_aggregated(layer, i, j, key))
    return partials


def merged_edges(partials: Sequence[PartialEdges], n_accounts: int) -> Edges:
    """Edges from the partial edges of any number of partitions of objects."""
    none = np.empty(0, np.int64)
    if not partials:
        return Edges(none, none, none, none, none, none, none.astype(float), none.astype(float), none, none)

    def joined(name: str) -> IntArray:
        return np.concatenate([getattr(p, name) for p in partials])

    key = joined("key")
    order = np.argsort(key, kind="stable")
    start = _runs(key[order])
    edge_of_part = np.empty(len(key), np.int64)
    edge_of_part[order] = np.repeat(np.arange(len(start)), np.diff(np.concatenate((start, [len(key)]))))
    n_edges = len(start)

    def summed(name: str) -> IntArray:
        return np.add.reduceat(joined(name)[order], start)

    n_pairs = summed("n_pairs")
    edge_of_lag = np.repeat(edge_of_part, joined("n_pairs"))
    n_a, n_b = summed("n_a"), summed("n_b")
    if any(len(p.events_a) for p in partials):
        events_a, events_b = joined("events_a"), joined("events_b")
        n_events = int(max(events_a.max(), events_b.max())) + 1
        edge_a, _ = _distinct(np.repeat(edge_of_part, joined("n_a")), events_a, n_events)
        edge_b, _ = _distinct(np.repeat(edge_of_part, joined("n_b")), events_b, n_events)
        n_a, n_b = np.bincount(edge_a, minlength=n_edges), np.bincount(edge_b, minlength=n_edges)
    unique_key = key[order][start]
    return Edges(
        a=unique_key // n_accounts,
        b=unique_key % n_accounts,
        n_pairs=n_pairs,
        n_objects=summed("n_objects"),
        n_a=n_a,
        n_b=n_b,
        median_lag_us=_grouped_median(edge_of_lag, joined("lags_us"), n_pairs),
        a_leads_share=summed("a_leads_twice") / (2 * n_pairs),
        first_us=np.minimum.reduceat(joined("first_us")[order], start),
        last_us=np.maximum.reduceat(joined("last_us")[order], start),
    )


def _grouped_median(group: IntArray, value: IntArray, sizes: IntArray) -> NDArray[np.float64]:
    """Median of ``value`` in each group; every group has ``sizes`` >= 1 values."""
    span = int(value.max()) + 1
    if len(sizes) * span < 2**63:
        value = np.sort(group * span + value) % span
    else:
        value = value[np.lexsort((value, group))]
    start = np.concatenate(([0], np.cumsum(sizes)[:-1]))
    low, high = value[start + (sizes - 1) // 2], value[start + sizes // 2]
    return (low + high) / 2.0


def accounts_in_pairs(layer: LayerEvents, window_us: int, min_events: int) -> NDArray[np.bool_]:
    """Accounts with at least ``min_events`` distinct events that stand in a pair, shape (n_accounts,)."""
    paired = np.zeros(len(layer), bool)
    for i, j in pair_chunks(layer, window_us):
        paired[i] = True
        paired[j] = True
    account, event = layer.account[paired], layer.event[paired]
    if layer.events_span_objects and len(event):
        _, first = np.unique(event, return_index=True)
        account = account[first]
    result: NDArray[np.bool_] = np.bincount(account, minlength=layer.n_accounts) >= min_events
    return result


def coaction_edges(
    layer: LayerEvents,
    window_us: int,
    *,
    min_pairs: int = 1,
    min_objects: int = 1,
    min_weight: int = 1,
    min_participation: int = 1,
    edge_quantile: float | None = None,
    max_pairs_per_object: int = 20_000_000,
) -> tuple[Edges, list[CappedObject]]:
    """Edges of one layer at one window, with the floors asked for.

    Parameters
    ----------
    layer
        Sorted layer events.
    window_us
        Co-action window in microseconds, inclusive.
    min_pairs, min_objects
        Floors on ``n_pairs`` and ``n_objects``.
    min_weight
        Floor as the Coordination Network Toolkit means it: ``max(n_a, n_b)`` at least this.
    min_participation
        As CooRTweet means it: accounts with fewer rows are expected to be gone already (`participants`);
        then an account passes with that many events in a pair, and a pair stays if either side passes.
    edge_quantile
        Keep edges whose ``n_pairs`` is strictly greater than this quantile (R type 7) over all edges.
    max_pairs_per_object
        Objects above it are thinned, see `capped_layer`.
    """
    layer, capped = capped_layer(layer, window_us, max_pairs_per_object)
    qualified = None
    if min_participation > 1:
        qualified = accounts_in_pairs(layer, window_us, min_participation)
    floor = 1 if edge_quantile is not None else max(min_pairs, min_objects, min_weight)
    partials = partial_edges(layer, window_us, min_pairs=floor, qualified=qualified)
    edges = merged_edges(partials, layer.n_accounts)
    keep = np.ones(len(edges), bool)
    if edge_quantile is not None and len(edges):
        keep &= edges.n_pairs > np.quantile(edges.n_pairs, edge_quantile)
    keep &= (edges.n_pairs >= min_pairs) & (edges.n_objects >= min_objects)
    keep &= np.maximum(edges.n_a, edges.n_b) >= min_weight
    return edges.take(keep), capped


def participants(layer: LayerEvents, n_rows: IntArray, min_participation: int) -> LayerEvents:
    """The layer without accounts that have fewer than ``min_participation`` rows (``n_rows`` by account)."""
    return layer.take(n_rows[layer.account] >= min_participation)
