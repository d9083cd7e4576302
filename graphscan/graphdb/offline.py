"""The offline bulk import: events as the CSV files that ``neo4j-admin database import full`` reads.

For a first load of tens of millions of events into a server that holds nothing else: the import is several
times faster than any load over the network, and it replaces the whole database.
"""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv as pa_csv

from graphscan.errors import EXIT_CANNOT_WRITE, GraphscanError
from graphscan.events.model import EVENT_SCHEMA
from graphscan.graphdb.batches import (
    EventBatch,
    NodeRows,
    event_batches,
    nodes_of,
    ordered_for_loading,
    replies,
)
from graphscan.graphdb.schema import (
    ACCOUNT,
    CONTENT,
    EVENT_PROPERTIES,
    EVENT_TYPES,
    LOAD_BATCH,
    OWNER,
    REPLY_TO,
)

ARGUMENTS_FILE: Final = "import.args"
REPORT_FILE: Final = "import.report"
# No URL or tag holds it, so lists need no escapes.
ARRAY_DELIMITER: Final = "\x1f"
_CSV_TYPES: Final = {pa.list_(pa.string()): ":string[]", pa.bool_(): ":boolean", pa.float64(): ":double"}


@dataclass(frozen=True)
class BulkFiles:
    """The files of a bulk import.

    Attributes
    ----------
    folder
        Where they are; ``import.args`` in it holds the arguments of ``neo4j-admin``.
    events, nodes, relationships
        How many are in them.
    """

    folder: Path
    events: int
    nodes: int
    relationships: int


def write_bulk_files(
    events: pa.Table,
    folder: str | os.PathLike[str],
    *,
    load_id: str | None = None,
    on_progress: Callable[[str, int, int], None] | None = None,
) -> BulkFiles:
    """Write events as the files of a bulk import; the ledger is among them, so later loads know them.

    Parameters
    ----------
    events
        Rows in EVENT_SCHEMA, in any order.
    folder
        Made, and must be empty.
    load_id
        The whole load's own entry in the ledger.
    on_progress
        Called as ``on_progress("import files", events_done, events_total)``.

    Raises
    ------
    GraphscanError
        Exit code 73: the folder is not empty or cannot be written.
    """
    target = Path(folder)
    try:
        target.mkdir(parents=True, exist_ok=True)
        if any(target.iterdir()):
            raise GraphscanError(
                "the folder for the import files is not empty",
                where=str(target),
                mend="name a new folder",
                exit_code=EXIT_CANNOT_WRITE,
            )
        return _written(ordered_for_loading(events), target, load_id, on_progress)
    except OSError as error:
        raise GraphscanError(
            f"cannot write the import files: {error.strerror}",
            where=str(error.filename or target),
            mend=f"free some space ({shutil.disk_usage(target.anchor or '.').free / 1e9:.1f} GB are free)",
            exit_code=EXIT_CANNOT_WRITE,
        ) from error


def _written(
    events: pa.Table,
    target: Path,
    load_id: str | None,
    on_progress: Callable[[str, int, int], None] | None,
) -> BulkFiles:
    batches = list(event_batches(events))
    arguments: list[str] = []
    n_relationships = n_done = 0
    for event_type in EVENT_TYPES:
        of_type = [batch for batch in batches if batch.event_type is event_type]
        if not of_type:
            continue
        table = pa.concat_tables([_relationship_table(batch) for batch in of_type])
        arguments.append(_file(target, table, f"relationships={event_type.relationship}"))
        n_relationships += table.num_rows
        n_done += table.num_rows
        if on_progress is not None:
            on_progress("import files", n_done, events.num_rows)
    reply_table = _reply_table(batches)
    arguments.append(_file(target, reply_table, f"relationships={REPLY_TO.name}"))
    n_nodes = 0
    for nodes in nodes_of(events):
        table = _node_table(nodes, batches[0].owner if batches else "")
        arguments.append(_file(target, table, f"nodes={nodes.label.name}"))
        n_nodes += table.num_rows
    ledger = _ledger_table(batches, load_id, events.num_rows)
    arguments.append(_file(target, ledger, f"nodes={LOAD_BATCH.name}"))
    options = [
        "--multiline-fields=true",
        "--array-delimiter=U+001F",
        "--id-type=string",
        # Otherwise it is left in whatever folder the import is started from.
        f"--report-file={target / REPORT_FILE}",
    ]
    (target / ARGUMENTS_FILE).write_text("\n".join([*options, *arguments]) + "\n", encoding="utf-8")
    return BulkFiles(target, events.num_rows, n_nodes, n_relationships + reply_table.num_rows)


def _reply_table(batches: list[EventBatch]) -> pa.Table:
    rows = [[*pair, b.owner] for b in batches for pair in replies(b.event_type, b.events)]
    names = (f":START_ID({CONTENT.name})", f":END_ID({CONTENT.name})", OWNER)
    return pa.table({name: pa.array([row[i] for row in rows], pa.string()) for i, name in enumerate(names)})


def _node_table(nodes: NodeRows, owner: str) -> pa.Table:
    return pa.table(
        {
            f"{nodes.label.key[0]}:ID({nodes.label.name})": pa.array([r[0] for r in nodes.rows], pa.string()),
            "caption": pa.array([row[1] or row[0] for row in nodes.rows], pa.string()),
            OWNER: pa.array([owner] * len(nodes.rows), pa.string()),
        }
    )


def _ledger_table(batches: list[EventBatch], load_id: str | None, n_events: int) -> pa.Table:
    rows = [(b.batch_id, b.events.num_rows, f"{b.events.num_rows:,} {b.event_type.action}") for b in batches]
    if load_id is not None:
        rows.append((load_id, n_events, f"load of {n_events:,} events"))
    return pa.table(
        {
            f"batch_id:ID({LOAD_BATCH.name})": pa.array([row[0] for row in rows], pa.string()),
            "n_rows:long": pa.array([row[1] for row in rows], pa.int64()),
            "caption": pa.array([row[2] for row in rows], pa.string()),
            OWNER: pa.array([row[0].removeprefix("load:")[:12] for row in rows], pa.string()),
        }
    )


def _file(target: Path, table: pa.Table, what: str) -> str:
    name = what.partition("=")[2].lower() + ".csv"
    pa_csv.write_csv(table, target / name, pa_csv.WriteOptions(quoting_style="needed"))
    return f"--{what}={json.dumps(name)[1:-1]}"


def _relationship_table(batch: EventBatch) -> pa.Table:
    events = batch.events
    at = events["timestamp_us"].cast(pa.timestamp("us", tz="UTC"))
    columns: dict[str, pa.ChunkedArray | pa.Array] = {
        f":START_ID({ACCOUNT.name})": events["account_id"],
        f":END_ID({batch.event_type.target.name})": events["object_id"],
        "at:datetime": pc.strftime(at, format="%Y-%m-%dT%H:%M:%SZ"),
        OWNER: pa.repeat(pa.scalar(batch.owner), events.num_rows),
    }
    if batch.event_type.action == "other":
        columns["action"] = events["action"]
    for name in EVENT_PROPERTIES:
        kind = EVENT_SCHEMA.field(name).type
        column = events[name]
        if pa.types.is_list(kind):
            column = pc.binary_join(column, ARRAY_DELIMITER)
        columns[name + _CSV_TYPES.get(kind, "")] = column
    return pa.table(columns)
