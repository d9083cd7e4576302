"""Near-duplicate text: which texts say nearly the same, whoever wrote them.

The walk: normalise; drop what is too short to mean anything; collapse equal texts and equal template
skeletons; propose pairs by MinHash-LSH; verify each by exact Jaccard; group around centres.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from graphscan.entropy import mix64
from graphscan.network.characters import in_threads
from graphscan.network.normalisation import (
    MAX_CHARACTERS,
    MIN_DENSE,
    MIN_WORDS,
    compared,
    mixed_scripts,
    normalised,
    normalised_and_skeletons,
    skeletons,
    substantial,
)
from graphscan.network.shingles import minhash_signatures, pair_jaccard, shingle_hashes

__all__ = [
    "DEFAULT_THRESHOLD",
    "MAX_CHARACTERS",
    "compared",
    "mixed_scripts",
    "near_duplicate_groups",
    "normalised",
    "pair_jaccard",
    "shingle_hashes",
    "skeletons",
    "substantial",
]

IntArray = NDArray[np.int64]

DEFAULT_THRESHOLD: Final = 0.7

_N_HASHES: Final = 64
_SURE: Final = 0.98  # least chance that LSH proposes a pair that is exactly at the threshold
_SMALL_BUCKET: Final = 8  # up to this size all pairs of a bucket are verified
_PAIR_BLOCK: Final = 32_768
_DOUBT: Final = 3.0  # standard errors below the threshold at which a signature rules a pair out


@dataclass(frozen=True)
class _Banding:
    bands: int
    rows: int

    @classmethod
    def at(cls, threshold: float) -> _Banding:
        """The longest bands that still propose a pair at the threshold with a chance of `_SURE`."""
        for rows in range(16, 1, -1):
            bands = _N_HASHES // rows
            if 1.0 - (1.0 - threshold**rows) ** bands >= _SURE:
                return cls(bands, rows)
        return cls(_N_HASHES, 1)


def _first_of_run(ranked: NDArray[np.generic]) -> NDArray[np.bool_]:
    """True where a sorted array holds a value that the place before does not."""
    first = np.ones(len(ranked), dtype=np.bool_)
    first[1:] = ranked[1:] != ranked[:-1]
    return first


def _buckets(signatures: NDArray[np.uint32], banding: _Banding, band: int) -> tuple[IntArray, IntArray]:
    """Rows that share a bucket of this band, and the number of their bucket, sorted by bucket."""
    key = np.zeros(len(signatures), dtype=np.uint64)
    for column in range(band * banding.rows, (band + 1) * banding.rows):
        key = mix64(key ^ signatures[:, column])
    # Key and row in one word: sorting words is many times faster than sorting rows by key. Some of the key
    # is lost, and buckets that meet by that are parted again by the verification.
    bits = np.uint64(max(len(key) - 1, 1).bit_length())
    key = (key >> bits << bits) | np.arange(len(key), dtype=np.uint64)
    key.sort()
    order = (key & ((np.uint64(1) << bits) - np.uint64(1))).astype(np.int64)
    key >>= bits
    first = _first_of_run(key)
    bucket = np.cumsum(first) - 1
    crowded = ~first
    crowded[:-1] |= ~first[1:]
    return order[crowded], bucket[crowded]


def _bucket_pairs(rows: IntArray, bucket: IntArray, popularity: IntArray) -> tuple[IntArray, IntArray]:
    """Pairs to verify: all of a small bucket; of a large one each row with its hub and with the next rows.

    The hub is the row that shares the most buckets overall, so the same hubs come up in all bands and a
    bucket of a hundred thousand rows costs as many pairs as it has rows, times three.
    """
    order = np.lexsort((rows, -popularity[rows], bucket))
    rows, bucket = rows[order], bucket[order]
    n = len(rows)
    position = np.arange(n)
    first = _first_of_run(bucket)
    begin = np.maximum.accumulate(np.where(first, position, 0))
    size = np.bincount(bucket - bucket[0])[bucket - bucket[0]] if n else bucket
    left, right = [rows[begin[~first]]], [rows[~first]]
    for step in range(1, min(_SMALL_BUCKET - 1, n)):
        earlier, later = slice(0, n - step), slice(step, n)
        fits = (begin[later] == begin[earlier]) & ~first[earlier]  # the hub has its pairs already
        if step > 2:
            fits &= size[earlier] <= _SMALL_BUCKET
        left.append(rows[earlier][fits])
        right.append(rows[later][fits])
    a, b = np.concatenate(left), np.concatenate(right)
    return np.minimum(a, b), np.maximum(a, b)


def _likely_pairs(texts: pa.Array, threshold: float, seed: int) -> tuple[IntArray, IntArray]:
    """Pairs of rows proposed by MinHash-LSH, each once, ascending."""
    banding = _Banding.at(threshold)
    signatures = minhash_signatures(texts, _N_HASHES, seed)
    filled = np.flatnonzero((signatures != np.uint32(0xFFFFFFFF)).any(axis=1))
    signatures = signatures[filled]
    popularity = np.zeros(len(filled), dtype=np.int64)
    crowded: list[tuple[NDArray[np.int32], NDArray[np.int32]]] = []
    for rows, bucket in in_threads(partial(_buckets, signatures, banding), range(banding.bands)):
        popularity[rows] += np.bincount(bucket)[bucket] - 1 if len(bucket) else 0
        crowded.append((rows.astype(np.int32), bucket.astype(np.int32)))
    least = threshold - _DOUBT * np.sqrt(threshold * (1 - threshold) / _N_HASHES)

    def alike(shared: tuple[NDArray[np.int32], NDArray[np.int32]]) -> IntArray:
        """The pairs of one band whose signatures do not rule them out, as ``row * n_rows + other``."""
        a, b = _bucket_pairs(shared[0].astype(np.int64), shared[1].astype(np.int64), popularity)
        pairs = a * len(filled) + b
        pairs.sort()
        pairs = pairs[_first_of_run(pairs)]
        kept = [np.empty(0, np.int64)]
        for first in range(0, len(pairs), _PAIR_BLOCK):
            block = pairs[first : first + _PAIR_BLOCK]
            a, b = np.divmod(block, max(len(filled), 1))
            same = np.count_nonzero(signatures[a] == signatures[b], axis=1)
            kept.append(block[same >= least * _N_HASHES])
        return np.concatenate(kept)

    pairs = np.concatenate(in_threads(alike, crowded))
    pairs.sort()
    a, b = np.divmod(pairs[_first_of_run(pairs)], max(len(filled), 1))
    return filled[a], filled[b]


def _centres(n: int, left: IntArray, right: IntArray, similarity: NDArray[np.float64]) -> IntArray:
    """The centre of each node by star clustering, -1 for a node without an edge to a centre.

    Centres are the greedy independent set in order of falling degree (Aslam, Pelekhov & Rus, 2004), found
    in parallel rounds; every other node joins the centre it is most similar to. So no chain of small
    changes can tie texts that have little in common: each member is within the threshold of its centre.
    """
    degree = np.bincount(left, minlength=n) + np.bincount(right, minlength=n)
    rank = np.empty(n, dtype=np.int64)
    rank[np.lexsort((np.arange(n), -degree))] = np.arange(n)
    source = np.concatenate((left, right))
    target = np.concatenate((right, left))
    weight = np.concatenate((similarity, similarity))
    is_centre = np.zeros(n, dtype=np.bool_)
    undecided = degree > 0
    a, b = source, target
    while len(a):
        best = np.full(n, n, dtype=np.int64)
        np.minimum.at(best, a, rank[b])
        fresh = undecided & (rank < best)
        is_centre |= fresh
        undecided &= ~fresh
        undecided[b[fresh[a]]] = False
        open_edge = undecided[a] & undecided[b]
        a, b = a[open_edge], b[open_edge]
    is_centre |= undecided
    centre = np.full(n, -1, dtype=np.int64)
    centre[is_centre] = np.flatnonzero(is_centre)
    joins = is_centre[target] & ~is_centre[source]
    source, target, weight = source[joins], target[joins], weight[joins]
    order = np.lexsort((rank[target], -weight, source))
    source, target = source[order], target[order]
    first = _first_of_run(source)
    centre[source[first]] = target[first]
    return centre


def near_duplicate_groups(
    texts: pa.Array | pa.ChunkedArray,
    *,
    threshold: float = DEFAULT_THRESHOLD,
    seed: int = 0,
    min_words: int = MIN_WORDS,
    min_dense: int = MIN_DENSE,
) -> IntArray:
    """Which texts are near-duplicates of each other.

    Two texts belong together if they are equal when `normalised`, if they are equal as `skeletons` and the
    skeleton itself is `substantial`, or if the Jaccard similarity of their character shingles is at least
    ``threshold``. Pairs are proposed by MinHash-LSH (Broder, 1997; Leskovec, Rajaraman & Ullman, 2020,
    ch. 3) and verified exactly; groups are stars around centres (Aslam, Pelekhov & Rus, 2004).

    Parameters
    ----------
    texts
        Texts of any length, nulls allowed.
    threshold
        Least Jaccard similarity, in (0, 1].
    seed
        Seed of the hash functions; it decides which of the pairs near the threshold are proposed.
    min_words, min_dense
        The floor of `substantial`.

    Returns
    -------
    ndarray of int64, shape (n_texts,)
        Group code, -1 where the text is missing, too short, or like no other row. Codes are numbered by
        first occurrence in the sorted normalised texts, so neither the order of rows nor how often a text
        is repeated changes which texts are together.

    Raises
    ------
    ValueError
        If ``threshold`` is not in (0, 1].
    """
    if not 0 < threshold <= 1:
        raise ValueError(f"threshold must be in (0, 1], got {threshold}")
    row_raw, raw = _coded(texts)
    plain, skeleton = normalised_and_skeletons(raw)
    del raw
    raw_text, distinct = _coded(plain)
    del plain
    enough = substantial(distinct, min_words=min_words, min_dense=min_dense)
    groups = np.full(len(row_raw), -1, dtype=np.int64)
    if not enough.any():
        return groups
    distinct = distinct.filter(pa.array(enough))
    order = np.asarray(pc.sort_indices(distinct), dtype=np.int64)
    distinct = distinct.take(pa.array(order))
    rank = np.full(len(enough) + 1, -1, dtype=np.int64)  # the last place is for the code -1
    rank[np.flatnonzero(enough)[order]] = np.arange(len(order))
    raw_text = rank[raw_text]
    row_text = np.append(raw_text, -1)[row_raw]
    unit = _units(skeleton.take(pa.array(_examples(raw_text, skeleton))), min_words, min_dense)
    del skeleton
    first_of_unit = np.unique(unit, return_index=True)[1]
    members = compared(distinct.take(pa.array(first_of_unit)))
    left, right = _likely_pairs(members, threshold, seed)
    similarity = pair_jaccard(members, left, right)
    near = similarity >= threshold
    centre = _centres(len(members), left[near], right[near], similarity[near])
    centre = np.where(centre < 0, np.arange(len(members)), centre)
    text_group = centre[unit]
    rows = row_text >= 0
    row_group = text_group[row_text[rows]]
    shared = np.bincount(row_group, minlength=len(members)) > 1
    # Renumber by first occurrence in the sorted distinct texts.
    seen, first = np.unique(text_group, return_index=True)
    seen, first = seen[shared[seen]], first[shared[seen]]
    code = np.full(len(members), -1, dtype=np.int64)
    code[seen[np.argsort(first)]] = np.arange(len(seen))
    groups[rows] = code[row_group]
    return groups


def _coded(texts: pa.Array | pa.ChunkedArray) -> tuple[IntArray, pa.Array]:
    """The code of each row, -1 for null, and the distinct texts, numbered by first occurrence."""
    chunked = texts if isinstance(texts, pa.ChunkedArray) else pa.chunked_array([texts])
    encoded = chunked.cast(pa.large_string()).dictionary_encode().unify_dictionaries()
    if encoded.num_chunks == 0:
        return np.empty(0, np.int64), pa.array([], pa.large_string())
    codes = [np.asarray(chunk.indices.fill_null(-1), dtype=np.int64) for chunk in encoded.chunks]
    return np.concatenate(codes), encoded.chunk(0).dictionary


def _examples(raw_text: IntArray, skeleton: pa.Array) -> IntArray:
    """For each normalised text a raw text that reads so: the one whose skeleton is first in sorted order.

    Links and mentions leave no trace in a normalised text but do in its skeleton, so raw texts can differ.
    """
    used = np.flatnonzero(raw_text >= 0)
    example = np.empty(int(raw_text.max()) + 1, dtype=np.int64)
    example[raw_text[used]] = used
    varied = used[np.bincount(raw_text[used])[raw_text[used]] > 1]
    masked = skeleton.take(pa.array(varied)).fill_null("\U0010ffff")
    table = pa.table({"text": raw_text[varied], "skeleton": masked})
    keys = [("text", "ascending"), ("skeleton", "descending")]
    ranked = varied[np.asarray(pc.sort_indices(table, keys), dtype=np.int64)]
    example[raw_text[ranked]] = ranked  # the last one written stays
    return example


def _units(skeleton: pa.Array, min_words: int, min_dense: int) -> IntArray:
    """Number of the skeleton class of each distinct text, by first occurrence; a class of its own if none."""
    skeleton = pc.if_else(
        pa.array(substantial(skeleton, min_words=min_words, min_dense=min_dense)), skeleton, None
    )
    encoded = skeleton.dictionary_encode()
    found = np.asarray(encoded.indices.fill_null(-1), dtype=np.int64)
    alone = found < 0
    found[alone] = len(encoded.dictionary) + np.arange(int(alone.sum()))
    first, inverse = np.unique(found, return_index=True, return_inverse=True)[1:]
    rank = np.empty(len(first), dtype=np.int64)
    rank[np.argsort(first)] = np.arange(len(first))
    return rank[inverse]
