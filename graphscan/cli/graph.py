"""``graphscan graph``: the property graph in Neo4j."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from graphscan.cli.inputs import event_options, loaded_events
from graphscan.cli.output import Output, output_options, safe
from graphscan.cli.progress import StageProgress

if TYPE_CHECKING:
    import pyarrow as pa

    from graphscan.graphdb.client import Connection
    from graphscan.graphdb.status import GraphStatus


@click.group()
def command() -> None:
    """Load events into Neo4j, explore them there, bring verdicts home.

    The server is the one that NEO4J_URI, NEO4J_USERNAME, NEO4J_PASSWORD (or NEO4J_PASSWORD_FILE) and
    NEO4J_DATABASE name; `make neo4j` or `docker compose up -d --wait` start one.
    """


@command.command()
@event_options
@click.option(
    "--workers", type=click.IntRange(1, 16), default=2, metavar="N", help="Batches written at the same time."
)
@click.option(
    "--accounts",
    metavar="FILE",
    help="CSV with account_id, handle, display_name and so on; handles become the captions of the accounts.",
)
@click.option(
    "--bulk",
    metavar="DIR",
    help="Do not load, but write the files of an offline import into this folder: several times faster for a "
    "first load of tens of millions, but the import replaces the whole database.",
)
@output_options
def load(out: Output, /, **options: Any) -> None:
    """Load events into the graph, each event once.

    Loading the same events again, or files that overlap, adds only what is new; a load that was broken off
    goes on where it stopped. Data of others in the same database is never touched.
    """
    if options["bulk"] is not None:
        _write_bulk_files(out, options)
        return
    from graphscan.graphdb.client import connect
    from graphscan.graphdb.loading import ensure_schema, load_events, load_is_known, record_load

    descriptions = _descriptions(options)
    with connect() as connection, StageProgress(out) as progress:
        load_id = _load_id(options)
        if load_id and (known := load_is_known(connection, load_id)) is not None:
            ensure_schema(connection)
            _describe(out, connection, descriptions, progress)
            out.note(f"these files are wholly in the graph already ({known:,} events): nothing to do")
            out.result({"events": known, "loaded": 0, "known": known, "conflicts": 0, "files_known": True})
            return
        loaded = loaded_events(out, progress, options)
        report = load_events(
            loaded.events,
            connection,
            workers=options["workers"],
            on_progress=progress,
            on_note=out.warning,
        )
        if load_id:
            record_load(connection, load_id, report.events)
        _describe(out, connection, descriptions, progress)
    rate = report.relationships / report.seconds if report.seconds else 0.0
    out.note(
        f"{report.loaded:,} events loaded, {report.known:,} already there, {report.conflicts:,} in conflict; "
        f"{report.nodes:,} nodes and {report.relationships:,} relationships made in {report.seconds:,.1f} s "
        f"({rate:,.0f} relationships a second)"
    )
    if report.conflicts:
        out.warning(
            f"{report.conflicts:,} events had an id that the graph knew with other content; "
            "of each two the one that sorts first is in the graph"
        )
    out.result({**asdict(report), "ledger": loaded.ledger, "files_known": False})


def _descriptions(options: dict[str, Any]) -> pa.Table | None:
    if options["accounts"] is None:
        return None
    from graphscan.graphdb.descriptions import read_descriptions

    return read_descriptions(options["accounts"])


def _describe(
    out: Output, connection: Connection, descriptions: pa.Table | None, progress: StageProgress
) -> None:
    if descriptions is None:
        return
    from graphscan.graphdb.descriptions import describe_accounts

    n_described = describe_accounts(descriptions, connection, on_progress=progress)
    out.note(f"{n_described:,} accounts described")


def _write_bulk_files(out: Output, options: dict[str, Any]) -> None:
    from graphscan.graphdb.offline import write_bulk_files

    with StageProgress(out) as progress:
        loaded = loaded_events(out, progress, options)
        files = write_bulk_files(
            loaded.events, options["bulk"], load_id=_load_id(options), on_progress=progress
        )
    out.note(f"{files.nodes:,} nodes and {files.relationships:,} relationships written to {files.folder}")
    out.note("next: stop the server, import, start it, and load the same files once more for the indexes:")
    out.note(f"  make neo4j-stop && python deploy/neo4j/server.py import {files.folder} && make neo4j")
    out.note("with a server of your own: cd to the folder, then")
    out.note("  neo4j-admin database import full neo4j $(cat import.args)")
    out.result(
        {
            "folder": str(files.folder),
            "events": files.events,
            "nodes": files.nodes,
            "relationships": files.relationships,
            "ledger": loaded.ledger,
        }
    )


def _load_id(options: dict[str, Any]) -> str | None:
    """What these files with these options are: the hash of their bytes; None for standard input."""
    if "-" in options["events"]:
        return None
    digest = hashlib.sha256(repr((options["file_format"], sorted(options["mappings"]))).encode())
    sums = []
    for name in options["events"]:
        with Path(name).open("rb") as file:
            sums.append(hashlib.file_digest(file, "sha256").hexdigest())
    digest.update("\n".join(sorted(sums)).encode())
    return f"load:{digest.hexdigest()[:32]}"


@command.command()
@output_options
def status(out: Output) -> None:
    """Say what the graph holds, and what of it graphscan wrote."""
    from graphscan.graphdb.client import connect
    from graphscan.graphdb.status import graph_status

    with connect() as connection:
        found = graph_status(connection)
    document = {
        "server": asdict(found.server),
        "nodes": {name: asdict(count) for name, count in found.nodes.items()},
        "relationships": {name: asdict(count) for name, count in found.relationships.items()},
        "missing_schema": found.missing_schema,
        "newest_run_id": found.newest_run_id,
    }
    out.result(document, *_status_lines(found))


def _status_lines(found: GraphStatus) -> list[str]:
    lines = [f"{found.server.name} {found.server.version} {found.server.edition}"]
    for name, count in [*found.nodes.items(), *found.relationships.items()]:
        others = f"  (and {count.total - count.own:,} of others)" if count.total > count.own else ""
        if count.total:
            lines.append(f"  {name:<18}{count.own:>12,}{others}")
    if found.missing_schema:
        lines.append(
            f"  {len(found.missing_schema)} constraints and indexes missing; `graph load` makes them"
        )
    lines.append(safe(f"newest sweep: {found.newest_run_id or 'none'}"))
    return lines


@command.command()
@click.option("--yes", is_flag=True, help="Do not ask.")
@click.option("--verdicts", is_flag=True, help="Delete what people decided as well.")
@output_options
def reset(out: Output, /, yes: bool, verdicts: bool) -> None:
    """Delete what graphscan wrote into the graph, and nothing else.

    Nodes that others' relationships hang on stay, and so do verdicts unless --verdicts is given.
    """
    from graphscan.graphdb.client import connect
    from graphscan.graphdb.status import reset_graph

    with connect() as connection:
        if not yes:
            click.confirm(
                f"Delete everything that graphscan wrote into {connection.address.uri}?", abort=True, err=True
            )
        with StageProgress(out) as progress:
            report = reset_graph(connection, verdicts=verdicts, on_progress=progress)
    out.note(
        f"{report.nodes:,} nodes and {report.relationships:,} relationships deleted; "
        f"{report.kept_nodes:,} nodes kept because others' data or a verdict hangs on them; "
        f"{report.kept_verdicts:,} verdicts kept"
    )
    out.result(asdict(report))


@command.command()
@click.option(
    "--state",
    metavar="DIR",
    help="The state folder of your sweeps: verdicts are kept there, and the next sweep honours them.",
)
@output_options
def sync(out: Output, /, state: str | None) -> None:
    """Bring home what people decided in Neo4j Browser.

    Every verdict says human, automated or unsure, who decided, and why. Of several about one account the last
    counts; none is ever overwritten. Without --state the verdicts are only shown.
    """
    from graphscan.graphdb.client import connect
    from graphscan.graphdb.verdicts import newest_verdicts, store_verdicts, sync_verdicts

    with connect() as connection:
        found = sync_verdicts(connection)
    for problem in found.unusable:
        out.warning(f"left out: {problem}")
    n_new = store_verdicts(found.verdicts, state) if state is not None else 0
    newest = newest_verdicts(found.verdicts)
    lines = [
        safe(f"{row['account_id']}  {row['verdict']}  by {row['by']}: {row['why']}")
        for row in newest.values()
    ]
    out.note(
        f"{found.verdicts.num_rows:,} verdicts about {len(newest):,} accounts"
        + (f"; {n_new:,} are new in {state}" if state is not None else "; name a --state to keep them")
    )
    document = {
        "verdicts": found.verdicts.to_pylist(),
        "new": n_new,
        "unusable": found.unusable,
        "state": state,
    }
    out.result(document, *lines)


@command.command()
@click.option(
    "--port",
    type=click.IntRange(0, 65_535),
    default=7490,
    metavar="N",
    help="Port to serve on; 0: any free one.",
)
@click.option("--cluster", "cluster_id", metavar="ID", help="The cluster to look at; default: the strongest.")
@click.option("--save", metavar="DIR", help="Write the files into this folder and do not serve.")
@output_options
def browser(out: Output, /, port: int, cluster_id: str | None, save: str | None) -> None:
    """Serve guide, colours and saved queries to Neo4j Browser, and print the link.

    Serves on loopback until it is interrupted. The bundled Browser plays the guide by the link; in the newer
    one run `:play URL` with the second address that is printed.
    """
    from graphscan.graphdb.browser import (
        KitServer,
        browser_kit,
        browser_url,
        cluster_link,
        example_values,
        guide_link,
    )
    from graphscan.graphdb.client import connect

    with connect() as connection:
        values = example_values(connection, cluster_id)
        address, where = connection.address, browser_url(connection)
    if save is not None:
        n_files = _save(save, browser_kit(f"http://localhost:{port}", values).files)
        out.note(f"{n_files} files written to {save}; drop favourites/*.cypher onto Neo4j Browser")
        out.result({"folder": save, "files": n_files})
        return
    server = KitServer(lambda base: browser_kit(base, values), browser=where, port=port)
    guide = guide_link(where, address, f"{server.url}/guide.html")
    document = {
        "guide": guide,
        "guide_asciidoc": f"{server.url}/guide.adoc",
        "style": f"{server.url}/style.grass",
        "cluster": cluster_link(str(values["cluster_id"]), address, where),
        "browser": where,
    }
    out.result(
        document,
        safe(f"open the guide:        {guide}"),
        safe(f"newer Browser, run:    :play {document['guide_asciidoc']}"),
        safe(f"open the cluster:      {document['cluster']}"),
    )
    out.note("serving on loopback; stop with Ctrl-C")
    server.serve()


def _save(folder: str, files: Mapping[str, str]) -> int:
    for name, text in files.items():
        path = Path(folder) / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    return len(files)
