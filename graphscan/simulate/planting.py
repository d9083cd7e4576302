"""Campaigns planted into a background that stays as it is."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any, Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from graphscan.entropy import generator
from graphscan.events.model import EVENT_SCHEMA
from graphscan.simulate.acts import ROLES, Acts
from graphscan.simulate.background import Background, Int64
from graphscan.simulate.campaigns import Spec
from graphscan.simulate.groups import Group, group_of
from graphscan.simulate.identifiers import lookalike_ids
from graphscan.simulate.world import (
    ACCOUNT_SCHEMA,
    LABEL_SCHEMA,
    PLANTED_SCHEMA,
    TRUTH_SCHEMA,
    Progress,
    World,
    world_of,
)

_TEXT_ACTIONS: Final = ("post", "comment", "message", "chat_message")
_SENTENCE_END: Final = re.compile(r"(?<=[.!?。！？])\s+|\n+")


def plant(
    background: pa.Table | Background,
    specs: Sequence[Spec],
    seed: int,
    *,
    on_progress: Progress | None = None,
) -> World:
    """Plant campaigns into a background.

    Parameters
    ----------
    background
        Events in the native layout (``timestamp_us``, or ``timestamp``), or a prepared
        :class:`~graphscan.simulate.background.Background`, which saves time over many seeds.
    specs
        What to plant, see :mod:`graphscan.simulate.campaigns`. Each has its own stream of randomness, so a
        campaign stays the same when others are added after it.
    seed
        Seed of the world.
    on_progress
        Called after each campaign.

    Returns
    -------
    World
        The background's events, unchanged, with the planted ones among them. New accounts have ids in the
        shape of the background's own; thread, language and detail of an event are those of the background
        event before it on the same object.

    Raises
    ------
    GraphscanError
        Exit 2 for a specification that contradicts itself; exit 3 if the background lacks what it needs.
    """
    ready = background if isinstance(background, Background) else Background(background)
    groups = []
    for number, spec in enumerate(specs):
        groups.append(group_of(spec, ready, generator(seed, "plant", number, type(spec).__name__)))
        if on_progress is not None:
            on_progress("campaigns", number + 1, len(specs))
    found = planted_tables(ready, groups, seed)
    framed = {
        ready.account_ids[group.framed_account].as_py(): f"c{number:03d}"
        for number, group in enumerate(groups)
        if group.framed_account >= 0
    }
    others = [
        {"account_id": name, "archetype": "background", "coordinated": False, "framed_by": framed.get(name)}
        for name in ready.account_ids.to_pylist()
    ]
    return world_of(
        pa.concat_tables([ready.events, found.events]),
        _accounts_table(ready, found, generator(seed, "plant", "accounts")),
        pa.Table.from_pylist(found.labels, schema=LABEL_SCHEMA),
        pa.Table.from_pylist(found.truth + others, schema=TRUTH_SCHEMA),
        found.planted,
    )


@dataclass(frozen=True)
class Planted:
    """What planting adds: events, the planted table, and rows of labels and truth of every member."""

    events: pa.Table
    planted: pa.Table
    labels: list[dict[str, Any]]
    truth: list[dict[str, Any]]


def planted_tables(
    background: Background,
    groups: Sequence[Group],
    seed: int,
    recruits: Sequence[list[str] | None] | None = None,
) -> Planted:
    """The events of groups, with ids, threads and texts.

    Parameters
    ----------
    background
        Where they are planted.
    groups
        Campaigns with their acts; the i-th has the id ``c`` and i in three digits.
    seed
        Seed of the world.
    recruits
        For each group the ids of its members, where they are accounts of the background; None makes new
        accounts.
    """
    given = list(recruits) if recruits is not None else [None] * len(groups)
    n_new = [
        0 if known is not None else len(group.archetypes) for group, known in zip(groups, given, strict=True)
    ]
    n_events = sum(len(acts) for group in groups for acts in group.acts)
    rng = generator(seed, "plant", "ids")
    ids = lookalike_ids(background.account_ids, background.account_ids, sum(n_new), rng)
    known_events = background.events.column("event_id").combine_chunks()
    event_ids = lookalike_ids(known_events, known_events, n_events, rng)
    voices = _Voices(background)
    events, planted = [EVENT_SCHEMA.empty_table()], [PLANTED_SCHEMA.empty_table()]
    truth: list[dict[str, Any]] = []
    labels: list[dict[str, Any]] = []
    first_id, first_event = 0, 0
    for number, (group, known, new) in enumerate(zip(groups, given, n_new, strict=True)):
        members = known if known is not None else ids[first_id : first_id + new]
        first_id += new
        campaign_id = f"c{number:03d}"
        rng = generator(seed, "plant", number, "events")
        payloads = _Payloads(group, voices, rng)
        for acts in group.acts:
            names = event_ids[first_event : first_event + len(acts)]
            first_event += len(acts)
            table = _event_table(acts, members, names, background, voices, payloads, rng)
            events.append(table)
            planted.append(_planted_table(acts, table, campaign_id))
        truth.extend(_truth_rows(group, members, campaign_id))
        labels.extend(
            {"account_id": name, "label": label, "campaign_id": campaign_id}
            for name, label in zip(members, group.labels, strict=True)
        )
    return Planted(pa.concat_tables(events), pa.concat_tables(planted), labels, truth)


def _event_table(
    acts: Acts,
    members: list[str],
    names: list[str],
    background: Background,
    voices: _Voices,
    payloads: _Payloads,
    rng: np.random.Generator,
) -> pa.Table:
    n = len(acts)
    event_id = pa.array(names, pa.string())
    object_id = acts.object_id
    if object_id.null_count:
        object_id = pc.coalesce(object_id, event_id)
    host = pa.array(np.where(acts.host_row >= 0, acts.host_row, 0), mask=acts.host_row < 0)
    columns: dict[str, Any] = {
        "account_id": pa.array(members, pa.string()).take(pa.array(acts.member)),
        "action": pa.array([acts.action] * n, pa.string()),
        "object_id": object_id,
        "timestamp_us": pa.array(background.on_clock(acts.time_us), pa.int64()),
        "event_id": event_id,
        "parent_id": background.events.column("parent_id").take(host).combine_chunks(),
        "lang": background.events.column("lang").take(host).combine_chunks(),
        "client": voices.clients(acts, rng),
        "detail": voices.details(acts, rng),
        "text": payloads.texts(acts, rng),
        "urls": payloads.urls(acts),
        "hashtags": payloads.hashtags(acts),
    }
    return pa.table(
        [columns.get(field.name, pa.nulls(n, field.type)) for field in EVENT_SCHEMA], schema=EVENT_SCHEMA
    )


def _planted_table(acts: Acts, table: pa.Table, campaign_id: str) -> pa.Table:
    def or_null(values: Int64) -> pa.Array:
        return pa.array(values, pa.int64(), mask=values < 0)

    return pa.table(
        [
            table.column("event_id"),
            table.column("account_id"),
            pa.array([campaign_id] * len(acts), pa.string()),
            pa.array([ROLES[role] for role in acts.role.tolist()], pa.string()),
            or_null(acts.campaign_object),
            or_null(acts.order_us),
            table.column("timestamp_us"),
        ],
        schema=PLANTED_SCHEMA,
    )


def _truth_rows(group: Group, members: list[str], campaign_id: str) -> list[dict[str, Any]]:
    spec = asdict(group.spec)
    in_campaign = np.zeros(len(members), dtype=np.int64)
    in_camouflage = np.zeros(len(members), dtype=np.int64)
    for acts in group.acts:
        is_campaign = acts.role == 0
        in_campaign += np.bincount(acts.member[is_campaign], minlength=len(members))
        in_camouflage += np.bincount(acts.member[~is_campaign], minlength=len(members))
    return [
        {
            "account_id": name,
            "archetype": archetype,
            "campaign_id": campaign_id,
            "action": spec.get("action", group.acts[0].action),
            "n_accounts": spec.get("n_accounts", 1),
            "n_shared": spec.get("n_shared"),
            "n_objects": spec.get("n_objects"),
            "jitter_s": spec.get("jitter_s"),
            "jitter_kind": spec.get("jitter_kind"),
            "camouflage_0_1": spec.get("camouflage_0_1"),
            "coordinated": coordinated,
            "framed_by": campaign_id if number == group.framed_member else None,
            "n_campaign_events": campaign,
            "n_camouflage_events": camouflage,
        }
        for number, (name, archetype, coordinated, campaign, camouflage) in enumerate(
            zip(
                members,
                group.archetypes,
                group.coordinated,
                in_campaign.tolist(),
                in_camouflage.tolist(),
                strict=True,
            )
        )
    ]


def _accounts_table(background: Background, found: Planted, rng: np.random.Generator) -> pa.Table:
    """One row an account. Nothing is known of a background account but its id, so nothing is invented for
    it but a creation time before its first act, drawn the same way for all."""
    order = np.argsort(background.account, kind="stable")
    starts = np.searchsorted(background.account[order], np.arange(len(background.account_ids)))
    own = background.times_us[order[starts]]
    new = found.events.group_by("account_id", use_threads=False).aggregate([("timestamp_us", "min")])
    silent = sorted({row["account_id"] for row in found.truth} - set(new.column("account_id").to_pylist()))
    names = background.account_ids.to_pylist() + new.column("account_id").to_pylist() + silent
    first = np.concatenate(
        [
            own,
            new.column("timestamp_us_min").to_numpy(),
            np.full(len(silent), background.first_us, dtype=np.int64),
        ]
    )
    created = first - (rng.lognormal(np.log(60 * 86_400.0), 1.5, len(first)) * 1e6).astype(np.int64)
    n = len(names)
    columns = {
        "account_id": pa.array(names, pa.string()),
        "created_at": pa.array(created // 1_000_000 * 1_000_000, pa.timestamp("us", tz="UTC")),
    }
    return pa.table([columns.get(f.name, pa.nulls(n, f.type)) for f in ACCOUNT_SCHEMA], schema=ACCOUNT_SCHEMA)


class _Voices:
    """How the background writes: its sentences, clients and details, action by action."""

    def __init__(self, background: Background) -> None:
        self._background = background
        self._sentences: dict[str, list[str]] = {}
        self._rows: dict[str, Int64] = {}

    def rows(self, action: str) -> Int64:
        if action not in self._rows:
            self._rows[action] = self._background.rows_of(action)
        return self._rows[action]

    def sentences(self, action: str) -> list[str]:
        """Sentences that accounts of the background wrote with this action; none where it shows no texts."""
        if action not in self._sentences:
            rows = self.rows(action)
            rows = rows[np.linspace(0, len(rows) - 1, min(len(rows), 6_000)).astype(np.int64)]
            texts = self._background.events.column("text").take(pa.array(rows)).to_pylist()
            written = [text for text in texts if text]
            pool = [
                sentence.strip()
                for text in written
                for sentence in _SENTENCE_END.split(text)
                if 3 <= len(sentence.strip()) <= 240
            ]
            self._sentences[action] = pool if len(written) > len(texts) / 10 else []
        return self._sentences[action]

    def clients(self, acts: Acts, rng: np.random.Generator) -> pa.Array:
        """Each member's own client: that of a random background event of the same action."""
        rows = self.rows(acts.action)
        if not len(rows):
            return pa.nulls(len(acts), pa.string())
        own = rows[rng.integers(len(rows), size=int(acts.member.max(initial=0)) + 1)]
        column = self._background.events.column("client").take(pa.array(own[acts.member]))
        return column.combine_chunks()

    def details(self, acts: Acts, rng: np.random.Generator) -> pa.Array:
        """Details of random background events of the same action."""
        rows = self.rows(acts.action)
        if not len(rows):
            return pa.nulls(len(acts), pa.string())
        pick = rows[rng.integers(len(rows), size=len(acts))]
        return self._background.events.column("detail").take(pa.array(pick)).combine_chunks()


