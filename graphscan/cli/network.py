"""``graphscan network``: the co-action stage alone."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from graphscan.cli.inputs import event_options, loaded_events
from graphscan.cli.options import settings_from, settings_options
from graphscan.cli.output import Output, output_options
from graphscan.cli.progress import StageProgress
from graphscan.cli.tables import STDOUT, check_output_path, write_table

if TYPE_CHECKING:
    from collections.abc import Mapping

    from graphscan.network.layers import Layer, LayerDefinition


@click.command()
@event_options
@click.option(
    "-o",
    "--output",
    default=STDOUT,
    metavar="FILE",
    help="Where the edges go: .csv, .parquet, or - (stdout).",
)
@click.option(
    "--layer", "layers", multiple=True, metavar="NAME", help="Only this layer; repeatable. Default: all."
)
@click.option(
    "--window",
    "window_s",
    type=float,
    metavar="SECONDS",
    help="Co-action window of every layer. Default: each layer's own.",
)
@click.option(
    "--min-pairs",
    type=click.IntRange(1),
    default=1,
    metavar="N",
    help="Keep edges with at least N pairs of events.",
)
@click.option(
    "--min-objects",
    type=click.IntRange(1),
    default=1,
    metavar="N",
    help="Keep edges with at least N shared objects.",
)
@click.option(
    "--min-weight",
    type=click.IntRange(1),
    default=1,
    metavar="N",
    help="Keep edges where n_a or n_b is at least N (minimum edge weight of the Coordination Network "
    "Toolkit).",
)
@click.option(
    "--min-participation",
    type=click.IntRange(1),
    default=1,
    metavar="N",
    help="Minimum participation as CooRTweet means it: accounts with fewer rows are dropped first, then a "
    "pair stays if either account has N events in pairs.",
)
@click.option(
    "--edge-quantile",
    type=click.FloatRange(0.0, 1.0, max_open=True),
    metavar="Q",
    help="Keep edges with n_pairs strictly above this quantile (R type 7), as CooRTweet's edge_weight.",
)
@click.option(
    "--toolkit-edges", is_flag=True, help="Directed rows as the Coordination Network Toolkit writes them."
)
@settings_options
@output_options
def command(out: Output, /, **options: Any) -> None:
    """Find who acted together, as an edge list.

    Two events are a pair when they are by different accounts, on the same object, and at most the window
    apart (inclusive). Each edge has its number of pairs and of shared objects, the events of either side,
    the median lag, and who comes first.
    """
    from graphscan.network.layers import layer_definitions, layer_table
    from graphscan.network.table import co_action_network, toolkit_edges

    output = options["output"]
    check_output_path(output)
    settings = settings_from(options["assignments"]).settings
    # A layer that is asked for by name is wanted, even if the settings switch it off.
    asked = set(options["layers"])
    table = layer_table(
        {
            name: layer.model_copy(update={"enabled": True}) if name in asked else layer
            for name, layer in settings.layers.items()
        }
    )
    names = [d.name for d in layer_definitions(options["layers"] or None, table)]
    with StageProgress(out) as progress:
        loaded = loaded_events(out, progress, options, columns=_columns_of(names, table), coded=True)

        def on_layer(layer: Layer) -> None:
            progress(layer.definition.name, 0, len(layer.events))

        network = co_action_network(
            loaded.events,
            layers=names,
            window_s=options["window_s"],
            table=table,
            min_pairs=options["min_pairs"],
            min_objects=options["min_objects"],
            min_weight=options["min_weight"],
            min_participation=options["min_participation"],
            edge_quantile=options["edge_quantile"],
            max_pairs_per_object=settings.network.max_pairs_per_object,
            resolution_us=loaded.resolution_us,
            on_layer=on_layer,
        )
        edges = network.edges
        if options["toolkit_edges"]:
            edges = toolkit_edges(edges, min_weight=options["min_weight"])
        progress("writing", edges.num_rows, edges.num_rows)
        if not (out.as_json and output == STDOUT):
            write_table(edges, output)
    for warning in network.warnings:
        out.warning(warning)
    for capped in network.capped:
        out.warning(
            f"layer {capped['layer']}: object {capped['object_id']} has {capped['rows']:,} rows, more than "
            f"fit the pair cap; {capped['kept']:,} were used"
        )
    document: dict[str, Any] = {
        "n_edges": edges.num_rows,
        "ledger": loaded.ledger,
        "capped": network.capped,
        "warnings": [*loaded.warnings, *network.warnings],
    }
    if not out.as_json:
        out.note(f"{edges.num_rows:,} edges")
    elif output == STDOUT:
        out.result({**document, "edges": _rows(edges)})
    else:
        out.result({**document, "output": output})


def _columns_of(names: list[str], table: Mapping[str, LayerDefinition]) -> list[str]:
    """The event columns that these layers look at: what is not read costs nothing."""
    of_kind = {"profile": "text", "clock": "object_id"}
    kinds = {table[name].object_kind for name in names}
    return sorted(
        {"account_id", "action", "object_id", "timestamp", "event_id"} | {of_kind.get(k, k) for k in kinds}
    )


def _rows(edges: Any) -> list[dict[str, Any]]:
    import pyarrow as pa
    import pyarrow.compute as pc

    for place, field in enumerate(edges.schema):
        if pa.types.is_timestamp(field.type):
            text = pc.strftime(edges[field.name], format="%Y-%m-%dT%H:%M:%SZ")
            edges = edges.set_column(place, field.name, text)
    rows: list[dict[str, Any]] = edges.to_pylist()
    return rows
