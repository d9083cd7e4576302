"""What sweeps write: under the run's tag, whole or unfinished, and cleaned up only when whole."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from graph_worlds import every_action, run_of, simulated

from graphscan.errors import EXIT_TRY_AGAIN, GraphscanError
from graphscan.graphdb import cypher
from graphscan.graphdb.client import Connection
from graphscan.graphdb.loading import load_events
from graphscan.graphdb.runs import RunTables, write_run
from graphscan.graphdb.status import graph_status

EDGES = (
    "MATCH (a:Account)-[r:COORDINATED_WITH]->(b:Account) WHERE r.run_id = $run_id "
    "RETURN a.account_id, b.account_id, r.layer, r.window_s, r.n_objects, r.n_pairs, r.median_lag_s"
)
MEMBERS = (
    "MATCH (a:Account)-[r:IN_CLUSTER]->(c:Cluster {run_id: $run_id}) "
    "RETURN c.cluster_id, a.account_id, r.core"
)


@pytest.fixture(scope="module")
def world() -> Any:
    return simulated(3_000, seed=2)


def _edges(run: RunTables) -> set[tuple[Any, ...]]:
    names = ("account_a", "account_b", "layer", "window_s", "n_objects", "n_pairs", "median_lag_s")
    return set(zip(*(run.edges[name].to_pylist() for name in names), strict=True))


def _members(run: RunTables) -> set[tuple[Any, ...]]:
    names = ("cluster_id", "account_id", "in_core")
    return set(zip(*(run.members[name].to_pylist() for name in names), strict=True))


def test_a_run_is_in_the_graph_as_it_is_in_its_folder(graph: Connection, tuples: Any, world: Any) -> None:
    _, run = world
    report = write_run(run, graph)
    assert (report.edges, report.already_written) == (run.edges.num_rows, False)
    assert next(iter(report.links)) == run.clusters["cluster_id"][0].as_py()
    assert tuples(EDGES, run_id="run-1") == _edges(run)
    assert tuples(MEMBERS, run_id="run-1") == _members(run)
    assert tuples("MATCH (s:Sweep)-[:FOUND]->(c:Cluster) RETURN s.run_id, c.run_id, c.cluster_id") == {
        ("run-1", "run-1", cluster_id) for cluster_id in run.clusters["cluster_id"].to_pylist()
    }


def test_accounts_carry_tier_scores_and_a_label_for_the_colour(
    graph: Connection, tuples: Any, world: Any
) -> None:
    _, run = world
    write_run(run, graph)
    label = {"terminate": "TierTerminate", "limit": "TierLimit", "review": "TierReview", "warn": "TierWarn"}
    found = tuples("MATCH (a:Account) WHERE a.tier IS NOT NULL RETURN a.account_id, a.tier, labels(a)")
    expected = {
        (
            row["account_id"],
            row["tier"],
            ("Account", label[row["tier"]]) if row["tier"] in label else ("Account",),
        )
        for row in run.accounts.to_pylist()
    }
    assert found == expected
    assert tuples("MATCH (a:Account) WHERE a.tier = 'none' RETURN DISTINCT a.p_farm, a.reasons") == {
        (None, ())
    }


def test_a_second_write_of_the_same_run_does_nothing(graph: Connection, tuples: Any, world: Any) -> None:
    _, run = world
    write_run(run, graph)
    before = tuples("MATCH ()-[r]->() RETURN elementId(r)")
    assert write_run(run, graph).already_written
    assert tuples("MATCH ()-[r]->() RETURN elementId(r)") == before


def test_two_run_tags(graph: Connection, tuples: Any, world: Any) -> None:
    """The newer run's edges replace the older's; clusters of both stay and are joined."""
    simulation, first = world
    gone = frozenset(first.members["account_id"].to_pylist()[:2])
    second = run_of(simulation, "run-2", without=gone)
    write_run(first, graph)
    report = write_run(second, graph)
    assert report.stale_edges == first.edges.num_rows
    assert tuples(EDGES, run_id="run-1") == set()
    assert tuples(EDGES, run_id="run-2") == _edges(second)
    assert tuples(MEMBERS, run_id="run-1") == _members(first)
    assert tuples(MEMBERS, run_id="run-2") == _members(second)
    common = set(first.clusters["cluster_id"].to_pylist()) & set(second.clusters["cluster_id"].to_pylist())
    continues = (
        "MATCH (c:Cluster)-[:CONTINUES]->(p:Cluster) RETURN c.run_id, p.run_id, c.cluster_id, p.cluster_id"
    )
    assert tuples(continues) == {("run-2", "run-1", c, c) for c in common}
    assert tuples("MATCH (s:Sweep)-[:AFTER]->(p:Sweep) RETURN s.run_id, p.run_id") == {("run-2", "run-1")}
    assert tuples("UNWIND $ids AS id MATCH (a:Account {account_id: id}) RETURN a.tier", ids=list(gone)) == {
        ("none",)
    }
    assert graph_status(graph).newest_run_id == "run-2"


def test_an_older_run_written_late_does_not_take_the_tiers_back(
    graph: Connection, tuples: Any, world: Any
) -> None:
    simulation, first = world
    second = run_of(simulation, "run-2", without=frozenset(first.members["account_id"].to_pylist()))
    write_run(first, graph)
    write_run(second, graph)
    changed = replace(
        first, accounts=first.accounts.set_column(2, "p_automation", [[0.5] * first.accounts.num_rows])
    )
    write_run(changed, graph, keep_runs=2)
    assert tuples("MATCH (a:Account) WHERE a.tier IS NOT NULL RETURN DISTINCT a.tier, a.tier_run_id") == {
        ("none", "run-2")
    }


def test_a_run_with_other_content_replaces_itself(graph: Connection, tuples: Any, world: Any) -> None:
    _, run = world
    write_run(run, graph)
    smaller = replace(run, edges=run.edges.slice(0, 5), members=run.members.slice(0, 4))
    write_run(smaller, graph)
    assert tuples(EDGES, run_id="run-1") == _edges(smaller)
    assert tuples(MEMBERS, run_id="run-1") == _members(smaller)


def test_f10_no_clean_up_after_a_partial_write(
    graph: Connection, tuples: Any, world: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """F10: a write that breaks off leaves the older run whole; done again, it finishes and cleans up."""
    simulation, first = world
    second = run_of(simulation, "run-2")
    write_run(first, graph)
    statement = cypher.write_edges()
    monkeypatch.setattr(cypher, "write_edges", lambda: statement + " RETURN 1 / 0")
    with pytest.raises(GraphscanError):
        write_run(second, graph)
    assert tuples(EDGES, run_id="run-1") == _edges(first)
    assert tuples(EDGES, run_id="run-2") == set()
    assert graph_status(graph).newest_run_id == "run-1"
    monkeypatch.undo()
    write_run(second, graph)
    assert tuples(EDGES, run_id="run-1") == set()
    assert tuples(EDGES, run_id="run-2") == _edges(second)
    assert tuples(MEMBERS, run_id="run-2") == _members(second)


def test_a_run_is_written_from_its_folder(graph: Connection, tuples: Any, world: Any, tmp_path: Path) -> None:
    _, run = world
    for name in ("accounts", "clusters", "members", "edges", "evidence"):
        pq.write_table(getattr(run, name), tmp_path / f"{name}.parquet")
    manifest = {"run_id": "run-1", "schema_version": 1, "ledger": {"accepted": 3_000}}
    (tmp_path / "manifest.json").write_text(json.dumps(manifest), encoding="utf-8")
    write_run(tmp_path, graph)
    assert tuples(EDGES, run_id="run-1") == _edges(run)
    assert tuples("MATCH (s:Sweep) RETURN s.run_id, s.n_events, s.complete") == {("run-1", 3_000, True)}


def test_what_is_no_run_folder_is_told_so(graph: Connection, tmp_path: Path) -> None:
    with pytest.raises(GraphscanError) as raised:
        write_run(tmp_path, graph)
    assert raised.value.exit_code == 2


def test_evidence_hangs_on_members_and_edges(graph: Connection, tuples: Any) -> None:
    at = pa.array([0, 0], type=pa.timestamp("us", tz="UTC"))
    run = RunTables(
        "r",
        accounts=pa.table({"account_id": ["ann", "bob"], "tier": ["limit", "limit"]}),
        clusters=pa.table({"cluster_id": ["c"], "size": [2]}),
        members=pa.table({"cluster_id": ["c", "c"], "account_id": ["ann", "bob"], "in_core": [True, False]}),
        edges=pa.table(
            {
                "account_a": ["ann"],
                "account_b": ["bob"],
                "layer": ["co_repost"],
                "n_objects": [1],
                "first_at": at[:1],
            }
        ),
        evidence=pa.table(
            {
                "cluster_id": ["c", "c"],
                "account_id": ["ann", "bob"],
                "event_id": ["e0", "e1"],
                "object_id": ["o", "o"],
                "layer": ["co_repost", "co_repost"],
                "at": at,
            }
        ),
        properties={},
    )
    load_events(every_action(), graph)
    write_run(run, graph)
    assert tuples("MATCH ()-[r:IN_CLUSTER]->() RETURN r.core, r.evidence_event_ids") == {
        (True, ("e0",)),
        (False, ("e1",)),
    }
    assert tuples("MATCH ()-[r:COORDINATED_WITH]->() RETURN r.evidence_object_ids") == {(("o",),)}


def test_try_again_is_the_answer_to_a_server_that_has_gone() -> None:
    from neo4j.exceptions import ServiceUnavailable

    from graphscan.graphdb.client import ServerAddress, explained

    error = explained(ServiceUnavailable("secret gone"), ServerAddress("bolt://h:1", "u", "secret"))
    assert error.exit_code == EXIT_TRY_AGAIN
    assert "secret" not in str(error)
