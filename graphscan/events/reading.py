"""Reading events: from files of any known format to Arrow tables, with the ledger of every row."""

from __future__ import annotations

import json
import os
from bisect import bisect_right
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from graphscan.errors import EXIT_USAGE, GraphscanError
from graphscan.events.block import Block, Lines
from graphscan.events.columnar import ParquetReader
from graphscan.events.delimited import DelimitedReader, sniffed_delimiter
from graphscan.events.documents import DocumentReader, looks_like_document
from graphscan.events.formats.layout import RecordFormat, TableFormat
from graphscan.events.formats.native import NATIVE
from graphscan.events.formats.registry import (
    KNOWN_COLUMNS,
    duplicate_columns,
    format_named,
    missing_columns,
    recognised_record,
    recognised_table,
    unknown_document,
    unknown_layout,
)
from graphscan.events.identity import canonical_order, repeats
from graphscan.events.jsonlines import JsonLinesReader
from graphscan.events.ledger import Ledger, Reject, require_within_budget
from graphscan.events.model import EVENT_COLUMNS, EVENT_SCHEMA
from graphscan.events.normal import normal_events
from graphscan.events.records import RecordReader, sampled
from graphscan.events.sources import BLOCK_BYTES, PARQUET_MAGIC, STDIN, Source, empty_input, open_source
from graphscan.events.times import TimeReader

Progress = Callable[[int, int, int], None]
"""Called with bytes read, bytes in all (0 where unknown) and rows read so far."""

NEEDED_COLUMNS: Final = ("account_id", "action", "object_id", "timestamp_us", "event_id")
CONSTANT_MARK: Final = "="
# So many rejected rows, and most of those read, end the reading early: no more can be learnt from the rest.
HOPELESS_REJECTS: Final = 100_000


@dataclass(frozen=True)
class InputFile:
    """What is known of one input, for the manifest.

    Attributes
    ----------
    path
        As it was given.
    sha256
        Hex digest of the bytes on disk; empty if digests were not asked for.
    format, container, compression
        Such as ``native``, ``csv``, ``gzip``.
    time_unit
        ``iso``, ``s``, ``ms``, ``us`` or ``ns``; empty if there was no time to read.
    time_resolution_us
        The finest step of its times, microseconds.
    n_rows
        Rows read.
    ignored_columns
        Columns beyond the format's own.
    warnings
        What a user should know about this input.
    """

    path: str
    sha256: str
    format: str
    container: str
    compression: str
    time_unit: str
    time_resolution_us: int
    n_rows: int
    ignored_columns: tuple[str, ...]
    warnings: tuple[str, ...] = ()

    def as_dict(self) -> dict[str, object]:
        """The entry under ``inputs`` of the manifest."""
        return {name: list(v) if isinstance(v, tuple) else v for name, v in self.__dict__.items()}


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


