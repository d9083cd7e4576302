"""Normalisation, skeletons, floors and groups of near-duplicate texts."""

from __future__ import annotations

import unicodedata

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from graphscan.network.text import (
    MAX_CHARACTERS,
    mixed_scripts,
    near_duplicate_groups,
    normalised,
    skeletons,
    substantial,
)


def _one(text: str | None) -> str | None:
    return normalised(pa.array([text], pa.string()))[0].as_py()


def _together(*texts: str) -> bool:
    groups = near_duplicate_groups(pa.array(texts))
    return groups[0] >= 0 and len(set(groups.tolist())) == 1


@pytest.mark.parametrize(
    ("raw", "expected"),
    [
        ("Hello   WORLD\n\t again", "hello world again"),
        ("look https://example.org/a?b=c here", "look here"),
        ("look www.example.org here, example.org/page too", "look here, too"),
        ("@ann and @bob.c: hi, write to me@home", "and : hi, write to me@home"),
        ("RT @ann: the news of today", "the news of today"),
        ("Straße ＦＵＬＬ ①", "strasse full 1"),
        ("Москва СЛЕЗАМ не верит", "москва слезам не верит"),
        ("he\u200bl\u2060lo \u202eabc\u202c \u00adx", "hello abc x"),
        ("cafe\u0301", "café"),
        ("c" + "\u0336" * 40 + "a", "ca"),
        ("İstanbul", "istanbul"),
        ("fire 🔥\ufe0f 👩\u200d💻", "fire 🔥 👩💻"),
        ("> you said this\nand I answer", "and i answer"),
        ("> nothing else", "> nothing else"),
        ("", None),
        ("  \u200b ", None),
        ("@ann https://example.org", None),
        (None, None),
    ],
)
def test_normalised(raw: str | None, expected: str | None) -> None:
    assert _one(raw) == expected


@pytest.mark.parametrize(
    ("raw", "expected"),
    [
        ("Win 5,000.00 $ now", "win • $ now"),
        ("@ann @bob look at 3 #cats now https://example.org/x #a #b", "look at • now"),
        ("news 🔥🔥 at 12:30 today", "news • at • today"),
        ("今天 #话题#真的很好", "今天 •真的很好"),
        ("a &#39; b", "a &#•; b"),
        ("12 34", None),
    ],
)
def test_skeletons(raw: str, expected: str | None) -> None:
    assert skeletons(pa.array([raw]))[0].as_py() == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("three little words", False),
        ("now four little words", True),
        ("don't say that", False),
        ("- - - - - -", False),
        ("我们今天一起去看电影吧好", True),
        ("我们今天一起去看电影吧", False),
        ("오늘 우리 같이 영화 보러 가자", True),
        ("วันนี้เราไปดูหนังกัน", True),
        ("two words 我们今天一起", True),
        ("🔥🔥🔥🔥🔥🔥🔥🔥🔥🔥🔥🔥", False),
    ],
)
def test_floor(text: str, expected: bool) -> None:
    assert substantial(pa.array([text])).tolist() == [expected]


def test_groups_in_many_scripts() -> None:
    assert _together("the quick brown fox jumps over the dog", "The quick brown fox jumps over the dog!!")
    assert _together("сегодня в москве прошёл большой митинг", "Сегодня в Москве прошел большой митинг")
    assert _together("我们今天一起去看电影吧好不好", "我们今天一起去看电影吧好不好呀")
    assert _together("今日はとても良い天気なので散歩します", "今日はとても良い天気なので散歩しますね")
    assert _together("great news for all of us 🔥🔥", "great news for all of us 🎉")
    assert _together("buy iphone 手机壳 now 非常便宜的好东西", "buy iphone 手机壳 now 非常便宜的好东西!")
    assert not _together("the quick brown fox jumps over the dog", "a slow red cat sleeps under the table")
    assert not _together("我们今天一起去看电影吧好不好", "他昨天独自在家里写作业到很晚")


def test_a_shared_hashtag_is_no_shared_wording() -> None:
    assert not _together(
        "drop out of college #myfourwordnewyearsresolution",
        "audition for magic mike #myfourwordnewyearsresolution",
    )


def test_templates_meet_by_their_skeleton() -> None:
    names = ["ann_77", "b", "the_longest_name_of_all_of_them", "x9"]
    texts = [f"@{n} your {i * 37} coins wait at https://e.org/{n} 🔥" for i, n in enumerate(names)]
    assert _together(*texts)
    # Slots alone make no template.
    assert near_duplicate_groups(pa.array(["1 2 3 #a ok", "4 5 6 #b ok"])).tolist() == [-1, -1]


def test_homoglyphs_stay_distinct_and_are_marked() -> None:
    texts = pa.array(["paypal support line", "pаypаl support line", "москва и paypal", None])
    found = normalised(texts)
    assert found[0] != found[1]
    assert mixed_scripts(texts).tolist() == [False, True, False, False]


def test_hostile_unicode_neither_hides_a_copy_nor_breaks() -> None:
    honest = "send your coins to this wallet today"
    hidden = "\u202e" + "".join(c + "\u200b\u2063" for c in honest) + "\u202c"
    flooded = "".join(c + "\u0489\u0336" * 50 for c in honest)
    assert _together(honest, hidden, flooded)


