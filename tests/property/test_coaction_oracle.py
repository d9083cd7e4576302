"""Every weight of every edge against an all-pairs count that is too simple to be wrong."""

from __future__ import annotations

import statistics
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import combinations

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from graphscan.events.model import EVENT_SCHEMA
from graphscan.network import coaction
from graphscan.network.table import co_action_network, toolkit_edges

START_US = 1_700_000_000_000_000


@dataclass(frozen=True)
class Act:
    """One event on any number of objects."""

    account: str
    at_us: int
    objects: tuple[str, ...]
    event: str


@dataclass
class Weights:
    """What the pairs of one pair of accounts come to."""

    lags_us: list[int] = field(default_factory=list)
    objects: set[str] = field(default_factory=set)
    events: tuple[set[str], set[str]] = field(default_factory=lambda: (set(), set()))
    leads: float = 0.0
    first_us: int = 2**62
    last_us: int = 0

    def as_row(self) -> tuple[object, ...]:
        return (
            len(self.lags_us),
            len(self.objects),
            len(self.events[0]),
            len(self.events[1]),
            statistics.median(self.lags_us) / 1e6,
            self.leads / len(self.lags_us),
            self.first_us,
            self.last_us,
        )


def oracle(
    acts: Sequence[Act], window_us: int, min_participation: int = 1
) -> dict[tuple[str, str], tuple[object, ...]]:
    """Edges by comparing each row with each other one."""
    rows = [(act, obj) for act in acts for obj in sorted(set(act.objects))]
    n_rows: dict[str, int] = defaultdict(int)
    for act, _ in rows:
        n_rows[act.account] += 1
    rows = [(act, obj) for act, obj in rows if n_rows[act.account] >= min_participation]
    pairs = [
        (x, y, obj)
        for (x, obj), (y, other) in combinations(rows, 2)
        if obj == other and x.account != y.account and abs(x.at_us - y.at_us) <= window_us
    ]
    paired: dict[str, set[str]] = defaultdict(set)
    for x, y, _ in pairs:
        paired[x.account].add(x.event)
        paired[y.account].add(y.event)
    edges: dict[tuple[str, str], Weights] = defaultdict(Weights)
    for x, y, obj in pairs:
        if max(len(paired[x.account]), len(paired[y.account])) < min_participation:
            continue
        a, b = (x, y) if x.account.encode() < y.account.encode() else (y, x)
        edge = edges[a.account, b.account]
        edge.lags_us.append(abs(a.at_us - b.at_us))
        edge.objects.add(obj)
        edge.events[0].add(a.event)
        edge.events[1].add(b.event)
        edge.leads += 1.0 if a.at_us < b.at_us else 0.5 if a.at_us == b.at_us else 0.0
        edge.first_us = min(edge.first_us, a.at_us, b.at_us)
        edge.last_us = max(edge.last_us, a.at_us, b.at_us)
    return {pair: weights.as_row() for pair, weights in edges.items()}


def table_of(acts: Sequence[Act], action: str) -> pa.Table:
    """Acts in the native schema and canonical order; ``post`` acts carry their objects as URLs."""
    acts = sorted(acts, key=lambda act: (act.at_us, act.event))
    blank = {name: [None] * len(acts) for name in EVENT_SCHEMA.names}
    is_post = action == "post"
    return pa.table(
        blank
        | {
            "account_id": [act.account for act in acts],
            "action": [action] * len(acts),
            "object_id": [act.event if is_post else act.objects[0] for act in acts],
            "timestamp_us": [act.at_us for act in acts],
            "event_id": [act.event for act in acts],
            "urls": [[f"https://site.example/{o}" for o in act.objects] if is_post else None for act in acts],
        },
        schema=EVENT_SCHEMA,
    )


def rows_of(edges: pa.Table) -> dict[tuple[str, str], tuple[object, ...]]:
    names = ["n_pairs", "n_objects", "n_a", "n_b", "median_lag_s", "a_leads_share"]
    columns = [edges[name].to_pylist() for name in names]
    columns += [edges[name].cast(pa.int64()).to_pylist() for name in ("first_at", "last_at")]
    pairs = zip(edges["account_a"].to_pylist(), edges["account_b"].to_pylist(), strict=True)
    return dict(zip(pairs, zip(*columns, strict=True), strict=True))


# Few accounts, objects and moments, so that repeats, ties and exact window edges are common. Ids whose UTF-8
# order differs from a case-folded, numeric or UTF-16 order.
ACCOUNTS = st.sampled_from(["B", "a", "10", "9", "é", "\U0001f600", "\uff21", " "])
SECONDS = st.one_of(
    st.integers(0, 12).map(lambda s: s * 1_000_000),
    st.integers(0, 12_000_000),
    st.sampled_from([0, 1, 4_999_999, 5_000_000, 5_000_001, 86_400_000_000]),
)


