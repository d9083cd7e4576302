"""Statements of reasons: one for every restricted account, with the fields of the public transparency schema.

The field names, enumerations and length limits are those of the Transparency Database of the EU Digital
Services
Act (https://transparency.dsa.ec.europa.eu/page/api-documentation). A statement holds no personal data: no id,
no
handle, no text; its ``puid`` leads back to the account through the run folder only.
"""

from __future__ import annotations

import datetime
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from graphscan.signals import SIGNALS
from graphscan.verdicts.assessment import Verdicts
from graphscan.verdicts.owner import owner_text
from graphscan.verdicts.policy import Policy
from graphscan.verdicts.tiers import LIMIT, TERMINATE, AccountEvidence, Decision

GROUND: Final = (
    "Community rules: accounts must be run by a person. Accounts whose acts are hosted by software are not "
    "allowed."
)
EXPLANATION: Final = {
    LIMIT: (
        "The rules allow AI as a tool and do not allow an account to act by itself. A large part of "
        "what this account "
        "does on a public surface looks hosted by software, and at least two independent kinds of "
        "behaviour say so. "
        "Its visibility is reduced for {days} days; the limit ends by itself. The decision can be "
        "contested for six "
        "months."
    ),
    TERMINATE: (
        "The rules allow AI as a tool and do not allow an account to act by itself. {route} At least "
        "three independent "
        "kinds of behaviour say so, one of them its timing, its clock or its speed, and no strong "
        "evidence of a person "
        "was found. The account is terminated. The decision can be contested for six months."
    ),
}
ROUTES: Final = {
    "R1": (
        "Nearly everything this account does on at least three surfaces, its posts among them, looks hosted."
    ),
    "R2": "Nearly all posts of this account look hosted, beyond what a tool for scheduled posts explains.",
    "R3": (
        "This account belongs to the core of a group that acts together beyond chance, and is itself "
        "automated."
    ),
}
# The schema takes no earlier date.
EARLIEST: Final = datetime.date(2020, 1, 1)
LIMITS: Final = {
    "incompatible_content_ground": 500,
    "incompatible_content_explanation": 2_000,
    "decision_facts": 5_000,
    "puid": 500,
}


@dataclass(frozen=True)
class Action:
    """What is to be done with one account.

    Parameters
    ----------
    account_id, tier, puid
        Who, what, and the statement.
    state
        ``ready`` or ``pending_signoff``.
    signoffs
        Different people who must sign.
    """

    account_id: str
    tier: str
    puid: str
    state: str
    signoffs: int


def actions(verdicts: Verdicts, policy: Policy) -> list[Action]:
    """The action list: limits are ready, terminations wait for sign-offs; empty if the breaker tripped."""
    if verdicts.breaker_tripped:
        return []
    n = verdicts.tier_counts[TERMINATE]
    needed = policy.execution.signoffs_many if n > policy.execution.many else policy.execution.signoffs
    result = []
    ids, tiers = verdicts.accounts["account_id"].to_pylist(), verdicts.accounts["tier"].to_pylist()
    for account_id, tier, puid in zip(ids, tiers, verdicts.puid, strict=True):
        if tier == LIMIT:
            result.append(Action(account_id, tier, puid, "ready", 0))
        elif tier == TERMINATE:
            result.append(Action(account_id, tier, puid, "pending_signoff" if needed else "ready", needed))
    return result


def statements(verdicts: Verdicts, policy: Policy, *, as_of_us: int) -> list[dict[str, Any]]:
    """Statements of reasons for every ``limit`` and ``terminate``, in the order of the accounts.

    Parameters
    ----------
    as_of_us
        End of the period swept, microseconds UTC: the date of application (never the wall clock).
    """
    explained = _signals_by_account(verdicts)
    ids = verdicts.accounts["account_id"].to_pylist()
    result = []
    for row in sorted(verdicts.decided):
        evidence, made = verdicts.decided[row]
        if made.tier in (LIMIT, TERMINATE):
            signals = explained.get(ids[row], [])
            result.append(_statement(row, evidence, made, signals, verdicts, policy, as_of_us))
    return result


def statement_lines(rows: Sequence[Mapping[str, Any]]) -> str:
    """Statements as NDJSON."""
    return "".join(json.dumps(row, ensure_ascii=False, separators=(",", ":")) + "\n" for row in rows)


