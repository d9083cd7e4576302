"""What can be planted: farms, and groups that look like farms and are not.

Each specification is plain data. :mod:`graphscan.simulate.planting` turns it into events inside a background.
Delays are counted from the birth of the object acted on: its ``post`` event, or the first act on it where
the post is not among the events; in chats, the start of the session.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, TypeAlias

Action: TypeAlias = Literal[
    "repost", "comment", "like", "chat_message", "chat_join", "message", "follow", "post"
]
JitterKind: TypeAlias = Literal["uniform", "normal", "exponential"]
TextKind: TypeAlias = Literal["organic", "near_duplicate", "identical", "none"]


@dataclass(frozen=True)
class FarmSpec:
    """Accounts under one operator, who gives orders.

    The campaign has ``n_objects`` objects. For each the operator gives an order at a random time after its
    birth, and each member acts on its own random ``n_shared`` of them, at the order's time plus jitter.

    Parameters
    ----------
    n_accounts, n_shared, n_objects
        "20 of 40" is ``n_shared=20, n_objects=40``.
    jitter_s
        Spread of the members' acts after the order: ``uniform`` on [0, jitter_s]; ``normal`` with mean
        jitter_s / 2 and standard deviation jitter_s / 4, cut at 0; ``exponential`` with mean jitter_s / 2.
    camouflage_0_1
        Share of each member's acts that look organic: on other objects of the background, with delays
        that its accounts have there. At least 0, below 1.
    action
        What members do. ``post`` plants new posts that share a link, tags or a text; ``message`` and
        ``follow`` have accounts as objects, and orders follow the target's first event.
    order_median_s, order_sigma
        The order's delay is lognormal, cut to [30 s, 7 days]. In chats it is uniform inside the session.
    span_days
        Objects are born within one stretch of this length, or a longer one if too few are.
    fresh_share_0_1
        Share of the objects that nobody else acted on: posted by an account of the farm's own.
    text, with_url, with_hashtags
        What ``post`` and text-bearing actions carry.
    label
        Label of the members.
    """

    n_accounts: int = 30
    n_shared: int = 20
    n_objects: int = 40
    jitter_s: float = 180.0
    camouflage_0_1: float = 0.0
    action: Action = "repost"
    jitter_kind: JitterKind = "uniform"
    order_median_s: float = 7_200.0
    order_sigma: float = 1.4
    span_days: float = 90.0
    fresh_share_0_1: float = 0.0
    text: TextKind = "organic"
    with_url: bool = False
    with_hashtags: bool = False
    label: str = "automated"
    archetype: str = "farm"


@dataclass(frozen=True)
class NullGroupSpec:
    """Accounts with the same objects as a farm, each with its own habit of delay: no common offset."""

    n_accounts: int = 30
    n_shared: int = 20
    n_objects: int = 40
    action: Action = "repost"
    span_days: float = 90.0
    camouflage_0_1: float = 0.0
    archetype: str = "null_group"


@dataclass(frozen=True)
class FanClubSpec:
    """Accounts that act quickly on nearly everything of one creator, each with its own delay habit.

    Parameters
    ----------
    share_0_1
        Mean share of the creator's objects that a fan acts on; each fan has its own within ± 0.1.
    fastest_s, slowest_s
        The median delays of the fans are log-uniform between these.
    """

    n_accounts: int = 40
    n_objects: int = 40
    share_0_1: float = 0.85
    fastest_s: float = 15.0
    slowest_s: float = 3_600.0
    action: Action = "repost"
    span_days: float = 90.0
    camouflage_0_1: float = 0.3
    archetype: str = "fan_club"


@dataclass(frozen=True)
class SyndicationSpec:
    """News outlets that share the same items, each through a pipeline with its own delay and period."""

    n_accounts: int = 15
    n_objects: int = 60
    share_0_1: float = 0.8
    action: Action = "repost"
    span_days: float = 60.0
    camouflage_0_1: float = 0.1
    archetype: str = "syndication"


@dataclass(frozen=True)
class PushSpec:
    """People whom one notification, sent some time after the object's birth, brings to it.

    Nothing in the times tells them from an operator's farm with exponential jitter.
    """

    n_accounts: int = 40
    n_objects: int = 40
    share_0_1: float = 0.5
    latency_s: float = 120.0
    order_median_s: float = 3_600.0
    action: Action = "repost"
    span_days: float = 90.0
    camouflage_0_1: float = 0.3
    archetype: str = "push"


@dataclass(frozen=True)
class ViralSpec:
    """One object that very many accounts share within minutes."""

    n_accounts: int = 2_000
    duration_s: float = 1_200.0
    action: Action = "repost"
    n_organic: int = 3
    archetype: str = "viral"


@dataclass(frozen=True)
class ClassChatSpec:
    """People who meet in one chat at fixed hours, as a class or an office does."""

    n_accounts: int = 20
    n_weeks: int = 10
    meetings_per_week: int = 3
    duration_s: float = 3_600.0
    messages_per_meeting: float = 4.0
    archetype: str = "class_chat"


@dataclass(frozen=True)
class GiveawaySpec:
    """Strangers who act on the few objects of a prize draw, soon after it opens or before it closes."""

    n_accounts: int = 200
    n_objects: int = 3
    action: Action = "repost"
    n_organic: int = 4
    archetype: str = "giveaway"


@dataclass(frozen=True)
class BrandMatrixSpec:
    """A publisher's own pages behind one scheduling tool: coordinated, open, and legitimate."""

    n_accounts: int = 8
    n_objects: int = 50
    share_0_1: float = 0.9
    spread_s: float = 20.0
    action: Action = "repost"
    span_days: float = 60.0
    camouflage_0_1: float = 0.3
    archetype: str = "brand_matrix"


@dataclass(frozen=True)
class FramingSpec:
    """Bots that act seconds after everything one human does, to make the human look like their leader.

    Parameters
    ----------
    victim
        ``new`` plants a human with organic acts; ``background`` takes an active account of the background.
    n_victim_events
        Acts of a new victim; of a background victim the least number.
    victim_id
        The background account to frame; empty to take a random one. Its posts and its acts of ``action``
        are followed.
    """

    n_accounts: int = 50
    share_0_1: float = 0.9
    fastest_s: float = 2.0
    slowest_s: float = 20.0
    n_victim_events: int = 60
    victim: Literal["new", "background"] = "new"
    victim_id: str = ""
    action: Action = "repost"
    archetype: str = "framing_bot"


@dataclass(frozen=True)
class BridgeSpec:
    """A human who relays what a few accounts share to another community, some time after them."""

    n_sources: int = 2
    share_0_1: float = 0.6
    lag_median_s: float = 900.0
    n_most: int = 400
    action: Action = "repost"
    archetype: str = "bridge"


Spec: TypeAlias = (
    FarmSpec
    | NullGroupSpec
    | FanClubSpec
    | SyndicationSpec
    | PushSpec
    | ViralSpec
    | ClassChatSpec
    | GiveawaySpec
    | BrandMatrixSpec
    | FramingSpec
    | BridgeSpec
)
