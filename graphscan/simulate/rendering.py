"""From drafts to the table of events: ids, texts, links, tags, clients."""

from __future__ import annotations

from typing import Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from graphscan.entropy import generator
from graphscan.events.model import ACTIONS, EVENT_SCHEMA
from graphscan.simulate import texts
from graphscan.simulate.drafts import (
    ACCOUNT_KEY,
    CODE,
    DETAILS,
    DEVICES,
    EVENT_KEY,
    NO_KEY,
    Int64,
    Ledger,
    hex_ids,
)
from graphscan.simulate.population import ARCHETYPE, Population
from graphscan.simulate.rhythm import DAY_US
from graphscan.simulate.vocabulary import LANGUAGES

_LINK_SHARE: Final = 0.14
_TAG_SHARE: Final = 0.22
_MEDIA_SHARE: Final = 0.18


def events_table(ledger: Ledger, pop: Population, end_us: int, seed: int) -> pa.Table:
    """All events of a ledger before ``end_us``, in ``EVENT_SCHEMA``, by time."""
    # Whole milliseconds, as platforms store them.
    time_us = ledger.column("time_us") // 1_000 * 1_000
    rows = np.argsort(time_us, kind="stable")
    rows = rows[: np.searchsorted(time_us[rows], end_us)]
    time_us = time_us[rows]
    account = ledger.column("account")[rows]
    action = ledger.column("action")[rows]
    event_key = EVENT_KEY + rows
    object_key = ledger.column("object_key")[rows]
    object_key = np.where(object_key == NO_KEY, event_key, object_key)
    parent_key = ledger.column("parent_key")[rows]
    kind = ledger.column("text_kind")[rows]
    names = hex_ids(ACCOUNT_KEY + np.arange(len(pop)), seed)
    event_id = hex_ids(event_key, seed)
    is_post = action == CODE["post"]
    rng = generator(seed, "extras")
    columns = {
        "account_id": names.take(pa.array(account)),
        "action": pa.array(ACTIONS, pa.string()).take(pa.array(action)),
        "object_id": hex_ids(object_key, seed),
        "timestamp_us": pa.array(time_us),
        "event_id": event_id,
        "parent_id": hex_ids(parent_key, seed),
        "text": texts.texts_of(kind, pop.language[account], account, pop.community[account], seed),
        "urls": _links(is_post, pop.community[account], time_us, rng),
        "hashtags": _tags(is_post, pop.community[account], pop.language[account], rng),
        "media_hash": _media(is_post, pop.community[account], time_us, seed, rng),
        "client": _clients(pop, account, ledger.column("tool")[rows], rng),
        "lang": pa.array([one.code for one in LANGUAGES], pa.string()).take(
            pa.array(pop.language[account], mask=kind == texts.NONE)
        ),
        "detail": pa.array(DETAILS, pa.string()).take(pa.array(ledger.column("detail")[rows])),
        "ai_declared": _declared(pop, account, kind, rng),
        "ai_score": _scores(pop, account, kind, rng),
    }
    return pa.table([columns[field.name] for field in EVENT_SCHEMA], schema=EVENT_SCHEMA)


def _scattered(values: pa.Array, rows: Int64, n: int) -> pa.Array:
    """Values at the given rows, null elsewhere."""
    place = np.zeros(n, dtype=np.int64)
    place[rows] = np.arange(len(rows))
    missing = np.ones(n, dtype=bool)
    missing[rows] = False
    if not len(rows):
        return pa.nulls(n, pa.string())
    return values.take(pa.array(place, mask=missing))


def _lists(values: pa.Array, rows: Int64, counts: Int64, n: int) -> pa.Array:
    """Lists at the given rows, null elsewhere; ``values`` holds them one after another."""
    length = np.zeros(n, dtype=np.int64)
    length[rows] = counts
    offsets = np.concatenate([[0], np.cumsum(length)])
    missing = np.ones(n, dtype=bool)
    missing[rows] = False
    return pa.ListArray.from_arrays(pa.array(offsets, pa.int32()), values, mask=pa.array(missing))


