"""NDJSON in blocks: Arrow's parser where every line is in order, line by line where one is not.

Numbers that stand for text keep their digits: the careful way never makes a float of them, and the quick way
takes them only as 64-bit integers.
"""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

import numpy as np
import pyarrow as pa
import pyarrow.json as pa_json

from graphscan.errors import EXIT_INPUT, GraphscanError
from graphscan.events.block import Block, Lines, shown
from graphscan.events.delimited import BYTE_ORDER_MARK, MAX_RECORD_BYTES, valid_utf8
from graphscan.events.ledger import Reject
from graphscan.events.sources import BLOCK_BYTES, Source, TruncatedInputError, truncated_input

MAX_DEPTH: Final = 100
LIST_FIELDS: Final = frozenset({"urls", "hashtags"})
BOOLEAN_FIELDS: Final = frozenset({"ai_declared"})
_SAMPLE_LINES: Final = 200
_SURROGATE: Final = re.compile(rb"\\u[dD][89a-fA-F]")
_STRINGS: Final = re.compile(rb'"[^"\\]*+(?:\\.[^"\\]*+)*+"', re.DOTALL)
_CONSTANT: Final = re.compile(rb"[:\[,]\s*-?(?:NaN|Inf)")
_NEGATIVE_ZERO: Final = re.compile(rb":\s*-0\s*[,}]")


class Digits(str):
    """A JSON number as it was written."""

    __slots__ = ()


class LineError(Exception):
    """One line that is no event: reason code and message."""

    def __init__(self, reason: str, message: str, column: str = "") -> None:
        super().__init__(message)
        self.reason = reason
        self.message = message
        self.column = column


def _depth(line: bytes) -> int:
    """How deep arrays and objects nest, found without recursion."""
    depth = deepest = 0
    for byte in re.findall(rb"[\[\]{}]", _STRINGS.sub(b"", line)):
        depth += 1 if byte in b"[{" else -1
        deepest = max(deepest, depth)
    return deepest


def _no_constant(name: str) -> None:
    raise ValueError(f"{name} is no JSON number")


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    record = dict(pairs)
    if len(record) != len(pairs):
        twice = [name for name, count in Counter(name for name, _ in pairs).items() if count > 1]
        raise ValueError(f"the field {twice[0]!r} is named twice")
    return record


def parsed_line(line: bytes) -> dict[str, Any]:
    """One JSON object; numbers are ``Digits``.

    Raises
    ------
    LineError
        With the reason it is rejected for.
    """
    if b"\0" in line or b"\\u0000" in line:
        raise LineError("control_char", "the row holds a NUL character")
    if line.count(b"[") + line.count(b"{") > MAX_DEPTH and (depth := _depth(line)) > MAX_DEPTH:
        raise LineError("too_deep", f"nested {depth:,} deep; at most {MAX_DEPTH} is read")
    try:
        text = line.decode("utf-8")
        record = json.loads(
            text, parse_int=Digits, parse_float=Digits, parse_constant=_no_constant, object_pairs_hook=_unique
        )
    except UnicodeDecodeError as error:
        raise LineError("bad_utf8", f"byte 0x{line[error.start]:02x} at {error.start} is no UTF-8") from error
    except (ValueError, RecursionError) as error:
        raise LineError("bad_json", str(error)) from error
    if not isinstance(record, dict):
        raise LineError("bad_json", "the line is JSON, but not an object")
    if _SURROGATE.search(line):
        try:
            json.dumps(record, ensure_ascii=False).encode("utf-8")
        except UnicodeEncodeError as error:
            raise LineError("bad_utf8", "half of a surrogate pair") from error
    return record


def _at(record: dict[str, Any], name: str) -> Any:
    """A field, or one inside nested objects by its dotted path."""
    if name in record or "." not in name:
        return record.get(name)
    value: Any = record
    for part in name.split("."):
        value = value.get(part) if isinstance(value, dict) else None
    return value


