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
from graphscan.graphdb.batches import event_batches, nodes_of, ordered_for_loading, replies
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
    arguments: list[str] = []
    ledger: list[dict[str, object]] = []
    n_relationships = n_done = 0
    reply_rows: list[list[str]] = []
    first_owner = ""
    for event_type in EVENT_TYPES:
        chosen = events.filter(pc.equal(events["action"], event_type.action))
        if not chosen.num_rows:
            continue
        parts = []
        for batch in event_batches(chosen):
            first_owner = first_owner or batch.owner
            parts.append(_relationship_table(batch.events, event_type.target.name, batch.owner))
            caption = f"{batch.events.num_rows:,} {event_type.action}"
            ledger.append({"id": batch.batch_id, "n": batch.events.num_rows, "caption": caption})
            reply_rows += [[*pair, batch.owner] for pair in replies(event_type, batch.events)]
            n_done += batch.events.num_rows
            if on_progress is not None:
                on_progress("import files", n_done, events.num_rows)
        table = pa.concat_tables(parts)
        if event_type.action == "other":
            table = table.append_column("action", pa.repeat(pa.scalar("other"), table.num_rows))
        arguments.append(_file(target, table, f"relationships={event_type.relationship}"))
        n_relationships += table.num_rows
    if reply_rows:
        columns = list(zip(*reply_rows, strict=True))
        table = pa.table(
            {
                f":START_ID({CONTENT.name})": pa.array(columns[0], pa.string()),
                f":END_ID({CONTENT.name})": pa.array(columns[1], pa.string()),
                OWNER: pa.array(columns[2], pa.string()),
            }
        )
        arguments.append(_file(target, table, f"relationships={REPLY_TO.name}"))
        n_relationships += table.num_rows
    n_nodes = 0
    for nodes in nodes_of(events):
        ids = [row[0] for row in nodes.rows]
        table = pa.table(
            {
                f"{nodes.label.key[0]}:ID({nodes.label.name})": pa.array(ids, pa.string()),
                "caption": pa.array([row[1] or row[0] for row in nodes.rows], pa.string()),
                OWNER: pa.repeat(pa.scalar(first_owner), len(ids)),
            }
        )
        arguments.append(_file(target, table, f"nodes={nodes.label.name}"))
        n_nodes += len(ids)
    if load_id is not None:
        caption = f"load of {events.num_rows:,} events"
        ledger.append({"id": load_id, "n": events.num_rows, "caption": caption})
    table = pa.table(
        {
            f"batch_id:ID({LOAD_BATCH.name})": pa.array([row["id"] for row in ledger], pa.string()),
            "n_rows:long": pa.array([row["n"] for row in ledger], pa.int64()),
            "caption": pa.array([row["caption"] for row in ledger], pa.string()),
            OWNER: pa.array([str(row["id"]).removeprefix("load:")[:12] for row in ledger], pa.string()),
        }
    )
    arguments.append(_file(target, table, f"nodes={LOAD_BATCH.name}"))
    options = ["--multiline-fields=true", "--array-delimiter=U+001F", "--id-type=string"]
    (target / ARGUMENTS_FILE).write_text("\n".join([*options, *arguments]) + "\n", encoding="utf-8")
    return BulkFiles(target, events.num_rows, n_nodes, n_relationships)


def _file(target: Path, table: pa.Table, what: str) -> str:
    name = what.partition("=")[2].lower() + ".csv"
    pa_csv.write_csv(table, target / name, pa_csv.WriteOptions(quoting_style="needed"))
    return f"--{what}={json.dumps(name)[1:-1]}"


def _relationship_table(events: pa.Table, target_label: str, owner: str) -> pa.Table:
    at = events["timestamp_us"].cast(pa.timestamp("us", tz="UTC"))
    columns: dict[str, pa.ChunkedArray | pa.Array] = {
        f":START_ID({ACCOUNT.name})": events["account_id"],
        f":END_ID({target_label})": events["object_id"],
        "at:datetime": pc.strftime(at, format="%Y-%m-%dT%H:%M:%SZ"),
        OWNER: pa.repeat(pa.scalar(owner), events.num_rows),
    }
    for name in EVENT_PROPERTIES:
        kind = EVENT_SCHEMA.field(name).type
        column = events[name]
        if pa.types.is_list(kind):
            column = pc.binary_join(column, ARRAY_DELIMITER)
        columns[name + _CSV_TYPES.get(kind, "")] = column
    return pa.table(columns)
