"""Small event tables for the tests of the graph."""

from __future__ import annotations

from typing import Any

import numpy as np
import pyarrow as pa

from graphscan.events.model import ACTIONS, EVENT_SCHEMA

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
