"""From a layer's incidence to tested candidates.

Every candidate is tested once, on what did not find it: one found on a half of the objects is tested on the
other half, one found by shared objects alone is tested on the times. All candidates of all layers are one
family for the correction.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from graphscan.clusters.candidates import Candidate, dense_groups, distinct_candidates
from graphscan.clusters.incidence import Incidence
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
from graphscan.settings import ClusterSettings

IntArray = NDArray[np.int64]

_DAY_US = 86_400_000_000


@dataclass(frozen=True)
class LayerProblem:
    """One layer's detection problem.

    Parameters
    ----------
    layer
        Its name.
    incidence
        First acts with delays.
    is_conversation
        Whether objects that members opened are left out of their test.
    has_sessions
        Whether objects are sessions, whose length bounds the delays.
    settings, seed
        Of the cluster stage.
    resolution_us
        Time resolution of the source; shorter windows are not used.
    """

    layer: str
    incidence: Incidence
    is_conversation: bool
    has_sessions: bool
    settings: ClusterSettings
    seed: int
    resolution_us: int = 1

    @property
    def windows_s(self) -> tuple[float, ...]:
        """Test windows that the source can resolve."""
        return tuple(w for w in self.settings.windows_s if w * 1e6 >= self.resolution_us)

    def acts(self, members: IntArray, objects: NDArray[np.bool_] | None = None) -> MemberActs:
        """Acts of a group that its test may use, sampled if there are very many."""
        acts = member_acts(
            self.incidence,
            members,
            objects=objects,
            opened_by_members=not self.is_conversation,
        )
        return sampled_acts(acts, self.settings.max_acts)

    def test(self, acts: MemberActs, n_permutations: int) -> SynchronyTest:
        """The synchrony test with this problem's windows, seed and floors."""
        return synchrony_test(
            acts,
            self.windows_s,
            seed=self.seed,
            n_permutations=n_permutations,
            floors=(self.settings.min_effect_ratio, self.settings.min_kappa),
        )


@dataclass(frozen=True)
class TestedCandidate:
    """A candidate and what came out of its test (None where it was untestable)."""

    layer: str
    candidate: Candidate
    n_objects: int
    test: SynchronyTest | None
    q_value: float = float("nan")

    def found(self, settings: ClusterSettings) -> bool:
        """Whether q and both effect floors hold."""
        return (
            self.test is not None
            and self.q_value <= settings.alpha
            and self.test.effect_ratio >= settings.min_effect_ratio
            and self.test.kappa >= settings.min_kappa
        )


def object_folds(problem: LayerProblem) -> IntArray:
    """A random half (0 or 1) for each object, drawn from the times of day of the acts on it.

    Times of day make the draw independent of ids, of row order and of what else is in the data.
    """
    incidence = problem.incidence
    total = np.zeros(incidence.n_objects, np.uint64)
    np.add.at(total, incidence.obj, mix64((incidence.time_us % _DAY_US).astype(np.uint64)))
    return (mix64(total ^ np.uint64(problem.seed)) >> np.uint64(63)).astype(np.int64)


def layer_candidates(
    problem: LayerProblem, folds: IntArray
) -> tuple[list[Candidate], dict[int, tuple[int, int]]]:
    """Candidates of both sources, and the objects that were capped on the way: ``{object: (rows, kept)}``."""
    incidence, settings = problem.incidence, problem.settings
    capped: dict[int, tuple[int, int]] = {}
    if incidence.n_active < settings.min_size:
        return [], capped
    log_a = float(np.log(incidence.n_active))
    resolutions = [r * log_a for r in settings.resolutions]
    found: list[Candidate] = []

    def groups_of(graph_name: str, fold: int, window_s: float) -> list[IntArray]:
        seed = int(generator(problem.seed, "leiden", graph_name, fold, round(window_s)).integers(2**31))
        return dense_groups(graph, resolutions, seed=seed, min_size=settings.min_size)

    for fold in (0, 1):
        half = incidence.take(folds[incidence.obj] == fold)
        for window_s in settings.discovery_windows_s:
            window_us = round(window_s * 1e6)
            if window_us < problem.resolution_us:
                continue
            graph = moment_graph(half, window_us, max_pairs_per_object=settings.max_pairs_per_object)
            for obj, n_rows, n_kept in graph.capped:
                capped[obj] = (n_rows, min(n_kept, capped.get(obj, (0, n_kept))[1]))
            graph = excess_graph(graph, incidence.n_accounts)
            found.extend(
                Candidate(g, "crossfit", fold, window_s) for g in groups_of("crossfit", fold, window_s)
            )
    limit = min(max(30, int(0.02 * incidence.n_active)), settings.max_accounts_incidence)
    graph = excess_graph(incidence_graph(incidence, max_accounts=limit), incidence.n_accounts)
    resolutions = [settings.incidence_resolution, *resolutions]
    found.extend(Candidate(g, "incidence", -1, 0.0) for g in groups_of("incidence", -1, 0.0))
    return distinct_candidates(found), capped


