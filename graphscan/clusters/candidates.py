"""Candidate groups: dense parts of the weighted graphs, to be tested on what did not find them.

Leiden (Traag, Waltman & van Eck, Scientific Reports 9:5233, 2019) with the constant Potts model (Traag, Van
Dooren & Nesterov, Physical Review E 84:016114, 2011): a community must be denser than ``resolution`` however
large the graph is. Modularity has a resolution limit and glues small farms to their neighbours.
"""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from graphscan.clusters.weights import AccountGraph

IntArray = NDArray[np.int64]


@dataclass(frozen=True)
class Candidate:
    """A group of accounts and what found it.

    Parameters
    ----------
    members
        Account codes, sorted.
    source
        ``crossfit`` (windowed edges on one half of the objects), ``incidence`` (shared objects, times
        ignored) or ``weak``.
    fold
        The half of the objects it was found on (0 or 1); -1 when all were used.
    window_s
        Discovery window; 0 for ``incidence``.
    """

    members: IntArray
    source: str
    fold: int
    window_s: float


def dense_groups(
    graph: AccountGraph,
    resolutions: Sequence[float],
    *,
    seed: int,
    min_size: int = 5,
    objective: str = "CPM",
    prune: bool = True,
) -> list[IntArray]:
    """Communities of at least ``min_size`` accounts, at each of the resolutions.

    Parameters
    ----------
    graph
        Weighted edges.
    resolutions
        Of the objective. For CPM a resolution is a weight: a node joins only where its mean weight to the
        members is above it.
    seed
        Of the random order in which Leiden visits nodes.
    objective
        ``CPM`` or ``modularity``.
    prune
        Leave out members with less than half the median internal strength.

    Returns
    -------
    list of arrays
        Sorted account codes of each group; resolution by resolution, the groups sorted by their members.
    """
    import igraph

    if objective == "CPM":
        graph = _strong_part(graph, min(resolutions) * (min_size - 1))
    if not len(graph):
        return []
    nodes, code = np.unique(np.concatenate((graph.a, graph.b)), return_inverse=True)
    a, b = code[: len(graph)], code[len(graph) :]
    whole = igraph.Graph(n=len(nodes), edges=np.column_stack((a, b)))
    result = []
    for resolution in resolutions:
        igraph.set_random_number_generator(random.Random(seed))
        partition = whole.community_leiden(
            objective_function=objective, weights=graph.weight, resolution=resolution, n_iterations=2
        )
        groups = _communities(a, b, graph.weight, np.asarray(partition.membership), min_size, prune)
        result.extend(sorted((nodes[g] for g in groups), key=lambda g: tuple(g.tolist())))
    return result


def _strong_part(graph: AccountGraph, min_strength: float) -> AccountGraph:
    """Drop, again and again, accounts too weak to belong to any community of the least size."""
    while len(graph):
        n = int(max(graph.a.max(), graph.b.max())) + 1
        strength = np.bincount(graph.a, graph.weight, n) + np.bincount(graph.b, graph.weight, n)
        keep = (strength[graph.a] > min_strength) & (strength[graph.b] > min_strength)
        if keep.all():
            break
        graph = AccountGraph(graph.a[keep], graph.b[keep], graph.weight[keep], graph.n_shared[keep])
    return graph


def _communities(
    a: IntArray,
    b: IntArray,
    weight: NDArray[np.float64],
    member_of: IntArray,
    min_size: int,
    prune: bool,
) -> list[IntArray]:
    """Communities of the least size; pruned, members have half the median internal strength or more."""
    inside = member_of[a] == member_of[b]
    n = len(member_of)
    strength = np.bincount(a[inside], weight[inside], n) + np.bincount(b[inside], weight[inside], n)
    order = np.argsort(member_of, kind="stable")
    starts = np.flatnonzero(np.concatenate(([True], np.diff(member_of[order]) != 0)))
    groups = []
    for group in np.split(order, starts[1:]):
        if len(group) < min_size:
            continue
        s = strength[group]
        kept = group[s >= 0.5 * np.median(s)] if prune else group
        if len(kept) >= min_size:
            groups.append(np.sort(kept))
    return groups


def distinct_candidates(candidates: list[Candidate], *, max_jaccard: float = 0.8) -> list[Candidate]:
    """Candidates without near copies found by the same source on the same fold, larger ones kept.

    A copy costs power: every candidate is one more test to correct for.
    """
    kept: list[Candidate] = []
    sets: list[set[int]] = []
    by_member: dict[tuple[str, int, int], list[int]] = {}
    ranked = sorted(candidates, key=lambda c: (-len(c.members), c.window_s, tuple(c.members[:3])))
    for candidate in ranked:
        members = set(candidate.members.tolist())
        rivals = {
            k for account in members for k in by_member.get((candidate.source, candidate.fold, account), ())
        }
        if any(len(members & sets[k]) > max_jaccard * len(members | sets[k]) for k in sorted(rivals)):
            continue
        for account in members:
            by_member.setdefault((candidate.source, candidate.fold, account), []).append(len(kept))
        kept.append(candidate)
        sets.append(members)
    return kept
