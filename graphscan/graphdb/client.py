"""The one module that talks to Neo4j: where the server is, how to connect, what its errors mean.

The password comes from the environment or from a file, is in no flag, and is in no message.
"""

from __future__ import annotations

import logging
import os
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, Final, Self, TypeVar
from urllib.parse import urlsplit

from graphscan.entropy import monotonic_s
from graphscan.errors import EXIT_INCOMPATIBLE, EXIT_TRY_AGAIN, EXIT_USAGE, GraphscanError
from graphscan.graphdb import cypher

if TYPE_CHECKING:
    from neo4j import Driver, ManagedTransaction

R = TypeVar("R")

# A server that is down must be told of within 10 s; one that goes down in the middle of a load gets time
# to come back.
CONNECT_WITHIN_S: Final = 5.0
COMES_BACK_WITHIN_S: Final = 180.0
OLDEST_MAJOR: Final = 5
# The server's own default: so long it refuses a user after three wrong passwords.
LOGIN_LOCK_S: Final = 5.2
FETCH_ROWS: Final = 5_000

# What the driver logs about retries is no news to a user; a program that wants it sets a handler of its own.
logging.getLogger("neo4j").addHandler(logging.NullHandler())

START_IT: Final = (
    'start one with `make neo4j && eval "$(make -s neo4j-env)"` or `docker compose up -d --wait`'
)


@dataclass(frozen=True)
class ServerAddress:
    """Where the server is and how to log in.

    Attributes
    ----------
    uri
        A bolt or neo4j URI, without a password.
    username
        The user.
    password
        The password, or None for a server that asks for none.
    database
        The database, or None for the user's home database.
    """

    uri: str
    username: str
    password: str | None = field(repr=False)
    database: str | None = None


def server_address(env: Mapping[str, str] | None = None) -> ServerAddress:
    """The server that NEO4J_URI, NEO4J_USERNAME, NEO4J_PASSWORD (or _FILE) and NEO4J_DATABASE name.

    Raises
    ------
    GraphscanError
        Exit code 2: NEO4J_URI is missing or no Neo4j address, or the password file cannot be read.
    """
    env = os.environ if env is None else env
    uri = env.get("NEO4J_URI", "").strip()
    if not uri:
        raise GraphscanError(
            "no Neo4j server is named",
            where="environment variable NEO4J_URI",
            mend=START_IT,
            exit_code=EXIT_USAGE,
        )
    parts = urlsplit(uri)
    schemes = ("bolt", "neo4j")
    if (
        parts.scheme.partition("+")[0] not in schemes
        or not parts.hostname
        or parts.username
        or parts.password
    ):
        raise GraphscanError(
            "NEO4J_URI is not the address of a Neo4j server",
            where="environment variable NEO4J_URI",
            mend="write it like bolt://127.0.0.1:7687; user and password have variables of their own",
            exit_code=EXIT_USAGE,
        )
    return ServerAddress(
        uri=uri,
        username=env.get("NEO4J_USERNAME", "").strip() or "neo4j",
        password=_password(env),
        database=env.get("NEO4J_DATABASE", "").strip() or None,
    )


def _password(env: Mapping[str, str]) -> str | None:
    if env.get("NEO4J_PASSWORD"):
        return env["NEO4J_PASSWORD"]
    path = env.get("NEO4J_PASSWORD_FILE", "")
    if not path:
        return None
    try:
        return Path(path).read_text(encoding="utf-8").rstrip("\r\n")
    except (OSError, UnicodeDecodeError) as error:
        reason = getattr(error, "strerror", None) or "is not text"
        raise GraphscanError(
            f"the password file cannot be read: {reason}",
            where="environment variable NEO4J_PASSWORD_FILE",
            mend="name a file that holds the password and nothing else, or set NEO4J_PASSWORD",
            exit_code=EXIT_USAGE,
        ) from None


@dataclass(frozen=True)
class ServerVersion:
    """What answered: name, version and edition."""

    name: str
    version: str
    edition: str

    @property
    def major(self) -> int:
        """The first number of the version (5, or the year from 2025 on)."""
        head = self.version.partition(".")[0]
        return int(head) if head.isdigit() else 0


