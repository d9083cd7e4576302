"""The cluster stage as tables: names, figures, evidence."""

from __future__ import annotations

import json

import numpy as np
import pyarrow as pa
import pytest

from graphscan.clusters.incidence import layer_incidence
from graphscan.clusters.significance import acts_of_rows
from graphscan.clusters.stage import Detection, detect_clusters
from graphscan.clusters.tables import (
    CLUSTER_SCHEMA,
    EVIDENCE_SCHEMA,
    MEMBER_SCHEMA,
    SWEEP_EDGE_SCHEMA,
    TEST_SCHEMA,
    ClusterTables,
    cluster_ids,
    cluster_tables,
    edges_with_excess,
    nearest_lag_us,
)
from graphscan.clusters.weights import edge_excess
from graphscan.network.layers import EncodedEvents, Layer, encoded_events, layer_definitions, layer_events
from graphscan.network.table import layers_network
from graphscan.settings import ClusterSettings
from tests.unit.clusters.cluster_worlds import DAY_S, act, events_of, incidence_of

Found = tuple[Detection, EncodedEvents, list[Layer], ClusterTables]


@pytest.fixture(scope="module")
def found() -> Found:
    """Twelve reposters under one operator among sixty people."""
    rng = np.random.default_rng(4)
    rows = []
    for o in range(36):
        at = DAY_S * o + float(rng.uniform(0, 40_000))
        rows.append(act("author", "post", f"p{o}", at))
        order = float(rng.lognormal(np.log(5_000), 1))
        told = [f"bot{b:02}" for b in range(12) if rng.random() < 0.6]
        rows += [act(name, "repost", f"p{o}", at + order + float(rng.uniform(0, 40))) for name in told]
        some = [f"u{u:02}" for u in range(60) if rng.random() < 0.1]
        rows += [act(name, "repost", f"p{o}", at + float(rng.exponential(9_000))) for name in some]
    events = encoded_events(events_of(*rows))
    layers = [layer_events(events, d) for d in layer_definitions(("co_repost",))]
    detection = detect_clusters(events, layers, ClusterSettings())
    return detection, events, layers, cluster_tables(detection, events, seed=0)


def test_schemas(found: Found) -> None:
    tables = found[3]
    assert tables.clusters.schema == CLUSTER_SCHEMA
    assert tables.tests.schema == TEST_SCHEMA
    assert tables.members.schema == MEMBER_SCHEMA
    assert tables.evidence.schema == EVIDENCE_SCHEMA


def test_a_cluster_row_tells_the_held_out_test(found: Found) -> None:
    detection, _, _, tables = found
    (cluster,) = detection.clusters
    (row,) = tables.clusters.to_pylist()
    assert row["size"] == len(cluster.members) == 12
    assert row["core_size"] == int(cluster.is_core.sum()) >= 10
    assert (row["p_time"], row["q_time"]) == (cluster.test.p_value, cluster.q_value)
    assert (row["effect_ratio"], row["kappa"]) == (cluster.test.effect_ratio, cluster.test.kappa)
    assert json.loads(row["layers"]) == ["co_repost"]
    assert 0 <= row["p_incidence"] <= 1
    test = tables.tests.to_pylist()[cluster.candidate]
    assert test["found"]
    assert (test["p_time"], test["q_time"]) == (row["p_time"], row["q_time"])
    assert row["first_at"] < row["last_at"]


def test_every_candidate_has_a_row(found: Found) -> None:
    detection, _, _, tables = found
    rows = tables.tests.to_pylist()
    assert len(rows) == len(detection.tested) == len({row["candidate_id"] for row in rows})
    for row, tested in zip(rows, detection.tested, strict=True):
        assert row["size"] == len(tested.candidate.members)
        assert row["testable"] == (tested.test is not None)
        assert (row["p_incidence"] is not None) == row["found"]


