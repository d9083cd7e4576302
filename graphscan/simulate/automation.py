"""Automated accounts: clocks, quick answerers, and accounts that are wholly managed by software."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from graphscan.simulate import texts
from graphscan.simulate.chats import Rooms
from graphscan.simulate.drafts import (
    ACCOUNT_KEY,
    CHAT_KEY,
    CODE,
    EVENT_KEY,
    SCHEDULER,
    Draft,
    Float64,
    Int64,
    draft,
)
from graphscan.simulate.feed import followed
from graphscan.simulate.population import ARCHETYPE, Population
from graphscan.simulate.rhythm import DAY_US, INSOMNIAC, USUAL

MECHANISMS: Final = ("", "scheduler", "reactor", "humanlike")

_PERIODS_MIN: Final = np.array([15, 20, 30, 45, 60, 90, 120, 180, 240, 360, 480])
_HOSTED_SHARES: Final = {
    "post": 0.24,
    "repost": 0.08,
    "like": 0.1,
    "comment": 0.23,
    "chat_message": 0.16,
    "message": 0.14,
    "follow": 0.03,
    "profile": 0.02,
}
_REACTIVE_SHARES: Final = {"post": 0.1, "comment": 0.5, "chat_message": 0.25, "message": 0.15}


@dataclass(frozen=True)
class Plan:
    """What automated accounts will do, one entry an act: who, what, and when the software woke up.

    Attributes
    ----------
    account, action
        Who, and the place of the action in ``ACTIONS``.
    time_us
        Time of a clock's tick or of a free act; answers take the time of what they answer instead.
    mechanism
        Of each account of the population: place in ``MECHANISMS``.
    """

    account: Int64
    action: Int64
    time_us: Int64
    mechanism: Int64

    def rows(self, action: str) -> Int64:
        """Places of the acts of one action."""
        return np.flatnonzero(self.action == CODE[action])


def mechanisms_of(pop: Population, rng: np.random.Generator) -> Int64:
    """How each automated account works; the few human-like ones keep a day's rhythm too."""
    out = np.zeros(len(pop), dtype=np.int64)
    out[pop.of("heartbeat")] = 1
    out[pop.of("reactive_bot")] = 2
    hosted = pop.of("ai_managed", "farm_hosted")
    out[hosted] = rng.choice([1, 2, 3], len(hosted), p=[0.45, 0.42, 0.13])
    # Some software keeps hours too: it is switched on in the morning, or looks awake on purpose.
    hours = rng.random(len(pop))
    pop.clocks.habit[(out == 3) | ((out == 2) & (hours < 0.2))] = USUAL
    pop.clocks.habit[(out == 1) & (hours < 0.25)] = INSOMNIAC
    return out


def plan_of(pop: Population, mechanism: Int64, rng: np.random.Generator) -> Plan:
    """The acts of all automated accounts, before they look at what others did."""
    accounts, actions, times = [], [], []
    for name, shares in (
        ("heartbeat", None),
        ("reactive_bot", _REACTIVE_SHARES),
        ("ai_managed", _HOSTED_SHARES),
        ("farm_hosted", _HOSTED_SHARES),
    ):
        mine = pop.of(name)
        account = np.repeat(mine, pop.n_events[mine])
        if not len(account):
            continue
        action = _heartbeat_actions(account, rng) if shares is None else _from_shares(account, shares, rng)
        on_clock = (mechanism[account] == 1) & (action != CODE["profile"])
        time_us = _free_times(pop, account, rng)
        ticking = np.flatnonzero(on_clock)
        time_us[ticking] = _ticks(pop, account[ticking], rng)
        accounts.append(account)
        actions.append(action)
        times.append(time_us)
    if not accounts:
        empty = np.zeros(0, dtype=np.int64)
        return Plan(empty, empty, empty, mechanism)
    return Plan(np.concatenate(accounts), np.concatenate(actions), np.concatenate(times), mechanism)


def _from_shares(account: Int64, shares: dict[str, float], rng: np.random.Generator) -> Int64:
    codes = np.array([CODE[name] for name in shares])
    return codes[rng.choice(len(codes), len(account), p=list(shares.values()))]


