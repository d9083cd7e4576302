"""The embedded store: each event once, all or nothing, and never a broken state taken for a good one."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import duckdb
import pytest

from graphscan.errors import GraphscanError
from graphscan.events.ledger import Ledger
from graphscan.events.model import EVENT_COLUMNS, EVENT_SCHEMA
from graphscan.events.reading import load_events, read_events
from graphscan.store.events import SCHEMA_VERSION, EventStore

SECOND = 1_714_557_600


def csv_file(folder: Path, rows: Sequence[str], name: str = "events.csv") -> Path:
    path = folder / name
    path.write_text(
        "event_id,account_id,action,object_id,timestamp,text\n" + "".join(r + "\n" for r in rows), "utf-8"
    )
    return path


def rows(first: int, last: int) -> list[str]:
    return [f"e{i},a{i % 5},post,o{i % 3},{SECOND + i},text {i}" for i in range(first, last)]


@pytest.fixture(params=["file", "temporary"])
def store(request: pytest.FixtureRequest, tmp_path: Path):  # type: ignore[no-untyped-def]
    path = tmp_path / "state" / "events.duckdb" if request.param == "file" else None
    if path is not None:
        path.parent.mkdir()
    with EventStore.open(path, memory_limit="500MB", threads=1) as opened:
        yield opened


def test_empty_store(store: EventStore) -> None:
    table = store.table()
    assert table.num_rows == 0
    assert table.schema.names == list(EVENT_COLUMNS)
    assert table.schema.types == EVENT_SCHEMA.types
    assert store.watermark_us is None
    assert store.n_events == 0


def test_overlapping_files(store: EventStore, tmp_path: Path) -> None:
    first, second = csv_file(tmp_path, rows(0, 60), "1"), csv_file(tmp_path, rows(40, 100), "2")
    assert store.add(read_events([first])) == Ledger(read=60, accepted=60)
    assert store.add(read_events([second])) == Ledger(read=60, accepted=40, duplicate=20)
    assert store.add(read_events([first, second])) == Ledger(read=120, duplicate=120)
    expected, _ = load_events([first, second])
    assert store.table().equals(expected)
    assert store.n_events == 100
    assert store.watermark_us == (SECOND + 99) * 1_000_000


def test_columns_and_period(store: EventStore, tmp_path: Path) -> None:
    store.add(read_events([csv_file(tmp_path, rows(0, 50)[::-1])]))
    part = store.table(["event_id"], since_us=(SECOND + 10) * 1_000_000, until_us=(SECOND + 13) * 1_000_000)
    assert part.to_pylist() == [{"event_id": "e10"}, {"event_id": "e11"}, {"event_id": "e12"}]
    coded = store.table(["account_id", "object_id", "text"], coded=True)
    plain = store.table(["account_id", "object_id", "text"])
    assert coded.cast(plain.schema).equals(plain)
    assert coded.schema.field("account_id").type.index_type == "int32"


def test_a_failing_reading_leaves_nothing(store: EventStore, tmp_path: Path) -> None:
    good = csv_file(tmp_path, rows(0, 10), "good")
    broken = csv_file(tmp_path, [*rows(10, 20), 'e20,a,post,o,1,"open'], "broken")
    store.add(read_events([good]))
    reading = read_events([good, broken], block_bytes=100)
    with pytest.raises(GraphscanError):
        store.add(reading)
    assert reading.ledger.balanced
    assert store.n_events == 10
    assert store.add(read_events([good])) == Ledger(read=10, duplicate=10)


def test_displaced_event_is_told(store: EventStore, tmp_path: Path) -> None:
    later = csv_file(tmp_path, [f"same,b,post,o,{SECOND},x"], "later")
    first = csv_file(tmp_path, [f"same,a,post,o,{SECOND},x"], "first")
    store.add(read_events([later]))
    reading = read_events([first])
    assert store.add(reading) == Ledger(read=1, accepted=1)
    assert any("same" in warning for warning in reading.warnings)
    assert store.table(["account_id"]).to_pylist() == [{"account_id": "a"}]
    reading = read_events([later])
    assert store.add(reading) == Ledger(read=1, rejected={"conflict": 1})
    assert f"{first}:2" in reading.rejects[0].message
    assert reading.rejects[0].file == str(later)


def test_a_late_row_displaces_nothing_on_time(store: EventStore, tmp_path: Path) -> None:
    store.add(
        read_events([csv_file(tmp_path, [f"same,a,post,o,{SECOND},x", f"e,a,post,o,{SECOND + 1000},"], "1")])
    )
    late = csv_file(tmp_path, [f"same,a,post,o,{SECOND - 5000},x"], "2")
    ledger = store.add(read_events([late]), lookback_us=60_000_000)
    assert ledger == Ledger(read=1, late=1)
    assert store.table(["timestamp_us"])["timestamp_us"].to_pylist() == [
        SECOND * 1_000_000,
        (SECOND + 1000) * 1_000_000,
    ]


def test_readings_of_some_columns_are_refused(store: EventStore, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="all columns"):
        store.add(read_events([csv_file(tmp_path, rows(0, 1))], columns=("account_id",)))


def test_coded_readings_may_be_added(store: EventStore, tmp_path: Path) -> None:
    path = csv_file(tmp_path, rows(0, 30))
    store.add(read_events([path], coded=True))
    expected, _ = load_events([path])
    assert store.table().equals(expected)


def test_reopened(tmp_path: Path) -> None:
    path = tmp_path / "events.duckdb"
    source = csv_file(tmp_path, rows(0, 30))
    with EventStore.open(path) as store:
        store.add(read_events([source]))
        before = store.table()
    with EventStore.open(path) as store:
        assert store.table().equals(before)
        assert store.add(read_events([source])) == Ledger(read=30, duplicate=30)


def filled(path: Path) -> Path:
    with EventStore.open(path) as store:
        store.add(read_events([csv_file(path.parent, rows(0, 3000))]))
    return path


def refused(path: Path) -> GraphscanError:
    before = path.read_bytes()
    for _ in range(2):
        with pytest.raises(GraphscanError) as caught:
            EventStore.open(path).close()
    assert caught.value.exit_code == 4
    assert path.read_bytes() == before
    copies = list(path.parent.glob("events.duckdb.kept-*"))
    assert [copy.read_bytes() for copy in copies] == [before]
    assert copies[0].name in caught.value.where
    return caught.value


@pytest.mark.parametrize("kept", [0.0, 0.001, 0.5, 0.99])
def test_g7_truncated_state(tmp_path: Path, kept: float) -> None:
    path = filled(tmp_path / "events.duckdb")
    path.write_bytes(path.read_bytes()[: int(path.stat().st_size * kept)])
    refused(path)


def test_g7_damaged_state(tmp_path: Path) -> None:
    path = filled(tmp_path / "events.duckdb")
    content = bytearray(path.read_bytes())
    content[4096:12288] = b"\xff" * 8192
    path.write_bytes(content)
    refused(path)


def test_g7_newer_state(tmp_path: Path) -> None:
    path = filled(tmp_path / "events.duckdb")
    with duckdb.connect(str(path)) as connection:
        connection.execute(
            "UPDATE meta SET value = ? WHERE key = 'schema_version'", [str(SCHEMA_VERSION + 1)]
        )
    error = refused(path)
    assert str(SCHEMA_VERSION + 1) in error.what


def test_g7_foreign_files(tmp_path: Path) -> None:
    path = tmp_path / "events.duckdb"
    with duckdb.connect(str(path)) as connection:
        connection.execute("CREATE TABLE other (x INTEGER)")
    refused(path)
    for copy in tmp_path.glob("*.kept-*"):
        copy.unlink()
    path.write_text("account_id,action\n" * 1000)
    refused(path)


def test_g5_held_by_another_process(tmp_path: Path) -> None:
    path = filled(tmp_path / "events.duckdb")
    code = (
        "import duckdb, sys\nc = duckdb.connect(sys.argv[1])\nprint('held', flush=True)\nsys.stdin.read()\n"
    )
    with subprocess.Popen(
        [sys.executable, "-c", code, str(path)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as other:
        assert other.stdout is not None
        assert other.stdout.readline() == "held\n"
        with pytest.raises(GraphscanError) as caught:
            EventStore.open(path)
        other.communicate()
    assert caught.value.exit_code == 75


def test_unwritable_folder(tmp_path: Path) -> None:
    with pytest.raises(GraphscanError) as caught:
        EventStore.open(tmp_path / "none" / "events.duckdb")
    assert caught.value.exit_code == 73


def test_bad_settings() -> None:
    with pytest.raises(GraphscanError) as caught:
        EventStore.open(memory_limit="plenty")
    assert caught.value.exit_code == 2


def test_no_extension_is_ever_fetched(store: EventStore) -> None:
    rows = store._connection.execute(
        "SELECT name, value FROM duckdb_settings() WHERE name IN "
        "('autoinstall_known_extensions', 'autoload_known_extensions', 'allow_community_extensions')"
    ).fetchall()
    assert {value for _, value in rows} == {"false"}
    assert len(rows) == 3


def test_more_events_than_memory(tmp_path: Path) -> None:
    """A small memory limit spills to disk and gives the same events."""
    path = csv_file(
        tmp_path, [f"e{i:06d},a{i % 5},post,o{i % 3},{SECOND + i % 1000},{'x' * 300}" for i in range(40_000)]
    )
    with EventStore.open(memory_limit="60MB", threads=1) as store:
        assert store.add(read_events([path], block_bytes=1 << 20)).accepted == 40_000
        assert store.add(read_events([path], block_bytes=1 << 20)).duplicate == 40_000
        assert store.table(["event_id"]).num_rows == 40_000


def test_scratch_is_removed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    with EventStore.open() as store:
        store.add(read_events([csv_file(tmp_path, rows(0, 5))]))
    assert [p.name for p in tmp_path.iterdir()] == ["events.csv"]


def test_conflict_inside_the_first_addition(store: EventStore, tmp_path: Path) -> None:
    """Also where a later row takes the place of one that was stored a moment before."""
    paths = [
        csv_file(tmp_path, [f"same,{account},post,o,{SECOND},x", *rows(i * 10, i * 10 + 10)], f"{i}.csv")
        for i, account in enumerate("cabad")
    ]
    reading = read_events(paths, block_bytes=100)
    assert store.add(reading) == Ledger(read=55, accepted=51, duplicate=1, rejected={"conflict": 3})
    expected, other = load_events(paths)
    assert store.table().equals(expected)
    assert {(r.file, r.line) for r in reading.rejects} == {(r.file, r.line) for r in other.rejects}
    kept = {reject.message.split(" as ")[1].split(",")[0] for reject in reading.rejects}
    assert len(kept) == 1
    assert kept <= {f"{paths[1]}:2", f"{paths[3]}:2"}
    assert not reading.warnings


def test_g7_file_of_a_newer_duckdb(tmp_path: Path) -> None:
    path = filled(tmp_path / "events.duckdb")
    content = bytearray(path.read_bytes())
    content[12:20] = (10_000).to_bytes(8, "little")
    path.write_bytes(content)
    refused(path)


@pytest.mark.parametrize("at", [0.3, 0.6, 0.9])
def test_g7_damage_inside_is_never_read_as_events(tmp_path: Path, at: float) -> None:
    """A block that was overwritten: either the file is refused or its events are the true ones."""
    path = filled(tmp_path / "events.duckdb")
    with EventStore.open(path) as store:
        before = store.table()
    content = bytearray(path.read_bytes())
    place = 12_288 + int((len(content) - 12_288) * at)
    content[place : place + 64] = bytes(64)
    path.write_bytes(content)
    found, code = None, 0
    try:
        with EventStore.open(path) as store:
            found = store.table()
    except GraphscanError as error:
        code = error.exit_code
    assert (code == 4 and list(tmp_path.glob("events.duckdb.kept-*"))) or (
        found is not None and found.equals(before)
    )
