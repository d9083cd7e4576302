"""What a platform knows of each account, and how accounts came to be."""

from __future__ import annotations

from typing import Any

import numpy as np
import pyarrow as pa

from graphscan.entropy import generator
from graphscan.simulate.drafts import ACCOUNT_KEY, Draft, Int64, Ledger, draft
from graphscan.simulate.population import ARCHETYPE, Population
from graphscan.simulate.rhythm import DAY_US, HOUR_US
from graphscan.simulate.texts import NORMAL, texts_of
from graphscan.simulate.vocabulary import LANGUAGES
from graphscan.simulate.world import ACCOUNT_SCHEMA

_CAMPUS_SIZE = 40


def sign_ups(pop: Population, ledger: Ledger, first_us: int, rng: np.random.Generator) -> Draft:
    """Sign-up events of the accounts that came after the world's first day, shortly before their first act.

    Students of one campus sign up together in a lecture hall, as the accounts of a farm may do.
    """
    first = np.full(len(pop), np.iinfo(np.int64).max)
    for part in ledger.parts:
        np.minimum.at(first, part.account, part.time_us)
    came = np.flatnonzero((pop.first_day * DAY_US > first_us) & (first < np.iinfo(np.int64).max))
    before = (rng.lognormal(np.log(900.0), 1.3, len(came)) * 1e6).astype(np.int64) + 30_000_000
    time_us = first[came] - before
    campus = pop.archetype[came] == ARCHETYPE["campus"]
    hall = pop.first_day[came] // 7 * 7 * DAY_US + 9 * HOUR_US
    together = hall + (rng.random(len(came)) * 25 * 60e6).astype(np.int64)
    time_us = np.where(campus, np.minimum(time_us, together), time_us)
    return draft(came, "profile", time_us, ACCOUNT_KEY + came, detail=3)


