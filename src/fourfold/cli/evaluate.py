"""``fourfold evaluate SYN --train T --holdout H -o report/``."""

from __future__ import annotations

import argparse

from fourfold.cli.options import add_engine, add_policy, add_search, add_sets, add_work, engine_of, evaluation_of

__all__ = ["add_arguments", "run"]


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """What the command takes."""
    add_sets(parser)
    parser.add_argument("-o", "--output", default="report", metavar="DIR", help="folder of the report (report)")
    parser.add_argument("--only", action="append", metavar="NAME", help="an axis or metric, e.g. privacy or coverage")
    parser.add_argument(
        "--by",
        action="append",
        default=[],
        metavar="COLUMN",
        help="score every group of a metadata column as well, e.g. label, sex or age:20,40,60 (bands)",
    )
    parser.add_argument(
        "--require",
        action="append",
        default=[],
        choices=("fidelity", "variety", "privacy", "utility"),
        help="exit with 1 unless this axis passes",
    )
    add_policy(parser)
    add_work(parser)
    add_engine(parser)
    add_search(parser)


def run(options: argparse.Namespace) -> int:
    """Evaluate, write the report, print the four answers."""
    from fourfold.cli.progress import progress_bars
    from fourfold.cli.summary import print_answers
    from fourfold.evaluation import evaluate
    from fourfold.report import check_writable

    check_writable(options.output)
    asked = evaluation_of(options)
    with engine_of(options) as engine, progress_bars(options.quiet or not engine.leads) as progress:
        evaluation = evaluate(
            **asked,
            only=options.only,
            by=options.by,
            engine=engine,
            features_to=options.features_to,
            search=options.search,
            progress=progress,
        )
        if not engine.leads:
            return 0
        progress("writing the report", 0, 1)
        page = evaluation.report(options.output)
        progress("writing the report", 1, 1)
    print_answers(evaluation)
    print(f"\nreport: {page}")
    verdicts = evaluation.verdicts
    return 1 if any(verdicts[axis].status != "pass" for axis in options.require if axis in verdicts) else 0
