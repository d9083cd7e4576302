"""Whole worlds: size, determinism, truth, rhythm, and people who are not easy to tell."""

from __future__ import annotations

import csv
import hashlib
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest

from graphscan.errors import EXIT_CANNOT_WRITE, EXIT_USAGE, GraphscanError
from graphscan.events.model import ACTIONS, EVENT_SCHEMA, SURFACE_OF_ACTION
from graphscan.simulate import (
    Mix,
    World,
    null_world,
    plant_into_background,
    simulate_world,
    truth_world,
    write_world,
)

HOUR_US = 3_600_000_000


@pytest.fixture(scope="module")
def world() -> World:
    return simulate_world(100_000, seed=11)


@pytest.fixture(scope="module")
def events(world: World) -> pd.DataFrame:
    frame = world.events.to_pandas()
    truth = world.truth.to_pandas().set_index("account_id")
    labels = world.labels.to_pandas().set_index("account_id")
    frame["archetype"] = frame["account_id"].map(truth["archetype"])
    frame["mechanism"] = frame["account_id"].map(truth["mechanism"])
    frame["label"] = frame["account_id"].map(labels["label"])
    return frame


@pytest.mark.parametrize("seed", [1, 2])
@pytest.mark.parametrize("n_events", [1_000, 3_000, 10_000, 40_000])
def test_a_world_has_within_five_percent_of_the_events_asked_for(n_events: int, seed: int) -> None:
    made = simulate_world(n_events, seed)
    assert abs(made.events.num_rows / n_events - 1) <= 0.05


def test_tables_agree(world: World) -> None:
    assert world.events.schema.equals(EVENT_SCHEMA)
    ids = sorted(set(world.events["account_id"].to_pylist()))
    for table in (world.truth, world.labels, world.accounts):
        assert table["account_id"].to_pylist() == ids
    assert set(world.labels["label"].to_pylist()) == {
        "human",
        "human_ai_assisted",
        "automated",
        "ai_managed",
    }
    assert set(world.events["action"].to_pylist()) <= set(ACTIONS)
    times = world.events["timestamp_us"].to_numpy()
    assert (np.diff(times) >= 0).all()
    assert pc.count_distinct(world.events["event_id"]).as_py() == world.events.num_rows


def test_equal_arguments_give_equal_bytes(tmp_path: Path) -> None:
    sums = []
    for name in ("one", "two"):
        write_world(simulate_world(5_000, seed=4), tmp_path / name)
        sums.append(
            {p.name: hashlib.sha256(p.read_bytes()).hexdigest() for p in sorted((tmp_path / name).iterdir())}
        )
    assert sums[0] == sums[1]
    assert set(sums[0]) == {"events.parquet", "accounts.csv", "labels.csv", "truth.csv"}
    assert not simulate_world(5_000, seed=5).events.equals(simulate_world(5_000, seed=4).events)


def test_files_are_in_the_native_layout(tmp_path: Path) -> None:
    made = simulate_world(2_000, seed=4)
    write_world(made, tmp_path / "w")
    table = pq.read_table(tmp_path / "w" / "events.parquet")
    assert "timestamp" in table.column_names
    assert "timestamp_us" not in table.column_names
    assert str(table.schema.field("timestamp").type) == "timestamp[us, tz=UTC]"
    assert table["timestamp"].cast("int64").to_pylist() == made.events["timestamp_us"].to_pylist()
    with (tmp_path / "w" / "accounts.csv").open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    assert [row["account_id"] for row in rows] == made.accounts["account_id"].to_pylist()
    assert pd.to_datetime([row["created_at"] for row in rows], utc=True).notna().all()


def test_a_folder_with_content_is_not_touched(tmp_path: Path) -> None:
    (tmp_path / "note.txt").write_text("mine")
    with pytest.raises(GraphscanError) as caught:
        write_world(simulate_world(1_000, seed=4), tmp_path)
    assert caught.value.exit_code == EXIT_CANNOT_WRITE
    assert [p.name for p in tmp_path.iterdir()] == ["note.txt"]


