"""Sanity checks of fidelity and variety metrics on sets whose truth is known.

python benchmarks/sanity.py [--images 300] [--repeats 2] [--width 8]

The checks follow the ideas of Raisa, van Breugel & van der Schaar 2025 ("Position: all current generative fidelity and
diversity metrics are flawed", ICML), written anew, smaller, and read our way: not the bare value is judged but its
ratio to what a fresh real sample of the same size scores, so that "near 1" means "as good as real". Each check is a
ladder of pairs of sets with a criterion on the curve of ratios; near means within 0.1, a fall is one of 0.2 at least.
It is for metrics between 0 and 1; distances have no upper end that a check could ask for.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np

from fourfold.fidelity import alpha_precision, clipped_density, density, precision, topological_precision
from fourfold.variety import beta_recall, clipped_coverage, coverage, recall, topological_recall

NEAR = 0.1
FALL = 0.2

Sets = tuple[np.ndarray, np.ndarray, np.ndarray]
Ladder = Callable[[np.random.Generator, int, int], list[Sets]]
Criterion = Callable[[np.ndarray], bool]
Measure = Callable[[np.ndarray, np.ndarray], float]

FIDELITY: Mapping[str, Measure] = {
    "precision": precision,
    "density": density,
    "clipped_density": clipped_density,
    "alpha_precision": lambda real, made: alpha_precision(real, made).by_step,
    "topological_precision": topological_precision,
}
VARIETY: Mapping[str, Measure] = {
    "recall": recall,
    "coverage": coverage,
    "clipped_coverage": clipped_coverage,
    "beta_recall": lambda real, made: beta_recall(real, made).by_step,
    "topological_recall": topological_recall,
}


@dataclass(frozen=True)
class Check:
    """A ladder of real, fresh real and synthetic sets, and what the curve of ratios should look like.

    Parameters
    ----------
    ladder : callable
        Random generator, images and features to the rungs.
    fidelity, variety : callable
        Ratios of the rungs, shape (rungs,), to whether they are as they should be.
    expected : str
        The same in words.
    """

    ladder: Ladder
    fidelity: Criterion
    variety: Criterion
    expected: str


def one(value: float) -> bool:
    """Near 1: as good as real."""
    return bool(abs(value - 1) <= NEAR)


def none(value: float) -> bool:
    """Near 0."""
    return bool(abs(value) <= NEAR)


def flat(curve: np.ndarray) -> bool:
    """Nowhere more than 0.1 apart."""
    return bool(np.ptp(curve) <= NEAR)


def bell(curve: np.ndarray) -> bool:
    """1 in the middle, 0 at both ends."""
    return none(curve[0]) and one(curve[len(curve) // 2]) and none(curve[-1])


def falling(curve: np.ndarray) -> bool:
    """1 first, then lower, nowhere more than 0.1 upwards."""
    return one(curve[0]) and curve[0] - curve[-1] >= FALL and bool((np.diff(curve) <= NEAR).all())


def rising_to_one(curve: np.ndarray) -> bool:
    """Falling, read from the other end."""
    return falling(curve[::-1])


def one_throughout(curve: np.ndarray) -> bool:
    """As good as real on every rung."""
    return bool(np.all([one(value) for value in curve]))


def none_throughout(curve: np.ndarray) -> bool:
    """0 on every rung."""
    return bool(np.all([none(value) for value in curve]))


def normal(rng: np.random.Generator, n: int, d: int, mean: float = 0.0, spread: float = 1.0) -> np.ndarray:
    return mean + spread * rng.normal(size=(n, d))


def shifted(rng: np.random.Generator, n: int, d: int) -> list[Sets]:
    means = np.array([-3, -1, 0, 1, 3]) * np.sqrt(8 / d)
    return [(normal(rng, n, d), normal(rng, n, d), normal(rng, n, d, mean)) for mean in means]


def shifted_beside_outlier(which: int) -> Ladder:
    """A single outlier, where the shift ends, in the real (0) or in the synthetic set (2)."""

    def ladder(rng: np.random.Generator, n: int, d: int) -> list[Sets]:
        found = []
        for sets in shifted(rng, n, d):
            changed = list(sets)
            changed[which] = np.concatenate([changed[which], np.full((1, d), 3 * np.sqrt(8 / d))])
            found.append(tuple(changed))
        return found

    return ladder


def spread_out(rng: np.random.Generator, n: int, d: int) -> list[Sets]:
    return [
        (normal(rng, n, d), normal(rng, n, d), normal(rng, n, d, spread=spread)) for spread in (0.1, 0.4, 1.0, 2.5, 10)
    ]


def modes(rng: np.random.Generator, n: int, d: int, weights: np.ndarray, gap: float = 10.0) -> np.ndarray:
    """Modes of spread 1 on the diagonal, `gap` apart along every axis."""
    chosen = rng.choice(len(weights), n, p=weights / weights.sum())
    return gap * chosen[:, None] + rng.normal(size=(n, d))


def modes_thinned(rng: np.random.Generator, n: int, d: int) -> list[Sets]:
    whole = np.ones(5)
    thin = [np.array([1, *4 * (1 - share,)]) for share in (0, 0.5, 0.8, 0.95, 1)]
    return [(modes(rng, n, d, whole), modes(rng, n, d, whole), modes(rng, n, d, weights)) for weights in thin]


def modes_dropped(rng: np.random.Generator, n: int, d: int) -> list[Sets]:
    whole = np.ones(5)
    return [
        (modes(rng, n, d, whole), modes(rng, n, d, whole), modes(rng, n, d, np.ones(left))) for left in (5, 4, 3, 2, 1)
    ]


def modes_invented(rng: np.random.Generator, n: int, d: int) -> list[Sets]:
    whole = np.ones(3)
    return [
        (modes(rng, n, d, whole), modes(rng, n, d, whole), modes(rng, n, d, np.ones(made))) for made in (1, 2, 3, 4, 6)
    ]


def on_spheres(rng: np.random.Generator, n: int, d: int) -> list[Sets]:
    def surface(radius: float) -> np.ndarray:
        points = rng.normal(size=(n, 2 * d))
        return radius * points / np.linalg.norm(points, axis=1, keepdims=True)

    return [(surface(1), surface(1), surface(radius)) for radius in (0.1, 0.6, 1, 1.4, 1.9)]


def overlapping_cubes(rng: np.random.Generator, n: int, d: int) -> list[Sets]:
    offset = 1 - 0.2 ** (1 / d)
    return [
        (rng.random((size, d)), rng.random((size, d)), offset + rng.random((size, d))) for size in (n // 4, n, 2 * n)
    ]


def overlapping_cubes_by_synthetic_size(rng: np.random.Generator, n: int, d: int) -> list[Sets]:
    offset = 1 - 0.2 ** (1 / d)
    return [(rng.random((n, d)), rng.random((size, d)), offset + rng.random((size, d))) for size in (n // 2, n, 2 * n)]


def sphere_in_torus(real_is_torus: bool) -> Ladder:
    """A ball in the hole of a ring: they share no point, and nearest neighbours of a few jump the gap."""

    def ball(rng: np.random.Generator, n: int) -> np.ndarray:
        points = rng.normal(size=(n, 3))
        return 0.8 * points / np.linalg.norm(points, axis=1, keepdims=True) * rng.random((n, 1)) ** (1 / 3)

    def ring(rng: np.random.Generator, n: int) -> np.ndarray:
        around, about = 2 * np.pi * rng.random((2, n))
        wide = 2.0 + 1.0 * np.cos(about)
        return np.stack([wide * np.cos(around), wide * np.sin(around), np.sin(about)], axis=1)

    def ladder(rng: np.random.Generator, n: int, d: int) -> list[Sets]:
        real, made = (ring, ball) if real_is_torus else (ball, ring)
        return [(real(rng, n), real(rng, size), made(rng, size)) for size in (n // 2, n, 2 * n)]

    return ladder


def one_for_two_modes(rng: np.random.Generator, n: int, d: int) -> list[Sets]:
    """One mode with the mean and the variance of two."""

    def two(gap: float) -> np.ndarray:
        return modes(rng, n, d, np.ones(2), gap) - gap / 2

    return [(two(gap), two(gap), normal(rng, n, d, spread=np.sqrt(1 + gap**2 / 4))) for gap in (0, 1, 2, 4, 6)]


def one_axis_scaled(rng: np.random.Generator, n: int, d: int) -> list[Sets]:
    """Apart along one axis; the unit of the other axis should not matter."""
    found = []
    for scale in (1e-3, 1, 1e3):
        unit = np.array([1, scale])
        made = normal(rng, n, 2) + np.array([6, 0])
        found.append((unit * normal(rng, n, 2), unit * normal(rng, n, 2), unit * made))
    return found


def shifted_beside_heavy_tail(rng: np.random.Generator, n: int, d: int) -> list[Sets]:
    """A shift along one axis, a Pareto law along another."""

    def law(mean: float) -> np.ndarray:
        return np.stack([mean + rng.normal(size=n), 1 + rng.pareto(1.0, n)], axis=1)

    return [(law(0), law(0), law(mean)) for mean in (-6, -2, 0, 2, 6)]


def one_axis_of_many(rng: np.random.Generator, n: int, d: int) -> list[Sets]:
    """Apart along one axis of 2, 30 and 300."""
    found = []
    for width in (2, 30, 300):
        made = normal(rng, n, width)
        made[:, 0] += 6
        found.append((normal(rng, n, width), normal(rng, n, width), made))
    return found


def rounded(which: int) -> Ladder:
    """One set of whole numbers, the other between them, on ever finer steps."""

    def ladder(rng: np.random.Generator, n: int, d: int) -> list[Sets]:
        found = []
        for scale in (2, 20, 200):
            sets = [scale * rng.normal(size=(n, 1)) for _ in range(3)]
            for place in (0, 1) if which == 0 else (2,):
                sets[place] = np.round(sets[place])
            found.append(tuple(sets))
        return found

    return ladder


def _narrow_to_wide_fidelity(curve: np.ndarray) -> bool:
    return one(curve[0]) and one(curve[2]) and none(curve[-1])


def _narrow_to_wide_variety(curve: np.ndarray) -> bool:
    return none(curve[0]) and one(curve[2]) and (one(curve[-1]) or none(curve[-1]))


def _invented_fidelity(curve: np.ndarray) -> bool:
    return one_throughout(curve[:3]) and falling(curve[2:])


def _invented_variety(curve: np.ndarray) -> bool:
    return rising_to_one(curve[:3]) and one_throughout(curve[2:])


def _a_fifth(curve: np.ndarray) -> bool:
    return bool(abs(curve[-1] - 0.2) <= NEAR / 2)


def _falling_or_one(curve: np.ndarray) -> bool:
    return falling(curve) or one_throughout(curve)


CHECKS: Mapping[str, Check] = {
    "mean shifted": Check(shifted, bell, bell, "1 unshifted, 0 at both ends"),
    "mean shifted, a real outlier": Check(shifted_beside_outlier(0), bell, bell, "as without it"),
    "mean shifted, a synthetic outlier": Check(shifted_beside_outlier(2), bell, bell, "as without it"),
    "narrow to wide": Check(
        spread_out,
        _narrow_to_wide_fidelity,
        _narrow_to_wide_variety,
        "fidelity 1 while narrow, 0 wide; variety 0 narrow, 1 equal, 0 or 1 wide",
    ),
    "modes thinned together": Check(modes_thinned, one_throughout, falling, "fidelity 1, variety falls"),
    "modes dropped one by one": Check(modes_dropped, one_throughout, falling, "fidelity 1, variety falls"),
    "modes dropped, then invented": Check(
        modes_invented, _invented_fidelity, _invented_variety, "fidelity 1, then falls; variety rises to 1, stays"
    ),
    "one mode for two": Check(one_for_two_modes, falling, _falling_or_one, "fidelity falls; variety falls or stays 1"),
    "surfaces of spheres": Check(on_spheres, bell, bell, "1 at the same radius, 0 at others"),
    "cubes that share a fifth": Check(overlapping_cubes, _a_fifth, _a_fifth, "0.2 with many images"),
    "the same, more synthetic": Check(overlapping_cubes_by_synthetic_size, _a_fifth, _a_fifth, "0.2"),
    "ring around a ball": Check(sphere_in_torus(False), none_throughout, none_throughout, "0: they share nothing"),
    "ball within a ring": Check(sphere_in_torus(True), none_throughout, none_throughout, "0: they share nothing"),
    "unit of one axis": Check(one_axis_scaled, none_throughout, none_throughout, "0 whatever the unit"),
    "shift beside a heavy tail": Check(shifted_beside_heavy_tail, bell, bell, "1 unshifted, 0 at both ends"),
    "one axis apart of many": Check(one_axis_of_many, none_throughout, none_throughout, "0 however many"),
    "real whole numbers": Check(
        rounded(0),
        none_throughout,
        _falling_or_one,
        "fidelity 0 (synthetic ones lie between); variety falls or stays 1",
    ),
    "synthetic whole numbers": Check(
        rounded(2), one_throughout, none_throughout, "fidelity 1; variety 0: nothing between them"
    ),
}


def ratios(check: Check, measure: Measure, images: int, width: int, repeats: int = 1) -> np.ndarray:
    """The value on every rung over that of a fresh real sample, mean over repeats."""
    curves = []
    for repeat in range(repeats):
        rungs = check.ladder(np.random.default_rng([repeat, 5]), images, width)
        curves.append([measure(real, made) / measure(real, fresh) for real, fresh, made in rungs])
    return np.mean(curves, axis=0)


def passes(check: Check, metric: str, images: int, width: int = 8, repeats: int = 1) -> bool:
    """Whether a metric behaves on a check as it should."""
    measures, criterion = (FIDELITY, check.fidelity) if metric in FIDELITY else (VARIETY, check.variety)
    return bool(criterion(ratios(check, measures[metric], images, width, repeats)))


def outcomes(images: int, width: int = 8, repeats: int = 1) -> dict[tuple[str, str], bool]:
    """Whether each metric passes each check, by (check, metric)."""
    return {
        (name, metric): passes(check, metric, images, width, repeats)
        for name, check in CHECKS.items()
        for metric in (*FIDELITY, *VARIETY)
    }


def table(found: Mapping[tuple[str, str], bool]) -> str:
    """Markdown: a row a check, a column a metric."""
    names = [*FIDELITY, *VARIETY]
    lines = [
        "| check | expected | " + " | ".join(names) + " |",
        "|---|---|" + "---|" * len(names),
    ]
    for check in CHECKS:
        marks = ["pass" if found[check, name] else "**fail**" for name in names]
        lines.append(f"| {check} | {CHECKS[check].expected} | " + " | ".join(marks) + " |")
    passed = [sum(found[check, name] for check in CHECKS) for name in names]
    lines.append(f"| *passed of {len(CHECKS)}* | | " + " | ".join(map(str, passed)) + " |")
    return "\n".join(lines) + "\n"


def main() -> None:
    """Print the matrix and the curves behind it."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--images", type=int, default=300)
    parser.add_argument("--repeats", type=int, default=2)
    parser.add_argument("--width", type=int, default=8, help="features")
    options = parser.parse_args()
    for name, check in CHECKS.items():
        for metric, measure in {**FIDELITY, **VARIETY}.items():
            curve = ratios(check, measure, options.images, options.width)
            print(f"{name:<36}{metric:<24}", *(f"{value:6.2f}" for value in curve), flush=True)
    print(table(outcomes(options.images, options.width, options.repeats)))


if __name__ == "__main__":
    main()
