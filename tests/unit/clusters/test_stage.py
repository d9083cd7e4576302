"""Layers in, clusters out: which layers may find, what is merged, and what is never found."""

from __future__ import annotations

from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from graphscan.clusters.assembly import LayerCluster
from graphscan.clusters.significance import SynchronyTest
from graphscan.clusters.stage import Detection, detect_clusters, merged_over_layers
from graphscan.network.layers import EncodedEvents, encoded_events, layer_definitions, layer_events
from graphscan.settings import ClusterSettings
from graphscan.simulate.background import Background
from graphscan.simulate.campaigns import (
    FanClubSpec,
    FarmSpec,
    FramingSpec,
    NullGroupSpec,
    Spec,
    SyndicationSpec,
)
from graphscan.simulate.planting import plant
from graphscan.simulate.world import World
from graphscan.simulate.worlds import organic_background
from tests.unit.clusters.cluster_worlds import DAY_S, act, events_of


@pytest.fixture(scope="module")
def background() -> Background:
    return Background(organic_background(3_000, 21))


def detected(table: pa.Table, *layers: str, **options: Any) -> tuple[Detection, EncodedEvents]:
    events = encoded_events(table)
    definitions = layer_definitions(layers or None)
    settings = ClusterSettings(**options)
    return detect_clusters(events, [layer_events(events, d) for d in definitions], settings), events


def members_of(detection: Detection, events: EncodedEvents) -> list[set[str]]:
    names = events.account_ids.to_pylist()
    return [{names[a] for a in cluster.members} for cluster in detection.clusters]


def planted(world: World, archetype: str) -> set[str]:
    return {row["account_id"] for row in world.truth.to_pylist() if row["archetype"] == archetype}


@pytest.mark.parametrize(
    "farm",
    [
        FarmSpec(10, 20, 40, 10.0, action="repost"),
        FarmSpec(30, 8, 40, 180.0, 0.6, action="repost"),
        FarmSpec(30, 20, 40, 1_800.0, 0.4, action="repost"),
    ],
)
def test_a_planted_farm_is_found_whole_and_alone(background: Background, farm: FarmSpec) -> None:
    world = plant(background, [farm, FanClubSpec(40, action="repost")], 3)
    (found,) = members_of(*detected(world.events, "co_repost"))
    members = planted(world, "farm")
    assert len(found & members) >= 0.9 * len(members)
    assert len(found - members) <= 0.02 * len(found)


@pytest.mark.parametrize("seed", range(2))
def test_fans_outlets_and_groups_without_an_order_are_not(background: Background, seed: int) -> None:
    specs: list[Spec] = [
        FanClubSpec(40, action="repost"),
        FanClubSpec(60, share_0_1=0.9, fastest_s=5.0, slowest_s=300.0, action="repost"),
        SyndicationSpec(15, action="repost"),
        NullGroupSpec(30, 20, 40, "repost"),
    ]
    detection, events = detected(plant(background, specs, seed).events, "co_repost")
    assert members_of(detection, events) == []
    # They were looked at: groups of shared objects are candidates and are told apart by their times alone.
    assert sum(t.test is not None for t in detection.tested) >= 3


def test_a_framed_person_is_not_core(background: Background) -> None:
    world = plant(background, [FramingSpec(25, action="repost")], 5)
    detection, events = detected(world.events, "co_repost")
    names = events.account_ids.to_pylist()
    victims = {row["account_id"] for row in world.truth.to_pylist() if row["framed_by"]}
    assert len(victims) == 1
    core = {names[a] for c in detection.clusters for a in c.members[c.is_core]}
    assert len(core & planted(world, "framing_bot")) >= 20
    assert not core & victims


def chat(rng: np.random.Generator, *, opened_by: str) -> pa.Table:
    """A lively room, and ten accounts who open with a common act or wait for somebody else to open."""
    rows = []
    for day in range(40):
        at = day * DAY_S + float(rng.uniform(0, 60_000))
        ring = [f"ring{k}" for k in range(10) if rng.random() < 0.8]
        order = 0.0 if opened_by == "ring" else float(rng.uniform(600, 3_000))
        if opened_by == "people":
            rows.append(act(f"u{int(rng.integers(30))}", "chat_message", "room", at))
        rows += [act(name, "chat_message", "room", at + order + float(rng.uniform(0, 20))) for name in ring]
        talk = at
        while talk < at + 4_000:
            talk += float(rng.exponential(300))
            rows.append(act(f"u{int(rng.integers(30))}", "chat_message", "room", talk))
    return events_of(*rows)


