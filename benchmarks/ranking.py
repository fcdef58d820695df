"""How well tuned extractors rank distortions that they never saw: each kept back in turn, and two threes together.

    python benchmarks/ranking.py mobilenet:weights.npz --phantoms --out runs/ranking.json
    python benchmarks/ranking.py mobilenet:weights.npz --images ../shared/data/kermany_cxr_96 --out runs/ranking.json
        [--size 64] [--learn 120] [--held 60] [--triplets 2000] [--tests 1500] [--method mlp]

A kind that is kept back is in no triplet that is learned from; its relatives (other noises for noise) are. In the tests
of a single kind it stands against others that were seen; in those of a three, both images have one of the three. Images
learned from and judged by are of different patients, one image each. A kind is set against nine others, those whose
strengths do not depend on which relatives there are; intervals are 95 %, an image being one observation.

For each: the extractor as it is, with the small image beside it and nothing tuned, and tuned. Aim: above .9 tuned, from
about .7, for every kind, on phantoms and on films.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

import fourfold as ff
from fourfold.features import FeatureExtractor, get
from fourfold.features.perceptual import Triplets, Tuning, rank, ruled, tune
from fourfold.images import ImageSet, open_set, prepare, split_by_patient

JUDGED = ("shift", "rotation", "zoom", "blur", "noise", "contrast", "intensity", "gamma", "bias", "occlusion")
THREES = (("shift", "noise", "contrast"), ("rotation", "blur", "intensity"))


class Remembered(FeatureExtractor):
    """An extractor that computes each image once, since every tuning sees the same."""

    def __init__(self, extractor: FeatureExtractor) -> None:
        self.extractor = extractor
        self.name = extractor.name
        self._known: dict[bytes, Tensor] = {}

    def settings(self) -> dict[str, Any]:
        """Those of the extractor."""
        return self.extractor.settings()

    def __call__(self, images: Tensor) -> Tensor:
        """Its features, shape (B, d)."""
        digests = [hashlib.sha256(image.numpy().tobytes()).digest() for image in images]
        new = [row for row, digest in enumerate(digests) if digest not in self._known]
        if new:
            for row, found in zip(new, self.extractor(images[new]), strict=True):
                self._known[digests[row]] = found
        return torch.stack([self._known[digest] for digest in digests])


def sets_of(options: argparse.Namespace) -> tuple[ImageSet, ImageSet]:
    if options.phantoms:
        learn, held = (
            ff.phantoms("chest", count, images_per_patient=1, size=options.size, first_patient=first).to_image_set()
            for count, first in ((options.learn, 0), (options.held, 100_000))
        )
        return tuple(prepare({"i": one}, scaling="0:1")["i"] for one in (learn, held))
    images = prepare({"i": open_set(options.images, name="i")}, size=options.size)["i"]
    parts = split_by_patient(images, {"learned": 0.6, "held": 0.4}, options.seed)
    rng = np.random.default_rng(options.seed)
    chosen = []
    for part, count in ((parts["learned"], options.learn), (parts["held"], options.held)):
        _, first = np.unique(part.patients, return_index=True)
        chosen.append(part.take(np.sort(rng.permutation(first)[:count])))
    return chosen[0], chosen[1]


def drawn(triplets: Triplets) -> Triplets:
    """The same triplets with their images in memory, since every tuning asks for them again."""
    images = triplets.load(range(len(triplets)))
    return replace(triplets, load_rows=lambda rows: tuple(side[rows] for side in images))


def with_any(triplets: Triplets, kinds: tuple[str, ...]) -> np.ndarray:
    return np.isin(triplets.kinds, kinds).any(axis=1)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("extractor")
    parser.add_argument("--images")
    parser.add_argument("--phantoms", action="store_true")
    parser.add_argument("--method", default="mlp")
    for name, usual in (("size", 64), ("learn", 120), ("held", 60), ("triplets", 2000), ("tests", 1500), ("seed", 0)):
        parser.add_argument(f"--{name}", type=int, default=usual)
    parser.add_argument("--steps", type=int)
    parser.add_argument("--only", help="only these, as shift or shift+noise+contrast, with commas")
    parser.add_argument("--out", type=Path, required=True)
    options = parser.parse_args()

    extractor = get(options.extractor)
    if options.method == "mlp":
        extractor = Remembered(extractor)
    learn, held = sets_of(options)
    pool = drawn(ruled(learn, options.triplets, seed=options.seed))
    singles = drawn(ruled(held, options.tests, JUDGED, seed=options.seed + 1))
    chosen = [*((kind,) for kind in JUDGED), *THREES]
    if options.only:
        chosen = [tuple(one.split("+")) for one in options.only.split(",")]
    given = {} if options.steps is None else {"steps": options.steps}
    results = json.loads(options.out.read_text()) if options.out.is_file() else {}
    for kinds in chosen:
        name = "+".join(kinds)
        if name in results:
            continue
        started = time.monotonic()
        test = (
            singles.take(with_any(singles, kinds))
            if len(kinds) == 1
            else drawn(ruled(held, 400, kinds, seed=options.seed + 2))
        )
        learned = pool.take(~with_any(pool, kinds))
        tuning = Tuning.suited(extractor, options.method, **given)
        nothing = Tuning(options.method, steps=1, learning_rate=1e-12)
        found = {
            "as it is": rank(extractor, test),
            "image beside": rank(tune(extractor, learned, nothing), test),
            "tuned": rank(tune(extractor, learned, tuning), test),
        }
        results[name] = {step: {"value": one.value, "interval": one.interval} for step, one in found.items()}
        options.out.parent.mkdir(parents=True, exist_ok=True)
        options.out.write_text(json.dumps(results, indent=1))
        cells = "  ".join(
            f"{step} {one.value:.3f} [{one.interval[0]:.3f}, {one.interval[1]:.3f}]" for step, one in found.items()
        )
        print(f"{name} ({len(test)}): {cells}  {time.monotonic() - started:.0f} s", flush=True)


if __name__ == "__main__":
    main()
