"""Small cases, worked out by hand, of what a co-action pair is, and of what published tools get wrong.

Every case is run through the library and through ``graphscan network``. The weights are CooRTweet's number of
pairs and the Coordination Network Toolkit's two directed weights.
"""

from __future__ import annotations

import csv
import gzip
import io
import subprocess
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa
import pytest

from graphscan.events.model import EVENT_SCHEMA
from graphscan.events.reading import load_events
from graphscan.network.table import co_action_network, toolkit_edges

RunCli = Callable[..., "subprocess.CompletedProcess[str]"]

START_US = 1_700_000_040_000_000
COLUMNS = ("account_id", "action", "object_id", "timestamp", "event_id")


@dataclass(frozen=True)
class Row:
    account: str
    second: float
    obj: str = "o1"
    event: str = ""


@dataclass(frozen=True)
class Case:
    rows: tuple[Row, ...]
    n_pairs: dict[tuple[str, str], int]
    directed: dict[tuple[str, str], int]


def on(obj: str, **seconds: float | Sequence[float]) -> tuple[Row, ...]:
    """Rows on one object, written ``A=(0, 10), B=5``."""
    return tuple(
        Row(account, second, obj)
        for account, given in seconds.items()
        for second in (given if isinstance(given, Sequence) else (given,))
    )


def both_ways(weights: dict[tuple[str, str], int]) -> dict[tuple[str, str], int]:
    return weights | {(b, a): weight for (a, b), weight in weights.items()}


TWO_OBJECTS = (*on("o1", A=0, B=5), *on("o2", A=1000, B=1005))
CASES = {
    "window edge": Case(
        (*on("o1", A=0, B=60), *on("o2", C=0, D=61)), {("A", "B"): 1}, both_ways({("A", "B"): 1})
    ),
    "repeats": Case(on("o1", A=(0, 10, 20), B=(5, 15)), {("A", "B"): 6}, {("A", "B"): 3, ("B", "A"): 2}),
    "self only": Case(on("o1", A=(0, 10)), {}, {}),
    "two objects": Case(TWO_OBJECTS, {("A", "B"): 2}, both_ways({("A", "B"): 2})),
    "single poster": Case(
        (*on("o1", A=0, B=1), Row("A", 2, "elsewhere")), {("A", "B"): 1}, both_ways({("A", "B"): 1})
    ),
    "object is own content": Case(
        (Row("A", 0, "o1", event="o1"), *on("o1", B=5, C=9)), {("B", "C"): 1}, both_ways({("B", "C"): 1})
    ),
    "chain": Case(
        on("o1", A=0, B=50, C=100),
        {("A", "B"): 1, ("B", "C"): 1},
        both_ways({("A", "B"): 1, ("B", "C"): 1}),
    ),
    "same instant": Case(
        (*on("o1", A=7, B=7), *on("o2", A=70, B=70)), {("A", "B"): 2}, both_ways({("A", "B"): 2})
    ),
    "fractions": Case(
        (*on("o1", A=0.4, B=60.4), *on("o2", C=0.4, D=60.9)), {("A", "B"): 1}, both_ways({("A", "B"): 1})
    ),
    "equal weights": Case(
        tuple(row for k in range(3) for row in on(f"o{k + 1}", A=500 * k, B=500 * k + 1, C=500 * k + 2)),
        {("A", "B"): 3, ("A", "C"): 3, ("B", "C"): 3},
        both_ways({("A", "B"): 3, ("A", "C"): 3, ("B", "C"): 3}),
    ),
    "unsorted file": Case(
        (TWO_OBJECTS[3], TWO_OBJECTS[0], TWO_OBJECTS[2], TWO_OBJECTS[1]),
        {("A", "B"): 2},
        both_ways({("A", "B"): 2}),
    ),
}


def events_table(rows: Sequence[Row], action: str = "repost") -> pa.Table:
    """Rows in the native schema and in canonical order."""
    records = sorted(
        (
            START_US + round(row.second * 1e6),
            row.event or f"e{number}",
            row.account,
            row.obj,
        )
        for number, row in enumerate(rows)
    )
    blank = {name: [None] * len(records) for name in EVENT_SCHEMA.names}
    return pa.table(
        blank
        | {
            "account_id": [account for _, _, account, _ in records],
            "action": [action] * len(records),
            "object_id": [obj for _, _, _, obj in records],
            "timestamp_us": [at for at, _, _, _ in records],
            "event_id": [event for _, event, _, _ in records],
        },
        schema=EVENT_SCHEMA,
    )


