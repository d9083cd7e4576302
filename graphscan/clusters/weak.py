"""Farms that share few objects, found by their moments and judged against decoy worlds.

Where every member acts on a handful of a campaign's many objects, half of the data says too little and the
shared objects alone say nothing. So all of the data is used for discovery, and then there is nothing left to
test on: the best of many groups looks good in any data. Instead the whole step is run again on *decoy
worlds*, in which every account's own delays are permuted among objects of like size. A group is a
find only if it scores higher than the best group of every decoy world. That bounds its p-value by
``1 / (1 + n_decoys)``, over all groups of all layers together (a Monte Carlo test of the maximum:
Dwass, Annals of Mathematical Statistics 28:181-187, 1957; Westfall & Young 1993), and says no more than that.

Fans are quick in every decoy world too. They would set the bound for everybody, so a group is scored by what
it has beyond its mean in some further permuted worlds, which see neither discovery nor comparison.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Final

import numpy as np
from numpy.typing import NDArray

from graphscan.clusters.assembly import LayerCluster
from graphscan.clusters.candidates import Candidate, dense_groups
from graphscan.clusters.detection import LayerProblem, TestedCandidate, tested_synchrony
from graphscan.clusters.guards import passing_test, stands_the_guards
from graphscan.clusters.incidence import Incidence
from graphscan.clusters.membership import Membership, membership, shared_part
from graphscan.clusters.weights import AccountGraph, moment_graph
from graphscan.entropy import generator

IntArray = NDArray[np.int64]
FloatArray = NDArray[np.float64]

WINDOWS_S: Final = (60.0, 600.0)
N_DECOYS: Final = 20
N_REFERENCES: Final = 10
MAX_RESOLUTION: Final = 4.0
NAMING_COST: Final = 0.25

_LEAST_STRATUM: Final = 5
_MOST_STRATA: Final = 5
_LEAST_EXPECTED: Final = 1e-3


@dataclass(frozen=True)
class WorldGroups:
    """The groups of one world, layer and window.

    Parameters
    ----------
    members
        Sorted account codes of each of the k groups; the groups are disjoint.
    label
        Group of each account, -1 for none, shape ``(n_accounts,)``.
    observed
        Acts together with other members, shape ``(k,)``; see `acts_together`.
    expected
        The same under the configuration model.
    """

    members: list[IntArray]
    label: NDArray[np.int32]
    observed: FloatArray
    expected: FloatArray


def weak_tests(
    problems: Sequence[LayerProblem],
    *,
    apart: Mapping[str, IntArray] | None = None,
    on_world: Callable[[int, int], None] | None = None,
) -> list[TestedCandidate]:
    """Groups of all layers, each with the p-value that its score has among the decoy worlds.

    Parameters
    ----------
    problems
        The layers. They share the decoy worlds, so the bound holds for all of them together.
    apart
        By layer, account codes that a tested cluster holds already. Their acts take no part in discovery.
    on_world
        Called with (worlds done, worlds in all).

    Returns
    -------
    list
        ``p_value`` of each test and ``q_value`` are ``(1 + #{decoy worlds whose best score is as good}) /
        (1 + n_decoys)``, which is corrected for how many groups there are. Window and effect sizes are of
        the synchrony test of the group. (That test's own p-value would be too small: it would judge the
        group by the moments that it was picked for.)
    """
    if not problems:
        return []
    settings = problems[0].settings
    n_decoys = _number_of_decoys(settings.alpha)
    excess_of: list[tuple[LayerProblem, float, list[IntArray], FloatArray]] = []
    best_decoys = np.full(n_decoys, -np.inf)
    n_steps, n_done = len(problems) * (1 + n_decoys + N_REFERENCES), 0

    def one_done() -> None:
        nonlocal n_done
        n_done += 1
        if on_world is not None:
            on_world(n_done, n_steps)

    for problem in problems:
        reduced = _without(problem, (apart or {}).get(problem.layer))
        for window_s, worlds, scores in _scored_worlds(reduced, n_decoys, one_done):
            best = np.array([score.max(initial=0.0) for score in scores])
            # Layers and windows differ in what chance can reach. The median over the data and the decoys
            # treats all worlds alike, so taking it off leaves them exchangeable.
            level = float(np.median(best))
            best_decoys = np.maximum(best_decoys, best[1:] - level)
            excess_of.append((problem, window_s, worlds[0].members, scores[0] - level))
    results = []
    for problem, window_s, members, excess in excess_of:
        for group, value in zip(members, excess, strict=True):
            p_value = (1 + int((best_decoys >= value).sum())) / (1 + n_decoys)
            results.append(_judged(problem, Candidate(group, "weak", -1, window_s), p_value))
    return results


def weak_clusters(
    problem: LayerProblem, tests: Sequence[TestedCandidate], *, first_number: int = 0
) -> list[LayerCluster]:
    """Clusters of one layer from `weak_tests`: through the same floors and guards as any other.

    Of finds that overlap by half the one with the most synchrony is kept. Members are settled once: where
    each meets only few others, everyone who leaves takes the company of the next.

    Parameters
    ----------
    problem
        The layer.
    tests
        Of all layers.
    first_number
        Number of the first of ``tests`` among all candidates.
    """
    found = [k for k, t in enumerate(tests) if t.layer == problem.layer and t.found(problem.settings)]
    evidence = {k: tested_synchrony(tests[k]) for k in found}
    found.sort(key=lambda k: (evidence[k].null_mean - evidence[k].statistic, k))
    clusters: list[LayerCluster] = []
    for k in found:
        members = tests[k].candidate.members
        if any(shared_part(members, c.members) >= 0.5 for c in clusters):
            continue
        belonging = _settled(problem, members)
        if belonging is not None and all(shared_part(belonging.members, c.members) < 0.5 for c in clusters):
            number = first_number + k
            clusters.append(
                LayerCluster(
                    problem.layer,
                    belonging.members,
                    belonging.is_core,
                    number,
                    evidence[k],
                    tests[k].q_value,
                    (number,),
                )
            )
    return clusters


def _settled(problem: LayerProblem, members: IntArray) -> Membership | None:
    """The membership of a find; None where those who belong miss a floor, a guard or a core."""
    test = passing_test(problem, problem.acts(members))
    if test is None:
        return None
    belonging = membership(problem.acts(members), test.window_s, seed=problem.seed)
    n_core = int(belonging.is_core.sum())
    if n_core < problem.settings.min_size or 2 * n_core < len(belonging.members):
        return None
    acts = problem.acts(belonging.members)
    test = passing_test(problem, acts)
    return belonging if test is not None and stands_the_guards(problem, acts, test) else None


def _number_of_decoys(alpha: float) -> int:
    """At least 20, and as many as a p-value of ``alpha`` takes."""
    return max(N_DECOYS, min(int(np.ceil(1 / max(alpha, 1e-9))) - 1, 999))


def _without(problem: LayerProblem, accounts: IntArray | None) -> LayerProblem:
    if accounts is None or not len(accounts):
        return problem
    incidence = problem.incidence
    return replace(problem, incidence=incidence.take(~np.isin(incidence.account, accounts)))


def _judged(problem: LayerProblem, candidate: Candidate, p_value: float) -> TestedCandidate:
    settings = problem.settings
    acts = problem.acts(candidate.members)
    if (
        not problem.windows_s
        or acts.n_objects < settings.min_objects
        or acts.log_arrangements < settings.min_log_arrangements
    ):
        return TestedCandidate(problem.layer, candidate, acts.n_objects, None)
    # Effect sizes are means and need few permutations; those of a find are told, and get more.
    test = problem.test(acts, settings.permutations[2 if p_value <= settings.alpha else 0])
    return TestedCandidate(
        problem.layer, candidate, acts.n_objects, replace(test, p_value=p_value), q_value=p_value
    )


def _scored_worlds(
    problem: LayerProblem, n_decoys: int, one_done: Callable[[], None]
) -> list[tuple[float, list[WorldGroups], list[FloatArray]]]:
    """For each window the groups of the data and of each decoy world, in this order, and their scores."""
    n_active = problem.incidence.n_active
    windows_s = [w for w in WINDOWS_S if w * 1e6 >= problem.resolution_us]
    if not windows_s or n_active < problem.settings.min_size:
        return []
    worlds: dict[float, list[WorldGroups]] = {w: [] for w in windows_s}
    for number in range(1 + n_decoys):
        incidence = decoy_incidence(problem, number) if number else problem.incidence
        for window_s in windows_s:
            worlds[window_s].append(_world_groups(problem, incidence, window_s))
        one_done()
    # Few graphs are kept at a time: a world is drawn again rather than remembered.
    habit = {w: [np.zeros(len(world.members)) for world in worlds[w]] for w in windows_s}
    for number in range(n_decoys + 1, n_decoys + 1 + N_REFERENCES):
        incidence = decoy_incidence(problem, number)
        for window_s in windows_s:
            graph = _graph(problem, incidence, window_s)
            for world, total in zip(worlds[window_s], habit[window_s], strict=True):
                total += acts_together(graph, world.label, len(total), n_active) / N_REFERENCES
        one_done()
    return [
        (w, worlds[w], [group_scores(g, h, n_active) for g, h in zip(worlds[w], habit[w], strict=True)])
        for w in windows_s
    ]


def _graph(problem: LayerProblem, incidence: Incidence, window_s: float) -> AccountGraph:
    return moment_graph(
        incidence,
        round(window_s * 1e6),
        max_pairs_per_object=problem.settings.max_pairs_per_object,
        per_pair=True,
    )


def modularity_resolution(n_active: int) -> float:
    """Resolution of Leiden's modularity: A / 500, from 1 to 4.

    A group is divided where its share of all weight times the resolution nears one. At 4 a farm stays apart
    from its surroundings in a large layer; a small one, of which it is a good part, would see it in pieces.
    """
    return min(max(n_active / 500, 1.0), MAX_RESOLUTION)


def _world_groups(problem: LayerProblem, incidence: Incidence, window_s: float) -> WorldGroups:
    graph = _graph(problem, incidence, window_s)
    # One seed for all worlds: the data must not be treated differently from its decoys.
    seed = int(generator(problem.seed, "leiden", "weak", round(window_s)).integers(2**31))
    members = dense_groups(
        graph,
        (modularity_resolution(incidence.n_active),),
        seed=seed,
        min_size=problem.settings.min_size,
        objective="modularity",
    )
    label = np.full(incidence.n_accounts, -1, np.int32)
    for number, group in enumerate(members):
        label[group] = number
    observed = acts_together(graph, label, len(members), incidence.n_active)
    expected = _configuration(graph, label, len(members), incidence.n_active)
    return WorldGroups(members, label, observed, expected)


def acts_together(graph: AccountGraph, label: NDArray[np.int32], n_groups: int, n_active: int) -> FloatArray:
    """How many acts each group did in its own company, shape ``(n_groups,)``.

    An edge's weight sums ``ln(A / n_loc) / (n_loc - 1)`` over the moments of its accounts, so that an act is
    worth one partner however many there were. Divided by ln(A), the largest weight of a moment, the sum of a
    group's inner edges counts acts, crowded ones as less than one.
    """
    group = label[graph.a]
    inner = (group >= 0) & (group == label[graph.b])
    total = np.bincount(group[inner], graph.weight[inner], n_groups)[:n_groups]
    result: FloatArray = total / max(float(np.log(n_active)), 1.0)
    return result


def _configuration(graph: AccountGraph, label: NDArray[np.int32], n_groups: int, n_active: int) -> FloatArray:
    """Mean of `acts_together` where accounts of these strengths meet at random: sum of s_i s_j / 2m."""
    total = float(graph.weight.sum())
    if not total:
        return np.zeros(n_groups)
    n = len(label)
    strength = np.bincount(graph.a, graph.weight, n) + np.bincount(graph.b, graph.weight, n)
    inside = label >= 0
    of_group = np.bincount(label[inside], strength[inside], n_groups)
    squares = np.bincount(label[inside], strength[inside] ** 2, n_groups)
    result: FloatArray = (of_group**2 - squares) / (4 * total) / max(float(np.log(n_active)), 1.0)
    return result


def group_scores(world: WorldGroups, habit: FloatArray, n_active: int) -> FloatArray:
    """Score of each group in nats, shape ``(k,)``.

    ``O ln(O / E) - (O - E)``, the Poisson log-likelihood ratio of the acts together O against their
    expectation E (0 where O <= E), less ``0.25 n ln(A / n)``, a part of what it takes to name n of A
    accounts.

    Parameters
    ----------
    world
        The groups.
    habit
        Mean acts together of each group in the reference worlds. E is the larger of it and the configuration
        model's mean: a group must be beyond its members' habits and beyond their activity.
    n_active
        A.
    """
    size = np.array([len(group) for group in world.members], float)
    expected = np.maximum(np.maximum(world.expected, habit), _LEAST_EXPECTED)
    observed = np.maximum(world.observed, expected)
    ratio = observed * np.log(observed / expected) - (observed - expected)
    result: FloatArray = ratio - NAMING_COST * size * np.log(np.maximum(n_active / np.maximum(size, 1), 1))
    return result


def decoy_incidence(problem: LayerProblem, number: int) -> Incidence:
    """The layer with every account's own delays permuted among objects of like size.

    Parameters
    ----------
    problem
        The layer. Births, objects and who acts on what stay.
    number
        Number of the world: it seeds the permutation.
    """
    incidence = problem.incidence
    stratum = _strata(incidence, problem.has_sessions)
    # One order whatever order the rows came in.
    rows = np.lexsort((incidence.time_us, stratum))
    key = generator(problem.seed, "decoy", number).random(len(rows))
    shuffled = np.lexsort((key, stratum[rows]))
    delay_us = np.empty_like(incidence.delay_us)
    delay_us[rows] = incidence.delay_us[rows[shuffled]]
    time_us = incidence.time_us - incidence.delay_us + delay_us
    order = np.lexsort((incidence.account, time_us, incidence.obj))
    moved = replace(incidence, time_us=time_us, delay_us=delay_us)
    return moved.take(order)


def _strata(incidence: Incidence, has_sessions: bool) -> IntArray:
    """Sets of acts whose delays are exchangeable: an account's, on objects of like size or length.

    Fixed size classes would leave an account of five acts with one or two in each: nothing to permute, and
    the decoy would be the farm itself. So an account's acts are ranked and cut into at most five equal strata
    of at least five.
    """
    extent = incidence.span_us if has_sessions else incidence.accounts_on_object
    rows = np.lexsort((incidence.time_us, extent[incidence.obj], incidence.account))
    account = incidence.account[rows]
    n = np.bincount(account, minlength=incidence.n_accounts)
    rank = np.arange(len(rows)) - (np.cumsum(n) - n)[account]
    n_strata = np.clip(n // _LEAST_STRATUM, 1, _MOST_STRATA)[account]
    stratum = np.empty(len(rows), np.int64)
    stratum[rows] = account * _MOST_STRATA + rank * n_strata // n[account]
    return stratum
