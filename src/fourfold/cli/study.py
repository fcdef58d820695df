"""``fourfold study NAME [--quick] [--images SET] -o DIR``: a published claim, run again."""

from __future__ import annotations

import argparse
import textwrap
from typing import TYPE_CHECKING

from fourfold.cli.options import add_preparation, add_reading, reading_of, seed

if TYPE_CHECKING:
    from fourfold.studies import Source, StudyResult

__all__ = ["add_arguments", "run"]


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """What the command takes."""
    parser.add_argument("name", nargs="?", metavar="NAME", help="which study; without one, all are listed")
    parser.add_argument("--quick", action="store_true", help="a small size, in under ten minutes on two cores")
    parser.add_argument(
        "--images", metavar="SET", help="your own images: a folder, a table, an array file (the study's phantoms)"
    )
    parser.add_argument("-o", "--output", metavar="DIR", help="folder of cells and report (study-NAME)")
    parser.add_argument("--seed", type=seed, default=0, help="added to the seed of every cell (0)")
    parser.add_argument("--seeds", type=int, metavar="N", help="repetitions of every setting (those of the size)")
    parser.add_argument(
        "--workers",
        type=int,
        default=0,
        metavar="N",
        help="processes, a seed at a time each; more than seeds do nothing (0)",
    )
    parser.add_argument("--quiet", action="store_true", help="no progress bars")
    group = parser.add_argument_group("your own images")
    add_preparation(group, "auto (auto)")
    add_reading(parser)


def run(options: argparse.Namespace) -> int:
    """List the studies, or run one: expected time first, then cells, report and findings."""
    from fourfold.studies import study_named, study_names

    if options.name is None:
        for name in study_names():
            _describe(name)
        return 0
    from fourfold.cli.progress import progress_bars
    from fourfold.report import check_writable
    from fourfold.studies import run_study

    study = study_named(options.name)
    scale = "quick" if options.quick else "full"
    folder = options.output or f"study-{study.name}"
    check_writable(folder)
    source = _source(options)
    seeds = options.seeds or study.scales[scale].seeds
    # Each process takes whole seeds, one after the other.
    turns = -(-seeds // max(options.workers, 1))
    minutes = study.scales[scale].minutes * turns / study.scales[scale].seeds
    where = f"with {options.workers} processes" if options.workers > 1 else "on two cores"
    print(f"{study.title}\nexpected: about {_time(minutes)} {where}; an interrupted run goes on from its last cell")
    with progress_bars(options.quiet) as progress:
        result = run_study(
            study,
            folder,
            scale=scale,
            source=source,
            seed=options.seed,
            seeds=options.seeds,
            workers=options.workers,
            progress=progress,
        )
    page = result.report(folder)
    _print(result)
    print(f"\nreport: {page}")
    return 0


def _source(options: argparse.Namespace) -> Source | None:
    if options.images is None:
        return None
    from fourfold.studies import own_images

    return own_images(options.images, reading_of(options, {}))


def _describe(name: str) -> None:
    from fourfold.studies import study_named

    study = study_named(name)
    times = ", ".join(f"{scale} about {_time(chosen.minutes)}" for scale, chosen in study.scales.items())
    print(f"{name}: {study.title} ({times})")
    for claim in study.claims:
        said = f"{claim.text.rstrip('.')}. {claim.source.rstrip('.')}."
        print(textwrap.fill(said, 108, initial_indent="  - ", subsequent_indent="    "))


def _time(minutes: float) -> str:
    return f"{minutes:.0f} minutes" if minutes < 90 else f"{minutes / 60:.1f} hours"


def _print(result: StudyResult) -> None:
    texts = {claim.key: claim.text for claim in result.study.claims}
    last = None
    for one in result.findings:
        if one.claim != last:
            print(textwrap.fill(f"\n{texts[one.claim]}", 110))
        last = one.claim
        print(textwrap.fill(f"{one.verdict}: {one.sentence}", 110, initial_indent="  ", subsequent_indent="    "))
