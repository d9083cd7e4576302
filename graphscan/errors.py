"""The one error of graphscan: what went wrong, where, and how to mend it."""

from __future__ import annotations

from typing import Final

EXIT_DONE: Final = 0
EXIT_BUG: Final = 1
EXIT_USAGE: Final = 2
EXIT_INPUT: Final = 3
EXIT_INCOMPATIBLE: Final = 4
EXIT_FINDINGS: Final = 10
EXIT_CANNOT_WRITE: Final = 73
EXIT_TRY_AGAIN: Final = 75
EXIT_INTERRUPTED: Final = 130


class GraphscanError(Exception):
    """A failure that a user can act on.

    Parameters
    ----------
    what
        One line: what went wrong.
    where
        One line: the place, such as ``events.csv:1042, column timestamp``. Empty if there is none.
    mend
        One line: how to mend it.
    exit_code
        The process exit code that the command line ends with.
    """

    def __init__(self, what: str, where: str = "", mend: str = "", exit_code: int = EXIT_USAGE) -> None:
        super().__init__(what)
        self.what = what
        self.where = where
        self.mend = mend
        self.exit_code = exit_code

    def __str__(self) -> str:
        return "\n".join(line for line in (self.what, self.where, self.mend) if line)
