"""Acts drawn inside a background: units, delays, camouflage."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from graphscan.errors import EXIT_INPUT, GraphscanError
from graphscan.simulate.background import Background, Int64, Layer

Float64 = NDArray[np.float64]

CAMPAIGN: Final = 0
CAMOUFLAGE: Final = 1
ORGANIC: Final = 2
ROLES: Final = ("campaign", "camouflage", "organic")

DAY_US: Final = 86_400_000_000
ACCOUNT_OBJECTS: Final = ("message", "follow")


@dataclass(frozen=True)
class Acts:
    """Acts of one campaign, all arrays of one length.

    Attributes
    ----------
    member
        Number of the acting account within the campaign.
    object_id
        Ids acted on; null means the event's own id (a new post).
    time_us
        When.
    campaign_object
        Number of the object within the campaign, -1 for other objects.
    order_us
        The operator's order time, -1 if there was none.
    role
        ``CAMPAIGN``, ``CAMOUFLAGE`` or ``ORGANIC``.
    host_row
        A background row on the same object shortly before, whose thread, language and detail are the
        act's too; -1 if there is none.
    action
        One action for all.
    payload
        Number of the text, link and tags within the campaign's list, -1 for an organic text.
    """

    member: Int64
    object_id: pa.Array
    time_us: Int64
    campaign_object: Int64
    order_us: Int64
    role: Int64
    host_row: Int64
    action: str
    payload: Int64

    def __len__(self) -> int:
        return len(self.member)


def layer_of(background: Background, action: str) -> Layer:
    return background.account_layer() if action in ACCOUNT_OBJECTS else background.layer(action)


def chosen_units(
    layer: Layer, n_units: int, span_days: float, room_s: float, rng: np.random.Generator
) -> Int64:
    """Distinct units born within one stretch of time, of all sizes.

    Parameters
    ----------
    layer
        Where to choose.
    n_units
        How many.
    span_days
        Length of the stretch; it grows until three times as many units as needed lie in it.
    room_s
        In chats, the least length of a session; relaxed to the longest ones if too few are so long.
    rng
        Source of randomness.

    Raises
    ------
    GraphscanError
        Exit 3 if the background has too few units.
    """
    eligible = layer.by_birth
    if layer.is_chat:
        length = layer.end_us - layer.birth_us
        company = layer.size >= 2
        eligible = eligible[(company & (length >= room_s * 1e6))[eligible]]
        if len(eligible) < 2 * n_units:
            longest = np.argsort(-np.where(company, length, -1), kind="stable")[: 2 * n_units]
            eligible = longest[np.argsort(layer.birth_us[longest], kind="stable")]
    if len(eligible) < n_units:
        raise GraphscanError(
            f"the background has {len(eligible)} objects for a campaign of {n_units}",
            "",
            "take a larger background or fewer objects",
            EXIT_INPUT,
        )
    births = layer.birth_us[eligible]
    needed = min(3 * n_units, len(eligible))
    begin = int(rng.integers(len(eligible) - needed + 1))
    stop = int(np.searchsorted(births, births[begin] + span_days * DAY_US, side="right"))
    pool = eligible[begin : max(stop, begin + needed)]
    # Busy objects draw operators more, but most objects are small: the square root of the size keeps both.
    weight = np.sqrt(layer.size[pool])
    return np.sort(rng.choice(pool, n_units, replace=False, p=weight / weight.sum()))


def acts_on_units(
    layer: Layer,
    action: str,
    member: Int64,
    units: Int64,
    time_us: Int64,
    *,
    role: int,
    campaign_object: Int64 | None = None,
    order_us: Int64 | None = None,
) -> Acts:
    """Acts on units of a layer, in ``action``."""
    n = len(member)
    minus = np.full(n, -1, dtype=np.int64)
    host = layer.last_rows(units, time_us)
    return Acts(
        member=member,
        object_id=layer.names.take(pa.array(layer.object_code[units])),
        time_us=time_us.astype(np.int64),
        campaign_object=minus if campaign_object is None else campaign_object,
        order_us=minus if order_us is None else order_us.astype(np.int64),
        role=np.full(n, role, dtype=np.int64),
        host_row=minus if action in ACCOUNT_OBJECTS else host,
        action=action,
        payload=minus if campaign_object is None else campaign_object,
    )


def organic_acts(
    layer: Layer,
    action: str,
    n_per_member: Int64,
    window_us: tuple[int, int],
    avoid: Int64,
    rng: np.random.Generator,
    role: int = CAMOUFLAGE,
) -> Acts:
    """Acts that look like the background's own.

    The unit is that of a random background row, so busy units are busy here too; the delay is that of
    another row on a unit of the same size class. In chats the place within the session is borrowed instead.

    Parameters
    ----------
    layer, action
        Where, and what.
    n_per_member
        Acts of each member, shape (n_members,).
    window_us
        Births of the units lie between these, where there are enough.
    avoid
        Units of the campaign itself.
    """
    n_members, most = len(n_per_member), int(n_per_member.max(initial=0))
    if most == 0:
        empty = np.zeros(0, dtype=np.int64)
        return acts_on_units(layer, action, empty, empty, empty, role=role)
    rows, births = layer.rows_by_birth
    begin, stop = np.searchsorted(births, window_us)
    if len(np.unique(layer.unit[rows[begin : min(stop, begin + 50_000)]])) < 2 * most + len(avoid):
        begin, stop = 0, len(rows)
    drawn = rows[rng.integers(begin, stop, size=(n_members, 3 * most + 8))]
    units = layer.unit[drawn]
    is_taken = np.zeros(len(layer.birth_us), dtype=bool)
    is_taken[avoid] = True
    units = np.where(is_taken[units], -1, units)
    keep = _first_of_each(units, n_per_member)
    member = np.broadcast_to(np.arange(n_members)[:, None], units.shape)[keep]
    units = units[keep]
    time_us = layer.birth_us[units] + _borrowed_delays(layer, units, rng)
    return acts_on_units(layer, action, member, units, time_us, role=role)


def _first_of_each(units: Int64, n_wanted: Int64) -> NDArray[np.bool_]:
    """Mask of the first ``n_wanted`` distinct units of each row, fewer if it has not so many; -1 is none."""
    order = np.argsort(units, axis=1, kind="stable")
    sorted_units = np.take_along_axis(units, order, axis=1)
    repeated_sorted = np.zeros(units.shape, dtype=bool)
    repeated_sorted[:, 1:] = sorted_units[:, 1:] == sorted_units[:, :-1]
    repeated = np.zeros(units.shape, dtype=bool)
    np.put_along_axis(repeated, order, repeated_sorted, axis=1)
    usable = ~repeated & (units >= 0)
    return usable & (np.cumsum(usable, axis=1) <= n_wanted[:, None])


def _borrowed_delays(layer: Layer, units: Int64, rng: np.random.Generator) -> Int64:
    lenders, delays, first = layer.delays_by_class
    if layer.is_chat:
        if not len(lenders):
            return np.zeros(len(units), dtype=np.int64)
        length = np.maximum(layer.end_us - layer.birth_us, 1)
        pick = rng.integers(len(lenders), size=len(units))
        borrowed: Int64 = (delays[pick] / length[lenders[pick]] * length[units]).astype(np.int64)
        return borrowed
    if not len(lenders):
        return (rng.lognormal(np.log(7_200e6), 1.4, len(units))).astype(np.int64)
    wanted = layer.size_class[units]
    # A class without delays borrows from all rows.
    low, high = first[wanted], first[wanted + 1]
    low, high = np.where(high > low, low, 0), np.where(high > low, high, len(lenders))
    pick = low + (rng.random(len(units)) * (high - low)).astype(np.int64)
    noise = rng.lognormal(0.0, 0.3, len(units))
    drawn: Int64 = np.maximum((delays[pick] * noise).astype(np.int64), 1_000_000)
    return drawn


def jitter_us(kind: str, jitter_s: float, n: int, rng: np.random.Generator) -> Int64:
    """Delays after an order; see :class:`~graphscan.simulate.campaigns.FarmSpec`."""
    if kind == "normal":
        drawn = np.abs(rng.normal(jitter_s / 2, jitter_s / 4, n))
    elif kind == "exponential":
        drawn = rng.exponential(jitter_s / 2, n)
    else:
        drawn = rng.uniform(0.0, jitter_s, n)
    out: Int64 = (drawn * 1e6).astype(np.int64)
    return out


def order_delays_us(
    layer: Layer, units: Int64, median_s: float, sigma: float, room_s: float, rng: np.random.Generator
) -> Int64:
    if layer.is_chat:
        length = layer.end_us[units] - layer.birth_us[units]
        room = np.maximum(length - room_s * 1e6, length * 0.3)
        inside: Int64 = (rng.random(len(units)) * room).astype(np.int64)
        return inside
    drawn = np.clip(rng.lognormal(np.log(median_s), sigma, len(units)), 30.0, 7 * 86_400.0)
    out: Int64 = (drawn * 1e6).astype(np.int64)
    return out


def habit_delays_us(
    layer: Layer, units: Int64, median_s: Float64, sigma: Float64, rng: np.random.Generator
) -> Int64:
    """Lognormal delays of each act's own habit, at most 14 days; in chats inside the session."""
    drawn = np.minimum(rng.lognormal(np.log(median_s), sigma) * 1e6, 14 * DAY_US)
    return inside_sessions(layer, units, np.maximum(drawn, 1_000_000).astype(np.int64), rng)


