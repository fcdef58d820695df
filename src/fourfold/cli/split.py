"""``fourfold split SET -o DIR``: training and holdout by patient."""

from __future__ import annotations

import argparse
from pathlib import Path

from fourfold.cli.options import add_reading, columns_of, seed

__all__ = ["add_arguments", "run"]


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """What the command takes."""
    parser.add_argument("set", metavar="SET", help="a folder or table")
    parser.add_argument("-o", "--output", required=True, metavar="FILE", help="the CSV table to write")
    parser.add_argument("--holdout", type=float, default=0.4, metavar="SHARE", help="share of the patients (0.4)")
    parser.add_argument("--seed", type=seed, default=0)
    add_reading(parser)


def run(options: argparse.Namespace) -> int:
    """Split, record, print the sizes."""
    from fourfold.errors import InputError
    from fourfold.images import open_set, record_split, split_by_patient, write_split, write_split_record

    if not 0 < options.holdout < 1:
        raise InputError(f"--holdout takes a share between 0 and 1, got {options.holdout}")
    image_set = open_set(
        options.set,
        name="set",
        columns=columns_of(options.column),
        root=options.root,
        volumes=options.volumes,
        slices=options.slices,
        skip_broken=options.skip_broken,
    )
    fractions = {"training": 1 - options.holdout, "holdout": options.holdout}
    parts = split_by_patient(image_set, fractions, options.seed)
    table = write_split(parts, Path(options.output))
    ending = ".record.json" if table.suffix == ".json" else ".json"
    record = write_split_record(record_split(parts, fractions, options.seed), table.with_suffix(ending))
    for name, part in parts.items():
        patients = "" if part.patients is None else f" of {len(set(part.patients))} patients"
        print(f"{name}: {len(part)} images{patients}")
    beside = image_set.root is None or table.resolve().parent == image_set.root.resolve()
    root = "" if beside else f" --root {image_set.root}"
    print(
        f"table: {table}  (use it with --train {table} --train-split training "
        f"--holdout {table} --holdout-split holdout{root})"
    )
    print(f"record: {record}  (keep it: it proves later that chance made the split)")
    return 0
