"""A set that may leave the building, beside the same generator's images as they come.

Two diffusion models of one size are trained for equally many steps: one without any condition, one under the class and
a feature of each image (diversity-aware). Three sets of equal size come of them: the unconditional model's images,
labelled by a classifier; the diversity-aware model's images, one for each training image; and a release of the same
model, screened, selected and audited. All three are judged on the same real patients, who took part in no decision:
what a classifier learns from each, and how often each isolates a training patient by predicates of low weight.

    python examples/release_films.py kermany_cxr_96 --steps 2000 -o films/
    python examples/release_films.py                      # phantoms, some minutes, too short a training to memorise
"""

import argparse
import tempfile
from dataclasses import replace
from pathlib import Path

import numpy as np

import fourfold as ff
from fourfold.images import ImageSet, open_set, split_by_patient
from fourfold.privacy import Policy
from fourfold.releasing import CandidatePlan, ReleasePolicy
from fourfold.utility.network import SmallNetwork
from fourfold.utility.tasks import Labelled

SPACES = ("radiomics", "pixels")


def main() -> None:
    parser = argparse.ArgumentParser(description="A release beside two unscreened sets.")
    parser.add_argument("set", nargs="?", help="a folder or table of labelled images with patients; none for phantoms")
    parser.add_argument("-o", "--output", type=Path, help="folder of models, sets and reports (a temporary one)")
    parser.add_argument("--root", type=Path, help="where the paths of the table start (its own folder)")
    parser.add_argument(
        "--splits", help="values of the table's split column to train on, calibrate on and judge by, e.g. a,b,c"
    )
    parser.add_argument("--patient-column", help="the table's column of patients, where it has another name")
    parser.add_argument("--training", type=float, default=0.2, help="share of the patients to train on (0.2)")
    parser.add_argument("--patients", type=int, default=150, help="of phantoms, for each part (150)")
    parser.add_argument("--steps", type=int, default=60, help="of each training (60)")
    parser.add_argument("--size", type=int, default=32)
    parser.add_argument("--per-condition", type=int, default=8, help="candidates for each training image (8)")
    parser.add_argument("--precision", default="32-true")
    parser.add_argument("--quick", action="store_true", help="judge utility by a classifier of features, not a network")
    arguments = parser.parse_args()

    folder = arguments.output or Path(tempfile.mkdtemp())
    training, calibration, judging = _sets(arguments)
    print(
        f"{len(training)} images of {_people(training)} patients to train on; {_people(calibration)} patients "
        f"calibrate, {_people(judging)} judge"
    )
    common = {
        "size": arguments.size,
        "options": {"steps": arguments.steps},
        "precision": arguments.precision,
        "snapshots": arguments.steps,
    }
    plain = _trained(training, folder / "unconditional", recipe="diffusion", condition="none", **common)
    diverse = _trained(training, folder / "diversity-aware", recipe="diversity-aware", **common)

    sets = {
        "unconditional": _labelled(_drawn(plain, len(training), folder / "unconditional-set"), training, plain),
        "diversity-aware": _drawn(diverse, len(training), folder / "diversity-aware-set", conditions=training),
    }
    made = ff.release(
        diverse,
        training,
        judging,
        calibration,
        output=folder / "release",
        policy=ReleasePolicy(
            Policy(signed_by="the example", copy_rate=0.01, required=("copies", "singling_out_excess")),
            inconclusive="accept",
        ),
        plan=CandidatePlan(per_condition=arguments.per_condition),
        description="Images that the example made.",
    )
    print(f"{'released' if made.released else 'refused'}: {'; '.join(made.reasons) or made.folder}")
    for name, count in made.counts.items():
        print(f"  {name.ljust(34)}{count:>7,d}")
    if made.released:
        sets["release"] = open_set(made.folder, name="synthetic")
    for name, images in sets.items():
        _judge(name, images, training, judging, arguments, folder)
    print(f"everything: {folder}")


def _sets(arguments: argparse.Namespace) -> tuple[ImageSet, ImageSet, ImageSet]:
    """Training, calibration and judging set, of different patients."""
    if arguments.set is None:
        draw = {"size": arguments.size, "images_per_patient": (1, 2)}
        count = arguments.patients
        parts = [ff.phantoms("chest", count, first_patient=first, **draw) for first in (0, count, 2 * count)]
        return tuple(one.to_image_set(name) for one, name in zip(parts, ("training", "reference", "holdout")))
    columns = None if arguments.patient_column is None else {"patient": arguments.patient_column}
    reading = {"columns": columns, "root": arguments.root}
    if arguments.splits is not None:
        names = ("training", "reference", "holdout")
        chosen = arguments.splits.split(",")
        return tuple(open_set(arguments.set, name=name, split=part, **reading) for name, part in zip(names, chosen))
    shares = {"training": arguments.training, "rest": 1 - arguments.training}
    parts = split_by_patient(open_set(arguments.set, name="set", **reading), shares, seed=0)
    halves = split_by_patient(parts["rest"], {"reference": 0.5, "holdout": 0.5}, seed=3)
    return parts["training"], halves["reference"], halves["holdout"]


def _people(images: ImageSet) -> int:
    return len(np.unique(images.patients))


def _trained(training: ImageSet, folder: Path, **options: object) -> ff.Model:
    if (folder / "model.json").exists():
        return ff.open_model(folder)
    return ff.train(training, output=folder, **options)


def _drawn(model: ff.Model, count: int, folder: Path, conditions: ImageSet | None = None) -> ImageSet:
    if not folder.exists():
        model.generate(count, folder, conditions=conditions, seed=1)
    return open_set(folder, name="synthetic")


def _labelled(images: ImageSet, training: ImageSet, model: ff.Model) -> ImageSet:
    """Images with the class that a network trained on the training images sees in each."""
    real = replace(training, preparation=model.preparation)
    asked = replace(images, preparation=model.preparation)
    task = Labelled.from_images("training", real)
    seen = SmallNetwork.suited(real.shape)(real.load(), task, 1, asked.load(), seed=5)
    entries = (
        replace(entry, label=task.names[best]) for entry, best in zip(images.entries, seen.argmax(axis=1), strict=True)
    )
    return replace(images, entries=tuple(entries))


def _judge(
    name: str, images: ImageSet, training: ImageSet, judging: ImageSet, arguments: argparse.Namespace, folder: Path
) -> None:
    """Utility and singling out, printed and written as a report."""
    judge = "utility/train_synthetic_test_real" + ("" if arguments.quick else "_cnn")
    found = ff.evaluate(
        images,
        training,
        judging,
        features=SPACES,
        only=[judge, "privacy/singling_out", "privacy/copies", "variety/coverage"],
        size=arguments.size,
        store=False,
    )
    found.report(folder / f"{name}-report")
    score = found[judge]
    low, high = score.interval
    print(
        f"\n{name}: {len(images)} images; area under the curve {score.value:.3f} ({low:.3f} to {high:.3f}), "
        f"of as many real images {score.null:.3f}; copies {int(found.images['copy'].sum())}; "
        f"coverage {found['variety/coverage'].value:.2f}"
    )
    for space in SPACES:
        singled = found[f"privacy/singling_out@{space}"].details
        cells = "  ".join(
            f"{cell['nw']:g}: {cell['training']:.3f}/{cell['holdout']:.3f} "
            f"(p {cell['p']:.3f}, holes {cell['p_avoidance']:.3f})"
            for cell in singled["grid"]
        )
        print(f"  singled out in {space}, training/others by n w: {cells}")


if __name__ == "__main__":
    main()
