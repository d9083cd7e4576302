"""What all tests share: bounded threads, the data folder, and the command line as a process."""

from __future__ import annotations

import os

# Before numpy is imported anywhere: workers that each start a thread a core only wait for one another.
for _name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "ARROW_NUM_THREADS"):
    os.environ.setdefault(_name, "1")

import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import pytest
from hypothesis import settings

IN_CI = os.environ.get("CI", "").lower() in ("1", "true", "yes")
ROOT = Path(__file__).resolve().parents[1]

# The same examples each time in CI, fresh ones elsewhere; a failure prints what reproduces it.
settings.register_profile("graphscan", deadline=None, derandomize=IN_CI, print_blob=True)
settings.load_profile("graphscan")

RunCli = Callable[..., "subprocess.CompletedProcess[str]"]


@pytest.fixture(scope="session")
def data_dir() -> Path:
    """The folder with the real data sets: ``GRAPHSCAN_DATA``, else ``../shared/data`` beside the project."""
    path = Path(os.environ.get("GRAPHSCAN_DATA") or ROOT / "../shared/data").resolve()
    if not path.is_dir():
        message = f"the real data sets are not at {path}; set GRAPHSCAN_DATA to their folder"
        if IN_CI:
            pytest.fail(message)
        pytest.skip(message)
    return path


@pytest.fixture
def run_cli(tmp_path: Path) -> RunCli:
    """Run ``graphscan ARGS`` as a process of its own, in a folder and with a home of its own.

    No setting of the developer's own machine reaches it. Keyword arguments: ``env`` (added), ``cwd``,
    ``stdin`` (text), ``timeout_s``.
    """
    home = tmp_path / "home"
    home.mkdir(exist_ok=True)

    def run(
        *args: object,
        env: Mapping[str, str] | None = None,
        cwd: Path | None = None,
        stdin: str | None = None,
        timeout_s: float = 120.0,
    ) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-m", "graphscan", *map(str, args)],
            env={**clean_environment(home), **(env or {})},
            cwd=cwd or tmp_path,
            input=stdin if stdin is not None else "",
            capture_output=True,
            encoding="utf-8",
            errors="surrogateescape",
            timeout=timeout_s,
            check=False,
        )

    return run


@pytest.fixture
def run_here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]) -> RunCli:
    """As ``run_cli``, but inside the test's own process, which is quicker and tells as much of a command.

    Keyword arguments: ``env`` (added), ``cwd``.
    """
    from graphscan.cli.process import run as run_command_line

    home = tmp_path / "home"
    home.mkdir(exist_ok=True)

    def run(
        *args: object, env: Mapping[str, str] | None = None, cwd: Path | None = None
    ) -> subprocess.CompletedProcess[str]:
        words = [str(arg) for arg in args]
        with monkeypatch.context() as patch:
            kept = clean_environment(home)
            for name in set(os.environ) - set(kept):
                patch.delenv(name)
            for name, value in {**kept, **(env or {})}.items():
                patch.setenv(name, value)
            patch.chdir(cwd or tmp_path)
            capfd.readouterr()
            code = run_command_line(words)
            captured = capfd.readouterr()
        return subprocess.CompletedProcess(words, code, captured.out, captured.err)

    return run


def clean_environment(home: Path, drop: Sequence[str] = ()) -> dict[str, str]:
    """This process's environment without anything that steers graphscan or its output."""
    steering = ("XDG_CONFIG_HOME", "NO_COLOR", "FORCE_COLOR", "COLUMNS", "TERM", *drop)
    kept = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith("GRAPHSCAN_") and name not in steering
    }
    return {**kept, "HOME": str(home)}
