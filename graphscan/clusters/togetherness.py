"""Metrics of how acts lie in time: pure functions of a cluster's acts and of arrangements of their delays.

Each takes a `Panel` and delays of shape ``(P, m)``, one row an arrangement of the cluster's m acts, and gives
one value an arrangement. `graphscan.clusters.synchrony` holds them against their null.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Final

import numpy as np
from numpy.typing import NDArray

from graphscan.clusters.significance import TICK_US, MemberActs, TickArray, window_ticks
from graphscan.entropy import generator

IntArray = NDArray[np.int64]
FloatArray = NDArray[np.float64]

MAX_PAIRS: Final = 20_000
_NAN: Final = float("nan")


@dataclass(frozen=True)
class Panel:
    """What the metrics of one cluster are computed from.

    Parameters
    ----------
    acts
        The members' acts on objects they share, m of them, sorted by (object, account).
    window_s
        The window at which the cluster was found.
    outsiders
        Delays of non-members on the same objects, in ticks.
    outsider_obj
        Object number of each, sorted.
    seed
        Of samples.
    """

    acts: MemberActs
    window_s: float
    outsiders: TickArray
    outsider_obj: IntArray
    seed: int

    @cached_property
    def window(self) -> int:
        """The window in ticks, at least one."""
        return max(int(window_ticks((self.window_s,))[0]), 1)

    @cached_property
    def who(self) -> IntArray:
        """Number of the member, 0 … n - 1, shape ``(m,)``."""
        return np.unique(self.acts.account, return_inverse=True)[1].astype(np.int64)

    @cached_property
    def n(self) -> int:
        """Number of members with an act."""
        return int(self.who.max(initial=-1)) + 1

    @cached_property
    def start(self) -> IntArray:
        """First row of each object."""
        return np.searchsorted(self.acts.obj, np.arange(self.acts.n_objects)).astype(np.int64)

    @cached_property
    def size(self) -> IntArray:
        """Members on each object."""
        return np.bincount(self.acts.obj, minlength=self.acts.n_objects)

    @cached_property
    def birth_ticks(self) -> IntArray:
        """Birth of each act's object in ticks since the epoch."""
        return self.acts.time_us // TICK_US - self.acts.ticks

    @cached_property
    def pairs(self) -> tuple[IntArray, IntArray, float]:
        """Row pairs (i, j) on one object, and how many pairs each stands for.

        All of them, or `MAX_PAIRS` spread evenly over their list with a random start.
        """
        n_pairs = self.size * (self.size - 1) // 2
        total = int(n_pairs.sum())
        step = max(total / MAX_PAIRS, 1.0)
        count = int(total / step)
        shift = float(generator(self.seed, "panel-pairs", self.acts.key).random()) if step > 1 else 0.0
        number = np.floor((np.arange(count) + shift) * step).astype(np.int64)
        before = np.cumsum(n_pairs) - n_pairs
        obj = np.searchsorted(before, number, side="right") - 1
        within = number - before[obj]
        j = ((1 + np.sqrt(1 + 8 * within)) / 2).astype(np.int64)
        i = within - j * (j - 1) // 2
        return i + self.start[obj], j + self.start[obj], step

    @cached_property
    def pair_weight(self) -> FloatArray:
        """``1 / sqrt(m_a m_b)`` of each row pair, over the number of pairs of members."""
        m = np.bincount(self.who, minlength=self.n)
        i, j, stands_for = self.pairs
        weight = stands_for / np.sqrt(m[self.who[i]] * m[self.who[j]])
        return np.asarray(weight / max(self.n * (self.n - 1) / 2, 1))


def permuted_order(acts: MemberActs, n: int, rng: np.random.Generator) -> TickArray:
    """``n`` random exchanges of who acted when on each object, shape ``(n, m)``.

    The null of metrics about order: how close together the acts are stays, who was where in the row does not.
    Under the null of the delays, acts that have a common time also lose their habitual order, so an order
    would be found in every synchronous group.
    """
    keys = rng.integers(0, 1 << 32, (n, len(acts)), dtype=np.int64)
    keys += acts.obj << 32
    return np.asarray(acts.ticks[np.argsort(keys, axis=1)])


def _sorted_by_object(panel: Panel, delays: TickArray) -> IntArray:
    """``object << 31 | delay`` sorted along the acts, shape ``(P, m)``: delays ascend inside each object."""
    packed = (panel.acts.obj << 31) + delays
    packed.sort(axis=1)
    return np.asarray(packed)


def phase_coherence(panel: Panel, delays: TickArray) -> FloatArray:
    """Kuramoto order parameter of the members' acts, mean over objects weighted by members; 0 to 1.

    An act with delay d has the phase ``2 pi d / (4 W)``; on each object ``R = |mean exp(i phase)|``
    (Kuramoto 1984; Mormann et al., Physica D 144:358-369, 2000). Acts at one instant give 1, acts a window
    apart a quarter turn, and delays spread over much more than 4 W about ``1 / sqrt(members)``: read it with
    its z. Blind spots: acts a multiple of 4 W apart look in phase; a constant lag between members does not
    count (see `kendall_w`).
    """
    angle = delays * (2 * np.pi / (4 * panel.window))
    sums = np.add.reduceat(np.exp(1j * angle), panel.start, axis=1)
    return np.asarray(np.abs(sums).sum(axis=1) / len(panel.acts))


