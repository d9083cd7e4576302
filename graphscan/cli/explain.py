"""``graphscan explain``: why an account has its tier, why not a higher one, and what would change it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from graphscan.cli.inputs import keep_pandas_out_of_arrow
from graphscan.cli.output import Output, output_options, safe

if TYPE_CHECKING:
    from collections.abc import Mapping

REASONS_FILE = "account_reasons.parquet"


@click.command()
@click.argument("account", metavar="ACCOUNT")
@click.option("--run", "run_dir", required=True, metavar="DIR", help="Run folder of a sweep.")
@output_options
def command(out: Output, /, account: str, run_dir: str) -> None:
    """Say why an account has its tier.

    Reads a run folder: the tier and its reasons with values and example events, the conditions that a
    higher tier
    would need and lacks, and what would change the decision.
    """
    keep_pandas_out_of_arrow()
    document = explanation(account, Path(run_dir))
    out.result(document, *shown(document))


def explanation(account: str, run_dir: Path) -> dict[str, Any]:
    """Everything a run folder says about one account.

    Raises
    ------
    GraphscanError
        Exit 2 if the folder is no run folder, or has no such account.
    """
    import difflib

    import pyarrow.compute as pc

    from graphscan.errors import EXIT_USAGE, GraphscanError

    accounts = _table(run_dir, "accounts.parquet")
    rows = accounts.filter(pc.equal(accounts["account_id"], account)).to_pylist()
    if not rows:
        known = accounts["account_id"].to_pylist()
        near = difflib.get_close_matches(account, known[:50_000], 1, 0.8)
        raise GraphscanError(
            f"no account {account!r} in this run",
            str(run_dir),
            f"did you mean {near[0]!r}?" if near else "ids are compared exactly; see accounts.csv of the run",
            EXIT_USAGE,
        )
    row = rows[0]
    evidence = _table(run_dir, "evidence.parquet")
    mine = evidence.filter(pc.equal(evidence["account_id"], account)).to_pylist()
    reasons = _table(run_dir, REASONS_FILE) if (run_dir / REASONS_FILE).exists() else None
    details = [] if reasons is None else reasons.filter(pc.equal(reasons["account_id"], account)).to_pylist()
    return {
        "account_id": account,
        "tier": row["tier"],
        "p_automation": row["p_automation"],
        "p_farm": row["p_farm"],
        "n_events": row["n_events"],
        "insufficient_evidence": row["insufficient_evidence"],
        "coverage": _parsed(row["coverage"]),
        "cluster_id": row["cluster_id"],
        "in_core": row["in_core"],
        "reasons": _parsed(row["reasons"]),
        "evidence_families": _parsed(row["evidence_families"]),
        "details": [{k: v for k, v in one.items() if k != "account_id" and v is not None} for one in details],
        "examples": [
            {
                "reason": e["reason"],
                "event_id": e["event_id"],
                "object_id": e["object_id"],
                "at": str(e["at"]),
            }
            for e in mine[:25]
        ],
    }


def shown(document: Mapping[str, Any]) -> list[str]:
    """The explanation for people."""
    from graphscan.verdicts.reasons import REASONS

    score = document["p_automation"]
    lines = [
        f"account       {safe(document['account_id'])}",
        f"tier          {document['tier']}",
        "automation    " + ("no score: too little evidence" if score is None else f"{score:.2f}"),
        f"events        {document['n_events']:,}",
    ]
    if document["cluster_id"]:
        lines.append(f"cluster       {document['cluster_id']}" + (" (core)" if document["in_core"] else ""))
    if document["coverage"]:
        bounds = ", ".join(f"{s} {v:.0%}" for s, v in document["coverage"].items())
        lines.append(f"hosted acts   at least: {bounds}")
    lines += [
        f"{one['code']:<13} {one['value']:.2f}  ({one['detail']})"
        for one in document["details"]
        if one["kind"] == "score" and one["code"] in ("p_with_text", "p_hosting")
    ]
    lines += ["", "Why this tier"]
    for code in document["reasons"]:
        lines.append(f"- {code}: {REASONS[code].says if code in REASONS else ''}")
    if not document["reasons"]:
        lines.append("- nothing speaks for automation or coordination")
    signals = [d for d in document["details"] if d["kind"] == "signal" and d.get("holds")]
    for one in sorted(signals, key=lambda d: -d.get("contribution", 0.0)):
        usual = f" (half of the accounts: {one['null_value']:.2f})" if "null_value" in one else ""
        lines.append(
            f"  {one['code']}: {one.get('detail', '')}{usual}, adds {one.get('contribution', 0.0):.2f} "
            f"to the log-odds"
        )
    lines += _why_not_higher(document)
    if document["examples"]:
        lines += ["", "Example events"]
        lines += [
            f"- {safe(str(e['reason']))}: {safe(str(e['event_id']))} on {safe(str(e['object_id']))} at "
            f"{e['at']}"
            for e in document["examples"][:10]
        ]
    return lines


def _why_not_higher(document: Mapping[str, Any]) -> list[str]:
    conditions = [d for d in document["details"] if d["kind"] == "condition"]
    lines: list[str] = []
    missing = [d for d in conditions if not d["holds"]]
    if document["tier"] != "terminate" and missing:
        lines += ["", "Why not higher (a termination would need)"]
        lines += [
            f"- {d['code']}: seen {d.get('detail', '')}, needed {d.get('threshold', '')}" for d in missing
        ]
    lines += ["", "What would change it"]
    if document["tier"] == "none" and document["insufficient_evidence"]:
        lines.append("- more acts: at least 20 on 3 days give a score")
    elif document["tier"] == "none":
        lines.append("- a likely automation score, or the core of a cluster that acts together beyond chance")
    else:
        lines.append(
            "- an appeal that is upheld, or an investigator's verdict `human`, exempts for the same evidence"
        )
        if missing:
            lines.append(f"- upwards: {', '.join(d['code'] for d in missing)}")
        families = [d["code"] for d in document["details"] if d["kind"] == "family" and d.get("holds")]
        if families:
            lines.append(
                f"- downwards: without {' or '.join(families)} the evidence would rest on fewer families"
            )
    return lines


def _table(run_dir: Path, name: str) -> Any:
    import pyarrow as pa
    import pyarrow.parquet as pq

    from graphscan.errors import EXIT_USAGE, GraphscanError

    try:
        return pq.read_table(run_dir / name)
    except (OSError, pa.ArrowInvalid) as error:
        raise GraphscanError(
            f"this is no complete run folder: {name} cannot be read",
            str(run_dir),
            "name the folder that `graphscan sweep --out` wrote",
            EXIT_USAGE,
        ) from error


def _parsed(text: str | None) -> Any:
    return json.loads(text) if text else []
