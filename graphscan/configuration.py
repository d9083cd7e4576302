"""Where the settings come from: flag > environment > file > default, all problems reported at once.

A value is looked for in this order, and the first that is found counts: a flag of the command line, an
environment variable ``GRAPHSCAN_*`` (``__`` goes one level down: ``GRAPHSCAN_CLUSTERS__ALPHA``), the file
``graphscan.toml`` of the working directory, the user's ``graphscan/config.toml``, the default.
"""

from __future__ import annotations

import difflib
import json
import os
import re
import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any, Final

from pydantic import BaseModel, TypeAdapter, ValidationError

from graphscan.errors import EXIT_USAGE, GraphscanError
from graphscan.settings import LayerSettings, Settings, default_layers

ENV_PREFIX: Final = "GRAPHSCAN_"
# Variables with our prefix that are not settings: where the tests find their data.
ENV_RESERVED: Final = frozenset({"GRAPHSCAN_DATA"})


@dataclass(frozen=True)
class LoadedSettings:
    """Settings together with the origin of each value.

    Attributes
    ----------
    settings
        The tree.
    origins
        For each leaf that is not a default, by dotted key, where its value came from.
    """

    settings: Settings
    origins: Mapping[str, str] = field(default_factory=dict)

    def rows(self) -> Iterator[tuple[str, Any, str]]:
        """``(key, value, origin)`` of every leaf, in the order of the tree."""
        for key, value in _leaves(self.settings.model_dump(mode="json")):
            yield key, value, self.origins.get(key, "default")


@dataclass(frozen=True)
class _Problem:
    where: str
    key: str
    what: str

    def __str__(self) -> str:
        place = f"{self.where}, key {self.key}" if self.key else self.where
        return f"{place}: {self.what}"


def user_config_path(env: Mapping[str, str]) -> Path | None:
    """Where the user's own settings file would be, or None if this user has no home."""
    base = env.get("XDG_CONFIG_HOME", "")
    if base and Path(base).is_absolute():
        return Path(base) / "graphscan" / "config.toml"
    home = env.get("HOME", "")
    return Path(home) / ".config" / "graphscan" / "config.toml" if home else None


def load_settings(
    flags: Mapping[str, object] | None = None,
    *,
    assignments: tuple[str, ...] = (),
    env: Mapping[str, str] | None = None,
    directory: Path | None = None,
) -> LoadedSettings:
    """Read the settings from all their places.

    Parameters
    ----------
    flags
        Values of command-line flags by dotted key, such as ``{"clusters.weak": True}``; None means not given.
    assignments
        Further flags as text, ``key=value`` (what ``--set`` takes).
    env
        The environment; default: this process's.
    directory
        Where ``graphscan.toml`` is looked for; default: the working directory.

    Raises
    ------
    GraphscanError
        Exit code 2; it names every problem of every source at once.
    """
    env = os.environ if env is None else env
    problems: list[_Problem] = []
    given: dict[str, tuple[object, str]] = {}

    for path in (user_config_path(env), (directory or Path()) / "graphscan.toml"):
        if path is not None:
            given.update(_from_file(path, problems))
    for name in sorted(env):
        if name.startswith(ENV_PREFIX) and name not in ENV_RESERVED and env[name] != "":
            key = name.removeprefix(ENV_PREFIX).lower().replace("__", ".")
            given.update(_from_text(key, env[name], f"environment variable {name}", problems))
    for assignment in assignments:
        key, equals, text = assignment.partition("=")
        if equals:
            given.update(_from_text(key.strip(), text.strip(), f"flag --set {key.strip()}", problems))
        else:
            problems.append(_Problem(f"flag --set {assignment}", "", "expected KEY=VALUE"))
    for key, value in (flags or {}).items():
        if value is not None:
            given[key] = (value, "flag --" + key.rpartition(".")[2].replace("_", "-"))

    tree = Settings().model_dump(mode="json")
    for key, (value, origin) in given.items():
        _put(tree, key.split("."), value, origin, problems)
    settings = _validated(tree, given, problems)
    if settings is None or problems:
        lines = sorted({str(problem) for problem in problems})
        raise GraphscanError(
            "a setting is wrong" if len(lines) == 1 else f"{len(lines)} settings are wrong",
            where="\n".join(lines),
            mend="see `graphscan config show` for every setting, its value and its origin",
            exit_code=EXIT_USAGE,
        )
    leaves = {key for key, _ in _leaves(settings.model_dump(mode="json"))}
    return LoadedSettings(settings, {key: origin for key, (_, origin) in given.items() if key in leaves})


def _from_file(path: Path, problems: list[_Problem]) -> dict[str, tuple[object, str]]:
    try:
        text = path.read_text(encoding="utf-8-sig")
        tree = tomllib.loads(text)
    except (FileNotFoundError, NotADirectoryError):
        return {}
    except OSError as error:
        # A home that cannot even be searched is the same as a home without settings.
        if not isinstance(error, PermissionError) or os.access(path.parent, os.X_OK):
            problems.append(_Problem(str(path), "", f"cannot be read: {error.strerror}"))
        return {}
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        problems.append(_Problem(str(path), "", f"is not valid TOML: {error}"))
        return {}
    lines = _key_lines(text)
    found: dict[str, tuple[object, str]] = {}
    for key, value in _leaves(tree):
        line = next((lines[k] for k in _ancestors(key) if k in lines), None)
        found[key] = (value, f"{path}:{line}" if line else str(path))
    return found