def at(second: float) -> str:
    whole, micros = divmod(START_US + round(second * 1e6), 1_000_000)
    minutes, sec = divmod(whole - 1_700_000_040, 60)
    return f"2023-11-14T{22 + (14 + minutes) // 60:02d}:{(14 + minutes) % 60:02d}:{sec:02d}.{micros:06d}Z"


def csv_of(rows: Sequence[Row], action: str = "repost") -> str:
    lines = [",".join(COLUMNS)]
    lines += [
        f"{row.account},{action},{row.obj},{at(row.second)},{row.event or f'e{number}'}"
        for number, row in enumerate(rows)
    ]
    return "\n".join(lines) + "\n"


def rows_of(text: str) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(text)))


def pairs_in(text: str) -> dict[tuple[str, str], int]:
    return {(row["account_a"], row["account_b"]): int(row["n_pairs"]) for row in rows_of(text)}


@pytest.mark.parametrize("name", CASES)
def test_golden_case_through_the_library(name: str) -> None:
    case = CASES[name]
    edges = co_action_network(events_table(case.rows), layers=["co_repost"], window_s=60).edges
    found = {(edge["account_a"], edge["account_b"]): edge for edge in edges.to_pylist()}
    assert {pair: edge["n_pairs"] for pair, edge in found.items()} == case.n_pairs
    assert {pair: edge["n_a"] for pair, edge in found.items()} == {
        (a, b): case.directed[a, b] for a, b in case.n_pairs
    }
    assert {pair: edge["n_b"] for pair, edge in found.items()} == {
        (a, b): case.directed[b, a] for a, b in case.n_pairs
    }
    rows = toolkit_edges(edges).to_pylist()
    assert {(row["user_1"], row["user_2"]): row["weight"] for row in rows} == case.directed


@pytest.mark.parametrize("name", CASES)
def test_golden_case_through_the_command(run_here: RunCli, tmp_path: Path, name: str) -> None:
    case = CASES[name]
    path = tmp_path / "events.csv"
    path.write_text(csv_of(case.rows), encoding="utf-8")
    done = run_here("network", path, "--layer", "co_repost", "--window", 60)
    assert done.returncode == 0, done.stderr
    assert pairs_in(done.stdout) == case.n_pairs
    done = run_here("network", path, "--layer", "co_repost", "--window", 60, "--toolkit-edges")
    weights = {(row["user_1"], row["user_2"]): int(row["weight"]) for row in rows_of(done.stdout)}
    assert weights == case.directed


@pytest.mark.parametrize("min_weight", [1, 2, 3])
def test_minimum_weight_keeps_the_rows_that_the_toolkit_keeps(
    run_here: RunCli, tmp_path: Path, min_weight: int
) -> None:
    """An edge stays while either direction reaches the minimum; of the directed rows only those that do."""
    path = tmp_path / "events.csv"
    case = CASES["repeats"]
    path.write_text(csv_of(case.rows), encoding="utf-8")
    done = run_here("network", path, "--min-weight", min_weight)
    assert pairs_in(done.stdout) == {("A", "B"): 6}
    done = run_here("network", path, "--min-weight", min_weight, "--toolkit-edges")
    weights = {(row["user_1"], row["user_2"]): int(row["weight"]) for row in rows_of(done.stdout)}
    assert weights == {pair: weight for pair, weight in case.directed.items() if weight >= min_weight}


# --- the edge lists that CooRTweet itself made -----------------------------------------------------------


@pytest.mark.parametrize(("window_s", "n_edges"), [(60, 3_721), (10, 441)])
def test_published_edges_through_the_library(data_dir: Path, window_s: int, n_edges: int) -> None:
    events, _ = load_events([data_dir / "coortweet_ru/events.csv.gz"])
    edges = co_action_network(events, layers=["co_repost"], window_s=window_s, min_participation=2).edges
    mine = set(zip(*(edges[name].to_pylist() for name in ("account_a", "account_b", "n_pairs")), strict=True))
    with gzip.open(data_dir / f"coortweet_ru/edges_{window_s}s_min2.csv.gz", "rt", encoding="utf-8") as file:
        theirs = {(row["account_a"], row["account_b"], int(row["n_pairs"])) for row in csv.DictReader(file)}
    assert len(theirs) == n_edges
    assert edges.num_rows == n_edges
    assert mine == theirs


# --- defects of published tools that graphscan does not have ---------------------------------------------


def test_repeated_rows_do_not_multiply_weights(run_here: RunCli, tmp_path: Path) -> None:
    once, twice = tmp_path / "once.csv", tmp_path / "twice.csv"
    text = csv_of(TWO_OBJECTS)
    once.write_text(text, encoding="utf-8")
    body = text.split("\n", 1)[1]
    twice.write_text(text + body + body, encoding="utf-8")
    expected = run_here("network", once).stdout
    assert pairs_in(expected) == {("A", "B"): 2}
    assert run_here("network", twice).stdout == expected
    assert run_here("network", once, once).stdout == expected


