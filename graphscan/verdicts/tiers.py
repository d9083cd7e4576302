"""Tiers: what follows from the evidence about one account.

The decision is a pure function of the evidence, the policy and nothing else. What protects people is written
here
as code and holds whatever a policy file says; every rule has a property-based test.

1. Text or detector evidence alone stays at ``warn``.
2. Graph membership alone stays at ``review``.
3. Missing data never raises a tier.
4. More incriminating evidence never lowers a tier; more human evidence never raises one.
5. Dropping any one family from a termination leaves at least ``limit``.
6. Acts of others never raise a tier: only own acts and core membership by own acts count.
7. An upheld appeal exempts for the same evidence.
8. A declaration of AI assistance keeps occasional hosting at ``warn`` and shields nobody from a termination
route.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import lru_cache
from typing import Final

from graphscan.events.model import SURFACES
from graphscan.signals.model import TEXT_FAMILIES, TIME_FAMILIES
from graphscan.verdicts.policy import TIERS, Policy, within_guard_rails

NONE, WARN, LIMIT, REVIEW, TERMINATE = TIERS
INTERACTIVE: Final = ("comment", "message", "chat")
PUBLIC: Final = ("profile", "post", "comment", "chat")
MIN_SURFACE_ACTS: Final = 14
# A tool that publishes prepared posts at set times explains these; the second route needs something else.
SCHEDULER_EXPLAINS: Final = frozenset({"clock", "timing", "actions"})
NETWORK: Final = "network"
_CONFIDENCE: Final = 0.95


@dataclass(frozen=True)
class SurfaceCount:
    """Acts on one surface, how many look hosted, and how many still do without each family's mechanism."""

    n_acts: int
    n_hosted: int
    n_hosted_without: Mapping[str, int] = field(default_factory=dict)

    @property
    def lower_bound(self) -> float:
        """One-sided 95 % Clopper-Pearson lower bound of the hosted share; 0 below 14 acts."""
        return _lower_bound(self.n_hosted, self.n_acts) if self.n_acts >= MIN_SURFACE_ACTS else 0.0


@dataclass(frozen=True)
class ClusterEvidence:
    """The strongest tested cluster of an account.

    Parameters
    ----------
    q_time
        Benjamini-Hochberg q of the timing test.
    n_layers, n_sweeps
        Layers it was found in, and sweeps in a row.
    in_core
        Whether the account is in its core by its own acts.
    explained
        Whether a legitimate explanation fits the cluster.
    shadowed
        Whether the others merely follow the account.
    """

    q_time: float
    n_layers: int = 1
    n_sweeps: int = 1
    in_core: bool = False
    explained: bool = False
    shadowed: bool = False

    @property
    def counts(self) -> bool:
        """Whether it speaks against the account at all."""
        return self.in_core and not self.shadowed


@dataclass(frozen=True)
class AccountEvidence:
    """All that a decision may rest on.

    Parameters
    ----------
    n_events, n_active_days
        Own acts and active days.
    p_automation
        Probability of automation from behaviour, without text; None without a score.
    p_with_text
        The same with text; it can bring a warning and nothing more.
    calibrated
        Whether the probabilities are calibrated on people of this platform.
    p_human
        Conformal p-value of being a person; None without calibration people.
    families
        Families of own behaviour in which the account stands out from 19 in 20 people.
    surfaces
        Counts by surface.
    cluster
        Its strongest cluster, if any.
    strong_human
        Strong evidence of a person; None where it could not be looked for.
    ai_texts, ai_texts_high
        Texts with an outside detector's score, and those with a high one.
    ai_declared
        Whether the author declares AI assistance.
    failed
        Whether a signal raised in this run.
    n_prior_warnings
        Earlier warnings for behaviour.
    verdict
        What an investigator decided on this evidence: ``human``, ``automated``, ``unsure`` or None.
    verdict_on_older_evidence
        An investigator decided ``human``, or an appeal was upheld, on evidence that has changed since.
    appeal_upheld
        Whether an appeal was upheld on this very evidence.
    allow_listed
        Whether the platform exempts the account.
    """

    n_events: int
    n_active_days: int
    p_automation: float | None = None
    p_with_text: float | None = None
    calibrated: bool = False
    p_human: float | None = None
    families: frozenset[str] = frozenset()
    surfaces: Mapping[str, SurfaceCount] = field(default_factory=dict)
    cluster: ClusterEvidence | None = None
    strong_human: bool | None = False
    ai_texts: int = 0
    ai_texts_high: int = 0
    ai_declared: bool = False
    failed: bool = False
    n_prior_warnings: int = 0
    verdict: str | None = None
    verdict_on_older_evidence: bool = False
    appeal_upheld: bool = False
    allow_listed: bool = False

    def without(self, family: str) -> AccountEvidence:
        """The same evidence without one family: the account no longer stands out in it.

        The network rests on others, so without it the cluster is gone and the acts that only the cluster made
        look hosted do so no more. The score stays that of all signals.
        """
        if family != NETWORK:
            return replace(self, families=self.families - {family})
        surfaces = {
            name: replace(s, n_hosted=s.n_hosted_without.get(family, s.n_hosted))
            for name, s in self.surfaces.items()
        }
        return replace(self, families=self.families - {family}, surfaces=surfaces, cluster=None)


