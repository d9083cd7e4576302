"""``graphscan sweep``: from events to tested clusters and a run folder."""

from __future__ import annotations

from contextlib import ExitStack
from datetime import UTC, datetime
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any, Final

import click

from graphscan.cli.findings import (
    Line,
    caution,
    duration,
    figure,
    layer_words,
    ledger_words,
    probability,
    remark_on,
    table_lines,
)
from graphscan.cli.inputs import keep_pandas_out_of_arrow, mapping_of, optional_format_options
from graphscan.cli.options import settings_from, settings_options
from graphscan.cli.output import Output, output_options
from graphscan.cli.progress import StageProgress
from graphscan.errors import EXIT_FINDINGS, EXIT_USAGE, GraphscanError

if TYPE_CHECKING:
    from graphscan.judgement import Judge
    from graphscan.sweep import SweepResult

SHOWN_CLUSTERS: Final = 10
TIERS: Final = ("none", "warn", "limit", "review", "terminate")


@click.command()
@optional_format_options
@click.option("--out", "out_dir", required=True, metavar="DIR", help="The run folder to write.")
@click.option(
    "--from", "since", metavar="TIME", help="Only events from this time on (ISO-8601; UTC unless it says)."
)
@click.option("--until", metavar="TIME", help="Only events before this time.")
@click.option(
    "--memory-limit", metavar="SIZE", help="Memory that the store may use, such as 3GB. Default: the setting."
)
@click.option("--from-neo4j", is_flag=True, help="Read the events from Neo4j instead of files.")
@click.option("--neo4j", is_flag=True, help="Write what was found into Neo4j as well.")
@click.option("--policy", metavar="FILE", help="Policy file of the tiers. Default: the one of the package.")
@click.option(
    "--model", metavar="FILE", help="Model file of `graphscan train`. Default: the one of the package."
)
@click.option("--allow-list", metavar="FILE", help="Accounts that the platform exempts, one id a line.")
@click.option(
    "--fail-on", type=click.Choice(TIERS[1:]), help="Exit 10 if an account is at this tier or above."
)
@click.option("--force", is_flag=True, help="Replace the run folder if it is not empty.")
@settings_options
@output_options
def command(out: Output, /, **options: Any) -> None:
    """Find who acts together beyond chance, and write a run folder.

    Reads events (CSV, NDJSON, Parquet, also .gz and .zst, or - for stdin), builds the co-action network,
    tests each group of accounts against its members' own habits, and writes tables that people can read.
    The same events and settings give the same bytes; a complete folder of the same run is left as it is.

    With --neo4j the clusters, edges and tiers go into the graph as well. If the server is away, the run
    folder is finished all the same, and the same command again does only the write.
    """
    settings = settings_from(options["assignments"], memory_limit=options["memory_limit"]).settings
    since_us, until_us = _period(options["since"], options["until"])
    keep_pandas_out_of_arrow()
    from graphscan.sweep import sweep

    if bool(options["events"]) is options["from_neo4j"]:
        raise GraphscanError(
            "name event files or --from-neo4j, one of the two",
            where="command line",
            mend="see `graphscan sweep --help`",
            exit_code=EXIT_USAGE,
        )
    with StageProgress(out) as progress, ExitStack() as stack:
        sources: tuple[str, ...] = options["events"]
        named: dict[str, str] = {}
        if options["from_neo4j"]:
            from graphscan.graphdb import event_file

            folder = stack.enter_context(TemporaryDirectory(prefix="graphscan-neo4j-"))
            sources = (str(event_file(folder, since_us, until_us, on_progress=progress)),)
            named = {sources[0]: "neo4j"}
        result = sweep(
            sources,
            options["out_dir"],
            settings=settings,
            file_format=options["file_format"],
            mapping=mapping_of(options["mappings"]),
            since_us=since_us,
            until_us=until_us,
            named=named,
            by=_judge(options),
            force=options["force"],
            on_progress=progress,
        )
        pending = _handed_over(result, out, progress) if options["neo4j"] else None
    for warning in result.manifest["warnings"]:
        out.warning(warning)
    for capped in result.manifest["capped"]:
        out.warning(
            f"layer {capped['layer']}: object {capped['object_id']} has {capped['rows']:,} rows, more than "
            f"fit the pair cap; {capped['kept']:,} were used"
        )
    if pending is None or not out.as_json:
        out.result(_document(result), *_shown(result))
    if pending is not None:
        raise pending
    _fail_on_findings(result, options["fail_on"])


def _judge(options: dict[str, Any]) -> Judge:
    from graphscan.judgement import judge
    from graphscan.verdicts.decisions import Decisions, read_allow_list

    allowed = read_allow_list(options["allow_list"]) if options["allow_list"] else frozenset()
    return judge(model=options["model"], policy=options["policy"], decisions=Decisions(allow_list=allowed))


