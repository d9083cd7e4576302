"""Is a group's synchrony more than its members' habits and its objects' histories? A permutation test.

For each window W the statistic is ``S_W``, the sum over shared objects of ``sqrt(2 x pairs within W)``, which
grows linearly with the number that came together. The null permutes every account's own delays among the
objects of one size class (how many members are on them), so an account's speed, its choice of objects and
every object's birth stay as they were; only an offset that members have *in common* is broken. The windows
are joined by the largest standardised excess, which is permuted along (max-T, Westfall & Young 1993).

Small p-values come from a Pearson type III fit to the permutation distribution (Winkler et al., NeuroImage
141:502-516, 2016). A fit can be wrong far out, so p-values that matter are run again with more permutations.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Final

import numpy as np
from numpy.typing import NDArray

from graphscan.clusters.incidence import Incidence
from graphscan.entropy import generator, mix64

IntArray = NDArray[np.int64]
FloatArray = NDArray[np.float64]
TickArray = NDArray[np.int32]

# Delays inside the test are counted in tenths of a second: 32 bits hold three years of them, and sort and
# compare twice as fast. The shortest window is sixty seconds.
TICK_US: Final = 100_000
_MAX_TICKS: Final = 2**30 - 1
_LIST_SIZE: Final = 16
_LAG_SIZE: Final = 48

_DAY_US: Final = 86_400_000_000
_MIN_SD: Final = 0.15
_CLEAR_SD: Final = 2.0
# A group may be most of a small layer; then nothing would be more than its share.
_MAX_SHARE: Final = 0.2
_BLOCK_CELLS: Final = 4_000_000


@dataclass(frozen=True)
class MemberActs:
    """The acts of a candidate's members on objects that at least two of them share.

    Sorted by (object, account). ``ticks`` are delays in tenths of a second; ``group`` numbers the sets of
    exchangeable delays, one for each account and size class, and ``order`` lists the rows group after group.
    ``span_ticks`` tells for each act how long its object lasted, from birth to the last act of anybody, and
    ``object_code`` which object of the incidence it is.
    """

    account: IntArray
    obj: IntArray
    event: IntArray
    time_us: IntArray
    ticks: TickArray
    span_ticks: IntArray
    object_code: IntArray
    group: IntArray
    order: IntArray
    key: int

    def __len__(self) -> int:
        return len(self.account)

    @property
    def n_objects(self) -> int:
        """Number of shared objects."""
        return int(self.obj[-1]) + 1 if len(self.obj) else 0

    @property
    def log_arrangements(self) -> float:
        """Natural logarithm of the number of distinct arrangements of the delays."""
        from scipy.special import gammaln

        return float(gammaln(np.bincount(self.group) + 1.0).sum()) if len(self.group) else 0.0


@dataclass(frozen=True)
class SynchronyTest:
    """Result of the test of one candidate.

    Parameters
    ----------
    window_s
        The window that the figures are of: of those that hold the effect floors the one most in excess.
    statistic, null_mean, null_sd
        S there, and its mean and standard deviation under the null.
    effect_ratio
        ``(S + 1) / (null_mean + 1)``.
    kappa
        ``(S - null_mean) / (shared acts - null_mean)``: the share of what could be in common that is, with
        chance taken off as in Cohen's kappa.
    p_value
        One-sided.
    max_effect_ratio, max_kappa
        The largest over the windows: what the candidate could reach.
    z
        The joined statistic standardised against its own permutation distribution.
    n_permutations
        Used for ``p_value``.
    """

    window_s: float
    statistic: float
    null_mean: float
    null_sd: float
    effect_ratio: float
    kappa: float
    p_value: float
    max_effect_ratio: float
    max_kappa: float
    z: float
    n_permutations: int


def member_acts(
    incidence: Incidence,
    members: IntArray,
    *,
    objects: NDArray[np.bool_] | None = None,
    opened_by_members: bool = True,
) -> MemberActs:
    """The acts that the test of a candidate uses.

    Parameters
    ----------
    incidence
        The layer's incidence.
    members
        Sorted account codes.
    objects
        Which object codes may be used (the half that did not find the candidate); all when None.
    opened_by_members
        False leaves out objects that a member opened. A chat session that the group opens itself has no
        birth apart from the group's own acts, hence no null.
    """
    rows = incidence.rows_of(members)
    if objects is not None:
        rows = rows[objects[incidence.obj[rows]]]
    if not opened_by_members:
        opener = incidence.opener[incidence.obj[rows]]
        rows = rows[~np.isin(opener, members)]
    return acts_of_rows(incidence, rows[_over_represented(incidence, rows, members)])


def _over_represented(incidence: Incidence, rows: IntArray, members: IntArray) -> NDArray[np.bool_]:
    """Rows on objects where at least two members are, and clearly more than their activity gives.

    Camouflage puts members on popular objects, each at its own pace; a fan also likes what everybody likes.
    Those meetings are chance and only blur the comparison. The choice looks at who is on an object and never
    at when, so the null of the times stays exact. Expected is the bipartite configuration model's mean.
    """
    obj = incidence.obj[rows]
    objs, compact, here = np.unique(obj, return_inverse=True, return_counts=True)
    n_acts_of_members = len(incidence.rows_of(members))
    share = min(n_acts_of_members / max(len(incidence), 1), _MAX_SHARE)
    expected = share * incidence.accounts_on_object[objs]
    clear = here - expected >= _CLEAR_SD * np.sqrt(expected * (1 - share))
    result: NDArray[np.bool_] = (clear & (here >= 2))[compact]
    return result


def acts_of_rows(incidence: Incidence, rows: IntArray) -> MemberActs:
    """Acts of the given incidence rows on objects shared by at least two of their accounts."""
    obj, account = incidence.obj[rows], incidence.account[rows]
    objs, compact, size = np.unique(obj, return_inverse=True, return_counts=True)
    shared = size[compact] >= 2
    rows = rows[shared]
    obj, account = incidence.obj[rows], incidence.account[rows]
    # Objects are numbered by when they began, not by name; ties by size and then by code.
    objs, first, compact, size = np.unique(obj, return_index=True, return_inverse=True, return_counts=True)
    rank = np.empty(len(objs), np.int64)
    rank[np.lexsort((objs, size, incidence.time_us[rows][first] if len(rows) else first))] = np.arange(
        len(objs)
    )
    compact, size_of_row = rank[compact], size[compact]
    order = np.lexsort((account, compact))
    rows, compact, size_of_row = rows[order], compact[order], size_of_row[order]
    account = incidence.account[rows]
    size_class = np.log2(size_of_row).astype(np.int64)
    _, group = np.unique(account * 64 + size_class, return_inverse=True)
    time_us = incidence.time_us[rows]
    key = int(mix64((time_us % _DAY_US).astype(np.uint64)).sum(dtype=np.uint64)) if len(rows) else 0
    return MemberActs(
        account,
        compact,
        incidence.event[rows],
        time_us,
        np.minimum(incidence.delay_us[rows] // TICK_US, _MAX_TICKS).astype(np.int32),
        incidence.span_us[incidence.obj[rows]] // TICK_US,
        incidence.obj[rows],
        group,
        np.argsort(group, kind="stable"),
        key,
    )


def pairs_within(delays: TickArray, obj: IntArray, windows: TickArray) -> TickArray:
    """Pairs of acts on one object within each window, for many arrangements of the delays at once.

    Parameters
    ----------
    delays
        Ticks, shape ``(P, m)``, columns sorted by object.
    obj
        Object number of each column, shape ``(m,)``, 0 … k-1 in order.
    windows
        Ticks, ascending, shape ``(W,)``.

    Returns
    -------
    array of shape ``(W, P, k)``
    """
    start = np.flatnonzero(np.concatenate(([True], obj[1:] != obj[:-1])))
    size = np.diff(np.concatenate((start, [len(obj)])))
    result = np.zeros((len(windows), len(delays), len(start)), np.int32)
    small = np.flatnonzero(size <= _LIST_SIZE)
    if len(small):
        result[:, :, small] = _pairs_by_list(delays, start[small], size[small], windows)
    for s in np.unique(size[size > _LIST_SIZE]):
        # Objects of one size are counted together: a (P, n, s) block costs one pass.
        of_size = np.flatnonzero(size == s)
        columns = start[of_size][:, None] + np.arange(s)
        block = delays[:, columns]
        counted = _pairs_by_lag if s <= _LAG_SIZE else _pairs_by_search
        result[:, :, of_size] = counted(block, windows)
    return result


def _pairs_by_list(delays: TickArray, start: IntArray, size: IntArray, windows: TickArray) -> TickArray:
    """All pairs of small objects, written out."""
    pairs_of = size * (size - 1) // 2
    within = np.arange(int(pairs_of.sum())) - np.repeat(np.cumsum(pairs_of) - pairs_of, pairs_of)
    # Pair number n of an object is (j, i) with j (j - 1) / 2 + i = n, i < j.
    j = ((1 + np.sqrt(1 + 8 * within)) / 2).astype(np.int64)
    i = within - j * (j - 1) // 2
    shift = np.repeat(start, pairs_of)
    i, j = i + shift, j + shift
    gap = np.abs(delays[:, i] - delays[:, j])
    bounds = np.concatenate(([0], np.cumsum(pairs_of)[:-1]))
    return np.stack([np.add.reduceat(gap <= w, bounds, axis=1, dtype=np.int32) for w in windows])


def _pairs_by_lag(block: TickArray, windows: TickArray) -> TickArray:
    """Neighbours at each lag of the sorted delays; stops where no window reaches."""
    P, n, s = block.shape
    block = np.sort(block, axis=2)
    result = np.zeros((len(windows), P, n), np.int32)
    for lag in range(1, s):
        gap = block[:, :, lag:] - block[:, :, :-lag]
        for k in range(len(windows) - 1, -1, -1):
            within = gap <= windows[k]
            n_within = np.add.reduce(within, axis=2, dtype=np.int32)
            if not n_within.any():
                if k == len(windows) - 1:
                    return result
                break
            result[k] += n_within
    return result


def _pairs_by_search(block: TickArray, windows: TickArray) -> TickArray:
    """One search over all arrangements and objects, gaps cut to just beyond the window."""
    P, n, s = block.shape
    gaps = np.diff(np.sort(block, axis=2), axis=2).astype(np.int64)
    result = np.empty((len(windows), P, n), np.int32)
    here = np.arange(P * n * s)
    for k, w in enumerate(windows):
        step = np.full((P, n, s), int(w) + 1, np.int64)
        np.minimum(gaps, int(w) + 1, out=step[:, :, 1:])
        clock = np.cumsum(step.ravel())
        n_after = np.searchsorted(clock, clock + int(w), side="right") - here - 1
        result[k] = n_after.reshape(P, n, s).sum(axis=2)
    return result


def permuted_delays(acts: MemberActs, n: int, rng: np.random.Generator) -> TickArray:
    """``n`` random arrangements of the delays inside their groups, shape ``(n, m)``, columns as the acts."""
    m = len(acts)
    keys = rng.integers(0, 1 << 32, (n, m), dtype=np.int64)
    keys += acts.group[acts.order] << 32
    shuffled = np.argsort(keys, axis=1)
    result = np.empty((n, m), np.int32)
    result[:, acts.order] = acts.ticks[acts.order][shuffled]
    return result


def synchrony(acts: MemberActs, delays: TickArray, windows: TickArray) -> FloatArray:
    """``S_W`` for each arrangement and window, shape ``(P, W)``.

    An object that lasted no longer than the window is left out at that window: everybody on it is together,
    whatever they do, and a delay drawn from a longer one would only make it look special.
    """
    pairs = pairs_within(delays, acts.obj, windows)
    result: FloatArray = np.einsum(
        "wpk,wk->pw", np.sqrt(2.0 * pairs), told_objects(acts, windows).astype(float)
    )
    return result


def told_objects(acts: MemberActs, windows: TickArray) -> NDArray[np.bool_]:
    """Which objects say something at each window, shape ``(W, k)``."""
    start = np.searchsorted(acts.obj, np.arange(acts.n_objects))
    result: NDArray[np.bool_] = acts.span_ticks[start][None, :] > windows[:, None]
    return result


def _null_synchrony(acts: MemberActs, n: int, windows: TickArray, rng: np.random.Generator) -> FloatArray:
    block = max(1, min(n, _BLOCK_CELLS // max(len(acts), 1)))
    return np.concatenate(
        [
            synchrony(acts, permuted_delays(acts, min(block, n - start), rng), windows)
            for start in range(0, n, block)
        ]
    )


def window_ticks(windows_s: tuple[float, ...]) -> TickArray:
    """Windows in ticks of `TICK_US`."""
    return np.round(np.asarray(windows_s) * 1e6 / TICK_US).astype(np.int32)


def sampled_acts(acts: MemberActs, max_acts: int) -> MemberActs:
    """The acts on a sample of the objects, at most about ``max_acts`` of them.

    A test on thousands of acts is decided long before the last; effect sizes are means and stay. The sample
    is drawn by the times of day on each object.
    """
    if len(acts) <= max_acts:
        return acts
    act = mix64((acts.time_us % _DAY_US).astype(np.uint64))
    total = np.zeros(acts.n_objects, np.uint64)
    np.add.at(total, acts.obj, act)
    by_hash = np.argsort(mix64(total), kind="stable")
    size = np.bincount(acts.obj)[by_hash]
    n_kept = max(3, int(np.searchsorted(np.cumsum(size), max_acts, "right")))
    keep = np.zeros(acts.n_objects, bool)
    keep[by_hash[:n_kept]] = True
    return chosen_acts(acts, keep[acts.obj])


def chosen_acts(acts: MemberActs, rows: NDArray[np.bool_]) -> MemberActs:
    """Some of the acts, whole objects at a time."""
    _, obj = np.unique(acts.obj[rows], return_inverse=True)
    _, group = np.unique(acts.group[rows], return_inverse=True)
    return replace(
        acts,
        account=acts.account[rows],
        obj=obj,
        event=acts.event[rows],
        time_us=acts.time_us[rows],
        ticks=acts.ticks[rows],
        span_ticks=acts.span_ticks[rows],
        object_code=acts.object_code[rows],
        group=group,
        order=np.argsort(group, kind="stable"),
    )


def log_upper_tail(value: float, sample: FloatArray) -> float:
    """Natural log of the upper tail probability at ``value`` by a Pearson III fit to ``sample``.

    With negative skew the fitted tail has an end, beyond which it would claim p = 0; the normal tail, which
    is heavier there, is used instead.
    """
    from scipy.special import gammaincc, gammaln, log_ndtr

    sd = float(sample.std(ddof=1))
    if sd == 0:
        return 0.0 if value <= sample.mean() else -np.inf
    z = (value - float(sample.mean())) / sd
    skew = float((((sample - sample.mean()) / sd) ** 3).mean())
    if skew < 0.02:
        return float(log_ndtr(-z))
    shape = 4.0 / skew**2
    x = shape + z * np.sqrt(shape)
    if x <= 0:
        return 0.0
    tail = float(gammaincc(shape, x))
    if tail > 1e-280:
        return float(np.log(tail))
    # Beyond the smallest double: the head of Legendre's continued fraction of the incomplete gamma function.
    fraction = x + 1 - shape + (shape - 1) / (x + 3 - shape)
    return float(shape * np.log(x) - x - np.log(fraction) - gammaln(shape))


def synchrony_test(
    acts: MemberActs,
    windows_s: tuple[float, ...],
    *,
    seed: int,
    n_permutations: int,
    floors: tuple[float, float] = (1.0, 0.0),
) -> SynchronyTest:
    """Test a candidate's synchrony with ``n_permutations`` arrangements.

    The p-value is the exact permutation p-value ``(1 + #{T* >= T}) / (1 + n)`` wherever one arrangement is
    as extreme as the data, and the Pearson III tail beyond that.

    Parameters
    ----------
    acts
        Of the candidate.
    windows_s
        Windows in seconds, ascending.
    seed, n_permutations
        Of the null.
    floors
        Least effect ratio and kappa: among the windows that hold both the one of the largest excess is told.
        (In sessions shorter than a window everybody is together by chance too; the ratio there is bounded,
        whatever the group does.)
    """
    windows = window_ticks(windows_s)
    rng = generator(seed, "synchrony", acts.key, n_permutations)
    observed = synchrony(acts, acts.ticks[None, :], windows)[0]
    null = _null_synchrony(acts, n_permutations, windows, rng)
    mean, sd = null.mean(axis=0), null.std(axis=0, ddof=1)
    scale = np.maximum(sd, _MIN_SD)
    excess = (observed - mean) / scale
    joined = excess.max()
    joined_null = ((null - mean) / scale).max(axis=1)
    n_over = int((joined_null >= joined - 1e-9).sum())
    p_exact = (1 + n_over) / (1 + n_permutations)
    p_value = p_exact
    if n_over == 0:
        p_value = min(p_exact, float(np.exp(max(log_upper_tail(float(joined), joined_null), -700.0))))
    n_acts = told_objects(acts, windows)[:, acts.obj].sum(axis=1)
    ratio = (observed + 1) / (mean + 1)
    kappa = (observed - mean) / np.maximum(n_acts - mean, 1e-9)
    best = _told_window(excess, ratio, kappa, floors)
    spread = float(joined_null.std(ddof=1))
    return SynchronyTest(
        window_s=float(windows_s[best]),
        statistic=float(observed[best]),
        null_mean=float(mean[best]),
        null_sd=float(sd[best]),
        effect_ratio=float(ratio[best]),
        kappa=float(kappa[best]),
        p_value=p_value,
        max_effect_ratio=float(ratio.max()),
        max_kappa=float(kappa.max()),
        z=float((joined - joined_null.mean()) / max(spread, _MIN_SD)),
        n_permutations=n_permutations,
    )


def _told_window(
    excess: FloatArray, ratio: FloatArray, kappa: FloatArray, floors: tuple[float, float]
) -> int:
    """The window of the largest excess among those that hold the floors at 3 sd or more, else among all."""
    holds = (ratio >= floors[0]) & (kappa >= floors[1]) & (excess >= 3)
    return int(np.argmax(np.where(holds, excess, -np.inf) if holds.any() else excess))


def benjamini_hochberg(p_values: FloatArray) -> FloatArray:
    """Adjusted p-values (Benjamini & Hochberg, JRSS B 57:289-300, 1995), same order, shape ``(n,)``."""
    n = len(p_values)
    if not n:
        return p_values
    order = np.argsort(p_values, kind="stable")
    adjusted = p_values[order] * n / np.arange(1, n + 1)
    adjusted = np.minimum.accumulate(adjusted[::-1])[::-1]
    result = np.empty(n)
    result[order] = np.minimum(adjusted, 1.0)
    return result
