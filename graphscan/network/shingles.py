"""Shingles of texts: their hashes, MinHash signatures and exact Jaccard similarity.

A shingle is a run of five characters, or of three where it begins with a character of a script that is
written without spaces (Chinese, Japanese, Korean, Thai, ...). The length is decided character by character,
so a text that mixes scripts has no threshold at which all of its shingles change.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from typing import Final

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from graphscan.entropy import generator, mix64
from graphscan.network.characters import UNSPACED, Characters, classes, in_threads, text_blocks

LONG: Final = 5
SHORT: Final = 3
_BASE: Final = 0x9E3779B97F4A7C15
_SHORT_SALT: Final = 0xD6E8FEB86659FD93
_SIGNATURE_BLOCK: Final = 131_072  # shingles hashed at a time: two buffers that stay in the level-2 cache
_JACCARD_BLOCK: Final = 3_000_000  # bytes of text compared at a time
_HASH_BITS: Final = 40


@dataclass(frozen=True)
class Shingles:
    """Hashed shingles of many texts, with repeats, in the order of the text.

    Parameters
    ----------
    values
        64-bit hashes, shape ``(n_shingles,)``.
    offsets
        Where each text begins, and the end, shape ``(n_texts + 1,)``.
    """

    values: NDArray[np.uint64]
    offsets: NDArray[np.int64]


def _hashed(texts: Characters) -> Shingles:
    n = len(texts.codes)
    codes = np.zeros(n + LONG - 1, np.uint64)
    codes[:n] = texts.codes
    base = np.uint64(_BASE)
    # The polynomial of five code points by way of two and four.
    with np.errstate(over="ignore"):
        two = codes[:-1] * base
        two += codes[1:]
        value = two[: n + 1] * (base * base)
        value += two[2 : n + 3]
        value = value[:n]
        value *= base
        value += codes[4 : n + 4]
    whole = np.ones(n, dtype=np.bool_)
    begins, ends = texts.offsets[:-1], texts.offsets[1:]
    if texts.codes.dtype == np.uint8:
        short = np.empty(0, np.int64)
    else:
        short = np.flatnonzero(classes(texts.codes) & UNSPACED)
        with np.errstate(over="ignore"):
            value[short] = two[short] * base + codes[short + 2] + np.uint64(_SHORT_SALT)
    for left in range(1, LONG):
        whole[(ends - left)[ends - left >= begins]] = False
        if left == SHORT - 1 and len(short):
            too_late = ~whole[short]
    if len(short):
        whole[short] = ~too_late
    before = np.concatenate(([0], np.cumsum(whole, dtype=np.int64)))
    return Shingles(mix64(value[whole]), before[texts.offsets])


def shingle_hashes(texts: pa.Array | pa.ChunkedArray) -> tuple[NDArray[np.uint64], NDArray[np.int64]]:
    """Hashes of the shingles of each text.

    Parameters
    ----------
    texts
        Texts, best as `graphscan.network.text.normalised` gives them. A null has no shingles.

    Returns
    -------
    values, offsets
        64-bit hashes with repeats in the order of the text, shape ``(n_shingles,)``, and where each text
        begins, shape ``(n_texts + 1,)``. A text shorter than its shingles has none.
    """
    values: list[NDArray[np.uint64]] = [np.empty(0, np.uint64)]
    counts: list[NDArray[np.int64]] = [np.zeros(1, np.int64)]
    for block in text_blocks(texts):
        part = _hashed(Characters.of(block.fill_null("")))
        values.append(part.values)
        counts.append(np.diff(part.offsets))
    return np.concatenate(values), np.cumsum(np.concatenate(counts))


def minhash_signatures(texts: pa.Array | pa.ChunkedArray, n_hashes: int, seed: int) -> NDArray[np.uint32]:
    """MinHash signatures (Broder, 1997): two texts agree in a column with probability equal to their Jaccard.

    Parameters
    ----------
    texts
        Normalised texts.
    n_hashes
        Columns of the signature.
    seed
        Seed of the hash functions.

    Returns
    -------
    ndarray of uint32, shape (n_texts, n_hashes)
        All ones for a text without shingles.
    """
    random = generator(seed, "network", "minhash")
    salts = random.integers(0, 2**32, n_hashes, dtype=np.uint32)
    factors = random.integers(0, 2**32, n_hashes, dtype=np.uint32) | np.uint32(1)

    def signed(part: pa.Array) -> NDArray[np.uint32]:
        signatures = np.full((len(part), n_hashes), np.uint32(0xFFFFFFFF))
        row = 0
        buffer = np.empty(0, np.uint32)
        for block in text_blocks(part, rows=2_048, octets=_SIGNATURE_BLOCK):
            shingles = _hashed(Characters.of(block.fill_null("")))
            filled = np.flatnonzero(np.diff(shingles.offsets))
            begins = shingles.offsets[filled]
            narrow = (shingles.values >> np.uint64(32)).astype(np.uint32)
            if len(buffer) < len(narrow):
                buffer = np.empty(len(narrow), np.uint32)
            mixed = buffer[: len(narrow)]
            if len(filled):
                found = np.empty((n_hashes, len(filled)), np.uint32)
                for column in range(n_hashes):
                    np.bitwise_xor(narrow, salts[column], out=mixed)
                    np.multiply(mixed, factors[column], out=mixed)
                    np.minimum.reduceat(mixed, begins, out=found[column])
                signatures[row + filled] = found.T
            row += len(block)
        return signatures

    parts = in_threads(signed, text_blocks(texts))
    return np.concatenate([np.empty((0, n_hashes), np.uint32), *parts])


def _distinct(shingles: Shingles) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Distinct shingles of each text, ascending, as 40-bit hashes, with offsets."""
    sizes = np.diff(shingles.offsets)
    owner = np.repeat(np.arange(len(sizes), dtype=np.uint64), sizes)
    keys = (owner << np.uint64(_HASH_BITS)) | (shingles.values >> np.uint64(64 - _HASH_BITS))
    keys.sort()
    fresh = np.ones(len(keys), dtype=np.bool_)
    fresh[1:] = keys[1:] != keys[:-1]
    keys = keys[fresh]
    counts = np.bincount((keys >> np.uint64(_HASH_BITS)).astype(np.int64), minlength=len(sizes))
    hashes = (keys & np.uint64((1 << _HASH_BITS) - 1)).astype(np.int64)
    return hashes, np.concatenate(([0], np.cumsum(counts)))


