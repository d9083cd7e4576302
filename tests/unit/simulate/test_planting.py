"""Planted campaigns do what their specification says, and leave the background alone."""

from __future__ import annotations

import math
from collections import Counter

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
import pytest

from graphscan.errors import EXIT_INPUT, EXIT_USAGE, GraphscanError
from graphscan.events.model import EVENT_SCHEMA
from graphscan.simulate import (
    Background,
    BrandMatrixSpec,
    BridgeSpec,
    ClassChatSpec,
    FanClubSpec,
    FarmSpec,
    FramingSpec,
    GiveawaySpec,
    NullGroupSpec,
    PushSpec,
    SyndicationSpec,
    ViralSpec,
    World,
    organic_background,
    plant,
)
from graphscan.simulate.world import conform_events

HOUR_US = 3_600_000_000


@pytest.fixture(scope="module")
def background() -> Background:
    return Background(organic_background(20_000, seed=5))


def _planted(world: World, role: str = "campaign") -> pd.DataFrame:
    frame = world.planted.to_pandas()
    return frame[frame["role"] == role]


def _shares_only(n_accounts: int = 300, n_objects: int = 400, seed: int = 0) -> pa.Table:
    """A background of shares without posts, with whole seconds and hexadecimal ids, as exports have."""
    rng = np.random.default_rng(seed)
    n = 6_000
    accounts = [f"{int(v):032x}" for v in rng.integers(1 << 60, size=n_accounts)]
    objects = [f"{int(v):032x}" for v in rng.integers(1 << 60, size=n_objects)]
    births = rng.integers(0, 90 * 86_400, n_objects)
    which = np.minimum((rng.pareto(0.9, n) * 8).astype(int), n_objects - 1)
    times = (births[which] + rng.lognormal(8.5, 1.4, n).astype(int)) * 1_000_000 + 1_600_000_000_000_000
    return pa.table(
        {
            "account_id": pa.array([accounts[i] for i in rng.integers(n_accounts, size=n)]),
            "action": pa.array(["repost"] * n),
            "object_id": pa.array([objects[i] for i in which]),
            "timestamp_us": pa.array(times),
            "event_id": pa.array([f"z{i:07d}" for i in range(n)]),
            "lang": pa.array(["ru"] * n),
            "text_len": pa.array([1] * n),
        }
    )


@pytest.mark.parametrize("action", ["repost", "comment", "like", "chat_message", "message", "follow"])
@pytest.mark.parametrize(("k", "n", "jitter_s"), [(20, 40, 10.0), (8, 40, 1_800.0)])
def test_a_farm_acts_on_k_of_n_objects_within_the_jitter(
    background: Background, action: str, k: int, n: int, jitter_s: float
) -> None:
    spec = FarmSpec(n_accounts=12, n_shared=k, n_objects=n, jitter_s=jitter_s, action=action)  # type: ignore[arg-type]
    world = plant(background, [spec], seed=3)
    acts = _planted(world)
    per_member = acts.groupby("account_id")["campaign_object"].nunique()
    assert len(per_member) == 12
    assert (per_member == k).all()
    assert acts["campaign_object"].max() < n
    lag_s = (acts["timestamp_us"] - acts["order_us"]) / 1e6
    assert lag_s.min() >= 0
    assert lag_s.max() <= jitter_s
    # One order an object, however many members follow it.
    assert (acts.groupby("campaign_object")["order_us"].nunique() == 1).all()
    assert set(world.events.filter(_of(world, "campaign")).column("action").to_pylist()) == {action}


def _of(world: World, role: str) -> pa.ChunkedArray:
    ids = world.planted.filter(pc.equal(world.planted.column("role"), role)).column("event_id")
    return pc.is_in(world.events.column("event_id"), value_set=ids.combine_chunks())


@pytest.mark.parametrize("camouflage", [0.0, 0.2, 0.5, 0.8])
def test_camouflage_is_the_stated_share_of_each_member_and_on_other_objects(
    background: Background, camouflage: float
) -> None:
    world = plant(background, [FarmSpec(10, 20, 40, 60.0, camouflage, "repost")], seed=1)
    mine = world.planted.to_pandas()
    share = mine["role"].eq("camouflage").groupby(mine["account_id"]).mean()
    assert np.allclose(share, camouflage, atol=0.02)
    objects = {
        role: set(world.events.filter(_of(world, role)).column("object_id").to_pylist())
        for role in ("campaign", "camouflage")
    }
    assert not objects["campaign"] & objects["camouflage"]