@dataclass(frozen=True)
class Leg:
    """One condition of a termination route: its name, whether it holds, what was seen and what is needed."""

    name: str
    holds: bool
    seen: str
    needed: str


@dataclass(frozen=True)
class Decision:
    """A tier and how it came about.

    Parameters
    ----------
    tier
        One of ``TIERS``.
    route
        ``R1``, ``R2`` or ``R3`` of a termination (or of the route that is short of one condition).
    rules
        Names of the rules that made the tier, in order.
    legs
        Conditions of the nearest termination route.
    """

    tier: str
    route: str | None
    rules: tuple[str, ...]
    legs: tuple[Leg, ...]


def decision(evidence: AccountEvidence, policy: Policy) -> Decision:
    """Decide about one account."""
    exempt = _exemption(evidence)
    if exempt is not None:
        return Decision(NONE, None, (exempt,), ())
    policy = within_guard_rails(policy)
    evidence = _with_enough(evidence, policy)
    tier, route, rules, legs = _by_rules(evidence, policy)
    if tier == TERMINATE and not _robust(evidence, policy):
        tier, rules = REVIEW, [*rules, "rests_on_one_family"]
    capped, cap = _guarded(tier, evidence)
    if cap is not None:
        tier, rules = capped, [*rules, cap]
    return Decision(tier, route if tier in (REVIEW, TERMINATE) else None, tuple(rules), legs)


def higher(a: str, b: str) -> str:
    """The higher of two tiers."""
    return max(a, b, key=TIERS.index)


def lower(a: str, b: str) -> str:
    """The lower of two tiers."""
    return min(a, b, key=TIERS.index)


def _exemption(evidence: AccountEvidence) -> str | None:
    if evidence.appeal_upheld:
        return "appeal_upheld"
    if evidence.verdict == "human":
        return "verdict_human"
    if evidence.allow_listed:
        return "allow_listed"
    return None


def _with_enough(evidence: AccountEvidence, policy: Policy) -> AccountEvidence:
    """Without enough own acts there is no own evidence: only the cluster is left."""
    score = policy.score
    enough = evidence.n_events >= score.min_events and evidence.n_active_days >= score.min_active_days
    if enough:
        return evidence
    return replace(
        evidence,
        p_automation=None,
        p_with_text=None,
        families=frozenset(),
        surfaces={},
        ai_texts=0,
        ai_texts_high=0,
    )


def _by_rules(
    evidence: AccountEvidence, policy: Policy
) -> tuple[str, str | None, list[str], tuple[Leg, ...]]:
    tier: str = NONE
    rules: list[str] = []

    def at_least(new: str, rule: str) -> None:
        nonlocal tier
        if TIERS.index(new) > TIERS.index(tier):
            tier = new
            rules.append(rule)

    p, p_text = evidence.p_automation or 0.0, evidence.p_with_text or 0.0
    if max(p, p_text) >= policy.warn.p_automation:
        at_least(WARN, "automation_likely")
    if _persistent_ai_text(evidence, policy):
        at_least(WARN, "undeclared_ai_text")
    limit = _limit_rule(evidence, policy)
    if limit is not None:
        # Without calibration on this platform the head only asks a person to look.
        at_least(
            LIMIT if evidence.calibrated else REVIEW, limit if evidence.calibrated else "not_calibrated_here"
        )
    if _graph_review(evidence, policy):
        at_least(REVIEW, "farm_core")
    nearest, legs = _nearest_route(evidence, policy)
    missing = [leg.name for leg in legs if not leg.holds]
    if not missing:
        at_least(TERMINATE, nearest)
    elif len(missing) == 1:
        at_least(REVIEW, f"one_condition_short:{missing[0]}")
    return tier, nearest if len(missing) <= 1 else None, rules, legs


