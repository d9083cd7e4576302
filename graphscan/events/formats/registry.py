"""The explicit registry of import formats, and how a layout is recognised."""

from __future__ import annotations

import difflib
from collections.abc import Collection, Mapping
from typing import Any, Final

from graphscan.errors import EXIT_USAGE, GraphscanError
from graphscan.events.formats.cnt import CNT
from graphscan.events.formats.coortweet import COORTWEET
from graphscan.events.formats.infoops import INFOOPS, USERS_COLUMNS
from graphscan.events.formats.jetstream import JETSTREAM
from graphscan.events.formats.layout import RecordFormat, TableFormat
from graphscan.events.formats.mastodon import MASTODON
from graphscan.events.formats.native import NATIVE
from graphscan.events.formats.reddit import REDDIT
from graphscan.events.formats.rednote import REDNOTE, REDNOTE_COMMENTS
from graphscan.events.formats.telegram import TELEGRAM
from graphscan.events.model import EVENT_COLUMNS, REQUIRED_COLUMNS

TABLE_FORMATS: Final[tuple[TableFormat, ...]] = (NATIVE, COORTWEET, CNT, INFOOPS)
RECORD_FORMATS: Final[tuple[RecordFormat, ...]] = (
    REDNOTE,
    REDNOTE_COMMENTS,
    TELEGRAM,
    JETSTREAM,
    MASTODON,
    REDDIT,
)
_ALL: Final[tuple[TableFormat | RecordFormat, ...]] = (*TABLE_FORMATS, *RECORD_FORMATS)
FORMATS: Final[Mapping[str, TableFormat | RecordFormat]] = {layout.name: layout for layout in _ALL}
KNOWN_COLUMNS: Final = frozenset(c.casefold() for f in TABLE_FORMATS for c in f.columns)

# Names under which other tools write what the native schema needs, the likeliest first.
_OTHER_NAMES: Final[Mapping[str, tuple[str, ...]]] = {
    "account_id": (
        "account_id", "author_id", "user_id", "userid", "from_id", "actor_id", "did", "account", "user",
        "author", "username", "screen_name", "actor", "from", "handle",
    ),
    "action": ("action", "action_type", "event_type", "type", "kind", "verb"),
    "object_id": (
        "object_id", "object", "target_id", "target", "content_id", "post_id", "tweet_id", "thread_id",
        "link_id", "url", "link", "subject",
    ),
    "timestamp": (
        "timestamp", "timestamp_us", "timestamp_share", "created_at", "created_utc", "unix_timestamp", "time",
        "datetime", "date", "published", "created", "ts",
    ),
}  # fmt: skip


def format_named(name: str) -> TableFormat | RecordFormat:
    """The format that ``--format`` asks for.

    Raises
    ------
    GraphscanError
        Exit code 2 for a name that is none, with the nearest.
    """
    if name in FORMATS:
        return FORMATS[name]
    nearest = difflib.get_close_matches(name, FORMATS, n=1)
    raise GraphscanError(
        f"There is no input format {name!r}",
        "--format",
        (f"Did you mean {nearest[0]}? " if nearest else "") + f"Formats: {', '.join(FORMATS)}.",
        EXIT_USAGE,
    )


def recognised_table(fields: Collection[str]) -> TableFormat | None:
    """The format whose needed columns are all there; the one that needs most wins."""
    present = set(fields)
    fitting = []
    for layout in TABLE_FORMATS:
        names = {layout.renamed.get(name, name) for name in present}
        if layout.by_position:
            if tuple(name.strip().casefold() for name in fields) == layout.required:
                return layout
        elif names.issuperset(layout.required):
            fitting.append(layout)
    return max(fitting, key=lambda layout: len(layout.required)) if fitting else None


def recognised_record(sample: Collection[dict[str, Any]]) -> RecordFormat | None:
    """The record format that most of the sampled records are of."""
    best = None
    most = 0
    for layout in RECORD_FORMATS:
        count = sum(1 for record in sample if layout.recognises(record))
        if count > most:
            best, most = layout, count
    return best


def missing_columns(name: str, layout: TableFormat, fields: Collection[str]) -> GraphscanError:
    """The error for a file that lacks columns its format needs."""
    missing = [column for column in layout.required if column not in fields]
    return GraphscanError(
        f"Missing column{'s' if len(missing) > 1 else ''} {', '.join(missing)} ({layout.title})",
        f"{name}, header; found: {_listing(fields)}",
        _mapping_hint(missing, fields),
        EXIT_USAGE,
    )


