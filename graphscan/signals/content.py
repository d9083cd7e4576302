"""Content: does the account repeat itself the way a template or one prompt does?

Only an account's own texts are compared with each other; what many accounts share belongs to the network.
Text
alone never restricts anybody: people let machines help them write, and detectors of machine text accuse
people
who write in a second language.
"""

from __future__ import annotations

import zlib
from dataclasses import dataclass
from typing import Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from graphscan.entropy import mix64
from graphscan.signals.acts import AccountActs, codes_of
from graphscan.signals.grouping import count, mean, missing_below, multiplicity, spread, top_rows
from graphscan.signals.model import N_EXAMPLES, FamilyValues, Signal, SignalValues

LAST_TEXTS: Final = 50
TEXT_CHARS: Final = 300
MIN_TEXTS: Final = 3
MIN_ACTS: Final = 20
PREFIX_CHARS: Final = 12
GRAM: Final = 5
MIN_GRAMS: Final = 16
NEAR_JACCARD: Final = 0.5
_BINS: Final = 128
_EMPTY: Final = np.uint32(0xFFFFFFFF)
_TEXTS_AT_ONCE: Final = 20_000

# Masks of what varies in a template: links, mentions, long hexadecimal names, numbers. Order matters.
_MASKS: Final = (
    (r"https?://\S+", "U"),
    (r"@[\w.\-]+", "M"),
    (r"\b[0-9a-f]{7,}\b", "H"),
    (r"\d+", "N"),
    (r"\s+", " "),
)

_SOURCE: Final = "Compression as similarity: Cilibrasi and Vitanyi 2005, doi:10.1109/TIT.2005.844059"
_PEOPLE: Final = (
    "People who post one table, form or greeting every day; users of bot commands; people whose texts an "
    "assistant writes."
)

SIGNALS: Final = (
    Signal(
        "compression_ratio",
        "content",
        1,
        "Compressibility of the texts",
        "zlib size of the last 50 texts (300 characters each) joined, divided by their size in UTF-8 bytes",
        "ratio",
        -1,
        True,
        "3 texts, 20 acts",
        ("text",),
        _PEOPLE,
        _SOURCE,
        "the last {n} texts compress to {value:.0%} of their size",
    ),
    Signal(
        "compression_gain",
        "content",
        1,
        "What the texts share when compressed together",
        "1 - zlib size of the last 50 texts joined / sum of their zlib sizes one by one (headers taken off)",
        "share",
        1,
        True,
        "3 texts, 20 acts",
        ("text",),
        _PEOPLE,
        _SOURCE,
        "{value:.0%} of the last {n} texts is repeated from the others",
    ),
    Signal(
        "prefix_reuse",
        "content",
        1,
        "Texts that begin alike",
        "share of the last 50 texts whose first 12 characters, with links, mentions, names and numbers "
        "masked, "
        "begin another own text too",
        "share",
        1,
        True,
        "3 texts, 20 acts",
        ("text",),
        _PEOPLE,
        "Own definition",
        "{value:.0%} of {n} texts begin like another one",
    ),
    Signal(
        "skeleton_reuse",
        "content",
        1,
        "Texts from one template",
        "share of the last 50 texts whose whole skeleton (links, mentions, names and numbers masked) "
        "occurs again",
        "share",
        1,
        True,
        "3 texts, 20 acts",
        ("text",),
        _PEOPLE,
        "Own definition",
        "{value:.0%} of {n} texts repeat a template",
    ),
    Signal(
        "near_duplicate_share",
        "content",
        1,
        "Near-duplicate texts",
        "share of the last 50 texts (at least 16 distinct 5-grams) with Jaccard similarity of at least "
        "0.5 to "
        "another own text, on distinct character 5-grams, estimated by one-permutation hashing with 128 bins",
        "share",
        1,
        True,
        "3 texts of 20 characters, 20 acts",
        ("text",),
        _PEOPLE,
        "Li, Owen and Zhang 2012, arXiv:1208.1259",
        "{value:.0%} of {n} texts nearly repeat another one",
    ),
    Signal(
        "self_similarity",
        "content",
        1,
        "Mean similarity of the texts",
        "mean Jaccard similarity over all pairs of the last 50 texts, as in near_duplicate_share",
        "0..1",
        1,
        True,
        "3 texts of 20 characters, 20 acts",
        ("text",),
        _PEOPLE,
        "Li, Owen and Zhang 2012, arXiv:1208.1259",
        "mean similarity of {n} texts {value:.2f}",
    ),
    Signal(
        "length_spread",
        "content",
        1,
        "Spread of the text lengths",
        "standard deviation of ln(characters), at most 300, of the last 50 texts",
        "ln characters",
        -1,
        True,
        "3 texts, 20 acts",
        ("text",),
        _PEOPLE,
        "Own definition",
        "text lengths spread by {value:.2f} (natural logarithm) over {n} texts",
    ),
)