class Connection:
    """An open connection to one database. Use it as a context manager.

    Made by :func:`connect`. All writes are managed transactions whose bodies may run twice.
    """

    def __init__(self, driver: Driver, address: ServerAddress, server: ServerVersion) -> None:
        self._driver = driver
        self.address = address
        self.server = server

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close all sockets."""
        self._driver.close()

    def rows(self, statement: str, **parameters: Any) -> list[dict[str, Any]]:
        """The rows of a reading statement, all at once."""

        def body(transaction: ManagedTransaction) -> list[dict[str, Any]]:
            return transaction.run(statement, parameters).data()

        return self._managed(body, writes=False)

    def columns(self, statement: str, **parameters: Any) -> tuple[list[str], Iterator[list[Any]]]:
        """The column names and a lazy iterator over the rows of a reading statement (not retried)."""
        from neo4j import READ_ACCESS

        session = self._driver.session(
            database=self.address.database, default_access_mode=READ_ACCESS, fetch_size=FETCH_ROWS
        )
        try:
            result = session.run(statement, parameters)
            names = list(result.keys())
        except Exception as error:
            session.close()
            raise self._translated(error) from error

        def each() -> Iterator[list[Any]]:
            try:
                with session:
                    for record in result:
                        yield record.values()
            except Exception as error:
                raise self._translated(error) from error

        return names, each()

    def write(self, body: Callable[[Transaction], R], *, on_wait: Callable[[str], None] | None = None) -> R:
        """Run the body in one transaction, again after a deadlock or when the server was away.

        Parameters
        ----------
        body
            Must give the same result when it is run a second time.
        on_wait
            Told in one line when the server has gone and is waited for.
        """
        return self._managed(lambda raw: body(Transaction(raw)), writes=True, on_wait=on_wait)

    def schema(self, *statements: str) -> None:
        """Run statements that change the schema, in one transaction."""

        def body(transaction: ManagedTransaction) -> None:
            for statement in statements:
                transaction.run(statement).consume()

        self._managed(body, writes=True)

    def _managed(
        self,
        body: Callable[[ManagedTransaction], R],
        *,
        writes: bool,
        on_wait: Callable[[str], None] | None = None,
    ) -> R:
        from neo4j.exceptions import DriverError, Neo4jError

        until_s = monotonic_s() + COMES_BACK_WITHIN_S
        told = False
        while True:
            try:
                with self._driver.session(database=self.address.database, fetch_size=FETCH_ROWS) as session:
                    return session.execute_write(body) if writes else session.execute_read(body)
            except (DriverError, Neo4jError) as error:
                if not _may_come_back(error) or monotonic_s() > until_s:
                    raise self._translated(error) from error
            if on_wait is not None and not told:
                on_wait("Neo4j has gone away; waiting for it to come back")
                told = True
            time.sleep(1.0)

    def _translated(self, error: Exception) -> Exception:
        return error if isinstance(error, GraphscanError) else explained(error, self.address)


@dataclass(frozen=True)
class Created:
    """How much one statement made."""

    nodes: int
    relationships: int
    properties: int


class Transaction:
    """What a body of :meth:`Connection.write` works with."""

    def __init__(self, raw: ManagedTransaction) -> None:
        self._raw = raw

    def rows(self, statement: str, **parameters: Any) -> list[dict[str, Any]]:
        """Run a statement and return its rows."""
        return self._raw.run(statement, parameters).data()

    def run(self, statement: str, **parameters: Any) -> Created:
        """Run a statement and return what it made."""
        counters = self._raw.run(statement, parameters).consume().counters
        return Created(counters.nodes_created, counters.relationships_created, counters.properties_set)


class AlreadyThereError(GraphscanError):
    """A uniqueness constraint refused the transaction: something of it is in the graph already."""


def connect(address: ServerAddress | None = None) -> Connection:
    """Connect, log in, and see that the database answers.

    Parameters
    ----------
    address
        The server; default: the one that the environment names.

    Raises
    ------
    GraphscanError
        Exit code 75: nothing answers, or what answers is no Neo4j. Exit code 2: wrong password, wrong
        database, wrong address. Exit code 4: a version older than 5. All within 10 seconds.
    """
    address = address or server_address()
    try:
        driver, parts = _opened(address)
    except GraphscanError as error:
        if not _is_rate_limit(error.__cause__):
            raise
        # Somebody's wrong passwords have locked the user for five seconds; ours may be right.
        time.sleep(LOGIN_LOCK_S)
        driver, parts = _opened(address)
    kernel = next((part for part in parts if part["name"] == "Neo4j Kernel"), None) or parts[0]
    server = ServerVersion(str(kernel["name"]), str(kernel["versions"][0]), str(kernel["edition"]))
    if server.major < OLDEST_MAJOR:
        driver.close()
        raise GraphscanError(
            f"Neo4j {server.version} is too old",
            where=address.uri,
            mend=f"use Neo4j {OLDEST_MAJOR}.26 LTS or newer",
            exit_code=EXIT_INCOMPATIBLE,
        )
    return Connection(driver, address, server)


def _opened(address: ServerAddress) -> tuple[Driver, list[dict[str, Any]]]:
    from neo4j import GraphDatabase, NotificationMinimumSeverity
    from neo4j.exceptions import DriverError, Neo4jError

    auth = None if address.password is None else (address.username, address.password)
    driver = None
    try:
        driver = GraphDatabase.driver(
            address.uri,
            auth=auth,
            connection_timeout=CONNECT_WITHIN_S,
            connection_acquisition_timeout=CONNECT_WITHIN_S + 3.0,
            max_transaction_retry_time=10.0,
            # Deadlocks between two writers settle at once; a second of sleep would cost more than the batch.
            initial_retry_delay=0.1,
            notifications_min_severity=NotificationMinimumSeverity.OFF,
            keep_alive=True,
            user_agent="graphscan",
        )
        driver.verify_connectivity()
        with driver.session(database=address.database) as session:
            return driver, session.run(cypher.server_components()).data()
    except (DriverError, Neo4jError, ValueError, OSError) as error:
        if driver is not None:
            driver.close()
        raise explained(error, address) from error


def _is_rate_limit(error: BaseException | None) -> bool:
    return str(getattr(error, "code", "")).endswith("AuthenticationRateLimit")


def _may_come_back(error: Exception) -> bool:
    """Whether to run the transaction again once the server answers.

    The driver does not where the connection broke during the commit, because it cannot know whether that went
    through. Bodies here give the same when run twice, so it does not matter.
    """
    from neo4j.exceptions import DriverError, IncompleteCommit, Neo4jError

    if isinstance(error, IncompleteCommit):
        return True
    return isinstance(error, DriverError | Neo4jError) and error.is_retryable()


def explained(error: Exception, address: ServerAddress) -> GraphscanError:
    """The driver's error in words that a user can act on; never with the password."""
    from neo4j import exceptions

    code = getattr(error, "code", None) or ""
    text = _first_line(error, address)
    if refused := _refused_login(error, code, text, address):
        return refused
    if code.endswith("ConstraintValidationFailed"):
        return AlreadyThereError(text, where=address.uri, exit_code=EXIT_INCOMPATIBLE)
    if isinstance(error, exceptions.ConfigurationError | ValueError) and not isinstance(error, OSError):
        return GraphscanError(
            f"NEO4J_URI cannot be used: {text}",
            where="environment variable NEO4J_URI",
            mend="write it like bolt://127.0.0.1:7687",
            exit_code=EXIT_USAGE,
        )
    if _may_come_back(error) or isinstance(error, exceptions.DriverError | OSError):
        return GraphscanError(
            "Neo4j cannot be reached" if not code else f"Neo4j cannot serve now: {text}",
            where=address.uri,
            mend=f"check the address and that the server runs, then try again; {START_IT}",
            exit_code=EXIT_TRY_AGAIN,
        )
    return GraphscanError(
        f"Neo4j refused a statement: {text}",
        where=f"{address.uri} {code}".strip(),
        mend="run `graphscan doctor`; it says what does not fit",
        exit_code=EXIT_INCOMPATIBLE,
    )


