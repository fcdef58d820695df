"""``fourfold train T --recipe NAME -o M``: a generator from real images."""

from __future__ import annotations

import argparse
import textwrap
from typing import Any

from fourfold.cli.options import add_preparation, add_reading, memory_of, opening_of, preparation_of, seed

__all__ = ["add_arguments", "run"]

# Options that recipes of several families share; any other is given with --set.
_SHARED = {
    "framework": (str, "NAME", "diffusion: edm, ddpm, ncsn, vp, ve or flow"),
    "steps": (int, "N", "steps of the optimiser"),
    "batch": (int, "N", "images a step"),
    "accumulate": (int, "N", "parts that a batch is cut into, one at a time in memory"),
    "learning_rate": (float, "X", "of the optimiser"),
    "epsilon": (float, "X", "private training: what an attacker may learn about one patient, at most"),
    "delta": (float, "X", "private training: the probability that this fails"),
}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """What the command takes."""
    parser.add_argument("training", metavar="T", help="the real images: a folder, a table, an array file")
    parser.add_argument(
        "--recipe", required=True, metavar="NAME", help="how: `fourfold recipes` lists them, with their options"
    )
    parser.add_argument("-o", "--output", required=True, metavar="M", help="a new folder for the model")
    parser.add_argument(
        "--holdout", metavar="H", help="images of other patients, to watch whether training memorises its own"
    )
    group = parser.add_argument_group("condition")
    group.add_argument(
        "--condition",
        metavar="KINDS",
        help="what images can be asked for: none, or some of class, labels, attributes, text, mask, features, with "
        "commas (what the recipe usually takes)",
    )
    group.add_argument("--text-column", metavar="NAME", help="the metadata column of prompts or reports")
    group.add_argument("--attributes", metavar="NAMES", help="metadata columns of numbers, with commas, e.g. age,dose")
    group.add_argument("--condition-features", metavar="SPEC", help="extractor of feature conditions (pixels)")
    group.add_argument("--feature-size", type=int, metavar="N", help="components that are kept of the features (4)")
    group.add_argument("--text-encoder", metavar="PATH", help="a Hugging Face text encoder, by folder or name")
    group = parser.add_argument_group("training")
    for name, (kind, metavar, words) in _SHARED.items():
        group.add_argument(f"--{name.replace('_', '-')}", type=kind, metavar=metavar, help=words)
    group.add_argument(
        "--set",
        action="append",
        default=[],
        metavar="NAME=VALUE",
        help="any other option of the recipe; may be given several times",
    )
    group.add_argument("--minutes", type=float, metavar="X", help="end after this time at the latest")
    group.add_argument("--snapshots", type=int, default=0, metavar="N", help="steps between samples and checkpoints")
    group.add_argument(
        "--stop-at-onset", action="store_true", help="end where memorisation begins, by the holdout, and go back"
    )
    group = parser.add_argument_group("sets")
    group.add_argument("--train-split", metavar="NAME", help="use only this split of T")
    group.add_argument("--holdout-split", metavar="NAME", help="use only this split of H")
    add_preparation(group)
    add_reading(parser)
    group = parser.add_argument_group("record")
    group.add_argument("--licence", default="", metavar="TEXT", help="under which the model may be used")
    group.add_argument("--intended-use", default="", metavar="TEXT", help="what the model is for, and not for")
    group = parser.add_argument_group("work")
    group.add_argument("--seed", type=seed, default=0)
    group.add_argument("--device", default="cpu", help="where networks run, e.g. cuda (cpu)")
    group.add_argument("--devices", type=int, default=1, metavar="N", help="how many of them (1)")
    group.add_argument("--precision", default="32-true", metavar="NAME", help="32-true, bf16-mixed or 16-mixed")
    group.add_argument("--memory", default="1G", metavar="BYTES", help="for decoded images (1G)")
    group.add_argument("--quiet", action="store_true", help="no progress bars")


def run(options: argparse.Namespace) -> int:
    """Train, say where the model is and what must be known about it."""
    from fourfold.cli.progress import progress_bars
    from fourfold.generate.train import train

    splits = {"training": options.train_split, "holdout": options.holdout_split}
    with progress_bars(options.quiet) as progress:
        model = train(
            options.training,
            recipe=options.recipe,
            output=options.output,
            holdout=options.holdout,
            condition=options.condition,
            options=_options(options),
            text_column=options.text_column,
            attributes=tuple(filter(None, (options.attributes or "").split(","))),
            condition_features=options.condition_features,
            feature_size=options.feature_size,
            text_encoder=options.text_encoder,
            splits={role: split for role, split in splits.items() if split is not None},
            **opening_of(options),
            **preparation_of(options),
            licence=options.licence,
            intended_use=options.intended_use,
            seed=options.seed,
            device=options.device,
            devices=options.devices,
            precision=options.precision,
            minutes=options.minutes,
            snapshots=options.snapshots,
            stop_at_onset=options.stop_at_onset,
            memory=memory_of(options.memory),
            progress=progress,
        )
    _say(model.record)
    for warning in model.warnings:
        print(textwrap.fill(f"warning: {warning}", 110, subsequent_indent="  "))
    print(f"model: {model.folder}  (draw from it with: fourfold generate {model.folder} -n 1000 -o SYN)")
    return 0


def _options(options: argparse.Namespace) -> dict[str, Any]:
    """The recipe's options that were given, as text where --set gave them."""
    from fourfold.errors import InputError

    found = {name: value for name in _SHARED if (value := getattr(options, name)) is not None}
    for pair in options.set:
        name, equals, value = pair.partition("=")
        if not equals or not name:
            raise InputError(f"--set takes NAME=VALUE, got {pair!r}")
        plain = name.replace("-", "_")
        if plain in found:
            raise InputError(f"the option {plain} is given twice; give it once")
        found[plain] = value
    return found


def _say(record: dict[str, Any]) -> None:
    data, training = record["data"], record["training"]
    kind = "patients" if data["identified"] else "groups of near-duplicates"
    took = f"{training['seconds']:.0f} s" if training["seconds"] < 120 else f"{training['seconds'] / 60:.0f} min"
    steps = f", {training['steps']} steps" if "steps" in training else ""
    print(f"trained {record['recipe']} on {data['images']} images of {data['patients']} {kind}: {took}{steps}")
    privacy = record["privacy"]
    if privacy is not None:
        print(f"epsilon {privacy['epsilon']:.3g} at delta {privacy['delta']:.3g}, unit: {privacy['unit']}")
        print(textwrap.fill(privacy.get("sentence", ""), 110, initial_indent="  ", subsequent_indent="  "))
