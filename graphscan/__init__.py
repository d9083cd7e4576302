"""graphscan: finds AI-managed accounts and content farms in interaction events.

The public names are loaded when they are first used, so that ``import graphscan`` stays light.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from graphscan.configuration import load_settings as load_settings
    from graphscan.errors import GraphscanError as GraphscanError
    from graphscan.settings import Settings as Settings

__version__ = "0.1.0"

_PUBLIC = {
    "GraphscanError": "graphscan.errors",
    "Settings": "graphscan.settings",
    "load_settings": "graphscan.configuration",
}
__all__ = ["GraphscanError", "Settings", "__version__", "load_settings"]


def __getattr__(name: str) -> Any:
    if name in _PUBLIC:
        from importlib import import_module

        return getattr(import_module(_PUBLIC[name]), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted([*globals(), *_PUBLIC])
