"""``fourfold adapt fit | predict``: a model of one kind of image made to work on another kind, without its labels."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING, Any

from fourfold.cli.options import add_preparation, add_reading, reading_of, seed

if TYPE_CHECKING:
    from fourfold.images import ImageSet
    from fourfold.utility.adaptation import Adaptation
    from fourfold.utility.learning.contract import Task

__all__ = ["add_arguments", "run"]

_SUMMARIES = {
    "fit": "teach a network what another one sees in the partner of each image; labels of TARGET are never used",
    "predict": "predict a set of target images",
}
_HEAVY = 0.8
"""Share of the variance of a map above which the student has learned next to nothing of it."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """What the command takes."""
    actions = parser.add_subparsers(dest="action", metavar="ACTION", required=True)
    for name, add in {"fit": _add_fit, "predict": _add_predict}.items():
        summary = _SUMMARIES[name]
        action = actions.add_parser(name, help=summary, description=f"{summary[0].upper()}{summary[1:]}.")
        add(action)
        add_preparation(action.add_argument_group("sets"))
        add_reading(action)
        group = action.add_argument_group("work")
        group.add_argument("--device", default="cpu", help="where networks run, e.g. cuda (cpu)")
        group.add_argument("--quiet", action="store_true", help="no progress bars")


def run(options: argparse.Namespace) -> int:
    """Do it, say where the result is and what must be known about it."""
    return {"fit": _fit, "predict": _predict}[options.action](options)


def _add_fit(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "source", metavar="SOURCE", help="images of the labelled kind: a folder, a table, an array file"
    )
    parser.add_argument("target", metavar="TARGET", help="images of the new kind, called as their partners in SOURCE")
    parser.add_argument("-o", "--output", required=True, metavar="MODEL", help="a new folder for the adapted model")
    parser.add_argument(
        "--from",
        dest="teacher",
        metavar="L",
        help="where the labels are: a labelled set of the kind of SOURCE, or the folder of an adapted model (SOURCE)",
    )
    parser.add_argument("--task", default="segmentation", choices=("classification", "segmentation"))
    group = parser.add_argument_group("training")
    group.add_argument("--network", metavar="NAME", help="resnet, densenet121; unet, dynunet")
    group.add_argument("--teacher-steps", type=int, default=400, metavar="N", help="steps on the labels (400)")
    group.add_argument("--steps", type=int, default=300, metavar="N", help="steps on the pairs (300)")
    group.add_argument("--layers", default="all", choices=("all", "last"), help="feature maps that are regressed (all)")
    group.add_argument(
        "--tolerance", type=int, default=0, metavar="PX", help="pixels by which partners may be displaced (0)"
    )
    group.add_argument("--seed", type=seed, default=0)
    for role, letter in (("source", "SOURCE"), ("target", "TARGET"), ("from", "L")):
        group.add_argument(f"--{role}-split", metavar="NAME", help=f"use only this split of {letter}")


def _add_predict(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("model", metavar="MODEL", help="the folder of an adapted model")
    parser.add_argument("images", metavar="IMAGES", help="images of the new kind: a folder, a table, an array file")
    parser.add_argument("-o", "--output", required=True, metavar="OUT", help="a new folder for masks or probabilities")
    parser.add_argument("--split", metavar="NAME", help="use only this split of IMAGES")


def _fit(options: argparse.Namespace) -> int:
    from fourfold.cli.progress import progress_bars
    from fourfold.devices import check_device
    from fourfold.errors import InputError
    from fourfold.images.scaling import extent
    from fourfold.utility.adaptation import Regression, adapt, matched_pairs, write_adapted

    regression = Regression(options.layers, options.tolerance, options.steps)
    check_device(options.device)
    _refuse_taken(options.output)
    sets = _opened(options, {"source": options.source, **_labelled(options)})
    target = _opened(options, {"target": options.target})["target"]
    source, target = matched_pairs(sets["source"], target)
    if source.shape != target.shape:
        raise InputError(
            f"the source set is {extent(source.shape[1:])} with {source.shape[0]} channels and the target set "
            f"{extent(target.shape[1:])} with {target.shape[0]}; make them alike with --size and --channels"
        )
    with progress_bars(options.quiet) as progress:
        task, teacher, labels = _teacher(options, sets, progress)
        if len(source) < len(sets["source"]):
            print(f"{len(source)} of {len(sets['source'])} source images have a partner")
        found = adapt(
            teacher,
            source.load(),
            target.load(),
            regression,
            seed=options.seed,
            progress=lambda done, total: progress("regressing feature maps", done, total),
        )
    facts = {"pairs": len(source), "labels": labels, "seed": options.seed}
    write_adapted(options.output, task, found, target.preparation, regression, facts)
    _say(found, options)
    return 0


def _predict(options: argparse.Namespace) -> int:
    from fourfold.cli.progress import progress_bars
    from fourfold.devices import check_device
    from fourfold.generate.restoration.sets import prepared_like
    from fourfold.utility.adaptation import open_adapted, write_predictions

    check_device(options.device)
    model = open_adapted(options.model, options.device)
    if options.size is None and model.preparation.resized:
        options.size = "x".join(map(str, model.preparation.shape))
    options.channels = options.channels or model.preparation.channels
    images = _opened(options, {"images": options.images})["images"]
    images = prepared_like(images, model.preparation) if options.scaling == "auto" else images
    with progress_bars(options.quiet) as progress:
        folder = write_predictions(
            images,
            model.task,
            model.predictor,
            options.output,
            lambda done, total: progress("predicting images", done, total),
        )
    print(f"predictions for {len(images)} images: {folder}")
    print("no label of this kind of image was learned from; check some of them by hand before they are used")
    return 0


def _labelled(options: argparse.Namespace) -> dict[str, str]:
    """The set with the labels by its role; nothing where SOURCE has them or a model stands in."""
    return {} if options.teacher is None or _is_model(options.teacher) else {"from": options.teacher}


def _teacher(options: argparse.Namespace, sets: dict[str, ImageSet], progress: Any) -> tuple[Task, Any, int | None]:
    """The task, what was learned from the labels, and from how many images."""
    from fourfold.utility.adaptation import open_adapted
    from fourfold.utility.learning.classification import Classification
    from fourfold.utility.learning.segmentation import Segmentation

    if options.teacher is not None and _is_model(options.teacher):
        model = open_adapted(options.teacher, options.device)
        return model.task, model.predictor, None
    labelled = sets.get("from", sets["source"])
    kind = Classification if options.task == "classification" else Segmentation
    task = kind.of(labelled, **({} if options.network is None else {"network": options.network}))
    predictor = task.fit(
        task.examples(labelled),
        seed=options.seed,
        steps=options.teacher_steps,
        device=options.device,
        progress=lambda done, total: progress("learning from the labels", done, total),
    )
    return task, predictor, len(labelled)


def _is_model(folder: str) -> bool:
    from fourfold.utility.adaptation.storage import RECORD

    return (Path(folder) / RECORD).is_file()


def _refuse_taken(output: str) -> None:
    from fourfold.errors import InputError

    folder = Path(output)
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise InputError(f"{folder}: is not empty; choose a new folder")


def _opened(options: argparse.Namespace, sources: dict[str, str]) -> dict[str, ImageSet]:
    splits = {role: getattr(options, f"{role}_split", None) for role in ("source", "target", "from")}
    sets, said = reading_of(options, splits | {"images": getattr(options, "split", None)}).open(sources)
    for sentence in said:
        print(f"warning: {sentence}")
    return sets


def _say(found: Adaptation, options: argparse.Namespace) -> None:
    last = list(found.after)[-1]
    before, after = found.before[last], found.after[last]
    print(f"last feature map against the teacher's, in units of its variance: {before:.3f} before, {after:.3f} after")
    if options.tolerance:
        print(
            f"{found.displaced:.0%} of the pairs were found displaced; correlation of their edges {found.edges[0]:.2f} "
            f"as given, {found.edges[1]:.2f} as compared"
        )
    if after > _HEAVY:
        print("warning: the student sees little of what the teacher sees; are the pairs partners, and aligned?")
    print(f"adapted model: {options.output}  (use it with: fourfold adapt predict {options.output} IMAGES -o OUT)")
    print("it was learned from images of patients, and the pairs link two images of each: keep both inside")
