"""The cluster stage: layers in, tested clusters out, as arrays; and as a scikit-learn style estimator."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import NDArray

from graphscan.clusters.assembly import LayerCluster, layer_clusters
from graphscan.clusters.candidates import Candidate
from graphscan.clusters.detection import (
    LayerProblem,
    TestedCandidate,
    candidate_acts,
    confirmed,
    first_tests,
    layer_candidates,
    object_folds,
    tested_synchrony,
)
from graphscan.clusters.incidence import layer_incidence
from graphscan.clusters.membership import shared_part
from graphscan.clusters.significance import SynchronyTest
from graphscan.clusters.weak import weak_clusters, weak_tests
from graphscan.network.layers import EncodedEvents, Layer
from graphscan.settings import ClusterSettings

IntArray = NDArray[np.int64]
OnProgress = Callable[[str, int, int], None]


@dataclass(frozen=True)
class Cluster:
    """A found cluster, over all layers.

    Parameters
    ----------
    members, is_core
        Sorted account codes, and which of them are core in any layer.
    layers
        Layers in which the members act in synchrony, the one that found the cluster first.
    candidate
        Number of the candidate whose held-out test is the evidence of the first layer.
    test, q_value
        That test and its q.
    """

    members: IntArray
    is_core: NDArray[np.bool_]
    layers: tuple[str, ...]
    candidate: int
    test: SynchronyTest
    q_value: float


@dataclass(frozen=True)
class Detection:
    """Everything the cluster stage found out.

    Parameters
    ----------
    clusters
        Sorted by q, then size, then members.
    tested
        Every candidate, and every cluster's test in further layers.
    problems
        The detection problem of each layer, by name.
    capped
        ``(layer, object code, rows, kept)`` of thinned objects.
    """

    clusters: list[Cluster]
    tested: list[TestedCandidate]
    problems: Mapping[str, LayerProblem] = field(repr=False)
    capped: list[tuple[str, int, int, int]] = field(default_factory=list)


def detect_clusters(
    events: EncodedEvents,
    layers: Sequence[Layer],
    settings: ClusterSettings,
    *,
    seed: int = 0,
    on_progress: OnProgress | None = None,
) -> Detection:
    """Find and test clusters in every layer that has a valid synchrony null.

    Parameters
    ----------
    events
        Encoded events.
    layers
        Layers of these events. Those without births are not searched.
    settings, seed
        Of the cluster stage.
    on_progress
        Called with (what, done, total).
    """
    tell = on_progress or (lambda *_: None)
    problems: dict[str, LayerProblem] = {}
    folds: dict[str, IntArray] = {}
    tested: list[TestedCandidate] = []
    capped: list[tuple[str, int, int, int]] = []
    for layer in sorted(layers, key=lambda item: item.definition.name):
        name = layer.definition.name
        if layer.definition.birth == "none":
            continue
        tell(f"clusters: {name}", 0, 0)
        incidence = layer_incidence(layer, events, session_gap_s=settings.session_gap_s)
        problem = LayerProblem(
            name,
            incidence,
            layer.definition.is_conversation,
            layer.definition.birth == "session",
            settings,
            seed,
            events.resolution_us,
        )
        problems[name] = problem
        folds[name] = object_folds(problem)
        candidates, hot = layer_candidates(problem, folds[name])
        capped.extend((name, obj, *counts) for obj, counts in sorted(hot.items()))
        n_done = 0

        def one_done(name: str = name, total: int = len(candidates)) -> None:
            nonlocal n_done
            n_done += 1
            tell(f"testing: {name}", n_done, total)

        tested.extend(first_tests(problem, candidates, folds[name], one_done))
    tested = confirmed(
        tested,
        lambda t: candidate_acts(problems[t.layer], t.candidate, folds[t.layer]),
        lambda t: problems[t.layer],
        settings,
    )
    found: list[LayerCluster] = []
    for problem in problems.values():
        tell(f"assembling: {problem.layer}", 0, 0)
        found.extend(layer_clusters(problem, tested))
    if settings.weak:
        apart = {n: _members_of(found, n) for n in problems}
        weak = weak_tests(
            list(problems.values()), apart=apart, on_world=lambda *n: tell("weak layer: decoy worlds", *n)
        )
        for problem in problems.values():
            found.extend(weak_clusters(problem, weak, first_number=len(tested)))
        tested.extend(weak)
    clusters = []
    for cluster in merged_over_layers(found):
        support, further = supporting_layers(cluster, problems)
        tested.extend(further)
        clusters.append(replace(cluster, layers=(*cluster.layers, *support)))
    clusters.sort(key=lambda c: (c.q_value, -len(c.members), tuple(c.members.tolist())))
    return Detection(clusters, tested, problems, capped)


def _members_of(found: Sequence[LayerCluster], layer: str) -> IntArray:
    members = [c.members for c in found if c.layer == layer]
    return np.unique(np.concatenate(members)) if members else np.empty(0, np.int64)


def merged_over_layers(found: Sequence[LayerCluster]) -> list[Cluster]:
    """Clusters of different layers that hold half of each other's smaller are one."""
    order = sorted(found, key=lambda c: (c.q_value, -len(c.members), c.layer, tuple(c.members.tolist())))
    groups: list[list[LayerCluster]] = []
    for cluster in order:
        home = next(
            (
                g
                for g in groups
                if all(other.layer != cluster.layer for other in g)
                and shared_part(g[0].members, cluster.members) >= 0.5
            ),
            None,
        )
        if home is None:
            groups.append([cluster])
        else:
            home.append(cluster)
    merged = []
    for group in groups:
        members = np.unique(np.concatenate([c.members for c in group]))
        core = np.unique(np.concatenate([c.members[c.is_core] for c in group]))
        first = group[0]
        merged.append(
            Cluster(
                members,
                np.isin(members, core),
                tuple(c.layer for c in group),
                first.candidate,
                first.test,
                first.q_value,
            )
        )
    return merged


def supporting_layers(
    cluster: Cluster, problems: Mapping[str, LayerProblem]
) -> tuple[list[str], list[TestedCandidate]]:
    """Further layers in which the same members are in synchrony, and the tests that say so.

    The members are fixed, so each other layer is a fresh test; Bonferroni over the layers, p = 1 where an
    effect floor is missed.
    """
    others = [p for name, p in sorted(problems.items()) if name not in cluster.layers]
    results: list[TestedCandidate] = []
    for problem in others:
        settings = problem.settings
        acts = problem.acts(cluster.members)
        if (
            not problem.windows_s
            or acts.n_objects < settings.min_objects
            or acts.log_arrangements < settings.min_log_arrangements
        ):
            continue
        test = problem.test(acts, settings.permutations[2])
        candidate = Candidate(cluster.members, "support", -1, 0.0)
        results.append(TestedCandidate(problem.layer, candidate, acts.n_objects, test))
    corrected = []
    for result in results:
        test = tested_synchrony(result)
        settings = problems[result.layer].settings
        floors = test.effect_ratio >= settings.min_effect_ratio and test.kappa >= settings.min_kappa
        q = min(1.0, test.p_value * len(results)) if floors else 1.0
        corrected.append(replace(result, q_value=q))
    return [r.layer for r in corrected if r.found(problems[r.layer].settings)], corrected
