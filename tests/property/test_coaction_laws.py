"""What must not change an edge, whatever the events are."""

from __future__ import annotations

import random
from collections.abc import Sequence

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from graphscan.events.model import EVENT_SCHEMA
from graphscan.network.coaction import coaction_edges, merged_edges, partial_edges, sorted_layer
from graphscan.network.table import co_action_network

START_US = 1_700_000_000_000_000
DAY_US = 86_400_000_000

Row = tuple[str, str, int, tuple[str, ...]]  # account, object, microseconds after the start, URLs

ROWS = st.lists(
    st.tuples(
        st.sampled_from("abcdef"),
        st.sampled_from("opq"),
        st.integers(0, 20).map(lambda s: s * 500_000),
        st.lists(st.sampled_from("xyz"), max_size=2).map(tuple),
    ),
    max_size=40,
)
LAYERS = ("co_repost", "co_url")


def table_of(rows: Sequence[Row], shift_us: int = 0) -> pa.Table:
    """Half reposts, half posts with URLs, in canonical order; equal rows get ids that say so."""
    records = sorted(
        (START_US + shift_us + at_us, f"e{number:03d}", account, obj, urls)
        for number, (account, obj, at_us, urls) in enumerate(rows)
    )
    blank = {name: [None] * len(records) for name in EVENT_SCHEMA.names}
    return pa.table(
        blank
        | {
            "account_id": [account for _, _, account, _, _ in records],
            "action": ["post" if urls else "repost" for *_, urls in records],
            "object_id": [obj for _, _, _, obj, _ in records],
            "timestamp_us": [at_us for at_us, *_ in records],
            "event_id": [event for _, event, *_ in records],
            "urls": [[f"https://site.example/{u}" for u in urls] or None for *_, urls in records],
        },
        schema=EVENT_SCHEMA,
    )


def network_of(table: pa.Table, **floors: object) -> list[dict[str, object]]:
    found = co_action_network(table, layers=LAYERS, window_s=3, **floors)
    return found.edges.to_pylist()


FLOORS = st.sampled_from(
    [{}, {"min_pairs": 2}, {"min_participation": 2}, {"edge_quantile": 0.5}, {"max_pairs_per_object": 3}]
)


@given(rows=ROWS, floors=FLOORS, seed=st.integers(0, 99))
def test_the_order_and_the_event_ids_of_rows(rows: list[Row], floors: dict[str, object], seed: int) -> None:
    shuffled = random.Random(seed).sample(rows, len(rows))
    assert network_of(table_of(shuffled), **floors) == network_of(table_of(rows), **floors)


@given(rows=ROWS, floors=FLOORS)
def test_other_names_in_the_same_order(rows: list[Row], floors: dict[str, object]) -> None:
    names = dict(zip("abcdef", ["A", "B9", "Ba", "\u00e9", "\uff21", "\U0001f600"], strict=True))
    renamed = [(names[account], f"\u7269{obj}", at_us, urls) for account, obj, at_us, urls in rows]
    expected = [
        {**edge, "account_a": names[edge["account_a"]], "account_b": names[edge["account_b"]]}
        for edge in network_of(table_of(rows), **floors)
    ]
    assert network_of(table_of(renamed), **floors) == expected


@given(rows=ROWS, floors=FLOORS, days=st.integers(-400, 400))
def test_whole_days_later(rows: list[Row], floors: dict[str, object], days: int) -> None:
    moved = network_of(table_of(rows, shift_us=days * DAY_US), **floors)
    stay = network_of(table_of(rows), **floors)
    times = ("first_at", "last_at")
    assert [{k: v for k, v in e.items() if k not in times} for e in moved] == [
        {k: v for k, v in e.items() if k not in times} for e in stay
    ]
    for one, other in zip(moved, stay, strict=True):
        assert {(one[k] - other[k]).days for k in times} == {days}