def acts_on(max_objects: int) -> st.SearchStrategy[list[Act]]:
    objects = st.lists(st.sampled_from("opqr"), min_size=1, max_size=max_objects).map(tuple)
    row = st.tuples(ACCOUNTS, SECONDS, objects)
    return st.lists(row, max_size=40).map(
        lambda rows: [Act(a, START_US + t, o, f"e{n:02d}") for n, (a, t, o) in enumerate(rows)]
    )


WINDOWS_US = st.sampled_from([1, 1_000_000, 5_000_000, 3_600_000_000])
KINDS = [("repost", "co_repost"), ("post", "co_url")]


@pytest.mark.parametrize(("action", "layer"), KINDS)
@given(data=st.data())
def test_all_weights(action: str, layer: str, data: st.DataObject) -> None:
    acts = data.draw(acts_on(1 if action == "repost" else 3))
    window_us, floor = data.draw(WINDOWS_US), data.draw(st.integers(1, 3))
    edges = co_action_network(
        table_of(acts, action), layers=[layer], window_s=window_us / 1e6, min_participation=floor
    ).edges
    assert rows_of(edges) == oracle(acts, window_us, floor)
    pairs = list(
        zip(*(map(str.encode, edges[n].to_pylist()) for n in ("account_a", "account_b")), strict=True)
    )
    assert pairs == sorted(pairs)
    assert all(a < b for a, b in pairs)


@pytest.mark.parametrize(("action", "layer"), KINDS)
@pytest.mark.parametrize("floor", [1, 2])
@given(data=st.data())
def test_floors_only_choose_among_the_edges(action: str, layer: str, floor: int, data: st.DataObject) -> None:
    """What is dropped before grouping, for speed, never shows."""
    acts = data.draw(acts_on(1 if action == "repost" else 3))
    min_pairs, min_objects, min_weight = (data.draw(st.integers(1, 4)) for _ in range(3))
    edges = co_action_network(
        table_of(acts, action),
        layers=[layer],
        window_s=5,
        min_pairs=min_pairs,
        min_objects=min_objects,
        min_weight=min_weight,
        min_participation=floor,
    ).edges
    assert rows_of(edges) == {
        pair: row
        for pair, row in oracle(acts, 5_000_000, floor).items()
        if row[0] >= min_pairs and row[1] >= min_objects and max(row[2], row[3]) >= min_weight
    }


@given(acts=acts_on(1), quantile=st.floats(0, 0.999), min_pairs=st.integers(1, 3))
def test_edge_quantile_is_of_type_7_and_strict(acts: list[Act], quantile: float, min_pairs: int) -> None:
    table = table_of(acts, "repost")
    edges = co_action_network(
        table, layers=["co_repost"], window_s=5, edge_quantile=quantile, min_pairs=min_pairs
    ).edges
    expected = oracle(acts, 5_000_000)
    if expected:
        cut = np.quantile([row[0] for row in expected.values()], quantile, method="linear")
        expected = {p: r for p, r in expected.items() if r[0] > cut and r[0] >= min_pairs}
    assert rows_of(edges) == expected


@pytest.mark.parametrize(("action", "layer"), KINDS)
@given(data=st.data())
def test_toolkit_rows(action: str, layer: str, data: st.DataObject) -> None:
    """Directed rows as the Toolkit's own query gives them, each kept or dropped by its own weight."""
    acts = data.draw(acts_on(1 if action == "repost" else 3))
    minimum = data.draw(st.integers(1, 3))
    directed = {}
    for (a, b), row in oracle(acts, 5_000_000).items():
        directed[a, b], directed[b, a] = row[2], row[3]
    network = co_action_network(table_of(acts, action), layers=[layer], window_s=5, min_weight=minimum)
    rows = toolkit_edges(network.edges, min_weight=minimum).to_pylist()
    assert {(row["user_1"], row["user_2"]): row["weight"] for row in rows} == {
        pair: weight for pair, weight in directed.items() if weight >= minimum
    }


@pytest.mark.parametrize(("action", "layer"), KINDS)
@pytest.mark.parametrize("chunk_pairs", [1, 2, 3, 7, 50])
@given(data=st.data())
def test_the_size_of_a_chunk_changes_nothing(
    action: str, layer: str, chunk_pairs: int, data: st.DataObject
) -> None:
    acts = data.draw(acts_on(1 if action == "repost" else 3))
    floors = {"min_pairs": data.draw(st.integers(1, 2)), "min_participation": data.draw(st.integers(1, 2))}
    table = table_of(acts, action)
    whole = co_action_network(table, layers=[layer], window_s=5, **floors).edges
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(coaction, "CHUNK_PAIRS", chunk_pairs)
        assert co_action_network(table, layers=[layer], window_s=5, **floors).edges.equals(whole)
