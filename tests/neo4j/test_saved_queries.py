"""Every saved query on a simulated world: it runs, it draws, and it returns what its header says."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from conftest import wipe
from graph_worlds import simulated

from graphscan.graphdb.browser import example_values
from graphscan.graphdb.client import Connection, connect
from graphscan.graphdb.loading import load_events
from graphscan.graphdb.runs import RunTables, write_run
from graphscan.graphdb.saved_queries import SavedQuery, saved_queries, saved_query

# What nobody did in this world.
EMPTY_HERE = frozenset({"verdicts-about-an-account"})


@pytest.fixture(scope="module")
def explored(neo4j: Any) -> Iterator[tuple[Connection, dict[str, Any], RunTables]]:
    """A simulated world in the graph with a run written, and values for the parameters."""
    world, run = simulated()
    with connect(neo4j.address) as connection:
        wipe(connection)
        load_events(world.events, connection)
        write_run(run, connection)
        yield connection, example_values(connection), run


def test_there_are_enough_of_them_and_their_names_are_their_own() -> None:
    queries = saved_queries()
    assert len(queries) >= 20
    for name in ("name", "title", "question"):
        assert len({getattr(query, name) for query in queries}) == len(queries)


@pytest.mark.parametrize("query", saved_queries(), ids=lambda query: query.name)
def test_rows_form_gives_the_columns_of_its_header(explored: Any, query: SavedQuery) -> None:
    connection, values, _ = explored
    if query.writes:
        values = {**values, "account_id": "outsider"}
        found = connection.write(lambda t: t.rows(query.rows, **query.arguments(values)))
        assert tuple(found[0]) == query.columns
        return
    names, rows = connection.columns(query.rows, **query.arguments(values))
    assert tuple(names) == query.columns
    n_rows = sum(1 for _ in rows)
    assert n_rows or query.name in EMPTY_HERE, f"no answer for {query.arguments(values)}"


@pytest.mark.parametrize("query", saved_queries(), ids=lambda query: query.name)
def test_visual_form_gives_what_the_browser_can_draw(explored: Any, query: SavedQuery) -> None:
    from neo4j.graph import Node, Path, Relationship

    if query.writes:
        return
    connection, values, _ = explored
    _, rows = connection.columns(query.visual, **query.arguments(values))
    cells = [cell for row in rows for cell in row if cell is not None]
    assert all(isinstance(cell, Node | Relationship | Path) for cell in cells)
    if query.name not in EMPTY_HERE:
        assert any(isinstance(cell, Node | Path) for cell in cells)


def _answers(explored: Any, name: str, **values: Any) -> list[dict[str, Any]]:
    connection, known, _ = explored
    query = saved_query(name)
    return list(connection.rows(query.rows, **query.arguments({**known, **values})))


def test_accounts_of_a_cluster_are_its_members(explored: Any) -> None:
    _, values, run = explored
    members = {
        (row["account_id"], row["in_core"])
        for row in run.members.to_pylist()
        if row["cluster_id"] == values["cluster_id"]
    }
    found = _answers(explored, "accounts-of-a-cluster")
    assert {(row["account_id"], row["core"]) for row in found} == members


def test_neighbours_not_yet_flagged_have_no_tier(explored: Any) -> None:
    _, _, run = explored
    flagged = {row["account_id"] for row in run.accounts.to_pylist() if row["tier"] != "none"}
    found = _answers(explored, "neighbours-not-yet-flagged")
    assert found
    assert not {row["account_id"] for row in found} & flagged


def test_fan_out_counts_different_targets(explored: Any) -> None:
    connection, *_ = explored
    found = _answers(explored, "private-message-fan-out")
    for row in found[:3]:
        targets = connection.rows(
            "MATCH (:Account {account_id: $a})-[:MESSAGED]->(b) RETURN count(DISTINCT b) AS n",
            a=row["account_id"],
        )
        assert targets[0]["n"] == row["n_targets"] >= 5


def test_evidence_names_events_of_the_account(explored: Any) -> None:
    _, values, run = explored
    found = _answers(explored, "evidence-of-a-decision")
    known = {row["event_id"] for row in run.evidence.to_pylist() if row["account_id"] == values["account_id"]}
    assert found
    assert {row["event_id"] for row in found} <= known


def test_timeline_is_in_order_and_whole(explored: Any) -> None:
    connection, values, _ = explored
    found = _answers(explored, "timeline-of-an-account", limit=100_000)
    n_acts = connection.rows(
        "MATCH (:Account {account_id: $a})-[r]->() WHERE r.event_id IS NOT NULL RETURN count(r) AS n",
        a=values["account_id"],
    )[0]["n"]
    times = [row["at"] for row in found]
    assert len(found) == n_acts
    assert times == sorted(times, reverse=True)


def test_a_hostile_value_is_only_a_value(explored: Any) -> None:
    """D6: Cypher in a parameter finds nothing and changes nothing."""
    connection, *_ = explored
    before = connection.rows("MATCH (n) RETURN count(n) AS n")
    assert _answers(explored, "accounts-of-a-cluster", cluster_id="'}) DETACH DELETE a //") == []
    assert connection.rows("MATCH (n) RETURN count(n) AS n") == before
