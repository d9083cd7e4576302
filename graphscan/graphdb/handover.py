"""Between a sweep and the graph: events out of it as a file, a finished run folder into it, now or later."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Final

import pyarrow as pa

from graphscan.errors import EXIT_CANNOT_WRITE, GraphscanError
from graphscan.graphdb.client import ServerAddress, connect
from graphscan.graphdb.loading import Progress
from graphscan.graphdb.reading import read_events
from graphscan.graphdb.runs import RunWriteReport, write_run

PENDING: Final = "neo4j-pending.json"


def event_file(
    folder: str | os.PathLike[str],
    since_us: int | None = None,
    until_us: int | None = None,
    *,
    address: ServerAddress | None = None,
    on_progress: Progress | None = None,
) -> Path:
    """Read the events of the graph into a Parquet file in the native schema, to be swept like any other.

    Parameters
    ----------
    folder
        Where the file is made, as ``neo4j.parquet``.
    since_us, until_us
        The period, the end excluded; None: no bound.
    address
        The server; default: the one that the environment names.
    on_progress
        As for :func:`graphscan.graphdb.read_events`.

    Raises
    ------
    GraphscanError
        As :func:`graphscan.graphdb.connect` and :func:`graphscan.graphdb.read_events`; 73 if the file
        cannot be written.
    """
    import pyarrow.parquet as pq

    with connect(address) as connection:
        events = read_events(connection, since_us, until_us, on_progress=on_progress)
    at = events["timestamp_us"].cast(pa.timestamp("us", tz="UTC"))
    native = events.set_column(events.column_names.index("timestamp_us"), "timestamp", at)
    path = Path(folder) / "neo4j.parquet"
    try:
        pq.write_table(native, path, compression="zstd")
    except OSError as error:
        raise GraphscanError(
            f"cannot write the events of the graph: {error.strerror or error}",
            where=str(path),
            mend="free some space, or set TMPDIR to a larger place",
            exit_code=EXIT_CANNOT_WRITE,
        ) from error
    return path


def is_pending(run_dir: str | os.PathLike[str]) -> bool:
    """Whether a finished run folder still waits to be written into the graph."""
    return (Path(run_dir) / PENDING).exists()


def hand_over(
    run_dir: str | os.PathLike[str],
    *,
    address: ServerAddress | None = None,
    on_progress: Progress | None = None,
    on_note: Callable[[str], None] | None = None,
) -> RunWriteReport:
    """Write a finished run folder into the graph; if that fails, mark the folder for later.

    Doing it again is safe at any time: a run that is in the graph already is left as it is.

    Parameters
    ----------
    run_dir
        The run folder.
    address
        The server; default: the one that the environment names.
    on_progress, on_note
        As for :func:`graphscan.graphdb.write_run`.

    Raises
    ------
    GraphscanError
        What went wrong, with its own exit code (75 for a server that is away, 2 for a wrong password); the
        folder is complete and has the file ``neo4j-pending.json``.
    """
    marker = Path(run_dir) / PENDING
    try:
        with connect(address) as connection:
            report = write_run(run_dir, connection, on_progress=on_progress, on_note=on_note)
    except GraphscanError as error:
        marker.write_text(json.dumps({"pending": "neo4j", "because": error.what}) + "\n", encoding="utf-8")
        raise GraphscanError(
            f"the run is complete, but not in Neo4j: {error.what}",
            where=error.where,
            mend=f"{error.mend}; then the same command again does only the write",
            exit_code=error.exit_code,
        ) from error
    marker.unlink(missing_ok=True)
    return report
