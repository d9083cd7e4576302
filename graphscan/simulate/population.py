"""Who lives in a simulated world: archetypes, time zones, languages, communities, activity."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from graphscan.simulate.rhythm import ALWAYS, DAY_US, INSOMNIAC, SHIFT, USUAL, Clocks
from graphscan.simulate.vocabulary import LANGUAGES

Int64 = NDArray[np.int64]
Float64 = NDArray[np.float64]

ARCHETYPES: Final = (
    "ordinary",
    "shift_worker",
    "insomniac",
    "power_user",
    "daily_table",
    "greeter",
    "moderator",
    "scheduled_creator",
    "human_ai_assisted",
    "campus",
    "heartbeat",
    "reactive_bot",
    "ai_managed",
    "farm_hosted",
)
ARCHETYPE: Final = {name: number for number, name in enumerate(ARCHETYPES)}

LABEL_OF_ARCHETYPE: Final = {
    "human_ai_assisted": "human_ai_assisted",
    "heartbeat": "automated",
    "reactive_bot": "automated",
    "ai_managed": "ai_managed",
    "farm_hosted": "ai_managed",
}
"""All others are ``human``."""

# Shares of the human accounts; the rest are ordinary.
_HUMAN_SHARES: Final = {
    "shift_worker": 0.05,
    "insomniac": 0.04,
    "power_user": 0.012,
    "daily_table": 0.006,
    "greeter": 0.008,
    "moderator": 0.008,
    "scheduled_creator": 0.015,
    "human_ai_assisted": 0.06,
    "campus": 0.02,
}
_LEAST: Final = (
    "power_user",
    "daily_table",
    "greeter",
    "moderator",
    "scheduled_creator",
    "human_ai_assisted",
)

# Hours from UTC and share of people, by language: where its speakers live.
_ZONES: Final = (
    ((-8, 0.2), (-5, 0.35), (0, 0.25), (1, 0.1), (10, 0.1)),
    ((-6, 0.4), (-3, 0.3), (1, 0.3)),
    ((3, 0.7), (5, 0.2), (7, 0.1)),
    ((8, 1.0),),
)
_LANGUAGE_SHARES: Final = (0.5, 0.17, 0.18, 0.15)

DEFAULT_START_US: Final = 1_735_689_600_000_000  # 2025-01-01


@dataclass(frozen=True)
class Population:
    """Accounts and their habits, one entry an account.

    Attributes
    ----------
    archetype
        Place in ``ARCHETYPES``.
    n_events
        Events of its own planned for the account (feed, and its automation), shape (n_accounts,).
    talk
        Weight in group chats and private messages.
    language, community
        Place in the languages; community of interest (each speaks one language).
    device
        Place in ``DEVICES``.
    first_day, last_day
        Days since the epoch between which the account is active.
    clocks
        Local times and habits.
    influence
        How far its posts reach.
    """

    archetype: Int64
    n_events: Int64
    talk: Float64
    language: Int64
    community: Int64
    device: Int64
    first_day: Int64
    last_day: Int64
    clocks: Clocks
    influence: Float64
    n_communities: int

    def __len__(self) -> int:
        return len(self.archetype)

    def of(self, *names: str) -> Int64:
        """Numbers of the accounts of these archetypes."""
        return np.flatnonzero(np.isin(self.archetype, [ARCHETYPE[name] for name in names]))


def population_of(
    n_people: int,
    n_feed_events: int,
    hosted: dict[str, Int64],
    first_day: int,
    n_days: int,
    rng: np.random.Generator,
) -> Population:
    """A population of people and automated accounts.

    Parameters
    ----------
    n_people
        Human accounts.
    n_feed_events
        Events of all people together outside of chats and messages.
    hosted
        Events of each automated account, by archetype.
    first_day, n_days
        The world's days.
    """
    kinds = np.full(n_people, ARCHETYPE["ordinary"], dtype=np.int64)
    order = rng.permutation(n_people)
    at = 0
    for name, share in _HUMAN_SHARES.items():
        size = max(round(share * n_people), 1 if name in _LEAST else 0)
        kinds[order[at : at + size]] = ARCHETYPE[name]
        at += size
    archetype = np.concatenate(
        [kinds] + [np.full(len(sizes), ARCHETYPE[name], dtype=np.int64) for name, sizes in hosted.items()]
    )
    n = len(archetype)
    n_communities = max(6, min(2_000, n_people // 140))
    spoken = _community_languages(n_communities)
    # Communities differ in size as everything does.
    popularity = 1.0 / np.arange(1, n_communities + 1) ** 0.6
    community = rng.choice(n_communities, n, p=popularity / popularity.sum())
    language = spoken[community]
    zone = np.zeros(n)
    for which, places in enumerate(_ZONES):
        mine = np.flatnonzero(language == which)
        zone[mine] = rng.choice([z for z, _ in places], len(mine), p=[share for _, share in places])
    habit = np.full(n, USUAL, dtype=np.int64)
    habit[archetype == ARCHETYPE["shift_worker"]] = SHIFT
    habit[archetype == ARCHETYPE["insomniac"]] = INSOMNIAC
    habit[n_people:] = ALWAYS
    activity = rng.lognormal(0.0, 2.0, n_people)
    n_power = int((kinds == ARCHETYPE["power_user"]).sum())
    activity[kinds == ARCHETYPE["power_user"]] = activity.mean() * rng.uniform(6, 16, n_power)
    for name in ("daily_table", "greeter", "moderator", "scheduled_creator"):
        mine = kinds == ARCHETYPE[name]
        activity[mine] = np.maximum(activity[mine], rng.uniform(3.0, 10.0, int(mine.sum())))
    talk = activity * rng.lognormal(0.0, 0.8, n_people)
    begin, end = _active_days(n, n_days, rng)
    # Whoever is active on few days has fewer events.
    wanted = activity * (0.3 + (end - begin + 1)[:n_people] / n_days)
    planned = rng.poisson(wanted / wanted.sum() * n_feed_events)
    influence = rng.pareto(1.3, n) + 0.3
    influence[:n_people][kinds == ARCHETYPE["scheduled_creator"]] *= 6
    return Population(
        archetype=archetype,
        n_events=np.concatenate([planned, *hosted.values()]).astype(np.int64),
        talk=np.concatenate([talk, np.zeros(n - n_people)]),
        language=language,
        community=community,
        device=rng.choice(4, n, p=[0.4, 0.3, 0.22, 0.08]),
        first_day=first_day + np.where(np.arange(n) < n_people, begin, begin // 3),
        last_day=first_day + np.where(np.arange(n) < n_people, end, n_days - 1),
        clocks=Clocks(zone, rng.normal(0.0, 1.3, n), habit),
        influence=influence,
        n_communities=n_communities,
    )


def _community_languages(n_communities: int) -> Int64:
    """Languages dealt out so that every prefix of the communities has about the right shares."""
    given = np.zeros(len(LANGUAGES))
    out = np.zeros(n_communities, dtype=np.int64)
    for number in range(n_communities):
        out[number] = int(np.argmax((number + 1) * np.array(_LANGUAGE_SHARES) - given))
        given[out[number]] += 1
    return out


def _active_days(n: int, n_days: int, rng: np.random.Generator) -> tuple[Int64, Int64]:
    """First and last active day of each account: most are there throughout, some come, some go."""
    begin = np.where(rng.random(n) < 0.35, (rng.random(n) * n_days * 0.9).astype(np.int64), 0)
    stay = np.where(rng.random(n) < 0.3, rng.exponential(n_days / 4, n).astype(np.int64), np.int64(n_days))
    return begin, np.minimum(begin + stay, n_days - 1)


def midnight_us(day: Int64) -> Int64:
    """Start of each day, in microseconds."""
    return day * DAY_US
