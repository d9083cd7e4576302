"""The one error: its three lines, and that each exit code has one meaning."""

from __future__ import annotations

from graphscan import errors
from graphscan.errors import EXIT_INPUT, EXIT_USAGE, GraphscanError


def test_text_is_what_where_mend_one_a_line() -> None:
    error = GraphscanError("bad time", "events.csv:7, column timestamp", "write ISO-8601", EXIT_INPUT)
    assert str(error).splitlines() == ["bad time", "events.csv:7, column timestamp", "write ISO-8601"]
    assert error.exit_code == EXIT_INPUT


def test_lines_that_are_missing_leave_no_blank_line() -> None:
    assert str(GraphscanError("bad time", mend="write ISO-8601")) == "bad time\nwrite ISO-8601"


def test_usage_is_the_code_where_none_is_given() -> None:
    assert GraphscanError("x").exit_code == EXIT_USAGE


def test_every_exit_code_has_one_name() -> None:
    codes = [value for name, value in vars(errors).items() if name.startswith("EXIT_")]
    assert len(codes) == len(set(codes))
    assert set(codes) <= {0, 1, 2, 3, 4, 10, 73, 75, 130}
