"""Heads: monotone, blind to what is missing, calibrated, and honest about small numbers."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from graphscan.errors import EXIT_INPUT, GraphscanError
from graphscan.signals import SIGNALS
from graphscan.verdicts.evaluation import Share, calibration_error, people_threshold, ranking, tier_cost
from graphscan.verdicts.heads import Calibration, fitted_scorer, folds_by_group, volume_band
from graphscan.verdicts.labels import Labels
from graphscan.verdicts.ranks import rank_scores, reference_ranks
from graphscan.verdicts.training import LabelledPlatform, Model, head_signals, trained_model, training_rows
from tests.unit.verdicts.verdict_worlds import Platform


@settings(max_examples=60, deadline=None)
@given(data=st.data())
def test_more_of_any_signal_never_lowers_a_score(model: Model, data: st.DataObject) -> None:
    for head in (model.behaviour, model.full):
        n = len(head.signal_ids)
        scores = np.array([data.draw(st.lists(st.floats(0, 3.5), min_size=n, max_size=n))])
        more = scores.copy()
        more[0, data.draw(st.integers(0, n - 1))] += data.draw(st.floats(0, 2))
        low, high = head.scorer.log_odds(scores), head.scorer.log_odds(more)
        assert high[0] >= low[0] - 1e-12
        band = np.array([data.draw(st.integers(0, 3))])
        assert (
            head.calibration.probability(high, band)[0] >= head.calibration.probability(low, band)[0] - 1e-12
        )
        assert head.calibration.p_human(high, band)[0] <= head.calibration.p_human(low, band)[0]


def test_missing_data_never_raises_a_score(platform: Platform, model: Model) -> None:
    from dataclasses import replace

    table = platform.table
    head = model.behaviour
    ranks = reference_ranks(table, head.signal_ids, table.sufficient)
    before = head.scorer.log_odds(rank_scores(table, head.signal_ids, ranks, model.ranks))
    for signal_id in head.signal_ids:
        values = table.signals[signal_id]
        gone = replace(values, value=np.full(table.n_accounts, np.nan))
        less = replace(table, signals={**table.signals, signal_id: gone})
        after = head.scorer.log_odds(rank_scores(less, head.signal_ids, ranks, model.ranks))
        assert (after <= before + 1e-12).all(), signal_id


def test_only_monotone_own_behaviour_moves_the_behaviour_head() -> None:
    for signal_id in head_signals(with_text=False):
        assert SIGNALS[signal_id].monotone
        assert SIGNALS[signal_id].family not in ("content", "network", "provisioning")
    assert set(head_signals(with_text=False)) < set(head_signals(with_text=True))


def test_a_head_finds_planted_robots(platform: Platform, model: Model) -> None:
    rows = training_rows([LabelledPlatform("w", platform.table, platform.labels)], model.full.signal_ids)
    assert ranking(rows.y, model.full.scorer.log_odds(rows.scores)).auroc > 0.95


def test_the_conformal_p_value_counts_people() -> None:
    people = np.linspace(-3, 1, 499)
    calibration = Calibration(1.0, 0.0, np.zeros(4), people, np.zeros(499, dtype=np.int64), np.array([2.0]))
    p = calibration.p_human(np.array([5.0, 1.0, -3.0]), np.array([0, 0, 0]))
    assert p[0] == pytest.approx(1 / 500)
    assert p[1] == pytest.approx(2 / 500)
    assert p[2] == pytest.approx(1.0)
    # Fewer than 99 people in the band: all bands together stand in.
    assert calibration.p_human(np.array([5.0]), np.array([3]))[0] == pytest.approx(1 / 500)


def test_volume_bands() -> None:
    assert volume_band(np.array([20, 49, 50, 99, 100, 299, 300, 9_999, 3])).tolist() == [
        0,
        0,
        1,
        1,
        2,
        2,
        3,
        3,
        0,
    ]


def test_groups_stay_in_one_fold_and_positives_are_spread() -> None:
    rng = np.random.default_rng(0)
    group = rng.integers(0, 60, 300)
    y = (rng.random(300) < 0.2).astype(np.int64)
    fold = folds_by_group(y, group, 7)
    for g in range(60):
        assert len(set(fold[group == g])) <= 1
    assert {int(y[fold == k].sum()) > 0 for k in range(5)} == {True}
    assert (folds_by_group(y, group, 7) == fold).all()


def test_one_class_is_a_clear_refusal(platform: Platform) -> None:
    only_people = Labels({a: v for a, v in platform.labels.label_of.items() if v == "human"})
    with pytest.raises(GraphscanError) as caught:
        trained_model([LabelledPlatform("w", platform.table, only_people)], name="x")
    assert caught.value.exit_code == EXIT_INPUT


def test_constant_features_fit_to_the_base_rate() -> None:
    y = np.array([1] * 10 + [0] * 90)
    scorer = fitted_scorer(np.zeros((100, 3)), y, np.ones(100), boosting=False, seed=0)
    assert scorer.log_odds(np.zeros((1, 3)))[0] == pytest.approx(np.log(0.1 / 0.9))


def test_the_people_threshold_lets_at_most_the_share_through() -> None:
    y = np.array([0] * 263 + [1] * 5)
    score = np.concatenate([np.arange(263), np.full(5, 500)]).astype(float)
    threshold = people_threshold(y, score, 0.01)
    assert (score[y == 0] > threshold).sum() == 2


def test_a_perfect_head_is_called_honest_and_a_boastful_one_is_not() -> None:
    rng = np.random.default_rng(1)
    p = rng.random(2_000)
    y = (rng.random(2_000) < p).astype(np.int64)
    assert calibration_error(y, p).honest
    assert not calibration_error(y, np.clip(p * 1.5, 0, 1)).honest


def test_shares_carry_exact_bounds() -> None:
    assert Share(0, 95).interval == pytest.approx((0.0, 0.0381), abs=1e-3)
    assert str(Share(2, 263)).startswith("2/263 = 0.008 [")


def test_costs_weigh_a_terminated_person_most() -> None:
    assert tier_cost(["human"], ["terminate"]) == 100
    assert tier_cost(["automated"], ["terminate"]) == 0
    assert tier_cost(["shared"], ["terminate"]) == 0
