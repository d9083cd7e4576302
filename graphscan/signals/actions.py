"""Action mix: how varied is what the account does, and the rhythm in which it does it?"""

from __future__ import annotations

from typing import Final

import numpy as np
import pyarrow.compute as pc
from numpy.typing import NDArray

from graphscan.signals.acts import US_PER_S, AccountActs, codes_of
from graphscan.signals.grouping import count, mean, missing_below, multiplicity
from graphscan.signals.model import N_EXAMPLES, FamilyValues, Signal, SignalValues

LAST_WORDS: Final = 100
MIN_WORDS: Final = 15
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
        "Shannon entropy of the actions (with their detail) of the last 100 acts; missing where the whole source "
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
    none = np.full((a, N_EXAMPLES), -1, dtype=np.int64)
    last = from_end <= LAST_WORDS
    values: dict[str, SignalValues] = {}
    if len(kinds) > 1:
        entropy, n = _entropy(group[last], kind[last], a)
        values["action_entropy"] = SignalValues(missing_below(entropy, n, MIN_WORDS), n, none)
    step = last & (acts.gap_us_g >= 0)
    gap = np.digitize(acts.gap_us_g / US_PER_S, _GAP_LIMITS_S)
    before = np.zeros_like(kind)
    before[1:] = kind[:-1]
    word = (before * len(kinds) + kind) * (len(_GAP_LIMITS_S) + 1) + gap
    entropy, n = _entropy(group[step], word[step], a)
    relative = entropy / np.log2(np.maximum(n, 2))
    values["action_gap_entropy"] = SignalValues(missing_below(relative, n, MIN_WORDS), n, none)
    return values


def _entropy(
    group: NDArray[np.int64], key: NDArray[np.int64], a: int
) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    """Shannon entropy in bits of the keys of each group, and the number of keys."""
    n = count(group, a)
    share = multiplicity(group, key) / np.maximum(n[group], 1)
    return mean(group, -np.log2(share), a), n
