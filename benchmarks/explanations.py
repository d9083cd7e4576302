"""How often each legitimate explanation matches its own kind of group, and how often a farm.

Groups of known kind are planted into a background and looked at as if they had been found:

    python benchmarks/explanations.py [--seeds N] [--background organic|coortweet_ru|aidev_a|zulip]

Rows are kinds of groups, columns explanations; a cell is the share of groups that the explanation fits.
``push_notification`` fits every group found by timing alone, by design; it has a column like the others, and
``best`` names the commonest best match. The last rows are farms, among them farms that pose.
"""

from __future__ import annotations

import argparse
import os
from collections import Counter, defaultdict
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from graphscan.clusters.explanations import EXPLANATIONS, best_match, explanation_context, explanations
from graphscan.clusters.incidence import layer_incidence
from graphscan.entropy import generator
from graphscan.events.model import EVENT_SCHEMA
from graphscan.network.layers import LAYERS, encoded_events, layer_events
from graphscan.simulate import (
    Background,
    BrandMatrixSpec,
    ClassChatSpec,
    FanClubSpec,
    FarmSpec,
    FramingSpec,
    GiveawaySpec,
    PushSpec,
    SyndicationSpec,
    ViralSpec,
    organic_background,
    plant,
)

DATA = Path(os.environ.get("GRAPHSCAN_DATA", Path(__file__).resolve().parents[1] / "../shared/data"))
DAY_US = 86_400_000_000
LAYER_OF_ACTION = {
    "repost": "co_repost",
    "comment": "co_comment",
    "chat_message": "co_chat",
    "like": "co_like",
}
ACTIONS = {"organic": "repost", "coortweet_ru": "repost", "aidev_a": "comment", "zulip": "chat_message"}
Row = tuple[int, str, str, int, str]  # member, action, object, time, client


def background(name: str, seed: int) -> pa.Table:
    """The events to plant into."""
    if name == "organic":
        return organic_background(40_000, seed)
    import pandas as pd

    if name == "coortweet_ru":
        frame = pd.read_csv(DATA / name / "events.csv.gz", dtype=str)
        frame = frame.drop_duplicates("event_id")
        frame["timestamp_us"] = (
            pd.to_datetime(frame.timestamp, utc=True).astype("datetime64[us, UTC]").astype(int)
        )
        frame["urls"] = frame["hashtags"] = None
    else:
        frame = pd.read_parquet(DATA / name / "events.parquet")
        if name == "zulip":
            frame = frame.iloc[300_000:500_000]
        frame = frame.drop_duplicates("event_id")
        frame["timestamp_us"] = frame.timestamp.astype("datetime64[us, UTC]").astype(int)
    columns = [c for c in EVENT_SCHEMA.names if c in frame.columns]
    columns = [c for c in columns if frame[c].notna().any()]
    fields = pa.schema([EVENT_SCHEMA.field(c) for c in columns])
    return pa.Table.from_pandas(frame[columns], schema=fields, preserve_index=False)


def specs(action: str) -> list[tuple[str, Any]]:
    """Kind and specification of what the simulator plants."""
    farms = [
        ("farm, 20 of 40, 3 min", FarmSpec(30, 20, 40, 180.0, 0.2, action)),
        ("farm, 8 of 40, 30 min", FarmSpec(30, 8, 40, 1_800.0, 0.4, action)),
        ("farm, 10 accounts, 1 h", FarmSpec(10, 20, 40, 3_600.0, 0.0, action)),
        ("farm, 100 accounts, 5 of 200", FarmSpec(100, 5, 200, 60.0, 0.0, action)),
    ]
    if action == "chat_message":
        return [("class_chat", ClassChatSpec()), *farms]
    return [
        ("fan_club", FanClubSpec(40, action=action)),
        ("fan_club, fast", FanClubSpec(100, share_0_1=0.9, fastest_s=5.0, slowest_s=300.0, action=action)),
        ("syndication", SyndicationSpec(action=action)),
        ("brand_matrix", BrandMatrixSpec(action=action)),
        ("giveaway", GiveawaySpec(action=action)),
        ("viral", ViralSpec(600, action=action)),
        ("push", PushSpec(action=action)),
        *farms,
        ("framing bots", FramingSpec(20, n_victim_events=40, action=action)),
    ]


