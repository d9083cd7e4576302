"""Text as flat arrays of code points, and what each code point is.

Regular expressions look at one text at a time; a table indexed by code point looks at all of them at once.
So texts are decoded, many at a time, into one array of code points with offsets, are changed there with
whole-array operations, and are encoded again.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import cache
from typing import Final, TypeVar

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

WORD: Final = 1  # letters, digits and the marks inside words
UNSPACED: Final = 2  # scripts written without spaces, or so dense that a character is nearly a word
SPACE: Final = 4
INVISIBLE: Final = 8  # zero-width, bidirectional and other controls: they change the bytes, not what is read
MARK: Final = 16
EMOJI: Final = 32
APOSTROPHE: Final = 64
VARIABLE: Final = 128  # digits, and signs that mark a link, a mention, a tag or a slot

Codes = NDArray[np.uint32] | NDArray[np.uint8]

_Item = TypeVar("_Item")
_Found = TypeVar("_Found")

_MAX_THREADS: Final = 4  # each holds the work arrays of one block

_TABLE_SIZE: Final = 0x20000  # the planes above hold ideographs, tags and private use: see _classes_beyond
_UNSPACED_RANGES: Final = (
    (0x0E00, 0x0EFF),  # Thai, Lao
    (0x1000, 0x109F),  # Myanmar
    (0x1100, 0x11FF),  # Hangul jamo
    (0x1780, 0x17FF),  # Khmer
    (0x2E80, 0x2FDF),  # CJK radicals
    (0x3005, 0x3007),
    (0x3021, 0x3029),
    (0x3040, 0x31FF),  # kana, bopomofo, Hangul compatibility jamo
    (0x3400, 0x4DBF),
    (0x4E00, 0x9FFF),
    (0xA960, 0xA97F),
    (0xAC00, 0xD7FF),  # Hangul
    (0xF900, 0xFAFF),
    (0x1B000, 0x1B16F),
)
# Blank or invisible although Unicode calls them letters, marks or symbols.
_FILLERS: Final = (0x034F, 0x115F, 0x1160, 0x17B4, 0x17B5, 0x3164, 0xFFA0, *range(0x180B, 0x1810))
_VARIATION_SELECTORS: Final = range(0xFE00, 0xFE10)
_EMOJI_EXTRA: Final = (0x203C, 0x2049, 0x20E3, *range(0x1F1E6, 0x1F200), *range(0x1F3FB, 0x1F400))
_GENERAL_DIACRITICS: Final = (
    (0x0300, 0x036F),
    (0x0483, 0x0489),
    (0x1AB0, 0x1AFF),
    (0x1DC0, 0x1DFF),
    (0x20D0, 0x20FF),
    (0xFE20, 0xFE2F),
)
_SCRIPT_RANGES: Final = (
    (1, 0x41, 0x5A),
    (1, 0x61, 0x7A),
    (1, 0xC0, 0x24F),
    (1, 0x1E00, 0x1EFF),
    (2, 0x370, 0x3FF),
    (2, 0x1F00, 0x1FFF),
    (3, 0x400, 0x52F),
    (3, 0xA640, 0xA69F),
    (4, 0x531, 0x587),
    (5, 0x13A0, 0x13FF),
)


def _class_of(code: int) -> int:
    char = chr(code)
    category = unicodedata.category(char)
    if char.isspace() or code == 0x2800:
        return SPACE
    if category in ("Cf", "Cc") or code in _FILLERS or code in _VARIATION_SELECTORS:
        return INVISIBLE
    found = 0
    if category[0] in "LNM":
        found |= WORD
    if category in ("Mn", "Me"):
        found |= MARK
    if category == "So" or code in _EMOJI_EXTRA:
        found |= EMOJI
    if code in (0x27, 0x2019, 0x02BC):
        found |= APOSTROPHE
    if category == "Nd" or char in "@#/•":
        found |= VARIABLE
    return found


@cache
def _class_table() -> NDArray[np.uint8]:
    table = np.fromiter((_class_of(code) for code in range(_TABLE_SIZE)), dtype=np.uint8, count=_TABLE_SIZE)
    for first, last in _UNSPACED_RANGES:
        span = table[first : last + 1]
        span[(span & WORD) > 0] |= UNSPACED
    return table


@cache
def _fold_table() -> NDArray[np.uint32]:
    """Simple case folding: one code point to one code point."""
    folded = np.arange(_TABLE_SIZE, dtype=np.uint32)
    for code in range(_TABLE_SIZE):
        if 0xD800 <= code < 0xE000:
            continue
        full = chr(code).casefold()
        if len(full) > 1:  # such as the dotted capital I: its first letter; sharp s is spelt out elsewhere
            full = chr(code).lower()
        folded[code] = ord(full[0])
    return folded


@cache
def _settled_table() -> NDArray[np.bool_]:
    table = np.zeros(_TABLE_SIZE, dtype=np.bool_)
    folds = _fold_table()
    for code in range(_TABLE_SIZE):
        category = unicodedata.category(chr(code))
        table[code] = (
            folds[code] == code
            and category[0] not in "MC"
            and not 0x1100 <= code < 0x1200  # conjoining jamo compose with their neighbours
            and unicodedata.is_normalized("NFKC", chr(code))
        )
    return table


def settled(codes: Codes) -> NDArray[np.bool_]:
    """Whether a folded code point stays itself in NFKC whatever stands beside it; shape as ``codes``."""
    if codes.dtype == np.uint8:
        return np.ones(len(codes), dtype=np.bool_)
    return _settled_table()[np.minimum(codes, _TABLE_SIZE - 1)]


@cache
def _narrow_tables() -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
    """Classes and case folding of the octets of ASCII."""
    octets = slice(0, 256)
    return _class_table()[octets].copy(), np.minimum(_fold_table()[octets], 255).astype(np.uint8)


@cache
def _script_table() -> NDArray[np.uint8]:
    table = np.zeros(_TABLE_SIZE, dtype=np.uint8)
    for script, first, last in _SCRIPT_RANGES:
        table[first : last + 1] = script
    table[[0xD7, 0xF7]] = 0
    return table


def classes(codes: Codes) -> NDArray[np.uint8]:
    """The class bits (`WORD`, `UNSPACED`, ...) of each code point; shape as ``codes``."""
    if codes.dtype == np.uint8:
        return np.take(_narrow_tables()[0], codes)
    if len(codes) == 0 or codes.max() < _TABLE_SIZE:
        return _class_table()[codes]
    found = _class_table()[np.minimum(codes, _TABLE_SIZE - 1)]
    beyond = codes >= _TABLE_SIZE
    if beyond.any():
        high = codes[beyond]
        found[beyond] = np.where(
            high < 0x40000, WORD | UNSPACED, np.where((high >= 0xE0000) & (high < 0xE1000), INVISIBLE, 0)
        )
    return found


def case_folded(codes: Codes) -> Codes:
    """Each code point in simple case folding; shape as ``codes``."""
    if codes.dtype == np.uint8:
        return np.take(_narrow_tables()[1], codes)
    if len(codes) == 0 or codes.max() < _TABLE_SIZE:
        return _fold_table()[codes]
    return np.where(codes < _TABLE_SIZE, _fold_table()[np.minimum(codes, _TABLE_SIZE - 1)], codes)


@dataclass(frozen=True)
class Characters:
    """Many texts as one array of code points.

    Parameters
    ----------
    codes
        Code points of all texts, one after the other, shape ``(n_characters,)``. Of dtype uint8 if all are
        ASCII, which then needs no decoding, else uint32.
    offsets
        Where each text begins, and the end, shape ``(n_texts + 1,)``.
    """

    codes: Codes
    offsets: NDArray[np.int64]

    @classmethod
    def of(cls, texts: pa.Array) -> Characters:
        """Decode a text array without nulls."""
        texts = texts.cast(pa.large_string())
        if len(texts) == 0:
            return cls(np.empty(0, np.uint32), np.zeros(1, np.int64))
        buffers = texts.buffers()
        bounds = np.frombuffer(buffers[1], dtype=np.int64)[texts.offset : texts.offset + len(texts) + 1]
        first, last = int(bounds[0]), int(bounds[-1])
        raw = buffers[2].slice(first, last - first) if last > first else b""
        octets = np.frombuffer(raw, dtype=np.uint8)
        if len(octets) == 0 or int(octets.max()) < 0x80:
            return cls(octets, bounds - first)
        begins = np.flatnonzero((octets & 0xC0) != 0x80)
        codes = np.frombuffer(str(raw, "utf-8").encode("utf-32-le"), dtype=np.uint32)
        return cls(codes, np.searchsorted(begins, bounds - first).astype(np.int64))

    def arrow(self) -> pa.Array:
        """Encode as an Arrow ``large_string`` array."""
        if self.codes.dtype == np.uint8:
            raw = self.codes.tobytes()
        else:
            raw = self.codes.astype("<u4").tobytes().decode("utf-32-le").encode("utf-8")
        octets = np.frombuffer(raw, dtype=np.uint8)
        if len(octets) == len(self.codes):
            bounds = self.offsets
        else:
            begins = np.append(np.flatnonzero((octets & 0xC0) != 0x80), len(octets))
            bounds = begins[self.offsets]
        return pa.LargeStringArray.from_buffers(
            len(self.offsets) - 1, pa.py_buffer(bounds.astype(np.int64)), pa.py_buffer(raw)
        )

    def kept(self, keep: NDArray[np.bool_]) -> Characters:
        """Only the characters marked in ``keep``, shape ``(n_characters,)``."""
        if keep.all():
            return self
        before = np.concatenate(([0], np.cumsum(keep)))
        return Characters(self.codes[keep], before[self.offsets])

    def counts(self, flags: NDArray[np.bool_]) -> NDArray[np.int64]:
        """How many flagged characters each text has, shape ``(n_texts,)``."""
        return np.diff(np.searchsorted(np.flatnonzero(flags), self.offsets))

    def starts(self) -> NDArray[np.bool_]:
        """True at the first character of each text."""
        flags = np.zeros(len(self.codes), dtype=np.bool_)
        begins = self.offsets[:-1]
        flags[begins[begins < self.offsets[1:]]] = True
        return flags


def legible(texts: Characters, *, composed: bool, max_marks: int = 2) -> Characters:
    """Case-folded texts without what is not seen.

    Zero-width, bidirectional and other control characters go, white space becomes a plain space, and of a
    run of combining marks only the first ``max_marks`` stay (no script in daily use stacks more on one
    base, floods of them do). Of ``composed`` texts (Unicode NFC or NFKC) the general diacritics that did
    not compose go altogether: what no precomposed letter has is, nearly always, ornament.
    """
    kind = classes(texts.codes)
    folded = case_folded(texts.codes)
    np.putmask(folded, (kind & SPACE) > 0, 0x20)
    texts = Characters(folded, texts.offsets)
    visible = (kind & INVISIBLE) == 0
    texts, kind = texts.kept(visible), kind[visible]
    is_mark = (kind & MARK) > 0
    if is_mark.any():
        position = np.arange(len(is_mark))
        last_base = np.maximum.accumulate(np.where(~is_mark | texts.starts(), position, 0))
        keep = position - last_base <= max_marks
        if composed:
            for first, last in _GENERAL_DIACRITICS:
                keep &= (texts.codes < first) | (texts.codes > last)
        texts = texts.kept(keep)
    return texts


def substance(texts: Characters) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Words in spaced scripts, and characters in unspaced ones, of each text; each shape ``(n_texts,)``.

    Korean is counted by characters although it writes spaces: a syllable block carries two to three letters.
    """
    kind = classes(texts.codes)
    dense = (kind & UNSPACED) > 0
    inside = ((kind & WORD) > 0) & ~dense
    previous = np.zeros(len(inside), dtype=np.bool_)
    previous[1:] = inside[:-1]
    # An apostrophe between letters does not begin a new word.
    joined = np.zeros(len(inside), dtype=np.bool_)
    joined[2:] = ((kind[1:-1] & APOSTROPHE) > 0) & inside[:-2]
    fresh = texts.starts()
    begins = inside & (fresh | ~(previous | joined))
    return texts.counts(begins), texts.counts(dense & ((kind & MARK) == 0))


