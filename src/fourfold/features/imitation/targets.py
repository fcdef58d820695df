"""What is imitated: radiomics on a scale on which a network can learn all of them alike.

Radiomics differ in unit by ten orders of magnitude and have long tails. Each is divided by the power of the number of
pixels with which it grows (`GROWTH`), so that an image twice as wide has the same targets; then by its median size,
put through the inverse hyperbolic sine (the identity near 0, a logarithm with a sign far from it), and standardised.
Median sizes, means and deviations are those of the textures that the network learns from.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from fourfold.errors import InputError
from fourfold.features.radiomics import Radiomics

__all__ = ["GROWTH", "Scale", "all_features", "columns_of", "measured"]

GROWTH = {
    "original_firstorder_Energy": 1.0,
    "original_firstorder_TotalEnergy": 1.0,
    "original_glrlm_GrayLevelNonUniformity": 1.0,
    "original_glrlm_RunLengthNonUniformity": 1.0,
    "original_glszm_GrayLevelNonUniformity": 1.0,
    "original_glszm_SizeZoneNonUniformity": 1.0,
    "original_ngtdm_Busyness": 1.0,
    "original_ngtdm_Coarseness": -1.0,
}
"""Power of the number of pixels with which a radiomic grows on a texture of one kind; 0 where it is not named."""

_MOST = 8.0


def all_features() -> tuple[str, ...]:
    """Names of the 79 radiomics of `Radiomics`, in its order."""
    return Radiomics().feature_names()


def columns_of(features: tuple[str, ...]) -> list[int]:
    """Columns of `Radiomics` by name, with or without ``original_`` in front.

    Raises
    ------
    InputError
        Where there is no such radiomic, or none is named.

    Examples
    --------
    >>> columns_of(("firstorder_Skewness", "original_glcm_Contrast"))
    [14, 22]
    """
    known = {name: column for column, name in enumerate(all_features())}
    full = [name if name.startswith("original_") else f"original_{name}" for name in features]
    unknown = [given for given, name in zip(features, full) if name not in known]
    if unknown or not full:
        raise InputError(
            f"there is no radiomic {unknown[0]!r} to imitate; names are those of Radiomics().feature_names()"
            if unknown
            else "name at least one radiomic to imitate"
        )
    return [known[name] for name in full]


def measured(images: np.ndarray, features: tuple[str, ...]) -> np.ndarray:
    """Radiomics of images, over the power of the number of pixels with which each grows.

    Parameters
    ----------
    images : array, shape (n, C, H, W)
        float32 in [0, 1].
    features : tuple of str, length d
        Full names, as in `all_features`.

    Returns
    -------
    array, shape (n, d)
        float64.
    """
    columns = columns_of(features)
    families = tuple(dict.fromkeys(name.split("_")[1] for name in (all_features()[column] for column in columns)))
    radiomics = Radiomics(families=families)
    place = {name: column for column, name in enumerate(radiomics.feature_names())}
    values = radiomics(torch.from_numpy(np.ascontiguousarray(images, dtype=np.float32))).double().numpy()
    names = [all_features()[column] for column in columns]
    growth = np.array([GROWTH.get(name, 0.0) for name in names])
    return values[:, [place[name] for name in names]] / float(np.prod(images.shape[2:])) ** growth


@dataclass(frozen=True)
class Scale:
    """The scale of each target.

    Parameters
    ----------
    size, centre, spread : Tensors, shape (d,)
        float64: ``(asinh(value / size) - centre) / spread``.
    """

    size: Tensor
    centre: Tensor
    spread: Tensor

    @classmethod
    def of(cls, values: np.ndarray) -> Scale:
        """The scale of targets from what was `measured`, shape (n, d)."""
        found = torch.from_numpy(values).double()
        size = found.abs().median(dim=0).values
        size = torch.where(size > 0, size, found.abs().amax(dim=0).clamp(min=1e-12))
        bent = torch.asinh(found / size)
        return cls(size, bent.mean(dim=0), bent.std(dim=0).clamp(min=1e-6))

    def __call__(self, values: np.ndarray) -> Tensor:
        """Targets, float32, shape (n, d), from what was `measured`; at most 8 deviations from the mean."""
        bent = torch.asinh(torch.from_numpy(values).double() / self.size)
        return ((bent - self.centre) / self.spread).clamp(-_MOST, _MOST).float()
