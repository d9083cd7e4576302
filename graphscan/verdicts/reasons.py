"""Reason codes: every rule, guard and condition that a decision can name, with its meaning in a sentence.

The codes of signals are the ids of the signals themselves.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from graphscan.signals import SIGNALS


@dataclass(frozen=True)
class Reason:
    """A reason code, what kind it is, and what it says."""

    code: str
    kind: str
    says: str

    @property
    def page(self) -> str:
        """Docs page, relative to the docs folder."""
        return f"reasons/{self.code}.md"


_RULES: Final = (
    Reason("insufficient_evidence", "state", "The account has done too little to be scored."),
    Reason("automation_likely", "rule", "The automation head calls automation likely."),
    Reason(
        "undeclared_ai_text",
        "rule",
        "An outside detector scores most of the account's texts high, and the author declares no AI "
        "assistance.",
    ),
    Reason(
        "hosting_on_a_public_surface",
        "rule",
        "Automation is very likely, at least half of what the account does on a public surface looks "
        "hosted, and "
        "at least two families of evidence say so.",
    ),
    Reason("repeated_warning", "rule", "Automation is likely and the account was warned before."),
    Reason(
        "not_calibrated_here",
        "guard",
        "The conditions of a limit hold, but the model is not calibrated on people of this platform: a "
        "person looks.",
    ),
    Reason(
        "route_surfaces", "rule", "Nearly all acts on at least three surfaces, posts among them, look hosted."
    ),
    Reason("route_posts", "rule", "Nearly all posts look hosted, beyond what a scheduling tool explains."),
    Reason(
        "route_farm",
        "rule",
        "The account is in the core of a group that acts together in two layers or sweeps, and is "
        "itself automated.",
    ),
    Reason("one_condition_short", "rule", "A termination route lacks one condition: a person looks."),
    Reason(
        "rests_on_one_family",
        "guard",
        "Without one family of evidence no limit would be left: a person looks.",
    ),
    Reason("text_alone", "guard", "Only texts speak for automation; texts restrict nobody."),
    Reason("graph_alone", "guard", "Only the network speaks against the account: a person looks."),
    Reason("signal_failed", "guard", "A signal failed in this run, so nobody is terminated by it."),
    Reason("verdict_human", "decision", "An investigator found a person."),
    Reason("verdict_automated", "decision", "An investigator found automation."),
    Reason("verdict_unsure", "decision", "An investigator could not tell."),
    Reason(
        "decided_before",
        "decision",
        "People decided for the account on older evidence: a person looks again.",
    ),
    Reason("appeal_upheld", "decision", "An appeal was upheld on this evidence."),
    Reason("allow_listed", "decision", "The platform exempts the account."),
    Reason("human_evidence", "guard", "There is strong evidence of a person, or it could not be looked for."),
    Reason("shadowed", "guard", "Others follow the account closely; that says nothing about it."),
    Reason(
        "circuit_breaker",
        "guard",
        "The sweep would have terminated too many accounts: everything goes to review.",
    ),
)

REASONS: Final = {
    **{r.code: r for r in _RULES},
    **{s.signal_id: Reason(s.signal_id, "signal", f"{s.title}.") for s in SIGNALS.values()},
}
ROUTE_REASON: Final = {"R1": "route_surfaces", "R2": "route_posts", "R3": "route_farm"}


def reason_codes(rules: tuple[str, ...]) -> list[str]:
    """Codes of the rules of a decision: routes by name, details after a colon left out, each once."""
    codes = [ROUTE_REASON.get(rule, rule.split(":", 1)[0]) for rule in rules]
    return list(dict.fromkeys(codes))
