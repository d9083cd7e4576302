"""Whole processes measured from outside: wall, CPU and peak memory, in alternating runs, as Markdown."""

from __future__ import annotations

import os
import platform
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from graphscan.entropy import monotonic_s


@dataclass(frozen=True)
class Run:
    """One process, start to end.

    Parameters
    ----------
    wall_s
        Seconds from start to exit.
    cpu_s
        User and system seconds, with the processes it waited for.
    peak_mb
        Largest resident set of the process, or of the largest process it waited for, in 10^6 bytes.
    """

    wall_s: float
    cpu_s: float
    peak_mb: float


class FailedRunError(RuntimeError):
    """A measured command that did not exit with 0."""


def measured(command: Sequence[str], env: Mapping[str, str] | None = None) -> Run:
    """Run a command and measure it.

    Raises
    ------
    FailedRunError
        With the command's own words, if it fails.
    """
    with tempfile.TemporaryFile() as words:
        start_s = monotonic_s()
        process = subprocess.Popen(
            list(command),
            stdin=subprocess.DEVNULL,
            stdout=words,
            stderr=words,
            env={**os.environ, **(env or {})},
        )
        _, status, usage = os.wait4(process.pid, 0)
        wall_s = monotonic_s() - start_s
        process.returncode = os.waitstatus_to_exitcode(status)
        if process.returncode:
            words.seek(0)
            said = words.read().decode(errors="replace")[-2_000:]
            raise FailedRunError(f"{' '.join(command)} ended with {process.returncode}:\n{said}")
    return Run(wall_s, usage.ru_utime + usage.ru_stime, usage.ru_maxrss * 1_024 / 1e6)


def alternating(contenders: Mapping[str, Callable[[], Run]], rounds: int) -> dict[str, list[Run]]:
    """All contenders once, then all again: a slow spell of a shared machine hits each alike."""
    runs: dict[str, list[Run]] = {name: [] for name in contenders}
    for _ in range(rounds):
        for name, contender in contenders.items():
            runs[name].append(contender())
    return runs


def median(runs: Sequence[Run]) -> Run:
    """Each figure's own median."""
    return Run(
        *(statistics.median(getattr(run, name) for run in runs) for name in ("wall_s", "cpu_s", "peak_mb"))
    )


def ratio(runs: Sequence[Run], base: Sequence[Run], figure: str) -> float:
    """Median over rounds of the ratio of two contenders within the same round."""
    pairs = zip(runs, base, strict=True)
    return statistics.median(getattr(run, figure) / getattr(other, figure) for run, other in pairs)


def markdown_table(header: Sequence[str], rows: Sequence[Sequence[object]]) -> str:
    """A table that reads well as text too."""
    cells = [[str(cell) for cell in row] for row in (header, *rows)]
    widths = [max(len(row[k]) for row in cells) for k in range(len(header))]
    lines = [
        "| " + " | ".join(cell.ljust(w) for cell, w in zip(row, widths, strict=True)) + " |" for row in cells
    ]
    lines.insert(1, "|" + "|".join("-" * (w + 2) for w in widths) + "|")
    return "\n".join(lines)


def machine() -> str:
    """One line of what the figures hang on: processor, cores, memory, versions."""
    model = platform.processor() or platform.machine()
    cpuinfo = Path("/proc/cpuinfo")
    if cpuinfo.exists():
        names = [
            line.split(":", 1)[1].strip() for line in cpuinfo.read_text().splitlines() if "model name" in line
        ]
        model = names[0] if names else model
    memory_gb = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 1e9
    packages = ", ".join(
        f"{name} {_version(name)}" for name in ("numpy", "pyarrow", "duckdb", "coordination-network-toolkit")
    )
    return (
        f"{model}, {os.cpu_count()} cores, {memory_gb:.0f} GB; {platform.system()} {platform.release()}; "
        f"Python {platform.python_version()}, {packages}"
    )


def _version(package: str) -> str:
    try:
        return version(package)
    except PackageNotFoundError:
        return "missing"


def python(*args: object) -> list[str]:
    """A command line for this interpreter."""
    return [sys.executable, *map(str, args)]
