"""``fourfold audit SYN --train T --holdout H -o audit/``: the whole privacy audit, judged by a policy."""

from __future__ import annotations

import argparse
import textwrap
from typing import TYPE_CHECKING

from fourfold.cli.options import (
    PolicyWriter,
    add_engine,
    add_policy,
    add_sets,
    add_work,
    engine_of,
    evaluation_of,
    range_of,
)

if TYPE_CHECKING:
    from fourfold.auditing import Audit

__all__ = ["add_arguments", "run"]


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """What the command takes."""
    add_sets(parser)
    parser.add_argument("-o", "--output", default="audit", metavar="DIR", help="folder of the statement (audit)")
    add_policy(parser)
    parser.add_argument(
        "--write-policy",
        action=PolicyWriter,
        const="fourfold.privacy:write_policy",
        metavar="FILE",
        help="write the default policy and stop",
    )
    parser.add_argument(
        "--model",
        metavar="FILE",
        help="the generator, where it is to be shared too: a folder of `fourfold train`, or a denoiser file",
    )
    parser.add_argument(
        "--model-range", default="-1:1", metavar="LOW:HIGH", help="values of the model's images (--model-range=-1:1)"
    )
    parser.add_argument("--split-by", default="", metavar="NAME", help="who divided the patients, for the statement")
    parser.add_argument("--split-record", metavar="FILE", help="the .json that `fourfold split` wrote beside its table")
    add_work(parser)
    add_engine(parser)


def run(options: argparse.Namespace) -> int:
    """Audit, write the statement and the report, print the verdict; 1 unless it passes."""
    from fourfold.auditing import audit
    from fourfold.cli.progress import progress_bars
    from fourfold.report import check_writable

    check_writable(options.output)
    asked = evaluation_of(options)
    with engine_of(options) as engine, progress_bars(options.quiet or not engine.leads) as progress:
        found = audit(
            **asked,
            engine=engine,
            features_to=options.features_to,
            model=options.model,
            model_range=range_of(options.model_range),
            split=options.split_record,
            split_by=options.split_by,
            progress=progress,
        )
        if not engine.leads:
            return 0
        progress("writing the statement", 0, 1)
        page = found.write(options.output)
        progress("writing the statement", 1, 1)
    _print(found)
    print(f"\nstatement: {page}\nreport, not to be passed on: {page.with_name('index.html')}")
    return 0 if found.status == "pass" else 1


def _print(found: Audit) -> None:
    head = f"{found.status.upper():<13} "
    print(textwrap.fill(found.sentence, 110, initial_indent=head, subsequent_indent=" " * len(head)))
    print()
    for stage in found.stages:
        print(f"{stage.number} {stage.name:<33} {stage.status}")
    rows = [
        (one.title, one.written(one.estimate), one.written(one.upper), one.written(one.limit), one.status)
        for one in found.endpoints
    ]
    if rows:
        rows.insert(0, ("endpoint", "observed", "at most", "limit", "status"))
        wide = [max(len(row[place]) for row in rows) for place in range(5)]
        print()
        for title, *numbers, status in rows:
            cells = "  ".join(text.rjust(width) for text, width in zip(numbers, wide[1:4], strict=True))
            print(f"{title.ljust(wide[0])}  {cells}  {status}")
    for note in found.evaluation.notes:
        print(textwrap.fill(note, 110, initial_indent="note  ", subsequent_indent=" " * 6))
