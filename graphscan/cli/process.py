"""The command line as a process: exit codes, errors as people read them, signals."""

from __future__ import annotations

import errno
import os
import signal
import sys
import threading
import traceback
import warnings
from collections.abc import Sequence
from types import FrameType, TracebackType
from typing import Any, Final

import click

from graphscan.cli.output import json_text, safe
from graphscan.errors import (
    EXIT_BUG,
    EXIT_CANNOT_WRITE,
    EXIT_DONE,
    EXIT_INTERRUPTED,
    EXIT_TRY_AGAIN,
    EXIT_USAGE,
    GraphscanError,
)

EXIT_TERMINATED: Final = 128 + signal.SIGTERM
EXIT_PIPE_CLOSED: Final = 128 + signal.SIGPIPE
_CANNOT_WRITE: Final = frozenset(
    {errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EACCES, errno.EPERM, errno.EFBIG, errno.EIO}
)


class Terminated(BaseException):
    """SIGTERM arrived: unwinds like KeyboardInterrupt, so that every ``finally`` runs."""


class _Signals:
    """The first SIGINT or SIGTERM unwinds the program; the second ends it on the spot.

    Python runs its handlers only between bytecodes, so a second signal during a long library call would wait
    for its end; a thread that reads the wake-up pipe does not.
    """

    def __enter__(self) -> None:
        self._before = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
        self._silent = threading.Lock()
        self._reader, self._writer = os.pipe()
        os.set_blocking(self._writer, False)
        signal.set_wakeup_fd(self._writer, warn_on_full_buffer=False)
        threading.Thread(target=self._watch, name="signals", daemon=True).start()
        signal.signal(signal.SIGINT, self._interrupt)
        signal.signal(signal.SIGTERM, self._terminate)

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        signal.set_wakeup_fd(-1)
        os.close(self._writer)
        for number, handler in self._before.items():
            signal.signal(number, handler)

    def _watch(self) -> None:
        seen = 0
        while numbers := os.read(self._reader, 16):
            for number in numbers:
                if number in (signal.SIGINT, signal.SIGTERM):
                    seen += 1
                    if seen > 1:
                        os._exit(128 + number)
                    self._say()
        os.close(self._reader)

    def _say(self) -> None:
        """Once, by whichever of the handler and the watching thread comes first."""
        if self._silent.acquire(blocking=False):
            os.write(2, b"stopping; once more to stop at once\n")

    def _interrupt(self, number: int, frame: FrameType | None) -> None:
        self._say()
        raise KeyboardInterrupt

    def _terminate(self, number: int, frame: FrameType | None) -> None:
        self._say()
        raise Terminated


def run(args: Sequence[str]) -> int:
    """Run one command line and return its exit code.

    Parameters
    ----------
    args
        The arguments after the program's name.
    """
    for stream in (sys.stdout, sys.stderr):
        # An id may hold what the terminal's encoding has not; it must not end the program.
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="backslashreplace")
    options = args[: list(args).index("--")] if "--" in args else args
    report = _Report(as_json="--json" in options, debug="--debug" in options)
    with warnings.catch_warnings(), _Signals():
        if not report.debug:
            # What libraries tell each other about their future is nothing that a user can act on.
            warnings.simplefilter("ignore")
        try:
            code = _invoke(list(args), report)
            sys.stdout.flush()
        except BrokenPipeError:
            # Whoever read our stdout has gone; there is nobody to tell.
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
            return EXIT_PIPE_CLOSED
    return code


def _invoke(args: list[str], report: _Report) -> int:
    from graphscan.cli.root import root

    try:
        if "_GRAPHSCAN_COMPLETE" in os.environ:
            root.main(args, prog_name="graphscan")
        # Not `root.main`: it has its own ideas about signals and closed pipes.
        with root.make_context("graphscan", args) as context:
            root.invoke(context)
        return EXIT_DONE
    except GraphscanError as error:
        return report(error)
    except click.exceptions.Exit as stop:
        return stop.exit_code
    except click.exceptions.NoArgsIsHelpError as error:
        click.echo(error.ctx.get_help() if error.ctx else "", err=True)
        return EXIT_USAGE
    except click.ClickException as error:
        return report(_usage(error))
    except (KeyboardInterrupt, click.Abort):
        report.stopped("interrupted", EXIT_INTERRUPTED)
        return EXIT_INTERRUPTED
    except Terminated:
        report.stopped("terminated", EXIT_TERMINATED)
        return EXIT_TERMINATED
    except BrokenPipeError:
        raise
    except OSError as error:
        return report(_file_error(error))
    except MemoryError:
        return report(
            GraphscanError(
                "there is not enough memory",
                mend="sweep a shorter period or fewer layers, or use a machine with more memory",
                exit_code=EXIT_TRY_AGAIN,
            )
        )
    except Exception as error:  # noqa: BLE001  the last place where a bug can still be told from a result
        return report(_bug(error))


def _usage(error: click.ClickException) -> GraphscanError:
    context: Any = getattr(error, "ctx", None)
    command = context.command_path if context else "graphscan"
    parameter: Any = getattr(error, "param", None)
    where = f"command line, {parameter.get_error_hint(context)}" if parameter else "command line"
    what = error.message if parameter and error.message else error.format_message()
    return GraphscanError(what, where=where.replace("'", ""), mend=f"see `{command} --help`")


def _file_error(error: OSError) -> GraphscanError:
    where = str(error.filename) if error.filename else ""
    if error.errno in _CANNOT_WRITE:
        mend = "free some space, or choose a place that this user may write to"
        return GraphscanError(
            f"cannot write: {error.strerror}", where=where, mend=mend, exit_code=EXIT_CANNOT_WRITE
        )
    if isinstance(error, FileNotFoundError | IsADirectoryError | NotADirectoryError):
        return GraphscanError(f"{error.strerror}", where=where, mend="check the path")
    return _bug(error)


def _bug(error: Exception) -> GraphscanError:
    frames = traceback.extract_tb(error.__traceback__)
    ours = [frame for frame in frames if "graphscan" in frame.filename] or list(frames)
    where = f"{os.path.basename(ours[-1].filename)}:{ours[-1].lineno}" if ours else ""
    what = f"graphscan has a bug: {type(error).__name__}: {error}"
    return GraphscanError(
        what, where=where, mend="please report it with what --debug prints", exit_code=EXIT_BUG
    )


class _Report:
    """Writes an error for people to stderr and, with ``--json``, as an object to stdout."""

    def __init__(self, as_json: bool, debug: bool) -> None:
        self.as_json = as_json
        self.debug = debug

    def __call__(self, error: GraphscanError) -> int:
        if self.debug:
            traceback.print_exc(file=sys.stderr)
        if self.as_json:
            document = {
                "what": error.what,
                "where": error.where,
                "mend": error.mend,
                "exit_code": error.exit_code,
            }
            sys.stdout.write(json_text({"error": document}) + "\n")
        lines = [f"error: {_one_line(error.what)}"]
        # Several places, one a line, when several things are wrong at once.
        lines += [f"  at: {safe(place)}" for place in error.where.split("\n") if place]
        if error.mend:
            lines.append(f"  mend: {_one_line(error.mend)}")
        sys.stderr.write("\n".join(lines) + "\n")
        return error.exit_code

    def stopped(self, how: str, exit_code: int) -> None:
        if self.as_json:
            document = {"what": how, "where": "", "mend": "", "exit_code": exit_code}
            sys.stdout.write(json_text({"error": document}) + "\n")
        sys.stderr.write(f"{how}; nothing that was finished before is lost\n")


def _one_line(text: str) -> str:
    return safe(" ".join(text.split("\n")))
