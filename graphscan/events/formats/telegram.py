"""Telegram Desktop's JSON export, of one chat or of everything."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Final

from graphscan.events.formats.layout import RecordError, RecordFormat
from graphscan.events.times import TimeRule

# The other party of a private chat wrote to whoever made the export, whom the messages do not name.
OWNER: Final = "telegram:export-owner"
_PRIVATE: Final = frozenset({"personal_chat", "bot_chat"})
_JOINS: Final = frozenset({"join_group_by_link", "join_group_by_request"})
# Old exports write the sender as a number that carries its kind in the high bits.
_GROUP_BIT: Final = 1 << 32
_CHANNEL_BIT: Final = 1 << 33


def _peer(value: Any) -> str | None:
    """The sender, as ``user123``, ``channel123`` or ``chat123``."""
    if value is None or value == "":
        return None
    text = str(value)
    if not text.isascii() or not text.isdigit():
        return text
    number = int(text)
    if number >= _CHANNEL_BIT:
        return f"channel{number & (_GROUP_BIT - 1)}"
    return f"chat{number & (_GROUP_BIT - 1)}" if number >= _GROUP_BIT else f"user{number}"


def _parts(message: Mapping[str, Any]) -> list[tuple[str, str, str]]:
    """Type, text and address of each piece of a text: one string, or a list of strings and entities."""
    text = message.get("text")
    pieces = text if isinstance(text, list) else [text]
    found = []
    for piece in pieces:
        if isinstance(piece, str):
            found.append(("plain", piece, ""))
        elif isinstance(piece, dict):
            found.append((str(piece.get("type", "")), str(piece.get("text", "")), str(piece.get("href", ""))))
    return found


def _time(message: Mapping[str, Any]) -> str:
    """Seconds since the epoch; ``date`` alone is the local time of an unknown place."""
    seconds = message.get("date_unixtime")
    if seconds not in (None, ""):
        return str(seconds)
    if message.get("date"):
        raise RecordError(
            "no_time_zone",
            "date",
            "an old export: date is local time of an unknown zone; export with a newer Telegram Desktop",
        )
    raise RecordError("no_time", "date_unixtime", "the message has no time")


def _message_events(record: dict[str, Any]) -> Iterable[Mapping[str, Any]]:
    chat, message = record["chat"], record["message"]
    chat_id = str(chat.get("id", ""))
    number = str(message.get("id", ""))
    if not chat_id or not number:
        raise RecordError("no_content", "id", "the chat or the message has no id")
    service = message.get("type") == "service"
    sender = _peer(message.get("actor_id" if service else "from_id"))
    if sender is None:
        raise RecordError(
            "no_account_id", "actor_id" if service else "from_id", "the sender is not named by id"
        )
    answered = message.get("reply_to_message_id")
    event: dict[str, Any] = {
        "account_id": sender,
        "timestamp": _time(message),
        # Messages are numbered within their chat only.
        "event_id": f"telegram:{chat_id}/{number}",
        "parent_id": f"telegram:{chat_id}/{answered}" if answered not in (None, "") else None,
    }
    where = f"telegram:{chat_id}"
    if service:
        act = str(message.get("action", ""))
        event |= {"action": "chat_join" if act in _JOINS else "other", "object_id": where, "detail": act}
        yield event
        return
    private = str(chat.get("type")) in _PRIVATE
    peer = f"user{chat_id}"
    parts = _parts(message)
    event |= {
        "action": "message" if private else "chat_message",
        "object_id": (OWNER if sender == peer else peer) if private else where,
        "text": "".join(text for _, text, _ in parts),
        "urls": list(
            dict.fromkeys(href or text for kind, text, href in parts if kind in ("link", "text_link"))
        ),
        "hashtags": list(dict.fromkeys(text.lstrip("#") for kind, text, _ in parts if kind == "hashtag")),
        "client": _via(message),
        "detail": "forward" if message.get("forwarded_from") or message.get("forwarded_from_id") else None,
    }
    yield event


def _via(message: Mapping[str, Any]) -> str | None:
    bot = message.get("via_bot")
    return bot if isinstance(bot, str) and bot else None


def _recognised(record: dict[str, Any]) -> bool:
    message = record.get("message")
    return (
        isinstance(record.get("chat"), dict)
        and isinstance(message, dict)
        and message.get("type") in ("message", "service")
        and ("date" in message or "date_unixtime" in message)
    )


TELEGRAM = RecordFormat(
    name="telegram",
    title="Telegram Desktop export",
    recognises=_recognised,
    events=_message_events,
    time_rule=TimeRule(epoch_units=("s",)),
)
