"""From a layer's incidence to tested clusters."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import NDArray

from graphscan.clusters.candidates import Candidate, dense_groups, distinct_candidates
from graphscan.clusters.incidence import Incidence
from graphscan.clusters.membership import Membership, membership, overlap_groups, parts, shared_part
from graphscan.clusters.significance import (
    MemberActs,
    SynchronyTest,
    benjamini_hochberg,
    member_acts,
    sampled_acts,
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
    resolutions
        Leiden CPM resolutions in units of ``ln A``. A coarse one finds loose farms and glues tight ones to
        their surroundings, a fine one the other way round; overlapping finds are merged afterwards.
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
        Of the first look, of those that survive it (p <= .25), of those that survive that (p <= .10) and of
        what would be flagged at z < 8.
    max_acts
        A candidate with more acts is tested on a sample of its objects.
    seed
        Of everything random.
    """

    windows_s: tuple[float, ...] = (60.0, 600.0, 3_600.0, 14_400.0, 43_200.0)
    discovery_windows_s: tuple[float, ...] = (60.0, 600.0, 3_600.0)
    min_size: int = 5
    resolutions: tuple[float, ...] = (0.15, 0.3, 0.6, 1.2)
    incidence_resolution: float = 0.4
    alpha: float = 0.05
    min_effect_ratio: float = 1.15
    min_kappa: float = 0.20
    min_objects: int = 3
    min_log_arrangements: float = 9.0
    max_pairs_per_object: int = 2_000_000
    max_accounts_incidence: int = 200
    permutations: tuple[int, int, int, int] = (19, 99, 499, 9_999)
    max_acts: int = 5_000
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
            graph = excess_graph(graph, incidence.n_accounts)
            groups = dense_groups(
                graph,
                [r * log_a for r in settings.resolutions],
                seed=leiden_seed(fold, round(window_s)),
                min_size=settings.min_size,
            )
            found.extend(Candidate(g, "crossfit", fold, window_s) for g in groups)
    limit = min(max(30, int(0.02 * incidence.n_active)), settings.max_accounts_incidence)
    shared = excess_graph(incidence_graph(incidence, max_accounts=limit), incidence.n_accounts)
    groups = dense_groups(
        shared,
        [settings.incidence_resolution, *(r * log_a for r in settings.resolutions)],
        seed=leiden_seed("incidence"),
        min_size=settings.min_size,
    )
    found.extend(Candidate(g, "incidence", -1, 0.0) for g in groups)
    return distinct_candidates(found)


def candidate_acts(
    incidence: Incidence, candidate: Candidate, folds: IntArray, *, conversation: bool, max_acts: int
) -> MemberActs:
    """The acts a candidate is tested on: never those that found it."""
    objects = None if candidate.fold < 0 else folds != candidate.fold
    acts = member_acts(incidence, candidate.members, objects=objects, opened_by_members=not conversation)
    return sampled_acts(acts, max_acts)


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
        acts = candidate_acts(
            incidence, candidate, folds, conversation=conversation, max_acts=settings.max_acts
        )
        testable = (
            bool(windows)
            and acts.n_objects >= settings.min_objects
            and acts.log_arrangements >= settings.min_log_arrangements
        )
        test = None
        if testable:
            test = _looked_at(acts, windows, settings)
        results.append(TestedCandidate(candidate, acts.n_objects, testable, test))
        if on_candidate is not None:
            on_candidate(k)
    return results


