"""Texts made in bulk from small grammars: everyday, smooth, and templated."""

from __future__ import annotations

import re
from functools import lru_cache
from typing import Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from graphscan.entropy import generator, mix64
from graphscan.simulate.vocabulary import LANGUAGES, Language

Int64 = NDArray[np.int64]

NONE: Final = 0
SHORT: Final = 1
NORMAL: Final = 2
LONG: Final = 3
POLISHED: Final = 4
TEMPLATE: Final = 5
GREETING: Final = 6
RULING: Final = 7
N_KINDS: Final = 8

_SLOT: Final = re.compile(r"\{(\w)\}")
_N_NAMES: Final = 600


def texts_of(kind: Int64, language: Int64, author: Int64, topic: Int64, seed: int) -> pa.Array:
    """One text an event.

    An author prefers some words over others, and a topic some nouns, so texts of one author are somewhat
    alike without being copies. Everyday texts are written with the author's own care: some never use
    capitals or full stops, some mistype.

    Parameters
    ----------
    kind
        ``NONE`` (null), ``SHORT``, ``NORMAL``, ``LONG``, ``POLISHED`` (as writing assistants and language
        models prefer), ``TEMPLATE`` (one frame an author, only numbers and names change), ``GREETING`` or
        ``RULING`` (of moderators), shape (n,).
    language
        Index into the languages, shape (n,).
    author, topic
        Numbers of the author and the community, shape (n,).
    seed
        Seed of the world.
    """
    n = len(kind)
    pieces: list[pa.Array] = []
    places: list[Int64] = []
    for which, words in enumerate(LANGUAGES):
        for one in range(1, N_KINDS):
            rows = np.flatnonzero((language == which) & (kind == one))
            if len(rows):
                rng = generator(seed, "texts", which, one)
                pieces.append(_texts(one, words, author[rows], topic[rows], rng))
                places.append(rows)
    empty = np.flatnonzero(kind == NONE)
    pieces.append(pa.nulls(len(empty), pa.string()))
    places.append(empty)
    back = np.empty(n, dtype=np.int64)
    back[np.concatenate(places)] = np.arange(n)
    return pa.chunked_array(pieces, pa.string()).take(pa.array(back)).combine_chunks()


def _texts(kind: int, words: Language, author: Int64, topic: Int64, rng: np.random.Generator) -> pa.Array:
    n = len(author)
    if kind == SHORT:
        # A person has favourites among the short answers.
        own = _preferred(author, 11, len(words.short), n, rng)
        return pa.array(words.short, pa.string()).take(pa.array(own))
    if kind == GREETING:
        return _filled(words, words.greetings, author, topic, rng, own_patterns=True)
    if kind == RULING:
        return _filled(words, words.rulings, author, topic, rng, own_patterns=True)
    if kind == TEMPLATE:
        return _templates(words, author, topic, rng)
    if kind == POLISHED:
        return _polished(words, author, topic, rng)
    clauses = 1 + rng.binomial(1, 0.45, n) if kind == NORMAL else 2 + rng.binomial(3, 0.4, n)
    return _careless(_everyday(words, author, topic, clauses, rng), author, rng)


def _everyday(
    words: Language, author: Int64, topic: Int64, n_clauses: Int64, rng: np.random.Generator
) -> pa.Array:
    text = _filled(words, words.clauses, author, topic, rng)
    joints = pa.array(words.joint, pa.string())
    for more in range(1, int(n_clauses.max(initial=1))):
        rows = np.flatnonzero(n_clauses > more)
        clause = _filled(words, words.clauses, author[rows], topic[rows], rng)
        joint = joints.take(pa.array(_preferred(author[rows], 7, len(joints), len(rows), rng)))
        longer = pc.binary_join_element_wise(text.take(pa.array(rows)), joint, clause, "")
        text = _replaced(text, rows, longer)
    stops = pa.array(words.stop, pa.string())
    stop = stops.take(pa.array(_preferred(author, 5, len(stops), len(author), rng)))
    return pc.binary_join_element_wise(text, stop, "")


def _polished(words: Language, author: Int64, topic: Int64, rng: np.random.Generator) -> pa.Array:
    """Two to four smooth sentences of three parts each: much one manner, and no two texts alike."""
    gap = "" if words.code == "zh" else " "
    n_sentences = 2 + rng.binomial(2, 0.35, len(author))
    text = pa.array([""] * len(author), pa.string())
    for number in range(int(n_sentences.max(initial=0))):
        rows = np.flatnonzero(n_sentences > number)
        parts = [
            _filled(words, patterns, author[rows], topic[rows], rng)
            for patterns in (words.heads, words.cores, words.tails)
        ]
        before = text.take(pa.array(rows))
        text = _replaced(
            text, rows, pc.binary_join_element_wise(before, *([gap] if number else []), *parts, "")
        )
    return text


def _filled(
    words: Language,
    patterns: tuple[str, ...],
    author: Int64,
    topic: Int64,
    rng: np.random.Generator,
    *,
    own_patterns: bool = False,
) -> pa.Array:
    n = len(author)
    number = _preferred(author, 3, len(patterns), n, rng)
    if own_patterns:
        number = _hash(author, 3) % len(patterns)
    order = np.argsort(number, kind="stable")
    bounds = np.searchsorted(number[order], np.arange(len(patterns) + 1))
    pieces = []
    for which, pattern in enumerate(patterns):
        rows = order[bounds[which] : bounds[which + 1]]
        if len(rows):
            pieces.append(_pattern(words, pattern, author[rows], topic[rows], rng))
    back = np.empty(n, dtype=np.int64)
    back[order] = np.arange(n)
    return pa.chunked_array(pieces, pa.string()).take(pa.array(back)).combine_chunks()


