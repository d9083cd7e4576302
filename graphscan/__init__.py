"""graphscan: finds AI-managed accounts and content farms in interaction events.

The public names are loaded when they are first used, so that ``import graphscan`` stays light.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from graphscan.configuration import load_settings as load_settings
    from graphscan.errors import GraphscanError as GraphscanError
    from graphscan.estimators import ClusterDetector as ClusterDetector
    from graphscan.estimators import CoActionNetwork as CoActionNetwork
    from graphscan.events.reading import load_events as load_events
    from graphscan.network.table import co_action_network as co_action_network
    from graphscan.settings import Settings as Settings
    from graphscan.simulate.worlds import simulate_world as simulate_world
    from graphscan.store.events import EventStore as EventStore

__version__ = "0.1.0"

_PUBLIC = {
    "ClusterDetector": "graphscan.estimators",
    "CoActionNetwork": "graphscan.estimators",
    "EventStore": "graphscan.store.events",
    "GraphscanError": "graphscan.errors",
    "Settings": "graphscan.settings",
    "co_action_network": "graphscan.network.table",
    "load_events": "graphscan.events.reading",
    "load_settings": "graphscan.configuration",
    "simulate_world": "graphscan.simulate.worlds",
}
__all__ = [
    "ClusterDetector",
    "CoActionNetwork",
    "EventStore",
    "GraphscanError",
    "Settings",
    "__version__",
    "co_action_network",
    "load_events",
    "load_settings",
    "simulate_world",
]


def __getattr__(name: str) -> Any:
    if name in _PUBLIC:
        from importlib import import_module

        return getattr(import_module(_PUBLIC[name]), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted([*globals(), *_PUBLIC])
