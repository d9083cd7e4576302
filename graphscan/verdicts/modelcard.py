"""The model card: what a model was trained on, how it was measured, and what it cannot do."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from graphscan.signals import SIGNALS
from graphscan.verdicts.evaluation import CalibrationError, Ranking
from graphscan.verdicts.training import Model


def model_card(model: Model, sha256: str, command: str, figures: Sequence[Mapping[str, Any]]) -> str:
    """The card as Markdown.

    Parameters
    ----------
    sha256
        Hash of the model file.
    command
        The command that trains the model again.
    figures
        Rows of ``figure_row``, one an evaluation.
    """
    lines = [
        f"# Model card: {model.name}",
        "",
        f"- File hash (SHA-256): `{sha256}`",
        f"- Trained by: `{command}`",
        f"- Scope: {model.scope}" + _SCOPE[model.scope],
        "- Heads: automation without text (carries restrictions), automation with text (warns at most),"
        " hosting against "
        "assistance, farm membership (graph only).",
        "",
        "## Training data",
        "",
        "| platform | human | human, AI-assisted | automated | AI-managed |",
        "| --- | --- | --- | --- | --- |",
    ]
    accounts = model.notes.get("accounts", {})
    assert isinstance(accounts, Mapping)
    for name, counts in accounts.items():
        lines.append(
            f"| {name} | {counts['human']} | {counts['human_ai_assisted']} | {counts['automated']} | "
            f"{counts['ai_managed']} |"
        )
    lines += [
        "",
        "Accounts with at least 20 events on 3 days; names and ids are never features.",
        "",
        "## Features",
        "",
    ]
    lines += [
        "Ranks inside the scanned platform, cut at the median; weight in log-odds per normal score.",
        "",
    ]
    lines += ["| signal | family | without text | with text |", "| --- | --- | --- | --- |"]
    behaviour = dict(zip(model.behaviour.signal_ids, model.behaviour.scorer.weights.tolist(), strict=True))
    for signal_id, weight in zip(model.full.signal_ids, model.full.scorer.weights.tolist(), strict=True):
        own = f"{behaviour[signal_id]:.2f}" if signal_id in behaviour else "–"
        lines.append(
            f"| [{signal_id}](../../../docs/signals/{signal_id}.md) | {SIGNALS[signal_id].family} | "
            f"{own} | {weight:.2f} |"
        )
    lines += ["", "## Measured", "", *figure_table(figures), "", "## Limits", ""]
    lines += [f"- {limit}" for limit in _LIMITS]
    return "\n".join(lines) + "\n"


def figure_row(what: str, ranks: Ranking, calibration: CalibrationError | None) -> dict[str, Any]:
    """One row of the table of figures."""
    honesty = "–" if calibration is None else f"{calibration.error:.3f} ({calibration.error_95:.3f})"
    return {
        "what": what,
        "AUPRC": f"{ranks.auprc:.3f}",
        "AUROC": f"{ranks.auroc:.3f}",
        "TPR at 1 % FPR": str(ranks.tpr_at_1pct),
        "TPR at 0.1 %": str(ranks.tpr_at_01pct),
        "Brier": "–" if calibration is None else f"{calibration.brier:.3f}",
        "ECE (95 % of a perfect head)": honesty,
    }


def figure_table(figures: Sequence[Mapping[str, Any]]) -> list[str]:
    """Rows as a Markdown table."""
    if not figures:
        return ["Not measured."]
    names = list(figures[0])
    lines = ["| " + " | ".join(names) + " |", "|" + " --- |" * len(names)]
    lines += ["| " + " | ".join(str(row[n]) for n in names) + " |" for row in figures]
    return lines


_SCOPE = {
    "general": (
        ". Probabilities do not hold on a platform it has no labels of: it asks a person to look and never "
        "restricts by itself. Train on the platform's own labels to change that."
    ),
    "platform": (
        ". Calibrated on the people of the platform whose labels it was trained on; do not use it on another."
    ),
}
_LIMITS = (
    "It tells automation from people by behaviour. It does not tell an AI agent from a plain bot.",
    "An account that a person uses beside software looks like a person where the person acts.",
    "Base rates matter: at 1 % hosted accounts, a threshold with 1 % false positives makes every second"
    " flag wrong.",
    "Accounts with fewer than 20 events or 3 active days get no score.",
    "Claims of p < .001 need 999 or more labelled people; with fewer the head abstains.",
    "Ranks are taken among the accounts of one sweep: in a sweep of mostly automated accounts they lose"
    " contrast.",
)
