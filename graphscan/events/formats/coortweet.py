"""CooRTweet: object_id, account_id, content_id, timestamp_share (https://github.com/nicolarighetti/CooRTweet)."""

from __future__ import annotations

import pyarrow as pa

from graphscan.events.formats.layout import Converted, TableFormat
from graphscan.events.times import TimeRule


def _shares(table: pa.Table) -> Converted:
    """Every row is one share of an object by an account; the content is the share itself."""
    n_rows = table.num_rows
    return Converted(
        pa.table(
            {
                "account_id": table["account_id"],
                "action": pa.array(["repost"]).take(pa.array([0] * n_rows, type=pa.int32())),
                "object_id": table["object_id"],
                "timestamp": table["timestamp_share"],
                "event_id": table["content_id"],
            }
        )
    )


COORTWEET = TableFormat(
    name="coortweet",
    title="CooRTweet",
    required=("object_id", "account_id", "content_id", "timestamp_share"),
    optional=(),
    convert=_shares,
    # Unix seconds or "2024-05-01 12:00:00" in UTC. Any count of seconds is taken, because CooRTweet itself
    # only looks at differences; milliseconds read as seconds still land far outside.
    time_rule=TimeRule(naive_is_utc=True, epoch_units=("s",), from_us=0),
    source_of={"timestamp": "timestamp_share", "event_id": "content_id"},
    renamed={
        "id_account": "account_id",
        "id_user": "account_id",
        "id_object": "object_id",
        "id_content": "content_id",
    },
)