def _ancestors(key: str) -> Iterator[str]:
    while key:
        yield key
        key = key.rpartition(".")[0]


def _key_lines(text: str) -> dict[str, int]:
    """Line of each key of a TOML text, as far as a line tells (keys inside inline tables have none)."""
    lines: dict[str, int] = {}
    table = ""
    for number, line in enumerate(text.splitlines(), 1):
        if header := re.match(r"\s*\[([^\[\]]+)\]", line):
            table = header[1].replace(" ", "").replace('"', "") + "."
            lines.setdefault(table[:-1], number)
        elif entry := re.match(r'\s*([\w."-]+)\s*=', line):
            lines.setdefault(table + entry[1].replace('"', ""), number)
    return lines


def _leaves(tree: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    for name, value in tree.items():
        if isinstance(value, Mapping) and value:
            yield from _leaves(value, f"{prefix}{name}.")
        else:
            yield prefix + name, value


def _annotation(key: str) -> Any:
    """The type of a leaf, or None if there is no such setting."""
    model: type[BaseModel] = Settings
    names = key.split(".")
    for position, name in enumerate(names):
        if name not in model.model_fields:
            return None
        info = model.model_fields[name]
        last = position == len(names) - 1
        if last:
            return Annotated[info.annotation, info] if info.metadata else info.annotation
        if name == "layers":
            rest = names[position + 2 :]
            if len(rest) != 1 or rest[0] not in LayerSettings.model_fields:
                return None
            return LayerSettings.model_fields[rest[0]].annotation
        if not (isinstance(info.annotation, type) and issubclass(info.annotation, BaseModel)):
            return None
        model = info.annotation
    return None


def _from_text(key: str, text: str, origin: str, problems: list[_Problem]) -> dict[str, tuple[object, str]]:
    annotation = _annotation(key)
    if annotation is None:
        # An unknown key: kept, so that the validation of the whole tree names it with a suggestion.
        return {key: (text, origin)}
    if str(annotation).startswith(("tuple[", "typing.Annotated[tuple[")):
        value: object = [part.strip() for part in text.strip("[]() ").split(",") if part.strip()]
        value = [part.strip("\"'") for part in value]  # type: ignore[attr-defined]
    else:
        value = None if text.lower() == "none" else text
    try:
        parsed = TypeAdapter(annotation).validate_python(value, strict=False)
    except ValidationError as error:
        problems.append(_Problem(origin, key, f"{_message(error.errors()[0])} (given: {text!r})"))
        return {}
    return {key: (list(parsed) if isinstance(parsed, tuple) else parsed, origin)}


def _put(
    tree: dict[str, Any], names: list[str], value: object, origin: str, problems: list[_Problem]
) -> None:
    for position, name in enumerate(names[:-1]):
        below = tree.setdefault(name, {})
        if not isinstance(below, dict):
            problems.append(
                _Problem(origin, ".".join(names), f"{'.'.join(names[: position + 1])} is a value")
            )
            return
        tree = below
    tree[names[-1]] = value


def _message(error: Any) -> str:
    return str(error["msg"]).removeprefix("Value error, ").removeprefix("Input ").strip()


def _validated(
    tree: dict[str, Any], given: Mapping[str, tuple[object, str]], problems: list[_Problem]
) -> Settings | None:
    try:
        # Validated as JSON: strict, yet a list is a tuple; dates, which TOML has, become refused text.
        return Settings.model_validate_json(json.dumps(tree, default=str))
    except ValidationError as error:
        for item in error.errors():
            key = ".".join(str(part) for part in item["loc"])
            given_key = next((k for k in given if k == key or k.startswith(key + ".")), None)
            given_key = given_key or next((k for k in _ancestors(key) if k in given), None)
            if given_key is None and item["type"] == "missing":
                given_key = next((k for k in given if k.startswith(key.rpartition(".")[0] + ".")), None)
            where = given[given_key][1] if given_key else "default"
            if item["type"] in ("extra_forbidden", "missing"):
                what = "unknown setting" if item["type"] == "extra_forbidden" else "missing in a new layer"
                what += _suggestion(key)
            else:
                what = f"{_message(item)} (given: {json.dumps(item['input'], default=str)})"
            problems.append(_Problem(where, key, what))
        return None


def _suggestion(key: str) -> str:
    known = [name for name, _ in _leaves(Settings().model_dump(mode="json"))]
    known += list(Settings.model_fields)
    if key.startswith("layers."):
        # A layer that is missing something may be a known one misspelt.
        name = key.split(".")[1]
        layer = difflib.get_close_matches(name, default_layers(), n=1, cutoff=0.75)
        if layer and layer[0] != name:
            return f"; did you mean layers.{layer[0]}?"
    near = difflib.get_close_matches(key, known, n=1, cutoff=0.75)
    if not near:
        last = key.rpartition(".")[2]
        by_last = {name.rpartition(".")[2]: name for name in reversed(known)}
        near = [by_last[n] for n in difflib.get_close_matches(last, list(by_last), n=1, cutoff=0.75)]
    return f"; did you mean {near[0]}?" if near else ""
