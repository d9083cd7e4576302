"""What a format has to say about itself."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any

import pyarrow as pa

from graphscan.events.times import TimeRule

Flaw = tuple[int, str, str, str]
"""Row, source column, reason code and message of a row that a format turns away."""


@dataclass(frozen=True)
class Converted:
    """Source columns turned into native ones; times stay as the source writes them, under ``timestamp``."""

    table: pa.Table
    flaws: tuple[Flaw, ...] = ()


@dataclass(frozen=True)
class TableFormat:
    """A format with one event a row: CSV, TSV, Parquet, or NDJSON with flat objects.

    Attributes
    ----------
    name
        What ``--format`` takes.
    title
        What people call it.
    required, optional
        Source columns it needs, and those it also uses.
    convert
        Source columns to native columns.
    time_rule
        What its times are like.
    renamed
        Old names of columns, and the present ones.
    by_position
        Whether columns are taken by position and their names ignored.
    source_of
        Native column to source column where the names differ, so that a reject names what stands in the file.
    """

    name: str
    title: str
    required: tuple[str, ...]
    optional: tuple[str, ...]
    convert: Callable[[pa.Table], Converted]
    time_rule: TimeRule = field(default_factory=TimeRule)
    renamed: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))
    by_position: bool = False
    source_of: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))

    @property
    def columns(self) -> tuple[str, ...]:
        """All source columns it uses."""
        return (*self.required, *self.optional)


class RecordError(Exception):
    """A record that is no event: reason code, field at fault, message."""

    def __init__(self, reason: str, column: str, message: str) -> None:
        super().__init__(message)
        self.reason = reason
        self.column = column
        self.message = message


@dataclass(frozen=True)
class RecordFormat:
    """A format with nested JSON records, each giving no, one or more events.

    Attributes
    ----------
    name, title
        What ``--format`` takes, and what people call it.
    recognises
        Whether a record is of this format.
    events
        Native events of a record, as mappings from column to text (lists for urls and hashtags), with a
        ``RecordError`` in the place of one that is to be rejected. Raises it to reject the whole record.
    time_rule
        What its times are like.
    """

    name: str
    title: str
    recognises: Callable[[dict[str, Any]], bool]
    events: Callable[[dict[str, Any]], Iterable[Mapping[str, Any] | RecordError]]
    time_rule: TimeRule = field(default_factory=TimeRule)
