"""What a recipe is fitted to: prepared images, who they are of, and what they are conditioned on.

Images are decoded once and kept while they fit into the memory that is allowed, and decoded anew for every batch where
they do not.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from fourfold.errors import InputError
from fourfold.generate.conditioning import Conditioning, Conditions
from fourfold.images import ImageSet, near_duplicate_groups

__all__ = ["TrainingSet"]

_BATCH = 256


@dataclass
class TrainingSet:
    """The real images of one training.

    Parameters
    ----------
    images : ImageSet
        N images, prepared.
    conditioning : Conditioning
        What a model of them is conditioned on.
    conditions : Conditions
        N rows.
    patients : array of int, shape (N,)
        Equal numbers mean the same patient, or the same group of near-duplicates where identifiers are missing.
    identified : bool
        Whether `patients` come from identifiers.
    holdout : ImageSet or None
        Other patients, prepared alike; training never learns from them, it only watches with them.
    holdout_conditions : Conditions or None
    memory : int
        Bytes that decoded images may take.
    """

    images: ImageSet
    conditioning: Conditioning
    conditions: Conditions
    patients: np.ndarray
    identified: bool = True
    holdout: ImageSet | None = None
    holdout_conditions: Conditions | None = None
    memory: int = 1 << 30
    _kept: dict[str, np.ndarray] = field(default_factory=dict, repr=False)

    def __len__(self) -> int:
        return len(self.images)

    @property
    def shape(self) -> tuple[int, ...]:
        """Shape of one image, (C, H, W) or (C, D, H, W)."""
        return self.images.shape

    @property
    def labels(self) -> np.ndarray | None:
        """Classes as an array of str, None unless every image has one."""
        return self.images.labels

    def load(self, rows: Sequence[int] | np.ndarray | None = None) -> np.ndarray:
        """Images as float32 in [0, 1], shape (n, *shape); all of them for None."""
        return self._load("training", self.images, rows)

    def load_holdout(self, rows: Sequence[int] | np.ndarray | None = None) -> np.ndarray:
        """The same of the holdout; raises ValueError where there is none."""
        if self.holdout is None:
            raise ValueError("there is no holdout")
        return self._load("holdout", self.holdout, rows)

    def digest(self) -> str:
        """SHA-256 of the images' contents and their preparation, in any order: never of names or identifiers."""
        contents = "".join(sorted(self.images.digests()))
        return hashlib.sha256(f"{contents}{sorted(self.images.preparation.describe().items())}".encode()).hexdigest()

    def _load(self, role: str, images: ImageSet, rows: Sequence[int] | np.ndarray | None) -> np.ndarray:
        size = len(images) * int(np.prod(images.shape)) * 4
        if size > self.memory:
            return images.load(rows)
        if role not in self._kept:
            self._kept[role] = np.concatenate([batch for _, batch in images.batches(_BATCH)])
        kept = self._kept[role]
        return kept if rows is None else kept[np.asarray(rows)]


def patients_of(images: ImageSet) -> tuple[np.ndarray, bool]:
    """Patient numbers of a prepared set, and whether they come from identifiers.

    Raises
    ------
    InputError
        Where the set is empty.
    """
    if not len(images):
        raise InputError("there is no image to train on; point at a folder or table with images")
    names = images.patients
    if names is not None:
        return np.unique(names, return_inverse=True)[1], True
    return near_duplicate_groups(images), False
