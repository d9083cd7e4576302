#!/usr/bin/env python3
"""A Neo4j Community server for machines without Docker, made from Maven artifacts.

``server.py start`` returns when queries work, and does nothing when the server already answers;
``server.py stop`` ends only the server that this script started; ``server.py env`` prints the lines for
``eval "$(make -s neo4j-env)"``. Needs a JDK (17 or newer), Maven and Python 3.11, nothing else. The server
listens on loopback only and asks for a password, which is made at the first start and kept in a file of its
owner.

The tests use the same functions for a server in a temporary home.
"""

from __future__ import annotations

import argparse
import base64
import contextlib
import json
import os
import secrets
import shlex
import shutil
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

HERE = Path(__file__).resolve().parent
REPOSITORY = HERE.parents[1]
USERNAME = "neo4j"
READY_WITHIN_S = 120
STOPPED_WITHIN_S = 60
JVM_OPENS = tuple(
    f"--add-opens=java.base/{package}=ALL-UNNAMED"
    for package in ("java.nio", "java.io", "sun.nio.ch", "java.lang", "java.util.concurrent")
)


class ServerError(Exception):
    """What went wrong and how to mend it, in one or two lines."""


@dataclass(frozen=True)
class Server:
    """One server home: data, configuration, libraries, password and process id.

    Attributes
    ----------
    home
        The folder that everything is kept in.
    lib
        The folder of the jar files; several homes may share it.
    """

    home: Path
    lib: Path

    @property
    def state_path(self) -> Path:
        return self.home / "server.json"

    @property
    def password_path(self) -> Path:
        return self.home / "password"

    @property
    def log_path(self) -> Path:
        return self.home / "console.log"

    @property
    def password(self) -> str:
        return self.password_path.read_text().strip()

    def state(self) -> dict[str, int]:
        """Process id and ports of the last start, or an empty mapping."""
        try:
            return dict(json.loads(self.state_path.read_text()))
        except (FileNotFoundError, json.JSONDecodeError):
            return {}

    @property
    def bolt_uri(self) -> str:
        return f"bolt://127.0.0.1:{self.state()['bolt_port']}"

    @property
    def http_url(self) -> str:
        return f"http://127.0.0.1:{self.state()['http_port']}"


def default_server() -> Server:
    """The server of `make neo4j`: in the folder NEO4J_HOME_DIR, else ``.neo4j`` of the repository."""
    home = Path(os.environ.get("NEO4J_HOME_DIR") or REPOSITORY / ".neo4j")
    return Server(home, default_lib())


def default_lib() -> Path:
    """Where the jar files are kept: NEO4J_LIB_DIR, else ``.neo4j/lib`` of the repository."""
    return Path(os.environ.get("NEO4J_LIB_DIR") or REPOSITORY / ".neo4j" / "lib")


def say(text: str) -> None:
    sys.stderr.write(f"{text}\n")
    sys.stderr.flush()


# --------------------------------------------------------------------------------------------- libraries


def fetch_libraries(lib: Path) -> None:
    """Copy the jar files of pom.xml with Maven (140 MB, once); a broken copy is done again."""
    with _locked(lib.parent / f"{lib.name}.lock"):
        _fetch_libraries(lib)


def _fetch_libraries(lib: Path) -> None:
    stamp = lib / ".complete"
    pom = HERE / "pom.xml"
    if stamp.exists() and stamp.read_text() == pom.read_text():
        return
    for program, package in (
        ("java", "a JDK 17 (Debian: openjdk-17-jdk-headless)"),
        ("mvn", "Maven (maven)"),
    ):
        if shutil.which(program) is None:
            raise ServerError(
                f"`{program}` is not installed.\nInstall {package}, or use Docker: docker compose up -d"
            )
    say("neo4j: fetching the server libraries with Maven (140 MB, once) ...")
    shutil.rmtree(lib, ignore_errors=True)
    lib.mkdir(parents=True)
    command = ["mvn", "-q", "-B", "-f", str(pom), "dependency:copy-dependencies"]
    command += [f"-DoutputDirectory={lib.resolve()}", "-DincludeScope=runtime"]
    done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False)
    if done.returncode:
        tail = "\n".join(done.stdout.strip().splitlines()[-5:])
        raise ServerError(f"Maven could not fetch the server libraries:\n{tail}")
    stamp.write_text(pom.read_text())


# ------------------------------------------------------------------------------------------ configuration


def free_port(preferred: int | None = None) -> int:
    """A free loopback port: the preferred one if nobody listens there."""
    for port in (preferred, 0):
        if port is None:
            continue
        with socket.socket() as probe, contextlib.suppress(OSError):
            probe.bind(("127.0.0.1", port))
            return int(probe.getsockname()[1])
    raise ServerError("no free loopback port")


