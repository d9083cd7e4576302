"""Reading events: from files of any known format to Arrow tables, with the ledger of every row."""

from __future__ import annotations

import json
import os
from bisect import bisect_right
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from graphscan.errors import EXIT_USAGE, GraphscanError
from graphscan.events.block import Block, Lines
from graphscan.events.formats.native import NATIVE
from graphscan.events.formats.registry import format_named
from graphscan.events.identity import canonical_order, repeats
from graphscan.events.inputs import InputFile, InputOpener, OpenInput, checked_mapping
from graphscan.events.ledger import Ledger, Reject, require_within_budget
from graphscan.events.model import EVENT_COLUMNS, EVENT_SCHEMA
from graphscan.events.normal import normal_events
from graphscan.events.sources import BLOCK_BYTES, STDIN, open_source

Progress = Callable[[int, int, int], None]
"""Called with bytes read, bytes in all (0 where unknown) and rows read so far."""

NEEDED_COLUMNS: Final = ("account_id", "action", "object_id", "timestamp_us", "event_id")
# So many rejected rows, and most of those read, end the reading early: no more can be learnt from the rest.
HOPELESS_REJECTS: Final = 100_000


@dataclass(frozen=True)
class _Span:
    file: str
    lines: Lines


@dataclass(frozen=True)
class Batch:
    """Events of one block, and where its rows stand.

    Attributes
    ----------
    table
        Events in the native schema, or the part of it asked for.
    file
        The input as it was given.
    lines
        Line number of each row, shape (n,).
    first_row
        Number of the first row, counted over all batches; ``Reading.place`` takes such numbers.
    """

    table: pa.Table
    file: str
    lines: NDArray[np.int64]
    first_row: int


