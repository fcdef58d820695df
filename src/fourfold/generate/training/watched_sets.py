"""Equally many patients of the training and the holdout set, small enough to be compared with at every snapshot."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import torch
from torch.nn import functional

from fourfold.generate.conditioning import Conditions
from fourfold.generate.training.streams import Purpose, numpy_stream
from fourfold.generate.training_set import TrainingSet, patients_of

__all__ = ["WatchedSets", "comparable"]

SIDE = 32
"""Images are compared at this many pixels a side at most: there copies are seen and grain is not."""

MOST_PATIENTS, MOST_IMAGES = 500, 4
"""Of each set, and of each patient."""

WATCHED = 64
"""Images of each set whose losses are compared."""

_BATCH = 256


class WatchedSets:
    """The two sides of a comparison, training first.

    Parameters
    ----------
    data : TrainingSet
        With a holdout.
    seed : int

    Attributes
    ----------
    count : int
        Patients of each side.
    images : two arrays, shape (n, d)
        As `comparable` makes them.
    patients : two arrays of int, shape (n,)
        Numbers from 0 to `count` - 1 within each side.
    watched : two arrays of int
        Rows of one image of each of some patients, equally many.
    conditions : list of Conditions
        Of the images of each side, where the set has any.
    """

    def __init__(self, data: TrainingSet, seed: int) -> None:
        everyone = (data.patients, patients_of(data.holdout)[0])
        self.count = min(MOST_PATIENTS, *(len(np.unique(numbers)) for numbers in everyone))
        images, patients, watched, conditions = [], [], [], []
        sides = ((data.load, data.conditions), (data.load_holdout, data.holdout_conditions))
        for number, (numbers, (load, given)) in enumerate(zip(everyone, sides, strict=True)):
            rng = numpy_stream(seed, Purpose.WATCH, 0, number)
            chosen = rng.permutation(np.unique(numbers))[: self.count]
            mine = [rng.permutation(np.flatnonzero(numbers == one))[:MOST_IMAGES] for one in chosen]
            rows = np.concatenate(mine)
            images.append(_small(load, rows))
            patients.append(np.repeat(np.arange(self.count), [len(one) for one in mine]))
            watched.append(np.array([one[0] for one in mine[:WATCHED]]))
            if given is not None:
                conditions.append(given.take(rows))
        self.images: tuple[np.ndarray, np.ndarray] = tuple(images)
        self.patients: tuple[np.ndarray, np.ndarray] = tuple(patients)
        self.watched: tuple[np.ndarray, np.ndarray] = tuple(watched)
        self.conditions: list[Conditions] = conditions


def comparable(images: np.ndarray) -> np.ndarray:
    """Images as vectors that can be compared: at most `SIDE` pixels a side, mean 0 and length 1.

    Parameters
    ----------
    images : array, shape (n, C, H, W) or (n, C, D, H, W)

    Returns
    -------
    array, shape (n, d)
        float32.
    """
    tensor = torch.from_numpy(np.ascontiguousarray(images, dtype=np.float32))
    sizes = [min(size, SIDE) for size in tensor.shape[2:]]
    pool = functional.adaptive_avg_pool2d if len(sizes) == 2 else functional.adaptive_avg_pool3d
    flat = pool(torch.nan_to_num(tensor), sizes).flatten(1)
    flat = flat - flat.mean(dim=1, keepdim=True)
    return functional.normalize(flat, dim=1).numpy()


def _small(load: Callable[[np.ndarray], np.ndarray], rows: np.ndarray) -> np.ndarray:
    return np.concatenate([comparable(load(rows[start : start + _BATCH])) for start in range(0, len(rows), _BATCH)])
