"""``fourfold evaluate SYN --train T --holdout H -o report/``."""

from __future__ import annotations

import argparse

from fourfold.cli.options import add_reading, columns_of, memory_of, size_of

__all__ = ["add_arguments", "run"]


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """What the command takes."""
    parser.add_argument("synthetic", metavar="SYN", help="the synthetic set: a folder, a table, an array file")
    parser.add_argument("--train", required=True, metavar="T", help="the images that the generator was trained on")
    parser.add_argument(
        "--holdout", metavar="H", help="images of other patients that the generator never saw: the control"
    )
    parser.add_argument("-o", "--output", default="report", metavar="DIR", help="folder of the report (report)")
    parser.add_argument(
        "--features",
        action="append",
        metavar="SPEC",
        help="a feature space; may be given several times, the leading one first (radiomics and pixels); "
        "`fourfold features` lists them",
    )
    parser.add_argument(
        "--only", action="append", metavar="NAME", help="an axis or metric, e.g. privacy or variety/coverage"
    )
    parser.add_argument(
        "--require",
        action="append",
        default=[],
        choices=("fidelity", "variety", "privacy", "utility"),
        help="exit with 1 unless this axis passes",
    )
    reading = parser.add_argument_group("sets")
    reading.add_argument("--train-split", metavar="NAME", help="use only this split of T")
    reading.add_argument("--holdout-split", metavar="NAME", help="use only this split of H")
    reading.add_argument("--synthetic-split", metavar="NAME", help="use only this split of SYN")
    reading.add_argument("--size", metavar="N", help="resample every image to N, HxW or DxHxW")
    reading.add_argument("--channels", type=int, choices=(1, 3), help="convert every image to grey or RGB")
    reading.add_argument(
        "--scaling", default="auto", metavar="RULE", help="LOW:HIGH, per-image, or auto from the training set (auto)"
    )
    add_reading(parser)
    work = parser.add_argument_group("work")
    work.add_argument("--seed", type=int, default=0)
    work.add_argument("--store", metavar="DIR", help="where features and scores are kept for the next run")
    work.add_argument("--no-store", action="store_true", help="keep nothing")
    work.add_argument("--memory", default="1G", metavar="BYTES", help="for neighbour searches (1G)")
    work.add_argument("--workers", type=int, default=0, metavar="N", help="processes that decode images (0)")
    work.add_argument("--device", default="cpu", help="where networks run, e.g. cuda (cpu)")
    work.add_argument("--quiet", action="store_true", help="no progress bars")


def run(options: argparse.Namespace) -> int:
    """Evaluate, write the report, print the four answers."""
    from fourfold.cli.progress import progress_bars
    from fourfold.cli.summary import print_answers
    from fourfold.evaluation import DEFAULT_FEATURES, evaluate
    from fourfold.report import check_writable

    check_writable(options.output)
    splits = {
        role: split
        for role, split in (
            ("training", options.train_split),
            ("holdout", options.holdout_split),
            ("synthetic", options.synthetic_split),
        )
        if split is not None
    }
    with progress_bars(options.quiet) as progress:
        evaluation = evaluate(
            options.synthetic,
            options.train,
            options.holdout,
            features=tuple(options.features or DEFAULT_FEATURES),
            only=options.only,
            splits=splits,
            columns=columns_of(options.column),
            root=options.root,
            size=size_of(options.size),
            channels=options.channels,
            scaling=options.scaling,
            volumes=options.volumes,
            slices=options.slices,
            skip_broken=options.skip_broken,
            seed=options.seed,
            store=False if options.no_store else options.store,
            memory=memory_of(options.memory),
            workers=options.workers,
            device=options.device,
            progress=progress,
        )
        progress("writing the report", 0, 1)
        page = evaluation.report(options.output)
        progress("writing the report", 1, 1)
    print_answers(evaluation)
    print(f"\nreport: {page}")
    verdicts = evaluation.verdicts
    return 1 if any(verdicts[axis].status != "pass" for axis in options.require if axis in verdicts) else 0
