"""The whole walk: events in, co-action network, tested clusters, run folder out.

Every stage is one function from named tables to named tables; this module only puts them in order, keeps the
books (rows, seconds, memory) and sees to it that either the whole folder is there or none of it.
"""

from __future__ import annotations

import hashlib
import json
import os
import resource
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from graphscan.errors import EXIT_INPUT, GraphscanError
from graphscan.runfolder import (
    MANIFEST,
    REJECTS,
    SCHEMA_VERSION,
    RunFolder,
    finished_run_id,
    new_run_folder,
)
from graphscan.settings import Settings

if TYPE_CHECKING:
    import pyarrow as pa

    from graphscan.clusters.stage import Detection
    from graphscan.events.reading import Reading
    from graphscan.judgement import Judge, Judgement
    from graphscan.network.layers import Layer

OnProgress = Callable[[str, int, int], None]

_SLICE_ROWS: Final = 65_536


@dataclass(frozen=True)
class SweepResult:
    """What a sweep did.

    Parameters
    ----------
    run_dir
        The run folder.
    run_id
        Its identity: the same events and settings give the same.
    is_new
        False if the complete folder of this run was there already and nothing was done.
    manifest
        As written to ``manifest.json``.
    """

    run_dir: Path
    run_id: str
    is_new: bool
    manifest: Mapping[str, Any]


@dataclass
class _Books:
    """Seconds, rows and peak memory of each stage."""

    on_progress: OnProgress | None
    named: Mapping[str, str] = field(default_factory=dict)
    stages: list[dict[str, Any]] = field(default_factory=list)

    def tell(self, stage: str, done: int = 0, total: int = 0) -> None:
        if self.on_progress is not None:
            self.on_progress(stage, done, total)

    def read_rows(self, _bytes_done: int, _bytes_total: int, n_rows: int) -> None:
        self.tell("read", n_rows)

    def timed(self, stage: str) -> _Stage:
        self.tell(stage)
        return _Stage(self, stage)


def peak_memory_kb() -> int:
    """Largest resident size of this process so far.

    Where the system tells it, the peak since the program began: the usual figure (``ru_maxrss``) starts with
    the size of the process that started this one.
    """
    try:
        with open("/proc/self/status", encoding="ascii") as status:
            return next(int(line.split()[1]) for line in status if line.startswith("VmHWM:"))
    except (OSError, StopIteration):
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss


class _Stage:
    def __init__(self, books: _Books, name: str) -> None:
        self._books = books
        self._name = name
        self.n_rows = 0

    def __enter__(self) -> _Stage:
        from graphscan.entropy import cpu_s, monotonic_s

        self._begin = monotonic_s(), cpu_s()
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        from graphscan.entropy import cpu_s, monotonic_s

        if kind is None:
            self._books.stages.append(
                {
                    "stage": self._name,
                    "rows": self.n_rows,
                    "seconds": round(monotonic_s() - self._begin[0], 3),
                    "cpu_seconds": round(cpu_s() - self._begin[1], 3),
                    "peak_memory_mb": round(peak_memory_kb() / 1024, 1),
                }
            )


def sweep(
    sources: Sequence[str | os.PathLike[str]],
    out: str | os.PathLike[str],
    *,
    settings: Settings | None = None,
    file_format: str | None = None,
    mapping: Mapping[str, str] | None = None,
    since_us: int | None = None,
    until_us: int | None = None,
    named: Mapping[str, str] | None = None,
    by: Judge | None = None,
    force: bool = False,
    on_progress: OnProgress | None = None,
) -> SweepResult:
    """Read events, find and test clusters, judge every account, and write a run folder.

    Parameters
    ----------
    sources
        Event files, or ``-`` for standard input.
    out
        The run folder; must not exist or be empty.
    settings
        Defaults if None.
    file_format, mapping
        As for `graphscan.events.reading.read_events`.
    since_us, until_us
        The period swept, microseconds UTC, the end excluded; all events if None.
    named
        What the manifest calls a source that is no file of the user's own, by its path.
    by
        Model, policy and past decisions (`graphscan.judgement.judge`); those of the package if None.
    force
        Replace a folder that is not empty.
    on_progress
        Called with (stage, done, total); total 0 means that it is not known.

    Raises
    ------
    GraphscanError
        Exit code 2 for usage and unknown layouts, 3 for input beyond the reject budget (then only
        ``OUT.failed`` is left, or nothing for an empty file), 73 if the folder is in the way or cannot be
        written.
    """
    from graphscan.events.reading import read_events
    from graphscan.judgement import judge
    from graphscan.store.events import EventStore

    settings = settings or Settings()
    by = by or judge()
    target = Path(out)
    # A finished folder may be that of this very run: only its events can tell.
    earlier = finished_run_id(target)
    folder = new_run_folder(target, force=force or earlier is not None)
    books = _Books(on_progress, named or {})
    try:
        with (
            books.timed("read") as stage,
            EventStore.open(memory_limit=settings.memory_limit, threads=settings.n_threads) as store,
        ):
            reading = read_events(
                sources,
                file_format=file_format,
                mapping=mapping,
                on_progress=books.read_rows,
            )
            _filled(store, reading, folder, settings, books)
            table = store.table(since_us=since_us, until_us=until_us)
            stage.n_rows = reading.ledger.read
        run_id = run_identity(table, settings, since_us, until_us, by)
        if run_id == earlier and not force:
            folder.discard()
            manifest = json.loads((target / MANIFEST).read_text(encoding="utf-8"))
            return SweepResult(target, run_id, False, manifest)
        if earlier is not None and not force:
            new_run_folder(target)  # raises: the folder belongs to another run
        manifest = _swept(table, reading, folder, settings, run_id, (since_us, until_us), by, books)
        folder.finish()
        return SweepResult(target, run_id, True, manifest)
    except BaseException:
        folder.discard()
        raise


