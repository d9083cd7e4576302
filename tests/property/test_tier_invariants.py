"""Every guard rail of the tiers, for any evidence and any policy, also one that no file may hold."""

from __future__ import annotations

from dataclasses import replace

from hypothesis import given, settings
from hypothesis import strategies as st

from graphscan.events.model import SURFACES
from graphscan.verdicts.policy import (
    TIERS,
    ExecutionPolicy,
    LimitPolicy,
    Policy,
    ReviewPolicy,
    ScorePolicy,
    TerminatePolicy,
    WarnPolicy,
)
from graphscan.verdicts.tiers import AccountEvidence, ClusterEvidence, SurfaceCount, decision

OWN_FAMILIES = ("content", "timing", "clock", "latency", "actions")
MECHANISMS = ("clock", "timing", "latency", "network")
share = st.floats(0, 1)


def rank(tier: str) -> int:
    return TIERS.index(tier)


@st.composite
def surface_counts(draw: st.DrawFn) -> SurfaceCount:
    n = draw(st.sampled_from([0, 5, 13, 14, 20, 59, 60, 150, 400]))
    hosted = draw(st.one_of(st.just(n), st.integers(0, n)))
    without = {m: draw(st.one_of(st.just(hosted), st.integers(0, hosted))) for m in MECHANISMS}
    return SurfaceCount(n, hosted, without)


@st.composite
def evidences(draw: st.DrawFn) -> AccountEvidence:
    p = draw(st.one_of(st.none(), share, st.sampled_from([0.75, 0.9, 0.97, 1.0])))
    texts = draw(st.integers(0, 60))
    cluster = draw(
        st.one_of(
            st.none(),
            st.builds(
                ClusterEvidence,
                q_time=st.sampled_from([0.0, 0.001, 0.01, 0.04, 0.5]),
                n_layers=st.integers(1, 3),
                n_sweeps=st.integers(1, 3),
                in_core=st.booleans(),
                explained=st.booleans(),
                shadowed=st.booleans(),
            ),
        )
    )
    return AccountEvidence(
        n_events=draw(st.sampled_from([3, 19, 20, 49, 50, 99, 100, 400])),
        n_active_days=draw(st.sampled_from([1, 3, 30])),
        p_automation=p,
        p_with_text=draw(st.one_of(st.none(), share)),
        calibrated=draw(st.booleans()),
        p_human=draw(st.one_of(st.none(), share, st.sampled_from([0.001, 0.01]))),
        families=frozenset(draw(st.sets(st.sampled_from(OWN_FAMILIES)))),
        surfaces={s: draw(surface_counts()) for s in draw(st.sets(st.sampled_from(SURFACES)))},
        cluster=cluster,
        strong_human=draw(st.sampled_from([False, False, True, None])),
        ai_texts=texts,
        ai_texts_high=draw(st.integers(0, texts)),
        ai_declared=draw(st.booleans()),
        failed=draw(st.booleans()),
        n_prior_warnings=draw(st.integers(0, 3)),
        verdict=draw(st.sampled_from([None, None, "unsure", "automated"])),
        verdict_on_older_evidence=draw(st.booleans()),
    )


# Termination is rare among random evidence: half of the examples start from an account that meets everything.
@st.composite
def damning(draw: st.DrawFn) -> AccountEvidence:
    full = {s: SurfaceCount(200, 200, dict.fromkeys(MECHANISMS, 200)) for s in ("post", "comment", "chat")}
    evidence = AccountEvidence(
        n_events=600,
        n_active_days=30,
        p_automation=0.99,
        p_with_text=0.99,
        calibrated=True,
        p_human=0.002,
        families=frozenset({"clock", "timing", "latency", "actions"}),
        surfaces=full,
        cluster=draw(st.sampled_from([None, ClusterEvidence(0.001, 2, 1, True, False, False)])),
    )
    changed = draw(evidences())
    names = draw(st.sets(st.sampled_from(sorted(vars(evidence))), max_size=2))
    return replace(evidence, **{name: getattr(changed, name) for name in names})


