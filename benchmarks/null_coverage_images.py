"""How often the 95 % interval of a fresh real set holds its null, for metrics that look at images or at every space.

python benchmarks/null_coverage_images.py --metrics fidelity/outside_share privacy/membership ... [--draws 200]

The features and patients are those of `null_coverage`; beside them each image is drawn as 16 x 16 pixels: a smooth blob
whose size and strength belong half to the patient and half to the image, under noise. One image in ten is blank, as
the outer slices of scans are, so that real sets share images. Images and features are drawn apart, which no metric
asked here minds. Runs, resumes and prints as `null_coverage` does; a list of scores counts by its first.
"""

from __future__ import annotations

import argparse
import json
import time
from pathlib import Path

import null_coverage as features
import numpy as np

from fourfold.comparison import Comparison, Sets, Spaces
from fourfold.images import ImageSet, prepare
from fourfold.score import Metric, Score, metrics

SIDE = 16
BLANK = 0.1
ROLES = ("training", "holdout", "synthetic")


def main() -> None:
    """Run what is missing and print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--metrics", nargs="+", required=True)
    parser.add_argument("--draws", type=int, default=200)
    parser.add_argument("--images", type=int, default=250, help="in training, holdout and synthetic set")
    parser.add_argument("--out", type=Path, default=Path("null_coverage"))
    parser.add_argument("--minutes", type=float, default=float("inf"))
    options = parser.parse_args()
    folder = options.out / "patients"
    folder.mkdir(parents=True, exist_ok=True)
    asked = [metric for metric in metrics() if metric.kind != "features" and metric.key in options.metrics]
    until = time.monotonic() + 60 * options.minutes
    for metric in asked:
        file = features.file_of(folder, metric, options.images)
        for draw in range(len(features.known_in(file)), options.draws):
            if time.monotonic() > until:
                break
            found = metric.compute(drawn(metric, draw, options.images))
            score = found if isinstance(found, Score) else found[0]
            with file.open("a", encoding="utf-8") as opened:
                opened.write(json.dumps(features.outcome_of(score)) + "\n")
    print(features.table(asked, folder, options.images))


def drawn(metric: Metric, draw: int, images: int) -> Sets | Spaces:
    """Training, holdout and a fresh synthetic set, its patients known, as the metric takes them."""
    comparison = features.drawn(metric, draw, images, "patients")
    rng = np.random.default_rng([draw, images, 18])
    sets = Sets(**prepare({role: _pictures(comparison, role, rng) for role in ROLES}, scaling="0:1"), seed=draw)
    return sets if metric.kind == "images" else Spaces(sets, {comparison.space: comparison})


def _pictures(comparison: Comparison, role: str, rng: np.random.Generator) -> ImageSet:
    names = comparison.set(role).patients
    _, owners = np.unique(names, return_inverse=True)
    shape = (2, len(names), 1, 1)
    own, patient = rng.normal(size=shape), rng.normal(size=shape)[:, owners]
    size, strength = np.exp(np.array([-0.7, -0.8]).reshape(2, 1, 1, 1) + 0.2 * np.sqrt(0.5) * (own + patient))
    y, x = np.mgrid[-1 : 1 : SIDE * 1j, -1 : 1 : SIDE * 1j]
    pictures = 0.2 + strength * np.exp(-(x**2 + y**2) / size**2) + 0.02 * rng.normal(size=(len(names), SIDE, SIDE))
    pictures[rng.random(len(names)) < BLANK] = 0.0
    values = np.clip(pictures, 0, 1).astype(np.float32)[:, None]
    return ImageSet.from_array(values, name=role, patients=list(map(str, names)))


if __name__ == "__main__":
    main()
