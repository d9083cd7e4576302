"""Account benchmarks on the labelled public sets."""

from __future__ import annotations

import argparse
from typing import Any

import numpy as np

from benchmarks.accounts_data import labels_in, real_platform, shared_objects, world_platform
from graphscan.signals import SIGNALS
from graphscan.verdicts.evaluation import Share, calibration_error, people_threshold, ranking
from graphscan.verdicts.heads import Scorer, fitted_scorer, folds_by_group
from graphscan.verdicts.hosting import fitted_hosting, hosting_features
from graphscan.verdicts.labels import ASSISTED, HOSTED
from graphscan.verdicts.modelcard import figure_row, figure_table
from graphscan.verdicts.ranks import reference_ranks
from graphscan.verdicts.training import (
    BEHAVIOUR_FAMILIES,
    LabelledPlatform,
    TrainingRows,
    head_signals,
    held_out_scores,
    training_rows,
)

SETS = ("aidev_a", "zulip")


def in_domain(_: argparse.Namespace) -> None:
    """Cross-validation on each set."""
    rows: list[dict[str, Any]] = []
    for name in SETS:
        platform = real_platform(name)
        for grouping in ("account", "shared objects") if name == "aidev_a" else ("account",):
            group = {} if grouping == "account" else shared_objects(platform)
            grouped = LabelledPlatform(name, platform.table, platform.labels, group)
            for with_text in (True, False):
                found = training_rows([grouped], head_signals(with_text=with_text))
                log_odds, p = held_out_scores(found, boosting=True, seed=0)
                what = f"{name}, {'with' if with_text else 'without'} text, folds by {grouping}"
                row = figure_row(what, ranking(found.y, log_odds), calibration_error(found.y, p))
                rows.append(row | {"assisted flagged at 1 %": _assisted(found, log_odds)})
    print("\n".join(figure_table(rows)))
    _clock_people()


def _assisted(rows: TrainingRows, log_odds: np.ndarray) -> str:
    assisted = rows.label == ASSISTED
    if not assisted.any():
        return "–"
    threshold = people_threshold(rows.y, log_odds, 0.01)
    return str(Share(int((log_odds[assisted] > threshold).sum()), int(assisted.sum())))


def _clock_people() -> None:
    """People whose clock test is under 1e-6."""
    for name in SETS:
        platform = real_platform(name)
        ids = platform.table.account_ids.to_pylist()
        label = np.array([platform.labels.label_of.get(i, "") for i in ids])
        value = platform.table.signals["clock_phase_lock"].value
        tested = ~np.isnan(value)
        for kind, wanted in (("people", ("human", ASSISTED)), ("hosted", ("automated", "ai_managed"))):
            chosen = np.isin(label, wanted) & tested
            share = Share(int((value[chosen] > 6).sum()), int(chosen.sum()))
            print(f"\n{name}: {kind} with a clock at p < 1e-6: {share}")


def fitted_on(
    platforms: list[LabelledPlatform], signal_ids: tuple[str, ...], *, boosting: bool = False
) -> Scorer:
    """A scorer of all labelled rows."""
    rows = training_rows(platforms, signal_ids)
    return fitted_scorer(rows.scores, rows.y, rows.weight, boosting=boosting, seed=0)


def measured(
    scorer: Scorer, platform: LabelledPlatform, signal_ids: tuple[str, ...], what: str
) -> dict[str, Any]:
    """Figures of a scorer on another platform, ranks taken there."""
    rows = training_rows([platform], signal_ids)
    return figure_row(what, ranking(rows.y, scorer.log_odds(rows.scores)), None)


def transfer(chosen: argparse.Namespace) -> None:
    """Trained on one set, tested on another."""
    n = chosen.events or 100_000
    worlds = [world_platform(seed, n)[0] for seed in range(101, 101 + (chosen.seeds or 2))]
    aidev, zulip = real_platform("aidev_a"), real_platform("zulip")
    plans = (
        ("aidev_a → zulip", [aidev], zulip),
        ("zulip → aidev_a", [zulip], aidev),
        ("worlds → aidev_a", worlds, aidev),
        ("worlds → zulip", worlds, zulip),
        ("worlds and zulip → aidev_a", [*worlds, zulip], aidev),
        ("worlds and aidev_a → zulip", [*worlds, aidev], zulip),
    )
    rows = []
    for what, train, test in plans:
        for with_text in (True, False):
            signal_ids = head_signals(with_text=with_text)
            for boosting in (False, True):
                scorer = fitted_on(train, signal_ids, boosting=boosting)
                text = "with" if with_text else "without"
                kind = "regression and trees" if boosting else "regression"
                rows.append(measured(scorer, test, signal_ids, f"{what}, {text} text, {kind}"))
    rows += [_tree(train, test, what) for what, train, test in plans[:2]]
    print("\n".join(figure_table(rows)))


def _tree(train: list[LabelledPlatform], test: LabelledPlatform, what: str) -> dict[str, Any]:
    """A depth-2 tree on raw values, as the check that the task is not too easy."""
    from sklearn.tree import DecisionTreeClassifier

    signal_ids = head_signals(with_text=True)

    def raw(platform: LabelledPlatform) -> tuple[np.ndarray, np.ndarray]:
        ids = platform.table.account_ids.to_pylist()
        keep = np.array([i in platform.labels.label_of for i in ids]) & platform.table.sufficient
        rows = training_rows([platform], signal_ids)
        return np.nan_to_num(platform.table.matrix(signal_ids)[keep], nan=-9.0), rows.y

    features, y = raw(train[0])
    tree = DecisionTreeClassifier(max_depth=2, random_state=0).fit(features, y)
    other, truth = raw(test)
    return figure_row(
        f"{what}, depth-2 tree on raw values", ranking(truth, tree.predict_proba(other)[:, 1]), None
    )


