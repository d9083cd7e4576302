"""Times in: ISO-8601 with zone or epoch numbers, to microseconds UTC, one unit a file, all plausible.

The whole column is read at once where every value is fine; a slice with a value that is not is read value by
value, so that each bad one gets its own reason and the others keep their speed.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta, timezone
from typing import Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from graphscan.errors import EXIT_INPUT, GraphscanError

MICROSECONDS: Final = {"s": 1_000_000, "ms": 1_000, "us": 1}
EPOCH_UNITS: Final = ("s", "ms", "us", "ns")
# No platform event happened before 1980 or after 2100. The range spans less than a factor of 1,000, so at
# most one epoch unit is plausible for a number, and a number read in the wrong unit falls outside.
PLAUSIBLE_FROM_US: Final = 315_532_800_000_000
PLAUSIBLE_UNTIL_US: Final = 4_102_444_800_000_000
RESOLUTIONS_US: Final = (1, 1_000, 1_000_000, 60_000_000, 3_600_000_000, 86_400_000_000)
# A handful of events may fall on full minutes by chance; five different ones do so once in 777 million files.
_DISTINCT_NEEDED: Final = 5
_SLICE_ROWS: Final = 512

_ISO: Final = re.compile(
    r"(\d{4})-(\d\d)-(\d\d)(?:[Tt ](\d\d):(\d\d)(?::(\d\d)(?:[.,](\d+))?)?)?"
    r" ?(Z|z|UTC|GMT|[+-]\d\d(?::?\d\d)?)?",
    re.ASCII,
)
_NUMBER: Final = re.compile(r"[+-]?\d+(?:\.\d+)?", re.ASCII)

Flaw = tuple[int, str, str]
"""Row, reason code and message of one bad time."""


@dataclass(frozen=True)
class TimeRule:
    """What a format says about its times.

    Attributes
    ----------
    naive_is_utc
        Whether a time without zone is UTC; otherwise it is rejected.
    epoch_units
        The units an epoch number may have. With a single one nothing is guessed.
    from_us, until_us
        The plausible range, microseconds UTC, end excluded.
    resolution_us
        The resolution the format is known to have, 0 if it is to be found.
    """

    naive_is_utc: bool = False
    epoch_units: tuple[str, ...] = EPOCH_UNITS
    from_us: int = PLAUSIBLE_FROM_US
    until_us: int = PLAUSIBLE_UNTIL_US
    resolution_us: int = 0


def epoch_to_us(values: NDArray[np.int64], unit: str) -> NDArray[np.int64]:
    """Epoch numbers as microseconds; nanoseconds are rounded down."""
    if unit == "ns":
        return np.floor_divide(values, 1_000)
    limit = np.iinfo(np.int64).max // MICROSECONDS[unit]
    return np.clip(values, -limit, limit) * np.int64(MICROSECONDS[unit])


def iso_from_us(time_us: int) -> str:
    """Microseconds UTC as ISO-8601 with six decimals; plain words outside the calendar's range."""
    try:
        when = datetime(1970, 1, 1, tzinfo=UTC) + timedelta(microseconds=time_us)
    except OverflowError:
        return "a time outside the calendar"
    return when.strftime("%Y-%m-%dT%H:%M:%S.%fZ")


