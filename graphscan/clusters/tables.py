"""The cluster stage as tables: clusters, their tests, their members, and the events behind them."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from graphscan.clusters.configuration import Configuration, fitted_configuration, incidence_p_value
from graphscan.clusters.digital_dna import action_strings
from graphscan.clusters.explanations import best_match, explanation_context, explanations
from graphscan.clusters.incidence import layer_incidence
from graphscan.clusters.membership import company
from graphscan.clusters.significance import MemberActs, window_ticks
from graphscan.clusters.stage import Cluster, Detection
from graphscan.clusters.synchrony import PANEL, synchrony_panel
from graphscan.clusters.weights import edge_excess
from graphscan.network.layers import EncodedEvents, Layer
from graphscan.network.table import EDGE_SCHEMA

IntArray = NDArray[np.int64]

_AT: Final = pa.timestamp("us", "UTC")

CLUSTER_SCHEMA: Final = pa.schema(
    [
        ("cluster_id", pa.string()),
        ("size", pa.int64()),
        ("core_size", pa.int64()),
        ("p_time", pa.float64()),
        ("q_time", pa.float64()),
        ("p_incidence", pa.float64()),
        ("effect_ratio", pa.float64()),
        ("kappa", pa.float64()),
        ("window_s", pa.float64()),
        ("layers", pa.string()),
        ("n_objects", pa.int64()),
        *((name, pa.float64()) for metric in PANEL for name in (metric.name, f"{metric.name}_z")),
        ("first_at", _AT),
        ("last_at", _AT),
        ("tier_counts", pa.string()),
        ("benign_match", pa.string()),
    ]
)
TEST_SCHEMA: Final = pa.schema(
    [
        ("candidate_id", pa.string()),
        ("layer", pa.string()),
        ("source", pa.string()),
        ("size", pa.int64()),
        ("n_objects", pa.int64()),
        ("window_s", pa.float64()),
        ("statistic", pa.float64()),
        ("null_mean", pa.float64()),
        ("null_sd", pa.float64()),
        ("effect_ratio", pa.float64()),
        ("kappa", pa.float64()),
        ("p_time", pa.float64()),
        ("q_time", pa.float64()),
        ("p_incidence", pa.float64()),
        ("testable", pa.bool_()),
        ("found", pa.bool_()),
    ]
)
MEMBER_SCHEMA: Final = pa.schema(
    [("cluster_id", pa.string()), ("account_id", pa.string()), ("in_core", pa.bool_())]
)
EVIDENCE_SCHEMA: Final = pa.schema(
    [
        ("cluster_id", pa.string()),
        ("account_id", pa.string()),
        ("event_id", pa.string()),
        ("object_id", pa.string()),
        ("layer", pa.string()),
        ("at", _AT),
        ("lag_s", pa.float64()),
        ("reason", pa.string()),
    ]
)
EXPLANATION_SCHEMA: Final = pa.schema(
    [
        ("cluster_id", pa.string()),
        ("explanation", pa.string()),
        ("fits", pa.bool_()),
        ("score", pa.float64()),
        ("detail", pa.string()),
    ]
)


SWEEP_EDGE_SCHEMA: Final = EDGE_SCHEMA.append(pa.field("excess", pa.float64()))


@dataclass(frozen=True)
class ClusterTables:
    """Tables of the cluster stage, each in canonical order."""

    clusters: pa.Table
    tests: pa.Table
    members: pa.Table
    evidence: pa.Table
    explanations: pa.Table


def cluster_tables(detection: Detection, events: EncodedEvents, *, seed: int) -> ClusterTables:
    """All tables of a detection.

    Parameters
    ----------
    detection
        Of `graphscan.clusters.stage.detect_clusters`.
    events
        The events it ran on.
    seed
        Of the panel's permutations.
    """
    ids = cluster_ids(detection.clusters, events)
    models = {
        name: fitted_configuration(problem.incidence)
        for name, problem in detection.problems.items()
        if len(problem.incidence)
    }
    clusters: list[dict[str, Any]] = []
    members: list[dict[str, Any]] = []
    tried: list[dict[str, Any]] = []
    evidence: list[pa.Table] = []
    for cluster_id, cluster in zip(ids, detection.clusters, strict=True):
        row, why = _cluster_row(cluster_id, cluster, detection, events, models, seed)
        clusters.append(row)
        tried.extend({"cluster_id": cluster_id, **each} for each in why)
        accounts = events.account_ids.take(pa.array(cluster.members)).to_pylist()
        members.extend(
            {"cluster_id": cluster_id, "account_id": account, "in_core": bool(core)}
            for account, core in zip(accounts, cluster.is_core, strict=True)
        )
        evidence.append(_evidence(cluster_id, cluster, detection, events))
    return ClusterTables(
        pa.Table.from_pylist(clusters, CLUSTER_SCHEMA),
        _tests(detection, models),
        pa.Table.from_pylist(members, MEMBER_SCHEMA),
        pa.concat_tables(evidence) if evidence else EVIDENCE_SCHEMA.empty_table(),
        pa.Table.from_pylist(tried, EXPLANATION_SCHEMA),
    )


def edges_with_excess(
    edges: pa.Table, layers: Sequence[Layer], events: EncodedEvents, *, max_pairs_per_object: int
) -> pa.Table:
    """The edges with how much each is above what two accounts so active share anyway."""
    tables = []
    for layer in layers:
        part = edges.filter(pc.equal(edges["layer"], layer.definition.name))
        if not part.num_rows:
            continue
        a, b = (
            pc.index_in(part[name], value_set=events.account_ids).to_numpy().astype(np.int64)
            for name in ("account_a", "account_b")
        )
        excess = edge_excess(
            layer_incidence(layer, events),
            a,
            b,
            round(part["window_s"][0].as_py() * 1e6),
            max_pairs_per_object=max_pairs_per_object,
        )
        tables.append(part.append_column("excess", pa.array(excess, from_pandas=True)))
    return pa.concat_tables(tables).cast(SWEEP_EDGE_SCHEMA) if tables else SWEEP_EDGE_SCHEMA.empty_table()


def cluster_ids(clusters: Sequence[Cluster], events: EncodedEvents) -> list[str]:
    """A name for each cluster that comes from its members alone."""
    names = []
    for cluster in clusters:
        accounts = events.account_ids.take(pa.array(cluster.members)).to_pylist()
        packed = b"".join(len(a.encode()).to_bytes(4, "big") + a.encode() for a in accounts)
        names.append("c-" + hashlib.sha256(packed).hexdigest()[:12])
    return names


def _cluster_row(
    cluster_id: str,
    cluster: Cluster,
    detection: Detection,
    events: EncodedEvents,
    models: dict[str, Configuration],
    seed: int,
) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    layer = cluster.layers[0]
    problem = detection.problems[layer]
    acts = problem.acts(cluster.members)
    panel = synchrony_panel(
        acts,
        problem.incidence,
        window_s=cluster.test.window_s,
        member_action_strings=action_strings(events, cluster.members),
        seed=seed,
        model=models[layer],
    )
    tried = explanations(
        explanation_context(
            cluster.members,
            problem.incidence,
            events,
            layers=cluster.layers,
            window_s=cluster.test.window_s,
        )
    )
    times = [detection.problems[name].acts(cluster.members).time_us for name in cluster.layers]
    all_times = np.concatenate(times)
    row: dict[str, Any] = {
        "cluster_id": cluster_id,
        "size": len(cluster.members),
        "core_size": int(cluster.is_core.sum()),
        "p_time": cluster.test.p_value,
        "q_time": cluster.q_value,
        "p_incidence": incidence_p_value(problem.incidence, cluster.members, models[layer]),
        "effect_ratio": cluster.test.effect_ratio,
        "kappa": cluster.test.kappa,
        "window_s": cluster.test.window_s,
        "layers": json.dumps(list(cluster.layers)),
        "n_objects": acts.n_objects,
        "first_at": int(all_times.min()),
        "last_at": int(all_times.max()),
        "tier_counts": "{}",
        "benign_match": best_match(tried),
    }
    for metric in PANEL:
        value, z = panel[metric.name]
        row[metric.name] = None if np.isnan(value) else float(value)
        row[f"{metric.name}_z"] = None if np.isnan(z) else float(z)
    why = [
        {"explanation": e.id, "fits": bool(e.fits), "score": float(e.score), "detail": e.detail}
        for e in tried
    ]
    return row, why


def _tests(detection: Detection, models: dict[str, Configuration]) -> pa.Table:
    rows = []
    for number, tested in enumerate(detection.tested):
        problem = detection.problems[tested.layer]
        test = tested.test
        rows.append(
            {
                "candidate_id": f"{tested.layer}-{number:06d}",
                "layer": tested.layer,
                "source": tested.candidate.source,
                "size": len(tested.candidate.members),
                "n_objects": tested.n_objects,
                "window_s": None if test is None else test.window_s,
                "statistic": None if test is None else test.statistic,
                "null_mean": None if test is None else test.null_mean,
                "null_sd": None if test is None else test.null_sd,
                "effect_ratio": None if test is None else test.effect_ratio,
                "kappa": None if test is None else test.kappa,
                "p_time": None if test is None else test.p_value,
                "q_time": None if test is None else tested.q_value,
                "p_incidence": (
                    incidence_p_value(problem.incidence, tested.candidate.members, models[tested.layer])
                    if tested.found(problem.settings)
                    else None
                ),
                "testable": test is not None,
                "found": tested.found(problem.settings),
            }
        )
    return pa.Table.from_pylist(rows, TEST_SCHEMA)


def _evidence(cluster_id: str, cluster: Cluster, detection: Detection, events: EncodedEvents) -> pa.Table:
    """Acts of members that another member accompanied within the window, in every layer of the cluster."""
    tables = []
    for layer in cluster.layers:
        problem = detection.problems[layer]
        acts = problem.acts(cluster.members)
        if not len(acts):
            continue
        around, _ = company(acts, acts.ticks[None, :], int(window_ticks((cluster.test.window_s,))[0]))
        lag_us = nearest_lag_us(acts)
        rows = np.flatnonzero((around[0] > 0) & np.isin(acts.account, cluster.members))
        rows = rows[np.lexsort((acts.event[rows], acts.account[rows]))]
        event = acts.event[rows]
        tables.append(
            pa.table(
                [
                    pa.repeat(pa.scalar(cluster_id), len(rows)),
                    events.account_ids.take(pa.array(acts.account[rows])),
                    events.table["event_id"].take(pa.array(event)).cast(pa.string()).combine_chunks(),
                    events.table["object_id"].take(pa.array(event)).cast(pa.string()).combine_chunks(),
                    pa.repeat(pa.scalar(layer), len(rows)),
                    pa.array(acts.time_us[rows]).cast(_AT),
                    pa.array(lag_us[rows] / 1e6),
                    pa.repeat(pa.scalar("acts_in_step"), len(rows)),
                ],
                schema=EVIDENCE_SCHEMA,
            )
        )
    return pa.concat_tables(tables) if tables else EVIDENCE_SCHEMA.empty_table()


def nearest_lag_us(acts: MemberActs) -> IntArray:
    """Time from each act to the nearest act of another member on the same object, microseconds."""
    order = np.lexsort((acts.time_us, acts.obj))
    time_us, obj = acts.time_us[order], acts.obj[order]
    far = np.iinfo(np.int64).max
    gap = np.where(obj[1:] == obj[:-1], np.diff(time_us), far)
    nearest = np.minimum(np.concatenate(([far], gap)), np.concatenate((gap, [far])))
    result = np.empty(len(order), np.int64)
    result[order] = nearest
    return result