def event_sync(panel: Panel, delays: TickArray) -> FloatArray:
    """Event synchronisation Q, mean over all pairs of members; 0 to 1.

    ``Q = (c(a|b) + c(b|a)) / sqrt(m_a m_b)``: coincidences of two accounts, which are acts on one object at
    most a window apart, over the geometric mean of their numbers of acts (Quian Quiroga, Kreuz & Grassberger,
    Phys. Rev. E 66:041904, 2002). The lag is the cluster's window rather than half the local gap, because
    acts on different objects are no rivals. Pairs that share no object count as 0. Blind spots: slower than
    the window; sparse sharing (5 of 200 objects) keeps it small however exact the timing.
    """
    i, j, _ = panel.pairs
    together = np.abs(delays[:, i] - delays[:, j]) <= panel.window
    return np.asarray(together @ panel.pair_weight * 1.0)


def lead_scores(panel: Panel, delays: TickArray) -> FloatArray:
    """How much each member leads the others, shape ``(P, n)``, -1 to 1.

    The mean over the other members of the delay asymmetry ``q = (c(b|a) - c(a|b)) / sqrt(m_a m_b)`` of Quian
    Quiroga et al. (2002): coincidences that the account opens less those in which it follows. Acts at the
    same instant count for neither.
    """
    i, j, _ = panel.pairs
    lag = delays[:, j] - delays[:, i]
    # Each pair of members weighs the same here as in Q, but the mean is over one account's partners.
    weight = panel.pair_weight * (panel.n / 2)
    signed = np.sign(lag) * (np.abs(lag) <= panel.window) * weight
    result = np.zeros((len(delays), panel.n))
    for p in range(len(delays)):
        result[p] = np.bincount(panel.who[i], signed[p], panel.n) - np.bincount(
            panel.who[j], signed[p], panel.n
        )
    return result


def event_sync_direction(panel: Panel, delays: TickArray) -> FloatArray:
    """Largest lead score of any member; 0 to 1.

    See `lead_scores`. Near 0 nobody leads; near Q one account opens every common moment, as a relay, a
    trend-setter or a framed victim does. Blind spots: two leaders who take turns halve it; the direction
    says who was first, not who gave an order. Null: who acted when exchanged on each object.
    """
    return np.asarray(lead_scores(panel, delays).max(axis=1))


def delay_dispersion(panel: Panel, delays: TickArray) -> FloatArray:
    """Spread of the members' delays against that of non-members on the same objects, log2 ratio.

    Spread is Gini's mean difference of delays; one second is added to both sides. The mean over objects with
    at least two members and two non-members. -3 means that the members are eight times closer together than
    outsiders. Blind spots: outsiders come over days, so any fast public looks tight by value (read the z);
    NaN where nobody else is on the objects.
    """
    others = np.bincount(panel.outsider_obj, minlength=panel.acts.n_objects)
    use = others >= 2
    if not use.any():
        return np.full(len(delays), _NAN)
    ticks = panel.outsiders[np.lexsort((panel.outsiders, panel.outsider_obj))]
    in_use = use[panel.outsider_obj]
    start = np.cumsum(others[use]) - others[use]
    wide = _mean_difference(ticks[in_use][None, :].astype(np.int64), start, others[use])[0]
    packed = _sorted_by_object(panel, delays) & (2**31 - 1)
    own = _mean_difference(packed, panel.start, panel.size)[:, use]
    second = 1e6 / TICK_US
    return np.asarray(np.log2((own + second) / (wide + second)).mean(axis=1))


def _mean_difference(sorted_values: IntArray, start: IntArray, size: IntArray) -> FloatArray:
    """Gini's mean difference of each segment of sorted values, shape ``(P, segments)``."""
    rank = np.arange(sorted_values.shape[1]) - np.repeat(start, size)
    factor = 2.0 * rank + 1 - np.repeat(size, size)
    total = np.add.reduceat(sorted_values * factor, start, axis=1)
    return np.asarray(2.0 * total / (size * (size - 1)))


