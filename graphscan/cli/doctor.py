"""``graphscan doctor``: can this machine run graphscan?"""

from __future__ import annotations

import os
import platform
import re
import sys
import tempfile
from dataclasses import asdict, dataclass
from importlib import import_module
from importlib.metadata import PackageNotFoundError, requires, version
from pathlib import Path

import click

from graphscan.cli.options import settings_from, settings_options
from graphscan.cli.output import Output, output_options, safe
from graphscan.errors import EXIT_INCOMPATIBLE, GraphscanError

_OLDEST_PYTHON = (3, 11)
# Distributions whose module has another name.
_MODULES = {"scikit-learn": "sklearn"}


@dataclass(frozen=True)
class Check:
    """One thing that was looked at: its state, and how to mend it if it is not well."""

    name: str
    ok: bool
    found: str
    mend: str = ""


def checks(n_threads: int, memory_limit_bytes: int | None) -> list[Check]:
    """Look at Python, the libraries, threads, memory, the store, the temporary folder and Neo4j."""
    return [
        _python(),
        *_libraries(),
        Check("threads", True, f"{n_threads} in use, {os.cpu_count()} processors"),
        _memory(memory_limit_bytes),
        _store(),
        _temporary(),
        _neo4j(),
    ]


def _python() -> Check:
    ok = sys.version_info >= _OLDEST_PYTHON
    return Check("python", ok, platform.python_version(), "" if ok else "install Python 3.11 or newer")


def _libraries() -> list[Check]:
    found: list[Check] = []
    for line in requires("graphscan") or []:
        match = re.match(r"[A-Za-z0-9._-]+", line)
        if match is None or "extra ==" in line:
            continue
        name = match[0]
        try:
            import_module(_MODULES.get(name, name))
            found.append(Check(name, True, version(name)))
        except (ImportError, PackageNotFoundError) as error:
            found.append(Check(name, False, str(error), f"reinstall graphscan, or install {name}"))
    return found


def _memory(limit: int | None) -> Check:
    try:
        total = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    except (ValueError, OSError, AttributeError):
        return Check("memory", True, "unknown on this system")
    if limit is None:
        return Check("memory", True, f"{total / 1e9:.1f} GB, no limit set")
    ok = limit <= total
    mend = "" if ok else "set memory_limit below the machine's memory"
    return Check("memory", ok, f"{total / 1e9:.1f} GB, limit {limit / 1e9:.1f} GB", mend)


def _store() -> Check:
    import duckdb

    try:
        with tempfile.TemporaryDirectory(prefix="graphscan-doctor-") as folder:
            path = Path(folder) / "store.duckdb"
            with duckdb.connect(str(path)) as connection:
                connection.execute("create table probe as select 1 as one")
            with duckdb.connect(str(path), read_only=True) as connection:
                row = connection.execute("select one from probe").fetchone()
    except (OSError, duckdb.Error) as error:
        return Check("store", False, str(error), "choose another TMPDIR, or reinstall duckdb")
    return Check("store", row == (1,), f"DuckDB {duckdb.__version__}, written and read back")


def _temporary() -> Check:
    folder = tempfile.gettempdir()
    status = os.statvfs(folder)
    free = status.f_bavail * status.f_frsize
    ok = free > 1e9
    mend = "" if ok else "free some space, or set TMPDIR to a larger place"
    return Check("temporary folder", ok, f"{folder}, {free / 1e9:.1f} GB free", mend)


def _neo4j() -> Check:
    from graphscan.graphdb.client import connect, server_address
    from graphscan.graphdb.status import graph_status

    if not os.environ.get("NEO4J_URI"):
        return Check("neo4j", True, "no server named in NEO4J_URI; only `graph` and `--neo4j` need one")
    try:
        with connect(server_address()) as connection:
            status = graph_status(connection)
    except GraphscanError as error:
        return Check("neo4j", False, f"{error.what} ({error.where})", error.mend)
    server = status.server
    found = f"{server.version} {server.edition}"
    n_nodes = sum(count.own for count in status.nodes.values())
    if status.missing_schema:
        found += f", {len(status.missing_schema)} constraints and indexes missing: `graph load` makes them"
    return Check("neo4j", True, f"{found}, {n_nodes:,} nodes, newest sweep {status.newest_run_id or 'none'}")


@click.command()
@output_options
@settings_options
def command(out: Output, assignments: tuple[str, ...]) -> None:
    """Check that this machine can run graphscan.

    Looks at Python, the libraries, threads, memory, the embedded store, the temporary folder and, where
    NEO4J_URI names one, the Neo4j server; the exit code is 4 if something must be mended.
    """
    settings = settings_from(assignments).settings
    found = checks(settings.n_threads, settings.memory_limit_bytes)
    bad = [check for check in found if not check.ok]
    if out.as_json and not bad:
        out.result({"ok": True, "checks": [asdict(check) for check in found]})
        return
    if not out.as_json:
        for check in found:
            click.echo(safe(f"{'ok ' if check.ok else 'BAD'}  {check.name:<17} {check.found}"))
    if bad:
        raise GraphscanError(
            "this machine cannot run graphscan as it is",
            where="\n".join(f"{check.name}: {check.found}" for check in bad),
            mend="; ".join(check.mend for check in bad),
            exit_code=EXIT_INCOMPATIBLE,
        )
