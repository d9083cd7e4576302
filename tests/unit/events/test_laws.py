"""Laws of reading: how events are split, ordered, written and repeated changes nothing."""

from __future__ import annotations

import csv
import json
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from graphscan.errors import GraphscanError
from graphscan.events.ledger import Ledger
from graphscan.events.model import ACTIONS, EVENT_SCHEMA
from graphscan.events.reading import load_events, load_table, read_events
from graphscan.store.events import EventStore

# Any text that a file can hold, but for CR: the csv module writes a lone one without quotes.
TEXT = st.text(st.characters(exclude_characters="\0\r", exclude_categories=("Cs",)), min_size=1, max_size=12)
IDS = st.one_of(st.sampled_from(["a", "b", "007", "7", "1e5", "NA", "null", "é"]), TEXT).filter(
    lambda t: not t.isspace()
)
WORD = st.text(st.characters(categories=("L", "N")), min_size=1, max_size=6)
EVENTS = st.fixed_dictionaries(
    {
        "account_id": IDS,
        "action": st.sampled_from(ACTIONS),
        "object_id": IDS,
        "timestamp": st.integers(1_700_000_000_000_000, 1_700_000_000_000_020),
        "event_id": st.one_of(st.none(), st.sampled_from(["e1", "e2", "e3"]), IDS),
        "text": st.one_of(st.none(), TEXT),
        "urls": st.one_of(st.none(), st.lists(WORD, min_size=1, max_size=3)),
        "ai_declared": st.one_of(st.none(), st.booleans()),
        "ai_score": st.one_of(st.none(), st.floats(0, 1)),
    }
)
WORLDS = st.lists(EVENTS, min_size=1, max_size=25)
QUICK = settings(max_examples=30, suppress_health_check=[HealthCheck.too_slow])
PARQUET = pa.schema(
    [
        *(EVENT_SCHEMA.field(n) for n in ("account_id", "action", "object_id")),
        pa.field("timestamp", pa.timestamp("us", "UTC")),
        *(
            EVENT_SCHEMA.field(n).with_nullable(True)
            for n in ("event_id", "text", "urls", "ai_declared", "ai_score")
        ),
    ]
)


@contextmanager
def folder() -> Iterator[Path]:
    with tempfile.TemporaryDirectory() as name:
        yield Path(name)


