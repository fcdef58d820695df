"""How new images are stored: in the values of the training set, so that both can be compared as they are.

========================================  =====================================================
training set                              new images
========================================  =====================================================
whole numbers within 0 to 255             8-bit PNG of those numbers
whole numbers within 0 to 65535           16-bit PNG of those numbers
fractions, rescaled values                TIFF of those values (npy in colour)
volumes                                   16-bit NIfTI whose slope and intercept give its values
each image by its own percentiles         16 bits (8 in colour) over their whole range
========================================  =====================================================
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from fourfold.errors import InputError
from fourfold.images import ImageSet, Preparation, write_image
from fourfold.images.scaling import probe_set

__all__ = ["Storage", "holds_whole_numbers", "storage_for"]


@dataclass(frozen=True)
class Storage:
    """Depth and range of the stored values.

    Parameters
    ----------
    bits : {8, 16, 32}
    low, high : float or None
        What 0 and 1 are stored as, None for the whole range of the format.
    stands_for : tuple of float or None
        What they mean in the training set, None where each of its images has a range of its own.
    """

    bits: int
    low: float | None
    high: float | None
    stands_for: tuple[float, float] | None

    def write(self, image: np.ndarray, folder: Path, name: str) -> str:
        """Write one image; see `write_image`."""
        return write_image(image, folder, name, bits=self.bits, low=self.low, high=self.high)

    def describe(self) -> dict[str, Any]:
        """The same as JSON can hold it."""
        return {"bits": self.bits, "low": self.low, "high": self.high, "stands_for": self.stands_for}


def storage_for(preparation: Preparation, whole: bool, bits: int | None = None) -> Storage:
    """How images of a model are stored.

    Parameters
    ----------
    preparation : Preparation
        Of the training set.
    whole : bool
        Whether it holds whole numbers, see `holds_whole_numbers`.
    bits : {8, 16} or None
        None for the values of the training set; 8 or 16 for pictures over their whole range.

    Raises
    ------
    InputError
        For other depths.
    """
    if bits not in (None, 8, 16):
        raise InputError(f"images are stored with 8 or 16 bits (--bits), got {bits}")
    low, high = preparation.low, preparation.high
    own = preparation.rule == "per-image"
    meaning = None if own else (low, high)
    if len(preparation.shape) == 3:
        return Storage(bits or 16, *(meaning or (None, None)), meaning)
    colour = preparation.channels == 3
    if bits is not None or own:
        return Storage(8 if colour else bits or 16, None, None, meaning)
    # Fewer than 2 steps would make black and white of every grey.
    if whole and low >= 0 and 1 < high <= 65535 and low == int(low) and high == int(high):
        return Storage(8 if high <= 255 else 16, low, high, meaning)
    return Storage(32, low, high, meaning)


def holds_whole_numbers(images: ImageSet) -> bool:
    """Whether a set is stored as whole numbers, display windows of DICOM among them, by up to 64 of its images."""
    return all(probe.whole or probe.nominal is not None or probe.dtype == np.uint8 for probe in probe_set(images))
