"""The formats with nested records: what each file of tests/golden/formats becomes, trap by trap."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from graphscan.errors import GraphscanError
from graphscan.events.formats.registry import RECORD_FORMATS, recognised_record
from graphscan.events.ledger import Ledger
from graphscan.events.reading import Reading, load_events, load_table, read_events

GOLDEN = Path(__file__).resolve().parents[2] / "golden" / "formats"
SECOND = 1_000_000
START_US = 1_714_557_600 * SECOND


def events_of(path: Path, **options: Any) -> tuple[list[dict[str, Any]], Reading]:
    reading = read_events([path], **options)
    table = load_table(reading)
    assert reading.ledger.balanced
    return [{k: v for k, v in row.items() if v is not None} for row in table.to_pylist()], reading


def rejects_of(reading: Reading) -> list[tuple[int, str]]:
    return [(reject.line, reject.reason) for reject in reading.rejects]


def test_rednote_posts() -> None:
    events, reading = events_of(GOLDEN / "rednote_posts.ndjson")
    assert reading.inputs[0].format == "rednote"
    assert events == [
        {
            "account_id": "5f00000000000000000000aa",
            "action": "post",
            "object_id": "64aa00000000000000000001",
            "timestamp_us": START_US + 123_000,
            "event_id": "64aa00000000000000000001",
            "text": "春天\n好看 #春天[话题]# #踏青 去吧#花",
            "hashtags": ["春天", "踏青", "花"],
            "detail": "normal",
        },
        {
            "account_id": "5f00000000000000000000bb",
            "action": "post",
            "object_id": "64aa00000000000000000002",
            "timestamp_us": START_US + SECOND,
            "event_id": "64aa00000000000000000002",
            "text": "t\nd",
        },
        {
            "account_id": "5f00000000000000000000aa",
            "action": "post",
            "object_id": "64aa00000000000000000004",
            "timestamp_us": START_US + 2 * SECOND,
            "event_id": "64aa00000000000000000004",
            "text": "v",
            "detail": "video",
        },
    ]


def test_rednote_traps() -> None:
    """HTML captures, stubs, overviews, nicknames alone, seconds for milliseconds, a note seen twice."""
    _, reading = events_of(GOLDEN / "rednote_posts.ndjson")
    assert rejects_of(reading) == [
        (3, "no_time"),
        (5, "no_content"),
        (6, "no_time"),
        (7, "no_account_id"),
        (8, "bad_time"),
    ]
    assert reading.ledger.duplicate == 1
    assert reading.ledger.accepted == 3


def test_rednote_account_from_the_profile_address(tmp_path: Path) -> None:
    line = json.loads((GOLDEN / "rednote_posts.ndjson").read_text("utf-8").splitlines()[6])
    line["data"]["author_url"] = "https://www.xiaohongshu.com/user/profile/5f00000000000000000000dd?x=1"
    path = tmp_path / "e.ndjson"
    path.write_text(json.dumps(line))
    events, _ = events_of(path)
    assert events[0]["account_id"] == "5f00000000000000000000dd"


def test_rednote_comments() -> None:
    events, reading = events_of(GOLDEN / "rednote_comments.ndjson")
    note = "64aa00000000000000000001"
    assert [
        (e["event_id"], e["account_id"][-2:], e["object_id"], e["parent_id"], e["text"]) for e in events
    ] == [
        ("c1", "cc", note, note, "赞"),
        ("c2", "aa", note, "c1", "谢"),
        ("c3", "bb", note, "c1", "hm"),
    ]
    assert [e["timestamp_us"] - START_US for e in events] == [100 * SECOND, 160 * SECOND, 161 * SECOND]
    assert rejects_of(reading) == [(1, "no_account_id"), (2, "bad_time")]
    assert reading.ledger.read == 5
    assert not any("上海" in str(event) for event in events)


def test_rednote_tables_of_4cat_are_refused() -> None:
    with pytest.raises(GraphscanError, match="nickname") as caught:
        load_events([GOLDEN / "rednote_4cat.csv"])
    assert caught.value.exit_code == 2
    assert "NDJSON" in caught.value.mend


def test_telegram_chat() -> None:
    events, reading = events_of(GOLDEN / "telegram_chat.json")
    chat = "telegram:1234567890"
    assert reading.inputs[0].format == "telegram"
    assert reading.inputs[0].container == "json"
    assert events == [
        {
            "account_id": "user101",
            "action": "chat_join",
            "object_id": chat,
            "timestamp_us": START_US,
            "event_id": f"{chat}/1",
            "detail": "join_group_by_link",
        },
        {
            "account_id": "user101",
            "action": "chat_message",
            "object_id": chat,
            "timestamp_us": START_US + 5 * SECOND,
            "event_id": f"{chat}/2",
            "text": "look at https://a.example/1 and this #news",
            "urls": ["https://a.example/1", "https://b.example/2"],
            "hashtags": ["news"],
        },
        {
            "account_id": "channel202",
            "action": "chat_message",
            "object_id": chat,
            "timestamp_us": START_US + 6 * SECOND,
            "event_id": f"{chat}/3",
            "parent_id": f"{chat}/2",
            "text": "yes",
            "detail": "forward",
        },
        {
            "account_id": "channel303",
            "action": "chat_message",
            "object_id": chat,
            "timestamp_us": START_US + 9 * SECOND,
            "event_id": f"{chat}/6",
        },
        {
            "account_id": "user101",
            "action": "other",
            "object_id": chat,
            "timestamp_us": START_US + 10 * SECOND,
            "event_id": f"{chat}/7",
            "detail": "pin_message",
        },
    ]


def test_telegram_traps() -> None:
    """Local times of old exports are no times; a deleted account is nobody."""
    path = GOLDEN / "telegram_chat.json"
    _, reading = events_of(path)
    lines = path.read_text("utf-8").splitlines()
    old = next(i for i, line in enumerate(lines) if '"id": 4' in line)
    gone = next(i for i, line in enumerate(lines) if '"id": 5' in line)
    # a message begins on the line of its brace, above the one with its id
    assert rejects_of(reading) == [(old, "no_time_zone"), (gone, "no_account_id")]
    assert reading.rejects[0].excerpt.startswith("{")


def test_telegram_full_export() -> None:
    events, reading = events_of(GOLDEN / "telegram_full.json")
    assert [(e["account_id"], e["action"], e["object_id"], e["event_id"]) for e in events] == [
        ("user101", "message", "telegram:export-owner", "telegram:101/1"),
        ("user1", "message", "user101", "telegram:101/2"),
        ("user102", "chat_message", "telegram:55", "telegram:55/1"),
    ]
    assert reading.ledger == Ledger(read=3, accepted=3)


@pytest.mark.parametrize("name", ["telegram_chat.json", "telegram_full.json", "mastodon.json"])
def test_documents_in_pieces(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    expected, reading = events_of(GOLDEN / name)
    whole = json.loads((GOLDEN / name).read_text("utf-8"))
    small = tmp_path / "small.json"
    small.write_text(json.dumps(whole, separators=(",", ":")))
    assert events_of(small)[0] == expected
    monkeypatch.setattr("graphscan.events.documents._READ_BYTES", 7)
    again, other = events_of(GOLDEN / name)
    assert again == expected
    assert rejects_of(other) == rejects_of(reading)


@pytest.mark.parametrize("cut", [0.2, 0.6, 0.95])
def test_documents_cut_off(tmp_path: Path, cut: float) -> None:
    content = (GOLDEN / "telegram_chat.json").read_text("utf-8")
    path = tmp_path / "cut.json"
    path.write_text(content[: int(len(content) * cut)])
    reading = read_events([path])
    with pytest.raises(GraphscanError) as caught:
        load_table(reading)
    assert caught.value.exit_code == 3
    assert str(path) in caught.value.where


@pytest.mark.parametrize("document", ['[{"a": 1}, 2]', "[]", '{\n "a": 1\n}', '[{"account_id": "a"}]'])
def test_unknown_documents(tmp_path: Path, document: str) -> None:
    path = tmp_path / "d.json"
    path.write_text(document)
    with pytest.raises(GraphscanError) as caught:
        load_events([path])
    assert caught.value.exit_code == 2
    assert "telegram" in caught.value.mend


def test_documents_nested_too_deep(tmp_path: Path) -> None:
    path = tmp_path / "d.json"
    path.write_text('[{"a": ' + "[" * 100_000 + "]" * 100_000 + "}]")
    with pytest.raises(GraphscanError, match="deep") as caught:
        load_events([path])
    assert caught.value.exit_code == 3


def test_documents_with_odd_items(tmp_path: Path) -> None:
    """One bad item is rejected; the others are kept."""
    items = json.loads((GOLDEN / "mastodon.json").read_text("utf-8"))[:3]
    text = json.dumps([items[0], 7, items[1], {**items[2], "content": "MARK"}])
    path = tmp_path / "d.json"
    path.write_bytes(text.replace("MARK", "<p>a\\ud800</p>").encode())
    events, reading = events_of(path)
    assert len(events) == 2
    assert [reason for _, reason in rejects_of(reading)] == ["bad_json", "bad_utf8"]
    path.write_bytes(text.encode().replace(b"MARK", b"\xff"))
    _, reading = events_of(path)
    assert [reason for _, reason in rejects_of(reading)] == ["bad_json", "bad_utf8"]


def test_jetstream_v1() -> None:
    events, reading = events_of(GOLDEN / "jetstream_v1.ndjson")
    post = "at://did:plc:aaa/app.bsky.feed.post/k1"
    assert events[0] == {
        "account_id": "did:plc:aaa",
        "action": "post",
        "object_id": post,
        # the server's time, not the client's claim of 2031
        "timestamp_us": START_US + 1,
        "event_id": post,
        "text": "hello #news",
        "urls": ["https://a.example", "https://b.example"],
        "hashtags": ["news"],
        "lang": "en",
        "detail": "app.bsky.feed.post",
    }
    assert [(e["action"], e["object_id"], e["event_id"].rpartition("/")[2]) for e in events[1:]] == [
        ("comment", post, "k2"),
        ("repost", post, "k3"),
        ("like", post, "k4"),
        ("follow", "did:plc:aaa", "k5"),
        ("other", "at://did:plc:bbb/app.bsky.feed.like/k4", "k4#delete:r6"),
        ("profile", "did:plc:bbb", "self#update:r7"),
        ("profile", "did:plc:bbb", "did:plc:bbb#identity:1714557600000008"),
    ]
    assert events[1]["parent_id"] == post
    assert rejects_of(reading) == [(9, "not_an_event"), (10, "no_content")]


def test_jetstream_v2() -> None:
    events, reading = events_of(GOLDEN / "jetstream_v2.ndjson")
    assert [(e["action"], e["timestamp_us"] - START_US, e["object_id"]) for e in events] == [
        ("like", 1, "at://did:plc:bbb/app.bsky.feed.post/k9"),
        ("profile", 2, "did:plc:aaa"),
    ]
    assert rejects_of(reading) == [(3, "not_an_event"), (4, "not_an_event")]


def test_mastodon() -> None:
    events, reading = events_of(GOLDEN / "mastodon.json")
    status = "https://one.example/users/ann/statuses/112"
    assert events == [
        {
            "account_id": "ann@one.example",
            "action": "post",
            "object_id": status,
            "timestamp_us": START_US + 123_000,
            "event_id": status,
            "text": "Hello & a link\nsecond\n#news",
            "urls": ["https://a.example/x"],
            "hashtags": ["news"],
            "client": "Web",
            "lang": "en",
        },
        {
            "account_id": "bob@two.example",
            "action": "repost",
            "object_id": status,
            "timestamp_us": START_US + SECOND,
            "event_id": "https://two.example/users/bob/statuses/900/activity",
        },
        {
            "account_id": "bob@two.example",
            "action": "comment",
            "object_id": "mastodon:112",
            "parent_id": "mastodon:112",
            "timestamp_us": START_US + 2 * SECOND,
            "event_id": "https://two.example/users/bob/statuses/901",
            "text": "no",
            "lang": "en",
        },
        {
            "account_id": "ann@one.example",
            "action": "message",
            "object_id": "bob@two.example",
            "timestamp_us": START_US + 3 * SECOND,
            "event_id": "https://one.example/users/ann/statuses/115",
            "text": "psst",
            "lang": "en",
        },
    ]
    assert rejects_of(reading) == [(6, "no_content")]


def test_mastodon_as_ndjson(tmp_path: Path) -> None:
    items = json.loads((GOLDEN / "mastodon.json").read_text("utf-8"))
    path = tmp_path / "m.ndjson"
    path.write_text("".join(json.dumps(item) + "\n" for item in items))
    assert events_of(path)[0] == events_of(GOLDEN / "mastodon.json")[0]


def test_reddit_comments() -> None:
    events, reading = events_of(GOLDEN / "reddit_comments.ndjson")
    assert events == [
        {
            "account_id": "ann",
            "action": "comment",
            "object_id": "t3_zzz",
            "timestamp_us": START_US,
            "event_id": "t1_abc1",
            "parent_id": "t3_zzz",
            "text": "first",
            "detail": "r/news",
        },
        {
            "account_id": "ann",
            "action": "comment",
            "object_id": "t3_zzz",
            "timestamp_us": START_US + SECOND,
            "event_id": "t1_abc2",
            "parent_id": "t1_abc1",
            "detail": "r/news",
        },
        {
            "account_id": "AutoModerator",
            "action": "comment",
            "object_id": "t3_zzz",
            "timestamp_us": START_US + 3 * SECOND,
            "event_id": "t1_abc4",
            "parent_id": "t3_zzz",
            "text": "I am a bot",
            "detail": "r/news",
        },
    ]
    assert rejects_of(reading) == [(3, "no_account_id")]


def test_reddit_posts() -> None:
    events, _ = events_of(GOLDEN / "reddit_posts.ndjson")
    assert [
        (e["account_id"], e["action"], e["object_id"], e["event_id"], e.get("urls"), e["text"])
        for e in events
    ] == [
        ("ann", "post", "t3_zzz", "t3_zzz", ["https://a.example/story"], "A title"),
        ("bob", "post", "t3_zzy", "t3_zzy", None, "Ask\nwhy?"),
        ("cy", "repost", "t3_zzz", "t3_zzx", None, "A title"),
    ]


def test_deleted_authors_do_not_use_up_the_budget() -> None:
    assert not Ledger(read=10_000, accepted=9_000, rejected={"no_account_id": 1_000}).over_budget
    assert Ledger(read=10_000, accepted=9_000, rejected={"bad_time": 1_000}).over_budget
    assert Ledger(read=10_000, accepted=4_000, rejected={"no_account_id": 6_000}).over_budget


def test_each_format_knows_its_own_files_only() -> None:
    own = {
        "rednote": "rednote_posts.ndjson",
        "rednote-comments": "rednote_comments.ndjson",
        "jetstream": "jetstream_v1.ndjson",
        "reddit": "reddit_posts.ndjson",
    }
    for name, file in own.items():
        records = [json.loads(line) for line in (GOLDEN / file).read_text("utf-8").splitlines()]
        found = recognised_record(records)
        assert found is not None
        assert found.name == name
        others = [layout for layout in RECORD_FORMATS if layout is not found]
        assert not any(layout.recognises(record) for layout in others for record in records)


@pytest.mark.parametrize(
    ("name", "file"),
    [
        ("rednote", "rednote_posts.ndjson"),
        ("rednote-comments", "rednote_comments.ndjson"),
        ("telegram", "telegram_chat.json"),
        ("jetstream", "jetstream_v1.ndjson"),
        ("jetstream", "jetstream_v2.ndjson"),
        ("mastodon", "mastodon.json"),
        ("reddit", "reddit_comments.ndjson"),
        ("reddit", "reddit_posts.ndjson"),
    ],
)
def test_any_record_gives_events_or_a_reason(name: str, file: str, tmp_path: Path) -> None:
    """Fields of the wrong type or left out: a reject or an event, never a crash."""
    broken = [version for record in records_of(file) for version in broken_versions(record)]
    path = tmp_path / "broken.ndjson"
    path.write_text("".join(json.dumps(record) + "\n" for record in broken))
    events, reading = events_of(path, file_format=name)
    assert reading.ledger.read >= len(broken) > 20
    assert events
    assert reading.rejects


def records_of(file: str) -> list[dict[str, Any]]:
    """All records of a golden file, a message of a chat together with its chat."""
    text = (GOLDEN / file).read_text("utf-8")
    if file.endswith(".ndjson"):
        return [json.loads(line) for line in text.splitlines()]
    document = json.loads(text)
    if isinstance(document, list):
        return document
    messages = document.pop("messages")
    return [{"chat": document, "message": message} for message in messages]


def broken_versions(record: Any) -> list[Any]:
    """The record with each field, at any depth, left out or given a value of another type."""
    versions: list[Any] = []
    for name, value in record.items():
        rest = {k: v for k, v in record.items() if k != name}
        if name not in ("kind", "payload", "chat", "message", "data"):
            versions.append(rest)
            versions += [{**rest, name: other} for other in (None, "", [], {}, [1], {"a": 1}, True, "x")]
        if isinstance(value, dict):
            versions += [{**rest, name: inner} for inner in broken_versions(value)]
    return versions
