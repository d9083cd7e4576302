"""The acts of every account, laid out once so that every family can work on whole arrays."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from graphscan.events.model import ACTIONS, SURFACE_OF_ACTION, SURFACES

US_PER_S: Final = 1_000_000
HOUR_US: Final = 3_600 * US_PER_S
DAY_US: Final = 24 * HOUR_US

# Resolutions a source may have rounded its times to, coarsest first.
_RESOLUTIONS_US: Final = (DAY_US, HOUR_US, 60 * US_PER_S, US_PER_S, 1_000, 1)


def codes_of(column: pa.ChunkedArray | pa.Array) -> tuple[NDArray[np.int64], pa.Array]:
    """Integer codes of a text column in the byte order of its values; -1 for null.

    Returns
    -------
    codes, values
        ``values[codes[i]]`` is the i-th entry.
    """
    if isinstance(column, pa.ChunkedArray):
        column = column.combine_chunks()
    encoded = column.dictionary_encode()
    values = encoded.dictionary
    order = np.asarray(pc.sort_indices(values)) if len(values) else np.zeros(0, dtype=np.int64)
    rank = np.empty(len(values) + 1, dtype=np.int64)
    rank[order] = np.arange(len(values))
    rank[-1] = -1
    raw = np.asarray(encoded.indices.fill_null(len(values)).cast(pa.int64()))
    return rank[raw], values.take(pa.array(order))


def detected_resolution_us(times_us: NDArray[np.int64]) -> int:
    """Coarsest unit of which at least 99.5 % of the times are multiples.

    Second-level features mean nothing on a source that rounds to minutes, and a period close to the unit
    locks by construction.
    """
    if len(times_us) == 0:
        return 1
    for unit in _RESOLUTIONS_US:
        if np.mean(times_us % unit == 0) >= 0.995:
            return unit
    return 1


@dataclass(frozen=True)
class AccountActs:
    """Events grouped by account, in time order within each.

    Rows are those of ``events`` (canonical order). ``order`` lists rows grouped by account; the acts of
    account
    ``a`` are ``order[start[a]:start[a + 1]]``. Arrays named ``*_g`` are in that grouped order.
    """

    events: pa.Table
    account_ids: pa.Array
    account: NDArray[np.int64]
    order: NDArray[np.int64]
    start: NDArray[np.int64]
    resolution_us: int

    @property
    def n_accounts(self) -> int:
        """Number of accounts."""
        return len(self.account_ids)

    @property
    def n_acts(self) -> int:
        """Number of events."""
        return len(self.order)

    @cached_property
    def n_events(self) -> NDArray[np.int64]:
        """Events per account."""
        return np.diff(self.start)

    @cached_property
    def account_g(self) -> NDArray[np.int64]:
        """Account code in grouped order (non-decreasing)."""
        return self.account[self.order]

    @cached_property
    def time_us(self) -> NDArray[np.int64]:
        """Times in row order."""
        return np.asarray(self.events.column("timestamp_us").combine_chunks())

    @cached_property
    def time_g(self) -> NDArray[np.int64]:
        """Times in grouped order."""
        return self.time_us[self.order]

    @cached_property
    def gap_us_g(self) -> NDArray[np.int64]:
        """Time since the account's previous act, -1 for its first."""
        gap = np.full(self.n_acts, -1, dtype=np.int64)
        if self.n_acts:
            gap[1:] = np.diff(self.time_g)
            gap[self.start[:-1]] = -1
        return gap

    @cached_property
    def action(self) -> NDArray[np.int64]:
        """Index into ``ACTIONS`` in row order."""
        return _lookup(self.events.column("action"), {name: i for i, name in enumerate(ACTIONS)})

    @cached_property
    def surface(self) -> NDArray[np.int64]:
        """Index into ``SURFACES`` in row order, -1 for actions that belong to none."""
        names = {action: SURFACES.index(surface) for action, surface in SURFACE_OF_ACTION.items()}
        return _lookup(self.events.column("action"), names)

    @cached_property
    def object_code(self) -> NDArray[np.int64]:
        """Code of the object, in row order."""
        return codes_of(self.events.column("object_id"))[0]

    @cached_property
    def thread(self) -> NDArray[np.int64]:
        """Code of the thread an act stands in: what it answers if known, else what it acts on; row order."""
        parent = self.events.column("parent_id")
        key = pc.coalesce(parent, self.events.column("object_id"))
        return codes_of(key)[0]

    @cached_property
    def parent_row(self) -> NDArray[np.int64]:
        """Row of the event that an act answers, -1 where ``parent_id`` names no earlier event."""
        place = pc.index_in(
            self.events.column("parent_id").combine_chunks(),
            value_set=self.events.column("event_id").combine_chunks(),
        )
        row = np.asarray(place.fill_null(-1)).astype(np.int64)
        return np.where(row < np.arange(self.n_acts), row, -1)

    @cached_property
    def text_length(self) -> NDArray[np.float64]:
        """Characters written in each act in row order, NaN without text.

        A source that cannot hand out texts may give their lengths in a column ``text_len``.
        """
        length = np.full(self.n_acts, np.nan)
        if "text_len" in self.events.column_names:
            given = self.events.column("text_len").combine_chunks().cast(pa.float64())
            length = np.array(given.fill_null(np.nan))
        text = self.events.column("text").combine_chunks()
        if text.null_count < len(text):
            own = np.array(pc.utf8_length(text).cast(pa.float64()).fill_null(np.nan))
            length = np.where(np.isnan(own), length, own)
        length[length <= 0] = np.nan
        return length

    def latest_rows(self, k: int) -> NDArray[np.int64]:
        """Rows of the last ``k`` acts of each account, newest first, -1 where fewer; (n_accounts, k)."""
        place = self.start[1:, None] - 1 - np.arange(k)
        held = place >= self.start[:-1, None]
        if self.n_acts == 0:
            return np.full((self.n_accounts, k), -1, dtype=np.int64)
        return np.where(held, self.order[np.maximum(place, 0)], -1)

    @cached_property
    def n_active_days(self) -> NDArray[np.int64]:
        """Distinct UTC days with an act, per account."""
        day = self.time_g // DAY_US
        new = np.ones(self.n_acts, dtype=np.int64)
        if self.n_acts:
            new[1:] = (np.diff(day) != 0) | (np.diff(self.account_g) != 0)
        return np.bincount(self.account_g, weights=new, minlength=self.n_accounts).astype(np.int64)


def account_acts(events: pa.Table) -> AccountActs:
    """Lay out a table of events by account.

    Parameters
    ----------
    events
        Events in ``EVENT_SCHEMA`` in canonical order (``timestamp_us, event_id``).
    """
    account, ids = codes_of(events.column("account_id"))
    order = np.argsort(account, kind="stable")
    start = np.zeros(len(ids) + 1, dtype=np.int64)
    np.cumsum(np.bincount(account, minlength=len(ids)), out=start[1:])
    times = np.asarray(events.column("timestamp_us").combine_chunks())
    return AccountActs(events, ids, account, order, start, detected_resolution_us(times))


def _lookup(column: pa.ChunkedArray, table: dict[str, int]) -> NDArray[np.int64]:
    encoded = column.combine_chunks().dictionary_encode()
    codes = np.array([table.get(v, -1) for v in encoded.dictionary.to_pylist()] + [-1], dtype=np.int64)
    return np.asarray(codes[np.asarray(encoded.indices.fill_null(-1).cast(pa.int64()))], dtype=np.int64)
