"""The strata of a release: classes, or combinations of findings; and those too rare to be released at all.

A label that hardly anybody in the training set carries points at the few who do, whatever the image shows. Candidates
that carry it are not allowed into a release.
"""

from __future__ import annotations

import numpy as np

from fourfold.images.sets import ImageSet
from fourfold.utility.tasks import findings

__all__ = ["FEWEST_CARRIERS", "NO_FINDING", "rare_labels", "strata"]

FEWEST_CARRIERS = 5
"""Training patients who carry a label that may be released."""

NO_FINDING = "no finding"


def strata(images: ImageSet) -> np.ndarray | None:
    """The class of each image, or its combination of findings.

    Parameters
    ----------
    images : ImageSet
        N images.

    Returns
    -------
    array of str, shape (N,), or None
        A combination is written ``"edema + effusion"``, with ``"effusion?"`` for an unknown one. None where the
        images have no labels.

    Examples
    --------
    >>> from fourfold.images.sets import Entry, ImageSet
    >>> entries = (Entry("a", labels={"edema": 1.0, "mass": 0.0}), Entry("b", labels={"edema": 0.0}))
    >>> strata(ImageSet("training", entries, lambda entry: None)).tolist()
    ['edema', 'mass?']
    """
    if images.labels is not None:
        return images.labels
    columns = findings(images)
    if columns is None:
        return None
    marks = [
        [name if value == 1 else f"{name}?" if np.isnan(value) else "" for value in column]
        for name, column in columns.items()
    ]
    return np.array([" + ".join(filter(None, row)) or NO_FINDING for row in zip(*marks, strict=True)], dtype=str)


def rare_labels(training: ImageSet, k: int = FEWEST_CARRIERS) -> frozenset[str]:
    """Classes, or combinations of findings, that too few training patients carry.

    Parameters
    ----------
    training : ImageSet
        Where patients are unknown each image counts as one.
    k : int
        The fewest patients that a label needs.

    Returns
    -------
    frozenset of str
        As `strata` writes them. A label that no training patient carries is not listed, and is rarer still.
    """
    names = strata(training)
    if names is None:
        return frozenset()
    patients = np.arange(len(training)) if training.patients is None else training.patients
    return frozenset(str(name) for name in np.unique(names) if len(np.unique(patients[names == name])) < k)