def _heartbeat_actions(account: Int64, rng: np.random.Generator) -> Int64:
    """Two in five only post; the others also comment, share and speak in chats by the same clock."""
    only = account % 5 < 2
    mixed = rng.choice(
        [CODE["post"], CODE["comment"], CODE["chat_message"], CODE["repost"]],
        len(account),
        p=[0.4, 0.27, 0.23, 0.1],
    )
    return np.where(only, CODE["post"], mixed)


def _free_times(pop: Population, account: Int64, rng: np.random.Generator) -> Int64:
    stay = pop.last_day[account] - pop.first_day[account] + 1
    day = pop.first_day[account] + (rng.random(len(account)) * stay).astype(np.int64)
    return pop.clocks.times_of_day(account, day, rng)


def _ticks(pop: Population, account: Int64, rng: np.random.Generator) -> Int64:
    """Each account's own period and phase, with a small spread and some ticks missed."""
    order = np.argsort(account, kind="stable")
    who = account[order]
    first = np.searchsorted(who, who, side="left")
    number = np.arange(len(who)) - first
    count = np.bincount(who, minlength=len(pop))
    # Switched on for 16 hours of its day, or always.
    day_min = np.where(pop.clocks.habit == INSOMNIAC, 960, 1_440)
    stay = pop.last_day - pop.first_day + 1
    fits = stay * day_min / np.maximum(count, 1) / 1.1
    period = _PERIODS_MIN[np.maximum(np.searchsorted(_PERIODS_MIN, fits, side="right") - 1, 0)]
    period = np.where(rng.random(len(pop)) < 0.3, np.minimum(period, 60), period).astype(np.int64)
    phase_us = rng.integers(0, DAY_US, len(pop))
    spread_s: Float64 = rng.choice(np.array([1.5, 8.0, 30.0]), len(pop), p=[0.4, 0.4, 0.2])
    skipped = np.cumsum(rng.random(len(who)) < 0.06)
    skipped = skipped - skipped[first]
    per_day = np.maximum(day_min // period, 1)[who]
    day, slot = np.divmod(number + skipped, per_day)
    days_needed = np.ceil(1.07 * count[who] / per_day)
    begin_day = pop.first_day[who] + (_own_share(who) * np.maximum(stay[who] - days_needed, 0)).astype(
        np.int64
    )
    morning_us = ((7 - pop.clocks.zone_h[who]) * 3_600e6).astype(np.int64) * (day_min[who] < 1_440)
    tick = day * DAY_US + slot * period[who] * 60_000_000
    spread = (rng.random(len(who)) * spread_s[who] * 1e6).astype(np.int64)
    time_us = begin_day * DAY_US + morning_us + phase_us[who] % (period[who] * 60_000_000) + tick + spread
    out = np.empty(len(account), dtype=np.int64)
    out[order] = time_us
    return out


def _own_share(account: Int64) -> Float64:
    return np.asarray((account * 0.6180339887) % 1.0, dtype=np.float64)


def posts(pop: Population, plan: Plan, rng: np.random.Generator) -> Draft:
    """Posts of automated accounts."""
    rows = plan.rows("post")
    account = plan.account[rows]
    kind = _written(pop, account, rng)
    tool = np.where(plan.mechanism[account] == 1, SCHEDULER * (account % 2), 0)
    return draft(account, "post", plan.time_us[rows], text_kind=kind, tool=tool)


def feed_acts(plan: Plan) -> Draft:
    """Shares and likes of automated accounts, still without objects."""
    rows = np.flatnonzero(np.isin(plan.action, [CODE["repost"], CODE["like"]]))
    return draft(plan.account[rows], plan.action[rows], plan.time_us[rows])


def clocked_comments(pop: Population, plan: Plan, rng: np.random.Generator) -> Draft:
    """Comments that come by the clock, still without objects."""
    rows = plan.rows("comment")
    rows = rows[plan.mechanism[plan.account[rows]] == 1]
    account = plan.account[rows]
    kind = _written(pop, account, rng)
    return draft(account, "comment", plan.time_us[rows], text_kind=kind)


def answering_comments(
    pop: Population, plan: Plan, triggers: Draft, numbers: Int64, rng: np.random.Generator
) -> Draft:
    """Comments that answer a post or a comment soon after it.

    Parameters
    ----------
    triggers, numbers
        Posts and comments of people, and their event numbers.
    """
    rows = plan.rows("comment")
    rows = rows[plan.mechanism[plan.account[rows]] != 1]
    account = plan.account[rows]
    inbox = plan.mechanism[account] == 3
    place = _triggers_near(
        pop.community[account],
        plan.time_us[rows],
        pop.community[triggers.account],
        triggers.time_us,
        inbox,
        rng,
    )
    when = _answer_times(plan.time_us[rows], triggers.time_us[place], plan.mechanism[account], rng)
    is_post = triggers.action[place] == CODE["post"]
    parent = EVENT_KEY + numbers[place]
    return draft(
        account,
        "comment",
        when,
        np.where(is_post, parent, triggers.object_key[place]),
        parent,
        _written(pop, account, rng),
    )


def chat_acts(
    pop: Population, plan: Plan, rooms: Rooms, talk: Draft, base: int, rng: np.random.Generator
) -> Draft:
    """Automated accounts in group chats: by the clock, or answering people within seconds; with their joins.

    Parameters
    ----------
    talk, base
        People's messages, and the event number of the first.
    """
    rows = plan.rows("chat_message")
    account = plan.account[rows]
    if not len(rows) or not len(talk):
        return draft(account[:0], "chat_message", account[:0])
    # Three rooms an account; busy rooms are likelier, as a random message is likelier theirs.
    homes = talk.object_key[rng.integers(len(talk), size=(len(pop), 3))]
    room = homes[account, rng.integers(3, size=len(rows))]
    inbox = plan.mechanism[account] == 3
    place = _triggers_near(room, plan.time_us[rows], talk.object_key, talk.time_us, inbox, rng)
    answers = plan.mechanism[account] != 1
    when = _answer_times(plan.time_us[rows], talk.time_us[place], plan.mechanism[account], rng)
    messages = draft(
        account,
        "chat_message",
        np.where(answers, when, plan.time_us[rows]),
        np.where(answers, talk.object_key[place], room),
        np.where(answers, EVENT_KEY + base + place, -1),
        _written(pop, account, rng),
    )
    pairs = np.unique(np.column_stack([messages.account, messages.object_key - CHAT_KEY]), axis=0)
    keys = messages.account * (len(rooms) + 1) + messages.object_key - CHAT_KEY
    first = np.full(len(pairs), np.iinfo(np.int64).max)
    np.minimum.at(
        first, np.searchsorted(pairs[:, 0] * (len(rooms) + 1) + pairs[:, 1], keys), messages.time_us
    )
    before = first - (rng.lognormal(np.log(3_600.0), 1.5, len(pairs)) * 1e6).astype(np.int64)
    arrivals = draft(pairs[:, 0], "chat_join", before, CHAT_KEY + pairs[:, 1])
    return _both(messages, arrivals)


def message_acts(pop: Population, plan: Plan, base: int, rng: np.random.Generator) -> Draft:
    """Private messages: the account writes, a person may answer, the account answers within seconds.

    Parameters
    ----------
    base
        Number that the first of these events will have.
    """
    rows = plan.rows("message")
    account = plan.account[rows]
    n = len(rows)
    if not n:
        return draft(account, "message", account)
    # Every second act is an answer, if its opening found an answer; else it opens another conversation.
    target = followed(pop, account, rng)
    target = np.where(target == account, (target + 1) % len(pop), target)
    is_second = np.zeros(n, dtype=bool)
    is_second[1:] = (account[1:] == account[:-1]) & (np.arange(1, n) % 2 == 1)
    opener = np.maximum(np.arange(n) - 1, 0)
    person = target[opener]
    asked = plan.time_us[rows][opener]
    replied = asked + ((rng.lognormal(np.log(700.0), 1.4, n) + 15.0) * 1e6).astype(np.int64)
    willing = (pop.archetype[person] < ARCHETYPE["heartbeat"]) & (rng.random(n) < 0.55)
    willing &= pop.clocks.awake(person, replied) > rng.random(n) * 0.7
    willing &= (replied < (pop.last_day[person] + 1) * DAY_US) & (asked >= pop.first_day[person] * DAY_US)
    pairs = np.flatnonzero(is_second & willing)
    latency = _latencies(plan.mechanism[account], rng)
    time_us = plan.time_us[rows].copy()
    time_us[pairs] = replied[pairs] + latency[pairs]
    to = target.copy()
    to[pairs] = person[pairs]
    parent = np.full(n, -1, dtype=np.int64)
    parent[pairs] = EVENT_KEY + base + n + np.arange(len(pairs))
    own = draft(
        account,
        "message",
        time_us,
        ACCOUNT_KEY + to,
        parent,
        _written(pop, account, rng),
    )
    answers = draft(
        person[pairs],
        "message",
        replied[pairs],
        ACCOUNT_KEY + account[pairs],
        EVENT_KEY + base + opener[pairs],
        np.where(rng.random(len(pairs)) < 0.4, texts.SHORT, texts.NORMAL),
    )
    return _both(own, answers)


def profile_and_follow_acts(pop: Population, plan: Plan, rng: np.random.Generator) -> Draft:
    """Changes of the own profile, and follows."""
    changed, followed_rows = plan.rows("profile"), plan.rows("follow")
    account = plan.account[followed_rows]
    target = followed(pop, account, rng)
    target = np.where(target == account, (target + 1) % len(pop), target)
    return _both(
        draft(
            plan.account[changed],
            "profile",
            plan.time_us[changed],
            ACCOUNT_KEY + plan.account[changed],
            detail=np.where(rng.random(len(changed)) < 0.6, 4, 5),
        ),
        draft(account, "follow", plan.time_us[followed_rows], ACCOUNT_KEY + target),
    )


def _written(pop: Population, account: Int64, rng: np.random.Generator) -> Int64:
    """Kinds of the texts of automated accounts.

    Clocks and every second quick answerer fill one frame. The others write smoothly at length; half of
    them play a casual person and mostly write as people do.
    """
    kind = pop.archetype[account]
    frame = (kind == ARCHETYPE["heartbeat"]) | ((kind == ARCHETYPE["reactive_bot"]) & (account % 2 == 0))
    casual = (account // 2 % 2 == 0) & (rng.random(len(account)) < 0.65)
    everyday = np.where(rng.random(len(account)) < 0.5, texts.NORMAL, texts.LONG)
    return np.where(frame, texts.TEMPLATE, np.where(casual, everyday, texts.POLISHED))


def _latencies(mechanism: Int64, rng: np.random.Generator) -> Int64:
    """Microseconds from what is answered to the answer: seconds, or minutes for the human-like."""
    n = len(mechanism)
    quick = rng.lognormal(np.log(3.0), 0.6, n) + 0.4
    steady = rng.lognormal(np.log(9.0), 0.5, n) + 1.0
    slow = rng.lognormal(np.log(420.0), 1.1, n) + 40.0
    seconds = np.where(mechanism == 2, quick, np.where(mechanism == 3, slow, steady))
    return (seconds * 1e6).astype(np.int64)


def _answer_times(planned_us: Int64, trigger_us: Int64, mechanism: Int64, rng: np.random.Generator) -> Int64:
    """When answers come: soon after what they answer, or, from human-like software, when it looks in."""
    soon = trigger_us + _latencies(mechanism, rng)
    return np.where(mechanism == 3, np.maximum(planned_us, soon), soon)


def _triggers_near(
    group: Int64,
    when_us: Int64,
    of_group: Int64,
    of_time_us: Int64,
    inbox: NDArray[np.bool_],
    rng: np.random.Generator,
) -> Int64:
    """For each act one of the first events after a time in the same group, else any event.

    Where ``inbox`` is true, the last event before the time instead.
    """
    order = np.lexsort((of_time_us, of_group))
    groups, times = of_group[order], of_time_us[order]
    names = np.unique(groups)
    low, span = int(times.min()), int(times.max()) - int(times.min()) + 1
    keys = np.searchsorted(names, groups) * span + (times - low)
    mine = np.searchsorted(names, group)
    known = names[np.minimum(mine, len(names) - 1)] == group
    wanted = mine * span + np.clip(when_us - low, 0, span - 1)
    # Not always the very next one: two quick answerers of one group do not share all their triggers.
    step = np.where(inbox, -1, rng.geometric(0.35, len(group)) - 1)
    place = np.clip(np.searchsorted(keys, wanted) + step, 0, len(order) - 1)
    fits = known & (groups[place] == group)
    return order[np.where(fits, place, rng.integers(len(order), size=len(group)))]


def _both(one: Draft, other: Draft) -> Draft:
    columns = (
        np.concatenate([getattr(one, name), getattr(other, name)])
        for name in (
            "account",
            "action",
            "time_us",
            "object_key",
            "parent_key",
            "text_kind",
            "detail",
            "tool",
        )
    )
    return Draft(*columns)
