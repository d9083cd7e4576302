"""The only module that reads a clock or makes randomness.

Everything random in graphscan is a pure function of the seed in the settings and of names given in the
code, so two runs agree bit by bit; everything that depends on the wall clock passes through here, so it
can be found and replaced in one place.
"""

from __future__ import annotations

import time
from datetime import UTC, datetime

import numpy as np
from numpy.typing import NDArray


def now_us() -> int:
    """Wall-clock time in microseconds since the Unix epoch, UTC."""
    return time.time_ns() // 1_000


def now_iso() -> str:
    """Wall-clock time as ISO-8601 UTC with six decimals."""
    return datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def monotonic_s() -> float:
    """Seconds on a clock that never goes back; only differences mean anything."""
    return time.perf_counter()


def cpu_s() -> float:
    """CPU seconds used by this process so far, all threads."""
    return time.process_time()


def generator(seed: int, *stream: int | str) -> np.random.Generator:
    """A random generator for one named stream of one seed.

    Streams with different names are independent, so that a new consumer of randomness never shifts the
    numbers of an old one.

    Parameters
    ----------
    seed
        The seed of the settings.
    stream
        Names or numbers that identify the consumer, e.g. ``("clusters", candidate_key)``.
    """
    words: list[int] = [seed & 0xFFFFFFFFFFFFFFFF]
    for part in stream:
        if isinstance(part, str):
            words.extend(part.encode())
            words.append(0x1F)
        else:
            words.append(int(part) & 0xFFFFFFFFFFFFFFFF)
    return np.random.Generator(np.random.PCG64(np.random.SeedSequence(words)))


def mix64(values: NDArray[np.uint64]) -> NDArray[np.uint64]:
    """SplitMix64 finaliser: a stateless 64-bit hash of each value (Steele, Lea & Flood, OOPSLA 2014)."""
    z = values.astype(np.uint64, copy=True)
    with np.errstate(over="ignore"):
        z += np.uint64(0x9E3779B97F4A7C15)
        z = (z ^ (z >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
        z = (z ^ (z >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
        return z ^ (z >> np.uint64(31))
