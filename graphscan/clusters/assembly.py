"""From found candidates to clusters: fragments put together, glued groups taken apart, members settled."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from graphscan.clusters.detection import LayerProblem, TestedCandidate, tested_synchrony
from graphscan.clusters.guards import passing_test, stands_the_guards
from graphscan.clusters.membership import Membership, membership, overlap_groups, parts, shared_part
from graphscan.clusters.significance import SynchronyTest

IntArray = NDArray[np.int64]


@dataclass(frozen=True)
class LayerCluster:
    """A cluster found in one layer.

    Parameters
    ----------
    layer
        Name of the layer.
    members, is_core
        Sorted account codes, and which of them are core.
    candidate
        Number of the found candidate that is most like the cluster: its held-out test is the evidence. (A
        test of exactly these members would be none, since they were settled with the times in hand.)
    test, q_value
        That test, and its q.
    candidates
        Numbers of all candidates behind the cluster, the strongest first.
    """

    layer: str
    members: IntArray
    is_core: NDArray[np.bool_]
    candidate: int
    test: SynchronyTest
    q_value: float
    candidates: tuple[int, ...]


def layer_clusters(problem: LayerProblem, tested: Sequence[TestedCandidate]) -> list[LayerCluster]:
    """Clusters of one layer.

    Parameters
    ----------
    problem
        The layer.
    tested
        Candidates of all layers with q-values; only found ones of this layer are used.
    """
    found = [k for k, t in enumerate(tested) if t.layer == problem.layer and t.found(problem.settings)]
    # The amount of synchrony in excess puts a whole farm before its fragments.
    tests = {k: tested_synchrony(tested[k]) for k in found}
    amount = {k: test.statistic - test.null_mean for k, test in tests.items()}
    clusters: list[LayerCluster] = []
    left = found
    while left:
        # A group is judged at the window of its strongest find. A slower farm that was drawn into it is not
        # seen there, so what a round leaves uncovered goes through another.
        groups = overlap_groups([tested[k].candidate.members for k in left], [amount[k] for k in left])
        for group in groups:
            clusters.extend(_clusters_of_group(problem, tested, tuple(left[g] for g in group)))
        tried = {left[group[0]] for group in groups}
        left = [k for k in left if k not in tried and not _covered(tested[k].candidate.members, clusters)]
    return _without_copies(clusters)


def _covered(members: IntArray, clusters: Sequence[LayerCluster]) -> bool:
    return any(len(np.intersect1d(members, c.members)) >= 0.5 * len(members) for c in clusters)


def _clusters_of_group(
    problem: LayerProblem, tested: Sequence[TestedCandidate], ids: tuple[int, ...]
) -> list[LayerCluster]:
    """Clusters of the union of overlapping finds."""
    union = np.unique(np.concatenate([tested[k].candidate.members for k in ids]))
    strongest = tested_synchrony(tested[ids[0]])
    belonging = settled_membership(problem, union, strongest.window_s)
    if len(belonging.members) < problem.settings.min_size:
        return []
    clusters = []
    for members in parts(
        problem.acts(belonging.members),
        strongest.window_s,
        seed=problem.seed,
        min_size=problem.settings.min_size,
    ):
        settled = _settled_part(problem, members)
        if settled is not None:
            best = min(ids, key=lambda k: (-_likeness(tested[k], settled), tested[k].q_value, k))
            clusters.append(
                LayerCluster(
                    problem.layer,
                    settled.members,
                    settled.is_core,
                    best,
                    tested_synchrony(tested[best]),
                    tested[best].q_value,
                    ids,
                )
            )
    return clusters


def _likeness(tested: TestedCandidate, belonging: Membership) -> float:
    """Jaccard similarity of a candidate and a cluster."""
    common = len(np.intersect1d(tested.candidate.members, belonging.members, assume_unique=True))
    return common / (len(tested.candidate.members) + len(belonging.members) - common)


def _settled_part(problem: LayerProblem, members: IntArray) -> Membership | None:
    """A part's membership; None if on its own it is not in synchrony or misses a floor.

    This stops a quiet part from riding on a loud one; the guards stop common offsets that nobody ordered.
    """
    for _ in range(2):
        acts = problem.acts(members)
        test = passing_test(problem, acts)
        if test is None or not stands_the_guards(problem, acts, test):
            return None
        belonging = settled_membership(problem, members, test.window_s)
        # Under one operator everybody leads now and follows then. Where only a few follow, the others were
        # joined by them: a conversation, or a victim with its shadows.
        n_core = int(belonging.is_core.sum())
        if n_core < problem.settings.min_size or 2 * n_core < len(belonging.members):
            return None
        members = belonging.members
    return belonging


def _without_copies(clusters: Sequence[LayerCluster]) -> list[LayerCluster]:
    """Clusters of which no two overlap by half or more; the larger is kept."""
    kept: list[LayerCluster] = []
    for cluster in sorted(clusters, key=lambda c: (-len(c.members), tuple(c.members.tolist()))):
        if all(shared_part(cluster.members, other.members) < 0.5 for other in kept):
            kept.append(cluster)
    return kept


def settled_membership(problem: LayerProblem, members: IntArray, window_s: float) -> Membership:
    """Membership judged on all data and repeated: who leaves changes the company of who stays."""
    belonging = Membership(members, np.ones(len(members), bool))
    for _ in range(3):
        after = membership(problem.acts(belonging.members), window_s, seed=problem.seed)
        settled = len(after.members) == len(belonging.members)
        belonging = after
        if settled or len(belonging.members) < problem.settings.min_size:
            break
    return belonging
