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

CHUNK_PAIRS = 6_000_000  # pairs grouped at a time: bounds the working memory, about 0.4 GB
_BLOCK_PAIRS = 1 << 19  # pairs enumerated at a time: small enough for the processor's cache
_FILTER_BITS = (20, 28)  # of the table of edges seen: one byte a bucket, 1 to 256 MiB
_HASHES = 1 << 26  # edge hashes sorted at a time: 256 MiB
_DAY_US = 86_400_000_000
_EXACT = 2**62  # beyond it sums of int64 are not trusted


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
    at_us
        When each event happened, where ``time_us`` is another clock (the phase of a scheduler); None if they
        are the same.
    """

    account: IntArray
    obj: IntArray
    event: IntArray
    time_us: IntArray
    n_accounts: int
    n_objects: int
    events_span_objects: bool = False
    at_us: IntArray | None = None

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
            None if self.at_us is None else self.at_us[rows],
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
    shared = _rows_on_shared_objects(account, obj, n_objects)
    if not shared.all():
        account, obj, event, time_us = account[shared], obj[shared], event[shared], time_us[shared]
    order, obj = _order(obj, time_us)
    # Ties in time are put in account order, so that nothing downstream depends on the order of the input.
    account, event, time_us = account[order], event[order], time_us[order]
    tied = np.flatnonzero((time_us[1:] == time_us[:-1]) & (obj[1:] == obj[:-1]))
    if len(tied):
        span = np.union1d(tied, tied + 1)
        sub = np.lexsort((event[span], account[span], time_us[span], obj[span]))
        account[span], event[span] = account[span][sub], event[span][sub]
    return LayerEvents(account, obj, event, time_us, n_accounts, n_objects, events_span_objects)


def _order(obj: IntArray, time_us: IntArray) -> tuple[IntArray, IntArray]:
    """Row numbers sorted by (object, time), and their objects.

    Quickest where the rows are in the order of time already, as events are: then the row number itself is
    the second key, and sorting values is several times quicker than sorting row numbers by values.
    """
    n_bits = len(obj).bit_length()
    if not len(obj) or (time_us[1:] < time_us[:-1]).any() or int(obj.max()) >> (62 - n_bits):
        order = order_by_object_and_time(obj, time_us)
        return order, obj[order]
    packed = np.sort((obj << n_bits) | np.arange(len(obj)))
    return packed & ((1 << n_bits) - 1), packed >> n_bits


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
    someone = np.zeros(n_objects, np.int64)
    someone[obj] = account
    is_shared = np.zeros(n_objects, bool)
    is_shared[obj[someone[obj] != account]] = True
    result: NDArray[np.bool_] = is_shared[obj]
    return result


def last_partner(obj: IntArray, time_us: IntArray, window_us: int) -> IntArray:
    """For each row of a sorted layer, one past the last row on its object within the window after it.

    Gaps longer than the window, and the step to the next object, are cut to ``window + 1``: that keeps every
    comparison with the window exact and lets one search serve all objects at once.
    """
    n = len(obj)
    if not n:
        return np.empty(0, np.int64)
    starts = _runs(obj)
    span = time_us[np.concatenate((starts[1:], [n])) - 1] - time_us[starts]
    # No lag on any object is longer, and a shorter window keeps the sums below small.
    window_us = min(window_us, int(span.max()))
    if float(window_us + 1) * n > _EXACT:
        return _last_partner_by_object(starts, time_us, window_us)
    step = np.diff(time_us)
    np.minimum(step, window_us + 1, out=step)
    step[starts[1:] - 1] = window_us + 1
    clock = np.concatenate(([0], np.cumsum(step)))
    return np.searchsorted(clock, clock + window_us, side="right").astype(np.int64, copy=False)


def _last_partner_by_object(starts: IntArray, time_us: IntArray, window_us: int) -> IntArray:
    """As `last_partner`, for windows so long that the clock of all objects together would overflow."""
    upto = np.empty(len(time_us), np.int64)
    for start, end in zip(starts, [*starts[1:], len(time_us)], strict=True):
        since = time_us[start:end] - time_us[start]
        upto[start:end] = start + np.searchsorted(since, since + window_us, side="right")
    return upto


def capped_layer(
    layer: LayerEvents, window_us: int, max_pairs_per_object: int
) -> tuple[LayerEvents, list[CappedObject]]:
    """The layer with its hottest objects thinned, and what was thinned.

    An object with r rows at one moment makes r (r - 1) / 2 pairs; a million rows would make more than any
    machine holds. Above ``max_pairs_per_object`` a sample of *accounts* is kept with all their rows on that
    object; where a few accounts alone make too many, also a sample of each account's rows. The samples are
    drawn by a hash of the time of day, so they do not depend on the ids, the row order or on accounts
    elsewhere.
    """
    return _capped(layer, _Spans.of(layer, window_us), window_us, max_pairs_per_object)


def _capped(
    layer: LayerEvents, spans: _Spans, window_us: int, max_pairs_per_object: int
) -> tuple[LayerEvents, list[CappedObject]]:
    starts = _runs(layer.obj)
    ends = np.concatenate((starts[1:], [len(layer)]))
    hot = np.flatnonzero(spans.total[ends] - spans.total[starts] > max_pairs_per_object)
    if not len(hot):
        return layer, []
    keep = np.ones(len(layer), bool)
    capped = []
    for start, end in zip(starts[hot], ends[hot], strict=True):
        rows = start + _thinned(
            layer.account[start:end], layer.time_us[start:end], window_us, max_pairs_per_object
        )
        keep[start:end] = False
        keep[rows] = True
        capped.append(CappedObject(int(layer.obj[start]), int(end - start), len(rows)))
    return layer.take(keep), capped


def _thinned(account: IntArray, time_us: IntArray, window_us: int, max_pairs: int) -> IntArray:
    """Rows of one object, ascending, that make at most ``max_pairs`` pairs within the window."""

    def n_pairs(rows: IntArray) -> int:
        upto = last_partner(np.zeros(len(rows), np.int64), time_us[rows], window_us)
        return int((upto - np.arange(len(rows)) - 1).sum())

    rank = mix64((time_us % _DAY_US).astype(np.uint64))
    rows = np.arange(len(account))
    # Two accounts that are left with this many rows each stay within the cap whatever the window.
    most = max(int(np.sqrt(max_pairs / 2)), 1)
    by_account = np.lexsort((rank, account))
    place = np.arange(len(rows)) - np.repeat(
        starts := _runs(account[by_account]), np.diff(np.concatenate((starts, [len(rows)])))
    )
    if int(place.max()) >= most:
        rows = np.sort(by_account[place < most])
    accounts, first = np.unique(account[rows], return_index=True)
    by_hash = np.lexsort((accounts, rank[rows][first]))
    order_of = np.empty(int(accounts.max()) + 1, np.int64)
    order_of[accounts[by_hash]] = np.arange(len(accounts))
    total = n_pairs(rows)
    n_kept = len(accounts)
    kept = rows
    while total > max_pairs and n_kept > 2:
        n_kept = max(2, min(int(n_kept * np.sqrt(max_pairs / total)), n_kept - 1))
        kept = rows[order_of[account[rows]] < n_kept]
        total = n_pairs(kept)
    return kept


@dataclass(frozen=True)
class _Spans:
    """Where the partners of each row of a layer are: the ``n_after`` rows right behind it.

    ``total`` counts the pairs before each row, shape (n + 1,).
    """

    n_after: IntArray
    total: IntArray

    @classmethod
    def of(cls, layer: LayerEvents, window_us: int) -> _Spans:
        upto = last_partner(layer.obj, layer.time_us, window_us)
        n_after = upto - np.arange(1, len(layer) + 1)
        return cls(n_after, np.concatenate(([0], np.cumsum(n_after))))

    def pairs(self, start: int, end: int) -> tuple[NDArray[np.int32], NDArray[np.int32]]:
        """Rows i and j of each pair whose first row is in ``[start, end)``."""
        counts = self.n_after[start:end]
        first = np.arange(start, end)
        i = np.repeat(first.astype(np.int32), counts)
        j = np.repeat((first + 1 - (self.total[start:end] - self.total[start])).astype(np.int32), counts)
        j += np.arange(len(j), dtype=np.int32)
        return i, j

    def stretches(self, start: int, end: int, chunk_pairs: int) -> Iterator[tuple[int, int]]:
        """``[start, end)`` cut into stretches of rows with about ``chunk_pairs`` pairs, at least one row."""
        while start < end:
            stop = int(np.searchsorted(self.total, self.total[start] + chunk_pairs, "right")) - 1
            stop = min(max(stop, start + 1), end)
            yield start, stop
            start = stop

    def whole_objects(self, obj: IntArray, chunk_pairs: int) -> Iterator[tuple[int, int]]:
        """The layer cut into stretches of whole objects, of about ``chunk_pairs`` pairs or one object."""
        start = 0
        while start < len(obj):
            stop = int(np.searchsorted(self.total, self.total[start] + chunk_pairs, "right")) - 1
            stop = min(max(stop, start + 1), len(obj))
            if stop < len(obj):
                begin = start + int(np.searchsorted(obj[start:stop], obj[stop], "left"))
                stop = begin if begin > start else int(np.searchsorted(obj, obj[start], "right"))
            yield start, stop
            start = stop


def pair_chunks(
    layer: LayerEvents, window_us: int, chunk_pairs: int | None = None
) -> Iterator[tuple[IntArray, IntArray]]:
    """Rows (i, j) of every pair, i before j in the sorted layer, in chunks of about ``chunk_pairs``.

    The pairs of one object may be spread over several chunks.
    """
    spans = _Spans.of(layer, window_us)
    for start, end in spans.stretches(0, len(layer), chunk_pairs or CHUNK_PAIRS):
        i, j = spans.pairs(start, end)
        different = layer.account[i] != layer.account[j]
        if len(i):
            yield i[different].astype(np.int64), j[different].astype(np.int64)


class _RepeatFilter:
    """Which edges may have two pairs: exact "no", probable "yes", in bounded memory.

    An edge is known by the sum of its accounts' 32-bit hashes, which both orders share. Hashes that occur
    twice are marked in a table; sorting is what finds them, many times quicker than grouping the edges.
    """

    def __init__(self, account: IntArray, spans: _Spans) -> None:
        self._hash = (mix64(account.astype(np.uint64)) >> np.uint64(32)).astype(np.uint32)
        n_pairs = int(spans.total[-1])
        n_bits = min(max(n_pairs.bit_length() + 3, _FILTER_BITS[0]), _FILTER_BITS[1])
        self._shift = np.uint32(32 - n_bits)
        self._twice = np.zeros(1 << n_bits, bool)
        n_parts = np.uint32(-(-n_pairs // _HASHES) or 1)
        for part in range(int(n_parts)):
            hashes = []
            for start, end in spans.stretches(0, len(account), _BLOCK_PAIRS):
                of_pairs = self._of_pairs(spans, start, end)
                hashes.append(of_pairs if n_parts == 1 else of_pairs[of_pairs % n_parts == part])
            found = np.concatenate(hashes or [self._hash])
            del hashes
            found.sort()
            self._twice[found[1:][found[1:] == found[:-1]] >> self._shift] = True

    def _of_pairs(self, spans: _Spans, start: int, end: int) -> NDArray[np.uint32]:
        counts = spans.n_after[start:end]
        first = np.arange(start + 1, end + 1)
        j = np.repeat((first - (spans.total[start:end] - spans.total[start])).astype(np.int32), counts)
        j += np.arange(len(j), dtype=np.int32)
        hashes = np.repeat(self._hash[start:end], counts)
        hashes += self._hash[j]
        return hashes

    def may_repeat(self, spans: _Spans, start: int, end: int) -> IntArray:
        """Positions, among the pairs of `_Spans.pairs`, of those that may not be their edge's only one."""
        return np.flatnonzero(self._twice[self._of_pairs(spans, start, end) >> self._shift])


