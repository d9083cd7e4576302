"""Digital DNA: what accounts do, one letter an action, and how long a run of it a group has in common."""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING, Final

import numpy as np
from numpy.typing import NDArray

from graphscan.entropy import generator, mix64
from graphscan.events.model import ACTIONS

if TYPE_CHECKING:
    from graphscan.network.layers import EncodedEvents

IntArray = NDArray[np.int64]

MAX_STRINGS: Final = 60
MAX_STRING_LENGTH: Final = 100
_SHUFFLES: Final = 99
_NAN: Final = float("nan")


def digital_dna_lcs(strings: list[str], *, seed: int) -> tuple[float, float]:
    """Longest run of actions that at least half of the members have in common, over their median length.

    Digital DNA (Cresci et al., IEEE Intelligent Systems 31(5):58-64, 2016): one letter an action, in order of
    time; the value of the longest-common-substring curve at half of the accounts, 0 to 1. The null shuffles
    the order of actions inside each account (99 times), which keeps how often it does what. NaN with fewer
    than five strings of ten actions, or where nobody has two kinds of action. Blind spots: accounts with one
    action (all reposts) tell nothing; the last 100 actions of at most 60 members are used.
    """
    usable = sorted((s[-MAX_STRING_LENGTH:] for s in strings if len(s) >= 10), key=lambda s: (len(s), s))
    if len(usable) < 5 or all(len(set(s)) < 2 for s in usable):
        return _NAN, _NAN
    if len(usable) > MAX_STRINGS:
        usable = [usable[k] for k in np.linspace(0, len(usable) - 1, MAX_STRINGS).astype(int)]
    length = np.array([len(s) for s in usable])
    code = np.full((len(usable), MAX_STRING_LENGTH), -1, np.int64)
    for row, s in zip(code, usable, strict=True):
        row[: len(s)] = [ord(c) for c in s]
    needed = (len(usable) + 1) // 2
    median = float(np.median(length))
    value = _common_length(code, needed) / median
    rng = generator(seed, "digital-dna", *length.tolist())
    null = np.empty(_SHUFFLES)
    for k in range(_SHUFFLES):
        keys = np.where(code >= 0, rng.random(code.shape), 2.0)
        null[k] = _common_length(np.take_along_axis(code, np.argsort(keys, axis=1), axis=1), needed) / median
    sd = float(null.std(ddof=1))
    return value, (value - float(null.mean())) / sd if sd > 1e-12 else _NAN


def _common_length(code: IntArray, needed: int) -> int:
    """Length of the longest substring that at least ``needed`` rows contain; -1 pads the rows."""
    letter = mix64(code.astype(np.uint64))
    ends = (code >= 0).sum(axis=1)
    low, high = 0, int(np.sort(ends)[len(ends) - needed])
    row = np.broadcast_to(np.arange(len(code))[:, None], code.shape)
    # hashes[k] covers 2^k letters; any length is two overlapping powers, so equal hashes mean equal strings
    # up to a 64-bit collision.
    hashes = [letter]
    while (2 << (len(hashes) - 1)) <= high:
        half = 1 << (len(hashes) - 1)
        with np.errstate(over="ignore"):
            hashes.append(mix64(hashes[-1][:, :-half] * np.uint64(0x9E3779B97F4A7C15) + hashes[-1][:, half:]))
    while low < high:
        length = (low + high + 1) // 2
        k = length.bit_length() - 1
        shift = length - (1 << k)
        n_starts = code.shape[1] - length + 1
        with np.errstate(over="ignore"):
            word = mix64(
                hashes[k][:, :n_starts] * np.uint64(0x94D049BB133111EB)
                + hashes[k][:, shift : shift + n_starts]
            )
        valid = np.arange(n_starts) + length <= ends[:, None]
        # Each word counts once a row.
        words, rows = word[valid], row[:, :n_starts][valid]
        order = np.lexsort((rows, words))
        words, rows = words[order], rows[order]
        new_word = np.concatenate(([True], words[1:] != words[:-1]))
        new_row = new_word | np.concatenate(([True], rows[1:] != rows[:-1]))
        n_rows = np.add.reduceat(new_row, np.flatnonzero(new_word), dtype=np.int64) if len(words) else [0]
        if np.max(n_rows) >= needed:
            low = length
        else:
            high = length - 1
    return low


def action_strings(events: EncodedEvents, members: IntArray) -> list[str]:
    """Digital DNA of each member: one letter an action, by time; at most the last `MAX_STRING_LENGTH`.

    Parameters
    ----------
    events
        Events in canonical order.
    members
        Sorted account codes.
    """
    from graphscan.network.layers import dictionary_codes

    rows = np.flatnonzero(np.isin(events.account, members))
    codes, values = dictionary_codes(events.table["action"])
    letters = np.array([chr(ord("A") + ACTIONS.index(v)) for v in values.to_pylist()])
    who = np.searchsorted(members, events.account[rows])
    order = np.argsort(who, kind="stable")
    text = letters[codes[rows]][order] if len(rows) else np.empty(0, "U1")
    bounds = np.searchsorted(who[order], np.arange(len(members) + 1))
    return ["".join(text[max(a, b - MAX_STRING_LENGTH) : b]) for a, b in itertools.pairwise(bounds)]
