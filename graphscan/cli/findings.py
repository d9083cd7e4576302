"""Clusters as people read them in a terminal: one line each, at most 80 columns."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final

from graphscan.cli.output import safe

if TYPE_CHECKING:
    from rich.text import Text

ACTS: Final = {
    "co_repost": "reposts",
    "co_comment": "comments",
    "co_like": "likes",
    "co_chat": "chat",
    "co_follow": "follows",
    "co_message": "messages",
    "co_join": "chat joins",
    "co_url": "links",
    "co_hashtags": "hashtags",
    "co_text": "texts",
    "co_media": "media",
    "co_profile": "profiles",
    "co_clock": "clock",
}


def layer_words(layers: str | Sequence[str]) -> str:
    """The layers of a cluster in everyday words, such as ``reposts, likes``."""
    names = json.loads(layers) if isinstance(layers, str) else layers
    return ", ".join(ACTS.get(name, name) for name in names)


def table_row(cells: Sequence[str], columns: Sequence[int], styles: Sequence[str]) -> Text:
    """Cells one beside the other; a negative width means right-aligned."""
    from rich.text import Text

    line = Text("  ")
    for cell, width, style in zip(cells, columns, styles, strict=False):
        shown = safe(cell)
        line.append(shown.rjust(-width) if width < 0 else shown.ljust(width), style=style)
        line.append("  ")
    line.rstrip()
    return line


def figure(value: float) -> str:
    """A statistic, short: one decimal below ten, thousands grouped."""
    if math.isnan(value):
        return "-"
    return f"{value:,.0f}" if value >= 10 else f"{value:.1f}"


def duration(seconds: float) -> str:
    """A length of time in its largest whole unit, such as ``10 min``."""
    for unit_s, unit in ((3_600, "h"), (60, "min")):
        if seconds >= unit_s:
            return f"{seconds / unit_s:g} {unit}"
    return f"{seconds:g} s"


def explanation_words(match: str | None) -> str:
    """A legitimate explanation as words, empty if none fits."""
    return (match or "").replace("_", " ")


def ledger_words(ledger: Mapping[str, Any]) -> str:
    """The row ledger in one line."""
    n_rejected = sum(ledger["rejected"].values())
    return (
        f"{ledger['read']:,} rows: {ledger['accepted']:,} accepted, {ledger['duplicate']:,} duplicate, "
        f"{n_rejected:,} rejected, {ledger['late']:,} late"
    )
