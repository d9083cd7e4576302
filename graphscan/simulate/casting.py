"""Who plays in a world of a given size: automated accounts, farms and look-alikes."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np

from graphscan.simulate.campaigns import (
    Action,
    BrandMatrixSpec,
    BridgeSpec,
    ClassChatSpec,
    FanClubSpec,
    FarmSpec,
    FramingSpec,
    GiveawaySpec,
    NullGroupSpec,
    PushSpec,
    Spec,
    SyndicationSpec,
    ViralSpec,
)
from graphscan.simulate.drafts import Int64

if TYPE_CHECKING:
    from graphscan.simulate.worlds import Mix

_FARM_ACTIONS: Final[tuple[Action, ...]] = ("repost", "comment", "like")
_SHARING: Final = ((20, 40), (8, 40), (20, 40), (20, 40), (8, 40), (5, 200))
_JITTERS_S: Final = (60.0, 10.0, 600.0, 180.0, 1_800.0, 30.0)
_CAMOUFLAGES: Final = (0.0, 0.2, 0.4, 0.1, 0.6)
# Share of the events of a campaign that survive sleep and the world's end.
_KEPT: Final = 0.8


@dataclass(frozen=True)
class Cast:
    """Events of each automated account by kind, and the campaigns.

    Attributes
    ----------
    heartbeat, reactive, ai_managed, farm_hosted
        Planned events of each account's own life, one entry an account.
    specs
        Campaigns, in the order they are planted.
    n_campaign_events
        About how many events the campaigns add.
    """

    heartbeat: Int64
    reactive: Int64
    ai_managed: Int64
    farm_hosted: Int64
    specs: list[Spec]
    n_campaign_events: int


def cast_of(n_events: int, mix: Mix, rng: np.random.Generator) -> Cast:
    """The cast of a world of ``n_events``.

    Small worlds get few and small groups, large ones many of all sizes, so that the shares hold from ten
    thousand events to ten million.
    """
    specs: list[Spec] = []
    planned = 0.0
    farms, n_members, n_farm_events = _farms(n_events, mix.farms_0_1, rng)
    specs.extend(farms)
    planned += n_farm_events
    for made, count in (
        _framings(n_events * mix.framing_0_1),
        _benign(n_events, mix.benign_0_1),
        _pushes(n_events * mix.push_0_1),
    ):
        specs.extend(made)
        planned += count
    return Cast(
        heartbeat=_volumes(n_events * mix.heartbeat_0_1, n_events, rng),
        reactive=_volumes(n_events * mix.reactive_0_1, n_events, rng),
        ai_managed=_volumes(n_events * mix.ai_managed_0_1, n_events, rng),
        farm_hosted=_life_sizes(n_members, n_events, rng),
        specs=specs,
        n_campaign_events=round(planned),
    )


def _volumes(total: float, n_events: int, rng: np.random.Generator) -> Int64:
    """Events of each account of one kind: mostly 100 to 300, some short-lived ones, some busy ones."""
    if total < 40:
        return np.zeros(0, dtype=np.int64)
    most = 120 if n_events < 50_000 else 900
    sizes: list[int] = []
    while sum(sizes) < total:
        sizes.append(int(np.clip(rng.lognormal(np.log(150.0), 0.6), 35, most)))
    return np.array(sizes, dtype=np.int64)


def _life_sizes(n_members: int, n_events: int, rng: np.random.Generator) -> Int64:
    middle, most = (45.0, 90) if n_events < 50_000 else (120.0, 500)
    return np.clip(rng.lognormal(np.log(middle), 0.35, n_members), 30, most).astype(np.int64)


def _farms(n_events: int, share_0_1: float, rng: np.random.Generator) -> tuple[list[Spec], int, float]:
    """Farms of 10, 30 and 100, rings in chats, rings that post and follow, within the budget."""
    budget = n_events * share_0_1
    specs: list[Spec] = []
    members, campaign, spent = 0, 0.0, 0.0
    life = 45.0 if n_events < 50_000 else 120.0
    if budget < 100:
        return specs, 0, 0.0
    number = 0
    while spent < budget and number < 10_000:
        spec = _farm(number, n_events)
        acts = spec.n_shared / (1 - spec.camouflage_0_1)
        if number > 0 and spent + spec.n_accounts * (acts + life) > budget * 1.25 and spec.n_accounts > 6:
            spec = _smaller(spec, (budget - spent) / (acts + life))
            if spec.n_accounts < 6:
                break
        specs.append(spec)
        members += spec.n_accounts
        campaign += spec.n_accounts * acts
        spent += spec.n_accounts * (acts + life)
        number += 1
    return specs, members, campaign


def _farm(number: int, n_events: int) -> FarmSpec:
    small = n_events < 50_000
    n_shared, n_objects = _SHARING[number % len(_SHARING)]
    if small:
        n_shared, n_objects = min(n_shared, 12), min(n_objects, 24)
    sizes = (10, 30, 10, 12, 100, 10, 30)
    if n_events < 400_000:
        sizes = (7,) * 7 if small else (10, 16, 8, 8, 8, 8, 10)
    size = sizes[number % 7]
    jitter_s, camouflage = _JITTERS_S[number % len(_JITTERS_S)], _CAMOUFLAGES[number % len(_CAMOUFLAGES)]
    kind = number % 8
    if kind == 2:
        return FarmSpec(
            min(size, 30),
            n_shared,
            n_objects,
            min(jitter_s, 120.0),
            camouflage,
            "chat_message",
            archetype="chat_ring",
        )
    if kind == 4:
        return FarmSpec(
            min(size, 30),
            n_shared,
            n_objects,
            jitter_s,
            camouflage,
            "post",
            text="near_duplicate",
            with_url=True,
            with_hashtags=True,
            archetype="post_ring",
        )
    if kind == 6:
        return FarmSpec(size, n_shared, n_objects, jitter_s, camouflage, "follow", archetype="follow_ring")
    return FarmSpec(
        size,
        n_shared,
        n_objects,
        jitter_s,
        camouflage,
        _FARM_ACTIONS[number % 3],
        ("uniform", "exponential", "normal")[(number // 3) % 3],
    )


def _smaller(spec: FarmSpec, n_accounts: float) -> FarmSpec:
    from dataclasses import replace

    return replace(spec, n_accounts=int(n_accounts))


def _framings(budget: float) -> tuple[list[Spec], float]:
    """Framings of 50 bots where there is room, of fewer in small worlds."""
    specs: list[Spec] = []
    if budget < 60:
        return specs, 0.0
    spent = 0.0
    while spent < budget * 0.7 and len(specs) < 200:
        n_bots = int(np.clip(budget / 40, 8, 50))
        specs.append(FramingSpec(n_bots, victim="background", action=("repost", "comment")[len(specs) % 2]))
        # A lively victim has about 45 posts and shares.
        spent += n_bots * 40.0
    return specs, spent


def _benign(n_events: int, share_0_1: float) -> tuple[list[Spec], float]:
    budget = n_events * share_0_1
    specs: list[Spec] = []
    if budget < 200:
        return specs, 0.0
    size = float(np.clip(n_events / 100_000, 0.12, 1.0))

    def about(n: int) -> int:
        return max(4, round(n * size))

    viral = round(float(np.clip(n_events * 0.006, 60, 20_000)))
    makers: list[Callable[[Action], Spec]] = [
        lambda a: FanClubSpec(about(40), about(36), action=a, camouflage_0_1=0.0),
        lambda a: SyndicationSpec(about(14), about(40), action=a),
        lambda a: ClassChatSpec(about(20), n_weeks=max(4, about(8))),
        lambda a: GiveawaySpec(about(110), 2, action=a, n_organic=0),
        lambda a: BrandMatrixSpec(max(4, about(6)), about(40), action=a),
        lambda a: BridgeSpec(action=a, n_most=about(120)),
        lambda a: NullGroupSpec(about(30), about(16), about(36), action=a),
        lambda a: FanClubSpec(about(100), about(30), 0.9, 5.0, 300.0, action=a, camouflage_0_1=0.0),
    ]
    specs.append(ViralSpec(viral, action="repost", n_organic=0))
    spent = _expected(specs[0])
    number = 0
    while spent < budget and number < 4_000:
        action: Action = _FARM_ACTIONS[(number // len(makers) + number) % 3]
        spec = makers[number % len(makers)](action)
        if spent + _expected(spec) <= budget * 1.2 or number < len(makers):
            specs.append(spec)
            spent += _expected(spec)
        number += 1
    return specs, spent


def _expected(spec: Spec) -> float:
    if isinstance(spec, ViralSpec):
        return spec.n_accounts * _KEPT
    if isinstance(spec, GiveawaySpec):
        return spec.n_accounts * (1 + 0.35 * (spec.n_objects - 1)) * _KEPT
    if isinstance(spec, ClassChatSpec):
        return (
            spec.n_accounts * spec.n_weeks * spec.meetings_per_week * 0.78 * spec.messages_per_meeting * 0.6
        )
    if isinstance(spec, NullGroupSpec):
        return spec.n_accounts * spec.n_shared * 0.7
    if isinstance(spec, BridgeSpec):
        return spec.n_most * 0.5
    if isinstance(spec, FanClubSpec | PushSpec):
        return spec.n_accounts * spec.n_objects * spec.share_0_1 * 0.7
    if isinstance(spec, SyndicationSpec | BrandMatrixSpec):
        return spec.n_accounts * spec.n_objects * spec.share_0_1 / (1 - spec.camouflage_0_1)
    return 0.0


def _pushes(budget: float) -> tuple[list[Spec], float]:
    specs: list[Spec] = []
    if budget < 50:
        return specs, 0.0
    spent = 0.0
    while spent < budget * 0.8 and len(specs) < 500:
        spec = PushSpec(30, 40, 0.5, camouflage_0_1=0.0, action=_FARM_ACTIONS[len(specs) % 3])
        if budget < 400:
            spec = PushSpec(8, 16, 0.6, camouflage_0_1=0.0)
        specs.append(spec)
        spent += _expected(spec)
    return specs, spent
