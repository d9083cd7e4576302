"""Canonical URLs: what is the same page, what is not, and what is no web address."""

from __future__ import annotations

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from graphscan.network.urls import TRACKING_PARAMETERS, canonical_url, canonical_urls


@pytest.mark.parametrize(
    ("raw", "expected"),
    [
        ("http://Example.ORG", "https://example.org"),
        ("HTTPS://example.org/", "https://example.org"),
        ("http://example.org:80/a", "https://example.org/a"),
        ("https://example.org:443/a/", "https://example.org/a"),
        ("https://example.org:8443/a", "https://example.org:8443/a"),
        ("https://user:secret@example.org/a", "https://example.org/a"),
        ("https://www.example.org/A#part", "https://example.org/A"),
        ("https://m.www.example.org./a", "https://example.org/a"),
        ("https://www.com/a", "https://www.com/a"),
        ("example.org/a", "https://example.org/a"),
        ("//example.org/a", "https://example.org/a"),
        ("example.org:8080/a", "https://example.org:8080/a"),
        ("https://example.org/%7Eann/%c3%a9/./b/../c", "https://example.org/~ann/%C3%A9/c"),
        ("https://example.org/é", "https://example.org/%C3%A9"),
        ("https://example.org/a%2Fb", "https://example.org/a%2Fb"),
        ("https://example.org/100%", "https://example.org/100%25"),
        ("https://пример.рф/путь", "https://xn--e1afmkfd.xn--p1ai/%D0%BF%D1%83%D1%82%D1%8C"),
        ("https://example.org/?b=2&a=1&&", "https://example.org?a=1&b=2"),
        (
            "https://example.org/?utm_source=x&UTM_medium=y&fbclid=1&gclid=2&igshid=3&id=7",
            "https://example.org?id=7",
        ),
        (
            "https://www.xiaohongshu.com/explore/64ab?xsec_token=A&xhsshare=B",
            "https://xiaohongshu.com/explore/64ab",
        ),
        ("http://192.168.0.1/a", "https://192.168.0.1/a"),
        ("http://[2001:DB8::1]:8080/a", "https://[2001:db8::1]:8080/a"),
        ("  https://example.org/a \n", "https://example.org/a"),
    ],
)
def test_canonical(raw: str, expected: str) -> None:
    assert canonical_url(raw) == expected


@pytest.mark.parametrize(
    "raw",
    [
        *["", " ", "hello", "1.5", "http://", "https://.org", "http://[::1", "http://a b/c", "a\x00.org"],
        *["mailto:ann@example.org", "javascript:alert(1)", "ftp://example.org/a", "http://localhost/a"],
        *["https://example.org:99999/", "http://999.1.1.1/", "http://-a.org", "https://exa\u202emple.org/"],
    ],
)
def test_no_web_address(raw: str) -> None:
    assert canonical_url(raw) is None


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("https://example.org/a", "https://example.org/A"),
        ("https://example.org/?id=1", "https://example.org/?id=2"),
        ("https://example.org/a", "https://example.org/a/b"),
        ("https://de.example.org/a", "https://example.org/a"),
        ("https://example.org:8080/a", "https://example.org/a"),
        ("https://example.org/?a=1&a=2", "https://example.org/?a=1"),
    ],
)
def test_different_pages_stay_different(one: str, other: str) -> None:
    assert canonical_url(one) != canonical_url(other)


def test_arrays_keep_their_rows() -> None:
    urls = pa.chunked_array([["http://a.org/", None], ["", "https://www.a.org?utm_id=4"]])
    assert canonical_urls(urls).to_pylist() == ["https://a.org", None, None, "https://a.org"]
    assert canonical_urls(pa.array([], pa.string())).to_pylist() == []


_url = st.builds(
    "{}{}{}{}{}{}".format,
    st.sampled_from(["http://", "https://", "//", "HTTP://", ""]),
    st.sampled_from(["www.", "m.", "www.m.", "", "ann@"]),
    st.sampled_from(["example.org", "EXAMPLE.org.", "пример.рф", "straße.de", "10.0.0.1", "a_b.example.org"]),
    st.sampled_from(["", ":80", ":8080", ":443"]),
    st.one_of(st.just(""), st.text("ab/.%~é2Ff ", max_size=14).map("/".__add__)),
    st.one_of(st.just(""), st.text("ab=&%é?utm_x#2", max_size=14).map("?".__add__)),
)


@settings(max_examples=400, deadline=None)
@given(st.one_of(_url, st.text(max_size=30)))
def test_canonical_form_is_a_fixed_point(url: str) -> None:
    found = canonical_url(url)
    if found is not None:
        assert canonical_url(found) == found
        assert found.startswith("https://")
        assert found.isascii()


@pytest.mark.parametrize("name", sorted(TRACKING_PARAMETERS))
def test_every_tracking_parameter_goes(name: str) -> None:
    name = name.replace("*", "anything")
    assert canonical_url(f"https://example.org/a?{name}=1&page=2") == "https://example.org/a?page=2"


_part = st.sampled_from(
    ["a", "B", ".", "..", ".b", "a.b", "a;p", "%41", "%zz", "é", "", "a b", "x=1", "q", "it's", "[", "#", "?"]
)
_url = st.builds(
    lambda scheme, host, path, query, tail: scheme + host + "".join(path) + "&".join(query) + tail,
    st.sampled_from(["https://", "http://", "HTTPS://", "//", "", "ftp://", " https://"]),
    st.sampled_from(
        ["a.org", "www.a.org", "m.www.a.org", "www.m", "www.com", "mobile.a.b.co.uk", "A.org", "a-.org"]
        + [
            "-a.org",
            "a.org:443",
            "a.org:8080",
            "u@a.org",
            "1.2.3.4",
            "a.1",
            "a.b.",
            "xn--bcher-kva.de",
            "a",
            "é.org",
        ]
        + [f"{'a' * n}.org" for n in (62, 63, 64)]
        + ["a_b.org", "é.org"]
    ),
    st.lists(st.builds("/".__add__, _part), max_size=4),
    st.one_of(
        st.just([]),
        st.lists(
            st.sampled_from(
                [
                    "?z=1",
                    "b=2",
                    "a=1",
                    "utm_source=x",
                    "UTM_x=1",
                    "fbclid=9",
                    "fbclid",
                    "fbclid2=1",
                    "a",
                    "a==2",
                    "=3",
                    "spm=1.2",
                    "b=%7e",
                    "at_customx=1",
                    "ref_src=a/b?c",
                    "x=\u212a",
                ]
            ),
            max_size=5,
        ).map(lambda query: ["?" + query[0], *query[1:]] if query else query),
    ),
    st.sampled_from(["", "", "/", "#", "#a?b", "#\u200b", "\n", "?"]),
)


@settings(max_examples=300, deadline=None)
@given(st.lists(_url, max_size=8))
def test_many_urls_read_as_one_by_one(urls: list[str]) -> None:
    assert canonical_urls(pa.array(urls, pa.string())).to_pylist() == [canonical_url(url) for url in urls]
