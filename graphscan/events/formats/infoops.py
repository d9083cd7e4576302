"""Twitter/X information operations archive, tweets: 31 columns by name; their order changed over releases."""

from __future__ import annotations

import pyarrow as pa
import pyarrow.compute as pc

from graphscan.events.formats.layout import Converted, TableFormat
from graphscan.events.times import TimeRule

REQUIRED = ("tweetid", "userid", "tweet_time", "is_retweet")
OPTIONAL = (
    "tweet_text",
    "tweet_language",
    "tweet_client_name",
    "in_reply_to_tweetid",
    "quoted_tweet_tweetid",
    "retweet_tweetid",
    "hashtags",
    "urls",
)
# The ten columns of the archive's file of users, which holds no events.
USERS_COLUMNS = frozenset(
    {
        "userid",
        "user_display_name",
        "user_screen_name",
        "user_reported_location",
        "user_profile_description",
        "user_profile_url",
        "follower_count",
        "following_count",
        "account_creation_date",
        "account_language",
    }
)


def _listed(column: pa.ChunkedArray) -> pa.ChunkedArray:
    """A list written as ``[a, b]`` or ``['a', 'b']`` as its items separated by a space."""
    bare = pc.replace_substring_regex(column, r"^\s*\[|\]\s*$", "")
    return pc.replace_substring_regex(bare, r"""['"]?\s*,\s*['"]?|^\s*['"]|['"]\s*$""", " ")


def _tweets(table: pa.Table) -> Converted:
    """A retweet acts on the retweeted tweet, a reply on the tweet it answers, anything else on itself."""
    names = table.column_names
    nothing = pa.nulls(table.num_rows, pa.string())

    def column(name: str) -> pa.ChunkedArray | pa.Array:
        return table[name] if name in names else nothing

    flag = pc.utf8_lower(pc.cast(pc.fill_null(table["is_retweet"], ""), pa.string()))
    retweet = pc.is_in(flag, pa.array(["true", "t", "1"]))
    reply, quote = column("in_reply_to_tweetid"), column("quoted_tweet_tweetid")
    own = pc.coalesce(reply, table["tweetid"])
    converted = pa.table(
        {
            "account_id": table["userid"],
            "action": pc.if_else(retweet, "repost", pc.if_else(pc.is_valid(reply), "comment", "post")),
            # A retweet without the retweeted id has no object: it is rejected, not made an object of its own.
            "object_id": pc.if_else(retweet, column("retweet_tweetid"), own),
            "timestamp": table["tweet_time"],
            "event_id": table["tweetid"],
            "parent_id": pc.if_else(retweet, pa.scalar(None, pa.string()), reply),
            "text": column("tweet_text"),
            "urls": _listed(column("urls")),
            "hashtags": _listed(column("hashtags")),
            "client": column("tweet_client_name"),
            "lang": column("tweet_language"),
            "detail": pc.if_else(
                pc.and_(pc.is_valid(quote), pc.invert(retweet)),
                pa.scalar("quote"),
                pa.scalar(None, pa.string()),
            ),
        }
    )
    return Converted(converted)


INFOOPS = TableFormat(
    name="infoops",
    title="Twitter/X information operations archive",
    required=REQUIRED,
    optional=OPTIONAL,
    convert=_tweets,
    # Times are UTC and cut to the minute.
    time_rule=TimeRule(naive_is_utc=True, resolution_us=60_000_000),
    source_of={
        "account_id": "userid",
        # the only object that can be missing
        "object_id": "retweet_tweetid",
        "timestamp": "tweet_time",
        "event_id": "tweetid",
        "text": "tweet_text",
    },
)
