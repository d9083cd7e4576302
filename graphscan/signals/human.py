"""Human evidence: what speaks for a person. It only ever subtracts."""

from __future__ import annotations

from typing import Final

import numpy as np
import pyarrow.compute as pc
from numpy.typing import NDArray

from graphscan.signals.acts import DAY_US, US_PER_S, AccountActs
from graphscan.signals.grouping import count, mean, missing_below, top_rows, total
from graphscan.signals.model import N_EXAMPLES, FamilyValues, Signal, SignalValues
from graphscan.signals.network import ClusterFrames, cluster_standing

MIN_ACTS: Final = 20
OLD_PARTNER_US: Final = 7 * DAY_US
SLOWEST_TURN_US: Final = DAY_US
FASTEST_TURN_US: Final = 5 * US_PER_S
_REVISIONS: Final = r"(?i)\b(edit|edited|delete|deleted|revise|revised|undo|undone|renamed|corrected)\b"

SIGNALS: Final = (
    Signal(
        "two_way_share",
        "human",
        1,
        "Two-way conversation",
        "share of acts that answer an answer: in the thread the account acted, then somebody else, then"
        " the account "
        "again within a day and not within 5 seconds",
        "share",
        -1,
        True,
        "20 acts",
        ("parent_id",),
        "Low values: people who post and leave. High values do not prove a person: chat bots answer too.",
        "Reciprocity in conversation: own definition",
        "{value:.0%} of {n} acts continue a two-way conversation",
        own_acts=False,
    ),
    Signal(
        "old_partner_turns",
        "human",
        1,
        "Turns in conversations with old accounts",
        "number of two-way turns with partners first seen at least 7 days before the turn",
        "turns",
        -1,
        False,
        "20 acts",
        ("parent_id",),
        "Chat bots on an established platform have such turns too; therefore it only supports a review.",
        "Own definition",
        "{value:.0f} turns with long-standing partners in {n} acts",
        own_acts=False,
    ),
    Signal(
        "revision_share",
        "human",
        1,
        "Edits, deletions and corrections",
        "share of acts whose detail names an edit, a deletion, an undo or a renaming",
        "share",
        -1,
        False,
        "20 acts",
        ("detail",),
        "Automation may rename and delete as a matter of routine.",
        "Own definition",
        "{value:.0%} of {n} acts revise earlier ones",
    ),
)


def human_values(acts: AccountActs, frames: ClusterFrames | None = None) -> FamilyValues:
    """Conversation turns and revisions of every account; turns inside one cluster speak for nobody."""
    a = acts.n_accounts
    n = acts.n_events
    turn, old = conversation_turns(acts, cluster_standing(acts, frames).cluster_row)
    group = acts.account
    rows = np.arange(acts.n_acts)
    latest = acts.latest_rows(N_EXAMPLES)
    old_rows = top_rows(group, rows, old.astype(np.float64), a, N_EXAMPLES)
    values = {
        "two_way_share": SignalValues(missing_below(mean(group, turn, a), n, MIN_ACTS), n, latest),
        "old_partner_turns": SignalValues(missing_below(total(group, old, a), n, MIN_ACTS), n, old_rows),
    }
    detail = acts.events.column("detail").combine_chunks()
    if detail.null_count < len(detail):
        words = pc.replace_substring(detail, "_", " ")
        revised = np.asarray(pc.fill_null(pc.match_substring_regex(words, _REVISIONS), False))
        values["revision_share"] = SignalValues(
            missing_below(mean(group, revised, a), n, MIN_ACTS),
            n,
            top_rows(group, rows, revised.astype(np.float64), a, N_EXAMPLES),
        )
    return values


def conversation_turns(
    acts: AccountActs, cluster_row: NDArray[np.int64]
) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
    """Acts that answer an answer, and those with a partner known for a week, in row order.

    ``cluster_row`` gives the cluster of each account, -1 for none; partners in one cluster make no turn.
    """
    n = acts.n_acts
    turn, old = np.zeros(n, dtype=bool), np.zeros(n, dtype=bool)
    if n < 3:
        return turn, old
    order = np.lexsort((np.arange(n), acts.thread))
    thread, account = acts.thread[order], acts.account[order]
    change = np.ones(n, dtype=bool)
    change[1:] = (np.diff(thread) != 0) | (np.diff(account) != 0)
    at = np.flatnonzero(change)
    t, who, when = thread[at], account[at], acts.time_us[order[at]]
    back = np.zeros(len(at), dtype=bool)
    back[2:] = (t[2:] == t[:-2]) & (who[2:] == who[:-2]) & (t[2:] >= 0)
    lag = np.zeros(len(at), dtype=np.int64)
    lag[1:] = np.diff(when)
    back &= (lag <= SLOWEST_TURN_US) & (lag > FASTEST_TURN_US)
    row = order[at]
    partner = np.roll(who, 1)
    back &= (cluster_row[who] < 0) | (cluster_row[who] != cluster_row[partner])
    turn[row] = back
    first_seen = np.full(acts.n_accounts, np.iinfo(np.int64).max)
    has = count(acts.account, acts.n_accounts) > 0
    first_seen[has] = acts.time_g[acts.start[:-1][has]]
    known = when - first_seen[partner] >= OLD_PARTNER_US
    old[row] = back & known
    return turn, old
