"""The Makefile: what `make` says, and what it says where something is missing."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
TARGETS = ("setup", "demo", "test", "check")

pytestmark = pytest.mark.skipif(shutil.which("make") is None, reason="make is not installed")


def make(*args: str, cwd: Path = ROOT) -> subprocess.CompletedProcess[str]:
    env = {name: value for name, value in os.environ.items() if not name.startswith("MAKE")}
    return subprocess.run(["make", *args], cwd=cwd, env=env, capture_output=True, text=True, check=False)


def test_make_alone_lists_the_targets() -> None:
    done = make()
    assert done.returncode == 0, done.stderr
    listed = {line.split()[0] for line in done.stdout.splitlines()[1:]}
    assert set(TARGETS) <= listed
    assert max(map(len, done.stdout.splitlines())) <= 110


def test_every_listed_target_can_be_made() -> None:
    targets = [line.split()[0] for line in make().stdout.splitlines()[1:]]
    done = make("--dry-run", *targets)
    assert done.returncode == 0, done.stderr


def test_without_a_python_one_line_says_so(tmp_path: Path) -> None:
    """In a copy without an environment, with neither uv nor a Python that is new enough."""
    for name in ("Makefile", "pyproject.toml", "uv.lock", "deploy"):
        source = ROOT / name
        if source.is_dir():
            shutil.copytree(source, tmp_path / name)
        elif source.exists():
            shutil.copy(source, tmp_path / name)
    done = make("setup", "UV=", "PYTHON=", cwd=tmp_path)
    assert done.returncode != 0
    said = [line for line in done.stderr.splitlines() if not line.startswith("make")]
    assert len(said) == 1
    assert "Python 3.11 or newer" in said[0]
    assert not (tmp_path / ".venv").exists()