def agents(_: argparse.Namespace) -> None:
    """Held-out score of each AI agent, and how many people score higher."""
    platform = real_platform("aidev_a")
    found = training_rows([platform], head_signals(with_text=True))
    with_text, _p = held_out_scores(found, boosting=True, seed=0)
    without = training_rows([platform], head_signals(with_text=False))
    plain, _q = held_out_scores(without, boosting=True, seed=0)
    people = found.y == 0
    n_people = int(people.sum())
    threshold = people_threshold(found.y, with_text, 0.01)
    rows = [
        {
            "agent": found.account_id[i],
            "events": int(found.n_events[i]),
            "people above it, with text": str(Share(int((with_text[people] > with_text[i]).sum()), n_people)),
            "without text": str(Share(int((plain[people] > plain[i]).sum()), n_people)),
            "found at 1 %": "yes" if with_text[i] > threshold else "no",
        }
        for i in np.flatnonzero(found.label == "ai_managed")
    ]
    print("\n".join(figure_table(rows)))


def false_positives(_: argparse.Namespace) -> None:
    """The 20 people ranked highest in each set, with what they do."""
    for name in SETS:
        platform = real_platform(name)
        found = training_rows([platform], head_signals(with_text=True))
        log_odds, _p = held_out_scores(found, boosting=True, seed=0)
        people = np.flatnonzero(found.y == 0)
        order = people[np.argsort(-log_odds[people], kind="stable")][:20]
        events = platform.table.events.to_pandas()
        threshold = people_threshold(found.y, log_odds, 0.01)
        rows = []
        for i in order:
            mine = events[events["account_id"] == found.account_id[i]]
            what = mine["detail"].fillna(mine["action"]).value_counts()
            texts = mine["text"].dropna().str.slice(0, 60).tolist()
            rows.append(
                {
                    "account": found.account_id[i],
                    "label": found.label[i],
                    "above 1 %": "yes" if log_odds[i] > threshold else "no",
                    "log-odds": f"{log_odds[i]:.2f}",
                    "events": len(mine),
                    "objects": mine["object_id"].nunique(),
                    "threads": mine["parent_id"].nunique(),
                    "does": ", ".join(f"{k} {v}" for k, v in what.head(4).items()),
                    "texts": " / ".join(t.replace("|", " ").replace("\n", " ") for t in texts[:2]),
                }
            )
        print(f"\n{name}\n")
        print("\n".join(figure_table(rows)))


def ablation(_: argparse.Namespace) -> None:
    """Each family alone, and each left out, cross-validated on aidev_a."""
    platform = real_platform("aidev_a")
    families = ("content", *BEHAVIOUR_FAMILIES)
    everything = head_signals(with_text=True)
    rows = []
    plans = [("all families", everything)]
    plans += [(f"without {f}", tuple(s for s in everything if SIGNALS[s].family != f)) for f in families]
    plans += [(f"{f} alone", tuple(s for s in everything if SIGNALS[s].family == f)) for f in families]
    for what, signal_ids in plans:
        found = training_rows([platform], signal_ids)
        fold = folds_by_group(found.y, found.group, 0)
        log_odds = np.zeros(len(found.y))
        for k in np.unique(fold):
            test = fold == k
            scorer = fitted_scorer(
                found.scores[~test], found.y[~test], found.weight[~test], boosting=False, seed=0
            )
            log_odds[test] = scorer.log_odds(found.scores[test])
        rows.append(figure_row(what, ranking(found.y, log_odds), None))
    rows.append(_tree_in_domain(platform, everything))
    print("\n".join(figure_table(rows)))


def _tree_in_domain(platform: LabelledPlatform, signal_ids: tuple[str, ...]) -> dict[str, Any]:
    from sklearn.tree import DecisionTreeClassifier

    found = training_rows([platform], signal_ids)
    ids = platform.table.account_ids.to_pylist()
    keep = np.array([i in platform.labels.label_of for i in ids]) & platform.table.sufficient
    features = np.nan_to_num(platform.table.matrix(signal_ids)[keep], nan=-9.0)
    fold = folds_by_group(found.y, found.group, 0)
    p = np.zeros(len(found.y))
    for k in np.unique(fold):
        test = fold == k
        tree = DecisionTreeClassifier(max_depth=2, random_state=0).fit(features[~test], found.y[~test])
        p[test] = tree.predict_proba(features[test])[:, 1]
    return figure_row("depth-2 tree on raw values", ranking(found.y, p), None)


def hosting(chosen: argparse.Namespace) -> None:
    """The hosting head: hosted accounts against people with an assistant, trained on the other platform."""
    world = world_platform(101, chosen.events or 100_000)[0]
    aidev = real_platform("aidev_a")
    rows = []
    for what, train, test in (("world → aidev_a", world, aidev), ("aidev_a → world", aidev, world)):
        head = fitted_hosting([train])
        if head is None:
            continue
        label = labels_in(test.table, test.labels)
        keep = test.table.sufficient & np.isin(label, [ASSISTED, *sorted(HOSTED)])
        ranks = reference_ranks(test.table, head_signals(with_text=False), test.table.sufficient)
        p = head.probability(hosting_features(test.table, ranks))[keep]
        rows.append(figure_row(what, ranking(np.isin(label[keep], sorted(HOSTED)).astype(np.int64), p), None))
    print("\n".join(figure_table(rows)))
