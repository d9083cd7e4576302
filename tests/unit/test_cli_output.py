"""What is printed: hostile text, JSON, progress without a terminal."""

from __future__ import annotations

import json
import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from graphscan.cli.output import Output, json_text, safe
from graphscan.cli.progress import StageProgress


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("plain é 漢 🙂", "plain é 漢 🙂"),
        ("a\x1b[31mb", "a\\x1b[31mb"),
        ("one\ntwo\r", "one\\ntwo\\r"),
        ("\x9b31m", "\\x9b31m"),
        ("abc\u202ecba", "abc\\u202ecba"),
        ("zero\u200bwidth", "zero\\u200bwidth"),
        ("line\u2028separator", "line\\u2028separator"),
        ("\ud800", "\\ud800"),
        ("back\\slash", "back\\slash"),
    ],
)
def test_hostile_characters_are_shown_and_do_nothing(text: str, shown: str) -> None:
    assert safe(text) == shown


@given(st.text())
def test_safe_text_is_one_line_without_control_characters(text: str) -> None:
    shown = safe(text)
    assert len(shown.splitlines()) <= 1
    assert not any(unicodedata.category(char) in ("Cc", "Cs") for char in shown)
    assert safe(shown) == shown


@given(
    st.recursive(
        st.none() | st.floats() | st.integers() | st.text(),
        lambda s: st.lists(s) | st.dictionaries(st.text(), s),
    )
)
def test_json_is_ascii_json(document: object) -> None:
    text = json_text(document)
    assert text.isascii()
    json.loads(text, parse_constant=lambda name: pytest.fail(f"{name} is no JSON"))


def test_progress_line_has_stage_rows_rate_and_time_left(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = iter([0.0, 10.0])
    monkeypatch.setattr("graphscan.entropy.monotonic_s", lambda: next(clock))
    progress = StageProgress(Output(quiet=True))
    progress("reading\x1b", 1_000, 5_000)
    assert progress.line() == "reading\\x1b: 1,000 of 5,000 rows, 100 a second, about 40 s left"


def test_progress_without_a_terminal_writes_lines(capsys: pytest.CaptureFixture[str]) -> None:
    import threading

    written = threading.Event()
    with StageProgress(Output(), line_every_s=0.001) as progress:
        progress("testing", 3, None)
        for _ in range(10_000):
            if "testing" in capsys.readouterr().err:
                written.set()
                break
            written.wait(0.001)
    assert written.is_set()


def test_quiet_progress_writes_nothing(capsys: pytest.CaptureFixture[str]) -> None:
    with StageProgress(Output(quiet=True), line_every_s=0.0) as progress:
        progress("testing", 3, 9)
    assert capsys.readouterr() == ("", "")
