"""Heads: calibrated scores from rank scores, monotone in every signal.

A head is the mean of two log-odds: a logistic regression whose weights are all positive, and a shallow
histogram
boosting with monotone constraints. A model that is to travel to platforms without labels is the regression
alone:
measured across platforms the trees keep the shape of the platform they grew on. Probabilities come from a
logistic calibration of out-of-fold scores with an offset for each volume band, because false positives rise
with
volume; whether the head may decide at all comes from conformal p-values of the people among them.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np
from numpy.typing import NDArray

from graphscan.errors import EXIT_INPUT, GraphscanError

if TYPE_CHECKING:
    from sklearn.ensemble import HistGradientBoostingClassifier

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Bools = NDArray[np.bool_]

# Lower limits of the volume bands in own events.
BAND_LIMITS: Final = (20, 50, 100, 300)
N_FOLDS: Final = 5
MIN_POSITIVES: Final = 5
MIN_NEGATIVES: Final = 20
MIN_BAND_PEOPLE: Final = 99
C_LOGISTIC: Final = 0.1
_MAX_LOG_ODDS: Final = 12.0


def volume_band(n_events: Ints) -> Ints:
    """Index of the volume band: 20-49, 50-99, 100-299, 300 and more; fewer than 20 count as the first."""
    return np.clip(np.searchsorted(np.asarray(BAND_LIMITS), n_events, side="right") - 1, 0, None).astype(
        np.int64
    )


@dataclass(frozen=True)
class Scorer:
    """Log-odds from rank scores.

    Parameters
    ----------
    weights, intercept
        Positive weights of the logistic regression, shape (n_signals,), and its intercept.
    boosting
        The monotone boosting, or None where the head is the regression alone.
    """

    weights: Floats
    intercept: float
    boosting: HistGradientBoostingClassifier | None

    def log_odds(self, scores: Floats) -> Floats:
        """Log-odds of shape (n_accounts,) for rank scores of shape (n_accounts, n_signals)."""
        linear = scores @ self.weights + self.intercept
        if self.boosting is not None and len(scores):
            linear = 0.5 * linear + 0.5 * np.asarray(self.boosting.decision_function(scores))
        return np.asarray(np.clip(linear, -_MAX_LOG_ODDS, _MAX_LOG_ODDS), dtype=np.float64)

    def contributions(self, scores: Floats) -> Floats:
        """Linear part of the log-odds by signal, shape (n_accounts, n_signals)."""
        share = 1.0 if self.boosting is None else 0.5
        return scores * self.weights * share


@dataclass(frozen=True)
class Calibration:
    """From log-odds to a probability, and to a conformal p-value.

    Parameters
    ----------
    slope, intercept, band_offset
        ``logit p = slope x + intercept + band_offset[band]``; the slope is never negative.
    people, hosted
        Out-of-fold log-odds of labelled people and of hosted accounts, sorted ascending, per band,
        flattened with
        their bands.
    """

    slope: float
    intercept: float
    band_offset: Floats
    people: Floats
    people_band: Ints
    hosted: Floats

    def probability(self, log_odds: Floats, band: Ints) -> Floats:
        """Calibrated probability of hosting."""
        x = self.slope * log_odds + self.intercept + self.band_offset[band]
        return 1.0 / (1.0 + np.exp(-np.clip(x, -30, 30)))

    def p_human(self, log_odds: Floats, band: Ints) -> Floats:
        """Conformal p-value of being a person: share of calibration people at least as conspicuous.

        ``(1 + number of people with log-odds >= x) / (n + 1)``, within the volume band where it has
        at least 99
        people and over all bands elsewhere (Vovk, Gammerman and Shafer 2005, doi:10.1007/b106715). Fewer than
        999 people can never support p < .001.
        """
        result = np.ones(len(log_odds))
        for b in range(len(BAND_LIMITS)):
            here = band == b
            if not here.any():
                continue
            mine = self.people[self.people_band == b]
            pool = np.sort(mine) if len(mine) >= MIN_BAND_PEOPLE else np.sort(self.people)
            above = len(pool) - np.searchsorted(pool, log_odds[here], side="left")
            result[here] = (1 + above) / (len(pool) + 1)
        return result

    def p_hosted(self, log_odds: Floats) -> Floats:
        """Conformal p-value of being hosted: share of calibration hosted accounts at most as conspicuous."""
        pool = np.sort(self.hosted)
        return (1 + np.searchsorted(pool, log_odds, side="right")) / (len(pool) + 1)


@dataclass(frozen=True)
class Head:
    """A scorer with its calibration, for a fixed list of signals."""

    signal_ids: tuple[str, ...]
    scorer: Scorer
    calibration: Calibration


def fitted_scorer(scores: Floats, y: Ints, weight: Floats, *, boosting: bool, seed: int) -> Scorer:
    """Fit a scorer.

    Parameters
    ----------
    scores
        Rank scores, shape (n_accounts, n_signals), all >= 0.
    y
        1 for hosted, 0 for people.
    weight
        Sample weights.
    boosting
        Whether to add the monotone boosting.

    Raises
    ------
    GraphscanError
        Exit 3 if one of the classes is missing or too small.
    """
    _require_both(y, 2, 2)
    weights, intercept = positive_logistic(scores, y, weight)
    trees = _monotone_boosting(scores, y, weight, seed) if boosting else None
    return Scorer(weights, intercept, trees)


def _require_both(y: Ints, least_hosted: int, least_people: int) -> None:
    n_hosted, n_people = int(y.sum()), int((1 - y).sum())
    if n_hosted < least_hosted or n_people < least_people:
        raise GraphscanError(
            f"too few labelled accounts with enough events: {n_hosted} hosted, {n_people} people",
            "labels",
            f"give at least {MIN_POSITIVES} hosted accounts and {MIN_NEGATIVES} people with 20 events or"
            f" more",
            EXIT_INPUT,
        )


def positive_logistic(scores: Floats, y: Ints, weight: Floats) -> tuple[Floats, float]:
    """Logistic regression without the signals whose weight would be negative, refitted until none is left."""
    from sklearn.linear_model import LogisticRegression

    kept = np.flatnonzero(scores.std(axis=0) > 0)
    weights = np.zeros(scores.shape[1])
    while len(kept):
        model = LogisticRegression(C=C_LOGISTIC, max_iter=2_000).fit(scores[:, kept], y, sample_weight=weight)
        if (model.coef_[0] >= 0).all():
            weights[kept] = model.coef_[0]
            return weights, float(model.intercept_[0])
        kept = kept[model.coef_[0] > 0]
    share = float(np.average(y, weights=weight))
    return weights, float(np.log(share / (1 - share)))


def _monotone_boosting(scores: Floats, y: Ints, weight: Floats, seed: int) -> HistGradientBoostingClassifier:
    from sklearn.ensemble import HistGradientBoostingClassifier

    model = HistGradientBoostingClassifier(
        max_iter=60,
        learning_rate=0.1,
        max_depth=3,
        min_samples_leaf=10,
        l2_regularization=1.0,
        monotonic_cst=[1] * scores.shape[1],
        early_stopping=False,
        random_state=seed,
    )
    return model.fit(scores, y, sample_weight=weight)


def folds_by_group(y: Ints, group: Ints, seed: int, n_folds: int = N_FOLDS) -> Ints:
    """Fold of each account: groups stay together, both classes are spread evenly."""
    from graphscan.entropy import generator

    rng = generator(seed, "folds")
    n_groups = int(group.max()) + 1 if len(group) else 0
    positives = np.bincount(group, weights=y, minlength=n_groups)
    size = np.bincount(group, minlength=n_groups)
    order = np.lexsort((rng.random(n_groups), -size, -positives))
    held = np.zeros((n_folds, 2))
    fold_of = np.zeros(n_groups, dtype=np.int64)
    for g in order.tolist():
        # Groups with positives go where positives are fewest, the others where accounts are fewest.
        key = held[:, 0] * 1e6 + held[:, 1] if positives[g] else held[:, 1]
        fold = int(np.argmin(key))
        fold_of[g] = fold
        held[fold] += (positives[g], size[g])
    return fold_of[group]


def out_of_fold(scores: Floats, y: Ints, weight: Floats, fold: Ints, *, boosting: bool, seed: int) -> Floats:
    """Log-odds of each account from a scorer that never saw its fold."""
    result = np.zeros(len(y))
    for k in np.unique(fold):
        test = fold == k
        scorer = fitted_scorer(scores[~test], y[~test], weight[~test], boosting=boosting, seed=seed)
        result[test] = scorer.log_odds(scores[test])
    return result


def fitted_calibration(log_odds: Floats, y: Ints, band: Ints, weight: Floats) -> Calibration:
    """Logistic calibration with ridge-shrunk band offsets, and the conformal pools."""
    from sklearn.linear_model import LogisticRegression

    n_bands = len(BAND_LIMITS)
    design = np.column_stack([log_odds, *(0.5 * (band == b) for b in range(n_bands))])
    model = LogisticRegression(C=1.0, max_iter=2_000).fit(design, y, sample_weight=weight)
    slope = float(max(model.coef_[0][0], 0.0))
    people = y == 0
    return Calibration(
        slope=slope,
        intercept=float(model.intercept_[0]),
        band_offset=0.5 * model.coef_[0][1:],
        people=log_odds[people],
        people_band=band[people],
        hosted=log_odds[~people],
    )


def fitted_head(
    signal_ids: tuple[str, ...],
    scores: Floats,
    y: Ints,
    n_events: Ints,
    group: Ints,
    weight: Floats,
    *,
    boosting: bool,
    seed: int,
) -> Head:
    """Fit a scorer on all accounts and calibrate it on out-of-fold scores.

    Raises
    ------
    GraphscanError
        Exit 3 with fewer than 5 hosted accounts or 20 people.
    """
    _require_both(y, MIN_POSITIVES, MIN_NEGATIVES)
    fold = folds_by_group(y, group, seed)
    held_out = out_of_fold(scores, y, weight, fold, boosting=boosting, seed=seed)
    scorer = fitted_scorer(scores, y, weight, boosting=boosting, seed=seed)
    return Head(signal_ids, scorer, fitted_calibration(held_out, y, volume_band(n_events), weight))
