"""Do members share more objects than their activity and the objects' sizes give? An analytic test.

The null is the bipartite configuration model: accounts keep how many objects they act on, objects keep how
many accounts act on them, and who is on what is otherwise random. The statistic is ``C``, the sum over
objects of ``q (q - 1) / 2``, where q members are on the object: the shared objects of all pairs of members.

A group that shares more than this is a *community of interest*: readers of one newspaper are one. It never
raises suspicion by itself, and it says nothing about time.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from graphscan.clusters.incidence import Incidence

IntArray = NDArray[np.int64]
FloatArray = NDArray[np.float64]

_FIT_ROUNDS: Final = 300
_FIT_TOLERANCE: Final = 1e-7
_NEWTON_ROUNDS: Final = 200
_LEAST_LOG: Final = -745.0  # below it exp() is 0


@dataclass(frozen=True)
class Configuration:
    """Fitted bipartite configuration model of one incidence.

    The probability that an account of degree d is on an object of size k is ``x_d y_k / (1 + x_d y_k)``, with
    x and y such that every account's and every object's expected number is its own (Saracco, Di Clemente,
    Gabrielli & Squartini, Scientific Reports 5:10595, 2015). Accounts of one degree are alike, and so are
    objects of one size, so the fit costs (distinct degrees) x (distinct sizes) a round.

    Parameters
    ----------
    degree
        Objects of each account, shape ``(n_accounts,)``.
    size
        Accounts of each object, shape ``(n_objects,)``.
    degree_values, size_values
        Distinct values above 0, ascending.
    n_of_degree, n_of_size
        How many accounts and objects have each.
    x, y
        Fitted weights of each distinct degree and size.
    """

    degree: IntArray
    size: IntArray
    degree_values: IntArray
    size_values: IntArray
    n_of_degree: IntArray
    n_of_size: IntArray
    x: FloatArray
    y: FloatArray


@dataclass(frozen=True)
class SharedObjects:
    """How much a group shares, and what the configuration model expects.

    Parameters
    ----------
    n_shared
        ``C``, the sum over objects of ``q (q - 1) / 2``.
    mean, sd
        Of C under the model, the members' total number of acts kept.
    log_p_value
        Natural log of the probability of C or more.
    """

    n_shared: int
    mean: float
    sd: float
    log_p_value: float

    @property
    def p_value(self) -> float:
        """Probability of sharing so much or more, at least the smallest positive float."""
        return float(np.exp(max(self.log_p_value, _LEAST_LOG)))

    @property
    def z(self) -> float:
        """``(C - mean) / sd``; NaN where the model leaves nothing to chance."""
        return (self.n_shared - self.mean) / self.sd if self.sd > 0 else float("nan")


def fitted_configuration(incidence: Incidence) -> Configuration:
    """The configuration model of an incidence, fitted by fixed-point iteration."""
    degree = np.bincount(incidence.account, minlength=incidence.n_accounts)
    size = np.bincount(incidence.obj, minlength=incidence.n_objects)
    d, n_d = np.unique(degree[degree > 0], return_counts=True)
    k, n_k = np.unique(size[size > 0], return_counts=True)
    total = float(max(len(incidence), 1))
    x, y = d / np.sqrt(total), k / np.sqrt(total)
    for _ in range(_FIT_ROUNDS):
        new_x = d / ((n_k * y) / (1 + x[:, None] * y)).sum(axis=1)
        new_y = k / ((n_d * new_x)[:, None] / (1 + new_x[:, None] * y)).sum(axis=0)
        moved = max(
            np.abs(new_x / x - 1).max(initial=0.0),
            np.abs(new_y / y - 1).max(initial=0.0),
        )
        # An account on every object has infinite weight; the bound leaves it a probability of nearly 1.
        x, y = np.minimum(new_x, 1e9), np.minimum(new_y, 1e9)
        if moved < _FIT_TOLERANCE:
            break
    return Configuration(degree, size, d, k, n_d, n_k, x, y)


def shared_objects(
    incidence: Incidence, members: IntArray, model: Configuration | None = None
) -> SharedObjects:
    """What a group shares against the configuration model.

    Parameters
    ----------
    incidence
        The layer's incidence.
    members
        Sorted distinct account codes.
    model
        `fitted_configuration` of the same incidence; fitted here when None. Fit it once for many groups.

    Notes
    -----
    Approximations. (1) Objects are independent given their sizes: on an object of size k the number of
    members is a Poisson-binomial variable conditioned on k accounts in all, the others' number taken as a
    binomial of the same mean and variance. (2) The members' degrees are kept in sum, not one by one: the
    tail is that of C given the total number of the members' acts, by the double saddlepoint approximation
    of Skovgaard (J. Appl. Prob. 24:875-887, 1987), in the form of Barndorff-Nielsen's r*, in logarithms
    throughout. (3) A group's own acts are part of the model it is compared with, which makes the test
    conservative for groups that are a large part of their layer.

    Raises
    ------
    ValueError
        If a member has no act in the incidence's code space.
    """
    if len(members) and (members.min() < 0 or members.max() >= incidence.n_accounts):
        raise ValueError("members are account codes of the incidence")
    model = model or fitted_configuration(incidence)
    rows = incidence.rows_of(members)
    q = np.bincount(incidence.obj[rows], minlength=1)
    n_shared = int((q * (q - 1) // 2).sum())
    n_acts = len(rows)
    degrees = model.degree[members]
    if n_acts == 0 or (degrees > 0).sum() < 2:
        return SharedObjects(n_shared, 0.0, 0.0, 0.0)
    log_pmf = _members_on_objects(model, degrees)
    return _given_total(log_pmf, model.n_of_size.astype(np.float64), n_shared, n_acts)


def incidence_p_value(incidence: Incidence, members: IntArray, model: Configuration | None = None) -> float:
    """Probability under the configuration model that the group shares as many objects as it does, or more.

    See `shared_objects` for the parameters, the approximations and the logarithm. A small value names a
    community of interest and is no evidence of coordination.
    """
    return shared_objects(incidence, members, model).p_value


def _members_on_objects(model: Configuration, degrees: IntArray) -> FloatArray:
    """Log probability of q members on an object of each size, shape ``(n_sizes, q_max + 1)``."""
    values, n_members = np.unique(degrees[degrees > 0], return_counts=True)
    at = np.searchsorted(model.degree_values, values)
    probability = model.x[at][:, None] * model.y / (1 + model.x[at][:, None] * model.y)
    q_max = int(min(n_members.sum(), model.size_values.max()))
    q = np.arange(q_max + 1)
    log_pmf = np.full((len(model.size_values), q_max + 1), -np.inf)
    # The tail runs to e-1000 and beyond. Tilted so that the middle of the range is likely, all of it is
    # within the reach of a double for 800 members; larger groups need more than one tilt.
    n_tilts = 1 + int(n_members.sum()) // 800
    odds = probability / (1 - probability)
    for k in range(n_tilts):
        tilt = _tilt_to_mean(odds, n_members, q_max * (2 * k + 1) / (2 * n_tilts))
        tilted = odds * np.exp(tilt)
        pmf = _poisson_binomial(tilted / (1 + tilted), n_members, q_max)
        with np.errstate(divide="ignore"):
            log_part = np.where(pmf > 1e-290, np.log(pmf), -np.inf) - q * tilt[:, None]
        # Both are the same function up to a constant that the normalisation below takes away.
        log_part += (n_members[:, None] * np.log1p(tilted)).sum(axis=0)[:, None]
        log_pmf = np.maximum(log_pmf, log_part)
    log_pmf = log_pmf + _others_on_objects(model, values, n_members, q)
    log_pmf[q[None, :] > model.size_values[:, None]] = -np.inf
    return np.asarray(log_pmf - _log_sum_exp(log_pmf)[:, None])


def _tilt_to_mean(odds: FloatArray, n_members: IntArray, mean: float) -> FloatArray:
    """Log of the factor on all odds that makes ``mean`` members expected, for each size."""
    low, high = np.full(odds.shape[1], -60.0), np.full(odds.shape[1], 60.0)
    for _ in range(50):
        middle = (low + high) / 2
        tilted = odds * np.exp(middle)
        below = (n_members[:, None] * tilted / (1 + tilted)).sum(axis=0) < mean
        low, high = np.where(below, middle, low), np.where(below, high, middle)
    return np.asarray((low + high) / 2)


def _poisson_binomial(probability: FloatArray, n_members: IntArray, q_max: int) -> FloatArray:
    """Probability of 0 ... q_max successes, shape ``(n_sizes, q_max + 1)``; one row of p a kind of member."""
    pmf = np.zeros((probability.shape[1], q_max + 1))
    pmf[:, 0] = 1.0
    for p, n in zip(probability, n_members, strict=True):
        for _ in range(int(n)):
            moved = pmf[:, :-1] * p[:, None]
            pmf *= (1 - p)[:, None]
            pmf[:, 1:] += moved
    return pmf


def _others_on_objects(
    model: Configuration, values: IntArray, n_members: IntArray, q: IntArray
) -> FloatArray:
    """Log probability that the others fill an object of size k up: ``k - q`` of them are on it."""
    from scipy.special import gammaln

    n_others = model.n_of_degree.astype(np.float64)
    n_others[np.searchsorted(model.degree_values, values)] -= n_members
    p = model.x[:, None] * model.y / (1 + model.x[:, None] * model.y)
    mean = (n_others[:, None] * p).sum(axis=0)
    square = (n_others[:, None] * p**2).sum(axis=0)
    left = model.size_values[:, None] - q
    share = np.clip(square / np.maximum(mean, 1e-300), 1e-12, 1 - 1e-12)
    # At least as many as must be placed: the binomial's own number is a fit and may fall short.
    number = np.maximum(mean / share, model.size_values)[:, None]
    ok = left >= 0
    left = np.where(ok, left, 0)
    share = np.clip(mean[:, None] / number, 1e-300, 1 - 1e-12)
    log_p = (
        gammaln(number + 1)
        - gammaln(left + 1)
        - gammaln(number - left + 1)
        + left * np.log(share)
        + (number - left) * np.log1p(-share)
    )
    if not n_others.sum():
        log_p = np.where(left == 0, 0.0, -np.inf)
    return np.where(ok, log_p, -np.inf)


def _log_sum_exp(values: FloatArray) -> FloatArray:
    top = values.max(axis=1)
    return np.asarray(top + np.log(np.exp(values - top[:, None]).sum(axis=1)))


@dataclass(frozen=True)
class _Moments:
    """Cumulant generating function of (sum of q, sum of q (q - 1) / 2) at a tilt, gradient and Hessian."""

    value: float
    gradient: FloatArray
    hessian: FloatArray


def _cumulants(log_pmf: FloatArray, n_of_size: FloatArray, tilt: FloatArray) -> _Moments:
    q = np.arange(log_pmf.shape[1], dtype=np.float64)
    pairs = q * (q - 1) / 2
    tilted = log_pmf + tilt[0] * q + tilt[1] * pairs
    log_total = _log_sum_exp(tilted)
    weight = np.exp(tilted - log_total[:, None])
    mean = np.stack([weight @ q, weight @ pairs])
    cross = np.array(
        [
            [n_of_size @ (weight @ (a * b) - mean[i] * mean[j]) for j, b in enumerate((q, pairs))]
            for i, a in enumerate((q, pairs))
        ]
    )
    return _Moments(float(n_of_size @ log_total), mean @ n_of_size, cross)


def _solved_tilt(
    log_pmf: FloatArray, n_of_size: FloatArray, target: FloatArray, free: int
) -> tuple[FloatArray, _Moments]:
    """Tilt at which the first ``free`` expected values meet the target (damped Newton, convex)."""
    tilt = np.zeros(2)
    at = _cumulants(log_pmf, n_of_size, tilt)
    for _ in range(_NEWTON_ROUNDS):
        miss = (target - at.gradient)[:free]
        if np.all(np.abs(miss) <= 1e-9 * np.maximum(1.0, np.abs(target[:free]))):
            break
        step = np.zeros(2)
        # Least squares: far out the tilted law sits on one value and the Hessian is singular.
        step[:free] = np.linalg.lstsq(at.hessian[:free, :free], miss, rcond=1e-14)[0]
        length = float(np.abs(step).max())
        step *= min(1.0, 2.0 / length) if length else 1.0
        gain, shrink = float(miss @ step[:free]), 1.0
        while shrink > 1e-10:
            trial = tilt + shrink * step
            after = _cumulants(log_pmf, n_of_size, trial)
            # Armijo: the dual objective K(tilt) - tilt . target has to fall.
            fall = (after.value - trial @ target) - (at.value - tilt @ target)
            if fall <= -1e-4 * shrink * gain + 1e-12:
                break
            shrink /= 2
        else:
            break
        tilt, at = trial, after
    return tilt, at


def _given_total(log_pmf: FloatArray, n_of_size: FloatArray, n_shared: int, n_acts: int) -> SharedObjects:
    from scipy.special import log_ndtr

    # At C = 0 nothing is shared and the upper tail is everything; half a step below C is the continuity
    # correction of an integer statistic.
    target = np.array([float(n_acts), n_shared - 0.5])
    base_tilt, base = _solved_tilt(log_pmf, n_of_size, target, free=1)
    var_total = base.hessian[0, 0]
    mean = float(base.gradient[1])
    var = float(base.hessian[1, 1] - base.hessian[0, 1] ** 2 / var_total) if var_total > 1e-12 else 0.0
    sd = float(np.sqrt(max(var, 0.0)))
    if n_shared == 0:
        return SharedObjects(0, mean, sd, 0.0)
    if sd < 1e-9:
        return SharedObjects(n_shared, mean, 0.0, 0.0)
    normal = -(target[1] - mean) / sd
    if abs(normal) < 0.02:
        return SharedObjects(n_shared, mean, sd, float(log_ndtr(normal)))
    tilt, at = _solved_tilt(log_pmf, n_of_size, target, free=2)
    depth = (base.value - base_tilt @ np.array([target[0], 0.0])) - (at.value - tilt @ target)
    w = float(np.sign(tilt[1]) * np.sqrt(max(2 * depth, 1e-300)))
    spread = float(np.linalg.det(at.hessian))
    u = 2 * np.sinh(min(abs(tilt[1]), 600.0) / 2) * np.sign(tilt[1]) * np.sqrt(max(spread, 0.0) / var_total)
    if abs(w) < 1e-6:
        return SharedObjects(n_shared, mean, sd, float(log_ndtr(normal)))
    if w * u <= 0:
        # No curvature left to correct with: Chernoff's bound for the upper tail, everything for the lower.
        return SharedObjects(n_shared, mean, sd, min(0.0, -depth) if w > 0 else 0.0)
    r_star = w + np.log(u / w) / w
    return SharedObjects(n_shared, mean, sd, min(0.0, float(log_ndtr(-r_star))))