def _runs(sorted_values: IntArray) -> IntArray:
    """Start of each run of equal values."""
    if not len(sorted_values):
        return np.empty(0, np.int64)
    return np.concatenate(([0], np.flatnonzero(sorted_values[1:] != sorted_values[:-1]) + 1))


def _distinct(group: IntArray, value: IntArray) -> tuple[IntArray, IntArray]:
    """Distinct (group, value) combinations, sorted, as two arrays; values are not negative."""
    n_values = int(value.max()) + 1 if len(value) else 1
    packed = np.sort(group * n_values + value)
    packed = packed[_runs(packed)]
    return packed // n_values, packed % n_values


def _aggregated(layer: LayerEvents, i: NDArray[np.int32], j: NDArray[np.int32]) -> PartialEdges:
    """Partial edges of at least one enumerated pair, each of different accounts."""
    x, y = layer.account[i], layer.account[j]
    key = np.minimum(x, y) * layer.n_accounts + np.maximum(x, y)
    order = np.argsort(key)
    key, i, j = key[order], i[order], j[order]
    start = _runs(key)
    n_pairs = np.diff(np.concatenate((start, [len(key)])))
    i_is_a = layer.account[i] < layer.account[j]
    lag = layer.time_us[j] - layer.time_us[i]
    leads = np.where(lag == 0, 1, np.where(i_is_a, 2, 0))
    a, b = np.where(i_is_a, i, j), np.where(i_is_a, j, i)
    none = np.empty(0, np.int64)
    n_objects, n_a, n_b = (np.ones(len(start), np.int64) for _ in range(3))
    # Most edges have one pair, and nothing to be told apart.
    several = np.flatnonzero(n_pairs > 1)
    if len(several):
        pairs = np.flatnonzero(np.repeat(n_pairs > 1, n_pairs))
        edge = np.repeat(np.arange(len(several)), n_pairs[several])
        for counts, values in ((n_objects, layer.obj[i]), (n_a, layer.event[a]), (n_b, layer.event[b])):
            of_edge, _ = _distinct(edge, values[pairs])
            counts[several] = np.bincount(of_edge, minlength=len(several))
    first_us, last_us = layer.time_us[i], layer.time_us[j]
    if layer.at_us is not None:
        one, other = layer.at_us[i], layer.at_us[j]
        first_us, last_us = np.minimum(one, other), np.maximum(one, other)
    events_a = events_b = none
    if layer.events_span_objects:
        edge = np.repeat(np.arange(len(start)), n_pairs)
        events_a, events_b = _distinct(edge, layer.event[a])[1], _distinct(edge, layer.event[b])[1]
    return PartialEdges(
        key=key[start],
        n_pairs=n_pairs,
        n_objects=n_objects,
        n_a=n_a,
        n_b=n_b,
        a_leads_twice=np.add.reduceat(leads, start),
        first_us=np.minimum.reduceat(first_us, start),
        last_us=np.maximum.reduceat(last_us, start),
        lags_us=lag,
        events_a=events_a,
        events_b=events_b,
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
        To be merged by `merged_edges`. Each holds all pairs of its edges on each of its objects.
    """
    return _partials(layer, _Spans.of(layer, window_us), min_pairs, qualified)


def _partials(
    layer: LayerEvents, spans: _Spans, min_pairs: int, qualified: NDArray[np.bool_] | None
) -> list[PartialEdges]:
    repeats = _RepeatFilter(layer.account, spans) if min_pairs >= 2 else None

    def pairs_of(start: int, end: int) -> tuple[NDArray[np.int32], NDArray[np.int32]]:
        """Pairs that stay."""
        found: list[tuple[NDArray[np.int32], NDArray[np.int32]]] = []
        for first, last in spans.stretches(start, end, _BLOCK_PAIRS):
            i, j = spans.pairs(first, last)
            if repeats is not None:
                stays = repeats.may_repeat(spans, first, last)
                i, j = i[stays], j[stays]
            stays = layer.account[i] != layer.account[j]
            if qualified is not None:
                stays &= qualified[layer.account[i]] | qualified[layer.account[j]]
            found.append((i[stays], j[stays]))
        i, j = (np.concatenate([pair[side] for pair in found]) for side in (0, 1))
        return i, j

    partials = []
    for start, end in spans.whole_objects(layer.obj, CHUNK_PAIRS):
        i, j = pairs_of(start, end)
        # An object too large for one chunk is grouped a part of its edges at a time: counts of distinct
        # events and objects only add up if all pairs that an edge has on one object are counted together.
        n_parts = -(-len(i) // CHUNK_PAIRS)
        part_of_pair = (layer.account[i] + layer.account[j]) % n_parts if n_parts > 1 else None
        for part in range(n_parts):
            rows = slice(None) if part_of_pair is None else np.flatnonzero(part_of_pair == part)
            partials.append(_aggregated(layer, i[rows], j[rows]))
    return partials


def merged_edges(partials: Sequence[PartialEdges], n_accounts: int) -> Edges:
    """Edges from the partial edges of any number of partitions of objects."""
    none = np.empty(0, np.int64)
    if not partials:
        return Edges(none, none, none, none, none, none, none.astype(float), none.astype(float), none, none)
    part = partials[0] if len(partials) == 1 else _summed(partials)
    return Edges(
        a=part.key // n_accounts,
        b=part.key % n_accounts,
        n_pairs=part.n_pairs,
        n_objects=part.n_objects,
        n_a=part.n_a,
        n_b=part.n_b,
        median_lag_us=_grouped_median(part.lags_us, part.n_pairs),
        a_leads_share=part.a_leads_twice / (2 * part.n_pairs),
        first_us=part.first_us,
        last_us=part.last_us,
    )


def _summed(partials: Sequence[PartialEdges]) -> PartialEdges:
    """Several partials as one."""

    def joined(name: str) -> IntArray:
        return np.concatenate([getattr(p, name) for p in partials])

    key = joined("key")
    order = np.argsort(key, kind="stable")
    start = _runs(key[order])
    n_edges = len(start)
    edge_of_part = np.empty(len(key), np.int64)
    edge_of_part[order] = np.repeat(np.arange(n_edges), np.diff(np.concatenate((start, [len(key)]))))

    def summed(name: str) -> IntArray:
        return np.add.reduceat(joined(name)[order], start)

    n_events = {"events_a": summed("n_a"), "events_b": summed("n_b")}
    events = {side: joined(side) for side in n_events}
    for side, counts in (("events_a", "n_a"), ("events_b", "n_b")):
        if len(events[side]):
            of_edge, events[side] = _distinct(np.repeat(edge_of_part, joined(counts)), events[side])
            n_events[side] = np.bincount(of_edge, minlength=n_edges)
    lags = joined("lags_us")
    by_edge = np.argsort(np.repeat(edge_of_part, joined("n_pairs")), kind="stable")
    return PartialEdges(
        key=key[order][start],
        n_pairs=summed("n_pairs"),
        n_objects=summed("n_objects"),
        n_a=n_events["events_a"],
        n_b=n_events["events_b"],
        a_leads_twice=summed("a_leads_twice"),
        first_us=np.minimum.reduceat(joined("first_us")[order], start),
        last_us=np.maximum.reduceat(joined("last_us")[order], start),
        lags_us=lags[by_edge],
        events_a=events["events_a"],
        events_b=events["events_b"],
    )


def _grouped_median(value: IntArray, sizes: IntArray) -> NDArray[np.float64]:
    """Median of each of consecutive groups of ``sizes`` >= 1 values."""
    start = np.cumsum(sizes) - sizes
    median: NDArray[np.float64] = value[start].astype(np.float64)
    several = np.flatnonzero(sizes > 1)
    if not len(several):
        return median
    of_several = np.repeat(sizes > 1, sizes)
    value, sizes = value[of_several], sizes[several]
    group = np.repeat(np.arange(len(several)), sizes)
    span = int(value.max()) + 1
    if len(several) * span < _EXACT:
        value = np.sort(group * span + value) % span
    else:
        value = value[np.lexsort((value, group))]
    start = np.cumsum(sizes) - sizes
    median[several] = (value[start + (sizes - 1) // 2] + value[start + sizes // 2]) / 2.0
    return median


def accounts_in_pairs(layer: LayerEvents, window_us: int, min_events: int) -> NDArray[np.bool_]:
    """Accounts with at least ``min_events`` distinct events that stand in a pair, shape (n_accounts,)."""
    paired = _rows_in_pairs(layer, window_us)
    account, event = layer.account[paired], layer.event[paired]
    if layer.events_span_objects and len(event):
        _, first = np.unique(event, return_index=True)
        account = account[first]
    result: NDArray[np.bool_] = np.bincount(account, minlength=layer.n_accounts) >= min_events
    return result


def _rows_in_pairs(layer: LayerEvents, window_us: int) -> NDArray[np.bool_]:
    """True for rows with a partner: the nearest row of another account is near enough, on either side."""
    n = len(layer)
    paired = np.zeros(n, bool)
    if not n:
        return paired
    # Runs of one account on one object; the nearest others are the rows right before and right after a run.
    turn = np.concatenate(
        ([True], (layer.obj[1:] != layer.obj[:-1]) | (layer.account[1:] != layer.account[:-1]))
    )
    start = np.flatnonzero(turn)
    length = np.diff(np.concatenate((start, [n])))
    for nearest in (np.repeat(start - 1, length), np.repeat(start + length, length)):
        inside = (nearest >= 0) & (nearest < n)
        other = np.clip(nearest, 0, n - 1)
        inside &= layer.obj[other] == layer.obj
        paired |= inside & (np.abs(layer.time_us[other] - layer.time_us) <= window_us)
    return paired


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
    spans = _Spans.of(layer, window_us)
    layer, capped = _capped(layer, spans, window_us, max_pairs_per_object)
    if capped:
        spans = _Spans.of(layer, window_us)
    qualified = None
    if min_participation > 1:
        qualified = accounts_in_pairs(layer, window_us, min_participation)
    floor = 1 if edge_quantile is not None else max(min_pairs, min_objects, min_weight)
    partials = _partials(layer, spans, floor, qualified)
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
