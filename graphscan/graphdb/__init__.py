"""The property graph in Neo4j: load events, read them back, write what sweeps found, bring verdicts home."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from graphscan.graphdb.client import Connection, connect, server_address
    from graphscan.graphdb.loading import LoadReport, ensure_schema, load_events
    from graphscan.graphdb.reading import read_events

# Loaded when first used: the driver and Arrow would slow every other command.
_HOMES = {
    "Connection": "client",
    "LoadReport": "loading",
    "connect": "client",
    "ensure_schema": "loading",
    "load_events": "loading",
    "read_events": "reading",
    "server_address": "client",
}

__all__ = [
    "Connection",
    "LoadReport",
    "connect",
    "ensure_schema",
    "load_events",
    "read_events",
    "server_address",
]


def __getattr__(name: str) -> Any:
    if name in _HOMES:
        return getattr(import_module(f"graphscan.graphdb.{_HOMES[name]}"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
