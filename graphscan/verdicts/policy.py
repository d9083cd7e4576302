"""The policy: where the lines are, in a versioned file, and the guard rails no file can loosen."""

from __future__ import annotations

import difflib
import hashlib
import json
import math
import tomllib
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields, replace
from functools import lru_cache
from pathlib import Path
from typing import Any, Final

from graphscan.errors import EXIT_USAGE, GraphscanError

SCHEMA_VERSION: Final = 1
TIERS: Final = ("none", "warn", "limit", "review", "terminate")


@dataclass(frozen=True)
class ScorePolicy:
    """When an account is scored at all."""

    min_events: int = 20
    min_active_days: int = 3


@dataclass(frozen=True)
class WarnPolicy:
    """A notice without loss of reach."""

    p_automation: float = 0.75
    ai_text_min_texts: int = 20
    ai_text_score: float = 0.9
    ai_text_share: float = 0.5


@dataclass(frozen=True)
class LimitPolicy:
    """Reduced visibility for a time."""

    p_automation: float = 0.90
    coverage: float = 0.50
    families: int = 2
    min_events: int = 50
    days: int = 14
    after_warnings: int = 2


@dataclass(frozen=True)
class ReviewPolicy:
    """A person must look."""

    cluster_q: float = 0.01


@dataclass(frozen=True)
class TerminatePolicy:
    """The end of an account."""

    p_automation: float = 0.90
    coverage: float = 0.80
    surfaces: int = 3
    post_coverage: float = 0.95
    cluster_q: float = 0.01
    cluster_layers: int = 2
    families: int = 3
    min_events: int = 100
    human_alpha: float = 0.01


@dataclass(frozen=True)
class ExecutionPolicy:
    """Sign-offs, circuit breaker, time to contest."""

    signoffs: int = 1
    signoffs_many: int = 2
    many: int = 50
    breaker_share: float = 0.01
    breaker_min: int = 50
    contest_days: int = 183


@dataclass(frozen=True)
class Policy:
    """All sections of a policy file."""

    name: str = "default"
    version: str = "1"
    score: ScorePolicy = field(default_factory=ScorePolicy)
    warn: WarnPolicy = field(default_factory=WarnPolicy)
    limit: LimitPolicy = field(default_factory=LimitPolicy)
    review: ReviewPolicy = field(default_factory=ReviewPolicy)
    terminate: TerminatePolicy = field(default_factory=TerminatePolicy)
    execution: ExecutionPolicy = field(default_factory=ExecutionPolicy)

    def sha256(self) -> str:
        """Hash of the values; equal hashes mean equal decisions."""
        text = json.dumps(asdict(self), sort_keys=True, separators=(",", ":"))
        return hashlib.sha256(text.encode()).hexdigest()


# Section, key, lowest and highest value. These are the guard rails: outside them a file is refused.
_BOUNDS: Final = (
    ("score", "min_events", 20, None),
    ("score", "min_active_days", 3, None),
    ("warn", "p_automation", 0.5, 1.0),
    ("warn", "ai_text_min_texts", 20, None),
    ("warn", "ai_text_score", 0.5, 1.0),
    ("warn", "ai_text_share", 0.0, 1.0),
    ("limit", "p_automation", 0.75, 1.0),
    ("limit", "coverage", 0.5, 1.0),
    ("limit", "families", 2, None),
    ("limit", "min_events", 50, None),
    ("limit", "days", 1, 90),
    ("limit", "after_warnings", 1, None),
    ("review", "cluster_q", 0.0, 0.05),
    ("terminate", "p_automation", 0.9, 1.0),
    ("terminate", "coverage", 0.8, 1.0),
    ("terminate", "surfaces", 3, 5),
    ("terminate", "post_coverage", 0.95, 1.0),
    ("terminate", "cluster_q", 0.0, 0.01),
    ("terminate", "cluster_layers", 2, None),
    ("terminate", "families", 3, None),
    ("terminate", "min_events", 100, None),
    ("terminate", "human_alpha", 0.0, 0.01),
    ("execution", "signoffs", 0, None),
    ("execution", "signoffs_many", 0, None),
    ("execution", "many", 1, None),
    ("execution", "breaker_share", 0.0, 0.05),
    ("execution", "breaker_min", 0, 50),
    ("execution", "contest_days", 183, None),
)
# What must not be easier to reach in a higher tier than in a lower one.
_ORDER: Final = (
    (("warn", "p_automation"), ("limit", "p_automation")),
    (("limit", "p_automation"), ("terminate", "p_automation")),
    (("limit", "coverage"), ("terminate", "coverage")),
    (("terminate", "coverage"), ("terminate", "post_coverage")),
    (("limit", "families"), ("terminate", "families")),
    (("score", "min_events"), ("limit", "min_events")),
    (("limit", "min_events"), ("terminate", "min_events")),
    (("terminate", "cluster_q"), ("review", "cluster_q")),
    (("execution", "signoffs"), ("execution", "signoffs_many")),
)


def default_policy_path() -> Path:
    """The policy file that is shipped with the package."""
    return Path(__file__).parent / "policies" / "default.toml"


