"""What a command prints: results on stdout, everything else on stderr, nothing hostile on either."""

from __future__ import annotations

import functools
import json
import math
import os
import sys
import unicodedata
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Concatenate, Literal, ParamSpec, TypeVar

import click

if TYPE_CHECKING:
    from rich.console import Console, RenderableType

P = ParamSpec("P")
R = TypeVar("R")

# Invisible or re-ordering characters that are no control characters by category alone.
_HIDDEN = frozenset("\u200b\u200c\u200d\u200e\u200f\u2028\u2029\u2060\ufeff")


def _is_hostile(char: str) -> bool:
    if " " <= char <= "~":
        return False
    return unicodedata.category(char) in ("Cc", "Cs") or char in _HIDDEN or _is_bidi(char)


def _is_bidi(char: str) -> bool:
    return "\u202a" <= char <= "\u202e" or "\u2066" <= char <= "\u2069"


def safe(text: str) -> str:
    """The text with everything that could steer a terminal or hide in a line written as an escape.

    Ids come from strangers: an escape sequence, a line break or a right-to-left override in one must show
    up as itself and do nothing.

    >>> safe("a\\x1b[31mb")
    'a\\\\x1b[31mb'
    """
    if not any(map(_is_hostile, text)):
        return text
    return "".join(ascii(char)[1:-1] if _is_hostile(char) else char for char in text)


def json_text(document: object) -> str:
    """The document as JSON in ASCII; numbers that JSON does not have become null."""
    return json.dumps(_finite(document), indent=2, allow_nan=False, default=str)


def _finite(value: object) -> object:
    if isinstance(value, float) and not math.isfinite(value):
        return None
    if isinstance(value, Mapping):
        return {str(key): _finite(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_finite(item) for item in value]
    return value


@dataclass(frozen=True)
class Output:
    """Where a command's results and notes go.

    Attributes
    ----------
    as_json
        stdout is one JSON document.
    quiet
        No notes and no progress on stderr; warnings and errors stay.
    debug
        Errors come with their traceback.
    """

    as_json: bool = False
    quiet: bool = False
    debug: bool = False

    def result(self, document: Mapping[str, Any], *shown: RenderableType | str) -> None:
        """Print the result: the document with ``--json``, else what is shown to people."""
        if self.as_json:
            sys.stdout.write(json_text(document) + "\n")
        else:
            console = self.console()
            for item in shown:
                console.print(item, markup=False, highlight=False)
        sys.stdout.flush()

    def note(self, text: str) -> None:
        """One line for the person at the terminal, unless ``--quiet``."""
        if not self.quiet:
            sys.stderr.write(safe(text) + "\n")

    def warning(self, text: str) -> None:
        """One line that ``--quiet`` does not silence."""
        sys.stderr.write(f"warning: {safe(text)}\n")

    def console(self) -> Console:
        """A rich console on stdout; plain where there is no terminal or ``NO_COLOR`` is set."""
        from rich.console import Console

        # rich's own reading of NO_COLOR leaves bold and italic in; plain means plain.
        system: Literal["auto"] | None = None if os.environ.get("NO_COLOR") else "auto"
        return Console(file=sys.stdout, color_system=system, markup=False, highlight=False, emoji=False)


def output_options(function: Callable[Concatenate[Output, P], R]) -> Callable[P, R]:
    """Add ``--json``, ``--quiet`` and ``--debug`` to a command and hand it an :class:`Output`."""

    @click.option("--json", "as_json", is_flag=True, help="Make stdout one JSON document.")
    @click.option("--quiet", "-q", is_flag=True, help="No progress and no notes on stderr.")
    @click.option("--debug", is_flag=True, help="Show the traceback of an error.")
    @functools.wraps(function)
    def wrapped(*args: P.args, **kwargs: P.kwargs) -> R:
        output = Output(
            as_json=bool(kwargs.pop("as_json")),
            quiet=bool(kwargs.pop("quiet")),
            debug=bool(kwargs.pop("debug")),
        )
        return function(output, *args, **kwargs)

    return wrapped
