"""Provisioning: were accounts of one make created in one burst?

Needs the accounts file. It depends on accounts that others registered, so it never counts as an own act: it
supports a farm, and never a restriction of a single account by itself.
"""

from __future__ import annotations

from typing import Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from graphscan.signals.acts import US_PER_S, AccountActs, codes_of
from graphscan.signals.grouping import count
from graphscan.signals.model import N_EXAMPLES, FamilyValues, Signal, SignalValues

BURST_US: Final = 10 * 60 * US_PER_S
MIN_IN_PATTERN: Final = 5
_PATTERN_MASKS: Final = ((r"[0-9]+", "0"), (r"[a-z]+", "a"))

SIGNALS: Final = (
    Signal(
        "creation_burst",
        "provisioning",
        1,
        "Created in a burst of look-alikes",
        "-log10 of the Poisson p-value of the number of accounts with the same handle pattern (letters "
        "and numbers "
        "masked, length kept) created within 10 minutes of the account, against the mean rate of the pattern",
        "-log10 p",
        1,
        False,
        "5 accounts of the pattern, creation times",
        ("accounts.handle", "accounts.created_at"),
        "A school class or an office that signs up together.",
        "Bursts of registration: Xiao, Freeman and Hwa 2015, doi:10.1145/2808769.2808779",
        "{n} accounts of the same make were created within ten minutes, p = 1e-{value:.0f}",
        own_acts=False,
    ),
)


def provisioning_values(acts: AccountActs, accounts: pa.Table | None) -> FamilyValues:
    """Creation bursts; empty without an accounts file that gives handles and creation times."""
    if accounts is None or not {"account_id", "handle", "created_at"} <= set(accounts.column_names):
        return {}
    place = pc.index_in(accounts.column("account_id").combine_chunks(), value_set=acts.account_ids)
    known = accounts.append_column("place", place).filter(
        pc.and_(
            pc.is_valid(place), pc.and_(pc.is_valid(accounts["handle"]), pc.is_valid(accounts["created_at"]))
        )
    )
    if known.num_rows == 0:
        return {}
    created = np.asarray(known["created_at"].cast(pa.timestamp("us")).cast(pa.int64()).combine_chunks())
    pattern = codes_of(_patterns(known["handle"].combine_chunks()))[0]
    n_near, log10_p = _burst(pattern, created)
    a = acts.n_accounts
    value, n = np.full(a, np.nan), np.zeros(a, dtype=np.int64)
    row = np.asarray(known["place"].combine_chunks())
    value[row], n[row] = log10_p, n_near
    return {"creation_burst": SignalValues(value, n, np.full((a, N_EXAMPLES), -1, dtype=np.int64))}


def _patterns(handles: pa.Array) -> pa.Array:
    masked = pc.utf8_lower(handles)
    for pattern, mask in _PATTERN_MASKS:
        masked = pc.replace_substring_regex(masked, pattern, mask)
    length = pc.utf8_length(handles).cast(pa.string())
    return pc.binary_join_element_wise(masked, length, ":")


def _burst(
    pattern: NDArray[np.int64], created: NDArray[np.int64]
) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    from scipy.stats import poisson

    order = np.lexsort((created, pattern))
    p, t = pattern[order], created[order]
    # Patterns are kept apart by adding more than any time span to each next one.
    shift = (t.max() - t.min() + 4 * BURST_US) if len(t) else 0
    key = (t - t.min()) + p * shift
    near = np.searchsorted(key, key + BURST_US, side="right") - np.searchsorted(
        key, key - BURST_US, side="left"
    )
    size = count(p, int(p.max()) + 1)[p]
    first = np.full(int(p.max()) + 1, np.iinfo(np.int64).max)
    last = np.full(int(p.max()) + 1, np.iinfo(np.int64).min)
    np.minimum.at(first, p, t)
    np.maximum.at(last, p, t)
    span = np.maximum(last - first, 1)[p]
    expected = (size - 1) * np.minimum(2 * BURST_US / span, 1.0)
    log10_p = -poisson.logsf(near - 2, np.maximum(expected, 1e-12)) / np.log(10)
    log10_p = np.where(size >= MIN_IN_PATTERN, np.clip(log10_p, 0, 300), np.nan)
    n_near, value = np.empty(len(p), dtype=np.int64), np.empty(len(p))
    n_near[order], value[order] = near, log10_p
    return n_near, value
