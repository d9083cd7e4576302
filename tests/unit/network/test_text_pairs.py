"""Shingles, signatures and pairs against a brute force of Python sets, on random and on real texts."""

from __future__ import annotations

import os
from itertools import combinations
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest

from graphscan.network.shingles import minhash_signatures, pair_jaccard, shingle_hashes
from graphscan.network.text import (
    _likely_pairs,
    compared,
    near_duplicate_groups,
    normalised,
    skeletons,
    substantial,
)

DATA = Path(os.environ.get("GRAPHSCAN_DATA", Path(__file__).resolve().parents[3] / "../shared/data"))


def _is_dense(char: str) -> bool:
    return 0x3040 <= ord(char) <= 0x30FF or 0x4E00 <= ord(char) <= 0x9FFF or 0xAC00 <= ord(char) <= 0xD7A3


def _shingles(text: str) -> set[str]:
    found = set()
    for i, char in enumerate(text):
        n = 3 if _is_dense(char) else 5
        if i + n <= len(text):
            found.add(text[i : i + n])
    return found


def _jaccard(a: set[str], b: set[str]) -> float:
    return len(a & b) / len(a | b) if a | b else 0.0


def _varied_texts(seed: int, n_seeds: int, copies: int) -> list[str]:
    """Random texts in three scripts, each with copies in which some characters are changed."""
    random = np.random.default_rng(seed)
    alphabets = ["abcdefghijklmnop     ", "абвгдежзиклмнопр     ", "天地玄黄宇宙洪荒日月盈昃辰宿列张"]
    texts = []
    for i in range(n_seeds):
        letters = np.array(list(alphabets[i % 3]))
        body = random.choice(letters, random.integers(30, 120))
        for _ in range(copies):
            changed = body.copy()
            spots = random.random(len(body)) < random.uniform(0, 0.12)
            changed[spots] = random.choice(letters, spots.sum())
            texts.append("".join(changed))
    return texts


def _events(name: str) -> pa.ChunkedArray:
    path = DATA / name / "events.parquet"
    if not path.exists():
        message = f"{path} is missing; set GRAPHSCAN_DATA to the folder that holds {name}"
        if os.environ.get("CI"):
            pytest.fail(message)
        pytest.skip(message)
    return pq.read_table(path, columns=["text"])["text"]


def test_shingle_hashes_are_as_many_and_as_equal_as_the_shingles() -> None:
    texts = ["abcdefgh", "我们今天吃abcd了", "abc", "", None, "abcdeabcde"]
    values, offsets = shingle_hashes(pa.array(texts))
    counts = np.diff(offsets).tolist()
    assert counts == [4, 6, 0, 0, 0, 6]
    for text, first, last in zip(texts, offsets[:-1], offsets[1:], strict=True):
        assert len(set(values[first:last].tolist())) == len(_shingles(text or ""))


def test_pair_jaccard_equals_sets() -> None:
    texts = _varied_texts(1, 12, 5)
    left, right = np.array(list(combinations(range(len(texts)), 2))).T
    order = np.random.default_rng(2).permutation(len(left))
    left, right = left[order], right[order]
    sets = [_shingles(text) for text in texts]
    expected = [_jaccard(sets[a], sets[b]) for a, b in zip(left, right, strict=True)]
    np.testing.assert_allclose(pair_jaccard(pa.array(texts), left, right), expected, atol=1e-12)
    assert pair_jaccard(pa.array(["abc", None]), np.array([0]), np.array([1])).tolist() == [0.0]


def test_signatures_estimate_jaccard_without_bias() -> None:
    texts = _varied_texts(4, 60, 2)
    signatures = minhash_signatures(pa.array(texts), 256, seed=0)
    sets = [_shingles(text) for text in texts]
    pairs = [(i, i + 1) for i in range(0, len(texts), 2)]
    error = [np.mean(signatures[a] == signatures[b]) - _jaccard(sets[a], sets[b]) for a, b in pairs]
    assert abs(np.mean(error)) < 0.015
    assert np.std(error) < 1.5 * 0.5 / np.sqrt(256)


