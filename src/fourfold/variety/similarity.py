"""Diversity within a set by structural similarity: how alike two random images of one class are.

The mean multi-scale structural similarity (MS-SSIM, Wang et al. 2003) over random pairs of a class is close to 1 where
a generator repeats itself (Odena et al. 2017). It means nothing without the same number for real pairs, and noise or
misplaced anatomy lower it as variety does: neither side of the real value is good.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch

from fourfold.errors import InputError

__all__ = ["PairSimilarity", "ms_ssim_diversity", "similarity_scales"]

# Weights of the five scales (Wang, Simoncelli & Bovik 2003) and side of their Gaussian window.
_WEIGHTS = (0.0448, 0.2856, 0.3001, 0.2363, 0.1333)
_WINDOW = 11
# Pairs compared at a time, and rounds of drawing before a small set is taken to have no further pairs.
_BATCH = 16
_ROUNDS = 20


@dataclass(frozen=True)
class PairSimilarity:
    """Structural similarity of random pairs.

    Parameters
    ----------
    pairs : array of int, shape (P, 2)
        Row numbers.
    values : array, shape (P,)
        MS-SSIM of each pair, in [0, 1].
    scales : int
        How many of the five scales the images were large enough for.
    """

    pairs: np.ndarray
    values: np.ndarray
    scales: int


def ms_ssim_diversity(
    images: np.ndarray,
    *,
    labels: np.ndarray | None = None,
    groups: np.ndarray | None = None,
    pairs: int = 200,
    seed: int = 0,
) -> float:
    """Mean MS-SSIM over random pairs of images of one class; lower is more diverse.

    Parameters
    ----------
    images : array, shape (N, C, H, W) or (N, C, D, H, W)
        float32 in [0, 1].
    labels : array, shape (N,), or None
        Pairs are drawn within a class; None for one class.
    groups : array, shape (N,), or None
        Pairs within a group (a patient) are left out.
    pairs : int
        At most as many pairs; fewer where the set has no more.
    seed : int

    Returns
    -------
    float
        In [0, 1]. As many of the five scales are used as fit (`similarity_scales`), their weights rescaled to sum to
        1: values of images of different sizes must not be compared.

    Raises
    ------
    InputError
        Where no pair can be drawn or an image side is shorter than 11 pixels.

    References
    ----------
    Odena, Olah & Shlens 2017, "Conditional image synthesis with auxiliary classifier GANs".

    Examples
    --------
    >>> import numpy as np
    >>> images = np.random.default_rng(0).random((4, 1, 32, 32), dtype=np.float32)
    >>> ms_ssim_diversity(np.repeat(images[:1], 4, axis=0)) > 0.99 > ms_ssim_diversity(images)
    True
    """
    found = pair_similarity(
        lambda rows: np.asarray(images)[rows], images.shape[2:], draw_pairs(len(images), labels, groups, pairs, seed)
    )
    return float(found.values.mean())


def similarity_scales(shape: tuple[int, ...]) -> int:
    """How many of the five scales of MS-SSIM fit images of spatial `shape`: 5 from 176 pixels, 0 below 11.

    Examples
    --------
    >>> [similarity_scales((side, side)) for side in (10, 28, 96, 176)]
    [0, 2, 3, 5]
    """
    side = min(shape)
    fitting = [
        scales
        for scales in range(1, len(_WEIGHTS) + 1)
        # The window fits the coarsest image; torchmetrics asks for this (stronger) condition.
        if side // 2 ** (scales - 1) >= _WINDOW and side // max(1, scales - 1) ** 2 >= _WINDOW
    ]
    return max(fitting, default=0)


def draw_pairs(n: int, labels: np.ndarray | None, groups: np.ndarray | None, pairs: int, seed: int) -> np.ndarray:
    """Random pairs within classes and across groups, each image in as few of them as possible; shape (P, 2)."""
    rng = np.random.default_rng([seed, n])
    classes = np.zeros(n, dtype=np.int64) if labels is None else np.unique(labels, return_inverse=True)[1]
    drawn: dict[tuple[int, int], None] = {}
    for _ in range(_ROUNDS):
        order = rng.permutation(n)
        fresh = []
        for one in np.unique(classes):
            members = order[classes[order] == one]
            members = members[: len(members) // 2 * 2].reshape(-1, 2)
            fresh.extend(members if groups is None else members[groups[members[:, 0]] != groups[members[:, 1]]])
        for place in rng.permutation(len(fresh)):
            drawn[min(fresh[place]), max(fresh[place])] = None
            if len(drawn) >= pairs:
                return np.array(list(drawn))
    return np.array(list(drawn), dtype=np.int64).reshape(-1, 2)


def pair_similarity(
    load: Callable[[np.ndarray], np.ndarray], shape: tuple[int, ...], pairs: np.ndarray
) -> PairSimilarity:
    """MS-SSIM of given pairs.

    Parameters
    ----------
    load : callable
        Row numbers to images (B, C, *shape) in [0, 1].
    shape : tuple of int
        Spatial shape.
    pairs : array of int, shape (P, 2)
    """
    # Imported here: loading it takes longer than a whole evaluation that is read back from the store.
    from torchmetrics.functional.image import multiscale_structural_similarity_index_measure

    scales = similarity_scales(shape)
    if scales == 0:
        raise InputError(f"structural similarity needs images of at least {_WINDOW} pixels a side, got {shape}")
    if len(pairs) == 0:
        raise InputError("there are no two images of one class (and of different patients) to compare")
    weights = np.array(_WEIGHTS[:scales])
    values = np.empty(len(pairs))
    for start in range(0, len(pairs), _BATCH):
        batch = pairs[start : start + _BATCH]
        left, right = (torch.from_numpy(np.ascontiguousarray(load(batch[:, side]))).float() for side in (0, 1))
        values[start : start + len(batch)] = multiscale_structural_similarity_index_measure(
            left,
            right,
            kernel_size=_WINDOW,
            data_range=1.0,
            reduction="none",
            betas=tuple((weights / weights.sum()).tolist()),
            normalize="relu",
        ).numpy()
    return PairSimilarity(pairs, values, scales)
