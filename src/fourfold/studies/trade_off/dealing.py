"""The patients of a seed, dealt once for all of its cells."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import lru_cache

import numpy as np

from fourfold.errors import InputError
from fourfold.images import ImageSet, prepare
from fourfold.studies.sources import Source

__all__ = ["SCALING", "dealt"]

SCALING = "0:1"
"""Of all sets of the study: images are in [0, 1] when they are dealt."""


@dataclass(frozen=True)
class _Deal:
    digest: str
    seed: int
    sizes: tuple[tuple[str, int], ...]
    source: Source = field(compare=False)


def dealt(source: Source, seed: int, sizes: Mapping[str, int]) -> Mapping[str, ImageSet]:
    """Disjoint groups of patients as arrays in memory, with classes.

    Parameters
    ----------
    source : Source
    seed : int
    sizes : mapping of str to int
        Images of each set.

    Returns
    -------
    mapping of str to ImageSet
        The last deal is kept: cells of one seed follow each other.

    Raises
    ------
    InputError
        Where images have no classes, or there are not enough of them.
    """
    return _dealt(_Deal(source.digest, seed, tuple(sizes.items()), source))


@lru_cache(maxsize=1)
def _dealt(deal: _Deal) -> Mapping[str, ImageSet]:
    found = {}
    for name, one in deal.source.deal(deal.seed, dict(deal.sizes)).items():
        labels, patients = one.labels, one.patients
        if labels is None or len(np.unique(labels)) < 2:
            raise InputError(
                "the study asks what sets are useful for and needs a class for every image, two classes or more; "
                "add a column of classes (label)"
            )
        known = None if patients is None else patients.tolist()
        found[name] = ImageSet.from_array(one.load(), name=name, labels=labels.tolist(), patients=known)
    return prepare(found, scaling=SCALING)
