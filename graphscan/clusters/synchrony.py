"""The synchronisation panel: how a found cluster acts together, one number for each way of doing so.

Every metric is a value people can read and a z against a null. For metrics of togetherness the null is that
of the test: each account's own delays permuted inside size classes, so a positive finding is never a matter
of habit, choice of objects or fame of the objects. Metrics of order (who leads, who is first) keep the times
on each object and exchange who acted when: habit counts there, and a fast fan leads. Metrics without times
have a null of their own, told in their docstrings. The panel describes; it does not decide.

``z = (value - null mean) / null sd``, so its sign is that of the value; `Metric.synchronous` says which sign
means more in common. What cannot be computed is NaN, never 0.

Large clusters cost no more than small ones: `synchrony_panel` uses the objects chosen by
`graphscan.clusters.significance.sampled_acts` (about 5,000 acts), event synchronisation at most 20,000 pairs
of acts drawn evenly, and action strings the last 100 actions of at most 60 members. All samples follow from
the seed and the times of the acts.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Final, Literal

import numpy as np
from numpy.typing import NDArray

from graphscan.clusters.configuration import Configuration, shared_objects
from graphscan.clusters.incidence import Incidence
from graphscan.clusters.significance import (
    TICK_US,
    MemberActs,
    TickArray,
    permuted_delays,
    sampled_acts,
    window_ticks,
)
from graphscan.entropy import generator, mix64
from graphscan.events.model import ACTIONS

if TYPE_CHECKING:
    from graphscan.network.layers import EncodedEvents

IntArray = NDArray[np.int64]
FloatArray = NDArray[np.float64]

MAX_ACTS: Final = 5_000
MAX_PAIRS: Final = 20_000
MAX_STRINGS: Final = 60
MAX_STRING_LENGTH: Final = 100
_STRING_SHUFFLES: Final = 99
_BLOCK_CELLS: Final = 2_000_000
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


def co_presence(
    incidence: Incidence, members: IntArray, model: Configuration | None = None
) -> tuple[float, float]:
    """Chance that another member is on a member's object too, times ignored; 0 to 1.

    ``sum q (q - 1) / ((n - 1) sum q)`` over all objects of the layer, q members on each; in the chat layer
    objects are sessions. The null is the bipartite configuration model, as in
    `graphscan.clusters.configuration`. People who talk with each other are co-present: high values name a
    community and prove nothing. Blind spots: conversation, fandom, time zones.
    """
    rows = incidence.rows_of(members)
    if len(members) < 2 or not len(rows):
        return _NAN, _NAN
    shared = shared_objects(incidence, members, model)
    return 2 * shared.n_shared / ((len(members) - 1) * len(rows)), shared.z


def digital_dna_lcs(strings: list[str], *, seed: int) -> tuple[float, float]:
    """Longest run of actions that at least half of the members have in common, over their median length.

    Digital DNA (Cresci et al., IEEE Intelligent Systems 31(5):58-64, 2016): one letter an action, in order of
    time; the value of the longest-common-substring curve at half of the accounts, 0 to 1. The null shuffles
    the order of actions inside each account (99 times), which keeps how often it does what. NaN with fewer
    than five strings of ten actions, or where nobody has two kinds of action. Blind spots: accounts with one
    action (all reposts) tell nothing; the last 100 actions of at most 60 members are used.
    """
    usable = sorted((s[-MAX_STRING_LENGTH:] for s in strings if len(s) >= 10), key=lambda s: (len(s), s))
    if len(usable) < 5 or all(len(set(s)) < 2 for s in usable):
        return _NAN, _NAN
    if len(usable) > MAX_STRINGS:
        usable = [usable[k] for k in np.linspace(0, len(usable) - 1, MAX_STRINGS).astype(int)]
    length = np.array([len(s) for s in usable])
    code = np.full((len(usable), MAX_STRING_LENGTH), -1, np.int64)
    for row, s in zip(code, usable, strict=True):
        row[: len(s)] = [ord(c) for c in s]
    needed = (len(usable) + 1) // 2
    median = float(np.median(length))
    value = _common_length(code, needed) / median
    rng = generator(seed, "digital-dna", *length.tolist())
    null = np.empty(_STRING_SHUFFLES)
    for k in range(_STRING_SHUFFLES):
        keys = np.where(code >= 0, rng.random(code.shape), 2.0)
        null[k] = _common_length(np.take_along_axis(code, np.argsort(keys, axis=1), axis=1), needed) / median
    return value, _z(value, null)


def _common_length(code: IntArray, needed: int) -> int:
    """Length of the longest substring that at least ``needed`` rows contain; -1 pads the rows."""
    letter = mix64(code.astype(np.uint64))
    ends = (code >= 0).sum(axis=1)
    low, high = 0, int(np.sort(ends)[len(ends) - needed])
    row = np.broadcast_to(np.arange(len(code))[:, None], code.shape)
    # hashes[k] covers 2^k letters; any length is two overlapping powers, so equal hashes mean equal strings
    # up to a 64-bit collision.
    hashes = [letter]
    while (2 << (len(hashes) - 1)) <= high:
        half = 1 << (len(hashes) - 1)
        with np.errstate(over="ignore"):
            hashes.append(mix64(hashes[-1][:, :-half] * np.uint64(0x9E3779B97F4A7C15) + hashes[-1][:, half:]))
    while low < high:
        length = (low + high + 1) // 2
        k = length.bit_length() - 1
        shift = length - (1 << k)
        n_starts = code.shape[1] - length + 1
        with np.errstate(over="ignore"):
            word = mix64(
                hashes[k][:, :n_starts] * np.uint64(0x94D049BB133111EB)
                + hashes[k][:, shift : shift + n_starts]
            )
        valid = np.arange(n_starts) + length <= ends[:, None]
        # Each word counts once a row.
        words, rows = word[valid], row[:, :n_starts][valid]
        order = np.lexsort((rows, words))
        words, rows = words[order], rows[order]
        new_word = np.concatenate(([True], words[1:] != words[:-1]))
        new_row = new_word | np.concatenate(([True], rows[1:] != rows[:-1]))
        n_rows = np.add.reduceat(new_row, np.flatnonzero(new_word), dtype=np.int64) if len(words) else [0]
        if np.max(n_rows) >= needed:
            low = length
        else:
            high = length - 1
    return low


@dataclass(frozen=True)
class Metric:
    """One column pair ``name, name_z`` of the clusters table.

    Parameters
    ----------
    name
        Column name.
    function
        Its implementation; the docstring is the user documentation.
    unit
        Of the value.
    null
        What z is measured against.
    synchronous
        Whether a higher or a lower value than the null means more in common.
    """

    name: str
    function: Callable[..., object]
    unit: str
    null: Literal["delays", "order", "configuration", "actions"]
    synchronous: Literal["higher", "lower"]

    @property
    def description(self) -> str:
        """The docstring of the function."""
        return (self.function.__doc__ or "").strip()


PANEL: Final[tuple[Metric, ...]] = (
    Metric("phase_coherence", phase_coherence, "0..1", "delays", "higher"),
    Metric("event_sync", event_sync, "0..1", "delays", "higher"),
    Metric("event_sync_direction", event_sync_direction, "0..1", "order", "higher"),
    Metric("delay_dispersion", delay_dispersion, "log2 ratio", "delays", "lower"),
    Metric("burst_overlap", burst_overlap, "0..1", "delays", "higher"),
    Metric("cascade_entropy", cascade_entropy, "0..1", "order", "lower"),
    Metric("kendall_w", kendall_w, "0..1", "order", "higher"),
    Metric("co_presence", co_presence, "0..1", "configuration", "higher"),
    Metric("digital_dna_lcs", digital_dna_lcs, "0..1", "actions", "higher"),
    Metric("persistence", persistence, "0..1", "delays", "higher"),
)


def panel_of(acts: MemberActs, incidence: Incidence, *, window_s: float, seed: int) -> Panel:
    """The panel's input: a bounded sample of the acts, and non-members on the same objects."""
    acts = sampled_acts(acts, MAX_ACTS)
    ticks, obj = _outsiders(acts, incidence)
    return Panel(acts, window_s, ticks, obj, seed)


