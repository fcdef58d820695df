"""How far an image lies from the real ones: Mahalanobis' distance, or the distance to the nearest of them.

Everything here works on plain arrays. The scores are not calibrated: a score of images that were fitted is smaller
than that of fresh ones, so a threshold is read from other patients (see `conformal`).
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import Protocol

import numpy as np

from fourfold.errors import InputError
from fourfold.neighbors import nearest

__all__ = ["FEWEST", "Distance", "Mahalanobis", "NearestDistance", "fit_mahalanobis", "fit_nearest"]

EXPLAINED = 0.99
"""Share of the variance that the components keep. The source keeps 0.9999: with 200 images of 150 bins that is 130
components, and fresh images score twice what fitted ones do."""

IMAGES_A_COMPONENT = 8
MOST_COMPONENTS = 256
_OFF_RANGE = 1e-6

FEWEST = 2 * IMAGES_A_COMPONENT
"""Images that a distance is fitted to, at least."""


class Distance(Protocol):
    """What a gate needs of a distance."""

    @property
    def components(self) -> int | None:
        """Dimensions that it works in, None where it works in all of them."""
        ...

    def score(self, values: np.ndarray, memory: int = 1 << 30) -> np.ndarray:
        """Distances of shape (n,) of features of shape (n, d); larger is further outside."""
        ...


@dataclass(frozen=True, eq=False)
class Mahalanobis:
    """Squared Mahalanobis distance in principal components, under a shrunk covariance.

    Parameters
    ----------
    origin, factor : arrays, shape (d,)
        Features are ``(value - origin) * factor``.
    whitening : array, shape (d, k)
        From such features to components of unit covariance.
    shrinkage : float
        Ledoit and Wolf's, in [0, 1].
    """

    origin: np.ndarray = field(repr=False)
    factor: np.ndarray = field(repr=False)
    whitening: np.ndarray = field(repr=False)
    shrinkage: float

    @property
    def components(self) -> int:
        """Number of dimensions, k."""
        return self.whitening.shape[1]

    def score(self, values: np.ndarray, memory: int = 1 << 30) -> np.ndarray:
        """Squared distances to the mean, shape (n,), float64."""
        centred = (np.asarray(values, dtype=np.float64) - self.origin) * self.factor
        return np.square(centred @ self.whitening).sum(axis=1)


@dataclass(frozen=True, eq=False)
class NearestDistance:
    """Euclidean distance to the `rank`-th nearest fitted image. It holds the features of the real images.

    Parameters
    ----------
    origin, factor : arrays, shape (d,)
        Features are ``(value - origin) * factor``.
    fitted : array, shape (n, d)
        Scaled features of real images: personal data, which may not leave.
    rank : int
        1 for the nearest.
    """

    origin: np.ndarray = field(repr=False)
    factor: np.ndarray = field(repr=False)
    fitted: np.ndarray = field(repr=False)
    rank: int = 1

    @property
    def components(self) -> None:
        """All dimensions."""
        return None

    def score(self, values: np.ndarray, memory: int = 1 << 30) -> np.ndarray:
        """Distances, shape (n,), float64; 0 for a verbatim copy where `rank` is 1."""
        scaled = _scaled(values, self.origin, self.factor)
        return nearest(scaled, self.fitted, self.rank, memory=memory).distances[:, -1]


def fit_mahalanobis(
    values: np.ndarray, *, standardise: bool = False, explained: float = EXPLAINED, components: int | None = None
) -> Mahalanobis:
    """Mean, components and covariance of real images.

    Parameters
    ----------
    values : array, shape (n, d)
        Finite.
    standardise : bool
        Scale each column by its standard deviation first; a column that is constant is left out.
    explained : float
        The smallest number of components is kept that explains this share of the variance, in (0, 1].
    components : int or None
        At most this many, whatever they explain: a covariance of nearly as many dimensions as images describes those
        images and no others. None for an eighth of the number of images.

    Returns
    -------
    Mahalanobis

    Raises
    ------
    InputError
        Where there are fewer than `FEWEST` images, or all of them have the same features.

    References
    ----------
    O. Ledoit, M. Wolf, J. Multivar. Anal. 88 (2004) 365.

    Examples
    --------
    >>> values = np.repeat([[-3.0, 0.0], [3.0, 0.0], [0.0, -2.0], [0.0, 2.0]], 100, axis=0)
    >>> fitted = fit_mahalanobis(values)
    >>> fitted.components, fitted.score(np.array([[6.0, 0.0]])).round(1).tolist()
    (2, [8.0])
    """
    from sklearn.covariance import LedoitWolf
    from sklearn.decomposition import PCA

    values, origin, factor = _prepared(values, standardise)
    centred = (values - origin) * factor
    most = len(values) // IMAGES_A_COMPONENT if components is None else components
    most = max(1, min(most, MOST_COMPONENTS, len(values) - 1, values.shape[1]))
    # Large problems are solved by random projections, from a stated state.
    found = PCA(most, random_state=0).fit(centred)
    reached = np.cumsum(found.explained_variance_ratio_) >= explained
    count = int(np.argmax(reached)) + 1 if reached.any() else most
    real = found.singular_values_ > _OFF_RANGE * found.singular_values_[0]
    directions = found.components_[: min(count, int(real.sum()))].T
    fitted = LedoitWolf(assume_centered=True).fit(centred @ directions)
    spreads, axes = np.linalg.eigh(fitted.covariance_)
    return Mahalanobis(origin, factor, directions @ (axes / np.sqrt(spreads)), float(fitted.shrinkage_))


def fit_nearest(values: np.ndarray, *, standardise: bool = False, rank: int = 1) -> NearestDistance:
    """The real images themselves, as the distance to the nearest of them needs.

    Parameters
    ----------
    values : array, shape (n, d)
        Finite.
    standardise : bool
        As for `fit_mahalanobis`.
    rank : int
        Which neighbour; 1 is blind to nothing but easily content with one odd real image.

    Raises
    ------
    InputError
        As for `fit_mahalanobis`.

    Examples
    --------
    >>> values = np.arange(32.0).reshape(16, 2)
    >>> fit_nearest(values).score(np.array([[30.0, 31.0], [30.0, 34.0]])).tolist()
    [0.0, 3.0]
    """
    values, origin, factor = _prepared(values, standardise)
    if not standardise:
        origin = np.zeros_like(origin)
    return NearestDistance(origin, factor, _scaled(values, origin, factor), rank)


def _prepared(values: np.ndarray, standardise: bool) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Values in float64, their mean and the factor of each column."""
    values = np.asarray(values, dtype=np.float64)
    if len(values) < FEWEST:
        raise InputError(f"a gate is fitted to at least {FEWEST} real images, got {len(values)}; give more images")
    spread = values.std(axis=0)
    used = spread > _OFF_RANGE * np.abs(values).max(axis=0)
    if not used.any():
        raise InputError("all real images have the same features, so nothing lies outside; look at the images")
    factor = np.where(used, 1 / np.where(used, spread, 1.0), 0.0) if standardise else np.ones_like(spread)
    return values, values.mean(axis=0), factor


def _scaled(values: np.ndarray, origin: np.ndarray, factor: np.ndarray) -> np.ndarray:
    scaled = (np.asarray(values, dtype=np.float64) - origin) * factor
    # A search works in float32, and a value beyond its range is as far as anything can be.
    largest = math.sqrt(np.finfo(np.float32).max) / 1e3
    return np.clip(scaled, -largest, largest)
