"""Explanations: why this tier, why not a higher one, and what would change it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from graphscan.signals import SIGNALS, SignalTable
from graphscan.verdicts.reasons import ROUTE_REASON
from graphscan.verdicts.training import Model, head_signals

if TYPE_CHECKING:
    from graphscan.verdicts.assessment import Scores
    from graphscan.verdicts.tiers import AccountEvidence, Decision


def signal_detail(table: SignalTable, signal_id: str, row: int) -> str:
    """The readable detail of a signal for the account at ``row``."""
    values = table.signals[signal_id]
    value = float(values.value[row])
    if np.isnan(value):
        return "missing"
    return SIGNALS[signal_id].detail.format(value=value, n=int(values.n[row]))


def explanation_rows(
    row: int,
    account_id: str,
    table: SignalTable,
    scores: Scores,
    model: Model,
    evidence: AccountEvidence,
    made: Decision,
    named: NDArray[np.bool_],
) -> list[dict[str, Any]]:
    """Rows of the explanation table for one account."""
    rows = _score_rows(row, account_id, scores)
    for column, signal_id in enumerate(head_signals(with_text=True)):
        if signal_id not in table.signals or np.isnan(table.signals[signal_id].value[row]):
            continue
        signal = SIGNALS[signal_id]
        knots = model.ranks.knots.get(signal_id)
        usual = None if knots is None or len(knots) == 0 else float(np.median(knots)) * signal.direction
        rows.append(
            _row(
                account_id,
                "signal",
                signal_id,
                family=signal.family,
                holds=bool(named[column]),
                value=float(table.signals[signal_id].value[row]),
                null_value=usual,
                threshold="the tenth of accounts that stands out most",
                contribution=float(scores.contribution[row, column]),
                detail=signal_detail(table, signal_id, row),
            )
        )
    for family, has in scores.families.items():
        rows.append(
            _row(
                account_id,
                "family",
                family,
                family=family,
                holds=bool(has[row]),
                threshold=(
                    f"{model.family_threshold.get(family, float('inf')):.2f}, which 19 of 20 people stay"
                    f" under"
                ),
            )
        )
    for surface, counted in evidence.surfaces.items():
        rows.append(
            _row(
                account_id,
                "surface",
                surface,
                value=counted.lower_bound,
                threshold="0.50 for a limit, 0.80 for a termination",
                detail=f"{counted.n_hosted} of {counted.n_acts} acts look hosted",
            )
        )
    named_rules = [rule.partition(":") for rule in made.rules]
    rows += [
        _row(account_id, "rule", ROUTE_REASON.get(code, code), holds=True, detail=what)
        for code, _, what in named_rules
    ]
    rows += [
        _row(account_id, "condition", leg.name, holds=leg.holds, threshold=leg.needed, detail=leg.seen)
        for leg in made.legs
    ]
    return rows


def _score_rows(row: int, account_id: str, scores: Scores) -> list[dict[str, Any]]:
    """What each head says, where it says anything."""
    heads = {
        "p_automation": (scores.p_automation, "automation from behaviour, without text"),
        "p_with_text": (scores.p_with_text, "automation with text; brings a warning at most"),
        "p_hosting": (scores.p_hosting, "hosting rather than assistance"),
        "p_farm": (scores.p_farm, "membership of a group one operator runs; from the graph alone"),
        "p_human": (scores.p_human, "share of labelled people at least as conspicuous"),
    }
    return [
        _row(account_id, "score", name, value=float(values[row]), detail=what)
        for name, (values, what) in heads.items()
        if not np.isnan(values[row])
    ]


def _row(account_id: str, kind: str, code: str, **more: Any) -> dict[str, Any]:
    return {"account_id": account_id, "kind": kind, "code": code, **more}
