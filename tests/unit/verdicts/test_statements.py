"""Statements of reasons, owner texts, and the action list."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest

from graphscan.verdicts.assessment import Verdicts, verdicts
from graphscan.verdicts.guidelines import guidelines
from graphscan.verdicts.owner import LANGUAGES
from graphscan.verdicts.policy import ExecutionPolicy, Policy, read_policy
from graphscan.verdicts.statements import actions, statement_lines, statements
from graphscan.verdicts.tiers import TERMINATE, Decision
from graphscan.verdicts.training import Model
from tests.unit.verdicts.transparency import problems
from tests.unit.verdicts.verdict_worlds import Platform

AS_OF_US = 1_750_000_000_000_000


@pytest.fixture(scope="module")
def found(platform: Platform, model: Model) -> Verdicts:
    """Verdicts with a limit from the model and one termination, made from it, to have both kinds."""
    result = verdicts(platform.table, model=model, policy=Policy(), run_id="r1")
    row = next(r for r, (_, d) in result.decided.items() if d.tier == "limit")
    evidence, made = result.decided[row]
    extra = next(r for r, (_, d) in result.decided.items() if d.tier in ("review", "warn"))
    ended = Decision(TERMINATE, "R1", (*made.rules, "R1"), made.legs)
    decided = {**result.decided, extra: (evidence, ended)}
    tiers = result.accounts["tier"].to_pylist()
    tiers[extra] = TERMINATE
    place = result.accounts.schema.get_field_index("tier")
    return replace(
        result,
        decided=decided,
        accounts=result.accounts.set_column(place, "tier", [tiers]),
        tier_counts={**result.tier_counts, "terminate": result.tier_counts["terminate"] + 1},
    )


def test_every_statement_is_valid(found: Verdicts) -> None:
    made = statements(found, Policy(), as_of_us=AS_OF_US)
    tiers = found.accounts["tier"].to_pylist()
    assert len(made) == sum(t in ("limit", "terminate") for t in tiers)
    assert {m["graphscan"]["tier"] for m in made} == {"limit", "terminate"}
    for one in made:
        assert problems(one) == []


def test_the_validator_can_fail(found: Verdicts) -> None:
    one = statements(found, Policy(), as_of_us=AS_OF_US)[0]
    assert problems({**one, "decision_facts": "x" * 5_001}) == ["decision_facts"]
    assert problems({k: v for k, v in one.items() if k != "puid"}) == ["puid"]
    assert problems({**one, "content_date": "2019-12-31"}) == ["content_date"]


def test_a_statement_holds_no_id_and_no_text(found: Verdicts, platform: Platform) -> None:
    text = statement_lines(statements(found, Policy(), as_of_us=AS_OF_US))
    for account_id in platform.table.account_ids.to_pylist():
        assert account_id not in text
    for written in platform.events["text"].drop_null().to_pylist()[:2_000]:
        if len(written) > 25:
            assert written not in text


def test_a_statement_names_signals_with_value_and_null(found: Verdicts) -> None:
    for one in statements(found, Policy(), as_of_us=AS_OF_US):
        assert one["graphscan"]["signals"]
        for signal in one["graphscan"]["signals"]:
            assert signal["value"] is not None
            assert signal["threshold"]
        assert "acts look hosted" in one["decision_facts"]


def test_lines_are_json_one_each(found: Verdicts) -> None:
    made = statements(found, Policy(), as_of_us=AS_OF_US)
    assert [json.loads(line) for line in statement_lines(made).splitlines()] == made


def test_the_owner_reads_both_languages_without_scores(found: Verdicts) -> None:
    for one in statements(found, Policy(), as_of_us=AS_OF_US):
        assert set(one["owner_text"]) == set(LANGUAGES)
        for text in one["owner_text"].values():
            assert len(text.splitlines()) >= 5
            for jargon in ("p =", "log-odds", "AUPRC", "q ="):
                assert jargon not in text


def test_statement_ids_differ_by_run_and_account(platform: Platform, model: Model) -> None:
    one = verdicts(platform.table, model=model, policy=Policy(), run_id="r1")
    other = verdicts(platform.table, model=model, policy=Policy(), run_id="r2")
    assert len(set(one.puid)) == len(one.puid)
    assert not set(one.puid) & set(other.puid)


def test_terminations_wait_for_their_signoffs(found: Verdicts) -> None:
    waiting = [a for a in actions(found, Policy()) if a.tier == "terminate"]
    assert waiting
    assert {(a.state, a.signoffs) for a in waiting} == {("pending_signoff", 1)}
    many = replace(found, tier_counts={**found.tier_counts, "terminate": 51})
    assert {a.signoffs for a in actions(many, Policy()) if a.tier == "terminate"} == {2}
    at_once = Policy(execution=ExecutionPolicy(signoffs=0))
    assert {a.state for a in actions(found, at_once)} == {"ready"}


def test_no_action_list_after_the_breaker(found: Verdicts) -> None:
    assert actions(replace(found, breaker_tripped=True), Policy()) == []


@pytest.mark.parametrize("language", ["en", "zh-Hans"])
def test_guidelines_name_the_lines_of_the_policy(language: str) -> None:
    policy = read_policy()
    page = guidelines(policy, language)
    assert "{" not in page
    for value in ("75", "90", "50", "14", "80", "95"):
        assert value in page
    other = replace(policy, limit=replace(policy.limit, days=21))
    assert "21" in guidelines(other, language)
