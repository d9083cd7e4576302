"""From a layer's incidence to tested clusters."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import NDArray

from graphscan.clusters.candidates import Candidate, dense_groups, distinct_candidates
from graphscan.clusters.incidence import Incidence
from graphscan.clusters.membership import Membership, membership, overlap_groups
from graphscan.clusters.significance import (
    MemberActs,
    SynchronyTest,
    benjamini_hochberg,
    member_acts,
    synchrony_test,
)
from graphscan.clusters.weights import excess_graph, incidence_graph, moment_graph
from graphscan.entropy import generator, mix64

IntArray = NDArray[np.int64]

_DAY_US = 86_400_000_000


@dataclass(frozen=True)
class DetectionSettings:
    """Parameters of the cluster stage; the defaults are those measured in the documentation.

    Parameters
    ----------
    windows_s
        Windows of the synchrony test, seconds.
    discovery_windows_s
        Windows of the cross-fit discovery, seconds.
    min_size
        Least number of members.
    resolution
        Leiden CPM resolution in units of ``ln A``.
    incidence_resolution
        A second, absolute resolution for the incidence graph.
    alpha
        Bound on q.
    min_effect_ratio, min_kappa
        The two effect floors. A p-value alone flags fans: with enough acts any habit in common is significant.
    min_objects
        Shared objects without which a candidate is untestable.
    min_log_arrangements
        Natural log of the distinct arrangements of delays without which it is untestable.
    max_pairs_per_object
        Cap of the discovery graphs.
    max_accounts_incidence
        Objects with more accounts say nothing about who belongs together.
    permutations
        Of the first look, of those that survive it (p <= .10), and of what would be flagged at z < 8.
    seed
        Of everything random.
    """

    windows_s: tuple[float, ...] = (60.0, 600.0, 3_600.0, 14_400.0, 43_200.0)
    discovery_windows_s: tuple[float, ...] = (60.0, 600.0, 3_600.0)
    min_size: int = 5
    resolution: float = 0.15
    incidence_resolution: float = 0.4
    alpha: float = 0.05
    min_effect_ratio: float = 1.15
    min_kappa: float = 0.20
    min_objects: int = 3
    min_log_arrangements: float = 9.0
    max_pairs_per_object: int = 2_000_000
    max_accounts_incidence: int = 200
    permutations: tuple[int, int, int] = (99, 499, 9_999)
    seed: int = 0


@dataclass(frozen=True)
class TestedCandidate:
    """A candidate, the acts it was tested on, and what came out."""

    candidate: Candidate
    n_objects: int
    testable: bool
    test: SynchronyTest | None
    q_value: float = float("nan")

    def found(self, settings: DetectionSettings) -> bool:
        """Whether q and both effect floors hold."""
        return (
            self.test is not None
            and self.q_value <= settings.alpha
            and self.test.effect_ratio >= settings.min_effect_ratio
            and self.test.kappa >= settings.min_kappa
        )


@dataclass(frozen=True)
class LayerCluster:
    """A cluster found in one layer."""

    layer: str
    best: int
    members: IntArray
    is_core: NDArray[np.bool_]
    test: SynchronyTest
    q_value: float
    tested: tuple[int, ...] = field(default=())


def object_folds(incidence: Incidence, seed: int) -> IntArray:
    """A random half (0 or 1) for each object, drawn from the times of day of the acts on it.

    Times of day make the draw independent of ids, of row order and of what else is in the data.
    """
    act = mix64((incidence.time_us % _DAY_US).astype(np.uint64))
    total = np.zeros(incidence.n_objects, np.uint64)
    np.add.at(total, incidence.obj, act)
    return (mix64(total ^ np.uint64(seed)) >> np.uint64(63)).astype(np.int64)


def layer_candidates(
    incidence: Incidence, folds: IntArray, settings: DetectionSettings, *, resolution_us: int = 1
) -> list[Candidate]:
    """Candidates of both sources: cross-fit on either half, and incidence alone."""
    if incidence.n_active < settings.min_size:
        return []
    log_a = float(np.log(max(incidence.n_active, 2)))
    found: list[Candidate] = []

    def leiden_seed(*name: int | str) -> int:
        return int(generator(settings.seed, "leiden", *name).integers(2**31))

    for fold in (0, 1):
        half = incidence.take(folds[incidence.obj] == fold)
        for window_s in settings.discovery_windows_s:
            window_us = round(window_s * 1e6)
            if window_us < resolution_us:
                continue
            graph = moment_graph(half, window_us, max_pairs_per_object=settings.max_pairs_per_object)
            groups = dense_groups(
                excess_graph(graph, incidence.n_accounts),
                settings.resolution * log_a,
                seed=leiden_seed(fold, round(window_s)),
                min_size=settings.min_size,
            )
            found.extend(Candidate(g, "crossfit", fold, window_s) for g in groups)
    limit = min(max(30, int(0.02 * incidence.n_active)), settings.max_accounts_incidence)
    shared = excess_graph(incidence_graph(incidence, max_accounts=limit), incidence.n_accounts)
    for resolution in (settings.incidence_resolution, settings.resolution * log_a):
        groups = dense_groups(
            shared, resolution, seed=leiden_seed("incidence"), min_size=settings.min_size
        )
        found.extend(Candidate(g, "incidence", -1, 0.0) for g in groups)
    return distinct_candidates(found)


def candidate_acts(
    incidence: Incidence, candidate: Candidate, folds: IntArray, *, conversation: bool
) -> MemberActs:
    """The acts a candidate is tested on: never those that found it."""
    objects = None if candidate.fold < 0 else folds != candidate.fold
    return member_acts(
        incidence, candidate.members, objects=objects, opened_by_members=not conversation
    )


def first_tests(
    incidence: Incidence,
    candidates: list[Candidate],
    folds: IntArray,
    settings: DetectionSettings,
    *,
    conversation: bool,
    resolution_us: int = 1,
    on_candidate: Callable[[int], None] | None = None,
) -> list[TestedCandidate]:
    """Each candidate tested once, without the correction for how many there are."""
    windows = tuple(w for w in settings.windows_s if w * 1e6 >= resolution_us)
    results = []
    for k, candidate in enumerate(candidates):
        acts = candidate_acts(incidence, candidate, folds, conversation=conversation)
        testable = (
            bool(windows)
            and acts.n_objects >= settings.min_objects
            and acts.log_arrangements >= settings.min_log_arrangements
        )
        test = None
        if testable:
            for n in settings.permutations[:2]:
                test = synchrony_test(acts, windows, seed=settings.seed, n_permutations=n)
                if test.p_value > 0.10:
                    break
        results.append(TestedCandidate(candidate, acts.n_objects, testable, test))
        if on_candidate is not None:
            on_candidate(k)
    return results


def with_q_values(tested: list[TestedCandidate]) -> list[TestedCandidate]:
    """Benjamini-Hochberg over the testable candidates; the others are listed and not counted."""
    index = [k for k, t in enumerate(tested) if t.test is not None]
    p = np.array([tested[k].test.p_value for k in index])  # type: ignore[union-attr]
    q = benjamini_hochberg(p)
    result = list(tested)
    for k, value in zip(index, q, strict=True):
        result[k] = replace(tested[k], q_value=float(value))
    return result


def confirmed(
    tested: list[TestedCandidate],
    acts_of: Callable[[TestedCandidate], MemberActs],
    settings: DetectionSettings,
    windows_s: tuple[float, ...],
) -> list[TestedCandidate]:
    """q-values, after what would be flagged at z < 8 has been tested again with many permutations."""
    tested = with_q_values(tested)
    n = settings.permutations[2]
    again = [
        k
        for k, t in enumerate(tested)
        if t.found(settings) and t.test is not None and t.test.z < 8 and t.test.n_permutations < n
    ]
    for k in again:
        test = synchrony_test(acts_of(tested[k]), windows_s, seed=settings.seed, n_permutations=n)
        tested[k] = replace(tested[k], test=test)
    return with_q_values(tested) if again else tested


def layer_clusters(
    layer: str,
    incidence: Incidence,
    tested: list[TestedCandidate],
    settings: DetectionSettings,
    *,
    conversation: bool,
) -> list[LayerCluster]:
    """Members and core of every found candidate, overlapping ones merged."""
    found = [k for k, t in enumerate(tested) if t.found(settings)]
    kept: list[tuple[int, Membership]] = []
    for k in found:
        belonging = settled_membership(
            incidence, tested[k].candidate.members, _test(tested[k]).window_s, settings, conversation=conversation
        )
        if len(belonging.members) >= settings.min_size:
            kept.append((k, belonging))
    groups = overlap_groups(
        [b.members for _, b in kept], [_test(tested[k]).kappa for k, _ in kept]
    )
    clusters = []
    for group in groups:
        best, belonging = kept[group[0]]
        if len(group) > 1:
            union = np.unique(np.concatenate([kept[g][1].members for g in group]))
            belonging = settled_membership(
                incidence, union, _test(tested[best]).window_s, settings, conversation=conversation
            )
        if len(belonging.members) < settings.min_size:
            continue
        q = min(tested[kept[g][0]].q_value for g in group)
        clusters.append(
            LayerCluster(
                layer,
                best,
                belonging.members,
                belonging.is_core,
                _test(tested[best]),
                q,
                tuple(kept[g][0] for g in group),
            )
        )
    return clusters


def _test(tested: TestedCandidate) -> SynchronyTest:
    assert tested.test is not None
    return tested.test


def settled_membership(
    incidence: Incidence,
    members: IntArray,
    window_s: float,
    settings: DetectionSettings,
    *,
    conversation: bool,
) -> Membership:
    """Membership judged on all data, twice: who leaves changes the company of who stays."""
    belonging = Membership(members, np.ones(len(members), bool))
    for _ in range(3):
        acts = member_acts(incidence, belonging.members, opened_by_members=not conversation)
        after = membership(acts, round(window_s * 1e6), seed=settings.seed)
        if len(after.members) == len(belonging.members):
            return after
        belonging = after
        if len(belonging.members) < settings.min_size:
            break
    return belonging
