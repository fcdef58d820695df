"""Which image of one set shows the same things as which of another: those of one name."""

from __future__ import annotations

from pathlib import PurePath

from fourfold.errors import InputError
from fourfold.images.sets import ImageSet

__all__ = ["matched_pairs"]

_ENDINGS = (".gz", ".nii", ".png", ".tif", ".tiff", ".jpg", ".jpeg", ".bmp", ".dcm", ".npy")


def matched_pairs(source: ImageSet, target: ImageSet) -> tuple[ImageSet, ImageSet]:
    """Both sets cut to the images that are called alike, in one order.

    Names are compared without their ending, with folders or, where that finds no partner for an image, without; rows
    of array files by their number.

    Parameters
    ----------
    source, target : ImageSet
        Images of either that have no partner are left out.

    Returns
    -------
    source, target : ImageSet
        Of equal length.

    Raises
    ------
    InputError
        Where no two images are called alike, or several of one set are.
    """
    best: tuple[list[int], list[int]] = ([], [])
    for folders in (True, False):
        ours, theirs = ([_name(path, folders) for path in images.paths] for images in (source, target))
        if len(set(ours)) < len(ours) or len(set(theirs)) < len(theirs):
            continue
        places = {name: row for row, name in enumerate(ours)}
        rows = [row for row, name in enumerate(theirs) if name in places]
        if len(rows) > len(best[1]):
            best = [places[theirs[row]] for row in rows], rows
    if not best[1]:
        raise InputError(
            f"{target.paths[0]}: no image of the {source.name} set is called like one of the {target.name} set, each "
            "by a name of its own; call the two images of a pair alike"
        )
    return source.take(best[0]), target.take(best[1])


def _name(path: str, folders: bool) -> str:
    if path.endswith("]") and "[" in path:
        return path[path.rindex("[") :]
    file, mark, frame = path.partition("#")
    name = PurePath(file) if folders else PurePath(PurePath(file).name)
    while name.suffix.lower() in _ENDINGS:
        name = name.with_suffix("")
    return f"{name}{mark}{frame}"
