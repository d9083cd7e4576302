"""``train``, ``evaluate``, ``explain`` and ``policy`` as a user runs them."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from graphscan.signals import account_signals
from graphscan.simulate import write_world
from graphscan.simulate.worlds import simulate_world
from graphscan.verdicts.assessment import verdicts
from graphscan.verdicts.modelfile import read_model
from graphscan.verdicts.policy import Policy

Run = Callable[..., object]


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("world") / "w"
    write_world(simulate_world(15_000, 21), folder)
    return folder


@pytest.fixture(scope="module")
def run_dir(world: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The part of a run folder that ``explain`` reads."""
    folder = tmp_path_factory.mktemp("run")
    found = verdicts(
        account_signals(simulate_world(15_000, 21).events), model=read_model(), policy=Policy(), run_id="r1"
    )
    pq.write_table(found.accounts, folder / "accounts.parquet")
    pq.write_table(found.evidence, folder / "evidence.parquet")
    pq.write_table(found.explanations, folder / "account_reasons.parquet")
    return folder


def test_train_then_evaluate(run_here: Run, world: Path, tmp_path: Path) -> None:
    events, labels, model = world / "events.parquet", world / "labels.csv", tmp_path / "m.skops"
    done = run_here(
        "train", events, "--labels", labels, "-o", model, "--scope", "general", "--json", "--quiet"
    )
    assert done.returncode == 0, done.stderr
    document = json.loads(done.stdout)
    assert len(document["figures"]) == 2
    assert document["sha256"] in (tmp_path / "m.skops.md").read_text(encoding="utf-8")
    done = run_here("evaluate", events, "--labels", labels, "--model", model, "--json", "--quiet")
    assert done.returncode == 0, done.stderr
    measured = json.loads(done.stdout)
    assert float(measured["figures"][0]["AUROC"]) > 0.9
    assert set(measured["tiers"]) <= {"human", "human_ai_assisted", "automated", "ai_managed"}


def test_evaluate_with_the_shipped_model_for_people(run_here: Run, world: Path) -> None:
    done = run_here("evaluate", world / "events.parquet", "--labels", world / "labels.csv")
    assert done.returncode == 0, done.stderr
    assert "AUPRC" in done.stdout
    assert "mean cost" in done.stdout


def test_labels_of_one_kind_are_refused(run_here: Run, world: Path, tmp_path: Path) -> None:
    labels = tmp_path / "labels.csv"
    labels.write_text("account_id,label\nnobody,human\n", encoding="utf-8")
    done = run_here("evaluate", world / "events.parquet", "--labels", labels)
    assert done.returncode == 3
    assert "Traceback" not in done.stderr


def test_a_tampered_model_is_refused_by_the_command(run_here: Run, world: Path, tmp_path: Path) -> None:
    from graphscan.verdicts.modelfile import default_model_path

    payload = bytearray(default_model_path().read_bytes())
    payload[len(payload) // 3] ^= 1
    model = tmp_path / "m.skops"
    model.write_bytes(bytes(payload))
    done = run_here("evaluate", world / "events.parquet", "--labels", world / "labels.csv", "--model", model)
    assert done.returncode == 4
    assert str(model) in done.stderr


def test_explain_says_why_and_why_not_higher(run_here: Run, run_dir: Path) -> None:
    accounts = pq.read_table(run_dir / "accounts.parquet").to_pylist()
    for tier in ("review", "warn", "none"):
        account = next(r["account_id"] for r in accounts if r["tier"] == tier and r["n_events"] >= 20)
        done = run_here("explain", account, "--run", run_dir)
        assert done.returncode == 0, done.stderr
        assert f"tier          {tier}" in done.stdout
        assert "Why this tier" in done.stdout
        assert "What would change it" in done.stdout
        if tier == "review":
            assert "Why not higher" in done.stdout
            assert "Example events" in done.stdout
        document = json.loads(run_here("explain", account, "--run", run_dir, "--json").stdout)
        assert document["tier"] == tier


def test_explain_of_an_unknown_account(run_here: Run, run_dir: Path, tmp_path: Path) -> None:
    done = run_here("explain", "nobody-at-all", "--run", run_dir)
    assert done.returncode == 2
    assert "no account" in done.stderr
    assert run_here("explain", "a", "--run", tmp_path / "none").returncode == 2


def test_policy_guidelines(run_here: Run, tmp_path: Path) -> None:
    done = run_here("policy", "guidelines")
    assert done.returncode == 0
    assert "who decides and posts" in done.stdout
    chinese = run_here("policy", "guidelines", "--language", "zh-Hans", "--json")
    assert "谁在决定和发布" in json.loads(chinese.stdout)["markdown"]
    bad = tmp_path / "p.toml"
    bad.write_text("schema_version = 1\n[terminate]\nfamilies = 1\nsurface = 2\n", encoding="utf-8")
    done = run_here("policy", "guidelines", "--policy", bad)
    assert done.returncode == 2
    assert "did you mean terminate.surfaces?" in done.stderr
