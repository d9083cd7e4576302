"""A sweep with the graph on either side: the same from Neo4j as from files, and a write that waits."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest

from graphscan.graphdb.client import Connection
from graphscan.graphdb.status import graph_status
from graphscan.simulate.world import write_world
from graphscan.simulate.worlds import simulate_world


@pytest.fixture(scope="module")
def events_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("world")
    write_world(simulate_world(8_000, 3), folder)
    return folder / "events.parquet"


def test_the_same_from_files_and_from_the_graph(
    graph: Connection, neo4j_env: Any, run_cli: Any, tuples: Any, events_file: Path, tmp_path: Path
) -> None:
    loaded = run_cli("graph", "load", events_file, env=neo4j_env)
    assert loaded.returncode == 0, loaded.stderr
    from_files = run_cli("sweep", events_file, "--out", tmp_path / "files", "--neo4j", env=neo4j_env)
    assert from_files.returncode == 0, from_files.stderr
    from_graph = run_cli("sweep", "--from-neo4j", "--out", tmp_path / "graph", "--json", env=neo4j_env)
    assert from_graph.returncode == 0, from_graph.stderr
    assert json.loads(from_graph.stdout)["n_clusters"] > 0
    for name in ("accounts", "clusters", "members", "edges", "evidence", "cluster_tests"):
        a, b = (tmp_path / source / f"{name}.parquet" for source in ("files", "graph"))
        assert a.read_bytes() == b.read_bytes(), name
    manifest = json.loads((tmp_path / "graph" / "manifest.json").read_text())
    assert [item["path"] for item in manifest["inputs"]] == ["neo4j"]
    clusters = pq.read_table(tmp_path / "files" / "clusters.parquet", columns=["cluster_id", "size"])
    found = tuples("MATCH (:Sweep)-[:FOUND]->(c:Cluster) RETURN c.cluster_id, c.size")
    assert found == set(zip(*clusters.to_pydict().values(), strict=True))


@pytest.mark.parametrize(
    ("change", "exit_code"), [({"NEO4J_URI": "bolt://127.0.0.1:1"}, 75), ({"NEO4J_USERNAME": "nobody"}, 2)]
)
def test_f1_the_analysis_finishes_and_the_rerun_does_only_the_write(
    graph: Connection,
    neo4j_env: Any,
    run_cli: Any,
    events_file: Path,
    tmp_path: Path,
    change: dict[str, str],
    exit_code: int,
) -> None:
    """F1: Neo4j cannot be had at the write: the folder is whole and marked, the same command catches up."""
    run = tmp_path / "run"
    failed = run_cli("sweep", events_file, "--out", run, "--neo4j", env={**neo4j_env, **change})
    assert failed.returncode == exit_code
    assert "Traceback" not in failed.stderr
    assert {"DONE", "clusters.csv", "neo4j-pending.json"} <= set(os.listdir(run))
    before = {path.name: path.stat().st_mtime_ns for path in run.iterdir()}
    again = run_cli("sweep", events_file, "--out", run, "--neo4j", env=neo4j_env)
    assert again.returncode == 0, again.stderr
    after = {path.name: path.stat().st_mtime_ns for path in run.iterdir()}
    assert "neo4j-pending.json" not in after
    assert {**after, "neo4j-pending.json": before["neo4j-pending.json"]} == before
    manifest = json.loads((run / "manifest.json").read_text())
    assert graph_status(graph).newest_run_id == manifest["run_id"]


@pytest.mark.parametrize("arguments", [[], ["events.csv", "--from-neo4j"]])
def test_files_or_the_graph_but_not_both(run_cli: Any, tmp_path: Path, arguments: list[str]) -> None:
    done = run_cli("sweep", *arguments, "--out", tmp_path / "run")
    assert done.returncode == 2
    assert "--from-neo4j" in done.stderr
