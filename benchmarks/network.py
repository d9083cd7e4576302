"""The co-action stage, file to edges, beside two peers: ``python -m benchmarks.network``.

Three contenders read the same events and are measured as whole processes, one after the other in each round:

``graphscan``
    ``graphscan network EVENTS --layer co_repost --window 60 --min-pairs 2 -o edges.parquet``.
``DuckDB``
    A plain equi-join over time buckets in SQL, with all the same columns in its result (`BUCKET_JOIN`).
``DuckDB, counts``
    The same join with ``n_pairs`` only: what is left when nobody asks for more.
``Toolkit``
    The Coordination Network Toolkit's own commands, CSV into its database and then ``compute co_retweet``
    with a minimum edge weight of 2.

The edges must be equal: all columns of graphscan and DuckDB, the directed weights of graphscan and the
Toolkit. The events are reposts with Zipf popularity (exponent .8) that come in a burst after each object's
birth and then trickle: at 1 M the largest object has about 22,000 rows and the window holds 3.8 M pairs.
"""

from __future__ import annotations

import argparse
import os
import sqlite3
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from benchmarks.measure import Run, alternating, machine, markdown_table, measured, median, python, ratio
from graphscan.entropy import generator

WINDOW_S: Final = 60
MIN_PAIRS: Final = 2
START_US: Final = 1_700_000_000_000_000
# At 5 M the largest object passes the default cap of 20 M pairs; no contender may leave any out here.
NO_CAP: Final = ("--set", "network.max_pairs_per_object=1000000000")
MONTH_US: Final = 30 * 86_400 * 1_000_000

# Every step is what DuckDB does best: ids become integers first, objects of one account go before the join,
# the join is on equality, pairs that cannot reach the minimum go before anything distinct is counted.
BUCKET_JOIN: Final = """
SET preserve_insertion_order = false;
CREATE TEMP TABLE raw AS
    SELECT event_id, account_id, object_id, epoch_us("timestamp") AS t FROM read_parquet('{events}')
    WHERE action = 'repost' AND object_id <> event_id;
CREATE TEMP TABLE accounts AS
    SELECT account_id, (row_number() OVER (ORDER BY account_id))::INTEGER AS a
    FROM (SELECT DISTINCT account_id FROM raw);
CREATE TEMP TABLE objects AS
    SELECT object_id, (row_number() OVER ())::INTEGER AS o
    FROM (SELECT object_id FROM raw GROUP BY object_id HAVING min(account_id) <> max(account_id));
CREATE TEMP TABLE acts AS
    SELECT a, o, t, (row_number() OVER ())::INTEGER AS e
    FROM (SELECT any_value(account_id) AS account_id, any_value(object_id) AS object_id, any_value(t) AS t
          FROM raw GROUP BY event_id)
    JOIN accounts USING (account_id) JOIN objects USING (object_id);
CREATE TEMP TABLE pairs AS
    SELECT least(x.a, y.a) AS a, greatest(x.a, y.a) AS b, x.o, x.t AS t1, y.t AS t2,
        CASE WHEN x.a < y.a THEN x.e ELSE y.e END AS ea,
        CASE WHEN x.a < y.a THEN y.e ELSE x.e END AS eb,
        CASE WHEN x.t = y.t THEN 0.5 WHEN x.a < y.a THEN 1.0 ELSE 0.0 END AS lead
    FROM (SELECT *, t // {step} AS k FROM acts) x
    JOIN (SELECT *, t // {step} AS k FROM acts UNION ALL SELECT *, t // {step} - 1 FROM acts) y
        ON x.o = y.o AND x.k = y.k
    WHERE x.a <> y.a AND y.t - x.t <= {window} AND (x.t < y.t OR (x.t = y.t AND x.a < y.a));
CREATE TEMP TABLE strong AS
    SELECT a, b, count(*) AS n_pairs FROM pairs GROUP BY a, b HAVING count(*) >= {minimum};
"""
ALL_COLUMNS: Final = """
COPY (
    SELECT one.account_id AS account_a, two.account_id AS account_b, weights.* EXCLUDE (a, b)
    FROM (
        SELECT a, b, count(*) AS n_pairs, count(DISTINCT o) AS n_objects, count(DISTINCT ea) AS n_a,
            count(DISTINCT eb) AS n_b, median(t2 - t1) / 1e6 AS median_lag_s, avg(lead) AS a_leads_share,
            min(t1) AS first_at, max(t2) AS last_at
        FROM pairs SEMI JOIN strong USING (a, b) GROUP BY a, b
    ) weights JOIN accounts one ON one.a = weights.a JOIN accounts two ON two.a = weights.b
    ORDER BY weights.a, weights.b
) TO '{edges}' (FORMAT parquet, COMPRESSION zstd)
"""
COUNTS: Final = """
COPY (
    SELECT one.account_id AS account_a, two.account_id AS account_b, n_pairs
    FROM strong JOIN accounts one ON one.a = strong.a JOIN accounts two ON two.a = strong.b
    ORDER BY strong.a, strong.b
) TO '{edges}' (FORMAT parquet, COMPRESSION zstd)
"""