@pytest.mark.parametrize("threshold", [0.5, 0.7, 0.9])
def test_recall_of_proposed_pairs(threshold: float) -> None:
    texts = _varied_texts(5, 150, 6)
    sets = [_shingles(text) for text in texts]
    near = {
        (a, b)
        for i in range(0, len(texts), 6)
        for a, b in combinations(range(i, i + 6), 2)
        if _jaccard(sets[a], sets[b]) >= threshold
    }
    left, right = _likely_pairs(pa.array(texts), threshold, seed=0)
    assert (left < right).all()
    found = set(zip(left.tolist(), right.tolist(), strict=True))
    assert len(near & found) >= 0.97 * len(near)


def test_every_member_is_near_its_centre_and_few_near_pairs_are_parted() -> None:
    texts = _varied_texts(6, 120, 6)
    plain = normalised(pa.array(texts)).to_pylist()
    groups = near_duplicate_groups(pa.array(texts), threshold=0.7, min_words=0, min_dense=1)
    sets = [_shingles(text) for text in plain]
    for group in range(groups.max() + 1):
        members = np.flatnonzero(groups == group)
        assert len(members) >= 2
        assert any(all(_jaccard(sets[c], sets[m]) >= 0.7 for m in members) for c in members)
    near = [
        (a, b)
        for i in range(0, len(texts), 6)
        for a, b in combinations(range(i, i + 6), 2)
        if _jaccard(sets[a], sets[b]) >= 0.7
    ]
    kept = sum(groups[a] == groups[b] >= 0 for a, b in near)
    assert kept >= 0.9 * len(near)


def test_real_texts_against_brute_force() -> None:
    """4,000 English and Russian posts, all pairs by an inverted index of Python sets."""
    texts = _events("ira_sample").combine_chunks().slice(100_000, 4_000)
    plain = normalised(texts)
    plain = plain.filter(pa.array(substantial(plain))).unique()
    members = compared(plain)
    lists = members.to_pylist()
    sets = [_shingles(text) for text in lists]
    index: dict[str, list[int]] = {}
    overlap: dict[tuple[int, int], int] = {}
    for row, shingles in enumerate(sets):
        for shingle in shingles:
            index.setdefault(shingle, []).append(row)
    for rows in index.values():
        if len(rows) <= 300:
            for pair in combinations(rows, 2):
                overlap[pair] = overlap.get(pair, 0) + 1
    near = {
        (a, b)
        for (a, b), n in overlap.items()
        if n >= 0.4 * len(sets[a]) and _jaccard(sets[a], sets[b]) >= 0.7
    }
    assert len(near) >= 20
    left, right = _likely_pairs(members, 0.7, seed=0)
    similarity = pair_jaccard(members, left, right)
    found = {
        pair
        for pair, s in zip(zip(left.tolist(), right.tolist(), strict=True), similarity, strict=True)
        if s >= 0.7
    }
    assert len(near & found) >= 0.97 * len(near)
    for a, b in found:
        assert _jaccard(sets[a], sets[b]) >= 0.7


def test_real_russian_and_english_groups_hold_their_promise() -> None:
    texts = _events("ira_sample").combine_chunks().slice(0, 60_000)
    groups = near_duplicate_groups(texts)
    plain, masked = normalised(texts), skeletons(texts)
    assert pc.any(pc.match_substring_regex(plain.filter(pa.array(groups >= 0)), r"\p{Cyrillic}")).as_py()
    sizes = np.bincount(groups[groups >= 0])
    assert sizes.min() >= 2
    order = np.argsort(groups, kind="stable")
    order = order[groups[order] >= 0]
    lists = compared(plain.take(pa.array(order))).to_pylist()
    rows = [(groups[r], masked[int(r)].as_py(), _shingles(t)) for r, t in zip(order, lists, strict=True)]
    start = 0
    for size in sizes[:400]:
        members = rows[start : start + size]
        start += size
        distinct = {mask: found for _, mask, found in members}
        assert any(all(_jaccard(c, m) >= 0.65 for m in distinct.values()) for c in distinct.values())
