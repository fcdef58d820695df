"""Training images inside a model: what mixing, kernel-density copies and the copier cannot do without.

Such a model is the data. Its record says so, and so does its recipe (`Recipe.holds_patients`).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch
from torch import Tensor

from fourfold.generate.baselines.classes import class_names, class_numbers
from fourfold.generate.training_set import TrainingSet

__all__ = ["WARNING", "StoredImages", "stored_record"]

WARNING = (
    "The model file holds the training images of patients: keep it where they are kept, and never share it in their "
    "place."
)


@dataclass(frozen=True)
class StoredImages:
    """Training images and their classes.

    Parameters
    ----------
    images : array, shape (N, *shape)
        float32 in [0, 1].
    numbers : array of int, shape (N,)
        Class of each.
    classes : int
        How many there are.
    """

    images: np.ndarray
    numbers: np.ndarray
    classes: int
    _rows: list[np.ndarray] = field(init=False, repr=False)

    def __post_init__(self) -> None:
        rows = [np.flatnonzero(self.numbers == number) for number in range(self.classes)]
        object.__setattr__(self, "_rows", rows)

    def pick(self, number: int, rng: np.random.Generator) -> int:
        """The row of an image of class `number`, all with the same probability."""
        rows = self._rows[number]
        return int(rows[rng.integers(len(rows))])

    @classmethod
    def of(cls, data: TrainingSet) -> StoredImages:
        """All images of a training set."""
        numbers = class_numbers(data.conditioning, data.conditions)
        return cls(np.ascontiguousarray(data.load()), numbers, len(class_names(data.conditioning)))

    def arrays(self) -> dict[str, Tensor]:
        """For the model file."""
        return {
            "stored/images": torch.from_numpy(self.images),
            "stored/numbers": torch.from_numpy(self.numbers.astype(np.int64)),
        }

    @classmethod
    def restore(cls, arrays: Mapping[str, Tensor], classes: int) -> StoredImages:
        """The images whose `arrays` these are."""
        return cls(arrays["stored/images"].numpy(), arrays["stored/numbers"].numpy(), classes)


def stored_record() -> dict[str, Any]:
    """What the record of such a model says."""
    return {"holds_patient_images": True, "warnings": [WARNING]}
