"""How well predicted regions agree with the true ones: the Dice coefficient and the distance of their borders.

    Dice = 2 |A and B| / (|A| + |B|).

Where neither map has the region there is no overlap to measure, and any convention for that case (0, 1 or leaving it
out) rewards some predictor for the patients without the region. So Dice is a mean over the images that truly have the
region, the same images for every predictor; and how often a region is seen where there is none is a figure of its
own, the share of false alarms.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy import ndimage

__all__ = ["Sizes", "border_distances", "dice_of_images", "dice_of_patients", "false_alarms", "sizes"]


@dataclass(frozen=True)
class Sizes:
    """Pixels of each region on each image, arrays of int64, shape (n, R).

    Parameters
    ----------
    shared : array
        In both maps.
    true, predicted : arrays
        In the one and in the other.
    """

    shared: np.ndarray
    true: np.ndarray
    predicted: np.ndarray


def sizes(true: np.ndarray, predicted: np.ndarray, regions: int) -> Sizes:
    """Count pixels.

    Parameters
    ----------
    true, predicted : arrays, shape (n, *spatial)
        Numbers of regions from 0, the background, to `regions`.
    regions : int
        R.

    Examples
    --------
    >>> import numpy as np
    >>> sizes(np.array([[0, 1, 1]]), np.array([[1, 1, 0]]), 1).shared
    array([[1]])
    """
    if true.shape != predicted.shape:
        raise ValueError(f"predicted maps have the shape {predicted.shape} and true ones {true.shape}")
    if len(true) and max(true.max(), predicted.max()) > regions:
        raise ValueError(f"maps hold a region above {regions}")
    levels = regions + 1
    table = np.zeros((len(true), levels, levels), dtype=np.int64)
    for row, (one, other) in enumerate(zip(true, predicted, strict=True)):
        pairs = one.reshape(-1).astype(np.intp) * levels + other.reshape(-1)
        table[row] = np.bincount(pairs, minlength=levels * levels).reshape(levels, levels)
    shared = np.diagonal(table, axis1=1, axis2=2)
    return Sizes(shared[:, 1:].copy(), table.sum(axis=2)[:, 1:], table.sum(axis=1)[:, 1:])


def dice_of_images(found: Sizes, weights: np.ndarray | None = None) -> np.ndarray:
    """Mean Dice over the images that have the region.

    Parameters
    ----------
    found : Sizes
        Of n images.
    weights : array, shape (B, n), or None
        How often each image counts in each of B test sets; None for once each.

    Returns
    -------
    array, shape (B, R)
        In [0, 1]; NaN where no image has the region.
    """
    here = found.true > 0
    each = np.where(here, 2.0 * found.shared / np.maximum(found.true + found.predicted, 1), 0.0)
    weights = np.ones((1, len(here))) if weights is None else np.asarray(weights, dtype=np.float64)
    return _over(weights @ each, weights @ here)


def dice_of_patients(found: Sizes, patients: np.ndarray, weights: np.ndarray | None = None) -> np.ndarray:
    """Mean over patients of the Dice of all their images laid together, as slices make a volume.

    Parameters
    ----------
    found : Sizes
        Of n images.
    patients : array of int, shape (n,)
    weights : array, shape (n,), or None
        How often each image counts. A patient counts as often as their counted images do on average, so that one
        drawn twice counts as two.

    Returns
    -------
    array, shape (R,)
        In [0, 1]; NaN where no patient has the region.
    """
    weights = np.ones(len(patients)) if weights is None else np.asarray(weights, dtype=np.float64)
    own = np.unique(patients, return_inverse=True)[1]
    people = int(own.max(initial=-1)) + 1
    counted = np.bincount(own, weights > 0, minlength=people)
    often = np.bincount(own, weights, minlength=people) / np.maximum(counted, 1)

    def pooled(sizes: np.ndarray) -> np.ndarray:
        return np.stack([np.bincount(own, weights * region, minlength=people) for region in sizes.T], axis=1)

    shared, true, predicted = pooled(found.shared), pooled(found.true), pooled(found.predicted)
    here = true > 0
    each = np.where(here, _over(2 * shared, true + predicted), 0.0)
    return _over(often @ each, often @ here)


def false_alarms(found: Sizes, weights: np.ndarray | None = None) -> np.ndarray:
    """Share of the images without a region on which some of it is predicted.

    Parameters
    ----------
    found : Sizes
        Of n images.
    weights : array, shape (n,), or None

    Returns
    -------
    array, shape (R,)
        In [0, 1]; NaN where every image has the region.
    """
    weights = np.ones(len(found.true)) if weights is None else np.asarray(weights, dtype=np.float64)
    without = found.true == 0
    return _over(weights @ (without & (found.predicted > 0)), weights @ without)


def border_distances(true: np.ndarray, predicted: np.ndarray, regions: int) -> np.ndarray:
    """How far the borders of a region lie apart: the Hausdorff distance at 95 %.

    The 95th percentile of the distances from the border pixels of one map to the nearest of the other, the larger of
    the two directions; as MONAI computes it.

    Parameters
    ----------
    true, predicted : arrays, shape (n, *spatial)
    regions : int
        R.

    Returns
    -------
    array, shape (n, R)
        In pixels of the prepared images. NaN where an image does not have the region; the image's diagonal, than
        which nothing is farther, where it has and none is predicted.
    """
    distances = np.full((len(true), regions), np.nan)
    diagonal = float(np.linalg.norm(true.shape[1:]))
    for row, (one, other) in enumerate(zip(true, predicted, strict=True)):
        for place in range(regions):
            here, there = one == place + 1, other == place + 1
            if here.any():
                distances[row, place] = max(_reach(here, there), _reach(there, here)) if there.any() else diagonal
    return distances


def _reach(first: np.ndarray, second: np.ndarray) -> float:
    """The 95th percentile of the distances from the border of the first map to that of the second."""
    border, target = (map_ & ~ndimage.binary_erosion(map_) for map_ in (first, second))
    return float(np.percentile(ndimage.distance_transform_edt(~target)[border], 95))


def _over(sums: np.ndarray, counts: np.ndarray) -> np.ndarray:
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.where(counts > 0, sums / counts, np.nan)
