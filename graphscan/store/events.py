"""Events in DuckDB: every event id once, whatever file or run it came in, and in one order on the way out."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType
from typing import Any, Final, Self

import numpy as np
import pyarrow as pa

from graphscan.events.identity import SORT_COLUMNS, SeenHashes, canonical_order, text_hashes
from graphscan.events.ledger import Ledger
from graphscan.events.model import EVENT_COLUMNS, EVENT_SCHEMA
from graphscan.events.normal import CODED_COLUMNS
from graphscan.events.reading import Reading, row_excerpt
from graphscan.store.database import connected, guarded, incompatible

SCHEMA_VERSION: Final = 1
_TYPES: Final = {
    pa.string(): "VARCHAR",
    pa.int64(): "BIGINT",
    pa.bool_(): "BOOLEAN",
    pa.float64(): "DOUBLE",
    pa.list_(pa.string()): "VARCHAR[]",
}
_PLACES: Final = "source_no INTEGER, line BIGINT"
_CONTENT: Final = tuple(c for c in EVENT_COLUMNS if c != "event_id")
_EVENTS: Final = ", ".join(EVENT_COLUMNS)


def _sort_key(column: str) -> str:
    """The SQL of one sort key, the same order as ``identity.repeats`` gives."""
    if pa.types.is_list(EVENT_SCHEMA.field(column).type):
        return f"array_to_string(list_transform({column}, lambda x: strlen(x) || ':' || x), ',') NULLS FIRST"
    return f"{column} NULLS FIRST"


_SORT: Final = ", ".join(_sort_key(c) for c in SORT_COLUMNS)
_EQUAL: Final = " AND ".join(f"i.{c} IS NOT DISTINCT FROM e.{c}" for c in _CONTENT)


class EventStore:
    """Events of one state, or of one sweep.

    Use ``EventStore.open``; as a context manager it closes itself.

    Attributes
    ----------
    path
        The database file; None for a temporary store.
    """

    def __init__(
        self, connection: Any, path: Path | None, scratch: tempfile.TemporaryDirectory[str] | None
    ) -> None:
        self._connection = connection
        self._scratch = scratch
        self.path = path

    @classmethod
    def open(
        cls,
        path: str | os.PathLike[str] | None = None,
        *,
        memory_limit: str | None = None,
        threads: int | None = None,
    ) -> EventStore:
        """Open a store, making it if there is none.

        Parameters
        ----------
        path
            Database file. None keeps the events in memory, spilled to a temporary folder where they need more
            than ``memory_limit``, and forgets them at the end.
        memory_limit
            As DuckDB writes it, such as ``2GB``.
        threads
            Threads DuckDB may use.

        Raises
        ------
        GraphscanError
            Exit code 4 for a file that is truncated, foreign or of a newer release (a copy is kept beside it
            and the file left as it is), 75 if another process holds it, 73 if it cannot be written.
        """
        scratch = tempfile.TemporaryDirectory(prefix="graphscan-store-")
        where = Path(path) if path is not None else None
        existed = where is not None and where.exists()
        try:
            connection = connected(where, memory_limit=memory_limit, threads=threads, scratch=scratch.name)
        except BaseException:
            scratch.cleanup()
            raise
        store = cls(connection, where, scratch)
        try:
            store._prepare(existed)
        except BaseException:
            store.close()
            raise
        return store

    def add(self, reading: Reading, *, lookback_us: int | None = None) -> Ledger:
        """Add the events of a reading; all of them or, if anything fails, none.

        A row whose event is stored with the same content is a duplicate. Of rows with one event id and
        different content the one that sorts first by (timestamp, account, action, object, the other columns)
        stays, also where the other one is stored already; then the reading's warnings say so.

        Parameters
        ----------
        reading
            A reading of all columns, not yet iterated.
        lookback_us
            How far before the watermark a new event may lie; earlier ones are counted late and not stored.
            None takes them all.

        Returns
        -------
        Ledger
            The reading's ledger, complete.

        Raises
        ------
        GraphscanError
            What reading raises; exit code 73 if the store cannot be written.
        """
        if reading.columns != EVENT_COLUMNS:
            raise ValueError("a store takes readings of all columns")
        watermark = self.watermark_us
        run = self._connection.execute
        with self._transaction():
            (last_source,) = run("SELECT coalesce(max(source_no), 0) FROM sources").fetchall()[0]
            run(f"CREATE OR REPLACE TEMP TABLE incoming ({_definitions()}, {_PLACES}, row_no BIGINT)")
            self._take(reading, last_source, direct=watermark is None)
            self._drop_known(reading, last_source)
            if lookback_us is not None and watermark is not None:
                self._drop_late(reading, watermark - lookback_us)
            self._choose(reading, last_source)
            run(f"INSERT INTO events SELECT {_EVENTS}, source_no, line FROM incoming")
            run("DROP TABLE incoming")
        return reading.ledger

    @property
    def watermark_us(self) -> int | None:
        """Time of the newest event, microseconds UTC; None if there is none."""
        with guarded(self.path):
            (newest,) = self._connection.execute("SELECT max(timestamp_us) FROM events").fetchall()[0]
        return None if newest is None else int(newest)

    @property
    def n_events(self) -> int:
        """Events stored."""
        with guarded(self.path):
            (count,) = self._connection.execute("SELECT count(*) FROM events").fetchall()[0]
        return int(count)

    def table(
        self,
        columns: Sequence[str] | None = None,
        since_us: int | None = None,
        until_us: int | None = None,
        *,
        coded: bool = False,
    ) -> pa.Table:
        """Events in canonical order (timestamp_us, event_id).

        Parameters
        ----------
        columns
            Native columns, all by default.
        since_us, until_us
            Period, microseconds UTC, the end excluded.
        coded
            Give ``account_id``, ``action`` and ``object_id`` as dictionary arrays.
        """
        names = list(EVENT_COLUMNS if columns is None else columns)
        read = list(dict.fromkeys([*names, "timestamp_us", "event_id"]))
        conditions, values = ["TRUE"], []
        if since_us is not None:
            conditions.append("timestamp_us >= ?")
            values.append(since_us)
        if until_us is not None:
            conditions.append("timestamp_us < ?")
            values.append(until_us)
        with guarded(self.path):
            result = self._connection.sql(
                f"SELECT {', '.join(read)} FROM events WHERE {' AND '.join(conditions)}", params=values
            ).to_arrow_table()
        table = result.cast(pa.schema([pa.field(n, EVENT_SCHEMA.field(n).type) for n in read]))
        if coded:
            for name in CODED_COLUMNS:
                if name in read:
                    table = table.set_column(read.index(name), name, table[name].dictionary_encode())
        order = canonical_order(table["timestamp_us"].to_numpy(), table["event_id"])
        if order is not None:
            table = table.take(pa.array(order))
        return table.select(names).combine_chunks()

    def close(self) -> None:
        """Write what is pending and close the file."""
        self._connection.close()
        if self._scratch is not None:
            self._scratch.cleanup()
            self._scratch = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _prepare(self, existed: bool) -> None:
        """Make the tables of a new store; check those of an old one."""
        run = self._connection.execute
        with guarded(self.path):
            names = {
                row[0] for row in run("SELECT table_name FROM duckdb_tables() WHERE NOT temporary").fetchall()
            }
        if not names and not (existed and self.path is not None and self.path.stat().st_size == 0):
            with self._transaction():
                run("CREATE TABLE meta (key VARCHAR, value VARCHAR)")
                run("INSERT INTO meta VALUES ('schema_version', ?)", [str(SCHEMA_VERSION)])
                run("CREATE TABLE sources (source_no INTEGER, path VARCHAR)")
                run(f"CREATE TABLE events ({_definitions()}, {_PLACES})")
            return
        if not names >= {"meta", "sources", "events"}:
            raise incompatible(self.path, "it holds no graphscan events", "Name another --state folder.")
        with guarded(self.path):
            rows = run("SELECT value FROM meta WHERE key = 'schema_version'").fetchall()
        version = int(rows[0][0]) if rows and str(rows[0][0]).isdigit() else 0
        if version > SCHEMA_VERSION:
            raise incompatible(
                self.path,
                f"it has schema version {version}, this release knows {SCHEMA_VERSION}",
                "Use the graphscan release that wrote it, or a newer one.",
            )
        if version < 1:
            raise incompatible(self.path, "its schema version cannot be read", "Restore it from a backup.")

    def _take(self, reading: Reading, last_source: int, *, direct: bool) -> None:
        """Copy all rows into the incoming table.

        With ``direct``, the store being empty, rows of an id not met before go to the store at once: nothing
        can be against them but rows that come later, and those are compared with the store.
        """
        run = self._connection.execute
        numbers: dict[str, int] = {}
        seen = SeenHashes()
        for batch in reading.batches():
            if batch.file not in numbers:
                numbers[batch.file] = last_source + len(numbers) + 1
                run("INSERT INTO sources VALUES (?, ?)", [numbers[batch.file], batch.file])
            n_rows = batch.table.num_rows
            source_no = np.full(n_rows, numbers[batch.file], dtype=np.int32)
            rows = batch.table.append_column("source_no", pa.array(source_no))
            rows = rows.append_column("line", pa.array(batch.lines))
            row_no = np.arange(batch.first_row, batch.first_row + n_rows, dtype=np.int64)
            rows = rows.append_column("row_no", pa.array(row_no))
            if direct:
                met = seen.add(text_hashes(batch.table["event_id"]))
                self._insert(rows.filter(pa.array(~met)) if met.any() else rows, "events")
                rows = rows.filter(pa.array(met))
            if rows.num_rows:
                self._insert(rows, "incoming")

    def _insert(self, rows: pa.Table, table: str) -> None:
        names = f"{_EVENTS}, source_no, line" + (", row_no" if table == "incoming" else "")
        self._connection.register("batch", rows)
        self._connection.execute(f"INSERT INTO {table} SELECT {names} FROM batch")
        self._connection.unregister("batch")

    def _drop_known(self, reading: Reading, last_source: int) -> None:
        """Count and leave out rows whose event an earlier run stored with the same content."""
        run = self._connection.execute
        run(
            f"""CREATE OR REPLACE TEMP TABLE known AS
                SELECT i.row_no FROM incoming i JOIN events e ON i.event_id = e.event_id
                WHERE e.source_no <= {last_source} AND {_EQUAL}"""
        )
        (n_known,) = run("SELECT count(*) FROM known").fetchall()[0]
        if n_known:
            run("DELETE FROM incoming WHERE row_no IN (SELECT row_no FROM known)")
            reading.count_duplicates(n_known)
        run("DROP TABLE known")

    def _drop_late(self, reading: Reading, until_us: int) -> None:
        """Count and leave out rows from before a time, so that they displace nothing either."""
        run = self._connection.execute
        (n_late,) = run("SELECT count(*) FROM incoming WHERE timestamp_us < ?", [until_us]).fetchall()[0]
        if n_late:
            run("DELETE FROM incoming WHERE timestamp_us < ?", [until_us])
            reading.count_late(n_late)

    def _choose(self, reading: Reading, last_source: int) -> None:
        """Of rows with one event id, incoming or stored, keep the one that sorts first."""
        run = self._connection.execute
        run(
            """CREATE OR REPLACE TEMP TABLE repeated AS
               SELECT event_id FROM incoming GROUP BY event_id HAVING count(*) > 1
               UNION SELECT event_id FROM incoming SEMI JOIN events USING (event_id)"""
        )
        (n_repeated,) = run("SELECT count(*) FROM repeated").fetchall()[0]
        if n_repeated:
            self._rank(reading, last_source)
        run("DROP TABLE repeated")

    def _rank(self, reading: Reading, last_source: int) -> None:
        """Leave of each repeated id the row that sorts first, and tell what becomes of the others."""
        run = self._connection.execute
        run(
            f"""CREATE OR REPLACE TEMP TABLE ranked AS
                SELECT *, row_number() OVER (PARTITION BY event_id ORDER BY {_SORT}, row_no) AS rank
                FROM (SELECT {_EVENTS}, source_no, line, row_no
                      FROM incoming SEMI JOIN repeated USING (event_id)
                      UNION ALL
                      SELECT {_EVENTS}, source_no, line, -1
                      FROM events SEMI JOIN repeated USING (event_id))"""
        )
        run(
            f"""CREATE OR REPLACE TEMP TABLE verdicts AS
                SELECT i.event_id, i.source_no, i.line, i.row_no, {_EQUAL} AS same,
                       e.source_no AS kept_source, e.line AS kept_line
                FROM ranked i JOIN ranked e ON i.event_id = e.event_id AND e.rank = 1 AND i.rank > 1"""
        )
        # A row of an earlier run has its place in that run's ledger.
        ours = f"(row_no >= 0 OR source_no > {last_source})"
        (n_same,) = run(f"SELECT count(*) FROM verdicts WHERE same AND {ours}").fetchall()[0]
        reading.count_duplicates(n_same)
        self._tell_conflicts(reading, f"NOT v.same AND (v.row_no >= 0 OR v.source_no > {last_source})")
        run("DELETE FROM incoming WHERE row_no IN (SELECT row_no FROM verdicts)")
        displaced = run(f"SELECT event_id FROM verdicts WHERE NOT {ours} ORDER BY event_id").fetchall()
        if displaced:
            reading.add_warning(
                f"{len(displaced):,} stored events gave way to rows with the same event_id that sort before "
                f"them, the first is {displaced[0][0]}"
            )
        run("DELETE FROM events WHERE event_id IN (SELECT event_id FROM verdicts WHERE row_no = -1)")
        run("DROP TABLE ranked")
        run("DROP TABLE verdicts")

    def _tell_conflicts(self, reading: Reading, which: str) -> None:
        """Reject rows with the same event id as a kept row and other content."""
        columns = ", ".join(f"r.{name}" for name in EVENT_COLUMNS)
        found = self._connection.sql(
            f"""SELECT {columns}, s.path, v.line, k.path AS kept_path, v.kept_line
                FROM verdicts v
                JOIN ranked r ON r.event_id = v.event_id AND r.source_no = v.source_no AND r.line = v.line
                             AND r.row_no = v.row_no
                JOIN sources s ON s.source_no = v.source_no
                JOIN sources k ON k.source_no = v.kept_source
                WHERE {which} ORDER BY s.path, v.line, v.row_no"""
        ).to_arrow_table()
        events = found.select(list(EVENT_COLUMNS))
        places = found.select(["path", "line", "kept_path", "kept_line"]).to_pylist()
        for row, place in enumerate(places):
            kept = f"{place['kept_path']}:{place['kept_line']}"
            reading.reject_conflict(place["path"], place["line"], kept, row_excerpt(events, row))

    @contextmanager
    def _transaction(self) -> Iterator[None]:
        with guarded(self.path):
            self._connection.execute("BEGIN")
            try:
                yield
            except BaseException:
                self._connection.execute("ROLLBACK")
                raise
            self._connection.execute("COMMIT")


def _definitions() -> str:
    return ", ".join(
        f"{field.name} {_TYPES[field.type]}{'' if field.nullable else ' NOT NULL'}" for field in EVENT_SCHEMA
    )
