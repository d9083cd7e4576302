"""Near-duplicate text: which texts say nearly the same, whoever wrote them.

The walk: normalise; drop what is too short to mean anything; collapse equal texts and equal template
skeletons; propose pairs by MinHash-LSH; verify each by exact Jaccard; group around centres.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from graphscan.entropy import mix64
from graphscan.network.characters import (
    EMOJI,
    Characters,
    classes,
    legible,
    script_mixture,
    substance,
    text_blocks,
)
from graphscan.network.shingles import minhash_signatures, pair_jaccard, shingle_hashes

__all__ = [
    "DEFAULT_THRESHOLD",
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
MAX_CHARACTERS: Final = 8_192  # what is compared of one text
MIN_WORDS: Final = 4
MIN_DENSE: Final = 12
SLOT: Final = "•"

_N_HASHES: Final = 64
_SURE: Final = 0.98  # least chance that LSH proposes a pair that is exactly at the threshold
_SMALL_BUCKET: Final = 8  # up to this size all pairs of a bucket are verified
_DOUBT: Final = 3.0  # standard errors below the threshold at which a signature rules a pair out

_LINK: Final = r"(?:https?://|www\.)[^\s<>\"]+|\b(?:[a-z0-9-]+\.)+[a-z]{2,}/[^\s<>\"]*"
_MENTION: Final = r"(^|[^\pL\pN_])(?:@[\pL\pN_]+(?:[.-][\pL\pN_]+)*)+"
_QUOTED_LINE: Final = r"(?m)^[ \t]*>.*$"  # mail and Markdown: somebody else's words
_REPOST_MARK: Final = r"^(?:\s*rt\s+@[\pL\pN_.-]+:?)+"
# A tag ends at its second # where it holds characters of a script without spaces (#话题#), else at its last
# letter: without the first form the sentence behind such a tag would count as part of it.
_HASHTAG: Final = (
    r"(^|[^\pL\pN_&]|[\p{Han}\p{Hiragana}\p{Katakana}\p{Hangul}])"
    r"(?:#[^\s#]*[\p{Han}\p{Hiragana}\p{Katakana}\p{Hangul}][^\s#]*#|#[\pL\pN\pM_]+)+"
)
_NUMBER: Final = r"\p{Nd}+(?:[.,:/-]\p{Nd}+)*"


def _folded(block: pa.Array) -> pa.Array:
    """NFKC, case-folded and legible texts of a block without nulls; links and mentions still in place."""
    block = pc.utf8_slice_codeunits(block, 0, MAX_CHARACTERS)
    own = pc.replace_substring_regex(block, _QUOTED_LINE, "")
    block = pc.if_else(pc.match_substring_regex(own, r"\S"), own, block)
    # Before the normalisation too: ordering a flood of combining marks costs its square.
    found = legible(Characters.of(block), composed=False)
    if len(found.codes) and int(found.codes.max()) > 0x7F:
        found = legible(Characters.of(pc.utf8_normalize(found.arrow(), form="NFKC")), composed=True)
    folded = found.arrow()
    if len(found.codes) and int(found.codes.max()) > 0x7F:
        folded = pc.replace_substring(folded, "ß", "ss")
    return pc.replace_substring_regex(pc.utf8_slice_codeunits(folded, 0, MAX_CHARACTERS), _REPOST_MARK, "")


def _collapsed(block: pa.Array) -> pa.Array:
    return pc.utf8_trim_whitespace(pc.replace_substring_regex(block, "  +", " "))


def _plain(folded: pa.Array) -> pa.Array:
    block = pc.replace_substring_regex(folded, _LINK, " ")
    return _collapsed(pc.replace_substring_regex(block, _MENTION, r"\1 "))


def _compared(plain: pa.Array) -> pa.Array:
    """Normalised texts without hashtags where enough is left: a shared tag is no shared wording."""
    parts = [pa.array([], pa.large_string())]
    for block in text_blocks(plain):
        bare = _collapsed(pc.replace_substring_regex(block, _HASHTAG, r"\1 "))
        parts.append(pc.if_else(pa.array(substantial(bare)), bare, block))
    return pa.concat_arrays(parts)


def _skeleton(folded: pa.Array) -> pa.Array:
    block = pc.replace_substring_regex(folded, _LINK, SLOT)
    for pattern in (_MENTION, _HASHTAG):
        block = pc.replace_substring_regex(block, pattern, rf"\1{SLOT}")
    block = pc.replace_substring_regex(block, _NUMBER, SLOT)
    texts = Characters.of(block)
    emoji = (classes(texts.codes) & EMOJI) > 0
    if emoji.any():
        block = Characters(np.where(emoji, np.uint32(ord(SLOT)), texts.codes), texts.offsets).arrow()
    # Neighbouring slots are one slot, and slots at the ends are padding: how many tags or links a copy
    # carries, and in which order, is what templates vary.
    block = pc.replace_substring_regex(block, rf"{SLOT}[ {SLOT}]*{SLOT}", SLOT)
    return _collapsed(pc.replace_substring_regex(block, rf"^[ {SLOT}]+|[ {SLOT}]+$", ""))


def _floored(block: pa.Array, min_words: int, min_dense: int) -> NDArray[np.bool_]:
    words, dense = substance(Characters.of(block))
    return words * min_dense + dense * min_words >= min_words * min_dense


def _by_block(texts: pa.Array | pa.ChunkedArray, *kinds: str) -> list[pa.Array]:
    parts: list[list[pa.Array]] = [[] for _ in kinds]
    for block in text_blocks(texts):
        folded = _folded(block.fill_null(""))
        for found, kind in zip(parts, kinds, strict=True):
            made = _plain(folded) if kind == "plain" else _skeleton(folded)
            # Missing stays missing, and what is empty without links and mentions is missing too.
            found.append(
                pc.if_else(pc.and_(block.is_valid(), pc.greater(pc.binary_length(made), 0)), made, None)
            )
    empty = pa.array([], pa.large_string())
    return [pa.concat_arrays(found) if found else empty for found in parts]


def normalised(texts: pa.Array | pa.ChunkedArray) -> pa.Array:
    """Texts as they are compared.

    The first `MAX_CHARACTERS` characters in Unicode NFKC, case-folded, without links, mentions, leading
    repost marks (``RT @name:``), zero-width, bidirectional and control characters and floods of combining
    marks; white space collapsed. Look-alike letters of other alphabets stay distinct (`mixed_scripts`
    marks them), hashtags, numbers, punctuation and emoji stay.

    Parameters
    ----------
    texts
        Texts of any length, nulls allowed.

    Returns
    -------
    pyarrow.LargeStringArray
        One row a text; null where the text is missing or nothing is left of it.
    """
    return _by_block(texts, "plain")[0]


def skeletons(texts: pa.Array | pa.ChunkedArray) -> pa.Array:
    """What stays of a text when its variable parts are masked.

    Links, mentions, hashtags, numbers and emoji become one slot ``•``; neighbouring slots are one, slots at
    either end are dropped. Else as `normalised`.

    Returns
    -------
    pyarrow.LargeStringArray
        One row a text; null where the text is missing or nothing is left of it.
    """
    return _by_block(texts, "skeleton")[0]


def mixed_scripts(texts: pa.Array | pa.ChunkedArray) -> NDArray[np.bool_]:
    """Whether a text mixes look-alike alphabets inside a word (homoglyphs), shape ``(n_texts,)``."""
    parts = [script_mixture(Characters.of(block.fill_null(""))) for block in text_blocks(texts)]
    return np.concatenate([np.empty(0, np.bool_), *parts])


def substantial(
    texts: pa.Array | pa.ChunkedArray, *, min_words: int = MIN_WORDS, min_dense: int = MIN_DENSE
) -> NDArray[np.bool_]:
    """Whether a normalised text is long enough for its repetition to mean something.

    At least ``min_words`` words, or ``min_dense`` characters of a script written without spaces, or a mix
    that adds up to the same. Shape ``(n_texts,)``; False for null.
    """
    parts = [_floored(block.fill_null(""), min_words, min_dense) for block in text_blocks(texts)]
    return np.concatenate([np.empty(0, np.bool_), *parts])


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


def _buckets(signatures: NDArray[np.uint32], banding: _Banding, band: int) -> tuple[IntArray, IntArray]:
    """Rows that share a bucket of this band, and the number of their bucket, sorted by bucket."""
    key = np.zeros(len(signatures), dtype=np.uint64)
    for column in range(band * banding.rows, (band + 1) * banding.rows):
        key = mix64(key ^ signatures[:, column])
    order = np.argsort(key, kind="stable")
    ranked = key[order]
    first = np.ones(len(ranked), dtype=np.bool_)
    first[1:] = ranked[1:] != ranked[:-1]
    bucket = np.cumsum(first) - 1
    crowded = np.bincount(bucket)[bucket] > 1 if len(bucket) else first
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
    first = np.ones(n, dtype=np.bool_)
    first[1:] = bucket[1:] != bucket[:-1]
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
    n = len(texts)
    banding = _Banding.at(threshold)
    signatures = minhash_signatures(texts, _N_HASHES, seed)
    filled = np.flatnonzero((signatures != np.uint32(0xFFFFFFFF)).any(axis=1))
    signatures = signatures[filled]
    popularity = np.zeros(len(filled), dtype=np.int64)
    crowded: list[tuple[NDArray[np.int32], NDArray[np.int32]]] = []
    for band in range(banding.bands):
        rows, bucket = _buckets(signatures, banding, band)
        popularity[rows] += np.bincount(bucket)[bucket] - 1 if len(bucket) else 0
        crowded.append((rows.astype(np.int32), bucket.astype(np.int32)))
    least = threshold - _DOUBT * np.sqrt(threshold * (1 - threshold) / _N_HASHES)
    pairs = np.empty(0, dtype=np.int64)
    for rows32, bucket32 in crowded:
        a, b = _bucket_pairs(rows32.astype(np.int64), bucket32.astype(np.int64), popularity)
        fresh = np.setdiff1d(a * len(filled) + b, pairs)
        pairs = np.union1d(pairs, fresh)
    keep = np.zeros(len(pairs), dtype=np.bool_)
    for first in range(0, len(pairs), 100_000):
        a, b = np.divmod(pairs[first : first + 100_000], max(len(filled), 1))
        alike = np.count_nonzero(signatures[a] == signatures[b], axis=1) / _N_HASHES
        keep[first : first + 100_000] = alike >= least
    a, b = np.divmod(pairs[keep], max(n and len(filled), 1))
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
    first = np.ones(len(source), dtype=np.bool_)
    first[1:] = source[1:] != source[:-1]
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
    plain, skeleton = _by_block(texts, "plain", "skeleton")
    encoded = plain.dictionary_encode()
    row_text = np.asarray(encoded.indices.fill_null(-1), dtype=np.int64)
    enough = substantial(encoded.dictionary, min_words=min_words, min_dense=min_dense)
    row_text[row_text >= 0] = np.where(enough, np.cumsum(enough) - 1, -1)[row_text[row_text >= 0]]
    distinct = encoded.dictionary.filter(pa.array(enough))
    n_distinct = len(distinct)
    groups = np.full(len(row_text), -1, dtype=np.int64)
    if n_distinct == 0:
        return groups
    order = np.asarray(pc.sort_indices(distinct), dtype=np.int64)
    rank = np.empty(n_distinct, dtype=np.int64)
    rank[order] = np.arange(n_distinct)
    distinct = distinct.take(pa.array(order))
    row_text[row_text >= 0] = rank[row_text[row_text >= 0]]
    example = np.empty(n_distinct, dtype=np.int64)
    example[row_text[row_text >= 0]] = np.flatnonzero(row_text >= 0)
    del encoded, plain
    unit = _units(skeleton.take(pa.array(example)), min_words, min_dense)
    del skeleton
    first_of_unit = np.unique(unit, return_index=True)[1]
    members = _compared(distinct.take(pa.array(first_of_unit)))
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
