"""graphscan's own event schema."""

from __future__ import annotations

import pyarrow as pa

from graphscan.events.formats.layout import Converted, TableFormat
from graphscan.events.model import EVENT_COLUMNS, REQUIRED_COLUMNS

OPTIONAL_COLUMNS = tuple(c for c in EVENT_COLUMNS if c not in {*REQUIRED_COLUMNS, "timestamp_us"})


def _as_is(table: pa.Table) -> Converted:
    return Converted(table)


NATIVE = TableFormat(
    name="native",
    title="graphscan events",
    required=REQUIRED_COLUMNS,
    optional=OPTIONAL_COLUMNS,
    convert=_as_is,
)