def test_huge_texts_are_bounded() -> None:
    long = "word salad of no end " * 50_000
    marks = "a" + "\u0301\u0323" * 500_000
    ligatures = "\ufdfa" * 100_000  # expands eighteenfold
    found = normalised(pa.array([long, marks, ligatures]))
    assert all(len(text) <= MAX_CHARACTERS for text in found.to_pylist() if text)
    assert near_duplicate_groups(pa.array([long, long + "tail", marks, ligatures])).tolist() == [0, 0, -1, -1]


def test_missing_short_and_unique_texts_are_in_no_group() -> None:
    texts = pa.array([None, "", "too short", "too short", "one text that nobody else has written"])
    assert near_duplicate_groups(texts).tolist() == [-1] * 5
    assert near_duplicate_groups(pa.array([], pa.string())).tolist() == []
    assert near_duplicate_groups(pa.chunked_array([], pa.string())).tolist() == []


def test_codes_follow_the_sorted_normalised_texts() -> None:
    texts = ["zebras are black and white", "apples are green and red", None]
    assert near_duplicate_groups(pa.array(texts + texts)).tolist() == [1, 0, -1, 1, 0, -1]


def test_slices_and_chunks_read_the_same() -> None:
    texts = ["alpha beta gamma delta é", None, "alpha beta gamma delta É", "x"] * 3
    whole = near_duplicate_groups(pa.array(texts))
    sliced = pa.array(["junk ü", *texts]).slice(1)
    chunked = pa.chunked_array([sliced.slice(0, 5), pa.array([], pa.string()), sliced.slice(5)])
    assert near_duplicate_groups(sliced).tolist() == whole.tolist()
    assert near_duplicate_groups(chunked).tolist() == whole.tolist()


def test_no_chain_ties_distant_texts() -> None:
    words = [f"w{chr(97 + i // 26)}{chr(97 + i % 26)}x" for i in range(80)]
    chain = [" ".join(words[i : i + 20]) for i in range(60)]  # neighbours are alike, ends share nothing
    groups = near_duplicate_groups(pa.array(chain))
    for group in range(groups.max() + 1):
        members = np.flatnonzero(groups == group)
        assert members.max() - members.min() <= 8


def test_hot_boilerplate_is_one_group() -> None:
    random = np.random.default_rng(3)
    tails = random.integers(97, 123, (20_000, 6)).astype(np.uint8)
    texts = [
        "thank you for following our channel, see you at the next stream dear " + bytes(tail).decode()
        for tail in tails
    ]
    groups = near_duplicate_groups(pa.array(texts))
    assert np.bincount(groups[groups >= 0]).max() >= 0.99 * len(texts)


def test_of_raw_texts_that_read_the_same_any_order_gives_the_same_skeleton() -> None:
    # Without its link the first reads like the second; only with the slot it meets the third.
    texts = [
        "claim your coins https://e.org/a before they are gone",
        "claim your coins before they are gone",
        "claim your coins 9,000,000,000,000,000,000,000,000,000,000,000 before they are gone",
    ]
    base = near_duplicate_groups(pa.array(texts))
    assert base.tolist() == near_duplicate_groups(pa.array(texts[::-1])).tolist()[::-1]


@pytest.mark.parametrize(
    "honest", ["ﬁne words for all of you", "각 나라의 모든 사람들에게 인사", "naïve wörds ǅ"]
)
def test_texts_read_the_same_among_ascii_and_among_others(honest: str) -> None:
    crowd = ["plain words", honest, "ещё слова", unicodedata.normalize("NFD", honest), "x ① ℌ"]
    found = normalised(pa.array(crowd)).to_pylist()
    assert found == [_one(text) for text in crowd]
    assert found[1] == found[3] == unicodedata.normalize("NFKC", honest).casefold()


def test_threshold_is_checked() -> None:
    with pytest.raises(ValueError, match="threshold"):
        near_duplicate_groups(pa.array(["a"]), threshold=0.0)


_words = st.lists(
    st.sampled_from(["alpha", "beta", "γάμμα", "дельта", "中文字", "#tag", "@you", "7", "🔥", "e\u0301"]),
    min_size=2,
    max_size=9,
).map(" ".join)


@settings(max_examples=20, deadline=None)
@given(st.lists(st.one_of(st.none(), _words, st.text(max_size=30)), min_size=1, max_size=25), st.randoms())
def test_order_and_repeats_change_nothing(texts: list[str | None], random: object) -> None:
    texts = [t if t is None else t.encode("utf-8", "ignore").decode() for t in texts]
    doubled = texts + texts
    base = near_duplicate_groups(pa.array(doubled, pa.string()))
    order = list(range(len(doubled)))
    random.shuffle(order)  # type: ignore[attr-defined]
    shuffled = near_duplicate_groups(pa.array([doubled[i] for i in order], pa.string()))
    assert shuffled.tolist() == base[order].tolist()
    more = near_duplicate_groups(pa.array(doubled + texts[:3], pa.string()))
    assert more[: len(doubled)].tolist() == base.tolist()


@settings(max_examples=100, deadline=None)
@given(st.text(max_size=60))
def test_any_text_is_normalised_without_invisible_characters(text: str) -> None:
    text = text.encode("utf-8", "ignore").decode()
    found = _one(text)
    assert found is None or (found == found.strip() and not set(found) & set("\u200b\u202e\ufeff\x00\n\t"))
