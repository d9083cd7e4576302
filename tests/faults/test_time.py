"""Time: what each gets. The number in a test's name is the case's number."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from graphscan.errors import GraphscanError
from graphscan.events.ledger import Ledger
from graphscan.events.reading import Reading, load_events, read_events
from graphscan.store.events import EventStore

SECOND = 1_714_557_600  # 2024-05-01T10:00:00Z
MICROS = SECOND * 1_000_000


def csv_file(folder: Path, times: Sequence[str], name: str = "events.csv") -> Path:
    path = folder / name
    rows = [f"e{i:05d},a{i % 3},post,o,{time}\n" for i, time in enumerate(times)]
    path.write_text("event_id,account_id,action,object_id,timestamp\n" + "".join(rows), "utf-8")
    return path


def times_of(folder: Path, times: Sequence[str]) -> tuple[list[int], Reading]:
    table, reading = load_events([csv_file(folder, times)])
    by_id = dict(zip(table["event_id"].to_pylist(), table["timestamp_us"].to_pylist(), strict=True))
    return [by_id[e] for e in sorted(by_id)], reading


@pytest.mark.parametrize(
    ("unit", "factor"), [("s", 1), ("ms", 1_000), ("us", 1_000_000), ("ns", 1_000_000_000)]
)
def test_epoch_units_are_found(tmp_path: Path, unit: str, factor: int) -> None:
    values, reading = times_of(tmp_path, [str((SECOND + i) * factor) for i in range(5)])
    assert values == [MICROS + i * 1_000_000 for i in range(5)]
    assert reading.inputs[0].time_unit == unit


@pytest.mark.parametrize(
    "others",
    [str(SECOND * 1_000), str(SECOND * 1_000_000_000), "2024-05-01T10:00:00Z", f"{SECOND * 1000}.5"],
)
@pytest.mark.parametrize("at", [1, 3000])
def test_c1_units_mixed(tmp_path: Path, others: str, at: int) -> None:
    times = [str(SECOND + i) for i in range(4000)]
    times[at] = others
    path = csv_file(tmp_path, times)
    with pytest.raises(GraphscanError) as caught:
        load_events([path])
    assert caught.value.exit_code == 3
    assert f"{path}:2" in caught.value.where
    assert f"{path}:{at + 2}" in caught.value.where
    assert others in caught.value.where


def test_c1_iso_first(tmp_path: Path) -> None:
    path = csv_file(tmp_path, ["2024-05-01T10:00:00Z"] * 5 + [str(SECOND)])
    with pytest.raises(GraphscanError, match="ISO-8601 and seconds") as caught:
        load_events([path])
    assert f"{path}:7" in caught.value.where


def test_c1_mixed_between_blocks(tmp_path: Path) -> None:
    path = csv_file(tmp_path, [str(SECOND + i) for i in range(100)] + [str(SECOND * 1000)])
    with pytest.raises(GraphscanError) as caught:
        list(read_events([path], block_bytes=200))
    assert f"{path}:102" in caught.value.where


def test_c1_one_unit_a_file_not_a_run(tmp_path: Path) -> None:
    first = csv_file(tmp_path, [str(SECOND)], "1.csv")
    second = csv_file(tmp_path, [str(SECOND * 1000)], "2.csv")
    table, reading = load_events([first, second])
    assert reading.ledger == Ledger(read=2, accepted=1, duplicate=1)
    assert [i.time_unit for i in reading.inputs] == ["s", "ms"]
    assert table["timestamp_us"].to_pylist() == [MICROS]


@pytest.mark.parametrize(
    "value", ["1714557", "60", "0", "-1714557600", str(SECOND) + "0000000000000", "99999999999"]
)
def test_c2_implausible_numbers(tmp_path: Path, value: str) -> None:
    values, reading = times_of(tmp_path, [str(SECOND), value, str(SECOND)])
    assert values == [MICROS, MICROS]
    assert [(r.line, r.column, r.reason) for r in reading.rejects] == [(3, "timestamp", "bad_time")]
    assert "plausible" in reading.rejects[0].message


@pytest.mark.parametrize(
    "value", ["1970-01-01T00:28:34.557600Z", "1969-12-31T00:00:00Z", "2150-01-01T00:00:00Z"]
)
def test_c2_implausible_iso(tmp_path: Path, value: str) -> None:
    _, reading = times_of(tmp_path, ["2024-05-01T10:00:00Z", value])
    assert reading.ledger.rejected == {"bad_time": 1}


@pytest.mark.parametrize("unit", ["s", "ms", "us", "ns"])
def test_c2_typed_in_the_wrong_unit(tmp_path: Path, unit: str) -> None:
    path = tmp_path / "events.parquet"
    factor = {"s": 1, "ms": 1_000, "us": 1_000_000, "ns": 1_000_000_000}
    for actual, per_second in factor.items():
        if (actual, unit) == ("ns", "s"):
            # Parquet keeps seconds as milliseconds, which cannot count so far.
            continue
        times = pa.array([SECOND * per_second] * 3).cast(pa.timestamp(unit, "UTC"))
        columns = {
            "event_id": ["1", "2", "3"],
            "account_id": ["a"] * 3,
            "action": ["post"] * 3,
            "object_id": ["o"] * 3,
        }
        pq.write_table(pa.table({**columns, "timestamp": times}), path)
        table, reading = load_events([path])
        if actual == unit:
            assert table["timestamp_us"].to_pylist() == [MICROS] * 3
        else:
            assert reading.ledger.rejected == {"bad_time": 3}


@pytest.mark.parametrize(
    "value",
    ["2024-05-01T10:00:00", "2024-05-01 10:00", "2024-05-01", "2024-05-01T10:00:00.123"],
)
def test_c3_no_zone(tmp_path: Path, value: str) -> None:
    values, reading = times_of(tmp_path, ["2024-05-01T10:00:00Z", value])
    assert values == [MICROS]
    assert [(r.line, r.column, r.reason) for r in reading.rejects] == [(3, "timestamp", "no_time_zone")]
    assert "add one" in reading.rejects[0].message


def test_c3_parquet_without_zone(tmp_path: Path) -> None:
    path = tmp_path / "events.parquet"
    columns = {"account_id": ["a"], "action": ["post"], "object_id": ["o"]}
    pq.write_table(pa.table({**columns, "timestamp": pa.array([MICROS]).cast(pa.timestamp("us"))}), path)
    _, reading = load_events([path])
    assert reading.ledger.rejected == {"no_time_zone": 1}


def test_c4_ways_of_writing(tmp_path: Path) -> None:
    same = [
        "2024-05-01T10:00:00Z",
        "2024-05-01 10:00:00Z",
        "2024-05-01T10:00Z",
        "2024-05-01T10:00:00.000000Z",
        "2024-05-01T10:00:00.0000000009Z",
        "2024-05-01T10:00:00z",
        "2024-05-01 10:00:00 UTC",
        "2024-05-01T12:00:00+02:00",
        " 2024-05-01T10:00:00Z ",
    ]
    values, reading = times_of(tmp_path, same)
    assert values == [MICROS] * len(same)
    assert reading.inputs[0].time_unit == "iso"


def test_c5_mixed_offsets(tmp_path: Path) -> None:
    values, _ = times_of(
        tmp_path,
        [
            "2024-05-01T10:00:00Z",
            "2024-05-01T15:30:00+05:30",
            "2024-05-01T04:30:00-0530",
            "2024-05-02T00:00:00+14",
            "2024-04-30T22:00:00-12:00",
        ],
    )
    assert values == [MICROS] * 5


@pytest.mark.parametrize("digits", [1, 3, 6, 7, 9, 12])
def test_c6_fractions(tmp_path: Path, digits: int) -> None:
    fraction = "123456789012"[:digits]
    values, reading = times_of(tmp_path, [f"2024-05-01T10:00:00.{fraction}Z"] * 3)
    assert values == [MICROS + int((fraction + "00000")[:6])] * 3
    assert reading.ledger.accepted == 3


def test_c6_fractions_of_epoch_seconds(tmp_path: Path) -> None:
    values, reading = times_of(tmp_path, [f"{SECOND}.000001", f"{SECOND}.999999", f"{SECOND}.5"])
    assert values == [MICROS + 1, MICROS + 999_999, MICROS + 500_000]
    assert reading.inputs[0].time_unit == "s"
    values, _ = times_of(tmp_path, [f"{SECOND}.25", str(SECOND)])
    assert values == [MICROS + 250_000, MICROS]


@pytest.mark.parametrize(
    "value",
    [
        "2024-02-30T10:00:00Z",
        "2023-02-29T10:00:00Z",
        "2024-05-01T24:00:00Z",
        "2024-05-01T10:60:00Z",
        "2024-05-01T10:00:60Z",
        "2024-13-01T10:00:00Z",
        "2024-00-01T10:00:00Z",
        "0000-01-01T00:00:00Z",
        "2024-05-01T10:00:00+24:00",
        "2024-05-01T10:00:00+05:75",
        "yesterday",
        "2024-05-01T10:00:00Q",
        "05/01/2024 10:00",
        "Wed May 01 10:00:00 +0000 2024",
        "1.7e9",
        "٢٠٢٤-٠٥-٠١T10:00:00Z",
    ],
)
def test_c7_times_that_do_not_exist(tmp_path: Path, value: str) -> None:
    times = ["2024-05-01T10:00:00Z"] * 2000
    times[1500] = value
    values, reading = times_of(tmp_path, times)
    assert values == [MICROS] * 1999
    assert [(r.line, r.column, r.reason) for r in reading.rejects] == [(1502, "timestamp", "bad_time")]


def test_c8_missing_time(tmp_path: Path) -> None:
    values, reading = times_of(tmp_path, [str(SECOND), "", str(SECOND)])
    assert values == [MICROS] * 2
    assert [(r.line, r.column, r.reason) for r in reading.rejects] == [(3, "timestamp", "missing_value")]


@pytest.mark.parametrize(
    ("times", "resolution"),
    [
        ([f"2024-05-01T10:{i:02d}:00Z" for i in range(30)], 60_000_000),
        ([f"2024-05-01T{i % 24:02d}:00:00Z" for i in range(30)], 3_600_000_000),
        ([f"2024-05-{i % 28 + 1:02d}T00:00:00Z" for i in range(30)], 86_400_000_000),
        ([f"2024-05-01T10:00:{i:02d}Z" for i in range(30)], 1_000_000),
        ([f"2024-05-01T10:00:{i:02d}.{i:03d}Z" for i in range(30)], 1_000),
        ([f"2024-05-01T10:00:{i:02d}.{i:06d}Z" for i in range(30)], 1),
        (["2024-05-01T10:00:00Z"] * 30, 1_000_000),
    ],
)
def test_c9_resolution(tmp_path: Path, times: list[str], resolution: int) -> None:
    _, reading = times_of(tmp_path, times)
    assert reading.inputs[0].time_resolution_us == resolution
    assert reading.time_resolution_us == resolution


def test_c11_out_of_order_and_late(tmp_path: Path) -> None:
    first = csv_file(tmp_path, [str(SECOND + s) for s in (100, 0, 50)], "1.csv")
    table, _ = load_events([first])
    assert table["timestamp_us"].to_pylist() == [MICROS, MICROS + 50_000_000, MICROS + 100_000_000]
    second = tmp_path / "2.csv"
    rows = [f"f{s},a,post,o,{SECOND + s}\n" for s in (39, 40, 41, 200)]
    second.write_text("event_id,account_id,action,object_id,timestamp\n" + "".join(rows))
    with EventStore.open(tmp_path / "s.duckdb") as store:
        store.add(read_events([first]), lookback_us=60_000_000)
        ledger = store.add(read_events([second]), lookback_us=60_000_000)
        assert ledger == Ledger(read=4, accepted=3, late=1)
        assert store.watermark_us == MICROS + 200_000_000
        # what is stored already is a duplicate, however old
        assert store.add(read_events([first]), lookback_us=60_000_000) == Ledger(read=3, duplicate=3)


def test_c14_all_at_one_instant(tmp_path: Path) -> None:
    times = ["2024-05-01T10:00:00Z"] * 500
    path = csv_file(tmp_path, times)
    lines = path.read_text().splitlines()
    shuffled = tmp_path / "shuffled.csv"
    shuffled.write_text("\n".join([lines[0], *lines[:0:-1]]) + "\n")
    table, _ = load_events([path])
    other, _ = load_events([shuffled])
    assert table.equals(other)
    assert table["event_id"].to_pylist() == sorted(table["event_id"].to_pylist())


def test_c14_one_instant_is_told(tmp_path: Path) -> None:
    _, reading = times_of(tmp_path, ["2024-05-01T10:00:00Z"] * 10)
    assert any("bulk import" in warning for warning in reading.warnings)
    _, reading = times_of(tmp_path, ["2024-05-01T10:00:00Z"] * 10 + ["2024-05-01T10:00:01Z"])
    assert not reading.warnings
