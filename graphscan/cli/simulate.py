"""``graphscan simulate``: a world with known truth, or campaigns planted into real events."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any

import click

from graphscan.cli.inputs import keep_pandas_out_of_arrow
from graphscan.cli.options import settings_from, settings_options
from graphscan.cli.output import Output, output_options
from graphscan.cli.progress import StageProgress
from graphscan.cli.tables import check_output_folder

if TYPE_CHECKING:
    import pyarrow as pa

    from graphscan.simulate import World

DEFAULT_PLANTED = 5_000


@click.command()
@click.option(
    "--events",
    "n_events",
    type=click.IntRange(1),
    metavar="N",
    help="Events of the world, at least 1,000 (default 100,000); with --background the events to plant "
    "(default 5,000).",
)
@click.option(
    "--seed", type=click.IntRange(0), metavar="S", help="Seed of the world. Default: the setting `seed`."
)
@click.option("--out", "out_dir", required=True, metavar="DIR", help="Folder to write; new, or empty.")
@click.option(
    "--background", metavar="FILE", help="Plant campaigns into these events instead of a simulated life."
)
@settings_options
@output_options
def command(out: Output, /, **options: Any) -> None:
    """Make events with known truth.

    Writes events.parquet, accounts.csv, labels.csv (what each account is) and truth.csv (which campaign it
    belongs to, and how that campaign works): people with their days and nights, farms with jitter and
    camouflage, and groups that only look like farms, such as fan clubs, news syndication and prize draws.
    The same seed gives the same bytes.
    """
    settings = settings_from(options["assignments"], seed=options["seed"]).settings
    check_output_folder(options["out_dir"])
    keep_pandas_out_of_arrow()
    from graphscan.simulate import write_world

    with StageProgress(out) as progress:
        if options["background"]:
            world = _planted(options, settings.seed, progress)
        else:
            from graphscan.simulate.worlds import simulate_world

            world = simulate_world(options["n_events"] or 100_000, settings.seed, on_progress=progress)
        progress("writing", world.events.num_rows, world.events.num_rows)
        write_world(world, options["out_dir"])
    document = {
        "out": options["out_dir"],
        "seed": settings.seed,
        "n_events": world.events.num_rows,
        "n_accounts": world.truth.num_rows,
        "campaigns": _campaigns(world),
    }
    out.result(document, *_shown(document))


def _planted(options: dict[str, Any], seed: int, progress: StageProgress) -> World:
    from graphscan.events.reading import load_events
    from graphscan.simulate import plant_into_background

    background: pa.Table
    background, _ = load_events([options["background"]], digests=False)
    progress("planting", 0, None)
    return plant_into_background(background, options["n_events"] or DEFAULT_PLANTED, seed)


def _campaigns(world: World) -> list[dict[str, Any]]:
    """Kinds of campaigns with their number of campaigns and accounts, coordinated ones first."""
    n_accounts: Counter[tuple[bool, str]] = Counter()
    campaigns: dict[tuple[bool, str], set[str]] = {}
    for row in world.truth.select(["archetype", "campaign_id", "coordinated"]).to_pylist():
        if row["campaign_id"] is not None:
            kind = (row["coordinated"], row["archetype"])
            n_accounts[kind] += 1
            campaigns.setdefault(kind, set()).add(row["campaign_id"])
    return [
        {
            "kind": name,
            "coordinated": coordinated,
            "n_campaigns": len(ids),
            "n_accounts": n_accounts[coordinated, name],
        }
        for (coordinated, name), ids in sorted(
            campaigns.items(), key=lambda item: (not item[0][0], item[0][1])
        )
    ]


def _shown(document: dict[str, Any]) -> list[str]:
    lines = [f"{document['n_events']:,} events of {document['n_accounts']:,} accounts in {document['out']}"]
    for campaign in document["campaigns"]:
        order = "one operator" if campaign["coordinated"] else "no operator"
        many = "campaign" if campaign["n_campaigns"] == 1 else "campaigns"
        lines.append(
            f"  {campaign['kind']:<14} {campaign['n_campaigns']:>3} {many:<9} "
            f"{campaign['n_accounts']:>5,} accounts  ({order})"
        )
    return lines