def _statement(
    row: int,
    evidence: AccountEvidence,
    made: Decision,
    signals: list[dict[str, Any]],
    verdicts: Verdicts,
    policy: Policy,
    as_of_us: int,
) -> dict[str, Any]:
    applied = _date(as_of_us)
    fields: dict[str, Any] = {"puid": verdicts.puid[row]}
    if made.tier == LIMIT:
        end = applied + datetime.timedelta(days=policy.limit.days)
        fields["decision_visibility"] = ["DECISION_VISIBILITY_CONTENT_DEMOTED"]
        fields["end_date_visibility_restriction"] = end.isoformat()
        automated = "AUTOMATED_DECISION_FULLY"
        explanation = EXPLANATION[LIMIT].format(days=policy.limit.days)
    else:
        fields["decision_account"] = "DECISION_ACCOUNT_TERMINATED"
        automated = (
            "AUTOMATED_DECISION_PARTIALLY" if policy.execution.signoffs else "AUTOMATED_DECISION_FULLY"
        )
        explanation = EXPLANATION[TERMINATE].format(route=ROUTES.get(made.route or "", ""))
    first_us, last_us = verdicts.active_us[row]
    return fields | {
        "decision_ground": "DECISION_GROUND_INCOMPATIBLE_CONTENT",
        "incompatible_content_ground": _cut(GROUND, LIMITS["incompatible_content_ground"]),
        "incompatible_content_explanation": _cut(explanation, LIMITS["incompatible_content_explanation"]),
        "incompatible_content_illegal": "No",
        "decision_facts": _cut(_facts(evidence, signals, first_us, last_us), LIMITS["decision_facts"]),
        "content_type": ["CONTENT_TYPE_TEXT"],
        "category": "STATEMENT_CATEGORY_SCAMS_AND_FRAUD",
        "category_specification": ["KEYWORD_INAUTHENTIC_ACCOUNTS"],
        "content_date": max(_date(last_us), EARLIEST).isoformat(),
        "application_date": max(applied, EARLIEST).isoformat(),
        "source_type": "SOURCE_VOLUNTARY",
        "automated_detection": "Yes",
        "automated_decision": automated,
        "owner_text": {
            language: owner_text(language, made, evidence, policy) for language in ("en", "zh-Hans")
        },
        "graphscan": {
            "tier": made.tier,
            "route": made.route if made.tier == TERMINATE else None,
            "policy": {"name": policy.name, "version": policy.version, "sha256": policy.sha256()},
            "signals": signals,
            "conditions": [
                {"name": leg.name, "holds": leg.holds, "seen": leg.seen, "needed": leg.needed}
                for leg in made.legs
            ],
        },
    }


def _facts(evidence: AccountEvidence, signals: list[dict[str, Any]], first_us: int, last_us: int) -> str:
    """Facts and dates in sentences: how much was seen, what stands out, against what."""
    lines = [
        f"From {_date(first_us).isoformat()} to {_date(last_us).isoformat()} (UTC) the account made "
        f"{evidence.n_events} acts on {evidence.n_active_days} days."
    ]
    for name, surface in evidence.surfaces.items():
        if surface.lower_bound > 0:
            lines.append(
                f"Surface {name}: {surface.n_hosted} of {surface.n_acts} acts look hosted "
                f"(at least {surface.lower_bound:.0%} with 95 % confidence)."
            )
    for one in signals:
        usual = "" if one["null"] is None else f"; half of the accounts are at {one['null']:.2f} or beyond"
        lines.append(f"{one['title']}: {one['detail']}{usual}.")
    if evidence.cluster is not None and evidence.cluster.counts:
        lines.append(
            f"It acts in step with a group of accounts beyond chance (q = {evidence.cluster.q_time:.2g}, "
            f"{evidence.cluster.n_layers} layer(s))."
        )
    lines.append(f"Families of evidence: {', '.join(sorted(evidence.families)) or 'none'}.")
    lines.append(
        "How it was found: by automated means; no text decided. How to contest: within six months, free"
        " of charge."
    )
    return "\n".join(lines)


def _signals_by_account(verdicts: Verdicts) -> dict[str, list[dict[str, Any]]]:
    result: dict[str, list[dict[str, Any]]] = {}
    table = verdicts.explanations
    keep = [
        i
        for i, (k, h) in enumerate(zip(table["kind"].to_pylist(), table["holds"].to_pylist(), strict=True))
        if k == "signal" and h
    ]
    for one in table.take(keep).to_pylist() if keep else []:
        result.setdefault(one["account_id"], []).append(
            {
                "code": one["code"],
                "title": SIGNALS[one["code"]].title,
                "value": one["value"],
                "null": one["null_value"],
                "threshold": one["threshold"],
                "detail": one["detail"],
            }
        )
    return result


def _date(time_us: int) -> datetime.date:
    return (datetime.datetime(1970, 1, 1) + datetime.timedelta(microseconds=int(time_us))).date()


def _cut(text: str, length: int) -> str:
    return text if len(text) <= length else text[: length - 1] + "…"
