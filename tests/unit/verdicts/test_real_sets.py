"""The shipped model and the clock test on the real labelled sets, which neither was made from."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from graphscan.verdicts.evaluation import ranking
from graphscan.verdicts.modelfile import read_model
from graphscan.verdicts.training import LabelledPlatform, training_rows


@pytest.fixture(scope="module")
def platforms(data_dir: Path) -> dict[str, LabelledPlatform]:
    from benchmarks import accounts_data

    accounts_data.DATA = data_dir
    return {name: accounts_data.real_platform(name) for name in ("aidev_a", "zulip")}


@pytest.mark.parametrize(("name", "least_auroc"), [("aidev_a", 0.93), ("zulip", 0.97)])
def test_the_shipped_model_ranks_platforms_it_never_saw(
    platforms: dict[str, LabelledPlatform], name: str, least_auroc: float
) -> None:
    model = read_model()
    for head in (model.behaviour, model.full):
        rows = training_rows([platforms[name]], head.signal_ids)
        assert ranking(rows.y, head.scorer.log_odds(rows.scores)).auroc > least_auroc


@pytest.mark.parametrize("name", ["aidev_a", "zulip"])
def test_no_real_person_is_locked_to_a_clock(platforms: dict[str, LabelledPlatform], name: str) -> None:
    platform = platforms[name]
    label = [platform.labels.label_of.get(i, "") for i in platform.table.account_ids.to_pylist()]
    people = np.isin(label, ["human", "human_ai_assisted"])
    log10_p = platform.table.signals["clock_phase_lock"].value
    assert (people & ~np.isnan(log10_p)).sum() > 50
    assert not (people & (log10_p > 6)).any()


@pytest.mark.parametrize("name", ["aidev_a", "zulip"])
def test_no_real_person_is_covered_enough_for_a_termination(
    platforms: dict[str, LabelledPlatform], name: str
) -> None:
    platform = platforms[name]
    label = [platform.labels.label_of.get(i, "") for i in platform.table.account_ids.to_pylist()]
    people = np.isin(label, ["human", "human_ai_assisted"]) & platform.table.sufficient
    coverage = platform.table.coverage
    bound = np.where(coverage.n_acts >= 14, coverage.lower_bound, 0.0)
    assert not (bound[people] >= 0.8).any()
