"""Legitimate explanations of a found cluster, each tried and named.

People act together for honest reasons too: fans, newsrooms, classes, prize draws. Each explanation here is a
pure function of an `ExplanationContext`; its docstring is the user documentation and tells how a farm could
pose as it, and what that would cost. An explanation that fits never clears a cluster: it asks for a person to
look, and rules out that software alone decides. So posing buys a farm a review, not an acquittal.

Scores are in 0..1 and are degrees of likeness, not probabilities. `EXPLANATIONS` is the registry, in the
order in which ties are broken.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from graphscan.clusters.context import ExplanationContext, explanation_context

__all__ = [
    "EXPLANATIONS",
    "Explanation",
    "ExplanationContext",
    "ExplanationRule",
    "best_match",
    "explanation_context",
    "explanations",
]

IntArray = NDArray[np.int64]

FITS_FROM: Final = 0.5
_DAY_US: Final = 86_400_000_000
_HOUR_US: Final = 3_600_000_000
# Layers that say how acts lie in time and nothing of their content or their makers.
_TIMED_LAYERS: Final = frozenset(
    ("co_repost", "co_comment", "co_like", "co_follow", "co_message", "co_chat", "co_join")
)
_TALK: Final = frozenset(("comment", "chat_message", "message"))


@dataclass(frozen=True)
class Explanation:
    """One explanation, tried.

    Parameters
    ----------
    id
        Name in the registry.
    score
        Likeness, 0..1.
    detail
        What was seen, one line for people.
    fits
        Whether a person has to weigh it before anything is decided.
    """

    id: str
    score: float
    detail: str
    fits: bool


@dataclass(frozen=True)
class ExplanationRule:
    """One row of the registry: a name and the function that scores it."""

    id: str
    function: Callable[[ExplanationContext], tuple[float, str]]

    @property
    def description(self) -> str:
        """The function's docstring: the user documentation."""
        return (self.function.__doc__ or "").strip()


def _ramp(value: float, zero_at: float, one_at: float) -> float:
    """0 at one end, 1 at the other, straight between; falling if ``one_at`` is the smaller."""
    return float(np.clip((value - zero_at) / (one_at - zero_at), 0.0, 1.0))


def own_pages(context: ExplanationContext) -> tuple[float, str]:
    """One publisher's own pages, or a scheduling tool, that repeat what the pages themselves post.

    Needs both: at least half of the shared acts are on content that members opened; and one client made at
    least 83 % of all acts, or 60 % of the common moments (beyond chance) lie on five-minute marks. Score: the
    lesser of both.

    Evasion: a public scheduler alone does not fit, whatever the number of accounts, because the content must
    be the group's own; a farm that serves customers amplifies content of others. A farm that only repeats its
    own posts through one tool fits, and goes to a person.
    """
    own = float((context.author_member[context.obj] >= 0).mean()) if len(context.obj) else 0.0
    client, same = context.client_share
    tool = max(_ramp(same, 0.7, 0.95), _ramp(context.round_share, 0.4, 0.8))
    score = min(_ramp(own, 0.25, 0.75), tool)
    return score, (
        f"{own:.0%} of the shared acts are on content that members opened; {same:.0%} come from "
        f"{client or 'an unknown client'}; {context.round_share:.0%} of the common moments (beyond chance) "
        "are on five-minute marks"
    )


def brand_matrix(context: ExplanationContext) -> tuple[float, str]:
    """A few openly related accounts behind one planning tool that all take part in nearly everything.

    Needs all of: at most 30 members, on average at least 65 % of them on each main object, and 60 % of the
    common moments (beyond chance) on five-minute marks. Score: the least of the three.

    Evasion: a farm of at most 30 accounts can put its orders on round minutes and send every account every
    time. That is the most conspicuous way to run one (the overlap and every synchronisation metric rise), and
    still goes to a person, who asks whether the accounts say openly to whom they belong.
    """
    few = _ramp(context.n_members, 40, 20)
    together = _ramp(context.participation, 0.5, 0.8)
    clock = _ramp(context.round_share, 0.4, 0.8)
    return min(few, together, clock), (
        f"{context.n_members} members, {context.participation:.0%} of them on each object; "
        f"{context.round_share:.0%} of the common moments (beyond chance) are on five-minute marks"
    )


