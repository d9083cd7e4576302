"""One block of rows on the way in: its columns, where its rows stand in the file, and how to quote one."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from graphscan.events.ledger import Reject


@dataclass(frozen=True)
class Lines:
    """Line numbers of the rows of a block: consecutive from ``first``, or listed in ``each``."""

    first: int
    each: NDArray[np.int64] | None = None

    def __call__(self, row: int) -> int:
        return self.first + row if self.each is None else int(self.each[row])

    def of(self, rows: NDArray[np.int64]) -> Lines:
        """The line numbers of some of the rows."""
        if self.each is None:
            return Lines(self.first, self.first + rows)
        return Lines(self.first, self.each[rows])


@dataclass
class Block:
    """Rows of one input as they stand in the source.

    Attributes
    ----------
    table
        Source columns; text without a value is null.
    lines
        Line number of each row of ``table``.
    excerpt
        Raw text of a row of ``table``.
    n_read
        Rows read, with those that are rejected already.
    rejects
        Rows that could not even be split into fields.
    wide
        The same rows with all columns of the source.
    """

    table: pa.Table
    lines: Lines
    excerpt: Callable[[int], str]
    n_read: int
    wide: Callable[[], pa.Table]
    rejects: list[Reject] = field(default_factory=list)


def shown(raw: bytes) -> str:
    """Bytes as text for an excerpt; what is no UTF-8 is written as an escape."""
    return raw[:1000].decode("utf-8", errors="backslashreplace")