def inside_sessions(layer: Layer, units: Int64, delays_us: Int64, rng: np.random.Generator) -> Int64:
    """Delays that no session is too short for; outside of chats they stay as they are.

    A delay past the end of the shortest session is drawn anew, uniformly up to that end. The bound is one for
    all sessions: with each session's own end, delays would agree within sessions, and a group without
    a common offset would have one.
    """
    if not layer.is_chat or not len(units):
        return delays_us
    room = float((layer.end_us - layer.birth_us)[units].min())
    redrawn = (rng.random(len(units)) * room).astype(np.int64)
    return np.where(delays_us > room, redrawn, delays_us)


def k_of_n(n_members: int, k: int, n: int, rng: np.random.Generator) -> tuple[Int64, Int64]:
    """Each member's own random k of n, as (member, place)."""
    places = np.argsort(rng.random((n_members, n)), axis=1)[:, :k]
    return np.repeat(np.arange(n_members), k), np.sort(places, axis=1).ravel()


def about_share(n_members: int, n: int, share_0_1: float, rng: np.random.Generator) -> tuple[Int64, Int64]:
    """Each member acts on its own share of n, within 0.1 of the mean share, as (member, place)."""
    share = np.clip(rng.uniform(share_0_1 - 0.1, share_0_1 + 0.1, n_members), 0.05, 1.0)
    member, place = np.nonzero(rng.random((n_members, n)) < share[:, None])
    return member, place


def n_camouflage(n_campaign: Int64, camouflage_0_1: float) -> Int64:
    """Camouflage acts so that they are ``camouflage_0_1`` of all acts of a member."""
    counts: Int64 = np.rint(n_campaign * camouflage_0_1 / (1 - camouflage_0_1)).astype(np.int64)
    return counts


def window_of(layer: Layer, units: Int64) -> tuple[int, int]:
    births = layer.birth_us[units]
    slack = max(7 * DAY_US, int(births.max() - births.min()) // 10)
    return int(births.min()) - slack, int(births.max()) + slack
