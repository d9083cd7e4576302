"""What a sweep found, into the graph: tiers, clusters, members, coordination edges, all under the run's tag.

A write can be broken off anywhere and done again: rows go in by ledger batches, the sweep counts as written
only at the end, and only then is what earlier sweeps left behind cleaned up.
"""

from __future__ import annotations

import hashlib
import json
import math
import os
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any, Final

import pyarrow as pa
import pyarrow.compute as pc

from graphscan.errors import EXIT_USAGE, GraphscanError
from graphscan.graphdb import cypher
from graphscan.graphdb.browser import browser_url, cluster_link
from graphscan.graphdb.client import Connection, Transaction
from graphscan.graphdb.loading import Progress, ensure_schema
from graphscan.graphdb.schema import ACCOUNT, COORDINATED_WITH, IN_CLUSTER, SWEEP_PROPERTIES

BATCH_ROWS: Final = 5_000
EVIDENCE_EVENTS: Final = 20
LINKED_CLUSTERS: Final = 10
_TABLES: Final = ("accounts", "clusters", "members", "edges", "evidence")
_JSON_LISTS: Final = frozenset({"reasons", "evidence_families", "layers", "surfaces_active", "benign_match"})


@dataclass(frozen=True)
class RunTables:
    """The tables of one run, with the columns of the run folder.

    Attributes
    ----------
    run_id
        The tag that everything written carries.
    accounts, clusters, members, edges, evidence
        As ``accounts.parquet`` … ``evidence.parquet``.
    properties
        What else to put on the Sweep node, such as the period; plain values.
    """

    run_id: str
    accounts: pa.Table
    clusters: pa.Table
    members: pa.Table
    edges: pa.Table
    evidence: pa.Table
    properties: Mapping[str, Any]

    def content_sha256(self) -> str:
        """Hash of all rows: a run that is written again with other content replaces itself."""
        digest = hashlib.sha256()
        for name in _TABLES:
            sink = pa.BufferOutputStream()
            table = getattr(self, name).combine_chunks().replace_schema_metadata(None)
            with pa.ipc.new_stream(sink, table.schema) as writer:
                writer.write_table(table)
            digest.update(sink.getvalue())
        return digest.hexdigest()


def run_tables(folder: str | os.PathLike[str]) -> RunTables:
    """Read the tables of a run folder.

    Raises
    ------
    GraphscanError
        Exit code 2 if it is no run folder.
    """
    import pyarrow.parquet as pq

    home = Path(folder)
    try:
        manifest = json.loads((home / "manifest.json").read_text(encoding="utf-8"))
        tables = {name: pq.read_table(home / f"{name}.parquet") for name in _TABLES}
        run_id = str(manifest["run_id"])
    except (OSError, ValueError, KeyError) as error:
        raise GraphscanError(
            f"this is no run folder: {error}",
            where=str(home),
            mend="name a folder that `graphscan sweep --out` wrote",
            exit_code=EXIT_USAGE,
        ) from error
    return RunTables(run_id, **tables, properties=_sweep_properties(manifest))


def _sweep_properties(manifest: Mapping[str, Any]) -> dict[str, Any]:
    kept = ("created_at", "schema_version", "settings_sha256", "since", "until", "version")
    found = {name: manifest[name] for name in kept if isinstance(manifest.get(name), str | int | float)}
    ledger = manifest.get("ledger")
    if isinstance(ledger, Mapping) and isinstance(ledger.get("accepted"), int):
        found["n_events"] = ledger["accepted"]
    return found


@dataclass(frozen=True)
class RunWriteReport:
    """What writing a run did.

    Attributes
    ----------
    run_id
        The run.
    accounts, clusters, members, edges
        Rows of the run that are now in the graph.
    already_written
        The graph held this very run already and nothing was done.
    stale_edges
        Coordination edges of earlier runs that were removed.
    links
        For the strongest clusters, the link that opens each in Neo4j Browser.
    """

    run_id: str
    accounts: int
    clusters: int
    members: int
    edges: int
    already_written: bool
    stale_edges: int
    links: Mapping[str, str] = field(default_factory=dict)


