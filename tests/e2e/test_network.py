"""``graphscan network`` as a process: edges out, errors, and the published edge lists."""

from __future__ import annotations

import csv
import gzip
import io
import json
import resource
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

RunCli = Callable[..., "subprocess.CompletedProcess[str]"]

HEADER = "account_id,action,object_id,timestamp"
COLUMNS = [
    "account_a",
    "account_b",
    "layer",
    "window_s",
    "n_pairs",
    "n_objects",
    "n_a",
    "n_b",
    "median_lag_s",
    "a_leads_share",
    "first_at",
    "last_at",
]


def events(*rows: str) -> str:
    return "\n".join([HEADER, *rows]) + "\n"


def at(second: float) -> str:
    return f"2024-03-01T12:{int(second) // 60:02d}:{second % 60:09.6f}Z"


SIMPLE = events(
    f"B,repost,o1,{at(5)}",
    f"A,repost,o1,{at(0)}",
    f"A,repost,o2,{at(100)}",
    f"B,repost,o2,{at(160)}",
    f"C,repost,o2,{at(221)}",
)


def rows_of(text: str) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(text)))


@pytest.fixture
def simple(tmp_path: Path) -> Path:
    path = tmp_path / "events.csv"
    path.write_text(SIMPLE, encoding="utf-8")
    return path


def test_edges_go_to_stdout_and_words_to_stderr(run_here: RunCli, simple: Path) -> None:
    done = run_here("network", simple)
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines()[0].split(",") == COLUMNS
    (edge,) = rows_of(done.stdout)
    assert edge == {
        "account_a": "A",
        "account_b": "B",
        "layer": "co_repost",
        "window_s": "60",
        "n_pairs": "2",
        "n_objects": "2",
        "n_a": "2",
        "n_b": "2",
        "median_lag_s": "32.5",
        "a_leads_share": "1",
        "first_at": "2024-03-01T12:00:00.000000Z",
        "last_at": "2024-03-01T12:02:40.000000Z",
    }
    assert "read 5 rows: 5 accepted" in done.stderr


def test_stdin_gzip_and_parquet_give_the_same_edges(run_cli: RunCli, simple: Path, tmp_path: Path) -> None:
    expected = run_cli("network", simple).stdout
    assert run_cli("network", "-", stdin=SIMPLE).stdout == expected
    (tmp_path / "events.csv.gz").write_bytes(gzip.compress(SIMPLE.encode()))
    assert run_cli("network", tmp_path / "events.csv.gz").stdout == expected
    done = run_cli("network", simple, "-o", tmp_path / "edges.parquet")
    assert (done.returncode, done.stdout) == (0, "")
    table = pq.read_table(tmp_path / "edges.parquet")
    assert table.column_names == COLUMNS
    assert table.schema.field("first_at").type == pa.timestamp("us", "UTC")
    assert run_cli("network", simple, "-o", tmp_path / "edges.csv").returncode == 0
    assert (tmp_path / "edges.csv").read_text(encoding="utf-8") == expected


def test_json_is_one_document(run_here: RunCli, simple: Path, tmp_path: Path) -> None:
    document = json.loads(run_here("network", simple, "--json").stdout)
    assert document["n_edges"] == 1
    assert document["ledger"]["read"] == 5
    assert [edge["account_b"] for edge in document["edges"]] == ["B"]
    document = json.loads(run_here("network", simple, "--json", "-o", tmp_path / "e.csv").stdout)
    assert "edges" not in document
    assert (tmp_path / "e.csv").exists()


def test_quiet_says_nothing(run_here: RunCli, simple: Path) -> None:
    assert run_here("network", simple, "--quiet").stderr == ""


def test_window_option_and_window_setting(run_here: RunCli, simple: Path, tmp_path: Path) -> None:
    assert [row["n_pairs"] for row in rows_of(run_here("network", simple, "--window", 59).stdout)] == ["1"]
    assert {row["window_s"] for row in rows_of(run_here("network", simple, "--window", 61).stdout)} == {"61"}
    (tmp_path / "graphscan.toml").write_text("[layers.co_repost]\nwindow_s = 61\n", encoding="utf-8")
    assert {row["window_s"] for row in rows_of(run_here("network", simple).stdout)} == {"61"}
    (tmp_path / "graphscan.toml").write_text("[layers.co_repost]\nenabled = false\n", encoding="utf-8")
    assert rows_of(run_here("network", simple).stdout) == []
    assert len(rows_of(run_here("network", simple, "--layer", "co_repost").stdout)) == 1


