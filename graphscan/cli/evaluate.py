"""``graphscan evaluate``: how well a model does on labelled events."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any

import click

from graphscan.cli.inputs import event_options, loaded_events
from graphscan.cli.output import Output, output_options
from graphscan.cli.progress import StageProgress

if TYPE_CHECKING:
    from collections.abc import Mapping

    from graphscan.signals import SignalTable
    from graphscan.verdicts.labels import Labels
    from graphscan.verdicts.policy import Policy
    from graphscan.verdicts.training import Model


@click.command()
@event_options
@click.option("--labels", required=True, metavar="FILE", help="CSV with account_id and label.")
@click.option("--model", metavar="MODEL", help="Model file. Default: the shipped model.")
@click.option("--policy", metavar="FILE", help="Policy file. Default: the shipped policy.")
@output_options
def command(out: Output, /, **options: Any) -> None:
    """Measure a model on labelled events it has not seen.

    Prints how well it ranks (AUPRC, AUROC, hosted accounts found at 1 % and 0.1 % of people flagged,
    precision among
    the first), how honest its probabilities are, which tiers follow without the network, and what the
    errors cost.
    """
    from graphscan.verdicts.labels import read_labels
    from graphscan.verdicts.modelfile import file_sha256, read_model
    from graphscan.verdicts.policy import read_policy

    model, policy = read_model(options["model"]), read_policy(options["policy"])
    labels = read_labels(options["labels"])
    with StageProgress(out) as progress:
        loaded = loaded_events(out, progress, options)
        from graphscan.signals import account_signals

        table = account_signals(loaded.events, on_family=lambda name: progress(f"signals: {name}", 0, None))
        progress("evaluating", 0, None)
        figures, tiers, cost = evaluated(table, labels, model, policy)
    for label, n in labels.left_out.items():
        out.note(f"label {label!r}: {n} accounts left out")
    document = {
        "model": model.name,
        "model_sha256": file_sha256(options["model"]),
        "scope": model.scope,
        "policy": {"name": policy.name, "version": policy.version},
        "figures": figures,
        "tiers": tiers,
        "mean_cost": round(cost, 4),
        "left_out": dict(labels.left_out),
    }
    out.result(document, *_shown(document))


def evaluated(
    table: SignalTable, labels: Labels, model: Model, policy: Policy
) -> tuple[list[dict[str, Any]], dict[str, dict[str, int]], float]:
    """Figures of both automation heads, tiers by label, and the mean cost."""
    import numpy as np

    from graphscan.errors import EXIT_INPUT, GraphscanError
    from graphscan.verdicts.assessment import verdicts
    from graphscan.verdicts.evaluation import calibration_error, ranking, tier_cost
    from graphscan.verdicts.labels import HOSTED
    from graphscan.verdicts.modelcard import figure_row

    label = [labels.label_of.get(i, "") for i in table.account_ids.to_pylist()]
    known = np.array([bool(one) for one in label]) & table.sufficient
    y = np.array([one in HOSTED for one in label], dtype=np.int64)[known]
    if not 0 < y.sum() < len(y):
        raise GraphscanError(
            f"nothing to compare: {int(y.sum())} hosted accounts and {int((1 - y).sum())} people with "
            f"enough events",
            "--labels",
            "give labels of both kinds for accounts that occur in the events",
            EXIT_INPUT,
        )
    result = verdicts(table, model=model, policy=policy, run_id="evaluation")
    figures = []
    for what, p in (("with text", result.scores.p_with_text), ("without text", result.scores.p_automation)):
        scored = p[known]
        figures.append(figure_row(what, ranking(y, scored), calibration_error(y, scored)))
    tiers = result.accounts["tier"].to_pylist()
    rows = [i for i in range(len(label)) if label[i]]
    counts: dict[str, dict[str, int]] = {}
    for name in sorted({label[i] for i in rows}):
        counts[name] = dict(Counter(tiers[i] for i in rows if label[i] == name))
    return figures, counts, tier_cost([label[i] for i in rows], [tiers[i] for i in rows])


def _shown(document: Mapping[str, Any]) -> list[str]:
    lines = [f"model {document['model']} ({document['scope']}), policy {document['policy']['name']}"]
    for row in document["figures"]:
        lines.append("")
        lines += [f"{name:<30} {value}" for name, value in row.items()]
    lines += ["", "tiers by label, without the network"]
    for label, counts in document["tiers"].items():
        lines.append(f"{label:<20} " + ", ".join(f"{tier} {n}" for tier, n in sorted(counts.items())))
    lines += ["", f"mean cost {document['mean_cost']}"]
    return lines
