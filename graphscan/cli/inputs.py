"""Event files as commands take them: the options, the reading, and what is said about it."""

from __future__ import annotations

import functools
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from importlib.abc import MetaPathFinder
from typing import TYPE_CHECKING, Any, ParamSpec, TypeVar

import click

from graphscan.errors import EXIT_USAGE, GraphscanError

if TYPE_CHECKING:
    import pyarrow as pa

    from graphscan.cli.output import Output
    from graphscan.cli.progress import StageProgress

P = ParamSpec("P")
R = TypeVar("R")


@dataclass(frozen=True)
class LoadedEvents:
    """Events in memory, and what their files said."""

    events: pa.Table
    ledger: dict[str, object]
    resolution_us: int
    warnings: tuple[str, ...]


def format_options(function: Callable[P, R]) -> Callable[P, R]:
    """Add ``EVENTS…``, ``--format`` and ``--map``."""
    return _format_options(function, required=True)


def optional_format_options(function: Callable[P, R]) -> Callable[P, R]:
    """Add what `format_options` adds, where the events may also come from elsewhere than files."""
    return _format_options(function, required=False)


def _format_options(function: Callable[P, R], *, required: bool) -> Callable[P, R]:
    @click.argument("events", nargs=-1, required=required, metavar="EVENTS..." if required else "[EVENTS...]")
    @click.option(
        "--format",
        "file_format",
        metavar="NAME",
        help="Format of the files, where content is not to decide: native, coortweet, cnt, ...",
    )
    @click.option(
        "--map",
        "mappings",
        multiple=True,
        metavar="COLUMN=FIELD",
        help="Read a native column from this field (account_id=author), or give it one value for all rows "
        "(action==repost); repeatable.",
    )
    @functools.wraps(function)
    def wrapped(*args: P.args, **kwargs: P.kwargs) -> R:
        return function(*args, **kwargs)

    return wrapped


def event_options(function: Callable[P, R]) -> Callable[P, R]:
    """Add what `format_options` adds, and ``--rejects``."""

    @format_options
    @click.option("--rejects", metavar="FILE", help="Write rejected rows here, as NDJSON.")
    @functools.wraps(function)
    def wrapped(*args: P.args, **kwargs: P.kwargs) -> R:
        return function(*args, **kwargs)

    return wrapped


def mapping_of(mappings: tuple[str, ...]) -> dict[str, str]:
    """``--map`` options as native column to source field.

    Raises
    ------
    GraphscanError
        Exit 2 for one that is not ``COLUMN=FIELD``.
    """
    found: dict[str, str] = {}
    for text in mappings:
        column, equals, source = text.partition("=")
        if not (column and equals and source):
            raise GraphscanError(
                f"{text!r} is no mapping",
                where="--map",
                mend="write COLUMN=FIELD, such as account_id=author",
                exit_code=EXIT_USAGE,
            )
        found[column] = source
    return found


def loaded_events(
    out: Output,
    progress: StageProgress,
    options: Mapping[str, Any],
    *,
    columns: list[str] | None = None,
    coded: bool = False,
) -> LoadedEvents:
    """Read the events that a command names, within the budget of rejected rows, and say what was read."""
    keep_pandas_out_of_arrow()
    from graphscan.events.ledger import require_within_budget, write_rejects
    from graphscan.events.reading import load_events

    def on_progress(done_bytes: int, total_bytes: int, rows: int) -> None:
        total_rows = round(rows * total_bytes / done_bytes) if done_bytes and total_bytes else None
        progress("reading", rows, total_rows)

    table, reading = load_events(
        options["events"],
        file_format=options["file_format"],
        mapping=mapping_of(options["mappings"]),
        columns=columns,
        coded=coded,
        digests=False,
        on_progress=on_progress,
    )
    ledger = reading.ledger
    if options["rejects"]:
        write_rejects(options["rejects"], reading.rejects)
    require_within_budget(ledger, reading.rejects)
    for warning in reading.warnings:
        out.warning(warning)
    out.note(
        f"read {ledger.read:,} rows: {ledger.accepted:,} accepted, {ledger.duplicate:,} duplicate, "
        f"{ledger.n_rejected:,} rejected"
    )
    if ledger.n_rejected and not options["rejects"]:
        first = reading.rejects[0]
        out.warning(
            f"{ledger.n_rejected:,} rows rejected, the first at {first.file}:{first.line}: {first.message}; "
            "--rejects FILE lists them all"
        )
    return LoadedEvents(table, ledger.as_dict(), reading.time_resolution_us, reading.warnings)


class _NoPandas(MetaPathFinder):
    def find_spec(self, fullname: str, path: object, target: object = None) -> None:
        if fullname == "pandas":
            raise ModuleNotFoundError("not needed here")


def keep_pandas_out_of_arrow() -> None:
    """Let Arrow find out, cheaply and once, that it is to work without pandas.

    Arrow looks for pandas at the first conversion of a Python value and imports it if it is there: more than
    a second of start-up for every command, for a feature that graphscan never uses.
    """
    if "pandas" in sys.modules:
        return
    finder = _NoPandas()
    sys.meta_path.insert(0, finder)
    try:
        import pyarrow as pa

        pa.array([0])
    finally:
        sys.meta_path.remove(finder)
