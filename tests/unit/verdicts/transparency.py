"""The rules of the public transparency schema for statements of reasons, as a validator.

Written from the field descriptions at https://transparency.dsa.ec.europa.eu/page/api-documentation.
"""

from __future__ import annotations

import datetime
import re
from typing import Any

VISIBILITY = {
    "DECISION_VISIBILITY_CONTENT_REMOVED",
    "DECISION_VISIBILITY_CONTENT_DISABLED",
    "DECISION_VISIBILITY_CONTENT_DEMOTED",
    "DECISION_VISIBILITY_CONTENT_AGE_RESTRICTED",
    "DECISION_VISIBILITY_CONTENT_INTERACTION_RESTRICTED",
    "DECISION_VISIBILITY_CONTENT_LABELLED",
    "DECISION_VISIBILITY_OTHER",
}
ACCOUNT = {"DECISION_ACCOUNT_SUSPENDED", "DECISION_ACCOUNT_TERMINATED"}
AUTOMATED = {"AUTOMATED_DECISION_FULLY", "AUTOMATED_DECISION_PARTIALLY", "AUTOMATED_DECISION_NOT_AUTOMATED"}
CONTENT_TYPES = {
    "CONTENT_TYPE_APP",
    "CONTENT_TYPE_AUDIO",
    "CONTENT_TYPE_IMAGE",
    "CONTENT_TYPE_PRODUCT",
    "CONTENT_TYPE_SYNTHETIC_MEDIA",
    "CONTENT_TYPE_TEXT",
    "CONTENT_TYPE_VIDEO",
    "CONTENT_TYPE_OTHER",
}
SOURCES = {
    "SOURCE_ARTICLE_16",
    "SOURCE_TRUSTED_FLAGGER",
    "SOURCE_TYPE_OTHER_NOTIFICATION",
    "SOURCE_VOLUNTARY",
}
FIRST_DAY = datetime.date(2020, 1, 1)


def problems(statement: dict[str, Any]) -> list[str]:
    """Everything in which a statement breaks the rules; empty for a valid one."""
    found: list[str] = []

    def need(holds: object, what: str) -> None:
        if not holds:
            found.append(what)

    puid = statement.get("puid", "")
    need(re.fullmatch(r"[A-Za-z0-9_-]{1,500}", puid), "puid")
    decisions = ["decision_visibility", "decision_monetary", "decision_provision", "decision_account"]
    need(any(statement.get(d) for d in decisions), "one decision at least")
    visibility = statement.get("decision_visibility")
    if visibility is not None:
        need(
            isinstance(visibility, list) and visibility and set(visibility) <= VISIBILITY,
            "decision_visibility",
        )
    else:
        need("end_date_visibility_restriction" not in statement, "end of a restriction that is none")
    if "decision_account" in statement:
        need(statement["decision_account"] in ACCOUNT, "decision_account")
    need(statement.get("decision_ground") == "DECISION_GROUND_INCOMPATIBLE_CONTENT", "decision_ground")
    need(0 < len(statement.get("incompatible_content_ground", "")) <= 500, "incompatible_content_ground")
    need(
        0 < len(statement.get("incompatible_content_explanation", "")) <= 2_000,
        "incompatible_content_explanation",
    )
    need(0 < len(statement.get("decision_facts", "")) <= 5_000, "decision_facts")
    types = statement.get("content_type", [])
    need(types and set(types) <= CONTENT_TYPES, "content_type")
    need("CONTENT_TYPE_OTHER" not in types or statement.get("content_type_other"), "content_type_other")
    need(statement.get("category") == "STATEMENT_CATEGORY_SCAMS_AND_FRAUD", "category")
    need(
        statement.get("category_specification") == ["KEYWORD_INAUTHENTIC_ACCOUNTS"], "category_specification"
    )
    need(statement.get("source_type") in SOURCES, "source_type")
    need(statement.get("automated_detection") in ("Yes", "No"), "automated_detection")
    need(statement.get("automated_decision") in AUTOMATED, "automated_decision")
    dates = {}
    for name in ("content_date", "application_date", "end_date_visibility_restriction"):
        if name in statement:
            try:
                dates[name] = datetime.date.fromisoformat(statement[name])
            except ValueError:
                found.append(name)
    need("content_date" in dates and dates["content_date"] >= FIRST_DAY, "content_date")
    need("application_date" in dates and dates["application_date"] >= FIRST_DAY, "application_date")
    if {"end_date_visibility_restriction", "application_date"} <= dates.keys():
        need(dates["end_date_visibility_restriction"] >= dates["application_date"], "ends before it begins")
    return found
