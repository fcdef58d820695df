"""``fourfold check PATH...``: what is in the sets, what is broken, what leaks."""

from __future__ import annotations

import argparse
import json
import re
from pathlib import Path

from fourfold.cli.options import add_reading, columns_of

__all__ = ["add_arguments", "run"]


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """What the command takes."""
    parser.add_argument(
        "paths",
        nargs="+",
        metavar="PATH",
        help="a folder, a table, an image; NAME=PATH names the set, e.g. training=real/train holdout=real/test",
    )
    parser.add_argument("--json", action="store_true", help="print the findings as JSON")
    add_reading(parser)


def run(options: argparse.Namespace) -> int:
    """Check and print; 1 where images are broken or leak between sets."""
    from fourfold.cli.progress import progress_bars
    from fourfold.images import check_sets

    with progress_bars(quiet=options.json) as progress:
        report = check_sets(
            _named(options.paths),
            columns=columns_of(options.column),
            root=options.root,
            volumes=options.volumes,
            slices=options.slices,
            progress=progress,
        )
    if options.json:
        print(json.dumps(report.to_json(), indent=2, ensure_ascii=False))
    else:
        print("\n".join(report.sentences()))
    return 1 if report.leaks or report.broken else 0


def _named(paths: list[str]) -> dict[str, str]:
    """Sets by name; a path without one is called by its last part, made unique."""
    found: dict[str, str] = {}
    for path in paths:
        given = re.fullmatch(r"([A-Za-z][\w-]*)=(.+)", path)
        name, source = (given[1], given[2]) if given and not Path(path).exists() else (Path(path).name or path, path)
        unique, number = name, 2
        while unique in found:
            unique, number = f"{name} ({number})", number + 1
        found[unique] = source
    return found
