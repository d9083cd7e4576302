"""Timing: does the account keep the hours of a person?

People sleep, pause and come back irregularly. All values are corrected for the number of acts, so that a busy
person is not called a machine for being busy. Hours are taken in UTC but every value is invariant to the time
zone, because it looks at the shape of the day and not at where it lies.
"""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray

from graphscan.signals.acts import DAY_US, HOUR_US, US_PER_S, AccountActs
from graphscan.signals.grouping import count, mean, missing_below, multiplicity, spread, top_rows, total
from graphscan.signals.model import N_EXAMPLES, FamilyValues, Signal, SignalValues

HOURS_DRAWN: Final = 8
MIN_HOUR_UNITS: Final = 10
MIN_GAPS: Final = 19
LAST_GAPS: Final = 100
_GAP_LIMITS_S: Final = (1, 10, 60, 600, 3_600, 86_400)
MIN_SESSIONS: Final = 5
SESSION_GAP_US: Final = 30 * 60 * US_PER_S
REST_WINDOW_H: Final = 6
NO_REST_US: Final = 4 * HOUR_US

SIGNALS: Final = (
    Signal(
        "hours_covered",
        "timing",
        1,
        "Hours of the day covered",
        "expected number of distinct hours of the day among 8 active (day, hour) units drawn without "
        "replacement (Hurlbert rarefaction): sum over hours of 1 - C(N - N_h, 8) / C(N, 8)",
        "hours of 8 drawn",
        1,
        True,
        "10 active (day, hour) units",
        (),
        "People who travel, shift workers, one account used by a team in several time zones.",
        "Hurlbert 1971, doi:10.2307/1934145; activity by hour of day as a bot sign: Chu et al. 2012, "
        "doi:10.1109/TDSC.2012.75",
        "acts spread over {value:.1f} different hours in 8 draws from {n} active hours",
    ),
    Signal(
        "quietest_hours_share",
        "timing",
        1,
        "Share of acts in the quietest six hours",
        "smallest share of active (day, hour) units in any six consecutive hours of the day (circular); a "
        "sleeper is near 0, a machine near 0.25",
        "share",
        1,
        True,
        "10 active (day, hour) units",
        (),
        "Shift workers, travellers, shared accounts, people who sleep badly.",
        "Chu et al. 2012, doi:10.1109/TDSC.2012.75",
        "{value:.0%} of {n} active hours fall into the quietest six hours of the day",
    ),
    Signal(
        "circadian_strength",
        "timing",
        1,
        "Strength of the daily rhythm",
        "squared mean resultant length of the hour angle of active (day, hour) units, corrected for their "
        "number: (N R^2 - 1) / (N - 1)",
        "0..1",
        -1,
        True,
        "10 active (day, hour) units",
        (),
        "A weak rhythm: shift workers and travellers. A strong rhythm does not prove a person: "
        "schedulers can "
        "keep office hours.",
        "Fisher 1993, Statistical Analysis of Circular Data, ch. 4, doi:10.1017/CBO9780511564345",
        "strength of the daily rhythm {value:.2f} over {n} active hours",
    ),
    Signal(
        "burstiness",
        "timing",
        1,
        "Burstiness of the gaps",
        "finite-size burstiness of the gaps between acts, r = sd / mean: "
        "(sqrt(n+1) r - sqrt(n-1)) / ((sqrt(n+1) - 2) r + sqrt(n-1))",
        "-1 (regular) .. 1 (bursty)",
        -1,
        True,
        "20 acts",
        (),
        "People who post at the same time every day.",
        "Kim and Jo 2016, doi:10.1103/PhysRevE.94.032311",
        "burstiness {value:.2f} over {n} gaps",
    ),
    Signal(
        "gap_entropy",
        "timing",
        1,
        "Variety of the gaps",
        "Shannon entropy of the classes of the last 100 gaps between acts (limits at 1 s, 10 s, 1 min, "
        "10 min, 1 h, "
        "1 day)",
        "bit",
        -1,
        True,
        "20 acts",
        (),
        "People who do one thing at one time of the day.",
        "Gap classes as in BLOC: Nwala, Flammini and Menczer 2023, doi:10.1140/epjds/s13688-023-00410-9",
        "variety of {n} gaps {value:.2f} bit",
    ),
    Signal(
        "session_spread",
        "timing",
        1,
        "Spread of the session lengths",
        "standard deviation of ln(1 + seconds) of the lengths of sessions (a silence of 30 minutes ends one)",
        "ln seconds",
        -1,
        True,
        "5 sessions",
        (),
        "People who drop in for one act at a time.",
        "Session lengths of people and bots: Pozzana and Ferrara 2020, doi:10.3389/fphy.2020.00125",
        "spread of session lengths {value:.2f} over {n} sessions",
    ),
    Signal(
        "restless_share",
        "timing",
        1,
        "Acts without rest around them",
        "share of acts whose surrounding 24 hours (12 before, 12 after) hold no silence of 4 hours; "
        "only acts with "
        "own acts on both sides of that day count",
        "share",
        1,
        True,
        "20 acts",
        (),
        "One account used by a team around the clock; people on a night without sleep.",
        "Own definition: a person needs a rest of some hours in every day",
        "{value:.0%} of {n} acts stand in a day without a rest of four hours",
    ),
)


