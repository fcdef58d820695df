"""Principal components of images: the space in which the simplest laws are fitted.

An image x is ``mean + sum_j z_j s_j v_j + rest``: directions v_j of largest variance, their standard deviations s_j,
coordinates z_j of mean 0 and variance 1, and a rest that the components do not hold. A law of the coordinates alone
draws images that are smoother than real ones, since the rest is what they lack; `residual` is the rest's standard
deviation at each pixel, from which noise of the right strength, though not of the right texture, can be added back
(factor analysis; with one strength for all pixels it would be the model of Tipping & Bishop).

References
----------
M. E. Tipping, C. M. Bishop, Probabilistic principal component analysis, J. R. Stat. Soc. B 61, 1999.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from fourfold.errors import InputError
from fourfold.generate.training_set import TrainingSet

__all__ = ["PrincipalComponents", "fit_components"]

_BATCH = 1024
# Directions that differ from rounding only would divide coordinates by nothing.
_LEAST_DEVIATION = 1e-5


@dataclass(frozen=True)
class PrincipalComponents:
    """Mean, directions and what they leave over.

    Parameters
    ----------
    mean : array, shape (p,)
        float32; p values an image.
    directions : array, shape (k, p)
        float32, orthonormal, by falling variance.
    deviations : array, shape (k,)
        float32, standard deviations of the training images along them.
    residual : array, shape (p,)
        float32, standard deviation at each pixel of what the directions do not hold.
    """

    mean: np.ndarray
    directions: np.ndarray
    deviations: np.ndarray
    residual: np.ndarray

    def __len__(self) -> int:
        return len(self.deviations)

    @property
    def share(self) -> float:
        """Share of the variance that the components hold."""
        held = float(np.square(self.deviations.astype(np.float64)).sum())
        return held / (held + float(np.square(self.residual.astype(np.float64)).sum()))

    def encode(self, images: np.ndarray) -> np.ndarray:
        """Images of shape (n, *shape) as coordinates of shape (n, k), variance 1 each, float32."""
        flat = images.reshape(len(images), -1)
        return (flat - self.mean) @ self.directions.T / self.deviations

    def decode(self, coordinates: np.ndarray) -> np.ndarray:
        """Coordinates of one image, shape (k,), as its values, shape (p,), not clipped.

        One at a time, so that an image does not depend, in its last bits, on how many are drawn with it.
        """
        return self.mean + (coordinates * self.deviations) @ self.directions

    def arrays(self) -> dict[str, Tensor]:
        """For the model file: aggregates of the training set."""
        return {f"components/{name}": torch.from_numpy(value) for name, value in vars(self).items()}

    @classmethod
    def restore(cls, arrays: Mapping[str, Tensor]) -> PrincipalComponents:
        """The components whose `arrays` these are."""
        names = ("mean", "directions", "deviations", "residual")
        return cls(*(np.ascontiguousarray(arrays[f"components/{name}"].numpy()) for name in names))


def fit_components(data: TrainingSet, share: float, most: int, seed: int = 0) -> tuple[PrincipalComponents, np.ndarray]:
    """As few components as hold a share of the variance, and the training images' coordinates.

    Sets that fit into the memory they are allowed are decomposed at once, larger ones batch by batch (Ross et al. 2008,
    as scikit-learn has it).

    Parameters
    ----------
    data : TrainingSet
    share : float
        Between 0 and 1.
    most : int
        Components at most; never more than images less one.
    seed : int
        Of the randomised decomposition of large sets.

    Returns
    -------
    PrincipalComponents
    array, shape (N, k)
        float32.

    Raises
    ------
    InputError
        Where an option is out of range, or all images are the same.
    """
    if not 0 < share <= 1:
        raise InputError(f"the share of the variance that components hold is above 0 and at most 1, got {share:g}")
    if most < 1:
        raise InputError(f"at least one component is needed, got most={most}")
    size = int(np.prod(data.shape))
    most = min(most, len(data) - 1, size)
    # Images that are all the same have shares of nothing, and are refused below.
    with np.errstate(invalid="ignore", divide="ignore"):
        if len(data) * size * 4 <= data.memory:
            mean, directions, variances, total = _at_once(data, most, seed)
        else:
            mean, directions, variances, total = _by_batches(data, most)
    whole = float(total.sum())
    deviations = np.sqrt(np.maximum(variances, 0.0))
    if whole <= 0 or deviations[0] <= 0:
        raise InputError("all images of the training set are the same; there is nothing to learn from them")
    enough = int(np.searchsorted(np.cumsum(variances), share * whole * (1 - 1e-9))) + 1
    kept = min(enough, int((deviations > _LEAST_DEVIATION * deviations[0]).sum()))
    left = total.copy()
    # One at a time, since all of them in float64 would be the largest array of the fit.
    for direction, variance in zip(directions[:kept], variances[:kept], strict=True):
        left -= variance * np.square(direction.astype(np.float64))
    components = PrincipalComponents(
        mean.astype(np.float32),
        np.ascontiguousarray(directions[:kept], dtype=np.float32),
        deviations[:kept].astype(np.float32),
        np.sqrt(np.maximum(left, 0.0)).astype(np.float32),
    )
    return components, np.concatenate([components.encode(batch) for batch in _batches(data, _BATCH)])


def _at_once(data: TrainingSet, most: int, seed: int) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    from sklearn.decomposition import PCA

    images = data.load().reshape(len(data), -1)
    found = PCA(most, random_state=seed).fit(images)
    mean = images.mean(axis=0, dtype=np.float64)
    squares = np.zeros(len(mean))
    for start in range(0, len(images), _BATCH):
        squares += np.square(images[start : start + _BATCH] - mean).sum(axis=0)
    variances = found.explained_variance_.astype(np.float64)
    return mean, found.components_, variances, squares / (len(images) - 1)


def _by_batches(data: TrainingSet, most: int) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    from sklearn.decomposition import IncrementalPCA

    found = IncrementalPCA(most)
    for batch in _batches(data, max(_BATCH, 2 * most)):
        found.partial_fit(batch.reshape(len(batch), -1))
    return found.mean_, found.components_, found.explained_variance_, found.var_ * len(data) / (len(data) - 1)


def _batches(data: TrainingSet, least: int) -> Iterator[np.ndarray]:
    """All images in order, in batches of `least` or more."""
    for rows in np.array_split(np.arange(len(data)), max(1, len(data) // least)):
        yield data.load(rows)
