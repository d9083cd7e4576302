"""Labels of accounts: read, checked, and mapped to the four classes."""

from __future__ import annotations

import csv
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from graphscan.errors import EXIT_INPUT, EXIT_USAGE, GraphscanError

HUMAN: Final = "human"
ASSISTED: Final = "human_ai_assisted"
AUTOMATED: Final = "automated"
AI_MANAGED: Final = "ai_managed"
CLASSES: Final = (HUMAN, ASSISTED, AUTOMATED, AI_MANAGED)
HOSTED: Final = frozenset({AUTOMATED, AI_MANAGED})
ALIASES: Final = {"bot": AUTOMATED, "ai_agent": AI_MANAGED}


@dataclass(frozen=True)
class Labels:
    """Labels by account.

    Parameters
    ----------
    label_of
        Account id to one of ``CLASSES``.
    campaign_of
        Account id to the campaign it belongs to, where the file names one.
    left_out
        Labels that are none of the classes, with how many accounts carry them.
    """

    label_of: Mapping[str, str]
    campaign_of: Mapping[str, str] = field(default_factory=dict)
    left_out: Mapping[str, int] = field(default_factory=dict)


def read_labels(path: Path | str) -> Labels:
    """Read ``account_id, label[, campaign_id]``; the aliases ``bot`` and ``ai_agent`` are accepted.

    Raises
    ------
    GraphscanError
        Exit 2 without the file or its columns; exit 3 if an account has two different labels.
    """
    path = Path(path)
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            reader = csv.DictReader(file)
            missing = [c for c in ("account_id", "label") if c not in (reader.fieldnames or [])]
            if missing:
                raise GraphscanError(
                    f"the labels file has no column {', '.join(missing)}",
                    f"{path}, columns found: {', '.join(reader.fieldnames or ['none'])}",
                    "give account_id and label, one row an account",
                    EXIT_USAGE,
                )
            rows = [(reader.line_num, r["account_id"], r["label"], r.get("campaign_id")) for r in reader]
    except OSError as error:
        raise GraphscanError(
            f"the labels file cannot be read: {error.strerror or error}",
            str(path),
            "check the path",
            EXIT_USAGE,
        ) from error
    except UnicodeDecodeError as error:
        raise GraphscanError(
            "the labels file is not UTF-8", f"{path}, byte {error.start}", "save it as UTF-8", EXIT_INPUT
        ) from error
    return _labels(rows, str(path))


def _labels(rows: list[tuple[int, str | None, str | None, str | None]], where: str) -> Labels:
    label_of: dict[str, str] = {}
    campaign_of: dict[str, str] = {}
    left_out: dict[str, int] = {}
    for line, account, raw, campaign in rows:
        if not account or raw is None:
            raise GraphscanError(
                "a row of the labels file has no account or label",
                f"{where}:{line}",
                "fill it or remove it",
                EXIT_INPUT,
            )
        label = ALIASES.get(raw.strip(), raw.strip())
        if label not in CLASSES:
            left_out[label] = left_out.get(label, 0) + 1
            continue
        if label_of.get(account, label) != label:
            raise GraphscanError(
                f"account {account!r} has the labels {label_of[account]} and {label}",
                f"{where}:{line}",
                "keep one of the two rows",
                EXIT_INPUT,
            )
        label_of[account] = label
        if campaign:
            campaign_of[account] = campaign
    return Labels(label_of, campaign_of, dict(sorted(left_out.items())))