class Reading:
    """Events of several inputs, block by block; what was read, rejected and from where is known afterwards.

    Iterating gives tables in ``EVENT_SCHEMA`` (or the part of it asked for), in the order of the inputs, rows
    with one event id not yet merged: ``load_table`` and ``EventStore.add`` do that. It can be iterated once.
    If an input cannot be read to its end, the error is raised while iterating, and ``ledger``, ``rejects``
    and ``inputs`` then tell how far it came.
    """

    def __init__(
        self,
        sources: Sequence[str | os.PathLike[str]],
        *,
        file_format: str | None,
        mapping: Mapping[str, str] | None,
        columns: Sequence[str] | None,
        coded: bool,
        digests: bool,
        on_progress: Progress | None,
        block_bytes: int,
    ) -> None:
        if not sources:
            raise GraphscanError(
                "No input was named", "", "Name event files, or - for standard input.", EXIT_USAGE
            )
        self._sources = [os.fspath(s) for s in sources]
        if self._sources.count(STDIN) > 1:
            raise GraphscanError("Standard input was named twice", "-", "Name it once.", EXIT_USAGE)
        self.columns = _wanted(columns)
        self._opener = InputOpener(
            file_format=format_named(file_format) if file_format else None,
            mapping=checked_mapping(mapping or {}),
            columns=self.columns,
            block_bytes=block_bytes,
        )
        self._coded = coded
        self._digests = digests
        self._on_progress = on_progress
        self._iterated = False
        self._starts: list[int] = []
        self._spans: list[_Span] = []
        self._n_passed = 0
        self._n_read = 0
        self._n_duplicates = 0
        self._n_late = 0
        self._reasons: Counter[str] = Counter()
        self._notes: list[str] = []
        self.rejects: list[Reject] = []
        self.inputs: list[InputFile] = []

    @property
    def ledger(self) -> Ledger:
        """The row ledger so far; balanced at every moment."""
        rejected = dict(sorted(self._reasons.items()))
        return Ledger(
            read=self._n_read,
            accepted=self._n_read - self._n_duplicates - sum(rejected.values()) - self._n_late,
            duplicate=self._n_duplicates,
            rejected=rejected,
            late=self._n_late,
        )

    @property
    def time_resolution_us(self) -> int:
        """The coarsest time resolution among the inputs, microseconds."""
        return max((i.time_resolution_us for i in self.inputs if i.n_rows), default=1)

    @property
    def warnings(self) -> tuple[str, ...]:
        """What a user should know about the inputs."""
        return (*(f"{i.path}: {warning}" for i in self.inputs for warning in i.warnings), *self._notes)

    def add_warning(self, text: str) -> None:
        """Record something a user should know that belongs to no single input."""
        self._notes.append(text)

    def place(self, row: int) -> tuple[str, int]:
        """File and line of a row, counted over all tables that iterating gave."""
        span = bisect_right(self._starts, row) - 1
        found = self._spans[span]
        return found.file, found.lines(row - self._starts[span])

    def places(self, rows: NDArray[np.int64]) -> list[tuple[str, int]]:
        """``place`` of several rows."""
        return [self.place(row) for row in rows.tolist()]

    def count_duplicates(self, n_rows: int) -> None:
        """Record that rows were found again with the same content."""
        self._n_duplicates += n_rows

    def count_late(self, n_rows: int) -> None:
        """Record that rows came too late to be taken."""
        self._n_late += n_rows

    def reject_conflict(self, file: str, line: int, kept_place: str, excerpt: str) -> None:
        """Record that a row has the event id of another one and other content.

        Parameters
        ----------
        file, line
            Where the row stands.
        kept_place
            ``file:line`` of the row that is kept.
        excerpt
            The rejected row in words.
        """
        message = f"same event_id as {kept_place}, other content; that one sorts first and is kept"
        self.add_reject(Reject(file, line, "event_id", "conflict", message, excerpt))

    def add_reject(self, reject: Reject) -> None:
        """Record a rejected row."""
        self._reasons[reject.reason] += 1
        self.rejects.append(reject)

    def __iter__(self) -> Iterator[pa.Table]:
        return self._tables()

    def batches(self) -> Iterator[Batch]:
        """The tables one by one, each with the places of its rows."""
        return (self._batch(table) for table in self._tables())

    def _tables(self) -> Iterator[pa.Table]:
        if self._iterated:
            raise RuntimeError("a reading can be iterated once")
        self._iterated = True
        total = sum(_size(name) for name in self._sources)
        done = 0
        for name in self._sources:
            source = open_source(name)
            try:
                opened = self._opener.opened(source)
                try:
                    for block in opened.blocks:
                        table = self._take(opened, block)
                        if self._on_progress is not None:
                            self._on_progress(done + source.bytes_done(), total, self._n_read)
                        if table.num_rows:
                            yield table
                finally:
                    self.inputs.append(opened.described(digest=self._digests))
            finally:
                source.close()
            done += source.size_bytes
        if self._on_progress is not None:
            self._on_progress(total, total, self._n_read)

    def _batch(self, table: pa.Table) -> Batch:
        span = self._spans[-1]
        rows = np.arange(table.num_rows, dtype=np.int64)
        lines = span.lines.of(rows).each
        assert lines is not None
        return Batch(table, span.file, lines, self._starts[-1])

    def _take(self, opened: OpenInput, block: Block) -> pa.Table:
        """One block: convert, check, and keep the books."""
        self._n_read += block.n_read
        opened.n_rows += block.n_read
        for reject in block.rejects:
            self.add_reject(reject)
        source_rows = block.table
        if self._lacks_event_id(opened, source_rows):
            source_rows = block.wide()
        native, flaws = opened.native_rows(source_rows)
        columns = (
            self.columns if "event_id" in native.column_names and not _has_nulls(native) else EVENT_COLUMNS
        )
        normal = normal_events(
            native, opened.times, block.lines, columns, coded=self._coded, format_flaws=flaws
        )
        for row, column, reason, message in normal.flaws:
            name = opened.source_name(column)
            self.add_reject(
                Reject(opened.source.name, block.lines(row), name, reason, message, block.excerpt(row))
            )
        if len(self.rejects) > HOPELESS_REJECTS and 2 * len(self.rejects) > self._n_read:
            require_within_budget(self.ledger, self.rejects)
        table = normal.table.select(list(self.columns))
        if table.num_rows:
            lines = block.lines if normal.kept is None else block.lines.of(normal.kept)
            self._starts.append(self._n_passed)
            self._spans.append(_Span(opened.source.name, lines))
            self._n_passed += table.num_rows
        return table

    def _lacks_event_id(self, opened: OpenInput, rows: pa.Table) -> bool:
        """Whether ids must be derived and columns of the content were left unread."""
        if opened.layout is not NATIVE or set(self.columns) == set(EVENT_COLUMNS):
            return False
        name = opened.fields.sources.get("event_id", "event_id")
        return name in rows.column_names and _has_nulls(rows, name)


