"""Reddit dumps (Pushshift, Arctic Shift): comments and posts, one JSON object a line."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Final

from graphscan.events.formats.layout import RecordError, RecordFormat
from graphscan.events.jsonlines import Digits
from graphscan.events.times import TimeRule

_GONE: Final = frozenset({"[deleted]", "[removed]"})


def _text(value: Any) -> str | None:
    return value if isinstance(value, str) and value and value not in _GONE else None


def _base(record: Mapping[str, Any], prefix: str) -> dict[str, Any]:
    """What comments and posts have in common.

    The author's name is the key: it is unique and lasts, while ``author_fullname`` is missing in some rows,
    so keying on it would split an account in two.
    """
    own_id = record.get("id")
    if not isinstance(own_id, str) or not own_id:
        raise RecordError("no_content", "id", "no id")
    author = _text(record.get("author"))
    if author is None:
        raise RecordError("no_account_id", "author", "the author is deleted")
    created = record.get("created_utc")
    if created in (None, ""):
        raise RecordError("no_time", "created_utc", "no time")
    subreddit = _text(record.get("subreddit"))
    return {
        "account_id": author,
        "timestamp": str(created),
        "event_id": prefix + own_id.removeprefix(prefix),
        "detail": f"r/{subreddit}" if subreddit else None,
    }


def _events(record: dict[str, Any]) -> Iterable[Mapping[str, Any]]:
    if "body" in record or "link_id" in record:
        base = _base(record, "t1_")
        thread = _text(record.get("link_id"))
        if thread is None:
            raise RecordError("missing_value", "link_id", "the comment names no post")
        yield {
            **base,
            "action": "comment",
            "object_id": thread,
            "parent_id": _parent(record, thread),
            "text": _text(record.get("body")),
        }
        return
    base = _base(record, "t3_")
    parts = [_text(record.get("title")), _text(record.get("selftext"))]
    origin = _text(record.get("crosspost_parent"))
    address = _text(record.get("url"))
    own = record.get("is_self") is True or (address or "").startswith("/r/")
    yield {
        **base,
        "action": "repost" if origin else "post",
        "object_id": origin or base["event_id"],
        "text": "\n".join(part for part in parts if part),
        "urls": [address] if address and not own and not origin else None,
    }


def _parent(record: Mapping[str, Any], thread: str) -> str:
    """The comment or post that is answered; a bare number, as in some dumps, does not say which of them."""
    parent = record.get("parent_id")
    text = _text(parent)
    if text is None or isinstance(parent, Digits):
        return thread
    return text if text.startswith(("t1_", "t3_")) else f"t1_{text}"


def _recognised(record: dict[str, Any]) -> bool:
    return (
        "author" in record and "created_utc" in record and ("subreddit" in record or "subreddit_id" in record)
    )


REDDIT = RecordFormat(
    name="reddit",
    title="Reddit dumps",
    recognises=_recognised,
    events=_events,
    time_rule=TimeRule(epoch_units=("s",)),
)
