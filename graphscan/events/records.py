"""Nested JSON records, one or more events each, for the formats that are no tables."""

from __future__ import annotations

import itertools
import json
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Final

import numpy as np
import pyarrow as pa

from graphscan.events.block import Block, Lines, shown
from graphscan.events.documents import DocumentReader, Item
from graphscan.events.formats.layout import RecordError, RecordFormat
from graphscan.events.jsonlines import JsonLinesReader, LineError, parsed_line
from graphscan.events.ledger import EXCERPT_CHARACTERS, Reject
from graphscan.events.normal import TEXT_COLUMNS
from graphscan.events.sources import Source

COLUMNS: Final = (*TEXT_COLUMNS, "timestamp", "urls", "hashtags")
_LISTS: Final = ("urls", "hashtags")
_BLOCK_ITEMS: Final = 50_000
_SAMPLE_ITEMS: Final = 200

_Record = tuple[int, str, Any]
"""Line, raw text, and the record or the error it gave."""


class RecordReader:
    """Reads one input of a record format.

    Parameters
    ----------
    source
        The open input.
    layout
        The format.
    records
        Blocks of records.
    """

    def __init__(self, source: Source, layout: RecordFormat, records: Iterable[list[_Record]]) -> None:
        self._source = source
        self.layout = layout
        self._records = records

    @classmethod
    def of_lines(cls, source: Source, layout: RecordFormat, lines: JsonLinesReader) -> RecordReader:
        """A reader of NDJSON."""

        def records() -> Iterator[list[_Record]]:
            for number, block, _ in lines.raw_lines():
                found = [_parsed(number + i, line) for i, line in enumerate(block) if line.strip()]
                if found:
                    lines.n_read += len(found)
                    yield found

        return cls(source, layout, records())

    @classmethod
    def of_items(cls, source: Source, layout: RecordFormat, items: Iterator[Item]) -> RecordReader:
        """A reader of a JSON document's items."""

        def records() -> Iterator[list[_Record]]:
            while block := [_checked(item) for item in itertools.islice(items, _BLOCK_ITEMS)]:
                yield block

        return cls(source, layout, records())

    def blocks(self) -> Iterator[Block]:
        """All events, block by block."""
        for records in self._records:
            yield self._block(records)

    def _block(self, records: list[_Record]) -> Block:
        values: dict[str, list[Any]] = {name: [] for name in COLUMNS}
        places: list[int] = []
        raws: list[str] = []
        rejects: list[Reject] = []
        n_read = 0
        for line, raw, record in records:
            for event in self._events(record):
                n_read += 1
                if isinstance(event, RecordError):
                    name = self._source.name
                    rejects.append(Reject(name, line, event.column, event.reason, event.message, raw))
                    continue
                places.append(line)
                raws.append(raw)
                for name in COLUMNS:
                    value = event.get(name)
                    values[name].append(None if value is None or value in ("", []) else value)
        arrays = {
            name: pa.array(cells, type=pa.list_(pa.string()) if name in _LISTS else pa.string())
            for name, cells in values.items()
        }
        table = pa.table(arrays)
        return Block(
            table=table,
            lines=Lines(0, np.array(places, dtype=np.int64)),
            excerpt=lambda row: raws[row],
            n_read=n_read,
            wide=lambda: table,
            rejects=rejects,
        )

    def _events(self, record: Any) -> list[Mapping[str, Any] | RecordError]:
        """The events of one record; every record gives at least one event or one error."""
        if isinstance(record, LineError):
            return [RecordError(record.reason, record.column, record.message)]
        try:
            events = list(self.layout.events(record))
        except RecordError as error:
            return [error]
        if not events:
            return [RecordError("not_an_event", "", "the record describes no act of an account")]
        return [_well_typed(event) for event in events]


def sampled(documents: DocumentReader) -> tuple[list[dict[str, Any]], Iterator[Item]]:
    """The first records of a document, to recognise it by, and all its items."""
    items = documents.items()
    head = list(itertools.islice(items, _SAMPLE_ITEMS))
    return [i.record for i in head if isinstance(i.record, dict)], itertools.chain(head, items)


def _well_typed(event: Mapping[str, Any] | RecordError) -> Mapping[str, Any] | RecordError:
    """The event, unless a field of the source holds something else than text."""
    if isinstance(event, RecordError):
        return event
    for name, value in event.items():
        texts = value if isinstance(value, list) and name in _LISTS else [value]
        if not all(text is None or isinstance(text, str) for text in texts):
            return RecordError("bad_type", name, f"{type(value).__name__} where a text belongs")
    return event


def _parsed(line: int, raw: bytes) -> _Record:
    try:
        return line, shown(raw), parsed_line(raw.strip())
    except LineError as error:
        return line, shown(raw), error


def _checked(item: Item) -> _Record:
    """An item of a document, held to the same rules as a line of NDJSON."""
    raw = item.raw[: 5 * EXCERPT_CHARACTERS].encode("utf-8", errors="surrogateescape")
    excerpt = shown(raw)
    if not isinstance(item.record, dict) or not isinstance(item.record.get("message", {}), dict):
        return item.line, excerpt, LineError("bad_json", "the item is JSON, but not an object")
    if "\\u0000" in item.raw or "\0" in item.raw:
        return item.line, excerpt, LineError("control_char", "the record holds a NUL character")
    try:
        json.dumps(item.record, ensure_ascii=False).encode("utf-8")
    except UnicodeEncodeError:
        return (
            item.line,
            excerpt,
            LineError("bad_utf8", "bytes that are no UTF-8, or half of a surrogate pair"),
        )
    return item.line, excerpt, item.record