def test_orders_come_after_the_birth_of_the_object(background: Background) -> None:
    world = plant(background, [FarmSpec(20, 20, 40, 60.0, 0.0, "repost")], seed=2)
    events = world.events.to_pandas()
    births = events[events["action"] == "post"].set_index("object_id")["timestamp_us"]
    acts = events.merge(_planted(world)[["event_id", "order_us"]], on="event_id")
    delay_s = (acts["order_us"] - acts["object_id"].map(births)) / 1e6
    assert delay_s.notna().all()
    # A clock of whole milliseconds may cut the shortest delay of 30 s by one of them.
    assert delay_s.min() >= 29.99
    assert delay_s.max() <= 7 * 86_400
    assert delay_s.groupby(acts["object_id"]).first().std() > 600


@pytest.mark.parametrize(("kind", "mean", "spread"), [("normal", 0.5, 0.25), ("exponential", 0.5, 0.5)])
def test_other_kinds_of_jitter(background: Background, kind: str, mean: float, spread: float) -> None:
    spec = FarmSpec(60, 20, 40, 600.0, action="repost", jitter_kind=kind)  # type: ignore[arg-type]
    acts = _planted(plant(background, [spec], seed=4))
    lag = (acts["timestamp_us"] - acts["order_us"]) / 600e6
    assert lag.min() >= 0
    assert math.isclose(lag.mean(), mean, abs_tol=0.05)
    assert math.isclose(lag.std(), spread, abs_tol=0.06)


def test_the_background_is_unchanged_and_ids_do_not_collide() -> None:
    table = _shares_only()
    specs = [FarmSpec(30), FanClubSpec(), FramingSpec(10, victim="background"), ViralSpec(200)]
    world = plant(table, specs, seed=8)
    old = conform_events(table)
    kept = world.events.filter(pc.is_in(world.events.column("event_id"), value_set=table["event_id"]))
    by_id = [("event_id", "ascending")]
    assert kept.sort_by(by_id).equals(old.sort_by(by_id))
    assert pc.count_distinct(world.events["event_id"]).as_py() == world.events.num_rows
    new = set(world.planted["account_id"].to_pylist())
    assert not new & set(table["account_id"].to_pylist())
    assert world.events.num_rows == table.num_rows + world.planted.num_rows
    assert world.events.schema.equals(EVENT_SCHEMA)


def test_planted_ids_times_and_columns_look_like_the_backgrounds_own() -> None:
    world = plant(_shares_only(), [FarmSpec(40, camouflage_0_1=0.3)], seed=8)
    new = set(world.planted["account_id"].to_pylist())
    assert all(len(name) == 32 and set(name) <= set("0123456789abcdef") for name in new)
    events = world.events.to_pandas()
    mine = events[events["account_id"].isin(new)]
    assert (mine["timestamp_us"] % 1_000_000 == 0).all()
    assert (mine["lang"] == "ru").all()
    assert mine["event_id"].str.fullmatch(r"z\d+").all()
    assert mine["text"].isna().all()


def test_a_seed_gives_one_world_and_another_seed_another(background: Background) -> None:
    specs = [FarmSpec(10, camouflage_0_1=0.4), FanClubSpec(), PushSpec(), GiveawaySpec()]
    one, same, other = (plant(background, specs, seed=seed) for seed in (1, 1, 2))
    for name in ("events", "accounts", "labels", "truth", "planted"):
        assert getattr(one, name).equals(getattr(same, name))
    assert not one.events.equals(other.events)


def test_a_campaign_stays_the_same_when_others_follow_it(background: Background) -> None:
    short = plant(background, [FarmSpec(10)], seed=1)
    long = plant(background, [FarmSpec(10), FanClubSpec()], seed=1)
    first = long.planted.filter(pc.equal(long.planted["campaign_id"], "c000"))
    columns = ["campaign_object", "order_us", "timestamp_us"]
    by_all = [(name, "ascending") for name in columns]
    assert short.planted.select(columns).sort_by(by_all).equals(first.select(columns).sort_by(by_all))


