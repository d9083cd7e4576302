"""Tables as files: CSV or Parquet by the name of the file, ``-`` for stdout."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any, Final

from graphscan.errors import EXIT_CANNOT_WRITE, EXIT_USAGE, GraphscanError

if TYPE_CHECKING:
    import pyarrow as pa

STDOUT: Final = "-"
SUFFIXES: Final = (".csv", ".parquet")


def check_output_path(path: str) -> None:
    """Refuse a path that cannot become a table, before any work is done.

    Raises
    ------
    GraphscanError
        Exit 2 for an unknown suffix, exit 73 if the folder is missing or may not be written to.
    """
    if path == STDOUT:
        return
    target = Path(path)
    if target.suffix.lower() not in SUFFIXES:
        raise GraphscanError(
            f"do not know how to write {target.suffix or 'a file without a suffix'!s}",
            where=f"--output {path}",
            mend=f"end the name in {' or '.join(SUFFIXES)}, or use - for CSV on stdout",
            exit_code=EXIT_USAGE,
        )
    if not os.access(target.parent, os.W_OK) or target.is_dir():
        raise GraphscanError(
            "cannot write: no such folder, or not allowed",
            where=str(target),
            mend="name a file in a folder that exists and that this user may write to",
            exit_code=EXIT_CANNOT_WRITE,
        )


def check_output_folder(path: str) -> None:
    """Refuse a folder that holds something, before any work is done.

    Raises
    ------
    GraphscanError
        Exit 73 if the path is a file or a folder that is not empty.
    """
    folder = Path(path)
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise GraphscanError(
            "the output folder is not empty",
            where=path,
            mend="name a folder that does not exist yet, or empty it first",
            exit_code=EXIT_CANNOT_WRITE,
        )


def write_table(table: pa.Table, path: str) -> None:
    """Write a table as CSV or Parquet; a file appears under its name only when it is complete.

    CSV is UTF-8 with a header and RFC 4180 quoting where a value needs it; times are ISO-8601 UTC with six
    decimals.
    """
    if path == STDOUT:
        _write_csv(table, sys.stdout.buffer)
        sys.stdout.buffer.flush()
        return
    with _replacing(Path(path)) as file:
        if path.lower().endswith(".parquet"):
            import pyarrow as pa
            import pyarrow.parquet as pq

            # Fractions and times hardly repeat: looking for repeats costs more time than it saves space.
            kinds = ((field.name, field.type) for field in table.schema)
            coded = [n for n, t in kinds if not (pa.types.is_floating(t) or pa.types.is_timestamp(t))]
            pq.write_table(table, file, compression="zstd", use_dictionary=coded)
        else:
            _write_csv(table, file)


@contextmanager
def _replacing(path: Path) -> Iterator[IO[bytes]]:
    partial = path.with_name(path.name + ".partial")
    try:
        with partial.open("wb") as file:
            yield file
        partial.replace(path)
    except OSError as error:
        raise GraphscanError(
            f"cannot write: {error.strerror or error}",
            where=str(path),
            mend="free some space, or choose a place that this user may write to",
            exit_code=EXIT_CANNOT_WRITE,
        ) from error
    finally:
        with suppress(OSError):
            partial.unlink(missing_ok=True)


def _write_csv(table: pa.Table, file: IO[bytes]) -> None:
    import pyarrow as pa
    import pyarrow.compute as pc
    from pyarrow import csv

    needs_quotes = False
    columns: list[Any] = []
    for field in table.schema:
        column = table[field.name]
        if pa.types.is_timestamp(field.type):
            column = pc.strftime(column, format="%Y-%m-%dT%H:%M:%SZ")
        elif pa.types.is_dictionary(field.type):
            column = column.cast(field.type.value_type)
        if pa.types.is_string(column.type) and not needs_quotes:
            needs_quotes = bool(pc.any(pc.match_substring_regex(column, '[",\r\n]')).as_py())
        columns.append(column)
    # Arrow quotes every text or none; an empty text must stay told apart from a missing one by its quotes.
    style = "needed" if needs_quotes else "none"
    file.write((",".join(table.column_names) + "\n").encode())
    options = csv.WriteOptions(include_header=False, quoting_style=style, batch_size=65_536)
    csv.write_csv(pa.table(columns, names=table.column_names), file, options)
