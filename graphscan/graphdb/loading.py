"""Events into the graph: schema, nodes, then batches of relationships, each batch exactly once.

Each batch is one transaction that first enters the batch in the ledger and goes on only if it was not there:
a second load, a retry after a lost connection and a second loader all find the entry and do nothing. Behind
it stands a uniqueness constraint on the event id of each relationship type: where other batches brought some
of the events before, the batch is written without them.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from dataclasses import dataclass, field
from itertools import islice
from typing import Any, Final

import pyarrow as pa
import pyarrow.compute as pc

from graphscan.entropy import monotonic_s
from graphscan.errors import EXIT_INCOMPATIBLE, GraphscanError
from graphscan.events.model import EVENT_SCHEMA
from graphscan.graphdb import cypher
from graphscan.graphdb.batches import (
    BATCH_ROWS,
    EventBatch,
    NodeRows,
    event_batches,
    event_rows,
    nodes_of,
    ordered_for_loading,
)
from graphscan.graphdb.client import AlreadyThereError, Connection, Transaction
from graphscan.graphdb.schema import EVENT_TYPES, TYPE_OF_ACTION
from graphscan.graphdb.status import missing_schema

Progress = Callable[[str, int, int], None]
"""Called as ``on_progress(stage, rows_done, rows_total)``."""

WORKERS: Final = 2
LEDGER_IDS: Final = 5_000


@dataclass(frozen=True)
class LoadReport:
    """What a load did.

    Attributes
    ----------
    events
        Distinct events that were offered.
    loaded
        Events that are new in the graph.
    known
        Events that were in the graph already, with the same content.
    conflicts
        Events whose id was in the graph with other content; the one that sorts first is now there.
    relationships
        Relationships made, events and replies.
    nodes
        Nodes made.
    batches, known_batches
        Batches of the events, and how many of them the ledger knew.
    seconds
        Wall-clock time.
    """

    events: int
    loaded: int
    known: int
    conflicts: int
    relationships: int
    nodes: int
    batches: int
    known_batches: int
    seconds: float = field(compare=False)


@dataclass(frozen=True)
class _Written:
    loaded: int = 0
    known: int = 0
    conflicts: int = 0
    relationships: int = 0
    nodes: int = 0

    def __add__(self, other: _Written) -> _Written:
        return _Written(
            self.loaded + other.loaded,
            self.known + other.known,
            self.conflicts + other.conflicts,
            self.relationships + other.relationships,
            self.nodes + other.nodes,
        )


def ensure_schema(connection: Connection) -> None:
    """Make the constraints and indexes that are missing; existing ones stay.

    Raises
    ------
    GraphscanError
        Exit code 4: data that is in the database already contradicts a constraint.
    """
    missing = missing_schema(connection)
    if not missing:
        return
    statements = [statement for _, name, statement in cypher.schema_objects() if name in missing]
    try:
        connection.schema(*statements)
    except GraphscanError as error:
        if error.exit_code != EXIT_INCOMPATIBLE:
            raise
        raise GraphscanError(
            f"the graph's schema does not fit what is in the database: {error.what}",
            where=connection.address.uri,
            mend="use another database or server, or remove the data or index that is named here",
            exit_code=EXIT_INCOMPATIBLE,
        ) from error
    connection.schema(cypher.wait_for_indexes())


def load_events(
    events: pa.Table,
    connection: Connection,
    *,
    workers: int = WORKERS,
    on_progress: Progress | None = None,
    on_note: Callable[[str], None] | None = None,
) -> LoadReport:
    """Bring events into the graph, each event once, whatever was loaded before.

    Parameters
    ----------
    events
        Rows in EVENT_SCHEMA, in any order.
    connection
        Where to.
    workers
        Batches that are written at the same time.
    on_progress, on_note
        Told how far the load is; told in one line when the server is waited for.

    Raises
    ------
    GraphscanError
        Exit code 75: the server went away and did not come back. What is loaded stays; the next load of the
        same events goes on from there.
    """
    started_s = monotonic_s()
    ensure_schema(connection)
    before = {event.relationship: _count(connection, event.relationship) for event in EVENT_TYPES}
    events = ordered_for_loading(events)
    batches = list(event_batches(events))
    known = known_batches(connection, [batch.batch_id for batch in batches])
    pending = [batch for batch in batches if batch.batch_id not in known]
    written = _Written(known=sum(b.events.num_rows for b in batches if b.batch_id in known))
    if pending:
        written += _load_nodes(connection, pending, workers, on_progress, on_note)
        written += _load_batches(connection, pending, before, workers, on_progress, on_note)
    return LoadReport(
        events=events.num_rows,
        loaded=written.loaded,
        known=written.known,
        conflicts=written.conflicts,
        relationships=written.relationships,
        nodes=written.nodes,
        batches=len(batches),
        known_batches=len(known),
        seconds=monotonic_s() - started_s,
    )


def known_batches(connection: Connection, batch_ids: Sequence[str]) -> set[str]:
    """Those of the batch ids that the ledger of the graph holds."""
    found: set[str] = set()
    for at in range(0, len(batch_ids), LEDGER_IDS):
        rows = connection.rows(cypher.known_batches(), ids=list(batch_ids[at : at + LEDGER_IDS]))
        found.update(row["batch_id"] for row in rows)
    return found


def _count(connection: Connection, relationship: str) -> int:
    event = next(event for event in EVENT_TYPES if event.relationship == relationship)
    return int(connection.rows(cypher.count_events(event))[0]["n"])


def _load_nodes(
    connection: Connection,
    pending: Sequence[EventBatch],
    workers: int,
    on_progress: Progress | None,
    on_note: Callable[[str], None] | None,
) -> _Written:
    # Nodes first, each in one batch of one worker: workers that make the same node wait for one another.
    events = pa.concat_tables([batch.events for batch in pending])
    owner = pending[0].owner
    groups = [
        NodeRows(nodes.label, nodes.rows[at : at + BATCH_ROWS])
        for nodes in nodes_of(events)
        for at in range(0, len(nodes.rows), BATCH_ROWS)
    ]

    def one(group: NodeRows) -> tuple[_Written, int]:
        made = connection.write(lambda transaction: _merge(transaction, group, owner), on_wait=on_note)
        return _Written(nodes=made), len(group.rows)

    total = sum(len(group.rows) for group in groups)
    return _in_parallel(one, groups, workers, lambda done: _tell(on_progress, "nodes", done, total))


def _merge(transaction: Transaction, nodes: NodeRows, owner: str) -> int:
    return transaction.run(cypher.merge_nodes(nodes.label), rows=nodes.rows, owner=owner).nodes


def _tell(on_progress: Progress | None, stage: str, done: int, total: int) -> None:
    if on_progress is not None:
        on_progress(stage, done, total)


def _load_batches(
    connection: Connection,
    pending: Sequence[EventBatch],
    before: dict[str, int],
    workers: int,
    on_progress: Progress | None,
    on_note: Callable[[str], None] | None,
) -> _Written:
    # Only another type's events escape the constraint of a type: where the graph had events of another type
    # before, an id is looked for there too.
    others = {
        event.relationship: any(n for name, n in before.items() if name != event.relationship)
        for event in EVENT_TYPES
    }

    def one(batch: EventBatch) -> tuple[_Written, int]:
        careful = others[batch.event_type.relationship]
        if not careful:
            try:
                written = connection.write(lambda t: _write_batch(t, batch, batch.events), on_wait=on_note)
                return written, batch.events.num_rows
            except AlreadyThereError:
                pass
        present = [event.relationship for event in EVENT_TYPES]
        written = connection.write(lambda t: _write_rest(t, batch, present), on_wait=on_note)
        return written, batch.events.num_rows

    total = sum(batch.events.num_rows for batch in pending)
    return _in_parallel(one, pending, workers, lambda done: _tell(on_progress, "events", done, total))


def _claim(transaction: Transaction, batch: EventBatch) -> bool:
    rows = transaction.rows(
        cypher.claim_batch(),
        batch_id=batch.batch_id,
        owner=batch.owner,
        n_rows=batch.events.num_rows,
        caption=f"{batch.events.num_rows:,} {batch.event_type.action}",
    )
    return bool(rows[0]["fresh"])


def _write_batch(transaction: Transaction, batch: EventBatch, events: pa.Table) -> _Written:
    """Claim the batch and create these events of it."""
    if not _claim(transaction, batch):
        return _Written(known=events.num_rows)
    return _create(transaction, batch, events)


def _create(transaction: Transaction, batch: EventBatch, events: pa.Table) -> _Written:
    if not events.num_rows:
        return _Written()
    parameters = event_rows(batch.event_type, events)
    statement = cypher.create_events(batch.event_type, parameters.properties)
    made_nodes = 0
    n_made = transaction.run(statement, rows=parameters.rows, owner=batch.owner).relationships
    if n_made < events.num_rows:
        # Somebody deleted nodes since they were made: put them back and write the rows that fell out.
        for nodes in nodes_of(events):
            made_nodes += _merge(transaction, nodes, batch.owner)
        there = transaction.rows(cypher.stored_events(batch.event_type), ids=events["event_id"].to_pylist())
        left = {row["event_id"] for row in there}
        rows = [row for row in parameters.rows if row[4] not in left]
        n_made += transaction.run(statement, rows=rows, owner=batch.owner).relationships
    if n_made != events.num_rows:
        raise GraphscanError(
            f"{events.num_rows - n_made} of {events.num_rows} events did not enter the graph",
            where=f"batch {batch.batch_id}",
            mend="the batch was rolled back; run `graphscan doctor`, then load again",
            exit_code=EXIT_INCOMPATIBLE,
        )
    n_replies = 0
    if parameters.replies:
        n_replies = transaction.run(
            cypher.create_replies(), rows=parameters.replies, owner=batch.owner
        ).relationships
    return _Written(loaded=n_made, relationships=n_made + n_replies, nodes=made_nodes)


def _write_rest(transaction: Transaction, batch: EventBatch, relationships: Iterable[str]) -> _Written:
    """Claim the batch and create those of its events that the graph does not hold."""
    if not _claim(transaction, batch):
        return _Written(known=batch.events.num_rows)
    stored: dict[str, tuple[str, dict[str, Any]]] = {}
    ids = batch.events["event_id"].to_pylist()
    for event in EVENT_TYPES:
        if event.relationship in relationships:
            for row in transaction.rows(cypher.stored_events(event), ids=ids):
                stored[row["event_id"]] = (event.action, row)
    if not stored:
        return _create(transaction, batch, batch.events)
    held = batch.events.filter(pc.is_in(batch.events["event_id"], pa.array(list(stored), type=pa.string())))
    known = conflicts = 0
    replaced: list[str] = []
    for new in held.to_pylist():
        action, row = stored[new["event_id"]]
        old = {**{name: row.get(name) for name in EVENT_SCHEMA.names}, "action": action}
        if old == new:
            known += 1
            continue
        conflicts += 1
        if row["own"] and _sort_key(new) < _sort_key(old):
            transaction.run(cypher.delete_stored_events(TYPE_OF_ACTION[action]), ids=[new["event_id"]])
            replaced.append(new["event_id"])
    keep = [event_id not in stored for event_id in ids]
    for position, event_id in enumerate(ids):
        keep[position] = keep[position] or event_id in replaced
    written = _create(transaction, batch, batch.events.filter(pa.array(keep, type=pa.bool_())))
    return written + _Written(loaded=-len(replaced), known=known, conflicts=conflicts)


def _sort_key(event: dict[str, Any]) -> tuple[Any, ...]:
    head = (event["timestamp_us"], *(event[name].encode() for name in ("account_id", "action", "object_id")))
    rest = (repr(event[name]) for name in EVENT_SCHEMA.names if name not in ("timestamp_us", "account_id"))
    return (*head, *rest)


def _in_parallel(
    one: Callable[[Any], tuple[_Written, int]],
    jobs: Iterable[Any],
    workers: int,
    on_done: Callable[[int], None],
) -> _Written:
    """Run the jobs on some threads, few of them ahead of time; the first failure stops the rest."""
    stop = threading.Event()

    def guarded(job: Any) -> tuple[_Written, int]:
        return (_Written(), 0) if stop.is_set() else one(job)

    left = iter(jobs)
    total = _Written()
    n_done = 0
    with ThreadPoolExecutor(max_workers=max(1, workers), thread_name_prefix="load") as pool:
        running: set[Future[tuple[_Written, int]]] = set()
        try:
            while True:
                running |= {pool.submit(guarded, job) for job in islice(left, 2 * workers - len(running))}
                if not running:
                    return total
                done, running = wait(running, return_when=FIRST_COMPLETED)
                for future in done:
                    written, n_rows = future.result()
                    total += written
                    n_done += n_rows
                on_done(n_done)
        finally:
            stop.set()


def load_is_known(connection: Connection, load_id: str) -> int | None:
    """Events of a whole load that the ledger knows by its own id, or None if it does not."""
    rows = connection.rows(cypher.known_load(), batch_id=load_id)
    return int(rows[0]["n_rows"]) if rows else None


def record_load(connection: Connection, load_id: str, n_events: int) -> None:
    """Enter a load that has wholly succeeded in the ledger."""
    connection.write(
        lambda t: t.run(
            cypher.record_load(),
            batch_id=load_id,
            owner=load_id.removeprefix("load:")[:12],
            n_rows=n_events,
            caption=f"load of {n_events:,} events",
        )
    )
