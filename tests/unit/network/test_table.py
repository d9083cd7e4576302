"""The network as a table: schema, order, windows, and what is said about what was left out."""

from __future__ import annotations

import pyarrow as pa
import pytest

from graphscan.errors import GraphscanError
from graphscan.events.model import EVENT_SCHEMA
from graphscan.network.layers import LAYERS, Layer, encoded_events
from graphscan.network.table import EDGE_SCHEMA, co_action_network, toolkit_edges

START_US = 1_700_000_000_000_000
SECOND = 1_000_000


def events_table(*rows: dict[str, object]) -> pa.Table:
    """Rows in the native schema; ``at`` in seconds, ids by their place."""
    full = [
        {
            **dict.fromkeys(EVENT_SCHEMA.names),
            "event_id": f"e{number:03d}",
            "object_id": f"own{number}",
            **{key: value for key, value in row.items() if key != "at"},
            "timestamp_us": START_US + round(float(row["at"]) * SECOND),
        }
        for number, row in enumerate(rows)
    ]
    full.sort(key=lambda row: (row["timestamp_us"], row["event_id"]))
    return pa.Table.from_pylist(full, schema=EVENT_SCHEMA)


def act(account: str, action: str, at: float, obj: str | None = None, **more: object) -> dict[str, object]:
    row: dict[str, object] = {"account_id": account, "action": action, "at": at, **more}
    return row if obj is None else {**row, "object_id": obj}


TWO_LAYERS = events_table(
    act("b", "repost", 0, "o"),
    act("a", "repost", 30, "o"),
    act("b", "repost", 100, "p"),
    act("a", "repost", 100, "p"),
    act("é", "like", 0, "o"),
    act("z", "like", 200, "o"),
)


def test_schema_and_order() -> None:
    edges = co_action_network(TWO_LAYERS).edges
    assert edges.schema == EDGE_SCHEMA
    rows = edges.to_pylist()
    assert [(r["layer"], r["window_s"], r["account_a"], r["account_b"]) for r in rows] == [
        ("co_like", 300.0, "z", "é"),
        ("co_repost", 60.0, "a", "b"),
    ]
    repost = rows[1]
    assert (repost["median_lag_s"], repost["a_leads_share"]) == (15.0, 0.25)
    assert (repost["first_at"].timestamp(), repost["last_at"].timestamp()) == (1_700_000_000, 1_700_000_100)


def test_no_events_and_no_pairs_give_the_schema_and_no_rows() -> None:
    assert co_action_network(EVENT_SCHEMA.empty_table()).edges.equals(EDGE_SCHEMA.empty_table())
    lonely = events_table(act("a", "repost", 0, "o"))
    assert co_action_network(lonely).edges.equals(EDGE_SCHEMA.empty_table())
    assert toolkit_edges(EDGE_SCHEMA.empty_table()).num_rows == 0


def test_encoded_events_give_the_same() -> None:
    assert co_action_network(encoded_events(TWO_LAYERS)).edges.equals(co_action_network(TWO_LAYERS).edges)


def test_ids_that_are_dictionary_coded_give_the_same() -> None:
    coded = TWO_LAYERS
    for name in ("account_id", "action", "object_id"):
        at = coded.column_names.index(name)
        coded = coded.set_column(at, name, coded[name].dictionary_encode())
    assert co_action_network(coded).edges.equals(co_action_network(TWO_LAYERS).edges)


def test_layers_and_windows_are_the_callers_choice() -> None:
    def layers(**options: object) -> list[tuple[str, float]]:
        edges = co_action_network(TWO_LAYERS, **options).edges
        return list(zip(edges["layer"].to_pylist(), edges["window_s"].to_pylist(), strict=True))

    assert layers(layers=["co_repost"]) == [("co_repost", 60.0)]
    assert layers(layers=["co_repost", "co_repost"]) == [("co_repost", 60.0)]
    assert layers(window_s=200) == [("co_like", 200.0), ("co_repost", 200.0)]
    assert layers(window_s=0.5) == [("co_repost", 0.5)]


def test_on_layer_hears_of_each_layer() -> None:
    heard: list[Layer] = []
    co_action_network(TWO_LAYERS, layers=["co_repost", "co_like"], on_layer=heard.append)
    assert [(layer.definition.name, len(layer.events)) for layer in heard] == [
        ("co_like", 2),
        ("co_repost", 4),
    ]


def test_layers_whose_window_is_under_the_resolution_are_skipped_and_named() -> None:
    """Minute times: 60 s still mean something, and a coarser source silences the layer."""
    assert co_action_network(TWO_LAYERS, resolution_us=60 * SECOND).warnings == []
    network = co_action_network(TWO_LAYERS, resolution_us=61 * SECOND, layers=["co_repost", "co_like"])
    assert set(network.edges["layer"].to_pylist()) == {"co_like"}
    (warning,) = network.warnings
    assert "co_repost" in warning
    assert "60 s" in warning
    assert "61 s" in warning


@pytest.mark.parametrize("window_s", [0.0, -1.0, float("nan"), float("inf"), 1e300, 1e-9])
def test_impossible_windows_are_usage_errors(window_s: float) -> None:
    with pytest.raises(GraphscanError) as error:
        co_action_network(TWO_LAYERS, window_s=window_s)
    assert error.value.exit_code == 2
    assert "--window" in error.value.where


def test_a_window_under_the_resolution_is_a_usage_error() -> None:
    with pytest.raises(GraphscanError, match="resolution") as error:
        co_action_network(TWO_LAYERS, window_s=59, resolution_us=60 * SECOND)
    assert error.value.exit_code == 2
    assert co_action_network(TWO_LAYERS, window_s=60, resolution_us=60 * SECOND).edges.num_rows == 1


def test_an_unknown_layer_is_a_usage_error_with_the_nearest_name() -> None:
    with pytest.raises(GraphscanError, match="co_repots") as error:
        co_action_network(TWO_LAYERS, layers=["co_repots"])
    assert error.value.exit_code == 2
    assert "co_repost" in error.value.mend


def test_what_is_capped_is_named_with_its_object() -> None:
    rows = [act(f"a{n:03d}", "repost", n / 10, "hot") for n in range(100)]
    network = co_action_network(
        events_table(*rows, act("x", "repost", 0, "o"), act("y", "repost", 1, "o")), max_pairs_per_object=500
    )
    (capped,) = network.capped
    assert (capped["layer"], capped["object_id"], capped["rows"]) == ("co_repost", "hot", 100)
    assert 10 < capped["kept"] < 40
    pairs = zip(network.edges["account_a"].to_pylist(), network.edges["account_b"].to_pylist(), strict=True)
    assert ("x", "y") in set(pairs)


def test_all_layers_have_a_window_and_a_known_birth() -> None:
    assert len(LAYERS) == 13
    assert all(layer.window_s > 0 and layer.actions for layer in LAYERS.values())