def test_every_archetype_lives_in_a_world_of_100_000_events(world: World) -> None:
    found = set(world.truth["archetype"].to_pylist())
    assert found >= {
        "ordinary",
        "shift_worker",
        "insomniac",
        "power_user",
        "daily_table",
        "greeter",
        "moderator",
        "scheduled_creator",
        "human_ai_assisted",
        "campus",
        "heartbeat",
        "reactive_bot",
        "ai_managed",
        "farm",
        "chat_ring",
        "post_ring",
        "framing_bot",
        "fan_club",
        "syndication",
        "viral",
        "giveaway",
        "class_chat",
        "brand_matrix",
        "bridge",
        "null_group",
        "push",
    }


def test_references_point_backwards_to_what_exists(events: pd.DataFrame) -> None:
    when = events.set_index("event_id")["timestamp_us"]
    content = events[events["action"].isin(["repost", "comment", "like"])]
    births = content["object_id"].map(when)
    assert births.notna().all()
    assert (births <= content["timestamp_us"]).all()
    replies = events[events["parent_id"].notna()]
    asked = replies["parent_id"].map(when)
    # Planted acts borrow the thread of the event before them, which may be a post of the background.
    assert asked.notna().mean() > 0.99
    assert (asked.dropna() <= replies["timestamp_us"][asked.notna()]).mean() > 0.99
    accounts = set(events["account_id"])
    targets = events[events["action"].isin(["message", "follow"])]["object_id"]
    assert targets.isin(accounts).mean() > 0.95


def test_all_five_surfaces_and_hosted_accounts_with_enough_events(events: pd.DataFrame) -> None:
    surface = events["action"].map(SURFACE_OF_ACTION)
    assert set(surface.dropna()) == {"profile", "post", "comment", "message", "chat"}
    hosted = events[events["label"] == "ai_managed"].assign(surface=surface)
    per_account = hosted.groupby("account_id").agg(n=("event_id", "size"), surfaces=("surface", "nunique"))
    assert ((per_account["n"] >= 100) & (per_account["surfaces"] >= 3)).sum() >= 20


def test_people_sleep_and_clocks_do_not(events: pd.DataFrame) -> None:
    hour = events["timestamp_us"] // HOUR_US % 24
    counts = events.groupby("account_id").size()
    busy = counts[counts >= 80].index

    def strength(mask: pd.Series) -> pd.Series:
        angle = hour[mask] * (2 * np.pi / 24)
        by = events["account_id"][mask]
        return np.hypot(np.cos(angle).groupby(by).mean(), np.sin(angle).groupby(by).mean())

    people = strength(events["archetype"].eq("ordinary") & events["account_id"].isin(busy))
    clocks = strength(events["mechanism"].isin(["scheduler", "reactor"]) & events["account_id"].isin(busy))
    assert people.median() > 0.25
    assert clocks.median() < 0.2
    # Neither is a law: some people have no rhythm to speak of, and some software keeps hours.
    assert people.min() < clocks.quantile(0.9)


def test_people_act_in_bursts(events: pd.DataFrame) -> None:
    people = events[events["archetype"].eq("ordinary")].sort_values(["account_id", "timestamp_us"])
    gap = people.groupby("account_id")["timestamp_us"].diff().dropna() / 1e6
    stats = gap.groupby(people["account_id"]).agg(["mean", "std", "size"])
    stats = stats[stats["size"] >= 50]
    burstiness = (stats["std"] - stats["mean"]) / (stats["std"] + stats["mean"])
    assert 0.35 < burstiness.median() < 0.75


def test_nobody_answers_faster_than_people_type(events: pd.DataFrame) -> None:
    """People stay below 12 characters a second against what they answer; quick answerers do not."""
    when = events.set_index("event_id")[["timestamp_us", "account_id"]]
    replies = events[events["parent_id"].isin(when.index) & events["text"].notna()].copy()
    asked = when.loc[replies["parent_id"]]
    other = asked["account_id"].to_numpy() != replies["account_id"].to_numpy()
    seconds = (replies["timestamp_us"].to_numpy() - asked["timestamp_us"].to_numpy()) / 1e6
    speed = replies["text"].str.len().to_numpy() / np.maximum(seconds, 1e-3)
    replies = replies.assign(fast=speed > 12)[other]
    share = replies.groupby("archetype")["fast"].mean()
    assert share["ordinary"] < 0.01
    assert share["human_ai_assisted"] < 0.02
    assert share["reactive_bot"] > 0.5


