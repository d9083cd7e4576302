"""Small incidences and events with known groups in them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
import pyarrow as pa

from graphscan.clusters.detection import LayerProblem
from graphscan.clusters.incidence import Incidence
from graphscan.events.model import EVENT_SCHEMA
from graphscan.settings import ClusterSettings

DAY_S = 86_400
START_US = 1_700_006_400_000_000  # a midnight

Act = tuple[int, int, float]  # account, object, seconds after the object's birth


def incidence_of(
    acts: Iterable[Act],
    births_s: Sequence[float] | np.ndarray,
    *,
    opener: Sequence[int] | None = None,
    span_s: Sequence[float] | None = None,
    n_accounts: int | None = None,
) -> Incidence:
    """An incidence, first acts as given; objects last until the last act on them, or as ``span_s`` says."""
    rows = sorted(acts, key=lambda r: (r[1], r[2], r[0]))
    account = np.array([r[0] for r in rows], np.int64)
    obj = np.array([r[1] for r in rows], np.int64)
    delay = np.array([round(r[2] * 1e6) for r in rows], np.int64)
    births = START_US + np.round(np.asarray(births_s) * 1e6).astype(np.int64)
    n = n_accounts or (int(account.max()) + 1 if rows else 0)
    k = len(births)
    spans = [delay[obj == o].max(initial=0) for o in range(k)] if span_s is None else np.array(span_s) * 1e6
    return Incidence(
        account,
        obj,
        np.arange(len(rows)),
        births[obj] + delay,
        delay,
        n,
        k,
        len(np.unique(account)),
        pa.array([f"o{o}" for o in range(k)]),
        np.full(k, -1, np.int64) if opener is None else np.array(opener, np.int64),
        np.array(spans, np.int64),
    )


def births(rng: np.random.Generator, n_objects: int, days: int = 60) -> np.ndarray:
    """Random births, in order."""
    return np.sort(rng.uniform(0, days * DAY_S, n_objects))


def farm_acts(
    rng: np.random.Generator,
    accounts: Sequence[int] | range,
    objects: Sequence[int] | range,
    *,
    share: float = 0.5,
    jitter_s: float = 60.0,
    order_s: float = 7_200.0,
) -> list[Act]:
    """One order an object, at a lognormal time; each member follows a share of them within the jitter."""
    acts = []
    for obj in objects:
        order = rng.lognormal(np.log(order_s), 1.4)
        acts += [(a, obj, order + rng.uniform(0, jitter_s)) for a in accounts if rng.random() < share]
    return acts


def habit_acts(
    rng: np.random.Generator,
    accounts: Sequence[int] | range,
    objects: Sequence[int] | range,
    *,
    share: float = 0.5,
    fastest_s: float = 120.0,
    slowest_s: float = 86_400.0,
) -> list[Act]:
    """Everybody with a pace of its own, and nothing in common but the objects."""
    acts = []
    for a in accounts:
        pace = np.exp(rng.uniform(np.log(fastest_s), np.log(slowest_s)))
        sigma = rng.uniform(0.6, 1.3)
        acts += [(a, o, rng.lognormal(np.log(pace), sigma)) for o in objects if rng.random() < share]
    return acts


def problem_of(
    incidence: Incidence, *, seed: int = 0, layer: str = "co_repost", **changed: Any
) -> LayerProblem:
    """A detection problem with default settings."""
    fields = {"is_conversation": False, "has_sessions": False, "settings": ClusterSettings(), **changed}
    return LayerProblem(layer, incidence, seed=seed, **fields)


def events_of(*rows: dict[str, Any]) -> pa.Table:
    """Events in canonical order; ``at`` in seconds after a midnight, ids by their place."""
    full = [
        {
            **dict.fromkeys(EVENT_SCHEMA.names),
            "event_id": f"e{number:05d}",
            **{key: value for key, value in row.items() if key != "at"},
            "timestamp_us": START_US + round(float(row["at"]) * 1e6),
        }
        for number, row in enumerate(rows)
    ]
    full.sort(key=lambda row: (row["timestamp_us"], row["event_id"]))
    return pa.Table.from_pylist(full, schema=EVENT_SCHEMA)


def act(account: str, action: str, obj: str, at: float, **more: Any) -> dict[str, Any]:
    """One row for :func:`events_of`."""
    return {"account_id": account, "action": action, "object_id": obj, "at": at, **more}
