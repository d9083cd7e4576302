"""The page of the run folder names every table and column."""

from __future__ import annotations

from pathlib import Path

import pyarrow as pa
import pytest

from graphscan.clusters.tables import (
    CLUSTER_SCHEMA,
    EVIDENCE_SCHEMA,
    EXPLANATION_SCHEMA,
    MEMBER_SCHEMA,
    SWEEP_EDGE_SCHEMA,
    TEST_SCHEMA,
)
from graphscan.verdicts.frames import ACCOUNT_SCHEMA
from graphscan.verdicts.frames import EXPLANATION_SCHEMA as REASON_SCHEMA

PAGE = (Path(__file__).resolve().parents[2] / "docs/reference/run-folder.md").read_text(encoding="utf-8")
TABLES = {
    "accounts": ACCOUNT_SCHEMA,
    "clusters": CLUSTER_SCHEMA,
    "cluster_tests": TEST_SCHEMA,
    "members": MEMBER_SCHEMA,
    "edges": SWEEP_EDGE_SCHEMA,
    "evidence": EVIDENCE_SCHEMA,
    "explanations": EXPLANATION_SCHEMA,
    "account_reasons": REASON_SCHEMA,
}


@pytest.mark.parametrize("table", TABLES)
def test_every_column_is_on_the_page(table: str) -> None:
    section = next(part for part in PAGE.split("\n## ") if f"{table}.parquet" in part.split("\n")[0])
    schema: pa.Schema = TABLES[table]
    missing = [
        n for n in schema.names if f"`{n}`" not in section and f"`{n.removesuffix('_z')}`" not in section
    ]
    assert not missing
