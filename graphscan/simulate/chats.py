"""Group chats and private conversations of people."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from graphscan.simulate import texts
from graphscan.simulate.drafts import ACCOUNT_KEY, CHAT_KEY, EVENT_KEY, NO_KEY, Draft, Int64, draft
from graphscan.simulate.population import ARCHETYPE, Population
from graphscan.simulate.rhythm import DAY_US

_SESSION_MESSAGES = 8.0
_MOST_SPEAKERS = 8


@dataclass(frozen=True)
class Rooms:
    """Group chats and who is in them, ordered by room.

    Attributes
    ----------
    member
        Account of each membership, shape (n_memberships,); within a room the talkative come first.
    start
        First membership of each room, and the end, shape (n_rooms + 1,).
    joined_us
        When each membership began; 0 for those from before the world's first day.
    """

    member: Int64
    start: Int64
    joined_us: Int64
    community: Int64

    def __len__(self) -> int:
        return len(self.community)


def rooms_of(pop: Population, first_us: int, rng: np.random.Generator) -> Rooms:
    """Rooms with members mostly from one community each."""
    people = np.flatnonzero(pop.archetype < ARCHETYPE["heartbeat"])
    n_rooms = max(5, len(people) // 45)
    # Every community has a room before any has two.
    community = np.arange(n_rooms) % pop.n_communities
    per_room = (n_rooms - 1 - community) // pop.n_communities + 1
    count = rng.poisson(0.9, len(people)) + (rng.random(len(people)) < 0.3)
    member = np.repeat(people, count)
    own = pop.community[member]
    stray = (rng.random(len(member)) < 0.15) | (own >= n_rooms)
    local = own + pop.n_communities * (rng.random(len(member)) ** 2 * per_room[own % n_rooms]).astype(
        np.int64
    )
    room = np.where(stray, (rng.random(len(member)) ** 1.5 * n_rooms).astype(np.int64), local)
    pairs = np.unique(room * len(pop) + member)
    room, member = pairs // len(pop), pairs % len(pop)
    order = np.lexsort((-pop.talk[member] * rng.lognormal(0.0, 0.5, len(member)), room))
    room, member = room[order], member[order]
    came = pop.first_day[member] * DAY_US
    later = (rng.random(len(member)) < 0.35) | (came > first_us)
    stay = (pop.last_day[member] - pop.first_day[member] + 1) * DAY_US
    day = (came + rng.random(len(member)) ** 2 * stay * 0.8).astype(np.int64) // DAY_US
    joined = np.where(later, pop.clocks.times_of_day(member, day, rng), 0)
    return Rooms(member, np.searchsorted(room, np.arange(n_rooms + 1)), joined, community)


def joins(rooms: Rooms) -> Draft:
    """The joins that fall into the world's days."""
    room = np.repeat(np.arange(len(rooms)), np.diff(rooms.start))
    seen = np.flatnonzero(rooms.joined_us > 0)
    return draft(rooms.member[seen], "chat_join", rooms.joined_us[seen], CHAT_KEY + room[seen])


def group_talk(
    pop: Population,
    rooms: Rooms,
    n_messages: int,
    base: int,
    rng: np.random.Generator,
) -> Draft:
    """Sessions of talk: a few members who are awake speak in turn.

    Parameters
    ----------
    n_messages
        About how many messages.
    base
        Number that the first message will have, so that answers can name what they answer.
    """
    n_sessions = max(1, round(n_messages / _SESSION_MESSAGES))
    size = np.diff(rooms.start)
    weight = np.where(size >= 2, size**0.8 / np.arange(1, len(rooms) + 1) ** 0.25, 0.0)
    if not weight.sum():
        empty = np.zeros(0, dtype=np.int64)
        return draft(empty, "chat_message", empty)
    room = rng.choice(len(rooms), n_sessions, p=weight / weight.sum())
    host = rooms.member[rooms.start[room] + (rng.random(n_sessions) ** 2.6 * size[room]).astype(np.int64)]
    stay = pop.last_day[host] - pop.first_day[host] + 1
    day = pop.first_day[host] + (rng.random(n_sessions) * stay).astype(np.int64)
    begin = pop.clocks.times_of_day(host, day, rng)
    speakers = np.empty((n_sessions, _MOST_SPEAKERS), dtype=np.int64)
    speakers[:, 0] = host
    for column in range(1, _MOST_SPEAKERS):
        speakers[:, column] = _awake_member(pop, rooms, room, begin, host, rng)
    n_speakers = np.minimum(2 + rng.geometric(0.45, n_sessions) - 1, _MOST_SPEAKERS)
    length = np.maximum(rng.lognormal(np.log(_SESSION_MESSAGES * 0.4), 1.35, n_sessions).astype(np.int64), 1)
    session = np.repeat(np.arange(n_sessions), length)
    n = len(session)
    turn = np.minimum((rng.random(n) ** 1.3 * n_speakers[session]).astype(np.int64), n_speakers[session] - 1)
    account = speakers[session, turn]
    opens = np.ones(n, dtype=bool)
    opens[1:] = session[1:] != session[:-1]
    gap = np.minimum(rng.lognormal(np.log(48.0), 1.35, n) + 2.5, 1_500.0)
    changed = np.zeros(n, dtype=bool)
    changed[1:] = (account[1:] != account[:-1]) & ~opens[1:]
    answers = changed & (rng.random(n) < 0.5) & (gap > 4.0)
    kind = np.where(gap < 14, texts.SHORT, np.where(rng.random(n) < 0.25, texts.SHORT, texts.NORMAL))
    long_ones = (gap > 60) & (rng.random(n) < 0.15)
    kind[long_ones] = texts.LONG
    _own_manner(pop, account, kind, gap, rng)
    run = np.cumsum(np.where(opens, 0.0, gap * 1e6))
    time_us = begin[session] + (run - run[opens][session]).astype(np.int64)
    parent = np.where(answers, EVENT_KEY + base + np.arange(n) - 1, NO_KEY)
    return draft(account, "chat_message", time_us, CHAT_KEY + room[session], parent, kind)