def _outsiders(acts: MemberActs, incidence: Incidence) -> tuple[TickArray, IntArray]:
    if not len(acts):
        return np.empty(0, np.int32), np.empty(0, np.int64)
    # The incidence's object of each of the acts' objects: the one that most of its events stand on.
    rows = incidence.rows_of(np.unique(acts.account))
    rows = rows[np.argsort(incidence.event[rows], kind="stable")]
    event = incidence.event[rows]
    low, high = np.searchsorted(event, acts.event, "left"), np.searchsorted(event, acts.event, "right")
    n = high - low
    found = rows[np.repeat(low, n) + np.arange(int(n.sum())) - np.repeat(np.cumsum(n) - n, n)]
    key, votes = np.unique(
        np.repeat(acts.obj, n) * incidence.n_objects + incidence.obj[found], return_counts=True
    )
    number, obj = np.divmod(key, incidence.n_objects)
    order = np.lexsort((obj, -votes, number))
    best = order[np.concatenate(([True], number[order][1:] != number[order][:-1]))]
    of_object = np.full(incidence.n_objects, -1, np.int64)
    of_object[obj[best]] = number[best]
    here = of_object[incidence.obj]
    other = np.flatnonzero((here >= 0) & ~np.isin(incidence.account, np.unique(acts.account)))
    other = other[np.argsort(here[other], kind="stable")]
    ticks = np.minimum(incidence.delay_us[other] // TICK_US, 2**30 - 1).astype(np.int32)
    return ticks, here[other]


def synchrony_panel(
    acts: MemberActs,
    incidence: Incidence,
    *,
    window_s: float,
    member_action_strings: list[str] | None = None,
    seed: int,
    n_permutations: int = 199,
    model: Configuration | None = None,
) -> dict[str, tuple[float, float]]:
    """Value and z of every metric of `PANEL`, in its order.

    Parameters
    ----------
    acts
        `graphscan.clusters.significance.member_acts` of the cluster.
    incidence
        The layer's incidence it came from.
    window_s
        Window of the cluster's test, seconds.
    member_action_strings
        One string a member, one letter an action, by time (`action_strings`); None leaves digital DNA out.
    seed, n_permutations
        Of the delay null.
    model
        Fitted configuration of the incidence, to save fitting it for each cluster.

    Returns
    -------
    dict
        Name to (value, z); NaN where not computable.
    """
    panel = panel_of(acts, incidence, window_s=window_s, seed=seed)
    timed = [m for m in PANEL if m.null in ("delays", "order")]
    result = {m.name: (_NAN, _NAN) for m in PANEL}
    if panel.n >= 2:
        for metric, (value, null) in zip(timed, _against_null(panel, timed, n_permutations), strict=True):
            result[metric.name] = value, _z(value, null)
        result["co_presence"] = co_presence(incidence, np.unique(acts.account), model)
    if member_action_strings is not None:
        result["digital_dna_lcs"] = digital_dna_lcs(member_action_strings, seed=seed)
    return result


def _against_null(panel: Panel, metrics: list[Metric], n: int) -> list[tuple[float, FloatArray]]:
    """Observed value and null values of each delay metric."""
    rngs = {null: generator(panel.seed, "panel", null, panel.acts.key, n) for null in ("delays", "order")}
    block = max(1, _BLOCK_CELLS // max(len(panel.acts), len(panel.pairs[0]), 1))
    parts: list[list[FloatArray]] = [
        [np.asarray(m.function(panel, panel.acts.ticks[None, :]))] for m in metrics
    ]
    for done in range(0, n, block):
        size = min(block, n - done)
        arranged = {
            "delays": permuted_delays(panel.acts, size, rngs["delays"]),
            "order": permuted_order(panel.acts, size, rngs["order"]),
        }
        for values, metric in zip(parts, metrics, strict=True):
            values.append(np.asarray(metric.function(panel, arranged[metric.null])))
    out = []
    for values, metric in zip(parts, metrics, strict=True):
        every = np.concatenate(values)
        if metric.function is persistence:
            every = _share_of_slices(every)
        out.append((float(every[0]), every[1:]))
    return out


def _share_of_slices(pairs: FloatArray) -> FloatArray:
    if np.isnan(pairs).any():
        return np.full(len(pairs), _NAN)
    bound = np.quantile(pairs[1:], 0.95, axis=0, method="higher")
    return np.asarray((pairs > bound).mean(axis=1))


def _z(value: float, null: FloatArray) -> float:
    """NaN if the null does not vary: then there was nothing to compare with."""
    sd = float(null.std(ddof=1)) if len(null) > 1 else 0.0
    if not np.isfinite(value) or not sd > 1e-12:
        return _NAN
    return (value - float(null.mean())) / sd


def action_strings(events: EncodedEvents, members: IntArray) -> list[str]:
    """Digital DNA of each member: one letter an action, by time; at most the last `MAX_STRING_LENGTH`.

    Parameters
    ----------
    events
        Events in canonical order.
    members
        Sorted account codes.
    """
    from graphscan.network.layers import dictionary_codes

    rows = np.flatnonzero(np.isin(events.account, members))
    codes, values = dictionary_codes(events.table["action"])
    letters = np.array([chr(ord("A") + ACTIONS.index(v)) for v in values.to_pylist()])
    who = np.searchsorted(members, events.account[rows])
    order = np.argsort(who, kind="stable")
    text = letters[codes[rows]][order] if len(rows) else np.empty(0, "U1")
    bounds = np.searchsorted(who[order], np.arange(len(members) + 1))
    return ["".join(text[max(a, b - MAX_STRING_LENGTH) : b]) for a, b in itertools.pairwise(bounds)]