def candidate_acts(problem: LayerProblem, candidate: Candidate, folds: IntArray) -> MemberActs:
    """The acts a candidate is tested on: never those that found it."""
    return problem.acts(candidate.members, None if candidate.fold < 0 else folds != candidate.fold)


def first_tests(
    problem: LayerProblem,
    candidates: Sequence[Candidate],
    folds: IntArray,
    on_candidate: Callable[[], None] | None = None,
) -> list[TestedCandidate]:
    """Each candidate tested once, before the correction for how many there are."""
    settings = problem.settings
    results = []
    for candidate in candidates:
        acts = candidate_acts(problem, candidate, folds)
        testable = (
            bool(problem.windows_s)
            and acts.n_objects >= settings.min_objects
            and acts.log_arrangements >= settings.min_log_arrangements
        )
        test = _looked_at(acts, problem) if testable else None
        results.append(TestedCandidate(problem.layer, candidate, acts.n_objects, test))
        if on_candidate is not None:
            on_candidate()
    return results


def _looked_at(acts: MemberActs, problem: LayerProblem) -> SynchronyTest:
    """A test with as many permutations as the candidate deserves.

    Most candidates are nothing and show it soon. One that is far out, or cannot come near the effect floors
    whatever its p-value, needs no finer look.
    """
    settings = problem.settings
    first, second, third, _ = settings.permutations
    test = problem.test(acts, first)
    hopeless = test.max_kappa < 0.7 * settings.min_kappa or test.max_effect_ratio < 1.08
    if test.p_value > 0.25 or hopeless:
        return test
    test = problem.test(acts, second)
    if test.p_value > 0.10 or test.z > 12:
        return test
    return problem.test(acts, third)


def with_q_values(tested: Sequence[TestedCandidate]) -> list[TestedCandidate]:
    """Benjamini-Hochberg over the testable candidates; the others are listed and not counted."""
    result = list(tested)
    index = [k for k, t in enumerate(result) if t.test is not None]
    q_values = benjamini_hochberg(np.array([tested_synchrony(result[k]).p_value for k in index]))
    for k, q in zip(index, q_values, strict=True):
        result[k] = replace(result[k], q_value=float(q))
    return result


def confirmed(
    tested: Sequence[TestedCandidate],
    acts_of: Callable[[TestedCandidate], MemberActs],
    problem_of: Callable[[TestedCandidate], LayerProblem],
    settings: ClusterSettings,
) -> list[TestedCandidate]:
    """q-values, after what would be flagged at z < 8 was tested again with many permutations.

    A tail fitted to a few hundred permutations can be fifty times too small. The new p-value is the exact one
    and never smaller than its resolution.
    """
    result = with_q_values(tested)
    flagged = [k for k, t in enumerate(result) if t.found(settings)]
    again = [k for k in flagged if tested_synchrony(result[k]).z < 8]
    if not again:
        return result
    # The exact p-value must be able to pass with room: the largest flagged p is the bound it has to meet.
    bound = max(tested_synchrony(result[k]).p_value for k in flagged)
    n = int(min(settings.permutations[3], max(999, 20 / bound)))
    for k in again:
        test = problem_of(result[k]).test(acts_of(result[k]), n)
        result[k] = replace(result[k], test=replace(test, p_value=max(test.p_value, 1 / (n + 1))))
    return with_q_values(result)


def tested_synchrony(tested: TestedCandidate) -> SynchronyTest:
    """The test of a candidate that was testable."""
    if tested.test is None:
        raise ValueError("an untestable candidate has no test")
    return tested.test
