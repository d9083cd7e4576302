"""The rooms keep their distance: import directions, one clock, light start."""

from __future__ import annotations

import ast
import subprocess
import sys
from dataclasses import asdict
from pathlib import Path

import pytest

from graphscan.cli.root import COMMANDS

ROOT = Path(__file__).resolve().parents[2]
PACKAGE = ROOT / "graphscan"
SOURCES = sorted(PACKAGE.rglob("*.py"))

# What takes longer to import than `graphscan --help` may last in all.
HEAVY = (
    "numpy",
    "pandas",
    "pyarrow",
    "duckdb",
    "igraph",
    "scipy",
    "sklearn",
    "networkx",
    "pydantic",
    "rich",
    "neo4j",
    "jinja2",
)


def test_import_directions() -> None:
    """The contracts of import-linter in pyproject.toml hold."""
    found = subprocess.run(
        [Path(sys.executable).with_name("lint-imports"), "--no-cache"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert found.returncode == 0, found.stdout + found.stderr
    assert "KEPT" in found.stdout


def test_every_room_stands_in_the_order_of_imports() -> None:
    """A new room that the contract does not name would be free to import anything."""
    contract = (ROOT / "pyproject.toml").read_text(encoding="utf-8")
    rooms = {path.parent if path.name == "__init__.py" else path for path in PACKAGE.glob("*/__init__.py")}
    rooms |= {path for path in PACKAGE.glob("*.py") if path.name != "__init__.py"}
    missing = [room.stem for room in sorted(rooms) if f"graphscan.{room.stem}" not in contract]
    assert missing == []


# A call of any of these reads a clock.
CLOCKS = frozenset(
    {
        *(f"time.{name}" for name in ("time", "time_ns", "monotonic", "perf_counter", "process_time")),
        *(f"{name}.now" for name in ("datetime", "datetime.datetime", "dt.datetime")),
        *(f"{name}.today" for name in ("datetime", "date", "datetime.date", "datetime.datetime")),
    }
)
# A call of any of these draws from a source that no seed of ours steers; so does a generator without a seed.
CHANCE = ("random.", "secrets.", "uuid.uuid1", "uuid.uuid4", "np.random.", "numpy.random.", "os.urandom")
SEEDED = ("random.Random", "np.random.Generator", "numpy.random.Generator")


def _calls(path: Path) -> list[tuple[str, bool]]:
    """Dotted name of each call of an imported name, and whether it has an argument."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    known: dict[str, str] = {}
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            known |= {
                (a.asname or a.name).split(".")[0]: (a.asname or a.name).split(".")[0] for a in node.names
            }
        elif isinstance(node, ast.ImportFrom) and node.module:
            known |= {a.asname or a.name: f"{node.module}.{a.name}" for a in node.names}
    found = []
    for node in ast.walk(tree):
        if isinstance(node, ast.Call):
            head, _, tail = ast.unparse(node.func).partition(".")
            if head in known:
                name = f"{known[head]}.{tail}" if tail else known[head]
                found.append((name, bool(node.args or node.keywords)))
    return found


def _impure(name: str, has_argument: bool) -> bool:
    if name in SEEDED and has_argument:
        return False
    short = name.removeprefix("datetime.")
    return name in CLOCKS or short in CLOCKS or name.startswith(CHANCE)


def test_only_one_module_reads_a_clock_or_makes_randomness() -> None:
    offenders = [
        f"{path.relative_to(ROOT)}: {name}"
        for path in SOURCES
        if path.name != "entropy.py"
        for name, has_argument in _calls(path)
        if _impure(name, has_argument)
    ]
    assert offenders == []


@pytest.mark.parametrize(
    ("code", "impure"),
    [
        ("import time\ntime.time()", True),
        ("from time import perf_counter\nperf_counter()", True),
        ("from datetime import datetime\ndatetime.now()", True),
        ("import datetime\ndatetime.datetime.now()", True),
        ("import numpy as np\nnp.random.default_rng()", True),
        ("import random\nrandom.shuffle([])", True),
        ("import random\nrandom.Random()", True),
        ("import random\nrandom.Random(7)", False),
        ("def f(random):\n    random.integers(3)", False),
    ],
)
def test_the_rule_on_clocks_and_chance_itself(tmp_path: Path, code: str, impure: bool) -> None:
    path = tmp_path / "module.py"
    path.write_text(code, encoding="utf-8")
    assert any(_impure(*call) for call in _calls(path)) is impure


def test_no_room_without_a_name() -> None:
    assert [path for path in SOURCES if path.stem in ("utils", "util", "misc", "helpers", "common")] == []


@pytest.mark.parametrize(
    "arguments", [["--help"], ["--version"], ["nonsense"], *([name, "--help"] for name in COMMANDS)]
)
def test_start_imports_nothing_heavy(arguments: list[str]) -> None:
    """Start-up time by its cause, not by the clock."""
    code = (
        "import sys\n"
        "from graphscan.cli.process import run\n"
        f"run({arguments!r})\n"
        f"print('HEAVY', sorted(name for name in {HEAVY!r} if name in sys.modules))\n"
    )
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert found.stdout.splitlines()[-1] == "HEAVY []"


def test_importing_the_package_is_light_and_its_names_are_there() -> None:
    code = (
        "import sys, graphscan\n"
        f"print([name for name in {HEAVY!r} if name in sys.modules])\n"
        "assert len(graphscan.__all__) <= 15\n"
        "for name in graphscan.__all__: getattr(graphscan, name)\n"
        "from graphscan import *\n"
    )
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert found.stdout.strip() == "[]"


def test_the_layers_of_the_settings_are_those_of_the_network() -> None:
    from graphscan.network.layers import LAYERS
    from graphscan.settings import default_layers

    of_settings = {name: layer.model_dump(exclude={"enabled"}) for name, layer in default_layers().items()}
    of_network = {name: asdict(layer) for name, layer in LAYERS.items()}
    assert of_settings == {
        name: {key: value for key, value in row.items() if key != "name"} for name, row in of_network.items()
    }


def test_the_pair_cap_of_the_settings_is_that_of_the_network() -> None:
    from graphscan.network.table import MAX_PAIRS_PER_OBJECT
    from graphscan.settings import NetworkSettings

    assert NetworkSettings().max_pairs_per_object == MAX_PAIRS_PER_OBJECT
