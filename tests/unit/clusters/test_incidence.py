"""First acts, births and openers: what delays are counted from."""

from __future__ import annotations

from typing import Any

import numpy as np
import pyarrow as pa

from graphscan.clusters.incidence import Incidence, layer_incidence
from graphscan.network.layers import LAYERS, encoded_events, layer_events
from tests.unit.clusters.cluster_worlds import act, events_of

MINUTE = 60.0


def incidence(table: pa.Table, layer: str, **options: Any) -> tuple[Incidence, list[str]]:
    events = encoded_events(table)
    found = layer_incidence(layer_events(events, LAYERS[layer]), events, **options)
    return found, events.account_ids.to_pylist()


def delays(table: pa.Table, layer: str, **options: Any) -> set[tuple[str, str, float]]:
    """``(account, object, delay in seconds)``."""
    found, names = incidence(table, layer, **options)
    return {
        (names[a], found.object_ids[o].as_py(), d / 1e6)
        for a, o, d in zip(found.account, found.obj, found.delay_us, strict=True)
    }


def pair_on(*objects: tuple[str, float], action: str = "repost") -> list[dict[str, Any]]:
    """Accounts a and b on each object, b ten seconds after a."""
    return [act(name, action, obj, at + lag) for obj, at in objects for name, lag in (("a", 0), ("b", 10))]


def test_delays_are_counted_from_the_post() -> None:
    rows = pair_on(("p", 100), ("q", 500))
    posts = [act("author", "post", "p", 40), act("author", "post", "q", 500)]
    assert delays(events_of(*rows, *posts), "co_repost") == {
        ("a", "p", 60.0), ("b", "p", 70.0), ("a", "q", 0.0), ("b", "q", 10.0)
    }  # fmt: skip


def test_an_event_id_is_a_post_too() -> None:
    """A post whose object is something else is known by its event id."""
    rows = pair_on(("p7", 100), ("q", 500))
    made = act("author", "comment", "elsewhere", 30, event_id="p7")
    found, names = incidence(events_of(*rows, made), "co_repost")
    opener = found.opener[found.object_ids.index("p7").as_py()]
    assert names[opener] == "author"
    assert found.delay_us[found.obj == found.object_ids.index("p7").as_py()].tolist() == [
        70_000_000,
        80_000_000,
    ]


def test_without_a_post_the_first_act_is_the_birth_and_nobody_opened() -> None:
    found, _ = incidence(events_of(*pair_on(("p", 100), ("q", 500))), "co_repost")
    assert found.delay_us.tolist() == [0, 10_000_000] * 2
    assert found.opener.tolist() == [-1, -1]


def test_a_post_later_than_the_first_act_is_a_fault_of_the_source() -> None:
    rows = pair_on(("p", 100), ("q", 500))
    found, _ = incidence(events_of(*rows, act("author", "post", "p", 105)), "co_repost")
    assert found.delay_us.min() == 0
    assert found.opener[found.object_ids.index("p").as_py()] == -1


def test_only_the_first_act_of_each_account_counts() -> None:
    rows = [*pair_on(("p", 100), ("q", 500)), act("a", "repost", "p", 900), act("b", "repost", "q", 501)]
    found = delays(events_of(*rows), "co_repost")
    assert found == {("a", "p", 0.0), ("b", "p", 10.0), ("a", "q", 0.0), ("b", "q", 1.0)}


def test_spans_last_until_the_last_act_of_anybody() -> None:
    rows = [*pair_on(("p", 100), ("q", 500)), act("passer-by", "repost", "p", 4_000)]
    found, names = incidence(events_of(*rows), "co_repost")
    assert "passer-by" not in {names[a] for a in found.account}
    spans = dict(zip(found.object_ids.to_pylist(), (found.span_us / 1e6).tolist(), strict=True))
    assert spans == {"p": 3_900.0, "q": 10.0}