def _refused_login(error: Exception, code: str, text: str, address: ServerAddress) -> GraphscanError | None:
    """What is wrong with user, password, database or rights, if that is it."""
    from neo4j.exceptions import AuthError

    where = address.uri
    if _is_rate_limit(error):
        what = "Neo4j refuses logins for a moment after too many wrong passwords"
        mend = "wait five seconds, and check NEO4J_USERNAME and NEO4J_PASSWORD"
    elif isinstance(error, AuthError) and address.password is None:
        what = "Neo4j asks for a password"
        mend = "set NEO4J_USERNAME and NEO4J_PASSWORD (or NEO4J_PASSWORD_FILE)"
    elif isinstance(error, AuthError) and not code.endswith("Forbidden"):
        what = f"Neo4j does not accept the password of user {address.username!r}"
        mend = "set NEO4J_USERNAME and NEO4J_PASSWORD (or NEO4J_PASSWORD_FILE)"
    elif code.endswith("DatabaseNotFound"):
        what = f"Neo4j has no database {address.database!r}"
        where = f"{address.uri}, environment variable NEO4J_DATABASE"
        mend = "leave NEO4J_DATABASE unset for the default database (Community has only `neo4j`)"
    elif code.endswith(("Forbidden", "AuthorizationExpired", "CredentialsExpired")):
        what = f"Neo4j does not allow user {address.username!r} to do this: {text}"
        mend = "use a user that may read and write, with a password that has not expired"
    else:
        return None
    return GraphscanError(what, where=where, mend=mend, exit_code=EXIT_USAGE)


def _first_line(error: Exception, address: ServerAddress) -> str:
    text = str(getattr(error, "message", None) or error).strip().split("\n")[0][:300]
    return text.replace(address.password, "***") if address.password else text