def read_events(
    sources: Sequence[str | os.PathLike[str]],
    *,
    file_format: str | None = None,
    mapping: Mapping[str, str] | None = None,
    columns: Sequence[str] | None = None,
    coded: bool = False,
    digests: bool = True,
    on_progress: Progress | None = None,
    block_bytes: int = BLOCK_BYTES,
) -> Reading:
    """Make ready to read events; nothing is opened before the result is iterated.

    Parameters
    ----------
    sources
        Paths, or ``-`` for standard input; CSV, TSV, NDJSON or Parquet, plain, gzip or Zstandard, in any
        known format, each found by content.
    file_format
        Name of a format, where content is not to decide.
    mapping
        Native column to source field; ``=VALUE`` gives every row that value.
    columns
        Native columns wanted; the five that identify an event always come. All by default.
    coded
        Give ``account_id``, ``action`` and ``object_id`` as dictionary arrays (int32 codes), which is quicker
        where only codes are needed.
    digests
        Whether to take the SHA-256 of each input.
    on_progress
        Called after each block.
    block_bytes
        About how many bytes of text are taken at once. The result does not depend on it.

    Returns
    -------
    Reading
        Iterate it for the tables; then it knows the ledger, the rejects and the inputs.

    Raises
    ------
    GraphscanError
        Exit code 2 for an unknown format, mapping or column; while iterating also for unreadable inputs,
        unknown layouts, missing or duplicate columns (2) and for input that cannot be read further (3).
    """
    return Reading(
        sources,
        file_format=file_format,
        mapping=mapping,
        columns=columns,
        coded=coded,
        digests=digests,
        on_progress=on_progress,
        block_bytes=block_bytes,
    )


def load_table(reading: Reading) -> pa.Table:
    """All events of a reading in memory: each event id once, in canonical order (timestamp_us, event_id).

    Whether two rows of one event id are the same or conflict is judged by the columns that are read.

    Parameters
    ----------
    reading
        A reading not yet iterated; its ledger and rejects are complete afterwards.

    Raises
    ------
    GraphscanError
        What iterating the reading raises.
    """
    tables = list(reading)
    if not tables:
        return _empty(reading)
    table = pa.concat_tables(tables)
    del tables
    if any(pa.types.is_dictionary(f.type) for f in table.schema):
        table = table.unify_dictionaries()
    found = repeats(table)
    reading.count_duplicates(found.n_duplicates)
    for row, kept in found.conflicts:
        kept_file, kept_line = reading.place(kept)
        reading.reject_conflict(*reading.place(row), f"{kept_file}:{kept_line}", row_excerpt(table, row))
    return _in_order(table, found.kept)


def _in_order(table: pa.Table, kept: NDArray[np.int64] | None) -> pa.Table:
    """The kept rows in canonical order, one chunk a column; column by column, so memory is not doubled."""
    names = table.column_names
    columns = {name: table[name] for name in names}
    del table
    if kept is not None:
        columns = {name: columns[name].take(pa.array(kept)) for name in names}
    order = canonical_order(columns["timestamp_us"].to_numpy(), columns["event_id"])
    if order is None:
        return pa.table(columns).combine_chunks()
    rows = pa.array(order)
    ordered = {}
    for name in names:
        column = columns.pop(name).combine_chunks()
        ordered[name] = column.take(rows)
    return pa.table(ordered)


def load_events(
    sources: Sequence[str | os.PathLike[str]],
    *,
    file_format: str | None = None,
    mapping: Mapping[str, str] | None = None,
    columns: Sequence[str] | None = None,
    coded: bool = False,
    digests: bool = True,
    on_progress: Progress | None = None,
) -> tuple[pa.Table, Reading]:
    """``read_events`` and ``load_table`` in one: the events, and the reading with all its books."""
    reading = read_events(
        sources,
        file_format=file_format,
        mapping=mapping,
        columns=columns,
        coded=coded,
        digests=digests,
        on_progress=on_progress,
    )
    return load_table(reading), reading


def row_excerpt(table: pa.Table, row: int) -> str:
    """A row as JSON without the missing values, for a reject."""
    values = {name: table[name][row].as_py() for name in table.column_names}
    present = {name: value for name, value in values.items() if value is not None}
    return json.dumps(present, ensure_ascii=False, default=str)[:1000]


def _has_nulls(table: pa.Table, column: str = "event_id") -> bool:
    values = table[column]
    return bool(values.null_count) or bool(
        pa.types.is_string(values.type) and pc.any(pc.equal(values, "")).as_py()
    )


def _wanted(columns: Sequence[str] | None) -> tuple[str, ...]:
    if columns is None:
        return EVENT_COLUMNS
    asked = {"timestamp_us" if c == "timestamp" else c for c in columns}
    unknown = asked - set(EVENT_COLUMNS)
    if unknown:
        raise GraphscanError(
            f"No native column {', '.join(sorted(unknown))}",
            "columns",
            f"Native columns: {', '.join(EVENT_COLUMNS)}.",
            EXIT_USAGE,
        )
    return tuple(c for c in EVENT_COLUMNS if c in asked or c in NEEDED_COLUMNS)


def _empty(reading: Reading) -> pa.Table:
    fields = [EVENT_SCHEMA.field(name) for name in reading.columns]
    return pa.table([pa.array([], type=f.type) for f in fields], names=[f.name for f in fields])


def _size(name: str) -> int:
    try:
        return 0 if name == STDIN else os.stat(name).st_size
    except OSError:
        return 0