def write_configuration(server: Server, bolt_port: int, http_port: int) -> None:
    """Write neo4j.conf: loopback, a password, small logs, guides from loopback allowed in the Browser."""
    conf = server.home / "conf"
    conf.mkdir(parents=True, exist_ok=True)
    lines = {
        "server.default_listen_address": "127.0.0.1",
        "server.bolt.listen_address": f"127.0.0.1:{bolt_port}",
        "server.bolt.advertised_address": f"127.0.0.1:{bolt_port}",
        "server.http.listen_address": f"127.0.0.1:{http_port}",
        "server.http.advertised_address": f"127.0.0.1:{http_port}",
        "server.https.enabled": "false",
        "dbms.security.auth_enabled": "true",
        "server.memory.pagecache.size": os.environ.get("NEO4J_PAGECACHE", "512m"),
        # Preallocated logs would take half a gigabyte of an empty home.
        "db.tx_log.preallocate": "false",
        "db.tx_log.rotation.retention_policy": "200M size",
        "dbms.usage_report.enabled": "false",
        "browser.remote_content_hostname_whitelist": "127.0.0.1,localhost",
    }
    text = "".join(f"{key}={value}\n" for key, value in lines.items())
    (conf / "neo4j.conf").write_text("# Written by deploy/neo4j/server.py at each start.\n" + text)


def _class_path(server: Server) -> str:
    return str(server.lib.resolve() / "*")


def _java_environment(server: Server) -> dict[str, str]:
    return {**os.environ, "NEO4J_HOME": str(server.home), "NEO4J_CONF": str(server.home / "conf")}


def admin_command(server: Server, *arguments: str, heap: str = "1g") -> list[str]:
    """The command line that runs `neo4j-admin ARGUMENTS` on this home (the server must be stopped)."""
    return [
        "java",
        f"-Xmx{heap}",
        "-cp",
        _class_path(server),
        *JVM_OPENS,
        "org.neo4j.cli.AdminTool",
        *arguments,
    ]


