"""A simulated platform with labels, as the tests of this folder use it."""

from __future__ import annotations

from dataclasses import dataclass

import pyarrow as pa

from graphscan.signals import SignalTable, account_signals
from graphscan.simulate.worlds import simulate_world
from graphscan.verdicts.labels import Labels


@dataclass(frozen=True)
class Platform:
    """Events, labels, signals and the archetype of each account."""

    events: pa.Table
    labels: Labels
    table: SignalTable
    archetype: dict[str, str]


def simulated_platform(n_events: int, seed: int) -> Platform:
    """A world as a platform."""
    world = simulate_world(n_events, seed)
    labels = Labels({r["account_id"]: r["label"] for r in world.labels.to_pylist()})
    archetype = {r["account_id"]: r["archetype"] for r in world.truth.to_pylist()}
    return Platform(world.events, labels, account_signals(world.events, accounts=world.accounts), archetype)
