"""Parquet in, row group by row group."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from typing import Final

import pyarrow as pa
import pyarrow.parquet as pq

from graphscan.errors import EXIT_INPUT, GraphscanError
from graphscan.events.block import Block, Lines
from graphscan.events.sources import Source, TruncatedInputError, truncated_input

_LARGE_GROUP_ROWS: Final = 1 << 21
_BATCH_ROWS: Final = 1 << 18
# Few distinct values: reading the file's own dictionary saves decoding each value.
_DICTIONARY_COLUMNS: Final = ("account_id", "action", "object_id")


class ParquetReader:
    """Reads one Parquet input.

    Parameters
    ----------
    source
        The open input; a compressed one or standard input is spooled to a temporary file first.

    Raises
    ------
    GraphscanError
        Exit code 3 if it is not a whole Parquet file.
    """

    def __init__(self, source: Source) -> None:
        self._name = source.name
        try:
            spooled = source.seekable_file()
            self._file = pq.ParquetFile(spooled)
            names = self._file.schema_arrow.names
            text = [
                n
                for n in _DICTIONARY_COLUMNS
                if n in names and _is_text(self._file.schema_arrow.field(n).type)
            ]
            if text:
                self._file = pq.ParquetFile(spooled, read_dictionary=text)
        except TruncatedInputError as error:
            raise truncated_input(source.name, 0, str(error)) from error
        except (pa.ArrowException, OSError) as error:
            raise self._broken(error) from error
        self.header: tuple[str, ...] = tuple(names)
        self.n_read = 0

    def blocks(self, columns: Sequence[str]) -> Iterator[Block]:
        """All rows with the given columns, in the types of the file; a row's line is its number from 1."""
        row = 1
        for group in range(self._file.num_row_groups):
            for table, wide_at in self._tables(group, list(columns)):
                self.n_read += table.num_rows
                yield self._block(table, row, group, wide_at)
                row += table.num_rows

    def _tables(self, group: int, columns: list[str]) -> Iterator[tuple[pa.Table, int]]:
        try:
            if self._file.metadata.row_group(group).num_rows <= _LARGE_GROUP_ROWS:
                yield self._file.read_row_group(group, columns=columns), 0
                return
            at = 0
            for batch in self._file.iter_batches(_BATCH_ROWS, row_groups=[group], columns=columns):
                yield pa.Table.from_batches([batch]), at
                at += batch.num_rows
        except (pa.ArrowException, OSError) as error:
            raise self._broken(error) from error

    def _block(self, table: pa.Table, first: int, group: int, at: int) -> Block:
        def wide() -> pa.Table:
            return self._file.read_row_group(group).slice(at, table.num_rows)

        def excerpt(row: int) -> str:
            values = {name: _value(table[name][row]) for name in table.column_names}
            present = {name: value for name, value in values.items() if value is not None}
            return json.dumps(present, ensure_ascii=False, default=str)

        return Block(table=table, lines=Lines(first), excerpt=excerpt, n_read=table.num_rows, wide=wide)

    def _broken(self, error: Exception) -> GraphscanError:
        return GraphscanError(
            f"The Parquet file cannot be read: {str(error).splitlines()[0]}",
            self._name,
            "Copy or write the file again; it may be cut off.",
            EXIT_INPUT,
        )


def _value(cell: pa.Scalar) -> object:
    try:
        return cell.as_py()
    except (OverflowError, ValueError):
        # A time outside Python's calendar.
        return cell.cast(pa.int64()).as_py()


def _is_text(kind: pa.DataType) -> bool:
    return bool(pa.types.is_string(kind) or pa.types.is_large_string(kind))
