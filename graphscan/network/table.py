"""The co-action network as a table: events in, edges out, layer by layer."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Final

import pyarrow as pa
import pyarrow.compute as pc

from graphscan.errors import GraphscanError
from graphscan.network.coaction import Edges, coaction_edges
from graphscan.network.layers import (
    LAYERS,
    EncodedEvents,
    Layer,
    LayerDefinition,
    encoded_events,
    layer_definitions,
    layer_events,
)

EDGE_SCHEMA: Final = pa.schema(
    [
        ("account_a", pa.string()),
        ("account_b", pa.string()),
        ("layer", pa.string()),
        ("window_s", pa.float64()),
        ("n_pairs", pa.int64()),
        ("n_objects", pa.int64()),
        ("n_a", pa.int64()),
        ("n_b", pa.int64()),
        ("median_lag_s", pa.float64()),
        ("a_leads_share", pa.float64()),
        ("first_at", pa.timestamp("us", "UTC")),
        ("last_at", pa.timestamp("us", "UTC")),
    ]
)

MAX_PAIRS_PER_OBJECT: Final = 20_000_000
MAX_WINDOW_S: Final = 1e11  # three thousand years: microseconds beyond it do not fit 64 bits


@dataclass(frozen=True)
class Network:
    """Edges of all layers, and what had to be left out.

    Parameters
    ----------
    edges
        One row for each (layer, window_s, account_a, account_b), sorted so; schema `EDGE_SCHEMA`.
    capped
        ``{layer, object_id, rows, kept, stage}`` of every object thinned.
    warnings
        Sentences for people: layers skipped and why.
    """

    edges: pa.Table
    capped: list[dict[str, object]] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)


def co_action_network(
    events: pa.Table | EncodedEvents,
    *,
    layers: Iterable[str] | None = None,
    window_s: float | None = None,
    table: Mapping[str, LayerDefinition] = LAYERS,
    min_pairs: int = 1,
    min_objects: int = 1,
    min_weight: int = 1,
    min_participation: int = 1,
    edge_quantile: float | None = None,
    max_pairs_per_object: int = MAX_PAIRS_PER_OBJECT,
    resolution_us: int = 1,
    on_layer: Callable[[Layer], None] | None = None,
) -> Network:
    """Who acted together, on what kind of object, how often and in which order.

    Parameters
    ----------
    events
        Deduplicated events in canonical order (`graphscan.events.model.EVENT_SCHEMA`).
    layers
        Names of layers; all when None.
    window_s
        One co-action window in seconds for all layers; each layer's own when None.
    table
        The table of layers to choose from.
    min_pairs, min_objects, min_weight, min_participation, edge_quantile
        Floors, see `graphscan.network.coaction.coaction_edges`.
    max_pairs_per_object
        Above it an object is thinned and named in ``capped``.
    resolution_us
        Time resolution of the source in microseconds. A layer whose default window is shorter is skipped
        with a warning.
    on_layer
        Called with each layer before it is counted.

    Raises
    ------
    GraphscanError
        Exit code 2 for an unknown layer, for a window that is not positive, and for a ``window_s`` under
        the resolution of the source.
    """
    if window_s is not None:
        _check_window(window_s, resolution_us)
    encoded = (
        events if isinstance(events, EncodedEvents) else encoded_events(events, resolution_us=resolution_us)
    )
    return layers_network(
        encoded,
        # One at a time: no two layers need be in memory together.
        (
            layer_events(encoded, definition, min_participation=min_participation)
            for definition in layer_definitions(layers, table)
        ),
        window_s=window_s,
        min_pairs=min_pairs,
        min_objects=min_objects,
        min_weight=min_weight,
        min_participation=min_participation,
        edge_quantile=edge_quantile,
        max_pairs_per_object=max_pairs_per_object,
        on_layer=on_layer,
    )


def layers_network(
    events: EncodedEvents,
    layers: Iterable[Layer],
    *,
    window_s: float | None = None,
    min_pairs: int = 1,
    min_objects: int = 1,
    min_weight: int = 1,
    min_participation: int = 1,
    edge_quantile: float | None = None,
    max_pairs_per_object: int = MAX_PAIRS_PER_OBJECT,
    on_layer: Callable[[Layer], None] | None = None,
) -> Network:
    """Edges of layers that are already there; parameters as for `co_action_network`."""
    tables: list[pa.Table] = []
    capped: list[dict[str, object]] = []
    warnings: list[str] = []
    for layer in layers:
        name = layer.definition.name
        window = window_s or layer.definition.window_s
        window_us = round(window * 1_000_000)
        if window_us < events.resolution_us:
            warnings.append(
                f"Layer {name} skipped: its window of {window:g} s is under the time resolution "
                f"of the source ({events.resolution_us / 1e6:g} s)."
            )
            continue
        if on_layer is not None:
            on_layer(layer)
        if not len(layer.events):
            continue
        edges, hot = coaction_edges(
            layer.events,
            window_us,
            min_pairs=min_pairs,
            min_objects=min_objects,
            min_weight=min_weight,
            min_participation=min_participation,
            edge_quantile=edge_quantile,
            max_pairs_per_object=max_pairs_per_object,
        )
        tables.append(edge_table(edges, events.account_ids, name, window))
        capped.extend(
            {
                "layer": name,
                "object_id": layer.object_ids[item.obj].as_py(),
                "rows": item.n_rows,
                "kept": item.n_kept,
                "stage": "network",
            }
            for item in hot
        )
    return Network(pa.concat_tables(tables) if tables else EDGE_SCHEMA.empty_table(), capped, warnings)


def _check_window(window_s: float, resolution_us: int) -> None:
    if not (0 < window_s < MAX_WINDOW_S):
        raise GraphscanError(
            f"A window of {window_s:g} s is not possible.",
            "--window",
            f"Give seconds greater than 0 and under {MAX_WINDOW_S:g}.",
        )
    if window_s * 1_000_000 < resolution_us:
        raise GraphscanError(
            f"A window of {window_s:g} s is under the time resolution of the events "
            f"({resolution_us / 1e6:g} s).",
            "--window",
            f"Give a window of at least {resolution_us / 1e6:g} s.",
        )


def edge_table(edges: Edges, account_ids: pa.Array, layer: str, window_s: float) -> pa.Table:
    """Edges as a table of `EDGE_SCHEMA`, sorted by (account_a, account_b)."""
    n = len(edges)
    columns = [
        account_ids.take(pa.array(edges.a)),
        account_ids.take(pa.array(edges.b)),
        pa.repeat(pa.scalar(layer, pa.string()), n),
        pa.repeat(pa.scalar(float(window_s), pa.float64()), n),
        *(pa.array(getattr(edges, name)) for name in ("n_pairs", "n_objects", "n_a", "n_b")),
        pa.array(edges.median_lag_us / 1e6),
        pa.array(edges.a_leads_share),
        *(pa.array(at).cast(EDGE_SCHEMA.field("first_at").type) for at in (edges.first_us, edges.last_us)),
    ]
    return pa.table(columns, schema=EDGE_SCHEMA)


def toolkit_edges(edges: pa.Table, *, min_weight: int = 1) -> pa.Table:
    """Directed rows as the Coordination Network Toolkit writes them, at most two for every edge.

    ``weight`` of the row ``user_1 → user_2`` counts the distinct events of ``user_1`` that have an event of
    ``user_2`` within the window.

    Parameters
    ----------
    edges
        A table of `EDGE_SCHEMA`.
    min_weight
        Rows of less weight are left out, each direction by its own weight, as the Toolkit does.
    """
    one_way = [
        pa.table(
            {
                "user_1": edges[source],
                "user_2": edges[target],
                "weight": edges[weight],
                "layer": edges["layer"],
                "window_s": edges["window_s"],
            }
        )
        for source, target, weight in (("account_a", "account_b", "n_a"), ("account_b", "account_a", "n_b"))
    ]
    rows = pa.concat_tables(one_way)
    return rows.filter(pc.greater_equal(rows["weight"], min_weight)).sort_by(
        [("layer", "ascending"), ("window_s", "ascending"), ("user_1", "ascending"), ("user_2", "ascending")]
    )
