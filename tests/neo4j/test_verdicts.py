"""Verdicts: recorded by the saved query, brought home once each, never overwritten."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from graph_worlds import every_action

from graphscan.errors import GraphscanError
from graphscan.graphdb.client import Connection
from graphscan.graphdb.loading import load_events
from graphscan.graphdb.saved_queries import saved_query
from graphscan.graphdb.status import reset_graph
from graphscan.graphdb.verdicts import (
    VERDICTS_FILE,
    newest_verdicts,
    past_decisions,
    store_verdicts,
    stored_verdicts,
    sync_verdicts,
)
from graphscan.verdicts.decisions import Decisions


def record(graph: Connection, **values: str) -> list[dict[str, Any]]:
    query = saved_query("record-a-verdict")
    return graph.write(lambda t: t.rows(query.rows, **query.arguments(values)))


def test_a_verdict_comes_home_with_who_and_why(graph: Connection, tmp_path: Path) -> None:
    load_events(every_action(), graph)
    record(graph, account_id="ann", verdict="human", by="Kim", why="met her")
    record(graph, account_id="bob", verdict="unsure", by="Kim", why="looks odd")
    record(graph, account_id="bob", verdict="automated", by="Lee", why="every 60 s")
    found = sync_verdicts(graph)
    newest = newest_verdicts(found.verdicts)
    assert {name: (row["verdict"], row["by"], row["why"]) for name, row in newest.items()} == {
        "ann": ("human", "Kim", "met her"),
        "bob": ("automated", "Lee", "every 60 s"),
    }
    newest_decision = Decisions(past_decisions(found.verdicts)).newest()
    assert {a: d.outcome for a, d in newest_decision.items()} == {"ann": "human", "bob": "automated"}
    assert store_verdicts(found.verdicts, tmp_path) == 3
    assert store_verdicts(sync_verdicts(graph).verdicts, tmp_path) == 0
    assert stored_verdicts(tmp_path).equals(found.verdicts)
    record(graph, account_id="ann", verdict="unsure", by="Lee", why="second look")
    before = (tmp_path / VERDICTS_FILE).read_text(encoding="utf-8").splitlines()
    assert store_verdicts(sync_verdicts(graph).verdicts, tmp_path) == 1
    after = (tmp_path / VERDICTS_FILE).read_text(encoding="utf-8").splitlines()
    assert after[: len(before)] == before


@pytest.mark.parametrize(
    "wrong",
    [{"verdict": "guilty"}, {"by": "  "}, {"why": ""}, {"account_id": "nobody"}],
    ids=["verdict", "who", "why", "account"],
)
def test_an_incomplete_verdict_is_not_recorded(graph: Connection, tuples: Any, wrong: dict[str, str]) -> None:
    load_events(every_action(), graph)
    good = {"account_id": "ann", "verdict": "human", "by": "Kim", "why": "met her"}
    assert record(graph, **{**good, **wrong}) == []
    assert tuples("MATCH (v:Verdict) RETURN v.verdict_id") == set()


def test_a_verdict_written_by_hand_and_wrongly_is_left_out_and_named(graph: Connection) -> None:
    load_events(every_action(), graph)
    graph.write(
        lambda t: t.run(
            "MATCH (a:Account {account_id: 'ann'}) "
            "CREATE (v:Verdict {verdict_id: 'v1', verdict: 'bad', by: 'x', why: 'y', at: datetime()}) "
            "CREATE (v)-[:ABOUT]->(a) "
            "CREATE (:Verdict {verdict_id: 'v2', verdict: 'human', why: 'y', at: datetime()})-[:ABOUT]->(a)"
        )
    )
    found = sync_verdicts(graph)
    assert found.verdicts.num_rows == 0
    assert len(found.unusable) == 2
    assert "who decided" in found.unusable[1]


def test_reset_keeps_what_people_decided(graph: Connection, tuples: Any) -> None:
    load_events(every_action(), graph)
    record(graph, account_id="ann", verdict="human", by="Kim", why="met her")
    report = reset_graph(graph)
    assert (report.kept_verdicts, report.kept_nodes) == (1, 1)
    assert tuples("MATCH (v:Verdict)-[:ABOUT]->(a) RETURN v.verdict, a.account_id") == {("human", "ann")}
    assert sync_verdicts(graph).verdicts.num_rows == 1
    reset_graph(graph, verdicts=True)
    assert tuples("MATCH (n) RETURN labels(n)") == set()


def test_a_damaged_file_is_told_and_left(tmp_path: Path) -> None:
    (tmp_path / VERDICTS_FILE).write_text("{not json\n", encoding="utf-8")
    with pytest.raises(GraphscanError) as raised:
        stored_verdicts(tmp_path)
    assert raised.value.exit_code == 4


def test_sync_on_the_command_line(graph: Connection, neo4j_env: Any, run_cli: Any, tmp_path: Path) -> None:
    load_events(every_action(), graph)
    record(graph, account_id="ann", verdict="human", by="Kim\x1b[31m", why="met her")
    done = run_cli("graph", "sync", "--state", tmp_path / "state", "--json", env=neo4j_env)
    assert done.returncode == 0, done.stderr
    document = json.loads(done.stdout)
    assert document["new"] == 1
    assert document["verdicts"][0]["account_id"] == "ann"
    shown = run_cli("graph", "sync", env=neo4j_env)
    assert "\x1b" not in shown.stdout
    assert "ann  human" in shown.stdout
