"""The policy file: read, refused with all problems at once, and kept inside the guard rails."""

from __future__ import annotations

from pathlib import Path

import pytest

from graphscan.errors import EXIT_USAGE, GraphscanError
from graphscan.verdicts.policy import (
    LimitPolicy,
    Policy,
    TerminatePolicy,
    policy_problems,
    read_policy,
    within_guard_rails,
)


def written(tmp_path: Path, text: str) -> Path:
    path = tmp_path / "policy.toml"
    path.write_text(text, encoding="utf-8")
    return path


def refusal(path: Path) -> str:
    with pytest.raises(GraphscanError) as caught:
        read_policy(path)
    assert caught.value.exit_code == EXIT_USAGE
    assert str(path) in caught.value.where
    return caught.value.what


def test_the_shipped_file_is_the_default() -> None:
    assert read_policy() == Policy()
    assert policy_problems(Policy()) == []


def test_a_file_may_be_stricter(tmp_path: Path) -> None:
    path = written(
        tmp_path,
        'schema_version = 1\nname = "strict"\n[limit]\np_automation = 0.95\n'
        "[terminate]\np_automation = 0.99\n",
    )
    policy = read_policy(path)
    assert policy.name == "strict"
    assert policy.limit.p_automation == 0.95
    assert policy.sha256() != Policy().sha256()


def test_all_problems_come_at_once(tmp_path: Path) -> None:
    path = written(
        tmp_path,
        'schema_version = 1\n[limit]\nfamilys = 2\nmin_events = "many"\n'
        "[terminate]\nfamilies = 2.5\n[nonsense]\nx = 1\n",
    )
    what = refusal(path)
    assert "4 problems" in what
    assert "did you mean limit.families?" in what
    for part in ("limit.min_events", "terminate.families", "nonsense"):
        assert part in what


@pytest.mark.parametrize(
    "text",
    [
        "[terminate]\nfamilies = 2",
        "[terminate]\ncoverage = 0.5",
        "[limit]\nfamilies = 1",
        "[score]\nmin_events = 5",
        "[execution]\nbreaker_share = 0.5",
        "[terminate]\nhuman_alpha = 0.2",
        "[execution]\ncontest_days = 14",
    ],
)
def test_a_file_that_loosens_a_guard_rail_is_refused(tmp_path: Path, text: str) -> None:
    assert "guard rails" in refusal(written(tmp_path, f"schema_version = 1\n{text}\n"))


def test_tiers_out_of_order_are_refused(tmp_path: Path) -> None:
    text = "schema_version = 1\n[warn]\np_automation = 0.99\n[limit]\np_automation = 0.9\n"
    assert "out of order" in refusal(written(tmp_path, text))


@pytest.mark.parametrize("text", ["= =", "schema_version = 2\n", "[limit]\ndays = 3\n"])
def test_what_is_no_policy_is_refused(tmp_path: Path, text: str) -> None:
    refusal(written(tmp_path, text))


def test_a_missing_file_is_usage(tmp_path: Path) -> None:
    refusal(tmp_path / "none.toml")


def test_a_policy_made_in_code_is_moved_inside() -> None:
    loose = Policy(
        limit=LimitPolicy(p_automation=0.1, families=0), terminate=TerminatePolicy(families=1, coverage=0.0)
    )
    inside = within_guard_rails(loose)
    assert policy_problems(inside) == []
    assert inside.terminate.families == 3
    assert inside.limit.p_automation == 0.75
    assert within_guard_rails(Policy()) == Policy()