def _filled(store: Any, reading: Reading, folder: RunFolder, settings: Settings, books: _Books) -> None:
    """Add a reading to the store; a reading beyond its budget leaves the failed folder and raises."""
    from graphscan.events.ledger import require_within_budget, write_rejects

    def failed() -> None:
        if reading.ledger.read:
            write_rejects(folder.scratch / REJECTS, reading.rejects)
            folder.write_json(MANIFEST, _manifest_head(reading, settings, None, (None, None), books.named))
            folder.fail()

    try:
        store.add(reading)
    except GraphscanError as error:
        if error.exit_code == EXIT_INPUT:
            failed()
        raise
    if reading.ledger.over_budget:
        failed()
    require_within_budget(reading.ledger, reading.rejects)


def run_identity(
    events: pa.Table, settings: Settings, since_us: int | None, until_us: int | None, by: Judge
) -> str:
    """Identity of a run: the same events, settings, period, judge and release give the same.

    How the events were spread over files, and in which order, does not count.
    """
    import pyarrow as pa

    from graphscan import __version__

    context = (__version__, settings.sha256(), since_us, until_us, by.model_sha256, by.policy, by.decisions)
    digest = hashlib.sha256(repr(context).encode())
    for start in range(0, events.num_rows, _SLICE_ROWS):
        part = _without_hidden_bytes(pa.concat_tables([events.slice(start, _SLICE_ROWS)]).combine_chunks())
        sink = pa.BufferOutputStream()
        with pa.ipc.new_stream(sink, part.schema) as writer:
            writer.write_table(part)
        digest.update(sink.getvalue())
    return digest.hexdigest()[:20]


def _without_hidden_bytes(part: pa.Table) -> pa.Table:
    """The table as bytes that its values alone decide.

    Under a null, and behind the last bit of a bitmap, stands whatever the memory held. So there are neither
    nulls nor bitmaps here: a column beside each tells by whole bytes what is known.
    """
    import pyarrow as pa
    import pyarrow.compute as pc

    from graphscan.events.identity import list_as_text

    columns = {}
    for field_ in part.schema:
        column = part[field_.name]
        if pa.types.is_list(field_.type):
            column = list_as_text(column)
        if column.null_count or field_.nullable:
            columns[f"{field_.name} is known"] = pc.is_valid(column).cast(pa.uint8())
            empty = "" if pa.types.is_string(column.type) else pa.scalar(0).cast(column.type)
            column = pc.fill_null(column, empty)
        columns[field_.name] = column.cast(pa.uint8()) if pa.types.is_boolean(column.type) else column
    return pa.table(columns)


def _manifest_head(
    reading: Reading,
    settings: Settings,
    run_id: str | None,
    period: tuple[int | None, int | None],
    named: Mapping[str, str],
) -> dict[str, Any]:
    from graphscan import __version__
    from graphscan.entropy import now_iso

    return {
        "schema_version": SCHEMA_VERSION,
        "run_id": run_id,
        "created_at": now_iso(),
        "version": __version__,
        "versions": _library_versions(),
        "seed": settings.seed,
        "period": {"from_us": period[0], "until_us": period[1]},
        "inputs": [{**item.as_dict(), "path": named.get(item.path, item.path)} for item in reading.inputs],
        "settings": settings.content(),
        "settings_sha256": settings.sha256(),
        "ledger": reading.ledger.as_dict(),
    }


