"""Labelled platforms for the account benchmarks: the public sets beside the project, and simulated worlds."""

from __future__ import annotations

import os
from functools import lru_cache
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from graphscan.events.model import EVENT_SCHEMA
from graphscan.settings import Settings
from graphscan.signals import ClusterFrames, SignalSettings, SignalTable, account_signals
from graphscan.simulate.worlds import simulate_world
from graphscan.verdicts.labels import Labels, read_labels
from graphscan.verdicts.training import LabelledPlatform

DATA = Path(os.environ.get("GRAPHSCAN_DATA", Path(__file__).resolve().parents[1] / "../shared/data"))
# The published figures of these two sets count all accounts with 20 events, whatever their days.
FLOORS = {"aidev_a": SignalSettings(20, 1), "zulip": SignalSettings(20, 3)}


def real_events(name: str) -> pa.Table:
    """Events of a public set in the native schema; text lengths are kept where texts are not given."""
    path = DATA / name / "events.parquet"
    if not path.exists():
        raise SystemExit(f"no data at {path}: set GRAPHSCAN_DATA to the folder that holds {name}/")
    raw = pq.read_table(path)
    columns = {}
    for field in EVENT_SCHEMA:
        if field.name == "timestamp_us":
            columns[field.name] = raw["timestamp"].cast(pa.int64())
        elif field.name not in raw.column_names:
            columns[field.name] = pa.nulls(raw.num_rows, field.type)
        elif pa.types.is_string(field.type) and field.nullable:
            columns[field.name] = pc.if_else(pc.equal(raw[field.name], ""), None, raw[field.name])
        else:
            columns[field.name] = raw[field.name].cast(field.type)
    if "text_len" in raw.column_names:
        columns["text_len"] = raw["text_len"]
    return pa.table(columns).sort_by([("timestamp_us", "ascending"), ("event_id", "ascending")])


@lru_cache(maxsize=4)
def real_platform(name: str) -> LabelledPlatform:
    """A public set with its signals and labels."""
    table = account_signals(real_events(name), settings=FLOORS[name])
    return LabelledPlatform(name, table, read_labels(DATA / name / "labels.csv"))


def shared_objects(platform: LabelledPlatform) -> dict[str, str]:
    """Account id to its community over shared objects, so that accounts that work together stay in one fold.

    The components do not serve: nearly all accounts are in one. Leiden communities (modularity) of the graph
    of accounts and objects cut few of the links between them.
    """
    import random

    import igraph as ig

    from graphscan.signals.acts import account_acts

    acts = account_acts(platform.table.events)
    pairs = np.unique(np.column_stack([acts.account, acts.object_code]), axis=0)
    ids = acts.account_ids.to_pylist()
    kept = np.array([i in platform.labels.label_of for i in ids]) & platform.table.sufficient
    pairs = pairs[kept[pairs[:, 0]]]
    n_accounts, n_objects = acts.n_accounts, int(pairs[:, 1].max()) + 1
    links = np.column_stack([pairs[:, 0], n_accounts + pairs[:, 1]])
    graph = ig.Graph(n_accounts + n_objects, links.tolist())
    ig.set_random_number_generator(random.Random(0))
    found = graph.community_leiden(objective_function="modularity", n_iterations=10)
    community = np.array(found.membership)
    inside = float(np.mean(community[links[:, 0]] == community[links[:, 1]]))
    n = len(set(community[:n_accounts][kept].tolist()))
    print(f"{n} communities of accounts over shared objects hold {inside:.0%} of the links\n")
    return {i: str(community[k]) for k, i in enumerate(ids)}


def world_platform(
    seed: int, n_events: int, *, clusters: bool = False
) -> tuple[LabelledPlatform, dict[str, str], dict[str, str | None]]:
    """A simulated world with its signals; archetype and framer of each account beside it."""
    world = simulate_world(n_events, seed)
    frames = cluster_frames(world.events) if clusters else None
    table = account_signals(world.events, accounts=world.accounts, clusters=frames)
    rows = world.labels.to_pylist()
    labels = Labels(
        {r["account_id"]: r["label"] for r in rows},
        {r["account_id"]: r["campaign_id"] for r in rows if r["campaign_id"]},
    )
    truth = world.truth.to_pylist()
    platform = LabelledPlatform(f"world {seed}", table, labels, labels.campaign_of, frames)
    return (
        platform,
        {t["account_id"]: t["archetype"] for t in truth},
        {t["account_id"]: t["framed_by"] for t in truth},
    )


def cluster_frames(events: pa.Table) -> ClusterFrames:
    """The cluster stage as a sweep runs it."""
    from graphscan.clusters.stage import detect_clusters
    from graphscan.clusters.tables import cluster_tables
    from graphscan.network.layers import encoded_events, layer_definitions, layer_events, layer_table
    from graphscan.network.table import layers_network

    settings = Settings()
    encoded = encoded_events(events)
    layers = [layer_events(encoded, d) for d in layer_definitions(None, layer_table(settings.layers))]
    network = layers_network(
        encoded,
        layers,
        min_objects=settings.network.min_shared_objects,
        max_pairs_per_object=settings.network.max_pairs_per_object,
    )
    found = cluster_tables(detect_clusters(encoded, layers, settings.clusters, seed=0), encoded, seed=0)
    return ClusterFrames(found.clusters, found.members, network.edges, found.evidence)


def labels_in(table: SignalTable, labels: Labels) -> np.ndarray:
    """Label of each account, empty without one."""
    return np.array([labels.label_of.get(i, "") for i in table.account_ids.to_pylist()], dtype=object).astype(
        str
    )
