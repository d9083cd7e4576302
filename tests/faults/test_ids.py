"""Ids and fields: what each gets. The number in a test's name is the case's number."""

from __future__ import annotations

import hashlib
import itertools
import json
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from graphscan.errors import GraphscanError
from graphscan.events.ledger import Ledger
from graphscan.events.model import ACTIONS
from graphscan.events.reading import load_events, load_table, read_events
from graphscan.store.events import EventStore

TIME = "2024-05-01T10:00:00Z"
NAMES = ("event_id", "account_id", "action", "object_id", "timestamp", "text")
BIG = "1234567890123456789"


def csv_file(
    folder: Path, rows: Sequence[Sequence[str]], name: str = "events.csv", names: Sequence[str] = NAMES
) -> Path:
    path = folder / name
    path.write_text("".join(",".join(row) + "\n" for row in [names, *rows]), "utf-8")
    return path


def event(number: int, **fields: str) -> dict[str, str]:
    basis = {
        "event_id": f"e{number}",
        "account_id": "a",
        "action": "post",
        "object_id": f"o{number}",
        "timestamp": TIME,
        "text": "",
    }
    return {**basis, **fields}


def test_b1_19_digits_beside_a_blank(tmp_path: Path) -> None:
    names = (*NAMES, "parent_id")
    rows = [[*event(i, account_id=BIG).values(), parent] for i, parent in enumerate((BIG, ""))]
    table, _ = load_events([csv_file(tmp_path, rows, names=names)])
    assert table["account_id"].to_pylist() == [BIG, BIG]
    assert table["parent_id"].to_pylist() == [BIG, None]


ODD_IDS = (
    "007",
    "7",
    "1e5",
    "100000",
    "True",
    "true",
    "NA",
    "null",
    "NULL",
    "None",
    "nan",
    "-",
    "0",
    "-0",
    "#N/A",
    " 7",
    "7 ",
    "\u00e9",
    "e\u0301",
)


@pytest.mark.parametrize("container", ["csv", "ndjson", "parquet"])
@pytest.mark.parametrize("coded", [False, True])
def test_b2_ids_stay_text(tmp_path: Path, container: str, coded: bool) -> None:
    events = [event(i, account_id=odd, object_id=odd, event_id=odd) for i, odd in enumerate(ODD_IDS)]
    path = tmp_path / "events"
    if container == "csv":
        path = csv_file(tmp_path, [list(e.values()) for e in events])
    elif container == "ndjson":
        path.write_text("".join(json.dumps(e) + "\n" for e in events))
    else:
        pq.write_table(pa.Table.from_pylist(events), path)
    table, reading = load_events([path], coded=coded)
    assert reading.ledger == Ledger(read=len(ODD_IDS), accepted=len(ODD_IDS))
    for column in ("event_id", "account_id", "object_id"):
        assert sorted(table[column].to_pylist()) == sorted(ODD_IDS)


@pytest.mark.parametrize("blank", ["", '""', "   ", "\t", "\u00a0\u2003"])
@pytest.mark.parametrize("column", ["account_id", "object_id", "action"])
def test_b3_blank_is_missing(tmp_path: Path, blank: str, column: str) -> None:
    rows = [list(event(1).values()), list(event(2, **{column: blank}).values()), list(event(3).values())]
    table, reading = load_events([csv_file(tmp_path, rows)])
    assert table["event_id"].to_pylist() == ["e1", "e3"]
    assert [(r.line, r.column, r.reason) for r in reading.rejects] == [(3, column, "missing_value")]


def test_b4_parquet_integer_ids_are_their_digits(tmp_path: Path) -> None:
    path = tmp_path / "events.parquet"
    big = 2**63 - 1
    table = pa.table(
        {
            "account_id": pa.array([big, 7], type=pa.int64()),
            "action": ["post", "post"],
            "object_id": pa.array([2**64 - 1, 0], type=pa.uint64()),
            "timestamp": [1_700_000_000, 1_700_000_001],
            "event_id": pa.array([1, 2], type=pa.int8()),
        }
    )
    pq.write_table(table, path)
    read, _ = load_events([path])
    assert read["account_id"].to_pylist() == [str(big), "7"]
    assert read["object_id"].to_pylist() == [str(2**64 - 1), "0"]
    assert read["event_id"].to_pylist() == ["1", "2"]


