"""Signals: what each account does, as numbers with their meaning."""

from graphscan.signals.model import FAMILIES, Signal, SignalTable, SignalValues
from graphscan.signals.network import ClusterFrames
from graphscan.signals.registry import REGISTRY, SIGNALS
from graphscan.signals.table import SignalSettings, account_signals

__all__ = [
    "FAMILIES",
    "REGISTRY",
    "SIGNALS",
    "ClusterFrames",
    "Signal",
    "SignalSettings",
    "SignalTable",
    "SignalValues",
    "account_signals",
]