@dataclass
class _Open:
    """One input while it is read."""

    source: Source
    layout: TableFormat | RecordFormat
    container: str
    header: tuple[str, ...]
    times: TimeReader
    blocks: Iterator[Block]
    ignored: tuple[str, ...]
    renames: dict[str, str]
    constants: dict[str, str]
    warnings: list[str] = field(default_factory=list)
    n_rows: int = 0


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
        self._format = format_named(file_format) if file_format else None
        self._mapping = _checked_mapping(mapping or {})
        self.columns = _wanted(columns)
        self._coded = coded
        self._digests = digests
        self._on_progress = on_progress
        self._block_bytes = block_bytes
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

    def reject_conflict(self, row: int, kept_place: str, excerpt: str) -> None:
        """Record that a row has the event id of another one and other content.

        Parameters
        ----------
        row
            The row, counted over all tables that iterating gave.
        kept_place
            ``file:line`` of the row that is kept.
        excerpt
            The rejected row in words.
        """
        file, line = self.place(row)
        message = f"same event_id as {kept_place}, other content; that one sorts first and is kept"
        self.add_reject(Reject(file, line, "event_id", "conflict", message, excerpt))

    def add_reject(self, reject: Reject) -> None:
        """Record a rejected row."""
        self._reasons[reject.reason] += 1
        self.rejects.append(reject)

    def __iter__(self) -> Iterator[pa.Table]:
        return (batch.table for batch in self.batches())

    def batches(self) -> Iterator[Batch]:
        """The tables one by one, each with the places of its rows."""
        if self._iterated:
            raise RuntimeError("a reading can be iterated once")
        self._iterated = True
        total = sum(_size(name) for name in self._sources)
        done = 0
        for name in self._sources:
            source = open_source(name)
            try:
                opened = self._opened(source)
                try:
                    for block in opened.blocks:
                        table = self._take(opened, block)
                        if self._on_progress is not None:
                            self._on_progress(done + source.bytes_done(), total, self._n_read)
                        if table.num_rows:
                            yield self._batch(table)
                finally:
                    self.inputs.append(self._described(opened))
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

    def _take(self, opened: _Open, block: Block) -> pa.Table:
        """One block: convert, check, and keep the books."""
        self._n_read += block.n_read
        opened.n_rows += block.n_read
        for reject in block.rejects:
            self.add_reject(reject)
        source_rows = block.table
        if "event_id" not in opened.constants and self._lacks_event_id(opened, source_rows):
            source_rows = block.wide()
        native, flaws = _converted(opened, source_rows)
        columns = (
            self.columns if "event_id" in native.column_names and not _has_nulls(native) else EVENT_COLUMNS
        )
        normal = normal_events(
            native, opened.times, block.lines, columns, coded=self._coded, format_flaws=flaws
        )
        back = {native: source for source, native in opened.renames.items()}
        if isinstance(opened.layout, TableFormat):
            back = {**opened.layout.source_of, **back}
        for row, column, reason, message in normal.flaws:
            name = back.get(column, column)
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

    def _lacks_event_id(self, opened: _Open, rows: pa.Table) -> bool:
        """Whether ids must be derived and columns of the content were left unread."""
        if opened.layout is not NATIVE or set(self.columns) == set(EVENT_COLUMNS):
            return False
        source = next((s for s, native in opened.renames.items() if native == "event_id"), "event_id")
        return source in rows.column_names and _has_nulls(rows, source)

    def _opened(self, source: Source) -> _Open:
        """Find out what an input is, and make ready to read it."""
        head = source.peek(1 << 16)
        if head[:4] == PARQUET_MAGIC:
            reader = ParquetReader(source)
            return self._table_input(source, "parquet", reader.header, reader.blocks)
        text = head.removeprefix(b"\xef\xbb\xbf").lstrip()
        if not text:
            # A damaged stream may hide behind an empty head.
            DelimitedReader(source, ",").read_header()
            raise empty_input(source.name)
        if isinstance(self._format, RecordFormat) or text[:1] in (b"{", b"["):
            return self._json_input(source)
        delimited = DelimitedReader(source, sniffed_delimiter(head, KNOWN_COLUMNS), self._block_bytes)
        header = delimited.read_header()
        container = {"\t": "tsv"}.get(delimited.delimiter, "csv")
        if isinstance(self._format, TableFormat) and self._format.by_position:
            return self._positional_input(source, container, delimited, self._format)
        layout = recognised_table(header)
        if layout is not None and layout.by_position and self._format is None and not self._mapping:
            return self._positional_input(source, container, delimited, layout)
        return self._table_input(source, container, header, delimited.blocks)

    def _json_input(self, source: Source) -> _Open:
        if looks_like_document(source.head):
            sample, items = sampled(DocumentReader(source))
            layout = self._format or recognised_record(sample)
            if not isinstance(layout, RecordFormat):
                raise unknown_document(source.name, sample)
            return self._record_input("json", RecordReader.of_items(source, layout, items), source)
        lines = JsonLinesReader(source, self._block_bytes)
        header = lines.read_header()
        layout = self._format or (None if self._mapping else recognised_record(lines.sample))
        if isinstance(layout, RecordFormat):
            return self._record_input("ndjson", RecordReader.of_lines(source, layout, lines), source)
        if not lines.sample:
            # Not one readable line: every line is rejected as such, if it is NDJSON at all.
            header = NATIVE.columns
        opened = self._table_input(source, "ndjson", header, lines.blocks, optional_fields=True)
        sources = {native: name for name, native in opened.renames.items()}
        lines.list_fields = frozenset(sources.get(name, name) for name in ("urls", "hashtags"))
        lines.boolean_fields = frozenset({sources.get("ai_declared", "ai_declared")})
        if isinstance(opened.layout, TableFormat):
            # A field may first come up anywhere in the file, so all that the format knows are asked for.
            lines.wide_fields = tuple(sources.get(name, name) for name in opened.layout.columns)
        return opened

    def _record_input(self, container: str, records: RecordReader, source: Source) -> _Open:
        if self._mapping:
            raise GraphscanError(
                f"A mapping does not go with the format {records.layout.name}", source.name, "", EXIT_USAGE
            )
        times = TimeReader(source.name, records.layout.time_rule)
        return _Open(source, records.layout, container, (), times, records.blocks(), (), {}, {})

    def _positional_input(
        self, source: Source, container: str, reader: DelimitedReader, layout: TableFormat
    ) -> _Open:
        """A layout whose columns are known by their position, whatever they are called."""
        header = reader.header
        if len(header) != len(layout.required):
            raise GraphscanError(
                f"{layout.title} has {len(layout.required)} columns by position, here are {len(header)}",
                f"{source.name}, header; found: {', '.join(header)}",
                f"The order is {' '.join(layout.required)}.",
                EXIT_USAGE,
            )
        warnings = []
        at = layout.required.index("timestamp")
        if header[at].strip().lstrip("-").replace(".", "", 1).isdigit():
            reader.header_is_data(layout.required)
            warnings.append("the first line is no header and was read as a row")
        else:
            reader.header = layout.required
        opened = self._table_input(source, container, layout.required, reader.blocks, layout=layout)
        opened.warnings.extend(warnings)
        return opened

    def _table_input(
        self,
        source: Source,
        container: str,
        header: tuple[str, ...],
        blocks: Callable[[Sequence[str]], Iterator[Block]],
        *,
        layout: TableFormat | None = None,
        optional_fields: bool = False,
    ) -> _Open:
        """An input with one event a row: settle its format, its mapping, and the columns to read."""
        duplicate = duplicate_columns(source.name, header)
        if duplicate is not None:
            raise duplicate
        renames, constants = self._renames(source.name, header)
        fields = [renames.get(name, name) for name in header if name not in _shadowed(header, renames)]
        fields += [name for name in (*renames.values(), *constants) if name not in fields]
        chosen = layout or self._format or recognised_table(fields)
        if chosen is None:
            raise unknown_layout(source.name, header)
        if not isinstance(chosen, TableFormat):
            raise GraphscanError(
                f"{chosen.title} is JSON, and this input is {container}",
                source.name,
                "Check --format.",
                EXIT_USAGE,
            )
        warnings = []
        for old, new in chosen.renamed.items():
            if old in fields and new not in fields:
                fields[fields.index(old)] = new
                renames[old] = new
                warnings.append(f"the column {old} is an old name of {new}")
        needed = [c for c in chosen.required if c not in fields]
        if needed and not (optional_fields and len(needed) < len(chosen.required)):
            raise missing_columns(source.name, chosen, fields)
        used = [name for name in header if renames.get(name, name) in chosen.columns]
        used = [name for name in used if name not in _shadowed(header, renames) and name not in constants]
        ignored = tuple(name for name in header if name not in used)
        if chosen is NATIVE and "event_id" in fields:
            wanted = {"timestamp" if c == "timestamp_us" else c for c in self.columns}
            used = [name for name in used if renames.get(name, name) in wanted]
        if container == "ndjson":
            sources = {native: name for name, native in renames.items()}
            wanted = set(chosen.columns)
            if chosen is NATIVE:
                wanted = {"timestamp" if c == "timestamp_us" else c for c in self.columns}
            used = [sources.get(c, c) for c in chosen.columns if c in wanted and c not in constants]
        return _Open(
            source=source,
            layout=chosen,
            container=container,
            header=header,
            times=TimeReader(source.name, chosen.time_rule),
            blocks=blocks(used),
            ignored=ignored,
            renames=renames,
            constants=constants,
            warnings=warnings,
        )

    def _renames(self, name: str, header: tuple[str, ...]) -> tuple[dict[str, str], dict[str, str]]:
        """From the mapping: source column to native one, and native columns of one value."""
        renames: dict[str, str] = {}
        constants: dict[str, str] = {}
        for native, field_name in self._mapping.items():
            if field_name.startswith(CONSTANT_MARK):
                constants[native] = field_name[len(CONSTANT_MARK) :]
            elif field_name not in header and field_name.split(".")[0] not in header:
                raise GraphscanError(
                    f"The mapping names the field {field_name!r}, which is not there",
                    f"{name}; fields seen: {', '.join(header[:40])}",
                    f"Write --map {native}=FIELD with one of these fields.",
                    EXIT_USAGE,
                )
            else:
                renames[field_name] = native
        return renames, constants

    def _described(self, opened: _Open) -> InputFile:
        source = opened.source
        return InputFile(
            path=source.name,
            sha256=source.sha256() if self._digests else "",
            format=opened.layout.name,
            container=opened.container,
            compression=source.compression,
            time_unit=opened.times.unit,
            time_resolution_us=opened.times.resolution_us,
            n_rows=opened.n_rows,
            ignored_columns=opened.ignored,
            warnings=tuple(opened.warnings),
        )


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
        file, line = reading.place(kept)
        reading.reject_conflict(row, f"{file}:{line}", row_excerpt(table, row))
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


