"""Events while they are being made: numbers instead of ids, arrays instead of rows."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, fields
from typing import Final

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from graphscan.entropy import generator, mix64
from graphscan.events.model import ACTIONS

Int64 = NDArray[np.int64]
Float64 = NDArray[np.float64]

CODE: Final = {name: number for number, name in enumerate(ACTIONS)}

_KIND_BITS: Final = 56
EVENT_KEY: Final = 1 << _KIND_BITS
ACCOUNT_KEY: Final = 2 << _KIND_BITS
CHAT_KEY: Final = 3 << _KIND_BITS
NO_KEY: Final = -1

DETAILS: Final = (None, "edit", "delete", "sign_up", "bio", "avatar")
DEVICE: Final = 0
SCHEDULER: Final = 1
DEVICES: Final = ("android", "ios", "web", "desktop")


@dataclass(frozen=True)
class Draft:
    """A part of a world's events, all arrays of one length.

    Attributes
    ----------
    account
        Number of the acting account.
    action
        Place in ``ACTIONS``.
    time_us
        When.
    object_key, parent_key
        What is acted on, what is answered: a kind (``EVENT_KEY``, ``ACCOUNT_KEY``, ``CHAT_KEY``) plus a
        number; ``NO_KEY`` as object means the event itself, as parent nothing.
    text_kind
        See :mod:`graphscan.simulate.texts`.
    detail, tool
        Place in ``DETAILS``; whether a scheduling tool sent the event.
    """

    account: Int64
    action: Int64
    time_us: Int64
    object_key: Int64
    parent_key: Int64
    text_kind: Int64
    detail: Int64
    tool: Int64

    def __len__(self) -> int:
        return len(self.account)

    def kept(self, mask: NDArray[np.bool_]) -> Draft:
        """The events where the mask is true. Only for events that no other event refers to yet."""
        return Draft(*(getattr(self, field.name)[mask] for field in fields(self)))


def draft(
    account: Int64,
    action: Int64 | str,
    time_us: Int64,
    object_key: Int64 | int = NO_KEY,
    parent_key: Int64 | int = NO_KEY,
    text_kind: Int64 | int = 0,
    detail: Int64 | int = 0,
    tool: Int64 | int = 0,
) -> Draft:
    """A draft whose scalars stand for whole columns."""
    n = len(account)

    def column(values: Int64 | int) -> Int64:
        return np.broadcast_to(np.asarray(values, dtype=np.int64), (n,))

    code = CODE[action] if isinstance(action, str) else action
    return Draft(
        np.asarray(account, dtype=np.int64),
        column(code),
        np.asarray(time_us, dtype=np.int64),
        column(object_key),
        column(parent_key),
        column(text_kind),
        column(detail),
        column(tool),
    )


class Ledger:
    """Drafts in the order they were made; an event's number is its place in them all."""

    def __init__(self) -> None:
        self.parts: list[Draft] = []
        self.n_events = 0

    def add(self, part: Draft) -> Int64:
        """Append a part and return the numbers of its events."""
        numbers = self.n_events + np.arange(len(part), dtype=np.int64)
        self.parts.append(part)
        self.n_events += len(part)
        return numbers

    def column(self, name: str) -> Int64:
        """One column over all parts."""
        return np.concatenate([getattr(part, name) for part in self.parts])

    def rows(self, wanted: Callable[[Draft], NDArray[np.bool_]]) -> Int64:
        """Numbers of the events for which ``wanted`` says yes."""
        out, base = [], 0
        for part in self.parts:
            out.append(base + np.flatnonzero(wanted(part)))
            base += len(part)
        return np.concatenate(out) if out else np.zeros(0, dtype=np.int64)


def hex_ids(keys: Int64, seed: int) -> pa.Array:
    """16 hexadecimal digits for each key, distinct for distinct keys; null for ``NO_KEY``.

    Nothing in an id tells the kind of thing it names.
    """
    salt = generator(seed, "ids").integers(0, 2**63, dtype=np.uint64)
    present = keys != NO_KEY
    words = mix64(keys[present].astype(np.uint64) ^ salt).astype(">u8").view(np.uint8).reshape(-1, 8)
    digits = np.frombuffer(b"0123456789abcdef", dtype=np.uint8)
    text = np.empty((len(words), 16), dtype=np.uint8)
    text[:, 0::2] = digits[words >> 4]
    text[:, 1::2] = digits[words & 15]
    offsets = np.zeros(len(keys) + 1, dtype=np.int32)
    np.cumsum(16 * present, out=offsets[1:])
    valid = None if len(words) == len(keys) else pa.py_buffer(np.packbits(present, bitorder="little"))
    return pa.StringArray.from_buffers(len(keys), pa.py_buffer(offsets), pa.py_buffer(text), valid)


def ranges(start: Int64, count: Int64) -> Int64:
    """The numbers ``start[i] … start[i] + count[i] - 1`` of all i, one after another."""
    total = int(count.sum())
    shift = np.repeat(start - np.concatenate([[0], np.cumsum(count)[:-1]]), count)
    return shift + np.arange(total, dtype=np.int64)


def concatenated(parts: Iterable[Int64]) -> Int64:
    """The parts as one array, empty if there are none."""
    found = list(parts)
    return np.concatenate(found) if found else np.zeros(0, dtype=np.int64)
