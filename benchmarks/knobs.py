"""What the knobs of drawing do to fidelity, variety and nearness to the training set.

    python benchmarks/knobs.py M --training T --holdout H --knob guidance=1,1.5,2.5,4 --knob temperature=0.8,0.9

Each row draws the same seeds under one setting and compares the images with the model's training set in 32 principal
components of radiomics: Frechet distance, precision (do they look real?), recall and coverage (do they cover what real
images look like?), and the ratio of the distance to the nearest training image and to the nearest of as many holdout
images (1 where nothing is memorised). The first row scores the holdout.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
from samplers import BATCH, Space, pixels, ratio

from fourfold.fidelity import frechet_distance, precision
from fourfold.generate.generator import Drawing
from fourfold.generate.models import Model, open_model
from fourfold.variety import coverage, recall

K = 5


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("model", type=Path)
    parser.add_argument("--training", type=Path, required=True)
    parser.add_argument("--holdout", type=Path, required=True)
    parser.add_argument("--root", type=Path, help="where the paths of the tables start")
    parser.add_argument("--images", type=int, default=400, help="images a row (400)")
    parser.add_argument("--knob", action="append", required=True, metavar="NAME=VALUE,...", help="settings to compare")
    options = parser.parse_args()
    model = open_model(options.model)
    training, holdout = (pixels(model, path, options.root) for path in (options.training, options.holdout))
    # Tables are often sorted by class; a part of the holdout must hold all of them.
    holdout = holdout[np.random.default_rng(0).permutation(len(holdout))]
    space = Space(training, "radiomics")
    real, unseen = space(training), space(holdout)
    print("| setting | Frechet distance | precision | recall | coverage | nearest training : holdout |")
    print("|---|---|---|---|---|---|")
    half = len(unseen) // 2
    row("*holdout*", real, unseen[: options.images], ratio(unseen[:half], real, unseen[half:]))
    for setting in options.knob:
        name, _, values = setting.partition("=")
        for value in map(float, values.split(",")):
            drawn = space(draw(model, Drawing(**{name.replace("-", "_"): value}), options.images))
            row(f"{name} {value:g}", real, drawn, ratio(drawn, real, unseen))


def row(title: str, real: np.ndarray, drawn: np.ndarray, nearness: float) -> None:
    scores = (
        frechet_distance(real, drawn), precision(real, drawn, K), recall(real, drawn, K), coverage(real, drawn, K),
    )  # fmt: skip
    print(f"| {title} | " + " | ".join(f"{score:.3f}" for score in scores) + f" | {nearness:.3f} |", flush=True)


def draw(model: Model, drawing: Drawing, count: int) -> np.ndarray:
    """Images of seeds 0, 1, ..., the same ones for every setting."""
    parts = []
    for first in range(0, count, BATCH):
        seeds = range(first, min(first + BATCH, count))
        parts.append(model.generator.draw(seeds, model.generator.conditioning.draw(seeds), drawing))
    return np.concatenate(parts)


if __name__ == "__main__":
    main()
