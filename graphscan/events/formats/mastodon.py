"""Mastodon statuses, one a line or in one JSON array."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from html.parser import HTMLParser
from typing import Any, Final
from urllib.parse import urlsplit

from graphscan.events.formats.layout import RecordError, RecordFormat

_BREAKS: Final = frozenset({"br", "p", "div", "li", "blockquote"})


class _Content(HTMLParser):
    """The words of a status, and the links in it that are neither mention nor hashtag."""

    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.words: list[str] = []
        self.links: dict[str, None] = {}

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag in _BREAKS and self.words:
            self.words.append("\n")
        if tag == "a":
            values = dict(attrs)
            classes = (values.get("class") or "").split()
            address = values.get("href")
            if address and "mention" not in classes and "hashtag" not in classes:
                self.links[address] = None

    def handle_data(self, data: str) -> None:
        self.words.append(data)


def _content(html: Any) -> tuple[str | None, list[str]]:
    if not isinstance(html, str) or not html:
        return None, []
    parser = _Content()
    parser.feed(html)
    parser.close()
    lines = "".join(parser.words).split("\n")
    return "\n".join(line for line in lines if line.strip()), list(parser.links)


def _address(account: Any) -> str | None:
    """``name@server``: ``acct`` lacks the server for accounts of the server that was asked."""
    if not isinstance(account, dict):
        return None
    acct = account.get("acct")
    if not isinstance(acct, str) or not acct:
        return None
    if "@" in acct:
        return acct
    for name in ("url", "uri"):
        host = urlsplit(str(account.get(name) or "")).hostname
        if host:
            return f"{acct}@{host}"
    return None


def _names(items: Any) -> list[str]:
    found = [item.get("name") for item in items if isinstance(item, dict)] if isinstance(items, list) else []
    return list(dict.fromkeys(name for name in found if isinstance(name, str) and name))


def _events(record: dict[str, Any]) -> Iterable[Mapping[str, Any]]:
    uri = record.get("uri")
    if not isinstance(uri, str) or not uri:
        raise RecordError("no_content", "uri", "the status has no uri; its id counts on one server only")
    account = _address(record.get("account"))
    if account is None:
        raise RecordError("no_account_id", "account", "neither acct nor the account's server is known")
    if not record.get("created_at"):
        raise RecordError("no_time", "created_at", "the status has no time")
    application = record.get("application")
    base = {
        "account_id": account,
        "timestamp": str(record["created_at"]),
        "event_id": uri,
        "client": application.get("name") if isinstance(application, dict) else None,
        "lang": record.get("language") if isinstance(record.get("language"), str) else None,
    }
    shared = record.get("reblog")
    if isinstance(shared, dict):
        if not isinstance(shared.get("uri"), str) or not shared["uri"]:
            raise RecordError("missing_value", "reblog.uri", "what is reblogged has no uri")
        yield {**base, "action": "repost", "object_id": shared["uri"]}
        return
    text, links = _content(record.get("content"))
    base |= {"text": text, "urls": links, "hashtags": _names(record.get("tags"))}
    answered = record.get("in_reply_to_id")
    # The parent is named by its number on the server that was asked: unique there, and never taken for a uri.
    parent = f"mastodon:{answered}" if answered not in (None, "") else None
    if record.get("visibility") == "direct":
        yield {**base, "action": "message", "object_id": _recipient(record), "parent_id": parent}
        return
    yield {
        **base,
        "action": "comment" if parent else "post",
        "object_id": parent or uri,
        "parent_id": parent,
        "detail": "quote" if isinstance(record.get("quote"), dict) else None,
    }


def _recipient(record: Mapping[str, Any]) -> str:
    mentions = record.get("mentions")
    for mention in mentions if isinstance(mentions, list) else ():
        found = _address(mention)
        if found:
            return found
    raise RecordError("missing_value", "mentions", "a direct message that names nobody")


def _recognised(record: dict[str, Any]) -> bool:
    account = record.get("account")
    return isinstance(account, dict) and "acct" in account and "created_at" in record and "uri" in record


MASTODON = RecordFormat(name="mastodon", title="Mastodon statuses", recognises=_recognised, events=_events)
