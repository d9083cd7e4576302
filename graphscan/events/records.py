"""Nested JSON records, one or more events each, for the formats that are no tables."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

import numpy as np
import pyarrow as pa

from graphscan.events.block import Block, Lines, shown
from graphscan.events.formats.layout import RecordError, RecordFormat
from graphscan.events.jsonlines import JsonLinesReader, LineError, parsed_line
from graphscan.events.ledger import Reject
from graphscan.events.normal import TEXT_COLUMNS
from graphscan.events.sources import Source

COLUMNS = (*TEXT_COLUMNS, "timestamp", "urls", "hashtags")
_LISTS = ("urls", "hashtags")


class RecordReader:
    """Reads one input of a record format.

    Parameters
    ----------
    source
        The open input.
    lines
        Its lines.
    layout
        The format.
    """

    def __init__(self, source: Source, lines: JsonLinesReader, layout: RecordFormat) -> None:
        self._source = source
        self._lines = lines
        self.layout = layout

    @classmethod
    def of(cls, source: Source, lines: JsonLinesReader, layout: RecordFormat | None) -> RecordReader | None:
        """A reader, if the input is of a record format."""
        return None if layout is None else cls(source, lines, layout)

    def blocks(self) -> Iterator[Block]:
        """All events, block by block."""
        for number, lines, _ in self._lines.raw_lines():
            records: list[tuple[int, bytes, Any]] = []
            for offset, line in enumerate(lines):
                if not line.strip():
                    continue
                try:
                    records.append((number + offset, line, parsed_line(line.strip())))
                except LineError as error:
                    records.append((number + offset, line, error))
            if records:
                block = self._block(records)
                self._lines.n_read += block.n_read
                yield block

    def _block(self, records: list[tuple[int, bytes, Any]]) -> Block:
        values: dict[str, list[Any]] = {name: [] for name in COLUMNS}
        places: list[int] = []
        raws: list[bytes] = []
        rejects: list[Reject] = []
        n_read = 0
        for line, raw, record in records:
            n_read += 1
            if isinstance(record, LineError):
                rejects.append(
                    Reject(self._source.name, line, record.column, record.reason, record.message, shown(raw))
                )
                continue
            try:
                events: list[Mapping[str, Any]] = list(self.layout.events(record))
            except RecordError as error:
                rejects.append(
                    Reject(self._source.name, line, error.column, error.reason, error.message, shown(raw))
                )
                continue
            n_read += len(events) - 1
            for event in events:
                places.append(line)
                raws.append(raw)
                for name in COLUMNS:
                    value = event.get(name)
                    values[name].append(None if value is None or value == "" else value)
        arrays = {
            name: pa.array(cells, type=pa.list_(pa.string()) if name in _LISTS else pa.string())
            for name, cells in values.items()
        }
        table = pa.table(arrays)
        return Block(
            table=table,
            lines=Lines(0, np.array(places, dtype=np.int64)),
            excerpt=lambda row: shown(raws[row]),
            n_read=n_read,
            wide=lambda: table,
            rejects=rejects,
        )


def compact(record: Any) -> bytes:
    """A record as one line, for excerpts."""
    return json.dumps(record, ensure_ascii=False).encode("utf-8", errors="backslashreplace")


def iterable_records(document: Any) -> Iterable[dict[str, Any]]:
    """The objects of a JSON array."""
    return (item for item in document if isinstance(item, dict)) if isinstance(document, list) else ()
