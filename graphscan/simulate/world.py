"""A simulated world: its tables, how they are put in order, and how they are written."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from graphscan.errors import EXIT_CANNOT_WRITE, EXIT_INPUT, GraphscanError
from graphscan.events.model import EVENT_SCHEMA

Progress = Callable[[str, int, int], None]
"""Called as ``on_progress(stage, rows_done, rows_total)``."""

ACCOUNT_SCHEMA: Final = pa.schema(
    [
        pa.field("account_id", pa.string(), nullable=False),
        pa.field("handle", pa.string()),
        pa.field("display_name", pa.string()),
        pa.field("bio", pa.string()),
        pa.field("created_at", pa.timestamp("us", tz="UTC")),
        pa.field("followers", pa.int64()),
        pa.field("following", pa.int64()),
        pa.field("verified", pa.bool_()),
        pa.field("account_type", pa.string()),
        pa.field("declared_automation", pa.bool_()),
    ]
)

LABEL_SCHEMA: Final = pa.schema(
    [
        pa.field("account_id", pa.string(), nullable=False),
        pa.field("label", pa.string(), nullable=False),
        pa.field("campaign_id", pa.string()),
    ]
)

TRUTH_SCHEMA: Final = pa.schema(
    [
        pa.field("account_id", pa.string(), nullable=False),
        pa.field("archetype", pa.string(), nullable=False),
        pa.field("life", pa.string()),
        pa.field("campaign_id", pa.string()),
        pa.field("action", pa.string()),
        pa.field("n_accounts", pa.int64()),
        pa.field("n_shared", pa.int64()),
        pa.field("n_objects", pa.int64()),
        pa.field("jitter_s", pa.float64()),
        pa.field("jitter_kind", pa.string()),
        pa.field("camouflage_0_1", pa.float64()),
        pa.field("coordinated", pa.bool_(), nullable=False),
        pa.field("framed_by", pa.string()),
        pa.field("mechanism", pa.string()),
        pa.field("n_campaign_events", pa.int64()),
        pa.field("n_camouflage_events", pa.int64()),
    ]
)

PLANTED_SCHEMA: Final = pa.schema(
    [
        pa.field("event_id", pa.string(), nullable=False),
        pa.field("account_id", pa.string(), nullable=False),
        pa.field("campaign_id", pa.string()),
        pa.field("role", pa.string(), nullable=False),
        pa.field("campaign_object", pa.int64()),
        pa.field("order_us", pa.int64()),
        pa.field("timestamp_us", pa.int64(), nullable=False),
    ]
)


@dataclass(frozen=True)
class World:
    """Events with known truth.

    Attributes
    ----------
    events
        ``EVENT_SCHEMA``, ordered by ``timestamp_us, event_id``.
    accounts
        ``ACCOUNT_SCHEMA``, one row an account, ordered by id: what a platform knows of the account.
    labels
        ``account_id, label, campaign_id``; label is ``human``, ``human_ai_assisted``, ``automated`` or
        ``ai_managed``. Accounts of a background whose nature nobody knows have no row.
    truth
        ``TRUTH_SCHEMA``, one row an account: the archetype that made it and its parameters. Accounts of a
        background have the archetype ``background``. Where a campaign recruited an account of a simulated
        world, ``archetype`` is its part in the campaign and ``life`` what it is otherwise. ``coordinated`` is
        true where one operator gave the orders (farms, chat rings, framers); a brand matrix is coordinated
        too, and legitimate. ``mechanism`` tells how an automated account of a simulated world works:
        ``scheduler`` (by the clock), ``reactor`` (answers in seconds) or ``humanlike`` (a day's rhythm,
        answers when it looks in).
    planted
        One row a planted event, not written to disk: which campaign, which of its objects (a number
        within the campaign), the operator's order time (null where there was none), and the role:
        ``campaign``, ``camouflage`` or ``organic``.
    """

    events: pa.Table
    accounts: pa.Table
    labels: pa.Table
    truth: pa.Table
    planted: pa.Table


def conform_events(table: pa.Table) -> pa.Table:
    """The table with exactly the columns and types of ``EVENT_SCHEMA``.

    Extra columns are dropped, missing optional ones are filled with null. A ``timestamp`` column is taken
    where ``timestamp_us`` is missing. Missing event ids become ``b`` and the row number.

    Raises
    ------
    GraphscanError
        Exit 3 if a required column is missing or holds nulls.
    """
    columns: list[pa.ChunkedArray | pa.Array] = []
    n = table.num_rows
    for field in EVENT_SCHEMA:
        name = field.name
        if name in table.column_names:
            column = table.column(name)
        elif name == "timestamp_us" and "timestamp" in table.column_names:
            column = table.column("timestamp").cast(pa.timestamp("us", tz="UTC")).cast(pa.int64())
        elif name == "event_id":
            column = pa.array([f"b{i:09d}" for i in range(n)], pa.string())
        elif field.nullable:
            column = pa.nulls(n, field.type)
        else:
            raise GraphscanError(
                f"the background has no column {name!r}",
                f"columns found: {', '.join(table.column_names)}",
                "give the events in the native layout: account_id, action, object_id, timestamp",
                EXIT_INPUT,
            )
        if not field.nullable and column.null_count:
            raise GraphscanError(
                f"the background has {column.null_count} rows without {name}",
                f"column {name}",
                "remove these rows first; a sweep of the file lists them in rejects.ndjson",
                EXIT_INPUT,
            )
        columns.append(column.cast(field.type))
    return pa.table(columns, schema=EVENT_SCHEMA)


def canonical_events(table: pa.Table, keep: NDArray[np.bool_] | None = None) -> pa.Table:
    """The events ordered by ``timestamp_us, event_id``; only those of the mask ``keep`` if there is one."""
    times = table.column("timestamp_us").to_numpy()
    order: NDArray[np.int64] = np.argsort(times, kind="stable")
    was_ordered = bool((times[1:] >= times[:-1]).all())
    ordered = times[order]
    tied = np.zeros(len(order), dtype=bool)
    same = ordered[1:] == ordered[:-1]
    tied[1:] |= same
    tied[:-1] |= same
    if tied.any():
        # Only rows that share an instant need their ids compared.
        places = np.flatnonzero(tied)
        rows = order[places]
        ids = np.array(table.column("event_id").take(pa.array(rows)).to_pylist(), dtype=object)
        inner = sorted(range(len(rows)), key=lambda i: (ordered[places[i]], ids[i]))
        was_ordered &= inner == list(range(len(inner)))
        order[places] = rows[np.array(inner, dtype=np.int64)]
    if keep is not None:
        order = order[keep[order]]
    elif was_ordered:
        return table.combine_chunks()
    return table.take(pa.array(order)).combine_chunks()


def write_world(world: World, out_dir: Path | str) -> None:
    """Write ``events.parquet``, ``accounts.csv``, ``labels.csv`` and ``truth.csv``, byte-deterministically.

    Raises
    ------
    GraphscanError
        Exit 73 if the folder exists and is not empty, or cannot be written.
    """
    import pyarrow.parquet as pq

    out = Path(out_dir)
    try:
        if out.exists() and (not out.is_dir() or any(out.iterdir())):
            raise GraphscanError(
                "the output folder is not empty",
                str(out),
                "name a folder that does not exist yet, or empty it first",
                EXIT_CANNOT_WRITE,
            )
        out.mkdir(parents=True, exist_ok=True)
        pq.write_table(
            native_events(world.events), out / "events.parquet", compression="zstd", row_group_size=262_144
        )
        for name, table in (("accounts", world.accounts), ("labels", world.labels), ("truth", world.truth)):
            _write_csv(table, out / f"{name}.csv")
    except OSError as error:
        raise GraphscanError(
            f"the world cannot be written: {error.strerror or error}",
            str(out),
            "check the path, the permissions and the free space",
            EXIT_CANNOT_WRITE,
        ) from error


def native_events(events: pa.Table) -> pa.Table:
    """The events with the native column ``timestamp`` (microseconds, UTC) instead of ``timestamp_us``."""
    place = events.schema.get_field_index("timestamp_us")
    times = events.column("timestamp_us").cast(pa.timestamp("us", tz="UTC"))
    return events.set_column(place, pa.field("timestamp", times.type, nullable=False), times)


def _write_csv(table: pa.Table, path: Path) -> None:
    import csv

    columns = []
    for field in table.schema:
        column = table.column(field.name)
        if pa.types.is_timestamp(field.type):
            column = pc.strftime(column, format="%Y-%m-%dT%H:%M:%SZ")
            # Arrow prints the fraction of a second with its seconds: six digits, as everywhere.
        elif pa.types.is_boolean(field.type):
            column = pc.if_else(column, "true", "false")
        columns.append(["" if value is None else value for value in column.to_pylist()])
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(table.column_names)
        writer.writerows(zip(*columns, strict=True))


def world_of(
    events: pa.Table,
    accounts: pa.Table,
    labels: pa.Table,
    truth: pa.Table,
    planted: pa.Table,
    keep: NDArray[np.bool_] | None = None,
) -> World:
    """A world with every table in its canonical order, with the events of the mask ``keep``.

    Raises
    ------
    GraphscanError
        Exit 1 if two events carry one id, which only a fault of the simulator can cause.
    """
    if pc.count_distinct(events.column("event_id")).as_py() != events.num_rows:
        raise GraphscanError("two simulated events have one id", "", "report this as a fault", 1)
    by_id = [("account_id", "ascending")]
    return World(
        events=canonical_events(events, keep),
        accounts=accounts.sort_by(by_id).combine_chunks(),
        labels=labels.sort_by(by_id).combine_chunks(),
        truth=truth.sort_by(by_id).combine_chunks(),
        planted=planted.sort_by([("timestamp_us", "ascending"), ("event_id", "ascending")]).combine_chunks(),
    )
