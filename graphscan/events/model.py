"""The native event: its columns, its actions, and how a table of events is ordered."""

from __future__ import annotations

from typing import Final

import pyarrow as pa

ACTIONS: Final = (
    "post",
    "repost",
    "comment",
    "like",
    "follow",
    "message",
    "chat_message",
    "chat_join",
    "profile",
    "other",
)

# Times inside graphscan are int64 microseconds UTC; ids are text from end to end. A missing value is null,
# never an empty string: a blank object is never an object.
EVENT_SCHEMA: Final = pa.schema(
    [
        pa.field("account_id", pa.string(), nullable=False),
        pa.field("action", pa.string(), nullable=False),
        pa.field("object_id", pa.string(), nullable=False),
        pa.field("timestamp_us", pa.int64(), nullable=False),
        pa.field("event_id", pa.string(), nullable=False),
        pa.field("parent_id", pa.string()),
        pa.field("text", pa.string()),
        pa.field("urls", pa.list_(pa.string())),
        pa.field("hashtags", pa.list_(pa.string())),
        pa.field("media_hash", pa.string()),
        pa.field("client", pa.string()),
        pa.field("lang", pa.string()),
        pa.field("detail", pa.string()),
        pa.field("ai_declared", pa.bool_()),
        pa.field("ai_score", pa.float64()),
    ]
)

EVENT_COLUMNS: Final = tuple(EVENT_SCHEMA.names)
REQUIRED_COLUMNS: Final = ("account_id", "action", "object_id", "timestamp")

# Which of the five surfaces an action belongs to (accounts are judged surface by surface).
SURFACE_OF_ACTION: Final = {
    "profile": "profile",
    "post": "post",
    "repost": "post",
    "comment": "comment",
    "message": "message",
    "chat_message": "chat",
    "chat_join": "chat",
}
SURFACES: Final = ("profile", "post", "comment", "message", "chat")
