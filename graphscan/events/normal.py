"""From source columns to the native schema: every value checked, every bad row named."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from graphscan.errors import EXIT_INPUT, GraphscanError
from graphscan.events.formats.layout import Flaw
from graphscan.events.identity import derived_event_ids
from graphscan.events.model import ACTIONS, EVENT_SCHEMA
from graphscan.events.times import TimeReader

TEXT_COLUMNS: Final = (
    "account_id", "action", "object_id", "event_id", "parent_id", "text", "media_hash", "client", "lang",
    "detail",
)  # fmt: skip
CODED_COLUMNS: Final = ("account_id", "action", "object_id")
_TRUE: Final = ("true", "t", "yes", "y", "1")
_FALSE: Final = ("false", "f", "no", "n", "0")


@dataclass(frozen=True)
class Normal:
    """A block in the native schema.

    Attributes
    ----------
    table
        The good rows.
    kept
        Which rows of the block they are; None if all.
    flaws
        Row of the block, column, reason and message of each bad one.
    """

    table: pa.Table
    kept: NDArray[np.int64] | None
    flaws: tuple[Flaw, ...]


class _Flaws:
    """The first flaw of each row."""

    def __init__(self) -> None:
        self.of_row: dict[int, tuple[str, str, str]] = {}

    def add(self, row: int, column: str, reason: str, message: str) -> None:
        self.of_row.setdefault(row, (column, reason, message))

    def where(self, mask: pa.ChunkedArray | pa.Array, column: str, reason: str, message: str) -> None:
        if pc.any(mask).as_py():
            for row in np.flatnonzero(np.asarray(pc.fill_null(mask, False))):
                self.add(int(row), column, reason, message)


def normal_events(
    table: pa.Table,
    times: TimeReader,
    line: Callable[[int], int],
    columns: tuple[str, ...],
    *,
    coded: bool,
    format_flaws: tuple[Flaw, ...] = (),
) -> Normal:
    """Check and convert one block.

    Parameters
    ----------
    table
        Native columns as the format gives them; ``timestamp`` in the source's own writing.
    times
        The time reader of the file.
    line
        Line number of a row.
    columns
        Native columns wanted, in the order of the schema.
    coded
        Whether account_id, action and object_id are to be dictionary arrays.
    format_flaws
        Rows the format has turned away.

    Raises
    ------
    GraphscanError
        Exit code 3 if an id column holds floating-point numbers or times of two units are mixed.
    """
    flaws = _Flaws()
    for flaw in format_flaws:
        flaws.add(*flaw)
    out: dict[str, pa.ChunkedArray | pa.Array] = {}
    for name in columns:
        if name == "timestamp_us":
            out[name] = pa.array(_times(table["timestamp"], times, line, flaws))
        elif name not in table.column_names:
            out[name] = pa.nulls(table.num_rows, EVENT_SCHEMA.field(name).type)
        elif name in TEXT_COLUMNS:
            out[name] = _text(table[name], name, times.file, flaws)
        elif name in {"urls", "hashtags"}:
            out[name] = _texts(table[name], name, flaws)
        elif name == "ai_declared":
            out[name] = _declared(table[name], flaws)
        else:
            out[name] = _score(table[name], flaws)
    for name in CODED_COLUMNS:
        out[name] = _needed(out[name], name, flaws, code=coded or name == "action")
    _known_actions(out["action"], flaws)
    if not coded:
        out["action"] = pc.cast(out["action"], pa.string())
    result = pa.table(out)
    kept = None
    if flaws.of_row:
        stay = np.ones(table.num_rows, dtype=bool)
        stay[list(flaws.of_row)] = False
        kept = np.flatnonzero(stay)
        result = result.filter(pa.array(stay))
    times.note(result["timestamp_us"].to_numpy())
    return Normal(
        table=_with_event_ids(result),
        kept=kept,
        flaws=tuple((r, *flaws.of_row[r]) for r in sorted(flaws.of_row)),
    )


def _with_event_ids(table: pa.Table) -> pa.Table:
    ids = table["event_id"]
    if ids.null_count == 0:
        return table
    missing = pc.is_null(ids)
    derived = derived_event_ids(table.filter(missing))
    filled = pc.replace_with_mask(ids.combine_chunks(), missing.combine_chunks(), derived)
    return table.set_column(table.column_names.index("event_id"), "event_id", filled)


def _text(column: pa.ChunkedArray, name: str, file: str, flaws: _Flaws) -> pa.ChunkedArray:
    """A column as text, missing values null, without NUL and all UTF-8."""
    kind = column.type
    if pa.types.is_null(kind):
        return pc.cast(column, pa.string())
    if pa.types.is_integer(kind):
        return pc.cast(column, pa.string())
    if pa.types.is_floating(kind):
        if column.null_count == len(column) or pc.all(pc.is_nan(column), skip_nulls=True).as_py():
            return pa.chunked_array([pa.nulls(len(column), pa.string())])
        raise GraphscanError(
            f"The column {name} holds floating-point numbers, which may have lost digits of the ids",
            f"{file}, column {name}",
            "Write the column as text (for pandas: read the source with dtype=str).",
            EXIT_INPUT,
        )
    if pa.types.is_decimal(kind) and kind.scale == 0:
        return pc.cast(column, pa.string())
    if pa.types.is_dictionary(kind):
        return _coded_text(column, name, file, flaws)
    if pa.types.is_binary(kind) or pa.types.is_large_binary(kind) or pa.types.is_fixed_size_binary(kind):
        column = _decoded(pc.cast(column, pa.large_binary()), name, flaws)
    elif pa.types.is_string(kind) or pa.types.is_large_string(kind) or pa.types.is_string_view(kind):
        try:
            column.validate(full=True)
        except pa.ArrowInvalid:
            column = _decoded(pc.cast(column, pa.large_binary()), name, flaws)
    else:
        raise GraphscanError(
            f"The column {name} has the type {kind}, which is no text",
            f"{file}, column {name}",
            "Write the column as text.",
            EXIT_INPUT,
        )
    column = _as_string(column)
    if _has_nul(column):
        flaws.where(pc.match_substring(column, "\0"), name, "control_char", "the value holds a NUL character")
    lengths = pc.binary_length(column)
    if pc.min(lengths).as_py() == 0:
        column = pc.if_else(pc.equal(lengths, 0), pa.scalar(None, pa.string()), column)
    return column


def _as_string(column: pa.ChunkedArray) -> pa.ChunkedArray:
    """Text with 32-bit offsets, in as many chunks as that takes."""
    if pa.types.is_string(column.type):
        return column
    step = 1 << 17
    parts = [column.slice(at, step).cast(pa.string()) for at in range(0, len(column), step)]
    return pa.chunked_array([c for part in parts for c in part.chunks], type=pa.string())


def _has_nul(column: pa.ChunkedArray) -> bool:
    """Whether a NUL byte occurs anywhere in the texts (or in what lies beside them)."""
    for chunk in column.chunks:
        data = chunk.buffers()[2]
        if data is not None and data.size and np.frombuffer(data, dtype=np.uint8).min() == 0:
            return True
    return False


def _coded_text(column: pa.ChunkedArray, name: str, file: str, flaws: _Flaws) -> pa.ChunkedArray:
    """A dictionary column: its values are checked once each."""
    value_flaws = _Flaws()
    for chunk in column.chunks:
        values = _text(pa.chunked_array([chunk.dictionary]), name, file, value_flaws)
        if value_flaws.of_row or values.null_count:
            return _text(column.cast(column.type.value_type), name, file, flaws)
    if not pa.types.is_string(column.type.value_type) or not pa.types.is_int32(column.type.index_type):
        column = column.cast(pa.dictionary(pa.int32(), pa.string()))
    return column


def _decoded(column: pa.ChunkedArray, name: str, flaws: _Flaws) -> pa.ChunkedArray:
    """Bytes as text; a value that is no UTF-8 makes its row bad."""
    try:
        return column.cast(pa.large_string())
    except pa.ArrowInvalid:
        texts = []
        for row, value in enumerate(column.to_pylist()):
            try:
                texts.append(None if value is None else value.decode("utf-8"))
            except UnicodeDecodeError:
                flaws.add(row, name, "bad_utf8", "the value is no UTF-8")
                texts.append(None)
        return pa.chunked_array([pa.array(texts, type=pa.large_string())])


def _needed(column: pa.ChunkedArray | pa.Array, name: str, flaws: _Flaws, *, code: bool) -> pa.ChunkedArray:
    """A column that no event can do without: neither missing nor blank."""
    if isinstance(column, pa.Array):
        column = pa.chunked_array([column])
    message = f"{name} is missing or blank"
    if column.null_count:
        flaws.where(pc.is_null(column), name, "missing_value", message)
    if pa.types.is_dictionary(column.type):
        blank = any(pc.any(pc.utf8_is_space(chunk.dictionary)).as_py() for chunk in column.chunks)
        if blank:
            flaws.where(pc.utf8_is_space(column.cast(pa.string())), name, "missing_value", message)
        return column if code else column.cast(pa.string())
    flaws.where(pc.utf8_is_space(column), name, "missing_value", message)
    # One dictionary a block: joining the blocks' dictionaries costs by their number.
    return pa.chunked_array([column.combine_chunks().dictionary_encode()]) if code else column


def _known_actions(column: pa.ChunkedArray, flaws: _Flaws) -> None:
    known = pa.array(ACTIONS)
    for chunk in column.chunks:
        if not pc.all(pc.is_in(chunk.dictionary, known)).as_py():
            break
    else:
        return
    texts = column.cast(pa.string())
    unknown = pc.and_(pc.invert(pc.is_in(texts, known)), pc.is_valid(texts))
    for row in np.flatnonzero(np.asarray(unknown)):
        value = texts[int(row)].as_py()
        flaws.add(int(row), "action", "unknown_action", f"{value!r} is none of {', '.join(ACTIONS)}")


def _times(
    column: pa.ChunkedArray, times: TimeReader, line: Callable[[int], int], flaws: _Flaws
) -> NDArray[np.int64]:
    if pa.types.is_dictionary(column.type):
        column = column.cast(column.type.value_type)
    if pa.types.is_floating(column.type):
        column = pc.if_else(pc.is_nan(column), pa.scalar(None, column.type), column)
    if pa.types.is_string(column.type) or pa.types.is_large_string(column.type):
        empty = pc.equal(column, "")
        if pc.any(empty).as_py():
            column = pc.if_else(empty, pa.scalar(None, column.type), column)
    n_rows = len(column)
    if column.null_count == 0:
        read, bad = times.read(column, line)
    else:
        flaws.where(pc.is_null(column), "timestamp", "missing_value", "timestamp is missing or blank")
        rows = np.flatnonzero(np.asarray(pc.is_valid(column)))
        found, bad = times.read(pc.drop_null(column), lambda i: line(int(rows[i])))
        read = np.zeros(n_rows, dtype=np.int64)
        read[rows] = found
        bad = [(int(rows[row]), reason, message) for row, reason, message in bad]
    for row, reason, message in bad:
        flaws.add(row, "timestamp", reason, message)
    return read


def _texts(column: pa.ChunkedArray, name: str, flaws: _Flaws) -> pa.ChunkedArray:
    """Lists of texts, or texts separated by white space, as lists; an empty list is missing."""
    kind = column.type
    if pa.types.is_null(kind):
        return pc.cast(column, pa.list_(pa.string()))
    if column.null_count == len(column):
        return pa.chunked_array([pa.nulls(len(column), pa.list_(pa.string()))])
    if not (pa.types.is_list(kind) or pa.types.is_large_list(kind)):
        text = _text(column, name, "", flaws)
        if pa.types.is_dictionary(text.type):
            text = text.cast(pa.string())
        as_json = pc.fill_null(pc.match_substring_regex(text, r"^\s*\["), False)
        if pc.any(as_json).as_py():
            items = [_items(value) for value in text.to_pylist()]
            column = pa.chunked_array([pa.array(items, type=pa.list_(pa.string()))])
        else:
            column = pc.utf8_split_whitespace(pc.utf8_trim_whitespace(text))
    column = pc.cast(column, pa.list_(pa.string()))
    if any(_has_nul(pa.chunked_array([chunk.flatten()])) for chunk in column.chunks):
        for row, items in enumerate(column.to_pylist()):
            if items and any(item and "\0" in item for item in items):
                flaws.add(row, name, "control_char", "the value holds a NUL character")
    lists = column.combine_chunks()
    if lists.flatten().null_count or pc.any(pc.equal(pc.binary_length(lists.flatten()), 0)).as_py():
        kept = [None if v is None else [i for i in v if i] for v in lists.to_pylist()]
        lists = pa.array(kept, type=pa.list_(pa.string()))
    empty = pc.equal(pc.list_value_length(lists), 0)
    if pc.any(empty).as_py():
        lists = pc.if_else(empty, pa.scalar(None, pa.list_(pa.string())), lists)
    return pa.chunked_array([lists])


def _items(text: str | None) -> list[str] | None:
    """The items of a list written as JSON, else those between white space."""
    if text is None:
        return None
    if text.lstrip().startswith("["):
        try:
            items = json.loads(text)
        except ValueError:
            return text.split()
        if isinstance(items, list) and all(isinstance(item, str) for item in items):
            return items
    return text.split()


def _declared(column: pa.ChunkedArray, flaws: _Flaws) -> pa.ChunkedArray:
    if pa.types.is_boolean(column.type) or pa.types.is_null(column.type):
        return pc.cast(column, pa.bool_())
    text = _text(column, "ai_declared", "", flaws)
    if text.null_count == len(text):
        return pa.chunked_array([pa.nulls(len(text), pa.bool_())])
    lower = pc.utf8_lower(text.cast(pa.string()))
    true, false = pc.is_in(lower, pa.array(_TRUE)), pc.is_in(lower, pa.array(_FALSE))
    neither = pc.and_(pc.is_valid(lower), pc.invert(pc.or_(true, false)))
    flaws.where(neither, "ai_declared", "bad_value", "ai_declared is neither true nor false")
    return pc.if_else(pc.is_null(lower), pa.scalar(None, pa.bool_()), true)


def _score(column: pa.ChunkedArray, flaws: _Flaws) -> pa.ChunkedArray:
    if pa.types.is_dictionary(column.type):
        column = column.cast(column.type.value_type)
    message = "ai_score is no number from 0 to 1"
    if pa.types.is_string(column.type) or pa.types.is_large_string(column.type):
        column = pc.if_else(pc.equal(column, ""), pa.scalar(None, column.type), column)
        try:
            column = pc.cast(column, pa.float64())
        except pa.ArrowInvalid:
            numbers: list[float | None] = []
            for row, value in enumerate(column.to_pylist()):
                try:
                    numbers.append(None if value is None else float(value))
                except ValueError:
                    flaws.add(row, "ai_score", "bad_value", message)
                    numbers.append(None)
            column = pa.chunked_array([pa.array(numbers, type=pa.float64())])
    elif pa.types.is_floating(column.type):
        # This is how pandas writes a missing number.
        column = pc.if_else(pc.is_nan(column), pa.scalar(None, column.type), column)
    column = pc.cast(column, pa.float64())
    inside = pc.and_(pc.greater_equal(column, 0.0), pc.less_equal(column, 1.0))
    flaws.where(pc.and_(pc.invert(inside), pc.is_valid(column)), "ai_score", "bad_value", message)
    return column
