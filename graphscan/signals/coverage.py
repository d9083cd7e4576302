"""Surface coverage: which share of an account's acts looks hosted, surface by surface.

An act *looks hosted* when a mechanism that is proven for the account explains that very act:

``clock``
    the session starts of the account are locked to a clock (Rayleigh p < 1e-6 over all periods), and the
    session
    of the act began on the beat; or at least half of its intervals between sessions are equal within 10 %
    beyond
    chance, and the session of the act began at that interval;
``timing``
    the account goes without rest on at least seven days and in at least half of its acts, and the 24
    hours around
    the act hold no rest of four hours;
``latency``
    the account writes too fast in at least half of its answers or of its own sequence of texts, and the
    text of
    the act came at more than 30 characters a second;
``network``
    the act is evidence of a tested cluster that has the account in its core by its own acts.

How a text reads never makes an act look hosted. Everything else an account does counts as its person's own
act,
so an account that a person uses beside an assistant has a low coverage, and few acts give a low bound.
"""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray

from graphscan.events.model import SURFACES
from graphscan.signals.acts import DAY_US, US_PER_S, AccountActs
from graphscan.signals.clock import (
    CLOCK_P,
    clock_values,
    on_phase,
    phase_lock,
    regular_starts,
    session_starts,
)
from graphscan.signals.grouping import count, n_distinct, total
from graphscan.signals.latency import answers, latency_values, too_fast
from graphscan.signals.model import Coverage
from graphscan.signals.network import ClusterFrames, evidence_rows
from graphscan.signals.timing import restless_acts

MECHANISMS: Final = ("clock", "timing", "latency", "network")
CONFIDENCE: Final = 0.95
MIN_SURFACE_ACTS: Final = 14
MIN_RESTLESS_DAYS: Final = 7
MIN_RESTLESS_SHARE: Final = 0.5
MIN_REGULARITY: Final = 0.5
MIN_FAST_SHARE: Final = 0.5
MIN_FAST_TEXTS: Final = 10
HOSTED_CHARS_PER_S: Final = 30.0


def clopper_pearson_lower(
    n_hosted: NDArray[np.int64], n_acts: NDArray[np.int64], confidence: float = CONFIDENCE
) -> NDArray[np.float64]:
    """One-sided lower confidence bound of a share (Clopper and Pearson 1934, doi:10.1093/biomet/26.4.404).

    ``n_hosted`` of ``n_acts`` acts; 0 where there is none. 14 of 14 give .807, 59 of 59 give .950.
    """
    from scipy.special import betaincinv

    k, n = n_hosted.astype(np.float64), n_acts.astype(np.float64)
    safe_k = np.maximum(k, 1.0)
    bound = betaincinv(safe_k, np.maximum(n - safe_k + 1.0, 1.0), 1 - confidence)
    return np.where(k > 0, bound, 0.0)


def hosted_acts(acts: AccountActs, frames: ClusterFrames | None) -> dict[str, NDArray[np.bool_]]:
    """For each mechanism, which acts it explains; boolean of shape (n_acts,) in row order."""
    result: dict[str, NDArray[np.bool_]] = {}
    a = acts.n_accounts
    for name, grouped in (("clock", _clock_acts(acts)), ("timing", _restless(acts, a))):
        flag = np.zeros(acts.n_acts, dtype=bool)
        flag[acts.order] = grouped
        result[name] = flag
    result["latency"] = _fast_acts(acts)
    network = np.zeros(acts.n_acts, dtype=bool)
    network[evidence_rows(acts, frames)] = True
    result["network"] = network
    return result


def surface_coverage(acts: AccountActs, frames: ClusterFrames | None = None) -> Coverage:
    """Acts and hosted acts by account and surface, with their lower confidence bounds."""
    a, s = acts.n_accounts, len(SURFACES)
    flags = hosted_acts(acts, frames)
    on = acts.surface >= 0
    cell = acts.account[on] * s + acts.surface[on]
    n_acts = count(cell, a * s).reshape(a, s)
    by = {name: total(cell, flag[on], a * s).astype(np.int64).reshape(a, s) for name, flag in flags.items()}
    any_of = np.zeros(acts.n_acts, dtype=bool)
    for flag in flags.values():
        any_of |= flag
    n_hosted = total(cell, any_of[on], a * s).astype(np.int64).reshape(a, s)
    # Without each mechanism in turn: what would be left if its family were dropped.
    for name in MECHANISMS:
        rest = np.zeros(acts.n_acts, dtype=bool)
        for other, flag in flags.items():
            if other != name:
                rest |= flag
        by[f"without_{name}"] = total(cell, rest[on], a * s).astype(np.int64).reshape(a, s)
    return Coverage(n_acts, n_hosted, by, clopper_pearson_lower(n_hosted, n_acts))


def _clock_acts(acts: AccountActs) -> NDArray[np.bool_]:
    log10_p, period_us, phase = phase_lock(acts)
    locked = np.nan_to_num(log10_p, nan=0.0) > -np.log10(CLOCK_P)
    by_phase = locked[acts.account_g] & on_phase(acts, period_us, phase)
    regularity = clock_values(acts)["interval_regularity"].value
    steady = np.nan_to_num(regularity, nan=0.0) >= MIN_REGULARITY
    starts = session_starts(acts)
    if acts.n_acts == 0:
        return np.asarray(by_phase, dtype=np.bool_)
    begin = np.maximum.accumulate(np.where(starts, np.arange(acts.n_acts), 0))
    by_interval = steady[acts.account_g] & regular_starts(acts)[begin]
    return np.asarray(by_phase | by_interval, dtype=np.bool_)


def _restless(acts: AccountActs, a: int) -> NDArray[np.bool_]:
    counted, restless = restless_acts(acts)
    flag = counted & restless
    group = acts.account_g
    n_days = n_distinct(group[flag], acts.time_g[flag] // DAY_US, a)
    share = total(group, flag, a) / np.maximum(count(group[counted], a), 1)
    proven = (n_days >= MIN_RESTLESS_DAYS) & (share >= MIN_RESTLESS_SHARE)
    return flag & proven[group]


def _fast_acts(acts: AccountActs) -> NDArray[np.bool_]:
    flag = np.zeros(acts.n_acts, dtype=bool)
    if acts.resolution_us >= 60 * US_PER_S or acts.n_acts == 0:
        return flag
    values = latency_values(acts)
    proven = np.zeros(acts.n_accounts, dtype=bool)
    for name in ("implausible_speed", "implausible_output"):
        usual = np.nan_to_num(values[name].value, nan=0.0) >= MIN_FAST_SHARE
        proven |= usual & (values[name].n >= MIN_FAST_TEXTS)
    judged = acts.gap_us_g >= 0
    length_g = acts.text_length[acts.order]
    own = judged & too_fast(length_g, acts.gap_us_g, acts.resolution_us, HOSTED_CHARS_PER_S)
    flag[acts.order[own]] = True
    found = answers(acts)
    fast = too_fast(acts.text_length[found.row], found.lag_us, acts.resolution_us, HOSTED_CHARS_PER_S)
    flag[found.row[fast]] = True
    return flag & proven[acts.account]