def test_b4_parquet_float_ids_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "events.parquet"
    columns = {
        "account_id": [1.2345678901234567e18, 2.0],
        "action": ["post", "post"],
        "object_id": ["o", "p"],
        "timestamp": [1_700_000_000, 1_700_000_001],
        "parent_id": [float("nan"), float("nan")],
    }
    pq.write_table(pa.table(columns), path)
    with pytest.raises(GraphscanError) as caught:
        load_events([path])
    assert caught.value.exit_code == 3
    assert "account_id" in caught.value.what
    # a column of nothing but NaN is how pandas writes a column without values
    pq.write_table(pa.table({**columns, "account_id": ["a", "b"]}), path)
    table, _ = load_events([path])
    assert table["parent_id"].null_count == 2


def test_b4_parquet_text_types(tmp_path: Path) -> None:
    path = tmp_path / "events.parquet"
    ids = ["a", "b", "a"]
    for kind in (pa.large_string(), pa.binary(), pa.dictionary(pa.int8(), pa.string()), pa.string_view()):
        table = pa.table(
            {
                "account_id": pa.array(ids).cast(kind)
                if kind != pa.dictionary(pa.int8(), pa.string())
                else pa.array(ids).dictionary_encode(),
                "action": ["post"] * 3,
                "object_id": ids,
                "timestamp": pa.array([1_700_000_000_000_000 + i for i in range(3)]),
            }
        )
        pq.write_table(table, path)
        for coded in (False, True):
            read, _ = load_events([path], coded=coded)
            assert read["account_id"].to_pylist() == ids


def test_b4_parquet_bytes_that_are_no_utf8(tmp_path: Path) -> None:
    path = tmp_path / "events.parquet"
    table = pa.table(
        {
            "account_id": pa.array([b"a", b"\xff", b"c"]),
            "action": ["post"] * 3,
            "object_id": ["o"] * 3,
            "timestamp": [1_700_000_000] * 3,
        }
    )
    pq.write_table(table, path)
    read, reading = load_events([path])
    assert read.num_rows == 2
    assert [(r.line, r.reason) for r in reading.rejects] == [(2, "bad_utf8")]


@pytest.mark.parametrize(
    "number",
    ["9007199254740993", "12345678901234567890123", "-0", "1.50", "1e5", "0", "18446744073709551616"],
)
def test_b5_json_numbers_keep_their_digits(tmp_path: Path, number: str) -> None:
    path = tmp_path / "events.ndjson"
    line = json.dumps(event(1, account_id="MARK")).replace('"MARK"', number)
    path.write_text(line + "\n" + json.dumps(event(2, account_id="x")) + "\n")
    table, _ = load_events([path])
    assert table["account_id"].to_pylist() == [number, "x"]
    path.write_text(line + "\n")
    table, _ = load_events([path])
    assert table["account_id"].to_pylist() == [number]


CONFLICT = (
    event(1, event_id="same", account_id="b", text="later"),
    event(1, event_id="same", account_id="a", text="kept"),
    event(1, event_id="same", account_id="a", text="kept too late"),
    event(1, event_id="same", account_id="a", text="kept"),
)


def test_b6_conflict_in_any_order(tmp_path: Path) -> None:
    for order in itertools.permutations(range(4)):
        rows = [list(CONFLICT[i].values()) for i in order]
        path = csv_file(tmp_path, rows)
        table, reading = load_events([path])
        assert table["text"].to_pylist() == ["kept"]
        assert reading.ledger == Ledger(read=4, accepted=1, duplicate=1, rejected={"conflict": 2})
        kept_lines = {order.index(1) + 2, order.index(3) + 2}
        for reject in reading.rejects:
            assert reject.line - 2 in (order.index(0), order.index(2))
            assert any(f"{path}:{line}" in reject.message for line in kept_lines)


