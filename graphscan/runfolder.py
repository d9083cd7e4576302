"""The run folder: what a sweep leaves behind, written under a temporary name and renamed whole.

CSV files are exact: ids as they came, RFC 4180 quoting, times as ISO-8601 UTC with six decimals. Every table
is written in canonical order, so the same input and settings give the same bytes.
"""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import pyarrow as pa

from graphscan.errors import EXIT_CANNOT_WRITE, GraphscanError

SCHEMA_VERSION: Final = "1"
DONE: Final = "DONE"
MANIFEST: Final = "manifest.json"
REJECTS: Final = "rejects.ndjson"


@dataclass(frozen=True)
class RunFolder:
    """A run folder being written.

    Parameters
    ----------
    target
        Where it will stand.
    scratch
        Where it stands until it is whole.
    """

    target: Path
    scratch: Path

    def write_parquet(self, name: str, table: pa.Table) -> None:
        """Write ``name.parquet``."""
        import pyarrow.parquet as pq

        with _writing(self.scratch / f"{name}.parquet") as path:
            pq.write_table(table.combine_chunks(), path, compression="zstd", store_schema=False)

    def write_csv(self, name: str, table: pa.Table) -> None:
        """Write ``name.csv``."""
        with _writing(self.scratch / f"{name}.csv") as path:
            write_exact_csv(table, path)

    def write_json(self, name: str, document: Mapping[str, Any]) -> None:
        """Write a JSON document, keys in the order given."""
        text = json.dumps(document, indent=2, ensure_ascii=False, allow_nan=False)
        with _writing(self.scratch / name) as path:
            path.write_text(text + "\n", encoding="utf-8")

    def write_lines(self, name: str, rows: Iterable[Mapping[str, Any]]) -> None:
        """Write NDJSON, one object a row."""
        text = "".join(json.dumps(row, ensure_ascii=False, separators=(",", ":")) + "\n" for row in rows)
        with _writing(self.scratch / name) as path:
            path.write_text(text, encoding="utf-8")

    def finish(self) -> None:
        """Write ``DONE`` and give the folder its name."""
        with _writing(self.scratch / DONE) as path:
            path.write_text("", encoding="utf-8")
        self.settle(self.target)

    def fail(self) -> Path:
        """Keep only the manifest and the rejected rows, as ``TARGET.failed``."""
        failed = self.target.with_name(self.target.name + ".failed")
        for path in self.scratch.iterdir():
            if path.name not in (MANIFEST, REJECTS):
                shutil.rmtree(path) if path.is_dir() else path.unlink()
        self.settle(failed)
        return failed

    def settle(self, target: Path) -> None:
        """Move the folder to ``target``, in place of what stood there."""
        with _writing(target):
            old = target.with_name(f".{target.name}.old")
            if target.exists():
                if old.exists():
                    shutil.rmtree(old)
                target.rename(old)
            self.scratch.rename(target)
            if old.exists():
                shutil.rmtree(old)

    def discard(self) -> None:
        """Leave nothing."""
        shutil.rmtree(self.scratch, ignore_errors=True)


class _writing:  # noqa: N801
    """A disk that is full or closed ends in one clear error, whatever was being written."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __enter__(self) -> Path:
        return self.path

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: object) -> None:
        if isinstance(error, OSError):
            raise GraphscanError(
                f"Cannot write: {error.strerror or error}",
                str(self.path),
                "Free some space or choose another folder with --out.",
                EXIT_CANNOT_WRITE,
            ) from error


def new_run_folder(target: Path, *, force: bool = False) -> RunFolder:
    """Begin a run folder.

    Raises
    ------
    GraphscanError
        Exit code 73 if the target is in the way (not empty and no ``force``) or cannot be written.
    """
    if target.exists() and not force and (not target.is_dir() or any(target.iterdir())):
        raise GraphscanError(
            "The output folder is not empty and is left untouched.",
            str(target),
            "Choose another folder with --out, or replace this one with --force.",
            EXIT_CANNOT_WRITE,
        )
    scratch = target.with_name(f".{target.name}.part")
    with _writing(scratch):
        if scratch.exists():
            shutil.rmtree(scratch)
        scratch.mkdir(parents=True)
    return RunFolder(target, scratch)


def finished_run_id(folder: Path) -> str | None:
    """Run id of a complete run folder, None for anything else."""
    try:
        if not (folder / DONE).exists():
            return None
        run_id = json.loads((folder / MANIFEST).read_text(encoding="utf-8"))["run_id"]
        return str(run_id)
    except (OSError, ValueError, KeyError, TypeError):
        return None


def write_exact_csv(table: pa.Table, path: str | os.PathLike[str]) -> None:
    """Write a table as RFC 4180 CSV without changing a character of any id.

    Null is an empty field, an empty string a quoted empty one. Booleans are ``true`` and ``false``.
    """
    import pyarrow.compute as pc
    import pyarrow.csv as pa_csv

    columns = []
    for field in table.schema:
        column = table[field.name]
        if pa.types.is_timestamp(field.type):
            column = pc.strftime(column, format="%Y-%m-%dT%H:%M:%SZ")
        columns.append(column)
    text = pa.table(columns, names=table.column_names)
    pa_csv.write_csv(text, path, pa_csv.WriteOptions(quoting_style="needed"))