def write_run(
    run: RunTables | str | os.PathLike[str],
    connection: Connection,
    *,
    keep_runs: int = 1,
    on_progress: Progress | None = None,
    on_note: Callable[[str], None] | None = None,
) -> RunWriteReport:
    """Write what a sweep found into the graph.

    Accounts get the newest tier, scores and reasons; the run's clusters, members and coordination edges carry
    its id. Only when all of it is in do the coordination edges of older runs go; clusters and members of
    older runs stay, so that a cluster's history can be followed along ``CONTINUES``.

    Parameters
    ----------
    run
        The tables, or the run folder.
    connection
        Where to.
    keep_runs
        How many runs, the newest ones, keep their coordination edges.
    on_progress, on_note
        As for :func:`graphscan.graphdb.load_events`.

    Raises
    ------
    GraphscanError
        Exit code 75: the server went away. What is written stays, counts as unfinished, and the next call
        with the same run finishes it.
    """
    tables = run if isinstance(run, RunTables) else run_tables(run)
    ensure_schema(connection)
    content = tables.content_sha256()
    properties = {
        **tables.properties,
        "caption": f"Sweep {tables.run_id}",
        "n_clusters": tables.clusters.num_rows,
    }
    begun = connection.write(
        lambda t: t.rows(cypher.begin_sweep(), run_id=tables.run_id, properties=properties)[0],
        on_wait=on_note,
    )
    whole = begun["complete"] and begun["content"] == content
    if begun["complete"] and not whole:
        _remove_run(connection, tables.run_id)
    if not whole:
        _write_tables(tables, begun["sequence"], connection, on_progress, on_note)
        connection.write(
            lambda t: t.run(cypher.finish_sweep(), run_id=tables.run_id, content=content), on_wait=on_note
        )
    return RunWriteReport(
        run_id=tables.run_id,
        accounts=tables.accounts.num_rows,
        clusters=tables.clusters.num_rows,
        members=tables.members.num_rows,
        edges=tables.edges.num_rows,
        already_written=whole,
        stale_edges=_remove_stale_edges(connection, keep_runs, on_note),
        links=_links(tables.clusters, connection),
    )


def _links(clusters: pa.Table, connection: Connection) -> dict[str, str]:
    rows = clusters.to_pylist()
    if not rows:
        return {}
    browser = browser_url(connection)
    rows.sort(key=lambda row: (row.get("q_time") or 0.0, -row["size"], row["cluster_id"]))
    return {
        row["cluster_id"]: cluster_link(row["cluster_id"], connection.address, browser)
        for row in rows[:LINKED_CLUSTERS]
    }


def _remove_run(connection: Connection, run_id: str) -> None:
    connection.write(lambda t: t.run(cypher.reopen_sweep(), run_id=run_id))
    for name in (COORDINATED_WITH.name, IN_CLUSTER.name):
        _drain(connection, name, run_id)
    connection.write(lambda t: t.run(cypher.delete_run_clusters(), run_id=run_id))
    connection.write(lambda t: t.run(cypher.delete_run_batches(), run_id=run_id))


def _remove_stale_edges(connection: Connection, keep_runs: int, on_note: Callable[[str], None] | None) -> int:
    stale = [row["run_id"] for row in connection.rows(cypher.stale_runs(), keep=keep_runs)]
    return sum(_drain(connection, COORDINATED_WITH.name, run_id, on_note) for run_id in stale)


def _drain(
    connection: Connection, name: str, run_id: str, on_note: Callable[[str], None] | None = None
) -> int:
    statement = cypher.delete_run_relationships(name)
    total = 0
    while True:
        deleted: int = connection.write(
            lambda t: t.rows(statement, run_id=run_id, limit=BATCH_ROWS)[0]["deleted"], on_wait=on_note
        )
        total += deleted
        if deleted < BATCH_ROWS:
            return total


def _write_tables(
    tables: RunTables,
    sequence: int,
    connection: Connection,
    on_progress: Progress | None,
    on_note: Callable[[str], None] | None,
) -> None:
    run_id = tables.run_id
    # Who has no tier of its own in this run can still be an end of an edge.
    ids = pc.unique(
        pa.chunked_array(
            [
                column.cast(pa.string()).combine_chunks()
                for column in (
                    tables.accounts["account_id"],
                    tables.members["account_id"],
                    tables.edges["account_a"],
                    tables.edges["account_b"],
                )
            ],
            type=pa.string(),
        )
    )
    nodes = [{"row": [account_id, None]} for account_id in sorted(ids.to_pylist())]
    steps: list[tuple[str, str, list[dict[str, Any]]]] = [
        ("accounts", cypher.merge_nodes(ACCOUNT), nodes),
    ]
    rows = account_rows(tables.accounts)
    for tier in sorted({row["properties"].get("tier") or "none" for row in rows}):
        of_tier = [row for row in rows if (row["properties"].get("tier") or "none") == tier]
        steps.append((f"tier {tier}", cypher.write_tiers(tier), of_tier))
    steps += [
        ("clusters", cypher.write_clusters(), cluster_rows(tables.clusters)),
        ("members", cypher.write_members(), member_rows(tables.members, tables.evidence)),
        ("edges", cypher.write_edges(), edge_rows(tables.edges, tables.evidence)),
    ]
    total = sum(len(rows) for _, _, rows in steps)
    done = 0
    for stage, statement, step_rows in steps:
        for position, batch in enumerate(_chunks(step_rows)):
            body = partial(
                _write_batch,
                run_id=run_id,
                sequence=sequence,
                name=f"{stage}:{position}",
                statement=statement,
                rows=batch,
            )
            connection.write(body, on_wait=on_note)
            done += len(batch)
            if on_progress is not None:
                on_progress("writing to Neo4j", done, total)


