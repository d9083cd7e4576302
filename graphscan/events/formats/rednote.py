"""RedNote (Xiaohongshu) posts and comments, captured by Zeeschuimer as NDJSON.

Every line is an envelope around ``data``, which has one of three shapes for posts: the API's ``note_card``,
the ``note`` embedded in a page, or what was read off the HTML. The envelope's times say when a browser saw
the record, not when it was written, so they are never used.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Any, Final

from graphscan.events.formats.layout import RecordError, RecordFormat
from graphscan.events.times import TimeRule

POSTS_PLATFORM: Final = "xiaohongshu.com"
COMMENTS_PLATFORM: Final = "xiaohongshu-comments"
_PROFILE: Final = re.compile(r"/user/profile/([0-9A-Za-z]+)")
# A tag ends at white space, at the next tag, or at the [话题] that the app puts behind it.
_TAG: Final = re.compile(r"#([^\s#\[\]]+)")
# Both kinds of record count milliseconds; seconds here would be a record of another kind.
_MILLISECONDS: Final = TimeRule(epoch_units=("ms",))


def _platform(record: Mapping[str, Any]) -> str:
    envelope = isinstance(record.get("data"), dict) and "nav_index" in record
    return str(record.get("source_platform", "")) if envelope else ""


def _first(fields: Mapping[str, Any], *names: str) -> Any:
    for name in names:
        if fields.get(name) not in (None, ""):
            return fields[name]
    return None


def _text_of(value: Any) -> str | None:
    return value if isinstance(value, str) and value else None


def _account(user: Any, *urls: Any) -> str | None:
    """The account's id; never the nickname, which is neither unique nor lasting."""
    if isinstance(user, dict):
        found = _text_of(_first(user, "user_id", "userId", "userid"))
        if found:
            return found
        urls = (*urls, _first(user, "profile_url", "url", "link"))
    for url in urls:
        profile = _PROFILE.search(url) if isinstance(url, str) else None
        if profile:
            return profile.group(1)
    return None


def _note_events(record: dict[str, Any]) -> Iterable[Mapping[str, Any]]:
    data = record["data"]
    note_id = _text_of(_first(data, "id", "note_id"))
    if data.get("_zs-origin") == "html":
        raise RecordError(
            "no_time", "data", "read off the page: neither time nor author id; open the note itself"
        )
    card = next((data[name] for name in ("note_card", "note") if isinstance(data.get(name), dict)), None)
    if card is None and isinstance(data.get("user"), dict):
        card = data
    if card is None or note_id is None:
        raise RecordError("no_content", "data", "a stub: neither note_card, note nor user")
    account = _account(card.get("user"), data.get("author_url"))
    if account is None:
        raise RecordError("no_account_id", "data.user", "no user id and no profile address")
    time = _first(card, "time")
    if time is None:
        raise RecordError("no_time", "data.time", "an overview capture without time; open the note itself")
    description = _text_of(card.get("desc"))
    title = _text_of(_first(card, "display_title", "title"))
    yield {
        "account_id": account,
        "action": "post",
        "object_id": note_id,
        "timestamp": str(time),
        "event_id": note_id,
        "text": "\n".join(part for part in (title, description) if part),
        "hashtags": list(dict.fromkeys(_TAG.findall(description or ""))),
        "detail": _text_of(_first(card, "type")),
    }


def _comment_events(record: dict[str, Any]) -> Iterable[Mapping[str, Any] | RecordError]:
    data = record["data"]
    yield _comment(data, data, None)
    answers = data.get("sub_comments")
    for answer in answers if isinstance(answers, list) else ():
        if isinstance(answer, dict):
            yield _comment(answer, data, _text_of(data.get("id")))


def _comment(
    comment: Mapping[str, Any], outer: Mapping[str, Any], parent: str | None
) -> Mapping[str, Any] | RecordError:
    """One comment or one answer to a comment. ``ip_location`` is personal data and stays out."""
    comment_id = _text_of(comment.get("id"))
    note_id = _text_of(_first(comment, "note_id")) or _text_of(outer.get("note_id"))
    account = _account(comment.get("user_info"))
    if comment_id is None or note_id is None:
        return RecordError("no_content", "data", "the comment has no id or names no note")
    if account is None:
        return RecordError("no_account_id", "data.user_info", "no user id and no profile address")
    if _first(comment, "create_time") is None:
        return RecordError("no_time", "data.create_time", "the comment has no time")
    target = comment.get("target_comment")
    answered = _text_of(target.get("id")) if isinstance(target, dict) else None
    return {
        "account_id": account,
        "action": "comment",
        "object_id": note_id,
        "timestamp": str(comment["create_time"]),
        "event_id": comment_id,
        "parent_id": answered or parent or note_id,
        "text": _text_of(comment.get("content")),
    }


REDNOTE = RecordFormat(
    name="rednote",
    title="Zeeschuimer RedNote posts",
    recognises=lambda record: _platform(record) in (POSTS_PLATFORM, "xiaohongshu"),
    events=_note_events,
    time_rule=_MILLISECONDS,
)
REDNOTE_COMMENTS = RecordFormat(
    name="rednote-comments",
    title="Zeeschuimer RedNote comments",
    recognises=lambda record: _platform(record) == COMMENTS_PLATFORM,
    events=_comment_events,
    time_rule=_MILLISECONDS,
)
