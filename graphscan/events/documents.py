"""JSON documents that are no NDJSON: an array of records, or a chat export; read item by item.

An export can be larger than memory, so the document is never parsed as a whole: the walk descends only into
the arrays that hold records, and parses one item at a time.
"""

from __future__ import annotations

import codecs
import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final

from graphscan.errors import EXIT_INPUT, GraphscanError
from graphscan.events.jsonlines import Digits
from graphscan.events.sources import Source, TruncatedInputError, truncated_input

MESSAGES_KEY: Final = "messages"
# Where a full export keeps its chats.
DESCENDED_KEYS: Final = frozenset({"chats", "left_chats", "list"})
_READ_BYTES: Final = 1 << 20
_SPACE: Final = re.compile(r"[ \t\r\n]*")
_DECODER: Final = json.JSONDecoder(parse_int=Digits, parse_float=Digits)


@dataclass(frozen=True)
class Item:
    """One record of a document.

    Attributes
    ----------
    line
        Line on which it begins.
    raw
        Its text.
    record
        The record; for a message of an export ``{"chat": ..., "message": ...}``, the chat without messages.
    """

    line: int
    raw: str
    record: Any


class DocumentReader:
    """Walks one JSON document.

    Parameters
    ----------
    source
        The open input, unread.
    """

    def __init__(self, source: Source) -> None:
        self._source = source
        self._decode = codecs.getincrementaldecoder("utf-8-sig")(errors="surrogateescape").decode
        self._text = ""
        self._at = 0
        self._line = 1
        self._ended = False

    def items(self) -> Iterator[Item]:
        """All records, in order.

        Raises
        ------
        GraphscanError
            Exit code 3 if the document is broken, nested too deep or cut off.
        """
        start = self._peek()
        if start == "[":
            for item in self._array():
                yield self._item(*item)
        elif start == "{":
            yield from self._object({})
        else:
            raise self._broken("neither an array nor an object")
        if self._peek():
            raise self._broken("something follows the end of the document")

    def _item(self, line: int, raw: str, value: Any) -> Item:
        return Item(line, raw, value)

    def _object(self, outer: dict[str, Any]) -> Iterator[Item]:
        """An object that holds messages somewhere; its other fields are kept for them."""
        fields = dict(outer)
        self._expect("{")
        if self._peek() == "}":
            self._expect("}")
            return
        while True:
            name, _ = self._value()
            if not isinstance(name, str):
                raise self._broken("a field has no name")
            self._expect(":")
            ahead = self._peek()
            if name == MESSAGES_KEY and ahead == "[":
                for line, raw, message in self._array():
                    yield Item(line, raw, {"chat": fields, "message": message})
            elif name in DESCENDED_KEYS and ahead == "{":
                yield from self._object(fields)
            elif name in DESCENDED_KEYS and ahead == "[":
                yield from self._chats(fields)
            else:
                fields[name], _ = self._value()
            if self._peek() == ",":
                self._expect(",")
                continue
            self._expect("}")
            return

    def _chats(self, outer: dict[str, Any]) -> Iterator[Item]:
        self._expect("[")
        while self._peek() != "]":
            if self._peek() == "{":
                yield from self._object(outer)
            else:
                self._value()
            if self._peek() != ",":
                break
            self._expect(",")
        self._expect("]")

    def _array(self) -> Iterator[tuple[int, str, Any]]:
        self._expect("[")
        if self._peek() == "]":
            self._expect("]")
            return
        while True:
            self._peek()
            line = self._line
            value, raw = self._value()
            yield line, raw, value
            if self._peek() == ",":
                self._expect(",")
                continue
            self._expect("]")
            return

    def _value(self) -> tuple[Any, str]:
        """The value that comes next, and its text; more is read until it is whole."""
        self._peek()
        wanted = _READ_BYTES
        while True:
            try:
                value, end = _DECODER.raw_decode(self._text, self._at)
            except json.JSONDecodeError as error:
                if self._ended:
                    raise self._broken(error.msg, error.pos) from error
            except RecursionError as error:
                raise self._broken("nested too deep") from error
            else:
                # A number at the very end of the buffer may go on behind it.
                if end < len(self._text) or self._ended:
                    raw = self._text[self._at : end]
                    self._move(end)
                    return value, raw
            self._more(wanted)
            # Values of any size cost a few attempts only.
            wanted *= 2

    def _peek(self) -> str:
        """The next character that is no white space; empty at the end."""
        while True:
            found = _SPACE.match(self._text, self._at)
            self._move(found.end() if found else self._at)
            if self._at < len(self._text):
                return self._text[self._at]
            if self._ended:
                return ""
            self._more(_READ_BYTES)

    def _expect(self, mark: str) -> None:
        found = self._peek()
        if found != mark:
            raise self._broken(
                f"{mark!r} expected, {found!r} found" if found else f"{mark!r} expected at the end"
            )
        self._move(self._at + 1)

    def _move(self, at: int) -> None:
        self._line += self._text.count("\n", self._at, at)
        self._at = at

    def _more(self, n_bytes: int) -> None:
        try:
            block = self._source.read(n_bytes)
        except TruncatedInputError as error:
            raise truncated_input(self._source.name, 0, str(error)) from error
        self._ended = not block
        self._text = self._text[self._at :] + self._decode(block, self._ended)
        self._at = 0

    def _broken(self, what: str, at: int | None = None) -> GraphscanError:
        line = self._line + (self._text.count("\n", self._at, at) if at is not None else 0)
        return GraphscanError(
            f"The JSON document is broken: {what}",
            f"{self._source.name}:{line}",
            "Export it again; it may be cut off. One JSON object a line (NDJSON) is read more leniently.",
            EXIT_INPUT,
        )


def looks_like_document(head: bytes) -> bool:
    """Whether JSON begins an array or an export rather than the first line of NDJSON."""
    text = head.removeprefix(b"\xef\xbb\xbf").lstrip()
    if text[:1] == b"[":
        return True
    first = text.split(b"\n", 1)[0].strip()
    return (
        first == b"{" or re.search(rb'"(?:messages"\s*:\s*\[|chats"\s*:\s*\{)', head[: 1 << 14]) is not None
    )
