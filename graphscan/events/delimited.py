"""Delimited text (RFC 4180) in blocks: at Arrow's speed, row by row only where something is amiss.

A block that is valid UTF-8, without NUL, with quotes only where they belong and the same number of fields in
every row goes to Arrow as it is. Any other block is sieved: its rows are looked at one by one, bad ones are
rejected with their line, and the rest goes to Arrow all the same, so that both ways read a good row alike.
"""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Final

import numpy as np
import pyarrow as pa
import pyarrow.csv as pa_csv

from graphscan.errors import EXIT_INPUT, GraphscanError
from graphscan.events.block import Block, Lines, shown
from graphscan.events.ledger import Reject
from graphscan.events.quoting import CR, LF, Quotes, Records, Scanner, line_ends, n_lines, unclosed_quote
from graphscan.events.sources import BLOCK_BYTES, Source, TruncatedInputError, empty_input, truncated_input

BYTE_ORDER_MARK: Final = b"\xef\xbb\xbf"
MAX_RECORD_BYTES: Final = 64 << 20
_ARROW_BLOCK_BYTES: Final = 1 << 20


def valid_utf8(block: bytes) -> bool:
    """Whether all bytes are UTF-8, without making a text of them."""
    offsets = pa.py_buffer(np.array([0, len(block)], dtype=np.int64))
    try:
        pa.Array.from_buffers(pa.large_string(), 1, [None, offsets, pa.py_buffer(block)]).validate(full=True)
    except pa.ArrowInvalid:
        return False
    return True


