"""A real Neo4j server, one for the whole test session, and views of the graph as sets of tuples.

The server is the one that ``NEO4J_URI`` names, which must be empty, else one made from Maven artifacts in a
temporary home on free loopback ports. A server that cannot be had is a failure, never a skip.
"""

from __future__ import annotations

import os
import shutil
import sys
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from graphscan.graphdb.client import Connection, ServerAddress, connect, server_address

ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT / "deploy" / "neo4j"), str(Path(__file__).parent)]

import server as neo4j_server  # noqa: E402  the script of `make neo4j`, which is no package

HEAP = "1g"


# Before xdist reads the groups: two workers would each fetch and start a server.
@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Everything here shares one server, so one worker runs it all."""
    for item in items:
        if Path(__file__).parent in item.path.parents:
            item.add_marker(pytest.mark.neo4j)
            item.add_marker(pytest.mark.xdist_group("neo4j"))


@dataclass(frozen=True)
class TestServer:
    """The server of this session.

    Attributes
    ----------
    environment
        What graphscan reads the address from.
    own
        The server's home, or None if it is somebody else's.
    """

    __test__ = False

    environment: dict[str, str]
    own: neo4j_server.Server | None

    @property
    def address(self) -> ServerAddress:
        return server_address(self.environment)

    @property
    def http_url(self) -> str:
        if self.own is None:
            return os.environ.get("NEO4J_HTTP_URL", "http://127.0.0.1:7474")
        return self.own.http_url


@pytest.fixture(scope="session")
def neo4j_home() -> Iterator[neo4j_server.Server]:
    """A running server in a temporary home of its own."""
    home = Path(tempfile.mkdtemp(prefix="graphscan-neo4j-"))
    server = neo4j_server.Server(home, neo4j_server.default_lib())
    try:
        try:
            neo4j_server.start(
                server, bolt_port=neo4j_server.free_port(), http_port=neo4j_server.free_port(), heap=HEAP
            )
        except neo4j_server.ServerError as error:
            pytest.fail(f"the tests need a Neo4j server: {error}")
        yield server
        # A server that the tests started and cannot end would stay behind unseen.
        assert neo4j_server.stop(server)
    finally:
        neo4j_server.stop(server)
        shutil.rmtree(home, ignore_errors=True)


@pytest.fixture(scope="session")
def neo4j(request: pytest.FixtureRequest) -> TestServer:
    """The server of this session."""
    if os.environ.get("NEO4J_URI"):
        names = ("NEO4J_URI", "NEO4J_USERNAME", "NEO4J_PASSWORD", "NEO4J_PASSWORD_FILE", "NEO4J_DATABASE")
        server = TestServer({name: os.environ[name] for name in names if name in os.environ}, None)
        with connect(server.address) as connection:
            n_nodes = connection.rows("MATCH (n) RETURN count(n) AS n")[0]["n"]
        if n_nodes:
            pytest.fail(f"NEO4J_URI names a database with {n_nodes} nodes; the tests would delete them")
        return server
    own = request.getfixturevalue("neo4j_home")
    environment = {
        "NEO4J_URI": own.bolt_uri,
        "NEO4J_USERNAME": neo4j_server.USERNAME,
        "NEO4J_PASSWORD": own.password,
    }
    return TestServer(environment, own)


def wipe(connection: Connection) -> None:
    """Delete everything: only tests may."""
    connection.write(lambda t: t.run("MATCH ()-[r]->() DELETE r"))
    connection.write(lambda t: t.run("MATCH (n) DELETE n"))


@pytest.fixture
def graph(neo4j: TestServer) -> Iterator[Connection]:
    """A connection to the server with nothing in its database (the schema stays)."""
    with connect(neo4j.address) as connection:
        wipe(connection)
        yield connection


@pytest.fixture
def neo4j_env(neo4j: TestServer, graph: Connection) -> dict[str, str]:
    """The environment for a command, and an empty database."""
    return neo4j.environment


Tuples = Callable[..., set[tuple[Any, ...]]]


@pytest.fixture
def tuples(graph: Connection) -> Tuples:
    """``tuples(cypher, **parameters)``: the rows of a query as a set of tuples, lists as tuples."""

    def view(statement: str, **parameters: Any) -> set[tuple[Any, ...]]:
        rows = graph.rows(statement, **parameters)
        return {tuple(tuple(v) if isinstance(v, list) else v for v in row.values()) for row in rows}

    return view
