"""Masks that are a training patient's: where an image was drawn under a mask, the mask travels with it.

A mask that agrees with a training mask better than the masks of fresh patients ever do gives that patient's anatomy
away, whatever the image looks like.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from fourfold.images import ImageSet
from fourfold.images.masks import nearest, read_mask

__all__ = ["LEAST_AGREEMENT", "MaskVeto", "foregrounds", "telling_masks"]

LEAST_AGREEMENT = 0.9
"""Dice coefficient below which no mask is vetoed, however unlike each other the real ones are."""

_SIDE = {2: 64, 3: 24}
_BLOCK = 1 << 25


@dataclass(frozen=True)
class MaskVeto:
    """Which candidates carry a training patient's mask.

    Parameters
    ----------
    vetoed : array of bool, shape (M,)
    threshold : float or None
        Dice coefficient above which a mask is vetoed; None where there are no masks to compare.
    masks : int
        Candidates with a mask.
    """

    vetoed: np.ndarray
    threshold: float | None
    masks: int

    def figures(self) -> dict[str, Any]:
        """Aggregates as JSON can hold them."""
        return {"masks": self.masks, "vetoed": int(self.vetoed.sum()), "agreement_above": self.threshold}


def telling_masks(candidates: ImageSet, training: ImageSet, calibration: ImageSet) -> MaskVeto:
    """Compare the masks of candidates with those of training patients.

    Parameters
    ----------
    candidates, training, calibration : ImageSet
        Prepared. The threshold is the largest agreement of a calibration patient's mask with any training mask, at
        least `LEAST_AGREEMENT`, which alone holds where calibration patients have no masks.

    Returns
    -------
    MaskVeto
        Masks are compared as foreground against background, on a grid of at most 64 pixels a side (24 voxels); empty
        ones tell nothing.
    """
    mine = foregrounds(candidates)
    here = mine.any(axis=1)
    # Where no candidate has a mask, those of patients need not be read.
    theirs = foregrounds(training) if here.any() else mine
    if not theirs.any():
        return MaskVeto(np.zeros(len(candidates), dtype=bool), None, int(here.sum()))
    threshold = max(LEAST_AGREEMENT, float(_best_agreement(foregrounds(calibration), theirs).max(initial=0.0)))
    # Equal masks are told from nearly equal ones whatever the null.
    agreement = _best_agreement(mine, theirs)
    return MaskVeto((agreement > threshold) | (agreement >= 1 - 1e-9), threshold, int(here.sum()))


def foregrounds(images: ImageSet) -> np.ndarray:
    """The foreground of each mask of a prepared set, bool of shape (N, points); empty where there is no mask.

    Raises
    ------
    InputError
        Where a mask cannot be read, see `fourfold.images.masks.read_mask`.
    """
    shape = images.shape[1:]
    grid = tuple(min(side, _SIDE[len(shape)]) for side in shape)
    found = np.zeros((len(images), int(np.prod(grid))), dtype=bool)
    for row, entry in enumerate(images.entries):
        if entry.mask is not None:
            reading = getattr(images.decode, "reading", None)
            mask = read_mask(Path(entry.mask), len(shape), entry.index, reading)
            found[row] = nearest(mask > 0, grid).reshape(-1)
    return found


def _best_agreement(masks: np.ndarray, others: np.ndarray) -> np.ndarray:
    """The largest Dice coefficient of each mask with any of the others, shape (n,); 0 for empty ones."""
    others = others[others.any(axis=1)].astype(np.float32)
    best = np.zeros(len(masks))
    if not len(others):
        return best
    areas = others.sum(axis=1)
    step = max(1, _BLOCK // max(len(others), 1))
    for start in range(0, len(masks), step):
        block = masks[start : start + step].astype(np.float32)
        total = block.sum(axis=1)[:, None] + areas
        best[start : start + step] = (2 * (block @ others.T) / total).max(axis=1)
    return np.where(masks.any(axis=1), best, 0.0)
