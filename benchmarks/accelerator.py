"""An accelerator beside the processor: are features and neighbours the same there, and how fast are they?

python benchmarks/accelerator.py [--device cuda] [--features SPEC ...] [--rows 50000] [--width 2048] [--quick]

Features: 256 images through each extractor, the largest difference to the processor's over the spread of a feature,
the same where convolutions are shortened as PyTorch does by itself, and images a second. Neighbours: N vectors among
N, with the first products in each precision, beside the same matrix products alone on the same device; distances and
row numbers of a thousand queries, and the counts in the balls around all points, have to be the processor's to the
last bit. Training and drawing: `benchmarks/training.py --device`.
"""

from __future__ import annotations

import argparse
import os
import time
from collections.abc import Callable, Sequence
from contextlib import nullcontext

os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")

import numpy as np
import torch

from fourfold.devices import whole_float32
from fourfold.features import get
from fourfold.neighbors import nearest
from fourfold.neighbors.counts import ball_counts

IMAGES, BATCH, CHECKED, K = 256, 64, 1000, 5
PRECISIONS = ("float32", "tf32", "bfloat16")


def main() -> None:
    """Print both tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--device", default="cuda")
    parser.add_argument("--features", action="append", metavar="SPEC", help="as `fourfold evaluate`; random if none")
    parser.add_argument("--size", type=int, default=96, help="pixels of the images")
    parser.add_argument("--rows", type=int, default=50_000)
    parser.add_argument("--width", type=int, default=2048)
    parser.add_argument("--first", nargs="+", choices=PRECISIONS, default=PRECISIONS, help="precisions of products")
    parser.add_argument("--quick", action="store_true", help="small sets: shows that it runs")
    options = parser.parse_args()
    if options.quick:
        options.rows, options.width = 2000, 64
    print(f"torch {torch.__version__}, {_name(options.device)}\n")
    extractors(options.features or ["random"], options.size, options.device)
    neighbours(options.rows, options.width, options.device, options.first)


def extractors(specifications: list[str], size: int, device: str) -> None:
    """The table of features."""
    rng = np.random.default_rng(0)
    coarse = rng.random((IMAGES, 1, size // 8, size // 8), dtype=np.float32)
    images = torch.from_numpy(np.kron(coarse, np.ones((1, 1, 8, 8), dtype=np.float32)))
    print("| features | largest difference, spreads | convolutions shortened | images a second | on the processor |")
    print("|---|---|---|---|---|")
    for specification in specifications:
        extractor = get(specification)
        here, slow = _through(extractor.to("cpu"), images[:BATCH], "cpu")
        extractor.to(device)
        shortened = _through(extractor, images[:BATCH], device, whole=False)[0]
        there, fast = _through(extractor, images, device)
        spread = np.maximum(here.std(axis=0), 1e-6)
        off = [float((np.abs(here - found[:BATCH]) / spread).max()) for found in (there, shortened)]
        print(
            f"| {extractor.name} | {off[0]:.1e} | {off[1]:.1e} | {IMAGES / fast:,.0f} | {BATCH / slow:,.0f} |",
            flush=True,
        )


def neighbours(rows: int, width: int, device: str, first: Sequence[str]) -> None:
    """The table of neighbours."""
    rng = np.random.default_rng(0)
    spread = (np.arange(1, width + 1) ** -0.5).astype(np.float32)
    queries, points = (rng.standard_normal((rows, width), dtype=np.float32) * spread for _ in range(2))
    here = nearest(queries[:CHECKED], points, K)
    radii = here.distances[:, -1].mean() * np.ones(rows)
    counts = ball_counts(queries[:CHECKED], points, radii)
    room = torch.cuda.mem_get_info(device)[0] // 2 if torch.device(device).type == "cuda" else 1 << 30
    print(f"\n| {rows:,} x {rows:,} x {width} | seconds | of the products alone | the processor's values |")
    print("|---|---|---|---|")
    names = dict.fromkeys(("float32", *first))
    alone = {name: _timed(_products(queries, points, name, device), device) for name in names}
    for name in alone:
        print(f"| products in {name} | {alone[name]:.2f} | | |", flush=True)
    for name in first:
        found, seconds = _kept(
            lambda name=name: nearest(queries, points, K, memory=room, screening=name, device=device), device
        )
        same = np.array_equal(found.distances[:CHECKED], here.distances) and np.array_equal(
            found.indices[:CHECKED], here.indices
        )
        print(
            f"| nearest, {name} first | {seconds:.2f} | {seconds / alone[name]:.1f} times | {_said(same)} |", flush=True
        )
    within, seconds = _kept(lambda: nearest(points, points, K, exclude_self=True, memory=room, device=device), device)
    twice = nearest(points[:CHECKED], points, K + 1)
    same = np.array_equal(within.distances[:CHECKED], twice.distances[:, 1:])
    print(
        f"| a set within itself | {seconds:.2f} | {seconds / alone['float32']:.1f} times | {_said(same)} |", flush=True
    )
    counted, seconds = _kept(lambda: ball_counts(queries, points, radii, memory=room, device=device).containing, device)
    same = np.array_equal(counted[:CHECKED], counts.containing)
    print(f"| counts in balls | {seconds:.2f} | {seconds / alone['float32']:.1f} times | {_said(same)} |", flush=True)


def _through(
    extractor: torch.nn.Module, images: torch.Tensor, device: str, whole: bool = True
) -> tuple[np.ndarray, float]:
    def run() -> np.ndarray:
        with torch.inference_mode(), whole_float32() if whole else nullcontext():
            return np.concatenate([extractor(batch.to(device)).numpy(force=True) for batch in images.split(BATCH)])

    return _kept(run, device)


def _products(queries: np.ndarray, points: np.ndarray, name: str, device: str) -> Callable[[], None]:
    kind = torch.bfloat16 if name == "bfloat16" else torch.float32
    left, right = (torch.from_numpy(rows).to(device, kind) for rows in (queries, points))

    def run() -> None:
        torch.backends.cuda.matmul.allow_tf32 = name == "tf32"
        for some in left.split(8192):
            some @ right.T
        torch.backends.cuda.matmul.allow_tf32 = False

    run()
    return run


def _timed(run: Callable[[], object], device: str) -> float:
    _wait(device)
    begun = time.perf_counter()
    run()
    _wait(device)
    return time.perf_counter() - begun


def _kept(run: Callable[[], object], device: str) -> tuple[object, float]:
    found: list[object] = []
    seconds = _timed(lambda: found.append(run()), device)
    return found[0], seconds


def _wait(device: str) -> None:
    if torch.device(device).type != "cpu":
        getattr(torch, torch.device(device).type).synchronize()


def _name(device: str) -> str:
    return torch.cuda.get_device_name(device) if torch.device(device).type == "cuda" else device


def _said(same: bool) -> str:
    return "equal" if same else "NOT EQUAL"


if __name__ == "__main__":
    main()
