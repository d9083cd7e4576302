"""``graphscan policy``: look at the policy file."""

from __future__ import annotations

import click

from graphscan.cli.output import Output, output_options


@click.group()
def command() -> None:
    """Look at the policy."""


@command.command()
@click.option("--policy", "path", metavar="FILE", help="Policy file. Default: the shipped policy.")
@click.option("--language", type=click.Choice(["en", "zh-Hans"]), default="en", help="Language of the page.")
@output_options
def guidelines(out: Output, /, path: str | None, language: str) -> None:
    """Print the policy as a page for account owners.

    Which AI assistance is fine, where the line is, what happens beyond it, and how to contest; as Markdown.
    """
    from graphscan.verdicts.guidelines import guidelines as page
    from graphscan.verdicts.policy import read_policy

    policy = read_policy(path)
    text = page(policy, language)
    document = {
        "name": policy.name,
        "version": policy.version,
        "sha256": policy.sha256(),
        "language": language,
    }
    out.result({**document, "markdown": text}, text.rstrip("\n"))
