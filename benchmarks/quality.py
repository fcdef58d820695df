"""Does what helps a model trained on real images also help one trained on synthetic images?

    python benchmarks/quality.py phantoms kermany --units units/ [--seeds 5] [--steps 40] [--generator gaussian]
        [--knob label-noise=0.1 --knob image-noise=0.05 --knob balance=over] [--cells one|full]

A generator is fitted to the real training patients, class by class, and as many images are drawn as there are real
ones. Real, synthetic and, with --planted, a synthetic set whose rarer class is collapsed to three images are crossed
with the knobs; all are tested on the same further patients. The signs that were published for text (a gain on real,
a loss on synthetic data) are the hypothesis and no aim: the aim is that intervals are honest. The loss of Fourfold's
own classifiers weighs classes equally already, so over-sampling has little left to do there, planted or not; what the
study says of a planted difference is shown with a learner that does not, in its tests. What is finished is kept under
--units and not done again.
"""

from __future__ import annotations

import argparse
import os
import tempfile
from pathlib import Path

import numpy as np

import fourfold as ff
from fourfold.images import ImageSet, open_set, prepare, split_by_patient
from fourfold.images.phantoms import collapse
from fourfold.utility.learning.classification import Classification
from fourfold.utility.learning.contract import Examples
from fourfold.utility.quality import Design, full_factorial, one_at_a_time, parse_knob, quality_study

KNOBS = ("label-noise=0.1", "image-noise=0.05", "balance=over")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("sets", nargs="+", choices=("phantoms", "kermany"))
    parser.add_argument("--data", type=Path, default=Path(os.environ.get("FOURFOLD_DATA", "../shared/data")))
    parser.add_argument("--units", type=Path, help="where finished networks leave their scores")
    parser.add_argument("--knob", action="append", metavar="NAME=VALUE", help=f"several ({', '.join(KNOBS)})")
    parser.add_argument(
        "--cells", choices=("one", "full"), default="one", help="knobs alone, or all combinations (one)"
    )
    parser.add_argument("--generator", default="gaussian", help="a baseline recipe (gaussian)")
    parser.add_argument("--planted", action="store_true", help="a third source whose rarer class is collapsed")
    parser.add_argument("--images", type=int, default=400, help="training images of each source (400)")
    parser.add_argument("--size", type=int, default=32)
    parser.add_argument("--steps", type=int, default=40)
    parser.add_argument("--seeds", type=int, default=5)
    options = parser.parse_args()
    knobs = [parse_knob(text) for text in options.knob or KNOBS]
    cells = (full_factorial if options.cells == "full" else one_at_a_time)(knobs)
    for name in options.sets:
        training, test = (phantoms if name == "phantoms" else kermany)(options)
        task = Classification.of(training)
        sources = {"real": task.examples(training), "synthetic": drawn(task, training, options)}
        if options.planted:
            sources["collapsed"] = collapsed(sources["synthetic"])
        study = quality_study(
            task,
            sources,
            task.examples(test),
            Design(cells, seeds=options.seeds, steps=options.steps),
            units=options.units,
        )
        print(f"\n{name}: {len(training)} images of each source, {len(test)} tested, {options.seeds} seeds")
        print("| source | cell | area | balanced accuracy | calibration error |\n|---|---|---|---|---|")
        for (source, cell), values in study.metrics.items():
            shown = " | ".join(f"{values[key]:.3f}" for key in ("auc", "balanced_accuracy", "ece"))
            print(f"| {source} | {cell} | {shown} |")
        for knob, source in study.interactions:
            print(study.answer(knob, source), flush=True)


def phantoms(options: argparse.Namespace) -> tuple[ImageSet, ImageSet]:
    """Every seventh has a lesion."""
    found = [
        ff.phantoms("chest", count, images_per_patient=1, size=options.size, first_patient=first, prevalence=share)
        for count, first, share in ((options.images, 0, 0.15), (400, 100_000, 0.5))
    ]
    sets = prepare({name: one.to_image_set(name) for name, one in zip(("training", "test"), found, strict=True)})
    return sets["training"], sets["test"]


def kermany(options: argparse.Namespace) -> tuple[ImageSet, ImageSet]:
    everything = open_set(options.data / "kermany_cxr_96" / "metadata.csv", name="kermany")
    parts = split_by_patient(everything, {"training": 0.5, "test": 0.5}, seed=0)
    sets = {
        name: part.take(np.random.default_rng(0).permutation(len(part))[:count])
        for (name, part), count in zip(parts.items(), (options.images, 500), strict=True)
    }
    sets = prepare(sets, size=options.size)
    return sets["training"], sets["test"]


def drawn(task: Classification, training: ImageSet, options: argparse.Namespace) -> Examples:
    """As many images as there are real ones, with their classes in the same shares."""
    labels = training.labels
    known = ImageSet.from_array(training.load(), labels=list(labels), patients=list(training.patients), name="training")
    with tempfile.TemporaryDirectory() as folder:
        model = ff.train(known, recipe=options.generator, output=Path(folder) / "model", condition="class")
        parts = [
            model.draw(int((labels == name).sum()), seed=place, condition_value={"class": name})
            for place, name in enumerate(task.names)
        ]
    numbers = np.repeat(np.arange(len(parts)), [len(part) for part in parts])
    return Examples(np.concatenate(parts), np.eye(len(parts), dtype=np.float32)[numbers], np.arange(len(numbers)))


def collapsed(examples: Examples) -> Examples:
    """The rarer class as a generator without variety makes it."""
    rarer = np.flatnonzero(examples.targets[:, examples.targets.sum(axis=0).argmin()] == 1)
    images = examples.images.copy()
    images[rarer] = collapse(images[rarer], 3)[0]
    return Examples(images, examples.targets, examples.patients)


if __name__ == "__main__":
    main()
