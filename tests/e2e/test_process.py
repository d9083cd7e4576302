"""The command line as a process: streams, exit codes, errors, signals, hostile surroundings."""

from __future__ import annotations

import json
import os
import pty
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

RunCli = Callable[..., "subprocess.CompletedProcess[str]"]

# Runs the command line with one more command, whose body is CODE.
WITH_COMMAND = """
import sys, click
from graphscan.cli import root
from graphscan.cli.output import output_options
from graphscan.errors import GraphscanError
class Probe:
    @click.command()
    @output_options
    def command(out):
        import os, sys, time
        {code}
sys.modules["probe"] = Probe
root.COMMANDS["probe"] = ("probe", "Probe.")
from graphscan.cli.process import run
sys.exit(run(["probe", *sys.argv[1:]]))
"""


def probe(code: str, *args: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", WITH_COMMAND.format(code=code), *args],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


# --- results and errors ----------------------------------------------------------------------------------


def test_version(run_cli: RunCli) -> None:
    from graphscan import __version__

    done = run_cli("--version")
    assert (done.returncode, done.stdout, done.stderr) == (0, f"graphscan {__version__}\n", "")


def test_help_is_a_result(run_cli: RunCli) -> None:
    done = run_cli("--help")
    assert done.returncode == 0
    assert "Commands:" in done.stdout
    assert done.stderr == ""
    assert max(map(len, done.stdout.splitlines())) <= 80


def test_no_command_is_a_usage_error_with_the_help(run_cli: RunCli) -> None:
    done = run_cli()
    assert (done.returncode, done.stdout) == (2, "")
    assert "Commands:" in done.stderr


@pytest.mark.parametrize(
    ("args", "said"),
    [
        (["docter"], "Did you mean 'doctor'?"),
        (["config", "show", "--jsn"], "--json"),
        (["config", "show", "extra"], "extra"),
        (["config", "show", "--set", "seeed=3"], "did you mean seed?"),
    ],
)
def test_usage_errors_say_what_where_and_mend(run_cli: RunCli, args: list[str], said: str) -> None:
    done = run_cli(*args)
    assert (done.returncode, done.stdout) == (2, "")
    lines = done.stderr.splitlines()
    assert [line.split(":")[0].strip() for line in lines] == ["error", "at", "mend"]
    assert said in done.stderr


def test_json_makes_an_error_one_json_document_too(run_cli: RunCli) -> None:
    done = run_cli("config", "show", "--json", "--set", "seed=-1")
    assert done.returncode == 2
    error = json.loads(done.stdout)["error"]
    assert set(error) == {"what", "where", "mend", "exit_code"}
    assert error["exit_code"] == 2
    assert done.stderr.startswith("error: ")


def test_our_errors_keep_their_code_and_bring_no_traceback() -> None:
    done = probe("raise GraphscanError('what\\x1b[2J', 'here:1\\nthere:2', 'mend it', exit_code=3)")
    assert done.returncode == 3
    assert done.stderr == "error: what\\x1b[2J\n  at: here:1\n  at: there:2\n  mend: mend it\n"


def test_debug_brings_the_traceback() -> None:
    done = probe("raise GraphscanError('what', exit_code=3)", "--debug")
    assert done.returncode == 3
    assert "Traceback" in done.stderr


def test_a_bug_is_exit_1_without_traceback() -> None:
    done = probe("{}['missing']")
    assert done.returncode == 1
    assert "bug" in done.stderr
    assert "Traceback" not in done.stderr
    assert "Traceback" in probe("{}['missing']", "--debug").stderr


@pytest.mark.parametrize(("number", "code"), [(28, 73), (13, 73), (30, 73), (2, 2)])
def test_errors_of_the_disk(number: int, code: int) -> None:
    done = probe(f"raise OSError({number}, os.strerror({number}), 'out/x')")
    assert done.returncode == code
    assert "at: out/x" in done.stderr


def test_a_full_disk_behind_stdout_is_cannot_write() -> None:
    with open("/dev/full", "wb") as full:
        done = subprocess.run(
            [sys.executable, "-m", "graphscan", "config", "show"],
            stdout=full,
            stderr=subprocess.PIPE,
            text=True,
            check=False,
        )
    assert done.returncode == 73
    assert "cannot write" in done.stderr
    assert "Traceback" not in done.stderr
    assert "Exception ignored" not in done.stderr


def test_a_reader_that_leaves_is_no_error() -> None:
    process = subprocess.Popen(
        [sys.executable, "-c", WITH_COMMAND.format(code="[print('x' * 80) for _ in range(100_000)]")],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    assert process.stdout is not None
    process.stdout.readline()
    process.stdout.close()
    assert process.wait(60) == 141
    assert process.stderr is not None
    assert process.stderr.read() == b""


# --- signals ---------------------------------------------------------------------------------------------

WAITS = "try: print('up', flush=True); time.sleep(60)\n        finally: print('cleaned', flush=True)"
STUBBORN = (
    "try: print('up', flush=True); time.sleep(60)\n"
    "        finally: print('cleaning', flush=True); time.sleep(60)"
)


def signalled(code: str, *numbers: int) -> tuple[int, str, str]:
    process = subprocess.Popen(
        [sys.executable, "-c", WITH_COMMAND.format(code=code)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    seen = ""
    for number in numbers:
        seen += process.stdout.readline()
        process.send_signal(number)
    out, err = process.communicate(timeout=60)
    return process.returncode, seen + out, err


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_one_signal_unwinds(number: int, code: int) -> None:
    returned, out, err = signalled(WAITS, number)
    assert returned == code
    assert "cleaned" in out
    assert "nothing that was finished before is lost" in err
    assert "Traceback" not in err


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_second_signal_stops_at_once(number: int, code: int) -> None:
    returned, out, err = signalled(STUBBORN, number, number)
    assert returned == code
    assert out.splitlines() == ["up", "cleaning"]
    assert "once more to stop at once" in err
    assert "Traceback" not in err


# --- settings and surroundings ---------------------------------------------------------------------------


def test_config_show_names_the_origin_of_each_value(run_cli: RunCli, tmp_path: Path) -> None:
    (tmp_path / "graphscan.toml").write_text("[clusters]\nalpha = 0.01\n", encoding="utf-8")
    env = {"GRAPHSCAN_THREADS": "2"}
    shown = run_cli("config", "show", env=env).stdout.splitlines()
    by_key = {line.split()[0]: line for line in shown if line}
    assert by_key["clusters.alpha"].endswith("0.01  [graphscan.toml:2]")
    assert by_key["threads"].endswith("2  [environment variable GRAPHSCAN_THREADS]")
    assert by_key["seed"].endswith("0  [default]")
    document = json.loads(run_cli("config", "show", "--json", env=env).stdout)
    assert document["settings"]["clusters.alpha"] == {"value": 0.01, "origin": "graphscan.toml:2"}


def test_doctor_finds_this_machine_well(run_cli: RunCli) -> None:
    done = run_cli("doctor", "--json")
    assert done.returncode == 0, done.stderr
    checks = {check["name"]: check for check in json.loads(done.stdout)["checks"]}
    assert {"python", "duckdb", "igraph", "threads", "memory", "store", "temporary folder"} <= set(checks)
    assert all(check["ok"] for check in checks.values())


def test_doctor_says_what_to_mend(run_cli: RunCli) -> None:
    done = run_cli("doctor", env={"GRAPHSCAN_MEMORY_LIMIT": "4000TB"})
    assert done.returncode == 4
    assert "memory_limit" in done.stderr


SURROUNDINGS: dict[str, dict[str, str]] = {
    "locale C": {"LC_ALL": "C", "LANG": "C"},
    "ascii streams": {"PYTHONIOENCODING": "ascii", "PYTHONUTF8": "0"},
    "zone": {"TZ": "Asia/Kolkata"},
    "no home": {"HOME": ""},
    "home that is not there": {"HOME": "/nonexistent/home"},
    "home that is a file": {"HOME": "/dev/null"},
    "relative configuration home": {"XDG_CONFIG_HOME": "conf"},
}


@pytest.mark.parametrize("name", SURROUNDINGS)
def test_surroundings_change_nothing(run_cli: RunCli, name: str) -> None:
    plain = run_cli("config", "show")
    there = run_cli("config", "show", env=SURROUNDINGS[name])
    assert there.returncode == 0, there.stderr
    assert there.stdout == plain.stdout


def test_a_read_only_home_and_folders_with_spaces(run_cli: RunCli, tmp_path: Path) -> None:
    home = tmp_path / "read only home"
    work = tmp_path / "folder with spaces ü"
    home.mkdir()
    work.mkdir()
    (work / "graphscan.toml").write_text("seed = 5\n", encoding="utf-8")
    home.chmod(0o555)
    try:
        done = run_cli("config", "show", env={"HOME": str(home)}, cwd=work)
    finally:
        home.chmod(0o755)
    assert done.returncode == 0, done.stderr
    assert "seed" in done.stdout
    assert "[graphscan.toml:1]" in done.stdout
    assert list(home.iterdir()) == []


# --- colour ----------------------------------------------------------------------------------------------

TABLE = (
    "from rich.table import Table; from rich.text import Text; t = Table('id', title='T'); "
    "t.add_row(Text('v', style='bold red')); out.result({'a': 1}, t)"
)


def on_terminal(code: str, **env: str) -> str:
    """stdout of the probe on a pseudo-terminal."""
    leader, follower = pty.openpty()
    base = {k: v for k, v in os.environ.items() if k not in ("NO_COLOR", "FORCE_COLOR")}
    process = subprocess.Popen(
        [sys.executable, "-c", WITH_COMMAND.format(code=code)],
        stdout=follower,
        stderr=subprocess.DEVNULL,
        stdin=subprocess.DEVNULL,
        env={**base, "TERM": "xterm-256color", **env},
    )
    os.close(follower)
    chunks = []
    while True:
        try:
            chunk = os.read(leader, 4096)
        except OSError:
            break
        if not chunk:
            break
        chunks.append(chunk)
    os.close(leader)
    assert process.wait(60) == 0
    return b"".join(chunks).decode()


def test_colour_on_a_terminal_only_and_never_with_no_color() -> None:
    assert "\x1b[" in on_terminal(TABLE)
    assert "\x1b" not in on_terminal(TABLE, NO_COLOR="1")
    assert "\x1b" not in probe(TABLE).stdout


def test_json_on_a_terminal_is_plain() -> None:
    assert "\x1b" not in probe(TABLE, "--json").stdout
    assert json.loads(probe(TABLE, "--json").stdout) == {"a": 1}
