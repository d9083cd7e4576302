"""Loading into Neo4j and asking it: graphscan beside a plain loader, on one server, in one run.

    python -m benchmarks.graphdb --events 1000000

Starts a server of its own in a temporary folder (needs a JDK 17 and Maven), and prints tables in Markdown.
The plain loader is what one writes first: one worker, batches of 10,000, nodes by MERGE, then
``UNWIND $rows … CREATE``, no ledger and no uniqueness of events.
"""

from __future__ import annotations

import argparse
import os
import shutil
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil
import pyarrow as pa

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT / "deploy" / "neo4j"))

import server as neo4j_server  # noqa: E402  the script of `make neo4j`, which is no package

from graphscan.graphdb import Connection, connect, load_events, read_events, reset_graph, write_run  # noqa: E402
from graphscan.graphdb.batches import nodes_of, replies  # noqa: E402
from graphscan.graphdb.browser import example_values  # noqa: E402
from graphscan.graphdb.client import ServerAddress  # noqa: E402
from graphscan.graphdb.offline import write_bulk_files  # noqa: E402
from graphscan.graphdb.saved_queries import saved_queries  # noqa: E402
from graphscan.graphdb.schema import EVENT_PROPERTIES, EVENT_TYPES, NODE_LABELS  # noqa: E402
from graphscan.simulate.world import write_world  # noqa: E402
from graphscan.simulate.worlds import simulate_world  # noqa: E402
from graphscan.sweep import sweep  # noqa: E402

BATCH_ROWS = 10_000
TRIES = 5


@dataclass(frozen=True)
class Measured:
    """What one step took: wall clock, and processor seconds of the client and of the server."""

    what: str
    relationships: int
    wall_s: float
    client_cpu_s: float
    server_cpu_s: float

    def row(self) -> str:
        rate = f"{self.relationships / self.wall_s:,.0f}" if self.relationships else ""
        return (
            f"| {self.what} | {self.relationships:,} | {self.wall_s:,.1f} | {rate} | "
            f"{self.client_cpu_s:,.1f} | {self.server_cpu_s:,.1f} |"
        )


def measured(what: str, pid: int | None, step: Callable[[], int]) -> Measured:
    """Run a step that returns how many relationships it made."""
    process = psutil.Process(pid) if pid else None
    before = sum(process.cpu_times()[:2]) if process else 0.0
    client, wall = time.process_time(), time.perf_counter()
    n_relationships = step()
    wall_s, client_s = time.perf_counter() - wall, time.process_time() - client
    server_s = (sum(process.cpu_times()[:2]) if process else 0.0) - before
    found = Measured(what, n_relationships, wall_s, client_s, server_s)
    print(found.row(), flush=True)
    return found


def plain_load(connection: Connection, events: pa.Table) -> int:
    """The plain loader; returns the relationships it made."""
    driver = connection._driver
    n_made = 0
    with driver.session() as session:
        for label in NODE_LABELS[:3]:
            session.run(
                f"CREATE CONSTRAINT plain_{label.name.lower()} IF NOT EXISTS "
                f"FOR (n:{label.name}) REQUIRE n.{label.key[0]} IS UNIQUE"
            ).consume()
        for nodes in nodes_of(events):
            statement = f"UNWIND $rows AS row MERGE (n:{nodes.label.name} {{{nodes.label.key[0]}: row.id}}) "
            statement += "ON CREATE SET n.caption = row.caption"
            for at in range(0, len(nodes.rows), BATCH_ROWS):
                rows = [{"id": i, "caption": c or i} for i, c in nodes.rows[at : at + BATCH_ROWS]]
                session.execute_write(lambda t, s=statement, r=rows: t.run(s, rows=r).consume())
        for event in EVENT_TYPES:
            of_type = events.filter(pa.compute.equal(events["action"], event.action))
            statement = (
                "UNWIND $rows AS row MATCH (a:Account {account_id: row.account_id}) "
                f"MATCH (o:{event.target.name} {{{event.target.key[0]}: row.object_id}}) "
                f"CREATE (a)-[r:{event.relationship}]->(o) SET r = row.properties, "
                "r.at = datetime({epochSeconds: row.timestamp_us / 1000000, "
                "microsecond: row.timestamp_us % 1000000})"
            )
            for at in range(0, of_type.num_rows, BATCH_ROWS):
                rows = [
                    {
                        "account_id": row["account_id"],
                        "object_id": row["object_id"],
                        "timestamp_us": row["timestamp_us"],
                        "properties": {n: row[n] for n in EVENT_PROPERTIES if row[n] is not None},
                    }
                    for row in of_type.slice(at, BATCH_ROWS).to_pylist()
                ]
                session.execute_write(lambda t, s=statement, r=rows: t.run(s, rows=r).consume())
                n_made += len(rows)
            answers = replies(event, of_type)
            for at in range(0, len(answers), BATCH_ROWS):
                rows = [{"a": a, "b": b} for a, b in answers[at : at + BATCH_ROWS]]
                session.execute_write(
                    lambda t, r=rows: t.run(
                        "UNWIND $rows AS row MATCH (a:Content {content_id: row.a}) "
                        "MATCH (b:Content {content_id: row.b}) CREATE (a)-[:REPLY_TO]->(b)",
                        rows=r,
                    ).consume()
                )
                n_made += len(rows)
    return n_made


