"""``fourfold utility SYN [SYN2 ...] --train T --holdout H --task classification -o utility/``."""

from __future__ import annotations

import argparse
import textwrap
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from fourfold.cli.options import add_preparation, add_reading, memory_of, named_sets, reading_of, seed
from fourfold.errors import InputError

if TYPE_CHECKING:
    from fourfold.utility.study import UtilityStudy

__all__ = ["add_arguments", "run"]

_ARMS = {
    "synthetic": ("substitution",),
    "added": ("addition",),
    "augmented": ("augmentation", "beyond augmentation"),
    "curve": ("learning curve",),
}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """What the command takes."""
    parser.add_argument(
        "synthetic",
        nargs="+",
        metavar="SYN",
        help="a synthetic set: a folder, a table, an array file; NAME=SYN names it, e.g. gan=sets/0412",
    )
    parser.add_argument("--train", required=True, metavar="T", help="the real images they stand in for")
    parser.add_argument(
        "--holdout", "--test", required=True, metavar="H", help="real patients, not in T, who are tested on"
    )
    parser.add_argument("--fresh", metavar="F", help="further real patients: what a perfect generator would give")
    parser.add_argument(
        "--fresh-part", type=float, metavar="SHARE", help="instead of F, this share of the patients of H"
    )
    parser.add_argument("-o", "--output", default="utility", metavar="DIR", help="folder of the report (utility)")
    group = parser.add_argument_group("what is learned")
    group.add_argument(
        "--task", default="classification", choices=("classification", "segmentation"), help="(classification)"
    )
    group.add_argument(
        "--network",
        metavar="NAME",
        help="resnet or densenet121; unet, dynunet or nnunet; or a model of an installed package, MODULE:OBJECT "
        "(resnet, unet)",
    )
    group.add_argument(
        "--second-task", metavar="COLUMN", help="a column with other labels, learned after the task of SYN"
    )
    group.add_argument(
        "--subgroup", action="append", default=[], metavar="COLUMN", help="a column of H to give answers by, e.g. sex"
    )
    group = parser.add_argument_group("arms")
    group.add_argument(
        "--arms", metavar="NAMES", help=f"some of {','.join(_ARMS)}; their controls come with them (all)"
    )
    group.add_argument(
        "--ratios", default="0.5,1,2", metavar="R,R", help="synthetic images for each real one (0.5,1,2)"
    )
    group.add_argument("--curve", default="", metavar="K,K", help="numbers of real images of a learning curve (none)")
    group.add_argument("--seeds", type=int, default=5, metavar="N", help="trainings of each arm (5)")
    group.add_argument(
        "--halvings",
        type=int,
        default=3,
        metavar="N",
        help="cuts of every set into halves, each two further trainings of an arm, which tell how far other images "
        "would move an answer; 0 for none (3)",
    )
    group.add_argument("--steps", type=int, default=300, metavar="N", help="optimiser steps of every training (300)")
    group = parser.add_argument_group("sets")
    for role, letter in (("train", "T"), ("holdout", "H"), ("fresh", "F"), ("synthetic", "SYN")):
        group.add_argument(f"--{role}-split", metavar="NAME", help=f"use only this split of {letter}")
    add_preparation(group, "auto from the training set (auto)")
    add_reading(parser)
    group = parser.add_argument_group("work")
    group.add_argument("--seed", type=seed, default=0)
    group.add_argument(
        "--units", metavar="DIR", help="where finished trainings are kept; they stay inside (units, in the output)"
    )
    group.add_argument("--memory", default="1G", metavar="BYTES", help="for images (1G)")
    group.add_argument("--device", default="cpu", help="where networks run, e.g. cuda (cpu)")
    group.add_argument("--quiet", action="store_true", help="no progress bars")


def run(options: argparse.Namespace) -> int:
    """Study, write the report, print each answer beside its control."""
    from fourfold.cli.progress import progress_bars
    from fourfold.report import check_writable
    from fourfold.report.utility_study import sentences, write_utility_study
    from fourfold.utility.study import Effort, utility_study

    check_writable(options.output)
    effort = Effort(options.seeds, options.halvings, options.steps, options.seed, options.device)
    splits = {
        "training": options.train_split,
        "holdout": options.holdout_split,
        "fresh": options.fresh_split,
        "synthetic": options.synthetic_split,
    }
    asked: dict[str, Any] = {
        "task": options.task,
        "network": options.network,
        "second_task": options.second_task,
        "subgroups": options.subgroup,
        "ratios": _numbers("--ratios", options.ratios, float),
        "curve": _numbers("--curve", options.curve, int),
        "questions": _questions(options.arms),
        "fresh_part": options.fresh_part,
        "effort": effort,
        "reading": reading_of(options, splits),
        "units": options.units or Path(options.output) / "units",
        "memory": memory_of(options.memory),
    }
    with progress_bars(options.quiet) as progress:
        study = utility_study(
            named_sets(options.synthetic), options.train, options.holdout, options.fresh, **asked, progress=progress
        )
        progress("writing the report", 0, 1)
        page = write_utility_study(study, options.output)
        progress("writing the report", 1, 1)
    _print(study, sentences(study))
    print(f"\nreport: {page}")
    return 0


def _numbers(option: str, text: str, kind: Callable[[str], Any]) -> list[Any]:
    try:
        return [kind(word) for word in text.split(",") if word.strip()]
    except ValueError as wrong:
        raise InputError(f"{option} takes numbers with commas between them, got {text!r}") from wrong


def _questions(text: str | None) -> list[str] | None:
    if text is None:
        return None
    words = [word.strip() for word in text.split(",") if word.strip()]
    unknown = [word for word in words if word not in _ARMS]
    if unknown or not words:
        raise InputError(f"--arms takes some of {', '.join(_ARMS)} with commas between them, got {text!r}")
    return [question for word in words for question in _ARMS[word]]


def _print(study: UtilityStudy, said: tuple[str, ...]) -> None:
    for sentence in said:
        print(textwrap.fill(sentence, 110, subsequent_indent="  "))
    for findings in study.findings:
        print(f"\n{findings.problem}, {findings.test_images} test images of {findings.test_patients} patients")
        rows = [(arm.name, *_estimate(arm.values[findings.headline]), str(arm.total)) for arm in findings.arms]
        rows.insert(0, ("learned from", findings.headline, "95 %", "images"))
        wide = [max(len(row[place]) for row in rows) for place in range(4)]
        for name, *cells in rows:
            print("  ".join([name.ljust(wide[0]), *(c.rjust(w) for c, w in zip(cells, wide[1:], strict=True))]))
    for note in study.notes:
        print(textwrap.fill(note, 110, initial_indent="note  ", subsequent_indent=" " * 6))


def _estimate(found: Any) -> tuple[str, str]:
    if found.value is None:
        return "-", "-"
    low, high = found.interval
    return f"{found.value:.3f}", f"{low:.3f} to {high:.3f}"
