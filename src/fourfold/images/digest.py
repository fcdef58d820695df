"""One number for a whole image set, so that whoever holds the images can tell which set a statement speaks of."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence

import numpy as np

from fourfold.images.sets import ImageSet

__all__ = ["set_digest"]


def set_digest(image_set: ImageSet, contents: Sequence[str] | None = None, patients: np.ndarray | None = None) -> str:
    """SHA-256 over the contents, labels and patients of a set, in order; never over its names.

    Parameters
    ----------
    image_set : ImageSet
    contents : sequence of str, length N, or None
        `ImageSet.digests` of the set, where they are known already.
    patients : array of int, shape (N,), or None
        Group numbers; None where nobody knows whose the images are.

    Returns
    -------
    str
        64 hexadecimal digits.
    """
    contents = image_set.digests() if contents is None else contents
    groups = [""] * len(contents) if patients is None else patients.tolist()
    state = hashlib.sha256()
    for entry, content, group in zip(image_set.entries, contents, groups, strict=True):
        findings = ",".join(f"{name}={value}" for name, value in sorted(entry.labels.items()))
        state.update(f"{content}\t{entry.label}\t{findings}\t{group}\n".encode())
    return state.hexdigest()
