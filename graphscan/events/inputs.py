"""What an input is: its container, its format, and which of its fields give which native column."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

import pyarrow as pa

from graphscan.errors import EXIT_USAGE, GraphscanError
from graphscan.events.block import Block
from graphscan.events.columnar import ParquetReader
from graphscan.events.delimited import DelimitedReader, sniffed_delimiter
from graphscan.events.documents import DocumentReader, looks_like_document
from graphscan.events.formats.layout import Flaw, RecordFormat, TableFormat
from graphscan.events.formats.native import NATIVE
from graphscan.events.formats.registry import (
    KNOWN_COLUMNS,
    duplicate_columns,
    missing_columns,
    recognised_record,
    recognised_table,
    unknown_document,
    unknown_layout,
)
from graphscan.events.jsonlines import JsonLinesReader
from graphscan.events.records import RecordReader, sampled
from graphscan.events.sources import PARQUET_MAGIC, Source, empty_input
from graphscan.events.times import TimeReader

CONSTANT_MARK: Final = "="
# What is often handed over and is no text: named, instead of a header nobody understands.
_ARCHIVES: Final = {
    b"PK\x03\x04": "a ZIP archive or a spreadsheet (XLSX)",
    b"BZh": "bzip2",
    b"\xfd7zXZ\x00": "xz",
    b"7z\xbc\xaf": "a 7-Zip archive",
    b"SQLite format 3\x00": "an SQLite database",
}
# Fewer events at one instant may well be chance.
_INSTANT_ROWS: Final = 10


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
class Fields:
    """Where native columns come from, beyond what the format itself says.

    Attributes
    ----------
    sources
        Native column to source field.
    constants
        Native column to the one value it has in all rows; an empty one leaves the column out.
    """

    sources: Mapping[str, str]
    constants: Mapping[str, str]


@dataclass
class OpenInput:
    """One input while it is read."""

    source: Source
    layout: TableFormat | RecordFormat
    container: str
    times: TimeReader
    blocks: Iterator[Block]
    fields: Fields = field(default_factory=lambda: Fields({}, {}))
    present_names: Mapping[str, str] = field(default_factory=dict)
    ignored: tuple[str, ...] = ()
    warnings: list[str] = field(default_factory=list)
    n_rows: int = 0

    def native_rows(self, rows: pa.Table) -> tuple[pa.Table, tuple[Flaw, ...]]:
        """Source columns as native ones, times still as written, and the rows the format turns away."""
        flaws: tuple[Flaw, ...] = ()
        columns: dict[str, pa.ChunkedArray | pa.Array] = {}
        if isinstance(self.layout, TableFormat) and self.layout is not NATIVE:
            named = [self.present_names.get(name, name) for name in rows.column_names]
            converted = self.layout.convert(rows.rename_columns(named))
            flaws = converted.flaws
            columns = {name: converted.table[name] for name in converted.table.column_names}
        elif isinstance(self.layout, RecordFormat):
            columns = {name: rows[name] for name in rows.column_names}
        for native, name in self.fields.sources.items():
            if name in rows.column_names:
                columns[native] = rows[name]
        for native, value in self.fields.constants.items():
            one = pa.array([value or None], type=pa.string())
            columns[native] = one.take(pa.array([0] * rows.num_rows, type=pa.int32()))
        return pa.table(columns), flaws

    def source_name(self, native: str) -> str:
        """What a native column is called in the source."""
        if native in self.fields.sources:
            return self.fields.sources[native]
        if isinstance(self.layout, TableFormat):
            return self.layout.source_of.get(native, native)
        return native

    def described(self, *, digest: bool) -> InputFile:
        """What the manifest says of this input."""
        warnings = list(self.warnings)
        if self.n_rows >= _INSTANT_ROWS and self.times.at_one_instant:
            warnings.append("all events bear one and the same time, as after a bulk import")
        return InputFile(
            path=self.source.name,
            sha256=self.source.sha256() if digest else "",
            format=self.layout.name,
            container=self.container,
            compression=self.source.compression,
            time_unit=self.times.unit,
            time_resolution_us=self.times.resolution_us,
            n_rows=self.n_rows,
            ignored_columns=self.ignored,
            warnings=tuple(warnings),
        )


@dataclass(frozen=True)
class InputOpener:
    """Finds out what inputs are.

    Attributes
    ----------
    file_format
        The format asked for, or None to go by content.
    mapping
        Native column to source field, or to ``=VALUE``.
    columns
        Native columns wanted.
    block_bytes
        About how many bytes of text are taken at once.
    """

    file_format: TableFormat | RecordFormat | None
    mapping: Mapping[str, str]
    columns: tuple[str, ...]
    block_bytes: int

    def opened(self, source: Source) -> OpenInput:
        """Make ready to read one input.

        Raises
        ------
        GraphscanError
            Exit code 2 for an unknown layout, missing or duplicate columns; 3 for an empty or broken input.
        """
        head = source.peek(1 << 16)
        if head[:4] == PARQUET_MAGIC:
            reader = ParquetReader(source)
            return self._table(source, "parquet", reader.header, reader.blocks)
        for magic, kind in _ARCHIVES.items():
            if head.startswith(magic):
                raise GraphscanError(
                    f"The input is {kind}, which is not read",
                    source.name,
                    "Unpack it, or export CSV, NDJSON or Parquet (plain, .gz or .zst).",
                    EXIT_USAGE,
                )
        text = head.removeprefix(b"\xef\xbb\xbf").lstrip()
        if not text:
            # A damaged stream may hide behind an empty head.
            DelimitedReader(source, ",").read_header()
            raise empty_input(source.name)
        if isinstance(self.file_format, RecordFormat) or text[:1] in (b"{", b"["):
            return self._json(source)
        return self._delimited(source, head)

    def _delimited(self, source: Source, head: bytes) -> OpenInput:
        reader = DelimitedReader(source, sniffed_delimiter(head, KNOWN_COLUMNS), self.block_bytes)
        header = reader.read_header()
        container = {"\t": "tsv"}.get(reader.delimiter, "csv")
        layout = self.file_format or recognised_table(header)
        if isinstance(layout, TableFormat) and layout.by_position:
            return self._by_position(source, container, reader, layout)
        return self._table(source, container, header, reader.blocks)

    def _json(self, source: Source) -> OpenInput:
        if looks_like_document(source.head):
            sample, items = sampled(DocumentReader(source))
            layout = self.file_format or recognised_record(sample)
            if not isinstance(layout, RecordFormat):
                raise unknown_document(source.name, sample)
            return self._records("json", RecordReader.of_items(source, layout, items), source)
        lines = JsonLinesReader(source, self.block_bytes)
        header = lines.read_header()
        layout = self.file_format or (None if self.mapping else recognised_record(lines.sample))
        if isinstance(layout, RecordFormat):
            return self._records("ndjson", RecordReader.of_lines(source, layout, lines), source)
        if not lines.sample:
            # Not one readable line: every line is rejected as such, if it is NDJSON at all.
            header = NATIVE.columns
        opened = self._table(source, "ndjson", header, lines.blocks)
        names = {name: opened.fields.sources.get(name, name) for name in NATIVE.columns}
        lines.list_fields = frozenset({names["urls"], names["hashtags"]})
        lines.boolean_fields = frozenset({names["ai_declared"]})
        # A field may first come up anywhere in the file, so all that the format knows are asked for.
        lines.wide_fields = tuple(dict.fromkeys(names.values()))
        return opened

    def _records(self, container: str, records: RecordReader, source: Source) -> OpenInput:
        if self.mapping:
            raise GraphscanError(
                f"A mapping does not go with the format {records.layout.name}",
                source.name,
                "Leave --map out, or convert the records to native events.",
                EXIT_USAGE,
            )
        times = TimeReader(source.name, records.layout.time_rule)
        return OpenInput(source, records.layout, container, times, records.blocks())

    def _by_position(
        self, source: Source, container: str, reader: DelimitedReader, layout: TableFormat
    ) -> OpenInput:
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
        opened = self._table(source, container, layout.required, reader.blocks)
        opened.warnings.extend(warnings)
        return opened

    def _table(
        self,
        source: Source,
        container: str,
        header: tuple[str, ...],
        blocks: Callable[[Sequence[str]], Iterator[Block]],
    ) -> OpenInput:
        """An input with one event a row: settle its format, its mapping, and the columns to read."""
        duplicate = duplicate_columns(source.name, header)
        if duplicate is not None:
            raise duplicate
        fields = self._mapped(source.name, header)
        layout = self._layout(source.name, container, header, fields)
        if layout is NATIVE:
            return self._native(source, container, header, fields, blocks)
        warnings = []
        present_names: dict[str, str] = {}
        for old, new in layout.renamed.items():
            if old in header and new not in header and new not in present_names.values():
                present_names[old] = new
                warnings.append(f"the column {old} is an old name of {new}")
        named = [present_names.get(name, name) for name in header]
        if not set(named) >= set(layout.required):
            raise missing_columns(source.name, layout, named)
        used = [
            name
            for name, present in zip(header, named, strict=True)
            if present in layout.columns or name in fields.sources.values()
        ]
        return OpenInput(
            source=source,
            layout=layout,
            container=container,
            times=TimeReader(source.name, layout.time_rule),
            blocks=blocks(used),
            fields=fields,
            present_names=present_names,
            ignored=tuple(name for name in header if name not in used),
            warnings=warnings,
        )

    def _native(
        self,
        source: Source,
        container: str,
        header: tuple[str, ...],
        mapped: Fields,
        blocks: Callable[[Sequence[str]], Iterator[Block]],
    ) -> OpenInput:
        """The native schema, with or without a mapping."""
        # In NDJSON a field may be missing from the first lines and still come up later.
        anywhere = container == "ndjson"
        sources = {
            native: mapped.sources.get(native, native)
            for native in NATIVE.columns
            if native not in mapped.constants and (anywhere or native in header or native in mapped.sources)
        }
        seen = [n for n in NATIVE.columns if n in header or n in mapped.sources or n in mapped.constants]
        missing = [name for name in NATIVE.required if name not in seen]
        if missing and not (anywhere and len(missing) < len(NATIVE.required)):
            raise missing_columns(source.name, NATIVE, [*header, *mapped.sources, *mapped.constants])
        wanted = set(NATIVE.columns)
        if "event_id" in seen and mapped.constants.get("event_id") != "":
            # Without an event id all columns are needed to derive one.
            wanted = {"timestamp" if c == "timestamp_us" else c for c in self.columns}
        used = list(dict.fromkeys(name for native, name in sources.items() if native in wanted))
        known = set(sources.values())
        return OpenInput(
            source=source,
            layout=NATIVE,
            container=container,
            times=TimeReader(source.name, NATIVE.time_rule),
            blocks=blocks(used),
            fields=Fields(sources, mapped.constants),
            ignored=tuple(name for name in header if name not in known),
        )

    def _layout(self, name: str, container: str, header: tuple[str, ...], fields: Fields) -> TableFormat:
        """The format asked for, else native if a mapping makes it so, else the one the header shows."""
        layout = self.file_format
        if layout is None:
            given = {*header, *fields.sources, *fields.constants}
            complete = bool(self.mapping) and given >= set(NATIVE.required)
            layout = NATIVE if complete else recognised_table(header)
        if layout is None:
            if self.mapping:
                raise missing_columns(name, NATIVE, [*header, *fields.sources, *fields.constants])
            raise unknown_layout(name, header)
        if isinstance(layout, RecordFormat):
            raise GraphscanError(
                f"{layout.title} is JSON, and this input is {container}", name, "Check --format.", EXIT_USAGE
            )
        return layout

    def _mapped(self, name: str, header: tuple[str, ...]) -> Fields:
        """What the mapping says, checked against the fields that are there."""
        sources: dict[str, str] = {}
        constants: dict[str, str] = {}
        for native, field_name in self.mapping.items():
            if field_name.startswith(CONSTANT_MARK):
                constants[native] = field_name[len(CONSTANT_MARK) :]
            elif field_name in header or field_name.split(".")[0] in header:
                sources[native] = field_name
            else:
                raise GraphscanError(
                    f"The mapping names the field {field_name!r}, which is not there",
                    f"{name}; fields seen: {', '.join(header[:40])}",
                    f"Write --map {native}=FIELD with one of these fields.",
                    EXIT_USAGE,
                )
        return Fields(sources, constants)


def checked_mapping(mapping: Mapping[str, str]) -> dict[str, str]:
    """The mapping, if it names native columns only.

    Raises
    ------
    GraphscanError
        Exit code 2.
    """
    for native in mapping:
        if native not in NATIVE.columns:
            raise GraphscanError(
                f"The mapping names {native!r}, which is no native column",
                "--map",
                f"Native columns: {', '.join(NATIVE.columns)}.",
                EXIT_USAGE,
            )
    return dict(mapping)
