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
from fourfold.images.formats import FileDecoder, Reading, reader_of
from fourfold.images.scaling import extent, is_grey

__all__ = ["MOST_REGIONS", "MaskPart"]

MOST_REGIONS = 32
"""Regions of a model, the background included."""

COARSE = 8
"""Points a side at which two masks are compared, for surprisal."""

_LARGEST = 65535


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
        found = {0}
        for row, entry in enumerate(images.entries):
            found |= set(np.unique(_of_image(images, row)).tolist())
            if len(found) > MOST_REGIONS:
                raise InputError(
                    f"{entry.mask}: with it the masks hold more than {MOST_REGIONS} different values, as compressed "
                    "(JPEG) or interpolated masks do; store one whole number a region, as PNG or NIfTI"
                )
        if len(found) < 2:
            raise InputError(f"the masks of the {images.name} set hold nothing but background; check them")
        return cls(tuple(sorted(found)), images.shape[1:])

    def read(self, images: ImageSet) -> np.ndarray:
        """As `Part.read`: region numbers, uint8, shape (n, *spatial)."""
        column = np.empty((len(images), *self.shape), dtype=np.uint8)
        for row, entry in enumerate(images.entries):
            column[row] = self._regions(_of_image(images, row), str(entry.mask))
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
        return self._regions(_read(file, None, Reading(), len(self.shape)), text)

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
        coarse = [_nearest(mask, tuple(min(COARSE, size) for size in self.shape)) for mask in column]
        return [mask.tobytes().hex() for mask in coarse]

    @property
    def regions(self) -> int:
        """As `Part.regions`."""
        return len(self.values)

    def _regions(self, values: np.ndarray, path: str) -> np.ndarray:
        """Values of a file as region numbers of the prepared size."""
        known = np.array(self.values)
        places = np.searchsorted(known, values).clip(max=len(known) - 1)
        strange = values[known[places] != values]
        if strange.size:
            raise InputError(
                f"{path}: holds the value {int(strange[0])}, which is no region of the model; "
                f"it knows: {', '.join(map(str, self.values))}"
            )
        return _nearest(places.astype(np.uint8), self.shape)


def _of_image(images: ImageSet, row: int) -> np.ndarray:
    """Values of the mask of an image, of the image's own size."""
    entry = images.entries[row]
    if entry.mask is None:
        raise InputError(
            f"{entry.path}: has no mask; add a column mask with a file for every image, "
            "or train without --condition mask"
        )
    own = _size(images, row)
    values = _read(Path(entry.mask), entry.index, getattr(images.decode, "reading", Reading()), len(own))
    if values.shape != own:
        raise InputError(
            f"{entry.mask}: the mask is {extent(values.shape)} and its image {entry.path} is {extent(own)}; "
            "give a mask of the size of its image"
        )
    return values


def _size(images: ImageSet, row: int) -> tuple[int, ...]:
    """Spatial shape of an image as stored; from its header where that tells."""
    entry = images.entries[row]
    shape = None
    if isinstance(images.decode, FileDecoder) and not entry.files:
        shape = images.decode.contents(entry).shape
    return images.raw(row).shape[1:] if shape is None else shape


def _read(file: Path, index: int | None, reading: Reading, dimensions: int) -> np.ndarray:
    """Whole numbers of a mask file, shape (H, W) or (D, H, W)."""
    path = str(file)
    reader = reader_of(file, path)
    several = reader.contents(file, path, reading).frames is not None
    if several and index is None:
        raise InputError(f"{path}: holds several masks for one image; give each image its own file")
    values = reader.read(file, index if several else None, path, reading).values
    if values.shape[0] == 3 and is_grey(values):
        values = values[:1]
    if values.shape[0] != 1:
        raise InputError(f"{path}: is a mask in colour; store one whole number a region, as grey PNG or NIfTI")
    if values.ndim - 1 != dimensions:
        raise InputError(f"{path}: is a {values.ndim - 1}-D mask of a {dimensions}-D image; give a {dimensions}-D one")
    given = values[0].astype(np.float64)
    whole = np.rint(given)
    if not (np.isfinite(whole).all() and (whole == given).all() and whole.min() >= 0 and whole.max() <= _LARGEST):
        raise InputError(
            f"{path}: holds values that are no region numbers; store whole numbers from 0 (background) to {_LARGEST}"
        )
    return whole.astype(np.int64)


def _nearest(mask: np.ndarray, shape: tuple[int, ...]) -> np.ndarray:
    """Resampled to `shape`: the value at the centre of each new pixel."""
    for axis, (new, old) in enumerate(zip(shape, mask.shape, strict=True)):
        if new != old:
            mask = np.take(mask, ((np.arange(new) + 0.5) * old / new).astype(np.intp), axis=axis)
    return mask