def timing_values(acts: AccountActs) -> FamilyValues:
    """All timing signals; empty where all events carry one time (a bulk import)."""
    a = acts.n_accounts
    group, time = acts.account_g, acts.time_g
    latest = acts.latest_rows(N_EXAMPLES)
    by_hour, n_units = _active_hours(acts)
    night_rows = _quiet_hour_examples(acts, by_hour)
    values: dict[str, SignalValues] = {
        "hours_covered": SignalValues(
            missing_below(_rarefied_richness(by_hour, HOURS_DRAWN), n_units, MIN_HOUR_UNITS),
            n_units,
            night_rows,
        ),
        "quietest_hours_share": SignalValues(
            missing_below(_quietest_share(by_hour), n_units, MIN_HOUR_UNITS), n_units, night_rows
        ),
        "circadian_strength": SignalValues(
            missing_below(_circadian_strength(by_hour), n_units, MIN_HOUR_UNITS), n_units, night_rows
        ),
    }
    inner = acts.gap_us_g >= 0
    n_gaps = count(group[inner], a)
    gaps_s = acts.gap_us_g[inner] / US_PER_S
    values["burstiness"] = SignalValues(
        missing_below(_burstiness(group[inner], gaps_s, a), n_gaps, MIN_GAPS), n_gaps, latest
    )
    last = inner & (acts.start[1:][group] - np.arange(len(group)) <= LAST_GAPS)
    gap_class = np.digitize(acts.gap_us_g[last] / US_PER_S, _GAP_LIMITS_S)
    n_last = count(group[last], a)
    share = multiplicity(group[last], gap_class) / np.maximum(n_last[group[last]], 1)
    values["gap_entropy"] = SignalValues(
        missing_below(mean(group[last], -np.log2(share), a), n_last, MIN_GAPS), n_last, latest
    )
    opens = ~inner | (acts.gap_us_g > SESSION_GAP_US)
    session = np.cumsum(opens) - 1
    first = np.flatnonzero(opens)
    last = np.append(first[1:], len(time)) - 1
    length_s = (time[last] - time[first]) / US_PER_S if len(time) else np.zeros(0)
    owner = group[first]
    n_sessions = count(owner, a)
    values["session_spread"] = SignalValues(
        missing_below(spread(owner, np.log1p(length_s), a), n_sessions, MIN_SESSIONS), n_sessions, latest
    )
    del session
    counted, restless = restless_acts(acts)
    n_counted = count(group[counted], a)
    restless_share = total(group, restless & counted, a) / np.maximum(n_counted, 1)
    values["restless_share"] = SignalValues(
        missing_below(restless_share, n_counted, 20),
        n_counted,
        top_rows(group, acts.order, (restless & counted).astype(np.float64), a, N_EXAMPLES),
    )
    return values


