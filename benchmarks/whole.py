"""A whole evaluation of features that are there already, against the matrix products that it cannot do without.

python benchmarks/whole.py [--quick] [--spectrum 0.5]

50 000 training, 50 000 synthetic and 10 000 holdout images at d = 2048, every default metric on features. What cannot
be done without: the products of each pair of sets that neighbours are searched between (a set with itself by halves),
and those of the kernel distance, which takes means over all pairs. They are measured in the same run, in blocks, by
torch and by NumPy; the faster one is the unit. Where each image is a patient, as here, the kernel distance sees the
products of the neighbours, and the metric that comes first pays for both. Times are processor seconds of one thread.
"""

from __future__ import annotations

import argparse
import os
import time
from dataclasses import replace

os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
os.environ.setdefault("OMP_NUM_THREADS", "1")

import numpy as np
import torch

from fourfold import evaluation  # noqa: F401 - fills the register
from fourfold.comparison import Comparison, Features
from fourfold.neighbors.searches import ExactSearch
from fourfold.score import Metric, metrics

SIZES, QUICK = (50_000, 50_000, 10_000, 2048), (2_000, 2_000, 400, 256)
BLOCK = 1280


def main() -> None:
    """Time every metric, then the products."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="small sets, shows that it runs")
    parser.add_argument("--sizes", type=int, nargs=4, metavar=("N", "M", "H", "D"))
    parser.add_argument("--spectrum", type=float, default=0.5, help="features have the spread rank^-x; 0 for equal")
    parser.add_argument("--device", default="cpu", help="of distances; elsewhere than cpu the clock counts")
    options = parser.parse_args()
    clock = time.process_time if options.device == "cpu" else time.perf_counter
    n, m, h, width = options.sizes or (QUICK if options.quick else SIZES)
    comparison = compared(n, m, h, width, options.spectrum)
    if options.device != "cpu":
        comparison = replace(comparison, searching=ExactSearch(options.device))
    whole = 0.0
    print(f"| metric | {'processor seconds' if options.device == 'cpu' else 'seconds'} |\n|---|---|")
    for metric in asked():
        begun = clock()
        metric.compute(comparison)
        seconds = clock() - begun
        whole += seconds
        print(f"| {metric.key} | {seconds:.2f} |", flush=True)
    if options.device != "cpu":
        card = torch.cuda.get_device_name(options.device)
        print(f"\nthe evaluation {whole:.1f} s, {card}, {os.cpu_count()} processors")
        return
    spared = comparison.neighbors("synthetic", "training", 1).pruning
    rate = max(_rate(comparison, product) for product in (_by_torch, _by_numpy))
    neighbours = n * n / 2 + m * m / 2 + h * h / 2 + n * m + n * h + m * h
    kernels = n * n / 2 + m * m / 2 + n * m
    for name, pairs in (("neighbours", neighbours), ("neighbours and kernel distance", neighbours + kernels)):
        least = 2.0 * pairs * width / rate
        print(f"\n{name}: products alone {least:.1f} s; the evaluation {whole:.1f} s, {whole / least:.2f} times that")
    print(f"\n{rate / 1e9:.0f} GFLOP/s; of the longest pass {spared.skipped:.0%} of the products were spared")


def asked() -> list[Metric]:
    """Every default metric on features, whatever its space."""
    return [metric for metric in metrics() if metric.kind == "features" and not metric.thorough and not metric.spaces]


def compared(n: int, m: int, h: int, width: int, spectrum: float) -> Comparison:
    """Normal features; the synthetic set a little narrower, as those of most generators."""
    rng = np.random.default_rng(0)
    # Of the size of features of networks: a published score adds 0.05 to its radii where the spread is below that.
    spread = (10.0 * np.arange(1, width + 1) ** -spectrum).astype(np.float32)

    def drawn(size: int, scale: float) -> np.ndarray:
        return rng.standard_normal((size, width), dtype=np.float32) * (spread * np.float32(scale))

    depth = max(metric.neighbors for metric in asked())
    training, holdout = Features(drawn(n, 1.0), np.arange(n)), Features(drawn(h, 1.0), np.arange(n, n + h))
    return Comparison("features", training, Features(drawn(m, 0.95)), holdout, depth=depth)


def _rate(comparison: Comparison, product: object) -> float:
    """Operations a second of products in blocks, the better of two turns."""
    x, y = comparison.training.values[: 8 * BLOCK], comparison.synthetic.values[: 8 * BLOCK]
    seconds = []
    for _ in range(2):
        begun = time.process_time()
        for top in range(0, len(x), BLOCK):
            for left in range(0, len(y), BLOCK):
                product(x[top : top + BLOCK], y[left : left + BLOCK])
        seconds.append(time.process_time() - begun)
    return 2.0 * len(x) * len(y) * x.shape[1] / min(seconds)


def _by_torch(left: np.ndarray, right: np.ndarray) -> None:
    torch.mm(torch.from_numpy(left), torch.from_numpy(right).T)


def _by_numpy(left: np.ndarray, right: np.ndarray) -> None:
    left @ right.T


if __name__ == "__main__":
    main()
