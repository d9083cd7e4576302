"""Every signal of the registry keeps the contract, also on hostile and empty streams."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

from graphscan.events.model import EVENT_SCHEMA
from graphscan.signals import FAMILIES, REGISTRY, SIGNALS, Signal, SignalTable, account_signals
from graphscan.signals import table as signal_table
from graphscan.simulate.worlds import simulate_world
from graphscan.verdicts.pages import pages
from graphscan.verdicts.reasons import REASONS
from graphscan.verdicts.training import head_signals

DOCS = Path(__file__).resolve().parents[2] / "docs"


@pytest.fixture(scope="module")
def events() -> pa.Table:
    return simulate_world(12_000, 5).events


@pytest.fixture(scope="module")
def table(events: pa.Table) -> SignalTable:
    return account_signals(events)


def test_ids_and_families_are_unique_and_known() -> None:
    ids = [s.signal_id for f in REGISTRY for s in f.signals]
    assert len(ids) == len(set(ids)) == len(SIGNALS)
    assert tuple(f.name for f in REGISTRY) == FAMILIES
    for family in REGISTRY:
        assert {s.family for s in family.signals} == {family.name}


@pytest.mark.parametrize("signal", SIGNALS.values(), ids=lambda s: s.signal_id)
def test_a_signal_says_what_a_reader_needs(signal: Signal) -> None:
    assert signal.version >= 1
    assert signal.direction in (-1, 1)
    for text in (
        signal.title,
        signal.formula,
        signal.unit,
        signal.floor,
        signal.known_false_positives,
        signal.source,
    ):
        assert text.strip()
    said = signal.detail.format(value=0.25, n=7)
    assert "{" not in said
    assert signal.signal_id in REASONS


@pytest.mark.parametrize("name", sorted(pages()))
def test_the_page_is_what_the_registry_says(name: str) -> None:
    assert (DOCS / name).read_text(encoding="utf-8") == pages()[name], (
        "python -m graphscan.verdicts.pages docs"
    )


def test_no_page_without_a_code() -> None:
    for folder in ("signals", "reasons"):
        found = {f"{folder}/{p.name}" for p in (DOCS / folder).glob("*.md")}
        assert found == {name for name in pages() if name.startswith(folder)}


def test_values_have_one_entry_an_account(table: SignalTable) -> None:
    assert table.signals.keys() <= SIGNALS.keys()
    assert {s for s in head_signals(with_text=True) if s not in table.signals} == set()
    for signal_id, values in table.signals.items():
        assert values.value.shape == (table.n_accounts,), signal_id
        assert values.n.shape == (table.n_accounts,)
        assert values.value.dtype == np.float64
        assert not np.isinf(values.value).any(), signal_id
        assert values.example_rows.shape[0] == table.n_accounts


def test_examples_are_acts_of_the_account(table: SignalTable) -> None:
    owner = np.array(table.events["account_id"].to_pylist(), dtype=object)
    ids = table.account_ids.to_pylist()
    n_seen = 0
    for values in table.signals.values():
        for row, examples in enumerate(values.example_rows):
            for example in examples[examples >= 0]:
                assert owner[example] == ids[row]
                n_seen += 1
    assert n_seen > 1_000


def test_accounts_are_in_the_byte_order_of_their_ids(table: SignalTable) -> None:
    ids = [i.encode() for i in table.account_ids.to_pylist()]
    assert ids == sorted(ids)
    assert int(table.n_events.sum()) == table.events.num_rows


def test_a_renaming_in_order_changes_no_value(events: pa.Table, table: SignalTable) -> None:
    known = sorted(set(events["account_id"].to_pylist()), key=str.encode)
    new = {name: f"x{i:07d}" for i, name in enumerate(known)}

    def renamed(column: str) -> pa.Array:
        return pa.array([new.get(v, v) for v in events[column].to_pylist()], pa.string())

    other = events.set_column(0, "account_id", renamed("account_id"))
    other = other.set_column(2, "object_id", renamed("object_id"))
    again = account_signals(other)
    for signal_id, values in table.signals.items():
        np.testing.assert_array_equal(values.value, again.signals[signal_id].value, err_msg=signal_id)


def test_a_shift_by_whole_days_changes_no_value(events: pa.Table, table: SignalTable) -> None:
    shifted = pa.array(np.asarray(events["timestamp_us"]) + 7 * 86_400_000_000)
    again = account_signals(events.set_column(3, "timestamp_us", shifted))
    for signal_id, values in table.signals.items():
        np.testing.assert_allclose(values.value, again.signals[signal_id].value, rtol=1e-9, err_msg=signal_id)


def test_strangers_change_no_value_of_an_account(events: pa.Table, table: SignalTable) -> None:
    """Accounts that share no object with anybody leave everybody's signals as they are."""
    stranger = simulate_world(2_000, 77).events
    columns = {}
    for name in stranger.column_names:
        column = stranger[name]
        if name in ("account_id", "object_id", "event_id", "parent_id"):
            column = pa.array([None if v is None else f"zz{v}" for v in column.to_pylist()], pa.string())
        columns[name] = column
    both = pa.concat_tables([events, pa.table(columns, schema=EVENT_SCHEMA)])
    both = both.sort_by([("timestamp_us", "ascending"), ("event_id", "ascending")])
    again = account_signals(both)
    place = {a: i for i, a in enumerate(again.account_ids.to_pylist())}
    rows = np.array([place[a] for a in table.account_ids.to_pylist()])
    for signal_id, values in table.signals.items():
        np.testing.assert_allclose(
            values.value, again.signals[signal_id].value[rows], rtol=1e-12, err_msg=signal_id
        )


def test_an_empty_stream_gives_an_empty_table() -> None:
    table = account_signals(EVENT_SCHEMA.empty_table())
    assert table.n_accounts == 0
    assert not table.failed


def test_a_bulk_import_has_no_timing_and_no_score(events: pa.Table) -> None:
    flat = events.set_column(3, "timestamp_us", pa.array(np.full(events.num_rows, 1_700_000_000_000_000)))
    table = account_signals(flat)
    assert not table.sufficient.any()
    assert not {s for s in table.signals if SIGNALS[s].family in ("timing", "clock", "latency")}


def test_minute_resolution_switches_seconds_off(events: pa.Table) -> None:
    minutes = np.asarray(events["timestamp_us"]) // 60_000_000 * 60_000_000
    table = account_signals(events.set_column(3, "timestamp_us", pa.array(minutes)))
    assert not {s for s in table.signals if SIGNALS[s].family == "latency"}
    assert table.coverage.n_hosted_by["latency"].sum() == 0


def test_a_signal_that_raises_is_named_and_missing(events: pa.Table, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(_given: object) -> dict[str, object]:
        raise ArithmeticError("no such number")

    families = tuple(replace(f, values=broken) if f.name == "clock" else f for f in REGISTRY)
    monkeypatch.setattr(signal_table, "REGISTRY", families)
    table = account_signals(events)
    assert table.failed == {"clock": "ArithmeticError: no such number"}
    assert "clock_phase_lock" not in table.signals
    assert "hours_covered" in table.signals