def _limit_rule(evidence: AccountEvidence, policy: Policy) -> str | None:
    limit = policy.limit
    own = evidence.families - TEXT_FAMILIES
    if evidence.n_events < limit.min_events or len(own | _network(evidence)) < limit.families or not own:
        return None
    p = evidence.p_automation or 0.0
    if evidence.ai_declared:
        return None
    best = max((s.lower_bound for name, s in evidence.surfaces.items() if name in PUBLIC), default=0.0)
    if p >= limit.p_automation and best >= limit.coverage:
        return "hosting_on_a_public_surface"
    if p >= policy.warn.p_automation and evidence.n_prior_warnings >= limit.after_warnings:
        return "repeated_warning"
    return None


def _graph_review(evidence: AccountEvidence, policy: Policy) -> bool:
    cluster = evidence.cluster
    if cluster is None or not cluster.counts or cluster.q_time > policy.review.cluster_q:
        return False
    # A legitimate explanation leaves a question only where the account's own behaviour is likely automated.
    return not cluster.explained or (evidence.p_automation or 0.0) >= policy.warn.p_automation


def _persistent_ai_text(evidence: AccountEvidence, policy: Policy) -> bool:
    warn = policy.warn
    if evidence.ai_declared or evidence.ai_texts < warn.ai_text_min_texts:
        return False
    return _lower_bound(evidence.ai_texts_high, evidence.ai_texts) >= warn.ai_text_share


def _network(evidence: AccountEvidence) -> frozenset[str]:
    cluster = evidence.cluster
    return (
        frozenset({NETWORK})
        if cluster is not None and cluster.counts and not cluster.explained
        else frozenset()
    )


def _nearest_route(evidence: AccountEvidence, policy: Policy) -> tuple[str, tuple[Leg, ...]]:
    """The route that misses the fewest conditions, the first of equals."""
    common = _common_legs(evidence, policy)
    routes = {
        # Where nearly all acts are seen to be hosted the score only has to agree; a farm rests on it.
        "R1": (*_surface_legs(evidence, policy), _score_leg(evidence, policy.warn.p_automation), *common),
        "R2": (*_post_legs(evidence, policy), _score_leg(evidence, policy.warn.p_automation), *common),
        "R3": (*_farm_legs(evidence, policy), _score_leg(evidence, policy.terminate.p_automation), *common),
    }
    name = min(routes, key=lambda r: sum(not leg.holds for leg in routes[r]))
    return name, routes[name]


def _common_legs(evidence: AccountEvidence, policy: Policy) -> tuple[Leg, ...]:
    rule = policy.terminate
    own = evidence.families - TEXT_FAMILIES
    behaviour = own | _network(evidence)
    # Self-repetition may complete the families; it never replaces one of two that are not text.
    families = behaviour | (evidence.families & TEXT_FAMILIES if len(behaviour) >= 2 else frozenset())
    n_families = rule.families
    p_human = evidence.p_human
    by_person = evidence.verdict == "automated"
    decided = by_person or (evidence.calibrated and p_human is not None and p_human <= rule.human_alpha)
    return (
        Leg(
            "enough_events",
            evidence.n_events >= rule.min_events,
            f"{evidence.n_events}",
            f"{rule.min_events}",
        ),
        Leg(
            "families",
            len(families) >= n_families,
            ", ".join(sorted(families)) or "none",
            f"{n_families} families",
        ),
        Leg(
            "time_family",
            bool(own & TIME_FAMILIES),
            ", ".join(sorted(own & TIME_FAMILIES)) or "none",
            "timing, clock or latency",
        ),
        Leg("no_strong_human_evidence", evidence.strong_human is False, str(evidence.strong_human), "False"),
        Leg(
            "decided",
            decided,
            "not calibrated" if p_human is None or not evidence.calibrated else f"{p_human:.3f}",
            f"p {rule.human_alpha}",
        ),
    )