def _library_versions() -> dict[str, str]:
    from importlib.metadata import version

    return {name: version(name) for name in ("duckdb", "igraph", "numpy", "pyarrow", "scipy")}


def _swept(
    table: pa.Table,
    reading: Reading,
    folder: RunFolder,
    settings: Settings,
    run_id: str,
    period: tuple[int | None, int | None],
    by: Judge,
    books: _Books,
) -> dict[str, Any]:
    """Run the stages and write their tables; gives the manifest."""
    from graphscan.clusters.stage import detect_clusters
    from graphscan.clusters.tables import cluster_tables, edges_with_excess
    from graphscan.events.ledger import write_rejects
    from graphscan.judgement import judged
    from graphscan.network.layers import encoded_events, layer_definitions, layer_events, layer_table
    from graphscan.network.table import layers_network

    with books.timed("layers") as stage:
        events = encoded_events(table, resolution_us=reading.time_resolution_us)
        layers = [layer_events(events, d) for d in layer_definitions(None, layer_table(settings.layers))]
        stage.n_rows = sum(len(layer.events) for layer in layers)
    with books.timed("network") as stage:
        network = layers_network(
            events,
            layers,
            min_objects=settings.network.min_shared_objects,
            max_pairs_per_object=settings.network.max_pairs_per_object,
        )
        edges = edges_with_excess(
            network.edges,
            layers,
            events,
            max_pairs_per_object=settings.clusters.max_pairs_per_object,
        )
        stage.n_rows = edges.num_rows
    with books.timed("clusters") as stage:
        detection = detect_clusters(
            events, layers, settings.clusters, seed=settings.seed, on_progress=books.on_progress
        )
        stage.n_rows = len(detection.tested)
    with books.timed("evidence") as stage:
        clusters = cluster_tables(detection, events, seed=settings.seed)
        stage.n_rows = clusters.evidence.num_rows
    with books.timed("verdicts") as stage:
        judgement = judged(table, edges, clusters, by, run_id=run_id)
        accounts = judgement.verdicts.accounts
        stage.n_rows = accounts.num_rows
    with books.timed("write") as stage:
        stage.n_rows = accounts.num_rows
        _write_tables(folder, judgement, edges)
        write_rejects(folder.scratch / REJECTS, reading.rejects)
    manifest = {
        **_manifest_head(reading, settings, run_id, period, books.named),
        "stages": books.stages,
        "capped": sorted(
            network.capped + _capped_in_discovery(detection, layers),
            key=lambda c: (str(c["layer"]), str(c["object_id"]), str(c["stage"])),
        ),
        "n_accounts": accounts.num_rows,
        "n_clusters": clusters.clusters.num_rows,
        "model_sha256": by.model_sha256,
        "tiers": dict(judgement.verdicts.tier_counts),
        "circuit_breaker": judgement.verdicts.breaker_tripped,
        "warnings": [*reading.warnings, *network.warnings, *_breaker_warning(judgement)],
    }
    folder.write_json(MANIFEST, manifest)
    return manifest


def _write_tables(folder: RunFolder, judgement: Judgement, edges: pa.Table) -> None:
    import pyarrow as pa

    clusters, verdicts = judgement.clusters, judgement.verdicts
    for name, table in (("accounts", verdicts.accounts), ("clusters", clusters.clusters)):
        folder.write_csv(name, table)
        folder.write_parquet(name, table)
    folder.write_parquet("cluster_tests", clusters.tests)
    folder.write_parquet("members", clusters.members)
    folder.write_parquet("evidence", pa.concat_tables([clusters.evidence, verdicts.evidence]))
    folder.write_parquet("explanations", clusters.explanations)
    folder.write_parquet("account_reasons", verdicts.explanations)
    folder.write_parquet("edges", edges)
    folder.write_lines("statements.ndjson", judgement.statements)
    folder.write_lines("actions.ndjson", [asdict(action) for action in judgement.actions])


def _breaker_warning(judgement: Judgement) -> list[str]:
    if not judgement.verdicts.breaker_tripped:
        return []
    return [
        "The circuit breaker stopped this sweep: more accounts met the conditions of a termination than the "
        "policy allows at once. All of them are at review, and there is no action list."
    ]


def _capped_in_discovery(detection: Detection, layers: Sequence[Layer]) -> list[dict[str, object]]:
    return [
        {
            "layer": name,
            "object_id": detection.problems[name].incidence.object_ids[obj].as_py(),
            "rows": n_rows,
            "kept": n_kept,
            "stage": "clusters",
        }
        for name, obj, n_rows, n_kept in detection.capped
    ]
