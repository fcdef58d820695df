"""Masks: which region every pixel belongs to.

Regions are the values that occur in the masks of the training set, 0 the background; like the names of classes they
belong to how a set was annotated and are taken as public. Where an image is resampled, its mask is by the nearest
neighbour. A mask is a patient's anatomy, so none is kept, and none can be drawn: masks are given.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from fourfold.errors import InputError
from fourfold.generate.condition import Condition
from fourfold.generate.conditioning.part import Part, Request
from fourfold.images import ImageSet
from fourfold.images.masks import nearest, read_mask, region_numbers, region_values, stored_mask

__all__ = ["MaskPart"]

COARSE = 8
"""Points a side at which two masks are compared, for surprisal."""

_LARGEST = 65535
"""What a mask file of 16 bits can hold; masks are written with the values that were read."""


class MaskPart(Part):
    """Regions and the size of the images.

    Parameters
    ----------
    values : tuple of int
        The value of each region in a mask file, 0 first.
    shape : tuple of int
        (H, W) or (D, H, W).
    """

    kind: ClassVar[str] = "mask"

    def __init__(self, values: tuple[int, ...], shape: tuple[int, ...]) -> None:
        self.values = tuple(values)
        self.shape = tuple(shape)

    @classmethod
    def fit(
        cls, images: ImageSet, patients: np.ndarray, request: Request, others: Mapping[str, np.ndarray]
    ) -> MaskPart:
        """As `Part.fit`."""
        _demand_masks(images)
        values = region_values(images)
        if values[-1] > _LARGEST:
            raise InputError(
                f"the masks of the {images.name} set hold the value {values[-1]}; "
                f"store whole numbers from 0 (background) to {_LARGEST}"
            )
        return cls((0, *values), images.shape[1:])

    def read(self, images: ImageSet) -> np.ndarray:
        """As `Part.read`: region numbers, uint8, shape (n, *spatial)."""
        _demand_masks(images)
        column = np.empty((len(images), *self.shape), dtype=np.uint8)
        for row, entry in enumerate(images.entries):
            column[row] = self._regions(stored_mask(images, row), str(entry.mask))
        return column

    def encode(self, column: np.ndarray) -> Condition:
        """As `Part.encode`: one-hot maps."""
        regions = torch.as_tensor(np.asarray(column, dtype=np.int64))
        return Condition(mask=functional.one_hot(regions, len(self.values)).movedim(-1, 1).float())

    def blank(self, count: int) -> Condition:
        """As `Part.blank`."""
        return Condition(mask=torch.zeros(count, len(self.values), *self.shape))

    def draw(self, rng: np.random.Generator, others: Mapping[str, Any]) -> np.ndarray:
        """As `Part.draw`: always refused."""
        raise InputError(
            "masks are patients' anatomy, so the model keeps none to draw from; give a set with masks of other "
            "patients or synthetic ones with --conditions SET, or one mask with --condition-value mask=FILE"
        )

    def parse(self, text: str) -> np.ndarray:
        """As `Part.parse`: a file."""
        file = Path(text)
        if not file.is_file():
            raise InputError(f"{text}: there is no such file; give a mask as PNG or NIfTI")
        return self._regions(read_mask(file, len(self.shape)), text)

    def record(self) -> dict[str, Any]:
        """As `Part.record`."""
        return {"values": list(self.values), "shape": list(self.shape)}

    @classmethod
    def restore(cls, record: Mapping[str, Any], arrays: Mapping[str, Tensor]) -> MaskPart:
        """As `Part.restore`."""
        return cls(tuple(record["values"]), tuple(record["shape"]))

    def write(self, value: np.ndarray, folder: Path, name: str) -> dict[str, str]:
        """As `Part.write`: ``masks/NAME.png`` or ``.nii.gz`` with the values that the training masks had."""
        levels = np.array(self.values, dtype=np.uint8 if self.values[-1] < 256 else np.uint16)[value]
        path = f"masks/{name}{'.png' if levels.ndim == 2 else '.nii.gz'}"
        file = Path(folder) / path
        file.parent.mkdir(parents=True, exist_ok=True)
        if levels.ndim == 2:
            from PIL import Image

            Image.fromarray(levels).save(file)
        else:
            import nibabel as nib

            # Along S, P, L, as images are written.
            nib.save(nib.Nifti1Image(levels.transpose(2, 1, 0), np.diag([-1.0, -1.0, 1.0, 1.0])), file)
        return {"mask": path}

    def keys(self, column: np.ndarray) -> list[str]:
        """As `Part.keys`: masks are alike where `COARSE` points a side fall into the same regions."""
        coarse = [nearest(mask, tuple(min(COARSE, size) for size in self.shape)) for mask in column]
        return [mask.tobytes().hex() for mask in coarse]

    @property
    def regions(self) -> int:
        """As `Part.regions`."""
        return len(self.values)

    def _regions(self, values: np.ndarray, path: str) -> np.ndarray:
        """Values of a file as region numbers of the prepared size."""
        return nearest(region_numbers(values, self.values[1:], path, "model"), self.shape)


def _demand_masks(images: ImageSet) -> None:
    bare = next((entry.path for entry in images.entries if entry.mask is None), None)
    if bare is not None:
        raise InputError(
            f"{bare}: has no mask; add a column mask with a file for every image, or train without --condition mask"
        )