def _links(
    is_post: np.ndarray[tuple[int], np.dtype[np.bool_]],
    community: Int64,
    time_us: Int64,
    rng: np.random.Generator,
) -> pa.Array:
    """Links of posts: stories that live some days, known to a community or to all, few of them to many."""
    posts = np.flatnonzero(is_post)
    rows = posts[rng.random(len(posts)) < _LINK_SHARE]
    day = time_us[rows] // DAY_US - np.minimum(rng.exponential(0.8, len(rows)), 6).astype(np.int64)
    place = np.where(rng.random(len(rows)) < 0.25, 999_983, community[rows])
    story = day * 1_000_003 + place * 131 + (rng.pareto(0.8, len(rows)) * 2).clip(0, 3_000).astype(np.int64)
    site = pa.array((story * 7 + place) % 97).cast(pa.string())
    link = pc.binary_join_element_wise(
        "https://news", site, ".example/", pa.array(day).cast(pa.string()), "/", hex_ids(story, 1), ""
    )
    return _lists(link, rows, np.ones(len(rows), dtype=np.int64), len(is_post))


def _tags(
    is_post: np.ndarray[tuple[int], np.dtype[np.bool_]],
    community: Int64,
    language: Int64,
    rng: np.random.Generator,
) -> pa.Array:
    posts = np.flatnonzero(is_post)
    rows = posts[rng.random(len(posts)) < _TAG_SHARE]
    counts = 1 + rng.binomial(3, 0.4, len(rows))
    owner = np.repeat(rows, counts)
    rank = np.minimum(rng.pareto(1.0, len(owner)) * 1.5, 60).astype(np.int64)
    pools = [np.array(one.words["n"]) for one in LANGUAGES]
    tags = np.empty(len(owner), dtype=object)
    for which, pool in enumerate(pools):
        mine = np.flatnonzero(language[owner] == which)
        tags[mine] = pool[(community[owner[mine]] * 13 + rank[mine]) % len(pool)]
    return _lists(pa.array(tags, pa.string()), rows, counts, len(is_post))


def _media(
    is_post: np.ndarray[tuple[int], np.dtype[np.bool_]],
    community: Int64,
    time_us: Int64,
    seed: int,
    rng: np.random.Generator,
) -> pa.Array:
    """Perceptual hashes: most pictures are new, some are a community's well-known ones."""
    posts = np.flatnonzero(is_post)
    rows = posts[rng.random(len(posts)) < _MEDIA_SHARE]
    known = rng.random(len(rows)) < 0.06
    old = (
        (5 << 56) + community[rows] * 1_000 + np.minimum(rng.pareto(1.0, len(rows)) * 5, 900).astype(np.int64)
    )
    keys = np.where(known, old, (4 << 56) + rows)
    return _scattered(hex_ids(keys, seed), rows, len(is_post))


def _clients(pop: Population, account: Int64, tool: Int64, rng: np.random.Generator) -> pa.Array:
    """Each account's usual client, sometimes another one, and ``scheduler`` where a tool sent the event."""
    other = rng.random(len(account)) < 0.08
    place = np.where(other, (pop.device[account] + 2) % len(DEVICES), pop.device[account])
    place = np.where(tool == 1, len(DEVICES), place)
    return pa.array([*DEVICES, "scheduler"], pa.string()).take(pa.array(place))


def _declared(pop: Population, account: Int64, kind: Int64, rng: np.random.Generator) -> pa.Array:
    """Two in five assisted people declare it, and some managed accounts do too."""
    who = pop.archetype[account]
    honest = (who == ARCHETYPE["human_ai_assisted"]) & (account % 5 < 2)
    posing = (who >= ARCHETYPE["heartbeat"]) & (account % 9 == 0)
    says = (kind == texts.POLISHED) & (honest | posing) & (rng.random(len(account)) < 0.85)
    return pa.array(np.ones(len(account), dtype=bool), mask=~says)


def _scores(pop: Population, account: Int64, kind: Int64, rng: np.random.Generator) -> pa.Array:
    """What an outside detector says of longer texts: often wrong, more often so for learners."""
    n = len(account)
    scored = (kind >= texts.NORMAL) & (rng.random(n) < 0.25)
    learner = (account % 7 == 0) & (kind != texts.POLISHED)
    low, high = rng.beta(1.6, 4.5, n), rng.beta(3.6, 2.2, n)
    score = np.where(kind == texts.POLISHED, high, np.where(learner, (low + high) / 2, low))
    return pa.array(np.round(score, 3), mask=~scored)
