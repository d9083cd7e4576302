"""Events into the graph and back: the whole mapping, once each, whatever came before."""

from __future__ import annotations

import threading
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from graph_worlds import START_US, events_of, every_action, random_events

from graphscan.errors import GraphscanError
from graphscan.graphdb import cypher
from graphscan.graphdb.client import Connection
from graphscan.graphdb.loading import ensure_schema, load_events
from graphscan.graphdb.reading import read_events
from graphscan.graphdb.schema import EVENT_TYPES

ALL_EVENTS = "MATCH (a:Account)-[r]->(o) WHERE r.event_id IS NOT NULL "


def test_every_action_becomes_its_relationship(graph: Connection, tuples: Any) -> None:
    report = load_events(every_action(), graph)
    assert (report.events, report.loaded, report.known, report.conflicts) == (13, 13, 0, 0)
    found = tuples(
        ALL_EVENTS + "RETURN r.event_id, a.account_id, type(r), labels(o)[0], "
        "coalesce(o.content_id, o.chat_id, o.account_id)"
    )
    assert found == {
        ("e0", "ann", "POSTED", "Content", "e0"),
        ("e1", "bob", "REPOSTED", "Content", "e0"),
        ("e2", "bob", "COMMENTED", "Content", "e0"),
        ("e3", "cat", "COMMENTED", "Content", "e0"),
        ("e4", "cat", "LIKED", "Content", "e2"),
        ("e5", "ann", "FOLLOWED", "Account", "bob"),
        ("e6", "ann", "MESSAGED", "Account", "bob"),
        ("e7", "bob", "SPOKE_IN", "Chat", "room"),
        ("e8", "cat", "JOINED", "Chat", "room"),
        ("e9", "cat", "CHANGED_PROFILE", "Account", "cat"),
        ("e10", "ann", "ACTED_ON", "Content", "e0"),
        ("e11", "ann", "POSTED", "Content", "e11"),
        ("e12", "ann", "POSTED", "Content", "e12"),
    }


def test_replies_join_contents_and_never_a_content_to_itself(graph: Connection, tuples: Any) -> None:
    load_events(every_action(), graph)
    assert tuples("MATCH (c:Content)-[:REPLY_TO]->(p:Content) RETURN c.content_id, p.content_id") == {
        ("e2", "e0"),
        ("e3", "e2"),
        ("e7", "topic"),
    }


