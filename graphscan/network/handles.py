"""Profiles that look made in one go: handle patterns and near-identical bios."""

from __future__ import annotations

import re
from itertools import groupby, pairwise
from typing import Final

import pyarrow as pa

from graphscan.network.text import DEFAULT_THRESHOLD, IntArray, near_duplicate_groups

MIN_DIGITS: Final = 4  # in one run; people add one to three, or a year
MIN_SWITCHES: Final = 4  # changes between letters and digits that no name has
MIN_HEX: Final = 12

_YEAR: Final = re.compile(r"(?:19[3-9]|20[0-3])\d$")
_DATE: Final = re.compile(
    r"(?:[0-3]\d[01]\d|[01]\d[0-3]\d)(?:19[3-9]|20[0-3])\d$|(?:19[3-9]|20[0-3])\d[01]\d[0-3]\d$"
)
_HEX: Final = re.compile(r"[0-9a-f]+$")


def _kind(char: str) -> str:
    if char.isdecimal():
        return "9"
    return "a" if char.isalpha() else char


def handle_pattern(handle: str) -> str | None:
    """The machine-made pattern behind one handle, or None for a handle as people choose them.

    A run of letters becomes ``a``, a run of digits ``9`` with its length, separators stay: ``maria_83921``
    and ``tom_40417`` are both ``a_9{5}``. Names alone, names with up to three digits, with a year or with a
    date have no pattern. A random mixture of letters and digits becomes ``*{length}`` and a long hexadecimal
    number ``x{length}``.

    Blind spots: sites that propose name and number to everybody, and sign-ups of one school or firm with
    numbered names, show a pattern too. A pattern means something only together with the time of creation.
    """
    handle = handle.strip().removeprefix("@").casefold()
    runs = [(kind, "".join(chars)) for kind, chars in groupby(handle, key=_kind)]
    digits = [run for kind, run in runs if kind == "9"]
    if len(handle) >= MIN_HEX and _HEX.match(handle) and digits and len(digits) < len(runs):
        return f"x{{{len(handle)}}}"
    switches = sum({one[0], other[0]} == {"a", "9"} for one, other in pairwise(runs))
    if switches >= MIN_SWITCHES:
        return f"*{{{len(handle)}}}"
    telling = [
        run for run in digits if len(run) >= MIN_DIGITS and not _YEAR.match(run) and not _DATE.match(run)
    ]
    if not telling:
        return None
    return "".join(f"9{{{len(run)}}}" if kind == "9" else "a" if kind == "a" else run for kind, run in runs)


def handle_patterns(handles: pa.Array | pa.ChunkedArray) -> pa.Array:
    """The pattern of each handle (see `handle_pattern`).

    Parameters
    ----------
    handles
        Text, nulls allowed.

    Returns
    -------
    pyarrow.StringArray
        One row a handle; null where it is missing or ordinary.
    """
    if isinstance(handles, pa.ChunkedArray):
        handles = handles.combine_chunks()
    encoded = handles.cast(pa.large_string()).dictionary_encode()
    found = pa.array([handle_pattern(handle) for handle in encoded.dictionary.to_pylist()], pa.string())
    return found.take(encoded.indices)


def bio_groups(
    bios: pa.Array | pa.ChunkedArray, *, threshold: float = DEFAULT_THRESHOLD, seed: int = 0
) -> IntArray:
    """Groups of near-identical bios, shape ``(n_bios,)``; -1 for none.

    See `graphscan.network.text.near_duplicate_groups`, whose floor of four words keeps apart those who
    merely both write "writer".
    """
    return near_duplicate_groups(bios, threshold=threshold, seed=seed)