def test_b6_conflict_across_files_blocks_and_runs(tmp_path: Path) -> None:
    fillers = [list(event(i).values()) for i in range(10, 60)]
    for n, order in enumerate(itertools.permutations(range(3))):
        paths = [
            csv_file(tmp_path, [*fillers, list(CONFLICT[i].values())], name=f"{n}-{k}.csv")
            for k, i in enumerate(order)
        ]
        table, reading = load_events(paths)
        assert table.filter(pa.compute.equal(table["event_id"], "same"))["text"].to_pylist() == ["kept"]
        assert reading.ledger == Ledger(read=153, accepted=51, duplicate=100, rejected={"conflict": 2})
        reading = read_events([paths[0]], block_bytes=100)
        load_table(reading)
        with EventStore.open() as store:
            store.add(read_events(paths))
            assert store.table().equals(table)
        with EventStore.open(tmp_path / f"{n}.duckdb") as store:
            for path in paths:
                ledger = store.add(read_events([path]))
                assert ledger.balanced
            assert store.table().equals(table)


def test_b6_which_row_sorts_first(tmp_path: Path) -> None:
    """By timestamp, account, action, object, then the rest; a missing value before any other."""
    ordered = [
        event(1, timestamp="2024-05-01T09:00:00Z", account_id="z", action="repost", object_id="z", text="z"),
        event(1, account_id="B", action="post", object_id="z", text="z"),
        event(1, account_id="a", action="comment", object_id="z", text="z"),
        event(1, account_id="a", action="post", object_id="a", text="z"),
        event(1, account_id="a", action="post", object_id="b", text=""),
        event(1, account_id="a", action="post", object_id="b", text="a"),
        event(1, account_id="a", action="post", object_id="b", text="é"),
    ]
    for start in range(len(ordered)):
        rest = ordered[start:]
        for rows in (rest, rest[::-1]):
            path = csv_file(tmp_path, [list(r.values()) for r in rows])
            table, _ = load_events([path])
            first = [rest[0]["account_id"], rest[0]["object_id"], rest[0]["text"] or None]
            assert [table[c][0].as_py() for c in ("account_id", "object_id", "text")] == first
            with EventStore.open() as store:
                store.add(read_events([path]))
                assert store.table().equals(table)


def test_b6_lists_decide_alike_everywhere(tmp_path: Path) -> None:
    rng = np.random.default_rng(5)
    pool = ["a", "b", "aa", "é", "zz"]
    for _ in range(20):
        lines = []
        for _ in range(6):
            urls = [pool[i] for i in rng.integers(0, 5, rng.integers(0, 3))]
            lines.append(
                json.dumps(
                    {**event(1, event_id="same"), "urls": urls, "ai_score": float(rng.integers(0, 3)) / 2}
                )
            )
        path = tmp_path / "e.ndjson"
        path.write_text("\n".join(lines))
        table, _ = load_events([path])
        with EventStore.open() as store:
            store.add(read_events([path]))
            assert store.table().equals(table)


def test_b7_derived_ids_are_stable(tmp_path: Path) -> None:
    """The ids are part of the output: a release that changes them breaks every state."""
    names = ("account_id", "action", "object_id", "timestamp", "text", "urls", "ai_score")
    rows = [["a", "post", "o", TIME, "t", "u v", "0.25"], ["a", "post", "o", TIME, "", "", ""]]
    table, _ = load_events([csv_file(tmp_path, rows, names=names)])
    contents = [
        "account_id=:1:a\naction=:4:post\nobject_id=:1:o\ntimestamp_us=:16:1714557600000000",
        "account_id=:1:a\naction=:4:post\nobject_id=:1:o\ntimestamp_us=:16:1714557600000000"
        "\ntext=:1:t\nurls=:7:1:u,1:v\nai_score=:19:4598175219545276416",
    ]
    assert sorted(table["event_id"].to_pylist()) == STABLE_IDS
    assert sorted("gs1:" + hashlib.sha256(c.encode()).hexdigest()[:32] for c in contents) == STABLE_IDS
    other = ("text", "ai_score", "timestamp", "object_id", "urls", "action", "account_id", "more")
    swapped = [["t", "0.250", "1714557600", "o", "u  v", "post", "a", "x"]]
    again, _ = load_events([csv_file(tmp_path, swapped, names=other)])
    assert again["event_id"][0].as_py() in STABLE_IDS


STABLE_IDS = ["gs1:485b2109e14dcb53a8952e7ae7a5ce2a", "gs1:a7317936a8ecace8e000007cb78e2ba5"]


