"""What an image set says about its images, as arrays: classes and findings, patients, subgroups."""

from __future__ import annotations

import numpy as np

from fourfold.errors import InputError
from fourfold.images.sets import ImageSet
from fourfold.utility.tasks import Labelled, NoTaskError

__all__ = ["columns_of", "names_of", "numbered", "subgroups"]


def names_of(images: ImageSet, column: str | None = None) -> tuple[tuple[str, ...], bool]:
    """The classes or findings of a set, and whether an image has exactly one of them.

    Parameters
    ----------
    images : ImageSet
    column : str or None
        A column of the metadata with the class; None for ``label`` or the ``label:NAME`` columns.

    Raises
    ------
    InputError
        No labels, or nothing to tell apart.
    """
    labelled = _labelled(images, column)
    if labelled.exclusive and len(labelled.names) < 2:
        raise InputError(
            f"the {images.name} set has one class only ({labelled.names[0]!r}), so there is nothing to tell apart; "
            "give a set with two classes or more"
        )
    return labelled.names, labelled.exclusive


def columns_of(images: ImageSet, names: tuple[str, ...], exclusive: bool, column: str | None = None) -> np.ndarray:
    """The labels of a set in the order of a task's names.

    Parameters
    ----------
    images : ImageSet
    names : tuple of str
        K of them.
    exclusive : bool
    column : str or None
        As for `names_of`.

    Returns
    -------
    array, shape (N, K)
        float32: 1 present, 0 absent, NaN unknown, as is a finding that the set does not have.

    Raises
    ------
    InputError
        No labels, findings instead of classes or the reverse, or a class that is none of `names`.
    """
    labelled = _labelled(images, column)
    if labelled.exclusive != exclusive:
        has, wanted = ("classes", "findings") if labelled.exclusive else ("findings", "classes")
        raise InputError(
            f"the {images.name} set has {has} and the task has {wanted}; label all sets in the same way "
            "(label: one class an image; label:NAME: several findings)"
        )
    strange = [name for name in labelled.names if name not in names]
    if exclusive and strange:
        raise InputError(
            f"the {images.name} set has images of the class {strange[0]!r}, which is none of the task's "
            f"({', '.join(names)}); leave them out or learn from a set that has them"
        )
    targets = np.full((len(images), len(names)), 0.0 if exclusive else np.nan, dtype=np.float32)
    for place, name in enumerate(names):
        if name in labelled.names:
            targets[:, place] = labelled.targets[:, labelled.names.index(name)]
    return targets


def numbered(images: ImageSet) -> np.ndarray:
    """Patients as numbers from 0, shape (N,); each image its own where patients are unknown."""
    patients = images.patients
    return np.arange(len(images)) if patients is None else np.unique(patients, return_inverse=True)[1]


def subgroups(images: ImageSet) -> dict[str, np.ndarray]:
    """The further columns of the metadata, shape (N,) text each, empty where an image has none."""
    names = sorted({name for entry in images.entries for name in entry.columns})
    return {name: np.array([str(entry.columns.get(name, "")) for entry in images.entries], dtype=str) for name in names}


def _labelled(images: ImageSet, column: str | None) -> Labelled:
    try:
        if column is None:
            return Labelled.from_images(images.name, images)
        return Labelled.from_arrays(images.name, _column(images, column), images.patients, len(images))
    except NoTaskError as nothing:
        raise InputError(f"{nothing}; add a column label, or label:NAME columns, to its metadata") from nothing


def _column(images: ImageSet, column: str) -> np.ndarray | dict[str, np.ndarray]:
    """A free column as classes, or the finding of that name as one finding."""
    if any(column in entry.labels for entry in images.entries):
        return {column: np.array([entry.labels.get(column, np.nan) for entry in images.entries], dtype=np.float32)}
    missing = [entry.path for entry in images.entries if not entry.columns.get(column)]
    if missing:
        raise InputError(
            f"{missing[0]}: has no value in the column {column!r} that is to be learned "
            f"({len(missing)} of {len(images)} images of the {images.name} set have none); fill it or leave them out"
        )
    return np.array([str(entry.columns[column]) for entry in images.entries], dtype=str)
