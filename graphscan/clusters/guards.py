"""Common offsets that nobody ordered: what a group must still show when each is taken away.

The delay null keeps habits and breaks everything that members have in common. Some things that people have
in common are no order: an object that came to light late, the hours of the day, how long a session lasted,
and the crowd.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Final

import numpy as np
from numpy.typing import NDArray

from graphscan.clusters.detection import LayerProblem
from graphscan.clusters.significance import (
    TICK_US,
    MemberActs,
    SynchronyTest,
    chosen_acts,
    pairs_within,
    window_ticks,
)
from graphscan.entropy import generator

IntArray = NDArray[np.int64]

_DAY_US: Final = 86_400_000_000
_TRIMMED_SHARE: Final = 0.2
# The guards take away part of the evidence too, so they ask for half of each effect floor.
_FLOORS: Final = 0.5
_CROWD_DRAWS: Final = 99
_SESSION_SD: Final = 3.0


def passing_test(problem: LayerProblem, acts: MemberActs, floors: float = 1.0) -> SynchronyTest | None:
    """The test of a group of known members if it holds the effect floors, or a part of them."""
    settings = problem.settings
    if acts.n_objects < 2:
        return None
    test = problem.test(acts, settings.permutations[1])
    passes = (
        test.p_value <= settings.alpha
        and test.effect_ratio >= 1 + floors * (settings.min_effect_ratio - 1)
        and test.kappa >= floors * settings.min_kappa
    )
    return test if passes else None


def stands_the_guards(problem: LayerProblem, acts: MemberActs, test: SynchronyTest) -> bool:
    """Whether synchrony is left when late objects, hours of the day and the crowd are accounted for."""
    variants = [without_extreme_objects(acts), same_hours_acts(acts)]
    if problem.has_sessions:
        # Sessions bring people together by their length alone, and the classes below take off only a part:
        # a small group's kappa must be above the floor beyond its own chance.
        spread = test.null_sd * test.kappa / max(test.statistic - test.null_mean, 1e-9)
        if test.kappa - _SESSION_SD * spread < problem.settings.min_kappa:
            return False
        variants.append(same_span_acts(acts))
    return all(
        passing_test(problem, variant, _FLOORS) is not None for variant in variants
    ) and stands_out_of_crowd(problem, acts, test.window_s)


def without_extreme_objects(acts: MemberActs) -> MemberActs:
    """The acts without the fifth of the objects whose members were most early or late together.

    An object whose true birth is not in the data shifts everybody on it alike. An order shifts most objects,
    each by its own time.
    """
    n_out = int(_TRIMMED_SHARE * acts.n_objects)
    if n_out == 0:
        return acts
    start = np.searchsorted(acts.obj, np.arange(acts.n_objects))
    log_delay = np.log1p(acts.ticks.astype(np.float64))
    offset = np.array([np.median(part) for part in np.split(log_delay, start[1:])])
    distance = np.abs(offset - np.median(offset))
    keep = np.ones(acts.n_objects, bool)
    keep[np.argsort(-distance, kind="stable")[:n_out]] = False
    return chosen_acts(acts, keep[acts.obj])


def same_hours_acts(acts: MemberActs) -> MemberActs:
    """The same acts, their delays exchangeable only between objects born in the same third of the day.

    What is born at night is read in the morning by all who sleep.
    """
    birth_us = acts.time_us - acts.ticks.astype(np.int64) * TICK_US
    third = (birth_us % _DAY_US) // (_DAY_US // 3)
    # All acts on one object share its birth up to a tick, which must not tear it over two thirds.
    start = np.searchsorted(acts.obj, np.arange(acts.n_objects))
    third = third[start][acts.obj] if len(acts) else third
    _, group = np.unique(acts.group * 3 + third, return_inverse=True)
    return replace(acts, group=group, order=np.argsort(group, kind="stable"))


def same_span_acts(acts: MemberActs) -> MemberActs:
    """The same acts, their delays exchangeable only between sessions of like length (factor of eight).

    A delay is never longer than the session it was in, so a short session brings its people together.
    """
    span_class = np.log2(np.maximum(acts.span_ticks * (TICK_US / 60e6), 1.0)).astype(np.int64) // 3
    _, group = np.unique(acts.group * 64 + span_class, return_inverse=True)
    return replace(acts, group=group, order=np.argsort(group, kind="stable"))


def stands_out_of_crowd(problem: LayerProblem, acts: MemberActs, window_s: float) -> bool:
    """Whether members keep closer to each other than to the other people on the same objects.

    In a crowd's burst everybody is together. A group passes if it is in synchrony on the objects that have
    fewer outsiders than members. Else, as many accounts as there are members are drawn from all on each
    crowded object, and the members' synchrony must be above that of the draws. (As the only null this one
    would flag fans, who are faster than everybody else.)
    """
    incidence = problem.incidence
    start = np.searchsorted(acts.obj, np.arange(acts.n_objects))
    n_members = np.diff(np.append(start, len(acts)))
    code = acts.object_code[start]
    n_all = incidence.accounts_on_object[code]
    crowded = n_all >= 2 * n_members
    if not crowded.any() or passing_test(problem, chosen_acts(acts, ~crowded[acts.obj]), _FLOORS) is not None:
        return True
    window = window_ticks((window_s,))
    own = chosen_acts(acts, crowded[acts.obj])
    seen = float(np.sqrt(2.0 * pairs_within(own.ticks[None, :], own.obj, window)).sum())
    rng = generator(problem.seed, "crowd", acts.key)
    drawn = np.zeros(_CROWD_DRAWS)
    first = np.searchsorted(incidence.obj, code[crowded])
    for begin, size, q in zip(first, n_all[crowded], n_members[crowded], strict=True):
        ticks = np.minimum(incidence.delay_us[begin : begin + size] // TICK_US, 2**30 - 1).astype(np.int32)
        chosen = np.argsort(rng.random((_CROWD_DRAWS, int(size))), axis=1)[:, :q]
        pairs = pairs_within(ticks[chosen], np.zeros(q, np.int64), window)
        drawn += np.sqrt(2.0 * pairs[0, :, 0])
    ratio = (seen + 1) / (drawn.mean() + 1)
    p_value = (1 + int((drawn >= seen).sum())) / (1 + _CROWD_DRAWS)
    return bool(
        p_value <= problem.settings.alpha and ratio >= 1 + _FLOORS * (problem.settings.min_effect_ratio - 1)
    )
