"""The table formats: what each file of tests/golden/formats becomes."""

from __future__ import annotations

import csv
from pathlib import Path

import pyarrow.compute as pc
import pytest

from graphscan.errors import GraphscanError
from graphscan.events.formats import FORMATS
from graphscan.events.reading import load_events

GOLDEN = Path(__file__).resolve().parents[2] / "golden" / "formats"
SECOND = 1_000_000


def events_of(path: Path, **options: str) -> list[dict[str, object]]:
    table, _ = load_events([path], **options)  # type: ignore[arg-type]
    return [{k: v for k, v in row.items() if v is not None} for row in table.to_pylist()]


@pytest.mark.parametrize("name", ["coortweet.csv", "coortweet_old.csv"])
def test_coortweet(name: str) -> None:
    start = 1_609_459_200
    table, reading = load_events([GOLDEN / name])
    assert reading.inputs[0].format == "coortweet"
    assert table.select(["account_id", "action", "object_id", "timestamp_us", "event_id"]).to_pylist() == [
        {
            "account_id": account,
            "action": "repost",
            "object_id": shared,
            "timestamp_us": (start + offset) * SECOND,
            "event_id": content,
        }
        for account, shared, offset, content in [
            ("a1", "o1", 0, "c1"),
            ("a2", "o1", 5, "c2"),
            ("a1", "o2", 100, "c3"),
            ("a3", "o2", 160, "c4"),
        ]
    ]
    warned = any("id_account" in warning for warning in reading.warnings)
    assert warned == (name == "coortweet_old.csv")


def test_coortweet_milliseconds_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "c.csv"
    path.write_text("object_id,account_id,content_id,timestamp_share\no,a,c,1609459200000\n")
    _, reading = load_events([path])
    assert reading.ledger.rejected == {"bad_time": 1}


def test_coortweet_content_repeated_for_another_object(tmp_path: Path) -> None:
    path = tmp_path / "c.csv"
    path.write_text(
        "object_id,account_id,content_id,timestamp_share\np,a,c,1609459200\no,a,c,1609459200\no,a,c,1609459200\n"
    )
    table, reading = load_events([path])
    assert table["object_id"].to_pylist() == ["o"]
    assert reading.ledger.rejected == {"conflict": 1}
    assert reading.ledger.duplicate == 1


@pytest.mark.parametrize(
    ("name", "options"), [("cnt.csv", {}), ("cnt_headerless.csv", {"file_format": "cnt"})]
)
def test_cnt(name: str, options: dict[str, str]) -> None:
    assert events_of(GOLDEN / name, **options) == [
        {
            "account_id": "1234567890123456789",
            "action": "repost",
            "object_id": "m2",
            "timestamp_us": -20 * SECOND,
            "event_id": "m4",
            "parent_id": "m1",
            "text": "both",
        },
        {
            "account_id": "1234567890123456789",
            "action": "post",
            "object_id": "m1",
            "timestamp_us": 100 * SECOND,
            "event_id": "m1",
            "text": "first words",
            "urls": ["http://a.example", "http://b.example"],
        },
        {
            "account_id": "007",
            "action": "repost",
            "object_id": "m1",
            "timestamp_us": 130_500_000,
            "event_id": "m2",
        },
        {
            "account_id": "1e5",
            "action": "comment",
            "object_id": "m1",
            "timestamp_us": 160 * SECOND,
            "event_id": "m3",
            "parent_id": "m1",
            "text": "an answer, with a comma",
        },
    ]


def test_cnt_headers_are_ignored(tmp_path: Path) -> None:
    content = (GOLDEN / "cnt.csv").read_text()
    path = tmp_path / "odd.csv"
    path.write_text(content.replace(content.splitlines()[0], "a,b,c,d,e,f,g,h"))
    assert events_of(path, file_format="cnt") == events_of(GOLDEN / "cnt.csv")
    with pytest.raises(GraphscanError) as caught:
        load_events([path])
    assert caught.value.exit_code == 2


def test_cnt_without_header_loses_no_row() -> None:
    _, reading = load_events([GOLDEN / "cnt_headerless.csv"], file_format="cnt")
    assert reading.ledger.accepted == 4
    assert any("no header" in warning for warning in reading.warnings)