def test_accounts_of_one_object_and_objects_of_one_account_fall_out_together() -> None:
    """c drops for want of a second object; r then has one account left, and d drops with it."""
    rows = pair_on(("p", 100), ("q", 500))
    rows += [act("c", "repost", "r", 600), act("d", "repost", "r", 610), act("d", "repost", "alone", 700)]
    found, names = incidence(events_of(*rows), "co_repost")
    assert {names[a] for a in found.account} == {"a", "b"}
    assert found.n_active == 2
    assert found.n_accounts == 4
    every, names = incidence(events_of(*rows), "co_repost", min_objects=1)
    assert {names[a] for a in every.account} == {"a", "b", "c", "d"}


def test_a_silence_ends_a_session_and_the_first_speaker_opens_it() -> None:
    at = [0, 60, 120, 120 + 1_200, 120 + 1_200 + 1_201, 120 + 1_200 + 1_260]
    rows = [
        act(who, "chat_message", "room", t) for who, t in zip(("a", "b", "a", "b", "b", "a"), at, strict=True)
    ]
    found, names = incidence(events_of(*rows), "co_chat")
    assert found.object_ids.to_pylist() == ["room", "room"]
    assert found.obj.tolist() == [0, 0, 1, 1]
    assert [names[o] for o in found.opener] == ["a", "b"]
    assert (found.delay_us / 1e6).tolist() == [0, 60, 0, 59]
    assert (found.span_us / 1e6).tolist() == [1_320, 59]
    short, _ = incidence(events_of(*rows), "co_chat", session_gap_s=1_199, min_objects=1)
    assert short.n_objects == 3


def test_a_reply_is_counted_from_what_it_answers() -> None:
    """A reply seconds after a comment is prompt; counted from the post it would look like an appointment."""
    rows = [
        act("author", "post", "post", 0),
        act("x", "comment", "post", 5_000, event_id="c1"),
        act("y", "comment", "post", 9_000, event_id="c2"),
        *(
            act(who, "comment", "post", at + lag, parent_id=parent)
            for parent, at in (("c1", 5_000), ("c2", 9_000))
            for who, lag in (("a", 20), ("b", 50))
        ),
        act("a", "comment", "post", 9_500),
        act("b", "comment", "post", 9_600),
    ]
    assert delays(events_of(*rows), "co_comment") == {
        ("a", "c1", 20.0), ("b", "c1", 50.0), ("a", "c2", 20.0), ("b", "c2", 50.0),
        ("a", "post", 9_500.0), ("b", "post", 9_600.0),
    }  # fmt: skip
    found, names = incidence(events_of(*rows), "co_comment")
    opened = dict(zip(found.object_ids.to_pylist(), found.opener.tolist(), strict=True))
    assert [names[opened[o]] for o in ("c1", "c2", "post")] == ["x", "y", "author"]


def test_a_target_is_born_with_its_first_act_and_unknown_ones_are_left_out() -> None:
    """Greeters write to newcomers soon after these appear; without the join that looks like one order."""
    rows = pair_on(("new1", 100), ("new2", 500), ("unseen", 700), ("late", 800), action="message")
    rows += [act("new1", "post", "hello", 40), act("new2", "chat_join", "room", 450)]
    rows += [act("late", "post", "x", 5_000)]
    assert delays(events_of(*rows), "co_message") == {
        ("a", "new1", 60.0), ("b", "new1", 70.0), ("a", "new2", 50.0), ("b", "new2", 60.0)
    }  # fmt: skip


def test_rows_of_accounts() -> None:
    found, _ = incidence(events_of(*pair_on(("p", 100), ("q", 500), ("r", 900))), "co_repost")
    assert found.rows_of(np.array([1])).tolist() == [1, 3, 5]
    assert found.rows_of(np.array([0, 1])).tolist() == list(range(6))
    assert found.accounts_on_object.tolist() == [2, 2, 2]
    assert len(found.take(found.obj == 1)) == 2


def test_one_account_and_no_events() -> None:
    alone, _ = incidence(events_of(act("a", "repost", "p", 0), act("a", "repost", "q", 9)), "co_repost")
    assert len(alone) == alone.n_active == 0
    for layer in ("co_repost", "co_comment", "co_chat", "co_message"):
        empty, _ = incidence(events_of(), layer)
        assert len(empty) == 0
