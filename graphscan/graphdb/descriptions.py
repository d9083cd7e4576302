"""What a platform knows of its accounts, from an accounts file onto the accounts of the graph."""

from __future__ import annotations

import os
from functools import partial
from typing import Any, Final

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv as pa_csv

from graphscan.errors import EXIT_INPUT, EXIT_USAGE, GraphscanError
from graphscan.graphdb import cypher
from graphscan.graphdb.batches import BATCH_ROWS, caption
from graphscan.graphdb.client import Connection, Transaction
from graphscan.graphdb.loading import Progress

# The columns of an accounts file beside `account_id`, and what they are in the graph.
COLUMNS: Final = {
    "handle": pa.string(),
    "display_name": pa.string(),
    "bio": pa.string(),
    "created_at": pa.string(),
    "followers": pa.int64(),
    "following": pa.int64(),
    "verified": pa.bool_(),
    "account_type": pa.string(),
    "declared_automation": pa.bool_(),
}


def read_descriptions(path: str | os.PathLike[str]) -> pa.Table:
    """Read an accounts file (CSV): ``account_id`` and any of :data:`COLUMNS`; blank cells are missing.

    Raises
    ------
    GraphscanError
        Exit code 2 without the file or ``account_id``; 3 for a cell that is none of its column's values.
    """
    where = os.fspath(path)
    try:
        with pa_csv.open_csv(path) as head:
            names = head.schema.names
        # Ids and handles are text whatever they look like.
        types = {name: pa.string() for name in names}
        options = pa_csv.ConvertOptions(column_types=types, strings_can_be_null=True, null_values=[""])
        parsing = pa_csv.ParseOptions(newlines_in_values=True)
        table = pa_csv.read_csv(path, parse_options=parsing, convert_options=options)
    except FileNotFoundError as error:
        raise GraphscanError("there is no such file", where, "check the path", EXIT_USAGE) from error
    except pa.ArrowInvalid as error:
        raise GraphscanError(
            f"the accounts file cannot be read: {error}", where, "write it as CSV in UTF-8", EXIT_INPUT
        ) from error
    if "account_id" not in table.column_names:
        found = ", ".join(table.column_names)
        raise GraphscanError(
            "the accounts file has no column account_id", f"{where}, found: {found}", "add it", EXIT_USAGE
        )
    columns = {"account_id": table["account_id"]}
    for name, kind in COLUMNS.items():
        if name in table.column_names:
            try:
                columns[name] = pc.cast(table[name], kind)
            except pa.ArrowInvalid as error:
                raise GraphscanError(
                    str(error), f"{where}, column {name}", "mend the cell", EXIT_INPUT
                ) from error
    return pa.table(columns).filter(pc.is_valid(columns["account_id"]))


def describe_accounts(
    descriptions: pa.Table, connection: Connection, *, on_progress: Progress | None = None
) -> int:
    """Put descriptions on the accounts that are in the graph; the handle becomes their caption.

    Accounts that graphscan did not write stay as they are.

    Returns
    -------
    int
        How many accounts were described.
    """
    rows = [_row(row) for row in descriptions.to_pylist()]
    n_described = 0
    for at in range(0, len(rows), BATCH_ROWS):
        n_described += connection.write(partial(_describe, rows=rows[at : at + BATCH_ROWS]))
        if on_progress is not None:
            on_progress("accounts", min(at + BATCH_ROWS, len(rows)), len(rows))
    return n_described


def _describe(transaction: Transaction, *, rows: list[dict[str, Any]]) -> int:
    return int(transaction.rows(cypher.describe_accounts(), rows=rows)[0]["n"])


def _row(row: dict[str, Any]) -> dict[str, Any]:
    properties = {name: value for name, value in row.items() if name != "account_id"}
    name = row.get("handle") or row.get("display_name")
    shown = caption(name) if name else ""
    return {"account_id": row["account_id"], "caption": shown or None, "properties": properties}
