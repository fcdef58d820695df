"""Which images of two sets are called alike: partners of a pair, images and their masks."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import PurePath

__all__ = ["called_alike", "last_name", "whole_name"]

_ENDINGS = (".gz", ".nii", ".png", ".tif", ".tiff", ".jpg", ".jpeg", ".bmp", ".dcm", ".npy")


def called_alike(paths: Sequence[str], others: Sequence[str]) -> tuple[list[int], list[int]]:
    """Rows of two sets that have the same name, in the order of the second.

    Names are compared without their ending, with folders or, where that finds more, without; rows of array files then
    by their number alone.

    Parameters
    ----------
    paths, others : sequence of str
        As `fourfold.images.ImageSet.paths`.

    Returns
    -------
    rows, rows of others : list of int
        Of equal length; empty where no two are called alike, or several of one set are.

    Examples
    --------
    >>> called_alike(["t1/a.png", "t1/b.png"], ["t2/b.nii.gz", "t2/c.nii.gz"])
    ([1], [0])
    """
    best: tuple[list[int], list[int]] = ([], [])
    for name in (whole_name, last_name):
        ours, theirs = [name(path) for path in paths], [name(path) for path in others]
        if len(set(ours)) < len(ours) or len(set(theirs)) < len(theirs):
            continue
        places = {one: row for row, one in enumerate(ours)}
        rows = [row for row, one in enumerate(theirs) if one in places]
        if len(rows) > len(best[1]):
            best = [places[theirs[row]] for row in rows], rows
    return best


def last_name(path: str) -> str:
    """The name without folders and ending; of a row of an array file its number alone."""
    return path[path.rindex("[") :] if path.endswith("]") and "[" in path else whole_name(PurePath(path).name)


def whole_name(path: str) -> str:
    """The name with its folders, without its ending."""
    file, mark, frame = path.partition("#")
    name = PurePath(file)
    while name.suffix.lower() in _ENDINGS:
        name = name.with_suffix("")
    return f"{name}{mark}{frame}"
