"""``fourfold restore fit | apply | renoise | region``: noise off, noise on, and regions drawn anew."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING, Any

from fourfold.cli.options import add_preparation, add_reading, memory_of, reading_of, seed

if TYPE_CHECKING:
    from fourfold.generate.restoration import NoiseModel
    from fourfold.images import ImageSet
    from fourfold.images.reading import Reading

__all__ = ["add_arguments", "run"]

_NOISE = "auto, rician, rician=SIGMA, or read=SIGMA,shot=SIGMA in fractions of the full range"
_SUMMARIES = {
    "fit": "train a restorer on images that are as clean as there are",
    "apply": "remove the noise of images: the mean of several samples, and their spread",
    "renoise": "give images that are too clean the noise of real ones",
    "region": "draw a region of each image anew; outside it nothing changes",
}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """What the command takes."""
    actions = parser.add_subparsers(dest="action", metavar="ACTION", required=True)
    adders = {"fit": _add_fit, "apply": _add_apply, "renoise": _add_renoise, "region": _add_region}
    for name, add in adders.items():
        summary = _SUMMARIES[name]
        action = actions.add_parser(name, help=summary, description=f"{summary[0].upper()}{summary[1:]}.")
        add(action)
        add_preparation(action.add_argument_group("sets"), "auto (auto: as the model's)")
        add_reading(action)
        group = action.add_argument_group("work")
        group.add_argument("--seed", type=seed, default=0)
        if name != "renoise":
            group.add_argument("--device", default="cpu", help="where networks run, e.g. cuda (cpu)")
        group.add_argument("--quiet", action="store_true", help="no progress bars")


def run(options: argparse.Namespace) -> int:
    """Do it, say where the result is and what must be known about it."""
    return {"fit": _fit, "apply": _apply, "renoise": _renoise, "region": _region}[options.action](options)


def _add_fit(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("training", metavar="T", help="clean images: a folder, a table, an array file")
    parser.add_argument("-o", "--output", required=True, metavar="MODEL", help="a new folder for the restorer")
    parser.add_argument("--holdout", metavar="H", help="images of other patients, to watch whether it memorises")
    group = parser.add_argument_group("training")
    group.add_argument("--steps", type=int, metavar="N", help="steps of the optimiser")
    group.add_argument("--batch", type=int, metavar="N", help="images a step")
    group.add_argument(
        "--set",
        action="append",
        default=[],
        metavar="NAME=VALUE",
        help="any other option: channels, blocks, read, shot, varying, regions, scale, learning_rate, accumulate, "
        "warmup, balance, average; may be given several times",
    )
    group.add_argument("--minutes", type=float, metavar="X", help="end after this time at the latest")
    group.add_argument("--snapshots", type=int, default=0, metavar="N", help="steps between samples and checkpoints")
    group.add_argument("--train-split", metavar="NAME", help="use only this split of T")
    group.add_argument("--holdout-split", metavar="NAME", help="use only this split of H")
    group.add_argument("--devices", type=int, default=1, metavar="N", help="how many devices (1)")
    group.add_argument("--precision", default="32-true", metavar="NAME", help="32-true, bf16-mixed or 16-mixed")
    group.add_argument("--memory", default="1G", metavar="BYTES", help="for decoded images (1G)")


def _add_apply(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("model", metavar="MODEL", help="the folder of a restorer, which `fourfold restore fit` writes")
    parser.add_argument("images", metavar="IMAGES", help="noisy images: a folder, a table, an array file")
    parser.add_argument("-o", "--output", required=True, metavar="OUT", help="a new folder for the restored images")
    parser.add_argument("--noise", default="auto", metavar="NOISE", help=f"{_NOISE} (auto)")
    parser.add_argument("--chains", type=int, default=8, metavar="K", help="samples an image that are averaged (8)")
    parser.add_argument("--spread", metavar="DIR", help="a new folder for the standard deviation over the samples")
    parser.add_argument(
        "--stride", type=float, default=1.0, metavar="X", help="steps taken at once; above 1 faster, too little spread"
    )
    parser.add_argument("--batch", type=int, default=16, metavar="N", help="images at once (16)")
    parser.add_argument("--split", metavar="NAME", help="use only this split of IMAGES")


def _add_renoise(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("synthetic", metavar="SYN", help="images that are too clean: a folder, a table, an array file")
    parser.add_argument("-o", "--output", required=True, metavar="OUT", help="a new folder for the noisy images")
    parser.add_argument("--like", metavar="REAL", help="real images of the same size, whose noise is estimated")
    parser.add_argument(
        "--noise",
        default="auto",
        metavar="NOISE",
        help=f"{_NOISE}; auto adds what SYN lacks of the read and shot noise of REAL (auto)",
    )
    parser.add_argument("--like-split", metavar="NAME", help="use only this split of REAL")


def _add_region(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("model", metavar="MODEL", help="the folder of a restorer, or of a diffusion model on pixels")
    parser.add_argument("images", metavar="IMAGES", help="images: a folder, a table, an array file")
    parser.add_argument("-o", "--output", required=True, metavar="OUT", help="a new folder for the new images")
    parser.add_argument(
        "--masks",
        metavar="SET",
        help="a mask an image, called as the image, not 0 where it is replaced (the mask column of IMAGES)",
    )
    parser.add_argument("--steps", type=int, default=50, metavar="N", help="noise levels, for a diffusion model (50)")
    parser.add_argument("--batch", type=int, default=16, metavar="N", help="images at once (16)")
    parser.add_argument("--split", metavar="NAME", help="use only this split of IMAGES")


def _fit(options: argparse.Namespace) -> int:
    from fourfold.cli.progress import progress_bars
    from fourfold.generate.restoration import RestorationOptions, fit_restorer

    splits = {"training": options.train_split, "holdout": options.holdout_split}
    with progress_bars(options.quiet) as progress:
        restorer = fit_restorer(
            options.training,
            options.output,
            holdout=options.holdout,
            options=_fit_options(options, RestorationOptions),
            reading=reading_of(options, splits),
            seed=options.seed,
            device=options.device,
            devices=options.devices,
            precision=options.precision,
            minutes=options.minutes,
            snapshots=options.snapshots,
            memory=memory_of(options.memory),
            progress=progress,
        )
    data, training = restorer.record["data"], restorer.record["training"]
    kind = "patients" if data["identified"] else "groups of near-duplicates"
    print(
        f"trained a restorer on {data['images']} images of {data['patients']} {kind}: {training['seconds']:.0f} s, "
        f"{training['steps']} steps"
    )
    for warning in restorer.record["warnings"]:
        print(f"warning: {warning}")
    print(f"restorer: {restorer.folder}  (use it with: fourfold restore apply {restorer.folder} IMAGES -o OUT)")
    return 0


def _apply(options: argparse.Namespace) -> int:
    from fourfold.cli.progress import progress_bars
    from fourfold.generate.restoration import open_restorer, parse_noise
    from fourfold.generate.restoration.sets import restore_set

    noise = parse_noise(options.noise)
    restorer = open_restorer(options.model)
    images = _like_model(options, restorer.preparation)
    noise = _estimated(images, noise) if isinstance(noise, str) else noise
    with progress_bars(options.quiet) as progress:
        folder = restore_set(
            images,
            restorer,
            options.output,
            noise,
            chains=options.chains,
            spread=options.spread,
            seed=options.seed,
            batch=options.batch,
            stride=options.stride,
            device=options.device,
            progress=progress,
        )
    print(f"{len(images)} restored images, each the mean of {options.chains} samples: {folder}")
    if options.spread:
        print(f"their spread, in fractions of the full range: {options.spread}")
    print("a restored image can show structure that is not in the patient, most of all where the spread is large")
    return 0


def _renoise(options: argparse.Namespace) -> int:
    from fourfold.cli.progress import progress_bars
    from fourfold.errors import InputError
    from fourfold.generate.restoration import missing_noise, parse_noise
    from fourfold.generate.restoration.sets import renoise_set

    noise = parse_noise(options.noise)
    if isinstance(noise, str) and options.like is None:
        raise InputError("the noise is estimated from real images; give them with --like, or say it with --noise")
    sources = {"synthetic": options.synthetic}
    sources |= {} if options.like is None else {"training": options.like}
    sets = _opened(reading_of(options, {"training": options.like_split}), sources)
    synthetic = sets["synthetic"]
    if isinstance(noise, str):
        noise = _estimated(sets["training"], noise)
        if options.noise == "auto":
            noise = missing_noise(_estimated(synthetic, "auto"), noise)
            if noise.read == noise.shot == 0:
                raise InputError("the synthetic images are no cleaner than the real ones, so there is nothing to add")
            print(f"noise that is added: {_words(noise)}")
    with progress_bars(options.quiet) as progress:
        folder = renoise_set(synthetic, options.output, noise, seed=options.seed, progress=progress)
    print(f"{len(synthetic)} images with noise: {folder}")
    return 0


def _region(options: argparse.Namespace) -> int:
    from fourfold.cli.progress import progress_bars
    from fourfold.generate.restoration.masks import masks_beside, matched_masks
    from fourfold.generate.restoration.sets import regenerate_set
    from fourfold.images import open_set

    model = _restorer_or_model(options.model)
    images = _like_model(options, model.preparation)
    masks = (
        masks_beside(images)
        if options.masks is None
        else matched_masks(
            open_set(options.masks, name="masks", volumes=options.volumes, slices=options.slices), images
        )
    )
    with progress_bars(options.quiet) as progress:
        folder = regenerate_set(
            images,
            masks,
            model,
            options.output,
            seed=options.seed,
            batch=options.batch,
            steps=options.steps,
            device=options.device,
            progress=progress,
        )
    print(f"{len(images)} images with a region drawn anew: {folder}")
    print("what stands in a region is made up; do not read it as a finding")
    return 0


def _restorer_or_model(folder: str) -> Any:
    from pathlib import Path

    from fourfold.errors import InputError
    from fourfold.generate.models import MODEL, SCHEMA, open_model
    from fourfold.generate.provenance import read_record
    from fourfold.generate.restoration import open_restorer

    try:
        read_record(Path(folder) / MODEL, SCHEMA)
    except InputError:
        return open_restorer(folder)
    return open_model(folder)


def _opened(reading: Reading, sources: dict[str, Any]) -> dict[str, ImageSet]:
    sets, said = reading.open(sources)
    for sentence in said:
        print(f"warning: {sentence}")
    return sets


def _like_model(options: argparse.Namespace, preparation: Any) -> ImageSet:
    """The images, prepared as the model's own were unless --scaling says how."""
    from dataclasses import replace

    from fourfold.generate.restoration.sets import prepared_like

    reading = reading_of(options, {"images": options.split})
    channels = options.channels or preparation.channels
    images = _opened(replace(reading, channels=channels), {"images": options.images})["images"]
    return prepared_like(images, preparation) if options.scaling == "auto" else images


def _estimated(images: ImageSet, kind: str) -> NoiseModel:
    from fourfold.generate.restoration.sets import noise_of_set

    noise, count = noise_of_set(images, kind)
    print(f"noise of the {images.name} set: {_words(noise)}, estimated from {count} of {len(images)} images")
    return noise


def _words(noise: NoiseModel) -> str:
    found = noise.describe()
    return f"{found.pop('model')}, " + ", ".join(f"{name} {value:.4f}" for name, value in found.items())


def _fit_options(options: argparse.Namespace, kind: type) -> Any:
    from types import SimpleNamespace

    from fourfold.errors import InputError
    from fourfold.generate.recipe import options_of

    given: dict[str, Any] = {
        name: value for name in ("steps", "batch") if (value := getattr(options, name)) is not None
    }
    for pair in options.set:
        name, equals, value = pair.partition("=")
        if not equals or not name:
            raise InputError(f"--set takes NAME=VALUE, got {pair!r}")
        given[name] = value
    return options_of(SimpleNamespace(name="restorer", Options=kind), given)