def news_syndication(context: ExplanationContext) -> tuple[float, str]:
    """Outlets that pass on the same items, each through a pipeline with a delay of its own.

    Needs all of: at least 13 shared objects; delays that follow the account and not the object (own pace);
    a steady delay in each account (standard deviation of the log delay at most 0.6); and at most 70 % of the
    acts on one author's objects. Score: the least of these. Links are told in the detail; they are no
    evidence, because no list of news sites is complete or honest.

    Evasion: members of a farm would each have to keep a steady delay counted from the birth of the content,
    so there is no common moment any more. The operator gives up choosing when to act, and the test of the
    times loses its reason too.
    """
    many = _ramp(context.n_objects, 5, 20)
    own = _ramp(context.pace.own_0_1, 0.4, 0.8)
    steady = _ramp(context.pace.spread, 0.75, 0.45)
    _, share, known = context.top_author
    various = _ramp(share, 0.9, 0.5) if known >= 0.5 else 1.0
    links = float(context.has_link.mean()) if context.n_objects else 0.0
    return min(many, own, steady, various), (
        f"{context.n_objects} objects; {context.pace.own_0_1:.0%} of the pattern of delays is each account's "
        f"own pace, steady within a factor of {np.exp(min(context.pace.spread, 9.0)):.1f}; "
        f"{links:.0%} of the objects are known to carry a link"
    )


def fan_club(context: ExplanationContext) -> tuple[float, str]:
    """Followers of one creator: quick on everything it posts, each at a pace of their own.

    Needs all of: authors known for at least half of the acts on main objects; at least 75 % of those on one
    author's content, on five objects or more; and delays that follow the account and not the object. Score:
    the least of these.

    Evasion: a farm hired by one creator shares the creator but not the pace: its orders make moments common
    to all members. To fit it must let each account keep its own delay habit, without common moments.
    """
    author, share, known = context.top_author
    if known < 0.5:
        return 0.0, "the authors of the objects are not in the data"
    one = _ramp(share, 0.6, 0.9)
    own = _ramp(context.pace.own_0_1, 0.4, 0.8)
    n_objects = int((context.is_main & (context.author == author)).sum())
    several = _ramp(n_objects, 2, 8)
    inside = " (a member)" if author in context.author[context.author_member >= 0] else ""
    return min(one, own, several), (
        f"{share:.0%} of the acts on main objects are on {n_objects} by one author{inside}; "
        f"{context.pace.own_0_1:.0%} of the pattern of delays is each account's own pace"
    )


def giveaway(context: ExplanationContext) -> tuple[float, str]:
    """Strangers who meet on the few objects of a prize draw, and nowhere else.

    Needs all of: at least 20 members; two to five objects that carry at least half of the pairs of members,
    all within 45 days; and members with few shared acts each (median at most six). Score: the least of
    these. Members who also follow the author are told in the detail.

    Evasion: a farm would have to throw its accounts away after a handful of acts. It cannot act often.
    """
    if not context.n_objects:
        return 0.0, "no shared objects"
    size = context.members_on
    pairs = size * (size - 1.0)
    top = np.argsort(-size, kind="stable")[:5]
    share = float(pairs[top].sum() / max(pairs.sum(), 1.0))
    heavy = top[size[top] >= 0.25 * size.max()]
    days = float(np.ptp(context.moment_us[heavy])) / _DAY_US
    per_member = np.bincount(context.member, minlength=context.n_members)
    per_member = per_member[per_member > 0]
    few = _ramp(float(np.median(per_member)), 9, 4)
    score = min(_ramp(share, 0.3, 0.7), _ramp(days, 60, 30), few, _ramp(context.n_members, 10, 30))
    if len(heavy) < 2:
        score = min(score, 0.4)  # one object alone is viral_object
    return score, (
        f"{len(heavy)} objects within {days:.0f} days carry {share:.0%} of the pairs; a member has "
        f"{np.median(per_member):.0f} shared acts; {context.follows_author:.0%} of them follow the author"
    )


