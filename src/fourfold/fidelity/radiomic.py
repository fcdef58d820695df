"""Radiomics Frechet distance (FRD): the Frechet distance of radiomic features, in its two published conventions.

Radiomic features have units: an energy is a million times a correlation. The two versions differ in how they are made
comparable, and their values must not be compared with each other:

* `radiomic_frechet_distance` (version 1): each feature scaled by mean and standard deviation of the reference set,
  and the natural logarithm of the (squared) Frechet distance. Its paper prints half of that, the logarithm of the
  square root (see `Returns`).
* `radiomic_frechet_distance_v0`: each feature mapped to [0, 7.457] by minimum and maximum over both sets together (the
  range of Inception features on ImageNet), no logarithm.

Features that are not finite in some image, or constant in the reference, are left out. With fewer images than
features the covariance is rank deficient: the value still orders sets of equal size, and only those.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from fourfold.errors import InputError
from fourfold.fidelity.frechet import frechet_distance

__all__ = ["radiomic_frechet_distance", "radiomic_frechet_distance_v0"]

# Upper end of the range of version 0, from the authors' software: that of Inception features on ImageNet.
V0_RANGE = 7.45670747756958

# Reference and synthetic features to the origin and the factor of each column.
Scale = Callable[[np.ndarray, np.ndarray], tuple[np.ndarray, np.ndarray]]


def radiomic_frechet_distance(reference: np.ndarray, synthetic: np.ndarray) -> float:
    """Radiomics Frechet distance, version 1.

    Parameters
    ----------
    reference : array, shape (N, d)
        Radiomic features of real images, in any units; NaN and infinity allowed.
    synthetic : array, shape (M, d)
        The same features of synthetic images.

    Returns
    -------
    float
        ln FD, with FD the squared distance; minus infinity for identical sets. Half of it is the paper's form.

    Raises
    ------
    InputError
        Where the shapes do not agree, a set has fewer than two rows, or no feature is left.

    References
    ----------
    Konz et al. 2026, "Frechet radiomic distance (FRD)", Medical Image Analysis (arXiv 2412.01496).

    Examples
    --------
    >>> import numpy as np
    >>> real = np.array([[0.0, 5.0], [2.0, 5.0]])
    >>> round(radiomic_frechet_distance(real, real + 2.0), 6)
    1.386294
    """
    reference, synthetic = _usable(reference, synthetic)
    origin, factor = z_scores(reference, synthetic)
    squared = frechet_distance((reference - origin) * factor, (synthetic - origin) * factor)
    return float(np.log(squared)) if squared > 0 else -np.inf


def radiomic_frechet_distance_v0(reference: np.ndarray, synthetic: np.ndarray) -> float:
    """Radiomics Frechet distance, version 0.

    Parameters
    ----------
    reference, synthetic
        As for `radiomic_frechet_distance`.

    Returns
    -------
    float
        At least 0; no logarithm.

    Raises
    ------
    InputError
        As for `radiomic_frechet_distance`.

    References
    ----------
    Osuala et al. 2024, "Towards learning contrast kinetics with multi-condition latent diffusion models".

    Examples
    --------
    >>> import numpy as np
    >>> real = np.array([[0.0, 5.0], [2.0, 5.0]])
    >>> round(radiomic_frechet_distance_v0(real, real + 2.0), 4)
    13.9006
    """
    reference, synthetic = _usable(reference, synthetic)
    origin, factor = joint_range(reference, synthetic)
    return frechet_distance((reference - origin) * factor, (synthetic - origin) * factor)


def z_scores(reference: np.ndarray, synthetic: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Origin and factor of each column in version 1: mean and 1 / standard deviation of the reference."""
    spread = reference.std(axis=0)
    return reference.mean(axis=0), np.divide(1.0, spread, out=np.zeros_like(spread), where=spread > 0)


def joint_range(reference: np.ndarray, synthetic: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Origin and factor of each column in version 0: to [0, 7.457] over both sets."""
    low = np.minimum(reference.min(axis=0), synthetic.min(axis=0))
    width = np.maximum(reference.max(axis=0), synthetic.max(axis=0)) - low
    return low, np.divide(V0_RANGE, width, out=np.zeros_like(width), where=width > 0)


def usable_features(reference: np.ndarray, synthetic: np.ndarray) -> np.ndarray:
    """Which columns are finite in every image and vary in the reference set, bool of shape (d,)."""
    if reference.ndim != 2 or synthetic.ndim != 2 or reference.shape[1] != synthetic.shape[1]:
        raise InputError(
            "radiomic features must have the shapes (N, d) and (M, d) with one d, "
            f"got {reference.shape} and {synthetic.shape}"
        )
    if min(len(reference), len(synthetic)) < 2:
        raise InputError(
            f"a Frechet distance needs at least 2 images in each set, got {min(len(reference), len(synthetic))}"
        )
    usable = np.isfinite(reference).all(axis=0) & np.isfinite(synthetic).all(axis=0)
    usable[usable] = np.ptp(reference[:, usable], axis=0) > 0
    if not usable.any():
        raise InputError("no radiomic feature is finite in every image and varies in the reference set")
    return usable


def _usable(reference: np.ndarray, synthetic: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    reference, synthetic = np.asarray(reference, dtype=np.float64), np.asarray(synthetic, dtype=np.float64)
    usable = usable_features(reference, synthetic)
    return reference[:, usable], synthetic[:, usable]
