"""The console blocks of a page: run them, and compare or rewrite what they show.

``python docs/console.py README.md`` runs every ```` ```console ```` block in a fresh folder, in order, and
puts what was printed into the page; the tests run the same blocks and compare. In a block ``$ `` begins a
command, ``> `` continues it, and a line ``...`` stands for any lines, which are left out on purpose.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

BLOCK: Final = re.compile(r"^```console\n(.*?)^```", flags=re.MULTILINE | re.DOTALL)
# A line every 30 seconds on a slow machine; somebody at a terminal sees a bar instead.
PROGRESS: Final = re.compile(r".*: ([\d,]+( of [\d,]+)? rows, [\d,]+ a second.*|[\d,]+ s so far)")
OMITTED: Final = "..."


@dataclass(frozen=True)
class Step:
    """A command of a console block, as written, and what the block shows after it."""

    lines: tuple[str, ...]
    shown: tuple[str, ...]

    @property
    def command(self) -> str:
        """What the shell gets."""
        return "\n".join(line[2:] for line in self.lines)


def steps_of(block: str) -> list[Step]:
    """The steps of one block."""
    found: list[Step] = []
    for line in block.splitlines():
        if line.startswith("$ "):
            found.append(Step((line,), ()))
        elif line.startswith("> ") and not found[-1].shown:
            found[-1] = Step((*found[-1].lines, line), ())
        else:
            found[-1] = Step(found[-1].lines, (*found[-1].shown, line))
    return found


def matches(shown: tuple[str, ...], printed: tuple[str, ...]) -> bool:
    """Whether the lines are the same, but for what is left out."""
    pattern = "".join(
        "(?:.*\n)*?" if line.strip() == OMITTED else re.escape(line.rstrip()) + "\n" for line in shown
    )
    return re.fullmatch(pattern, "".join(line.rstrip() + "\n" for line in printed)) is not None


def printed_by(command: str, folder: Path) -> tuple[str, ...]:
    """What a command prints in a terminal of 80 columns without colour, progress left out.

    Raises
    ------
    RuntimeError
        If the command fails.
    """
    env = {name: value for name, value in os.environ.items() if not name.startswith("GRAPHSCAN_")}
    env.pop("FORCE_COLOR", None)
    env |= {
        "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
        "HOME": str(folder / ".home"),
        "NO_COLOR": "1",
        "COLUMNS": "80",
    }
    done = subprocess.run(
        ["bash", "-c", command],
        cwd=folder,
        env=env,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        encoding="utf-8",
        timeout=240,
        check=False,
    )
    if done.returncode:
        raise RuntimeError(f"{command!r} ended with {done.returncode}:\n{done.stdout}")
    return tuple(line for line in done.stdout.splitlines() if not PROGRESS.fullmatch(line))


def replayed(text: str, folder: Path) -> Iterator[tuple[Step, tuple[str, ...]]]:
    """Each step of a page with what it prints now."""
    for block in BLOCK.findall(text):
        for step in steps_of(block):
            yield step, printed_by(step.command, folder)


def rewritten(text: str, folder: Path) -> str:
    """The page with what its commands print now; a step that leaves lines out and still holds stays."""

    def fresh(match: re.Match[str]) -> str:
        lines: list[str] = []
        for step in steps_of(match[1]):
            printed = printed_by(step.command, folder)
            lines += [*step.lines, *(step.shown if matches(step.shown, printed) else printed)]
        return "```console\n" + "".join(line.rstrip() + "\n" for line in lines) + "```"

    return BLOCK.sub(fresh, text)


if __name__ == "__main__":
    for name in sys.argv[1:]:
        page = Path(name)
        with tempfile.TemporaryDirectory() as scratch:
            page.write_text(rewritten(page.read_text(encoding="utf-8"), Path(scratch)), encoding="utf-8")
