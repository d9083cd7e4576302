"""The stage that turns signals and clusters into tiers, with everything a reader needs to check them."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Final

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from graphscan.events.model import SURFACES
from graphscan.signals import ClusterFrames, SignalTable
from graphscan.signals.acts import account_acts
from graphscan.signals.coverage import MECHANISMS
from graphscan.signals.network import ClusterStanding, cluster_standing
from graphscan.verdicts.decisions import Decisions, PastDecision, evidence_hash
from graphscan.verdicts.farm import farm_features
from graphscan.verdicts.frames import (
    account_table,
    evidence_table,
    explanation_table,
    named_signals,
)
from graphscan.verdicts.heads import volume_band
from graphscan.verdicts.hosting import hosting_features
from graphscan.verdicts.policy import TIERS, Policy
from graphscan.verdicts.ranks import ReferenceRanks, family_scores, rank_scores, reference_ranks
from graphscan.verdicts.tiers import (
    REVIEW,
    TERMINATE,
    AccountEvidence,
    ClusterEvidence,
    Decision,
    SurfaceCount,
    decision,
)
from graphscan.verdicts.training import Model, head_signals

OLD_TURNS: Final = 20
OLD_TURN_SHARE: Final = 0.25


@dataclass(frozen=True)
class Verdicts:
    """What the stage gives.

    Parameters
    ----------
    accounts
        One row an account (``ACCOUNT_SCHEMA``), in the byte order of the ids.
    evidence
        Example events of every signal named as a reason (``EVIDENCE_SCHEMA``).
    explanations
        Signals, conditions, rules and guards behind each scored account (``EXPLANATION_SCHEMA``).
    puid
        Identifier of each account's statement, in the order of ``accounts``: a hash of run and account.
    evidence_hash
        Hash of the evidence of each account, to bind decisions to; empty without evidence.
    active_us
        First and last act of each account, microseconds UTC.
    decided
        Account row to its evidence and decision, for accounts that had anything to decide about.
    scores
        Scores of all heads.
    tier_counts
        Accounts per tier.
    n_scored
        Accounts with a score.
    breaker_tripped
        Whether the circuit breaker stopped terminations in this sweep.
    """

    accounts: pa.Table
    evidence: pa.Table
    explanations: pa.Table
    puid: tuple[str, ...]
    evidence_hash: tuple[str, ...]
    active_us: tuple[tuple[int, int], ...]
    decided: Mapping[int, tuple[AccountEvidence, Decision]]
    scores: Scores
    tier_counts: Mapping[str, int]
    n_scored: int
    breaker_tripped: bool


@dataclass(frozen=True)
class Scores:
    """Scores of all accounts, arrays of shape (n_accounts,); NaN without a score."""

    p_automation: NDArray[np.float64]
    p_with_text: NDArray[np.float64]
    p_human: NDArray[np.float64]
    p_hosting: NDArray[np.float64]
    p_farm: NDArray[np.float64]
    families: Mapping[str, NDArray[np.bool_]]
    rank_score: NDArray[np.float64]
    contribution: NDArray[np.float64]


def account_scores(
    table: SignalTable, standing: ClusterStanding, model: Model, ranks: ReferenceRanks | None = None
) -> Scores:
    """Scores of all heads.

    Parameters
    ----------
    ranks
        Frozen reference ranks of the platform; by default those of the accounts scored here.
    """
    signal_ids = head_signals(with_text=True)
    platform = ranks or reference_ranks(table, signal_ids, table.sufficient)
    band = volume_band(table.n_events)

    def blank(values: NDArray[np.float64]) -> NDArray[np.float64]:
        return np.where(table.sufficient, values, np.nan)

    behaviour = model.behaviour
    scores = rank_scores(table, behaviour.signal_ids, platform, model.ranks)
    log_odds = behaviour.scorer.log_odds(scores)
    p = behaviour.calibration.probability(log_odds, band)
    full = rank_scores(table, model.full.signal_ids, platform, model.ranks)
    p_text = model.full.calibration.probability(model.full.scorer.log_odds(full), band)
    families = {
        name: (score > model.family_threshold.get(name, np.inf)) & table.sufficient
        for name, score in family_scores(table, model.family_weight, platform, model.ranks).items()
    }
    hosting = (
        np.full(table.n_accounts, np.nan)
        if model.hosting is None
        else model.hosting.probability(hosting_features(table, platform, model.ranks))
    )
    farm = model.farm.probability(
        farm_features(standing, table.n_accounts, blank(p)), standing.cluster_row >= 0
    )
    return Scores(
        p_automation=blank(p),
        p_with_text=blank(p_text),
        p_human=blank(behaviour.calibration.p_human(log_odds, band)),
        p_hosting=blank(hosting),
        p_farm=farm,
        families=families,
        rank_score=full,
        contribution=model.full.scorer.contributions(full),
    )


def verdicts(
    table: SignalTable,
    *,
    model: Model,
    policy: Policy,
    run_id: str,
    clusters: ClusterFrames | None = None,
    decisions: Decisions | None = None,
    ranks: ReferenceRanks | None = None,
) -> Verdicts:
    """Decide about every account of a sweep.

    Parameters
    ----------
    table
        Signals of the sweep, made with the same ``clusters``.
    model, policy
        What judges and where the lines are.
    run_id
        Identity of the run, for the statements.
    clusters
        Frames of the cluster stage.
    decisions
        What people decided before.
    ranks
        Frozen reference ranks; by default the ranks inside this sweep.
    """
    decisions = decisions or Decisions()
    acts = account_acts(table.events)
    standing = cluster_standing(acts, clusters)
    scores = account_scores(table, standing, model, ranks)
    cluster_ids = _cluster_ids(clusters)
    pooled = _detector_counts(table, acts.account, policy)
    newest = decisions.newest()
    ids = table.account_ids.to_pylist()
    decided: dict[int, tuple[AccountEvidence, Decision]] = {}
    for row in _rows_to_decide(table, standing, scores, policy, pooled, newest, decisions, ids):
        evidence = _evidence_of(row, table, standing, scores, model, decisions, pooled, cluster_ids, ids[row])
        evidence = _with_decision(evidence, newest.get(ids[row]))
        decided[row] = (evidence, decision(evidence, policy))
    decided, tripped = _with_breaker(decided, policy, int(table.sufficient.sum()))
    names = named_signals(table, scores)
    accounts, hashes = account_table(table, standing, scores, decided, names, cluster_ids, ids)
    tiers = accounts["tier"].to_pylist()
    return Verdicts(
        accounts=accounts,
        evidence=evidence_table(table, decided, names, cluster_ids, standing, ids),
        explanations=explanation_table(table, scores, model, decided, names, ids),
        puid=tuple(statement_id(run_id, i) for i in ids),
        evidence_hash=hashes,
        active_us=tuple(
            zip(acts.time_g[acts.start[:-1]].tolist(), acts.time_g[acts.start[1:] - 1].tolist(), strict=True)
        ),
        decided=decided,
        scores=scores,
        tier_counts={tier: tiers.count(tier) for tier in TIERS},
        n_scored=int(table.sufficient.sum()),
        breaker_tripped=tripped,
    )


def statement_id(run_id: str, account_id: str) -> str:
    """Identifier of the statement about an account in a run; tells neither."""
    return hashlib.sha256(f"graphscan statement\0{run_id}\0{account_id}".encode()).hexdigest()[:40]


def _rows_to_decide(
    table: SignalTable,
    standing: ClusterStanding,
    scores: Scores,
    policy: Policy,
    pooled: tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.bool_]],
    newest: Mapping[str, PastDecision],
    decisions: Decisions,
    ids: list[str],
) -> list[int]:
    """Accounts about which there is anything to decide: the others are ``none``."""
    likely = np.maximum(np.nan_to_num(scores.p_automation), np.nan_to_num(scores.p_with_text))
    rows = (likely >= policy.warn.p_automation) | (standing.in_core & (standing.cluster_row >= 0))
    rows |= pooled[0] >= policy.warn.ai_text_min_texts
    rows |= np.column_stack([*scores.families.values()]).sum(axis=1) >= 2
    rows |= table.coverage.lower_bound.max(axis=1, initial=0.0) >= policy.limit.coverage
    if newest or decisions.allow_list:
        rows |= np.array([i in newest or i in decisions.allow_list for i in ids], dtype=bool)
    return [int(r) for r in np.flatnonzero(rows)]


def _evidence_of(
    row: int,
    table: SignalTable,
    standing: ClusterStanding,
    scores: Scores,
    model: Model,
    decisions: Decisions,
    pooled: tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.bool_]],
    cluster_ids: list[str],
    account_id: str,
) -> AccountEvidence:
    coverage = table.coverage
    surfaces = {
        name: SurfaceCount(
            int(coverage.n_acts[row, s]),
            int(coverage.n_hosted[row, s]),
            {m: int(coverage.n_hosted_by[f"without_{m}"][row, s]) for m in MECHANISMS},
        )
        for s, name in enumerate(SURFACES)
        if coverage.n_acts[row, s]
    }
    cluster = None
    if standing.cluster_row[row] >= 0:
        cluster = ClusterEvidence(
            q_time=float(standing.q_time[row]),
            n_layers=int(standing.n_layers[row]),
            n_sweeps=int(decisions.cluster_sweeps.get(cluster_ids[standing.cluster_row[row]], 1)),
            in_core=bool(standing.in_core[row]),
            explained=bool(standing.benign[row]),
            shadowed=bool(standing.shadowed[row]),
        )
    scored = bool(table.sufficient[row])
    return AccountEvidence(
        n_events=int(table.n_events[row]),
        n_active_days=int(table.n_active_days[row]),
        p_automation=float(scores.p_automation[row]) if scored else None,
        p_with_text=float(scores.p_with_text[row]) if scored else None,
        calibrated=model.calibrated,
        p_human=float(scores.p_human[row]) if scored else None,
        families=frozenset(f for f, has in scores.families.items() if has[row]),
        surfaces=surfaces,
        cluster=cluster,
        strong_human=_strong_human(table, row),
        ai_texts=int(pooled[0][row]),
        ai_texts_high=int(pooled[1][row]),
        ai_declared=bool(pooled[2][row]),
        failed=bool(table.failed),
        n_prior_warnings=int(decisions.prior_warnings.get(account_id, 0)),
        allow_listed=account_id in decisions.allow_list,
    )


def _strong_human(table: SignalTable, row: int) -> bool | None:
    """Long two-way conversations with long-standing accounts outside its cluster; None where unknown."""
    if "two_way_share" not in table.signals:
        return None
    share = table.signals["two_way_share"].value[row]
    turns = table.signals["old_partner_turns"].value[row]
    return bool(share >= OLD_TURN_SHARE and turns >= OLD_TURNS)


def _with_decision(evidence: AccountEvidence, past: PastDecision | None) -> AccountEvidence:
    if past is None:
        return evidence
    same = past.evidence_hash is None or past.evidence_hash == evidence_hash(evidence)
    if past.outcome in ("human", "appeal_upheld"):
        if not same:
            return replace(evidence, verdict_on_older_evidence=True)
        if past.outcome == "appeal_upheld":
            return replace(evidence, appeal_upheld=True)
        return replace(evidence, verdict="human")
    return replace(evidence, verdict=past.outcome) if same else evidence


def _detector_counts(
    table: SignalTable, account: NDArray[np.int64], policy: Policy
) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.bool_]]:
    """Texts with a detector's score, texts with a high one, and whether AI assistance is declared, by
    account.
    """
    a = table.n_accounts
    column = table.events.column("ai_score").combine_chunks()
    given = np.asarray(column.is_valid())
    score = np.asarray(column.fill_null(0.0))
    n = np.bincount(account[given], minlength=a)
    high = np.bincount(account[given & (score >= policy.warn.ai_text_score)], minlength=a)
    declares = np.asarray(table.events.column("ai_declared").combine_chunks().fill_null(False))
    declared = np.bincount(account[declares], minlength=a) > 0
    return n.astype(np.int64), high.astype(np.int64), declared


def _with_breaker(
    decided: dict[int, tuple[AccountEvidence, Decision]], policy: Policy, n_scored: int
) -> tuple[dict[int, tuple[AccountEvidence, Decision]], bool]:
    """All terminations at review where there are too many of them."""
    rule = policy.execution
    n = sum(d.tier == TERMINATE for _, d in decided.values())
    if n <= max(rule.breaker_share * n_scored, rule.breaker_min):
        return decided, False
    return {
        row: (e, replace(d, tier=REVIEW, rules=(*d.rules, "circuit_breaker")) if d.tier == TERMINATE else d)
        for row, (e, d) in decided.items()
    }, True


def _cluster_ids(clusters: ClusterFrames | None) -> list[str]:
    if clusters is None or clusters.clusters is None:
        return []
    return [str(i) for i in clusters.clusters["cluster_id"].to_pylist()]
