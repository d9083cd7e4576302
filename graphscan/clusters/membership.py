"""Who of a candidate belongs to it, who is its core, and which clusters are one.

An account belongs by its own acts: it must keep company more than its own habits give. It is *core* only by
acts that come after another member's or with it. A victim whose every act is shadowed by bots keeps company
too, but never follows, so it can be a member by somebody else's doing and never core by it.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from graphscan.clusters.significance import MemberActs, TickArray, permuted_delays, window_ticks
from graphscan.entropy import generator
from graphscan.network.coaction import LayerEvents, pair_chunks

IntArray = NDArray[np.int64]


@dataclass(frozen=True)
class Membership:
    """Members of a cluster: account codes, and which of them are core (boolean, same length)."""

    members: IntArray
    is_core: NDArray[np.bool_]


def company(
    acts: MemberActs, delays: TickArray, window: int
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Share of the other members on the object within the window of each act: around it, and before it.

    Parameters
    ----------
    acts
        The candidate's acts, m of them.
    delays
        Arrangements of the delays, shape ``(P, m)``.
    window
        Window in ticks.

    Returns
    -------
    around, before
        Shape ``(P, m)``; ``before`` counts others that acted earlier or at the same instant.
    """
    P, m = delays.shape
    k = acts.n_objects
    size = np.bincount(acts.obj, minlength=k)
    line = (np.arange(P)[:, None] * k + acts.obj[None, :]).ravel()
    packed = (line << 31) + delays.ravel()
    order = np.argsort(packed)
    packed = packed[order]
    step = np.minimum(np.diff(packed), window + 1)
    clock = np.concatenate(([0], np.cumsum(step)))
    upto = np.searchsorted(clock, clock + window, side="right")
    since = np.searchsorted(clock, clock - window, side="left")
    same_instant = np.searchsorted(clock, clock, side="right")
    others = np.maximum(size[np.tile(acts.obj, P)[order]] - 1, 1)
    around, before = np.empty(P * m), np.empty(P * m)
    around[order] = (upto - since - 1) / others
    before[order] = (same_instant - since - 1) / others
    return around.reshape(P, m), before.reshape(P, m)


def membership(
    acts: MemberActs, window_s: float, *, seed: int, n_permutations: int = 99, min_objects: int = 2
) -> Membership:
    """Members that keep company more than their null mean plus one standard deviation, and the core."""
    accounts, who = np.unique(acts.account, return_inverse=True)
    none = Membership(np.empty(0, np.int64), np.empty(0, bool))
    if not len(accounts):
        return none
    window = int(window_ticks((window_s,))[0])
    rng = generator(seed, "membership", acts.key)
    real_around, real_before = company(acts, acts.ticks[None, :], window)
    block = max(1, min(n_permutations, 2_000_000 // len(acts)))
    sums = np.zeros((2, 2, len(accounts)))
    done = 0
    while done < n_permutations:
        n = min(block, n_permutations - done)
        around, before = company(acts, permuted_delays(acts, n, rng), window)
        for kind, values in enumerate((around, before)):
            per_account = _summed_by(who, values, len(accounts))
            sums[kind, 0] += per_account.sum(axis=0)
            sums[kind, 1] += (per_account**2).sum(axis=0)
        done += n
    mean = sums[:, 0] / n_permutations
    sd = np.sqrt(np.maximum(sums[:, 1] / n_permutations - mean**2, 0))
    bound = mean + np.maximum(sd, 1e-9)
    in_company = np.bincount(who, weights=real_around[0] > 0, minlength=len(accounts)) >= min_objects
    follows = np.bincount(who, weights=real_before[0] > 0, minlength=len(accounts)) >= min_objects
    score_around = np.bincount(who, weights=real_around[0], minlength=len(accounts))
    score_before = np.bincount(who, weights=real_before[0], minlength=len(accounts))
    is_member = in_company & (score_around >= bound[0])
    is_core = is_member & follows & (score_before >= bound[1])
    return Membership(accounts[is_member], is_core[is_member])


def _summed_by(who: IntArray, values: NDArray[np.float64], n: int) -> NDArray[np.float64]:
    order = np.argsort(who, kind="stable")
    start = np.searchsorted(who[order], np.arange(n))
    result: NDArray[np.float64] = np.add.reduceat(values[:, order], start, axis=1)
    return result


def shared_part(x: IntArray, y: IntArray) -> float:
    """Overlap coefficient of two sorted sets of codes: the common part of the smaller."""
    common = len(np.intersect1d(x, y, assume_unique=True))
    return common / max(min(len(x), len(y)), 1)


def overlap_groups(
    members: list[IntArray], strength: list[float], *, min_share: float = 0.5
) -> list[list[int]]:
    """Which finds are of one cluster: strongest first, each joins the group that holds enough of it.

    Parameters
    ----------
    members
        Sorted account codes of each find.
    strength
        Of each find; ties go by size and then by members.
    min_share
        Share of a find's members that a group must already hold.

    Returns
    -------
    list of lists
        Indices into ``members``; the first of each list is its strongest.
    """
    order = sorted(
        range(len(members)),
        key=lambda k: (-strength[k], -len(members[k]), tuple(members[k].tolist())),
    )
    groups: list[list[int]] = []
    groups_of: dict[int, set[int]] = {}
    for k in order:
        held: dict[int, int] = {}
        for account in members[k].tolist():
            for g in groups_of.get(account, ()):
                held[g] = held.get(g, 0) + 1
        best = max(held, key=lambda g: (held[g], -g), default=None)
        if best is None or held[best] < min_share * len(members[k]):
            groups.append([k])
            best = len(groups) - 1
        else:
            groups[best].append(k)
        for account in members[k].tolist():
            groups_of.setdefault(account, set()).add(best)
    return groups


def parts(acts: MemberActs, window_s: float, *, seed: int, min_size: int) -> list[IntArray]:
    """The separate parts of a group: two farms that discovery glued together are not one cluster.

    Members are joined by the number of objects on which they were together within the window. Leiden (CPM) at
    half the mean of that number over all pairs leaves a homogeneous group whole, however sparse, and divides
    one whose parts meet each other less than half as often as its members meet on average.
    """
    from graphscan.clusters.candidates import dense_groups
    from graphscan.clusters.weights import AccountGraph

    accounts, who = np.unique(acts.account, return_inverse=True)
    n = len(accounts)
    if n < 2 * min_size:
        return [accounts]
    order = np.lexsort((acts.ticks, acts.obj))
    layer = LayerEvents(
        who[order], acts.obj[order], acts.event[order], acts.ticks[order].astype(np.int64), n, acts.n_objects
    )
    keys = [
        np.minimum(who_i, who_j) * n + np.maximum(who_i, who_j)
        for i, j in pair_chunks(layer, int(window_ticks((window_s,))[0]))
        for who_i, who_j in ((layer.account[i], layer.account[j]),)
    ]
    if not keys:
        return []
    key, n_together = np.unique(np.concatenate(keys), return_counts=True)
    mean = float(n_together.sum()) / (n * (n - 1) / 2)
    graph = AccountGraph(key // n, key % n, n_together.astype(np.float64), n_together)
    groups = dense_groups(graph, (0.5 * mean,), seed=seed, min_size=min_size, prune=False)
    return [accounts[g] for g in groups]