@dataclass
class JsonLinesReader:
    """Reads one NDJSON input.

    Parameters
    ----------
    source
        The open input.
    block_bytes
        About how many bytes a block has; the rows are the same for every size.
    list_fields, boolean_fields
        Fields that may hold a list of texts, and true or false.
    wide_fields
        What ``Block.wide`` reads; the fields of the first lines by default.
    """

    source: Source
    block_bytes: int = BLOCK_BYTES
    list_fields: frozenset[str] = LIST_FIELDS
    boolean_fields: frozenset[str] = BOOLEAN_FIELDS
    header: tuple[str, ...] = ()
    wide_fields: tuple[str, ...] = ()
    sample: tuple[dict[str, Any], ...] = ()
    n_read: int = 0
    _samples: dict[str, list[Any]] = field(default_factory=dict)

    def read_header(self) -> tuple[str, ...]:
        """The field names of the first lines, in order of appearance; the input stays unread."""
        head = self.source.peek(1 << 18).removeprefix(BYTE_ORDER_MARK)
        names: dict[str, None] = {}
        sample = []
        lines = head.split(b"\n")
        if len(lines) > 1 and len(head) >= 1 << 17:
            lines = lines[:-1]
        for line in lines[:_SAMPLE_LINES]:
            if not line.strip():
                continue
            try:
                record = parsed_line(line)
            except LineError:
                continue
            names.update(dict.fromkeys(record))
            sample.append(record)
        self.header = self.wide_fields = tuple(names)
        self.sample = tuple(sample)
        for name in names:
            self._samples[name] = [r[name] for r in sample if r.get(name) is not None]
        return self.header

    def raw_lines(self) -> Iterator[tuple[int, list[bytes], bytes]]:
        """Blocks of whole lines: line number of the first, and the lines (blank ones too), and the block."""
        carry = b""
        number = 1
        damage: TruncatedInputError | None = None
        final = False
        first = True
        while not final:
            try:
                part = self.source.read(self.block_bytes)
            except TruncatedInputError as error:
                part, damage = b"", error
            final = not part
            buffer = carry + part
            if first and len(buffer) >= 3:
                buffer = buffer.removeprefix(BYTE_ORDER_MARK)
                first = False
            cut = len(buffer) if final and damage is None else buffer.rfind(b"\n") + 1
            block, carry = buffer[:cut], buffer[cut:]
            if len(carry) > MAX_RECORD_BYTES:
                raise GraphscanError(
                    f"A line is longer than {MAX_RECORD_BYTES >> 20} MiB",
                    f"{self.source.name}:{number + block.count(10)}",
                    "Check that the file has one JSON object a line.",
                    EXIT_INPUT,
                )
            if block:
                lines = block.split(b"\n")
                if not lines[-1]:
                    lines.pop()
                yield number, lines, block
                number += len(lines)
        if damage is not None:
            raise truncated_input(self.source.name, self.n_read, str(damage))

    def blocks(self, columns: Sequence[str]) -> Iterator[Block]:
        """All rows with the given fields."""
        for number, lines, block in self.raw_lines():
            numbers = [i for i, line in enumerate(lines) if line.strip()]
            if not numbers:
                continue
            result = self._quick(block, number, lines, numbers, columns)
            if result is None:
                result = self._careful(number, lines, numbers, columns)
            self.n_read += result.n_read
            yield result

    def _quick(
        self, block: bytes, first: int, lines: list[bytes], numbers: list[int], columns: Sequence[str]
    ) -> Block | None:
        if b"\0" in block or b"\\u0000" in block or not valid_utf8(block):
            return None
        if any("." in name and name not in self.header for name in columns):
            return None
        if (b"NaN" in block or b"Inf" in block) and _CONSTANT.search(block):
            return None
        schema = pa.schema([(name, self._kind(name)) for name in columns])
        if any(pa.types.is_integer(kind) for kind in schema.types) and _NEGATIVE_ZERO.search(block):
            return None
        for line in lines:
            if len(line) > 2 * MAX_DEPTH and line.count(b"[") + line.count(b"{") > MAX_DEPTH:
                return None
            if len(line) < 8 and line.strip() == b"null":
                # Arrow takes it for an object without fields.
                return None
        try:
            table = pa_json.read_json(
                pa.BufferReader(block),
                read_options=pa_json.ReadOptions(block_size=len(block) + 1),
                parse_options=pa_json.ParseOptions(
                    explicit_schema=schema, unexpected_field_behavior="ignore"
                ),
            )
        except pa.ArrowException:
            return None
        if table.num_rows != len(numbers):
            return None
        plain = len(numbers) == len(lines)
        return Block(
            table=table,
            lines=Lines(first) if plain else Lines(first, first + np.array(numbers, dtype=np.int64)),
            excerpt=lambda row: shown(lines[numbers[row]]),
            n_read=table.num_rows,
            wide=lambda: self._careful(first, lines, numbers, self.wide_fields).table,
        )

    def _careful(self, first: int, lines: list[bytes], numbers: list[int], columns: Sequence[str]) -> Block:
        values: dict[str, list[Any]] = {name: [] for name in columns}
        kept: list[int] = []
        rejects: list[Reject] = []
        for number in numbers:
            line = lines[number].strip()
            try:
                record = parsed_line(line)
                row = [self._cell(name, _at(record, name)) for name in columns]
            except LineError as error:
                rejects.append(
                    Reject(
                        self.source.name,
                        first + number,
                        error.column,
                        error.reason,
                        error.message,
                        shown(line),
                    )
                )
                continue
            kept.append(number)
            for name, value in zip(columns, row, strict=True):
                values[name].append(value)
        arrays = {
            name: pa.array(cells, type=pa.list_(pa.string()) if name in self.list_fields else pa.string())
            for name, cells in values.items()
        }
        return Block(
            table=pa.table(arrays),
            lines=Lines(first, first + np.array(kept, dtype=np.int64)),
            excerpt=lambda row: shown(lines[kept[row]]),
            n_read=len(numbers),
            wide=lambda: self._careful(first, lines, numbers, self.wide_fields).table,
            rejects=rejects,
        )

    def _kind(self, name: str) -> pa.DataType:
        """The Arrow type by which the quick way reads a field; other values take the careful way."""
        values = self._samples.get(name, [])
        if name in self.list_fields:
            return pa.list_(pa.string()) if all(isinstance(v, list) for v in values) else pa.string()
        if name in self.boolean_fields and values and all(isinstance(v, bool) for v in values):
            return pa.bool_()
        if values and all(isinstance(v, Digits) for v in values):
            return pa.int64()
        return pa.string()

    def _cell(self, name: str, value: Any) -> Any:
        """One field as the text, or list of texts, of its column."""
        if value is None:
            return None
        if isinstance(value, str):
            return value.split() if name in self.list_fields else str(value)
        if isinstance(value, bool):
            if name in self.boolean_fields:
                return "true" if value else "false"
            raise LineError("bad_type", "true or false where a text belongs", name)
        if isinstance(value, list) and name in self.list_fields:
            items = [item for item in value if item is not None]
            if all(isinstance(item, str) for item in items):
                return [str(item) for item in items]
            raise LineError("bad_type", "a list of texts was expected", name)
        kind = "a list" if isinstance(value, list) else "an object"
        raise LineError("bad_type", f"{kind} where a text belongs", name)
