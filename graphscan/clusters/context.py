"""What the legitimate explanations of a cluster look at: its acts, its objects, and who else was there."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Final

import numpy as np
from numpy.typing import NDArray

from graphscan.clusters.incidence import Incidence
from graphscan.clusters.significance import member_acts

if TYPE_CHECKING:
    from graphscan.network.layers import EncodedEvents

IntArray = NDArray[np.int64]
FloatArray = NDArray[np.float64]
BoolArray = NDArray[np.bool_]

_ROUND_US: Final = 300_000_000
_ROUND_SLACK_US: Final = 30_000_000


@dataclass(frozen=True)
class ExplanationContext:
    """What the explanations look at: the cluster's acts, its objects, and who else was there.

    Parameters
    ----------
    n_members
        Members of the cluster.
    layers
        Names of the layers in which it was found.
    window_s
        The window of its test, seconds.
    resolution_us
        Time resolution of the source, microseconds.
    member, obj
        Member number (0 … n_members - 1) and object number (0 … n_objects - 1) of each shared act: the first
        act of a member on an object that two members or more are on, shape ``(m,)``.
    time_us, delay_us
        When, and how long after the object's birth.
    client
        Client of each act, "" where unknown.
    author
        Account code of who opened each object, -1 unknown, shape ``(n_objects,)``.
    author_member
        The same as a member number, -1 if not a member.
    place
        What an object is part of: the chat of a session, else the object itself; shape ``(n_objects,)``.
    has_link
        Whether the content of the object is known to carry a link, shape ``(n_objects,)``.
    outsider, outsider_obj, outsider_time_us
        Account code, object number and time of non-members' first acts on the same objects.
    action
        Action name of each shared act.
    follows_author
        Share of members known to follow the commonest author.
    """

    n_members: int
    layers: tuple[str, ...]
    window_s: float
    resolution_us: int
    member: IntArray
    obj: IntArray
    time_us: IntArray
    delay_us: IntArray
    client: tuple[str, ...]
    author: IntArray
    author_member: IntArray
    place: IntArray
    has_link: BoolArray
    outsider: IntArray
    outsider_obj: IntArray
    outsider_time_us: IntArray
    action: tuple[str, ...]
    follows_author: float = 0.0

    @property
    def n_objects(self) -> int:
        """Number of shared objects."""
        return len(self.author)

    @cached_property
    def members_on(self) -> IntArray:
        """Members on each object."""
        return np.bincount(self.obj, minlength=self.n_objects)

    @cached_property
    def is_main(self) -> BoolArray:
        """Objects that matter: with at least a quarter of the members whom an average act meets."""
        size = self.members_on
        return np.asarray(size >= 0.25 * (size**2).sum() / max(size.sum(), 1))

    @cached_property
    def participation(self) -> float:
        """Mean share of the members on a main object."""
        size = self.members_on[self.is_main]
        return float(size.mean() / max(self.n_members, 1)) if len(size) else 0.0

    @cached_property
    def moment_us(self) -> IntArray:
        """Time of the first member on each object."""
        moment = np.full(self.n_objects, np.iinfo(np.int64).max)
        np.minimum.at(moment, self.obj, self.time_us)
        return moment

    @cached_property
    def pace(self) -> Pace:
        """How the delays on main objects divide into habits of members and moments of objects."""
        rows = self.is_main[self.obj]
        return _pace(self.member[rows], self.obj[rows], self.delay_us[rows], self.n_members, self.n_objects)

    @cached_property
    def top_author(self) -> tuple[int, float, float]:
        """Commonest known author on main objects, its share of acts there, and the share of authors known."""
        author = self.author[self.obj[self.is_main[self.obj]]]
        known = author[author >= 0]
        if not len(known):
            return -1, 0.0, 0.0
        values, count = np.unique(known, return_counts=True)
        best = int(np.argmax(count))
        return int(values[best]), float(count[best] / len(known)), len(known) / len(author)

    @cached_property
    def round_share(self) -> float:
        """Share of the main objects' moments within 30 s after a five-minute mark, chance taken off."""
        if not self.n_objects or self.resolution_us > _ROUND_SLACK_US:
            return 0.0
        chance = _ROUND_SLACK_US / _ROUND_US
        moment = self.moment_us[self.is_main]
        share = float((moment % _ROUND_US <= _ROUND_SLACK_US).mean())
        return max((share - chance) / (1 - chance), 0.0)

    @cached_property
    def client_share(self) -> tuple[str, float]:
        """Commonest known client and the share of all acts made with it."""
        known = sorted(c for c in self.client if c)
        if not known:
            return "", 0.0
        values, count = np.unique(np.array(known), return_counts=True)
        best = int(np.argmax(count))
        return str(values[best]), float(count[best] / len(self.client))


@dataclass(frozen=True)
class Pace:
    """Division of the variance of log delays (two-way, additive).

    Parameters
    ----------
    own_0_1
        Variance of the members' habits over that of habits, of the objects' moments, and a quarter of what
        is left: near 1 where each acts at its own pace, 0 where each object has a moment common to all, or
        where members have no habits.
    spread
        Median over members of the standard deviation of what is left, in units of ln.
    """

    own_0_1: float
    spread: float