def _chunks(rows: list[dict[str, Any]]) -> Iterator[list[dict[str, Any]]]:
    for at in range(0, len(rows), BATCH_ROWS):
        yield rows[at : at + BATCH_ROWS]


def _write_batch(
    transaction: Transaction,
    *,
    run_id: str,
    sequence: int,
    name: str,
    statement: str,
    rows: list[dict[str, Any]],
) -> None:
    digest = hashlib.sha256(json.dumps(rows, sort_keys=True, default=str).encode()).hexdigest()[:16]
    fresh = transaction.rows(
        cypher.claim_run_batch(),
        batch_id=f"run:{run_id}:{name}:{digest}",
        run_id=run_id,
        n_rows=len(rows),
        caption=f"{len(rows):,} {name.partition(':')[0]} of {run_id}",
    )[0]["fresh"]
    if fresh:
        plain: list[Any] = [row.get("row", row) for row in rows]
        transaction.run(statement, rows=plain, run_id=run_id, owner=run_id, sequence=sequence)


def account_rows(accounts: pa.Table) -> list[dict[str, Any]]:
    """``{account_id, properties}`` of each account; what is missing is set to null, so an old value goes."""
    kept = [name for name in SWEEP_PROPERTIES if name in accounts.column_names]
    return [
        {
            "account_id": row["account_id"],
            "properties": {name: property_value(name, row[name]) for name in kept},
        }
        for row in accounts.to_pylist()
    ]


def cluster_rows(clusters: pa.Table) -> list[dict[str, Any]]:
    """``{cluster_id, properties}`` of each cluster."""
    rows = []
    for row in clusters.to_pylist():
        properties = {
            name: property_value(name, value) for name, value in row.items() if name != "cluster_id"
        }
        layers = properties.get("layers")
        shown = ", ".join(layers) if isinstance(layers, list) else str(layers or "")
        properties["caption"] = f"{row['cluster_id']}: {row['size']} accounts" + (
            f", {shown}" if shown else ""
        )
        rows.append({"cluster_id": row["cluster_id"], "properties": properties})
    return rows


def member_rows(members: pa.Table, evidence: pa.Table) -> list[dict[str, Any]]:
    """``{account_id, cluster_id, properties}`` of each membership, with some of the events behind it."""
    events: dict[tuple[str, str], list[str]] = {}
    columns = (evidence[name].to_pylist() for name in ("cluster_id", "account_id", "event_id"))
    for cluster_id, account_id, event_id in zip(*columns, strict=True):
        found = events.setdefault((cluster_id, account_id), [])
        if event_id is not None and len(found) < EVIDENCE_EVENTS and event_id not in found:
            found.append(event_id)
    return [
        {
            "account_id": row["account_id"],
            "cluster_id": row["cluster_id"],
            "properties": {
                "core": bool(row["in_core"]),
                "evidence_event_ids": events.get((row["cluster_id"], row["account_id"]), []),
            },
        }
        for row in members.to_pylist()
    ]


def edge_rows(edges: pa.Table, evidence: pa.Table) -> list[dict[str, Any]]:
    """``{account_a, account_b, properties}`` of each edge, with some of the objects that both acted on."""
    objects: dict[tuple[str, str], dict[str, None]] = {}
    columns = (evidence[name].to_pylist() for name in ("account_id", "layer", "object_id"))
    for account_id, layer, object_id in zip(*columns, strict=True):
        if object_id is not None:
            objects.setdefault((account_id, layer), {})[object_id] = None
    rows = []
    for row in edges.to_pylist():
        a, b, layer = row["account_a"], row["account_b"], row["layer"]
        of_b = objects.get((b, layer), {})
        shared = [name for name in objects.get((a, layer), {}) if name in of_b]
        properties = {
            name: property_value(name, value)
            for name, value in row.items()
            if name not in ("account_a", "account_b")
        }
        properties["evidence_object_ids"] = shared[:EVIDENCE_EVENTS]
        rows.append({"account_a": a, "account_b": b, "properties": properties})
    return rows


def property_value(name: str, value: Any) -> Any:
    """A cell as a property: lists of text stay lists, mappings become JSON, what is no number goes."""
    if isinstance(value, float) and not math.isfinite(value):
        return None
    if isinstance(value, str) and name in _JSON_LISTS and value.startswith("["):
        try:
            value = json.loads(value)
        except ValueError:
            return value
    if isinstance(value, list):
        return value if all(isinstance(item, str) for item in value) else json.dumps(value, default=str)
    if isinstance(value, Mapping):
        return json.dumps(value, sort_keys=True, default=str)
    return value