def test_columns_are_properties_and_missing_ones_are_absent(graph: Connection, tuples: Any) -> None:
    load_events(every_action(), graph)
    keys = {event_id: set(names) for event_id, names in tuples(ALL_EVENTS + "RETURN r.event_id, keys(r)")}
    always = {"event_id", "at", "loaded_by"}
    assert keys["e5"] == always
    assert keys["e10"] == always | {"action", "detail"}
    assert keys["e9"] == always | {"text", "media_hash"}
    assert keys["e6"] == always | {"text", "ai_declared"}
    times = tuples("MATCH ()-[r:POSTED]->() WHERE r.event_id = 'e0' RETURN r.at.epochMillis, r.at.offset")
    assert times == {(START_US // 1000, "Z")}


def test_every_node_has_a_readable_caption(graph: Connection, tuples: Any) -> None:
    load_events(every_action(), graph)
    assert tuples("MATCH (n) WHERE n.caption IS NULL OR trim(n.caption) = '' RETURN labels(n)") == set()
    captions = dict(tuples("MATCH (n:Content) RETURN n.content_id, n.caption"))
    assert captions["e0"] == "first lines"
    assert captions["e2"] == "well"
    assert captions["e11"] == "e11"


def test_round_trip_is_exact(graph: Connection) -> None:
    events = random_events(1_500, seed=3)
    load_events(events, graph)
    back = read_events(graph)
    assert back.schema.equals(events.schema)
    assert back.equals(events.sort_by([("timestamp_us", "ascending"), ("event_id", "ascending")]))


def test_a_period_is_half_open(graph: Connection) -> None:
    load_events(every_action(), graph)
    part = read_events(graph, START_US + 2_000_000, START_US + 5_000_000)
    assert part["event_id"].to_pylist() == ["e2", "e3", "e4"]


def test_an_empty_graph_gives_an_empty_table(graph: Connection) -> None:
    assert read_events(graph).num_rows == 0
    assert load_events(events_of(), graph).events == 0


def test_ids_are_text_and_hostile_values_are_only_values(graph: Connection, tuples: Any) -> None:
    """B1, B2, D4, D6, D7: ids that look like numbers, Cypher, paths or nothing at all."""
    ids = [
        "1234567890123456789",
        "007",
        "1e5",
        "True",
        "NA",
        "null",
        "-",
        "' OR 1=1 //",
        "x'}) DETACH DELETE n //",
        "../../etc/x",
        "\u202eabc",
        "a\u200bb",
        "аnn",
        "🦋" * 100,
        " padded ",
        "a\nb",
        "\x1b[31m",
    ]
    rows = [{"account_id": i, "action": "post", "object_id": i, "text": i, "detail": i} for i in ids]
    events = events_of(*rows)
    load_events(events, graph)
    assert tuples("MATCH (a:Account) RETURN a.account_id") == {(i,) for i in ids}
    assert read_events(graph).equals(events.sort_by([("timestamp_us", "ascending")]))


def test_a_second_load_changes_nothing(graph: Connection, tuples: Any) -> None:
    events = random_events(800, seed=1)
    load_events(events, graph)
    before = tuples(
        "MATCH (a)-[r]->(b) RETURN elementId(a), elementId(r), elementId(b), properties(r).loaded_by"
    )
    shuffled = events.take(np.random.default_rng(0).permutation(events.num_rows))
    again = load_events(shuffled, graph)
    assert (again.loaded, again.known, again.nodes, again.relationships) == (0, 800, 0, 0)
    assert again.known_batches == again.batches
    after = tuples(
        "MATCH (a)-[r]->(b) RETURN elementId(a), elementId(r), elementId(b), properties(r).loaded_by"
    )
    assert before == after


def test_files_that_overlap_bring_each_event_once(graph: Connection) -> None:
    events = random_events(900, seed=2)
    load_events(events.slice(0, 600), graph)
    report = load_events(events.slice(300, 600), graph)
    assert (report.loaded, report.known, report.conflicts) == (300, 300, 0)
    assert read_events(graph).equals(
        events.sort_by([("timestamp_us", "ascending"), ("event_id", "ascending")])
    )


@pytest.mark.parametrize("order", [(0, 1), (1, 0)])
def test_of_two_contents_of_one_id_the_one_that_sorts_first_stays(
    graph: Connection, tuples: Any, order: tuple[int, int]
) -> None:
    """B6, over several loads: also when the action, and so the relationship's type, differs."""
    first = {"event_id": "x", "account_id": "ann", "action": "post", "object_id": "x", "parent_id": "p1"}
    versions = [
        events_of({**first, "timestamp_us": START_US}),
        events_of({**first, "timestamp_us": START_US + 1, "action": "like", "parent_id": None}),
    ]
    load_events(versions[order[0]], graph)
    report = load_events(versions[order[1]], graph)
    assert (report.loaded, report.known, report.conflicts) == (0, 0, 1)
    assert tuples(ALL_EVENTS + "RETURN r.event_id, type(r)") == {("x", "POSTED")}
    assert tuples("MATCH (c)-[:REPLY_TO]->(p) RETURN c.content_id, p.content_id") == {("x", "p1")}
    assert read_events(graph).equals(versions[0])


def test_repeated_ids_in_one_table_count_once(graph: Connection) -> None:
    events = every_action()
    assert load_events(pa.concat_tables([events, events]), graph).events == events.num_rows


def test_f4_two_loaders_at_once(neo4j: Any, graph: Connection) -> None:
    """F4: the same and overlapping events by two loaders at once: each event once, nobody fails."""
    from graphscan.graphdb.client import connect

    events = random_events(3_000, seed=4)
    parts = [events.slice(0, 2_000), events.slice(1_000, 2_000), events.slice(0, 2_000)]
    reports: list[Any] = []

    def load(part: pa.Table) -> None:
        with connect(neo4j.address) as connection:
            reports.append(load_events(part, connection))

    threads = [threading.Thread(target=load, args=(part,)) for part in parts]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(reports) == len(parts)
    assert sum(report.loaded for report in reports) == events.num_rows
    assert read_events(graph).equals(
        events.sort_by([("timestamp_us", "ascending"), ("event_id", "ascending")])
    )


def test_nodes_that_somebody_deleted_are_made_again(graph: Connection) -> None:
    """The ledger knows events, not nodes: a batch never loses rows because an end is missing."""
    load_events(events_of({"account_id": "ann", "action": "post", "object_id": "p", "event_id": "p"}), graph)
    from graphscan.graphdb import loading

    events = events_of({"account_id": "bob", "action": "like", "object_id": "p", "event_id": "l"})
    merge = loading._load_nodes

    def merge_then_delete(*arguments: Any) -> Any:
        made = merge(*arguments)
        graph.write(lambda t: t.run("MATCH (a:Account {account_id: 'bob'}) DELETE a"))
        return made

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(loading, "_load_nodes", merge_then_delete)
        assert load_events(events, graph).loaded == 1
    assert read_events(graph)["event_id"].to_pylist() == ["l", "p"]


def test_schema_is_complete_and_stays_as_it_is(graph: Connection) -> None:
    ensure_schema(graph)
    wanted = {name for _, name, _ in cypher.schema_objects()}
    names = {row["name"] for row in graph.rows("SHOW INDEXES YIELD name, state WHERE state = 'ONLINE'")}
    assert wanted <= names
    ensure_schema(graph)
    assert {row["name"] for row in graph.rows("SHOW INDEXES YIELD name")} == names


def test_the_constraint_stands_behind_the_ledger(graph: Connection) -> None:
    load_events(every_action(), graph)
    for event in EVENT_TYPES:
        statement = (
            f"MATCH (a)-[r:{event.relationship}]->(b) WITH a, r, b LIMIT 1 "
            f"CREATE (a)-[:{event.relationship} {{event_id: r.event_id}}]->(b)"
        )
        with pytest.raises(GraphscanError):
            graph.write(lambda t, s=statement: t.run(s))
