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

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from graphscan.clusters.incidence import Incidence
from graphscan.entropy import generator, mix64

IntArray = NDArray[np.int64]
FloatArray = NDArray[np.float64]

_DAY_US: Final = 86_400_000_000
_MIN_SD: Final = 0.15
_BLOCK_CELLS: Final = 4_000_000


@dataclass(frozen=True)
class MemberActs:
    """The acts of a candidate's members on objects that at least two of them share.

    Sorted by (object, account); ``group`` numbers the sets of exchangeable delays, one for each account and
    size class, and ``order`` lists the rows group after group.
    """

    account: IntArray
    obj: IntArray
    event: IntArray
    time_us: IntArray
    delay_us: IntArray
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
    """Result of the test of one candidate, at the window where it is most in excess.

    Parameters
    ----------
    window_s
        The window of the largest standardised excess.
    statistic, null_mean, null_sd
        S there, and its mean and standard deviation under the null.
    effect_ratio
        ``(S + 1) / (null_mean + 1)``.
    kappa
        ``(S - null_mean) / (shared acts - null_mean)``: the share of what could be in common that is, with
        chance taken off as in Cohen's kappa.
    p_value
        One-sided.
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
    is_member = np.zeros(incidence.n_accounts, bool)
    is_member[members] = True
    rows = is_member[incidence.account]
    if objects is not None:
        rows &= objects[incidence.obj]
    if not opened_by_members:
        opener = incidence.opener[incidence.obj]
        rows &= ~is_member[np.maximum(opener, 0)] | (opener < 0)
    return acts_of_rows(incidence, np.flatnonzero(rows))


def acts_of_rows(incidence: Incidence, rows: IntArray) -> MemberActs:
    """Acts of the given incidence rows on objects shared by at least two of their accounts."""
    obj, account = incidence.obj[rows], incidence.account[rows]
    objs, compact, size = np.unique(obj, return_inverse=True, return_counts=True)
    shared = size[compact] >= 2
    rows = rows[shared]
    obj, account = incidence.obj[rows], incidence.account[rows]
    # Objects are numbered by when they began, not by name; ties by size and then by code.
    objs, first, compact, size = np.unique(
        obj, return_index=True, return_inverse=True, return_counts=True
    )
    rank = np.empty(len(objs), np.int64)
    rank[np.lexsort((objs, size, incidence.time_us[rows][first] if len(rows) else first))] = np.arange(len(objs))
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
        incidence.delay_us[rows],
        group,
        np.argsort(group, kind="stable"),
        key,
    )


def pairs_within(delays: IntArray, obj: IntArray, windows_us: IntArray) -> IntArray:
    """Pairs of acts on one object within each window, for many arrangements of the delays at once.

    Parameters
    ----------
    delays
        Shape ``(P, m)``, columns sorted by object.
    obj
        Object number of each column, shape ``(m,)``, 0 … k-1 in order.
    windows_us
        Shape ``(W,)``.

    Returns
    -------
    array of shape ``(W, P, k)``
    """
    start = np.flatnonzero(np.concatenate(([True], obj[1:] != obj[:-1])))
    size = np.diff(np.concatenate((start, [len(obj)])))
    n_pairs = int((size * (size - 1) // 2).sum())
    if n_pairs <= 6 * len(obj):
        return _pairs_by_listing(delays, start, size, windows_us)
    return _pairs_by_sorting(delays, start, size, windows_us)


def _pairs_by_listing(delays: IntArray, start: IntArray, size: IntArray, windows_us: IntArray) -> IntArray:
    n_after = np.concatenate([np.arange(s - 1, -1, -1) for s in size])
    i = np.repeat(np.arange(int(size.sum())), n_after)
    before = np.concatenate(([0], np.cumsum(n_after)[:-1]))
    j = i + 1 + np.arange(len(i)) - np.repeat(before, n_after)
    gap = np.abs(delays[:, i] - delays[:, j])
    bounds = before[start]
    return np.stack(
        [np.add.reduceat((gap <= w).astype(np.int32), bounds, axis=1) for w in windows_us]
    ).astype(np.int64)


def _pairs_by_sorting(delays: IntArray, start: IntArray, size: IntArray, windows_us: IntArray) -> IntArray:
    P, m = delays.shape
    k = len(start)
    obj = np.repeat(np.arange(k), size)
    ordered = np.empty_like(delays)
    # Objects of one size are sorted together: a (P, n, size) block costs one call.
    for s in np.unique(size):
        of_size = np.flatnonzero(size == s)
        columns = (start[of_size][:, None] + np.arange(s)).ravel()
        block = delays[:, columns].reshape(P, len(of_size), s)
        ordered[:, columns] = np.sort(block, axis=2).reshape(P, -1)
    flat = ordered.ravel()
    line = np.repeat(np.arange(P), m) * k + np.tile(obj, P)
    gaps = np.diff(flat)
    border = line[1:] != line[:-1]
    result = np.empty((len(windows_us), P, k), np.int64)
    for n, w in enumerate(windows_us):
        step = np.minimum(gaps, w + 1)
        step[border] = w + 1
        clock = np.concatenate(([0], np.cumsum(step)))
        n_after = np.searchsorted(clock, clock + w, side="right") - np.arange(len(flat)) - 1
        result[n] = np.bincount(line, weights=n_after, minlength=P * k).reshape(P, k)
    return result


def permuted_delays(acts: MemberActs, n: int, rng: np.random.Generator) -> IntArray:
    """``n`` random arrangements of the delays inside their groups, shape ``(n, m)``, columns as in ``acts``."""
    m = len(acts)
    group = acts.group[acts.order]
    shuffled = np.argsort(group + rng.random((n, m)), axis=1)
    result = np.empty((n, m), np.int64)
    result[:, acts.order] = acts.delay_us[acts.order][shuffled]
    return result


def synchrony(acts: MemberActs, delays: IntArray, windows_us: IntArray) -> FloatArray:
    """``S_W`` for each arrangement and window, shape ``(P, W)``."""
    pairs = pairs_within(delays, acts.obj, windows_us)
    result: FloatArray = np.sqrt(2.0 * pairs).sum(axis=2).T
    return result


def _null_synchrony(acts: MemberActs, n: int, windows_us: IntArray, rng: np.random.Generator) -> FloatArray:
    block = max(1, min(n, _BLOCK_CELLS // max(len(acts), 1)))
    parts = []
    for start in range(0, n, block):
        parts.append(synchrony(acts, permuted_delays(acts, min(block, n - start), rng), windows_us))
    return np.concatenate(parts)


def log_upper_tail(value: float, sample: FloatArray) -> float:
    """Natural log of the upper tail probability at ``value`` by a Pearson III fit to ``sample``.

    With negative skew the fitted tail has an end, beyond which it would claim p = 0; the normal tail, which
    is heavier there, is used instead.
    """
    from scipy.special import gammaincc, log_ndtr
    from scipy.stats import gamma

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
    return float(np.log(tail)) if tail > 1e-280 else float(gamma.logsf(x, shape))


def synchrony_test(
    acts: MemberActs,
    windows_s: tuple[float, ...],
    *,
    seed: int,
    n_permutations: int,
) -> SynchronyTest:
    """Test a candidate's synchrony with ``n_permutations`` arrangements.

    The p-value is the exact permutation p-value ``(1 + #{T* >= T}) / (1 + n)`` wherever one arrangement is
    as extreme as the data, and the Pearson III tail beyond that.
    """
    windows_us = np.round(np.asarray(windows_s) * 1e6).astype(np.int64)
    rng = generator(seed, "synchrony", acts.key, n_permutations)
    observed = synchrony(acts, acts.delay_us[None, :], windows_us)[0]
    null = _null_synchrony(acts, n_permutations, windows_us, rng)
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
    best = int(np.argmax(excess))
    spread = float(joined_null.std(ddof=1))
    n_acts = len(acts)
    return SynchronyTest(
        window_s=float(windows_s[best]),
        statistic=float(observed[best]),
        null_mean=float(mean[best]),
        null_sd=float(sd[best]),
        effect_ratio=float((observed[best] + 1) / (mean[best] + 1)),
        kappa=float((observed[best] - mean[best]) / max(n_acts - mean[best], 1e-9)),
        p_value=p_value,
        z=float((joined - joined_null.mean()) / max(spread, _MIN_SD)),
        n_permutations=n_permutations,
    )


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
