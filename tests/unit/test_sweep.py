"""The whole walk as a library call: what stands in the run folder, reruns, refusals, what is left behind."""

from __future__ import annotations

import csv
import hashlib
import json
import re
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.csv
import pyarrow.parquet as pq
import pytest

from graphscan.clusters.synchrony import PANEL
from graphscan.errors import GraphscanError
from graphscan.settings import NetworkSettings, Settings
from graphscan.simulate.background import Background
from graphscan.simulate.campaigns import FanClubSpec, FarmSpec
from graphscan.simulate.planting import plant
from graphscan.simulate.world import World, native_events
from graphscan.simulate.worlds import organic_background
from graphscan.sweep import SweepResult, sweep

PANEL_COLUMNS = [name for metric in PANEL for name in (metric.name, f"{metric.name}_z")]
# fmt: off
COLUMNS = {
    "accounts": [
        "account_id", "tier", "p_automation", "p_farm", "coverage", "surfaces_active", "surfaces_automated",
        "cluster_id", "in_core", "evidence_families", "reasons", "n_events", "insufficient_evidence",
    ],
    "clusters": [
        "cluster_id", "size", "core_size", "p_time", "q_time", "p_incidence", "effect_ratio", "kappa",
        "window_s", "layers", "n_objects", *PANEL_COLUMNS, "first_at", "last_at", "tier_counts",
        "benign_match",
    ],
    "cluster_tests": [
        "candidate_id", "layer", "source", "size", "n_objects", "window_s", "statistic", "null_mean",
        "null_sd", "effect_ratio", "kappa", "p_time", "q_time", "p_incidence", "testable", "found",
    ],
    "members": ["cluster_id", "account_id", "in_core"],
    "edges": [
        "account_a", "account_b", "layer", "window_s", "n_pairs", "n_objects", "n_a", "n_b", "median_lag_s",
        "a_leads_share", "first_at", "last_at", "excess",
    ],
    "evidence": ["cluster_id", "account_id", "event_id", "object_id", "layer", "at", "lag_s", "reason"],
}
# fmt: on
TIERS = ("none", "warn", "limit", "review", "terminate")
LEDGER = {"read", "accepted", "duplicate", "rejected", "late"}
HEADER = "account_id,action,object_id,timestamp\n"
LAYERS = {name: layer for name, layer in Settings().layers.items() if name in ("co_repost", "co_like")}
FEW_LAYERS = Settings(layers=LAYERS, threads=1)


@pytest.fixture(scope="module")
def world() -> World:
    """An organic background with a farm and a fan club."""
    specs = [FarmSpec(12, 20, 40, 60.0, 0.2, "repost"), FanClubSpec(30, action="repost")]
    return plant(Background(organic_background(3_000, 7)), specs, 7)


