"""Statistics of groups on flat arrays: one code per item, no loop over groups."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]


def count(group: Ints, n_groups: int) -> Ints:
    """Items per group."""
    return np.bincount(group, minlength=n_groups).astype(np.int64)


def total(group: Ints, x: NDArray[np.generic], n_groups: int) -> Floats:
    """Sum per group."""
    return np.bincount(group, weights=x.astype(np.float64), minlength=n_groups).astype(np.float64)


def mean(group: Ints, x: NDArray[np.generic], n_groups: int) -> Floats:
    """Mean per group, NaN where a group is empty."""
    n = count(group, n_groups)
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.where(n > 0, total(group, x, n_groups) / n, np.nan)


def spread(group: Ints, x: NDArray[np.generic], n_groups: int) -> Floats:
    """Sample standard deviation per group (ddof 1), NaN below two items."""
    n = count(group, n_groups)
    centre = mean(group, x, n_groups)
    deviation = x.astype(np.float64) - centre[group]
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.where(n > 1, np.sqrt(total(group, deviation**2, n_groups) / (n - 1)), np.nan)


def n_distinct(group: Ints, key: Ints, n_groups: int) -> Ints:
    """Distinct keys per group."""
    if len(group) == 0:
        return np.zeros(n_groups, dtype=np.int64)
    order = np.lexsort((key, group))
    g, k = group[order], key[order]
    new = np.ones(len(g), dtype=bool)
    new[1:] = (np.diff(g) != 0) | (np.diff(k) != 0)
    return count(g[new], n_groups)


def multiplicity(group: Ints, key: Ints) -> Ints:
    """For each item, how many items of its group carry the same key."""
    if len(group) == 0:
        return np.zeros(0, dtype=np.int64)
    order = np.lexsort((key, group))
    g, k = group[order], key[order]
    new = np.ones(len(g), dtype=bool)
    new[1:] = (np.diff(g) != 0) | (np.diff(k) != 0)
    run = np.cumsum(new) - 1
    size = np.bincount(run)
    result = np.empty(len(g), dtype=np.int64)
    result[order] = size[run]
    return result


def missing_below(value: Floats, n: Ints, floor: int) -> Floats:
    """The value where it rests on at least ``floor`` items, NaN elsewhere."""
    return np.where(n >= floor, value, np.nan)


def top_rows(group: Ints, row: Ints, weight: Floats, n_groups: int, k: int) -> Ints:
    """Up to ``k`` rows of largest weight per group, ties by row; shape (n_groups, k), -1 where there are
    fewer.

    Parameters
    ----------
    group, row, weight
        Group code, event row and weight of each candidate; candidates with weight <= 0 or NaN are left out.
    """
    result = np.full((n_groups, k), -1, dtype=np.int64)
    keep = weight > 0
    group, row, weight = group[keep], row[keep], weight[keep]
    if len(group) == 0:
        return result
    order = np.lexsort((row, -weight, group))
    g = group[order]
    first = np.ones(len(g), dtype=bool)
    first[1:] = np.diff(g) != 0
    begin = np.flatnonzero(first)
    rank = np.arange(len(g)) - begin[np.cumsum(first) - 1]
    keep = rank < k
    result[g[keep], rank[keep]] = row[order][keep]
    return result