def wipe(connection: Connection) -> None:
    """Empty the server, schema and all."""
    with connection._driver.session() as session:
        for pattern, name in (("()-[x]->()", "relationships"), ("(x)", "nodes")):
            session.run(
                f"MATCH {pattern} CALL (x) {{ DELETE x }} IN TRANSACTIONS OF 20000 ROWS RETURN '{name}'"
            ).consume()
        for row in connection.rows("SHOW CONSTRAINTS YIELD name"):
            session.run(f"DROP CONSTRAINT {row['name']}").consume()
        for row in connection.rows("SHOW INDEXES YIELD name, type WHERE type <> 'LOOKUP'"):
            session.run(f"DROP INDEX {row['name']}").consume()


def query_times(connection: Connection) -> list[tuple[str, float, float, int]]:
    """Name, median and slowest seconds of both forms of every reading query, and its rows."""
    clusters = [
        row["cluster_id"]
        for row in connection.rows(
            "MATCH (c:Cluster) RETURN c.cluster_id AS cluster_id ORDER BY c.size DESC, cluster_id LIMIT $n",
            n=TRIES,
        )
    ]
    found = []
    for query in saved_queries():
        if query.writes:
            continue
        times, n_rows = [], 0
        for cluster in clusters:
            values = query.arguments(example_values(connection, cluster))
            for text in (query.rows, query.visual):
                start = time.perf_counter()
                n = sum(1 for _ in connection.columns(text, **values)[1])
                times.append(time.perf_counter() - start)
                n_rows = max(n_rows, n) if text is query.rows else n_rows
        found.append((query.name, statistics.median(times), max(times), n_rows))
    return found


def address_of(home: neo4j_server.Server) -> ServerAddress:
    return ServerAddress(home.bolt_uri, neo4j_server.USERNAME, home.password)


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n", maxsplit=1)[0])
    parser.add_argument("--events", type=int, default=1_000_000)
    parser.add_argument("--seed", type=int, default=1)
    chosen = parser.parse_args()
    folder = Path(tempfile.mkdtemp(prefix="graphscan-bench-neo4j-"))
    home = neo4j_server.Server(folder / "home", neo4j_server.default_lib())
    bulk = neo4j_server.Server(folder / "bulk", neo4j_server.default_lib())
    try:
        world = simulate_world(chosen.events, chosen.seed)
        events = world.events
        neo4j_server.start(home, bolt_port=neo4j_server.free_port(), http_port=neo4j_server.free_port())
        pid = home.state()["pid"]
        load = os.getloadavg()[0]
        print(
            f"{events.num_rows:,} simulated events, {os.cpu_count()} cores shared with the server, ", end=""
        )
        print(f"heap 1 GB, load of the machine at the start {load:.1f}\n")
        print("| step | relationships | wall s | relationships / s | client CPU s | server CPU s |")
        print("| --- | ---: | ---: | ---: | ---: | ---: |")
        with connect(address_of(home)) as connection:
            # Both loaders find a warm server: the first 20,000 events are loaded and thrown away.
            load_events(events.slice(0, 20_000), connection)
            wipe(connection)
            plain = measured("plain loader, 1 worker", pid, lambda: plain_load(connection, events))
            wipe(connection)
            ours = measured(
                "`graph load`, 2 workers", pid, lambda: load_events(events, connection).relationships
            )
            again = measured(
                "`graph load` again, batch by batch", pid, lambda: load_events(events, connection).loaded
            )
            measured("all events read back", pid, lambda: read_events(connection).num_rows)
            write_world(world, folder / "world")
            run = sweep([folder / "world" / "events.parquet"], folder / "run")
            measured("a run written", pid, lambda: write_run(run.run_dir, connection).edges)
            queries = query_times(connection)
            reset_graph(connection, verdicts=True)
        neo4j_server.stop(home)
        measured("bulk import: files", None, lambda: write_bulk_files(events, folder / "files").relationships)
        neo4j_server.prepare(bulk, neo4j_server.free_port(), neo4j_server.free_port())

        def import_files() -> int:
            neo4j_server.bulk_import(bulk, folder / "files", overwrite=False)
            return ours.relationships

        imported = measured("bulk import: neo4j-admin (its CPU not counted)", None, import_files)
        report(plain, ours, again, imported, queries)
    finally:
        neo4j_server.stop(home)
        shutil.rmtree(folder, ignore_errors=True)


def report(
    plain: Measured, ours: Measured, again: Measured, imported: Measured, queries: list[tuple[Any, ...]]
) -> None:
    """Print what follows from the measurements, and the times of the queries."""
    print(f"\n`graph load` is {plain.wall_s / ours.wall_s:.2f} times as fast as the plain loader; ", end="")
    print(f"a second load takes {again.wall_s / ours.wall_s:.1%} of the first and loads nothing; ", end="")
    print(
        f"the offline import makes {imported.relationships / imported.wall_s:,.0f} relationships a second.\n"
    )
    print(f"| saved query | median s | slowest of {2 * TRIES} s | rows |\n| --- | ---: | ---: | ---: |")
    for name, median_s, slowest_s, n_rows in sorted(queries, key=lambda q: -q[2]):
        print(f"| {name} | {median_s:.3f} | {slowest_s:.3f} | {n_rows:,} |")


if __name__ == "__main__":
    main()
