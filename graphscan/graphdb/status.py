"""What is in the graph, what of it is ours, and how to take it out again."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from graphscan.graphdb import cypher
from graphscan.graphdb.client import Connection, ServerVersion
from graphscan.graphdb.schema import (
    ABOUT,
    DERIVED_TYPES,
    EVENT_TYPES,
    NODE_LABELS,
    VERDICT,
)

DELETE_ROWS: Final = 10_000


@dataclass(frozen=True)
class Count:
    """How many of one label or type there are, and how many of them graphscan wrote."""

    own: int
    total: int


@dataclass(frozen=True)
class GraphStatus:
    """What the database holds.

    Attributes
    ----------
    server
        Version and edition.
    nodes, relationships
        By label and by type; those of graphscan's schema only.
    missing_schema
        Constraints and indexes that are not there (all of them before the first load).
    newest_run_id
        The sweep written last, or None.
    """

    server: ServerVersion
    nodes: dict[str, Count]
    relationships: dict[str, Count]
    missing_schema: tuple[str, ...]
    newest_run_id: str | None


def graph_status(connection: Connection) -> GraphStatus:
    """Count what is in the graph."""
    nodes = {label.name: _count(connection, cypher.count_own_nodes(label)) for label in NODE_LABELS}
    types = [event.relationship for event in EVENT_TYPES] + [kind.name for kind in DERIVED_TYPES]
    relationships = {name: _count(connection, cypher.count_own_relationships(name)) for name in types}
    newest = connection.rows(cypher.newest_sweep())
    return GraphStatus(
        server=connection.server,
        nodes=nodes,
        relationships=relationships,
        missing_schema=missing_schema(connection),
        newest_run_id=newest[0]["run_id"] if newest else None,
    )


def missing_schema(connection: Connection) -> tuple[str, ...]:
    """Names of the constraints and indexes that the graph lacks."""
    present = {row["name"] for row in connection.rows(cypher.existing_constraints())}
    present |= {row["name"] for row in connection.rows(cypher.existing_indexes())}
    return tuple(name for _, name, _ in cypher.schema_objects() if name not in present)


def _count(connection: Connection, statement: str) -> Count:
    row = connection.rows(statement)[0]
    return Count(row["own"], row["total"])


@dataclass(frozen=True)
class ResetReport:
    """What a reset took out and what it left.

    Attributes
    ----------
    relationships, nodes
        How many were deleted.
    kept_nodes
        Nodes of graphscan that stay because something that it did not write, or a verdict, hangs on them.
    kept_verdicts
        Verdicts that stay.
    """

    relationships: int
    nodes: int
    kept_nodes: int
    kept_verdicts: int


def reset_graph(
    connection: Connection,
    *,
    verdicts: bool = False,
    on_progress: Callable[[str, int, int], None] | None = None,
) -> ResetReport:
    """Delete what graphscan wrote, and nothing else.

    Nodes and relationships without graphscan's mark are never deleted or changed; one of graphscan's nodes on
    which such a relationship hangs stays too. What people decided stays unless it is asked for.

    Parameters
    ----------
    connection
        Where.
    verdicts
        Delete verdicts as well.
    on_progress
        Called as ``on_progress(stage, rows_done, 0)``.
    """
    types = [event.relationship for event in EVENT_TYPES] + [kind.name for kind in DERIVED_TYPES]
    if not verdicts:
        types.remove(ABOUT.name)
    n_relationships = 0
    for name in types:
        n_relationships += _drain(connection, cypher.delete_own_relationships(name), name, on_progress)
    n_nodes = 0
    for label in NODE_LABELS:
        if label is not VERDICT or verdicts:
            n_nodes += _drain(connection, cypher.delete_own_nodes(label), label.name, on_progress)
    connection.write(lambda t: t.run(cypher.strip_accounts()))
    connection.schema(*(cypher.drop_schema(kind, name) for kind, name, _ in cypher.schema_objects()))
    kept = {label: _count(connection, cypher.count_own_nodes(label)).own for label in NODE_LABELS}
    return ResetReport(
        relationships=n_relationships,
        nodes=n_nodes,
        kept_nodes=sum(n for label, n in kept.items() if label is not VERDICT),
        kept_verdicts=kept[VERDICT],
    )


def _drain(
    connection: Connection,
    statement: str,
    stage: str,
    on_progress: Callable[[str, int, int], None] | None,
) -> int:
    total = 0
    while True:
        deleted: int = connection.write(lambda t: t.rows(statement, limit=DELETE_ROWS)[0]["deleted"])
        total += deleted
        if on_progress is not None:
            on_progress(f"deleting {stage}", total, 0)
        if deleted < DELETE_ROWS:
            return total
