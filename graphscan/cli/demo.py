"""``graphscan demo``: a simulated platform swept before your eyes."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Any, Final

import click

from graphscan.cli.findings import duration, explanation_words, figure, layer_words, table_row
from graphscan.cli.inputs import keep_pandas_out_of_arrow
from graphscan.cli.options import settings_from, settings_options
from graphscan.cli.output import Output, output_options, safe
from graphscan.cli.progress import StageProgress

if TYPE_CHECKING:
    from rich.text import Text

    from graphscan.demo import Demo, DemoCampaign

# How a kind of campaign is called when one speaks of it.
KINDS: Final = {
    "farm": "content farm",
    "chat_ring": "chat ring",
    "post_ring": "posting ring",
    "follow_ring": "following ring",
    "framing_bot": "bots that shadow a victim",
    "brand_matrix": "a brand's own pages",
    "fan_club": "fan club",
    "syndication": "news syndication",
    "push": "push notification",
    "viral": "a viral post",
    "giveaway": "prize draw",
    "class_chat": "class chat",
    "null_group": "community of interest",
    "bridge": "relay account",
}

# Widths of the columns, 78 in all; negative ones are right-aligned.
CLUSTER_COLUMNS: Final = (10, -4, 15, -6, -8, -6, 0)
PLANTED_COLUMNS: Final = (26, -6, -8, -12, 0)


@click.command()
@click.option(
    "--out", "out_dir", default="graphscan-demo", show_default=True, metavar="DIR", help="Folder to write."
)
@settings_options
@output_options
def command(out: Output, /, out_dir: str, assignments: tuple[str, ...]) -> None:
    """Simulate a small platform, sweep it, and show what was found.

    Some 60,000 events of people, farms, and groups that only look like farms, with a fixed seed; then a
    whole sweep, and what it found beside what had been planted. Nothing leaves this machine.
    """
    settings = settings_from(assignments).settings
    keep_pandas_out_of_arrow()
    from graphscan.demo import run_demo

    with StageProgress(out) as progress:
        demo = run_demo(out_dir, settings=settings, on_progress=progress)
    if out.as_json:
        out.result(_document(demo))
    else:
        out.result({}, *shown(demo))


def _document(demo: Demo) -> dict[str, Any]:
    return {
        "world": str(demo.world_dir),
        "run": str(demo.run_dir),
        "n_events": demo.n_events,
        "n_accounts": demo.n_accounts,
        "ledger": demo.manifest["ledger"],
        "clusters": [asdict(cluster) for cluster in demo.clusters],
        "campaigns": [asdict(campaign) for campaign in demo.campaigns],
        "n_strangers": demo.n_strangers,
    }


def shown(demo: Demo) -> list[Any]:
    """The story of the demonstration, as rich renderables, at most 80 columns wide."""
    return [
        *_found(demo),
        "",
        *_planted(demo),
        "",
        *_next_steps(demo),
    ]


def _found(demo: Demo) -> list[Any]:
    many = "1 cluster" if len(demo.clusters) == 1 else f"{len(demo.clusters)} clusters"
    n_in = sum(cluster.size for cluster in demo.clusters)
    heading = ("cluster", "size", "acts", "window", "expected", "seen", "in truth")
    lines = [table_row(heading, CLUSTER_COLUMNS, ("bold",) * len(heading))]
    for cluster in demo.clusters:
        cells = (
            cluster.cluster_id[:10],
            str(cluster.size),
            layer_words(cluster.layers),
            duration(cluster.window_s),
            figure(cluster.expected),
            figure(cluster.seen),
            KINDS.get(cluster.truth, cluster.truth),
        )
        lines.append(table_row(cells, CLUSTER_COLUMNS, ("", "", "", "", "", "bold", "")))
        if cluster.explanation:
            could = f"could also be: {explanation_words(cluster.explanation)}"
            lines.append(table_row(("", "", could), CLUSTER_COLUMNS, ("", "", "yellow")))
    return [
        f"Read {demo.n_events:,} events of {demo.n_accounts:,} accounts on a simulated platform.",
        f"Found {many}, {n_in} accounts in all, whose timing cannot be chance:",
        "",
        *lines,
        "",
        _dim("expected: how much they would act together if all they had in common were"),
        _dim("their habits and interests (the same acts, each account's delays shuffled)."),
    ]


def _planted(demo: Demo) -> list[Any]:
    heading = ("what had been planted", "groups", "accounts", "in a cluster", "")
    lines = [table_row(heading, PLANTED_COLUMNS, ("bold",) * len(heading))]
    for coordinated in (True, False):
        for kind in sorted({c.kind for c in demo.campaigns if c.coordinated is coordinated}):
            of_kind = [c for c in demo.campaigns if c.kind == kind and c.coordinated is coordinated]
            verdict, style = _verdict(coordinated, of_kind)
            cells = (
                KINDS.get(kind, kind),
                str(len(of_kind)),
                str(sum(c.n_accounts for c in of_kind)),
                str(sum(c.n_found for c in of_kind)),
                verdict,
            )
            lines.append(table_row(cells, PLANTED_COLUMNS, ("", "", "", "", style)))
    strangers = {0: "nobody stands", 1: "1 account stands"}.get(
        demo.n_strangers, f"{demo.n_strangers} accounts stand"
    )
    return [*lines, "", f"Of everybody else, {strangers} in a cluster."]


def _verdict(coordinated: bool, campaigns: list[DemoCampaign]) -> tuple[str, str]:
    n_found = sum(1 for campaign in campaigns if campaign.n_found >= campaign.n_accounts / 2)
    if coordinated:
        if n_found == len(campaigns):
            return "found", "green"
        return f"{n_found} of {len(campaigns)} found", "yellow"
    if any(campaign.n_found for campaign in campaigns):
        return "needs a person", "yellow"
    return "left alone", "green"


def _next_steps(demo: Demo) -> list[Any]:
    return [
        "A cluster is a reason to look, not a verdict: there may be people behind it.",
        "",
        _text("Look closer", "bold"),
        f"  {demo.run_dir}/clusters.csv   who acted together, and how surely",
        f"  {demo.run_dir}/accounts.csv   every account, with its cluster",
        f"  {demo.world_dir}/truth.csv    what each account is in truth",
        "",
        _text("Try your own events", "bold"),
        "  graphscan sweep my-events.csv --out my-run",
        _dim("  CSV, NDJSON or Parquet with account_id, action, object_id, timestamp; other"),
        _dim("  names with --map; CooRTweet, Toolkit and X archive files as they are."),
    ]


def _text(text: str, style: str = "") -> Text:
    from rich.text import Text

    return Text(safe(text), style=style)


def _dim(text: str) -> Text:
    return _text(text, "dim")