@dataclass
class TimeReader:
    """Reads the time column of one file, block by block.

    Attributes
    ----------
    unit
        ``iso``, ``s``, ``ms``, ``us`` or ``ns``; empty until a time was read.
    resolution_us
        The finest step the times need: 1, 1,000, 1,000,000 (the default), or a minute, an hour, a day where
        at least five different times all fall on it.
    """

    file: str
    rule: TimeRule
    unit: str = ""
    _example: tuple[int, str] = (0, "")
    _finest: int = len(RESOLUTIONS_US) - 1
    _distinct: set[int] = field(default_factory=set)

    @property
    def at_one_instant(self) -> bool:
        """Whether all accepted times so far are equal."""
        return len(self._distinct) == 1

    @property
    def resolution_us(self) -> int:
        """Time resolution of the accepted rows so far, microseconds."""
        if self.rule.resolution_us:
            return self.rule.resolution_us
        if len(self._distinct) < _DISTINCT_NEEDED:
            return min(RESOLUTIONS_US[self._finest], 1_000_000)
        return RESOLUTIONS_US[self._finest]

    def read(
        self, column: pa.ChunkedArray, line: Callable[[int], int]
    ) -> tuple[NDArray[np.int64], list[Flaw]]:
        """Microseconds UTC of each row, and the rows whose time is bad.

        Parameters
        ----------
        column
            Text, integer, float, date or timestamp column without nulls.
        line
            Line number of a row, for messages.

        Raises
        ------
        GraphscanError
            Exit code 3 if units are mixed in the file, naming two lines.
        """
        kind = column.type
        if pa.types.is_timestamp(kind) or pa.types.is_date(kind):
            times, flaws = self._typed(column, line)
        elif pa.types.is_integer(kind):
            numbers = pc.cast(column, pa.int64(), safe=False).to_numpy()
            times, flaws = self._numbers(numbers, numbers, lambda i: str(numbers[i]), line, 0)
        elif pa.types.is_floating(kind):
            floats = pc.cast(column, pa.float64()).to_numpy()
            times, flaws = self._floats(floats, lambda i: repr(float(floats[i])), line, 0)
        else:
            times, flaws = self._text(column, line)
        flawed = {row for row, _, _ in flaws}
        flaws.extend(self._implausible(times, flawed))
        return times, flaws

    def note(self, times: NDArray[np.int64]) -> None:
        """Take accepted times into account for the resolution."""
        if times.size == 0:
            return
        while self._finest > 0:
            step = RESOLUTIONS_US[self._finest]
            head_on_step = not np.any(times[:1024] % step)
            if head_on_step and not np.any(times % step):
                break
            self._finest -= 1
        if len(self._distinct) < _DISTINCT_NEEDED:
            # The ends of the range first: a block that begins with one time over and over still shows others.
            self._distinct.update((int(times.min()), int(times.max())))
            self._distinct.update(np.unique(times[: 1 << 16])[:_DISTINCT_NEEDED].tolist())

    def _text(
        self, column: pa.ChunkedArray, line: Callable[[int], int]
    ) -> tuple[NDArray[np.int64], list[Flaw]]:
        whole = self._try_text(column, line, 0)
        if whole is not None:
            return whole
        n_rows = len(column)
        times = np.zeros(n_rows, dtype=np.int64)
        flaws: list[Flaw] = []
        for start in range(0, n_rows, _SLICE_ROWS):
            part = column.slice(start, _SLICE_ROWS)
            tried = self._try_text(part, line, start)
            if tried is not None:
                times[start : start + len(part)] = tried[0]
                flaws.extend(tried[1])
                continue
            for row, value in enumerate(part.to_pylist(), start):
                outcome = self._one(value, row, line)
                if isinstance(outcome, int):
                    times[row] = outcome
                else:
                    flaws.append((row, *outcome))
        return times, flaws

    def _try_text(
        self, column: pa.ChunkedArray, line: Callable[[int], int], start: int
    ) -> tuple[NDArray[np.int64], list[Flaw]] | None:
        """All values of a slice in one way of writing, or None."""
        if len(column) == 0:
            return np.zeros(0, dtype=np.int64), []
        first = column[0].as_py()

        def text(i: int) -> str:
            return str(column[i - start].as_py())

        if _NUMBER.fullmatch(first):
            try:
                numbers = pc.cast(column, pa.int64()).to_numpy()
            except pa.ArrowInvalid:
                dotted = pc.all(pc.match_substring_regex(column, r"^\d{1,10}\.\d{1,9}$")).as_py()
                if not dotted:
                    return None
                return self._floats(pc.cast(column, pa.float64()).to_numpy(), text, line, start)
            return self._numbers(numbers, numbers, text, line, start)
        kinds: list[pa.DataType] = [pa.timestamp("us", "UTC"), pa.timestamp("ns", "UTC")]
        if self.rule.naive_is_utc:
            kinds = [pa.timestamp("us"), *kinds]
        for kind in kinds:
            try:
                moments = pc.cast(column, kind)
            except pa.ArrowInvalid:
                continue
            self._require_unit("iso", start, text, line)
            raw = pc.cast(moments, pa.int64()).to_numpy()
            return (np.floor_divide(raw, 1_000) if kind.unit == "ns" else raw), []
        return None

    def _one(self, value: str, row: int, line: Callable[[int], int]) -> int | tuple[str, str]:
        """One time in text: microseconds, or reason and message."""
        stripped = value.strip()
        if _NUMBER.fullmatch(stripped):
            number = float(stripped)
            unit = self._unit_of(number)
            if not unit:
                return (
                    "bad_time",
                    f"{value!r} is no plausible epoch time in {', '.join(self.rule.epoch_units)}",
                )
            self._require_unit(unit, row, lambda _: value, line)
            if "." in stripped:
                return round(number * MICROSECONDS.get(unit, 1)) if unit != "ns" else int(number) // 1_000
            return int(stripped) // 1_000 if unit == "ns" else int(stripped) * MICROSECONDS[unit]
        found = _ISO.fullmatch(stripped)
        if found is None:
            return "bad_time", f"{value!r} is neither ISO-8601 nor an epoch number"
        year, month, day, hour, minute, second, fraction, zone = found.groups()
        try:
            offset = _zone(zone)
            micros = int(((fraction or "") + "000000")[:6])
            when = datetime(
                int(year),
                int(month),
                int(day),
                int(hour or 0),
                int(minute or 0),
                int(second or 0),
                micros,
                UTC,
            )
        except ValueError as error:
            return "bad_time", f"{value!r} does not exist: {error}"
        if offset is None:
            if not self.rule.naive_is_utc:
                return (
                    "no_time_zone",
                    f"{value!r} has no time zone: add one, as in 2024-05-01T12:00:00Z or ...T14:00:00+02:00",
                )
            offset = timedelta(0)
        self._require_unit("iso", row, lambda _: value, line)
        return (when - datetime(1970, 1, 1, tzinfo=UTC) - offset) // timedelta(microseconds=1)

    def _numbers(
        self,
        numbers: NDArray[np.int64],
        shown: NDArray[np.int64],
        text: Callable[[int], str],
        line: Callable[[int], int],
        start: int,
    ) -> tuple[NDArray[np.int64], list[Flaw]]:
        """Epoch integers of a slice that begins at row ``start``."""
        times = np.zeros(numbers.size, dtype=np.int64)
        unknown = np.ones(numbers.size, dtype=bool)
        for unit in self._units_first_known():
            inside = self._inside(numbers, unit)
            if not inside.any():
                continue
            self._require_unit(unit, start + int(np.argmax(inside)), text, line)
            if inside.all():
                return epoch_to_us(numbers, unit), []
            times[inside] = epoch_to_us(numbers[inside], unit)
            unknown &= ~inside
        units = ", ".join(self.rule.epoch_units)
        return times, [
            (start + int(i), "bad_time", f"{text(start + int(i))!r} is no plausible epoch time in {units}")
            for i in np.flatnonzero(unknown)
        ]

    def _floats(
        self, numbers: NDArray[np.float64], text: Callable[[int], str], line: Callable[[int], int], start: int
    ) -> tuple[NDArray[np.int64], list[Flaw]]:
        times = np.zeros(numbers.size, dtype=np.int64)
        unknown = np.ones(numbers.size, dtype=bool)
        for unit in self._units_first_known():
            inside = self._inside(numbers, unit)
            if inside.any():
                self._require_unit(unit, start + int(np.argmax(inside)), text, line)
                factor = MICROSECONDS.get(unit, 0.001)
                times[inside] = np.rint(numbers[inside] * factor).astype(np.int64)
                unknown &= ~inside
        units = ", ".join(self.rule.epoch_units)
        return times, [
            (start + int(i), "bad_time", f"{text(start + int(i))!r} is no plausible epoch time in {units}")
            for i in np.flatnonzero(unknown)
        ]

    def _typed(
        self, column: pa.ChunkedArray, line: Callable[[int], int]
    ) -> tuple[NDArray[np.int64], list[Flaw]]:
        kind = column.type
        if pa.types.is_date(kind):
            column = pc.cast(column, pa.timestamp("ms"))
            kind = column.type
        raw = pc.cast(column, pa.int64()).to_numpy()
        if kind.tz is None and not self.rule.naive_is_utc:
            message = "the timestamp column has no time zone: store it with one (UTC)"
            return np.zeros(raw.size, dtype=np.int64), [(i, "no_time_zone", message) for i in range(raw.size)]
        if raw.size:
            times = epoch_to_us(raw, kind.unit)
            self._require_unit("iso", 0, lambda i: iso_from_us(int(times[i])), line)
            return times, []
        return raw, []

    def _implausible(self, times: NDArray[np.int64], flawed: set[int]) -> list[Flaw]:
        outside = (times < self.rule.from_us) | (times >= self.rule.until_us)
        if not outside.any():
            return []
        span = f"{iso_from_us(self.rule.from_us)[:4]} to {iso_from_us(self.rule.until_us)[:4]}"
        return [
            (
                int(i),
                "bad_time",
                f"{iso_from_us(int(times[i]))} is not plausible ({span}): is the unit right?",
            )
            for i in np.flatnonzero(outside)
            if int(i) not in flawed
        ]

    def _units_first_known(self) -> tuple[str, ...]:
        if self.unit in self.rule.epoch_units:
            return (self.unit, *(u for u in self.rule.epoch_units if u != self.unit))
        return self.rule.epoch_units

    def _bounds(self, unit: str) -> tuple[float, float]:
        if unit == "ns":
            return self.rule.from_us * 1_000, self.rule.until_us * 1_000
        return self.rule.from_us // MICROSECONDS[unit], self.rule.until_us // MICROSECONDS[unit]

    def _inside(self, numbers: NDArray[np.int64] | NDArray[np.float64], unit: str) -> NDArray[np.bool_]:
        low, high = self._bounds(unit)
        inside: NDArray[np.bool_] = (numbers >= low) & (numbers < high)
        return inside

    def _unit_of(self, number: float) -> str:
        for unit in self._units_first_known():
            low, high = self._bounds(unit)
            if low <= number < high:
                return unit
        return ""

    def _require_unit(
        self, unit: str, row: int, text: Callable[[int], str], line: Callable[[int], int]
    ) -> None:
        if self.unit == unit:
            return
        if not self.unit:
            self.unit = unit
            self._example = (line(row), text(row))
            return
        old_line, old_text = self._example
        raise GraphscanError(
            f"Two kinds of time in one column: {_unit_words(self.unit)} and {_unit_words(unit)}",
            f"{self.file}:{old_line}, column timestamp: {old_text!r}; "
            f"{self.file}:{line(row)}, column timestamp: {text(row)!r}",
            "Write all times of a file in one unit, best ISO-8601 with zone.",
            EXIT_INPUT,
        )


def _zone(zone: str | None) -> timedelta | None:
    if zone is None:
        return None
    if zone in {"Z", "z", "UTC", "GMT"}:
        return timedelta(0)
    digits = zone[1:].replace(":", "")
    hours, minutes = int(digits[:2]), int(digits[2:] or 0)
    if minutes > 59:
        raise ValueError("the offset has more than 59 minutes")
    offset = timedelta(hours=hours, minutes=minutes)
    # The constructor refuses offsets of a day and more.
    timezone(offset)
    return -offset if zone[0] == "-" else offset


def _unit_words(unit: str) -> str:
    return {
        "iso": "ISO-8601",
        "s": "seconds",
        "ms": "milliseconds",
        "us": "microseconds",
        "ns": "nanoseconds",
    }[unit]
