"""Docs pages of signals and reasons, written from the registries so that they cannot drift.

``python -m graphscan.verdicts.pages DOCS`` writes them; a test holds them equal.
"""

from __future__ import annotations

import sys
from pathlib import Path

from graphscan.signals import REGISTRY, SIGNALS, Signal
from graphscan.verdicts.reasons import REASONS, Reason

_KIND = {
    "signal": "signal",
    "rule": "rule",
    "guard": "guard rail",
    "decision": "decision of people",
    "state": "state",
}


def pages() -> dict[str, str]:
    """Path under the docs folder to the content of every generated page."""
    result = {signal.page: signal_page(signal) for signal in SIGNALS.values()}
    result |= {reason.page: reason_page(reason) for reason in REASONS.values()}
    result["signals/README.md"] = _signal_index()
    result["reasons/README.md"] = _reason_index()
    return result


def signal_page(signal: Signal) -> str:
    """The page of one signal."""
    direction = (
        "more of it speaks for automation" if signal.direction > 0 else "more of it speaks for a person"
    )
    moves = (
        "It moves the heads, and only in that direction."
        if signal.monotone
        else "It is shown and moves no automation head: its direction did not hold on every set, or it is no "
        "own behaviour."
    )
    others = (
        "Only the account's own acts count."
        if signal.own_acts
        else "It depends on acts of others too; the tiers keep them from raising anybody's tier."
    )
    needs = ", ".join(f"`{n}`" for n in signal.needs) or "nothing beyond account, action, object and time"
    return (
        f"# {signal.title}\n\n`{signal.signal_id}`, family `{signal.family}`, version {signal.version}\n\n"
        f"{signal.formula[:1].upper()}{signal.formula[1:]}.\n\n"
        f"| | |\n| --- | --- |\n| unit | {signal.unit} |\n| direction | {direction} |\n| exists from | "
        f"{signal.floor} |\n"
        f"| needs | {needs} |\n| source | {signal.source} |\n\n"
        f"{moves} {others} Below its floor it is missing, never zero, and counts as nothing.\n\n"
        f"## Known false positives\n\n{signal.known_false_positives}\n\n"
        f"## How it reads in a statement\n\n> {signal.detail.format(value=0.5, n=40)}\n"
    )


def reason_page(reason: Reason) -> str:
    """The page of one reason code."""
    text = f"# `{reason.code}`\n\nKind: {_KIND[reason.kind]}.\n\n{reason.says}\n"
    if reason.kind == "signal":
        signal = SIGNALS[reason.code]
        text += (
            "\nIt is named when the account stands out in it from nine in ten accounts of the sweep. By"
            " itself it brings "
            f"no tier. How it is computed, and whom it gets wrong: [{signal.title}](../{signal.page}).\n\n"
            f"Known false positives: {signal.known_false_positives}\n"
        )
    text += "\nWhat tiers mean and how they come about: [Tiers](../explanation/tiers.md).\n"
    return text


def _signal_index() -> str:
    lines = ["# Signals", "", "One page each; written from the registry of `graphscan.signals`.", ""]
    for family in REGISTRY:
        lines += [f"## {family.name}", "", "| signal | what | moves the heads |", "| --- | --- | --- |"]
        lines += [
            f"| [`{s.signal_id}`]({s.signal_id}.md) | {s.title} | {'yes' if s.monotone else 'no'} |"
            for s in family.signals
        ]
        lines.append("")
    return "\n".join(lines)


def _reason_index() -> str:
    lines = ["# Reasons", "", "The codes in the column `reasons` of `accounts.csv`.", ""]
    lines += ["| code | kind | says |", "| --- | --- | --- |"]
    lines += [f"| [`{r.code}`]({r.code}.md) | {_KIND[r.kind]} | {r.says} |" for r in REASONS.values()]
    return "\n".join(lines) + "\n"


def main() -> None:
    """Write all pages under the folder given."""
    docs = Path(sys.argv[1])
    for name, text in pages().items():
        path = docs / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
