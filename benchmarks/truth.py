"""What is found, and what is not, where the truth is known.

    python -m benchmarks.truth [--seeds N] [--background NAME ...] [--null-seeds N] [--weak]

Campaigns of the simulator are planted into real backgrounds (../shared/data) and into simulated life. Printed
are, as Markdown: recall of planted farm accounts by sharing, size and jitter; who else stands in a cluster;
clusters in worlds without any farm; p-values of groups without a common offset; and the rules of the peers on
the same worlds (edges with at least 2 or 5 shared objects within 60 s, and the top half percent of TF-IDF
cosine), with connected groups of at least 5 accounts for their clusters.
"""

from __future__ import annotations

import argparse
import math
import os
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from graphscan.clusters.detection import LayerProblem
from graphscan.clusters.incidence import Incidence, layer_incidence
from graphscan.clusters.stage import detect_clusters
from graphscan.events.reading import load_events
from graphscan.network.coaction import coaction_edges
from graphscan.network.layers import LAYERS, EncodedEvents, Layer, encoded_events, layer_events
from graphscan.settings import ClusterSettings
from graphscan.simulate import World
from graphscan.simulate.background import Background
from graphscan.simulate.campaigns import Action, NullGroupSpec
from graphscan.simulate.planting import plant
from graphscan.simulate.truth import SHARING, SIZES, null_world, truth_world
from graphscan.simulate.worlds import organic_background

DATA = Path(os.environ.get("GRAPHSCAN_DATA", Path(__file__).resolve().parents[1] / "../shared/data"))
# Name, file (None is simulated life) and what the campaigns do there (None: what its people mostly do).
BACKGROUNDS: dict[str, tuple[str | None, Action | None]] = {
    "coortweet_ru": ("coortweet_ru/events.csv.gz", None),
    "aidev_a": ("aidev_a/events.parquet", None),
    "zulip": ("zulip/events.parquet", None),
    "simulated-reposts": (None, "repost"),
    "simulated-chats": (None, "chat_message"),
}
SIMULATED_EVENTS = {"simulated-reposts": 200_000, "simulated-chats": 60_000}
LAYER_OF_ACTION = {
    "repost": "co_repost",
    "comment": "co_comment",
    "like": "co_like",
    "chat_message": "co_chat",
    "follow": "co_follow",
    "message": "co_message",
}
BENIGN = ("fan_club", "syndication", "null_group", "giveaway", "bridge", "background")
PEERS = ("graphscan", "2 objects in 60 s", "5 objects in 60 s", "TF-IDF top 0.5 %")


@dataclass
class Tally:
    """Counts over worlds; farm cells are keyed by (sharing, accounts, jitter_s)."""

    found: Counter[tuple[str, int, float]] = field(default_factory=Counter)
    total: Counter[tuple[str, int, float]] = field(default_factory=Counter)
    farms_half: Counter[bool] = field(default_factory=Counter)
    others: Counter[str] = field(default_factory=Counter)
    n_clusters: int = 0
    n_worlds: int = 0


def background(name: str) -> Background | None:
    """A background to plant into; None is simulated life, another one for each seed."""
    path, _ = BACKGROUNDS[name]
    if path is None:
        return None
    if not (DATA / path).exists():
        raise SystemExit(f"{DATA / path} is missing: this benchmark needs the shared data folder")
    table, _ = load_events([DATA / path], digests=False)
    return Background(table)


def layer_of(world: World, archetypes: tuple[str, ...]) -> str:
    """The layer in which the planted groups act."""
    truth = world.truth.select(["archetype", "action"]).to_pylist()
    return LAYER_OF_ACTION[next(row["action"] for row in truth if row["archetype"] in archetypes)]


def clusters_of(
    world: World, layer_name: str, weak: bool
) -> tuple[dict[str, list[set[str]]], EncodedEvents, Layer, Incidence]:
    """Clusters by graphscan and by the peers' rules, as sets of account ids."""
    events = encoded_events(world.events)
    layer = layer_events(events, LAYERS[layer_name])
    ids = events.account_ids.to_pylist()
    detection = detect_clusters(events, [layer], ClusterSettings(weak=weak))
    incidence = detection.problems[layer_name].incidence
    found = {"graphscan": [{ids[m] for m in c.members.tolist()} for c in detection.clusters]}
    for floor in (2, 5):
        edges, _ = coaction_edges(layer.events, 60_000_000, min_objects=floor, max_pairs_per_object=500_000)
        found[f"{floor} objects in 60 s"] = connected(edges.a, edges.b, ids)
    found["TF-IDF top 0.5 %"] = connected(*tfidf_edges(incidence), ids)
    return found, events, layer, incidence