def viral_object(context: ExplanationContext) -> tuple[float, str]:
    """One object, or one public hour, that carries most of what the members have in common.

    Score: the larger of the share of member pairs on the first object and the share of shared acts in the
    busiest hour, from 0 at 30 % to 1 at 70 %. The hour counts only as far as non-members on the same objects
    came in that hour too: a goal or a verdict brings everybody.

    Evasion: a farm can hide in one object's crowd, once. Its other objects would have to be few enough not
    to matter; what it does on that one object is not counted against anybody. A farm that acts in one hour on
    many objects does not fit, because the public does not come with it.
    """
    if not context.n_objects:
        return 0.0, "no shared objects"
    pairs = context.members_on * (context.members_on - 1.0)
    top = float(pairs.max() / max(pairs.sum(), 1.0))
    hours, count = np.unique(context.time_us // _HOUR_US, return_counts=True)
    busiest = hours[np.argmax(count)]
    hour = float(count.max() / len(context.time_us))
    public = float((context.outsider_time_us // _HOUR_US == busiest).mean()) if len(context.outsider) else 0.0
    return _ramp(max(top, min(hour, public)), 0.3, 0.7), (
        f"{top:.0%} of the pairs are on one object; {hour:.0%} of the shared acts are in one hour, and "
        f"{public:.0%} of the acts of non-members on the same objects"
    )


def class_or_office_chat(context: ExplanationContext) -> tuple[float, str]:
    """People who meet in one chat at fixed hours of the week, as a class or an office does.

    Needs all of: shared acts in chats; at least 70 % of them in one chat; over two weeks or more; and 60 %
    of them in ten hours of the week (of 168). Score: the lesser of chat and hours.

    Evasion: a chat farm can keep office hours in one chat. It then reaches the people of that one chat only,
    and talking in a chat that it opened itself is never tested in the first place.
    """
    chat = np.array([a in ("chat_message", "chat_join") for a in context.action], bool)
    if not chat.any():
        return 0.0, "no acts in chats"
    place = context.place[context.obj[chat]]
    in_one = float(np.unique(place, return_counts=True)[1].max() / len(context.action))
    time_us = context.time_us[chat]
    weeks = float(np.ptp(time_us)) / (7 * _DAY_US)
    hour_of_week = time_us // _HOUR_US % 168
    busiest = np.sort(np.bincount(hour_of_week, minlength=168))[::-1][:10].sum() / len(time_us)
    if weeks < 2:
        return 0.0, f"{in_one:.0%} of the shared acts are in one chat, over {weeks:.1f} weeks only"
    return min(_ramp(in_one, 0.5, 0.9), _ramp(float(busiest), 0.4, 0.8)), (
        f"{in_one:.0%} of the shared acts are in one chat, {busiest:.0%} of them in ten hours of the week"
    )


def working_group(context: ExplanationContext) -> tuple[float, str]:
    """People who talk with each other on things that they themselves opened, in both directions.

    Needs all of: 75 % of the shared acts are talk (comments, chat, messages); half are on objects that
    members opened (of a chat session: began); more than two members open (effective number 2.25); and
    answering is mutual: where a acted on b's objects, b acted on a's at least a quarter of the times. Score:
    the least of these.

    Evasion: a pod that likes and shares each other's posts does not fit, because likes and shares are no
    talk. Accounts that comment on each other's posts in rotation do fit. Their comments reach nobody but the
    readers of their own posts, and their texts are looked at by other signals.
    """
    if not len(context.obj):
        return 0.0, "no shared objects"
    talk = float(np.mean([a in _TALK for a in context.action]))
    opener = context.author_member[context.obj]
    own = float((opener >= 0).mean())
    other = (opener >= 0) & (opener != context.member)
    n = context.n_members
    directed = np.unique(context.member[other] * n + opener[other])
    mutual = float(np.isin(directed % n * n + directed // n, directed).mean()) if len(directed) else 0.0
    count = np.bincount(opener[opener >= 0], minlength=n)
    p = count[count > 0] / max(count.sum(), 1)
    openers = float(np.exp(-(p * np.log(p)).sum())) if len(p) else 0.0
    score = min(
        _ramp(talk, 0.6, 0.9), _ramp(own, 0.3, 0.7), _ramp(mutual, 0.1, 0.4), _ramp(openers, 1.5, 3.0)
    )
    return score, (
        f"{talk:.0%} of the shared acts are talk, {own:.0%} on what members opened, by {openers:.1f} members "
        f"(effective number); {mutual:.0%} of who answers whom is mutual"
    )


def bridge_account(context: ExplanationContext) -> tuple[float, str]:
    """One relay account brings the objects to the others, who follow at their leisure.

    The relay may be a member or not. Needs all of: it is on at least 55 % of the objects and before at least
    78 % of the members there; and the others come like an audience: a minute or more behind in the median,
    spread widely (standard deviation of the log lag at least 0.75), and at most 60 % of them each time.
    Score: the least of these.

    Evasion: bots that shadow a person seconds after every act do not fit (too close, too regular, too many
    each time), so framing cannot hide behind its victim. A farm that obeys a public lead account with the
    lag, the spread and the apathy of an audience fits; it has lost its speed.
    """
    if context.n_objects < 3:
        return 0.0, "too few shared objects"
    relay, on, before, lag_us = _relay(context)
    if relay == "":
        return 0.0, "no account is on half of the objects"
    if not len(lag_us):
        return 0.0, "nobody follows"
    lag = np.log(np.maximum(lag_us / 1e6, 1.0))
    slow = _ramp(float(np.median(lag)), np.log(30.0), np.log(120.0))
    wide = _ramp(float(lag.std()), 0.5, 1.0)
    apart = _ramp(context.participation, 0.8, 0.4)
    score = min(_ramp(on, 0.4, 0.7), _ramp(before, 0.65, 0.9), slow, wide, apart)
    return score, (
        f"one {relay} is on {on:.0%} of the objects, before {before:.0%} of the members there, whose median "
        f"lag is {np.exp(np.median(lag)):.0f} s; {context.participation:.0%} of them are on each object"
    )


def _relay(context: ExplanationContext) -> tuple[str, float, float, IntArray]:
    """The account on many objects and before most others: kind, coverage, share before, lags behind it."""
    # Members and outsiders in one code space; members first.
    account = np.concatenate([context.member, context.n_members + context.outsider])
    obj = np.concatenate([context.obj, context.outsider_obj])
    time_us = np.concatenate([context.time_us, context.outsider_time_us])
    codes, who = np.unique(account, return_inverse=True)
    on = np.bincount(who)
    candidates = np.flatnonzero(on >= 0.4 * context.n_objects)
    candidates = candidates[np.argsort(-on[candidates], kind="stable")][:200]
    best: tuple[str, float, float, IntArray] = ("", 0.0, 0.0, np.empty(0, np.int64))
    for c in candidates.tolist():
        rows = who == c
        when = np.full(context.n_objects, np.iinfo(np.int64).max)
        when[obj[rows]] = time_us[rows]
        here = (when[context.obj] < np.iinfo(np.int64).max) & (context.member != codes[c])
        lag = context.time_us[here] - when[context.obj[here]]
        if not len(lag):
            continue
        before = float((lag >= 0).mean())
        share = on[c] / context.n_objects
        if min(share, before) > min(best[1], best[2]):
            kind = "member" if codes[c] < context.n_members else "non-member"
            best = kind, float(share), before, lag[lag >= 0]
    return best


def push_notification(context: ExplanationContext) -> tuple[float, str]:
    """One notification that brought people to the objects at the same moments.

    Named for every cluster found by timing alone: nothing in the times of the members tells people whom a
    notification reached from accounts whom an operator sent. The detail gives what speaks for either side:
    how many non-members came within the same windows (a notification reaches others too), and how unequally
    members take part (people skip; orders are carried out). It stops being named when a layer that is not
    about time (same texts, links, profiles, clock) supports the cluster. Score: 0.5 and up to 1 with the
    share of non-members among those who came at the common moments.

    Evasion: none needed, which is why timing alone never leads to more than a person looking.
    """
    timing_alone = set(context.layers) <= _TIMED_LAYERS
    window_us = round(context.window_s * 1e6)
    start = context.moment_us
    at = context.outsider_time_us - start[context.outsider_obj] if len(context.outsider) else np.empty(0)
    n_outside = int(((at >= 0) & (at <= window_us)).sum())
    inside = context.time_us - start[context.obj] <= window_us
    n_inside = int(inside.sum())
    share = n_outside / max(n_outside + n_inside, 1)
    per_member = np.bincount(context.member, minlength=context.n_members)
    uneven = float(per_member.std() / max(per_member.mean(), 1e-9))
    score = (0.5 + 0.5 * _ramp(share, 0.3, 0.8)) if timing_alone else 0.0
    return score, (
        f"of all who came within {context.window_s:g} s of the first member {share:.0%} are non-members; "
        f"members' numbers of acts vary by {uneven:.0%} (coefficient of variation); "
        + (
            "the times cannot tell a common notification from one operator"
            if timing_alone
            else "layers beyond timing support the cluster"
        )
    )


EXPLANATIONS: Final[tuple[ExplanationRule, ...]] = (
    ExplanationRule("own_pages", own_pages),
    ExplanationRule("class_or_office_chat", class_or_office_chat),
    ExplanationRule("working_group", working_group),
    ExplanationRule("fan_club", fan_club),
    ExplanationRule("news_syndication", news_syndication),
    ExplanationRule("brand_matrix", brand_matrix),
    ExplanationRule("viral_object", viral_object),
    ExplanationRule("giveaway", giveaway),
    ExplanationRule("bridge_account", bridge_account),
    ExplanationRule("push_notification", push_notification),
)


def explanations(context: ExplanationContext) -> list[Explanation]:
    """Every explanation of the registry, tried, in its order."""
    result = []
    for rule in EXPLANATIONS:
        score, detail = rule.function(context)
        result.append(Explanation(rule.id, score, detail, score >= FITS_FROM))
    return result


def best_match(tried: list[Explanation]) -> str:
    """Id of the fitting explanation of the highest score, "" if none fits.

    ``push_notification`` is named only where nothing else fits: it is what is left, not what was seen.
    """
    fitting = [e for e in tried if e.fits]
    specific = [e for e in fitting if e.id != "push_notification"]
    ranked = specific or fitting
    return max(ranked, key=lambda e: e.score).id if ranked else ""
