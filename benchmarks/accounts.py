"""Account benchmarks by command: ``python -m benchmarks.accounts NAME``.

``in-domain``      cross-validation on each labelled set, with and without text, folds by account and by
shared objects
``transfer``       trained on one set, tested on another; leave one data set out
``agents``         a line for each AI agent
``false-positives``  the people ranked highest, to be looked at by hand
``ablation``       each family alone and left out; a depth-2 tree beside
``hosting``        hosted accounts against people with an assistant, across platforms
``worlds``         tiers in simulated worlds, with labels of other seeds and without any
``archetypes``     one archetype left out of training
``speed``          signals and verdicts of a million events
``default-model``  train the shipped model and write its card
"""

from __future__ import annotations

import argparse

from benchmarks import accounts_real, accounts_worlds
from benchmarks.accounts_data import real_platform

COMMANDS = {
    "in-domain": accounts_real.in_domain,
    "transfer": accounts_real.transfer,
    "agents": accounts_real.agents,
    "false-positives": accounts_real.false_positives,
    "ablation": accounts_real.ablation,
    "hosting": accounts_real.hosting,
    "worlds": accounts_worlds.worlds,
    "archetypes": accounts_worlds.archetypes,
    "speed": accounts_worlds.speed,
    "default-model": accounts_worlds.default_model,
}


def main() -> None:
    """Run one benchmark and print its table."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.accounts", description=__doc__)
    parser.add_argument("name", choices=sorted(COMMANDS))
    parser.add_argument("--seeds", type=int, default=None, help="number of simulated worlds")
    parser.add_argument("--events", type=int, default=None, help="events of a world")
    chosen = parser.parse_args()
    COMMANDS[chosen.name](chosen)


if __name__ == "__main__":
    main()

__all__ = ["main", "real_platform"]
