"""``fourfold paired RESTORED --targets CLEAN --inputs NOISY -o paired/``."""

from __future__ import annotations

import argparse
import textwrap
from typing import TYPE_CHECKING

from fourfold.cli.options import add_preparation, add_reading, opening_of, preparation_of, seed

if TYPE_CHECKING:
    from fourfold.pairing import PairedSets

__all__ = ["add_arguments", "run"]


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """What the command takes."""
    parser.add_argument(
        "restored", metavar="RESTORED", help="restored or translated images: a folder, a table, an array file"
    )
    parser.add_argument("--targets", required=True, metavar="CLEAN", help="the images that they should be")
    parser.add_argument(
        "--inputs", metavar="NOISY", help="the untreated images that they were made from: what doing nothing scores"
    )
    parser.add_argument("-o", "--output", default="paired", metavar="DIR", help="folder of the report (paired)")
    parser.add_argument(
        "--match",
        default="name",
        metavar="HOW",
        help="which images are partners: name, order, or column:NAME of the metadata (name)",
    )
    parser.add_argument(
        "--measure",
        action="append",
        metavar="SPEC",
        help="psnr, ssim, ms_ssim, lpips-alex:BACKBONE,HEADS (or vgg, squeeze), dists:BACKBONE or dreamsim:CACHE_DIR; "
        "may be given several times, the leading one first (the first three)",
    )
    group = parser.add_argument_group("sets")
    for role, letter in (("restored", "RESTORED"), ("targets", "CLEAN"), ("inputs", "NOISY")):
        group.add_argument(f"--{role}-split", metavar="NAME", help=f"use only this split of {letter}")
    add_preparation(group, "auto from the targets (auto)")
    add_reading(parser)
    group = parser.add_argument_group("work")
    group.add_argument("--seed", type=seed, default=0)
    group.add_argument("--device", default="cpu", help="where networks run, e.g. cuda (cpu)")
    group.add_argument("--quiet", action="store_true", help="no progress bars")


def run(options: argparse.Namespace) -> int:
    """Measure every pair, write the report, print the table and what was found."""
    from fourfold.cli.progress import progress_bars
    from fourfold.pairing import paired
    from fourfold.report import check_writable

    check_writable(options.output)
    splits = {role: getattr(options, f"{role}_split") for role in ("restored", "targets", "inputs")}
    with progress_bars(options.quiet) as progress:
        found = paired(
            options.restored,
            options.targets,
            options.inputs,
            match=options.match,
            measures=options.measure,
            seed=options.seed,
            device=options.device,
            progress=progress,
            splits={role: split for role, split in splits.items() if split is not None},
            **opening_of(options),
            **preparation_of(options),
        )
        progress("writing the report", 0, 1)
        page = found.report(options.output)
        progress("writing the report", 1, 1)
    _print(found)
    print(f"\nreport: {page}")
    return 0


def _print(found: PairedSets) -> None:
    from fourfold.report.paired_wording import sentences

    kind = "patients" if found.identified else "groups of near-duplicates"
    print(f"{len(found)} pairs of {found.patients} {kind}")
    for sentence in sentences(found):
        print(textwrap.fill(sentence, 110, subsequent_indent="  "))
    leading = found.measures[0]
    paths = found.sets["restored"].images.paths
    shown = ", ".join(f"{paths[row]} ({leading.values[row]:.3g})" for row in leading.ranked[:3])
    print(textwrap.fill(f"worst by {leading.name}: {shown}", 110, subsequent_indent="  "))
    for note in found.notes:
        print(textwrap.fill(note, 110, initial_indent="note  ", subsequent_indent=" " * 6))
