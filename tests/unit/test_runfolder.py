"""The run folder: whole or not at all, and CSV files that are exact."""

from __future__ import annotations

import csv
import datetime as dt
import json
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from graphscan.errors import GraphscanError
from graphscan.runfolder import finished_run_id, new_run_folder, write_exact_csv

AWKWARD = [
    "007", "1e5", "True", "NA", "null", "-", "0", " lead", "trail ", 'a"b', "a,b", "a\nb", "=1+1", "é",
    "\u202ex", "\U0001f600", "1234567890123456789", "", None,
]  # fmt: skip


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def test_nothing_has_its_name_before_it_is_whole(tmp_path: Path) -> None:
    folder = new_run_folder(tmp_path / "run")
    folder.write_json("manifest.json", {"run_id": "r1"})
    assert names(tmp_path) == [".run.part"]
    folder.finish()
    assert names(tmp_path) == ["run"]
    assert names(tmp_path / "run") == ["DONE", "manifest.json"]
    assert finished_run_id(tmp_path / "run") == "r1"


def test_what_is_given_up_leaves_nothing(tmp_path: Path) -> None:
    folder = new_run_folder(tmp_path / "deep/run")
    folder.write_json("manifest.json", {})
    folder.discard()
    assert names(tmp_path / "deep") == []
    folder.discard()


def test_a_failed_run_keeps_two_files(tmp_path: Path) -> None:
    for text in ("first", "second"):
        folder = new_run_folder(tmp_path / "run")
        folder.write_json("manifest.json", {"text": text})
        (folder.scratch / "rejects.ndjson").write_text("", encoding="utf-8")
        folder.write_csv("accounts", pa.table({"a": ["x"]}))
        (folder.scratch / "report").mkdir()
        assert folder.fail() == tmp_path / "run.failed"
    assert names(tmp_path) == ["run.failed"]
    assert names(tmp_path / "run.failed") == ["manifest.json", "rejects.ndjson"]
    assert json.loads((tmp_path / "run.failed/manifest.json").read_text("utf-8")) == {"text": "second"}


def test_a_folder_in_the_way(tmp_path: Path) -> None:
    (tmp_path / "run").mkdir()
    new_run_folder(tmp_path / "run").discard()  # an empty one is not in the way
    (tmp_path / "run/letter").write_text("dear", encoding="utf-8")
    with pytest.raises(GraphscanError, match="not empty") as caught:
        new_run_folder(tmp_path / "run")
    assert caught.value.exit_code == 73
    assert "--force" in caught.value.mend
    folder = new_run_folder(tmp_path / "run", force=True)
    assert names(tmp_path / "run") == ["letter"]  # until the new one is whole
    folder.finish()
    assert names(tmp_path) == ["run"]
    assert names(tmp_path / "run") == ["DONE"]


def test_a_file_in_the_way(tmp_path: Path) -> None:
    (tmp_path / "run").write_text("I am a file", encoding="utf-8")
    with pytest.raises(GraphscanError) as caught:
        new_run_folder(tmp_path / "run")
    assert caught.value.exit_code == 73
    with pytest.raises(GraphscanError) as caught:
        new_run_folder(tmp_path / "run/below")
    assert caught.value.exit_code == 73


def test_what_a_killed_run_left_is_cleared_away(tmp_path: Path) -> None:
    first = new_run_folder(tmp_path / "run")
    first.write_json("manifest.json", {"old": True})
    second = new_run_folder(tmp_path / "run")
    assert names(second.scratch) == []


def test_a_write_that_fails_ends_in_one_clear_error(tmp_path: Path) -> None:
    folder = new_run_folder(tmp_path / "run")
    folder.discard()
    for write in (
        lambda: folder.write_json("manifest.json", {}),
        lambda: folder.write_csv("accounts", pa.table({"a": ["x"]})),
        lambda: folder.write_parquet("accounts", pa.table({"a": ["x"]})),
        folder.finish,
    ):
        with pytest.raises(GraphscanError, match="Cannot write") as caught:
            write()
        assert caught.value.exit_code == 73


@pytest.mark.parametrize("manifest", ["", "{", "[]", '{"other": 1}'])
def test_only_a_whole_folder_has_a_run_id(tmp_path: Path, manifest: str) -> None:
    assert finished_run_id(tmp_path / "none") is None
    (tmp_path / "manifest.json").write_text('{"run_id": "r"}', encoding="utf-8")
    assert finished_run_id(tmp_path) is None
    (tmp_path / "DONE").touch()
    assert finished_run_id(tmp_path) == "r"
    (tmp_path / "manifest.json").write_text(manifest, encoding="utf-8")
    assert finished_run_id(tmp_path) is None


def test_csv_keeps_every_character(tmp_path: Path) -> None:
    path = tmp_path / "exact.csv"
    write_exact_csv(pa.table({"id": AWKWARD, "n": pa.array(range(len(AWKWARD)), pa.int64())}), path)
    with path.open(encoding="utf-8", newline="") as file:
        rows = list(csv.reader(file))
    assert [row[0] for row in rows[1:]] == [text or "" for text in AWKWARD]
    raw = path.read_text(encoding="utf-8").splitlines()
    assert raw[-2:] == ['"",17', ",18"]  # an empty text and a missing one stay distinct


def test_csv_times_booleans_and_nulls(tmp_path: Path) -> None:
    at = dt.datetime(2026, 1, 5, 10, 0, 0, 1_500, tzinfo=dt.UTC)
    table = pa.table(
        {"at": pa.array([at, None], pa.timestamp("us", "UTC")), "yes": [True, None], "x": [0.1, float("nan")]}
    )
    write_exact_csv(table, tmp_path / "t.csv")
    with (tmp_path / "t.csv").open(encoding="utf-8", newline="") as file:
        _, first, second = csv.reader(file)
    assert first == ["2026-01-05T10:00:00.001500Z", "true", "0.1"]
    assert second[:2] == ["", ""]


def test_parquet_bytes_do_not_depend_on_chunks(tmp_path: Path) -> None:
    folder = new_run_folder(tmp_path / "run")
    whole = pa.table({"a": [str(i) for i in range(1_000)]})
    folder.write_parquet("one", whole)
    folder.write_parquet("two", pa.concat_tables([whole.slice(0, 3), whole.slice(3)]))
    one, two = ((folder.scratch / f"{name}.parquet").read_bytes() for name in ("one", "two"))
    assert one == two
    assert pq.read_table(folder.scratch / "one.parquet").equals(whole)
