"""Small event tables for the tests of the graph."""

from __future__ import annotations

import json
import zlib
from dataclasses import replace
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from graphscan.events.model import ACTIONS, EVENT_SCHEMA
from graphscan.graphdb.runs import RunTables
from graphscan.network.table import co_action_network
from graphscan.simulate.world import World
from graphscan.simulate.worlds import simulate_world

START_US = 1_700_000_000_000_000


def events_of(*rows: dict[str, Any]) -> pa.Table:
    """A table of events; what a row does not name is missing, times default to START_US plus seconds."""
    full = []
    for position, row in enumerate(rows):
        full.append(
            {
                **dict.fromkeys(EVENT_SCHEMA.names),
                "event_id": f"e{position}",
                "timestamp_us": START_US + position * 1_000_000,
                **row,
            }
        )
    return pa.Table.from_pylist(full, schema=EVENT_SCHEMA)


def every_action() -> pa.Table:
    """One event of each action, with every column filled somewhere."""
    return events_of(
        {"account_id": "ann", "action": "post", "object_id": "e0", "text": "first\nlines", "lang": "en"},
        {"account_id": "bob", "action": "repost", "object_id": "e0", "client": "app"},
        {"account_id": "bob", "action": "comment", "object_id": "e0", "parent_id": "e0", "text": "well"},
        {"account_id": "cat", "action": "comment", "object_id": "e0", "parent_id": "e2", "ai_score": 0.25},
        {"account_id": "cat", "action": "like", "object_id": "e2", "parent_id": "e0"},
        {"account_id": "ann", "action": "follow", "object_id": "bob"},
        {"account_id": "ann", "action": "message", "object_id": "bob", "text": "psst", "ai_declared": True},
        {"account_id": "bob", "action": "chat_message", "object_id": "room", "parent_id": "topic"},
        {"account_id": "cat", "action": "chat_join", "object_id": "room"},
        {"account_id": "cat", "action": "profile", "object_id": "cat", "text": "bio", "media_hash": "ff00"},
        {"account_id": "ann", "action": "other", "object_id": "e0", "detail": "pinned"},
        {"account_id": "ann", "action": "post", "object_id": "e11", "parent_id": "e11", "urls": ["u1", "u2"]},
        {"account_id": "ann", "action": "post", "object_id": "e12", "urls": [], "hashtags": ["x"]},
    )


def random_events(n_events: int, seed: int = 0, *, prefix: str = "") -> pa.Table:
    """Events of all actions by a few accounts, sorted by nothing."""
    random = np.random.default_rng(seed)
    rows = []
    for position in range(n_events):
        action = ACTIONS[random.integers(len(ACTIONS))]
        if action in ("follow", "message", "profile"):
            target = f"u{random.integers(60)}"
        elif action.startswith("chat"):
            target = f"room{random.integers(8)}"
        else:
            target = f"{prefix}{random.integers(n_events)}"
        rows.append(
            {
                "event_id": f"{prefix}{position}",
                "account_id": f"u{random.integers(60)}",
                "action": action,
                "object_id": target,
                "timestamp_us": START_US + int(random.integers(10**12)),
                "parent_id": f"{prefix}{random.integers(n_events)}" if random.random() < 0.3 else None,
                "text": f"text {position}" if random.random() < 0.5 else None,
                "hashtags": ["a", "b"] if random.random() < 0.2 else None,
                "ai_score": float(random.random()) if random.random() < 0.2 else None,
            }
        )
    return events_of(*rows)


def simulated(n_events: int = 12_000, seed: int = 5) -> tuple[World, RunTables]:
    """A simulated world, and a run as a sweep with perfect eyes would have left it.

    The clusters are the planted coordinated groups, so that a test of the graph does not depend on how well
    clusters are found; the edges are those of the co-action stage itself.
    """
    world = _with_answers(simulate_world(n_events, seed))
    return world, run_of(world, "run-1")


def coordinated_groups(world: World) -> dict[str, list[str]]:
    """The accounts of each planted group of at least three that had one operator."""
    groups: dict[str, list[str]] = {}
    for row in world.truth.to_pylist():
        if row["coordinated"]:
            groups.setdefault(row["campaign_id"], []).append(row["account_id"])
    return {name: sorted(ids) for name, ids in sorted(groups.items()) if len(ids) >= 3}