def test_evidence_is_what_members_did_in_company(found: Found) -> None:
    detection, events, _, tables = found
    (cluster,) = detection.clusters
    of_event = {row["event_id"]: row for row in events.table.to_pylist()}
    rows = tables.evidence.to_pylist()
    times: dict[str, list[tuple[str, int]]] = {}
    for row in of_event.values():
        if row["action"] == "repost" and row["account_id"].startswith("bot"):
            times.setdefault(row["object_id"], []).append((row["account_id"], row["timestamp_us"]))
    assert len(rows) > 150
    for row in rows:
        event = of_event[row["event_id"]]
        assert row["account_id"] == event["account_id"]
        others = [t for name, t in times[row["object_id"]] if name != row["account_id"]]
        nearest = min(abs(t - event["timestamp_us"]) for t in others)
        assert row["lag_s"] == pytest.approx(nearest / 1e6)
        assert row["lag_s"] <= cluster.test.window_s + 0.1  # ticks are tenths of a second
        assert row["reason"] == "acts_in_step"
    keys = [(row["account_id"], row["at"]) for row in rows]
    assert keys == sorted(keys)


def test_cluster_names_come_from_the_members_alone(found: Found) -> None:
    detection, events, _, tables = found
    (name,) = cluster_ids(detection.clusters, events)
    assert tables.clusters["cluster_id"].to_pylist() == [name]
    assert name.startswith("c-")
    assert len(name) == 14
    # No two lists of ids read the same, wherever one id ends and the next begins.
    odd = EncodedEvents(events.table, events.account, pa.array(["a", "ab", "b", "bc", "c"]), events.time_us)
    pairs = []
    for members in ([0, 3], [1, 4], [0, 2, 4]):
        (cluster,) = detection.clusters
        changed = type(cluster)(
            np.array(members), cluster.is_core[: len(members)], cluster.layers, 0, cluster.test, 0.0
        )
        pairs += cluster_ids([changed], odd)
    assert len(set(pairs)) == 3


def test_excess_of_edges(found: Found) -> None:
    _, events, layers, _ = found
    network = layers_network(events, layers)
    edges = edges_with_excess(network.edges, layers, events, max_pairs_per_object=10**6)
    assert edges.schema == SWEEP_EDGE_SCHEMA
    assert edges.num_rows == network.edges.num_rows > 60
    # Each row by itself, by the names of its accounts.
    incidence = layer_incidence(layers[0], events)
    names = events.account_ids.to_pylist()
    for row in edges.to_pylist()[::7]:
        a, b = (np.array([names.index(row[side])]) for side in ("account_a", "account_b"))
        (expected,) = edge_excess(incidence, a, b, 60_000_000, max_pairs_per_object=10**6)
        assert row["excess"] == pytest.approx(expected)
    assert np.ptp(edges["excess"].to_numpy()) > 3
    none = edges_with_excess(network.edges.slice(0, 0), layers, events, max_pairs_per_object=10)
    assert none.schema == SWEEP_EDGE_SCHEMA


def test_nearest_lags() -> None:
    incidence = incidence_of([(0, 0, 0), (1, 0, 5), (2, 0, 7), (0, 1, 1), (1, 1, 1)], [0, 1e5])
    acts = acts_of_rows(incidence, np.arange(5))
    assert (nearest_lag_us(acts) / 1e6).tolist() == [5, 2, 2, 0, 0]


def test_no_clusters_no_rows() -> None:
    events = encoded_events(events_of(act("a", "repost", "p", 0)))
    layers = [layer_events(events, d) for d in layer_definitions(("co_repost",))]
    tables = cluster_tables(detect_clusters(events, layers, ClusterSettings()), events, seed=0)
    for table, schema in (
        (tables.clusters, CLUSTER_SCHEMA),
        (tables.tests, TEST_SCHEMA),
        (tables.members, MEMBER_SCHEMA),
        (tables.evidence, EVIDENCE_SCHEMA),
    ):
        assert table.num_rows == 0
        assert table.schema == schema