@pytest.fixture(scope="module")
def events(world: World, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("events") / "events.parquet"
    pq.write_table(native_events(world.events), path)
    return path


@pytest.fixture(scope="module")
def run(events: Path, tmp_path_factory: pytest.TempPathFactory) -> SweepResult:
    return sweep([events], tmp_path_factory.mktemp("sweep") / "run")


def table(run: SweepResult | Path, name: str) -> pa.Table:
    folder = run if isinstance(run, Path) else run.run_dir
    return pq.read_table(folder / f"{name}.parquet")


def settled(folder: Path) -> dict[str, Any]:
    """Everything that must be equal between equal runs."""
    found: dict[str, Any] = {
        str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()
    }
    manifest = json.loads(found["manifest.json"])
    for name in ("created_at", "stages", "inputs"):
        manifest.pop(name)
    return {**found, "manifest.json": manifest}


def test_every_table_has_its_columns_in_their_order(run: SweepResult) -> None:
    for name, columns in COLUMNS.items():
        assert table(run, name).column_names == columns, name
    for name in ("accounts", "clusters"):
        with (run.run_dir / f"{name}.csv").open(encoding="utf-8", newline="") as file:
            rows = list(csv.reader(file))
        assert rows[0] == COLUMNS[name]
        assert len(rows) - 1 == table(run, name).num_rows > 0
    for name in ("rejects.ndjson", "statements.ndjson", "DONE", "manifest.json"):
        assert (run.run_dir / name).is_file()


def test_accounts_are_all_accounts_once(run: SweepResult, world: World) -> None:
    accounts = table(run, "accounts")
    ids = accounts["account_id"].to_pylist()
    acts: dict[str, int] = {}
    for account in world.events["account_id"].to_pylist():
        acts[account] = acts.get(account, 0) + 1
    assert ids == sorted(acts, key=lambda i: i.encode())
    assert dict(zip(ids, accounts["n_events"].to_pylist(), strict=True)) == acts
    assert set(accounts["tier"].to_pylist()) <= set(TIERS)
    for name in ("coverage", "surfaces_active", "surfaces_automated"):
        assert all(isinstance(json.loads(cell), dict | list) for cell in accounts[name].to_pylist())
    for name in ("evidence_families", "reasons"):
        assert all(isinstance(json.loads(cell), list) for cell in accounts[name].to_pylist())


def test_the_farm_is_the_cluster_and_the_fan_club_is_not(run: SweepResult, world: World) -> None:
    farm = {row["account_id"] for row in world.truth.to_pylist() if row["archetype"] == "farm"}
    clusters = table(run, "clusters").to_pylist()
    assert [c["size"] for c in clusters] == [len(farm)]
    (cluster,) = clusters
    assert cluster["q_time"] <= 0.05
    assert cluster["effect_ratio"] >= 1.15
    assert cluster["kappa"] >= 0.2
    assert "co_repost" in json.loads(cluster["layers"])
    assert {row["account_id"] for row in table(run, "members").to_pylist()} == farm
    marked = table(run, "accounts").to_pylist()
    assert {row["account_id"] for row in marked if row["cluster_id"] == cluster["cluster_id"]} == farm
    assert sum(bool(row["in_core"]) for row in marked) == cluster["core_size"] > 6


def test_evidence_names_real_events_in_step(run: SweepResult, world: World) -> None:
    known = {row["event_id"]: row for row in world.events.to_pylist()}
    evidence = table(run, "evidence").to_pylist()
    (cluster,) = table(run, "clusters").to_pylist()
    in_step = [row for row in evidence if row["reason"] == "acts_in_step"]
    assert len(in_step) > 100
    for row in in_step:
        event = known[row["event_id"]]
        assert (event["account_id"], event["object_id"]) == (row["account_id"], row["object_id"])
        assert round(row["at"].timestamp() * 1e6) == event["timestamp_us"]
        assert 0 <= row["lag_s"] <= cluster["window_s"]


def test_edges_and_tests_are_unique_and_consistent(run: SweepResult) -> None:
    edges = table(run, "edges").to_pylist()
    keys = [(e["layer"], e["window_s"], e["account_a"].encode(), e["account_b"].encode()) for e in edges]
    assert keys == sorted(set(keys))
    assert all(a < b for *_, a, b in keys)
    assert all(e["n_objects"] <= e["n_pairs"] and 0 <= e["a_leads_share"] <= 1 for e in edges)
    tests = table(run, "cluster_tests").to_pylist()
    assert len({t["candidate_id"] for t in tests}) == len(tests)
    for test in tests:
        assert (test["p_time"] is None) == (not test["testable"])
        if test["found"]:
            assert test["q_time"] <= 0.05
            assert test["effect_ratio"] >= 1.15
            assert test["kappa"] >= 0.2
    assert any(t["found"] for t in tests)
    assert any(t["testable"] and not t["found"] for t in tests)


def test_the_manifest_keeps_the_books(run: SweepResult, events: Path, world: World) -> None:
    manifest = json.loads((run.run_dir / "manifest.json").read_text(encoding="utf-8"))
    assert manifest == json.loads(json.dumps(dict(run.manifest)))
    ledger = manifest["ledger"]
    assert set(ledger) == LEDGER
    rejected = sum(ledger["rejected"].values())
    assert ledger["read"] == ledger["accepted"] + ledger["duplicate"] + rejected + ledger["late"]
    assert ledger["accepted"] == world.events.num_rows
    assert manifest["run_id"] == run.run_id
    assert manifest["inputs"][0]["sha256"] == hashlib.sha256(events.read_bytes()).hexdigest()
    assert manifest["settings_sha256"] == Settings().sha256()
    assert sum(manifest["tiers"].values()) == table(run, "accounts").num_rows
    stages = [stage["stage"] for stage in manifest["stages"]]
    assert stages[0] == "read"
    assert {"network", "clusters", "write"} <= set(stages)
    assert all(s["seconds"] >= 0 and s["peak_memory_mb"] > 0 and s["rows"] >= 0 for s in manifest["stages"])


def test_times_in_csv_have_six_decimals(run: SweepResult) -> None:
    with (run.run_dir / "clusters.csv").open(encoding="utf-8", newline="") as file:
        (row,) = csv.DictReader(file)
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z", row["first_at"])


def test_shuffled_rows_split_files_and_threads_change_no_byte(
    events: Path, run: SweepResult, tmp_path: Path
) -> None:
    table_ = pq.read_table(events)
    shuffled = table_.take(pa.array(np.random.default_rng(1).permutation(table_.num_rows)))
    third = table_.num_rows // 3
    pq.write_table(shuffled.slice(0, third), tmp_path / "z.parquet")
    pq.write_table(shuffled.slice(third), tmp_path / "a.parquet")
    files = [tmp_path / "z.parquet", tmp_path / "a.parquet"]
    for threads in (1, 2):
        other = sweep(files, tmp_path / f"run{threads}", settings=Settings(threads=threads))
        assert settled(other.run_dir) == settled(run.run_dir)
        assert other.run_id == run.run_id


def test_the_same_run_again_does_nothing(run: SweepResult, events: Path) -> None:
    before = {path: path.stat().st_mtime_ns for path in run.run_dir.rglob("*")}
    again = sweep([events, events], run.run_dir)  # the same file twice adds nothing
    assert (again.is_new, again.run_id) == (False, run.run_id)
    assert dict(again.manifest) == dict(run.manifest)
    assert {path: path.stat().st_mtime_ns for path in run.run_dir.rglob("*")} == before
    assert [path.name for path in run.run_dir.parent.iterdir()] == [run.run_dir.name]


@pytest.fixture
def small(tmp_path: Path) -> Path:
    path = tmp_path / "small.csv"
    rows = [f"a{a},repost,o{o},{1_700_000_000 + 1_000 * o + a}" for o in range(5) for a in range(4)]
    path.write_text(HEADER + "\n".join(rows) + "\n", encoding="utf-8")
    return path


def test_another_run_in_the_way_is_not_touched(small: Path, tmp_path: Path) -> None:
    first = sweep([small], tmp_path / "run", settings=FEW_LAYERS)
    before = settled(tmp_path / "run")
    other = FEW_LAYERS.model_copy(update={"seed": 9})
    with pytest.raises(GraphscanError) as caught:
        sweep([small], tmp_path / "run", settings=other)
    assert caught.value.exit_code == 73
    assert settled(tmp_path / "run") == before
    forced = sweep([small], tmp_path / "run", settings=other, force=True)
    assert forced.is_new
    assert forced.run_id != first.run_id
    assert {path.name for path in tmp_path.iterdir()} == {"small.csv", "run"}


def test_a_foreign_folder_is_not_touched(small: Path, tmp_path: Path) -> None:
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine/letter.txt").write_text("dear", encoding="utf-8")
    with pytest.raises(GraphscanError) as caught:
        sweep([small], tmp_path / "mine", settings=FEW_LAYERS)
    assert caught.value.exit_code == 73
    assert [path.name for path in (tmp_path / "mine").iterdir()] == ["letter.txt"]
    assert {path.name for path in tmp_path.iterdir()} == {"small.csv", "mine"}


def test_an_empty_file_leaves_nothing(tmp_path: Path) -> None:
    (tmp_path / "empty.csv").write_bytes(b"")
    with pytest.raises(GraphscanError) as caught:
        sweep([tmp_path / "empty.csv"], tmp_path / "run", settings=FEW_LAYERS)
    assert caught.value.exit_code == 3
    assert [path.name for path in tmp_path.iterdir()] == ["empty.csv"]


def test_a_header_alone_is_a_valid_empty_run(tmp_path: Path) -> None:
    (tmp_path / "head.csv").write_text(HEADER, encoding="utf-8")
    run = sweep([tmp_path / "head.csv"], tmp_path / "run", settings=FEW_LAYERS)
    for name, columns in COLUMNS.items():
        assert table(run, name).num_rows == 0
        assert table(run, name).column_names == columns
    assert run.manifest["ledger"]["read"] == 0
    assert (run.run_dir / "DONE").exists()


def test_beyond_the_budget_only_the_failed_folder_is_left(tmp_path: Path) -> None:
    rows = [f"a{n % 7},{'like' if n % 3 else 'poke'},o{n % 9},{1_700_000_000 + n}" for n in range(400)]
    (tmp_path / "bad.csv").write_text(HEADER + "\n".join(rows) + "\n", encoding="utf-8")
    with pytest.raises(GraphscanError) as caught:
        sweep([tmp_path / "bad.csv"], tmp_path / "run", settings=FEW_LAYERS)
    assert caught.value.exit_code == 3
    assert {path.name for path in tmp_path.iterdir()} == {"bad.csv", "run.failed"}
    failed = tmp_path / "run.failed"
    assert {path.name for path in failed.iterdir()} == {"rejects.ndjson", "manifest.json"}
    rejects = [json.loads(line) for line in (failed / "rejects.ndjson").read_text("utf-8").splitlines()]
    ledger = json.loads((failed / "manifest.json").read_text("utf-8"))["ledger"]
    assert ledger["rejected"] == {"unknown_action": len(rejects)} == {"unknown_action": 134}
    assert ledger["read"] == ledger["accepted"] + 134 == 400


def test_within_the_budget_rejects_are_listed(tmp_path: Path) -> None:
    rows = [f"a{n % 7},{'poke' if n == 17 else 'like'},o{n % 9},{1_700_000_000 + n}" for n in range(400)]
    (tmp_path / "bad.csv").write_text(HEADER + "\n".join(rows) + "\n", encoding="utf-8")
    run = sweep([tmp_path / "bad.csv"], tmp_path / "run", settings=FEW_LAYERS)
    (reject,) = [json.loads(x) for x in (run.run_dir / "rejects.ndjson").read_text("utf-8").splitlines()]
    assert reject["line"] == 19
    assert run.manifest["ledger"]["accepted"] == 399


def test_one_account_alone(tmp_path: Path) -> None:
    rows = [f"a,repost,o{n},{1_700_000_000 + 60 * n}" for n in range(50)]
    (tmp_path / "one.csv").write_text(HEADER + "\n".join(rows) + "\n", encoding="utf-8")
    run = sweep([tmp_path / "one.csv"], tmp_path / "run", settings=FEW_LAYERS)
    assert table(run, "accounts")["n_events"].to_pylist() == [50]
    assert table(run, "edges").num_rows == table(run, "clusters").num_rows == 0


def test_all_events_at_one_instant(tmp_path: Path) -> None:
    """A bulk import: everybody is together with everybody, and nobody is found for it."""
    rng = np.random.default_rng(0)
    rows = [f"a{a},repost,o{o},1700000000" for a in range(30) for o in rng.choice(40, 12, replace=False)]
    (tmp_path / "bulk.csv").write_text(HEADER + "\n".join(rows) + "\n", encoding="utf-8")
    run = sweep([tmp_path / "bulk.csv"], tmp_path / "run", settings=FEW_LAYERS)
    edges = table(run, "edges")
    assert edges.num_rows > 400
    assert set(edges["median_lag_s"].to_pylist()) == {0.0}
    assert set(edges["a_leads_share"].to_pylist()) == {0.5}
    assert table(run, "clusters").num_rows == 0


def test_a_viral_object_stays_bounded_and_is_named(tmp_path: Path) -> None:
    """200,000 shares of one object within an hour: capped, counted, and nobody is found for it."""
    n = 200_000
    rng = np.random.default_rng(0)
    account = pa.array([f"u{i}" for i in rng.permutation(n)])
    others = pa.array([f"o{i % 200}" for i in range(600)])
    hot = pa.table(
        {
            "account_id": pa.concat_arrays([account, account.slice(0, 600)]),
            "action": pa.repeat("repost", n + 600),
            "object_id": pa.concat_arrays([pa.repeat("viral", n), others]),
            "timestamp": 1_700_000_000_000 + rng.integers(0, 3_600_000, n + 600),
        }
    )
    pq.write_table(hot, tmp_path / "viral.parquet")
    few = FEW_LAYERS.model_copy(update={"network": NetworkSettings(max_pairs_per_object=100_000)})
    run = sweep([tmp_path / "viral.parquet"], tmp_path / "run", settings=few)
    capped = [c for c in run.manifest["capped"] if c["object_id"] == "viral"]
    assert {c["stage"] for c in capped} >= {"network"}
    for each in capped:
        assert each["layer"] == "co_repost"
        assert 0 < each["kept"] < each["rows"] <= n
    assert table(run, "edges").num_rows < 110_000
    assert table(run, "clusters").num_rows == 0
    assert set(table(run, "accounts")["tier"].to_pylist()) == {"none"}


def test_the_period_and_the_settings_are_part_of_the_identity(small: Path, tmp_path: Path) -> None:
    whole = sweep([small], tmp_path / "whole", settings=FEW_LAYERS)
    part = sweep([small], tmp_path / "part", settings=FEW_LAYERS, until_us=1_700_000_003_000_000)
    quick = FEW_LAYERS.model_copy(update={"threads": 2})
    same = sweep([small], tmp_path / "same", settings=quick)
    assert part.run_id != whole.run_id == same.run_id
    assert sum(table(part, "accounts")["n_events"].to_pylist()) == 3
