"""``graphscan graph`` as a process."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import server as neo4j_server
from graph_worlds import random_events

from graphscan.graphdb.client import Connection, connect, server_address
from graphscan.graphdb.loading import load_events
from graphscan.graphdb.reading import read_events
from graphscan.graphdb.status import missing_schema


@pytest.fixture
def events_file(tmp_path: Path) -> Path:
    events = random_events(400, seed=8)
    at = events["timestamp_us"].cast(pa.timestamp("us", tz="UTC"))
    place = events.column_names.index("timestamp_us")
    path = tmp_path / "events.parquet"
    pq.write_table(events.set_column(place, "timestamp", at), path)
    return path


def test_load_status_reset(graph: Connection, neo4j_env: Any, run_cli: Any, events_file: Path) -> None:
    first = run_cli("graph", "load", events_file, "--json", env=neo4j_env)
    assert first.returncode == 0, first.stderr
    assert json.loads(first.stdout)["loaded"] == 400
    assert read_events(graph).num_rows == 400
    second = run_cli("graph", "load", events_file, "--json", env=neo4j_env)
    assert json.loads(second.stdout)["files_known"] is True
    status = json.loads(run_cli("graph", "status", "--json", env=neo4j_env).stdout)
    assert sum(count["own"] for name, count in status["relationships"].items() if name != "REPLY_TO") == 400
    unasked = run_cli("graph", "reset", env=neo4j_env)
    assert unasked.returncode == 130
    assert read_events(graph).num_rows == 400
    assert run_cli("graph", "reset", "--yes", env=neo4j_env).returncode == 0
    assert graph.rows("MATCH (n) RETURN count(n) AS n") == [{"n": 0}]


def test_a_file_that_has_grown_adds_what_is_new(
    graph: Connection, neo4j_env: Any, run_cli: Any, tmp_path: Path
) -> None:
    path = tmp_path / "events.csv"
    rows = [f"a{n},repost,p{n % 3},2026-01-01T00:00:{n:02d}Z,e{n}" for n in range(20)]
    header = "account_id,action,object_id,timestamp,event_id"
    path.write_text("\n".join([header, *rows[:10]]) + "\n")
    run_cli("graph", "load", path, env=neo4j_env)
    path.write_text("\n".join([header, *rows]) + "\n")
    grown = run_cli("graph", "load", path, "--json", env=neo4j_env)
    assert json.loads(grown.stdout)["loaded"] == 10
    assert read_events(graph).num_rows == 20


def test_bulk_import_gives_the_same_graph(run_cli: Any, events_file: Path, tmp_path: Path) -> None:
    """The offline import, then the load of the same files, which finds them in the ledger."""
    home = neo4j_server.Server(tmp_path / "bulk-home", neo4j_server.default_lib())
    files = tmp_path / "import files"
    done = run_cli("graph", "load", "--bulk", files, events_file, "--json")
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["events"] == 400
    again = run_cli("graph", "load", "--bulk", files, events_file)
    assert again.returncode == 73
    neo4j_server.prepare(home, neo4j_server.free_port(), neo4j_server.free_port())
    neo4j_server.bulk_import(home, files, overwrite=False, heap="256m")
    try:
        neo4j_server.start(home, heap="256m")
        env = {
            "NEO4J_URI": home.bolt_uri,
            "NEO4J_USERNAME": neo4j_server.USERNAME,
            "NEO4J_PASSWORD": home.password,
        }
        loaded = run_cli("graph", "load", events_file, "--json", env=env)
        assert json.loads(loaded.stdout)["files_known"] is True, loaded.stderr
        events = random_events(400, seed=8)
        with connect(server_address(env)) as connection:
            wanted = events.sort_by([("timestamp_us", "ascending"), ("event_id", "ascending")])
            assert read_events(connection).equals(wanted)
            assert missing_schema(connection) == ()
            report = load_events(events, connection)
            assert (report.known, report.known_batches) == (400, report.batches)
        assert neo4j_server.stop(home)
    finally:
        neo4j_server.stop(home)


def test_handles_become_captions(
    graph: Connection, neo4j_env: Any, run_cli: Any, tuples: Any, tmp_path: Path
) -> None:
    events = tmp_path / "events.csv"
    events.write_text("account_id,action,object_id,timestamp\n007,post,p,2026-01-01T00:00:00Z\n")
    accounts = tmp_path / "accounts.csv"
    accounts.write_text("account_id,handle,followers,verified\n007,</b>\u202ebond,12,true\nnobody,x,,\n")
    for _ in range(2):
        done = run_cli("graph", "load", events, "--accounts", accounts, env=neo4j_env)
        assert done.returncode == 0, done.stderr
        assert "1 accounts described" in done.stderr
    found = tuples("MATCH (a:Account) RETURN a.account_id, a.caption, a.handle, a.followers, a.verified")
    assert found == {("007", "</b>bond", "</b>\u202ebond", 12, True)}
    accounts.write_text("account_id,followers\n007,many\n")
    bad = run_cli("graph", "load", events, "--accounts", accounts, env=neo4j_env)
    assert bad.returncode == 3
    assert "followers" in bad.stderr


def test_standard_input_can_be_loaded(graph: Connection, neo4j_env: Any, run_cli: Any) -> None:
    text = "account_id,action,object_id,timestamp\na,post,p,2026-01-01T00:00:00Z\n"
    done = run_cli("graph", "load", "-", env=neo4j_env, stdin=text)
    assert done.returncode == 0, done.stderr
    assert read_events(graph)["account_id"].to_pylist() == ["a"]


def test_a_missing_file_loads_nothing(graph: Connection, neo4j_env: Any, run_cli: Any) -> None:
    done = run_cli("graph", "load", "nowhere.csv", env=neo4j_env)
    assert done.returncode == 2
    assert "nowhere.csv" in done.stderr