def _with_answers(world: World) -> World:
    """The world, with acts added so that each question about its first group has an answer."""
    first, *others = coordinated_groups(world).values()
    bridge = [ids[0] for ids in others[:1]]
    members, victim, outsider = first[:4], "victim", "outsider"
    rows: list[dict[str, Any]] = []

    def act(account: str, action: str, target: str, second_s: int, **more: Any) -> None:
        at_us = START_US + second_s * 1_000_000
        rows.append(
            {
                "event_id": f"added{len(rows)}",
                "account_id": account,
                "action": action,
                "object_id": target,
                "timestamp_us": at_us,
                **more,
            }
        )

    for turn in range(3):
        start_s = 10_000 * turn
        act(victim, "repost", f"framed{turn}", start_s)
        act(victim, "post", f"own{turn}", start_s)
        words = {"text": "these are the very same words", "urls": ["https://farm.example/x"]}
        for position, member in enumerate([*members, *bridge]):
            act(member, "repost", f"framed{turn}", start_s + 5 + position, client="farm app")
            act(member, "comment", f"own{turn}", start_s + 20 + position, parent_id=f"own{turn}", **words)
            act(member, "follow", victim, start_s + 40 + position)
        for position, member in enumerate([*members, outsider]):
            act(member, "chat_join", f"door{turn}", start_s + 60 + position)
    return replace(world, events=pa.concat_tables([world.events, events_of(*rows)]))


def run_of(world: World, run_id: str, *, without: frozenset[str] = frozenset()) -> RunTables:
    """The tables of a run over a world; accounts ``without`` are in no cluster."""
    clusters = {
        name: [account for account in ids if account not in without]
        for name, ids in coordinated_groups(world).items()
    }
    in_cluster = {account: name for name, ids in clusters.items() for account in ids}
    active = sorted(pc.unique(world.events["account_id"]).to_pylist())
    tiers = ("terminate", "limit", "review", "warn")
    accounts = pa.table(
        {
            "account_id": active,
            "tier": [tiers[zlib.crc32(a.encode()) % 4] if a in in_cluster else "none" for a in active],
            "p_automation": [0.9 if a in in_cluster else 0.1 for a in active],
            "p_farm": [0.8 if a in in_cluster else float("nan") for a in active],
            "coverage": ['{"post": 1.0}' for _ in active],
            "cluster_id": [in_cluster.get(a) for a in active],
            "in_core": [a in in_cluster for a in active],
            "reasons": [json.dumps(["co_action"]) if a in in_cluster else "[]" for a in active],
            "n_events": [1] * len(active),
            "insufficient_evidence": [False] * len(active),
        }
    )
    at = world.events["timestamp_us"].cast(pa.timestamp("us", tz="UTC"))
    members = [(name, a, position > 0) for name, ids in clusters.items() for position, a in enumerate(ids)]
    chosen = pc.is_in(world.events["account_id"], pa.array(list(in_cluster), type=pa.string()))
    acts = world.events.append_column("at", at).filter(chosen)
    layer = {
        "repost": "co_repost",
        "comment": "co_comment",
        "chat_message": "co_chat",
        "chat_join": "co_join",
    }
    return RunTables(
        run_id=run_id,
        accounts=accounts,
        clusters=pa.table(
            {
                "cluster_id": list(clusters),
                "size": [len(ids) for ids in clusters.values()],
                "core_size": [len(ids) - 1 for ids in clusters.values()],
                "q_time": [0.001 * n for n in range(len(clusters))],
                "effect_ratio": [3.0] * len(clusters),
                "kappa": [0.5] * len(clusters),
                "layers": [json.dumps(["co_repost"])] * len(clusters),
                "first_at": pa.array([pc.min(at).as_py()] * len(clusters), type=at.type),
                "last_at": pa.array([pc.max(at).as_py()] * len(clusters), type=at.type),
            }
        ),
        members=pa.table(
            {
                "cluster_id": [m[0] for m in members],
                "account_id": [m[1] for m in members],
                "in_core": [m[2] for m in members],
            }
        ),
        edges=co_action_network(world.events, min_objects=2).edges,
        evidence=pa.table(
            {
                "cluster_id": [in_cluster[a] for a in acts["account_id"].to_pylist()],
                "account_id": acts["account_id"],
                "event_id": acts["event_id"],
                "object_id": acts["object_id"],
                "layer": [layer.get(a, "co_like") for a in acts["action"].to_pylist()],
                "at": acts["at"],
                "lag_s": [1.0] * acts.num_rows,
                "reason": ["co_action"] * acts.num_rows,
            }
        ),
        properties={"created_at": "2026-01-01T00:00:00.000000Z", "n_events": world.events.num_rows},
    )
