"""The whole sweep, stage by stage: ``python -m benchmarks.sweep``.

Each run is ``graphscan sweep EVENTS --out DIR`` as a process of its own, on simulated worlds of several sizes
and on the public chat archive of ../shared/data. Seconds, CPU and memory of a stage are those that the run's
own manifest states; wall, CPU and peak of the whole process are measured from outside.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import tempfile
from pathlib import Path
from typing import Any, Final

import pyarrow.parquet as pq

from benchmarks.measure import Run, machine, markdown_table, measured, python

ROOT: Final = Path(__file__).resolve().parents[1]
LIMITS: Final = "100k under 15 s; 1M and zulip under 120 s and 3 GB, on two quiet cores"


def world_file(n_events: int, seed: int, folder: Path) -> Path:
    """Events of a simulated world, made in a process of its own so that its memory does not count."""
    out = folder / f"world-{n_events}"
    measured(python("-m", "graphscan", "simulate", "--events", n_events, "--seed", seed, "--out", out))
    return out / "events.parquet"


def swept(events: Path, out: Path) -> tuple[Run, dict[str, Any]]:
    """One sweep: what it cost from outside, and its manifest."""
    environment = {"PYTHONPYCACHEPREFIX": str(out.parent / "compiled"), "PYTHONDONTWRITEBYTECODE": ""}
    run = measured(python("-m", "graphscan", "sweep", events, "--out", out), environment)
    manifest: dict[str, Any] = json.loads((out / "manifest.json").read_text(encoding="utf-8"))
    return run, manifest


def hot_object_file(folder: Path) -> Path:
    """400,000 shares of one object within a day among 300,000 ordinary events of a simulated world."""
    import numpy as np
    import pyarrow as pa

    from graphscan.entropy import generator

    n_hot = 400_000
    world = pq.read_table(world_file(300_000, 2, folder))
    random = generator(2, "benchmarks.sweep", "hot")
    start_us = world["timestamp"].cast(pa.int64())[world.num_rows // 2].as_py()
    at_us = start_us + np.sort(random.integers(0, 86_400_000_000, n_hot))
    accounts = random.permutation(n_hot)
    hot = pa.table(
        {
            "event_id": pa.array([f"hot-{row}" for row in range(n_hot)]),
            "account_id": pa.array([f"visitor-{row}" for row in accounts]),
            "action": pa.array(["repost"]).take(pa.array(np.zeros(n_hot, np.int64))),
            "object_id": pa.array(["the hot object"]).take(pa.array(np.zeros(n_hot, np.int64))),
            "timestamp": pa.array(at_us).cast(world.schema.field("timestamp").type),
        }
    )
    path = folder / "hot.parquet"
    pq.write_table(pa.concat_tables([world, hot], promote_options="default"), path)
    return path


def main() -> None:
    """Sweep everything asked for and print two tables: whole processes, then their stages."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n", maxsplit=1)[0])
    parser.add_argument("--events", type=int, nargs="*", default=[100_000, 1_000_000, 5_000_000])
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--no-zulip", action="store_true", help="without the real chat archive")
    parser.add_argument("--no-hot", action="store_true", help="without the object of 400,000 shares")
    parser.add_argument("--keep", type=Path, metavar="DIR", help="keep the run folders here")
    options = parser.parse_args()
    whole: list[list[str]] = []
    stages: dict[str, dict[str, str]] = {}
    with tempfile.TemporaryDirectory(prefix="graphscan-bench-") as name:
        folder = Path(name)
        runs = options.keep or folder

        def add(title: str, events: Path) -> None:
            run, manifest = swept(events, runs / f"run-{title.replace(' ', '-')}")
            rows = pq.ParquetFile(events).metadata.num_rows
            capped = sum(len(item) > 0 for item in manifest["capped"])
            whole.append(
                [
                    title,
                    f"{rows:,}",
                    f"{run.wall_s:.1f}",
                    f"{run.cpu_s:.1f}",
                    f"{run.peak_mb:,.0f}",
                    str(capped),
                ]
            )
            for stage in manifest["stages"]:
                stages.setdefault(stage["stage"], {})[title] = (
                    f"{stage['seconds']:.1f} ({stage['cpu_seconds']:.1f})"
                )
            print(f"{title}: {run.wall_s:.1f} s", file=sys.stderr, flush=True)

        for size in options.events:
            add(f"world {size:,}", world_file(size, options.seed, folder))
        if not options.no_zulip:
            data = Path(os.environ.get("GRAPHSCAN_DATA") or ROOT / "../shared/data")
            add("zulip", data / "zulip/events.parquet")
        if not options.no_hot:
            add("hot object", hot_object_file(folder))
    print(f"{machine()}; load {os.getloadavg()[0]:.1f}\n")
    print(markdown_table(("events of", "rows", "wall s", "CPU s", "peak MB", "capped objects"), whole))
    titles = [row[0] for row in whole]
    rows = [[stage, *(cells.get(title, "") for title in titles)] for stage, cells in stages.items()]
    print(f"\nSeconds a stage (CPU seconds):\n\n{markdown_table(('stage', *titles), rows)}")


if __name__ == "__main__":
    main()
