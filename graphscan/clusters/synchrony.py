"""The synchronisation panel: how a found cluster acts together, one number for each way of doing so.

Every metric is a value people can read and a z against a null. For metrics of togetherness the null is that
of the test: each account's own delays permuted inside size classes, so a positive finding is never a matter
of habit, choice of objects or fame of the objects. Metrics of order (who leads, who is first) keep the times
on each object and exchange who acted when: habit counts there, and a fast fan leads. Metrics without times
have a null of their own, told in their docstrings. The panel describes; it does not decide.

``z = (value - null mean) / null sd``, so its sign is that of the value; `Metric.synchronous` says which sign
means more in common. What cannot be computed is NaN, never 0.

Large clusters cost no more than small ones: `synchrony_panel` uses the objects chosen by
`graphscan.clusters.significance.sampled_acts` (about 5,000 acts), event synchronisation at most 20,000 pairs
of acts drawn evenly, and action strings the last 100 actions of at most 60 members. All samples follow from
the seed and the times of the acts.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final, Literal

import numpy as np
from numpy.typing import NDArray

from graphscan.clusters.configuration import Configuration, shared_objects
from graphscan.clusters.digital_dna import action_strings, digital_dna_lcs
from graphscan.clusters.incidence import Incidence
from graphscan.clusters.significance import (
    TICK_US,
    MemberActs,
    TickArray,
    permuted_delays,
    sampled_acts,
)
from graphscan.clusters.togetherness import (
    Panel,
    burst_overlap,
    cascade_entropy,
    delay_dispersion,
    event_sync,
    event_sync_direction,
    kendall_w,
    lead_scores,
    permuted_order,
    persistence,
    phase_coherence,
)
from graphscan.entropy import generator

__all__ = [
    "PANEL",
    "Metric",
    "Panel",
    "action_strings",
    "co_presence",
    "lead_scores",
    "panel_of",
    "synchrony_panel",
]

IntArray = NDArray[np.int64]
FloatArray = NDArray[np.float64]

MAX_ACTS: Final = 5_000
_BLOCK_CELLS: Final = 2_000_000
_NAN: Final = float("nan")


def co_presence(
    incidence: Incidence, members: IntArray, model: Configuration | None = None
) -> tuple[float, float]:
    """Chance that another member is on a member's object too, times ignored; 0 to 1.

    ``sum q (q - 1) / ((n - 1) sum q)`` over all objects of the layer, q members on each; in the chat layer
    objects are sessions. The null is the bipartite configuration model, as in
    `graphscan.clusters.configuration`. People who talk with each other are co-present: high values name a
    community and prove nothing. Blind spots: conversation, fandom, time zones.
    """
    rows = incidence.rows_of(members)
    if len(members) < 2 or not len(rows):
        return _NAN, _NAN
    shared = shared_objects(incidence, members, model)
    return 2 * shared.n_shared / ((len(members) - 1) * len(rows)), shared.z


@dataclass(frozen=True)
class Metric:
    """One column pair ``name, name_z`` of the clusters table.

    Parameters
    ----------
    name
        Column name.
    function
        Its implementation; the docstring is the user documentation.
    unit
        Of the value.
    null
        What z is measured against.
    synchronous
        Whether a higher or a lower value than the null means more in common.
    """

    name: str
    function: Callable[..., object]
    unit: str
    null: Literal["delays", "order", "configuration", "actions"]
    synchronous: Literal["higher", "lower"]

    @property
    def description(self) -> str:
        """The docstring of the function."""
        return (self.function.__doc__ or "").strip()


PANEL: Final[tuple[Metric, ...]] = (
    Metric("phase_coherence", phase_coherence, "0..1", "delays", "higher"),
    Metric("event_sync", event_sync, "0..1", "delays", "higher"),
    Metric("event_sync_direction", event_sync_direction, "0..1", "order", "higher"),
    Metric("delay_dispersion", delay_dispersion, "log2 ratio", "delays", "lower"),
    Metric("burst_overlap", burst_overlap, "0..1", "delays", "higher"),
    Metric("cascade_entropy", cascade_entropy, "0..1", "order", "lower"),
    Metric("kendall_w", kendall_w, "0..1", "order", "higher"),
    Metric("co_presence", co_presence, "0..1", "configuration", "higher"),
    Metric("digital_dna_lcs", digital_dna_lcs, "0..1", "actions", "higher"),
    Metric("persistence", persistence, "0..1", "delays", "higher"),
)


def panel_of(acts: MemberActs, incidence: Incidence, *, window_s: float, seed: int) -> Panel:
    """The panel's input: a bounded sample of the acts, and non-members on the same objects."""
    acts = sampled_acts(acts, MAX_ACTS)
    ticks, obj = _outsiders(acts, incidence)
    return Panel(acts, window_s, ticks, obj, seed)