def burst_overlap(panel: Panel, delays: TickArray) -> FloatArray:
    """Share of the other members in a burst at a random moment of a member's burst; 0 to 1.

    A burst is the window after an act, joined with the next one if that comes sooner. With D(t) members in a
    burst at t it is ``integral D (D - 1) / ((n - 1) integral D)``. It looks at the clock and not at objects,
    so it sees an operator who sends different members to different objects at once. Blind spots: a common
    rush hour counts by value; where objects are many and small the null is tight and z large.
    """
    if panel.n < 2:
        return np.full(len(delays), _NAN)
    time = panel.birth_ticks + delays
    time = time - time.min()
    span = int(time.max()) + 2 * panel.window + 1
    packed = panel.who * span + time
    packed.sort(axis=1)
    who, time = packed // span, packed % span
    end = time + panel.window
    same = who[:, 1:] == who[:, :-1]
    end[:, :-1] = np.where(same, np.minimum(end[:, :-1], time[:, 1:]), end[:, :-1])
    edges = np.concatenate([time * 2 + 1, end * 2], axis=1)
    edges.sort(axis=1)
    depth = np.cumsum(np.where(edges[:, :-1] & 1, 1, -1), axis=1)
    length = (edges[:, 1:] >> 1) - (edges[:, :-1] >> 1)
    together = (depth * (depth - 1) * length).sum(axis=1)
    alone = (depth * length).sum(axis=1)
    return np.asarray(together / ((panel.n - 1) * np.maximum(alone, 1)))


def cascade_entropy(panel: Panel, delays: TickArray) -> FloatArray:
    """Shannon entropy of who is first on an object, over the largest possible; 0 to 1.

    0 is one account first on every object, 1 is everybody first equally often; an object opened by several
    at one instant is shared among them. The largest possible is the log of the smaller of members and
    objects. Low means a relay or a habitual first; an operator with random jitter gives no lower value than
    the null, which exchanges who acted when on each object. Blind spots: sees the first act only.
    """
    most = min(panel.n, panel.acts.n_objects)
    if most < 2:
        return np.full(len(delays), _NAN)
    first = np.minimum.reduceat(delays, panel.start, axis=1)
    is_first = delays == first[:, panel.acts.obj]
    ties = np.add.reduceat(is_first, panel.start, axis=1, dtype=np.int64)
    share = is_first / ties[:, panel.acts.obj]
    line = np.arange(len(delays))[:, None] * panel.n + panel.who
    count = np.bincount(line.ravel(), share.ravel(), len(delays) * panel.n).reshape(len(delays), panel.n)
    p = count / panel.acts.n_objects
    entropy = -(p * np.log(np.where(p > 0, p, 1.0))).sum(axis=1)
    # Shared firsts can spread over more accounts than there are objects.
    return np.asarray(np.minimum(entropy / np.log(most), 1.0))


def kendall_w(panel: Panel, delays: TickArray) -> FloatArray:
    """Kendall's coefficient of concordance of the order of members over objects; 0 to 1.

    With every member on every object it is Kendall's W. With missing entries each rank is standardised on
    its own object, as in the test of Skillings & Mack (Technometrics 23:171-177, 1981), and ``W = sum_a
    (sum_o A_ao)^2 / sum_a (sum_o sd_o)^2``. Ties get mean ranks. Null: who acted when exchanged on each
    object. A script that works down a list of accounts stands out, random jitter does not. Blind spots:
    habit alone makes it high, because a fast fan is always early; members with one shared object add noise.
    """
    packed = _sorted_by_object(panel, delays)
    m = packed.shape[1]
    place = np.arange(m)
    new = np.ones(packed.shape, bool)
    new[:, 1:] = packed[:, 1:] != packed[:, :-1]
    first = np.maximum.accumulate(np.where(new, place, 0), axis=1)
    ends = np.ones(packed.shape, bool)
    ends[:, :-1] = new[:, 1:]
    last = np.minimum.accumulate(np.where(ends, place, m)[:, ::-1], axis=1)[:, ::-1]
    rank = (first + last) / 2.0 - np.repeat(panel.start, panel.size) + 1
    order = np.argsort((panel.acts.obj << 31) + delays, axis=1, kind="stable")
    size = np.repeat(panel.size, panel.size)
    scaled = np.sqrt(12.0 / (size + 1)) * (rank - (size + 1) / 2)
    line = np.arange(len(delays))[:, None] * panel.n + panel.who[order]
    sums = np.bincount(line.ravel(), scaled.ravel(), len(delays) * panel.n).reshape(len(delays), panel.n)
    most = np.bincount(panel.who, np.sqrt(size - 1.0), panel.n)
    return np.asarray((sums**2).sum(axis=1) / (most**2).sum())


def persistence(panel: Panel, delays: TickArray) -> FloatArray:
    """Pairs within the window in each slice of the cluster's life, shape ``(P, slices)``.

    The panel turns it into the share of slices in which more pairs came together than in 95 % of the
    arrangements; 0 to 1, expected 0.05 or less by chance. Slices are up to eight successive runs of equally
    many objects, by when the objects began, at least two objects each and three slices. One great day gives
    1 / slices, a standing order 1. Blind spots: slices follow objects, not the calendar.
    """
    k = panel.acts.n_objects
    n_slices = min(8, k // 2)
    if n_slices < 3:
        return np.full((len(delays), 1), _NAN)
    i, j, _ = panel.pairs
    slice_of = panel.acts.obj[i] * n_slices // k
    together = np.abs(delays[:, i] - delays[:, j]) <= panel.window
    result = np.zeros((len(delays), n_slices))
    for s in range(n_slices):
        result[:, s] = together[:, slice_of == s].sum(axis=1)
    return result
