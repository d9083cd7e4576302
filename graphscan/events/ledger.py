"""The row ledger: what became of every row that was read, and why a row was turned away."""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Final

from graphscan.errors import EXIT_CANNOT_WRITE, EXIT_INPUT, GraphscanError

EXCERPT_CHARACTERS: Final = 200
BUDGET_ROWS: Final = 100
BUDGET_SHARE: Final = 0.01
# What a platform's own records leave out, in any number: they are rejected and named like all others, but
# tell of no damage, so they do not use up the budget unless they are most of the input.
EXPECTED_REASONS: Final = frozenset({"no_account_id", "no_content", "no_time", "not_an_event"})

# Every reason a row can be rejected for. The codes are part of the output and change only with its schema.
REJECT_REASONS: Final[Mapping[str, str]] = MappingProxyType(
    {
        "bad_utf8": "The row is not valid UTF-8, or holds half of a surrogate pair.",
        "control_char": "A field holds a NUL character.",
        "field_count": "The row has more or fewer fields than the header.",
        "bad_quote": "Text follows a closing quote inside one field.",
        "bad_json": "The line is not one JSON object.",
        "too_deep": "The JSON is nested deeper than any event needs.",
        "bad_type": "The value has a type that its column cannot take.",
        "missing_value": "A needed value is missing or blank.",
        "no_account_id": "The record names no account that can be told apart from others.",
        "no_content": "The record is a stub: the platform sent the content without its fields.",
        "no_time": "The record says nothing about when it happened.",
        "unknown_action": "The action is none of the native actions.",
        "bad_time": "The time cannot be read, does not exist, or is not plausible.",
        "no_time_zone": "The time has no zone, so the instant is not known.",
        "bad_value": "The value is outside the range of its column.",
        "not_an_event": "The record describes something that is no act of an account.",
        "conflict": "Another row has the same event_id and other content; the one that sorts first is kept.",
    }
)


@dataclass(frozen=True, slots=True)
class Reject:
    """One row that was turned away.

    Parameters
    ----------
    file
        The input as it was named.
    line
        Physical line in the text file on which the row begins, counted from 1; the row number for Parquet.
    column
        The column at fault, empty if it is the row as a whole.
    reason
        A code of ``REJECT_REASONS``.
    message
        What exactly was wrong, in words.
    excerpt
        The beginning of the row, at most 200 characters.
    """

    file: str
    line: int
    column: str
    reason: str
    message: str
    excerpt: str

    def __post_init__(self) -> None:
        if self.reason not in REJECT_REASONS:
            raise ValueError(f"unknown reject reason {self.reason!r}")
        if len(self.excerpt) > EXCERPT_CHARACTERS:
            object.__setattr__(self, "excerpt", self.excerpt[: EXCERPT_CHARACTERS - 1] + "…")

    def as_dict(self) -> dict[str, str | int]:
        """The row of ``rejects.ndjson``."""
        return {
            "file": self.file,
            "line": self.line,
            "column": self.column,
            "reason": self.reason,
            "message": self.message,
            "excerpt": self.excerpt,
        }


@dataclass(frozen=True)
class Ledger:
    """How many rows were read and what became of them: ``read = accepted + duplicate + rejected + late``."""

    read: int = 0
    accepted: int = 0
    duplicate: int = 0
    rejected: Mapping[str, int] = field(default_factory=dict)
    late: int = 0

    @property
    def n_rejected(self) -> int:
        """Rejected rows, all reasons together."""
        return sum(self.rejected.values())

    @property
    def balanced(self) -> bool:
        """Whether every row that was read is accounted for."""
        return self.read == self.accepted + self.duplicate + self.n_rejected + self.late

    @property
    def budget(self) -> float:
        """How many rows may be rejected before the run stops: max(100 rows, 1 %)."""
        return max(float(BUDGET_ROWS), BUDGET_SHARE * self.read)

    @property
    def over_budget(self) -> bool:
        """Whether more rows were rejected than the budget allows.

        Rows that name no account, content or time by the nature of their format do not count, as long as
        they are not most of the input.
        """
        n_damaged = sum(n for reason, n in self.rejected.items() if reason not in EXPECTED_REASONS)
        hopeless = self.n_rejected > BUDGET_ROWS and 2 * self.n_rejected > self.read
        return n_damaged > self.budget or hopeless

    def as_dict(self) -> dict[str, object]:
        """The ``ledger`` of the manifest."""
        return {
            "read": self.read,
            "accepted": self.accepted,
            "duplicate": self.duplicate,
            "rejected": dict(sorted(self.rejected.items())),
            "late": self.late,
        }

    def __add__(self, other: Ledger) -> Ledger:
        reasons = sorted({*self.rejected, *other.rejected})
        return Ledger(
            read=self.read + other.read,
            accepted=self.accepted + other.accepted,
            duplicate=self.duplicate + other.duplicate,
            rejected={r: self.rejected.get(r, 0) + other.rejected.get(r, 0) for r in reasons},
            late=self.late + other.late,
        )


def require_within_budget(ledger: Ledger, rejects: Iterable[Reject] = ()) -> None:
    """Stop the run if more rows were rejected than max(100 rows, 1 %).

    Raises
    ------
    GraphscanError
        Exit code 3, naming the reasons and the first row of the most frequent one. Call it after
        ``write_rejects``, so that what was rejected can be looked at.
    """
    if not ledger.over_budget:
        return
    by_count = sorted(ledger.rejected.items(), key=lambda item: (-item[1], item[0]))
    reasons = ", ".join(f"{reason} {count:,}" for reason, count in by_count)
    first = next((r for r in rejects if r.reason == by_count[0][0]), None)
    where = ""
    if first is not None:
        column = f", column {first.column}" if first.column else ""
        where = f"{first.file}:{first.line}{column}: {first.message}"
    raise GraphscanError(
        f"{ledger.n_rejected:,} of {ledger.read:,} rows were rejected ({reasons}); "
        f"at most {int(ledger.budget):,} may be",
        where,
        "Look at rejects.ndjson, mend the input or its --format or --map, and run again.",
        EXIT_INPUT,
    )


def write_rejects(path: str | os.PathLike[str], rejects: Iterable[Reject]) -> int:
    """Write rejected rows as NDJSON, in the order of file, line, column and reason; returns their number.

    Raises
    ------
    GraphscanError
        Exit code 73 if the file cannot be written.
    """
    ordered = sorted(rejects, key=lambda r: (r.file, r.line, r.column, r.reason, r.message, r.excerpt))
    try:
        with open(path, "w", encoding="utf-8", newline="\n") as out:
            for reject in ordered:
                out.write(json.dumps(reject.as_dict(), ensure_ascii=False) + "\n")
    except OSError as error:
        raise GraphscanError(
            f"Cannot write the rejected rows: {error.strerror}",
            os.fspath(path),
            "Free some space or choose another folder.",
            EXIT_CANNOT_WRITE,
        ) from error
    return len(ordered)
