"""The stage as a whole: frames, tiers in a simulated world, decisions of people, the circuit breaker."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pyarrow as pa
import pytest

from graphscan.errors import EXIT_USAGE, GraphscanError
from graphscan.signals import ClusterFrames, account_signals
from graphscan.verdicts.assessment import Verdicts, verdicts
from graphscan.verdicts.decisions import Decisions, PastDecision
from graphscan.verdicts.frames import ACCOUNT_SCHEMA, EVIDENCE_SCHEMA, EXPLANATION_SCHEMA
from graphscan.verdicts.modelfile import read_model
from graphscan.verdicts.policy import TIERS, ExecutionPolicy, Policy
from graphscan.verdicts.reasons import REASONS
from graphscan.verdicts.training import Model
from tests.unit.verdicts.verdict_worlds import Platform, simulated_platform


@pytest.fixture(scope="module")
def other() -> Platform:
    return simulated_platform(30_000, 8)


@pytest.fixture(scope="module")
def found(other: Platform, model: Model) -> Verdicts:
    return verdicts(other.table, model=model, policy=Policy(), run_id="r1")


def tiers_of(found: Verdicts) -> dict[str, str]:
    return dict(
        zip(found.accounts["account_id"].to_pylist(), found.accounts["tier"].to_pylist(), strict=True)
    )


def test_frames_have_their_schema(found: Verdicts, other: Platform) -> None:
    assert found.accounts.schema == ACCOUNT_SCHEMA
    assert found.evidence.schema == EVIDENCE_SCHEMA
    assert found.explanations.schema == EXPLANATION_SCHEMA
    assert found.accounts["account_id"].to_pylist() == other.table.account_ids.to_pylist()
    assert set(found.accounts["tier"].to_pylist()) <= set(TIERS)
    for name in ("coverage", "surfaces_active", "surfaces_automated", "evidence_families", "reasons"):
        for cell in found.accounts[name].to_pylist():
            json.loads(cell)


def test_every_reason_is_documented(found: Verdicts) -> None:
    codes = {code for cell in found.accounts["reasons"].to_pylist() for code in json.loads(cell)}
    assert codes <= REASONS.keys()
    assert set(found.evidence["reason"].to_pylist()) <= REASONS.keys()


def test_accounts_above_none_have_reasons_and_example_events(found: Verdicts, other: Platform) -> None:
    with_examples = set(found.evidence["account_id"].to_pylist())
    known = set(other.events["event_id"].to_pylist())
    assert set(found.evidence["event_id"].to_pylist()) <= known
    for row in found.accounts.to_pylist():
        if row["tier"] != "none":
            assert json.loads(row["reasons"])
            assert row["account_id"] in with_examples


def test_too_little_evidence_has_no_score(found: Verdicts) -> None:
    for row in found.accounts.to_pylist():
        if row["insufficient_evidence"]:
            assert row["p_automation"] is None
            assert row["tier"] == "none"
            assert "insufficient_evidence" in json.loads(row["reasons"])
        else:
            assert 0 <= row["p_automation"] <= 1


def test_no_person_is_restricted_and_robots_are_found(found: Verdicts, other: Platform) -> None:
    tiers = tiers_of(found)
    people = [
        a for a, v in other.labels.label_of.items() if v in ("human", "human_ai_assisted") and a in tiers
    ]
    assert sum(tiers[a] == "terminate" for a in people) == 0
    assert sum(tiers[a] in ("limit", "review") for a in people) <= 0.01 * len(people)
    robots = [a for a, k in other.archetype.items() if k == "heartbeat" and a in tiers]
    assert robots
    assert np.mean([tiers[a] != "none" for a in robots]) >= 0.8


def test_the_shipped_model_restricts_nobody_by_itself(other: Platform) -> None:
    counts = verdicts(other.table, model=read_model(), policy=Policy(), run_id="r").tier_counts
    assert counts["limit"] == counts["terminate"] == 0
    assert counts["review"] > 0


def test_two_runs_are_equal(other: Platform, model: Model, found: Verdicts) -> None:
    again = verdicts(account_signals(other.events), model=model, policy=Policy(), run_id="r1")
    assert again.puid == found.puid
    without_accounts_file = verdicts(account_signals(other.events), model=model, policy=Policy(), run_id="r1")
    assert without_accounts_file.accounts.equals(again.accounts)
    assert without_accounts_file.explanations.equals(again.explanations)


def flagged(found: Verdicts) -> tuple[str, str]:
    for account, tier, hashed in zip(
        found.accounts["account_id"].to_pylist(),
        found.accounts["tier"].to_pylist(),
        found.evidence_hash,
        strict=True,
    ):
        if tier in ("limit", "review"):
            return account, hashed
    raise AssertionError("nobody is flagged")


@pytest.mark.parametrize("outcome", ["human", "appeal_upheld"])
def test_a_decision_for_a_person_holds_for_the_same_evidence(
    other: Platform, model: Model, found: Verdicts, outcome: str
) -> None:
    account, hashed = flagged(found)
    decided = Decisions((PastDecision(account, outcome, hashed),))
    again = verdicts(other.table, model=model, policy=Policy(), run_id="r1", decisions=decided)
    assert tiers_of(again)[account] == "none"
    others = {a: t for a, t in tiers_of(found).items() if a != account}
    assert {a: t for a, t in tiers_of(again).items() if a != account} == others


def test_changed_evidence_is_asked_again(other: Platform, model: Model, found: Verdicts) -> None:
    account, _ = flagged(found)
    decided = Decisions((PastDecision(account, "appeal_upheld", "0" * 32),))
    again = verdicts(other.table, model=model, policy=Policy(), run_id="r1", decisions=decided)
    assert tiers_of(again)[account] in ("warn", "limit", "review")


def test_a_rejected_appeal_leaves_things_as_they_are(other: Platform, model: Model, found: Verdicts) -> None:
    account, hashed = flagged(found)
    decided = Decisions((PastDecision(account, "appeal_rejected", hashed),))
    again = verdicts(other.table, model=model, policy=Policy(), run_id="r1", decisions=decided)
    assert tiers_of(again) == tiers_of(found)


def test_the_allow_list_exempts(other: Platform, model: Model, found: Verdicts) -> None:
    account, _ = flagged(found)
    decided = Decisions(allow_list=frozenset({account, "nobody"}))
    again = verdicts(other.table, model=model, policy=Policy(), run_id="r1", decisions=decided)
    assert tiers_of(again)[account] == "none"


def test_an_unknown_decision_is_refused(other: Platform, model: Model) -> None:
    with pytest.raises(GraphscanError) as caught:
        verdicts(
            other.table,
            model=model,
            policy=Policy(),
            run_id="r",
            decisions=Decisions((PastDecision("a", "perhaps"),)),
        )
    assert caught.value.exit_code == EXIT_USAGE


def test_a_failed_signal_is_shown_and_terminates_nobody(other: Platform, model: Model) -> None:
    broken = replace(other.table, failed={"clock": "ArithmeticError: no"})
    assert verdicts(broken, model=model, policy=Policy(), run_id="r").tier_counts["terminate"] == 0


def test_the_breaker_sends_everything_to_review(
    monkeypatch: pytest.MonkeyPatch, other: Platform, model: Model
) -> None:
    from graphscan.verdicts import assessment
    from graphscan.verdicts.tiers import Decision

    monkeypatch.setattr(assessment, "decision", lambda _e, _p: Decision("terminate", "R1", ("R1",), ()))
    policy = Policy(execution=ExecutionPolicy(breaker_share=0.01, breaker_min=3))
    tripped = verdicts(other.table, model=model, policy=policy, run_id="r")
    assert tripped.breaker_tripped
    assert tripped.tier_counts["terminate"] == 0
    assert tripped.tier_counts["review"] > 3
    assert all("circuit_breaker" in d.rules for _, d in tripped.decided.values())


def cluster_of(accounts: list[str], events: pa.Table, **more: object) -> ClusterFrames:
    row = {
        "cluster_id": "c1",
        "size": len(accounts),
        "q_time": 1e-5,
        "layers": '["co_repost"]',
        "benign_match": "",
    }
    return ClusterFrames(
        clusters=pa.Table.from_pylist([row | more]),
        members=pa.table(
            {"cluster_id": ["c1"] * len(accounts), "account_id": accounts, "in_core": [True] * len(accounts)}
        ),
        evidence=pa.table({"event_id": events["event_id"].to_pylist()[:1]}),
    )


def test_the_core_of_a_cluster_goes_to_review_and_not_further(other: Platform, model: Model) -> None:
    people = [a for a, v in other.labels.label_of.items() if v == "human"][:8]
    frames = cluster_of(people, other.events)
    table = account_signals(other.events, clusters=frames)
    found = verdicts(table, model=model, policy=Policy(), run_id="r", clusters=frames)
    tiers = tiers_of(found)
    assert {tiers[a] for a in people} == {"review"}
    rows = {r["account_id"]: r for r in found.accounts.to_pylist()}
    assert all(rows[a]["cluster_id"] == "c1" and rows[a]["in_core"] and rows[a]["p_farm"] > 0 for a in people)
    assert all("farm_core" in json.loads(rows[a]["reasons"]) for a in people)


def test_a_legitimate_explanation_clears_people(other: Platform, model: Model, found: Verdicts) -> None:
    calm = [a for a, t in tiers_of(found).items() if t == "none" and other.labels.label_of.get(a) == "human"][
        :8
    ]
    frames = cluster_of(calm, other.events, benign_match="fan_club")
    table = account_signals(other.events, clusters=frames)
    again = verdicts(table, model=model, policy=Policy(), run_id="r", clusters=frames)
    assert {tiers_of(again)[a] for a in calm} == {"none"}


@pytest.mark.parametrize("n", [0, 1, 2])
def test_nearly_nothing_is_no_problem(other: Platform, n: int) -> None:
    events = other.events.slice(0, n)
    found = verdicts(account_signals(events), model=read_model(), policy=Policy(), run_id="r")
    assert found.accounts.num_rows == len(set(events["account_id"].to_pylist()))
    assert found.tier_counts["none"] == found.accounts.num_rows
    assert found.n_scored == 0


def test_minute_resolution_is_scored_without_latency(other: Platform) -> None:
    place = other.events.schema.get_field_index("timestamp_us")
    minutes = np.asarray(other.events["timestamp_us"]) // 60_000_000 * 60_000_000
    events = other.events.set_column(place, "timestamp_us", pa.array(minutes))
    found = verdicts(account_signals(events), model=read_model(), policy=Policy(), run_id="r")
    assert found.n_scored > 100
    families = {f for cell in found.accounts["evidence_families"].to_pylist() for f in json.loads(cell)}
    assert "latency" not in families
    assert "clock" in families


def test_renamed_accounts_get_the_same_tiers(other: Platform, model: Model, found: Verdicts) -> None:
    known = other.table.account_ids.to_pylist()
    new = {name: f"n{i:06d}" for i, name in enumerate(known)}
    columns = {}
    for name in other.events.column_names:
        column = other.events[name]
        if name in ("account_id", "object_id"):
            column = pa.array([new.get(v, v) for v in column.to_pylist()], pa.string())
        columns[name] = column
    again = verdicts(account_signals(pa.table(columns)), model=model, policy=Policy(), run_id="r1")
    assert again.accounts["tier"].to_pylist() == found.accounts["tier"].to_pylist()
    assert again.accounts["p_automation"].to_pylist() == found.accounts["p_automation"].to_pylist()


def test_strangers_change_nobody_under_frozen_ranks(other: Platform, model: Model) -> None:
    """With model and reference ranks frozen, further accounts on other objects change no score."""
    from graphscan.verdicts.ranks import reference_ranks
    from graphscan.verdicts.training import head_signals

    ranks = reference_ranks(other.table, head_signals(with_text=True), other.table.sufficient)
    before = verdicts(other.table, model=model, policy=Policy(), run_id="r", ranks=ranks)
    people = set(other.table.account_ids.to_pylist()[:200])
    keep = [a in people for a in other.events["account_id"].to_pylist()]
    stranger = {}
    for name in other.events.column_names:
        column = other.events.filter(keep)[name]
        if name in ("account_id", "object_id", "event_id", "parent_id"):
            column = pa.array([None if v is None else f"~{v}" for v in column.to_pylist()], pa.string())
        stranger[name] = column
    both = pa.concat_tables([other.events, pa.table(stranger, schema=other.events.schema)])
    both = both.sort_by([("timestamp_us", "ascending"), ("event_id", "ascending")])
    after = verdicts(account_signals(both), model=model, policy=Policy(), run_id="r", ranks=ranks)
    scored = dict(
        zip(after.accounts["account_id"].to_pylist(), after.accounts["p_automation"].to_pylist(), strict=True)
    )
    for account, p in zip(
        before.accounts["account_id"].to_pylist(), before.accounts["p_automation"].to_pylist(), strict=True
    ):
        assert scored[account] == pytest.approx(p) if p is not None else scored[account] is None
    assert {a: t for a, t in tiers_of(after).items() if not a.startswith("~")} == tiers_of(before)
