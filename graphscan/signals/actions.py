"""Action mix: how varied is what the account does, and the rhythm in which it does it?"""

from __future__ import annotations

from typing import Final

import numpy as np
import pyarrow.compute as pc
from numpy.typing import NDArray

from graphscan.entropy import mix64
from graphscan.signals.acts import US_PER_S, AccountActs, codes_of
from graphscan.signals.grouping import count, mean, missing_below, multiplicity
from graphscan.signals.model import N_EXAMPLES, FamilyValues, Signal, SignalValues

LAST_WORDS: Final = 100
MIN_WORDS: Final = 15
LAST_THREADS: Final = 50
MIN_THREADS: Final = 8
MAX_SEQUENCE: Final = 8
# Limits of the gap classes in seconds: at once, a moment, a pause, a session, a day, longer.
_GAP_LIMITS_S: Final = (1, 10, 60, 600, 3_600, 86_400)

_PEOPLE: Final = "People who do one thing only, such as reviewers, greeters and users of one bot command."

SIGNALS: Final = (
    Signal(
        "action_gap_entropy",
        "actions",
        1,
        "Variety of the action-gap words",
        "Shannon entropy of the words (action, next action, class of the gap between them) of the last 100 "
        "steps, divided by log2 of their number; an action is the native action with its detail",
        "0..1",
        -1,
        True,
        "15 steps",
        ("detail",),
        _PEOPLE,
        "BLOC: Nwala, Flammini and Menczer 2023, doi:10.1140/epjds/s13688-023-00410-9",
        "variety of {n} action-gap words {value:.2f}",
    ),
    Signal(
        "action_entropy",
        "actions",
        1,
        "Variety of the actions",
        "Shannon entropy of the actions (with their detail) of the last 100 acts; missing where the "
        "whole source "
        "knows one action only",
        "bit",
        -1,
        True,
        "15 acts",
        ("detail",),
        _PEOPLE,
        "Digital DNA: Cresci et al. 2016, doi:10.1109/MIS.2016.29",
        "variety of {n} actions {value:.2f} bit",
    ),
    Signal(
        "routine_entropy",
        "actions",
        1,
        "Variety of what is done with one object",
        "Shannon entropy of the sequences of actions (up to 8) that the account did in each of its last"
        " 50 threads "
        "(what it answers, else what it acts on), divided by log2 of their number; missing where every "
        "sequence of "
        "the whole source is one act of one kind",
        "0..1",
        -1,
        True,
        "8 threads",
        ("detail", "parent_id"),
        _PEOPLE + " Platforms where most people do one thing with an object.",
        "Own definition, after the action strings of digital DNA: Cresci et al. 2016, "
        "doi:10.1109/MIS.2016.29",
        "variety of what it did in {n} threads {value:.2f}",
    ),
)


def actions_values(acts: AccountActs) -> FamilyValues:
    """Entropies of the last actions and of their words."""
    a = acts.n_accounts
    if acts.n_acts == 0:
        return {}
    group = acts.account_g
    name = pc.binary_join_element_wise(
        acts.events.column("action"), pc.fill_null(acts.events.column("detail"), ""), ":"
    )
    kind, kinds = codes_of(name)
    kind = kind[acts.order]
    from_end = acts.start[1:][group] - np.arange(acts.n_acts)
    latest = acts.latest_rows(N_EXAMPLES)
    last = from_end <= LAST_WORDS
    values: dict[str, SignalValues] = {}
    if len(kinds) > 1:
        entropy, n = _entropy(group[last], kind[last], a)
        values["action_entropy"] = SignalValues(missing_below(entropy, n, MIN_WORDS), n, latest)
    step = last & (acts.gap_us_g >= 0)
    gap = np.digitize(acts.gap_us_g / US_PER_S, _GAP_LIMITS_S)
    before = np.zeros_like(kind)
    before[1:] = kind[:-1]
    word = (before * len(kinds) + kind) * (len(_GAP_LIMITS_S) + 1) + gap
    entropy, n = _entropy(group[step], word[step], a)
    relative = entropy / np.log2(np.maximum(n, 2))
    values["action_gap_entropy"] = SignalValues(missing_below(relative, n, MIN_WORDS), n, latest)
    routine = _routines(acts, kind, len(kinds))
    if routine is not None:
        owner, key = routine
        entropy, n = _entropy(owner, key, a)
        values["routine_entropy"] = SignalValues(
            missing_below(entropy / np.log2(np.maximum(n, 2)), n, MIN_THREADS), n, latest
        )
    return values


def _routines(
    acts: AccountActs, kind_g: NDArray[np.int64], n_kinds: int
) -> tuple[NDArray[np.int64], NDArray[np.int64]] | None:
    """Owner and key of the action sequence in each account's last 50 threads; None where all are equal."""
    n = acts.n_acts
    thread_g = acts.thread[acts.order]
    order = np.lexsort((np.arange(n), thread_g, acts.account_g))
    account, thread, kind = acts.account_g[order], thread_g[order], kind_g[order]
    first = np.ones(n, dtype=bool)
    first[1:] = (np.diff(account) != 0) | (np.diff(thread) != 0)
    begin = np.flatnonzero(first)
    index = np.cumsum(first) - 1
    place = np.arange(n) - begin[index]
    # A sequence becomes a number: the sum over its places of a hash of (place, kind).
    shown = place < MAX_SEQUENCE
    token = mix64((place[shown] * n_kinds + kind[shown] + 1).astype(np.uint64))
    key = np.zeros(len(begin), dtype=np.uint64)
    with np.errstate(over="ignore"):
        np.add.at(key, index[shown], token)
    if len(np.unique(key)) < 2:
        return None
    owner = account[begin]
    last_us = np.maximum.reduceat(acts.time_g[order], begin)
    recent = np.lexsort((begin, last_us, owner))
    owner, key = owner[recent], key[recent]
    n_threads = count(owner, acts.n_accounts)
    from_end = np.cumsum(n_threads)[owner] - np.arange(len(owner))
    keep = from_end <= LAST_THREADS
    return owner[keep], key[keep].view(np.int64)


def _entropy(
    group: NDArray[np.int64], key: NDArray[np.int64], a: int
) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    """Shannon entropy in bits of the keys of each group, and the number of keys."""
    n = count(group, a)
    share = multiplicity(group, key) / np.maximum(n[group], 1)
    return mean(group, -np.log2(share), a), n
