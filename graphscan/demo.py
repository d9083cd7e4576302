"""The demonstration: a simulated platform, a whole sweep of it, and what was found beside the truth."""

from __future__ import annotations

import shutil
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from graphscan.errors import EXIT_CANNOT_WRITE, GraphscanError
from graphscan.settings import Settings

if TYPE_CHECKING:
    from graphscan.simulate import World

DEMO_EVENTS: Final = 60_000
DEMO_SEED: Final = 7

_NOTE: Final = "README.txt"
_NOTE_TEXT: Final = """A demonstration made by `graphscan demo`, which replaces it when it is run again.

world/   a simulated platform: events.parquet, accounts.csv, and the truth in labels.csv and truth.csv
run/     what a sweep of these events found; begin with clusters.csv
"""

Progress = Callable[[str, int, int], None]


@dataclass(frozen=True)
class DemoCluster:
    """A cluster of the demonstration.

    Attributes
    ----------
    cluster_id, size, core_size, layers, window_s
        As in ``clusters.csv``.
    seen, expected
        The synchrony statistic, and its mean if the members only had their habits in common.
    explanation
        The legitimate explanation that fits, empty if none does.
    truth
        What most of its members are in truth, and how many of them.
    """

    cluster_id: str
    size: int
    core_size: int
    layers: tuple[str, ...]
    window_s: float
    seen: float
    expected: float
    explanation: str
    truth: str
    n_truth: int


@dataclass(frozen=True)
class DemoCampaign:
    """A planted campaign, and how many of its accounts stand in a cluster."""

    campaign_id: str
    kind: str
    coordinated: bool
    n_accounts: int
    n_found: int


@dataclass(frozen=True)
class Demo:
    """What the demonstration found.

    Attributes
    ----------
    world_dir, run_dir
        The folders with the simulated events and with the run.
    manifest
        Of the run.
    clusters, campaigns
        What was found, and what had been planted.
    n_people, n_people_found
        People who belong to no campaign, and those of them who stand in a cluster.
    n_machines_found
        Automated accounts that belong to no campaign and stand in a cluster.
    """

    world_dir: Path
    run_dir: Path
    n_events: int
    n_accounts: int
    manifest: dict[str, Any]
    clusters: tuple[DemoCluster, ...]
    campaigns: tuple[DemoCampaign, ...]
    n_people: int
    n_people_found: int
    n_machines_found: int


def run_demo(
    folder: Path | str,
    *,
    settings: Settings | None = None,
    n_events: int = DEMO_EVENTS,
    seed: int = DEMO_SEED,
    on_progress: Progress | None = None,
) -> Demo:
    """Simulate a platform in ``folder/world``, sweep it into ``folder/run``, and compare with the truth.

    Parameters
    ----------
    folder
        New, empty, or left by an earlier demonstration, which it then replaces.
    settings
        Of the sweep; the defaults if None.
    n_events, seed
        Size and seed of the simulated platform.
    on_progress
        Called as ``on_progress(stage, rows_done, rows_total)``.

    Raises
    ------
    GraphscanError
        Exit 73 if the folder is not empty or cannot be written; else what the sweep raises.
    """
    from graphscan.simulate import write_world
    from graphscan.simulate.worlds import simulate_world
    from graphscan.sweep import sweep

    folder = Path(folder)
    _make_room(folder)
    world = simulate_world(n_events, seed, on_progress=on_progress)
    write_world(world, folder / "world")
    sweep(
        [folder / "world" / "events.parquet"],
        folder / "run",
        settings=settings or Settings(),
        on_progress=on_progress,
    )
    return compared(world, folder / "world", folder / "run")


