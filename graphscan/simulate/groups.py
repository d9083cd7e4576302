"""From a specification to the acts of a campaign: who, on what, when."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any, Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from graphscan.errors import EXIT_USAGE, GraphscanError
from graphscan.simulate import campaigns as spec_types
from graphscan.simulate.acts import (
    ACCOUNT_OBJECTS,
    CAMOUFLAGE,
    CAMPAIGN,
    DAY_US,
    ORGANIC,
    Acts,
    Float64,
    about_share,
    acts_on_units,
    chosen_units,
    habit_delays_us,
    inside_sessions,
    jitter_us,
    k_of_n,
    layer_of,
    n_camouflage,
    order_delays_us,
    organic_acts,
    window_of,
)
from graphscan.simulate.background import Background, Int64, Layer
from graphscan.simulate.identifiers import lookalike_ids


@dataclass(frozen=True)
class Group:
    """A planted campaign: its acts, who its members are, and what is to be told of them.

    ``archetypes``, ``labels`` and ``coordinated`` have one entry a member. A framed victim is one of the
    members (``framed_member``) or an account of the background (``framed_account``, its code); else -1.
    """

    acts: list[Acts]
    archetypes: list[str]
    labels: list[str]
    coordinated: list[bool]
    spec: spec_types.Spec
    text: str = "organic"
    with_url: bool = False
    with_hashtags: bool = False
    framed_member: int = -1
    framed_account: int = -1
    declared: bool = False


def group_of(spec: spec_types.Spec, background: Background, rng: np.random.Generator) -> Group:
    """The acts that a specification calls for.

    Raises
    ------
    GraphscanError
        Exit 2 if the specification contradicts itself; exit 3 if the background has nothing to act on.
    """
    _checked(spec)
    return _MAKERS[type(spec)](spec, background, rng)


def _checked(spec: spec_types.Spec) -> None:
    faults = []
    if getattr(spec, "n_accounts", 1) < 1:
        faults.append("n_accounts must be at least 1")
    if getattr(spec, "n_shared", 0) > getattr(spec, "n_objects", 0):
        faults.append("n_shared must not exceed n_objects")
    if not 0 <= getattr(spec, "camouflage_0_1", 0.0) < 1:
        faults.append("camouflage_0_1 must be at least 0 and below 1")
    if getattr(spec, "jitter_s", 0.0) < 0:
        faults.append("jitter_s must not be negative")
    if faults:
        raise GraphscanError(
            "; ".join(faults), f"{type(spec).__name__}", "mend the specification", EXIT_USAGE
        )


def _with_camouflage(
    layer: Layer,
    action: str,
    campaign: Acts,
    units: Int64,
    n_members: int,
    camouflage_0_1: float,
    rng: np.random.Generator,
) -> list[Acts]:
    counts = n_camouflage(np.bincount(campaign.member, minlength=n_members), camouflage_0_1)
    organic = organic_acts(layer, action, counts, window_of(layer, units), units, rng)
    return [campaign, organic] if len(organic) else [campaign]


def _uniform_group(spec: Any, acts: list[Acts], label: str, *, coordinated: bool, **more: Any) -> Group:
    n = spec.n_accounts
    return Group(acts, [spec.archetype] * n, [label] * n, [coordinated] * n, spec, **more)


def _farm(spec: spec_types.FarmSpec, background: Background, rng: np.random.Generator) -> Group:
    if spec.action == "post":
        return _posting_farm(spec, background, rng)
    layer = layer_of(background, spec.action)
    n_fresh = round(spec.n_objects * spec.fresh_share_0_1)
    units = chosen_units(layer, spec.n_objects, spec.span_days, max(60.0, spec.jitter_s * 1.25), rng)
    delays = order_delays_us(layer, units, spec.order_median_s, spec.order_sigma, spec.jitter_s, rng)
    order = background.on_clock(layer.birth_us[units] + delays)
    member, place = k_of_n(spec.n_accounts, spec.n_shared, spec.n_objects, rng)
    time_us = order[place] + jitter_us(spec.jitter_kind, spec.jitter_s, len(member), rng)
    campaign = acts_on_units(
        layer,
        spec.action,
        member,
        units[place],
        time_us,
        role=CAMPAIGN,
        campaign_object=place,
        order_us=order[place],
    )
    archetypes, labels = [spec.archetype] * spec.n_accounts, [spec.label] * spec.n_accounts
    acts = _with_camouflage(layer, spec.action, campaign, units, spec.n_accounts, spec.camouflage_0_1, rng)
    if n_fresh and not layer.is_chat and spec.action not in ACCOUNT_OBJECTS:
        fresh = rng.permutation(spec.n_objects)[:n_fresh]
        acts[0], seeds = _on_fresh_objects(campaign, fresh, layer, units, spec.n_accounts, background, rng)
        acts.append(seeds)
        archetypes.append("farm_seeder")
        labels.append(spec.label)
    return Group(acts, archetypes, labels, [True] * len(archetypes), spec, text=spec.text)


def _on_fresh_objects(
    campaign: Acts,
    fresh: Int64,
    layer: Layer,
    units: Int64,
    seeder: int,
    background: Background,
    rng: np.random.Generator,
) -> tuple[Acts, Acts]:
    """The campaign with some of its objects replaced by new ones, and the seeder's acts that bear them.

    Where the background shows posts, the seeder posts the object; otherwise its share is the first one.
    """
    names = lookalike_ids(background.object_ids, background.object_ids, len(fresh), rng)
    by_place = dict(zip(fresh.tolist(), names, strict=True))
    old = campaign.object_id.to_pylist()
    object_id = [
        by_place.get(p, name) for p, name in zip(campaign.campaign_object.tolist(), old, strict=True)
    ]
    is_fresh = np.isin(campaign.campaign_object, fresh)
    host = np.where(is_fresh, -1, campaign.host_row)
    n = len(fresh)
    minus = np.full(n, -1, dtype=np.int64)
    seeds = Acts(
        member=np.full(n, seeder, dtype=np.int64),
        object_id=pa.array(names, pa.string()),
        time_us=layer.birth_us[units[fresh]],
        campaign_object=fresh.astype(np.int64),
        order_us=minus,
        role=np.full(n, ORGANIC, dtype=np.int64),
        host_row=minus,
        action="post" if "post" in background.actions else campaign.action,
        payload=minus,
    )
    return replace(campaign, object_id=pa.array(object_id, pa.string()), host_row=host), seeds


def _posting_farm(spec: spec_types.FarmSpec, background: Background, rng: np.random.Generator) -> Group:
    span = min(int(spec.span_days * DAY_US), background.last_us - background.first_us)
    begin = background.first_us + int(rng.random() * (background.last_us - background.first_us - span))
    order = background.on_clock(np.sort(begin + (rng.random(spec.n_objects) * span).astype(np.int64)))
    member, place = k_of_n(spec.n_accounts, spec.n_shared, spec.n_objects, rng)
    time_us = order[place] + jitter_us(spec.jitter_kind, spec.jitter_s, len(member), rng)
    campaign = _posts(member, time_us, CAMPAIGN, place, order[place])
    counts = n_camouflage(np.full(spec.n_accounts, spec.n_shared), spec.camouflage_0_1)
    acts = [campaign]
    total = int(counts.sum())
    if total:
        extra = np.repeat(np.arange(spec.n_accounts), counts)
        posts = background.rows_of("post")
        posts = posts if len(posts) else np.arange(len(background.times_us))
        near = posts[(background.times_us[posts] >= begin) & (background.times_us[posts] <= begin + span)]
        near = near if len(near) else posts
        base = background.times_us[near[rng.integers(len(near), size=total)]]
        when = base + rng.integers(-1_800_000_000, 1_800_000_000, size=total)
        minus = np.full(total, -1, dtype=np.int64)
        acts.append(_posts(extra, when, CAMOUFLAGE, minus, minus))
    return _uniform_group(
        spec,
        acts,
        spec.label,
        coordinated=True,
        text=spec.text,
        with_url=spec.with_url,
        with_hashtags=spec.with_hashtags,
    )


def _posts(member: Int64, time_us: Int64, role: int, place: Int64, order_us: Int64) -> Acts:
    n = len(member)
    return Acts(
        member=member,
        object_id=pa.nulls(n, pa.string()),
        time_us=time_us,
        campaign_object=place,
        order_us=order_us,
        role=np.full(n, role, dtype=np.int64),
        host_row=np.full(n, -1, dtype=np.int64),
        action="post",
        payload=place,
    )


def _habit_group(
    spec: Any,
    background: Background,
    rng: np.random.Generator,
    pairs: tuple[Int64, Int64],
    median_s: Float64,
    sigma: Float64,
    *,
    room_s: float,
    label: str = "human",
    units: Int64 | None = None,
) -> Group:
    """Members who share objects, each with its own habit of delay."""
    layer = layer_of(background, spec.action)
    if units is None:
        units = chosen_units(layer, spec.n_objects, spec.span_days, room_s, rng)
    member, place = pairs
    time_us = layer.birth_us[units[place]] + habit_delays_us(
        layer, units[place], median_s[member], sigma[member], rng
    )
    campaign = acts_on_units(
        layer, spec.action, member, units[place], time_us, role=CAMPAIGN, campaign_object=place
    )
    acts = _with_camouflage(layer, spec.action, campaign, units, spec.n_accounts, spec.camouflage_0_1, rng)
    return _uniform_group(spec, acts, label, coordinated=False)


def _null_group(spec: spec_types.NullGroupSpec, background: Background, rng: np.random.Generator) -> Group:
    n = spec.n_accounts
    median = np.exp(rng.uniform(np.log(120.0), np.log(86_400.0), n))
    pairs = k_of_n(n, spec.n_shared, spec.n_objects, rng)
    return _habit_group(spec, background, rng, pairs, median, rng.uniform(0.7, 1.5, n), room_s=1_800.0)


def _fan_club(spec: spec_types.FanClubSpec, background: Background, rng: np.random.Generator) -> Group:
    n = spec.n_accounts
    median = np.exp(rng.uniform(np.log(spec.fastest_s), np.log(spec.slowest_s), n))
    pairs = about_share(n, spec.n_objects, spec.share_0_1, rng)
    units = _creator_units(spec, background, rng)
    return _habit_group(
        spec, background, rng, pairs, median, rng.uniform(0.5, 1.1, n), room_s=1_800.0, units=units
    )


def _creator_units(
    spec: spec_types.FanClubSpec, background: Background, rng: np.random.Generator
) -> Int64 | None:
    """Units posted by one account that has enough of them, if the background shows who posts."""
    layer = layer_of(background, spec.action)
    if layer.is_chat or spec.action in ACCOUNT_OBJECTS or not layer.birth_known.any():
        return None
    of_unit = np.where(layer.birth_known, background.author[layer.object_code], -1)
    counts = np.bincount(of_unit[of_unit >= 0], minlength=len(background.account_ids))
    fit = np.flatnonzero(counts >= spec.n_objects)
    if not len(fit):
        return None
    mine = np.flatnonzero(of_unit == fit[rng.integers(len(fit))])
    first = int(rng.integers(len(mine) - spec.n_objects + 1))
    return mine[np.argsort(layer.birth_us[mine], kind="stable")][first : first + spec.n_objects]


def _syndication(spec: spec_types.SyndicationSpec, background: Background, rng: np.random.Generator) -> Group:
    layer = layer_of(background, spec.action)
    n = spec.n_accounts
    units = chosen_units(layer, spec.n_objects, spec.span_days, 3_600.0, rng)
    member, place = about_share(n, spec.n_objects, spec.share_0_1, rng)
    fixed = rng.lognormal(np.log(600.0), 1.0, n)
    poll = rng.choice([60.0, 300.0, 600.0, 900.0, 1_800.0], n)
    delay = ((fixed[member] + rng.random(len(member)) * poll[member]) * 1e6).astype(np.int64)
    delay = inside_sessions(layer, units[place], delay, rng)
    campaign = acts_on_units(
        layer,
        spec.action,
        member,
        units[place],
        layer.birth_us[units[place]] + delay,
        role=CAMPAIGN,
        campaign_object=place,
    )
    acts = _with_camouflage(layer, spec.action, campaign, units, n, spec.camouflage_0_1, rng)
    return _uniform_group(spec, acts, "automated", coordinated=False, declared=True)


def _ordered_group(
    spec: Any,
    background: Background,
    rng: np.random.Generator,
    order_median_s: float,
    spread_us: Callable[[int], Int64],
    *,
    coordinated: bool,
    grid_us: int = 1,
    **more: Any,
) -> Group:
    """Members who act on about ``share_0_1`` of the objects, each time soon after one common moment."""
    layer = layer_of(background, spec.action)
    units = chosen_units(layer, spec.n_objects, spec.span_days, 1_800.0, rng)
    order = layer.birth_us[units] + order_delays_us(layer, units, order_median_s, 1.0, 300.0, rng)
    order = background.on_clock(-(-order // grid_us) * grid_us)
    member, place = about_share(spec.n_accounts, spec.n_objects, spec.share_0_1, rng)
    campaign = acts_on_units(
        layer,
        spec.action,
        member,
        units[place],
        order[place] + spread_us(len(member)),
        role=CAMPAIGN,
        campaign_object=place,
        order_us=order[place],
    )
    acts = _with_camouflage(layer, spec.action, campaign, units, spec.n_accounts, spec.camouflage_0_1, rng)
    return _uniform_group(spec, acts, "human", coordinated=coordinated, **more)


def _push(spec: spec_types.PushSpec, background: Background, rng: np.random.Generator) -> Group:
    def spread(n: int) -> Int64:
        return (rng.exponential(spec.latency_s, n) * 1e6).astype(np.int64)

    return _ordered_group(spec, background, rng, spec.order_median_s, spread, coordinated=False)


def _brand_matrix(
    spec: spec_types.BrandMatrixSpec, background: Background, rng: np.random.Generator
) -> Group:
    def spread(n: int) -> Int64:
        return (rng.uniform(0.0, spec.spread_s, n) * 1e6).astype(np.int64)

    return _ordered_group(
        spec, background, rng, 7_200.0, spread, coordinated=True, grid_us=300_000_000, declared=True
    )


def _crowd(
    spec: Any,
    layer: Layer,
    units: Int64,
    delay_us: Int64,
    pairs: tuple[Int64, Int64],
    rng: np.random.Generator,
) -> Group:
    """Strangers brought together by a few objects, with a little organic life each."""
    member, place = pairs
    acts = [
        acts_on_units(
            layer,
            spec.action,
            member,
            units[place],
            layer.birth_us[units[place]] + delay_us,
            role=CAMPAIGN,
            campaign_object=place,
        )
    ]
    counts = rng.poisson(spec.n_organic, spec.n_accounts)
    organic = organic_acts(layer, spec.action, counts, window_of(layer, units), units, rng, role=ORGANIC)
    if len(organic):
        acts.append(organic)
    return _uniform_group(spec, acts, "human", coordinated=False)


def _viral(spec: spec_types.ViralSpec, background: Background, rng: np.random.Generator) -> Group:
    layer = layer_of(background, spec.action)
    units = chosen_units(layer, 1, 365.0, spec.duration_s, rng)
    n = spec.n_accounts
    delay = (rng.gamma(2.0, spec.duration_s / 4, n) * 1e6).astype(np.int64) + 1_000_000
    pairs = np.arange(n), np.zeros(n, dtype=np.int64)
    return _crowd(spec, layer, units, delay, pairs, rng)


def _giveaway(spec: spec_types.GiveawaySpec, background: Background, rng: np.random.Generator) -> Group:
    layer = layer_of(background, spec.action)
    units = chosen_units(layer, spec.n_objects, 14.0, 1_800.0, rng)
    takes = rng.random((spec.n_accounts, spec.n_objects)) < 0.35
    takes[np.arange(spec.n_accounts), rng.integers(spec.n_objects, size=spec.n_accounts)] = True
    member, place = np.nonzero(takes)
    soon = rng.exponential(4 * 3_600.0, len(member))
    late = np.maximum(2 * 86_400.0 - rng.exponential(2 * 3_600.0, len(member)), 60.0)
    delay = (np.where(rng.random(len(member)) < 0.7, soon, late) * 1e6).astype(np.int64) + 1_000_000
    delay = inside_sessions(layer, units[place], delay, rng)
    return _crowd(spec, layer, units, delay, (member, place), rng)


def _class_chat(spec: spec_types.ClassChatSpec, background: Background, rng: np.random.Generator) -> Group:
    n = spec.n_accounts
    chat = lookalike_ids(background.object_ids, background.object_ids, 1, rng)[0]
    weeks = min(spec.n_weeks, max(1, (background.last_us - background.first_us) // (7 * DAY_US)))
    last = background.last_us - weeks * 7 * DAY_US
    first = background.first_us + int(rng.random() * max(last - background.first_us, 0))
    monday = (first // DAY_US - (first // DAY_US + 3) % 7) * DAY_US
    days = rng.choice(5, min(spec.meetings_per_week, 5), replace=False)
    hour_us = int(rng.integers(8, 17)) * 3_600_000_000
    meetings = monday + (np.arange(weeks)[:, None] * 7 + np.sort(days)[None, :]).ravel() * DAY_US + hour_us
    present = rng.random((n, len(meetings))) < rng.uniform(0.6, 0.95, n)[:, None]
    counts = np.where(present, rng.poisson(spec.messages_per_meeting, present.shape), 0).ravel()
    member = np.repeat(np.repeat(np.arange(n), len(meetings)), counts)
    place = np.repeat(np.tile(np.arange(len(meetings)), n), counts)
    offset = rng.beta(1.1, 1.4, len(member)) * spec.duration_s * 1e6
    minus = np.full(len(member), -1, dtype=np.int64)
    acts = Acts(
        member=member,
        object_id=pa.array([chat] * len(member), pa.string()),
        time_us=meetings[place] + offset.astype(np.int64),
        campaign_object=place,
        order_us=minus,
        role=np.full(len(member), CAMPAIGN, dtype=np.int64),
        host_row=minus,
        action="chat_message",
        payload=minus,
    )
    return _uniform_group(spec, [acts], "human", coordinated=False)


def _framing(spec: spec_types.FramingSpec, background: Background, rng: np.random.Generator) -> Group:
    n = spec.n_accounts
    if spec.victim == "background":
        framed = _victim(spec, background, rng)
        rows = background.rows_of("post", spec.action)
        rows = rows[background.account[rows] == framed]
        objects = background.object_ids.take(pa.array(background.object[rows]))
        campaign = _shadows(spec, objects, background.times_us[rows], rows, rng)
        return _uniform_group(spec, [campaign], "automated", coordinated=True, framed_account=framed)
    layer = layer_of(background, spec.action)
    anchor = chosen_units(layer, max(1, min(20, len(layer.birth_us) // 4)), 90.0, 60.0, rng)
    own = organic_acts(
        layer,
        spec.action,
        np.array([spec.n_victim_events]),
        window_of(layer, anchor),
        np.zeros(0, dtype=np.int64),
        rng,
        role=ORGANIC,
    )
    own = replace(own, member=np.full(len(own), n, dtype=np.int64))
    campaign = _shadows(spec, own.object_id, background.on_clock(own.time_us), own.host_row, rng)
    return Group(
        [campaign, own],
        [spec.archetype] * n + ["framing_victim"],
        ["automated"] * n + ["human"],
        [True] * n + [False],
        spec,
        framed_member=n,
    )


def _victim(spec: spec_types.FramingSpec, background: Background, rng: np.random.Generator) -> int:
    """Code of the background account to frame."""
    if spec.victim_id:
        found = pc.index(background.account_ids, spec.victim_id).as_py()
        if found < 0:
            raise GraphscanError(
                f"the background has no account {spec.victim_id!r}",
                "FramingSpec, victim_id",
                "name an account of the background, or leave victim_id empty",
                EXIT_USAGE,
            )
        return int(found)
    rows = background.rows_of("post", spec.action)
    counts = np.bincount(background.account[rows], minlength=len(background.account_ids))
    most = min(spec.n_victim_events, int(counts.max()))
    # Not the busiest accounts: they may be bots themselves, and would swamp the world with framers.
    fit = np.flatnonzero((counts >= most) & (counts <= 4 * most))
    fit = fit if len(fit) else np.flatnonzero(counts >= most)
    return int(fit[rng.integers(len(fit))])


def _shadows(
    spec: spec_types.FramingSpec, objects: pa.Array, times_us: Int64, hosts: Int64, rng: np.random.Generator
) -> Acts:
    """Acts of every framer seconds after nearly every act of the victim."""
    member, place = np.nonzero(rng.random((spec.n_accounts, len(times_us))) < spec.share_0_1)
    lag = (rng.uniform(spec.fastest_s, spec.slowest_s, len(member)) * 1e6).astype(np.int64)
    return Acts(
        member=member,
        object_id=objects.take(pa.array(place)),
        time_us=times_us[place] + lag,
        campaign_object=place,
        order_us=times_us[place],
        role=np.full(len(member), CAMPAIGN, dtype=np.int64),
        host_row=hosts[place],
        action=spec.action,
        payload=place,
    )


def _bridge(spec: spec_types.BridgeSpec, background: Background, rng: np.random.Generator) -> Group:
    layer = layer_of(background, spec.action)
    counts = np.bincount(layer.account, minlength=len(background.account_ids))
    fit = np.argsort(-counts, kind="stable")[: max(20, len(counts) // 50)]
    sources = rng.choice(fit, min(spec.n_sources, len(fit)), replace=False)
    rows: Int64 = np.flatnonzero(np.isin(layer.account, sources))
    rows = rows[(rng.random(len(rows)) < spec.share_0_1) | (np.arange(len(rows)) == 0)]
    if len(rows) > spec.n_most:
        begin = int(rng.integers(len(rows) - spec.n_most + 1))
        rows = np.sort(rows[np.argsort(layer.times_us[rows], kind="stable")[begin : begin + spec.n_most]])
    lag = rng.lognormal(np.log(spec.lag_median_s), 1.0, len(rows)) * 1e6
    acts = acts_on_units(
        layer,
        spec.action,
        np.zeros(len(rows), dtype=np.int64),
        layer.unit[rows],
        layer.times_us[rows] + lag.astype(np.int64),
        role=CAMPAIGN,
        campaign_object=np.arange(len(rows)),
    )
    return Group([acts], [spec.archetype], ["human"], [False], spec)


_MAKERS: Final[dict[type, Callable[..., Group]]] = {
    spec_types.FarmSpec: _farm,
    spec_types.NullGroupSpec: _null_group,
    spec_types.FanClubSpec: _fan_club,
    spec_types.SyndicationSpec: _syndication,
    spec_types.PushSpec: _push,
    spec_types.ViralSpec: _viral,
    spec_types.ClassChatSpec: _class_chat,
    spec_types.GiveawaySpec: _giveaway,
    spec_types.BrandMatrixSpec: _brand_matrix,
    spec_types.FramingSpec: _framing,
    spec_types.BridgeSpec: _bridge,
}