def test_null_groups_share_objects_as_farms_do_but_have_no_common_offset(background: Background) -> None:
    """Within an object, farm members' delays agree; those of a null group do not, habits apart."""
    farm = _planted(plant(background, [FarmSpec(30, 20, 40, 180.0)], seed=6))
    null = _planted(plant(background, [NullGroupSpec(30, 20, 40)], seed=6))
    assert (null.groupby("account_id")["campaign_object"].nunique() == 20).all()
    assert null["order_us"].isna().all()

    def close_pairs(acts: pd.DataFrame) -> float:
        gaps = acts.sort_values("timestamp_us").groupby("campaign_object")["timestamp_us"].diff().dropna()
        return float((gaps < 60e6).mean())

    assert close_pairs(farm) > 0.9
    assert close_pairs(null) < 0.2


def test_fans_are_quick_and_have_habits_of_their_own(background: Background) -> None:
    world = plant(background, [FanClubSpec(100, 40, 0.9, 5.0, 300.0, camouflage_0_1=0.0)], seed=2)
    events = world.events.to_pandas()
    births = events[events["action"] == "post"].set_index("object_id")["timestamp_us"]
    acts = events[events["event_id"].isin(_planted(world)["event_id"])].copy()
    acts["delay_s"] = (acts["timestamp_us"] - acts["object_id"].map(births)) / 1e6
    per_fan = acts.groupby("account_id")["delay_s"].median()
    assert 20 < per_fan.median() < 120
    assert per_fan.max() / per_fan.min() > 10
    per_object = acts.groupby("object_id")["delay_s"].median()
    assert per_object.max() / per_object.min() < 4
    share = acts.groupby("account_id").size() / 40
    assert 0.8 < share.mean() < 0.97


def test_framers_act_seconds_after_nearly_all_the_victim_does(background: Background) -> None:
    for victim in ("new", "background"):
        world = plant(background, [FramingSpec(50, victim=victim)], seed=3)  # type: ignore[arg-type]
        truth = world.truth.to_pandas()
        framed = truth[truth["framed_by"].notna()]
        assert list(framed["framed_by"]) == ["c000"]
        assert not framed["coordinated"].any()
        bots = truth[truth["archetype"] == "framing_bot"]
        assert len(bots) == 50
        assert bots["coordinated"].all()
        acts = _planted(world)
        lag_s = (acts["timestamp_us"] - acts["order_us"]) / 1e6
        assert lag_s.between(2, 20).all()
        events = world.events.to_pandas()
        own = events[events["account_id"].isin(framed["account_id"])]
        own = own[own["action"].isin(["post", "repost"])]
        followed = acts.groupby("order_us")["account_id"].nunique()
        assert len(followed) >= 0.95 * own["timestamp_us"].nunique()
        assert followed.mean() > 35


