"""Weighted graphs of accounts, for discovery only: no edge here is a verdict.

A shared act weighs ``ln(A / n_loc)``: the information in meeting by chance among the A active accounts when
n_loc of them were there (inverse document frequency, Spärck Jones 1972, taken at the moment instead of over
all time). What two busy accounts share anyway is taken off: ``x = w - s_i s_j / 2m``, the modularity null of
Newman (2006), so that a community of interest does not look like an agreement.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from graphscan.clusters.incidence import Incidence
from graphscan.network.coaction import LayerEvents, capped_layer, last_partner, pair_chunks

IntArray = NDArray[np.int64]
FloatArray = NDArray[np.float64]


@dataclass(frozen=True)
class AccountGraph:
    """Undirected weighted edges (a < b), one row a pair of accounts, sorted."""

    a: IntArray
    b: IntArray
    weight: FloatArray
    n_shared: IntArray
    capped: tuple[tuple[int, int, int], ...] = ()

    def __len__(self) -> int:
        return len(self.a)


def moment_graph(
    incidence: Incidence, window_us: int, *, max_pairs_per_object: int, per_pair: bool = False
) -> AccountGraph:
    """Accounts joined by acts on one object within a window.

    Parameters
    ----------
    incidence
        Sorted by (object, time).
    window_us
        Window in microseconds.
    max_pairs_per_object
        Objects above it are thinned, see `graphscan.network.coaction.capped_layer`.
    per_pair
        Divide each weight by ``n_loc - 1`` (the weak layer: one act is worth one partner).
    """
    layer, capped = capped_layer(_as_layer(incidence), window_us, max_pairs_per_object)
    crowd = _crowd(layer, window_us)
    value = np.log(np.maximum(incidence.n_active / np.maximum(crowd, 1), 1.0))
    if per_pair:
        value = value / np.maximum(crowd - 1, 1)
    graph = _summed(layer, window_us, value, incidence.n_accounts)
    return AccountGraph(*graph, tuple((c.obj, c.n_rows, c.n_kept) for c in capped))


def incidence_graph(incidence: Incidence, *, max_accounts: int) -> AccountGraph:
    """Accounts joined by sharing objects, times ignored; objects with more accounts are left out."""
    size = incidence.accounts_on_object
    rows = (size[incidence.obj] <= max_accounts) & (size[incidence.obj] >= 2)
    part = incidence.take(rows)
    value = np.log(np.maximum(incidence.n_active / np.maximum(size[part.obj], 1), 1.0))
    still = LayerEvents(
        part.account,
        part.obj,
        part.event,
        np.zeros(len(part), np.int64),
        part.n_accounts,
        part.n_objects,
    )
    return AccountGraph(*_summed(still, 0, value, incidence.n_accounts))


def _as_layer(incidence: Incidence) -> LayerEvents:
    return LayerEvents(
        incidence.account,
        incidence.obj,
        incidence.event,
        incidence.time_us,
        incidence.n_accounts,
        incidence.n_objects,
    )


def _crowd(layer: LayerEvents, window_us: int) -> IntArray:
    """Accounts on the object within the window before or after each row, itself included."""
    upto = last_partner(layer.obj, layer.time_us, window_us)
    back = last_partner(layer.obj[::-1], -layer.time_us[::-1], window_us)[::-1]
    here = np.arange(len(layer))
    return (upto - here) + (back - (len(layer) - 1 - here)) - 1


def _summed(
    layer: LayerEvents, window_us: int, value: FloatArray, n_accounts: int
) -> tuple[IntArray, IntArray, FloatArray, IntArray]:
    keys, weights, shares = [], [], []
    for i, j in pair_chunks(layer, window_us):
        x, y = layer.account[i], layer.account[j]
        key = np.minimum(x, y) * n_accounts + np.maximum(x, y)
        order = np.argsort(key)
        key = key[order]
        # The mean of both sides' moments; they differ only at the edges of a crowd.
        w = (0.5 * (value[i] + value[j]))[order]
        start = np.flatnonzero(np.concatenate(([True], key[1:] != key[:-1]))) if len(key) else key
        keys.append(key[start])
        weights.append(np.add.reduceat(w, start) if len(key) else w)
        shares.append(np.diff(np.concatenate((start, [len(key)]))) if len(key) else start)
    if not keys:
        none = np.empty(0, np.int64)
        return none, none, np.empty(0), none
    if len(keys) == 1:
        key, w, n = keys[0], weights[0], shares[0]
    else:
        key, inverse = np.unique(np.concatenate(keys), return_inverse=True)
        w = np.bincount(inverse, weights=np.concatenate(weights)).astype(np.float64)
        n = np.bincount(inverse, weights=np.concatenate(shares)).astype(np.int64)
    return key // n_accounts, key % n_accounts, w, n


def excess_graph(graph: AccountGraph, n_accounts: int) -> AccountGraph:
    """The graph with ``w - s_i s_j / 2m`` for weights, positive edges only.

    ``s`` is an account's strength and ``m`` half the sum of all strengths, that is, the sum of the weights.
    """
    if not graph.weight.any():  # everybody is everywhere: nothing is in excess
        none = graph.a[:0]
        return AccountGraph(none, none, graph.weight[:0], none, graph.capped)
    strength = np.bincount(graph.a, graph.weight, n_accounts) + np.bincount(graph.b, graph.weight, n_accounts)
    excess = graph.weight - strength[graph.a] * strength[graph.b] / (2 * graph.weight.sum())
    keep = excess > 0
    return AccountGraph(graph.a[keep], graph.b[keep], excess[keep], graph.n_shared[keep], graph.capped)


def edge_excess(
    incidence: Incidence, a: IntArray, b: IntArray, window_us: int, *, max_pairs_per_object: int
) -> FloatArray:
    """``w - s_i s_j / 2m`` of given edges (a < b), shape ``(n,)``.

    An edge of accounts whose first acts on an object were not within the window has w = 0. NaN where nobody
    has any weight.
    """
    graph = moment_graph(incidence, window_us, max_pairs_per_object=max_pairs_per_object)
    if not graph.weight.any():
        return np.full(len(a), np.nan)
    n = incidence.n_accounts
    strength = np.bincount(graph.a, graph.weight, n) + np.bincount(graph.b, graph.weight, n)
    key, wanted = graph.a * n + graph.b, a * n + b
    place = np.minimum(np.searchsorted(key, wanted), len(key) - 1)
    weight = np.where(key[place] == wanted, graph.weight[place], 0.0)
    excess: FloatArray = weight - strength[a] * strength[b] / (2 * graph.weight.sum())
    return excess
