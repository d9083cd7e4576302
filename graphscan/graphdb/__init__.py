"""The property graph in Neo4j: load events, read them back, write what sweeps found, bring verdicts home."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from graphscan.graphdb.client import Connection, connect, server_address
    from graphscan.graphdb.handover import event_file, hand_over
    from graphscan.graphdb.loading import LoadReport, ensure_schema, load_events
    from graphscan.graphdb.reading import read_events
    from graphscan.graphdb.runs import RunTables, RunWriteReport, write_run
    from graphscan.graphdb.status import graph_status, reset_graph
    from graphscan.graphdb.verdicts import Verdicts, sync_verdicts

# Loaded when first used: the driver and Arrow would slow every other command.
_HOMES = {
    "Connection": "client",
    "LoadReport": "loading",
    "RunTables": "runs",
    "RunWriteReport": "runs",
    "Verdicts": "verdicts",
    "connect": "client",
    "ensure_schema": "loading",
    "event_file": "handover",
    "graph_status": "status",
    "hand_over": "handover",
    "load_events": "loading",
    "read_events": "reading",
    "reset_graph": "status",
    "server_address": "client",
    "sync_verdicts": "verdicts",
    "write_run": "runs",
}

__all__ = [
    "Connection",
    "LoadReport",
    "RunTables",
    "RunWriteReport",
    "Verdicts",
    "connect",
    "ensure_schema",
    "event_file",
    "graph_status",
    "hand_over",
    "load_events",
    "read_events",
    "reset_graph",
    "server_address",
    "sync_verdicts",
    "write_run",
]


def __getattr__(name: str) -> Any:
    if name in _HOMES:
        return getattr(import_module(f"graphscan.graphdb.{_HOMES[name]}"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
