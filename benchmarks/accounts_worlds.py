"""Account benchmarks in simulated worlds, and the training of the shipped model."""

from __future__ import annotations

import argparse
from collections import Counter
from dataclasses import replace
from pathlib import Path

import numpy as np

from benchmarks.accounts_data import labels_in, real_platform, world_platform
from graphscan.entropy import cpu_s, monotonic_s
from graphscan.verdicts.assessment import Verdicts, verdicts
from graphscan.verdicts.evaluation import Share, ranking
from graphscan.verdicts.labels import HOSTED, Labels
from graphscan.verdicts.modelcard import figure_row, figure_table, model_card
from graphscan.verdicts.modelfile import default_model_path, read_model, write_model
from graphscan.verdicts.policy import TIERS, read_policy
from graphscan.verdicts.training import (
    GENERAL,
    PLATFORM,
    LabelledPlatform,
    Model,
    head_signals,
    trained_model,
    training_rows,
)

TRAINING_SEEDS = (101, 102, 103, 104)
CALIBRATION_SEEDS = (201, 202)
TEST_SEED = 301
LIMITED = ("limit", "review", "terminate")
COMMAND = "python -m benchmarks.accounts default-model"


def default_model(chosen: argparse.Namespace) -> None:
    """Train the shipped model on simulated worlds, and measure it on real accounts it has never seen."""
    n = chosen.events or 100_000
    seeds = TRAINING_SEEDS[: chosen.seeds or len(TRAINING_SEEDS)]
    platforms = [world_platform(seed, n)[0] for seed in seeds]
    model = trained_model(platforms, name="graphscan-default", scope=GENERAL)
    sha256 = write_model(model, default_model_path())
    model = read_model()
    figures = []
    for name in ("aidev_a", "zulip"):
        platform = real_platform(name)
        for what, head in (("with text", model.full), ("without text", model.behaviour)):
            rows = training_rows([platform], head.signal_ids)
            scored = head.scorer.log_odds(rows.scores)
            figures.append(figure_row(f"{name}, never seen, {what}", ranking(rows.y, scored), None))
    fresh = world_platform(TEST_SEED, n)[0]
    for what, head in (("with text", model.full), ("without text", model.behaviour)):
        rows = training_rows([fresh], head.signal_ids)
        figures.append(
            figure_row(f"a fresh world, {what}", ranking(rows.y, head.scorer.log_odds(rows.scores)), None)
        )
    card = model_card(model, sha256, COMMAND, figures)
    Path(default_model_path()).with_name("card.md").write_text(card, encoding="utf-8")
    print("\n".join(figure_table(figures)))
    print(f"\n{default_model_path()}  sha256 {sha256}")


def worlds(chosen: argparse.Namespace) -> None:
    """Tiers in fresh worlds: with labels of other seeds, and with the shipped model alone."""
    n, n_seeds = chosen.events or 100_000, chosen.seeds or 20
    calibrated = trained_model(
        [world_platform(seed, n, clusters=True)[0] for seed in CALIBRATION_SEEDS],
        name="worlds",
        scope=PLATFORM,
    )
    models = {"labels of other seeds": calibrated, "no labels": read_model()}
    counts: dict[str, Counter[tuple[str, str, str]]] = {name: Counter() for name in models}
    wide: dict[str, Counter[tuple[str, str]]] = {name: Counter() for name in models}
    framed = Counter[str]()
    for seed in range(TEST_SEED, TEST_SEED + n_seeds):
        platform, archetype, framed_by = world_platform(seed, n, clusters=True)
        for name, model in models.items():
            found = _verdicts(platform, model)
            _count(platform, found, archetype, framed_by, counts[name], wide[name])
            if name == "labels of other seeds":
                framed += _framed(platform, model, found, framed_by, archetype)
    for name in models:
        print(f"\n{name}: {n_seeds} worlds of {n:,} events\n")
        print("\n".join(figure_table(_tier_rows(counts[name]))))
        print("\n".join(("", *_requirements(counts[name], wide[name]))))
    print(f"\nframed accounts: {framed['same']} of {framed['all']} have the same tier without their framers")


def _verdicts(platform: LabelledPlatform, model: Model) -> Verdicts:
    return verdicts(
        platform.table, model=model, policy=read_policy(), run_id="worlds", clusters=platform.clusters
    )


def _count(
    platform: LabelledPlatform,
    found: Verdicts,
    archetype: dict[str, str],
    framed_by: dict[str, str | None],
    counts: Counter[tuple[str, str, str]],
    wide: Counter[tuple[str, str]],
) -> None:
    tiers = found.accounts["tier"].to_pylist()
    label = labels_in(platform.table, platform.labels)
    n_surfaces = (platform.table.coverage.n_acts >= 14).sum(axis=1)
    for i, account in enumerate(platform.table.account_ids.to_pylist()):
        kind = "framed" if framed_by.get(account) else archetype.get(account, "?")
        size = (
            "100+"
            if platform.table.n_events[i] >= 100
            else "20-99"
            if platform.table.n_events[i] >= 20
            else "<20"
        )
        counts[(f"{label[i] or 'unlabelled'}: {kind}", size, tiers[i])] += 1
        if size == "100+" and n_surfaces[i] >= 3:
            wide[(kind, tiers[i])] += 1


def _tier_rows(counts: Counter[tuple[str, str, str]]) -> list[dict[str, object]]:
    rows = []
    for kind, size in sorted({(k, s) for k, s, _ in counts}):
        if size != "<20":
            rows.append({"account": kind, "events": size} | {t: counts[(kind, size, t)] for t in TIERS})
    return rows


