"""Labels files."""

from __future__ import annotations

from pathlib import Path

import pytest

from graphscan.errors import EXIT_INPUT, EXIT_USAGE, GraphscanError
from graphscan.verdicts.labels import read_labels


def written(tmp_path: Path, text: str) -> Path:
    path = tmp_path / "labels.csv"
    path.write_bytes(text.encode())
    return path


def test_aliases_and_other_labels(tmp_path: Path) -> None:
    labels = read_labels(
        written(
            tmp_path,
            "account_id,label,campaign_id\n007,bot,c1\n1e5,ai_agent,\nNA,human,\n-,shared,\nx,uncertain,\n",
        )
    )
    assert labels.label_of == {"007": "automated", "1e5": "ai_managed", "NA": "human"}
    assert labels.campaign_of == {"007": "c1"}
    assert labels.left_out == {"shared": 1, "uncertain": 1}


def test_a_byte_order_mark_and_further_columns(tmp_path: Path) -> None:
    assert read_labels(written(tmp_path, "\ufefflabel,n,account_id\nhuman,3,a\n")).label_of == {"a": "human"}


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("account,label\na,human\n", EXIT_USAGE),
        ("", EXIT_USAGE),
        ("account_id,label\na,human\na,bot\n", EXIT_INPUT),
        ("account_id,label\n,human\n", EXIT_INPUT),
    ],
)
def test_refusals(tmp_path: Path, text: str, code: int) -> None:
    with pytest.raises(GraphscanError) as caught:
        read_labels(written(tmp_path, text))
    assert caught.value.exit_code == code
    assert "labels.csv" in caught.value.where


def test_a_missing_file(tmp_path: Path) -> None:
    with pytest.raises(GraphscanError) as caught:
        read_labels(tmp_path / "none.csv")
    assert caught.value.exit_code == EXIT_USAGE