def repost_events(n_events: int, seed: int = 1) -> pa.Table:
    """Reposts in native columns: Zipf objects, a burst after each birth, a few busy accounts.

    Parameters
    ----------
    n_events
        Rows; a tenth as many objects and accounts.
    seed
        Seed of the events.
    """
    random = generator(seed, "benchmarks.network")
    n = max(n_events // 10, 10)
    obj = _zipf(random, n_events, n, 0.8)
    account = _zipf(random, n_events, n, 0.7)
    birth_us = random.integers(0, MONTH_US, n)
    delay_us = (random.lognormal(8.8, 2.0, n_events) * 1e6).astype(np.int64)
    time_us = birth_us[obj] + delay_us
    order = np.argsort(time_us, kind="stable")
    return pa.table(
        {
            "event_id": pa.array([f"e{row:012d}" for row in range(n_events)]),
            "account_id": _ids("u", n).take(pa.array(account[order])),
            "action": pa.array(["repost"]).take(pa.array(np.zeros(n_events, np.int64))),
            "object_id": _ids("c", n).take(pa.array(obj[order])),
            "timestamp": pa.array(START_US + time_us[order]).cast(pa.timestamp("us", "UTC")),
        }
    )


def write_events(path: str, n_events: str) -> None:
    """`repost_events` as a Parquet file."""
    pq.write_table(repost_events(int(n_events)), path, compression="zstd")


def _zipf(random: np.random.Generator, n_draws: int, n_values: int, exponent: float) -> np.ndarray:
    share = np.arange(1, n_values + 1) ** -exponent
    return np.searchsorted(np.cumsum(share) / share.sum(), random.random(n_draws)).clip(0, n_values - 1)


def _ids(prefix: str, n: int) -> pa.Array:
    """Ids whose order says nothing about what they name."""
    return pa.array([f"{prefix}{number * 2654435761 % 2**40:010x}" for number in range(n)])


def bucket_join(events: Path, edges: Path, result: str) -> str:
    """The SQL of the DuckDB contender."""
    step = WINDOW_S * 1_000_000 + 1
    join = BUCKET_JOIN.format(events=events, step=step, window=step - 1, minimum=MIN_PAIRS)
    return join + result.format(edges=edges)


class Contest:
    """The contenders on one file of events, in a folder of their own."""

    def __init__(self, events: Path, folder: Path) -> None:
        self.events, self.folder = events, folder
        self.env = compiled_once(folder)

    def graphscan(self) -> Run:
        return measured(
            [
                *python("-m", "graphscan", "network", self.events, "--layer", "co_repost"),
                *(
                    "--window",
                    str(WINDOW_S),
                    "--min-pairs",
                    str(MIN_PAIRS),
                    *NO_CAP,
                    "-o",
                    str(self.folder / "g.parquet"),
                ),
            ],
            self.env,
        )

    def duckdb(self) -> Run:
        return self._duckdb(self.folder / "d-all.parquet", ALL_COLUMNS)

    def duckdb_counts(self) -> Run:
        return self._duckdb(self.folder / "d-counts.parquet", COUNTS)

    def _duckdb(self, edges: Path, result: str) -> Run:
        """A process that imports nothing but DuckDB."""
        program = "import sys, duckdb; duckdb.connect().execute(sys.argv[1])"
        return measured(python("-c", program, bucket_join(self.events, edges, result)), self.env)

    def toolkit(self) -> Run:
        """Both commands together: the largest peak, the sum of the times."""
        rows = self.folder / "toolkit.csv"
        if not rows.exists():
            toolkit_csv(self.events, rows)
        database = self.folder / "toolkit.db"
        database.unlink(missing_ok=True)
        command = python("-c", "from coordination_network_toolkit.__main__ import main; main()", database)
        load = measured([*command, "preprocess", str(rows)], self.env)
        options = ("--time_window", str(WINDOW_S), "--min_edge_weight", str(MIN_PAIRS))
        compute = measured([*command, "compute", "co_retweet", *options], self.env)
        return Run(
            load.wall_s + compute.wall_s, load.cpu_s + compute.cpu_s, max(load.peak_mb, compute.peak_mb)
        )

    def check(self, with_toolkit: bool) -> int:
        """Number of edges, once all contenders are found to agree on them.

        Raises
        ------
        AssertionError
            If any two results differ.
        """
        mine = pq.read_table(self.folder / "g.parquet")
        theirs = pq.read_table(self.folder / "d-all.parquet")
        for name in theirs.column_names:
            column = mine[name]
            if pa.types.is_timestamp(column.type):
                column = column.cast(pa.int64())
            assert column.to_pylist() == theirs[name].to_pylist(), name
        counts = pq.read_table(self.folder / "d-counts.parquet")
        assert mine.select(counts.column_names).cast(counts.schema).equals(counts)
        if with_toolkit:
            check_toolkit(self.events, self.folder / "toolkit.db", self.env)
        return mine.num_rows


def check_toolkit(events: Path, database: Path, env: dict[str, str]) -> None:
    """Directed rows of ``graphscan network --toolkit-edges`` and of the Toolkit's database are the same.

    The Toolkit keeps loops (a row of an account with itself) in its table and leaves them out on export.
    """
    edges = database.with_suffix(".parquet")
    measured(
        [
            *python("-m", "graphscan", "network", events, "--layer", "co_repost", "--window", WINDOW_S),
            *("--toolkit-edges", "--min-weight", str(MIN_PAIRS), *NO_CAP, "-o", str(edges)),
        ],
        env,
    )
    mine = pq.read_table(edges, columns=["user_1", "user_2", "weight"])
    with sqlite3.connect(database) as connection:
        query = "SELECT user_1, user_2, weight FROM co_retweet_network WHERE user_1 <> user_2"
        theirs = set(connection.execute(query).fetchall())
    rows = zip(*(mine[name].to_pylist() for name in mine.column_names), strict=True)
    assert set(rows) == theirs
    assert mine.num_rows == len(theirs)


def toolkit_csv(events: Path, path: Path) -> None:
    """The events in the Toolkit's eight columns, times in epoch seconds with their fractions."""
    from pyarrow import csv

    table = pq.read_table(events)
    blank = pa.array([""]).take(pa.array(np.zeros(table.num_rows, np.int64)))
    seconds = pc.divide(table["timestamp"].cast(pa.int64()).cast(pa.float64()), 1e6)
    columns = {
        "message_id": table["event_id"],
        "user_id": table["account_id"],
        "username": table["account_id"],
        "repost_id": table["object_id"],
        "reply_id": blank,
        "message": blank,
        "timestamp": pa.array([f"{value:.6f}" for value in seconds.to_pylist()]),
        "urls": blank,
    }
    csv.write_csv(pa.table(columns), path)


def compiled_once(folder: Path) -> dict[str, str]:
    """An environment in which Python keeps compiled modules, as an installed program does."""
    return {"PYTHONPYCACHEPREFIX": str(folder / "compiled"), "PYTHONDONTWRITEBYTECODE": ""}


def contest(
    n_events: int, rounds: int, toolkit_up_to: int, progress: Callable[[str], None]
) -> list[list[str]]:
    """Rows of the table for one size."""
    with tempfile.TemporaryDirectory(prefix="graphscan-bench-") as name:
        folder = Path(name)
        events = folder / "events.parquet"
        # In a process of its own: a child's peak memory is never told as less than its parent's size.
        program = "import sys; from benchmarks.network import write_events; write_events(*sys.argv[1:])"
        measured(python("-c", program, events, n_events))
        field = Contest(events, folder)
        contenders = {
            "graphscan": field.graphscan,
            "DuckDB": field.duckdb,
            "DuckDB, counts": field.duckdb_counts,
        }
        for contender in contenders.values():
            contender()  # compiles modules and warms the file cache; not counted
        with_toolkit = n_events <= toolkit_up_to
        runs = alternating(contenders, rounds)
        if with_toolkit:
            runs["Toolkit"] = [field.toolkit()]
        n_edges = field.check(with_toolkit)
        progress(f"{n_events:,} events: {n_edges:,} edges, all equal")
    rows = []
    for name, found in runs.items():
        middle = median(found)
        base = runs["graphscan"][: len(found)]
        rows.append(
            [
                f"{n_events:,}",
                name,
                f"{middle.wall_s:.2f}",
                f"{middle.cpu_s:.2f}",
                f"{middle.peak_mb:,.0f}",
                f"{ratio(base, found, 'wall_s'):.2f}",
                f"{ratio(base, found, 'cpu_s'):.2f}",
                str(len(found)),
            ]
        )
    return rows


HEADER: Final = (
    "events",
    "contender",
    "wall s",
    "CPU s",
    "peak MB",
    "graphscan / it, wall",
    "graphscan / it, CPU",
    "runs",
)


def main() -> None:
    """Run the contest at the sizes asked for and print the table."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n", maxsplit=1)[0])
    parser.add_argument("--events", type=int, nargs="+", default=[100_000, 1_000_000, 5_000_000])
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument(
        "--toolkit-up-to", type=int, default=1_000_000, help="largest size the Toolkit is given"
    )
    options = parser.parse_args()

    def progress(words: str) -> None:
        print(words, file=sys.stderr, flush=True)

    rows = [
        row
        for size in options.events
        for row in contest(size, options.rounds, options.toolkit_up_to, progress)
    ]
    load = os.getloadavg()[0]
    print(f"{machine()}; load {load:.1f}\n")
    print(markdown_table(HEADER, rows))


if __name__ == "__main__":
    main()
