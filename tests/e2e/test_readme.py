"""The README's console blocks do what they show, line by line."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from docs.console import matches, replayed, rewritten, steps_of

ROOT = Path(__file__).resolve().parents[2]
README = ROOT / "README.md"


def test_the_readme_shows_what_happens(tmp_path: Path) -> None:
    n_steps = 0
    for step, printed in replayed(README.read_text(encoding="utf-8"), tmp_path):
        n_steps += 1
        assert matches(step.shown, printed), "\n".join(["run `make docs`", "$ " + step.command, *printed])
    assert n_steps >= 5


@pytest.mark.parametrize(
    ("shown", "printed", "same"),
    [
        (("a", "b"), ("a", "b"), True),
        (("a", "..."), ("a", "b", "c"), True),
        (("a", "...", "c"), ("a", "b", "c"), True),
        (("a",), ("a", "b"), False),
        (("a", "...", "d"), ("a", "b", "c"), False),
        ((), (), True),
        ((), ("a",), False),
    ],
)
def test_the_comparison_itself(shown: tuple[str, ...], printed: tuple[str, ...], same: bool) -> None:
    assert matches(shown, printed) is same


def test_a_page_is_rewritten_where_it_is_wrong_and_only_there(tmp_path: Path) -> None:
    blocks = "```console\n$ echo one; \\\n> echo two\nwrong\n$ seq 9\n1\n...\n9\n```\n\n```sh\nfalse\n```\n"
    page = f"Text\n\n{blocks}"
    right = page.replace("wrong", "one\ntwo")
    assert rewritten(page, tmp_path) == right
    assert rewritten(right, tmp_path) == right


def test_a_failing_command_is_told(tmp_path: Path) -> None:
    with pytest.raises(RuntimeError, match="ended with 3"):
        list(replayed("```console\n$ exit 3\n```\n", tmp_path))
    assert steps_of("$ exit 3\n")[0].command == "exit 3"


def test_links_of_the_readme_lead_somewhere() -> None:
    for link in re.findall(r"\]\(([^)#]+)(?:#[^)]*)?\)", README.read_text(encoding="utf-8")):
        if not link.startswith(("http://", "https://", "mailto:")):
            assert (ROOT / link).exists(), link
