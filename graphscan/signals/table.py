"""All signals of all accounts of a stream, in one call."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final

import numpy as np
import pyarrow as pa

from graphscan.signals.acts import US_PER_S, account_acts
from graphscan.signals.coverage import surface_coverage
from graphscan.signals.model import SignalTable, SignalValues
from graphscan.signals.network import ClusterFrames
from graphscan.signals.registry import REGISTRY, SignalInputs

MIN_EVENTS: Final = 20
MIN_ACTIVE_DAYS: Final = 3


@dataclass(frozen=True)
class SignalSettings:
    """How much an account must have done to be scored at all."""

    min_events: int = MIN_EVENTS
    min_active_days: int = MIN_ACTIVE_DAYS


def account_signals(
    events: pa.Table,
    *,
    settings: SignalSettings | None = None,
    clusters: ClusterFrames | None = None,
    accounts: pa.Table | None = None,
    on_family: Callable[[str], None] | None = None,
) -> SignalTable:
    """Signals and surface coverage of every account.

    A signal that raises is named in ``failed`` and missing for everybody: it can then raise nobody's
    tier, and
    the policy lets nobody be terminated in that run.

    Parameters
    ----------
    events
        Events in ``EVENT_SCHEMA``, canonical order. A column ``text_len`` may stand in for texts that
        the source
        cannot hand out.
    settings
        Floors of own acts and active days; by default 20 and 3.
    clusters
        Frames of the cluster stage.
    accounts
        The accounts file.
    on_family
        Called with the name of each family before it is computed.

    Returns
    -------
    SignalTable
        One row an account, in the byte order of the ids.
    """
    settings = settings or SignalSettings()
    acts = account_acts(events)
    given = SignalInputs(acts, accounts, clusters)
    signals: dict[str, SignalValues] = {}
    failed: dict[str, str] = {}
    for family in REGISTRY:
        if on_family is not None:
            on_family(family.name)
        try:
            values: Mapping[str, SignalValues] = family.values(given)
        except Exception as error:  # noqa: BLE001 - one broken signal must not take the sweep with it
            failed[family.name] = f"{type(error).__name__}: {error}"
            continue
        signals.update({s.signal_id: values[s.signal_id] for s in family.signals if s.signal_id in values})
    sufficient = (acts.n_events >= settings.min_events) & (acts.n_active_days >= settings.min_active_days)
    if acts.n_acts and acts.time_us.min() == acts.time_us.max():
        # A bulk import carries one time for all: nothing about timing can be said.
        for family in REGISTRY:
            if family.name in ("timing", "clock", "latency"):
                for signal in family.signals:
                    signals.pop(signal.signal_id, None)
        sufficient = np.zeros_like(sufficient)
    return SignalTable(
        account_ids=acts.account_ids,
        n_events=acts.n_events,
        n_active_days=acts.n_active_days,
        sufficient=sufficient,
        signals=signals,
        coverage=surface_coverage(acts, clusters),
        events=events,
        resolution_us=max(acts.resolution_us, 1),
        failed=failed,
    )


def is_minute_source(table: SignalTable) -> bool:
    """Whether the source rounds times to the minute or coarser, so that latency says nothing."""
    return table.resolution_us >= 60 * US_PER_S
