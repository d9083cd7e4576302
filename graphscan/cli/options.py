"""Options that several commands share, and the settings that follow from them."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import TYPE_CHECKING, ParamSpec, TypeVar

import click

if TYPE_CHECKING:
    from graphscan.configuration import LoadedSettings

P = ParamSpec("P")
R = TypeVar("R")


def settings_options(function: Callable[P, R]) -> Callable[P, R]:
    """Add ``--set KEY=VALUE`` (repeatable), by which any setting can be given as a flag."""

    @click.option(
        "--set",
        "assignments",
        multiple=True,
        metavar="KEY=VALUE",
        help="Change a setting, such as clusters.alpha=0.01; repeatable.",
    )
    @functools.wraps(function)
    def wrapped(*args: P.args, **kwargs: P.kwargs) -> R:
        return function(*args, **kwargs)

    return wrapped


def settings_from(assignments: tuple[str, ...], **flags: object) -> LoadedSettings:
    """The settings with the flags of this command on top; a flag that is None was not given.

    In a flag's name ``__`` stands for the dot of the key: ``clusters__weak``.
    """
    from graphscan.configuration import load_settings

    return load_settings(
        {key.replace("__", "."): value for key, value in flags.items()}, assignments=assignments
    )