def read_policy(path: Path | str | None = None) -> Policy:
    """Read a policy file, the shipped one by default.

    Raises
    ------
    GraphscanError
        Exit 2 with all problems at once: unknown keys, wrong types, values outside the guard rails,
        tiers out of
        order.
    """
    path = default_policy_path() if path is None else Path(path)
    try:
        document = tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise GraphscanError(
            f"the policy cannot be read: {error.strerror or error}",
            str(path),
            "check the path given to --policy",
            EXIT_USAGE,
        ) from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise GraphscanError(
            f"the policy is not valid TOML: {error}", str(path), "mend the file", EXIT_USAGE
        ) from error
    return policy_from(document, str(path))


def policy_from(document: Mapping[str, Any], where: str = "policy") -> Policy:
    """A policy from the content of a file; keys left out have the shipped values.

    Raises
    ------
    GraphscanError
        As :func:`read_policy`.
    """
    problems: list[str] = []
    if document.get("schema_version") != SCHEMA_VERSION:
        problems.append(f"schema_version must be {SCHEMA_VERSION}, not {document.get('schema_version')!r}")
    defaults = Policy()
    sections = {
        f.name: getattr(defaults, f.name) for f in fields(Policy) if f.name not in ("name", "version")
    }
    known = ["schema_version", "name", "version", *sections]
    problems += [_unknown(key, known, "") for key in document if key not in known]
    built: dict[str, Any] = {}
    for key in ("name", "version"):
        if key in document:
            if isinstance(document[key], str):
                built[key] = document[key]
            else:
                problems.append(f"{key} must be text")
    for section, default in sections.items():
        values = document.get(section, {})
        if not isinstance(values, Mapping):
            problems.append(f"[{section}] must be a table")
            continue
        built[section] = type(default)(**_values(section, values, default, problems))
    if not problems:
        problems = policy_problems(Policy(**built))
    if problems:
        raise GraphscanError(
            f"{len(problems)} problem{'s' if len(problems) > 1 else ''} in the policy: "
            + "; ".join(problems),
            where,
            "mend the file; `graphscan policy guidelines` shows what the shipped one means",
            EXIT_USAGE,
        )
    return Policy(**built)


def policy_problems(policy: Policy) -> list[str]:
    """Values outside the guard rails, and tiers out of order."""
    problems = []
    for section, key, low, high in _BOUNDS:
        value = getattr(getattr(policy, section), key)
        if (low is not None and value < low) or (high is not None and value > high):
            limits = (
                f"at least {low}"
                if high is None
                else f"at most {high}"
                if low is None
                else f"{low} to {high}"
            )
            problems.append(f"{section}.{key} = {value} is outside the guard rails ({limits})")
    for (low_section, low_key), (high_section, high_key) in _ORDER:
        low, high = (
            getattr(getattr(policy, low_section), low_key),
            getattr(getattr(policy, high_section), high_key),
        )
        if low > high:
            problems.append(
                f"tiers out of order: {low_section}.{low_key} = {low} above {high_section}.{high_key} = "
                f"{high}"
            )
    return problems


@lru_cache(maxsize=64)
def within_guard_rails(policy: Policy) -> Policy:
    """The policy with every value moved inside the guard rails, and no tier easier than a lower one.

    A file outside them is refused; this holds for policies that were made in code.
    """
    parts: dict[str, dict[str, Any]] = {
        f.name: asdict(getattr(policy, f.name)) for f in fields(Policy) if f.name not in ("name", "version")
    }
    for section, key, low, high in _BOUNDS:
        value = parts[section][key]
        value = value if low is None else max(value, low)
        parts[section][key] = value if high is None else min(value, high)
    for (low_section, low_key), (high_section, high_key) in _ORDER:
        low, high = parts[low_section][low_key], parts[high_section][high_key]
        if low > high and low_key == "cluster_q":
            parts[low_section][low_key] = high
        elif low > high:
            parts[high_section][high_key] = low
    return replace(policy, **{name: type(getattr(policy, name))(**values) for name, values in parts.items()})


def _values(section: str, values: Mapping[str, Any], default: Any, problems: list[str]) -> dict[str, Any]:
    known = {f.name: getattr(default, f.name) for f in fields(default)}
    result: dict[str, Any] = {}
    for key, value in values.items():
        if key not in known:
            problems.append(_unknown(key, list(known), f"{section}."))
        elif isinstance(value, bool) or not isinstance(value, int | float):
            problems.append(f"{section}.{key} must be a number, not {value!r}")
        elif isinstance(known[key], int) and not isinstance(value, int):
            problems.append(f"{section}.{key} must be a whole number, not {value!r}")
        elif math.isnan(value):
            problems.append(f"{section}.{key} must be a number, not NaN")
        else:
            result[key] = value if isinstance(known[key], int) else float(value)
    return result


def _unknown(key: str, known: list[str], prefix: str) -> str:
    near = difflib.get_close_matches(key, known, 1)
    return f"unknown key {prefix}{key}" + (f" (did you mean {prefix}{near[0]}?)" if near else "")
