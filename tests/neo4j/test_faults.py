"""Neo4j that is not there, not ours, or goes away (the cases F1, F2, F9 and what belongs to them)."""

from __future__ import annotations

import os
import signal
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import server as neo4j_server
from graph_worlds import every_action, random_events

from graphscan.errors import GraphscanError
from graphscan.graphdb.client import Connection, connect, server_address
from graphscan.graphdb.loading import load_events
from graphscan.graphdb.reading import read_events
from graphscan.graphdb.runs import write_run
from graphscan.graphdb.status import graph_status, reset_graph

WITHIN_S = 10.0


@contextmanager
def silent_port() -> Iterator[int]:
    """A port that takes connections and never says anything."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen()
        yield listener.getsockname()[1]


def _refused(env: dict[str, str]) -> GraphscanError:
    started = time.monotonic()
    with pytest.raises(GraphscanError) as raised:
        connect(server_address(env))
    assert time.monotonic() - started < WITHIN_S
    assert not env.get("NEO4J_PASSWORD") or env["NEO4J_PASSWORD"] not in str(raised.value)
    return raised.value


def test_f1_each_way_to_fail_has_its_code_and_its_words(neo4j: Any) -> None:
    """F1: down 75, wrong port 75, wrong password 2, wrong database 2, each in words of its own."""
    good = neo4j.environment
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        down = _refused({**good, "NEO4J_URI": f"bolt://127.0.0.1:{free.getsockname()[1]}"})
    http = _refused({**good, "NEO4J_URI": neo4j.http_url.replace("http", "bolt", 1)})
    with silent_port() as port:
        silent = _refused({**good, "NEO4J_URI": f"bolt://127.0.0.1:{port}"})
    password = _refused({**good, "NEO4J_PASSWORD": "not the password"})
    database = _refused({**good, "NEO4J_DATABASE": "nowhere"})
    missing = _refused({})
    scheme = _refused({**good, "NEO4J_URI": "http://127.0.0.1:7474"})
    assert [e.exit_code for e in (down, http, silent)] == [75, 75, 75]
    assert [e.exit_code for e in (password, database, missing, scheme)] == [2, 2, 2, 2]
    assert len({e.what for e in (down, password, database, missing, scheme)}) == 5
    assert all(e.mend and e.where for e in (down, http, silent, password, database, missing, scheme))


@pytest.mark.parametrize("argument", ["status", "load", "sync"])
def test_f1_on_the_command_line(neo4j: Any, run_cli: Any, tmp_path: Path, argument: str) -> None:
    events = tmp_path / "events.csv"
    events.write_text("account_id,action,object_id,timestamp\na,post,p,2026-01-01T00:00:00Z\n")
    arguments = ["graph", argument, *([events] if argument == "load" else [])]
    down = run_cli(*arguments, env={**neo4j.environment, "NEO4J_URI": "bolt://127.0.0.1:1"})
    assert down.returncode == 75
    wrong = run_cli(*arguments, env={**neo4j.environment, "NEO4J_PASSWORD": "s3cret-and-wrong"})
    assert wrong.returncode == 2
    for done in (down, wrong):
        assert done.stdout == ""
        assert done.stderr.startswith("error: ")
        assert "mend:" in done.stderr
        assert "Traceback" not in done.stderr
        assert "s3cret-and-wrong" not in done.stderr
        assert neo4j.environment["NEO4J_PASSWORD"] not in done.stderr


def test_the_password_can_come_from_a_file(neo4j: Any, tmp_path: Path) -> None:
    path = tmp_path / "password"
    path.write_text(neo4j.environment["NEO4J_PASSWORD"] + "\n")
    env = {name: value for name, value in neo4j.environment.items() if name != "NEO4J_PASSWORD"}
    with connect(server_address({**env, "NEO4J_PASSWORD_FILE": str(path)})) as connection:
        assert connection.server.major >= 5
    with pytest.raises(GraphscanError) as raised:
        server_address({**env, "NEO4J_PASSWORD_FILE": str(tmp_path / "none")})
    assert raised.value.exit_code == 2


def test_f2_killed_in_the_middle_of_a_load_and_back(
    request: pytest.FixtureRequest, neo4j: Any, graph: Connection
) -> None:
    """F2: the server is killed while batches are written, comes back, and every event is there once."""
    home = neo4j.own or request.getfixturevalue("neo4j_home")
    env = {
        "NEO4J_URI": home.bolt_uri,
        "NEO4J_USERNAME": neo4j_server.USERNAME,
        "NEO4J_PASSWORD": home.password,
    }
    events = random_events(6_000, seed=9)
    state = home.state()
    killed = threading.Event()
    waited: list[str] = []
    back: list[threading.Thread] = []

    def bring_back() -> None:
        time.sleep(5.0)
        neo4j_server.start(home, bolt_port=state["bolt_port"], http_port=state["http_port"])

    def kill_once(stage: str, done: int, total: int) -> None:
        if stage == "events" and not killed.is_set():
            killed.set()
            os.kill(state["pid"], signal.SIGKILL)
            back.append(threading.Thread(target=bring_back))
            back[0].start()

    with connect(server_address(env)) as connection:
        report = load_events(events, connection, on_progress=kill_once, on_note=waited.append)
        back[0].join()
        assert waited
        assert report.loaded + report.known == events.num_rows
        wanted = events.sort_by([("timestamp_us", "ascending"), ("event_id", "ascending")])
        assert read_events(connection).equals(wanted)
        assert load_events(events, connection).loaded == 0


FOREIGN = """
CREATE (a:Account {account_id: 'ann', name: 'a customer'}), (b:Account {name: 'no id'}),
       (c:Person {name: 'x'})-[:KNOWS]->(b), (a)-[:OWNS {since: 1}]->(:House {no: 7}),
       (a)-[:FOLLOWED]->(b), (:Sweep {broom: true}), (:Content {content_id: 'e0', title: 'theirs'})
