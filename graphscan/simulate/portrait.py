"""The marginals by which a simulated world is held against real events."""

from __future__ import annotations

from typing import Final

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from graphscan.simulate.background import Background, Int64

Float64 = NDArray[np.float64]

_ENOUGH: Final = 50
_DAY_US: Final = 86_400_000_000


def portrait(events: pa.Table, accounts: pa.Array | None = None) -> dict[str, float]:
    """Marginals of a set of events.

    Parameters
    ----------
    events
        Events in the native layout.
    accounts
        Only the events of these accounts, if given.

    Returns
    -------
    dict
        ``events_per_account_p50/_p90/_p99``; ``top_1_percent_share_0_1`` of events; ``gap_s_p25/_p50/_p75``
        between an account's successive events; ``burstiness`` (Goh and Barabasi 2008, median over accounts
        with at least 50 gaps); ``circadian_strength`` (length of the mean vector of the hour of day, median
        over accounts with at least 100 events) and ``hours_covered``; for each of ``repost``, ``comment`` and
        ``like`` the ``*_accounts_per_object_p90/_p99`` and ``*_delay_s_p50/_p90`` since the object's birth;
        ``chat_gap_s_p50`` within sessions (no silence of 30 minutes), ``chat_session_messages_p90`` and
        ``chat_session_accounts_p90``.
        What the events do not show is missing.
    """
    import pyarrow.compute as pc

    if accounts is not None:
        events = events.filter(pc.is_in(events.column("account_id"), value_set=accounts))
    background = Background(events)
    out = _activity(background) | _gaps(background) | _rhythm(background)
    for action in ("repost", "comment", "like"):
        out |= _objects(background, action)
    return out | _chats(background)


def _quantiles(values: Float64 | Int64, name: str, *percent: int) -> dict[str, float]:
    if not len(values):
        return {}
    return {f"{name}_p{p}": float(np.quantile(values, p / 100)) for p in percent}


def _activity(background: Background) -> dict[str, float]:
    counts = np.sort(np.bincount(background.account))[::-1]
    busiest = max(1, len(counts) // 100)
    return {
        **_quantiles(counts, "events_per_account", 50, 90, 99),
        "top_1_percent_share_0_1": float(counts[:busiest].sum() / counts.sum()),
    }


def _gaps(background: Background) -> dict[str, float]:
    order = np.lexsort((background.times_us, background.account))
    account, times = background.account[order], background.times_us[order]
    same = account[1:] == account[:-1]
    gap_s = np.diff(times)[same] / 1e6
    owner = account[1:][same]
    n = np.bincount(owner, minlength=len(background.account_ids))
    total = np.bincount(owner, gap_s, minlength=len(n))
    squares = np.bincount(owner, gap_s**2, minlength=len(n))
    enough = n >= _ENOUGH
    mean = total[enough] / n[enough]
    sd = np.sqrt(np.maximum(squares[enough] / n[enough] - mean**2, 0.0))
    out = _quantiles(gap_s, "gap_s", 25, 50, 75)
    if enough.any():
        out["burstiness"] = float(np.median((sd - mean) / np.maximum(sd + mean, 1e-9)))
    return out


def _rhythm(background: Background) -> dict[str, float]:
    n_accounts = len(background.account_ids)
    counts = np.bincount(background.account, minlength=n_accounts)
    busy = counts >= 2 * _ENOUGH
    if not busy.any():
        return {}
    of_day = background.times_us % _DAY_US
    angle = of_day * (2 * np.pi / _DAY_US)
    east = np.bincount(background.account, np.cos(angle), minlength=n_accounts)
    north = np.bincount(background.account, np.sin(angle), minlength=n_accounts)
    hours = np.unique(background.account * 24 + of_day // 3_600_000_000) // 24
    covered = np.bincount(hours, minlength=n_accounts)
    return {
        "circadian_strength": float(np.median(np.hypot(east, north)[busy] / counts[busy])),
        "hours_covered": float(np.median(covered[busy])),
    }


def _objects(background: Background, action: str) -> dict[str, float]:
    if len(background.rows_of(action)) < _ENOUGH:
        return {}
    layer = background.layer(action)
    delay_s = (layer.times_us - layer.birth_us[layer.unit]) / 1e6
    known = layer.birth_known[layer.unit]
    # Without posts the first act is the birth, and has no delay of its own.
    delay_s = delay_s[known] if known.mean() > 0.2 else delay_s[delay_s > 0]
    return {
        **_quantiles(layer.size, f"{action}_accounts_per_object", 90, 99),
        **_quantiles(delay_s, f"{action}_delay_s", 50, 90),
    }


def _chats(background: Background) -> dict[str, float]:
    if len(background.rows_of("chat_message")) < _ENOUGH:
        return {}
    layer = background.layer("chat_message")
    inside = layer.unit[1:] == layer.unit[:-1]
    gap_us = np.diff(layer.times_us)[inside]
    return {
        **_quantiles(gap_us / 1e6, "chat_gap_s", 50),
        **_quantiles(np.diff(layer.start), "chat_session_messages", 90),
        **_quantiles(layer.size, "chat_session_accounts", 90),
    }
