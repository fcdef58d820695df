"""What the screen of a release lets through: leaks planted into pools whose honest part is known.

python benchmarks/screen.py [--trials 200] [--thorough]

Chest phantoms of 32 x 32 pixels. Each trial deals patients of one world anew: 150 train, 120 calibrate, and images of
others again are the honest part of a pool of 300. Two pools a trial: one with 1 % copies of training images, each under
one of the ordinary transforms of the audit, and one that shows a single training patient 50 times, changed each time as
another visit would change it: turned, brightened and made noisy. Five of the twelve representations, no registration
and no networks; with --thorough every representation and registration, at a minute or more a trial.
"""

from __future__ import annotations

import argparse
import time
from collections import Counter
from dataclasses import replace

import numpy as np

from fourfold.images import ImageSet, Preparation
from fourfold.images.phantoms import Phantoms, phantoms
from fourfold.privacy import DISGUISES, FURTHER, ORDINARY, REPRESENTATIONS
from fourfold.releasing.screen import Screened, ScreenOptions, screen
from fourfold.statistics import clopper_pearson

SIZE, TRAINING, CALIBRATION, POOL = 32, 150, 120, 300
COPIES, REPEATS = 3, 50
WORLD = 1200

_QUICK = ("correlation", "coarse local contrast", "turned, mirrored or inverted", "motions", "large motions")
_VISIT = next(one for one in DISGUISES if one.name == "rotation, brightness and noise")


def as_set(images: np.ndarray, name: str, patients: np.ndarray | None = None) -> ImageSet:
    found = ImageSet.from_array(images, name=name, patients=None if patients is None else list(patients))
    return replace(found, preparation=Preparation("range", 0.0, 1.0, images.shape[2:], images.shape[1]))


def options(thorough: bool) -> ScreenOptions:
    # Registration, which follows from what leads propose, takes most of the time of a search.
    quick = tuple(replace(one, leads=0) for one in (*REPRESENTATIONS, *FURTHER) if one.name in _QUICK)
    chosen = ScreenOptions().representations if thorough else quick
    return ScreenOptions(representations=chosen, networks=(), embeddings=("local contrast",), sources=8)


def dealt(world: Phantoms, rng: np.random.Generator) -> tuple[Phantoms, Phantoms, np.ndarray]:
    """Training and calibration patients, and one image each of others."""
    patients = rng.permutation(np.unique(world.patients))
    rows = [np.flatnonzero(np.isin(world.patients, patients[start:stop])) for start, stop in _CUTS]
    order = rng.permutation(rows[2])
    others = order[np.unique(world.patients[order], return_index=True)[1]]
    return world.take(rows[0]), world.take(rows[1]), world.images[rng.permutation(others)[:POOL]]


_CUTS = ((0, TRAINING), (TRAINING, TRAINING + CALIBRATION), (TRAINING + CALIBRATION, WORLD))


def copies(training: Phantoms, pool: np.ndarray, rng: np.random.Generator) -> tuple[np.ndarray, list[str]]:
    """The pool with its first images replaced by disguised copies, and the names of the disguises."""
    leaking, names = pool.copy(), []
    for row, source in enumerate(rng.permutation(len(training))[:COPIES]):
        disguise = ORDINARY[rng.integers(len(ORDINARY))]
        leaking[row] = disguise.apply(training.images[[source]], pool[[row]], rng)[0]
        names.append(disguise.name)
    return leaking, names


def crowd(training: Phantoms, pool: np.ndarray, rng: np.random.Generator) -> tuple[np.ndarray, list[str]]:
    """The pool with its first images replaced by one patient, again and again."""
    leaking = pool.copy()
    own = np.flatnonzero(training.patients == rng.choice(np.unique(training.patients)))
    sources = training.images[rng.choice(own, REPEATS)]
    leaking[:REPEATS] = _VISIT.apply(sources, pool[:REPEATS], rng)
    return leaking, ["one patient"] * REPEATS


def told(name: str, passed: int, planted: int) -> str:
    low, high = clopper_pearson(passed, planted)
    return f"{name:34s} {passed:6d} of {planted:6d}   {passed / planted:6.1%}   [{low:.1%}, {high:.1%}]"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--trials", type=int, default=200)
    parser.add_argument("--thorough", action="store_true")
    asked = parser.parse_args()
    chosen = options(asked.thorough)
    world = phantoms("chest", WORLD, images_per_patient=(1, 2), size=SIZE, seed=21)
    kinds, planted, passed = ("copies", "one patient"), Counter(), Counter()
    by_name, missed, honest, false, capped = (Counter(), Counter()), [], [], [], 0
    began = time.perf_counter()
    for trial in range(asked.trials):
        rng = np.random.default_rng([trial, 77])
        training, calibration, pool = dealt(world, rng)
        sets = (
            as_set(training.images, "training", training.patients),
            as_set(calibration.images, "calibration", calibration.patients),
        )
        for kind, plant in zip(kinds, (copies, crowd), strict=True):
            leaking, names = plant(training, pool, rng)
            found: Screened = screen(as_set(leaking, "candidates"), *sets, options=chosen, seed=trial)
            through = found.accepted[: len(names)]
            planted[kind] += len(names)
            passed[kind] += int(through.sum())
            if kind == "copies":
                by_name[0].update(names)
                by_name[1].update(name for name, out in zip(names, through, strict=True) if out)
            veto = found.figures["veto"]
            missed.append(veto["miss_rate"]["value"])
            capped += veto["limited_by_false_veto"]
            honest.append(found.accepted[len(names) :].mean())
            false.append(found.vetoed[len(names) :].mean())
    seconds = time.perf_counter() - began
    print(f"{asked.trials} trials, {seconds / asked.trials:.1f} s each; planted leaks that are accepted:")
    for kind in kinds:
        print(told(kind, passed[kind], planted[kind]))
    for name in sorted(by_name[0]):
        print("  " + told(name, by_name[1][name], by_name[0][name]))
    print(
        f"asked for: at most {chosen.miss_rate:.0%} of near-duplicates missed, {chosen.false_veto:.0%} of fresh vetoed"
    )
    print(f"measured by the screens themselves: missed {np.mean(missed):.1%}, threshold capped in {capped} screens")
    print(f"honest candidates: vetoed {np.mean(false):.2%}, accepted {np.mean(honest):.1%}")


if __name__ == "__main__":
    main()