@dataclass(frozen=True)
class Texts:
    """The last texts of every account: owner and event row of each, the text, its skeleton."""

    account: NDArray[np.int64]
    row: NDArray[np.int64]
    text: pa.Array
    skeleton: pa.Array


def recent_texts(acts: AccountActs) -> Texts:
    """The last 50 texts of each account with at least 3 texts and 20 acts, cut to 300 characters."""
    column = acts.events.column("text").combine_chunks()
    has = np.asarray(pc.fill_null(pc.greater(pc.utf8_length(pc.utf8_trim_whitespace(column)), 0), False))
    rows = acts.order[has[acts.order]]
    group = acts.account[rows]
    n = count(group, acts.n_accounts)
    end = np.cumsum(n)
    from_end = end[group] - np.arange(len(rows))
    # Below 20 acts nobody is scored, so nothing is computed.
    keep = (from_end <= LAST_TEXTS) & (n[group] >= MIN_TEXTS) & (acts.n_events[group] >= MIN_ACTS)
    rows, group = rows[keep], group[keep]
    text = pc.utf8_slice_codeunits(column.take(pa.array(rows)), 0, TEXT_CHARS)
    return Texts(group, rows, text, skeletons(text))


def skeletons(text: pa.Array) -> pa.Array:
    """Lower-cased texts with links, mentions, hexadecimal names and numbers masked."""
    result = pc.utf8_lower(text)
    for pattern, mask in _MASKS:
        result = pc.replace_substring_regex(result, pattern, mask)
    return pc.utf8_trim_whitespace(result)


def content_values(acts: AccountActs) -> FamilyValues:
    """All content signals; empty where the source has no texts."""
    a = acts.n_accounts
    latest = acts.latest_rows(N_EXAMPLES)
    values: dict[str, SignalValues] = {}
    length = acts.text_length[acts.order]
    written = ~np.isnan(length)
    owner, length = acts.account_g[written], length[written]
    n_written = count(owner, a)
    from_end = np.cumsum(n_written)[owner] - np.arange(len(owner))
    last = from_end <= LAST_TEXTS
    n_last = count(owner[last], a)
    values["length_spread"] = SignalValues(
        missing_below(
            spread(owner[last], np.log(np.minimum(length[last], TEXT_CHARS)), a), n_last, MIN_TEXTS
        ),
        n_last,
        latest,
    )
    texts = recent_texts(acts)
    if len(texts.row) == 0:
        return values if written.any() else {}
    group = texts.account
    n = count(group, a)
    prefix = codes_of(pc.utf8_slice_codeunits(texts.skeleton, 0, PREFIX_CHARS))[0]
    skeleton = codes_of(texts.skeleton)[0]
    for name, key in (("prefix_reuse", prefix), ("skeleton_reuse", skeleton)):
        times = multiplicity(group, key)
        values[name] = SignalValues(
            missing_below(mean(group, times > 1, a), n, MIN_TEXTS),
            n,
            top_rows(group, texts.row, np.where(times > 1, times, 0).astype(np.float64), a, N_EXAMPLES),
        )
    ratio, gain = _compression(texts, a)
    values["compression_ratio"] = SignalValues(ratio, n, values["skeleton_reuse"].example_rows)
    values["compression_gain"] = SignalValues(gain, n, values["skeleton_reuse"].example_rows)
    values.update(_similarity(texts, a))
    return values


def _compression(texts: Texts, a: int) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    ratio, gain = np.full(a, np.nan), np.full(a, np.nan)
    if len(texts.row) == 0:
        return ratio, gain
    begin = np.flatnonzero(np.diff(texts.account, prepend=-1))
    end = np.append(begin[1:], len(texts.row))
    header = len(zlib.compress(b"", 6))
    encoded = [t.encode() for t in texts.text.to_pylist()]
    for lo, hi in zip(begin.tolist(), end.tolist(), strict=True):
        joint = b"\n".join(encoded[lo:hi])
        size = len(zlib.compress(joint, 6)) - header
        single = sum(len(zlib.compress(t, 6)) - header for t in encoded[lo:hi])
        account = texts.account[lo]
        ratio[account] = size / max(len(joint), 1)
        gain[account] = 1 - size / max(single, 1)
    return ratio, gain


