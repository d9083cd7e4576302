"""Progress of a long command on stderr: a bar where there is a terminal, else a line every 30 seconds."""

from __future__ import annotations

import sys
import threading
from collections.abc import Callable
from types import TracebackType
from typing import TYPE_CHECKING, Self

from graphscan.cli.output import Output, safe

if TYPE_CHECKING:
    from rich.progress import Progress, TaskID

LINE_EVERY_S = 30.0


class StageProgress:
    """Shows how far a stage is; library calls get it as ``on_progress(stage, rows_done, rows_total)``.

    Use it as a context manager. With ``--quiet`` it shows nothing.
    """

    def __init__(self, out: Output, *, line_every_s: float = LINE_EVERY_S) -> None:
        # Here, because the module brings numpy, which `--help` does without.
        from graphscan.entropy import monotonic_s

        self._now_s = monotonic_s
        self._shown = not out.quiet
        self._line_every_s = line_every_s
        self._bar: Progress | None = None
        self._tasks: dict[str, TaskID] = {}
        self._stage = ""
        self._stage_since_s = 0.0
        self._done = 0
        self._total = 0
        self._over = threading.Event()

    def __enter__(self) -> Self:
        if self._shown and sys.stderr.isatty():
            self._bar = _bar(self._now_s)
            self._bar.start()
        elif self._shown:
            threading.Thread(target=self._write_lines, name="progress", daemon=True).start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._over.set()
        if self._bar is not None:
            self._bar.stop()

    def __call__(self, stage: str, rows_done: int = 0, rows_total: int | None = None) -> None:
        """A stage has done so many rows of so many (None or 0: nobody knows how many)."""
        if stage != self._stage:
            self._stage, self._stage_since_s = stage, self._now_s()
        self._done, self._total = rows_done, rows_total or 0
        if self._bar is None:
            return
        total = self._total or None
        if stage not in self._tasks:
            for task in self._bar.tasks:
                # A stage that another one follows is over, whatever it last said.
                self._bar.update(task.id, total=task.completed or 1, completed=task.completed or 1)
                self._bar.stop_task(task.id)
            self._tasks[stage] = self._bar.add_task(safe(stage), total=total)
        self._bar.update(self._tasks[stage], completed=rows_done, total=total)

    def line(self) -> str:
        """The state in one line: stage, rows, rate, time left."""
        seconds = max(self._now_s() - self._stage_since_s, 1e-9)
        if not self._done:
            return safe(f"{self._stage or 'starting'}: {seconds:,.0f} s so far")
        rate = self._done / seconds
        text = f"{self._stage}: {self._done:,}"
        if self._total:
            text += f" of {self._total:,}"
        text += f" rows, {rate:,.0f} a second"
        if self._total and rate > 0:
            text += f", about {(self._total - self._done) / rate:,.0f} s left"
        return safe(text)

    def _write_lines(self) -> None:
        while not self._over.wait(self._line_every_s):
            sys.stderr.write(self.line() + "\n")
            sys.stderr.flush()


def _bar(now_s: Callable[[], float]) -> Progress:
    from rich.console import Console
    from rich.progress import (
        BarColumn,
        MofNCompleteColumn,
        Progress,
        ProgressColumn,
        Task,
        TextColumn,
        TimeRemainingColumn,
    )
    from rich.text import Text

    class Rate(ProgressColumn):
        """Rows a second."""

        def render(self, task: Task) -> Text:
            return Text(f"{task.speed:,.0f}/s" if task.speed else "")

    return Progress(
        TextColumn("{task.description}", markup=False),
        BarColumn(bar_width=24),
        MofNCompleteColumn(),
        Rate(),
        TimeRemainingColumn(),
        console=Console(file=sys.stderr, markup=False, highlight=False),
        get_time=now_s,
        transient=True,
    )