def _score_leg(evidence: AccountEvidence, needed: float) -> Leg:
    p = evidence.p_automation
    return Leg("score", p is not None and p >= needed, "none" if p is None else f"{p:.2f}", f"{needed}")


def _surface_legs(evidence: AccountEvidence, policy: Policy) -> tuple[Leg, ...]:
    need = policy.terminate.coverage
    hosted = [
        name for name in SURFACES if name in evidence.surfaces and evidence.surfaces[name].lower_bound >= need
    ]
    seen = ", ".join(hosted) or "none"
    n = policy.terminate.surfaces
    return (
        Leg("hosted_surfaces", len(hosted) >= n, seen, f"{n} surfaces at {need}"),
        Leg("posts_hosted", "post" in hosted, seen, "post"),
        Leg("interactive_hosted", any(s in hosted for s in INTERACTIVE), seen, "comment, message or chat"),
    )


def _post_legs(evidence: AccountEvidence, policy: Policy) -> tuple[Leg, ...]:
    need = policy.terminate.post_coverage
    bound = evidence.surfaces["post"].lower_bound if "post" in evidence.surfaces else 0.0
    beyond = (evidence.families | _network(evidence)) - TEXT_FAMILIES - SCHEDULER_EXPLAINS
    half = bound >= policy.limit.coverage
    return (
        Leg("all_posts_hosted", bound >= need, f"{bound:.2f}", f"{need}"),
        Leg("most_posts_hosted", half, f"{bound:.2f}", f"{policy.limit.coverage}"),
        Leg("beyond_scheduling", bool(beyond), ", ".join(sorted(beyond)) or "none", "latency or network"),
    )


def _farm_legs(evidence: AccountEvidence, policy: Policy) -> tuple[Leg, ...]:
    rule, cluster = policy.terminate, evidence.cluster
    core = cluster is not None and cluster.counts
    q = cluster.q_time if core and cluster is not None else 1.0
    often = max(cluster.n_layers, cluster.n_sweeps) if core and cluster is not None else 0
    free = core and cluster is not None and not cluster.explained
    return (
        Leg("farm_core", core and q <= rule.cluster_q, f"q {q:.2g}", f"q {rule.cluster_q}"),
        Leg(
            "in_a_cluster",
            core and q <= policy.review.cluster_q,
            f"q {q:.2g}",
            f"q {policy.review.cluster_q}",
        ),
        Leg("two_layers_or_sweeps", often >= rule.cluster_layers, f"{often}", f"{rule.cluster_layers}"),
        Leg("no_legitimate_explanation", free, str(not free), "none fits"),
    )


def _robust(evidence: AccountEvidence, policy: Policy) -> bool:
    """Whether the evidence without any one family would still bring a limit or more."""
    for family in sorted((evidence.families - TEXT_FAMILIES) | _network(evidence)):
        tier = _by_rules(evidence.without(family), policy)[0]
        if TIERS.index(tier) < TIERS.index(LIMIT):
            return False
    return True


def _guarded(tier: str, evidence: AccountEvidence) -> tuple[str, str | None]:
    """The tier under the caps that no policy can lift, and the name of the cap that took effect."""
    own = evidence.families - TEXT_FAMILIES
    graph = _network(evidence) or (evidence.cluster is not None and evidence.cluster.counts)
    caps = (
        (not own and not graph, WARN, "text_alone"),
        (not own, REVIEW, "graph_alone"),
        (evidence.failed, REVIEW, "signal_failed"),
        (evidence.verdict == "unsure", REVIEW, "verdict_unsure"),
        (evidence.verdict_on_older_evidence, REVIEW, "decided_before"),
        (evidence.strong_human is not False, REVIEW, "human_evidence"),
    )
    name = None
    for applies, cap, rule in caps:
        if applies and TIERS.index(tier) > TIERS.index(cap):
            tier, name = cap, rule
    return tier, name


@lru_cache(maxsize=65_536)
def _lower_bound(n_hosted: int, n_acts: int) -> float:
    if n_hosted <= 0:
        return 0.0
    from scipy.special import betaincinv

    return float(betaincinv(n_hosted, n_acts - n_hosted + 1, 1 - _CONFIDENCE))
