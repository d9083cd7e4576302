"""What people decided before: verdicts of investigators, appeals, the allow-list, earlier warnings."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from graphscan.errors import EXIT_USAGE, GraphscanError
from graphscan.verdicts.tiers import AccountEvidence

OUTCOMES: Final = ("human", "automated", "unsure", "appeal_upheld", "appeal_rejected")


@dataclass(frozen=True)
class PastDecision:
    """One decision of a person.

    Parameters
    ----------
    account_id
        Whom it is about.
    outcome
        One of ``OUTCOMES``.
    evidence_hash
        Hash of the evidence it was made on; None where it was made without a run (it then binds to whatever
        evidence there is).
    """

    account_id: str
    outcome: str
    evidence_hash: str | None = None


@dataclass(frozen=True)
class Decisions:
    """All that people decided, in the order in which they did.

    Parameters
    ----------
    past
        Decisions, oldest first; the newest of an account counts, except that a rejected appeal leaves
        the verdict
        before it standing.
    allow_list
        Accounts that the platform exempts.
    prior_warnings
        Account id to the number of earlier warnings for behaviour.
    cluster_sweeps
        Cluster id to the number of sweeps in a row that found it, this one included.
    """

    past: tuple[PastDecision, ...] = ()
    allow_list: frozenset[str] = frozenset()
    prior_warnings: Mapping[str, int] = field(default_factory=dict)
    cluster_sweeps: Mapping[str, int] = field(default_factory=dict)

    def newest(self) -> dict[str, PastDecision]:
        """The decision that counts for each account."""
        result: dict[str, PastDecision] = {}
        for one in self.past:
            if one.outcome not in OUTCOMES:
                raise GraphscanError(
                    f"unknown decision {one.outcome!r}",
                    f"account {one.account_id}",
                    f"one of {', '.join(OUTCOMES)}",
                    EXIT_USAGE,
                )
            if one.outcome != "appeal_rejected":
                result[one.account_id] = one
        return result


def read_allow_list(path: Path | str) -> frozenset[str]:
    """Read account ids, one a line; empty lines and lines that start with ``#`` are left out.

    Raises
    ------
    GraphscanError
        Exit 2 if the file cannot be read.
    """
    try:
        lines = Path(path).read_text(encoding="utf-8-sig").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise GraphscanError(
            f"the allow-list cannot be read: {error}",
            str(path),
            "give a UTF-8 file with one account id a line",
            EXIT_USAGE,
        ) from error
    return frozenset(line for line in lines if line.strip() and not line.startswith("#"))


def evidence_hash(evidence: AccountEvidence) -> str:
    """Hash of what the evidence says, coarse enough that further acts of the same kind do not change it.

    Families, the tenth of the score, the tenth of the coverage bound of each surface, and the standing in the
    cluster. A decision binds to it: changed evidence asks again.
    """
    cluster = evidence.cluster
    says = {
        "families": sorted(evidence.families),
        "score": None if evidence.p_automation is None else int(evidence.p_automation * 10),
        "coverage": {name: int(s.lower_bound * 10) for name, s in sorted(evidence.surfaces.items())},
        "cluster": None if cluster is None else [cluster.in_core, cluster.explained, cluster.n_layers > 1],
    }
    text = json.dumps(says, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()[:32]


def ids_of(decisions: Iterable[PastDecision]) -> frozenset[str]:
    """Accounts with a decision."""
    return frozenset(one.account_id for one in decisions)