@dataclass
class DelimitedReader:
    """Reads one delimited input block by block.

    Parameters
    ----------
    source
        The open input.
    delimiter
        One character.
    block_bytes
        About how many bytes a block has; the rows are the same for every size.
    """

    source: Source
    delimiter: str
    block_bytes: int = BLOCK_BYTES
    header: tuple[str, ...] = ()
    n_read: int = 0
    _carry: bytes = b""
    _line: int = 1
    _first_record: bytes = b""
    _types: dict[str, pa.DataType] = field(default_factory=dict)
    _scanner: Scanner = field(init=False)

    def __post_init__(self) -> None:
        self._scanner = Scanner(self.source.name, self.delimiter.encode())

    def read_header(self) -> tuple[str, ...]:
        """The names of the header line.

        Raises
        ------
        GraphscanError
            Exit code 3 if there is no header, it is not UTF-8 or its quotes do not close.
        """
        buffer = b""
        final = False
        while True:
            try:
                part = self.source.read(1 << 16)
            except TruncatedInputError as error:
                raise truncated_input(self.source.name, 0, str(error)) from error
            final = not part
            buffer += part
            if len(buffer) < 4 and not final:
                continue
            buffer = buffer.removeprefix(BYTE_ORDER_MARK)
            body = buffer.lstrip(b"\r\n \t") if not buffer.strip(b"\r\n \t") else buffer.lstrip(b"\r\n")
            if final and not body:
                raise empty_input(self.source.name)
            self._line += len(line_ends(np.frombuffer(buffer[: len(buffer) - len(body)], dtype=np.uint8)))
            buffer = body
            end = self._scanner.record_end(buffer, 0, final, self._line) if buffer else None
            if end is not None:
                break
            if len(buffer) > MAX_RECORD_BYTES:
                raise self._unclosed(buffer, self._line)
        record, after = buffer[: end[0]], end[1]
        self._first_record = record
        self._carry = buffer[after:]
        try:
            text = record.decode("utf-8")
        except UnicodeDecodeError as error:
            raise GraphscanError(
                "The header is not UTF-8",
                f"{self.source.name}:{self._line}",
                "Save the file as UTF-8 (and not as UTF-16 or Latin-1).",
                EXIT_INPUT,
            ) from error
        if "\0" in text:
            raise GraphscanError(
                "The header holds NUL characters: the file is UTF-16 or no text at all",
                f"{self.source.name}:{self._line}",
                "Save the file as UTF-8.",
                EXIT_INPUT,
            )
        names = next(csv.reader(io.StringIO(text, newline=""), delimiter=self.delimiter), [])
        self.header = tuple(names)
        self._header_line = self._line
        self._line += len(line_ends(np.frombuffer(buffer[:after], dtype=np.uint8)))
        return self.header

    def header_is_data(self, names: Sequence[str]) -> None:
        """Take the first line as a row like the others, under the given column names."""
        self.header = tuple(names)
        self._line = self._header_line
        self._carry = self._first_record + b"\n" + self._carry

    def blocks(self, columns: Sequence[str]) -> Iterator[Block]:
        """All rows, block by block, with the given columns as text.

        Raises
        ------
        GraphscanError
            Exit code 3 for a quote that never closes, and for a compressed input that is cut off.
        """
        damage: TruncatedInputError | None = None
        final = False
        while not final:
            try:
                part = self.source.read(self.block_bytes)
            except TruncatedInputError as error:
                part, damage = b"", error
            final = not part
            buffer = self._carry + part if self._carry else part
            if not buffer:
                break
            quotes = Quotes.of(buffer, self.delimiter.encode())
            if not quotes.regular:
                block, rest, unclosed = self._sieve_irregular(buffer, final and damage is None, columns)
                self._carry = rest
                if block is not None:
                    yield block
                if unclosed is not None:
                    raise unclosed
            else:
                whole = final and damage is None and quotes.opened_at is None
                cut = len(buffer) if whole else _cut(buffer, quotes)
                self._carry = buffer[cut:]
                if cut:
                    block_quotes = quotes
                    if cut < len(buffer):
                        block_quotes = Quotes(quotes.at[: np.searchsorted(quotes.at, cut)], True, None)
                        buffer = buffer[:cut]
                    yield self._regular(buffer, block_quotes, columns)
                if final and damage is None and quotes.opened_at is not None:
                    # The rows before it are counted all the same.
                    raise self._unclosed(self._carry, self._line)
            if len(self._carry) > MAX_RECORD_BYTES:
                raise self._unclosed(self._carry, self._line)
        if damage is not None:
            raise truncated_input(self.source.name, self.n_read, str(damage))

    def _regular(self, block: bytes, quotes: Quotes, columns: Sequence[str]) -> Block:
        """A block whose quotes are all in place."""
        first_line = self._line
        data = np.frombuffer(block, dtype=np.uint8)
        n_ends = int(np.count_nonzero(data == LF))
        if b"\r" in block:
            n_ends = int(line_ends(data).size)
        ends_open = block[-1] not in (LF, CR)
        self._line += n_ends
        if b"\0" not in block and valid_utf8(block):
            table = self._parsed(block, columns, quotes.at.size > 0)
            if table is not None:
                self.n_read += table.num_rows
                # One row a line: nothing blank, no line end inside a field.
                plain = table.num_rows == n_ends + ends_open
                records: list[Records] = []

                def located() -> Records:
                    if not records:
                        records.append(Records.of(block, quotes))
                    return records[0]

                lines = Lines(first_line) if plain else Lines(first_line, first_line + located().lines)
                return Block(
                    table=table,
                    lines=lines,
                    excerpt=lambda row: shown(block[located().starts[row] : located().ends[row]]),
                    n_read=table.num_rows,
                    wide=lambda: self._parsed_again(block),
                )
        spans = Records.of(block, quotes)
        rows: list[tuple[int, bytes, str | None]] = [
            (first_line + int(line), block[start:end], None)
            for start, end, line in zip(spans.starts, spans.ends, spans.lines, strict=True)
        ]
        return self._sieved(rows, columns)

    def _sieve_irregular(
        self, buffer: bytes, final: bool, columns: Sequence[str]
    ) -> tuple[Block | None, bytes, GraphscanError | None]:
        """A buffer with quotes out of place: split it by reading every record from its beginning.

        Gives the rows up to the end, or up to a quote that is never closed, what is left, and that error.
        """
        rows: list[tuple[int, bytes, str | None]] = []
        unclosed: GraphscanError | None = None
        at = 0
        while at < len(buffer):
            try:
                end = self._scanner.record_end(buffer, at, final, self._line)
            except GraphscanError as error:
                unclosed = error
                break
            if end is None:
                if final:
                    unclosed = self._unclosed(buffer[at:], self._line)
                break
            stop, after, flaw = end
            if stop > at:
                rows.append((self._line, buffer[at:stop], flaw))
            self._line += n_lines(buffer[at:after])
            at = after
        return (self._sieved(rows, columns) if rows else None), buffer[at:], unclosed

    def _sieved(self, rows: list[tuple[int, bytes, str | None]], columns: Sequence[str]) -> Block:
        """Reject the rows that cannot be read, and parse the others."""
        good: list[bytes] = []
        lines: list[int] = []
        rejects: list[Reject] = []
        wanted = len(self.header)
        for line, record, flaw in rows:
            reason, message = "", ""
            if b"\0" in record:
                reason, message = "control_char", "the row holds a NUL character"
            elif flaw is not None:
                reason, message = "bad_quote", flaw
            else:
                try:
                    record.decode("utf-8")
                except UnicodeDecodeError as error:
                    byte = record[error.start]
                    reason, message = (
                        "bad_utf8",
                        f"byte 0x{byte:02x} at position {error.start} of the row is no UTF-8",
                    )
                else:
                    found = self._scanner.n_fields(record)
                    if found != wanted:
                        reason, message = "field_count", f"{found} fields where the header has {wanted}"
            if reason:
                rejects.append(Reject(self.source.name, line, "", reason, message, shown(record)))
            else:
                good.append(record)
                lines.append(line)
        self.n_read += len(rows)
        clean = b"\n".join(good) + b"\n" if good else b""
        table = self._parsed_again(clean, columns)
        return Block(
            table=table,
            lines=Lines(0, np.array(lines, dtype=np.int64)),
            excerpt=lambda row: shown(good[row]),
            n_read=len(rows),
            wide=lambda: self._parsed_again(clean),
            rejects=rejects,
        )

    def _parsed_again(self, block: bytes, columns: Sequence[str] | None = None) -> pa.Table:
        """A block known to be good, in one piece."""
        names = list(self.header) if columns is None else list(columns)
        if not block:
            return pa.table({name: pa.array([], type=pa.string()) for name in names})
        table = self._parsed(block, names, True)
        if table is None:
            raise AssertionError("a sieved block did not parse")
        return table

    def _parsed(self, block: bytes, columns: Sequence[str], quoted: bool) -> pa.Table | None:
        """The block as text columns, or None if Arrow finds a row that does not fit."""
        for block_size in (_ARROW_BLOCK_BYTES, len(block) + 1):
            try:
                return pa_csv.read_csv(
                    pa.BufferReader(block),
                    read_options=pa_csv.ReadOptions(column_names=list(self.header), block_size=block_size),
                    parse_options=pa_csv.ParseOptions(delimiter=self.delimiter, newlines_in_values=quoted),
                    convert_options=pa_csv.ConvertOptions(
                        include_columns=list(columns),
                        column_types={name: pa.string() for name in columns},
                        # Only an empty cell is missing: NA, null and - are ids like any other.
                        null_values=[""],
                        strings_can_be_null=True,
                        quoted_strings_can_be_null=True,
                    ),
                )
            except pa.ArrowInvalid as error:
                # Only a row longer than Arrow's own block gets a second chance.
                if "straddl" not in str(error):
                    return None
        return None

    def _unclosed(self, buffer: bytes, first_line: int) -> GraphscanError:
        """The error for a buffer in which no record ends."""
        opened_at = self._scanner.open_quote(buffer)
        if opened_at is None:
            return GraphscanError(
                f"A row is longer than {MAX_RECORD_BYTES >> 20} MiB",
                f"{self.source.name}:{first_line}",
                "Check that the file is text with one event a line.",
                EXIT_INPUT,
            )
        line = first_line + len(line_ends(np.frombuffer(buffer[:opened_at], dtype=np.uint8)))
        return unclosed_quote(self.source.name, line)


def _cut(buffer: bytes, quotes: Quotes) -> int:
    """Where the last whole record ends."""
    end = b"\n" if b"\n" in buffer else b"\r"
    limit = len(buffer) if end == b"\n" else len(buffer) - 1
    at = buffer.rfind(end, 0, limit)
    while at >= 0:
        n_before = int(np.searchsorted(quotes.at, at))
        if n_before % 2 == 0:
            return at + 1
        at = buffer.rfind(end, 0, int(quotes.at[n_before - 1]))
    return 0


def sniffed_delimiter(head: bytes, known: frozenset[str]) -> str:
    """The delimiter of a header line: the one that gives the most known names, then the most fields."""
    line = re.split(rb"[\r\n]", head.removeprefix(BYTE_ORDER_MARK).lstrip(b"\r\n"), maxsplit=1)[0]
    text = line.decode("utf-8", errors="replace")
    best = ","
    best_score = (-1, -1)
    for delimiter in (",", "\t", ";", "|"):
        names = next(csv.reader(io.StringIO(text.replace("\0", ""), newline=""), delimiter=delimiter), [])
        score = (sum(name.strip().casefold() in known for name in names), len(names))
        if score > best_score:
            best, best_score = delimiter, score
    return best
