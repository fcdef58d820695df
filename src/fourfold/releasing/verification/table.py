"""``metadata.csv`` and the image files: names that tell nothing, labels that agree, images that hold nothing else."""

from __future__ import annotations

import csv
import io
import math
import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from fourfold.images.formats import MAX_VALUES
from fourfold.releasing.package.contents import ENDINGS
from fourfold.releasing.package.labels import readable
from fourfold.releasing.package.pictures import METADATA, name_of, slice_of
from fourfold.releasing.verification.found import Check, Unsound, check_of, read_bounded
from fourfold.releasing.verification.pictures import check_dicom, check_nifti, check_png

__all__ = ["Table", "check_labels_agree", "check_names", "check_pictures", "table_in"]

_MOST_TABLE = 1 << 29
_MOST_UIDS = 3


@dataclass(frozen=True)
class Table:
    """The rows of ``metadata.csv``, from column to cell."""

    columns: tuple[str, ...]
    rows: tuple[Mapping[str, str], ...]

    @property
    def findings(self) -> tuple[str, ...]:
        """Columns of findings."""
        return tuple(name for name in self.columns if name.startswith("label:"))


def table_in(folder: Path) -> Table:
    """The table, in the one form that a package gives it; raises Unsound."""
    try:
        text = read_bounded(folder / METADATA, _MOST_TABLE).decode()
        lines = list(csv.reader(io.StringIO(text, newline=""), strict=True))
    except (UnicodeDecodeError, csv.Error) as error:
        raise Unsound(f"{METADATA} is no table of text") from error
    if len(lines) < 2 or any(len(line) != len(lines[0]) for line in lines):
        raise Unsound(f"{METADATA} has no rows, or rows of different lengths")
    columns = tuple(lines[0])
    findings = [name for name in columns if name.startswith("label:")]
    order = ["path", *(["label"] if "label" in columns else []), *sorted(findings)]
    if list(columns) != [*order, *(["mask"] if "mask" in columns else [])]:
        raise Unsound(f"{METADATA} has other columns than path, label, label:NAME and mask, or in another order")
    return Table(columns, tuple(dict(zip(columns, line, strict=True)) for line in lines[1:]))


def check_names(table: Table, release: Mapping[str, Any], sizes: Mapping[str, int]) -> Check:
    """Whether images and masks are numbered in order, each once, and no other image lies there."""
    total, ending = release["images"], ENDINGS[release["form"]]
    slices = _slices(release)
    if len(table.rows) != total * slices:
        return check_of("names", [f"{METADATA} has not one row for each of the images of release.json"], "")
    names = [name_of(number, total) for number in range(1, total + 1)]
    paths = [f"images/{name}{part}{ending}" for name in names for part in _parts(slices)]
    problems = []
    if [row["path"] for row in table.rows] != paths:
        problems.append("the paths of the table are not the numbers of the images in order")
    masks = {row["mask"] for row in table.rows} - {""} if "mask" in table.columns else set()
    mask_ending = ENDINGS["png" if len(release["shape"]) == 3 else "nifti"]
    allowed = [f"masks/{name}{mask_ending}" for name in names for _ in range(slices)]
    if "mask" in table.columns and any(
        row["mask"] not in ("", own) for row, own in zip(table.rows, allowed, strict=False)
    ):
        problems.append("the masks of the table do not have the numbers of their images")
    there = {path for path in sizes if path.startswith(("images/", "masks/"))}
    if there != {*paths, *masks}:
        problems.append("the images and masks of the table are not those in the folders")
    return check_of("names", problems, f"{total} images are numbered in order; their names tell nothing else.")


def check_labels_agree(table: Table, release: Mapping[str, Any]) -> Check:
    """Whether labels are short text or numbers, and their counts those of ``release.json``."""
    problems = []
    rows = table.rows[:: _slices(release)]
    words = {row["label"] for row in rows} if "label" in table.columns else set()
    words |= {name.removeprefix("label:") for name in table.findings}
    if not all(map(readable, words)):
        problems.append("a label is empty, long, or holds control characters")
    try:
        counts = {
            name.removeprefix("label:"): sum(float(row[name]) > 0 for row in rows if row[name])
            for name in table.findings
        }
    except ValueError:
        problems.append("a finding is no number")
        counts = {}
    if "label" in table.columns:
        counts = Counter(row["label"] for row in rows)
    if dict(counts) != release["classes"]:
        problems.append("the counts of classes are not those of release.json")
    said = f"{len(counts)} classes have the counts of release.json." if counts else "There are no labels."
    return check_of("labels", problems, said)


def check_pictures(folder: Path, table: Table, release: Mapping[str, Any]) -> Check:
    """Whether every image and mask is of the stated size and holds nothing beside its pixels."""
    shape, problems, uids = tuple(release["shape"]), [], []
    if math.prod(shape) > MAX_VALUES:
        return check_of("pictures", ["release.json states images larger than any that is read"], "")
    for place, row in enumerate(table.rows):
        try:
            uids.append(_check_image(folder, row["path"], place, release))
        except Unsound as error:
            problems.append(f"{row['path']} {error}")
    for mask in sorted({row.get("mask", "") for row in table.rows} - {""}):
        try:
            if len(shape) == 3:
                check_png(folder / mask, (1, *shape[1:]), 8)
            else:
                check_nifti(folder / mask, shape, 8, top=255.0)
        except Unsound as error:
            problems.append(f"{mask} {error}")
    problems += _shared_identifiers(uids, _slices(release))
    size = " x ".join(map(str, shape[1:]))
    return check_of("pictures", problems, f"Every image is {size} and holds nothing beside its pixels.")


def _check_image(folder: Path, path: str, place: int, release: Mapping[str, Any]) -> tuple[str, ...]:
    shape, bits = tuple(release["shape"]), release["bits"]
    if re.fullmatch(r"images/[0-9./a-z]+", path) is None or ".." in path:
        raise Unsound("is no path of a package")
    if release["form"] == "png":
        check_png(folder / path, shape, bits)
    elif release["form"] == "nifti":
        check_nifti(folder / path, shape, bits)
    else:
        number, part = divmod(place, _slices(release))
        return check_dicom(folder / path, shape, bits, number + 1, part + 1, release["created"])
    return ()


def _shared_identifiers(uids: Sequence[tuple[str, ...]], slices: int) -> list[str]:
    """Whether a UID names two things."""
    if not any(uids):
        return []
    told = [one for one in uids if len(one) == _MOST_UIDS]
    instances = {one[0] for one in told}
    groups = {one[1:] for one in told}
    series, studies = {one[0] for one in groups}, {one[1] for one in groups}
    images = -(-len(told) // slices)
    every = len(instances) + len(series) + len(studies)
    distinct = len(instances | series | studies)
    sound = len(instances) == len(told) and len(groups) == len(series) == len(studies) == images and every == distinct
    return [] if sound else ["a UID stands for two images"]


def _slices(release: Mapping[str, Any]) -> int:
    """Rows of the table an image."""
    return release["shape"][1] if release["form"] == "dicom" and len(release["shape"]) == 4 else 1


def _parts(slices: int) -> list[str]:
    return [""] if slices == 1 else [f"/{slice_of(place)}" for place in range(1, slices + 1)]
