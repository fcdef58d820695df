"""A diffusion model trained long on few images copies them, and the audit catches it; one trained on many does not.

Two models with one recipe and one budget: the first sees a hundred radiographs again and again, the second all training
images. Each draws a set, and the search for copies compares it with the images it was trained on, against patients that
neither has seen. With a holdout at hand, training itself watches for the onset of memorisation, and `--stop-at-onset`
ends it there.

    python examples/memorisation.py kermany_cxr_96 --minutes 8 -o memorisation/
    python examples/memorisation.py                       # phantoms, a minute or two, too short to memorise much
"""

import argparse
import tempfile
from pathlib import Path

import fourfold as ff
from fourfold.images import ImageSet, open_set, split_by_patient


def main() -> None:
    parser = argparse.ArgumentParser(description="Memorisation by a diffusion model, caught and not caught.")
    parser.add_argument(
        "set", nargs="?", type=Path, help="a folder or table of images with patients; none for phantoms"
    )
    parser.add_argument("-o", "--output", type=Path, help="folder of models and reports (a temporary one)")
    parser.add_argument("--few", type=int, default=100, help="images of the first model (100)")
    parser.add_argument("--images", type=int, default=500, help="images that each draws (500)")
    parser.add_argument("--minutes", type=float, default=0.5, help="of each training (0.5)")
    parser.add_argument("--size", type=int, default=32)
    parser.add_argument("--precision", default="32-true")
    arguments = parser.parse_args()

    folder = arguments.output or Path(tempfile.mkdtemp())
    training, holdout = _sets(arguments)
    for name, images in (("few", _few(training, arguments.few)), ("all", training)):
        model = ff.train(
            images,
            recipe="diffusion",
            output=folder / f"{name}-model",
            holdout=holdout,
            condition="none",
            size=arguments.size,
            minutes=arguments.minutes,
            steps=1_000_000,
            snapshots=500,
            precision=arguments.precision,
        )
        drawn = folder / f"{name}-images"
        if not drawn.exists():
            model.generate(arguments.images, drawn)
        found = ff.evaluate(
            drawn, images, holdout, only=["privacy/copies", "variety/coverage"], size=arguments.size, store=False
        )
        found.report(folder / f"{name}-report")
        copies = int(found.images["copy"].sum())
        passes = model.record["training"]["images"] / len(images)
        print(
            f"{name}: {len(images)} images seen {passes:.0f} times; {copies} of {arguments.images} drawn images are on "
            f"the list of copies; {found['privacy/copies'].reason or 'nothing limits the search'}"
        )
    print(f"reports: {folder}")


def _sets(arguments: argparse.Namespace) -> tuple[ImageSet, ImageSet]:
    """Training and holdout set, of different patients."""
    if arguments.set is None:
        training = ff.phantoms("chest", 300, size=arguments.size)
        holdout = ff.phantoms("chest", 300, size=arguments.size, first_patient=300)
        return training.to_image_set("training"), holdout.to_image_set("holdout")
    parts = split_by_patient(open_set(arguments.set, name="set"), {"training": 0.6, "holdout": 0.4}, seed=0)
    return parts["training"], parts["holdout"]


def _few(images: ImageSet, count: int) -> ImageSet:
    """The first images, of whole patients."""
    return images.take(range(min(count, len(images))))


if __name__ == "__main__":
    main()
