"""Who of a candidate belongs to it, who is its core, and which clusters are one.

An account belongs by its own acts: it must keep company more than its own habits give. It is *core* only by
acts that come after another member's or with it. A victim whose every act is shadowed by bots keeps company
too, but never follows, so it can be a member by somebody else's doing and never core by it.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from graphscan.clusters.significance import MemberActs, permuted_delays
from graphscan.entropy import generator

IntArray = NDArray[np.int64]


@dataclass(frozen=True)
class Membership:
    """Members of a cluster: account codes, and which of them are core (boolean, same length)."""

    members: IntArray
    is_core: NDArray[np.bool_]


def company(
    acts: MemberActs, delays: IntArray, window_us: int
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Share of the other members on the object within the window of each act: around it, and before it.

    Parameters
    ----------
    acts
        The candidate's acts, m of them.
    delays
        Arrangements of the delays, shape ``(P, m)``.
    window_us
        Window in microseconds.

    Returns
    -------
    around, before
        Shape ``(P, m)``; ``before`` counts others that acted earlier or at the same instant.
    """
    P, m = delays.shape
    k = acts.n_objects
    size = np.bincount(acts.obj, minlength=k)
    line = (np.arange(P)[:, None] * k + acts.obj[None, :]).ravel()
    flat = delays.ravel()
    order = np.lexsort((flat, line))
    line, flat = line[order], flat[order]
    step = np.minimum(np.diff(flat), window_us + 1)
    step[line[1:] != line[:-1]] = window_us + 1
    clock = np.concatenate(([0], np.cumsum(step)))
    upto = np.searchsorted(clock, clock + window_us, side="right")
    since = np.searchsorted(clock, clock - window_us, side="left")
    same_instant = np.searchsorted(clock, clock, side="right")
    others = np.maximum(size[np.tile(acts.obj, P)[order]] - 1, 1)
    around, before = np.empty(P * m), np.empty(P * m)
    around[order] = (upto - since - 1) / others
    before[order] = (same_instant - since - 1) / others
    return around.reshape(P, m), before.reshape(P, m)


def membership(
    acts: MemberActs, window_us: int, *, seed: int, n_permutations: int = 99, min_objects: int = 2
) -> Membership:
    """Members that keep company more than their null mean plus one standard deviation, and the core."""
    accounts, who = np.unique(acts.account, return_inverse=True)
    none = Membership(np.empty(0, np.int64), np.empty(0, bool))
    if not len(accounts):
        return none
    rng = generator(seed, "membership", acts.key)
    real_around, real_before = company(acts, acts.delay_us[None, :], window_us)
    block = max(1, min(n_permutations, 2_000_000 // len(acts)))
    sums = np.zeros((2, 2, len(accounts)))
    done = 0
    while done < n_permutations:
        n = min(block, n_permutations - done)
        around, before = company(acts, permuted_delays(acts, n, rng), window_us)
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


def jaccard(x: IntArray, y: IntArray) -> float:
    """Jaccard similarity of two sorted sets of codes."""
    common = len(np.intersect1d(x, y, assume_unique=True))
    return common / max(len(x) + len(y) - common, 1)


def overlap_groups(
    members: list[IntArray], strength: list[float], *, min_jaccard: float = 0.5
) -> list[list[int]]:
    """Which clusters are one: strongest first, each joins the first stronger one it overlaps enough with.

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
    by_member: dict[int, set[int]] = {}
    for k in order:
        rivals = sorted({g for account in members[k].tolist() for g in by_member.get(account, ())})
        home = next(
            (g for g in rivals if jaccard(members[groups[g][0]], members[k]) >= min_jaccard), None
        )
        if home is None:
            groups.append([k])
            for account in members[k].tolist():
                by_member.setdefault(account, set()).add(len(groups) - 1)
        else:
            groups[home].append(k)
    return groups
