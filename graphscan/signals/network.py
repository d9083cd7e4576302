"""Network: does the account act in step with a tested cluster, by its own acts?

Others can act beside anybody. What counts here is therefore the core membership of clusters whose timing was
tested, and only where the account follows or keeps a common clock; an account that the others merely follow
is
shadowed, and shadowing says nothing about it.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from graphscan.signals.acts import AccountActs
from graphscan.signals.grouping import total
from graphscan.signals.model import N_EXAMPLES, FamilyValues, Signal, SignalValues

SHADOWED_LEADS: Final = 0.9
LOG10_Q_CAP: Final = 300.0

SIGNALS: Final = (
    Signal(
        "farm_core",
        "network",
        1,
        "Core of a tested cluster",
        "-log10 q of the timing test of the strongest cluster that has the account in its core, without a "
        "legitimate explanation, and that the account does not merely lead",
        "-log10 q",
        1,
        True,
        "core membership of a found cluster",
        (),
        "People whom one push notification brings to the same object at once.",
        "Permutation test of delays: see the page on clusters",
        "core of a cluster of {n} accounts that act together, q = 1e-{value:.0f}",
        own_acts=False,
    ),
    Signal(
        "farm_layers",
        "network",
        1,
        "Layers the cluster acts together in",
        "number of layers in which the strongest such cluster was found",
        "layers",
        1,
        True,
        "core membership of a found cluster",
        (),
        "As farm_core.",
        "Own definition",
        "the cluster of {n} accounts acts together in {value:.0f} layers",
        own_acts=False,
    ),
    Signal(
        "leads_share",
        "network",
        1,
        "Share of co-acts in which the account comes first",
        "share of its co-action pairs, weighted by their number, in which the account acts before the "
        "other one",
        "share",
        -1,
        False,
        "one co-action edge",
        (),
        "The leader of a farm comes first too; this guard therefore never clears own automation.",
        "Direction of event synchronisation: Quian Quiroga et al. 2002, doi:10.1103/PhysRevE.66.041904",
        "comes first in {value:.0%} of {n} co-acts",
        own_acts=False,
    ),
)


# A common notification can never be told from an operator by times alone. That holds a cluster at `review`
# without other evidence, as every cluster is held, and clears nobody who has such evidence against them.
NOT_EXCULPATORY: Final = frozenset({"push_notification"})


@dataclass(frozen=True)
class ClusterFrames:
    """What the cluster stage found, with the columns of the run folder; any table may be empty or None."""

    clusters: pa.Table | None = None
    members: pa.Table | None = None
    edges: pa.Table | None = None
    evidence: pa.Table | None = None


@dataclass(frozen=True)
class ClusterStanding:
    """The strongest cluster of each account; arrays of shape (n_accounts,).

    Parameters
    ----------
    cluster_row
        Row in the clusters table of the cluster of smallest q, -1 for none.
    in_core
        Whether the account is in its core.
    q_time, n_layers
        The test of that cluster; 1 and 0 without one.
    benign
        Whether a legitimate explanation fits it.
    shadowed
        Whether the others follow the account in at least nine of ten co-acts.
    """

    cluster_row: NDArray[np.int64]
    in_core: NDArray[np.bool_]
    q_time: NDArray[np.float64]
    n_layers: NDArray[np.int64]
    benign: NDArray[np.bool_]
    shadowed: NDArray[np.bool_]
    leads_share: NDArray[np.float64]
    n_pairs: NDArray[np.int64]


def cluster_standing(acts: AccountActs, frames: ClusterFrames | None) -> ClusterStanding:
    """Strongest cluster of each account: core before fringe, then smallest q, then the table's order."""
    a = acts.n_accounts
    row = np.full(a, -1, dtype=np.int64)
    core = np.zeros(a, dtype=bool)
    q = np.ones(a)
    layers = np.zeros(a, dtype=np.int64)
    benign = np.zeros(a, dtype=bool)
    leads, n_pairs = _leads(acts, frames.edges if frames else None)
    shadowed = (n_pairs > 0) & (leads >= SHADOWED_LEADS)
    if frames is None or not _filled(frames.clusters) or not _filled(frames.members):
        return ClusterStanding(row, core, q, layers, benign, shadowed, leads, n_pairs)
    clusters, members = frames.clusters, frames.members
    assert clusters is not None
    assert members is not None
    cluster_q = np.asarray(clusters["q_time"].cast(pa.float64()).fill_null(1.0).combine_chunks())
    cluster_layers = np.array([len(listed(v)) for v in clusters["layers"].to_pylist()], dtype=np.int64)
    cluster_benign = np.array(
        [bool(set(listed(v)) - NOT_EXCULPATORY) for v in clusters["benign_match"].to_pylist()], dtype=bool
    )
    account = pc.index_in(members["account_id"].combine_chunks(), value_set=acts.account_ids)
    cluster = pc.index_in(
        members["cluster_id"].combine_chunks(), value_set=clusters["cluster_id"].combine_chunks()
    )
    known = np.asarray(pc.and_(pc.is_valid(account), pc.is_valid(cluster)))
    who = np.asarray(account.fill_null(0)).astype(np.int64)[known]
    what = np.asarray(cluster.fill_null(0)).astype(np.int64)[known]
    is_core = np.asarray(members["in_core"].fill_null(False).combine_chunks())[known]
    # Worst first, so that the last assignment of an account is its strongest cluster. A cluster without a
    # legitimate explanation goes before one with it.
    order = np.lexsort((-what, -cluster_q[what], ~cluster_benign[what], is_core))
    who, what, is_core = who[order], what[order], is_core[order]
    row[who], core[who], q[who] = what, is_core, cluster_q[what]
    layers[who], benign[who] = cluster_layers[what], cluster_benign[what]
    return ClusterStanding(row, core, q, layers, benign, shadowed, leads, n_pairs)


