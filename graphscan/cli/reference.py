"""The reference pages of commands, settings and exit codes, written from the program itself.

``python -m graphscan.cli.reference FOLDER`` writes them; a test holds the pages of the repository equal to
what this gives, so they cannot drift.
"""

from __future__ import annotations

import json
import sys
import types
import typing
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import click

from graphscan import errors
from graphscan.cli.process import EXIT_PIPE_CLOSED, EXIT_TERMINATED
from graphscan.cli.root import COMMANDS, root
from graphscan.settings import EXECUTION_ONLY, LayerSettings, Section, Settings

_NOTE = "<!-- Written by `make docs`; change the program, not this page. -->\n"

EXIT_CODES: Final[dict[int, tuple[str, str]]] = {
    errors.EXIT_DONE: ("done", "also for an empty result, and where there was nothing to do"),
    errors.EXIT_BUG: (
        "bug",
        "graphscan failed in a way nobody foresaw; `--debug` prints what we need",
    ),
    errors.EXIT_USAGE: (
        "usage or settings",
        "unknown command, option, setting or layout; a window under the time resolution of the source",
    ),
    errors.EXIT_INPUT: (
        "input rejected",
        "more rows rejected than the budget of max(100 rows, 1 %) allows, an empty or a broken file",
    ),
    errors.EXIT_INCOMPATIBLE: (
        "incompatible",
        "state, model, server or machine that this version cannot work with",
    ),
    errors.EXIT_FINDINGS: (
        "findings",
        "reserved: findings at or above a tier, or the circuit breaker",
    ),
    errors.EXIT_CANNOT_WRITE: (
        "cannot write",
        "disk full, no permission, or an output that exists and is not ours to replace",
    ),
    errors.EXIT_TRY_AGAIN: ("try again later", "another sweep holds the lock, or there is not enough memory"),
    errors.EXIT_INTERRUPTED: ("interrupted", "SIGINT (Ctrl-C); a second one stops at once"),
    EXIT_PIPE_CLOSED: ("pipe closed", "whoever read stdout has gone, as in `graphscan … | head`"),
    EXIT_TERMINATED: ("terminated", "SIGTERM; a second one stops at once"),
}


def _walk(command: click.Command, path: tuple[str, ...]) -> Iterator[tuple[tuple[str, ...], click.Command]]:
    yield path, command
    if isinstance(command, click.Group):
        context = click.Context(command, info_name=path[-1])
        for name in command.list_commands(context):
            sub = command.get_command(context, name)
            if sub is not None:
                yield from _walk(sub, (*path, name))


def all_commands() -> list[tuple[tuple[str, ...], click.Command]]:
    """Every command and subcommand with its path, the root first, in the order of the list of commands."""
    return list(_walk(root, ("graphscan",)))


def commands_page() -> str:
    """``commands.md``: every command with its options, as ``--help`` says it."""
    parts = [
        "# Commands\n\n" + _NOTE,
        "Results go to stdout, everything else to stderr. With `--json` stdout is one JSON document, also "
        'for an error: `{"error": {"what", "where", "mend", "exit_code"}}`. `NO_COLOR` and `--quiet` are '
        "honoured. What each exit code means stands on [its own page](exit-codes.md).\n",
        "| command | what it does |\n| --- | --- |",
        *[f"| [`{name}`](#graphscan-{name}) | {line} |" for name, (_, line) in COMMANDS.items()],
    ]
    for path, command in all_commands()[1:]:
        parts.append(f"\n## `{' '.join(path)}`\n")
        context = click.Context(command, info_name=" ".join(path), help_option_names=["-h", "--help"])
        usage = " ".join([context.command_path, *command.collect_usage_pieces(context)])
        parts.append(f"```text\n{usage}\n```\n")
        parts.append(_paragraphs(command.help or ""))
        if not isinstance(command, click.Group):
            parts.append("\n" + _parameters(command, context))
    return "\n".join(parts).rstrip() + "\n"


def _paragraphs(text: str) -> str:
    blocks = [
        block.replace("\b\n", "") if "\b" in block else " ".join(block.split())
        for block in text.strip().split("\n\n")
    ]
    return "\n\n".join(f"```text\n{block}\n```" if "\n" in block else block for block in blocks)


def _parameters(command: click.Command, context: click.Context) -> str:
    rows = ["| option | meaning |", "| --- | --- |"]
    for parameter in command.get_params(context):
        record = parameter.get_help_record(context)
        if record is not None:
            name, meaning = record
            rows.append(
                f"| `{name}` | {' '.join(meaning.split()).replace('|', chr(92) + '|')} |".replace(
                    f"`{name}`", f"`{name.replace('|', chr(92) + '|')}`"
                )
            )
    return "\n".join(rows)