"""
EVERYTHING_FOREIGN = (
    "MATCH (n) WHERE n.loaded_by IS NULL "
    "RETURN elementId(n), labels(n), [k IN keys(n) | k + '=' + toString(n[k])] AS properties"
)
FOREIGN_RELATIONSHIPS = (
    "MATCH (n)-[r]->(m) WHERE r.loaded_by IS NULL "
    "RETURN elementId(n), elementId(r), elementId(m), type(r), [k IN keys(r) | k + '=' + toString(r[k])]"
)


def test_f9_foreign_data_is_never_touched(graph: Connection, tuples: Any) -> None:
    """F9: others' nodes and relationships, some with our labels and keys, stay as they are throughout."""
    graph.write(lambda t: t.run(FOREIGN))
    nodes, relationships = tuples(EVERYTHING_FOREIGN), tuples(FOREIGN_RELATIONSHIPS)
    from graph_worlds import run_of, simulated

    load_events(every_action(), graph)
    assert read_events(graph).num_rows == 13
    world, run = simulated(2_000)
    load_events(world.events, graph)
    write_run(run, graph)
    write_run(run_of(world, "run-2"), graph)
    assert (tuples(EVERYTHING_FOREIGN), tuples(FOREIGN_RELATIONSHIPS)) == (nodes, relationships)
    reset_graph(graph, verdicts=True)
    assert (tuples(EVERYTHING_FOREIGN), tuples(FOREIGN_RELATIONSHIPS)) == (nodes, relationships)
    assert tuples("MATCH (n) WHERE n.loaded_by IS NOT NULL RETURN labels(n)") == set()


def test_f9_our_node_with_somebody_elses_relationship_stays(graph: Connection, tuples: Any) -> None:
    load_events(every_action(), graph)
    graph.write(lambda t: t.run("MATCH (a:Account {account_id: 'bob'}) CREATE (:Case {no: 1})-[:ABOUT]->(a)"))
    report = reset_graph(graph)
    assert report.kept_nodes == 1
    assert tuples("MATCH (n)-[r]->(m) RETURN labels(n), type(r), m.account_id") == {
        (("Case",), "ABOUT", "bob")
    }


def test_reset_and_load_again(graph: Connection) -> None:
    events = random_events(500)
    load_events(events, graph)
    reset_graph(graph)
    assert graph_status(graph).missing_schema
    assert load_events(events, graph).loaded == 500


def test_status_counts_ours_and_others(graph: Connection) -> None:
    load_events(every_action(), graph)
    graph.write(lambda t: t.run("CREATE (:Account {name: 'x'})"))
    status = graph_status(graph)
    assert (status.nodes["Account"].own, status.nodes["Account"].total) == (3, 4)
    assert status.relationships["POSTED"].own == 3
    assert status.missing_schema == ()
    assert status.newest_run_id is None


def test_others_data_against_the_schema_is_told(graph: Connection) -> None:
    reset_graph(graph)
    graph.write(lambda t: t.run("CREATE (:Account {account_id: 'x'}), (:Account {account_id: 'x'})"))
    with pytest.raises(GraphscanError) as raised:
        load_events(every_action(), graph)
    assert raised.value.exit_code == 4
    assert raised.value.mend


def test_an_event_that_others_wrote_wrongly_is_told(graph: Connection) -> None:
    graph.write(
        lambda t: t.run(
            "CREATE (:Account {account_id: 'x'})-[:POSTED {event_id: 'y'}]->(:Content {content_id: 'z'})"
        )
    )
    with pytest.raises(GraphscanError) as raised:
        read_events(graph)
    assert raised.value.exit_code == 4
    assert "POSTED" in raised.value.where
