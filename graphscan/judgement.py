"""The judgement stage of a sweep: behaviour and cluster evidence in; tiers, reasons and statements out."""

from __future__ import annotations

import json
import os
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pyarrow as pa

from graphscan.clusters.tables import ClusterTables
from graphscan.signals import ClusterFrames, account_signals
from graphscan.verdicts.assessment import Verdicts, verdicts
from graphscan.verdicts.decisions import Decisions
from graphscan.verdicts.modelfile import file_sha256, read_model
from graphscan.verdicts.policy import read_policy
from graphscan.verdicts.statements import Action, actions, statements

if TYPE_CHECKING:
    from graphscan.verdicts.policy import Policy
    from graphscan.verdicts.training import Model

PathLike = str | os.PathLike[str]


@dataclass(frozen=True)
class Judge:
    """What judges: the model, the lines, and what people decided before.

    Parameters
    ----------
    model, model_sha256
        The heads, and the hash of their file.
    policy
        The tiers' conditions.
    decisions
        Verdicts, appeals, the allow-list.
    accounts
        The accounts file as a table, or None.
    """

    model: Model
    model_sha256: str
    policy: Policy
    decisions: Decisions
    accounts: pa.Table | None = None


@dataclass(frozen=True)
class Judgement:
    """Tables of the judgement stage; the cluster tables have their tiers filled in."""

    verdicts: Verdicts
    clusters: ClusterTables
    statements: list[dict[str, Any]]
    actions: list[Action]


def judge(
    *,
    model: PathLike | None = None,
    policy: PathLike | None = None,
    decisions: Decisions | None = None,
    accounts: pa.Table | None = None,
) -> Judge:
    """A judge of a model file and a policy file, those of the package if None.

    Raises
    ------
    GraphscanError
        Exit code 2 for a policy that cannot be used, 4 for a model that is foreign or was changed.
    """
    path = None if model is None else os.fspath(model)
    return Judge(
        read_model(path),
        file_sha256(path),
        read_policy(None if policy is None else os.fspath(policy)),
        decisions or Decisions(),
        accounts,
    )


def judged(
    events: pa.Table, edges: pa.Table, clusters: ClusterTables, by: Judge, *, run_id: str
) -> Judgement:
    """Tiers, reasons and statements for every account.

    Parameters
    ----------
    events
        In canonical order.
    edges, clusters
        Of the same events.
    by
        The judge.
    run_id
        Identity of the run, for the statements.
    """
    frames = ClusterFrames(clusters.clusters, clusters.members, edges, clusters.evidence)
    table = account_signals(events, clusters=frames, accounts=by.accounts)
    found = verdicts(
        table, model=by.model, policy=by.policy, run_id=run_id, clusters=frames, decisions=by.decisions
    )
    last_us = events["timestamp_us"][-1].as_py() if events.num_rows else 0
    return Judgement(
        found,
        _with_tiers(clusters, found.accounts),
        statements(found, by.policy, as_of_us=last_us),
        actions(found, by.policy),
    )


def _with_tiers(clusters: ClusterTables, accounts: pa.Table) -> ClusterTables:
    """The clusters with how many members are in each tier."""
    from dataclasses import replace

    tier = dict(zip(accounts["account_id"].to_pylist(), accounts["tier"].to_pylist(), strict=True))
    counts: dict[str, Counter[str]] = {}
    for row in clusters.members.to_pylist():
        counts.setdefault(row["cluster_id"], Counter())[tier[row["account_id"]]] += 1
    column: Sequence[str] = [
        json.dumps(dict(sorted(counts.get(i, Counter()).items())))
        for i in clusters.clusters["cluster_id"].to_pylist()
    ]
    place = clusters.clusters.schema.get_field_index("tier_counts")
    return replace(
        clusters,
        clusters=clusters.clusters.set_column(place, "tier_counts", pa.array(column, pa.string())),
    )
