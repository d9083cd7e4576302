"""The tables that the verdict stage gives: accounts, example events, explanations."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from graphscan.clusters.tables import EVIDENCE_SCHEMA
from graphscan.events.model import SURFACES
from graphscan.signals import SignalTable
from graphscan.signals.network import ClusterStanding
from graphscan.verdicts.decisions import evidence_hash
from graphscan.verdicts.explanation import explanation_rows
from graphscan.verdicts.reasons import reason_codes
from graphscan.verdicts.tiers import NONE, AccountEvidence, Decision
from graphscan.verdicts.training import Model, head_signals

if TYPE_CHECKING:
    from graphscan.verdicts.assessment import Scores

ACCOUNT_SCHEMA: Final = pa.schema(
    [
        ("account_id", pa.string()),
        ("tier", pa.string()),
        ("p_automation", pa.float64()),
        ("p_farm", pa.float64()),
        ("coverage", pa.string()),
        ("surfaces_active", pa.string()),
        ("surfaces_automated", pa.string()),
        ("cluster_id", pa.string()),
        ("in_core", pa.bool_()),
        ("evidence_families", pa.string()),
        ("reasons", pa.string()),
        ("n_events", pa.int64()),
        ("insufficient_evidence", pa.bool_()),
    ]
)
EXPLANATION_SCHEMA: Final = pa.schema(
    [
        ("account_id", pa.string()),
        ("kind", pa.string()),
        ("code", pa.string()),
        ("family", pa.string()),
        ("holds", pa.bool_()),
        ("value", pa.float64()),
        ("null_value", pa.float64()),
        ("threshold", pa.string()),
        ("contribution", pa.float64()),
        ("detail", pa.string()),
    ]
)
# A signal is named as a reason from this rank score on (nine in ten accounts are under it).
NAMED_SCORE: Final = 1.2816
N_NAMED: Final = 3
COVERAGE_SHOWN: Final = 14
_AUTOMATED_BOUND: Final = 0.5


def named_signals(table: SignalTable, scores: Scores) -> NDArray[np.bool_]:
    """Which signals stand out for which account, shape (n_accounts, n_head_signals).

    Where none does by itself, the three that add most to the score are named.
    """
    named = scores.rank_score >= NAMED_SCORE
    order = np.argsort(-scores.contribution, axis=1, kind="stable")[:, :N_NAMED]
    most = np.zeros_like(named)
    np.put_along_axis(most, order, True, axis=1)
    most &= scores.contribution > 0
    named |= most & ~named.any(axis=1, keepdims=True)
    return named & table.sufficient[:, None]


def _reasons_of(
    row: int,
    table: SignalTable,
    names: NDArray[np.bool_],
    scored: AccountEvidence | None,
    made: Decision | None,
) -> list[str]:
    if made is None:
        return [] if table.sufficient[row] else ["insufficient_evidence"]
    codes = reason_codes(made.rules)
    if not table.sufficient[row]:
        codes.append("insufficient_evidence")
    if scored is not None and scored.verdict == "automated":
        codes.append("verdict_automated")
    if scored is not None and scored.cluster is not None:
        if scored.cluster.counts and not scored.cluster.explained:
            codes.append("farm_core")
        if scored.cluster.in_core and scored.cluster.shadowed:
            codes.append("shadowed")
    if made.tier != NONE:
        codes += [s for s, named in zip(head_signals(with_text=True), names[row], strict=True) if named]
    return list(dict.fromkeys(codes))


def account_table(
    table: SignalTable,
    standing: ClusterStanding,
    scores: Scores,
    decided: Mapping[int, tuple[AccountEvidence, Decision]],
    names: NDArray[np.bool_],
    cluster_ids: list[str],
    ids: list[str],
) -> tuple[pa.Table, tuple[str, ...]]:
    coverage = table.coverage
    counted = coverage.n_acts >= COVERAGE_SHOWN
    bound = np.where(counted, coverage.lower_bound, 0.0)
    columns: dict[str, list[Any]] = {
        name: [] for name in ("tier", "coverage", "active", "automated", "families", "reasons")
    }
    hashes = []
    for row in range(table.n_accounts):
        found = decided.get(row)
        evidence, made = found if found is not None else (None, None)
        columns["tier"].append(made.tier if made is not None else NONE)
        active = np.flatnonzero(coverage.n_acts[row])
        columns["coverage"].append(
            _json({SURFACES[s]: round(float(bound[row, s]), 4) for s in active if counted[row, s]})
        )
        columns["active"].append(_json([SURFACES[s] for s in active]))
        columns["automated"].append(_json([SURFACES[s] for s in active if bound[row, s] >= _AUTOMATED_BOUND]))
        families = sorted(f for f, has in scores.families.items() if has[row])
        if evidence is not None and evidence.cluster is not None:
            families += ["network"] * (evidence.cluster.counts and not evidence.cluster.explained)
        columns["families"].append(_json(sorted(families)))
        columns["reasons"].append(_json(_reasons_of(row, table, names, evidence, made)))
        hashes.append(evidence_hash(evidence) if evidence is not None else "")
    in_cluster = standing.cluster_row >= 0
    result = pa.table(
        {
            "account_id": table.account_ids,
            "tier": columns["tier"],
            "p_automation": pa.array(scores.p_automation, from_pandas=True),
            "p_farm": scores.p_farm,
            "coverage": columns["coverage"],
            "surfaces_active": columns["active"],
            "surfaces_automated": columns["automated"],
            "cluster_id": pa.array(
                [cluster_ids[r] if r >= 0 else None for r in standing.cluster_row.tolist()], pa.string()
            ),
            "in_core": standing.in_core & in_cluster,
            "evidence_families": columns["families"],
            "reasons": columns["reasons"],
            "n_events": table.n_events,
            "insufficient_evidence": ~table.sufficient,
        }
    )
    return result.cast(ACCOUNT_SCHEMA), tuple(hashes)


def evidence_table(
    table: SignalTable,
    decided: Mapping[int, tuple[AccountEvidence, Decision]],
    names: NDArray[np.bool_],
    cluster_ids: list[str],
    standing: ClusterStanding,
    ids: list[str],
) -> pa.Table:
    """Example events of every named signal of accounts above ``none``."""
    account, reason, event, cluster = list[str](), list[str](), list[int](), list[str | None]()
    signal_ids = (*head_signals(with_text=True), "farm_core")
    for row, (evidence, made) in decided.items():
        if made.tier == NONE:
            continue
        named = [s for s, has in zip(signal_ids, names[row], strict=False) if has]
        if evidence.cluster is not None and evidence.cluster.counts:
            named.append("farm_core")
        for signal_id in named:
            if signal_id not in table.signals:
                continue
            for example in table.signals[signal_id].example_rows[row].tolist():
                if example >= 0:
                    account.append(ids[row])
                    reason.append(signal_id)
                    event.append(example)
                    own = signal_id == "farm_core" and standing.cluster_row[row] >= 0
                    cluster.append(cluster_ids[standing.cluster_row[row]] if own else None)
    place = pa.array(event, pa.int64())
    n = len(event)
    return pa.table(
        {
            "cluster_id": pa.array(cluster, pa.string()),
            "account_id": pa.array(account, pa.string()),
            "event_id": table.events.column("event_id").take(place),
            "object_id": table.events.column("object_id").take(place),
            "layer": pa.nulls(n, pa.string()),
            "at": table.events.column("timestamp_us").take(place).cast(pa.timestamp("us", "UTC")),
            "lag_s": pa.nulls(n, pa.float64()),
            "reason": pa.array(reason, pa.string()),
        },
        schema=EVIDENCE_SCHEMA,
    )


def explanation_table(
    table: SignalTable,
    scores: Scores,
    model: Model,
    decided: Mapping[int, tuple[AccountEvidence, Decision]],
    names: NDArray[np.bool_],
    ids: list[str],
) -> pa.Table:
    """Signals behind every decided account, and the rules, guards and conditions of its decision."""
    rows: list[dict[str, Any]] = []
    for row, (evidence, made) in decided.items():
        rows += explanation_rows(row, ids[row], table, scores, model, evidence, made, names[row])
    return pa.Table.from_pylist(rows, schema=EXPLANATION_SCHEMA)


def _json(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))
