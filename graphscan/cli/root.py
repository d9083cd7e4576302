"""The root command: the registry of commands, each loaded when it is first needed."""

from __future__ import annotations

import difflib
from importlib import import_module
from typing import Final

import click

from graphscan import __version__

# name: (module of the command, one line for the list). The line stands here so that `graphscan --help`
# loads no command; a test holds it equal to the first line of the command's own help.
COMMANDS: Final[dict[str, tuple[str, str]]] = {
    "demo": ("graphscan.cli.demo", "Simulate a small platform, sweep it, and show what was found."),
    "sweep": ("graphscan.cli.sweep", "Find who acts together beyond chance, and write a run folder."),
    "network": ("graphscan.cli.network", "Find who acted together, as an edge list."),
    "simulate": ("graphscan.cli.simulate", "Make events with known truth."),
    "train": ("graphscan.cli.train", "Train a model on events and labels, and write it with its card."),
    "evaluate": ("graphscan.cli.evaluate", "Measure a model on labelled events it has not seen."),
    "explain": ("graphscan.cli.explain", "Say why an account has its tier."),
    "policy": ("graphscan.cli.policy", "Look at the policy."),
    "graph": ("graphscan.cli.graph", "Load events into Neo4j, explore them there, bring verdicts home."),
    "config": ("graphscan.cli.config", "Look at the settings."),
    "doctor": ("graphscan.cli.doctor", "Check that this machine can run graphscan."),
}


class LazyGroup(click.Group):
    """A group whose commands are imported only when they are run or asked for help."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in COMMANDS:
            return None
        command = import_module(COMMANDS[cmd_name][0]).command
        assert isinstance(command, click.Command)
        return command

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        if args and not args[0].startswith("-") and args[0] not in COMMANDS:
            near = difflib.get_close_matches(args[0], COMMANDS, n=1, cutoff=0.6)
            hint = f" Did you mean {near[0]!r}?" if near else f" There are: {', '.join(COMMANDS)}."
            raise click.UsageError(f"There is no command {args[0]!r}.{hint}", ctx)
        return super().resolve_command(ctx, args)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Commands"):
            formatter.write_dl([(name, line) for name, (_, line) in COMMANDS.items()])


@click.group(
    cls=LazyGroup,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
    epilog="Every command has its own --help. Exit codes: 0 done, 2 usage or settings, 3 input rejected, "
    "4 incompatible state, 73 cannot write, 75 try again later.",
)
@click.version_option(__version__, prog_name="graphscan", message="%(prog)s %(version)s")
def root() -> None:
    """Find accounts that act together in interaction events, with evidence that stands up to an appeal."""