def test_cnt_with_another_number_of_columns(tmp_path: Path) -> None:
    path = tmp_path / "c.csv"
    path.write_text("a,b,c\n1,2,3\n")
    with pytest.raises(GraphscanError, match="8 columns") as caught:
        load_events([path], file_format="cnt")
    assert caught.value.exit_code == 2


def test_infoops() -> None:
    minute = 1_546_682_400
    second_account = "8ab1c0de00000000000000000000000000000000000000000000000000000002"
    assert events_of(GOLDEN / "infoops.csv") == [
        {
            "account_id": "8ab1c0de00000000000000000000000000000000000000000000000000000001",
            "action": "post",
            "object_id": "1081500000000000001",
            "timestamp_us": minute * SECOND,
            "event_id": "1081500000000000001",
            "text": "good morning",
            "urls": ["http://a.example/1", "http://b.example/2"],
            "hashtags": ["news", "maga"],
            "client": "Twitter Web Client",
            "lang": "en",
        },
        {
            "account_id": second_account,
            "action": "repost",
            "object_id": "1081500000000000001",
            "timestamp_us": (minute + 60) * SECOND,
            "event_id": "1081500000000000002",
            "text": "RT @x: good morning",
            "client": "TweetDeck",
            "lang": "und",
        },
        {
            "account_id": second_account,
            "action": "comment",
            "object_id": "1081500000000000001",
            "parent_id": "1081500000000000001",
            "timestamp_us": (minute + 120) * SECOND,
            "event_id": "1081500000000000003",
            "text": "@x no",
            "hashtags": ["one"],
            "client": "TweetDeck",
            "lang": "en",
        },
        {
            "account_id": second_account,
            "action": "post",
            "object_id": "1081500000000000004",
            "timestamp_us": (minute + 180) * SECOND,
            "event_id": "1081500000000000004",
            "text": "look",
            "client": "TweetDeck",
            "lang": "en",
            "detail": "quote",
        },
    ]


def test_infoops_in_another_column_order(tmp_path: Path) -> None:
    with open(GOLDEN / "infoops.csv", newline="") as file:
        rows = list(csv.reader(file))
    path = tmp_path / "other.csv"
    with open(path, "w", newline="") as file:
        csv.writer(file).writerows([row[::-1] for row in rows])
    assert events_of(path) == events_of(GOLDEN / "infoops.csv")


def test_infoops_books() -> None:
    _, reading = load_events([GOLDEN / "infoops.csv"])
    described = reading.inputs[0]
    assert described.format == "infoops"
    assert described.time_resolution_us == 60_000_000
    assert "user_profile_description" in described.ignored_columns
    assert [(r.line, r.column, r.reason) for r in reading.rejects] == [
        (6, "retweet_tweetid", "missing_value")
    ]


def test_infoops_users_are_no_events() -> None:
    with pytest.raises(GraphscanError, match="users") as caught:
        load_events([GOLDEN / "infoops_users.csv"])
    assert caught.value.exit_code == 2
    assert "--accounts" in caught.value.mend


def test_every_format_is_named_in_the_reference() -> None:
    reference = Path(__file__).resolve().parents[3] / "docs" / "reference" / "events.md"
    text = reference.read_text("utf-8")
    for name, layout in FORMATS.items():
        assert f"`{name}`" in text
        assert layout.title in text


def test_coortweet_dataset(data_dir: Path) -> None:
    table, reading = load_events([data_dir / "coortweet_ru" / "events.csv.gz"])
    assert table.num_rows == 35_085
    assert reading.ledger.as_dict() == {
        "read": 35_125,
        "accepted": 35_085,
        "duplicate": 1,
        "rejected": {"conflict": 39},
        "late": 0,
    }
    assert not reading.ledger.over_budget
    assert pc.count_distinct(table["account_id"]).as_py() == 9_509
    assert pc.count_distinct(table["object_id"]).as_py() == 7_254


@pytest.mark.parametrize(
    ("name", "n_rows", "resolution_us"),
    [("aidev_a", 45_447, 1_000_000), ("ira_sample", 393_799, 60_000_000), ("zulip", 948_495, 1_000_000)],
)
def test_other_datasets(data_dir: Path, name: str, n_rows: int, resolution_us: int) -> None:
    table, reading = load_events([data_dir / name / "events.parquet"], columns=("account_id",), digests=False)
    assert table.num_rows == n_rows
    assert reading.ledger.accepted == n_rows
    assert reading.time_resolution_us == resolution_us