def as_csv(path: Path, events: Sequence[dict[str, Any]], delimiter: str = ",", line_end: str = "\n") -> Path:
    with open(path, "w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, delimiter=delimiter, lineterminator=line_end, quoting=csv.QUOTE_ALL)
        names = PARQUET.names
        writer.writerow(names)
        for event in events:
            row = dict(event)
            row["urls"] = " ".join(event["urls"] or [])
            row["ai_score"] = "" if event["ai_score"] is None else repr(event["ai_score"])
            row["ai_declared"] = "" if event["ai_declared"] is None else str(event["ai_declared"])
            writer.writerow(["" if row[n] is None else row[n] for n in names])
    return path


def as_ndjson(path: Path, events: Sequence[dict[str, Any]], ascii_only: bool = False) -> Path:
    path.write_text("".join(json.dumps(e, ensure_ascii=ascii_only) + "\n" for e in events), "utf-8")
    return path


def as_parquet(path: Path, events: Sequence[dict[str, Any]]) -> Path:
    pq.write_table(pa.Table.from_pylist(list(events), schema=PARQUET), path, row_group_size=7)
    return path


def plain(table: pa.Table) -> pa.Table:
    return table.cast(pa.schema([field.with_nullable(True) for field in EVENT_SCHEMA]))


@QUICK
@given(WORLDS)
def test_containers_agree(events: list[dict[str, Any]]) -> None:
    with folder() as at:
        expected, reading = load_events([as_parquet(at / "p", events)])
        for path in (
            as_csv(at / "c", events),
            as_csv(at / "t", events, delimiter="\t", line_end="\r\n"),
            as_ndjson(at / "n", events),
            as_ndjson(at / "a", events, ascii_only=True),
        ):
            table, other = load_events([path])
            assert table.equals(expected)
            assert other.ledger == reading.ledger


@QUICK
@given(WORLDS, st.randoms(use_true_random=False), st.integers(1, 400))
def test_row_order_and_block_size(events: list[dict[str, Any]], random: Any, block_bytes: int) -> None:
    with folder() as at:
        expected, reading = load_events([as_csv(at / "1", events)])
        random.shuffle(events)
        for path in (as_csv(at / "2", events), as_ndjson(at / "3", events)):
            other = read_events([path], block_bytes=block_bytes, coded=random.random() < 0.5)
            assert plain(load_table(other)).equals(expected)
            assert other.ledger == reading.ledger


@QUICK
@given(WORLDS, st.integers(0, 25), st.integers(0, 25))
def test_file_split(events: list[dict[str, Any]], first: int, second: int) -> None:
    with folder() as at:
        expected, reading = load_events([as_csv(at / "whole", events)])
        low, high = sorted((first, second))
        parts = [p for p in (events[:low], events[low:high], events[high:]) if p]
        paths = [as_csv(at / str(i), p) if i % 2 else as_parquet(at / str(i), p) for i, p in enumerate(parts)]
        for order in (paths, paths[::-1]):
            table, other = load_events(order)
            assert table.equals(expected)
            assert other.ledger == reading.ledger


@QUICK
@given(WORLDS)
def test_same_file_twice(events: list[dict[str, Any]]) -> None:
    with folder() as at:
        path = as_csv(at / "1", events)
        once, reading = load_events([path])
        twice, again = load_events([path, path])
        assert twice.equals(once)
        assert again.ledger.balanced
        assert again.ledger.accepted == reading.ledger.accepted
        assert again.ledger.read == 2 * reading.ledger.read


@settings(max_examples=12, suppress_health_check=[HealthCheck.too_slow])
@given(WORLDS, st.integers(0, 25))
def test_store_agrees_with_memory(events: list[dict[str, Any]], cut: int) -> None:
    with folder() as at:
        expected, reading = load_events([as_csv(at / "whole", events)])
        paths = [as_csv(at / str(i), p) for i, p in enumerate((events[:cut], events[cut:])) if p]
        with EventStore.open(threads=1) as store:
            ledger = store.add(read_events([at / "whole"]))
            assert ledger == reading.ledger
            assert store.table().equals(expected)
            # the same again adds nothing and displaces nothing
            assert store.add(read_events([at / "whole"])).accepted == 0
            assert store.table().equals(expected)
        for order in (paths, paths[::-1]):
            with EventStore.open(threads=1) as store:
                total = Ledger()
                for path in order:
                    ledger = store.add(read_events([path]))
                    assert ledger.balanced
                    total = total + ledger
                assert total.read == reading.ledger.read
                assert store.table().equals(expected)


@QUICK
@given(WORLDS)
def test_ledger_and_order(events: list[dict[str, Any]]) -> None:
    with folder() as at:
        table, reading = load_events([as_parquet(at / "p", events)])
        assert reading.ledger.balanced
        assert reading.ledger.accepted == table.num_rows
        keys = list(
            zip(
                table["timestamp_us"].to_pylist(),
                (e.encode() for e in table["event_id"].to_pylist()),
                strict=True,
            )
        )
        assert keys == sorted(keys)
        assert len({key[1] for key in keys}) == len(keys)
        assert table.schema.names == EVENT_SCHEMA.names
        assert table.schema.types == EVENT_SCHEMA.types


PIECES = st.lists(
    st.one_of(
        st.sampled_from(
            [b",", b"\n", b"\r", b"\r\n", b'"', b'""', b"\\", b"\0", b"\xff", b"\xe9", b"{", b"}", b"[", b":"]
        ),
        st.sampled_from(
            [b"a", b"post", b"1700000000", b"2024-05-01T10:00:00Z", b"o", "é".encode(), b"null", b"-0"]
        ),
        st.binary(max_size=3),
    ),
    max_size=60,
).map(b"".join)


@settings(max_examples=150, suppress_health_check=[HealthCheck.too_slow])
@given(
    PIECES,
    st.sampled_from([b"account_id,action,object_id,timestamp,text\n", b"", b'{"account_id":"a"}\n']),
    st.integers(1, 70),
)
def test_any_bytes(body: bytes, head: bytes, block_bytes: int) -> None:
    """Whatever stands in a file: rows, rejects or one clear error; and the same for every block size."""
    with folder() as at:
        path = at / "f"
        path.write_bytes(head + body)
        outcomes = []
        for size in (block_bytes, 1 << 20):
            reading = read_events([path], block_bytes=size)
            try:
                table = load_table(reading)
            except GraphscanError as error:
                outcomes.append((error.exit_code in (2, 3), error.what.split(" after ")[0], error.where))
            else:
                outcomes.append(
                    (table.to_pylist(), reading.ledger, [(r.line, r.reason) for r in reading.rejects])
                )
            assert reading.ledger.balanced
        assert outcomes[0] == outcomes[1]
        assert outcomes[0][0] is not False


@settings(max_examples=150, suppress_health_check=[HealthCheck.too_slow])
@given(
    st.lists(st.lists(st.one_of(IDS, st.just("")), min_size=5, max_size=5), max_size=12),
    st.sampled_from(["\n", "\r\n"]),
    st.integers(1, 90),
)
def test_fields_as_the_csv_module_reads_them(rows: list[list[str]], line_end: str, block_bytes: int) -> None:
    with folder() as at:
        path = at / "f.csv"
        with open(path, "w", encoding="utf-8", newline="") as file:
            writer = csv.writer(file, lineterminator=line_end)
            writer.writerow(["account_id", "action", "object_id", "timestamp", "text", "n"])
            for number, row in enumerate(rows):
                writer.writerow(
                    ["a" + row[0], "post", "o" + row[1], "1700000000", row[2], row[3] + str(number)]
                )
        reading = read_events([path], block_bytes=block_bytes)
        found = [
            tuple(t)
            for table in reading
            for t in zip(*(table[c].to_pylist() for c in ("account_id", "object_id", "text")), strict=True)
        ]
        assert found == [("a" + row[0], "o" + row[1], row[2] or None) for row in rows]