def accounts_table(
    pop: Population,
    ids: np.ndarray[Any, Any],
    events: pa.Table,
    truth: list[dict[str, Any]],
    first_us: int,
    seed: int,
) -> pa.Table:
    """One row for each account of the truth, in ``ACCOUNT_SCHEMA``.

    Parameters
    ----------
    pop, ids
        The population and its ids.
    events
        All events, for the time of each account's first.
    truth
        Truth rows of all accounts.
    first_us
        The world's first moment.
    """
    rng = generator(seed, "profiles")
    number_of = {name: number for number, name in enumerate(ids.tolist())}
    names = sorted(row["account_id"] for row in truth)
    archetype_of = {row["account_id"]: row["archetype"] for row in truth}
    campaign_of = {row["account_id"]: row.get("campaign_id") for row in truth}
    n = len(names)
    number = np.array([number_of.get(name, -1) for name in names], dtype=np.int64)
    owner = np.where(number >= 0, number, len(pop) + np.arange(n))
    language = np.where(number >= 0, pop.language[np.maximum(number, 0)], 0)
    topic = np.where(number >= 0, pop.community[np.maximum(number, 0)], 0)
    archetypes = np.array([archetype_of[name] for name in names], dtype=object)
    created = _created(names, number, archetypes, campaign_of, pop, events, first_us, rng)
    handles = _handles(owner, archetypes, [campaign_of[name] for name in names], rng)
    influence = np.where(number >= 0, np.minimum(pop.influence[np.maximum(number, 0)], 5_000.0), 1.0)
    followers = rng.poisson(np.minimum(rng.lognormal(3.6, 1.0, n) * influence, 1e7))
    outlets = np.isin(archetypes, ["syndication", "brand_matrix"])
    open_bots = outlets | (np.isin(archetypes, ["heartbeat", "reactive_bot"]) & (rng.random(n) < 0.25))
    bios = texts_of(np.full(n, NORMAL), language, owner, topic, seed)
    columns = {
        "account_id": pa.array(names, pa.string()),
        "handle": pa.array(handles, pa.string()),
        "display_name": pa.array(_display_names(owner, language), pa.string()),
        "bio": bios.take(pa.array(np.arange(n), mask=rng.random(n) < 0.35)),
        "created_at": pa.array(created // 1_000_000 * 1_000_000, pa.timestamp("us", tz="UTC")),
        "followers": pa.array(followers, pa.int64()),
        "following": pa.array(rng.poisson(rng.lognormal(4.4, 1.0, n)), pa.int64()),
        "verified": pa.array((rng.random(n) < 0.02) | (outlets & (rng.random(n) < 0.7))),
        "account_type": pa.array(np.where(outlets, "organisation", "person").tolist(), pa.string()),
        "declared_automation": pa.array(open_bots),
    }
    return pa.table([columns[field.name] for field in ACCOUNT_SCHEMA], schema=ACCOUNT_SCHEMA)


def _created(
    names: list[str],
    number: Int64,
    archetypes: np.ndarray[Any, Any],
    campaign_of: dict[str, Any],
    pop: Population,
    events: pa.Table,
    first_us: int,
    rng: np.random.Generator,
) -> Int64:
    """Creation times: at the sign-up for newcomers, else years before; every third farm in one burst."""
    seen = events.select(["account_id", "timestamp_us"]).group_by("account_id", use_threads=False)
    found = seen.aggregate([("timestamp_us", "min")])
    first_of = dict(
        zip(found.column("account_id").to_pylist(), found.column("timestamp_us_min").to_pylist(), strict=True)
    )
    first = np.array([first_of.get(name, first_us) for name in names], dtype=np.int64)
    n = len(names)
    age = (rng.lognormal(np.log(500.0), 1.0, n) * DAY_US).astype(np.int64)
    newcomer = (number >= 0) & (pop.first_day[np.maximum(number, 0)] * DAY_US > first_us)
    created = np.where(newcomer, first, np.minimum(first, first_us) - age)
    burst_of: dict[str, int] = {}
    for place in np.flatnonzero(np.isin(archetypes, ["farm", "chat_ring", "post_ring", "framing_bot"])):
        campaign = str(campaign_of[names[place]])
        if campaign.endswith(("0", "3", "6", "9")):
            start = burst_of.setdefault(campaign, int(first_us - rng.integers(20, 400) * DAY_US))
            created[place] = min(first[place], start + int(rng.random() * 2 * HOUR_US))
    return created


def _handles(
    owner: Int64, archetypes: np.ndarray[Any, Any], campaigns: list[str | None], rng: np.random.Generator
) -> list[str]:
    """Invented handles; students have matriculation numbers, and some farms a pattern."""
    syllables = LANGUAGES[0].syllables + LANGUAGES[1].syllables
    picks = rng.integers(len(syllables), size=(len(owner), 3))
    digits = rng.integers(0, 1_000, len(owner))
    style = rng.integers(0, 4, len(owner))
    out = []
    for place, (kind, campaign) in enumerate(zip(archetypes.tolist(), campaigns, strict=True)):
        a, b, c = (syllables[i] for i in picks[place].tolist())
        if kind == "campus":
            out.append(f"s25{int(owner[place]) % 90_000 + 10_000}")
        elif kind in ("farm", "framing_bot") and campaign is not None and campaign.endswith(("3", "6")):
            out.append(f"{a}{b}_{digits[place]:03d}{int(owner[place]) % 100:02d}")
        else:
            tail = ("", str(digits[place] % 100), f"_{c}", f".{c}{digits[place]}")[int(style[place])]
            out.append(f"{a}{b}{c}{tail}")
    return out


def _display_names(owner: Int64, language: Int64) -> list[str]:
    out = []
    for number, which in zip(owner.tolist(), language.tolist(), strict=True):
        syllables = LANGUAGES[which].syllables
        size = len(syllables)
        first = syllables[number % size] + syllables[number // size % size]
        last = syllables[number * 7 % size] + syllables[(number * 13 + 5) % size]
        gap = "" if LANGUAGES[which].code == "zh" else " "
        out.append(first.capitalize() + gap + last.capitalize())
    return out
