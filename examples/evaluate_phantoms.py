"""The four answers about a synthetic set with planted truth, from Python.

The "generator" has copied five in a hundred of its images from the training set, turned and with noise. The
evaluation should list them, and nothing else, each with its source.

    python examples/evaluate_phantoms.py --patients 300 --output report/
"""

import argparse
import tempfile
from pathlib import Path

import numpy as np

import fourfold as ff
from fourfold.images.phantoms import plant_copies


def main() -> None:
    parser = argparse.ArgumentParser(description="Evaluate phantoms with planted copies.")
    parser.add_argument("--patients", type=int, default=300, help="patients in each set (default: 300)")
    parser.add_argument("--only", nargs="+", metavar="AXIS", help="questions to ask (default: all four)")
    parser.add_argument("--output", type=Path, help="folder of the report (default: a temporary one)")
    arguments = parser.parse_args()
    patients = arguments.patients

    training = ff.phantoms("chest", patients, images_per_patient=(1, 2))
    holdout = ff.phantoms("chest", patients, images_per_patient=(1, 2), first_patient=patients)
    generated = ff.phantoms("chest", patients, images_per_patient=1, first_patient=2 * patients)
    images, truth = plant_copies(generated.images, training.images, share=0.05, transform="rotate+noise")

    evaluation = ff.evaluate(
        ff.ImageSet.from_array(images, name="synthetic", labels=generated.labels.tolist()),
        train=training.to_image_set("training"),
        holdout=holdout.to_image_set("holdout"),
        only=arguments.only,
        store=False,
    )
    for score in evaluation.scores:
        value, null = ("-" if number is None else f"{number:.3g}" for number in (score.value, score.null))
        print(f"{score.key:45s}{score.features or '':12s}{value:>10s}   a perfect generator: {null}")

    listed = np.flatnonzero(evaluation.images["copy"])
    sources = evaluation.images["nearest_training"][listed]
    right = [source == f"training[{truth.sources[row]}]" for row, source in zip(listed, sources, strict=True)]
    print(f"{len(truth)} copies planted, {len(listed)} listed, {sum(right)} of them with the right source")

    folder = arguments.output or Path(tempfile.mkdtemp()) / "report"
    print(f"report: {evaluation.report(folder)}")


if __name__ == "__main__":
    main()