def _fail_on_findings(result: SweepResult, tier: str | None) -> None:
    """Exit 10 for the circuit breaker, and for findings at or above the tier asked for."""
    if result.manifest["circuit_breaker"]:
        raise GraphscanError(
            "the circuit breaker stopped the terminations of this sweep",
            where=str(result.run_dir),
            mend="look at the accounts at review; if they are right, raise the limit in the policy file",
            exit_code=EXIT_FINDINGS,
        )
    if tier is not None:
        above = {
            t: n for t, n in result.manifest["tiers"].items() if TIERS.index(t) >= TIERS.index(tier) and n
        }
        if above:
            raise GraphscanError(
                "accounts at or above --fail-on: " + ", ".join(f"{n:,} {t}" for t, n in above.items()),
                where=str(result.run_dir),
                mend="see accounts.csv, and `graphscan explain ACCOUNT --run DIR`",
                exit_code=EXIT_FINDINGS,
            )


def _handed_over(result: SweepResult, out: Output, progress: StageProgress) -> GraphscanError | None:
    """Write the run into Neo4j; an error comes back, so that what was found is shown first."""
    from graphscan.graphdb import hand_over

    try:
        written = hand_over(result.run_dir, on_progress=progress, on_note=out.warning)
    except GraphscanError as error:
        return error
    out.note(
        "Neo4j: the run was there already"
        if written.already_written
        else f"Neo4j: {written.accounts:,} accounts, {written.clusters:,} clusters and {written.edges:,} "
        "edges written; `graphscan graph browser` opens the tour"
    )
    for cluster_id, link in list(written.links.items())[:1]:
        out.note(f"Neo4j Browser, cluster {cluster_id}: {link}")
    return None


def _period(since: str | None, until: str | None) -> tuple[int | None, int | None]:
    since_us, until_us = _time_us("--from", since), _time_us("--until", until)
    if since_us is not None and until_us is not None and since_us >= until_us:
        raise GraphscanError(
            "the period is empty",
            where=f"--from {since} --until {until}",
            mend="give an --until that lies after --from",
            exit_code=EXIT_USAGE,
        )
    return since_us, until_us


def _time_us(option: str, text: str | None) -> int | None:
    if text is None:
        return None
    try:
        time = datetime.fromisoformat(text)
    except ValueError:
        raise GraphscanError(
            f"{text!r} is no time",
            where=option,
            mend="write it like 2024-03-01 or 2024-03-01T12:00:00+01:00",
            exit_code=EXIT_USAGE,
        ) from None
    if time.tzinfo is None:
        time = time.replace(tzinfo=UTC)
    since_epoch = time - datetime(1970, 1, 1, tzinfo=UTC)
    return (since_epoch.days * 86_400 + since_epoch.seconds) * 1_000_000 + since_epoch.microseconds


def _document(result: SweepResult) -> dict[str, Any]:
    manifest = result.manifest
    return {
        "run_dir": str(result.run_dir),
        "run_id": result.run_id,
        "is_new": result.is_new,
        "ledger": manifest["ledger"],
        "n_accounts": manifest["n_accounts"],
        "n_clusters": manifest["n_clusters"],
        "tiers": manifest["tiers"],
        "capped": manifest["capped"],
        "warnings": manifest["warnings"],
    }


def _shown(result: SweepResult) -> list[Any]:
    import pyarrow.parquet as pq

    manifest = result.manifest
    if not result.is_new:
        return [f"Nothing to do: {result.run_dir} is the complete folder of this run ({result.run_id})."]
    clusters = pq.read_table(result.run_dir / "clusters.parquet").to_pylist()
    n_members = pq.read_table(result.run_dir / "members.parquet", columns=["account_id"])["account_id"]
    n_in = len(n_members.unique())
    lines: list[Any] = [
        f"Read {ledger_words(manifest['ledger'])}.",
        f"Found {_count(len(clusters), 'cluster')} with {_count(n_in, 'account')} among "
        f"{manifest['n_accounts']:,}.",
    ]
    if clusters:
        lines += ["", *_cluster_lines(clusters)]
    return [*lines, "", _tier_words(manifest["tiers"]), f"Everything is in {result.run_dir}."]


def _tier_words(tiers: dict[str, int]) -> str:
    """How many accounts are at each tier, the highest first; tiers without accounts are left out."""
    shown = [f"{tiers[tier]:,} {tier}" for tier in reversed(TIERS) if tiers.get(tier)]
    return f"Tiers: {', '.join(shown)}." if shown else "Tiers: no account."


def _count(n: int, what: str) -> str:
    return f"{n:,} {what}" if n == 1 else f"{n:,} {what}s"


def _cluster_lines(clusters: list[dict[str, Any]]) -> list[Any]:
    largest = sorted(clusters, key=lambda row: (-row["size"], row["cluster_id"]))[:SHOWN_CLUSTERS]
    lines = [
        Line(
            (
                row["cluster_id"],
                str(row["size"]),
                str(row["core_size"]),
                layer_words(row["layers"]),
                duration(row["window_s"]),
                probability(row["q_time"]),
                figure(row["effect_ratio"]),
            ),
            remark=remark_on(row["benign_match"]),
        )
        for row in largest
    ]
    heading = ("cluster", "size", "core", "acts", "window", "q", "x chance")
    shown: list[Any] = [*table_lines(heading, lines, (False, True, True, False, True, True, True))]
    if len(clusters) > SHOWN_CLUSTERS:
        shown.append(f"  and {len(clusters) - SHOWN_CLUSTERS:,} more in clusters.csv")
    notes = caution(row["benign_match"] for row in clusters)
    return [*shown, *(["", *notes] if notes else [])]
