"""``fourfold plan --train-size N --synthetic-size M``, or ``fourfold plan SYN --train T --holdout H``."""

from __future__ import annotations

import argparse
import textwrap
from typing import Any

from fourfold.cli.options import add_preparation, add_reading, memory_of, opening_of, preparation_of, size_of
from fourfold.errors import InputError

__all__ = ["add_arguments", "run"]

_ROLES = (
    ("train", "training", "T"),
    ("synthetic", "synthetic", "SYN"),
    ("holdout", "holdout", "H"),
    ("reference", "reference", "R"),
)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """What the command takes."""
    parser.add_argument("synthetic", nargs="?", metavar="SYN", help="the synthetic set, where there is one already")
    for option, role, letter in _ROLES:
        if option != "synthetic":
            parser.add_argument(f"--{option}", metavar=letter, help=f"the {role} set")
    for option, role, _ in _ROLES:
        parser.add_argument(f"--{option}-size", type=int, metavar="N", help=f"images of the {role} set, instead of it")
    parser.add_argument("--image-size", default="64", metavar="N", help="N, HxW or DxHxW of images not there yet (64)")
    parser.add_argument("--features", action="append", metavar="SPEC", help="a feature space (radiomics and pixels)")
    parser.add_argument("--only", action="append", metavar="NAME", help="an axis or metric, as for evaluate")
    parser.add_argument("--thorough", action="store_true", help="with what only a full audit asks")
    parser.add_argument("--json", metavar="FILE", help="write the plan, with what was measured")
    group = parser.add_argument_group("measuring")
    group.add_argument(
        "--measure",
        action=argparse.BooleanOptionalAction,
        default=True,
        help="time every step on small sets, in about half a minute",
    )
    group.add_argument("--constants", metavar="FILE", help="what an earlier plan measured here, from its --json")
    group.add_argument("--device", default="cpu", help="where networks run, e.g. cuda (cpu)")
    group.add_argument("--memory", default="1G", metavar="BYTES", help="for neighbour searches (1G)")
    group.add_argument("--engine", default="local", choices=("local", "ray"), help="where it is to run (local)")
    group.add_argument("--workers", type=int, default=1, metavar="W", help="of the cluster (1)")
    group.add_argument("--quiet", action="store_true", help="no progress bars")
    sets = parser.add_argument_group("sets")
    for option, _, letter in _ROLES:
        sets.add_argument(f"--{option}-split", metavar="NAME", help=f"use only this split of {letter}")
    add_preparation(sets, "auto from the training set (auto)")
    add_reading(parser)


def run(options: argparse.Namespace) -> int:
    """Plan, print the table and what would make it cheaper."""
    from fourfold.cli.progress import progress_bars
    from fourfold.evaluation import DEFAULT_FEATURES
    from fourfold.planning import plan
    from fourfold.planning.document import read_constants, write_plan
    from fourfold.planning.table import lines

    sets = _sets(options)
    splits = {role: getattr(options, f"{option}_split") for option, role, _ in _ROLES}
    constants = None if options.constants is None else read_constants(options.constants)
    with progress_bars(options.quiet) as progress:
        found = plan(
            **sets,
            features=tuple(options.features or DEFAULT_FEATURES),
            only=options.only,
            thorough=options.thorough,
            image_size=size_of(options.image_size),
            splits={role: split for role, split in splits.items() if split is not None},
            reading=opening_of(options),
            preparation=preparation_of(options),
            engine=options.engine,
            workers=options.workers,
            measure=options.measure,
            constants=constants,
            memory=memory_of(options.memory),
            device=options.device,
            progress=progress,
        )
    for line in lines(found):
        print(line if "  " in line else textwrap.fill(line, 110, subsequent_indent="  "))
    if options.json is not None:
        print(f"\nplan: {write_plan(found, options.json)}")
    return 0


def _sets(options: argparse.Namespace) -> dict[str, Any]:
    """The sets, or their sizes, by the names that `fourfold.planning.plan` gives them."""
    found: dict[str, Any] = {}
    for option, role, letter in _ROLES:
        one, number = getattr(options, option), getattr(options, f"{option}_size")
        if one is not None and number is not None:
            raise InputError(f"the {role} set is given and its size as well; give one of {letter} and --{option}-size")
        found[option] = one if number is None else number
    if found["synthetic"] is None or found["train"] is None:
        raise InputError("give SYN and --train T, or --synthetic-size and --train-size")
    return found