@given(rows=ROWS, strangers=st.lists(st.tuples(st.integers(0, 9), st.integers(0, 20)), max_size=20))
def test_strangers_on_objects_of_their_own(rows: list[Row], strangers: list[tuple[int, int]]) -> None:
    """Accounts that sort before, among and after the others, on objects that nobody else touches."""
    more = [
        (("A", "bb", "zz")[who % 3], ("s", "t")[who % 2], at * 500_000, (("m", "n")[who % 2],))
        for who, at in strangers
    ]
    mine = set("abcdef")
    found = [
        edge
        for edge in network_of(table_of([*rows, *more]))
        if edge["account_a"] in mine and edge["account_b"] in mine
    ]
    assert found == network_of(table_of(rows))


@given(rows=ROWS)
def test_a_mirror_in_time_swaps_who_leads(rows: list[Row]) -> None:
    last = max((at_us for _, _, at_us, _ in rows), default=0)
    mirrored = [(account, obj, last - at_us, urls) for account, obj, at_us, urls in rows]
    keys = ("account_a", "account_b", "layer", "n_pairs", "n_objects", "n_a", "n_b", "median_lag_s")
    there, back = network_of(table_of(rows)), network_of(table_of(mirrored))
    assert [{k: e[k] for k in keys} for e in there] == [{k: e[k] for k in keys} for e in back]
    for one, other in zip(there, back, strict=True):
        assert one["a_leads_share"] + other["a_leads_share"] == pytest.approx(1.0)


@given(rows=ROWS, narrow=st.integers(1, 6), wider=st.integers(0, 6))
def test_a_wider_window_only_adds(rows: list[Row], narrow: int, wider: int) -> None:
    table = table_of(rows)
    few, many = (
        {
            (e["layer"], e["account_a"], e["account_b"]): e
            for e in co_action_network(table, layers=LAYERS, window_s=w / 2).edges.to_pylist()
        }
        for w in (narrow, narrow + wider)
    )
    for pair, edge in few.items():
        for weight in ("n_pairs", "n_objects", "n_a", "n_b"):
            assert many[pair][weight] >= edge[weight]


# --- the seam: any partition of the objects gives the whole ----------------------------------------------


@pytest.mark.parametrize("spans", [False, True])
@given(
    rows=st.lists(
        st.tuples(st.integers(0, 5), st.integers(0, 7), st.integers(0, 20), st.integers(0, 12)), max_size=60
    ),
    part_of_object=st.lists(st.integers(0, 3), min_size=8, max_size=8),
    order=st.permutations(range(4)),
)
def test_partials_of_any_partition_of_objects_merge_to_the_whole(
    spans: bool,
    rows: list[tuple[int, int, int, int]],
    part_of_object: list[int],
    order: list[int],
) -> None:
    """With ``spans`` one event stands on several objects, and so in several partitions."""
    if spans:
        # An event has one account, one time, and each object once.
        owner = {event: (account, at) for account, _, at, event in rows}
        rows = sorted({(owner[event][0], obj, owner[event][1], event) for _, obj, _, event in rows})
    else:
        rows = [(account, obj, at, number) for number, (account, obj, at, _) in enumerate(rows)]
    account, obj, at, event = (np.array([row[column] for row in rows], np.int64) for column in range(4))
    at_us = at * 500_000

    def layer_of(keep: np.ndarray) -> object:
        return sorted_layer(account[keep], obj[keep], event[keep], at_us[keep], 6, 8, spans)

    whole, _ = coaction_edges(layer_of(np.ones(len(rows), bool)), 3_000_000)
    part = np.array(part_of_object)[obj]
    partials = [partial for number in order for partial in partial_edges(layer_of(part == number), 3_000_000)]
    merged = merged_edges(partials, 6)
    for name in whole.__dataclass_fields__:
        np.testing.assert_array_equal(getattr(merged, name), getattr(whole, name), err_msg=name)