def test_sessions_that_the_group_opens_have_no_null() -> None:
    """Ten accounts that begin every session together have no birth but their own acts: no suspicion."""
    for seed in range(2):
        own = detected(chat(np.random.default_rng(seed), opened_by="ring"), "co_chat")
        assert members_of(*own) == []
        other = members_of(*detected(chat(np.random.default_rng(seed), opened_by="people"), "co_chat"))
        assert other == [{f"ring{k}" for k in range(10)}]


def test_a_layer_without_births_finds_nothing() -> None:
    """A farm that posts links has no birth to count from: no valid null, so no finding."""
    rng = np.random.default_rng(0)
    rows = [
        act(
            f"a{a}",
            "post",
            f"own-{a}-{o}",
            DAY_S * o + float(rng.uniform(0, 20)),
            urls=[f"https://x.example/{o}"],
        )
        for o in range(30)
        for a in range(12)
    ]
    detection, _ = detected(events_of(*rows))
    assert detection.clusters == []
    assert "co_url" not in detection.problems


def two_layers(rng: np.random.Generator) -> pa.Table:
    rows = []
    for o in range(40):
        at = DAY_S * o + float(rng.uniform(0, 40_000))
        rows.append(act("author", "post", f"p{o}", at))
        for action in ("repost", "like"):
            order = float(rng.lognormal(np.log(5_000), 1))
            rows += [
                act(f"bot{b:02}", action, f"p{o}", at + order + float(rng.uniform(0, 40)))
                for b in range(12)
                if rng.random() < 0.6
            ]
            rows += [
                act(f"u{u:02}", action, f"p{o}", at + float(rng.exponential(9_000)))
                for u in range(50)
                if rng.random() < 0.1
            ]
    return events_of(*rows)


def test_one_group_in_two_layers_is_one_cluster() -> None:
    table = two_layers(np.random.default_rng(1))
    detection, events = detected(table, "co_repost", "co_like")
    assert members_of(detection, events) == [{f"bot{b:02}" for b in range(12)}]
    (cluster,) = detection.clusters
    assert set(cluster.layers) == {"co_repost", "co_like"}
    evidence = detection.tested[cluster.candidate]
    assert evidence.test is cluster.test
    assert evidence.layer == cluster.layers[0]


def test_nothing_and_nobody() -> None:
    for table in (events_of(), events_of(act("a", "repost", "p", 0), act("a", "like", "p", 5))):
        detection, _ = detected(table)
        assert detection.clusters == detection.tested == detection.capped == []


def layer_cluster(layer: str, members: range, q_value: float, candidate: int = 0) -> LayerCluster:
    test = SynchronyTest(60.0, 9.0, 4.0, 1.0, 2.0, 0.5, q_value, 2.0, 0.5, 9.0, 499)
    half = np.arange(len(members)) % 2 == 0
    return LayerCluster(layer, np.array(members), half, candidate, test, q_value, (candidate,))


def test_clusters_of_different_layers_merge_by_half_of_the_smaller() -> None:
    a, b = layer_cluster("co_like", range(10), 1e-9, 1), layer_cluster("co_repost", range(6, 14), 1e-12, 2)
    (merged,) = merged_over_layers([a, b])
    assert merged.members.tolist() == list(range(14))
    assert merged.layers == ("co_repost", "co_like")  # the surer one first
    assert (merged.candidate, merged.q_value) == (2, 1e-12)
    assert merged.is_core.tolist() == [True, False] * 7
    apart = layer_cluster("co_repost", range(7, 15), 1e-12)
    assert len(merged_over_layers([a, apart])) == 2
    same_layer = layer_cluster("co_like", range(10), 1e-3)
    assert len(merged_over_layers([a, same_layer])) == 2


def test_the_order_of_the_layers_does_not_count() -> None:
    table = two_layers(np.random.default_rng(2))
    events = encoded_events(table)
    layers = [layer_events(events, d) for d in layer_definitions(("co_like", "co_repost"))]
    one, other = (detect_clusters(events, given, ClusterSettings()) for given in (layers, layers[::-1]))
    assert members_of(one, events) == members_of(other, events)
    assert [t.test for t in one.tested] == [t.test for t in other.tested]


def test_progress_is_told() -> None:
    told: list[tuple[str, int, int]] = []
    events = encoded_events(two_layers(np.random.default_rng(3)))
    layers = [layer_events(events, d) for d in layer_definitions(("co_repost",))]
    detect_clusters(events, layers, ClusterSettings(), on_progress=lambda *what: told.append(what))
    tests = [t for t in told if t[0] == "testing: co_repost"]
    assert [n for _, n, _ in tests] == list(range(1, len(tests) + 1))
    assert {total for *_, total in tests} == {len(tests)}