def script_mixture(texts: Characters) -> NDArray[np.bool_]:
    """Whether a word of the text mixes look-alike alphabets, shape ``(n_texts,)``.

    Two letters side by side from two of Latin, Greek, Cyrillic, Armenian and Cherokee: the mark of
    homoglyphs, which are left as they are and so stay distinct from the honest spelling.
    """
    if texts.codes.dtype == np.uint8:
        return np.zeros(len(texts.offsets) - 1, dtype=np.bool_)
    script = np.where(
        texts.codes < _TABLE_SIZE, _script_table()[np.minimum(texts.codes, _TABLE_SIZE - 1)], np.uint8(0)
    )
    clash = np.zeros(len(script), dtype=np.bool_)
    clash[1:] = (script[1:] != script[:-1]) & (script[1:] > 0) & (script[:-1] > 0)
    return texts.counts(clash & ~texts.starts()) > 0


def text_blocks(
    texts: pa.Array | pa.ChunkedArray, *, rows: int = 16_384, octets: int = 16_000_000
) -> Iterator[pa.Array]:
    """Slices of a text array that are small in rows and in bytes, in order, as ``large_string``."""
    chunks = texts.chunks if isinstance(texts, pa.ChunkedArray) else [texts]
    for chunk in chunks:
        chunk = chunk.cast(pa.large_string())
        sizes = np.asarray(pc.fill_null(pc.binary_length(chunk), 0), dtype=np.int64)
        ends = np.cumsum(sizes)
        first = 0
        while first < len(chunk):
            done = int(ends[first - 1]) if first else 0
            last = int(np.searchsorted(ends, done + octets, side="right"))
            last = min(max(last, first + 1), first + rows, len(chunk))
            yield chunk.slice(first, last - first)
            first = last


def in_threads(work: Callable[[_Item], _Found], items: Iterable[_Item]) -> list[_Found]:
    """What ``work`` makes of each item, in the order of the items, by as many threads as Arrow uses."""
    with ThreadPoolExecutor(min(pa.cpu_count(), _MAX_THREADS)) as threads:
        return list(threads.map(work, items))