def _converted(opened: _Open, rows: pa.Table) -> tuple[pa.Table, tuple[tuple[int, str, str, str], ...]]:
    """Source columns to native ones, times still as written."""
    if opened.renames:
        rows = rows.rename_columns([opened.renames.get(name, name) for name in rows.column_names])
    for name, value in opened.constants.items():
        if name in rows.column_names:
            rows = rows.drop_columns([name])
        constant = pa.array([value or None], type=pa.string()).take(
            pa.array([0] * rows.num_rows, type=pa.int32())
        )
        rows = rows.append_column(name, constant)
    if not isinstance(opened.layout, TableFormat):
        return rows, ()
    result = opened.layout.convert(rows)
    return result.table, result.flaws


def _shadowed(header: Iterable[str], renames: Mapping[str, str]) -> set[str]:
    """Source columns whose own name another column takes by the mapping."""
    taken = set(renames.values())
    return {name for name in header if name in taken and name not in renames}


def _has_nulls(table: pa.Table, column: str = "event_id") -> bool:
    values = table[column]
    return bool(values.null_count) or bool(
        pa.types.is_string(values.type) and pa.compute.any(pa.compute.equal(values, "")).as_py()
    )


def _checked_mapping(mapping: Mapping[str, str]) -> dict[str, str]:
    known = set(NATIVE.columns)
    for native in mapping:
        if native not in known:
            raise GraphscanError(
                f"The mapping names {native!r}, which is no native column",
                "--map",
                f"Native columns: {', '.join(NATIVE.columns)}.",
                EXIT_USAGE,
            )
    return dict(mapping)


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