any_evidence = st.one_of(evidences(), damning())

# Policies that a reader of files would refuse, to see that the code does not rely on the file.
loose_policies = st.builds(
    Policy,
    score=st.builds(ScorePolicy, min_events=st.integers(0, 40), min_active_days=st.integers(0, 5)),
    warn=st.builds(WarnPolicy, p_automation=share, ai_text_min_texts=st.integers(0, 40), ai_text_share=share),
    limit=st.builds(
        LimitPolicy,
        p_automation=share,
        coverage=share,
        families=st.integers(0, 4),
        min_events=st.integers(0, 100),
        after_warnings=st.integers(0, 3),
    ),
    review=st.builds(ReviewPolicy, cluster_q=share),
    terminate=st.builds(
        TerminatePolicy,
        p_automation=share,
        coverage=share,
        surfaces=st.integers(0, 5),
        post_coverage=share,
        cluster_q=share,
        cluster_layers=st.integers(0, 3),
        families=st.integers(0, 5),
        min_events=st.integers(0, 200),
        human_alpha=share,
    ),
    execution=st.just(ExecutionPolicy()),
)
policies = st.one_of(st.just(Policy()), loose_policies)
many = settings(max_examples=150, deadline=None)


def tier_of(evidence: AccountEvidence, policy: Policy) -> int:
    return rank(decision(evidence, policy).tier)


@many
@given(any_evidence, policies)
def test_text_or_detector_evidence_alone_stays_at_warn(evidence: AccountEvidence, policy: Policy) -> None:
    only_text = replace(evidence, families=evidence.families & {"content"}, cluster=None)
    assert tier_of(only_text, policy) <= rank("warn")


@many
@given(any_evidence, policies)
def test_graph_membership_alone_stays_at_review(evidence: AccountEvidence, policy: Policy) -> None:
    only_graph = replace(evidence, families=frozenset())
    assert tier_of(only_graph, policy) <= rank("review")


