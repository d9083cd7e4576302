"""Coordination Network Toolkit: eight columns by position (https://github.com/QUT-Digital-Observatory)."""

from __future__ import annotations

import pyarrow as pa
import pyarrow.compute as pc

from graphscan.events.formats.layout import Converted, TableFormat
from graphscan.events.times import TimeRule

COLUMNS = ("message_id", "user_id", "username", "repost_id", "reply_id", "message", "timestamp", "urls")
# The Toolkit takes seconds counted from any moment, before 1970 too.
_FROM_US = -4_102_444_800_000_000


def _messages(table: pa.Table) -> Converted:
    """A repost acts on what it reposts, a reply on what it answers, anything else on itself."""
    reposted = pc.is_valid(table["repost_id"])
    replied = pc.is_valid(table["reply_id"])
    return Converted(
        pa.table(
            {
                "account_id": table["user_id"],
                "action": pc.if_else(reposted, "repost", pc.if_else(replied, "comment", "post")),
                "object_id": pc.coalesce(table["repost_id"], table["reply_id"], table["message_id"]),
                "timestamp": table["timestamp"],
                "event_id": table["message_id"],
                "parent_id": table["reply_id"],
                "text": table["message"],
                "urls": table["urls"],
            }
        )
    )


CNT = TableFormat(
    name="cnt",
    title="Coordination Network Toolkit",
    required=COLUMNS,
    optional=(),
    convert=_messages,
    time_rule=TimeRule(naive_is_utc=True, epoch_units=("s",), from_us=_FROM_US),
    by_position=True,
    source_of={
        "account_id": "user_id",
        "object_id": "message_id",
        "event_id": "message_id",
        "text": "message",
    },
)
