"""How the cost of a search, of counts and of distances grows with N, M and d: measured exponents beside predicted ones.

python benchmarks/exponents.py [--quick]

Processor seconds of one thread, the least of three turns at each size; the exponent is the slope of a straight line
through the logarithms. A search takes 2 N M d operations, so its exponents are 1, 1 and 1 once products rule; those of
a set with itself are 2 in N. A Frechet distance takes N d^2 and d^3. Without the certified bound, which makes searches
of real features cheaper.
"""

from __future__ import annotations

import argparse
import os
import time
from collections.abc import Callable

os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
os.environ.setdefault("OMP_NUM_THREADS", "1")

import numpy as np

from fourfold.fidelity import frechet_distance, kernel_distance
from fourfold.neighbors import mutual_ball_counts, nearest

BASE = {"N": 6000, "M": 6000, "d": 768}
STEPS = (0.5, 1.0, 2.0)
TURNS = 3


def main() -> None:
    """Measure and print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="small sets, shows that it runs")
    options = parser.parse_args()
    base = {name: size // 8 if options.quick else size for name, size in BASE.items()}
    print("| work | grows with | seconds | exponent | predicted |\n|---|---|---|---|---|")
    for work, run, predicted in CASES:
        for name, power in predicted.items():
            seconds = [_least(run, {**base, name: int(base[name] * step)}) for step in STEPS]
            slope = np.polyfit(np.log(STEPS), np.log(seconds), 1)[0]
            said = ", ".join(f"{one:.2f}" for one in seconds)
            print(f"| {work} | {name} | {said} | {slope:.2f} | {power} |", flush=True)


def _sets(sizes: dict[str, int]) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(0)
    x, y = (rng.standard_normal((sizes[name], sizes["d"]), dtype=np.float32) for name in ("N", "M"))
    return x, y


def _least(run: Callable[[np.ndarray, np.ndarray], object], sizes: dict[str, int]) -> float:
    x, y = _sets(sizes)
    seconds = []
    for _ in range(TURNS):
        begun = time.process_time()
        run(x, y)
        seconds.append(time.process_time() - begun)
    return min(seconds)


def _counts(x: np.ndarray, y: np.ndarray) -> object:
    radii = [np.full(len(one), np.sqrt(1.5 * one.shape[1])) for one in (x, y)]
    return mutual_ball_counts(x, y, *radii, pruning="never")


CASES = (
    ("nearest neighbours, k = 5", lambda x, y: nearest(y, x, 5, pruning="never"), {"N": "1", "M": "1", "d": "1"}),
    (
        "a set in itself, k = 5",
        lambda x, y: nearest(x, x, 5, exclude_self=True, pruning="never"),
        {"N": "2", "d": "1"},
    ),
    ("counts in balls, both ways", _counts, {"N": "1", "M": "1", "d": "1"}),
    ("kernel distance", kernel_distance, {"N": "1 to 2", "d": "1"}),
    ("Frechet distance", frechet_distance, {"N": "1, less what d^3 takes", "d": "2 to 3"}),
)


if __name__ == "__main__":
    main()