def _pace(member: IntArray, obj: IntArray, delay_us: IntArray, n_members: int, n_objects: int) -> Pace:
    if len(member) < 4 or n_objects < 2 or n_members < 2:
        return Pace(0.0, float("inf"))
    x = np.log1p(np.maximum(delay_us, 0) / 1e6)
    x = x - x.mean()
    n_a, n_o = np.bincount(member, minlength=n_members), np.bincount(obj, minlength=n_objects)
    a, o = np.zeros(n_members), np.zeros(n_objects)
    for _ in range(30):  # alternating least squares of an additive two-way layout
        a = np.bincount(member, x - o[obj], n_members) / np.maximum(n_a, 1)
        o = np.bincount(obj, x - a[member], n_objects) / np.maximum(n_o, 1)
        o -= o[obj].mean()
    a -= a[member].mean()
    rest = x - a[member] - o[obj]
    left = len(x) - int((n_a > 0).sum()) - int((n_o > 0).sum()) + 1
    noise = float((rest**2).sum() / left) if left > 0 else 0.0

    def effect(values: FloatArray, n: IntArray) -> float:
        # By median absolute deviation, weighted by acts: a few objects on which members met by chance, hours
        # after the others, are no common moments. Each level carries noise / n, which is taken off.
        spread = 1.4826 * _weighted_median(np.abs(values - _weighted_median(values, n)), n)
        return max(spread**2 - noise * float((n > 0).sum()) / len(x), 0.0)

    own, common = effect(a, n_a), effect(o, n_o)
    explained = own + common + noise / 4
    own_share = own / explained if explained > 1e-9 else 0.0
    square = np.bincount(member, rest**2, n_members)
    spread = np.sqrt(square[n_a >= 3] / n_a[n_a >= 3])
    return Pace(own_share, float(np.median(spread)) if len(spread) else float("inf"))


def _weighted_median(values: FloatArray, weight: IntArray) -> float:
    order = np.argsort(values, kind="stable")
    total = np.cumsum(weight[order])
    return float(values[order][np.searchsorted(total, total[-1] / 2)])


def explanation_context(
    members: IntArray,
    incidence: Incidence,
    events: EncodedEvents,
    *,
    layers: tuple[str, ...],
    window_s: float,
) -> ExplanationContext:
    """The context of a found cluster.

    Parameters
    ----------
    members
        Sorted account codes.
    incidence
        Of the layer in which the cluster was found (the first of ``layers``).
    events
        The events it came from.
    layers
        Layers in which the cluster was found; layers that are not about time take ``push_notification`` away.
    window_s
        Window of its test.
    """
    # The objects that the test uses, without chance meetings on what everybody is on.
    tested = member_acts(incidence, members)
    rows = incidence.rows_of(members)
    rows = rows[np.isin(incidence.event[rows], tested.event)]
    objects, obj = np.unique(incidence.obj[rows], return_inverse=True)
    member = np.searchsorted(members, incidence.account[rows])
    opener = incidence.opener[objects]
    at = np.minimum(np.searchsorted(members, opener), max(len(members) - 1, 0))
    opened_by_member = (opener >= 0) & (members[at] == opener) if len(members) else opener >= 0
    here = np.full(incidence.n_objects, -1, np.int64)
    here[objects] = np.arange(len(objects))
    outside = np.flatnonzero(here[incidence.obj] >= 0)
    outside = outside[~np.isin(incidence.account[outside], members)]
    event = incidence.event[rows]
    author = opener.astype(np.int64)
    place, links = _objects_of(incidence, objects, events)
    return ExplanationContext(
        n_members=len(members),
        layers=tuple(layers),
        window_s=window_s,
        resolution_us=events.resolution_us,
        member=member.astype(np.int64),
        obj=obj.astype(np.int64),
        time_us=incidence.time_us[rows],
        delay_us=incidence.delay_us[rows],
        client=_texts(events, "client", event),
        author=author,
        author_member=np.where(opened_by_member, at, -1).astype(np.int64),
        place=place,
        has_link=links,
        outsider=incidence.account[outside],
        outsider_obj=here[incidence.obj[outside]],
        outsider_time_us=incidence.time_us[outside],
        action=_texts(events, "action", event),
        follows_author=_followers(events, members, author[obj] if len(obj) else author),
    )


def _texts(events: EncodedEvents, column: str, rows: IntArray) -> tuple[str, ...]:
    import pyarrow as pa

    if column not in events.table.column_names:
        return ("",) * len(rows)
    return tuple(value or "" for value in events.table[column].take(pa.array(rows)).to_pylist())


def _objects_of(incidence: Incidence, objects: IntArray, events: EncodedEvents) -> tuple[IntArray, BoolArray]:
    """Place of each object (objects of one name are one place), and whether its own content has a link."""
    import pyarrow as pa
    import pyarrow.compute as pc

    if not len(objects):
        return np.empty(0, np.int64), np.empty(0, bool)
    names = incidence.object_ids.take(pa.array(objects)).cast(pa.string())
    encoded = names.dictionary_encode()
    place = encoded.indices.to_numpy(zero_copy_only=False).astype(np.int64)
    is_link = pc.starts_with(names, "http").to_numpy(zero_copy_only=False).astype(bool)
    columns = events.table.column_names
    if "urls" in columns and "event_id" in columns:
        made = pc.index_in(names, value_set=events.table["event_id"].combine_chunks().cast(pa.string()))
        with_url = pc.fill_null(pc.list_value_length(events.table["urls"].take(made)), 0)
        is_link = is_link | (with_url.to_numpy() > 0)
    return place, is_link


def _followers(events: EncodedEvents, members: IntArray, author: IntArray) -> float:
    """Share of members who follow the commonest author of the shared acts."""
    import pyarrow.compute as pc

    known = author[author >= 0]
    if not len(known) or not len(members):
        return 0.0
    values, count = np.unique(known, return_counts=True)
    name = events.account_ids[int(values[np.argmax(count)])].as_py()
    follow = pc.and_(pc.equal(events.table["action"], "follow"), pc.equal(events.table["object_id"], name))
    rows = np.flatnonzero(pc.fill_null(follow, False).to_numpy(zero_copy_only=False))
    return float(np.isin(members, events.account[rows]).mean())
