"""The database file of the embedded store: opening it, its errors, and never taking a broken one for good."""

from __future__ import annotations

import hashlib
import os
import re
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

import numpy as np

from graphscan.errors import EXIT_CANNOT_WRITE, EXIT_INCOMPATIBLE, EXIT_TRY_AGAIN, EXIT_USAGE, GraphscanError


def connected(
    path: Path | None, *, memory_limit: str | None, threads: int | None, scratch: str | os.PathLike[str]
) -> Any:
    """A connection that fetches and loads nothing from elsewhere.

    Parameters
    ----------
    path
        Database file, or None for one in memory.
    memory_limit, threads
        What DuckDB may use.
    scratch
        Folder for what does not fit into memory.

    Raises
    ------
    GraphscanError
        Exit code 2 for settings DuckDB refuses, 4 for a file that cannot be used, 73 if it cannot be made, 75
        if another process holds it.
    """
    import duckdb

    config: dict[str, Any] = {
        # Everything needed is built in.
        "autoinstall_known_extensions": "false",
        "autoload_known_extensions": "false",
        "allow_community_extensions": "false",
        "temp_directory": os.fspath(scratch),
    }
    if memory_limit is not None:
        config["memory_limit"] = memory_limit
    if threads is not None:
        config["threads"] = str(threads)
    existed = path is not None and path.exists()
    if path is not None and existed:
        _require_whole(path)
    try:
        return duckdb.connect(str(path) if path is not None else ":memory:", config=config)
    except (duckdb.InvalidInputException, duckdb.ParserException) as error:
        raise GraphscanError(
            f"The store cannot be opened with these settings: {_first_line(error)}",
            "memory_limit, threads",
            "Write a memory limit such as 2GB and at least one thread.",
            EXIT_USAGE,
        ) from error
    except duckdb.Error as error:
        raise _open_error(path, error, existed) from error


@contextmanager
def guarded(path: Path | None) -> Iterator[None]:
    """DuckDB's errors as graphscan's."""
    import duckdb

    try:
        yield
    except duckdb.OutOfMemoryException as error:
        raise GraphscanError(
            f"The store needs more memory or temporary disk space: {_first_line(error)}",
            str(path or "temporary store"),
            "Raise --memory-limit or free space for temporary files.",
            EXIT_CANNOT_WRITE,
        ) from error
    except duckdb.IOException as error:
        if "No space left" in str(error) or "Permission" in str(error):
            raise GraphscanError(
                f"The store cannot be written: {_first_line(error)}",
                str(path or "temporary store"),
                "Free some space or mend the permissions, and run again.",
                EXIT_CANNOT_WRITE,
            ) from error
        raise incompatible(path, _first_line(error), "Restore it from a backup.") from error
    except (duckdb.FatalException, duckdb.SerializationException, duckdb.InternalException) as error:
        raise incompatible(path, _first_line(error), "Restore it from a backup.") from error
    except duckdb.Error as error:
        # A damaged block is reported without a class of its own.
        if "orrupt" in str(error) or "checksum" in str(error):
            raise incompatible(path, _first_line(error), "Restore it from a backup.") from error
        raise


def _first_line(error: BaseException) -> str:
    return str(error).splitlines()[0] if str(error) else type(error).__name__


# A DuckDB file begins with three header pages; each of the last two names the number of blocks behind them.
_HEADER_BYTES: Final = 4096
_MAGIC_AT: Final = 8


def _require_whole(path: Path) -> None:
    """Refuse a file that is shorter than its own header says, before DuckDB touches it."""
    size = path.stat().st_size
    with open(path, "rb") as file:
        head = file.read(3 * _HEADER_BYTES)
    if head[_MAGIC_AT : _MAGIC_AT + 4] != b"DUCK":
        raise incompatible(path, "it is no event store", "Name another --state folder, or restore a backup.")
    if len(head) < 3 * _HEADER_BYTES:
        raise incompatible(path, "it is cut off", "Restore it from a backup.")
    # checksum, iteration, meta block, free list, block count, block size: 8 bytes each
    counts = []
    for page in (1, 2):
        fields = np.frombuffer(head, dtype="<u8", count=6, offset=page * _HEADER_BYTES)
        counts.append((int(fields[1]), int(fields[4]), int(fields[5])))
    _, n_blocks, block_bytes = max(counts)
    if size < 3 * _HEADER_BYTES + n_blocks * block_bytes:
        raise incompatible(path, "it is cut off", "Restore it from a backup.")


def _open_error(path: Path | None, error: Exception, existed: bool) -> GraphscanError:
    text = str(error)
    if re.search(r"\block\b", text):
        return GraphscanError(
            f"Another process holds the store: {_first_line(error)}",
            str(path),
            "Wait for it to end and run again.",
            EXIT_TRY_AGAIN,
        )
    if existed:
        return incompatible(path, _first_line(error), "Use the release that wrote it, or restore a backup.")
    return GraphscanError(
        f"The store cannot be made: {_first_line(error)}",
        str(path),
        "Choose a folder that exists and can be written.",
        EXIT_CANNOT_WRITE,
    )


def incompatible(path: Path | None, what: str, mend: str) -> GraphscanError:
    """The error for a store that cannot be used; a copy of the file is kept and the file left as it is."""
    where = str(path or "temporary store")
    if path is not None and path.exists():
        with open(path, "rb") as file:
            digest = hashlib.file_digest(file, "sha256").hexdigest()[:12]
        copy = path.with_name(f"{path.name}.kept-{digest}")
        try:
            if not copy.exists():
                shutil.copyfile(path, copy)
            where = f"{path}; a copy is kept at {copy}"
        except OSError as error:
            where = f"{path}; no copy could be made: {error.strerror}"
    return GraphscanError(f"The event store cannot be used: {what}", where, mend, EXIT_INCOMPATIBLE)