def test_b7_derived_ids_do_not_depend_on_the_columns_read(tmp_path: Path) -> None:
    rows = [list(event(i, event_id="" if i % 3 else f"e{i}", text=f"t{i}").values()) for i in range(20)]
    path = csv_file(tmp_path, rows)
    whole, _ = load_events([path])
    part, _ = load_events([path], columns=("account_id",))
    assert part["event_id"].equals(whole["event_id"])
    assert part.column_names == ["account_id", "action", "object_id", "timestamp_us", "event_id"]


def test_b7_no_two_contents_share_a_derived_id(tmp_path: Path) -> None:
    names = ("account_id", "action", "object_id", "timestamp", "parent_id", "text", "urls")
    rows = [
        ["a", "post", "bc", TIME, "", "", ""],
        ["a", "post", "b", TIME, "c", "", ""],
        ["a", "post", "b", TIME, "", "c", ""],
        ["a", "post", "b", TIME, "", "", "c"],
        ["a", "post", "b", TIME, "", "", "c d"],
        ["a", "post", "b", TIME, "", "", "cd"],
        ["ab", "post", "b", TIME, "", "", ""],
        ["a", "post", "b", TIME, "text=1:c", "", ""],
    ]
    table, reading = load_events([csv_file(tmp_path, rows, names=names)])
    assert reading.ledger.accepted == len(rows)
    assert len(set(table["event_id"].to_pylist())) == len(rows)


def test_b8_an_account_acting_on_itself_is_kept(tmp_path: Path) -> None:
    table, _ = load_events([csv_file(tmp_path, [list(event(1, action="follow", object_id="a").values())])])
    assert table["object_id"].to_pylist() == table["account_id"].to_pylist() == ["a"]


@pytest.mark.parametrize("coded", [False, True])
def test_b9_unknown_action(tmp_path: Path, coded: bool) -> None:
    rows = [list(event(i, action=a).values()) for i, a in enumerate([*ACTIONS, "retweet", "Post"])]
    table, reading = load_events([csv_file(tmp_path, rows)], coded=coded)
    assert table.num_rows == len(ACTIONS)
    assert [(r.line, r.column, r.reason) for r in reading.rejects] == [
        (12, "action", "unknown_action"),
        (13, "action", "unknown_action"),
    ]
    assert all(action in reading.rejects[0].message for action in ACTIONS)


@pytest.mark.parametrize(
    ("column", "good", "bad"),
    [
        ("ai_score", ["0", "1", "0.5", "", "1e-3"], ["1.1", "-0.1", "nan", "high", "inf"]),
        ("ai_declared", ["true", "False", "1", "0", "", "yes", "N"], ["maybe", "2"]),
    ],
)
def test_b10_values_out_of_range(tmp_path: Path, column: str, good: list[str], bad: list[str]) -> None:
    rows = [[*event(i).values(), value] for i, value in enumerate([*good, *bad])]
    table, reading = load_events([csv_file(tmp_path, rows, names=(*NAMES, column))])
    assert table.num_rows == len(good)
    assert [(r.line, r.column, r.reason) for r in reading.rejects] == [
        (len(good) + 2 + i, column, "bad_value") for i in range(len(bad))
    ]


def test_b11_extra_columns_are_ignored_and_named(tmp_path: Path) -> None:
    rows = [[*event(1).values(), "x", "y"]]
    _, reading = load_events([csv_file(tmp_path, rows, names=(*NAMES, "followers", "zzz"))])
    assert reading.inputs[0].ignored_columns == ("followers", "zzz")


def test_b12_lists(tmp_path: Path) -> None:
    names = (*NAMES, "urls", "hashtags")
    cells = [("", ""), (" u1   u2 ", "x"), ('"[""u1"", ""u2""]"', "[not json"), ("[]", "")]
    rows = [[*event(i).values(), *cell] for i, cell in enumerate(cells)]
    table, _ = load_events([csv_file(tmp_path, rows, names=names)])
    assert table["urls"].to_pylist() == [None, ["u1", "u2"], ["u1", "u2"], None]
    assert table["hashtags"].to_pylist() == [None, ["x"], ["[not", "json"], None]


