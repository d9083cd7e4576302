"""Bluesky Jetstream, versions 1 and 2."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Final

from graphscan.events.formats.layout import RecordError, RecordFormat
from graphscan.events.times import TimeRule

_POST: Final = "app.bsky.feed.post"
_PROFILE: Final = "app.bsky.actor.profile"
_SUBJECTS: Final = {
    "app.bsky.feed.repost": "repost",
    "app.bsky.feed.like": "like",
    "app.bsky.graph.follow": "follow",
}
_V2_COMMIT: Final = "#commit"
_V2_IDENTITY: Final = "#identity"


def _subject(record: Mapping[str, Any]) -> str | None:
    """What a repost, like or follow points at: an address with its hash, or the address alone."""
    subject = record.get("subject")
    if isinstance(subject, dict):
        subject = subject.get("uri")
    return subject if isinstance(subject, str) and subject else None


def _features(record: Mapping[str, Any], name: str) -> list[str]:
    """Links (``uri``) or tags (``tag``) marked in a text."""
    facets = record.get("facets")
    found: dict[str, None] = {}
    for facet in facets if isinstance(facets, list) else ():
        features = facet.get("features") if isinstance(facet, dict) else None
        for feature in features if isinstance(features, list) else ():
            value = feature.get(name) if isinstance(feature, dict) else None
            if isinstance(value, str) and value:
                found[value] = None
    return list(found)


def _links(record: Mapping[str, Any]) -> list[str]:
    links = _features(record, "uri")
    embed = record.get("embed")
    external = embed.get("external") if isinstance(embed, dict) else None
    address = external.get("uri") if isinstance(external, dict) else None
    if isinstance(address, str) and address and address not in links:
        links.append(address)
    return links


def _post(record: Mapping[str, Any], uri: str) -> dict[str, Any]:
    reply = record.get("reply")
    parent = reply.get("parent") if isinstance(reply, dict) else None
    answered = parent.get("uri") if isinstance(parent, dict) else None
    languages = record.get("langs")
    tags = record.get("tags")
    more_tags = [t for t in tags if isinstance(t, str)] if isinstance(tags, list) else []
    return {
        "action": "comment" if answered else "post",
        "object_id": answered or uri,
        "parent_id": answered,
        "text": record.get("text") if isinstance(record.get("text"), str) else None,
        "urls": _links(record),
        "hashtags": list(dict.fromkeys([*_features(record, "tag"), *more_tags])),
        "lang": languages[0]
        if isinstance(languages, list) and languages and isinstance(languages[0], str)
        else None,
    }


def _commit(did: str, time: str, commit: Mapping[str, Any]) -> Mapping[str, Any]:
    """One change of a repository. ``record.createdAt`` is what the client claims, so it is never the time."""
    operation, collection, key = (str(commit.get(name) or "") for name in ("operation", "collection", "rkey"))
    if not operation or not collection or not key:
        raise RecordError("no_content", "commit", "operation, collection or rkey is missing")
    uri = f"at://{did}/{collection}/{key}"
    base = {"account_id": did, "timestamp": time, "event_id": uri, "detail": collection}
    if operation != "create":
        # The same address is written and deleted again: the revision tells the acts apart.
        base |= {
            "event_id": f"{uri}#{operation}:{commit.get('rev') or time}",
            "detail": f"{operation} {collection}",
        }
    record = commit.get("record")
    if operation == "delete":
        return {**base, "action": "other", "object_id": uri}
    if not isinstance(record, dict):
        raise RecordError("no_content", "commit.record", "the record itself is missing")
    if collection == _PROFILE:
        return {**base, "action": "profile", "object_id": did}
    if collection == _POST and operation == "create":
        return {**base, **_post(record, uri)}
    if collection in _SUBJECTS and operation == "create":
        subject = _subject(record)
        if subject is None:
            raise RecordError("missing_value", "commit.record.subject", "it points at nothing")
        return {**base, "action": _SUBJECTS[collection], "object_id": subject}
    return {**base, "action": "other", "object_id": uri}


def _handle_change(did: str, time: str, key: Any) -> Mapping[str, Any]:
    return {
        "account_id": did,
        "action": "profile",
        "object_id": did,
        "timestamp": time,
        "event_id": f"at://{did}#identity:{key}",
        "detail": "identity",
    }


def _account(record: Mapping[str, Any]) -> str:
    did = record.get("did")
    if not isinstance(did, str) or not did:
        raise RecordError("no_account_id", "did", "no did")
    return did


def _v1(record: dict[str, Any]) -> Mapping[str, Any]:
    did = _account(record)
    time = str(record.get("time_us") or "")
    if not time:
        raise RecordError("no_time", "time_us", "the server's time is missing")
    kind = record.get("kind")
    commit = record.get("commit")
    if kind == "commit" and isinstance(commit, dict):
        return _commit(did, time, commit)
    if kind == "identity":
        return _handle_change(did, time, time)
    raise RecordError("not_an_event", "kind", f"{kind} is no act of the account")


def _v2(record: dict[str, Any]) -> Mapping[str, Any]:
    payload = record.get("payload")
    kind = str(payload.get("$type", "")) if isinstance(payload, dict) else str(record.get("$type", ""))
    if not isinstance(payload, dict) or not kind.endswith((_V2_COMMIT, _V2_IDENTITY)):
        raise RecordError("not_an_event", "payload.$type", f"{kind or 'this frame'} is no act of an account")
    did = _account(payload)
    time = payload.get("time")
    if not isinstance(time, str) or not time:
        # ``cursor`` and ``seq`` are places in the stream, and only sometimes times.
        raise RecordError("no_time", "payload.time", "the server's time is missing")
    if kind.endswith(_V2_COMMIT):
        return _commit(did, time, payload)
    return _handle_change(did, time, payload.get("seq") or time)


def _events(record: dict[str, Any]) -> Iterable[Mapping[str, Any]]:
    yield _v1(record) if "kind" in record else _v2(record)


def _recognised(record: dict[str, Any]) -> bool:
    if "did" in record and "time_us" in record and "kind" in record:
        return True
    payload = record.get("payload")
    return "$type" in record and isinstance(payload, dict) and "#" in str(payload.get("$type", ""))


JETSTREAM = RecordFormat(
    name="jetstream",
    title="Bluesky Jetstream",
    recognises=_recognised,
    events=_events,
    time_rule=TimeRule(epoch_units=("us",)),
)