def test_volume_and_client_do_not_give_labels_away(events: pd.DataFrame) -> None:
    counts = events.groupby(["account_id", "label"]).size().reset_index(name="n")
    busy = counts[counts["n"] >= 100]
    assert busy["label"].isin(["human", "human_ai_assisted"]).mean() > 0.4
    assert busy.loc[busy["label"].eq("human"), "n"].max() > busy.loc[~busy["label"].eq("human"), "n"].median()
    clients = events.groupby("label")["client"].agg(set)
    assert clients["human"] >= clients["automated"] - {"scheduler"}
    by_tool = events[events["client"].eq("scheduler")]
    assert {"scheduled_creator", "heartbeat"} <= set(by_tool["archetype"])
    declared = events[events["ai_declared"].eq(True)]
    assert {"human_ai_assisted", "ai_managed"} <= set(declared["label"])


def test_managed_accounts_write_much_and_repeat_nothing(events: pd.DataFrame) -> None:
    long = events[events["text"].str.len().gt(60) & events["archetype"].eq("ai_managed")]
    assert len(long) > 500
    assert not long["text"].duplicated().any()


def test_texts_are_in_latin_cyrillic_and_chinese(events: pd.DataFrame) -> None:
    text = events["text"].dropna()
    for script in (r"[a-z]", r"[а-я]", r"[\u4e00-\u9fff]", r"[áéíóúñ]"):
        assert text.str.contains(script).mean() > 0.03


def test_campus_sign_ups_come_together(world: World, events: pd.DataFrame) -> None:
    signed = events[events["detail"].eq("sign_up") & events["archetype"].eq("campus")]
    days = (signed["timestamp_us"] // (24 * HOUR_US)).value_counts()
    assert days.max() >= 3


def test_only_people_live_in_an_organic_world() -> None:
    made = simulate_world(4_000, seed=3, mix=Mix.organic())
    assert set(made.labels["label"].to_pylist()) <= {"human", "human_ai_assisted"}
    assert made.planted.num_rows == 0


def test_shares_of_the_mix_are_met(events: pd.DataFrame) -> None:
    share = events["archetype"].value_counts(normalize=True)
    assert 0.02 < share["heartbeat"] < 0.05
    assert 0.015 < share["reactive_bot"] < 0.045
    assert events["label"].isin(["human", "human_ai_assisted"]).mean() > 0.6


def test_progress_is_told() -> None:
    told: list[tuple[str, int, int]] = []
    simulate_world(2_000, seed=1, on_progress=lambda stage, done, total: told.append((stage, done, total)))
    assert [stage for stage, _, _ in told] == ["life", "texts", "campaigns"]
    assert all(total == 2_000 for _, _, total in told)


@pytest.mark.parametrize(("n", "mix"), [(10, Mix()), (5_000, Mix(farms_0_1=0.9)), (5_000, Mix(push_0_1=-1))])
def test_impossible_worlds_are_refused(n: int, mix: Mix) -> None:
    with pytest.raises(GraphscanError) as caught:
        simulate_world(n, 1, mix)
    assert caught.value.exit_code == EXIT_USAGE


def test_measuring_worlds() -> None:
    truth = truth_world(None, 1, n_background_events=15_000).truth.to_pandas()
    farms = truth[truth["archetype"] == "farm"]
    assert farms["campaign_id"].nunique() == 28
    cells = farms.drop_duplicates("campaign_id")
    assert set(zip(cells["n_shared"], cells["n_objects"], strict=True)) == {(20, 40), (8, 40), (5, 200)}
    assert set(cells["jitter_s"]) == {10, 180, 1_800, 3_600}
    assert set(cells["n_accounts"]) == {10, 30, 100}
    null = null_world(None, 1, n_background_events=15_000).truth.to_pandas()
    assert not null["coordinated"].any()
    assert null[null["archetype"] == "null_group"]["campaign_id"].nunique() == 28


def test_planting_into_a_background_gives_about_the_events_asked_for() -> None:
    background = simulate_world(15_000, 3, Mix.organic()).events
    made = plant_into_background(background, 8_000, seed=1)
    assert 0.7 < made.planted.num_rows / 8_000 < 1.6
    assert made.events.num_rows == background.num_rows + made.planted.num_rows
