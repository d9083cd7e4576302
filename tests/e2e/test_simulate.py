"""``graphscan simulate``: files, determinism, planting, errors."""

from __future__ import annotations

import csv
import json
import subprocess
from collections.abc import Callable
from pathlib import Path

import pyarrow.parquet as pq
import pytest

RunCli = Callable[..., "subprocess.CompletedProcess[str]"]
FILES = {"events.parquet", "accounts.csv", "labels.csv", "truth.csv"}


def contents(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def test_a_world_is_four_files_and_the_seed_decides_every_byte(run_here: RunCli, tmp_path: Path) -> None:
    for name, seed in (("a", 5), ("b", 5), ("c", 6)):
        done = run_here("simulate", "--events", 3000, "--seed", seed, "--out", tmp_path / name)
        assert done.returncode == 0, done.stderr
    assert set(contents(tmp_path / "a")) == FILES
    assert contents(tmp_path / "a") == contents(tmp_path / "b")
    assert contents(tmp_path / "a")["events.parquet"] != contents(tmp_path / "c")["events.parquet"]


def test_json_tells_what_is_in_the_files(run_here: RunCli, tmp_path: Path) -> None:
    done = run_here("simulate", "--events", 3000, "--seed", 5, "--out", tmp_path / "w", "--json", "--quiet")
    assert done.stderr == ""
    document = json.loads(done.stdout)
    assert document["n_events"] == pq.read_metadata(tmp_path / "w/events.parquet").num_rows
    with (tmp_path / "w/truth.csv").open(encoding="utf-8") as file:
        truth = list(csv.DictReader(file))
    assert document["n_accounts"] == len(truth)
    in_campaigns = sum(1 for row in truth if row["campaign_id"])
    assert sum(campaign["n_accounts"] for campaign in document["campaigns"]) == in_campaigns


def test_the_seed_of_the_settings_is_the_default(run_here: RunCli, tmp_path: Path) -> None:
    run_here("simulate", "--events", 2000, "--out", tmp_path / "a", env={"GRAPHSCAN_SEED": "9"})
    run_here("simulate", "--events", 2000, "--out", tmp_path / "b", "--seed", 9)
    assert contents(tmp_path / "a") == contents(tmp_path / "b")


def test_planting_keeps_the_background(run_here: RunCli, tmp_path: Path) -> None:
    run_here("simulate", "--events", 4000, "--seed", 1, "--out", tmp_path / "life")
    background = tmp_path / "life/events.parquet"
    done = run_here(
        "simulate", "--background", background, "--events", 500, "--seed", 2, "--out", tmp_path / "planted"
    )
    assert done.returncode == 0, done.stderr
    before = set(pq.read_table(background, columns=["event_id"])["event_id"].to_pylist())
    after = set(
        pq.read_table(tmp_path / "planted/events.parquet", columns=["event_id"])["event_id"].to_pylist()
    )
    assert before < after
    assert "farm" in done.stdout


@pytest.mark.parametrize(
    ("args", "code", "said"),
    [
        ((), 2, "--out"),
        (("--out", "w", "--events", "10"), 2, "1000"),
        (("--out", "w", "--events", "many"), 2, "--events"),
        (("--out", "w", "--seed", "-1"), 2, "--seed"),
        (("--out", "w", "--background", "nowhere.csv"), 2, "nowhere.csv"),
        (("--out", "."), 73, "empty"),
    ],
)
def test_errors(run_here: RunCli, args: tuple[str, ...], code: int, said: str) -> None:
    done = run_here("simulate", *args)
    assert done.returncode == code, done.stderr
    assert said in done.stderr.replace(",", "")
