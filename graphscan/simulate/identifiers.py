"""New ids that look like the ids already there."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

_CLASSES = ("0123456789", "abcdefghijklmnopqrstuvwxyz", "ABCDEFGHIJKLMNOPQRSTUVWXYZ")
_SAMPLE = 2_000


def lookalike_ids(sample: pa.Array, taken: pa.Array, n: int, rng: np.random.Generator) -> list[str]:
    """``n`` new ids in the shape of the sample.

    A character that every sampled id of one length has at one place is kept (a prefix, a hyphen); any other
    is drawn from the characters of its class (digit, lower, upper) that the sample uses. Where the shape
    has little room left for new ids, they grow by a digit.

    Parameters
    ----------
    sample
        Ids to imitate, at least one.
    taken
        Ids that must not come back.
    n
        How many ids.
    rng
        Source of randomness.
    """
    if len(sample) > _SAMPLE:
        sample = sample.take(pa.array(np.linspace(0, len(sample) - 1, _SAMPLE).astype(np.int64)))
    ids = sorted(set(sample.to_pylist()))
    shapes = _Shapes(ids)
    new: dict[str, None] = {}
    suffix = 0
    while len(new) < n:
        wanted = n - len(new)
        drawn = shapes.draw(wanted + wanted // 8 + (8 if wanted > 8 else 1), suffix, rng)
        free = _free(drawn, taken)
        before = len(new)
        for text, is_free in zip(drawn, free, strict=True):
            if is_free and len(new) < n:
                new[text] = None
        if len(new) - before < len(drawn) // 4:
            suffix += 1
    return list(new)


def _free(drawn: list[str], taken: pa.Array) -> list[bool]:
    if len(drawn) <= 16:
        # Few ids are compared one by one: building a table of all taken ones would cost more.
        return [not pc.any(pc.equal(taken, text)).as_py() for text in drawn]
    found: list[bool] = pc.invert(pc.is_in(pa.array(drawn, pa.string()), value_set=taken)).to_pylist()
    return found


class _Shapes:
    """The ids of a sample as matrices of code points, one for each length."""

    def __init__(self, ids: Sequence[str]) -> None:
        self.lengths = np.array([len(text) for text in ids])
        self.matrices: dict[int, NDArray[np.int64]] = {}
        self.fixed: dict[int, NDArray[np.bool_]] = {}
        seen = {character for text in ids for character in text}
        self.alphabets = [
            np.array(sorted(ord(c) for c in group if c in seen) or [ord(group[0])], dtype=np.int64)
            for group in _CLASSES
        ]
        self.groups = [np.array([ord(c) for c in group]) for group in _CLASSES]
        for length in np.unique(self.lengths):
            same = [text for text in ids if len(text) == length]
            matrix = np.array([[ord(c) for c in text] for text in same], dtype=np.int64).reshape(-1, length)
            self.matrices[int(length)] = matrix
            self.fixed[int(length)] = (matrix == matrix[0]).all(axis=0) & (len(same) >= 20)

    def draw(self, n: int, suffix: int, rng: np.random.Generator) -> list[str]:
        lengths = rng.choice(self.lengths, n)
        out: list[str] = []
        for length in np.unique(lengths):
            pool, size = self.matrices[int(length)], int((lengths == length).sum())
            text = pool[rng.integers(len(pool), size=size)].copy()
            for alphabet, group in zip(self.alphabets, self.groups, strict=True):
                replace = np.isin(text, group) & ~self.fixed[int(length)]
                text[replace] = rng.choice(alphabet, int(replace.sum()))
            if length and suffix == 0:
                # A number keeps its first digit from being nought.
                zero = (text[:, 0] == ord("0")) & (pool[:, 0] != ord("0")).all()
                text[zero, 0] = ord("1")
            if suffix:
                text = np.hstack([text, rng.integers(ord("0"), ord("9") + 1, size=(size, suffix))])
            width = text.shape[1]
            if width:
                joined = np.ascontiguousarray(text, dtype=np.uint32).view(f"<U{width}").ravel()
                out.extend(joined.tolist())
            else:
                out.extend([""] * int(size))
        order = rng.permutation(len(out))
        return [out[i] for i in order]
