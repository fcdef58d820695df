"""``fourfold demo``: phantoms with planted truth, evaluated the way a user's own folders would be."""

from __future__ import annotations

import argparse
import sys
import webbrowser
from pathlib import Path

from fourfold.cli.options import seed

__all__ = ["add_arguments", "run"]


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """What the command takes."""
    parser.add_argument("-o", "--output", default="demo", metavar="DIR", help="a new or empty folder (demo)")
    parser.add_argument("--kind", choices=("chest", "brain"), default="chest")
    parser.add_argument("--patients", type=int, default=300, metavar="N", help="patients in each real set (300)")
    parser.add_argument("--seed", type=seed, default=0)
    parser.add_argument("--open", action="store_true", help="open the report even where there is no terminal")
    parser.add_argument("--no-open", action="store_true", help="do not open the report")
    parser.add_argument("--quiet", action="store_true", help="no progress bars")


def run(options: argparse.Namespace) -> int:
    """Write three folders, evaluate them, say what was planted and what was found."""
    from fourfold.cli.progress import progress_bars
    from fourfold.cli.summary import print_answers
    from fourfold.evaluation import evaluate
    from fourfold.images.phantoms import write_demonstration

    folder = Path(options.output)
    with progress_bars(options.quiet) as progress:
        progress("drawing phantoms", 0, 1)
        truth = write_demonstration(folder, kind=options.kind, patients=options.patients, seed=options.seed)
        progress("drawing phantoms", 1, 1)
        evaluation = evaluate(
            folder / "synthetic",
            train=folder / "training",
            holdout=folder / "holdout",
            seed=options.seed,
            progress=progress,
        )
        progress("writing the report", 0, 1)
        page = evaluation.report(folder / "report")
        progress("writing the report", 1, 1)
    print_answers(evaluation)
    listed = {
        path: source
        for path, copy, source in zip(
            evaluation.images["path"], evaluation.images["copy"], evaluation.images["nearest_training"], strict=True
        )
        if copy
    }
    right = sum(listed.get(path) == source for path, source in truth.copies.items())
    print("\nplanted:")
    for sentence in truth.sentences:
        print(f"  {sentence}")
    print(
        f"found: {right} of {len(truth.copies)} copies with the right source, "
        f"{len(set(listed) - set(truth.copies))} other images listed"
    )
    print(f"\nreport: {page}")
    if options.open or (sys.stdout.isatty() and not options.no_open):
        webbrowser.open(page.resolve().as_uri())
    return 0
