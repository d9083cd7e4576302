"""``graphscan sweep`` as a user runs it: the folder, reruns, refusals, signals."""

from __future__ import annotations

import csv
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.csv
import pyarrow.parquet as pq
import pytest

RunCli = Callable[..., "subprocess.CompletedProcess[str]"]

FILES = {
    "accounts.csv",
    "accounts.parquet",
    "clusters.csv",
    "clusters.parquet",
    "cluster_tests.parquet",
    "members.parquet",
    "edges.parquet",
    "evidence.parquet",
    "rejects.ndjson",
    "manifest.json",
    "DONE",
}
HEADER = "account_id,action,object_id,timestamp"


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A small simulated world."""
    from graphscan.simulate import write_world
    from graphscan.simulate.worlds import simulate_world

    folder = tmp_path_factory.mktemp("world") / "world"
    write_world(simulate_world(8_000, 11), folder)
    return folder


def settled(folder: Path) -> dict[str, Any]:
    """Everything in a run folder that must not differ between equal runs."""
    found: dict[str, Any] = {}
    for path in sorted(folder.rglob("*")):
        if path.is_file():
            found[str(path.relative_to(folder))] = path.read_bytes()
    manifest = json.loads(found.pop("manifest.json"))
    for name in ("created_at", "stages", "inputs"):
        manifest.pop(name)
    return {**found, "manifest.json": manifest}


def test_a_sweep_leaves_a_whole_run_folder_and_says_so(run_here: RunCli, world: Path, tmp_path: Path) -> None:
    done = run_here("sweep", world / "events.parquet", "--out", "run")
    assert done.returncode == 0, done.stderr
    run = tmp_path / "run"
    assert {path.name for path in run.iterdir()} >= FILES
    assert "Everything is in run" in done.stdout
    assert max(map(len, done.stdout.splitlines())) <= 80
    manifest = json.loads((run / "manifest.json").read_text(encoding="utf-8"))
    ledger = manifest["ledger"]
    rejected = sum(ledger["rejected"].values())
    assert ledger["read"] == ledger["accepted"] + ledger["duplicate"] + rejected + ledger["late"]
    accounts = pq.read_table(world / "events.parquet", columns=["account_id"])["account_id"].unique()
    with (run / "accounts.csv").open(encoding="utf-8", newline="") as file:
        assert {row["account_id"] for row in csv.DictReader(file)} == set(accounts.to_pylist())
    assert sorted(path.name for path in tmp_path.iterdir()) == ["home", "run"]


def test_the_same_run_again_is_nothing_to_do(run_here: RunCli, world: Path, tmp_path: Path) -> None:
    args = ("sweep", world / "events.parquet", "--out", "run")
    first = json.loads(run_here(*args, "--json").stdout)
    before = {path.name: path.stat().st_mtime_ns for path in (tmp_path / "run").iterdir()}
    again = run_here(*args)
    assert again.returncode == 0
    assert "Nothing to do" in again.stdout
    assert {path.name: path.stat().st_mtime_ns for path in (tmp_path / "run").iterdir()} == before
    document = json.loads(run_here(*args, "--json").stdout)
    assert (first["is_new"], document["is_new"]) == (True, False)
    assert first["run_id"] == document["run_id"]


def test_another_run_is_not_overwritten_without_force(run_here: RunCli, world: Path, tmp_path: Path) -> None:
    events = world / "events.parquet"
    run_here("sweep", events, "--out", "run")
    before = settled(tmp_path / "run")
    other = ("sweep", events, "--out", "run", "--set", "seed=5")
    refused = run_here(*other)
    assert refused.returncode == 73
    assert "--force" in refused.stderr
    assert settled(tmp_path / "run") == before
    assert run_here(*other, "--force").returncode == 0
    assert settled(tmp_path / "run")["manifest.json"]["seed"] == 5


def test_a_folder_of_somebody_else_is_left_alone(run_here: RunCli, world: Path, tmp_path: Path) -> None:
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine/letter.txt").write_text("dear", encoding="utf-8")
    done = run_here("sweep", world / "events.parquet", "--out", "mine")
    assert done.returncode == 73
    assert [path.name for path in (tmp_path / "mine").iterdir()] == ["letter.txt"]


def test_row_order_file_split_threads_and_zone_change_no_byte(
    run_here: RunCli, run_cli: RunCli, world: Path, tmp_path: Path
) -> None:
    table = pq.read_table(world / "events.parquet")
    half = table.num_rows // 2
    shuffled = table.take(pa.array([(i * 7_919) % table.num_rows for i in range(table.num_rows)]))
    assert len(set(shuffled["event_id"].to_pylist())) == table.num_rows
    pq.write_table(shuffled.slice(0, half), tmp_path / "b one.parquet")
    pq.write_table(shuffled.slice(half), tmp_path / "a two.parquet")
    assert run_here("sweep", world / "events.parquet", "--out", "plain").returncode == 0
    env = {"GRAPHSCAN_THREADS": "1", "TZ": "Asia/Kolkata", "LC_ALL": "C", "PYTHONHASHSEED": "3"}
    split = run_cli("sweep", "b one.parquet", "a two.parquet", "--out", "the split", env=env)
    assert split.returncode == 0, split.stderr
    assert settled(tmp_path / "plain") == settled(tmp_path / "the split")


def test_the_period_bounds_what_is_swept(run_here: RunCli, world: Path, tmp_path: Path) -> None:
    times = pq.read_table(world / "events.parquet", columns=["timestamp"])["timestamp"].to_pylist()
    first, last = min(times), max(times)
    middle = first + (last - first) / 2
    for name, args in (
        ("early", ("--until", middle.isoformat())),
        ("late", ("--from", middle.isoformat())),
        ("all", ("--from", first.isoformat())),
    ):
        assert run_here("sweep", world / "events.parquet", "--out", name, *args).returncode == 0
    n_events = {
        name: sum(pq.read_table(tmp_path / name / "accounts.parquet")["n_events"].to_pylist())
        for name in ("early", "late", "all")
    }
    assert n_events["early"] + n_events["late"] == n_events["all"] == len(times)
    assert n_events["early"] == sum(1 for when in times if when < middle)


@pytest.mark.parametrize(
    ("args", "said"),
    [
        (("--from", "yesterday"), "--from"),
        (("--until", "2024-02-30"), "--until"),
        (("--from", "2024-03-02", "--until", "2024-03-01"), "empty"),
        (("--memory-limit", "lots"), "--memory-limit"),
        (("--set", "clusters.alfa=1"), "clusters.alpha"),
        (("--format", "nativ"), "native"),
    ],
)
def test_usage_errors(
    run_here: RunCli, world: Path, tmp_path: Path, args: tuple[str, ...], said: str
) -> None:
    done = run_here("sweep", world / "events.parquet", "--out", "run", *args)
    assert done.returncode == 2, done.stderr
    assert said in done.stderr
    assert not (tmp_path / "run").exists()


def test_an_empty_file_leaves_nothing_and_a_header_a_valid_empty_run(
    run_here: RunCli, tmp_path: Path
) -> None:
    (tmp_path / "empty.csv").write_text("")
    (tmp_path / "header.csv").write_text(HEADER + "\n")
    assert run_here("sweep", "empty.csv", "--out", "run").returncode == 3
    assert sorted(path.name for path in tmp_path.iterdir()) == ["empty.csv", "header.csv", "home"]
    done = run_here("sweep", "header.csv", "--out", "run")
    assert done.returncode == 0, done.stderr
    assert {path.name for path in (tmp_path / "run").iterdir()} >= FILES
    assert pq.read_table(tmp_path / "run/clusters.parquet").num_rows == 0


def test_too_many_rejects_leave_only_the_failed_folder(run_here: RunCli, tmp_path: Path) -> None:
    rows = [f"a{n},repost,o,2024-03-01T12:00:00Z" for n in range(50)] + ["a,repost,o,never"] * 101
    (tmp_path / "bad.csv").write_text("\n".join([HEADER, *rows]) + "\n")
    done = run_here("sweep", "bad.csv", "--out", "run", "--json")
    assert done.returncode == 3
    assert json.loads(done.stdout)["error"]["exit_code"] == 3
    assert not (tmp_path / "run").exists()
    assert {path.name for path in (tmp_path / "run.failed").iterdir()} == {"rejects.ndjson", "manifest.json"}


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_signal_ends_the_sweep_and_leaves_no_half_folder(tmp_path: Path, number: int, code: int) -> None:
    """The sweep waits for standard input, which never ends."""
    process = subprocess.Popen(
        [sys.executable, "-m", "graphscan", "sweep", "-", "--out", "run"],
        cwd=tmp_path,
        env={**os.environ, "HOME": str(tmp_path)},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert process.stdin is not None
    process.stdin.write(HEADER + "\n")
    process.stdin.flush()
    while not (tmp_path / ".run.part").exists():
        assert process.poll() is None
        time.sleep(0.05)
    process.send_signal(number)
    out, err = process.communicate(timeout=60)
    assert process.returncode == code
    assert out == ""
    assert "Traceback" not in err
    assert list(tmp_path.iterdir()) == []