def duplicate_columns(name: str, fields: Collection[str]) -> GraphscanError | None:
    """The error for a header that names a column twice, if it does."""
    seen: set[str] = set()
    twice = [field for field in fields if field in seen or seen.add(field)]  # type: ignore[func-returns-value]
    if not twice:
        return None
    return GraphscanError(
        f"Duplicate column{'s' if len(set(twice)) > 1 else ''} {', '.join(sorted(set(twice)))}",
        f"{name}, header; found: {_listing(fields)}",
        "Name every column once.",
        EXIT_USAGE,
    )


def unknown_layout(name: str, fields: Collection[str]) -> GraphscanError:
    """The report for a layout that is no known format: fields seen, nearest format, the mapping to write."""
    present = set(fields)
    if present >= {"userid", "account_creation_date"} and present <= USERS_COLUMNS:
        return GraphscanError(
            "This is the archive's file of users: it holds no events",
            f"{name}, header; found: {_listing(fields)}",
            "Give the file of tweets, and this one with --accounts.",
            EXIT_USAGE,
        )
    if present >= {"collected_from_url", "author", "unix_timestamp"}:
        # The author of such a file is a nickname, which several accounts may bear.
        return GraphscanError(
            "This is a table made by 4CAT of a Zeeschuimer capture: it names authors by nickname only",
            f"{name}, header; found: {_listing(fields)}",
            "Give the NDJSON that Zeeschuimer itself exports; it holds the account ids.",
            EXIT_USAGE,
        )
    nearest = max(TABLE_FORMATS, key=lambda layout: _likeness(layout, present))
    if nearest is NATIVE and len(present & set(REQUIRED_COLUMNS)) >= 2:
        return missing_columns(name, NATIVE, fields)
    missing = [column for column in nearest.required if column not in present]
    likeness = _likeness(nearest, present)
    near = (
        f"nearest known format: {nearest.name} ({nearest.title}), without {', '.join(missing)}"
        if likeness
        else ""
    )
    return GraphscanError(
        "The layout is none of the known formats" + (f"; {near}" if near else ""),
        f"{name}; fields seen: {_listing(fields)}",
        _mapping_hint([c for c in REQUIRED_COLUMNS if c not in present], fields),
        EXIT_USAGE,
    )


def unknown_document(name: str, sample: Collection[dict[str, Any]]) -> GraphscanError:
    """The report for a JSON document of no known format."""
    fields = list(dict.fromkeys(field for record in sample for field in record))
    formats = ", ".join(f"{layout.name} ({layout.title})" for layout in RECORD_FORMATS)
    return GraphscanError(
        "The JSON document is none of the known formats",
        f"{name}; fields seen: {_listing(fields)}",
        f"Known: {formats}. Native events as JSON go one object a line (NDJSON).",
        EXIT_USAGE,
    )


def _likeness(layout: TableFormat, present: set[str]) -> float:
    names = {layout.renamed.get(name, name).casefold() for name in present}
    needed = sum(column in names for column in layout.required) / len(layout.required)
    return needed + sum(column in names for column in layout.columns) / (10 * len(layout.columns))


def _listing(fields: Collection[str]) -> str:
    shown = [field if len(field) <= 60 else field[:59] + "…" for field in list(fields)[:40]]
    more = f", and {len(fields) - 40} more" if len(fields) > 40 else ""
    return ", ".join(shown) + more if shown else "none"


def _mapping_hint(missing: Collection[str], fields: Collection[str]) -> str:
    """How to write the mapping, with the likeliest source columns."""
    free = [field for field in fields if field not in EVENT_COLUMNS]
    parts = []
    for column in missing:
        source = _likely_source(column, free)
        if source is None and column == "action":
            source = "=repost"
        parts.append(f"--map {column}={source or 'FIELD'}")
        if source in free:
            free.remove(source)
    return (
        f"Nearest guess: {' '.join(parts)} (NATIVE=FIELD; action==repost gives every row that action)"
        if parts
        else "Name the format with --format."
    )


def _likely_source(column: str, fields: Collection[str]) -> str | None:
    folded = {field.strip().casefold().replace(" ", "_"): field for field in fields}
    for name in _OTHER_NAMES.get(column, (column,)):
        if name in folded:
            return folded[name]
    close = difflib.get_close_matches(column, folded, n=1, cutoff=0.75)
    return folded[close[0]] if close else None