def _looked_at(acts: MemberActs, windows_s: tuple[float, ...], settings: DetectionSettings) -> SynchronyTest:
    """A test with as many permutations as the candidate deserves.

    Most candidates are nothing and show it soon. One that is far out, or cannot come near the effect floors
    whatever its p-value, needs no finer look.
    """
    first, second, third, _ = settings.permutations
    test = synchrony_test(acts, windows_s, seed=settings.seed, n_permutations=first)
    hopeless = test.max_kappa < 0.7 * settings.min_kappa or test.max_effect_ratio < 1.08
    if test.p_value > 0.25 or hopeless:
        return test
    test = synchrony_test(acts, windows_s, seed=settings.seed, n_permutations=second)
    if test.p_value > 0.10 or test.z > 12:
        return test
    return synchrony_test(acts, windows_s, seed=settings.seed, n_permutations=third)


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
    flagged = [k for k, t in enumerate(tested) if t.found(settings)]
    again = [k for k in flagged if _test(tested[k]).z < 8]
    if not again:
        return tested
    # The exact p-value must be able to pass with room: the largest flagged p is the bound it has to meet.
    bound = max(_test(tested[k]).p_value for k in flagged)
    n = int(min(settings.permutations[3], max(999, 20 / bound)))
    for k in again:
        test = synchrony_test(acts_of(tested[k]), windows_s, seed=settings.seed, n_permutations=n)
        tested[k] = replace(tested[k], test=replace(test, p_value=max(test.p_value, 1 / (n + 1))))
    return with_q_values(tested)


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
    # The amount of synchrony in excess puts a whole farm before its fragments.
    amount = {k: _test(tested[k]).statistic - _test(tested[k]).null_mean for k in found}
    clusters: list[LayerCluster] = []
    left = found
    while left:
        # A group is judged at the window of its strongest find. A slower farm that was drawn into it is not
        # seen there, so what a round leaves uncovered goes through another.
        groups = overlap_groups([tested[k].candidate.members for k in left], [amount[k] for k in left])
        for group in groups:
            ids = tuple(left[g] for g in group)
            clusters.extend(_clusters_of_group(layer, incidence, tested, ids, settings, conversation))
        tried = {left[group[0]] for group in groups}
        left = [k for k in left if k not in tried and not _covered(tested[k].candidate.members, clusters)]
    return _without_copies(clusters)


def _covered(members: IntArray, clusters: list[LayerCluster]) -> bool:
    return any(len(np.intersect1d(members, c.members)) >= 0.5 * len(members) for c in clusters)


def _clusters_of_group(
    layer: str,
    incidence: Incidence,
    tested: list[TestedCandidate],
    ids: tuple[int, ...],
    settings: DetectionSettings,
    conversation: bool,
) -> list[LayerCluster]:
    """Clusters of the union of overlapping finds."""
    union = np.unique(np.concatenate([tested[k].candidate.members for k in ids]))
    window_s = _test(tested[ids[0]]).window_s
    q = min(tested[k].q_value for k in ids)
    clusters = []
    for members in _separate_parts(incidence, union, window_s, settings, conversation=conversation):
        checked = _checked_part(incidence, members, settings, conversation=conversation)
        if checked is not None:
            belonging, test = checked
            clusters.append(LayerCluster(layer, ids[0], belonging.members, belonging.is_core, test, q, ids))
    return clusters


def _separate_parts(
    incidence: Incidence,
    members: IntArray,
    window_s: float,
    settings: DetectionSettings,
    *,
    conversation: bool,
) -> list[IntArray]:
    belonging = settled_membership(incidence, members, window_s, settings, conversation=conversation)
    if len(belonging.members) < settings.min_size:
        return []
    acts = member_acts(incidence, belonging.members, opened_by_members=not conversation)
    return parts(acts, window_s, seed=settings.seed, min_size=settings.min_size)


def _checked_part(
    incidence: Incidence, members: IntArray, settings: DetectionSettings, *, conversation: bool
) -> tuple[Membership, SynchronyTest] | None:
    """A part's membership and its own synchrony; None if on its own it misses a floor.

    The part was chosen with the times in hand, so this p-value is no evidence. It only stops a quiet part
    from riding on a loud one; the evidence is the held-out test of the candidate.
    """
    for _ in range(2):
        acts = sampled_acts(
            member_acts(incidence, members, opened_by_members=not conversation), settings.max_acts
        )
        if acts.n_objects < 2:
            return None
        test = synchrony_test(acts, settings.windows_s, seed=settings.seed, n_permutations=99)
        if (
            test.p_value > settings.alpha
            or test.effect_ratio < settings.min_effect_ratio
            or test.kappa < settings.min_kappa
        ):
            return None
        belonging = settled_membership(incidence, members, test.window_s, settings, conversation=conversation)
        if len(belonging.members) < settings.min_size:
            return None
        members = belonging.members
    return belonging, test


def _without_copies(clusters: list[LayerCluster]) -> list[LayerCluster]:
    """Clusters of which no two overlap by half or more; the larger is kept."""
    kept: list[LayerCluster] = []
    for cluster in sorted(clusters, key=lambda c: (-len(c.members), tuple(c.members.tolist()))):
        if all(shared_part(cluster.members, other.members) < 0.5 for other in kept):
            kept.append(cluster)
    return kept


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
        after = membership(sampled_acts(acts, settings.max_acts), window_s, seed=settings.seed)
        if len(after.members) == len(belonging.members):
            return after
        belonging = after
        if len(belonging.members) < settings.min_size:
            break
    return belonging
