"""``graphscan train``: a model from the platform's own labels."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from graphscan.cli.inputs import event_options, loaded_events
from graphscan.cli.output import Output, output_options
from graphscan.cli.progress import StageProgress

if TYPE_CHECKING:
    from collections.abc import Mapping

    from graphscan.verdicts.training import LabelledPlatform


@click.command()
@event_options
@click.option("--labels", required=True, metavar="FILE", help="CSV with account_id and label.")
@click.option("-o", "--output", required=True, metavar="MODEL", help="Model file to write (.skops).")
@click.option("--name", default="platform", metavar="NAME", help="Name of the model, for its card.")
@click.option(
    "--scope",
    type=click.Choice(["platform", "general"]),
    default="platform",
    help=(
        "platform: for use where the labels are from; general: to carry to other platforms, never "
        "deciding there."
    ),
)
@click.option("--seed", type=click.IntRange(0), default=0, metavar="S", help="Seed of folds and trees.")
@output_options
def command(out: Output, /, **options: Any) -> None:
    """Train a model on events and labels, and write it with its card.

    Labels are human, human_ai_assisted, automated (or bot) and ai_managed (or ai_agent); others are left
    out and
    counted. Beside MODEL stands MODEL.md: training data, features, cross-validated figures, limits.
    """
    from pathlib import Path

    from graphscan.verdicts.labels import read_labels
    from graphscan.verdicts.modelcard import model_card
    from graphscan.verdicts.modelfile import write_model
    from graphscan.verdicts.training import LabelledPlatform, trained_model

    labels = read_labels(options["labels"])
    with StageProgress(out) as progress:
        loaded = loaded_events(out, progress, options)
        from graphscan.signals import account_signals

        table = account_signals(loaded.events, on_family=lambda name: progress(f"signals: {name}", 0, None))
        progress("training", 0, None)
        platform = LabelledPlatform("labels", table, labels, labels.campaign_of)
        model = trained_model([platform], name=options["name"], scope=options["scope"], seed=options["seed"])
        figures = cross_validated(platform, scope=options["scope"], seed=options["seed"])
        sha256 = write_model(model, options["output"])
    command_line = (
        f"graphscan train EVENTS --labels LABELS -o {Path(options['output']).name} --seed {options['seed']}"
    )
    card = Path(f"{options['output']}.md")
    card.write_text(model_card(model, sha256, command_line, figures), encoding="utf-8")
    for label, n in labels.left_out.items():
        out.note(f"label {label!r}: {n} accounts left out")
    document = {
        "model": options["output"],
        "sha256": sha256,
        "scope": model.scope,
        "accounts": model.notes["accounts"],
        "left_out": dict(labels.left_out),
        "figures": figures,
        "card": str(card),
    }
    out.result(document, *_shown(document))


def cross_validated(platform: LabelledPlatform, *, scope: str, seed: int) -> list[dict[str, Any]]:
    """Figures of both automation heads by cross-validation on the labels."""
    from graphscan.verdicts.evaluation import calibration_error, ranking
    from graphscan.verdicts.modelcard import figure_row
    from graphscan.verdicts.training import PLATFORM, head_signals, held_out_scores, training_rows

    figures = []
    for with_text in (True, False):
        rows = training_rows([platform], head_signals(with_text=with_text))
        log_odds, p = held_out_scores(rows, boosting=scope == PLATFORM, seed=seed)
        what = "cross-validated, " + ("with text" if with_text else "without text")
        figures.append(figure_row(what, ranking(rows.y, log_odds), calibration_error(rows.y, p)))
    return figures


def _shown(document: Mapping[str, Any]) -> list[str]:
    lines = [
        f"model    {document['model']}  (sha256 {document['sha256'][:16]}…)",
        f"card     {document['card']}",
    ]
    lines += [
        "trained  " + ", ".join(f"{n} {label}" for label, n in counts.items())
        for counts in document["accounts"].values()
    ]
    lines += [
        f"{row['what']}: AUPRC {row['AUPRC']}, AUROC {row['AUROC']}, TPR at 1 % {row['TPR at 1 % FPR']}"
        for row in document["figures"]
    ]
    return lines
