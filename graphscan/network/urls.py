"""Canonical URLs: one spelling for links that lead to the same page.

Two accounts that share one article rarely share one spelling of its address: the app adds a tracking
parameter, the phone a mobile host, the editor a slash. What is removed here never changes what is shown;
what might is kept.
"""

from __future__ import annotations

import re
from typing import Final
from urllib.parse import urlsplit

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

# Parameters that say how a link was shared, not where it leads. A trailing * is a prefix.
TRACKING_PARAMETERS: Final = frozenset(
    {
        "utm_*",
        "mtm_*",
        "pk_*",
        "piwik_*",
        "matomo_*",
        "hsa_*",
        "oly_*",
        "vero_*",
        "at_custom*",
        "at_medium",
        "at_campaign",
        "fbclid",
        "fb_action_ids",
        "fb_action_types",
        "fb_source",
        "fb_ref",
        "gclid",
        "gclsrc",
        "dclid",
        "gbraid",
        "wbraid",
        "msclkid",
        "yclid",
        "ysclid",
        "twclid",
        "ttclid",
        "li_fat_id",
        "rdt_cid",
        "epik",
        "irclickid",
        "igshid",
        "igsh",
        "_ga",
        "_gl",
        "_hsenc",
        "_hsmi",
        "__hssc",
        "__hstc",
        "__hsfp",
        "mc_cid",
        "mc_eid",
        "mkt_tok",
        "s_cid",
        "s_kwcid",
        "cmpid",
        "ncid",
        "ocid",
        "spm",
        "scm",
        "share_source",
        "share_medium",
        "share_plat",
        "share_session_id",
        "share_from_user_hidden",
        "shareredid",
        "xhsshare",
        "xsec_token",
        "xsec_source",
        "appuid",
        "apptime",
        "author_share",
        "sender_device",
        "sender_web_id",
        "is_from_webapp",
        "is_copy_url",
        "share_app_id",
        "share_link_id",
        "share_item_id",
        "u_code",
        "vd_source",
        "spm_id_from",
        "from_spmid",
        "unique_k",
        "bbid",
        "ref_src",
        "ref_url",
        "guccounter",
        "guce_referrer",
        "guce_referrer_sig",
        "__twitter_impression",
        "wt_mc",
        "wt_zmc",
    }
)
_PREFIXES: Final = tuple(name[:-1] for name in sorted(TRACKING_PARAMETERS) if name.endswith("*"))

# Hosts that serve the same pages as the name behind them. A bare `amp.` or a language is left alone: it shows
# another page.
_TWIN_HOSTS: Final = ("www.", "m.", "mobile.")

