"""What a signal is: its description, the values it gives, and the table all families fill together."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Final

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from graphscan.signals.acts import AccountActs

# Families in the order in which reports show them. Text families carry no restriction by themselves.
FAMILIES: Final = (
    "content",
    "timing",
    "clock",
    "latency",
    "actions",
    "provisioning",
    "network",
    "human",
)
TEXT_FAMILIES: Final = frozenset({"content"})
TIME_FAMILIES: Final = frozenset({"timing", "clock", "latency"})

N_EXAMPLES: Final = 5


@dataclass(frozen=True)
class Signal:
    """The description of one signal; everything a reader of a verdict needs to judge it.

    Parameters
    ----------
    signal_id
        Stable name, also the reason code's stem and the name of the docs page.
    family
        One of :data:`FAMILIES`.
    version
        Raised whenever the formula changes; a model trained on another version is refused.
    title
        A few words for people.
    formula
        The definition, in one or two lines.
    unit
        Unit of the value.
    direction
        ``+1`` if more of it speaks for automation, ``-1`` if more of it speaks for a person.
    monotone
        Whether the direction held on every labelled set it was measured on; only such signals may move a
        head, and only in that direction.
    floor
        What an account needs before the value exists; below it the value is missing, never zero.
    needs
        Event columns the signal reads beyond account, action, object and time.
    known_false_positives
        People who have been seen, or must be expected, to score high.
    source
        Where the idea was published.
    detail
        Text with the placeholders ``{value}`` and ``{n}`` (how many items it rests on).
    own_acts
        Whether the value depends on the account's own acts alone. Others can then neither raise nor lower it.
    """

    signal_id: str
    family: str
    version: int
    title: str
    formula: str
    unit: str
    direction: int
    monotone: bool
    floor: str
    needs: tuple[str, ...]
    known_false_positives: str
    source: str
    detail: str
    own_acts: bool = True

    @property
    def page(self) -> str:
        """Docs page of the signal, relative to the docs folder."""
        return f"signals/{self.signal_id}.md"

    @property
    def key(self) -> str:
        """Name and version; models remember it."""
        return f"{self.signal_id}@{self.version}"


@dataclass(frozen=True)
class SignalValues:
    """Values of one signal for all accounts.

    Parameters
    ----------
    value
        float64 of shape (n_accounts,); NaN where the signal is missing.
    n
        int64 of shape (n_accounts,): how many items (texts, gaps, answers, ...) the value rests on.
    example_rows
        int64 of shape (n_accounts, <= N_EXAMPLES): rows of the event table that show it, -1 where
        there is none.
    """

    value: NDArray[np.float64]
    n: NDArray[np.int64]
    example_rows: NDArray[np.int64]


FamilyValues = Mapping[str, SignalValues]
FamilyFunction = Callable[[AccountActs], FamilyValues]


@dataclass(frozen=True)
class Coverage:
    """Acts and hosted acts per account and surface (see ``coverage.py`` for the definition).

    All arrays have shape (n_accounts, n_surfaces) in the order of ``events.model.SURFACES``.
    """

    n_acts: NDArray[np.int64]
    n_hosted: NDArray[np.int64]
    n_hosted_by: Mapping[str, NDArray[np.int64]]
    lower_bound: NDArray[np.float64]


@dataclass(frozen=True)
class SignalTable:
    """Signals of every account of a stream.

    Parameters
    ----------
    account_ids
        Accounts in the byte order of their ids, shape (n_accounts,).
    n_events, n_active_days
        Own acts and distinct UTC days with one, shape (n_accounts,).
    sufficient
        Whether the account has enough acts for a score at all.
    signals
        Signal id to its values.
    coverage
        Hosted acts by surface.
    failed
        Signals that raised, with the message: shown to the reader, and no termination without them.
    events
        The events, to resolve example rows.
    """

    account_ids: pa.Array
    n_events: NDArray[np.int64]
    n_active_days: NDArray[np.int64]
    sufficient: NDArray[np.bool_]
    signals: Mapping[str, SignalValues]
    coverage: Coverage
    events: pa.Table
    resolution_us: int
    failed: Mapping[str, str] = field(default_factory=dict)

    @property
    def n_accounts(self) -> int:
        """Number of accounts."""
        return len(self.account_ids)

    def matrix(self, signal_ids: tuple[str, ...]) -> NDArray[np.float64]:
        """Values as float64 of shape (n_accounts, n_signals); NaN where missing or failed."""
        columns = [
            self.signals[s].value if s in self.signals else np.full(self.n_accounts, np.nan)
            for s in signal_ids
        ]
        if not columns:
            return np.zeros((self.n_accounts, 0))
        return np.column_stack(columns)

    def example_event_ids(self, signal_id: str, account: int) -> list[str]:
        """Ids of the events that show a signal for the account at row ``account``."""
        rows = self.signals[signal_id].example_rows[account]
        ids = self.events.column("event_id")
        return [ids[int(r)].as_py() for r in rows if r >= 0]
