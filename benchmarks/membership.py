"""Error rates of the membership audit: null sets that copy nobody, and sets that copy some.

python benchmarks/membership.py [--quick] [--sets 200]

Every set is drawn with a seed of its own. The null sets differ in the sizes of training and holdout set, in the number
of images a patient, and in heavy-tailed features that were standardised by the training set. `picked here` is the area
of the attack that is best on the very patients it is reported on: what choosing and reporting in one place would claim.
"""

from __future__ import annotations

import argparse
import time
from dataclasses import dataclass

import numpy as np

from fourfold.comparison import Comparison, Features, Sets, Spaces
from fourfold.privacy.membership import all_attacks, first_half, membership
from fourfold.statistics import clopper_pearson, ranked_area

WIDTH = 24
SPECTRUM = np.arange(1, WIDTH + 1) ** -0.5


@dataclass(frozen=True)
class Case:
    """How many patients and images, and what share of the training patients is copied."""

    name: str
    training: int
    holdout: int
    synthetic: int
    images: int = 1
    tails: float = 0.0
    copied: float = 0.0
    noise: float = 0.3


NULLS = (
    Case("1:1", 120, 120, 150),
    Case("1:5", 60, 300, 150),
    Case("5:1", 300, 60, 150),
    Case("3 images a patient", 80, 80, 150, images=3),
    Case("heavy tails, standardised", 120, 120, 150, tails=1.2),
)
POWER = (
    Case("5 % copied, n = 200", 200, 200, 200, copied=0.05),
    Case("20 % copied, n = 200", 200, 200, 200, copied=0.2),
    Case("5 % copied, n = 800", 800, 800, 800, copied=0.05),
    Case("20 % copied, n = 800", 800, 800, 800, copied=0.2),
    Case("20 % copied, noise x3, n = 800", 800, 800, 800, copied=0.2, noise=0.9),
)


def drawn(case: Case, seed: int) -> Spaces:
    """One training, holdout and synthetic set; copies carry noise of `noise` of the typical nearest distance."""
    rng = np.random.default_rng([seed, case.training, case.holdout, case.images])

    def real(patients: int) -> np.ndarray:
        people = np.repeat(rng.normal(size=(patients, WIDTH)), case.images, axis=0)
        vectors = people * SPECTRUM
        if case.images > 1:
            vectors = vectors + 0.3 * rng.normal(size=people.shape) * SPECTRUM
        return np.exp(case.tails * 3 * vectors) if case.tails else vectors

    training, holdout = real(case.training), real(case.holdout)
    synthetic = real(-(-case.synthetic // case.images))[: case.synthetic]
    copied = rng.permutation(len(training))[: round(case.copied * len(training))]
    spread = case.noise * 0.7 * np.sqrt(np.mean(SPECTRUM**2))
    synthetic[: len(copied)] = training[copied] + spread * rng.normal(size=(len(copied), WIDTH))
    if case.tails:
        mean, scale = training.mean(axis=0), training.std(axis=0)
        training, holdout, synthetic = ((one - mean) / scale for one in (training, holdout, synthetic))
    owners = np.repeat(np.arange(case.training + case.holdout), case.images)
    comparison = Comparison(
        "features",
        Features(training.astype(np.float32), owners[: len(training)]),
        Features(synthetic.astype(np.float32)),
        Features(holdout.astype(np.float32), owners[len(training) :]),
        seed=seed,
    )
    return Spaces(Sets(None, None), {"features": comparison})  # type: ignore[arg-type]


def row(case: Case, sets: int) -> str:
    areas, covered, alarms, failed, picked, named, members, detected = [], 0, 0, 0, [], 0, 0, 0
    for seed in range(sets):
        spaces = drawn(case, seed)
        score = membership(spaces)
        area, *rate = score.details["endpoints"]
        estimate, error = area["estimate"], area["standard_error"]
        areas.append(estimate)
        covered += abs(estimate - 0.5) <= 1.96 * error
        alarms += estimate - 1.645 * error > 0.5
        failed += estimate - 1.645 * error > 0.6
        if rate:
            named, members = named + rate[0]["count"], members + rate[0]["size"]
            detected += clopper_pearson(rate[0]["count"], rate[0]["size"], 0.9)[0] > 0.01
        given = all_attacks(spaces)
        second = ~first_half(given.patients, given.members, seed)
        inside, outside = second & given.members, second & ~given.members
        picked.append(max(ranked_area(one[inside], one[outside]).value for one in given.scores.values()))
    named_share = f"{100 * named / members:6.2f} %" if members else "       -"
    detected_share = f"{detected / sets:7.3f}" if members else "      -"
    return (
        f"{case.name:32s} {np.mean(areas):6.3f} {np.std(areas):6.3f} {covered / sets:8.3f} {alarms / sets:7.3f} "
        f"{failed / sets:7.3f} {np.mean(picked):11.3f} {named_share} {detected_share}"
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="few sets: shows that it runs")
    parser.add_argument("--sets", type=int, default=40, help="null sets of each kind; a fifth as many with copies")
    options = parser.parse_args()
    sets = 5 if options.quick else options.sets
    header = (
        f"{'':32s} {'area':>6s} {'s.d.':>6s} {'holds .5':>8s} {'> .5':>7s} {'> .6':>7s} {'picked here':>11s} "
        f"{'TPR@1 %':>8s} {'TPR>1 %':>7s}"
    )
    started = time.perf_counter()
    print("mean area, its spread, share of 95 % intervals that hold 0.5, share of one-sided 5 % tests that the area")
    print("exceeds 0.5 and 0.6, training patients named at 1 % false alarms, share of 5 % tests that this exceeds 1 %")
    for title, cases, count in (("null sets", NULLS, sets), ("sets with copies", POWER, max(1, sets // 5))):
        print(f"\n{title}, {count} of each\n{header}")
        for case in cases:
            print(row(case, count), flush=True)
    print(f"\n{time.perf_counter() - started:.0f} s")


if __name__ == "__main__":
    main()
