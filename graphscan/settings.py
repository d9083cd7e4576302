"""The settings: one frozen tree of sections, each value with its type, its bounds and its meaning.

Where the values come from is the matter of :mod:`graphscan.configuration`. Secrets are never settings.

To add a section, write a class derived from :class:`Section` whose fields all have a default and a
description, and name it as a field of :class:`Settings`; files, environment, ``config show``, the settings
reference and the hash follow from that.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
from typing import Annotated, Any, Final, Literal

from pydantic import BaseModel, ConfigDict, Field, field_validator

# How a run is carried out, which never changes what it finds: left out of the hash.
EXECUTION_ONLY: Final = frozenset({"threads", "memory_limit"})

Action = Literal[
    "post", "repost", "comment", "like", "follow", "message", "chat_message", "chat_join", "profile", "other"
]
ObjectKind = Literal["object_id", "urls", "hashtags", "text", "media_hash", "profile", "clock"]
BirthKind = Literal["content", "session", "trigger", "none"]

Share = Annotated[float, Field(ge=0.0, le=1.0)]
PositiveFloat = Annotated[float, Field(gt=0.0)]
PositiveInt = Annotated[int, Field(ge=1)]


class Section(BaseModel):
    """A frozen group of settings; unknown keys and wrong types are errors."""

    model_config = ConfigDict(
        extra="forbid", frozen=True, strict=True, allow_inf_nan=False, validate_default=True
    )


class LayerSettings(Section):
    """One layer of co-action: which events count, what their object is, and how close in time is close."""

    enabled: bool = Field(default=True, description="Whether the layer is computed.")
    window_s: PositiveFloat = Field(
        description="Two acts on one object at most this many seconds apart are a pair (inclusive)."
    )
    actions: tuple[Action, ...] = Field(min_length=1, description="The actions whose events count.")
    object_kind: ObjectKind = Field(
        description="What the accounts have in common: a column of the events, a near-duplicate `text` or "
        "`profile` group, or a `clock` (period and phase)."
    )
    birth: BirthKind = Field(
        default="none",
        description="How the birth of an object is known when a group is tested: `content` its post, else "
        "the first act on it, `session` the start of the chat session, `trigger` the target's join or first "
        "post; `none`: the layer has no valid test of synchrony and raises no suspicion by itself.",
    )
    is_conversation: bool = Field(
        default=False,
        description="Acts answer each other, so that people who talk are together in time without any "
        "agreement; what a group opened itself then counts for nothing in its own test.",
    )


_CONTENT: Final[tuple[Action, ...]] = ("post", "repost", "comment", "message", "chat_message")
_DAY_S: Final = 86_400.0


def _layer(
    window_s: float,
    actions: tuple[Action, ...],
    object_kind: ObjectKind,
    birth: BirthKind = "none",
    is_conversation: bool = False,
) -> LayerSettings:
    return LayerSettings(
        window_s=window_s,
        actions=actions,
        object_kind=object_kind,
        birth=birth,
        is_conversation=is_conversation,
    )


def default_layers() -> dict[str, LayerSettings]:
    """The layers of a fresh install, by name."""
    return {
        "co_repost": _layer(60.0, ("repost",), "object_id", "content"),
        "co_comment": _layer(300.0, ("comment",), "object_id", "content", True),
        "co_like": _layer(300.0, ("like",), "object_id", "content"),
        "co_url": _layer(300.0, _CONTENT, "urls"),
        "co_hashtags": _layer(_DAY_S, _CONTENT, "hashtags"),
        "co_text": _layer(_DAY_S, _CONTENT, "text"),
        "co_media": _layer(_DAY_S, _CONTENT, "media_hash"),
        "co_follow": _layer(_DAY_S, ("follow",), "object_id", "trigger"),
        "co_message": _layer(_DAY_S, ("message",), "object_id", "trigger"),
        "co_chat": _layer(120.0, ("chat_message",), "object_id", "session", True),
        "co_join": _layer(600.0, ("chat_join",), "object_id"),
        "co_profile": _layer(600.0, ("profile",), "profile"),
        "co_clock": _layer(120.0, _CONTENT, "clock"),
    }


class NetworkSettings(Section):
    """The co-action network."""

    max_pairs_per_object: PositiveInt = Field(
        default=20_000_000,
        description="Pairs of events that one object may give in one layer; what is beyond is capped, "
        "counted and named in the manifest.",
    )
    min_shared_objects: PositiveInt = Field(
        default=2,
        description="In a sweep an edge needs this many shared objects: a single one ties strangers into a "
        "clique. (`graphscan network` has no such floor unless asked.)",
    )


class ClusterSettings(Section):
    """Discovery and test of clusters."""

    alpha: Share = Field(
        default=0.05,
        description="A cluster is found at most at this Benjamini-Hochberg q-value of its timing test.",
    )
    min_effect_ratio: PositiveFloat = Field(
        default=1.15,
        description="Effect floor: seen over expected synchrony, `(S + 1) / (mean + 1)`.",
    )
    min_kappa: Share = Field(
        default=0.20,
        description="Effect floor: share of the possible synchrony beyond chance that is realised.",
    )
    windows_s: tuple[PositiveFloat, ...] = Field(
        default=(60.0, 600.0, 3_600.0, 14_400.0, 43_200.0),
        min_length=1,
        description="Windows in which a candidate is tested, in seconds, ascending.",
    )
    discovery_windows_s: tuple[PositiveFloat, ...] = Field(
        default=(60.0, 600.0, 3_600.0),
        min_length=1,
        description="Windows in which candidates are looked for, in seconds, ascending.",
    )
    min_size: Annotated[int, Field(ge=3)] = Field(
        default=5,
        description="Smallest number of accounts in a cluster.",
    )
    resolutions: tuple[PositiveFloat, ...] = Field(
        default=(0.15, 0.3, 0.6, 1.2),
        min_length=1,
        description="Leiden CPM resolutions of discovery, times ln(active accounts). A coarse one finds "
        "loose farms and glues tight ones to their surroundings, a fine one the other way round.",
    )
    incidence_resolution: PositiveFloat = Field(
        default=0.4,
        description="One more, absolute, resolution of discovery by shared objects alone.",
    )
    min_objects: Annotated[int, Field(ge=2)] = Field(
        default=3, description="Shared objects without which a candidate is untestable."
    )
    min_log_arrangements: PositiveFloat = Field(
        default=9.0,
        description="Natural logarithm of the number of distinct arrangements of the delays without which a "
        "candidate is untestable.",
    )
    max_pairs_per_object: PositiveInt = Field(
        default=2_000_000,
        description="Pairs of accounts that one object may give in discovery; what is beyond is capped, "
        "counted and named in the manifest.",
    )
    max_accounts_incidence: PositiveInt = Field(
        default=200,
        description="Objects with more accounts say nothing about who belongs together, times ignored.",
    )
    max_acts: PositiveInt = Field(
        default=5_000,
        description="A candidate with more acts is tested on a sample of its objects.",
    )
    permutations: tuple[PositiveInt, ...] = Field(
        default=(19, 99, 499, 9_999),
        min_length=4,
        max_length=4,
        description="Permutations of the delay null: first look, second look, fitted tail, and confirmation.",
    )
    session_gap_s: PositiveFloat = Field(
        default=1_200.0, description="Silence that ends a chat session, in seconds."
    )
    weak: bool = Field(
        default=False,
        description="Also look for farms that share few objects (slower; tested against decoy worlds).",
    )

    @field_validator("windows_s", "discovery_windows_s", "resolutions", "permutations")
    @classmethod
    def _ascending(cls, value: tuple[float, ...]) -> tuple[float, ...]:
        if list(value) != sorted(set(value)):
            raise ValueError("must be in ascending order, each value once")
        return value


_SIZE = re.compile(r"(\d+(?:\.\d+)?)\s*([KMGT]i?)?B?", re.IGNORECASE)
_SIZE_STEPS: Final = {"": 0, "K": 1, "M": 2, "G": 3, "T": 4}


def size_bytes(text: str) -> int:
    """Bytes in a size such as ``3GB``, ``512MiB`` or ``1.5 G`` (K = 1000, Ki = 1024).

    Raises
    ------
    ValueError
        If it is not a size, or is zero.
    """
    found = _SIZE.fullmatch(text.strip())
    if not found:
        raise ValueError("not a size; write it like 3GB or 512MiB")
    unit = (found[2] or "").upper()
    n_bytes = int(float(found[1]) * (1024 if unit.endswith("I") else 1000) ** _SIZE_STEPS[unit.rstrip("I")])
    if n_bytes < 1:
        raise ValueError("must be more than zero")
    return n_bytes


class Settings(Section):
    """The whole tree."""

    seed: Annotated[int, Field(ge=0, lt=2**63)] = Field(default=0, description="Seed of everything random.")
    threads: PositiveInt | None = Field(
        default=None,
        description="Threads of every library; unset: as many as this process may use.",
    )
    memory_limit: str | None = Field(
        default=None,
        description="Memory that the store may use, such as `3GB`; unset: the store's own default.",
    )
    layers: dict[str, LayerSettings] = Field(
        default_factory=default_layers,
        description="The layers, by name; a file changes single values of a layer, or adds a layer.",
    )
    network: NetworkSettings = Field(default=NetworkSettings(), description="The co-action network.")
    clusters: ClusterSettings = Field(
        default=ClusterSettings(), description="Discovery and test of clusters."
    )

    @field_validator("memory_limit")
    @classmethod
    def _is_size(cls, value: str | None) -> str | None:
        if value is not None:
            size_bytes(value)
        return value

    @field_validator("layers")
    @classmethod
    def _layer_names(cls, value: dict[str, LayerSettings]) -> dict[str, LayerSettings]:
        for name in value:
            if not re.fullmatch(r"[a-z][a-z0-9_]{0,63}", name):
                raise ValueError(f"{name!r} is no layer name: lower-case letters, digits and _")
        return dict(sorted(value.items()))

    @property
    def memory_limit_bytes(self) -> int | None:
        """The memory limit in bytes, or None."""
        return None if self.memory_limit is None else size_bytes(self.memory_limit)

    @property
    def n_threads(self) -> int:
        """Threads that libraries may use: the setting, else the CPUs that this process may run on."""
        if self.threads:
            return self.threads
        # Not every system tells what this process may use.
        return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1

    def content(self) -> dict[str, Any]:
        """The settings that can change a result, as plain JSON values (for the manifest)."""
        return self.model_dump(mode="json", exclude=set(EXECUTION_ONLY))

    def sha256(self) -> str:
        """Hash of :meth:`content` in canonical JSON; equal hashes mean equal results on equal input."""
        text = json.dumps(self.content(), sort_keys=True, separators=(",", ":"), ensure_ascii=False)
        return hashlib.sha256(text.encode()).hexdigest()
