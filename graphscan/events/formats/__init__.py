"""Import formats: one file a format, one explicit registry."""

from __future__ import annotations

from graphscan.events.formats.registry import FORMATS, RECORD_FORMATS, TABLE_FORMATS, format_named

__all__ = ["FORMATS", "RECORD_FORMATS", "TABLE_FORMATS", "format_named"]