def test_mapping(tmp_path: Path) -> None:
    path = csv_file(
        tmp_path, [["1", "ann", "http://x", TIME, "t"]], names=("id", "author", "url", "created_at", "action")
    )
    mapping = {
        "account_id": "author",
        "object_id": "url",
        "timestamp": "created_at",
        "action": "=repost",
        "event_id": "id",
    }
    table, reading = load_events([path], mapping=mapping)
    assert table.select(["account_id", "action", "object_id", "event_id"]).to_pylist() == [
        {"account_id": "ann", "action": "repost", "object_id": "http://x", "event_id": "1"}
    ]
    assert reading.inputs[0].ignored_columns == ("action",)


def test_mapping_names_the_source_column_in_rejects(tmp_path: Path) -> None:
    path = csv_file(tmp_path, [["", "post", "o", TIME]], names=("author", "action", "object_id", "timestamp"))
    _, reading = load_events([path], mapping={"account_id": "author"})
    assert reading.rejects[0].column == "author"


def test_mapping_may_leave_a_column_out(tmp_path: Path) -> None:
    rows = [list(event(i, event_id="same").values()) for i in range(3)]
    path = csv_file(tmp_path, rows)
    _, reading = load_events([path], mapping={"event_id": "="})
    assert reading.ledger.accepted == 3


def test_mapping_one_field_to_two_columns(tmp_path: Path) -> None:
    path = csv_file(tmp_path, [["1", "ann", TIME]], names=("id", "author", "created_at"))
    mapping = {
        "account_id": "author",
        "object_id": "id",
        "event_id": "id",
        "timestamp": "created_at",
        "action": "=post",
    }
    table, _ = load_events([path], mapping=mapping)
    assert table.select(["account_id", "object_id", "event_id"]).to_pylist() == [
        {"account_id": "ann", "object_id": "1", "event_id": "1"}
    ]


def test_mapping_over_another_format(tmp_path: Path) -> None:
    names = ("object_id", "account_id", "content_id", "timestamp_share")
    path = csv_file(tmp_path, [["o", "a", "c", "1714557600"], ["p", "a", "c", "1714557600"]], names=names)
    _, reading = load_events([path])
    assert reading.ledger.rejected == {"conflict": 1}
    table, reading = load_events([path], mapping={"event_id": "="})
    assert reading.ledger.accepted == 2
    table, _ = load_events([path], mapping={"event_id": "=", "account_id": "content_id"})
    assert set(table["account_id"].to_pylist()) == {"c"}


def test_mapping_that_is_not_complete(tmp_path: Path) -> None:
    path = csv_file(tmp_path, [["1", "ann", TIME]], names=("id", "author", "created_at"))
    with pytest.raises(GraphscanError) as caught:
        load_events([path], mapping={"account_id": "author"})
    assert caught.value.exit_code == 2
    assert "action, object_id, timestamp" in caught.value.what
    assert "--map timestamp=created_at" in caught.value.mend


def test_mapping_into_nested_objects(tmp_path: Path) -> None:
    path = tmp_path / "e.ndjson"
    records = [
        {"user": {"id": 2**60 + i}, "target": {"url": "u"}, "at": TIME, "tags": ["x", "y"]} for i in range(3)
    ]
    path.write_text("".join(json.dumps(r) + "\n" for r in records))
    mapping = {
        "account_id": "user.id",
        "object_id": "target.url",
        "timestamp": "at",
        "action": "=post",
        "hashtags": "tags",
    }
    table, _ = load_events([path], mapping=mapping)
    assert sorted(table["account_id"].to_pylist()) == [str(2**60 + i) for i in range(3)]
    assert table["hashtags"].to_pylist() == [["x", "y"]] * 3


def test_a_field_that_comes_up_late(tmp_path: Path) -> None:
    path = tmp_path / "e.ndjson"
    events = [{k: v for k, v in event(i).items() if k != "text"} for i in range(400)]
    events[-1]["text"] = "late"
    del events[0]["event_id"]
    path.write_text("".join(json.dumps(e) + "\n" for e in events))
    table, _ = load_events([path])
    assert [t for t in table["text"].to_pylist() if t] == ["late"]
    for first in events[:300]:
        first.pop("event_id", None)
    path.write_text("".join(json.dumps(e) + "\n" for e in events))
    for columns in (None, ("account_id",)):
        table, _ = load_events([path], columns=columns)
        assert "e399" in table["event_id"].to_pylist()
        assert sum(e.startswith("gs1:") for e in table["event_id"].to_pylist()) == 300
