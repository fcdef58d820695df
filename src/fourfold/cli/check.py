"""``fourfold check PATH...``: what is in the sets, what is broken, what leaks; with --against, what does not belong."""

from __future__ import annotations

import argparse
import json
import re
from pathlib import Path

from fourfold.cli.options import add_preparation, add_reading, columns_of, memory_of, opening_of, preparation_of, seed
from fourfold.errors import InputError

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
    group = parser.add_argument_group("incoming images against real ones")
    group.add_argument(
        "--against",
        metavar="REAL",
        help="say which images of PATH do not belong to the population of these, instead of what is in PATH",
    )
    group.add_argument("--against-split", metavar="NAME", help="use only this split of REAL")
    group.add_argument("--alpha", type=float, default=0.05, metavar="SHARE", help="accepted false alarms (0.05)")
    group.add_argument(
        "--features",
        action="append",
        metavar="SPEC",
        help="a feature space to look in besides histograms; may be given several times (radiomics and pixels)",
    )
    add_preparation(group, "auto from the real set (auto)")
    group.add_argument("--seed", type=seed, default=0)
    group.add_argument("--memory", default="1G", metavar="BYTES", help="for neighbour searches (1G)")
    add_reading(parser)


def run(options: argparse.Namespace) -> int:
    """Check and print; 1 where images are broken or leak between sets, or more lie outside than alpha explains."""
    return _contents(options) if options.against is None else _outliers(options)


def _contents(options: argparse.Namespace) -> int:
    from fourfold.cli.progress import progress_bars
    from fourfold.images import check_sets

    if options.against_split is not None:
        raise InputError("--against-split names a split of the real images; give them with --against")
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


def _outliers(options: argparse.Namespace) -> int:
    from fourfold.cli.progress import progress_bars
    from fourfold.images import open_set, prepare
    from fourfold.outliers import DEFAULT_FEATURES, outliers

    named = _named(options.paths)
    if len(named) != 1:
        raise InputError(f"--against judges one set at a time, got {len(named)}: {', '.join(named)}")
    [(name, source)] = named.items()
    how = opening_of(options)
    asked = {
        "real": open_set(options.against, name="real", split=options.against_split, **how),
        "new": open_set(source, name=name, **how),
    }
    sets = prepare(asked, **preparation_of(options))
    with progress_bars(quiet=options.json) as progress:
        report = outliers(
            sets["new"],
            sets["real"],
            alpha=options.alpha,
            features=options.features or DEFAULT_FEATURES,
            seed=options.seed,
            memory=memory_of(options.memory),
            progress=progress,
        )
    if options.json:
        print(json.dumps(report.to_json(), indent=2, ensure_ascii=False))
    else:
        print("\n".join(report.sentences()))
    return 1 if report.drift.drifted else 0


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
