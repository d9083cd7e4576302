"""The feed: what people post, see, share, like and comment."""

from __future__ import annotations

from typing import Final

import numpy as np

from graphscan.simulate import texts
from graphscan.simulate.drafts import (
    ACCOUNT_KEY,
    CODE,
    EVENT_KEY,
    NO_KEY,
    SCHEDULER,
    Draft,
    Float64,
    Int64,
    draft,
)
from graphscan.simulate.population import ARCHETYPE, Population
from graphscan.simulate.rhythm import DAY_US, HOUR_US, session_times

_ACTIONS: Final = ("post", "repost", "comment", "like", "follow", "profile")
_USUAL_MIX: Final = np.array([0.13, 0.19, 0.23, 0.36, 0.07, 0.02])
_OWN_MIX: Final = {
    "daily_table": (0.75, 0.03, 0.1, 0.1, 0.01, 0.01),
    "greeter": (0.04, 0.02, 0.8, 0.12, 0.01, 0.01),
    "moderator": (0.02, 0.0, 0.96, 0.01, 0.0, 0.01),
    "scheduled_creator": (0.5, 0.06, 0.25, 0.15, 0.02, 0.02),
}
_SESSION_EVENTS: Final = 4.0
_MOST_EXPOSURES: Final = 4_000
_SECONDS_A_READER_NEEDS: Final = 6.0


def people_acts(pop: Population, rng: np.random.Generator) -> Draft:
    """What people do outside of chats, with times but without objects yet.

    Scheduled creators hand their posts to a tool that sends them on the minute; people who post the same
    table every day do it by hand, about the same time.
    """
    people = np.flatnonzero(pop.archetype < ARCHETYPE["heartbeat"])
    account = np.repeat(people, pop.n_events[people])
    new = rng.random(len(account)) < 1 / _SESSION_EVENTS
    new[0] = True
    new[1:] |= account[1:] != account[:-1]
    time_us, _ = session_times(account, new, pop.first_day, pop.last_day, pop.clocks, rng)
    action = _drawn_actions(pop, account, rng)
    is_post = action == CODE["post"]
    tool = np.zeros(len(account), dtype=np.int64)
    kind_of = pop.archetype[account]
    tables = np.flatnonzero(is_post & (kind_of == ARCHETYPE["daily_table"]))
    habit_h = (pop.clocks.shift_h * 3.1) % 12 + 8
    own_h = habit_h[account[tables]] + rng.normal(0.0, 0.25, len(tables))
    time_us[tables] = _on_own_day(pop, account[tables], time_us[tables], own_h)
    creators = np.flatnonzero(is_post & (kind_of == ARCHETYPE["scheduled_creator"]))
    slot_h = np.array([8.0, 12.5, 18.0])[rng.integers(3, size=len(creators))]
    exact = _on_own_day(pop, account[creators], time_us[creators], slot_h)
    time_us[creators] = exact + (rng.uniform(0.3, 6.0, len(creators)) * 1e6).astype(np.int64)
    tool[creators] = SCHEDULER
    return draft(account, action, time_us, text_kind=_text_kinds(pop, account, action, rng), tool=tool)


def _on_own_day(pop: Population, account: Int64, time_us: Int64, local_h: Float64) -> Int64:
    """The given local hour on the local day of each time."""
    zone = (pop.clocks.zone_h[account] * HOUR_US).astype(np.int64)
    day = (time_us + zone) // DAY_US
    return day * DAY_US + (local_h * HOUR_US).astype(np.int64) - zone


def _drawn_actions(pop: Population, account: Int64, rng: np.random.Generator) -> Int64:
    mix = rng.gamma(np.broadcast_to(_USUAL_MIX * 6, (len(pop), 6)), 1.0) + 1e-9
    for name, own in _OWN_MIX.items():
        mix[pop.of(name)] = own
    cumulative = np.cumsum(mix / mix.sum(axis=1, keepdims=True), axis=1)
    draw = rng.random(len(account))
    place = np.zeros(len(account), dtype=np.int64)
    for column in range(5):
        place += draw > cumulative[account, column]
    return np.array([CODE[name] for name in _ACTIONS])[place]


def _text_kinds(pop: Population, account: Int64, action: Int64, rng: np.random.Generator) -> Int64:
    draw = rng.random(len(account))
    kind = np.zeros(len(account), dtype=np.int64)
    is_post, is_comment = action == CODE["post"], action == CODE["comment"]
    kind[is_post] = np.where(draw[is_post] < 0.55, texts.LONG, texts.NORMAL)
    kind[is_comment] = np.where(draw[is_comment] < 0.2, texts.SHORT, texts.NORMAL)
    who = pop.archetype[account]
    assisted = who == ARCHETYPE["human_ai_assisted"]
    kind[assisted & is_post & (draw < 0.8)] = texts.POLISHED
    kind[assisted & is_comment & (draw < 0.25)] = texts.POLISHED
    kind[(who == ARCHETYPE["daily_table"]) & is_post & (draw < 0.9)] = texts.TEMPLATE
    kind[(who == ARCHETYPE["greeter"]) & is_comment & (draw < 0.8)] = texts.GREETING
    kind[(who == ARCHETYPE["moderator"]) & is_comment & (draw < 0.6)] = texts.RULING
    return kind


