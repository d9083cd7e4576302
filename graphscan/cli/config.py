"""``graphscan config show``: every setting, its value and where the value came from."""

from __future__ import annotations

import json

import click

from graphscan.cli.options import settings_from, settings_options
from graphscan.cli.output import Output, output_options, safe


@click.group()
def command() -> None:
    """Look at the settings."""


@command.command()
@output_options
@settings_options
def show(out: Output, assignments: tuple[str, ...]) -> None:
    """Print every setting, its value, and where the value came from.

    A value comes from a flag, an environment variable GRAPHSCAN_*, ./graphscan.toml, the user's
    graphscan/config.toml, or the default, in this order.
    """
    loaded = settings_from(assignments)
    rows = list(loaded.rows())
    document = {
        "settings": {key: {"value": value, "origin": origin} for key, value, origin in rows},
        "sha256": loaded.settings.sha256(),
    }
    if out.as_json:
        out.result(document)
        return
    width = max(len(key) for key, _, _ in rows)
    for key, value, origin in rows:
        shown = "(unset)" if value is None else json.dumps(value, ensure_ascii=False)
        click.echo(safe(f"{key:<{width}}  {shown}  [{origin}]"))
    click.echo(f"\nsha256 of what can change a result: {loaded.settings.sha256()}")
