"""``graphscan demo``: a simulated platform swept before your eyes."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Any, Final

import click

from graphscan.cli.findings import Line, caution, duration, figure, layer_words, remark_on, table_lines
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
    "framing_bot": "framing bots",
    "brand_matrix": "a brand's own pages",
    "fan_club": "fan club",
    "syndication": "news syndication",
    "push": "push notification",
    "viral": "a viral post",
    "giveaway": "prize draw",
    "class_chat": "class chat",
    "null_group": "community of interest",
    "bridge": "relay account",
    "ai_managed": "managed by software",
    "ordinary": "people",
}


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
        "n_people": demo.n_people,
        "n_people_found": demo.n_people_found,
        "n_machines_found": demo.n_machines_found,
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
    n_in = sum(c.n_found for c in demo.campaigns) + demo.n_people_found + demo.n_machines_found
    lines = [
        Line(
            (
                cluster.cluster_id,
                str(cluster.size),
                layer_words(cluster.layers),
                duration(cluster.window_s),
                figure(cluster.expected),
                figure(cluster.seen),
                KINDS.get(cluster.truth, cluster.truth.replace("_", " ")),
            ),
            ("", "", "", "", "", "bold", "dim"),
            remark_on(cluster.explanation),
        )
        for cluster in demo.clusters
    ]
    heading = ("cluster", "size", "acts", "window", "expected", "seen", "in truth")
    notes = caution(cluster.explanation for cluster in demo.clusters)
    return [
        f"Read {demo.n_events:,} events of {demo.n_accounts:,} accounts on a simulated platform.",
        f"Found {many}, {n_in} accounts in all, whose timing cannot be chance:",
        "",
        *table_lines(heading, lines, (False, True, False, True, True, True, False)),
        "",
        _dim("expected: how much they would act together if all they had in common were"),
        _dim("their habits and interests (the same acts, each account's delays shuffled)."),
        *(["", *notes] if notes else []),
    ]


def _planted(demo: Demo) -> list[Any]:
    lines = []
    for ordered in (True, False):
        for kind in sorted({c.kind for c in demo.campaigns if _is_order(c) is ordered}):
            of_kind = [c for c in demo.campaigns if c.kind == kind and _is_order(c) is ordered]
            verdict, style = _verdict(ordered, of_kind)
            cells = (
                KINDS.get(kind, kind),
                str(len(of_kind)),
                str(sum(c.n_accounts for c in of_kind)),
                str(sum(c.n_found for c in of_kind)),
                verdict,
            )
            lines.append(Line(cells, ("", "", "", "", style)))
    heading = ("what had been planted", "groups", "accounts", "in a cluster", "")
    others = "nobody stands" if demo.n_people_found == 0 else _count(demo.n_people_found, "stands", "stand")
    said = [f"Of {demo.n_people:,} people in none of these groups, {others} in a cluster."]
    if demo.n_machines_found:
        many = _count(demo.n_machines_found, "does", "do")
        said.append(f"Of the automated accounts in none of them, {many}.")
    return [*table_lines(heading, lines, (False, True, True, True, False)), "", *said]


def _count(n: int, one: str, many: str) -> str:
    return f"{n:,} {one if n == 1 else many}"


def _is_order(campaign: DemoCampaign) -> bool:
    """Whether one operator gives orders that he has no right to give: a brand may run its own pages."""
    return campaign.coordinated and campaign.kind != "brand_matrix"


def _verdict(ordered: bool, campaigns: list[DemoCampaign]) -> tuple[str, str]:
    n_found = sum(1 for campaign in campaigns if campaign.n_found >= campaign.n_accounts / 2)
    if ordered:
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
