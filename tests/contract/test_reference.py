"""The reference pages say what the program does: every command, option, setting and exit code."""

from __future__ import annotations

from pathlib import Path

import click
import pytest

from graphscan import errors
from graphscan.cli.reference import EXIT_CODES, all_commands, pages
from graphscan.cli.root import COMMANDS, root
from graphscan.configuration import LoadedSettings
from graphscan.settings import Settings, default_layers

REFERENCE = Path(__file__).resolve().parents[2] / "docs" / "reference"
LEAF_COMMANDS = [(path, command) for path, command in all_commands() if not isinstance(command, click.Group)]


@pytest.mark.parametrize("name", sorted(pages()))
def test_the_page_is_what_the_program_gives(name: str) -> None:
    assert (REFERENCE / name).read_text(encoding="utf-8") == pages()[name], "run `make docs`"


def test_every_command_and_option_is_on_the_page() -> None:
    page = (REFERENCE / "commands.md").read_text(encoding="utf-8")
    for path, command in all_commands()[1:]:
        _, heading, section = page.partition(f"\n## `{' '.join(path)}`\n")
        assert heading, path
        section = section.partition("\n## ")[0]
        for parameter in command.params:
            if isinstance(parameter, click.Option) and not parameter.hidden:
                assert parameter.help, (path, parameter.name)
                for option in parameter.opts:
                    assert option in section, (path, option)


def test_every_setting_is_on_the_page() -> None:
    page = (REFERENCE / "settings.md").read_text(encoding="utf-8")
    for key, _, _ in LoadedSettings(Settings()).rows():
        parts = key.split(".")
        if parts[0] == "layers":
            assert parts[1] in default_layers()
            assert f"| `{parts[1]}` |" in page
            key = f"layers.NAME.{parts[2]}"
        assert f"| `{key}` |" in page, key


def test_every_exit_code_of_the_program_is_on_the_page() -> None:
    codes = {value for name, value in vars(errors).items() if name.startswith("EXIT_")}
    assert codes <= set(EXIT_CODES)


def test_the_line_in_the_list_of_commands_is_that_of_the_command() -> None:
    context = click.Context(root)
    for name, (_, line) in COMMANDS.items():
        command = root.get_command(context, name)
        assert command is not None
        assert (command.help or "").splitlines()[0] == line, name


@pytest.mark.parametrize(("path", "command"), LEAF_COMMANDS, ids=[" ".join(p) for p, _ in LEAF_COMMANDS])
def test_every_command_has_the_options_of_output(path: tuple[str, ...], command: click.Command) -> None:
    options = {option for parameter in command.params for option in parameter.opts}
    assert {"--json", "--quiet", "--debug"} <= options