def connected(a: Any, b: Any, ids: list[str], min_size: int = 5) -> list[set[str]]:
    """Connected groups of at least ``min_size`` accounts."""
    from scipy.sparse import coo_matrix
    from scipy.sparse.csgraph import connected_components

    if not len(a):
        return []
    n = len(ids)
    _, label = connected_components(coo_matrix((np.ones(len(a)), (a, b)), shape=(n, n)), directed=False)
    groups: dict[int, set[str]] = {}
    for code in np.union1d(a, b).tolist():
        groups.setdefault(int(label[code]), set()).add(ids[code])
    return [g for g in groups.values() if len(g) >= min_size]


def tfidf_edges(incidence: Incidence) -> tuple[Any, Any]:
    """The half percent of pairs of accounts with the highest TF-IDF cosine over shared objects."""
    from scipy.sparse import csr_matrix

    size = incidence.accounts_on_object
    keep = (size[incidence.obj] <= 300) & (size[incidence.obj] >= 2)
    rows, columns = incidence.account[keep], incidence.obj[keep]
    idf = np.log(incidence.n_active / size[columns])
    matrix = csr_matrix((idf, (rows, columns)), shape=(incidence.n_accounts, incidence.n_objects))
    norm = np.sqrt(np.asarray(matrix.multiply(matrix).sum(axis=1)).ravel())
    cosine = (matrix @ matrix.T).tocoo()
    upper = cosine.row < cosine.col
    a, b = cosine.row[upper], cosine.col[upper]
    value = cosine.data[upper] / np.maximum(norm[a] * norm[b], 1e-12)
    if not len(value):
        return a, b
    top = value >= np.quantile(value, 0.995)
    return a[top], b[top]


def counted(tally: Tally, world: World, clusters: list[set[str]]) -> None:
    """Add one world to a tally."""
    inside: set[str] = set().union(*clusters) if clusters else set()
    members: dict[str, set[str]] = {}
    for row in world.truth.to_pylist():
        account, kind = row["account_id"], row["archetype"]
        if kind == "farm":
            cell = (f"{row['n_shared']} of {row['n_objects']}", row["n_accounts"], row["jitter_s"])
            tally.total[cell] += 1
            tally.found[cell] += account in inside
            if row["n_shared"] != 5:
                members.setdefault(row["campaign_id"], set()).add(account)
        elif account in inside:
            tally.others[kind] += 1
    for accounts in members.values():
        best = max((len(accounts & c) for c in clusters), default=0)
        tally.farms_half[best * 2 >= len(accounts)] += 1
    tally.n_clusters += len(clusters)
    tally.n_worlds += 1


def null_p_values(
    name: str, ready: Background | None, seed: int, n_groups: int
) -> Iterator[tuple[float, bool]]:
    """p-value, and whether the floors hold, of groups with habits and objects in common but no offset."""
    host = ready or Background(organic_background(SIMULATED_EVENTS[name], seed))
    action = BACKGROUNDS[name][1] or host.main_action()
    kinds = [(k, n, size) for k, n in SHARING for size in SIZES]
    specs = [
        NullGroupSpec(n_accounts=size, n_shared=k, n_objects=n, action=action, camouflage_0_1=0.0)  # type: ignore[arg-type]
        for k, n, size in (kinds[i % len(kinds)] for i in range(n_groups))
    ]
    world = plant(host, specs, seed)
    events = encoded_events(world.events)
    definition = LAYERS[LAYER_OF_ACTION[action]]
    incidence = layer_incidence(layer_events(events, definition), events)
    settings = ClusterSettings()
    problem = LayerProblem(
        definition.name, incidence, definition.is_conversation, definition.birth == "session", settings, 0
    )
    groups: dict[str, list[str]] = {}
    for row in world.truth.to_pylist():
        if row["archetype"] == "null_group":
            groups.setdefault(row["campaign_id"], []).append(row["account_id"])
    code = {account: k for k, account in enumerate(events.account_ids.to_pylist())}
    for accounts in groups.values():
        acts = problem.acts(np.array(sorted(code[a] for a in accounts)))
        if acts.n_objects < settings.min_objects or acts.log_arrangements < settings.min_log_arrangements:
            continue
        test = problem.test(acts, 199)
        floors = test.effect_ratio >= settings.min_effect_ratio and test.kappa >= settings.min_kappa
        yield test.p_value, floors