def _requirements(counts: Counter[tuple[str, str, str]], wide: Counter[tuple[str, str]]) -> list[str]:
    people = [(k, s, t) for k, s, t in counts if k.startswith("human")]
    n_people = sum(counts[key] for key in people)

    def share(tiers: tuple[str, ...]) -> Share:
        return Share(sum(counts[key] for key in people if key[2] in tiers), n_people)

    lines = [
        f"people, assisted or framed at terminate: {share(('terminate',))}",
        f"people at limit or review: {share(('limit', 'review'))}",
    ]
    apart = [key for key in people if not key[0].endswith(": push")]
    flagged = sum(counts[key] for key in apart if key[2] in ("limit", "review"))
    lines.append(
        f"the same, people of one push notification apart: {Share(flagged, sum(counts[k] for k in apart))}"
    )
    for kind in ("heartbeat", "farm"):
        cells = [(k, t) for k, s, t in counts if k.endswith(f": {kind}") and s == "100+"]
        of = sum(counts[(k, "100+", t)] for k, t in cells)
        hit = sum(counts[(k, "100+", t)] for k, t in cells if t in LIMITED)
        lines.append(f"{kind}, 100 events or more, at limit or above: {Share(hit, of)}")
        of = sum(n for (k, _), n in wide.items() if k == kind)
        lines.append(
            f"{kind}, on three surfaces or more, at terminate: {Share(wide[(kind, 'terminate')], of)}"
        )
    return lines


def _framed(
    platform: LabelledPlatform,
    model: Model,
    found: Verdicts,
    framed_by: dict[str, str | None],
    archetype: dict[str, str],
) -> Counter[str]:
    """Whether the tiers of framed accounts are the same in the world without the framers."""
    import pyarrow as pa
    import pyarrow.compute as pc

    from benchmarks.accounts_data import cluster_frames
    from graphscan.signals import account_signals

    victims = [a for a, by in framed_by.items() if by]
    framers = [a for a, kind in archetype.items() if kind == "framing_bot"]
    events = platform.table.events
    alone = events.filter(pc.invert(pc.is_in(events["account_id"], value_set=pa.array(framers))))
    frames = cluster_frames(alone)
    table = account_signals(alone, clusters=frames)
    other = _verdicts(replace(platform, table=table, clusters=frames), model)
    tiers = [
        dict(zip(v.accounts["account_id"].to_pylist(), v.accounts["tier"].to_pylist(), strict=True))
        for v in (found, other)
    ]
    same = sum(tiers[0].get(v) == tiers[1].get(v) for v in victims)
    return Counter({"all": len(victims), "same": same})


def archetypes(chosen: argparse.Namespace) -> None:
    """One hosted archetype left out of training, then told from the people of fresh worlds."""
    n = chosen.events or 100_000
    train = [world_platform(seed, n) for seed in TRAINING_SEEDS[: chosen.seeds or 2]]
    test, kinds, _ = world_platform(TEST_SEED, n)
    rows = []
    for left_out in (
        "heartbeat",
        "reactive_bot",
        "ai_managed",
        "farm",
        "chat_ring",
        "framing_bot",
        "syndication",
    ):
        for what in ("left out", "known"):
            platforms = [
                replace(p, labels=_without(p.labels, k, left_out)) if what == "left out" else p
                for p, k, _ in train
            ]
            signal_ids = head_signals(with_text=False)
            model = training_rows(platforms, signal_ids)
            from graphscan.verdicts.heads import fitted_scorer

            scorer = fitted_scorer(model.scores, model.y, model.weight, boosting=False, seed=0)
            labels = {
                a: v for a, v in test.labels.label_of.items() if v not in HOSTED or kinds.get(a) == left_out
            }
            found = training_rows([replace(test, labels=Labels(labels))], signal_ids)
            if found.y.sum() >= 2:
                rows.append(
                    figure_row(f"{left_out}, {what}", ranking(found.y, scorer.log_odds(found.scores)), None)
                )
    print("\n".join(figure_table(rows)))


def _without(labels: Labels, archetype: dict[str, str], left_out: str) -> Labels:
    return Labels({a: v for a, v in labels.label_of.items() if archetype.get(a) != left_out})


def speed(chosen: argparse.Namespace) -> None:
    """Seconds for signals and verdicts."""
    from graphscan.signals import account_signals
    from graphscan.simulate.worlds import simulate_world

    n = chosen.events or 1_000_000
    events = simulate_world(n, 1).events
    model, policy = read_model(), read_policy()
    begin, cpu = monotonic_s(), cpu_s()
    table = account_signals(events)
    middle, cpu_middle = monotonic_s(), cpu_s()
    found = verdicts(table, model=model, policy=policy, run_id="speed")
    end, cpu_end = monotonic_s(), cpu_s()
    rows = [
        {
            "stage": "signals",
            "events": f"{n:,}",
            "wall s": f"{middle - begin:.1f}",
            "CPU s": f"{cpu_middle - cpu:.1f}",
        },
        {
            "stage": "verdicts",
            "events": f"{n:,}",
            "wall s": f"{end - middle:.1f}",
            "CPU s": f"{cpu_end - cpu_middle:.1f}",
        },
    ]
    print("\n".join(figure_table(rows)))
    print(
        f"\n{table.n_accounts:,} accounts, {int(np.sum(table.sufficient)):,} scored, tiers "
        f"{dict(found.tier_counts)}"
    )