def _pattern(
    words: Language, pattern: str, author: Int64, topic: Int64, rng: np.random.Generator
) -> pa.Array:
    parts: list[pa.Array | str] = []
    for place, piece in enumerate(_SLOT.split(pattern)):
        if place % 2 == 0:
            if piece:
                parts.append(piece)
        else:
            parts.append(_slot(words, piece, author, topic, rng))
    if len(parts) == 1 and isinstance(parts[0], str):
        return pa.array([parts[0]] * len(author), pa.string())
    return pc.binary_join_element_wise(*parts, "")


def _slot(words: Language, name: str, author: Int64, topic: Int64, rng: np.random.Generator) -> pa.Array:
    n = len(author)
    if name == "d":
        return pa.array(np.rint(rng.lognormal(2.3, 1.0, n)).astype(np.int64) + 2).cast(pa.string())
    if name == "p":
        names = _names(words.code)
        return names.take(pa.array(_preferred(topic, 13, len(names), n, rng)))
    own = topic if name == "n" else author
    pool = pa.array(words.words[name], pa.string())
    return pool.take(pa.array(_preferred(own, ord(name), len(pool), n, rng)))


def _preferred(owner: Int64, salt: int, size: int, n: int, rng: np.random.Generator) -> Int64:
    """Places in a list of ``size``, some far more often than others, which ones depends on the owner."""
    rank = (size * rng.random(n) ** 1.6).astype(np.int64)
    step = 1 + 2 * (_hash(owner, salt + 1) % 5)
    return (_hash(owner, salt) + rank * step) % size


def _hash(values: Int64, salt: int) -> Int64:
    mixed = mix64(values.astype(np.uint64) + np.uint64(salt << 40))
    return (mixed >> np.uint64(20)).astype(np.int64)


@lru_cache(maxsize=8)
def _names(code: str) -> pa.Array:
    words = next(one for one in LANGUAGES if one.code == code)
    rng = generator(0, "names", code)
    names: dict[str, None] = {}
    while len(names) < min(_N_NAMES, len(words.syllables) ** 2 // 2):
        size = 2 if code == "zh" else int(rng.integers(2, 4))
        picked = [words.syllables[i] for i in rng.integers(len(words.syllables), size=size)]
        names["".join(picked).capitalize()] = None
    return pa.array(list(names), pa.string())


def _templates(words: Language, author: Int64, topic: Int64, rng: np.random.Generator) -> pa.Array:
    """One frame an author: its own words stay, numbers, a name and a noun change."""
    n = len(author)
    nouns = pa.array(words.words["n"], pa.string())
    fixed = [nouns.take(pa.array(_hash(author, salt) % len(nouns))) for salt in (31, 37, 41)]
    adjectives = pa.array(words.words["a"], pa.string())
    own = adjectives.take(pa.array(_hash(author, 43) % len(adjectives)))
    value = pa.array(np.rint(rng.lognormal(4.0, 1.0, n)).astype(np.int64) + 1).cast(pa.string())
    change = pa.array(rng.integers(-30, 31, n)).cast(pa.string())
    name = _slot(words, "p", author, topic, rng)
    frame = _hash(author, 47) % 3
    first = pc.binary_join_element_wise(
        fixed[0], " ", fixed[1], ": ", name, " ", value, " (", change, "%), ", own, " ", fixed[2], "", ""
    )
    second = pc.binary_join_element_wise(
        "[", fixed[0], "] ", name, " | ", fixed[1], " ", value, " | ", own, ""
    )
    third = pc.binary_join_element_wise(
        own, " ", fixed[0], " #", value, " - ", fixed[1], " / ", fixed[2], ": ", name, " ", change, ""
    )
    chosen = pc.if_else(pa.array(frame == 0), first, pc.if_else(pa.array(frame == 1), second, third))
    return chosen.combine_chunks() if isinstance(chosen, pa.ChunkedArray) else chosen


def _careless(text: pa.Array, author: Int64, rng: np.random.Generator) -> pa.Array:
    care = _hash(author, 53) % 10
    n = len(author)
    out = pc.if_else(pa.array(care < 4), pc.utf8_lower(text), text)
    slips = np.flatnonzero((rng.random(n) < 0.18) & (care % 3 == 0))
    if len(slips):
        # Two neighbouring letters change places, somewhere in the first words.
        some = out.take(pa.array(slips))
        swapped = pc.replace_substring_regex(
            some, pattern=r"^(\S+\s+\S*?\pL)(\pL)(\pL)", replacement=r"\1\3\2", max_replacements=1
        )
        out = _replaced(out, slips, swapped)
    sign = pa.array([" :)", " 😅", " 🙂", "!!", " lol", " 👍"], pa.string())
    marked = np.flatnonzero((rng.random(n) < 0.12) & (care % 2 == 0))
    if len(marked):
        tail = sign.take(pa.array(_preferred(author[marked], 59, len(sign), len(marked), rng)))
        out = _replaced(out, marked, pc.binary_join_element_wise(out.take(pa.array(marked)), tail, ""))
    return out


def _replaced(text: pa.Array, rows: Int64, new: pa.Array) -> pa.Array:
    """The texts with those of ``rows`` replaced."""
    index = np.arange(len(text))
    index[rows] = len(text) + np.arange(len(rows))
    return pa.chunked_array([text, new], pa.string()).take(pa.array(index)).combine_chunks()