_SCHEME: Final = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*:")
_LABEL: Final = re.compile(r"(?!-)[a-z0-9_-]{1,63}(?<!-)")
_BARE: Final = re.compile(r"[^\s/?#@:]+\.[^\W\d_][^\s/?#@:.]+(?::\d+)?(?:[/?#].*)?", re.DOTALL)
_FORBIDDEN: Final = re.compile(
    r"[\x00-\x20\x7f-\xa0\u1680\u2000-\u200f\u2028-\u202f\u205f-\u206f\u3000\ufeff]"
)
_ENCODED: Final = re.compile(r"%([0-9A-Fa-f]{2})")
_UNSAFE: Final = re.compile(r"[^A-Za-z0-9\-._~!$&'()*+,;=:@/?%]|%(?![0-9A-Fa-f]{2})")
_UNRESERVED: Final = frozenset(b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~")

# The shapes of nearly all links: nothing to decode, to encode or to refuse. `canonical_urls` reads them by a
# regular expression of Arrow's, with the same outcome as `canonical_url`, which sees to all others.
_LABEL_RE2: Final = r"[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?"
_SAFE_RE2: Final = r"A-Za-z0-9_~!$'()*+,;:@\-"
_USUAL_RE2: Final = (
    rf"^https?://(?:(?:www|m|mobile)\.)*(?P<host>(?:{_LABEL_RE2}\.)+[a-z]{{2,63}})"
    rf"(?P<path>(?:/+[{_SAFE_RE2}&=][{_SAFE_RE2}&=.]*)*)/*"
    rf"(?:\?(?P<query>[{_SAFE_RE2}./?]+=[{_SAFE_RE2}./?=]*(?:&[{_SAFE_RE2}./?]+=[{_SAFE_RE2}./?=]*)*))?"
    r"(?:#[!-~]*)?$"
)
_TRACKING_RE2: Final = (
    "(?i)&(?:(?:"
    + "|".join(_PREFIXES)
    + ")[^&=]*|(?:"
    + "|".join(sorted(name for name in TRACKING_PARAMETERS if not name.endswith("*")))
    + "))=[^&]*"
)


def _reencoded(part: str) -> str:
    """Percent-encoding in its one normal form (RFC 3986, section 6.2.2)."""

    def plain(match: re.Match[str]) -> str:
        octet = int(match[1], 16)
        return chr(octet) if octet in _UNRESERVED else "%" + match[1].upper()

    def encoded(match: re.Match[str]) -> str:
        return "".join(f"%{octet:02X}" for octet in match[0].encode("utf-8", "surrogatepass"))

    return _ENCODED.sub(plain, _UNSAFE.sub(encoded, part))


def _without_dots(path: str) -> str:
    kept: list[str] = []
    for segment in path.split("/"):
        if segment == "..":
            if len(kept) > 1:
                kept.pop()
        elif segment != ".":
            kept.append(segment)
    return "/".join(kept)


def _host(name: str) -> str | None:
    name = name.rstrip(".").lower()
    if ":" in name:  # an IPv6 address, which urlsplit has checked and unbracketed
        return f"[{name}]"
    if not name.isascii():
        try:
            name = name.encode("idna").decode("ascii").lower().rstrip(".")
        except UnicodeError:
            return None
    labels = name.split(".")
    if len(labels) < 2 or not all(_LABEL.fullmatch(label) for label in labels):
        return None
    if labels[-1].isdigit():
        octets = len(labels) == 4 and all(label.isdigit() and int(label) < 256 for label in labels)
        return name if octets else None
    while name.startswith(_TWIN_HOSTS) and name.count(".") > 1:
        name = name.split(".", 1)[1]
    return name


def _is_tracking(parameter: str) -> bool:
    name = parameter.split("=", 1)[0].lower()
    return name in TRACKING_PARAMETERS or name.startswith(_PREFIXES)


def canonical_url(url: str) -> str | None:
    """The canonical spelling of one URL, or None if it is not a web address.

    Always ``https``; host in lower case and ASCII (IDNA), without ``www.``, ``m.``, ``mobile.``, user name,
    default port and final dot; path percent-encoded in one way, without dot segments and final slash;
    query without `TRACKING_PARAMETERS`, in sorted order; no fragment. The case of path and query is kept:
    most servers tell it apart. A URL without a scheme counts if it looks like one (``example.org/a``).
    Shortened links are not followed: no network access.
    """
    url = url.strip()
    if not url or _FORBIDDEN.search(url):
        return None
    if url.startswith("//"):
        url = "https:" + url
    elif "://" not in url.split("?", 1)[0]:
        if _SCHEME.match(url) and not _BARE.fullmatch(url):
            return None
        if not _BARE.fullmatch(url):
            return None
        url = "https://" + url
    try:
        parts = urlsplit(url)
        port, name = parts.port, parts.hostname
    except ValueError:
        return None
    if parts.scheme not in ("http", "https") or not name:
        return None
    host = _host(name)
    if host is None:
        return None
    if port not in (None, 80, 443):
        host = f"{host}:{port}"
    path = _without_dots(_reencoded(parts.path)).rstrip("/")
    query = sorted(p for p in (_reencoded(q) for q in parts.query.split("&")) if p and not _is_tracking(p))
    return f"https://{host}{path}" + ("?" + "&".join(query) if query else "")


def canonical_urls(urls: pa.Array | pa.ChunkedArray) -> pa.Array:
    """The canonical spelling of each URL (see `canonical_url`).

    Parameters
    ----------
    urls
        Text, nulls allowed. Each distinct spelling is looked at once.

    Returns
    -------
    pyarrow.StringArray
        One row a URL; null where it is missing, blank or not a web address.
    """
    if isinstance(urls, pa.ChunkedArray):
        urls = urls.combine_chunks()
    encoded = urls.cast(pa.large_string()).dictionary_encode()
    distinct = encoded.dictionary
    usual = pc.extract_regex(distinct, _USUAL_RE2)
    rest = usual.is_null()
    host, path, query = (
        pc.struct_field(usual.filter(pc.invert(rest)), name) for name in ("host", "path", "query")
    )
    https, nothing = pa.scalar("https://", host.type), pa.scalar("", host.type)
    read = pc.binary_join_element_wise(https, host, path, _canonical_queries(query), nothing)
    slow = pa.array([canonical_url(url) for url in distinct.filter(rest).to_pylist()], host.type)
    place = np.empty(len(distinct), dtype=np.int64)
    is_rest = np.asarray(rest)
    place[~is_rest] = np.arange(len(read))
    place[is_rest] = len(read) + np.arange(len(slow))
    found = pa.concat_arrays([read, slow]).cast(pa.string())
    return found.take(pa.array(place)).take(encoded.indices)


def _canonical_queries(queries: pa.Array) -> pa.Array:
    """Queries of the usual shape, sorted and without tracking parameters, with ``?`` in front; or empty."""
    nothing, mark = pa.scalar("", queries.type), pa.scalar("&", queries.type)
    marked = pc.binary_join_element_wise(nothing, queries.fill_null(""), mark)
    kept = pc.replace_substring_regex(marked, _TRACKING_RE2, "")
    kept = pc.if_else(pc.equal(kept, mark), nothing, kept)  # there was none
    several = pc.greater(pc.count_substring(kept, "&"), 1)
    ordered = ["&" + "&".join(sorted(query[1:].split("&"))) for query in kept.filter(several).to_pylist()]
    kept = pc.replace_with_mask(kept, several, pa.array(ordered, queries.type))
    return pc.replace_substring_regex(kept, "^&", "?")
