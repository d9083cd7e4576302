"""Clusters as people read them in a terminal: one line each, at most 80 columns."""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from graphscan.cli.output import safe

if TYPE_CHECKING:
    from rich.text import Text

WIDTH: Final = 80
TRIGGER: Final = "push_notification"
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


@dataclass(frozen=True)
class Line:
    """A line of a table: its cells, their styles, and a remark that stands below it."""

    cells: Sequence[str]
    styles: Sequence[str] = ()
    remark: str = ""


def table_lines(heading: Sequence[str], lines: Sequence[Line], right: Sequence[bool]) -> list[Text]:
    """Lines one below the other, columns as wide as they must be, at most 80 wide in all.

    Parameters
    ----------
    heading
        Names of the columns.
    lines
        What stands in them.
    right
        Whether a column is right-aligned.
    """
    from rich.text import Text

    cells = [[safe(cell) for cell in line.cells] for line in (Line(heading), *lines)]
    widths = [max(len(row[place]) for row in cells) for place in range(len(heading))]
    styles = [["bold"] * len(heading), *(line.styles for line in lines)]
    shown: list[Text] = []
    for row, style, line in zip(cells, styles, (Line(heading), *lines), strict=True):
        text = Text(" ")
        for place, cell in enumerate(row):
            padded = cell.rjust(widths[place]) if right[place] else cell.ljust(widths[place])
            text.append(" " + padded + " ", style=style[place] if place < len(style) else "")
        text.rstrip()
        text.truncate(WIDTH, overflow="ellipsis")
        shown.append(text)
        if line.remark:
            shown.append(Text(f"    {safe(line.remark)}", style="yellow"))
    return shown


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


def probability(value: float) -> str:
    """A p- or q-value, short."""
    if value < 1e-99:
        return "<1e-99"
    return f"{value:.3f}" if value >= 0.001 else f"{value:.0e}"


def remark_on(match: str | None) -> str:
    """What is said below a cluster that a legitimate explanation fits.

    A common push notification fits every cluster that is known by its timing; that is said once, below all.
    """
    return "" if match in (None, "", TRIGGER) else f"could also be: {str(match).replace('_', ' ')}"


def caution(matches: Iterable[str | None]) -> list[str]:
    """What is said once below clusters of which some could have a common trigger."""
    if TRIGGER not in set(matches):
        return []
    return [
        "Timing alone cannot tell one operator from one push notification that all of a",
        "group received: whether there is somebody behind it, a person must find out.",
    ]


def ledger_words(ledger: Mapping[str, Any]) -> str:
    """The row ledger in one line."""
    n_rejected = sum(ledger["rejected"].values())
    return (
        f"{ledger['read']:,} rows: {ledger['accepted']:,} accepted, {ledger['duplicate']:,} duplicate, "
        f"{n_rejected:,} rejected, {ledger['late']:,} late"
    )