def network_values(acts: AccountActs, frames: ClusterFrames | None) -> FamilyValues:
    """Cluster evidence as signals; empty without clusters and edges."""
    if frames is None:
        return {}
    a = acts.n_accounts
    standing = cluster_standing(acts, frames)
    none = np.full((a, N_EXAMPLES), -1, dtype=np.int64)
    counts = standing.in_core & ~standing.benign & ~standing.shadowed
    size = np.zeros(a, dtype=np.int64)
    if _filled(frames.clusters) and frames.clusters is not None:
        sizes = np.asarray(frames.clusters["size"].cast(pa.int64()).fill_null(0).combine_chunks())
        size = np.where(standing.cluster_row >= 0, sizes[np.maximum(standing.cluster_row, 0)], 0)
    rows = evidence_rows(acts, frames)
    examples = none
    if len(rows):
        from graphscan.signals.grouping import top_rows

        examples = top_rows(acts.account[rows], rows, np.ones(len(rows)), a, N_EXAMPLES)
    strength = -np.log10(np.maximum(standing.q_time, 10.0**-LOG10_Q_CAP))
    return {
        "farm_core": SignalValues(np.where(counts, strength, np.nan), size, examples),
        "farm_layers": SignalValues(np.where(counts, standing.n_layers, np.nan), size, examples),
        "leads_share": SignalValues(
            np.where(standing.n_pairs > 0, standing.leads_share, np.nan), standing.n_pairs, none
        ),
    }


def evidence_rows(acts: AccountActs, frames: ClusterFrames | None) -> NDArray[np.int64]:
    """Event rows of acts that clusters rest on, of accounts in their core."""
    if frames is None or not _filled(frames.evidence) or frames.evidence is None:
        return np.zeros(0, dtype=np.int64)
    standing = cluster_standing(acts, frames)
    counts = standing.in_core & ~standing.benign & ~standing.shadowed
    place = pc.index_in(
        frames.evidence["event_id"].combine_chunks(),
        value_set=acts.events.column("event_id").combine_chunks(),
    )
    rows = np.unique(np.asarray(place.drop_null()).astype(np.int64))
    return rows[counts[acts.account[rows]]]


def listed(value: object) -> list[object]:
    """A cell that holds a list: as a list, as JSON, or as plain text."""
    if value is None or value == "":
        return []
    if isinstance(value, list | tuple):
        return list(value)
    if isinstance(value, str):
        if value[:1] in "[{":
            parsed = json.loads(value)
            return list(parsed)
        return [value]
    return [value]


def _filled(table: pa.Table | None) -> bool:
    return table is not None and table.num_rows > 0


def _leads(acts: AccountActs, edges: pa.Table | None) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    a = acts.n_accounts
    if edges is None or edges.num_rows == 0:
        return np.zeros(a), np.zeros(a, dtype=np.int64)
    first = pc.index_in(edges["account_a"].combine_chunks(), value_set=acts.account_ids)
    second = pc.index_in(edges["account_b"].combine_chunks(), value_set=acts.account_ids)
    known = np.asarray(pc.and_(pc.is_valid(first), pc.is_valid(second)))
    i = np.asarray(first.fill_null(0)).astype(np.int64)[known]
    j = np.asarray(second.fill_null(0)).astype(np.int64)[known]
    n = np.asarray(edges["n_pairs"].cast(pa.float64()).combine_chunks())[known]
    share = np.asarray(edges["a_leads_share"].cast(pa.float64()).fill_null(0.5).combine_chunks())[known]
    n_pairs = total(i, n, a) + total(j, n, a)
    leads = total(i, n * share, a) + total(j, n * (1 - share), a)
    return leads / np.maximum(n_pairs, 1), n_pairs.astype(np.int64)