def _similarity(texts: Texts, a: int) -> dict[str, SignalValues]:
    """Near-duplicate share and mean similarity from one-permutation sketches."""
    share, similar = np.full(a, np.nan), np.full(a, np.nan)
    n_long = np.zeros(a, dtype=np.int64)
    flagged = np.zeros(len(texts.row))
    begin = np.flatnonzero(np.diff(texts.account, prepend=-1))
    end = np.append(begin[1:], len(texts.row))
    lo = 0
    while lo < len(begin):
        # Whole accounts, about _TEXTS_AT_ONCE texts at a time: the sketches of one batch fit in memory.
        hi = max(int(np.searchsorted(begin, begin[lo] + _TEXTS_AT_ONCE)), lo + 1)
        first, last = int(begin[lo]), int(end[hi - 1])
        sketch, n_grams = gram_sketches(pc.utf8_lower(texts.text[first:last]))
        for i in range(lo, hi):
            rows = np.arange(begin[i], end[i])
            rows = rows[n_grams[rows - first] >= MIN_GRAMS]
            account = texts.account[begin[i]]
            n_long[account] = len(rows)
            if len(rows) < MIN_TEXTS:
                continue
            jaccard = sketch_jaccard(sketch[rows - first])
            off = ~np.eye(len(rows), dtype=bool)
            nearest = np.where(off, jaccard, 0).max(axis=1)
            flagged[rows] = np.where(nearest >= NEAR_JACCARD, nearest, 0)
            share[account] = (nearest >= NEAR_JACCARD).mean()
            similar[account] = jaccard[off].mean()
        lo = hi
    rows_of = top_rows(texts.account, texts.row, flagged, a, N_EXAMPLES)
    return {
        "near_duplicate_share": SignalValues(share, n_long, rows_of),
        "self_similarity": SignalValues(similar, n_long, rows_of),
    }


def gram_sketches(text: pa.Array) -> tuple[NDArray[np.uint32], NDArray[np.int64]]:
    """One-permutation sketches of the sets of character 5-grams.

    Returns
    -------
    sketch
        uint32 of shape (n_texts, 128): the smallest hash in each bin, 0xFFFFFFFF where a bin is empty.
    n_grams
        Number of 5-gram positions of each text.
    """
    length = np.asarray(pc.utf8_length(text)).astype(np.int64)
    points = np.frombuffer("".join(text.to_pylist()).encode("utf-32-le", "surrogatepass"), dtype=np.uint32)
    n_texts = len(length)
    sketch = np.full(n_texts * _BINS, _EMPTY, dtype=np.uint32)
    n_grams = np.maximum(length - GRAM + 1, 0)
    if len(points) < GRAM:
        return sketch.reshape(n_texts, _BINS), n_grams
    n = len(points) - GRAM + 1
    rolled = np.zeros(n, dtype=np.uint64)
    with np.errstate(over="ignore"):
        for i in range(GRAM):
            rolled = rolled * np.uint64(0x100000001B3) + points[i : i + n].astype(np.uint64)
    owner = np.repeat(np.arange(n_texts), length)[:n]
    end = np.cumsum(length)
    inside = np.arange(n) + GRAM <= end[owner]
    hashed = mix64(rolled[inside])
    cell = owner[inside] * _BINS + (hashed & np.uint64(_BINS - 1)).astype(np.int64)
    np.minimum.at(sketch, cell, (hashed >> np.uint64(32)).astype(np.uint32))
    return sketch.reshape(n_texts, _BINS), n_grams


def sketch_jaccard(sketch: NDArray[np.uint32]) -> NDArray[np.float64]:
    """Estimated Jaccard similarity of all pairs of texts, shape (n, n): equal bins over bins filled in
    either.
    """
    filled = sketch != _EMPTY
    equal = (sketch[:, None, :] == sketch[None, :, :]) & filled[:, None, :]
    either = filled[:, None, :] | filled[None, :, :]
    return np.asarray(equal.sum(axis=2) / np.maximum(either.sum(axis=2), 1), dtype=np.float64)
