"""Handle patterns, bio groups and ordered tag lists."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pytest

from graphscan.network.handles import bio_groups, handle_pattern, handle_patterns
from graphscan.network.tags import tag_list_objects

NAMES = [
    "maria",
    "tom",
    "anna",
    "lee",
    "jose",
    "fatima",
    "chen",
    "olga",
    "noah",
    "aisha",
    "ivan",
    "mei",
    "liam",
    "zoe",
    "omar",
    "nina",
]


@pytest.mark.parametrize(
    ("handle", "expected"),
    [
        ("maria_83921", "a_9{5}"),
        ("@Tom_40417", "a_9{5}"),
        ("tom40417", "a9{5}"),
        ("мария_83921", "a_9{5}"),
        ("user.0001.a", "a.9{4}.a"),
        ("x7k2q9zz", "*{8}"),
        ("deadbeef00112233", "x{16}"),
        ("anna", None),
        ("anna.lee", None),
        ("anna_lee_99", None),
        ("anna1987", None),
        ("anna2024", None),
        ("anna01021990", None),
        ("19900201anna", None),
        ("mp3player", None),
        ("r2d2", None),
        ("", None),
    ],
)
def test_pattern(handle: str, expected: str | None) -> None:
    assert handle_pattern(handle) == expected


def test_series_are_grouped_and_ordinary_names_are_not() -> None:
    random = np.random.default_rng(8)
    series = [f"{random.choice(NAMES)}_{random.integers(10_000, 100_000)}" for _ in range(200)]
    people = [
        random.choice(NAMES)
        + random.choice(["", "_", "."])
        + random.choice(
            [random.choice(NAMES), str(random.integers(1, 999)), str(random.integers(1950, 2012)), ""]
        )
        for _ in range(500)
    ]
    assert set(handle_patterns(pa.array(series)).to_pylist()) == {"a_9{5}"}
    assert handle_patterns(pa.array(people)).null_count == len(people)
    assert handle_patterns(pa.array([None, "maria_83921"])).to_pylist() == [None, "a_9{5}"]


def test_bios() -> None:
    bios = pa.array(
        [
            "Mother of two, lover of coffee & cats",
            "mother of two, lover of coffee & dogs! https://example.org",
            "writer",
            "writer",
            None,
        ]
    )
    groups = bio_groups(bios)
    assert groups[0] == groups[1] == 0
    assert groups[2:].tolist() == [-1, -1, -1]


def test_tag_lists() -> None:
    lists = [
        ["#Vote", "today"],
        ["vote", "TODAY"],
        ["today", "vote"],
        ["vote"],
        ["vote", "#VOTE"],
        [],
        None,
        ["Ｖote", None, " ", "to\u200bday"],
        ["a #b"],
        ["a", "b"],
        ["a #b", "c"],
        ["a", "b", "c"],
        ["a\\", "b"],
    ]
    found = tag_list_objects(pa.array(lists)).to_pylist()
    assert found[0] == found[1] == found[7] == "#vote #today"
    assert found[2] == "#today #vote"
    assert [found[i] for i in (3, 4, 5, 6, 8)] == [None] * 5
    assert len({found[i] for i in (9, 10, 11, 12)}) == 4
    chunked = pa.chunked_array([pa.array(lists).slice(0, 3), pa.array(lists).slice(3)])
    assert tag_list_objects(chunked).to_pylist() == found
    assert tag_list_objects(pa.array([], pa.list_(pa.string()))).to_pylist() == []
