"""What people decided in Neo4j, on its way home."""

from __future__ import annotations

import json
import os
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import pyarrow as pa

from graphscan.errors import EXIT_CANNOT_WRITE, EXIT_INCOMPATIBLE, GraphscanError
from graphscan.graphdb import cypher
from graphscan.graphdb.client import Connection
from graphscan.graphdb.schema import VERDICTS
from graphscan.verdicts.decisions import PastDecision

VERDICT_SCHEMA: Final = pa.schema(
    [
        pa.field("verdict_id", pa.string(), nullable=False),
        pa.field("account_id", pa.string(), nullable=False),
        pa.field("verdict", pa.string(), nullable=False),
        pa.field("by", pa.string(), nullable=False),
        pa.field("why", pa.string(), nullable=False),
        pa.field("at_us", pa.int64(), nullable=False),
        pa.field("run_id", pa.string()),
    ]
)
VERDICTS_FILE: Final = "verdicts.ndjson"


@dataclass(frozen=True)
class Verdicts:
    """The verdicts of a graph.

    Attributes
    ----------
    verdicts
        VERDICT_SCHEMA, by time and id. Of several about one account the last counts.
    unusable
        One line for each verdict that cannot be used, and why.
    """

    verdicts: pa.Table
    unusable: tuple[str, ...]


def sync_verdicts(connection: Connection) -> Verdicts:
    """Read every verdict that people left in the graph.

    Nothing in the graph is changed; what was read before is recognised by its id.

    Raises
    ------
    GraphscanError
        Exit code 75 if the server went away.
    """
    rows = connection.rows(cypher.verdicts())
    good: list[dict[str, object]] = []
    bad: list[str] = []
    for row in rows:
        if problem := _problem(row):
            bad.append(f"verdict {row['verdict_id']} about {row['account_id']}: {problem}")
        else:
            good.append({**row, "by": row["by"].strip(), "why": row["why"].strip()})
    return Verdicts(pa.Table.from_pylist(good, schema=VERDICT_SCHEMA), tuple(bad))


def _problem(row: dict[str, object]) -> str:
    if row["verdict"] not in VERDICTS:
        return f"{row['verdict']!r} is none of {', '.join(VERDICTS)}"
    if not isinstance(row["verdict_id"], str) or not isinstance(row["at_us"], int):
        return "it has no id or no time"
    for name, question in (("by", "who decided"), ("why", "why")):
        if not isinstance(row[name], str) or not str(row[name]).strip():
            return f"it does not say {question}"
    return ""


def stored_verdicts(state: str | os.PathLike[str]) -> pa.Table:
    """The verdicts that a state folder holds, in VERDICT_SCHEMA.

    Raises
    ------
    GraphscanError
        Exit code 4 if the file is damaged.
    """
    path = Path(state) / VERDICTS_FILE
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except FileNotFoundError:
        return VERDICT_SCHEMA.empty_table()
    try:
        return pa.Table.from_pylist([json.loads(line) for line in lines if line], schema=VERDICT_SCHEMA)
    except (ValueError, pa.ArrowException) as error:
        raise GraphscanError(
            f"the verdicts cannot be read: {error}",
            where=str(path),
            mend="move the file away and run `graphscan graph sync` again; the graph still has them",
            exit_code=EXIT_INCOMPATIBLE,
        ) from error


def store_verdicts(verdicts: pa.Table, state: str | os.PathLike[str]) -> int:
    """Add verdicts to those of a state folder, each id once; a verdict is never changed or removed.

    Returns
    -------
    int
        How many were new.

    Raises
    ------
    GraphscanError
        Exit code 4 if the file there is damaged, 73 if it cannot be written.
    """
    folder = Path(state)
    old = stored_verdicts(folder)
    known = set(old["verdict_id"].to_pylist())
    new = [row for row in verdicts.to_pylist() if row["verdict_id"] not in known]
    if not new:
        return 0
    rows = sorted([*old.to_pylist(), *new], key=lambda row: (row["at_us"], row["verdict_id"]))
    text = "".join(json.dumps(row, ensure_ascii=False, sort_keys=True) + "\n" for row in rows)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.NamedTemporaryFile("w", dir=folder, delete=False, encoding="utf-8") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        Path(file.name).replace(folder / VERDICTS_FILE)
    except OSError as error:
        raise GraphscanError(
            f"cannot write the verdicts: {error.strerror}",
            where=str(folder / VERDICTS_FILE),
            mend="free some space, or choose a state folder that this user may write to",
            exit_code=EXIT_CANNOT_WRITE,
        ) from error
    return len(new)


def newest_verdicts(verdicts: pa.Table) -> dict[str, dict[str, object]]:
    """The verdict that counts for each account: the last one, by time and then id."""
    rows = sorted(verdicts.to_pylist(), key=lambda row: (row["at_us"], row["verdict_id"]))
    return {row["account_id"]: row for row in rows}


def past_decisions(verdicts: pa.Table) -> tuple[PastDecision, ...]:
    """Verdicts as the policy takes them, oldest first; of several about one account the newest counts.

    A verdict given in the graph is bound to no hash of the evidence: it stands whatever evidence there is.
    """
    rows = sorted(verdicts.to_pylist(), key=lambda row: (row["at_us"], row["verdict_id"]))
    return tuple(PastDecision(row["account_id"], row["verdict"]) for row in rows)