def test_toolkit_rows(run_here: RunCli, simple: Path) -> None:
    rows = rows_of(run_here("network", simple, "--toolkit-edges").stdout)
    assert [(row["user_1"], row["user_2"], row["weight"]) for row in rows] == [
        ("A", "B", "2"),
        ("B", "A", "2"),
    ]
    assert rows_of(run_here("network", simple, "--toolkit-edges", "--min-weight", 3).stdout) == []


def test_ids_come_out_as_they_went_in(run_here: RunCli, tmp_path: Path) -> None:
    ids = [
        "007",
        "1e5",
        "NA",
        "null",
        " blank ",
        'quo"te',
        "com,ma",
        "new\nline",
        "=1+1",
        "é\u202e\u200b",
        "../../x",
    ]
    path = tmp_path / "ids.csv"
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(HEADER.split(","))
        for name in ids:
            writer.writerow([name, "repost", "o", at(1)])
    done = run_here("network", path, "-o", tmp_path / "edges.csv")
    assert done.returncode == 0, done.stderr
    with (tmp_path / "edges.csv").open(encoding="utf-8", newline="") as file:
        seen = {row[key] for row in csv.DictReader(file) for key in ("account_a", "account_b")}
    assert seen == set(ids)


def test_no_hostile_character_reaches_the_terminal(run_here: RunCli, tmp_path: Path) -> None:
    path = tmp_path / "hostile.csv"
    hostile = "\x1b]0;owned\x07\x1b[31m\u202e"
    rows = [f"{hostile}{n},repost,{hostile},{at(n % 50)}" for n in range(40)]
    path.write_text(events(*rows, f"x,{hostile},o,{at(1)}"), encoding="utf-8")
    done = run_here("network", path, "-o", tmp_path / "e.csv", "--set", "network.max_pairs_per_object=10")
    assert done.returncode == 0, done.stderr
    assert "fit the pair cap" in done.stderr
    assert "rows rejected" in done.stderr
    for char in ("\x1b", "\x07", "\u202e"):
        assert char not in done.stderr


# --- errors ----------------------------------------------------------------------------------------------


def test_a_window_under_the_time_resolution_is_a_usage_error(run_here: RunCli, tmp_path: Path) -> None:
    path = tmp_path / "minutes.csv"
    rows = [f"a{n % 7},repost,o{n % 5},2024-03-01T12:{n % 60:02d}:00Z" for n in range(200)]
    path.write_text(events(*rows), encoding="utf-8")
    done = run_here("network", path, "--window", 10)
    assert (done.returncode, done.stdout) == (2, "")
    assert "resolution" in done.stderr
    assert run_here("network", path, "--window", 60).returncode == 0


@pytest.mark.parametrize(
    ("args", "code", "said"),
    [
        (["--layer", "co_repots"], 2, "co_repost"),
        (["--window", "0"], 2, "window"),
        (["--window", "soon"], 2, "--window"),
        (["--edge-quantile", "1"], 2, "--edge-quantile"),
        (["--min-pairs", "0"], 2, "--min-pairs"),
        (["--map", "account_id"], 2, "account_id=author"),
        (["--map", "acount_id=x"], 2, "acount_id"),
        (["--format", "coortwet"], 2, "coortweet"),
        (["-o", "edges.txt"], 2, ".parquet"),
        (["-o", "missing/edges.csv"], 73, "missing"),
        (["-o", "/proc/edges.csv"], 73, "/proc"),
        (["--set", "clusters.min_kapa=1"], 2, "clusters.min_kappa"),
    ],
)
def test_errors_have_their_code_and_name_the_place(
    run_here: RunCli, simple: Path, args: list[str], code: int, said: str
) -> None:
    done = run_here("network", simple, *args)
    assert done.returncode == code, done.stderr
    assert done.stdout == ""
    assert said in done.stderr
    assert "Traceback" not in done.stderr