def _outsiders(acts: MemberActs, incidence: Incidence) -> tuple[TickArray, IntArray]:
    if not len(acts):
        return np.empty(0, np.int32), np.empty(0, np.int64)
    # The incidence's object of each of the acts' objects: the one that most of its events stand on.
    rows = incidence.rows_of(np.unique(acts.account))
    rows = rows[np.argsort(incidence.event[rows], kind="stable")]
    event = incidence.event[rows]
    low, high = np.searchsorted(event, acts.event, "left"), np.searchsorted(event, acts.event, "right")
    n = high - low
    found = rows[np.repeat(low, n) + np.arange(int(n.sum())) - np.repeat(np.cumsum(n) - n, n)]
    key, votes = np.unique(
        np.repeat(acts.obj, n) * incidence.n_objects + incidence.obj[found], return_counts=True
    )
    number, obj = np.divmod(key, incidence.n_objects)
    order = np.lexsort((obj, -votes, number))
    best = order[np.concatenate(([True], number[order][1:] != number[order][:-1]))]
    of_object = np.full(incidence.n_objects, -1, np.int64)
    of_object[obj[best]] = number[best]
    here = of_object[incidence.obj]
    other = np.flatnonzero((here >= 0) & ~np.isin(incidence.account, np.unique(acts.account)))
    other = other[np.argsort(here[other], kind="stable")]
    ticks = np.minimum(incidence.delay_us[other] // TICK_US, 2**30 - 1).astype(np.int32)
    return ticks, here[other]


def synchrony_panel(
    acts: MemberActs,
    incidence: Incidence,
    *,
    window_s: float,
    member_action_strings: list[str] | None = None,
    seed: int,
    n_permutations: int = 199,
    model: Configuration | None = None,
) -> dict[str, tuple[float, float]]:
    """Value and z of every metric of `PANEL`, in its order.

    Parameters
    ----------
    acts
        `graphscan.clusters.significance.member_acts` of the cluster.
    incidence
        The layer's incidence it came from.
    window_s
        Window of the cluster's test, seconds.
    member_action_strings
        One string a member, one letter an action, by time (`action_strings`); None leaves digital DNA out.
    seed, n_permutations
        Of the delay null.
    model
        Fitted configuration of the incidence, to save fitting it for each cluster.

    Returns
    -------
    dict
        Name to (value, z); NaN where not computable.
    """
    panel = panel_of(acts, incidence, window_s=window_s, seed=seed)
    timed = [m for m in PANEL if m.null in ("delays", "order")]
    result = {m.name: (_NAN, _NAN) for m in PANEL}
    if panel.n >= 2:
        for metric, (value, null) in zip(timed, _against_null(panel, timed, n_permutations), strict=True):
            result[metric.name] = value, _z(value, null)
        result["co_presence"] = co_presence(incidence, np.unique(acts.account), model)
    if member_action_strings is not None:
        result["digital_dna_lcs"] = digital_dna_lcs(member_action_strings, seed=seed)
    return result


def _against_null(panel: Panel, metrics: list[Metric], n: int) -> list[tuple[float, FloatArray]]:
    """Observed value and null values of each delay metric."""
    rngs = {null: generator(panel.seed, "panel", null, panel.acts.key, n) for null in ("delays", "order")}
    block = max(1, _BLOCK_CELLS // max(len(panel.acts), len(panel.pairs[0]), 1))
    parts: list[list[FloatArray]] = [
        [np.asarray(m.function(panel, panel.acts.ticks[None, :]))] for m in metrics
    ]
    for done in range(0, n, block):
        size = min(block, n - done)
        arranged = {
            "delays": permuted_delays(panel.acts, size, rngs["delays"]),
            "order": permuted_order(panel.acts, size, rngs["order"]),
        }
        for values, metric in zip(parts, metrics, strict=True):
            values.append(np.asarray(metric.function(panel, arranged[metric.null])))
    out = []
    for values, metric in zip(parts, metrics, strict=True):
        every = np.concatenate(values)
        if metric.function is persistence:
            every = _share_of_slices(every)
        out.append((float(every[0]), every[1:]))
    return out


def _share_of_slices(pairs: FloatArray) -> FloatArray:
    if np.isnan(pairs).any():
        return np.full(len(pairs), _NAN)
    bound = np.quantile(pairs[1:], 0.95, axis=0, method="higher")
    return np.asarray((pairs > bound).mean(axis=1))


def _z(value: float, null: FloatArray) -> float:
    """NaN if the null does not vary: then there was nothing to compare with."""
    sd = float(null.std(ddof=1)) if len(null) > 1 else 0.0
    if not np.isfinite(value) or not sd > 1e-12:
        return _NAN
    return (value - float(null.mean())) / sd
