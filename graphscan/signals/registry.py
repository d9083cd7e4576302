"""The register of signal families: one entry a file, in the order of the reports."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

import pyarrow as pa

from graphscan.signals import actions, clock, content, human, latency, network, provisioning, timing
from graphscan.signals.acts import AccountActs
from graphscan.signals.model import FamilyValues, Signal
from graphscan.signals.network import ClusterFrames


@dataclass(frozen=True)
class SignalInputs:
    """All that signals may read: the acts, and the accounts file and the clusters if there are."""

    acts: AccountActs
    accounts: pa.Table | None = None
    clusters: ClusterFrames | None = None


@dataclass(frozen=True)
class Family:
    """A family of signals and the function that gives their values."""

    name: str
    signals: tuple[Signal, ...]
    values: Callable[[SignalInputs], FamilyValues]


REGISTRY: Final = (
    Family("content", content.SIGNALS, lambda given: content.content_values(given.acts)),
    Family("timing", timing.SIGNALS, lambda given: timing.timing_values(given.acts)),
    Family("clock", clock.SIGNALS, lambda given: clock.clock_values(given.acts)),
    Family("latency", latency.SIGNALS, lambda given: latency.latency_values(given.acts)),
    Family("actions", actions.SIGNALS, lambda given: actions.actions_values(given.acts)),
    Family(
        "provisioning",
        provisioning.SIGNALS,
        lambda given: provisioning.provisioning_values(given.acts, given.accounts),
    ),
    Family("network", network.SIGNALS, lambda given: network.network_values(given.acts, given.clusters)),
    Family("human", human.SIGNALS, lambda given: human.human_values(given.acts, given.clusters)),
)

SIGNALS: Final = {signal.signal_id: signal for family in REGISTRY for signal in family.signals}