def run_admin(server: Server, *arguments: str, heap: str = "1g") -> str:
    """Run `neo4j-admin ARGUMENTS` and return what it printed."""
    done = subprocess.run(
        admin_command(server, *arguments, heap=heap),
        env=_java_environment(server),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    if done.returncode:
        raise ServerError(f"neo4j-admin {' '.join(arguments[:3])} failed:\n{done.stdout.strip()}")
    return done.stdout


# ---------------------------------------------------------------------------------------------- life


def is_ours(server: Server) -> bool:
    """Whether the recorded process lives and is the server of this home (a process id can be reused)."""
    pid = server.state().get("pid")
    if not pid:
        return False
    shown = subprocess.run(
        ["ps", "-ww", "-o", "stat=,args=", "-p", str(pid)], capture_output=True, text=True, check=False
    )
    line = shown.stdout.strip()
    return bool(line) and not line.startswith("Z") and f"--home-dir={server.home}" in line


def answers(server: Server) -> bool:
    """Whether a query with the password of this home works."""
    token = base64.b64encode(f"{USERNAME}:{server.password}".encode()).decode()
    body = json.dumps({"statements": [{"statement": "RETURN 1"}]}).encode()
    request = urllib.request.Request(
        f"{server.http_url}/db/neo4j/tx/commit",
        data=body,
        headers={"Authorization": f"Basic {token}", "Content-Type": "application/json"},
    )
    try:
        with urllib.request.urlopen(request, timeout=10) as answer:
            return json.load(answer).get("errors") == []
    except (OSError, urllib.error.URLError, ValueError, KeyError):
        return False


def _one_starter(server: Server) -> contextlib.AbstractContextManager[None]:
    """Two starts at once would corrupt each other's files: the second waits."""
    return _locked(server.home / "start.lock")


@contextlib.contextmanager
def _locked(path: Path) -> Iterator[None]:
    import fcntl

    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def start(
    server: Server, *, bolt_port: int | None = None, http_port: int | None = None, heap: str = "1g"
) -> bool:
    """Start the server and wait until queries work; False if it was already running.

    Ports: as given, else those of the last start, else 7687 and 7474, each replaced if taken by others.
    """
    with _one_starter(server):
        if is_ours(server):
            if _wait_until_ready(server):
                return False
            stop(server)
        last = server.state()
        bolt = bolt_port or free_port(last.get("bolt_port", 7687))
        http = http_port or free_port(last.get("http_port", 7474))
        prepare(server, bolt, http)
        process = launch(server, bolt, http, heap)
        # Right after the fork the process still has the name of this script, so its own handle is asked.
        if not _wait_until_ready(server, lambda: process.poll() is None):
            tail = "\n".join(server.log_path.read_text(errors="replace").splitlines()[-5:])
            raise ServerError(
                f"the server did not answer within {READY_WITHIN_S} s.\n{tail}\n"
                f"See {server.log_path} and {server.home}/logs"
            )
        return True


def prepare(server: Server, bolt_port: int, http_port: int) -> None:
    """Everything but the process: libraries, configuration and, the first time, a password."""
    fetch_libraries(server.lib)
    write_configuration(server, bolt_port, http_port)
    if not server.password_path.exists():
        password = secrets.token_urlsafe(16).lstrip("-")
        run_admin(server, "dbms", "set-initial-password", password)
        descriptor = os.open(server.password_path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        with os.fdopen(descriptor, "w") as file:
            file.write(password + "\n")


def launch(server: Server, bolt_port: int, http_port: int, heap: str = "1g") -> subprocess.Popen[bytes]:
    """Start the server process in a session of its own, without waiting."""
    command = ["java", f"-Xms{heap}", f"-Xmx{heap}", "-XX:+UseG1GC", "-XX:+ExitOnOutOfMemoryError"]
    command += ["-cp", _class_path(server), *JVM_OPENS, "org.neo4j.server.CommunityEntryPoint"]
    command += [f"--home-dir={server.home}", f"--config-dir={server.home / 'conf'}"]
    with server.log_path.open("ab") as log:
        process = subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            env=_java_environment(server),
            start_new_session=True,
        )
    state = {"pid": process.pid, "bolt_port": bolt_port, "http_port": http_port}
    server.state_path.write_text(json.dumps(state))
    return process


def _wait_until_ready(server: Server, alive: Callable[[], bool] | None = None) -> bool:
    until = time.monotonic() + READY_WITHIN_S
    while time.monotonic() < until:
        if answers(server):
            return True
        if not (alive() if alive else is_ours(server)):
            return False
        time.sleep(0.25)
    return False


def stop(server: Server) -> bool:
    """End the server of this home and wait for it; False if it did not run."""
    if not is_ours(server):
        return False
    pid = server.state()["pid"]
    os.kill(pid, signal.SIGTERM)
    until = time.monotonic() + STOPPED_WITHIN_S
    while is_ours(server):
        if time.monotonic() > until:
            os.kill(pid, signal.SIGKILL)
            until = float("inf")
        time.sleep(0.1)
        with contextlib.suppress(ChildProcessError):
            os.waitpid(pid, os.WNOHANG)
    return True


def bulk_import(server: Server, folder: Path, *, overwrite: bool, heap: str = "1g") -> None:
    """Replace the database by the files that `graphscan graph load --bulk FOLDER` wrote; server stopped.

    Raises
    ------
    ServerError
        The folder holds no such files, or the import failed; the database is then as neo4j-admin left it.
    """
    arguments = folder / "import.args"
    if not arguments.is_file():
        raise ServerError(
            f"{folder} holds no import.args.\nMake it: graphscan graph load --bulk {folder} EVENTS"
        )
    if is_ours(server):
        raise ServerError("the server is running.\nStop it: make neo4j-stop")
    options = ["--overwrite-destination"] if overwrite else []
    for line in arguments.read_text(encoding="utf-8").splitlines():
        head, equals, tail = line.partition("=")
        if head in ("--nodes", "--relationships"):
            label, _, name = tail.partition("=")
            line = f"{head}={label}={folder.resolve() / name}"
        options.append(line if equals else head)
    run_admin(server, "database", "import", "full", "neo4j", *options, heap=heap)


def environment_lines(server: Server) -> str:
    """The `export` lines that point graphscan at this server."""
    values = {
        "NEO4J_URI": server.bolt_uri,
        "NEO4J_USERNAME": USERNAME,
        "NEO4J_PASSWORD": server.password,
    }
    return "\n".join(f"export {name}={_quoted(value)}" for name, value in values.items())


def _quoted(value: str) -> str:
    text = shlex.quote(value)
    return text if text.startswith("'") else f"'{text}'"


# ---------------------------------------------------------------------------------------------- command


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n", maxsplit=1)[0])
    parser.add_argument("command", choices=("start", "stop", "env", "status", "import"))
    parser.add_argument("folder", nargs="?", type=Path, help="for import: what `graph load --bulk` wrote")
    parser.add_argument("--overwrite", action="store_true", help="for import: replace a database with data")
    chosen = parser.parse_args(arguments)
    command = chosen.command
    server = default_server()
    try:
        if command == "start":
            fresh = start(server)
            say(
                f"neo4j: {'started' if fresh else 'already running'}: {server.bolt_uri}, "
                f"Browser at {server.http_url}/browser/"
            )
            say('neo4j: next: eval "$(make -s neo4j-env)"')
        elif command == "import":
            if chosen.folder is None:
                raise ServerError("name the folder that `graphscan graph load --bulk` wrote")
            prepare(server, server.state().get("bolt_port", 7687), server.state().get("http_port", 7474))
            bulk_import(server, chosen.folder, overwrite=chosen.overwrite)
            say("neo4j: imported; next: make neo4j")
        elif command == "stop":
            say("neo4j: stopped" if stop(server) else "neo4j: was not running")
        elif not is_ours(server):
            raise ServerError("the server is not running.\nStart it: make neo4j")
        elif command == "env":
            sys.stdout.write(environment_lines(server) + "\n")
        else:
            sys.stdout.write("ready\n" if answers(server) else "starting\n")
    except ServerError as error:
        say(f"neo4j: {error}")
        return 75
    return 0


if __name__ == "__main__":
    sys.exit(main())