@many
@given(any_evidence, policies, st.data())
def test_missing_data_never_raises_a_tier(
    evidence: AccountEvidence, policy: Policy, data: st.DataObject
) -> None:
    before = tier_of(evidence, policy)
    gone = data.draw(
        st.sampled_from(
            [
                "p_automation",
                "p_with_text",
                "p_human",
                "cluster",
                "strong_human",
                "family",
                "surface",
                "ai_texts",
                "acts",
            ]
        )
    )
    if gone == "family" and evidence.families:
        lost = data.draw(st.sampled_from(sorted(evidence.families)))
        less = replace(evidence, families=evidence.families - {lost})
    elif gone == "surface" and evidence.surfaces:
        lost = data.draw(st.sampled_from(sorted(evidence.surfaces)))
        less = replace(evidence, surfaces={k: v for k, v in evidence.surfaces.items() if k != lost})
    elif gone == "ai_texts":
        less = replace(evidence, ai_texts=0, ai_texts_high=0)
    elif gone == "acts":
        less = replace(evidence, n_events=evidence.n_events // 2)
    elif gone in ("family", "surface"):
        less = evidence
    else:
        less = replace(evidence, **{gone: None})
    assert tier_of(less, policy) <= before or (
        # Losing sight of human evidence can lift what it held down, but never to a termination.
        gone == "strong_human" and tier_of(less, policy) <= rank("review")
    )


@many
@given(any_evidence, policies, st.data())
def test_more_incriminating_evidence_never_lowers_a_tier(
    evidence: AccountEvidence, policy: Policy, data: st.DataObject
) -> None:
    before = tier_of(evidence, policy)
    more = data.draw(
        st.sampled_from(["p", "text", "p_human", "family", "hosted", "cluster", "events", "warnings", "ai"])
    )
    p = evidence.p_automation or 0.0
    if more == "p":
        up = data.draw(st.floats(p, 1))
        stronger = replace(evidence, p_automation=up)
    elif more == "text":
        stronger = replace(evidence, p_with_text=data.draw(st.floats(evidence.p_with_text or 0.0, 1)))
    elif more == "p_human":
        low = 1.0 if evidence.p_human is None else evidence.p_human
        stronger = replace(evidence, p_human=data.draw(st.floats(0, low)))
    elif more == "family":
        added = data.draw(st.sampled_from(OWN_FAMILIES))
        stronger = replace(evidence, families=evidence.families | {added})
    elif more == "hosted" and evidence.surfaces:
        name = data.draw(st.sampled_from(sorted(evidence.surfaces)))
        s = evidence.surfaces[name]
        k = data.draw(st.integers(s.n_hosted, s.n_acts))
        gained = {m: v + (k - s.n_hosted) for m, v in s.n_hosted_without.items()}
        stronger = replace(evidence, surfaces={**evidence.surfaces, name: SurfaceCount(s.n_acts, k, gained)})
    elif more == "cluster" and evidence.cluster is not None:
        c = evidence.cluster
        stronger = replace(
            evidence,
            cluster=replace(
                c, q_time=c.q_time / 2, n_layers=c.n_layers + 1, n_sweeps=c.n_sweeps + 1, in_core=True
            ),
        )
    elif more == "events":
        stronger = replace(evidence, n_events=evidence.n_events * 2)
    elif more == "warnings":
        stronger = replace(evidence, n_prior_warnings=evidence.n_prior_warnings + 1)
    elif more == "ai":
        stronger = replace(evidence, ai_texts_high=evidence.ai_texts)
    else:
        stronger = evidence
    assert tier_of(stronger, policy) >= before


@many
@given(
    any_evidence,
    policies,
    st.sampled_from(["strong", "explained", "shadowed", "human", "appeal", "older", "allowed"]),
)
def test_more_human_evidence_never_raises_a_tier(
    evidence: AccountEvidence, policy: Policy, kind: str
) -> None:
    before = tier_of(evidence, policy)
    cluster = evidence.cluster
    milder = {
        "strong": replace(evidence, strong_human=True),
        "explained": replace(evidence, cluster=cluster and replace(cluster, explained=True)),
        "shadowed": replace(evidence, cluster=cluster and replace(cluster, shadowed=True)),
        "human": replace(evidence, verdict="human"),
        "appeal": replace(evidence, appeal_upheld=True),
        "older": replace(evidence, verdict_on_older_evidence=True),
        "allowed": replace(evidence, allow_listed=True),
    }[kind]
    assert tier_of(milder, policy) <= before


@many
@given(damning(), policies, st.sampled_from((*OWN_FAMILIES, "network")))
def test_dropping_one_family_from_a_termination_leaves_a_limit(
    evidence: AccountEvidence, policy: Policy, family: str
) -> None:
    if decision(evidence, policy).tier == "terminate":
        assert tier_of(evidence.without(family), policy) >= rank("limit")


def test_the_terminations_above_are_reached() -> None:
    """The strategy must reach terminations, or the invariant above would hold for nothing."""
    full = {s: SurfaceCount(200, 200, dict.fromkeys(MECHANISMS, 200)) for s in ("post", "comment", "chat")}
    evidence = AccountEvidence(
        n_events=600,
        n_active_days=30,
        p_automation=0.99,
        calibrated=True,
        p_human=0.002,
        families=frozenset({"clock", "timing", "latency"}),
        surfaces=full,
    )
    assert decision(evidence, Policy()).tier == "terminate"
    assert decision(evidence, Policy()).route == "R1"


@many
@given(any_evidence, policies)
def test_acts_of_others_never_raise_a_tier(evidence: AccountEvidence, policy: Policy) -> None:
    """Framers can put an account into a cluster, not into its core by its own acts, and can only be led by
    it.
    """
    alone = replace(evidence, cluster=None)
    fringe = replace(evidence, cluster=ClusterEvidence(q_time=0.0, n_layers=3, n_sweeps=3, in_core=False))
    shadowed = replace(
        evidence, cluster=ClusterEvidence(q_time=0.0, n_layers=3, n_sweeps=3, in_core=True, shadowed=True)
    )
    assert tier_of(fringe, policy) == tier_of(alone, policy)
    assert tier_of(shadowed, policy) == tier_of(alone, policy)


@many
@given(any_evidence, policies)
def test_an_upheld_appeal_exempts(evidence: AccountEvidence, policy: Policy) -> None:
    assert decision(replace(evidence, appeal_upheld=True), policy).tier == "none"


@many
@given(any_evidence, policies)
def test_a_decision_on_older_evidence_is_asked_again(evidence: AccountEvidence, policy: Policy) -> None:
    assert tier_of(replace(evidence, verdict_on_older_evidence=True), policy) <= rank("review")


@many
@given(any_evidence, policies)
def test_a_declaration_shields_nobody_from_a_termination_route(
    evidence: AccountEvidence, policy: Policy
) -> None:
    plain = decision(replace(evidence, ai_declared=False), policy)
    declared = decision(replace(evidence, ai_declared=True), policy)
    assert rank(declared.tier) <= rank(plain.tier)
    if plain.tier == "terminate" and plain.route in ("R1", "R2", "R3"):
        assert rank(declared.tier) >= rank("review")


@many
@given(any_evidence, policies)
def test_a_declaration_keeps_occasional_hosting_at_warn(evidence: AccountEvidence, policy: Policy) -> None:
    declared = decision(replace(evidence, ai_declared=True, calibrated=True), policy)
    assert declared.tier != "limit"


@many
@given(any_evidence, policies)
def test_a_failed_signal_terminates_nobody(evidence: AccountEvidence, policy: Policy) -> None:
    assert tier_of(replace(evidence, failed=True), policy) <= rank("review")


@many
@given(any_evidence, policies)
def test_an_uncalibrated_head_alone_restricts_nobody(evidence: AccountEvidence, policy: Policy) -> None:
    fresh = replace(evidence, calibrated=False, verdict=None)
    assert decision(fresh, policy).tier not in ("limit", "terminate")


@many
@given(any_evidence, policies)
def test_too_little_evidence_is_judged_by_the_graph_only(evidence: AccountEvidence, policy: Policy) -> None:
    little = replace(evidence, n_events=19)
    assert tier_of(little, policy) <= rank("review")
    assert tier_of(replace(little, cluster=None), policy) == rank("none")


TIGHTER = {
    "warn.p_automation": 1,
    "warn.ai_text_min_texts": 1,
    "warn.ai_text_share": 1,
    "limit.p_automation": 1,
    "limit.coverage": 1,
    "limit.families": 1,
    "limit.min_events": 1,
    "limit.after_warnings": 1,
    "review.cluster_q": -1,
    "terminate.p_automation": 1,
    "terminate.coverage": 1,
    "terminate.surfaces": 1,
    "terminate.post_coverage": 1,
    "terminate.cluster_q": -1,
    "terminate.cluster_layers": 1,
    "terminate.families": 1,
    "terminate.min_events": 1,
    "terminate.human_alpha": -1,
}


@many
@given(any_evidence, policies, st.sampled_from(sorted(TIGHTER)), st.floats(0, 1))
def test_a_tighter_threshold_never_raises_a_tier(
    evidence: AccountEvidence, policy: Policy, name: str, step: float
) -> None:
    section, key = name.split(".")
    part = getattr(policy, section)
    value = getattr(part, key)
    change = 1 + int(step * 3) if isinstance(value, int) else step * 0.3
    tight = value + change if TIGHTER[name] > 0 else max(value - change, 0.0)
    changed = replace(policy, **{section: replace(part, **{key: tight})})
    assert tier_of(evidence, changed) <= tier_of(evidence, policy)
