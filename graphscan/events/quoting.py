"""Where records of delimited text begin and end (RFC 4180): quotes, line ends, fields."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from graphscan.errors import EXIT_INPUT, GraphscanError

QUOTE: Final = 34
LF: Final = 10
CR: Final = 13


@dataclass
class Quotes:
    """Where the quotes of a buffer stand, and whether they all open or close a field."""

    at: NDArray[np.int64]
    regular: bool
    opened_at: int | None

    @classmethod
    def of(cls, buffer: bytes, delimiter: bytes) -> Quotes:
        if b'"' not in buffer:
            return cls(np.zeros(0, dtype=np.int64), True, None)
        data = np.frombuffer(buffer, dtype=np.uint8)
        at = np.flatnonzero(data == QUOTE)
        opening, closing = at[0::2], at[1::2]
        borders = np.zeros(256, dtype=bool)
        borders[[delimiter[0], LF, CR]] = True
        before = data[np.maximum(opening - 1, 0)]
        # A quote right behind a closing one is the second half of an escaped quote.
        escaped = np.zeros(opening.size, dtype=bool)
        escaped[1:] = opening[1:] == closing[: opening.size - 1] + 1
        opens = borders[before] | (opening == 0) | escaped
        after = data[np.minimum(closing + 1, data.size - 1)]
        goes_on = np.zeros(closing.size, dtype=bool)
        n_next = opening.size - 1
        goes_on[:n_next] = escaped[1:]
        closes = borders[after] | (closing == data.size - 1) | goes_on
        opened_at = None
        if at.size % 2:
            opened_at = int(opening[np.flatnonzero(~escaped)[-1]])
        return cls(at, bool(opens.all() and closes.all()), opened_at)

    def inside(self, positions: NDArray[np.int64]) -> NDArray[np.bool_]:
        """Which positions lie between an opening and a closing quote."""
        odd: NDArray[np.bool_] = (np.searchsorted(self.at, positions) & 1).astype(bool)
        return odd


def n_lines(block: bytes) -> int:
    """Number of line ends in a few records."""
    if b"\r" not in block:
        return block.count(b"\n")
    return int(line_ends(np.frombuffer(block, dtype=np.uint8)).size)


def line_ends(data: NDArray[np.uint8]) -> NDArray[np.int64]:
    """Positions of the last byte of every line end: LF, CR LF or a lone CR."""
    ends = np.flatnonzero(data == LF)
    returns = np.flatnonzero(data == CR)
    if returns.size:
        following = data[np.minimum(returns + 1, data.size - 1)]
        lone = returns[(following != LF) | (returns == data.size - 1)]
        if lone.size:
            ends = np.sort(np.concatenate((ends, lone)))
    return ends


@dataclass
class Records:
    """Begin, end and line offset of each non-blank record of a block."""

    starts: NDArray[np.int64]
    ends: NDArray[np.int64]
    lines: NDArray[np.int64]

    @classmethod
    def of(cls, block: bytes, quotes: Quotes) -> Records:
        data = np.frombuffer(block, dtype=np.uint8)
        ends_of_lines = line_ends(data)
        record_ends = ends_of_lines[~quotes.inside(ends_of_lines)] if quotes.at.size else ends_of_lines
        starts = np.concatenate(([0], record_ends + 1))
        ends = np.concatenate((record_ends, [data.size]))
        closed_by_crlf = (ends > 0) & (ends < data.size)
        closed_by_crlf &= data[np.minimum(ends, data.size - 1)] == LF
        closed_by_crlf &= data[np.maximum(ends - 1, 0)] == CR
        ends = ends - closed_by_crlf
        filled = ends > starts
        starts, ends = starts[filled], ends[filled]
        return cls(starts, ends, np.searchsorted(ends_of_lines, starts))


def unclosed_quote(name: str, line: int) -> GraphscanError:
    """The error for a quote that opens a field and never closes."""
    return GraphscanError(
        "A quote is opened and never closed, so the rows after it cannot be told apart",
        f"{name}:{line}",
        'Close the quote, or write a quote inside a field as two (""), and run again.',
        EXIT_INPUT,
    )


class Scanner:
    """Reads records byte by byte, for the rows whose quotes are not where they should be."""

    def __init__(self, name: str, delimiter: bytes) -> None:
        self._name = name
        self._delimiter = delimiter
        self._opening = delimiter + b'"'
        mark = re.escape(delimiter)
        self._quoted = re.compile(rb'"[^"]*+(?:""[^"]*+)*+"')
        self._bare = re.compile(rb"[^" + mark + rb"\r\n]*+")
        self._line_end = re.compile(rb"\r\n|\n|\r")

    def record_end(
        self, buffer: bytes, at: int, final: bool, line: int
    ) -> tuple[int, int, str | None] | None:
        """End of the record at ``at``, begin of the next, and its flaw; None if it is not whole yet."""
        plain = self._plain_end(buffer, at)
        if plain is not None:
            return plain
        start = at
        while True:
            if buffer[at : at + 1] == b'"':
                quoted = self._quoted.match(buffer, at)
                if quoted is None or (quoted.end() == len(buffer) and not final):
                    if final and quoted is None:
                        opened = line + len(line_ends(np.frombuffer(buffer[start:at], dtype=np.uint8)))
                        raise unclosed_quote(self._name, opened)
                    return None
                follows = buffer[quoted.end() : quoted.end() + 1]
                if follows not in (self._delimiter, b"\n", b"\r", b""):
                    if b"\n" in quoted.group() or b"\r" in quoted.group():
                        # The closing quote is in truth the opening one of a later row.
                        opened = line + len(line_ends(np.frombuffer(buffer[start:at], dtype=np.uint8)))
                        raise unclosed_quote(self._name, opened)
                    return self._to_line_end(buffer, start, quoted.end(), final)
                at = quoted.end()
            else:
                bare = self._bare.match(buffer, at)
                at = bare.end() if bare else at
            if buffer[at : at + 1] == self._delimiter:
                at += 1
                continue
            return self._closed(buffer, at, final, None)

    def _plain_end(self, buffer: bytes, at: int) -> tuple[int, int, str | None] | None:
        """``record_end`` of a line in which no field begins with a quote and no lone CR ends it."""
        end = buffer.find(b"\n", at)
        if end < 0:
            return None
        line = buffer[at:end]
        if line.startswith(b'"') or self._opening in line:
            return None
        if b"\r" in line:
            return (end - 1, end + 1, None) if line.find(b"\r") == len(line) - 1 else None
        return end, end + 1, None

    def _to_line_end(
        self, buffer: bytes, start: int, at: int, final: bool
    ) -> tuple[int, int, str | None] | None:
        found = self._line_end.search(buffer, at)
        stop = found.start() if found else len(buffer)
        flaw = f"text follows the closing quote at position {at - start} of the row"
        return self._closed(buffer, stop, final, flaw)

    def _closed(
        self, buffer: bytes, stop: int, final: bool, flaw: str | None
    ) -> tuple[int, int, str | None] | None:
        if stop >= len(buffer):
            return (stop, stop, flaw) if final else None
        if buffer[stop : stop + 1] == b"\r":
            if stop + 1 >= len(buffer) and not final:
                return None
            return stop, stop + (2 if buffer[stop + 1 : stop + 2] == b"\n" else 1), flaw
        return stop, stop + 1, flaw

    def n_fields(self, record: bytes) -> int:
        """Fields of one whole record; a quote inside a bare field is a character like any other."""
        if not record.startswith(b'"') and self._opening not in record:
            return record.count(self._delimiter) + 1
        count, at = 1, 0
        while True:
            pattern = self._quoted if record[at : at + 1] == b'"' else self._bare
            found = pattern.match(record, at)
            at = found.end() if found else len(record)
            if record[at : at + 1] != self._delimiter:
                return count
            count += 1
            at += 1

    def open_quote(self, buffer: bytes) -> int | None:
        """Position of a quote that opens a field and does not close, if there is one."""
        at = 0
        while at < len(buffer):
            if buffer[at : at + 1] == b'"':
                quoted = self._quoted.match(buffer, at)
                if quoted is None:
                    return at
                at = quoted.end()
            else:
                bare = self._bare.match(buffer, at)
                at = bare.end() if bare else at
            at += 1
        return None