def printed_recall(tallies: dict[str, Tally]) -> None:
    """Recall tables of all rules."""
    cells = sorted({cell for tally in tallies.values() for cell in tally.total})
    print("| sharing | accounts | jitter | farm accounts | " + " | ".join(tallies) + " |")
    print("|---|---|---|---|" + "---|" * len(tallies))
    for cell in cells:
        sharing, size, jitter = cell
        n = next(iter(tallies.values())).total[cell]
        shares = " | ".join(f"{t.found[cell] / max(t.total[cell], 1):.2f}" for t in tallies.values())
        print(f"| {sharing} | {size} | {jitter:g} s | {n} | {shares} |")
    print()
    print("| rule | clusters | " + " | ".join(BENIGN) + " | precision (planted) | farms half in one |")
    print("|---|---|" + "---|" * len(BENIGN) + "---|---|")
    for name, tally in tallies.items():
        hits = sum(tally.found.values())
        wrong = sum(n for kind, n in tally.others.items() if kind not in ("background", "push"))
        half = tally.farms_half[True] / max(sum(tally.farms_half.values()), 1)
        counts = " | ".join(str(tally.others[kind]) for kind in BENIGN)
        precision = hits / max(hits + wrong, 1)
        print(f"| {name} | {tally.n_clusters} | {counts} | {precision:.3f} | {half:.2f} |")
    print()


def main() -> None:
    """Run and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--seeds", type=int, default=10)
    parser.add_argument("--null-seeds", type=int, default=10)
    parser.add_argument("--null-groups", type=int, default=135)
    parser.add_argument("--background", action="append", choices=list(BACKGROUNDS))
    parser.add_argument("--weak", action="store_true")
    parser.add_argument("--first-seed", type=int, default=100)
    arguments = parser.parse_args()
    for name in arguments.background or list(BACKGROUNDS):
        ready = background(name)
        seeds = range(arguments.first_seed, arguments.first_seed + arguments.seeds)
        tallies = {rule: Tally() for rule in PEERS}
        for seed in seeds:
            world = truth_world(
                ready,
                seed,
                action=BACKGROUNDS[name][1],
                n_background_events=SIMULATED_EVENTS.get(name, 0),
            )
            clusters, *_ = clusters_of(world, layer_of(world, ("farm",)), arguments.weak)
            for rule, groups in clusters.items():
                counted(tallies[rule], world, groups)
        print(f"\n## {name}: {arguments.seeds} worlds with 28 farms each\n", flush=True)
        printed_recall(tallies)
        _print_nulls(name, ready, arguments)


def _print_nulls(name: str, ready: Background | None, arguments: argparse.Namespace) -> None:
    planted, whole, n_worlds = 0, 0, arguments.null_seeds
    p_values: list[tuple[float, bool]] = []
    for seed in range(arguments.first_seed, arguments.first_seed + n_worlds):
        world = null_world(
            ready,
            seed,
            action=BACKGROUNDS[name][1],
            n_background_events=SIMULATED_EVENTS.get(name, 0),
        )
        clusters, *_ = clusters_of(world, layer_of(world, ("null_group",)), False)
        kind = {row["account_id"]: row["archetype"] for row in world.truth.to_pylist()}
        for group in clusters["graphscan"]:
            whole += 1
            planted += 2 * sum(kind[a] != "background" for a in group) >= len(group)
        p_values.extend(null_p_values(name, ready, seed, arguments.null_groups))
    bound = _upper_bound(planted, n_worlds)
    print(
        f"{n_worlds} worlds without a farm: {planted} clusters of planted groups"
        f" (at most {bound:.2f} a world at 95 %), {whole - planted} of the background."
    )
    share = float(np.mean([p <= 0.05 for p, _ in p_values]))
    both = sum(p <= 0.05 and floors for p, floors in p_values)
    print(
        f"{len(p_values):,} groups without a common offset: p ≤ .05 in {share:.3f}; "
        f"with both effect floors {both}."
    )
    pa.default_memory_pool().release_unused()


def _upper_bound(n_events: int, n_trials: int) -> float:
    """One-sided 95 % upper bound of a Poisson rate."""
    from scipy.stats import chi2

    return float(chi2.ppf(0.95, 2 * (n_events + 1)) / 2 / max(n_trials, 1)) if n_trials else math.nan


if __name__ == "__main__":
    main()
