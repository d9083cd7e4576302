"""The README's console blocks do what they show, line by line."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
README = ROOT / "README.md"

# A line every 30 seconds on a slow machine; a reader at a terminal sees a bar instead.
PROGRESS = re.compile(r".*: ([\d,]+( of [\d,]+)? rows, [\d,]+ a second.*|[\d,]+ s so far)")


@dataclass(frozen=True)
class Step:
    """A command of a console block and what the block shows after it."""

    command: str
    shown: list[str]


def steps(text: str) -> list[Step]:
    """The commands of all console blocks, in order; ``> `` continues a command, as in a shell."""
    found: list[Step] = []
    for block in re.findall(r"^```console\n(.*?)^```", text, flags=re.MULTILINE | re.DOTALL):
        for line in block.splitlines():
            if line.startswith("$ "):
                found.append(Step(line[2:], []))
            elif line.startswith("> ") and not found[-1].shown:
                found[-1] = Step(found[-1].command + "\n" + line[2:], [])
            else:
                found[-1].shown.append(line)
    return found


def matches(shown: list[str], printed: list[str]) -> bool:
    """Whether the lines are the same; a line ``...`` stands for any number of lines."""
    pattern = "".join(
        "(?:.*\n)*?" if line.strip() == "..." else re.escape(line.rstrip()) + "\n" for line in shown
    )
    return re.fullmatch(pattern, "".join(line.rstrip() + "\n" for line in printed)) is not None


def test_the_readme_shows_what_happens(tmp_path: Path) -> None:
    env = {name: value for name, value in os.environ.items() if not name.startswith("GRAPHSCAN_")}
    env |= {
        "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
        "HOME": str(tmp_path / "home"),
        "NO_COLOR": "1",
        "COLUMNS": "80",
    }
    env.pop("FORCE_COLOR", None)
    work = tmp_path / "work"
    work.mkdir()
    todo = steps(README.read_text(encoding="utf-8"))
    assert len(todo) >= 5
    for step in todo:
        done = subprocess.run(
            ["bash", "-c", step.command],
            cwd=work,
            env=env,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            encoding="utf-8",
            timeout=240,
            check=False,
        )
        printed = [line for line in done.stdout.splitlines() if not PROGRESS.fullmatch(line)]
        assert done.returncode == 0, (step.command, printed)
        assert matches(step.shown, printed), "\n".join(["$ " + step.command, *printed])


@pytest.mark.parametrize(
    ("shown", "printed", "same"),
    [
        (["a", "b"], ["a", "b"], True),
        (["a", "..."], ["a", "b", "c"], True),
        (["a", "...", "c"], ["a", "b", "c"], True),
        (["a"], ["a", "b"], False),
        (["a", "...", "d"], ["a", "b", "c"], False),
        ([], [], True),
    ],
)
def test_the_comparison_itself(shown: list[str], printed: list[str], same: bool) -> None:
    assert matches(shown, printed) is same


def test_links_of_the_readme_lead_somewhere() -> None:
    for link in re.findall(r"\]\(([^)#]+)(?:#[^)]*)?\)", README.read_text(encoding="utf-8")):
        if not link.startswith(("http://", "https://", "mailto:")):
            assert (ROOT / link).exists(), link