def pair_jaccard(
    texts: pa.Array | pa.ChunkedArray, left: NDArray[np.int64], right: NDArray[np.int64]
) -> NDArray[np.float64]:
    """Exact Jaccard similarity of the shingle sets of pairs of texts.

    Parameters
    ----------
    texts
        Normalised texts.
    left, right
        Rows of ``texts``, shape ``(n_pairs,)``.

    Returns
    -------
    ndarray of float64, shape (n_pairs,)
        Size of the intersection over size of the union; 0 if either text has no shingle. "Exact" up to
        collisions of 40-bit hashes, about one in 10**8 for a pair of short texts.
    """
    from scipy.sparse import csr_array

    if isinstance(texts, pa.ChunkedArray):
        texts = texts.combine_chunks()
    texts = texts.cast(pa.large_string())
    similarity = np.zeros(len(left), dtype=np.float64)
    if len(left) == 0:
        return similarity
    order = np.lexsort((right, left))
    sizes = np.diff(np.frombuffer(texts.buffers()[1], dtype=np.int64)[texts.offset :][: len(texts) + 1])
    load = np.cumsum(sizes[left[order]] + sizes[right[order]])
    cuts = np.searchsorted(load, np.arange(0, int(load[-1]) + 1, _JACCARD_BLOCK), side="left")
    cuts = np.unique(np.append(cuts, len(order)))

    def part_jaccard(pairs: NDArray[np.int64]) -> NDArray[np.float64]:
        rows, place = np.unique(np.concatenate((left[pairs], right[pairs])), return_inverse=True)
        block = texts.take(pa.array(rows)).fill_null("")
        hashes, offsets = _distinct(_hashed(Characters.of(block)))
        sets = csr_array((np.ones(len(hashes), np.int8), hashes, offsets), shape=(len(rows), 1 << _HASH_BITS))
        sets.has_sorted_indices = True
        sets.has_canonical_format = True
        a, b = place[: len(pairs)], place[len(pairs) :]
        shared = np.diff(sets[a].multiply(sets[b]).tocsr().indptr)
        counts = np.diff(offsets)
        union = counts[a] + counts[b] - shared
        return np.where(union > 0, shared / np.maximum(union, 1), 0.0)

    parts = [order[first:last] for first, last in pairwise(cuts.tolist())]
    for pairs, found in zip(parts, in_threads(part_jaccard, parts), strict=True):
        similarity[pairs] = found
    return similarity
