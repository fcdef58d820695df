"""Error rates and power of the test of predicate singling out: releases whose leak is known.

python benchmarks/singling_out.py [--quick] [--sets 200]

A mixture of Gaussians in 12 dimensions, 400 training persons, 400 holdout persons and 400 synthetic images; radii are
calibrated on 40 000 persons, and on the other training and holdout persons, as an audit without a reference set does.
"""

from __future__ import annotations

import argparse
import time

import numpy as np

from fourfold.privacy.isolation import GRID, adjusted
from fourfold.privacy.person_labels import SinglingOut, isolation_test
from fourfold.privacy.predicates import nearest_persons
from fourfold.statistics import difference_bound

DIMENSION = 12
CENTRES = 8
SIZES = ((400, 400, 400), (150, 150, 1000), (100, 500, 400), (500, 100, 400))


class Population:
    """Persons of a mixture of Gaussians."""

    def __init__(self, seed: int) -> None:
        self.rng = np.random.default_rng([seed, DIMENSION])
        self.centres = self.rng.normal(0, 1.5, (CENTRES, DIMENSION))

    def draw(self, size: int) -> np.ndarray:
        """Fresh persons, shape (size, 12)."""
        return self.centres[self.rng.integers(0, CENTRES, size)] + self.rng.normal(size=(size, DIMENSION))

    def copies(self, training: np.ndarray, size: int, share: float, noise: float) -> np.ndarray:
        """Fresh persons, a share of which are training persons with noise."""
        synthetic = self.draw(size)
        copied = round(share * size)
        rows = self.rng.integers(0, len(training), copied)
        synthetic[:copied] = training[rows] + noise * self.rng.normal(size=(copied, DIMENSION))
        return synthetic

    def rejected(self, training: np.ndarray, size: int, share: float) -> np.ndarray:
        """Fresh persons, the nearest share to the training set left out."""
        candidates = self.draw(4 * size)
        near = nearest_persons(candidates, training, np.arange(len(training)), 1).distances[:, 0]
        return candidates[near > np.quantile(near, share)][:size]


def releases(population: Population, training: np.ndarray, size: int) -> dict[str, np.ndarray]:
    """Synthetic sets by what they leak."""
    return {
        "independent draws": population.draw(size),
        "5 % noisy copies": population.copies(training, size, 0.05, 0.2),
        "20 % noisy copies": population.copies(training, size, 0.2, 0.2),
        "every one a coarse perturbation": population.copies(training, size, 1.0, 0.45),
        "nearest 30 % to training rejected": population.rejected(training, size, 0.3),
    }


def written(found: SinglingOut) -> str:
    """Isolation of training and holdout persons by weight, with p-values of both tails."""
    cells = [f"{one.training:.3f}/{one.holdout:.3f} ({one.p_upper:.4f} {one.p_lower:.4f})" for one in found.cells]
    return "  ".join([*cells, f"{found.nearest.share:.2f} ({found.nearest.p_upper:.4f})"])


def table(persons: int, calibrating: int) -> None:
    population = Population(0)
    training, holdout = population.draw(persons), population.draw(persons)
    reference = population.draw(calibrating)
    baselines = "  ".join(f"{f'nw = {nw:g}':29s}" for nw in GRID)
    synthetic_sets = releases(population, training, persons)
    for name, given in ((f"{calibrating} other persons", reference), ("the other persons", None)):
        print(f"\nradii from {name}: isolated training/holdout (p upper, lower)\n{'':34s} {baselines}  nearest person")
        for release, synthetic in synthetic_sets.items():
            found = isolation_test(synthetic, training, holdout, reference=given, labels=399)
            print(f"{release:34s} {written(found)}", flush=True)
        print(f"{'luck at that weight':34s} " + "  ".join(f"{one.baseline:<29.3f}" for one in found.cells))


def null(n: int, h: int, m: int, sets: int) -> str:
    """How often the test calls out where nothing leaks."""
    p, excess, below, above = [], [], 0, 0
    for seed in range(sets):
        population = Population(1000 + seed)
        found = isolation_test(population.draw(m), population.draw(n), population.draw(h), labels=199, seed=seed)
        upper, lower = adjusted(found.cells)
        p.append([found.cells[0].p_upper, found.deciding.p_upper, upper.min(), lower.min(), found.nearest.p_upper])
        excess.append(found.deciding.training - found.deciding.holdout)
        sizes = [int(size) for size in found.sizes]
        shares = (found.deciding.training, found.deciding.holdout)
        main, control = ((min(round(share * k), k), k) for share, k in zip(shares, sizes, strict=True))
        below += difference_bound(main, control, 0.95, "upper") < 0
        above += difference_bound(main, control, 0.95, "lower") > 0
    rates = " ".join(f"{rate:9.3f}" for rate in np.mean(np.array(p) <= 0.05, axis=0))
    return f"{f'{n} : {h}, {m} images':26s} {rates} {np.mean(excess):9.4f} {below / sets:9.3f} {above / sets:9.3f}"


def power(n: int, h: int, m: int, share: float, sets: int) -> str:
    """How often copies are found, and with what excess."""
    called, excess = 0, []
    for seed in range(sets):
        population = Population(2000 + seed)
        training, holdout = population.draw(n), population.draw(h)
        found = isolation_test(population.copies(training, m, share, 0.2), training, holdout, labels=199, seed=seed)
        called += adjusted(found.cells)[0].min() <= 0.05
        excess.append(found.deciding.training - found.deciding.holdout)
    return (
        f"{f'{n} : {h}, {m} images':26s} {share:9.2f} {called / sets:9.3f} {np.mean(excess):9.3f} {np.std(excess):9.3f}"
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="few sets: shows that it runs")
    parser.add_argument("--sets", type=int, default=200, help="null sets of each kind; a fifth as many with copies")
    options = parser.parse_args()
    sets = 5 if options.quick else options.sets
    started = time.perf_counter()
    table(150 if options.quick else 400, 4_000 if options.quick else 40_000)
    print(f"\nnothing leaks, {sets} sets of each: share called at 5 %, mean excess at nw = 0.1, and its 95 % bounds")
    heads = ("nw = 1", "nw = 0.1", "grid", "avoidance", "nearest", "excess", "upper < 0", "lower > 0")
    print(f"{'training : holdout':26s} " + " ".join(f"{head:>9s}" for head in heads))
    for n, h, m in SIZES:
        print(null(n, h, m, sets), flush=True)
    print(f"\ncopies, {max(1, sets // 5)} sets of each: share called at 5 % over the grid, excess at nw = 0.1")
    print(f"{'training : holdout':26s} " + " ".join(f"{head:>9s}" for head in ("copies", "called", "excess", "s.d.")))
    for n, h, m in SIZES:
        for share in (0.05, 0.2, 1.0):
            print(power(n, h, m, share, max(1, sets // 5)), flush=True)
    print(f"\n{time.perf_counter() - started:.0f} s")


if __name__ == "__main__":
    main()
