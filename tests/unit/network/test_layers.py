"""What each layer takes for an object, and what takes no part."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from graphscan.events.model import EVENT_SCHEMA
from graphscan.network.layers import LAYERS, dictionary_codes, encoded_events, layer_events
from graphscan.network.table import co_action_network

START_US = 1_700_000_000_000_000
SECOND = 1_000_000

Row = dict[str, object]


def act(account: str, action: str, at: float, **more: object) -> Row:
    return {"account_id": account, "action": action, "at": at, **more}


def events_table(*rows: Row) -> pa.Table:
    full = []
    for number, row in enumerate(rows):
        given_columns = {key: value for key, value in row.items() if key != "at"}
        base = {
            **dict.fromkeys(EVENT_SCHEMA.names),
            "event_id": f"e{number:04d}",
            "object_id": f"own{number}",
        }
        full.append({**base, **given_columns, "timestamp_us": START_US + round(float(row["at"]) * SECOND)})
    full.sort(key=lambda row: (row["timestamp_us"], row["event_id"]))
    return pa.Table.from_pylist(full, schema=EVENT_SCHEMA)


def linked(*rows: Row, layer: str | None = None) -> set[tuple[str, str, str]]:
    edges = co_action_network(events_table(*rows), layers=[layer] if layer else None).edges
    return set(zip(*(edges[n].to_pylist() for n in ("layer", "account_a", "account_b")), strict=True))


@pytest.mark.parametrize(
    ("layer", "action", "window_s"),
    [
        ("co_repost", "repost", 60),
        ("co_comment", "comment", 300),
        ("co_like", "like", 300),
        ("co_follow", "follow", 86_400),
        ("co_message", "message", 86_400),
        ("co_chat", "chat_message", 120),
        ("co_join", "chat_join", 600),
    ],
)
def test_layers_of_the_object_acted_on(layer: str, action: str, window_s: int) -> None:
    assert LAYERS[layer].window_s == window_s
    pair = [act("a", action, 0, object_id="o"), act("b", action, window_s, object_id="o")]
    assert linked(*pair) == {(layer, "a", "b")}
    late = act("b", action, window_s + 1e-6, object_id="o")
    assert linked(pair[0], late) == set()
    assert linked(pair[0], act("b", "other", 1, object_id="o")) == set()
    assert linked(pair[0], act("b", action, 1, object_id="O")) == set()


def test_acts_of_different_kinds_on_one_object_are_no_pair() -> None:
    kinds = ("repost", "comment", "like")
    assert linked(*(act(f"a{n}", kind, n, object_id="o") for n, kind in enumerate(kinds))) == set()


def test_an_event_on_its_own_content_takes_no_part() -> None:
    own = act("a", "comment", 0, event_id="o", object_id="o")
    others = [act("b", "comment", 1, object_id="o"), act("c", "comment", 2, object_id="o")]
    assert linked(own, *others) == {("co_comment", "b", "c")}


IDS = st.text(st.sampled_from("ab\u00e9\U0001f600"), min_size=1, max_size=12)


@given(ids=st.lists(st.tuples(IDS, IDS, st.booleans()), min_size=1, max_size=20), coded=st.booleans())
def test_own_content_is_told_by_the_whole_id(ids: list[tuple[str, str, bool]], coded: bool) -> None:
    """Ids of all lengths around the eight bytes that are compared at once."""
    rows = [(event, event if own else obj) for event, obj, own in ids]
    rows = list(dict(reversed(rows)).items())
    table = events_table(
        *(act(f"a{n}", "repost", n, event_id=event, object_id=obj) for n, (event, obj) in enumerate(rows)),
        *(act(f"z{n}", "repost", n, event_id=f"other {n}", object_id=obj) for n, (_, obj) in enumerate(rows)),
    )
    if coded:
        at = table.column_names.index("object_id")
        table = table.set_column(at, "object_id", table["object_id"].dictionary_encode())
    layer = layer_events(encoded_events(table), LAYERS["co_repost"])
    taken = set(table["event_id"].take(pa.array(layer.events.event)).to_pylist())
    assert {event for event, obj in rows if event == obj}.isdisjoint(taken)
    alone = len({obj for _, obj in rows}) == len(rows)
    if alone:
        assert {event for event, obj in rows if event != obj} <= taken


def test_urls_are_compared_in_canonical_form_and_count_once_an_event() -> None:
    rows = [
        act("a", "post", 0, urls=["https://News.example/A?utm_source=x", "https://news.example/A#top"]),
        act("b", "post", 9, urls=["http://news.example/A", "https://news.example/B"]),
        act("c", "post", 18, urls=["https://news.example/B", ""]),
        act("d", "post", 20, urls=[]),
        act("e", "post", 21, urls=["", " "]),
        act("f", "post", 22, urls=[""]),
    ]
    assert linked(*rows, layer="co_url") == {("co_url", "a", "b"), ("co_url", "b", "c")}
    edges = co_action_network(events_table(*rows), layers=["co_url"]).edges
    assert edges["n_pairs"].to_pylist() == [1, 1]


def test_an_event_with_several_urls_counts_once_among_the_events() -> None:
    urls = [f"https://news.example/{k}" for k in range(3)]
    (edge,) = co_action_network(
        events_table(act("a", "post", 0, urls=urls), act("b", "post", 5, urls=urls)), layers=["co_url"]
    ).edges.to_pylist()
    assert (edge["n_pairs"], edge["n_objects"], edge["n_a"], edge["n_b"]) == (3, 3, 1, 1)


def test_hashtags_are_one_object_in_their_order() -> None:
    rows = [
        act("a", "post", 0, hashtags=["one", "two"]),
        act("b", "post", 10, hashtags=["one", "two"]),
        act("c", "post", 20, hashtags=["two", "one"]),
        act("d", "post", 30, hashtags=[]),
        act("e", "post", 40, hashtags=[]),
    ]
    assert linked(*rows, layer="co_hashtags") == {("co_hashtags", "a", "b")}


def test_media_hashes_are_compared_as_they_are() -> None:
    rows = [
        act(name, "post", n, media_hash=h)
        for n, (name, h) in enumerate(zip("abcd", ["f0", "f0", None, None], strict=True))
    ]
    assert linked(*rows, layer="co_media") == {("co_media", "a", "b")}


def test_near_duplicate_texts_are_one_object_named_after_its_first_event() -> None:
    text = "Breaking: the river bridge at Oldtown is closed until further notice, avoid the area"
    rows = [
        act("b", "post", 5, text=text + "!"),
        act("a", "post", 0, text=text),
        act("c", "post", 9, text="an altogether different sentence about gardens and the weather in May"),
        act("d", "post", 10, text=None),
        act("e", "post", 11, text=None),
    ]
    assert linked(*rows, layer="co_text") == {("co_text", "a", "b")}
    layer = layer_events(encoded_events(events_table(*rows)), LAYERS["co_text"])
    assert {layer.object_ids[o].as_py() for o in set(layer.events.obj.tolist())} == {"text:e0001"}


def test_profiles_with_one_bio_pattern() -> None:
    bio = "Proud mother of three, love my country and good coffee every morning, number {}"
    rows = [act(f"a{n}", "profile", n * 60, object_id=f"a{n}", text=bio.format(n)) for n in range(3)]
    found = linked(*rows, layer="co_profile")
    assert found == {("co_profile", f"a{i}", f"a{j}") for i in range(3) for j in range(i + 1, 3)}


def test_accounts_on_one_clock_are_linked_once_by_phase() -> None:
    """Two schedulers at :07 and :08 of the hour, one at :30, on different days, and someone without."""
    hour = 3_600
    rows = [
        act(name, "post", (start + 3 * k) * hour + minute * 60)
        for name, start, minute in (("a", 0, 7), ("b", 200, 8), ("c", 50, 30))
        for k in range(40)
    ]
    random = np.random.Generator(np.random.PCG64(1))
    rows += [act("d", "post", float(at)) for at in random.uniform(0, 400 * hour, 60)]
    (edge,) = co_action_network(events_table(*rows), layers=["co_clock"]).edges.to_pylist()
    assert (edge["account_a"], edge["account_b"]) == ("a", "b")
    assert (edge["n_pairs"], edge["n_objects"]) == (1, 1)
    assert edge["median_lag_s"] == pytest.approx(60, abs=0.01)
    # When the accounts began, not where their hands stand: an edge of 2023 is not one of 1970.
    assert edge["first_at"].timestamp() == pytest.approx(START_US / 1e6 + 7 * 60)
    assert edge["last_at"].timestamp() == pytest.approx(START_US / 1e6 + 200 * hour + 8 * 60)


def test_accounts_below_the_participation_are_gone_with_all_their_rows() -> None:
    rows = [
        act("a", "repost", 0, object_id="o"),
        act("b", "repost", 1, object_id="o"),
        act("a", "repost", 2, object_id="p"),
    ]
    encoded = encoded_events(events_table(*rows))
    assert len(layer_events(encoded, LAYERS["co_repost"]).events) == 2
    layer = layer_events(encoded, LAYERS["co_repost"], min_participation=2)
    assert layer.events.account.tolist() == [0]
    assert layer.rows_by_account.tolist() == [2, 1]


def test_account_codes_follow_the_bytes_of_the_ids() -> None:
    names = ["b", "B", "10", "9", "é", "\uff21", "\U0001f600", "007", " "]
    encoded = encoded_events(
        events_table(*(act(name, "like", n, object_id="o") for n, name in enumerate(names)))
    )
    assert encoded.account_ids.to_pylist() == sorted(names, key=str.encode)
    assert [encoded.account_ids[code].as_py() for code in encoded.account] == names


def test_dictionary_codes_of_every_kind_of_column() -> None:
    for column in (
        pa.array(["x", None, "y", "x"]),
        pa.chunked_array([["x", None], ["y", "x"]]),
        pa.chunked_array(
            [pa.array(["x", None]).dictionary_encode(), pa.array(["y", "x"]).dictionary_encode()]
        ),
    ):
        codes, values = dictionary_codes(column)
        assert codes.dtype == np.int64
        assert [None if code < 0 else values[code].as_py() for code in codes] == ["x", None, "y", "x"]
    codes, values = dictionary_codes(pa.chunked_array([], pa.string()))
    assert (len(codes), len(values)) == (0, 0)
