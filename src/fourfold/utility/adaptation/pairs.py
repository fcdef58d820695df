"""Which image of one set shows the same things as which of another: those of one name."""

from __future__ import annotations

from fourfold.errors import InputError
from fourfold.images.names import called_alike
from fourfold.images.sets import ImageSet

__all__ = ["matched_pairs"]


def matched_pairs(source: ImageSet, target: ImageSet) -> tuple[ImageSet, ImageSet]:
    """Both sets cut to the images that are called alike, in one order.

    What is alike, `fourfold.images.names.called_alike` says.

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
    rows, places = called_alike(source.paths, target.paths)
    if not rows:
        raise InputError(
            f"{target.paths[0]}: no image of the {source.name} set is called like one of the {target.name} set, each "
            "by a name of its own; call the two images of a pair alike"
        )
    return source.take(rows), target.take(places)