def test_no_files_and_missing_files(run_here: RunCli) -> None:
    assert run_here("network").returncode == 2
    done = run_here("network", "nowhere.csv")
    assert done.returncode in (2, 3)
    assert "nowhere.csv" in done.stderr


def test_empty_and_header_only(run_here: RunCli, tmp_path: Path) -> None:
    (tmp_path / "empty.csv").write_text("")
    (tmp_path / "header.csv").write_text(HEADER + "\n")
    assert run_here("network", tmp_path / "empty.csv").returncode == 3
    done = run_here("network", tmp_path / "header.csv")
    assert (done.returncode, done.stdout) == (0, ",".join(COLUMNS) + "\n")


def test_too_many_rejects_stop_the_run_and_are_listed(run_here: RunCli, tmp_path: Path) -> None:
    path = tmp_path / "bad.csv"
    path.write_text(
        events(*(f"a,repost,o,{at(1)}" for _ in range(5)), *("a,repost,o,never" for _ in range(101)))
    )
    done = run_here("network", path, "-o", tmp_path / "e.csv", "--rejects", tmp_path / "rejects.ndjson")
    assert done.returncode == 3
    lines = (tmp_path / "rejects.ndjson").read_text(encoding="utf-8").splitlines()
    assert len(lines) == 101
    assert {"file", "line", "column", "reason", "excerpt"} <= set(json.loads(lines[0]))
    assert not (tmp_path / "e.csv").exists()


def test_a_full_disk_leaves_no_half_file(simple: Path, tmp_path: Path) -> None:
    """A limit on the size of files stands in for the disk's end."""
    many = tmp_path / "many.csv"
    many.write_text(events(*(f"a{n},repost,o,{at(1)}" for n in range(150))), encoding="utf-8")
    command = [sys.executable, "-m", "graphscan", "network", many, "-o", tmp_path / "edges.csv"]
    done = subprocess.run(
        command,
        capture_output=True,
        text=True,
        check=False,
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (50_000, 50_000)),
    )
    assert done.returncode == 73, done.stderr
    assert "cannot write" in done.stderr
    assert sorted(path.name for path in tmp_path.glob("edges*")) == []


# --- surroundings and the published lists ----------------------------------------------------------------


def test_zone_locale_hash_seed_and_threads_change_no_byte(run_cli: RunCli, tmp_path: Path) -> None:
    folder = tmp_path / "folder with spaces ü"
    folder.mkdir()
    (folder / "my events.csv").write_text(SIMPLE.replace(",o1,", ",ö1,"), encoding="utf-8")
    outputs = set()
    for number, env in enumerate(
        (
            {},
            {"TZ": "Asia/Kolkata", "LC_ALL": "C"},
            {"PYTHONHASHSEED": "7", "GRAPHSCAN_THREADS": "1", "LC_ALL": "tr_TR.UTF-8"},
        )
    ):
        output = folder / f"edges {number}.csv"
        done = run_cli("network", folder / "my events.csv", "-o", output, env=env)
        assert done.returncode == 0, done.stderr
        outputs.add(output.read_bytes())
    assert len(outputs) == 1


@pytest.mark.parametrize("window_s", [60, 10])
def test_the_edges_that_coortweet_found(run_here: RunCli, data_dir: Path, window_s: int) -> None:
    done = run_here(
        "network",
        data_dir / "coortweet_ru/events.csv.gz",
        *("--layer", "co_repost", "--window", window_s, "--min-participation", 2),
    )
    assert done.returncode == 0, done.stderr
    mine = {(row["account_a"], row["account_b"], row["n_pairs"]) for row in rows_of(done.stdout)}
    with gzip.open(data_dir / f"coortweet_ru/edges_{window_s}s_min2.csv.gz", "rt", encoding="utf-8") as file:
        theirs = {(row["account_a"], row["account_b"], row["n_pairs"]) for row in csv.DictReader(file)}
    assert mine == theirs