def settings_page() -> str:
    """``settings.md``: every setting with its type, default and meaning."""
    parts = [
        "# Settings\n\n" + _NOTE,
        "A value is looked for in this order, and the first that is found counts:\n",
        "1. a flag of the command line: an option where the command has one, else `--set KEY=VALUE`;",
        "2. an environment variable: `GRAPHSCAN_` and the key in capitals, with `__` for each dot "
        "(`GRAPHSCAN_CLUSTERS__ALPHA=0.01`);",
        "3. `graphscan.toml` in the working directory;",
        "4. `graphscan/config.toml` in `$XDG_CONFIG_HOME` (else `~/.config`);",
        "5. the default below.\n",
        "Unknown keys and wrong values are errors (exit 2), all of them reported at once with the place of "
        "each. `graphscan config show` prints every value and where it came from. Passwords are never "
        "settings.\n",
        f"A run's manifest holds the settings and their SHA-256, without {_listed(sorted(EXECUTION_ONLY))}, "
        "which never change a result.",
        "\n## Top level\n",
        _fields(Settings, ""),
    ]
    for name, field in Settings.model_fields.items():
        if isinstance(field.annotation, type) and issubclass(field.annotation, Section):
            parts += [f"\n## `[{name}]`\n", f"{field.description}\n", _fields(field.annotation, f"{name}.")]
    parts += [
        "\n## `[layers.NAME]`\n",
        f"{Settings.model_fields['layers'].description}\n",
        _fields(LayerSettings, "layers.NAME."),
        "\nThe layers of a fresh install:\n",
        "| layer | window | actions | object | birth |\n| --- | ---: | --- | --- | --- |",
    ]
    for name, layer in Settings().layers.items():
        actions = ", ".join(f"`{action}`" for action in layer.actions)
        parts.append(
            f"| `{name}` | {layer.window_s:g} s | {actions} | `{layer.object_kind}` | `{layer.birth}` |"
        )
    parts.append("\n```toml\n[layers.co_repost]\nwindow_s = 10\n\n[layers.co_chat]\nenabled = false\n")
    parts.append('[layers.co_other]\nactions = ["other"]\nobject_kind = "object_id"\nwindow_s = 60\n```')
    return "\n".join(parts).rstrip() + "\n"


def _listed(names: list[str]) -> str:
    return " and ".join(f"`{name}`" for name in names)


def _fields(model: type[Section], prefix: str) -> str:
    rows = ["| key | type | default | meaning |", "| --- | --- | --- | --- |"]
    for name, field in model.model_fields.items():
        annotation = field.annotation
        if name == "layers" or (isinstance(annotation, type) and issubclass(annotation, Section)):
            continue
        default = "required" if field.is_required() else f"`{_toml(field.default)}`"
        kind = _kind(annotation).replace("|", "\\|")
        rows.append(f"| `{prefix}{name}` | {kind} | {default} | {field.description} |")
    return "\n".join(rows)


def _toml(value: Any) -> str:
    return "unset" if value is None else json.dumps(value)


def _kind(annotation: Any) -> str:
    """The type as a reader of a TOML file would say it."""
    origin, arguments = typing.get_origin(annotation), typing.get_args(annotation)
    if origin is typing.Annotated:
        return _kind(arguments[0])
    if origin is typing.Literal:
        return "one of " + ", ".join(f"`{value}`" for value in arguments)
    if origin is tuple:
        return f"list of {_kind(arguments[0])}"
    if origin in (typing.Union, types.UnionType):
        return " or unset".join(_kind(item) for item in arguments if item is not type(None)) + " or unset"
    return {int: "whole number", float: "number", str: "text", bool: "true or false"}[annotation]


def exit_codes_page() -> str:
    """``exit-codes.md``: what each exit code means."""
    rows = [f"| {code} | {name} | {meaning} |" for code, (name, meaning) in sorted(EXIT_CODES.items())]
    return "\n".join(
        [
            "# Exit codes\n\n" + _NOTE,
            "| code | name | when |",
            "| ---: | --- | --- |",
            *rows,
            "",
            "An error is three lines on stderr: what went wrong, where, and how to mend it. `--debug` adds "
            "the traceback.",
            "",
        ]
    )


def pages() -> dict[str, str]:
    """File name and text of each page."""
    return {
        "commands.md": commands_page(),
        "settings.md": settings_page(),
        "exit-codes.md": exit_codes_page(),
    }


if __name__ == "__main__":
    folder = Path(sys.argv[1])
    folder.mkdir(parents=True, exist_ok=True)
    for file_name, text in pages().items():
        (folder / file_name).write_text(text, encoding="utf-8")