class Feed:
    """What is shown to whom: each post appears in its community's feed, popular ones again and again.

    Reading takes one of the newest entries of the reader's feed, so that delays, popularity and crowding
    come from one mechanism. Every entry stands in the community's feed, and those of far-reaching posts in
    everybody's.

    Parameters
    ----------
    pop
        The population.
    author, time_us, number
        Author, time and event number of each post, shape (n_posts,).
    rng
        Source of randomness.
    """

    def __init__(
        self, pop: Population, author: Int64, time_us: Int64, number: Int64, rng: np.random.Generator
    ) -> None:
        self._pop = pop
        reach = (rng.pareto(1.05, len(author)) + 0.2) * pop.influence[author] ** 0.7
        count = 1 + np.minimum(reach, _MOST_EXPOSURES).astype(np.int64)
        post = np.repeat(np.arange(len(author)), count)
        # The life of a post is its own: most are over in hours, some come back for days.
        life = rng.lognormal(np.log(2_600e6), 1.1, len(author))
        delay = rng.lognormal(0.0, 1.2, len(post)) * life[post]
        first = np.concatenate([[0], np.cumsum(count)[:-1]])
        delay[first] = rng.exponential(120e6, len(first))
        shown_us = time_us[post] + delay.astype(np.int64)
        everywhere = pop.n_communities
        feed = np.where(
            (count[post] > 40) & (rng.random(len(post)) < 0.6), everywhere, pop.community[author[post]]
        )
        order = np.lexsort((shown_us, feed))
        self._post, self._feed = post[order], feed[order]
        self._low = int(min(time_us.min(initial=0), shown_us.min(initial=0)))
        self._span = int(shown_us.max(initial=1)) - self._low + 400 * DAY_US
        self._keys = self._feed * self._span + (shown_us[order] - self._low)
        self._start = np.searchsorted(self._feed, np.arange(everywhere + 2))
        self.author, self.time_us, self.number = author, time_us, number

    def read(self, account: Int64, time_us: Int64, rng: np.random.Generator, reach: float = 1.0) -> Int64:
        """A post (its place among the posts) that each account sees at each time, -1 if there is none yet.

        ``reach`` tells how far readers scroll, and how many of them look beyond their community.
        """
        n = len(account)
        draw = rng.random(n)
        own = self._pop.community[account]
        elsewhere = (own * 7 + 3 + account % 2) % self._pop.n_communities
        feed = np.where(
            draw < 0.7 / reach**0.3, own, np.where(draw < 0.85, elsewhere, self._pop.n_communities)
        )
        when = np.clip(time_us - int(_SECONDS_A_READER_NEEDS * 1e6) - self._low, 0, self._span - 1)
        place = np.searchsorted(self._keys, feed * self._span + when, side="right") - 1
        # People scroll: the newest entries are seen most.
        place -= np.minimum(rng.exponential(3.5 * reach, n), 600.0).astype(np.int64)
        fits = place >= self._start[feed]
        post = np.full(n, -1, dtype=np.int64)
        post[fits] = self._post[place[fits]]
        return post


def with_objects(part: Draft, feed: Feed, rng: np.random.Generator) -> tuple[Draft, Int64]:
    """Acts on posts from the feed, and the post (its place) of each.

    Nobody shares or likes one post twice: a second time becomes a comment. Who finds nothing to act on
    follows somebody instead.
    """
    post = feed.read(part.account, part.time_us, rng)
    action = part.action.copy()
    for reach in (3.0, 10.0, 30.0):
        again = np.union1d(np.flatnonzero(post < 0), _seen_before(part, action, post))
        post[again] = feed.read(part.account[again], part.time_us[again], rng, reach)
    kind = part.text_kind.copy()
    turned = _seen_before(part, action, post)
    action[turned] = CODE["comment"]
    kind[turned] = np.where(rng.random(len(turned)) < 0.3, texts.SHORT, texts.NORMAL)
    lost = post < 0
    action[lost] = CODE["follow"]
    kind[lost] = texts.NONE
    object_key = np.where(lost, NO_KEY, EVENT_KEY + feed.number[np.maximum(post, 0)])
    parent = np.where(action == CODE["comment"], object_key, NO_KEY)
    out = draft(part.account, action, part.time_us, object_key, parent, kind, part.detail, part.tool)
    return out, post