def test_benign_groups_keep_their_shape(background: Background) -> None:
    specs = [
        SyndicationSpec(15, 60),
        BrandMatrixSpec(8, 50),
        ClassChatSpec(20),
        GiveawaySpec(200, 3),
        ViralSpec(500, duration_s=600.0),
        BridgeSpec(),
    ]
    world = plant(background, specs, seed=7)
    acts = _planted(world)
    truth = world.truth.to_pandas().set_index("account_id")
    by_campaign = dict(iter(acts.groupby("campaign_id")))
    assert not truth[truth["archetype"].isin(["syndication", "class_chat", "giveaway", "viral"])][
        "coordinated"
    ].any()
    pages = by_campaign["c001"]
    assert ((pages["timestamp_us"] - pages["order_us"]) <= 20_000_000).all()
    assert (pages["order_us"] % 300_000_000 == 0).all()
    classes = by_campaign["c002"]
    local_hours = classes["timestamp_us"] // HOUR_US % 24
    assert local_hours.nunique() <= 2
    weekday = (classes["timestamp_us"] // (24 * HOUR_US) + 3) % 7
    assert weekday.max() <= 4
    viral = by_campaign["c004"]
    assert viral["account_id"].nunique() == 500
    assert np.quantile(viral["timestamp_us"], 0.9) - viral["timestamp_us"].min() < 2 * 600e6
    assert by_campaign["c005"]["account_id"].nunique() == 1
    labels = Counter(world.labels["label"].to_pylist())
    assert labels["automated"] == 15


def test_posting_farms_share_links_tags_and_nearly_the_same_text(background: Background) -> None:
    spec = FarmSpec(10, 8, 20, 60.0, 0.3, "post", text="near_duplicate", with_url=True, with_hashtags=True)
    world = plant(background, [spec], seed=1)
    events = world.events.to_pandas()
    acts = events.merge(_planted(world)[["event_id", "campaign_object"]], on="event_id")
    assert (acts["object_id"] == acts["event_id"]).all()
    for _, one in acts.groupby("campaign_object"):
        assert one["urls"].map(tuple).nunique() == 1
        assert one["hashtags"].map(tuple).nunique() == 1
    words = [set(text.split()) for text in acts[acts["campaign_object"] == 0]["text"]]
    if len(words) > 1:
        assert len(words[0] & words[1]) / len(words[0] | words[1]) > 0.6


def test_fresh_objects_are_nobody_elses(background: Background) -> None:
    world = plant(background, [FarmSpec(10, 20, 40, 60.0, fresh_share_0_1=0.5)], seed=1)
    events = world.events.to_pandas()
    members = set(world.truth.filter(pc.equal(world.truth["archetype"], "farm"))["account_id"].to_pylist())
    seeders = world.truth.filter(pc.equal(world.truth["archetype"], "farm_seeder"))["account_id"].to_pylist()
    assert len(seeders) == 1
    fresh = set(events[events["account_id"] == seeders[0]]["object_id"])
    assert len(fresh) == 20
    assert set(events[events["object_id"].isin(fresh)]["account_id"]) <= members | set(seeders)
    births = events[events["account_id"] == seeders[0]].set_index("object_id")["timestamp_us"]
    later = events[events["object_id"].isin(fresh) & events["account_id"].isin(members)]
    assert (later["timestamp_us"] > later["object_id"].map(births)).all()


def test_chat_farms_act_inside_sessions_that_people_hold(background: Background) -> None:
    world = plant(background, [FarmSpec(10, 20, 40, 60.0, 0.0, "chat_message")], seed=1)
    events = world.events.to_pandas()
    chats = events[events["action"] == "chat_message"].sort_values("timestamp_us")
    planted = set(_planted(world)["event_id"])
    own = chats[~chats["event_id"].isin(planted)]
    merged = pd.merge_asof(
        chats[chats["event_id"].isin(planted)],
        own[["timestamp_us", "object_id", "account_id"]].assign(last_us=own["timestamp_us"]),
        on="timestamp_us",
        by="object_id",
    )
    assert ((merged["timestamp_us"] - merged["last_us"]) <= 1_800_000_000).mean() > 0.99


@pytest.mark.parametrize(
    "spec",
    [
        FarmSpec(n_shared=41, n_objects=40),
        FarmSpec(camouflage_0_1=1.0),
        FarmSpec(n_accounts=0),
        FarmSpec(jitter_s=-1.0),
        FramingSpec(victim="background", victim_id="nobody"),
    ],
)
def test_contradictory_specifications_are_refused(background: Background, spec: FarmSpec) -> None:
    with pytest.raises(GraphscanError) as caught:
        plant(background, [spec], seed=1)
    assert caught.value.exit_code == EXIT_USAGE


def test_a_background_without_the_action_or_with_missing_columns_is_refused() -> None:
    with pytest.raises(GraphscanError) as caught:
        plant(_shares_only(), [FarmSpec(action="chat_message")], seed=1)
    assert caught.value.exit_code == EXIT_INPUT
    with pytest.raises(GraphscanError) as caught:
        plant(_shares_only().drop(["object_id"]), [FarmSpec()], seed=1)
    assert "object_id" in str(caught.value)
    with pytest.raises(GraphscanError) as caught:
        plant(_shares_only().slice(0, 0), [FarmSpec()], seed=1)
    assert caught.value.exit_code == EXIT_INPUT