class _Payloads:
    """Texts, links and tags of one group's events."""

    def __init__(self, group: Group, voices: _Voices, rng: np.random.Generator) -> None:
        self._group = group
        self._voices = voices
        self._words: list[str] = []
        n_objects = int(getattr(group.spec, "n_objects", 0)) + 1
        self._urls = [
            f"https://{_word(rng)}.example/{_word(rng)}/{rng.integers(10**6)}" for _ in range(n_objects)
        ]
        self._tags = [[_word(rng), _word(rng)] for _ in range(n_objects)]
        self._templates: dict[int, list[str]] = {}

    def texts(self, acts: Acts, rng: np.random.Generator) -> pa.Array:
        n = len(acts)
        pool = self._voices.sentences(acts.action)
        planted_kind = self._group.text in ("near_duplicate", "identical")
        if acts.action not in _TEXT_ACTIONS or self._group.text == "none" or not (pool or planted_kind):
            return pa.nulls(n, pa.string())
        if not pool:
            pool = [" ".join(_word(rng) for _ in range(int(rng.integers(6, 16)))) + "." for _ in range(500)]
        lengths = rng.geometric(0.45, n)
        picks = rng.integers(len(pool), size=int(lengths.sum()))
        stops = np.cumsum(lengths)
        out = [
            " ".join(pool[i] for i in picks[stop - length : stop])
            for stop, length in zip(stops.tolist(), lengths.tolist(), strict=True)
        ]
        if planted_kind:
            for row in np.flatnonzero(acts.payload >= 0).tolist():
                out[row] = self._variant(int(acts.payload[row]), pool, rng)
        return pa.array(out, pa.string())

    def _variant(self, number: int, pool: list[str], rng: np.random.Generator) -> str:
        if number not in self._templates:
            words: list[str] = []
            while len(words) < 14:
                words.extend(pool[int(rng.integers(len(pool)))].split())
            self._templates[number] = words[:40]
        words = list(self._templates[number])
        if self._group.text == "near_duplicate":
            for place in rng.integers(len(words), size=max(1, len(words) // 20)).tolist():
                other = pool[int(rng.integers(len(pool)))].split()
                words[place] = other[int(rng.integers(len(other)))] if other else words[place]
        return " ".join(words)

    def urls(self, acts: Acts) -> pa.Array:
        chosen = [[self._urls[p]] if self._group.with_url and p >= 0 else None for p in acts.payload.tolist()]
        return pa.array(chosen, pa.list_(pa.string()))

    def hashtags(self, acts: Acts) -> pa.Array:
        chosen = [
            self._tags[p] if self._group.with_hashtags and p >= 0 else None for p in acts.payload.tolist()
        ]
        return pa.array(chosen, pa.list_(pa.string()))


def _word(rng: np.random.Generator) -> str:
    syllables = ("ka", "lo", "mi", "ren", "sa", "tu", "vor", "el", "in", "ost", "ba", "dri")
    return "".join(syllables[i] for i in rng.integers(len(syllables), size=int(rng.integers(2, 5))))