def restless_acts(acts: AccountActs) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
    """Acts in whose surrounding 24 hours the account never rested for four hours, in grouped order.

    Returns
    -------
    counted, restless
        Whether the act can be judged (the account acts before and after that day), and whether it is
        restless.
    """
    n, time, group = acts.n_acts, acts.time_g, acts.account_g
    if n == 0:
        return np.zeros(0, dtype=bool), np.zeros(0, dtype=bool)
    half = DAY_US // 2
    long_gap = np.flatnonzero(acts.gap_us_g >= NO_REST_US)
    begin = np.append(time[long_gap - 1], np.iinfo(np.int64).max)
    end = np.append(time[long_gap], np.iinfo(np.int64).max)
    owner = np.append(group[long_gap], -1)
    position = np.arange(n)
    after = np.searchsorted(long_gap, position, side="right")
    before = after - 1

    def overlap(index: NDArray[np.int64]) -> NDArray[np.int64]:
        ok = (index >= 0) & (owner[index] == group)
        low = np.maximum(begin[index], time - half)
        high = np.minimum(end[index], time + half)
        return np.where(ok, high - low, 0)

    rested = (overlap(before) >= NO_REST_US) | (overlap(after) >= NO_REST_US)
    counted = (time - time[acts.start[:-1]][group] >= half) & (time[acts.start[1:] - 1][group] - time >= half)
    return counted, ~rested


def _active_hours(acts: AccountActs) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    """Distinct (day, hour) units by hour of the day, shape (n_accounts, 24), and their number."""
    hour = acts.time_g // HOUR_US
    new = np.ones(acts.n_acts, dtype=bool)
    new[1:] = (np.diff(hour) != 0) | (np.diff(acts.account_g) != 0)
    cell = acts.account_g[new] * 24 + hour[new] % 24
    table = np.bincount(cell, minlength=acts.n_accounts * 24).reshape(-1, 24).astype(np.float64)
    return table, table.sum(axis=1).astype(np.int64)


def _rarefied_richness(by_hour: NDArray[np.float64], k: int) -> NDArray[np.float64]:
    n = by_hour.sum(axis=1, keepdims=True)
    # C(n - n_h, k) / C(n, k) as a product of k ratios keeps everything in range without factorials.
    absent = np.ones_like(by_hour)
    for i in range(k):
        absent *= np.clip(n - by_hour - i, 0, None) / np.maximum(n - i, 1)
    return np.asarray((1 - absent).sum(axis=1), dtype=np.float64)


def _quietest_share(by_hour: NDArray[np.float64]) -> NDArray[np.float64]:
    doubled = np.concatenate([by_hour, by_hour[:, : REST_WINDOW_H - 1]], axis=1)
    cumulated = np.cumsum(np.pad(doubled, ((0, 0), (1, 0))), axis=1)
    window = cumulated[:, REST_WINDOW_H:] - cumulated[:, :-REST_WINDOW_H]
    return np.asarray(window.min(axis=1) / np.maximum(by_hour.sum(axis=1), 1), dtype=np.float64)


def _circadian_strength(by_hour: NDArray[np.float64]) -> NDArray[np.float64]:
    angle = np.exp(2j * np.pi * np.arange(24) / 24)
    n = by_hour.sum(axis=1)
    resultant_sq = np.abs(by_hour @ angle) ** 2 / np.maximum(n, 1) ** 2
    return np.asarray((n * resultant_sq - 1) / np.maximum(n - 1, 1), dtype=np.float64)


def _burstiness(group: NDArray[np.int64], gaps_s: NDArray[np.float64], a: int) -> NDArray[np.float64]:
    n = count(group, a).astype(np.float64)
    centre = np.divide(total(group, gaps_s, a), np.maximum(n, 1))
    with np.errstate(invalid="ignore", divide="ignore"):
        r = spread(group, gaps_s, a) / centre
        plus, minus = np.sqrt(n + 1), np.sqrt(np.maximum(n - 1, 0))
        value = (plus * r - minus) / ((plus - 2) * r + minus)
    return np.where(centre > 0, value, np.nan)


def _quiet_hour_examples(acts: AccountActs, by_hour: NDArray[np.float64]) -> NDArray[np.int64]:
    """Acts in the account's own quietest six hours: those a rested person would not have made."""
    doubled = np.concatenate([by_hour, by_hour[:, : REST_WINDOW_H - 1]], axis=1)
    cumulated = np.cumsum(np.pad(doubled, ((0, 0), (1, 0))), axis=1)
    start_h = (cumulated[:, REST_WINDOW_H:] - cumulated[:, :-REST_WINDOW_H]).argmin(axis=1)
    hour = (acts.time_g // HOUR_US) % 24
    quiet = (hour - start_h[acts.account_g]) % 24 < REST_WINDOW_H
    return top_rows(acts.account_g, acts.order, quiet.astype(np.float64), acts.n_accounts, N_EXAMPLES)