def _seen_before(part: Draft, action: Int64, post: Int64) -> Int64:
    """Places of shares and likes of a post that the account has shared, or liked, before."""
    once = np.flatnonzero(np.isin(action, [CODE["repost"], CODE["like"]]) & (post >= 0))
    order = once[np.lexsort((part.time_us[once], action[once], post[once], part.account[once]))]
    same = np.ones(max(len(order) - 1, 0), dtype=bool)
    for column in (part.account, post, action):
        same &= column[order[1:]] == column[order[:-1]]
    found: Int64 = np.sort(order[1:][same])
    return found


def threaded(part: Draft, numbers: Int64, seconds_a_letter: Float64, rng: np.random.Generator) -> Int64:
    """Parents of comments: the post, or one comment before it on the same post.

    Nobody answers what there was no time to read and type an answer to.
    """
    order = np.lexsort((part.time_us, part.object_key))
    objects, times, accounts = part.object_key[order], part.time_us[order], part.account[order]
    parent = objects.copy()
    back = 1 + (rng.random(len(order)) < 0.3)
    before = np.maximum(np.arange(len(order)) - back, 0)
    fits = (
        (objects[before] == objects)
        & (accounts[before] != accounts)
        & (times - times[before] > (12e6 + seconds_a_letter[order] * 60e6))
        & (rng.random(len(order)) < 0.45)
        & (np.arange(len(order)) >= back)
    )
    parent[fits] = EVENT_KEY + numbers[order[before[fits]]]
    out = np.empty(len(order), dtype=np.int64)
    out[order] = parent
    return out


def author_replies(
    pop: Population,
    part: Draft,
    numbers: Int64,
    author: Int64,
    n_replies: int,
    rng: np.random.Generator,
) -> Draft:
    """Authors answer comments on their posts, when they are awake, after human latencies.

    Parameters
    ----------
    part, numbers
        Comments on posts and their event numbers.
    author
        Author of the post of each comment.
    n_replies
        How many answers at most.
    """
    fit = np.flatnonzero((author != part.account) & (pop.archetype[author] < ARCHETYPE["heartbeat"]))
    picked = fit[rng.permutation(len(fit))[: 2 * n_replies]]
    latency = rng.lognormal(np.log(540.0), 1.5, len(picked)) + rng.uniform(12.0, 40.0, len(picked))
    when = part.time_us[picked] + (latency * 1e6).astype(np.int64)
    awake = pop.clocks.awake(author[picked], when) > rng.random(len(picked)) * 0.8
    inside = when < (pop.last_day[author[picked]] + 1) * DAY_US
    keep = np.flatnonzero(awake & inside)[:n_replies]
    rows = picked[keep]
    kind = np.where(
        latency[keep] < 40, texts.SHORT, np.where(rng.random(len(keep)) < 0.25, texts.SHORT, texts.NORMAL)
    )
    return draft(
        author[rows], "comment", when[keep], part.object_key[rows], EVENT_KEY + numbers[rows], text_kind=kind
    )


def follows(pop: Population, part: Draft, rng: np.random.Generator) -> Draft:
    """Follows of accounts: mostly of one's own community, the influential ones more."""
    n = len(part)
    target = followed(pop, part.account, rng)
    target = np.where(target == part.account, (target + 1) % len(pop), target)
    return draft(
        part.account,
        "follow",
        part.time_us,
        ACCOUNT_KEY + target,
        detail=np.zeros(n, dtype=np.int64),
    )


def followed(pop: Population, account: Int64, rng: np.random.Generator) -> Int64:
    """An account that each account may know: of its community, by influence."""
    order = np.argsort(pop.community, kind="stable")
    mass = np.cumsum(np.minimum(pop.influence[order], 200.0))
    start = np.searchsorted(pop.community[order], np.arange(pop.n_communities + 1))
    edges = np.concatenate([[0.0], mass])
    own = pop.community[account]
    stray = rng.random(len(account)) < 0.2
    low = np.where(stray, 0.0, edges[start[own]])
    high = np.where(stray, edges[-1], edges[start[own + 1]])
    place = np.searchsorted(mass, low + rng.random(len(account)) * (high - low), side="right")
    found: Int64 = order[np.minimum(place, len(order) - 1)]
    return found


def changes(
    account: Int64, time_us: Int64, number: Int64, share_0_1: float, rng: np.random.Generator
) -> Draft:
    """Edits and deletions of people's own posts and comments, minutes to days later."""
    rows = np.flatnonzero(rng.random(len(account)) < share_0_1)
    later = time_us[rows] + (rng.lognormal(np.log(400.0), 1.6, len(rows)) * 1e6).astype(np.int64) + 4_000_000
    detail = np.where(rng.random(len(rows)) < 0.75, 1, 2)
    return draft(account[rows], "other", later, EVENT_KEY + number[rows], detail=detail)
