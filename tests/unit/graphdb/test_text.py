"""The parts of the graph that need no server: schema as text, batches, rows, captions, saved queries."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

from graphscan.errors import GraphscanError
from graphscan.events.model import ACTIONS, EVENT_SCHEMA
from graphscan.graphdb import batches, cypher
from graphscan.graphdb.batches import (
    batch_id,
    caption,
    event_batches,
    event_rows,
    nodes_of,
    ordered_for_loading,
)
from graphscan.graphdb.client import ServerAddress, server_address
from graphscan.graphdb.saved_queries import cypher_folder, parsed_query, saved_queries
from graphscan.graphdb.schema import EVENT_PROPERTIES, EVENT_TYPES, TYPE_OF_ACTION

ROOT = Path(__file__).resolve().parents[3]


def table(n: int, seed: int = 0) -> pa.Table:
    random = np.random.default_rng(seed)
    rows = [
        {
            **dict.fromkeys(EVENT_SCHEMA.names),
            "event_id": f"e{position}",
            "account_id": f"a{random.integers(9)}",
            "action": ACTIONS[random.integers(len(ACTIONS))],
            "object_id": f"o{random.integers(9)}",
            "timestamp_us": int(random.integers(10**15)),
            "text": "é" * int(random.integers(5)) or None,
            "urls": [[], None, ["u"], ["u", "v"]][random.integers(4)],
            "ai_score": [None, 0.5][random.integers(2)],
            "ai_declared": [None, True, False][random.integers(3)],
        }
        for position in range(n)
    ]
    return pa.Table.from_pylist(rows, schema=EVENT_SCHEMA)


def test_schema_file_is_what_the_program_runs() -> None:
    text = (ROOT / "cypher/schema/schema.cypher").read_text(encoding="utf-8")
    statements = [line.removesuffix(";") for line in text.splitlines() if line and not line.startswith("//")]
    assert statements == [statement for _, _, statement in cypher.schema_objects()]


def test_every_action_and_every_column_has_its_place() -> None:
    assert set(TYPE_OF_ACTION) == set(ACTIONS)
    ends = {"account_id", "action", "object_id", "timestamp_us"}
    assert set(EVENT_PROPERTIES) | ends == set(EVENT_SCHEMA.names)
    assert len({event.relationship for event in EVENT_TYPES}) == len(EVENT_TYPES)


def test_a_batch_id_means_the_rows_and_not_their_layout() -> None:
    events = table(200)
    whole = batch_id(events.slice(50, 100))
    pieces = pa.concat_tables([events.slice(50, 30), events.slice(80, 70)])
    assert batch_id(pieces) == whole
    assert batch_id(pieces.combine_chunks()) == whole
    assert batch_id(pa.Table.from_pylist(pieces.to_pylist(), schema=EVENT_SCHEMA)) == whole


def test_what_lies_under_a_missing_value_has_no_part_in_the_id() -> None:
    values = pa.array([0.5, 7.0], mask=np.array([False, True]))
    clean = pa.array([0.5, None])
    place = EVENT_SCHEMA.names.index("ai_score")
    events = table(2)
    ids = {batch_id(events.set_column(place, "ai_score", column)) for column in (values, clean)}
    assert len(ids) == 1


@pytest.mark.parametrize("name", EVENT_SCHEMA.names)
def test_every_column_has_a_part_in_the_id(name: str) -> None:
    events = table(3)
    other = {
        "timestamp_us": 5,
        "urls": ["x"],
        "hashtags": ["x"],
        "ai_declared": events["ai_declared"][0].as_py() is not True,
        "ai_score": 0.75,
    }.get(name, "x")
    rows = events.to_pylist()
    rows[0] = {**rows[0], name: other}
    assert batch_id(pa.Table.from_pylist(rows, schema=EVENT_SCHEMA)) != batch_id(events)


def test_lists_and_texts_do_not_run_into_each_other() -> None:
    def one(**values: object) -> str:
        return batch_id(pa.Table.from_pylist([{**table(1).to_pylist()[0], **values}], schema=EVENT_SCHEMA))

    assert one(urls=["ab", "c"]) != one(urls=["a", "bc"])
    assert one(urls=[]) != one(urls=None)
    assert one(media_hash="a", client=None) != one(media_hash=None, client="a")


def test_batches_hold_one_action_and_all_rows(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(batches, "BATCH_ROWS", 7)
    events = ordered_for_loading(table(150))
    found = list(event_batches(events))
    assert all(set(b.events["action"].to_pylist()) == {b.event_type.action} for b in found)
    assert all(b.events.num_rows <= 7 for b in found)
    assert pa.concat_tables([b.events for b in found]).equals(events)


def test_long_texts_make_short_batches(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(batches, "BATCH_BYTES", 10)
    rows = [{**row, "action": "post", "text": "x" * 8} for row in table(5).to_pylist()]
    found = list(event_batches(ordered_for_loading(pa.Table.from_pylist(rows, schema=EVENT_SCHEMA))))
    assert [b.events.num_rows for b in found] == [1] * 5


def test_newer_events_leave_whole_batches_as_they_are(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(batches, "BATCH_ROWS", 5)
    events = table(200).sort_by("timestamp_us")
    before = {
        b.batch_id for b in event_batches(ordered_for_loading(events.slice(0, 150))) if b.events.num_rows == 5
    }
    after = {b.batch_id for b in event_batches(ordered_for_loading(events))}
    assert before <= after


def test_order_and_repeats_change_nothing() -> None:
    events = table(100)
    shuffled = events.take(np.random.default_rng(1).permutation(100))
    assert ordered_for_loading(shuffled).equals(ordered_for_loading(events))
    assert ordered_for_loading(pa.concat_tables([shuffled, events])).equals(ordered_for_loading(events))


def test_rows_carry_only_columns_with_values() -> None:
    events = ordered_for_loading(table(80))
    batch = next(iter(event_batches(events)))
    rows = event_rows(batch.event_type, batch.events)
    assert "media_hash" not in rows.properties
    assert rows.properties[0] == "event_id"
    for row, event in zip(rows.rows, batch.events.to_pylist(), strict=True):
        assert row[0] == event["account_id"]
        assert row[2] * 1_000_000 + row[3] == event["timestamp_us"]
        assert row[4] == event["event_id"]


def test_nodes_are_sorted_and_each_there_once() -> None:
    for nodes in nodes_of(table(100)):
        ids = [row[0] for row in nodes.rows]
        assert ids == sorted(set(ids), key=lambda i: str(i).encode())


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("two\nlines\t here ", "two lines here"),
        ("\x1b[31mred", "[31mred"),
        ("\u202eright\u200b", "right"),
        ("x" * 100, "x" * 59 + "…"),
        ("\u200b", ""),
    ],
)
def test_captions_are_one_clean_line(text: str, shown: str) -> None:
    assert caption(text) == shown


def test_only_the_client_imports_the_driver() -> None:
    users = [
        path.name
        for path in (ROOT / "graphscan").rglob("*.py")
        if re.search(r"^\s*(from|import) neo4j\b", path.read_text(encoding="utf-8"), re.MULTILINE)
    ]
    assert users == ["client.py"]


def test_no_statement_holds_a_value() -> None:
    """D6: everything from data is a parameter; a statement has no literals but those of the schema."""
    made = [cypher.create_events(event, EVENT_PROPERTIES) for event in EVENT_TYPES]
    assert all(re.findall(r"'([^']*)'", text) in ([], ["other"]) for text in made)
    assert all("$rows" in text for text in made)


@pytest.mark.parametrize(
    "uri", ["http://127.0.0.1:7474", "127.0.0.1:7687", "bolt://", "bolt://neo4j:secret@h:1", "nonsense"]
)
def test_an_address_that_is_none_is_told_without_its_secrets(uri: str) -> None:
    with pytest.raises(GraphscanError) as raised:
        server_address({"NEO4J_URI": uri})
    assert raised.value.exit_code == 2
    assert "secret" not in str(raised.value)


def test_the_password_is_in_no_representation() -> None:
    assert "secret" not in repr(ServerAddress("bolt://h:1", "u", "secret"))


def test_every_saved_query_is_whole() -> None:
    for query in saved_queries():
        used = set(re.findall(r"\$(\w+)", query.rows + query.visual))
        assert used == {parameter.name for parameter in query.parameters}, query.name
        assert query.question.endswith(("?", ".)", ".")), query.name
        assert "elementId" not in query.rows


def test_the_tour_names_queries_that_exist() -> None:
    import tomllib

    tour = tomllib.loads((cypher_folder() / "browser/tour.toml").read_text(encoding="utf-8"))
    known = {query.name for query in saved_queries()}
    named = {name for slide in tour["slide"] for name in [*slide.get("queries", ()), *slide.get("rows", ())]}
    assert named <= known


def test_a_malformed_query_file_is_told_with_its_line(tmp_path: Path) -> None:
    path = tmp_path / "01-x.cypher"
    path.write_text("// Title\n// Nonsense: x\nRETURN 1;\n")
    with pytest.raises(GraphscanError) as raised:
        parsed_query(path)
    assert raised.value.where == f"{path}:2"
