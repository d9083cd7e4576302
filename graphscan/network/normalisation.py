"""Texts as they are compared: normalised, masked to skeletons, and measured against a floor.

Every rule is a pass over a block of texts. A pass costs what it touches, so each looks first, at the price of
a search for a byte, which texts it could change at all: most texts hold no link, no mention and nothing but
ASCII, and what is ASCII needs neither decoding nor Unicode normalisation.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from graphscan.network.characters import (
    EMOJI,
    VARIABLE,
    Characters,
    classes,
    in_threads,
    legible,
    script_mixture,
    settled,
    substance,
    text_blocks,
)

MAX_CHARACTERS: Final = 8_192  # what is compared of one text
MIN_WORDS: Final = 4
MIN_DENSE: Final = 12
SLOT: Final = "•"

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


def _changed(block: pa.Array, rows: pa.BooleanArray, change: Callable[[pa.Array], pa.Array]) -> pa.Array:
    """The block with the texts marked in ``rows`` replaced by what ``change`` makes of them."""
    n_rows = rows.true_count
    if n_rows == 0:
        return block
    if n_rows == len(block):
        return change(block)
    return pc.replace_with_mask(block, rows, change(block.filter(rows)))


def _holding(block: pa.Array, *parts: str) -> pa.BooleanArray:
    """Which texts hold any of these substrings."""
    rows = pc.match_substring(block, parts[0])
    for part in parts[1:]:
        rows = pc.or_(rows, pc.match_substring(block, part))
    return rows


def _replaced(block: pa.Array, pattern: str, replacement: str, *hints: str) -> pa.Array:
    """Every match replaced; each match holds one of the hints."""
    return _changed(
        block,
        _holding(block, *hints),
        lambda part: pc.replace_substring_regex(part, pattern, replacement),
    )


def _bounded(block: pa.Array) -> pa.Array:
    longer = pc.greater(pc.binary_length(block), MAX_CHARACTERS)
    return _changed(block, longer, lambda part: pc.utf8_slice_codeunits(part, 0, MAX_CHARACTERS))


def _unquoted(block: pa.Array) -> pa.Array:
    own = pc.replace_substring_regex(block, _QUOTED_LINE, "")
    return pc.if_else(pc.match_substring_regex(own, r"\S"), own, block)


def _normal_wide(block: pa.Array) -> pa.Array:
    """NFKC and legible, of texts beyond ASCII."""
    # Before the normalisation too: ordering a flood of combining marks costs its square.
    found = legible(Characters.of(block), composed=False)
    open_rows = pa.array(found.counts(~settled(found.codes)) > 0)
    block = _changed(
        found.arrow(),
        open_rows,
        lambda part: legible(Characters.of(pc.utf8_normalize(part, form="NFKC")), composed=True).arrow(),
    )
    return _changed(block, _holding(block, "ß"), lambda part: pc.replace_substring(part, "ß", "ss"))


def _folded(block: pa.Array) -> pa.Array:
    """NFKC, case-folded and legible texts of a block without nulls; links and mentions still in place."""
    block = _bounded(block)
    block = _changed(block, _holding(block, ">"), _unquoted)
    narrow = pc.string_is_ascii(block)
    block = _changed(block, narrow, lambda part: legible(Characters.of(part), composed=True).arrow())
    block = _bounded(_changed(block, pc.invert(narrow), _normal_wide))
    return _replaced(block, _REPOST_MARK, "", "@")


def _collapsed(block: pa.Array) -> pa.Array:
    return pc.ascii_trim(_replaced(block, "  +", " ", "  "), characters=" ")


def _plain(folded: pa.Array) -> pa.Array:
    block = _replaced(folded, _LINK, " ", "/", "www.")
    return _collapsed(_replaced(block, _MENTION, r"\1 ", "@"))


def _variable(folded: pa.Array) -> NDArray[np.bool_]:
    """Which texts hold something that a skeleton may mask."""
    flags = np.asarray(_holding(folded, "www."))
    for rows, texts in _alphabets(folded):
        flags[rows] |= texts.counts((classes(texts.codes) & (EMOJI | VARIABLE)) > 0) > 0
    return flags


def _skeleton(folded: pa.Array) -> pa.Array:
    block = _replaced(folded, _LINK, SLOT, "/", "www.")
    block = _replaced(block, _MENTION, rf"\1{SLOT}", "@")
    block = _replaced(block, _HASHTAG, rf"\1{SLOT}", "#")
    block = pc.replace_substring_regex(block, _NUMBER, SLOT)
    texts = Characters.of(block)
    emoji = (classes(texts.codes) & EMOJI) > 0
    if emoji.any():
        block = Characters(np.where(emoji, np.uint32(ord(SLOT)), texts.codes), texts.offsets).arrow()
    # Neighbouring slots are one slot, and slots at the ends are padding: how many tags or links a copy
    # carries, and in which order, is what templates vary.
    block = _replaced(block, rf"{SLOT}[ {SLOT}]*{SLOT}", SLOT, SLOT)
    return _collapsed(pc.utf8_trim(block, characters=f" {SLOT}"))


def _alphabets(block: pa.Array) -> list[tuple[NDArray[np.int64], Characters]]:
    """The texts of a block without nulls in two parts, ASCII and the rest, with the rows of each."""
    narrow = pc.string_is_ascii(block)
    if narrow.true_count in (0, len(block)):
        return [(np.arange(len(block)), Characters.of(block))]
    flags = np.asarray(narrow)
    return [
        (np.flatnonzero(flags), Characters.of(block.filter(narrow))),
        (np.flatnonzero(~flags), Characters.of(block.filter(pc.invert(narrow)))),
    ]


def _or_missing(block: pa.Array, made: pa.Array) -> pa.Array:
    """Missing stays missing, and what is empty without links and mentions is missing too."""
    some = pc.greater(pc.binary_length(made), 0)
    if block.null_count == 0 and some.true_count == len(made):
        return made
    return pc.if_else(pc.and_(block.is_valid(), some), made, None)


def _joined(parts: list[pa.Array]) -> pa.Array:
    return pa.concat_arrays([pa.array([], pa.large_string()), *parts])


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

    def one(block: pa.Array) -> pa.Array:
        return _or_missing(block, _plain(_folded(block.fill_null(""))))

    return _joined(in_threads(one, text_blocks(texts)))


def skeletons(texts: pa.Array | pa.ChunkedArray) -> pa.Array:
    """What stays of a text when its variable parts are masked.

    Links, mentions, hashtags, numbers and emoji become one slot ``•``; neighbouring slots are one, slots at
    either end are dropped. Else as `normalised`.

    Returns
    -------
    pyarrow.LargeStringArray
        One row a text; null where the text is missing or nothing is left of it.
    """
    return normalised_and_skeletons(texts)[1]


def normalised_and_skeletons(texts: pa.Array | pa.ChunkedArray) -> tuple[pa.Array, pa.Array]:
    """Both `normalised` and `skeletons`, for little more than the price of one."""

    def both(block: pa.Array) -> tuple[pa.Array, pa.Array]:
        folded = _folded(block.fill_null(""))
        plain = _plain(folded)
        variable = pa.array(_variable(folded))
        skeleton = plain
        if variable.true_count:
            skeleton = pc.replace_with_mask(plain, variable, _skeleton(folded.filter(variable)))
        return _or_missing(block, plain), _or_missing(block, skeleton)

    found = in_threads(both, text_blocks(texts))
    return _joined([plain for plain, _ in found]), _joined([skeleton for _, skeleton in found])


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

    def floored(block: pa.Array) -> NDArray[np.bool_]:
        flags = np.zeros(len(block), dtype=np.bool_)
        for rows, part in _alphabets(block.fill_null("")):
            words, dense = substance(part)
            flags[rows] = words * min_dense + dense * min_words >= min_words * min_dense
        return flags

    return np.concatenate([np.empty(0, np.bool_), *in_threads(floored, text_blocks(texts))])


def compared(plain: pa.Array) -> pa.Array:
    """Normalised texts without hashtags where enough is left: a shared tag is no shared wording."""

    def bare(part: pa.Array) -> pa.Array:
        found = _collapsed(pc.replace_substring_regex(part, _HASHTAG, r"\1 "))
        return pc.if_else(pa.array(substantial(found)), found, part)

    return _joined([_changed(block, _holding(block, "#"), bare) for block in text_blocks(plain)])