def _make_room(folder: Path) -> None:
    """Begin the folder; what an earlier demonstration left there makes room, anything else does not."""
    note = folder / _NOTE
    try:
        names = {path.name for path in folder.iterdir()} if folder.exists() else set()
        if names:
            ours = _NOTE in names and note.read_text(encoding="utf-8", errors="replace") == _NOTE_TEXT
            if not ours or not names <= {_NOTE, "world", "run"}:
                raise GraphscanError(
                    "the folder of the demonstration is not empty",
                    str(folder),
                    "remove it, or name another one with --out",
                    EXIT_CANNOT_WRITE,
                )
            for name in names - {_NOTE}:
                shutil.rmtree(folder / name)
        folder.mkdir(parents=True, exist_ok=True)
        note.write_text(_NOTE_TEXT, encoding="utf-8")
    except OSError as error:
        raise GraphscanError(
            f"cannot write: {error.strerror or error}",
            str(folder),
            "name another folder with --out",
            EXIT_CANNOT_WRITE,
        ) from error


def compared(world: World, world_dir: Path, run_dir: Path) -> Demo:
    """What a run found, beside the truth of the world it swept."""
    import json

    import pyarrow.parquet as pq

    clusters = pq.read_table(run_dir / "clusters.parquet").to_pylist()
    tests = pq.read_table(run_dir / "cluster_tests.parquet").to_pylist()
    members: dict[str, list[str]] = {}
    for row in pq.read_table(run_dir / "members.parquet").to_pylist():
        members.setdefault(row["cluster_id"], []).append(row["account_id"])
    truth = {row["account_id"]: row for row in world.truth.to_pylist()}
    in_clusters = {account for accounts in members.values() for account in accounts}
    others: dict[str, set[str]] = {"people": set(), "machines": set()}
    for row in world.labels.to_pylist():
        if truth[row["account_id"]]["campaign_id"] is None:
            others["people" if row["label"].startswith("human") else "machines"].add(row["account_id"])
    # A cluster carries the figures of its best test to the last bit, which is how the two are joined.
    statistic = {(row["effect_ratio"], row["kappa"], row["window_s"]): row for row in tests if row["found"]}
    return Demo(
        world_dir=world_dir,
        run_dir=run_dir,
        n_events=world.events.num_rows,
        n_accounts=len(truth),
        manifest=json.loads((run_dir / "manifest.json").read_text(encoding="utf-8")),
        clusters=tuple(
            _cluster(row, members[row["cluster_id"]], truth, statistic)
            for row in sorted(clusters, key=lambda row: (-row["size"], row["cluster_id"]))
        ),
        campaigns=_campaigns(truth, in_clusters),
        n_people=len(others["people"]),
        n_people_found=len(others["people"] & in_clusters),
        n_machines_found=len(others["machines"] & in_clusters),
    )


def _cluster(
    row: dict[str, Any],
    accounts: list[str],
    truth: dict[str, dict[str, Any]],
    statistic: dict[tuple[float, float, float], dict[str, Any]],
) -> DemoCluster:
    import json

    kinds = Counter(truth[account]["archetype"] for account in accounts)
    kind, n_kind = max(kinds.items(), key=lambda item: (item[1], item[0]))
    test = statistic.get((row["effect_ratio"], row["kappa"], row["window_s"]), {})
    layers = row["layers"]
    return DemoCluster(
        cluster_id=row["cluster_id"],
        size=row["size"],
        core_size=row["core_size"],
        layers=tuple(json.loads(layers) if isinstance(layers, str) else layers),
        window_s=row["window_s"],
        seen=test.get("statistic", float("nan")),
        expected=test.get("null_mean", float("nan")),
        explanation=row["benign_match"] or "",
        truth=kind,
        n_truth=n_kind,
    )


def _campaigns(truth: dict[str, dict[str, Any]], in_clusters: set[str]) -> tuple[DemoCampaign, ...]:
    by_id: dict[str, list[dict[str, Any]]] = {}
    for row in truth.values():
        if row["campaign_id"] is not None:
            by_id.setdefault(row["campaign_id"], []).append(row)
    return tuple(
        DemoCampaign(
            campaign_id=campaign_id,
            kind=rows[0]["archetype"],
            coordinated=rows[0]["coordinated"],
            n_accounts=len(rows),
            n_found=sum(1 for row in rows if row["account_id"] in in_clusters),
        )
        for campaign_id, rows in sorted(by_id.items())
    )