def test_rows_without_event_ids_count_once_too(run_here: RunCli, tmp_path: Path) -> None:
    path = tmp_path / "events.csv"
    lines = [f"{row.account},repost,{row.obj},{at(row.second)}" for row in TWO_OBJECTS]
    path.write_text("\n".join([",".join(COLUMNS[:4]), *lines, *lines]) + "\n", encoding="utf-8")
    assert pairs_in(run_here("network", path).stdout) == {("A", "B"): 2}


@pytest.mark.parametrize("zone", ["Z", "+00:00", "+05:30"])
def test_iso_times_keep_their_hour(run_here: RunCli, tmp_path: Path, zone: str) -> None:
    path = tmp_path / "events.csv"
    rows = [
        f"A,repost,o1,2024-03-01T10:00:00{zone}",
        f"B,repost,o1,2024-03-01T11:00:00{zone}",
        f"C,repost,o1,2024-03-01T11:00:59{zone}",
    ]
    path.write_text("\n".join([",".join(COLUMNS[:4]), *rows]) + "\n", encoding="utf-8")
    assert pairs_in(run_here("network", path, "--window", 60).stdout) == {("B", "C"): 1}


def test_a_floor_that_nobody_reaches_gives_no_edges_and_no_crash(run_here: RunCli, tmp_path: Path) -> None:
    path = tmp_path / "events.csv"
    path.write_text(csv_of(TWO_OBJECTS), encoding="utf-8")
    for option in ("--min-participation", "--min-pairs", "--min-objects", "--min-weight"):
        done = run_here("network", path, option, 50)
        assert done.returncode == 0, done.stderr
        assert rows_of(done.stdout) == []


def test_a_hot_object_of_22_000_rows(run_here: RunCli, tmp_path: Path) -> None:
    path = tmp_path / "events.csv"
    rows = [Row(f"a{n % 20_000}", n * 0.1, "hot") for n in range(22_000)]
    path.write_text(csv_of([*rows, *on("o1", A=0, B=1), *on("o2", A=0, B=1)]), encoding="utf-8")
    done = run_here("network", path, "--window", 5, "--min-objects", 2)
    assert done.returncode == 0, done.stderr
    assert pairs_in(done.stdout) == {("A", "B"): 2}
    assert "pair cap" not in done.stderr


@pytest.mark.parametrize("column", ["urls", "hashtags", "text", "media_hash"])
def test_blank_objects_link_nobody(run_here: RunCli, tmp_path: Path, column: str) -> None:
    path = tmp_path / "events.csv"
    blanks = ["", " ", '""', '"  "'] if column != "media_hash" else ["", '""']
    rows = [f"a{n},post,p{n},{at(n)},{blank}" for n, blank in enumerate(blanks * 3)]
    path.write_text("\n".join([",".join(COLUMNS[:4]) + f",{column}", *rows]) + "\n", encoding="utf-8")
    done = run_here("network", path)
    assert done.returncode == 0, done.stderr
    assert rows_of(done.stdout) == []


def test_sides_are_the_accounts_not_the_older_and_the_newer_event() -> None:
    """A acts three times around each of B's acts; who is first does not change whose events count."""
    a_first = (*on("o1", A=(0, 1, 2), B=9), *on("o2", A=(100, 101, 102), B=109))
    b_first = (*on("o1", A=(7, 8, 9), B=0), *on("o2", A=(107, 108, 109), B=100))
    half = (*a_first[:4], *b_first[4:])
    shares = []
    for rows in (a_first, b_first, half):
        (edge,) = co_action_network(events_table(rows), layers=["co_repost"]).edges.to_pylist()
        assert (edge["n_pairs"], edge["n_a"], edge["n_b"]) == (6, 6, 2)
        shares.append(edge["a_leads_share"])
    assert shares == [1.0, 0.0, 0.5]


def test_participation_counts_both_sides_of_a_pair() -> None:
    """B always comes second; its two events in pairs count for it as much as A's count for A."""
    rows = (*on("o1", A=0, B=1), *on("o2", C=0, B=1), *on("o3", A=5_000), *on("o3", C=9_000))
    edges = co_action_network(events_table(rows), layers=["co_repost"], min_participation=2).edges
    pairs = set(zip(edges["account_a"].to_pylist(), edges["account_b"].to_pylist(), strict=True))
    assert pairs == {("A", "B"), ("B", "C")}
