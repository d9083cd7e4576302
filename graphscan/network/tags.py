"""Ordered hashtag lists as objects: the same tags in the same order are rarely chosen twice by chance."""

from __future__ import annotations

from typing import Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from graphscan.network.characters import Characters, legible

_BLOCK_ROWS: Final = 65_536


def tag_list_objects(tags: pa.Array | pa.ChunkedArray) -> pa.Array:
    """One object for each ordered tag list.

    Tags are compared in Unicode NFKC, case-folded, without ``#`` in front and invisible characters; blank
    tags are left out; the order stays. A list with fewer than two different tags is no object: a single tag
    is a topic, and would tie everybody who speaks about it.

    Parameters
    ----------
    tags
        Lists of text, nulls allowed.

    Returns
    -------
    pyarrow.StringArray
        Such as ``#vote #today``, one row a list, null where there is no object. A space, ``#`` or backslash
        inside a tag is escaped by a backslash, so different lists never read the same.
    """
    chunks = tags.chunks if isinstance(tags, pa.ChunkedArray) else [tags]
    parts = [pa.array([], pa.string())]
    for chunk in chunks:
        parts.extend(
            _block_objects(chunk.slice(first, _BLOCK_ROWS)) for first in range(0, len(chunk), _BLOCK_ROWS)
        )
    return pa.concat_arrays(parts)


def _block_objects(tags: pa.Array) -> pa.Array:
    n = len(tags)
    owner = np.asarray(pc.list_parent_indices(tags), dtype=np.int64)
    encoded = pc.list_flatten(tags).cast(pa.large_string()).dictionary_encode()
    words = pc.utf8_normalize(legible(Characters.of(encoded.dictionary), composed=False).arrow(), form="NFKC")
    words = legible(Characters.of(words), composed=True).arrow()
    words = pc.utf8_rtrim_whitespace(pc.utf8_ltrim(words, characters="# "))
    words = pc.replace_substring_regex(words, r"([\\# ])", r"\\\1").cast(pa.string())
    flat = pc.if_else(pc.greater(pc.binary_length(words), 0), words, None).take(encoded.indices)
    keep = np.asarray(flat.is_valid())
    flat, owner = flat.filter(pa.array(keep)), owner[keep]
    begins = np.concatenate(([0], np.cumsum(np.bincount(owner, minlength=n))))
    joined = pc.binary_join(pa.ListArray.from_arrays(pa.array(begins, pa.int32()), flat), " #")
    # A list has two different tags if any of its tags differs from its first.
    code = np.asarray(flat.dictionary_encode().indices, dtype=np.int64)
    differs = code != code[begins[owner]]
    enough = np.bincount(owner[differs], minlength=n) > 0
    return pc.if_else(pa.array(enough), pc.binary_join_element_wise("#", joined, ""), None)
