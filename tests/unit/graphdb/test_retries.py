"""Which errors of the driver are worth waiting for."""

from __future__ import annotations

import pytest
from neo4j.exceptions import AuthError, IncompleteCommit, ServiceUnavailable

from graphscan.graphdb import client


@pytest.mark.parametrize(
    ("error", "again"),
    [
        (ServiceUnavailable("gone"), True),
        # Nobody knows whether the commit went through; the body gives the same when it is run twice.
        (IncompleteCommit("gone while committing"), True),
        (AuthError("no"), False),
        (ValueError("no"), False),
    ],
)
def test_a_server_that_went_away_is_waited_for(error: Exception, again: bool) -> None:
    assert client._may_come_back(error) is again