def _own_manner(
    pop: Population,
    account: Int64,
    kind: Int64,
    gap_s: np.ndarray[tuple[int], np.dtype[np.float64]],
    rng: np.random.Generator,
) -> None:
    """Assisted people let the assistant write some of their longer messages; greeters greet."""
    who = pop.archetype[account]
    draw = rng.random(len(account))
    kind[(who == ARCHETYPE["human_ai_assisted"]) & (gap_s > 45) & (draw < 0.25)] = texts.POLISHED
    kind[(who == ARCHETYPE["greeter"]) & (gap_s > 8) & (draw < 0.4)] = texts.GREETING


def _awake_member(
    pop: Population, rooms: Rooms, room: Int64, when: Int64, host: Int64, rng: np.random.Generator
) -> Int64:
    """A member of each room who is likely awake and already in; else the host."""
    size = np.diff(rooms.start)[room]
    best, best_score = host, np.full(len(room), 0.12)
    for _ in range(3):
        place = rooms.start[room] + (rng.random(len(room)) ** 2.2 * size).astype(np.int64)
        member = rooms.member[place]
        there = (rooms.joined_us[place] < when) & (pop.last_day[member] * DAY_US + DAY_US > when)
        score = np.where(
            there & (pop.first_day[member] * DAY_US <= when), pop.clocks.awake(member, when), 0.0
        )
        score = score * (0.5 + rng.random(len(room)))
        better = score > best_score
        best, best_score = np.where(better, member, best), np.where(better, score, best_score)
    return best


def private_talk(
    pop: Population,
    partner_of: Int64,
    n_messages: int,
    base: int,
    rng: np.random.Generator,
) -> Draft:
    """Conversations of two people: turns with the time that reading and typing take.

    Parameters
    ----------
    partner_of
        For each account somebody it talks to, shape (n_accounts,).
    base
        Number that the first message will have.
    """
    people = np.flatnonzero(pop.archetype < ARCHETYPE["heartbeat"])
    n_talks = max(1, round(n_messages / 6.5))
    weight = np.sqrt(pop.talk[people])
    one = rng.choice(people, n_talks, p=weight / weight.sum())
    other = partner_of[one]
    stay = pop.last_day[one] - pop.first_day[one] + 1
    day = pop.first_day[one] + (rng.random(n_talks) * stay).astype(np.int64)
    begin = pop.clocks.times_of_day(one, day, rng)
    there = (begin >= pop.first_day[other] * DAY_US) & (begin < (pop.last_day[other] + 1) * DAY_US)
    answers = there & (pop.clocks.awake(other, begin) > rng.random(n_talks) * 0.5) & (other != one)
    length = np.where(answers, np.maximum(rng.lognormal(np.log(4.5), 0.85, n_talks), 1.0), 1.0).astype(
        np.int64
    )
    talk = np.repeat(np.arange(n_talks), length)
    n = len(talk)
    opens = np.ones(n, dtype=bool)
    opens[1:] = talk[1:] != talk[:-1]
    flips = np.where(opens, False, rng.random(n) < 0.75)
    side = np.cumsum(flips) % 2
    side = (side - side[opens][talk]) % 2
    account = np.where(side == 0, one[talk], other[talk])
    target = np.where(side == 0, other[talk], one[talk])
    gap = np.minimum(rng.lognormal(np.log(48.0), 1.5, n) + 4.0, 6 * 3_600.0)
    kind = np.where(gap < 16, texts.SHORT, np.where(rng.random(n) < 0.2, texts.SHORT, texts.NORMAL))
    _own_manner(pop, account, kind, gap, rng)
    run = np.cumsum(np.where(opens, 0.0, gap * 1e6))
    time_us = begin[talk] + (run - run[opens][talk]).astype(np.int64)
    parent = np.where(flips, EVENT_KEY + base + np.arange(n) - 1, NO_KEY)
    return draft(account, "message", time_us, ACCOUNT_KEY + target, parent, kind)