def own_pages(rng: np.random.Generator, start: int) -> list[Row]:
    """Eight pages of a publisher; each repeats most of the others' posts through one tool, on the clock."""
    rows: list[Row] = []
    for k in range(40):
        at = start + int(rng.uniform(0, 60 * DAY_US))
        rows.append((k % 8, "post", f"page-{k}", at, "planner"))
        slot = (at // 300_000_000 + int(rng.integers(1, 40))) * 300_000_000
        rows += [
            (m, "repost", f"page-{k}", slot + int(rng.uniform(0, 15e6)), "planner")
            for m in range(8)
            if m != k % 8 and rng.random() < 0.8
        ]
    return rows


def working_group(rng: np.random.Generator, start: int) -> list[Row]:
    """Ten colleagues who open threads and answer each other in them within the hour."""
    rows: list[Row] = []
    for k in range(40):
        at = start + int(rng.uniform(0, 60 * DAY_US))
        opener = int(rng.integers(10))
        rows.append((opener, "post", f"thread-{k}", at, ""))
        rows += [
            (m, "comment", f"thread-{k}", at + int(rng.exponential(1_800e6)), "")
            for m in rng.choice(10, 5, replace=False).tolist()
            if m != opener
        ]
    return rows


def relay(rng: np.random.Generator, start: int) -> list[Row]:
    """One relay (member 0) shares what it finds; thirty readers pick some of it up from there."""
    rows: list[Row] = []
    for k in range(60):
        at = start + int(rng.uniform(0, 60 * DAY_US))
        rows.append((30, "post", f"found-{k}", at, ""))
        shared = at + int(rng.lognormal(np.log(7_200e6), 1.0))
        rows.append((0, "repost", f"found-{k}", shared, ""))
        rows += [
            (m, "repost", f"found-{k}", shared + int(rng.lognormal(np.log(900e6), 1.2)), "")
            for m in range(1, 30)
            if rng.random() < 0.3
        ]
    return rows


def scheduler_farm(rng: np.random.Generator, start: int) -> list[Row]:
    """Thirty accounts on a public scheduler that share others' content on round minutes."""
    rows: list[Row] = []
    for k in range(40):
        at = start + int(rng.uniform(0, 60 * DAY_US))
        rows.append((30, "post", f"target-{k}", at, ""))
        slot = (at // 300_000_000 + int(rng.integers(1, 80))) * 300_000_000
        rows += [
            (m, "repost", f"target-{k}", slot + int(rng.uniform(0, 15e6)), "planner")
            for m in range(30)
            if rng.random() < 0.5
        ]
    return rows


def posing_farm(rng: np.random.Generator, start: int) -> list[Row]:
    """Ten accounts that do all that `brand_matrix` asks for: few, always together, on round minutes."""
    rows: list[Row] = []
    for k in range(40):
        at = start + int(rng.uniform(0, 60 * DAY_US))
        rows.append((10, "post", f"sold-{k}", at, ""))
        slot = (at // 300_000_000 + int(rng.integers(1, 80))) * 300_000_000
        rows += [
            (m, "repost", f"sold-{k}", slot + int(rng.uniform(0, 15e6)), "planner")
            for m in range(10)
            if rng.random() < 0.9
        ]
    return rows


def one_creator_farm(rng: np.random.Generator, start: int) -> list[Row]:
    """Thirty accounts that a single creator hired: all its posts, at ordered moments."""
    rows: list[Row] = []
    for k in range(40):
        at = start + int(rng.uniform(0, 60 * DAY_US))
        rows.append((30, "post", f"customer-{k}", at, ""))
        order = at + int(rng.lognormal(np.log(7_200e6), 1.4))
        rows += [
            (m, "repost", f"customer-{k}", order + int(rng.uniform(0, 180e6)), "")
            for m in range(30)
            if rng.random() < 0.6
        ]
    return rows


def like_pod(rng: np.random.Generator, start: int) -> list[Row]:
    """Fifteen accounts that like each other's posts within minutes."""
    rows: list[Row] = []
    for k in range(60):
        at = start + int(rng.uniform(0, 60 * DAY_US))
        rows.append((k % 15, "post", f"pod-{k}", at, ""))
        rows += [
            (m, "like", f"pod-{k}", at + int(rng.uniform(60e6, 600e6)), "")
            for m in range(15)
            if m != k % 15 and rng.random() < 0.6
        ]
    return rows


SCENES: dict[str, tuple[Callable[[np.random.Generator, int], list[Row]], int, str]] = {
    "own_pages": (own_pages, 8, "repost"),
    "working_group": (working_group, 10, "comment"),
    "relay and readers": (relay, 30, "repost"),
    "farm on a scheduler": (scheduler_farm, 30, "repost"),
    "farm posing as pages": (posing_farm, 10, "repost"),
    "farm of one creator": (one_creator_farm, 30, "repost"),
    "pod of likes": (like_pod, 15, "like"),
}


def scene_events(name: str, seed: int, start: int) -> pa.Table:
    """Events of one scene; ids are the scene's own."""
    make, _, _ = SCENES[name]
    rows = make(generator(seed, "scene", name), start)
    prefix = name.replace(" ", "-")
    columns = {
        "account_id": [f"{prefix}-{m}" for m, *_ in rows],
        "action": [r[1] for r in rows],
        "object_id": [f"{prefix}-{r[2]}" for r in rows],
        "timestamp_us": [r[3] for r in rows],
        "event_id": [f"{prefix}-e{k}" for k in range(len(rows))],
        "client": [r[4] or None for r in rows],
    }
    n = len(rows)
    return pa.table(
        [
            pa.array(columns[f.name], f.type) if f.name in columns else pa.nulls(n, f.type)
            for f in EVENT_SCHEMA
        ],
        schema=EVENT_SCHEMA,
    )


def measured(name: str, seed: int) -> list[tuple[str, list[Any]]]:
    """Kind and explanations of every group of one world."""
    ready = Background(background(name, seed))
    action = ACTIONS[name]
    chosen = specs(action)
    world = plant(ready, [spec for _, spec in chosen], seed)
    start = max(ready.first_us, ready.last_us - 90 * DAY_US)
    scenes = [] if action == "chat_message" else sorted(SCENES)
    table = pa.concat_tables([world.events, *(scene_events(s, seed, start) for s in scenes)])
    table = table.sort_by([("timestamp_us", "ascending"), ("event_id", "ascending")])
    events = encoded_events(table, resolution_us=ready.resolution_us)
    code = {account: k for k, account in enumerate(events.account_ids.to_pylist())}
    groups: list[tuple[str, list[str], str]] = []
    by_campaign = defaultdict(list)
    for row in world.truth.to_pylist():
        if row["campaign_id"] and row["archetype"] != "framing_victim":
            by_campaign[row["campaign_id"]].append(row["account_id"])
    for k, (kind, _) in enumerate(chosen):
        groups.append((kind, by_campaign[f"c{k:03d}"], action))
    for s in scenes:
        _, n, scene_action = SCENES[s]
        prefix = s.replace(" ", "-")
        groups.append((s, [f"{prefix}-{m}" for m in range(n)], scene_action))
    incidences: dict[str, Any] = {}
    result = []
    for kind, accounts, act in groups:
        layer = LAYER_OF_ACTION[act]
        if layer not in incidences:
            incidences[layer] = layer_incidence(layer_events(events, LAYERS[layer]), events)
        members = np.unique([code[a] for a in accounts if a in code])
        context = explanation_context(members, incidences[layer], events, layers=(layer,), window_s=600.0)
        result.append((kind, explanations(context)))
    return result


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seeds", type=int, default=10)
    parser.add_argument("--background", default="organic", choices=sorted(ACTIONS))
    options = parser.parse_args()
    fits: dict[str, Counter[str]] = defaultdict(Counter)
    best: dict[str, Counter[str]] = defaultdict(Counter)
    n: Counter[str] = Counter()
    for seed in range(options.seeds):
        for kind, tried in measured(options.background, seed):
            n[kind] += 1
            best[kind][best_match(tried)] += 1
            for one in tried:
                fits[kind][one.id] += one.fits
    names = [rule.id for rule in EXPLANATIONS]
    print(
        f"background {options.background}, {options.seeds} seeds; share of groups that an explanation fits\n"
    )
    print("| group | " + " | ".join(names) + " | best |")
    print("|---" * (len(names) + 2) + "|")
    for kind, count in n.items():
        cells = [f"{fits[kind][name] / count:.2f}".replace("0.00", "·") for name in names]
        top, hits = best[kind].most_common(1)[0]
        print(f"| {kind} | " + " | ".join(cells) + f" | {top or 'none'} {hits / count:.2f} |")


if __name__ == "__main__":
    main()
