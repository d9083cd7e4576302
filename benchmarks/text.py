"""Near-duplicate text: CPU, peak memory and recall, beside datasketch and an exact join over Python sets.

Run from the root of the repository, with the event data beside it or GRAPHSCAN_DATA set::

    python benchmarks/text.py                # 20k with the references, 100k and 1M alone
    python benchmarks/text.py --rows 20000   # one size; references up to 20k rows

Every row of the table is a process of its own. The texts are the posts of ira_sample; beyond its size they
are repeated with three words of each copy replaced, so that a million rows hold mostly distinct texts.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import subprocess
import sys
import time
from collections import defaultdict
from itertools import combinations
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

DATA = Path(os.environ.get("GRAPHSCAN_DATA", Path(__file__).resolve().parents[1] / "../shared/data"))
THRESHOLD = 0.7
N_HASHES = 64


def texts_of(rows: int) -> pa.Array:
    texts = pq.read_table(DATA / "ira_sample/events.parquet", columns=["text"])["text"].drop_null()
    texts = texts.combine_chunks()
    random = np.random.default_rng(1)
    order = pa.array(random.permutation(len(texts)))
    texts = texts.take(order)
    if rows <= len(texts):
        return texts.slice(0, rows)
    base = texts.to_pylist()
    made = list(base)
    while len(made) < rows:
        words = base[len(made) % len(base)].split()
        for spot in random.integers(0, max(len(words), 1), 3):
            if words:
                words[spot] = format(int(random.integers(0, 2**40)), "x")
        made.append(" ".join(words))
    return pa.array(made, pa.string())


def compared_texts(rows: int) -> pa.Array:
    """The distinct texts that all methods compare."""
    from graphscan.network.text import compared, normalised, substantial

    plain = normalised(texts_of(rows))
    return compared(plain.filter(pa.array(substantial(plain))).unique()).unique()


def shingle_set(text: str) -> set[str]:
    return {text[i : i + 5] for i in range(len(text) - 4)}


def jaccard(a: set[str], b: set[str]) -> float:
    return len(a & b) / len(a | b) if a | b else 0.0


def graphscan_groups(rows: int) -> dict[str, object]:
    from graphscan.network.text import near_duplicate_groups

    texts = texts_of(rows)
    start = time.process_time()
    groups = near_duplicate_groups(texts, threshold=THRESHOLD)
    return {"cpu_s": time.process_time() - start, "groups": int(groups.max()) + 1, "pairs": None}


def graphscan_pairs(rows: int) -> dict[str, object]:
    from graphscan.network.text import _likely_pairs, pair_jaccard

    texts = compared_texts(rows)
    start = time.process_time()
    left, right = _likely_pairs(texts, THRESHOLD, 0)
    near = pair_jaccard(texts, left, right) >= THRESHOLD
    spent = time.process_time() - start
    return {"cpu_s": spent, "pairs": np.stack((left[near], right[near]), 1).tolist()}


def datasketch_pairs(rows: int) -> dict[str, object]:
    from datasketch import MinHash, MinHashLSH

    texts = compared_texts(rows).to_pylist()
    start = time.process_time()
    index = MinHashLSH(threshold=THRESHOLD, num_perm=N_HASHES)
    sets = [shingle_set(text) for text in texts]
    pairs = []
    for row, found in enumerate(sets):
        signature = MinHash(num_perm=N_HASHES)
        signature.update_batch([shingle.encode() for shingle in found])
        pairs += [
            (other, row) for other in index.query(signature) if jaccard(found, sets[other]) >= THRESHOLD
        ]
        index.insert(row, signature)
    return {"cpu_s": time.process_time() - start, "pairs": pairs}


def exact_pairs(rows: int) -> dict[str, object]:
    """Prefix filter (Chaudhuri, Ganti & Kaushik, 2006) over Python sets: every pair, no approximation."""
    texts = compared_texts(rows).to_pylist()
    start = time.process_time()
    sets = [shingle_set(text) for text in texts]
    counts: dict[str, int] = defaultdict(int)
    for found in sets:
        for shingle in found:
            counts[shingle] += 1
    index: dict[str, list[int]] = defaultdict(list)
    for row, found in enumerate(sets):
        prefix = len(found) - int(np.ceil(THRESHOLD * len(found))) + 1
        for shingle in sorted(found, key=lambda s: (counts[s], s))[:prefix]:
            index[shingle].append(row)
    likely = {pair for rows_ in index.values() for pair in combinations(rows_, 2)}
    pairs = [(a, b) for a, b in likely if jaccard(sets[a], sets[b]) >= THRESHOLD]
    return {"cpu_s": time.process_time() - start, "pairs": pairs}


METHODS = {
    "graphscan, whole: texts to groups": graphscan_groups,
    "graphscan, pairs only": graphscan_pairs,
    "datasketch MinHashLSH + sets": datasketch_pairs,
    "exact, prefix filter on sets": exact_pairs,
}


def measured(method: str, rows: int) -> dict[str, object]:
    command = [sys.executable, __file__, "--one", method, "--rows", str(rows)]
    done = subprocess.run(
        command, capture_output=True, text=True, check=False, env={**os.environ, "OMP_NUM_THREADS": "1"}
    )
    if done.returncode:
        return {"failed": done.stderr.strip().splitlines()[-1]}
    return json.loads(done.stdout)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, action="append")
    parser.add_argument("--one")
    options = parser.parse_args()
    if options.one:
        found = METHODS[options.one](options.rows[0])
        found["peak_mb"] = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
        print(json.dumps(found))
        return
    print("| rows | method | CPU s | peak MB | pairs >= .7 | recall |\n|---|---|---|---|---|---|")
    for rows in options.rows or [20_000, 100_000, 1_000_000]:
        names = list(METHODS) if rows <= 20_000 else list(METHODS)[:2]
        results = {name: measured(name, rows) for name in names}
        known = {tuple(sorted(p)) for r in results.values() for p in r.get("pairs") or []}
        for name, found in results.items():
            if "failed" in found:
                print(f"| {rows:,} | {name} | failed: {found['failed']} | | | |")
                continue
            pairs, recall = "", ""
            if found["pairs"] is not None and known:
                own = {tuple(sorted(p)) for p in found["pairs"]}
                pairs, recall = f"{len(own):,}", f"{len(own & known) / len(known):.4f}"
            print(
                f"| {rows:,} | {name} | {found['cpu_s']:.1f} | {found['peak_mb']:.0f} | {pairs} | {recall} |"
            )


if __name__ == "__main__":
    main()
