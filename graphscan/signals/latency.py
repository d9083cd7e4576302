"""Latency: how fast, and how evenly, does the account answer or write?

Levels of latency (median, share under a minute) are left out on purpose: they change sign between bots that
react and bots that run on a schedule. Nothing here exists on a source that rounds times to the minute.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from graphscan.events.model import ACTIONS
from graphscan.signals.acts import DAY_US, HOUR_US, US_PER_S, AccountActs
from graphscan.signals.grouping import count, mean, missing_below, n_distinct, spread, top_rows
from graphscan.signals.model import N_EXAMPLES, FamilyValues, Signal, SignalValues

CHARS_PER_S: Final = 12.0
MIN_CHARS: Final = 20
MIN_ANSWERS: Final = 5
MIN_TEXTS: Final = 3
MIN_ACTS: Final = 20
ECHO_US: Final = 2 * US_PER_S
THREAD_SILENCE_US: Final = 600 * US_PER_S
PROMPT_US: Final = 10 * US_PER_S
# Reposts and likes are left out: whoever follows somebody closely clicks within seconds.
ANSWERING: Final = tuple(ACTIONS.index(a) for a in ("post", "comment", "message", "chat_message", "other"))

_ANSWER: Final = (
    "an answer follows the act of somebody else that parent_id names, or where only threads are known "
    "it is the "
    "account's first act after somebody else broke a silence of 10 minutes; not within 2 seconds of its"
    " own last act"
)

SIGNALS: Final = (
    Signal(
        "implausible_speed",
        "latency",
        1,
        "Answers faster than a person can write",
        "share of answers of at least 20 characters written at more than 12 characters a second; " + _ANSWER,
        "share",
        1,
        True,
        "3 answers with text",
        ("text",),
        "People who paste prepared text, logs or tables.",
        "Typing speeds: Dhakal et al. 2018, doi:10.1145/3173574.3174220 (fastest 1 % near 10 characters"
        " a second)",
        "{value:.0%} of {n} answers came faster than a person can write",
        own_acts=False,
    ),
    Signal(
        "prompt_reactions",
        "latency",
        1,
        "Reactions within ten seconds",
        "share of all acts that are answers within 10 seconds; reposts and likes are no answers; " + _ANSWER,
        "share",
        1,
        True,
        "20 acts",
        (),
        "People who wait for a post, and platforms that book the effects of a click as further acts.",
        "Own definition",
        "{value:.0%} of {n} acts react to somebody within ten seconds",
        own_acts=False,
    ),
    Signal(
        "implausible_output",
        "latency",
        1,
        "Writing faster than a person can write",
        "share of own texts of at least 20 characters written at more than 12 characters a second since the "
        "account's own previous act",
        "share",
        1,
        True,
        "5 texts",
        ("text",),
        "People who paste prepared text, open several drafts at once, or import.",
        "Typing speeds: Dhakal et al. 2018, doi:10.1145/3173574.3174220",
        "{value:.0%} of {n} texts came faster after the account's own last act than a person can write",
    ),
    Signal(
        "latency_spread",
        "latency",
        1,
        "Spread of the answer times",
        "standard deviation of log10 seconds of answers within an hour",
        "log10 s",
        -1,
        False,
        "5 answers within an hour",
        (),
        "People who answer from notifications at once. Measured on two labelled sets it points the "
        "other way, so it is "
        "shown and moves no score.",
        "Spread of reply latency: Chavoshi et al. 2016, doi:10.1109/ICDM.2016.0096",
        "answer times spread over {value:.2f} orders of magnitude ({n} answers)",
        own_acts=False,
    ),
    Signal(
        "partners_per_answer",
        "latency",
        1,
        "Different partners per answer",
        "distinct accounts answered divided by the answers counted, over the first 50 answers",
        "share",
        1,
        False,
        "5 answers",
        (),
        "Greeters and support staff, who answer everybody once.",
        "Own definition",
        "{n} answers went to different accounts at a rate of {value:.2f} each",
        own_acts=False,
    ),
)


@dataclass(frozen=True)
class Answers:
    """Acts that answer somebody else.

    Parameters
    ----------
    row
        Event row of the answer.
    cause_row
        Event row of the act it answers.
    lag_us
        Time between them.
    """

    row: NDArray[np.int64]
    cause_row: NDArray[np.int64]
    lag_us: NDArray[np.int64]


def answers(acts: AccountActs) -> Answers:
    """Acts whose cause is known: the act of somebody else that ``parent_id`` names, at most a day before.

    Where the source names threads only, an answer is the first act of an account after somebody else broke a
    silence of 10 minutes in the thread: in a running conversation, or on an object that many act on, the act
    before is no cause. An echo within 2 s of the account's own last act is left out.
    """
    n = acts.n_acts
    if n == 0:
        empty = np.zeros(0, dtype=np.int64)
        return Answers(empty, empty, empty)
    order = np.lexsort((np.arange(n), acts.thread))
    thread, account, time = acts.thread[order], acts.account[order], acts.time_us[order]
    wakes = np.ones(n, dtype=bool)
    wakes[1:] = (np.diff(thread) != 0) | (np.diff(time) >= THREAD_SILENCE_US)
    burst = np.cumsum(wakes) - 1
    waker = np.flatnonzero(wakes)[burst]
    by_account = np.lexsort((np.arange(n), account, burst))
    first = np.zeros(n, dtype=bool)
    first[by_account] = (np.diff(burst[by_account], prepend=-1) != 0) | (
        np.diff(account[by_account], prepend=-1) != 0
    )
    woken = np.full(n, -1, dtype=np.int64)
    woken[order] = np.where(first & (account[waker] != account) & (thread >= 0), order[waker], -1)
    cause = np.where(acts.parent_row >= 0, acts.parent_row, woken)
    lag = acts.time_us - acts.time_us[np.maximum(cause, 0)]
    own_gap = np.empty(n, dtype=np.int64)
    own_gap[acts.order] = acts.gap_us_g
    ok = (cause >= 0) & (acts.account[np.maximum(cause, 0)] != acts.account) & (lag <= DAY_US)
    ok &= np.isin(acts.action, ANSWERING) & ((own_gap < 0) | (own_gap > ECHO_US))
    row = np.flatnonzero(ok)
    return Answers(row, cause[row], lag[row])


def latency_values(acts: AccountActs) -> FamilyValues:
    """All latency signals; none on a source of minute resolution or coarser."""
    if acts.resolution_us >= 60 * US_PER_S:
        return {}
    a = acts.n_accounts
    found = answers(acts)
    group = acts.account[found.row]
    latest = acts.latest_rows(N_EXAMPLES)
    length = acts.text_length[found.row]
    fast = too_fast(length, found.lag_us, acts.resolution_us)
    long_enough = length >= MIN_CHARS
    n_long = count(group[long_enough], a)
    prompt = found.lag_us <= PROMPT_US
    n = acts.n_events
    values = {
        "implausible_speed": SignalValues(
            missing_below(mean(group[long_enough], fast[long_enough], a), n_long, MIN_TEXTS),
            n_long,
            top_rows(group, found.row, np.where(fast, length, 0.0), a, N_EXAMPLES),
        ),
        "prompt_reactions": SignalValues(
            missing_below(count(group[prompt], a) / np.maximum(n, 1), n, MIN_ACTS),
            n,
            top_rows(group, found.row, prompt.astype(np.float64), a, N_EXAMPLES),
        ),
    }
    own_length = acts.text_length[acts.order]
    judged = (own_length >= MIN_CHARS) & (acts.gap_us_g >= 0)
    own_fast = judged & too_fast(own_length, acts.gap_us_g, acts.resolution_us)
    n_judged = count(acts.account_g[judged], a)
    values["implausible_output"] = SignalValues(
        missing_below(mean(acts.account_g[judged], own_fast[judged], a), n_judged, MIN_ANSWERS),
        n_judged,
        top_rows(acts.account_g, acts.order, np.where(own_fast, own_length, 0.0), a, N_EXAMPLES),
    )
    soon = found.lag_us <= HOUR_US
    seconds = np.maximum(found.lag_us, max(acts.resolution_us, 1)) / US_PER_S
    n_soon = count(group[soon], a)
    values["latency_spread"] = SignalValues(
        missing_below(spread(group[soon], np.log10(seconds[soon]), a), n_soon, MIN_ANSWERS), n_soon, latest
    )
    first = _first_of(group, found.row, 50)
    partner = acts.account[found.cause_row]
    n_first = count(group[first], a)
    values["partners_per_answer"] = SignalValues(
        missing_below(
            np.divide(n_distinct(group[first], partner[first], a), np.maximum(n_first, 1)),
            n_first,
            MIN_ANSWERS,
        ),
        n_first,
        latest,
    )
    return values


def too_fast(
    length: NDArray[np.float64],
    lag_us: NDArray[np.int64],
    resolution_us: int,
    chars_per_s: float = CHARS_PER_S,
) -> NDArray[np.bool_]:
    """Whether a text cannot have been written in the lag; the rounding counts for the writer."""
    seconds = (lag_us + resolution_us) / US_PER_S
    with np.errstate(invalid="ignore"):
        return (length >= MIN_CHARS) & (length / seconds > chars_per_s)


def _first_of(group: NDArray[np.int64], row: NDArray[np.int64], k: int) -> NDArray[np.bool_]:
    """The ``k`` items of smallest row in each group."""
    order = np.lexsort((row, group))
    g = group[order]
    begin = np.concatenate([[0], np.cumsum(np.bincount(g))]) if len(g) else np.zeros(1, dtype=np.int64)
    result = np.zeros(len(group), dtype=bool)
    if len(g):
        result[order] = np.arange(len(g)) - begin[g] < k
    return result
