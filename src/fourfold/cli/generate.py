"""``fourfold generate M -n N -o SYN``: new images from a model."""

from __future__ import annotations

import argparse
from typing import Any

from fourfold.cli.options import add_reading, columns_of, seed

__all__ = ["add_arguments", "run"]

_KNOBS = {
    "sampler": (str, "NAME", "diffusion: how noise is removed, e.g. dpm++2m, heun, ddpm"),
    "evaluations": (int, "N", "diffusion: network calls an image"),
    "guidance": (float, "X", "how much the condition counts, 1 for as learned; above it less variety"),
    "temperature": (float, "X", "scale of the initial noise, 1 for as learned; below it less variety"),
    "truncation": (float, "X", "pull towards the mean, 1 for none; below it less variety"),
    "condition_noise": (float, "X", "noise on feature and attribute conditions; above 0 more variety"),
}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """What the command takes."""
    parser.add_argument("model", metavar="M", help="the folder of a model, which `fourfold train` writes")
    parser.add_argument("-n", type=int, required=True, metavar="N", help="how many images")
    parser.add_argument("-o", "--output", required=True, metavar="SYN", help="a new folder for them")
    group = parser.add_argument_group("drawing; a knob that the model does not have is refused")
    for name, (kind, metavar, words) in _KNOBS.items():
        group.add_argument(f"--{name.replace('_', '-')}", type=kind, metavar=metavar, help=words)
    group = parser.add_argument_group("conditions; drawn by the law that was learned where none is given")
    group.add_argument(
        "--condition-value",
        action="append",
        default=[],
        metavar="KIND=VALUE",
        help="the same for every image, e.g. class=pneumonia; may be given several times",
    )
    group.add_argument(
        "--conditions", metavar="SET", help="take them from the images of this set, each once, in shuffled order"
    )
    group.add_argument("--conditions-split", metavar="NAME", help="use only this split of SET")
    group.add_argument("--features", metavar="SPEC", help="where the feature extractor lies that the model names")
    group.add_argument("--text-encoder", metavar="PATH", help="where the text encoder lies that the model names")
    add_reading(parser)
    group = parser.add_argument_group("work")
    group.add_argument("--seed", type=seed, default=0, help="image k depends on it, on k and on --batch (0)")
    group.add_argument("--batch", type=int, metavar="N", help="images drawn at once (64)")
    group.add_argument(
        "--bits", type=int, choices=(8, 16), help="depth of the pictures (as the training set, in its values)"
    )
    group.add_argument("--device", default="cpu", help="where networks run, e.g. cuda (cpu)")
    group.add_argument("--quiet", action="store_true", help="no progress bars")


def run(options: argparse.Namespace) -> int:
    """Draw, write, say where."""
    from fourfold.cli.progress import progress_bars
    from fourfold.errors import InputError
    from fourfold.generate.models import open_model
    from fourfold.images import open_set

    model = open_model(options.model, features=options.features, text_encoder=options.text_encoder)
    conditions = None
    reading = ("conditions_split", "column", "root", "volumes", "slices", "skip_broken")
    if options.conditions is None and any(getattr(options, name) for name in reading):
        raise InputError("how a set is read was said, and no set was given; add --conditions SET")
    if options.conditions is not None:
        conditions = open_set(
            options.conditions,
            name="conditions",
            columns=columns_of(options.column),
            split=options.conditions_split,
            root=options.root,
            volumes=options.volumes,
            slices=options.slices,
            skip_broken=options.skip_broken,
        )
    with progress_bars(options.quiet) as progress:
        folder = model.generate(
            options.n,
            options.output,
            seed=options.seed,
            condition_value=_typed(options.condition_value),
            conditions=conditions,
            batch=options.batch,
            device=options.device,
            bits=options.bits,
            progress=progress,
            **_knobs(options),
        )
    if model.record["holds_patient_images"]:
        print(f"warning: a {model.record['recipe']} model holds training images, and what it draws may show them")
    print(f"{options.n} images: {folder}")
    preparation = model.preparation
    if len(preparation.shape) == 3 and model.record["data"]["whole_numbers"] and preparation.rule == "range":
        # NIfTI is read as fractions, which are not compared with whole numbers unasked.
        print(f"compare them with the real ones by --scaling {preparation.low:g}:{preparation.high:g}")
    return 0


def _knobs(options: argparse.Namespace) -> dict[str, Any]:
    return {name: value for name in _KNOBS if (value := getattr(options, name)) is not None}


def _typed(pairs: list[str]) -> dict[str, str]:
    """``KIND=VALUE`` options as a mapping."""
    from fourfold.errors import InputError

    found: dict[str, str] = {}
    for pair in pairs:
        kind, equals, value = pair.partition("=")
        if not equals or not kind:
            raise InputError(f"--condition-value takes KIND=VALUE such as class=pneumonia, got {pair!r}")
        if kind in found:
            raise InputError(f"the condition {kind!r} is given twice; give it once")
        found[kind] = value
    return found
