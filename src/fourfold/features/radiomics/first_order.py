"""First-order radiomics: the distribution of intensities, blind to where they are."""

from __future__ import annotations

import math

import numpy as np
import torch
from torch import Tensor
from torch.linalg import vecdot

from fourfold.features.radiomics.grey_levels import probability_entropy

__all__ = ["FIRST_ORDER", "first_order_features"]

FIRST_ORDER = (
    "10Percentile",
    "90Percentile",
    "Energy",
    "Entropy",
    "InterquartileRange",
    "Kurtosis",
    "Maximum",
    "MeanAbsoluteDeviation",
    "Mean",
    "Median",
    "Minimum",
    "Range",
    "RobustMeanAbsoluteDeviation",
    "RootMeanSquared",
    "Skewness",
    "TotalEnergy",
    "Uniformity",
    "Variance",
)


def first_order_features(intensities: Tensor, levels: Tensor, n_levels: int) -> Tensor:
    """The eighteen first-order features of pyradiomics.

    Entropy and uniformity are those of the binned image, the others those of the intensities. A constant image has
    skewness 0 and kurtosis 0; an image of two pixels, none of which is between its percentiles, a robust mean absolute
    deviation of 0 (pyradiomics: NaN). Kurtosis is not the excess: a normal distribution has 3. Pixels are of unit
    size, so total energy equals energy.

    Parameters
    ----------
    intensities : Tensor, shape (B, *spatial)
    levels : Tensor, shape (B, *spatial)
        From `grey_levels`.
    n_levels : int
        Upper limit of `levels`, exclusive.

    Returns
    -------
    Tensor, shape (B, 18)
        float64, columns as in `FIRST_ORDER`.
    """
    values = _ascending(intensities.flatten(1)).double()
    count = values.shape[1]
    tenth, quarter, median, three_quarters, ninetieth = (_percentile(values, q) for q in (10, 25, 50, 75, 90))
    mean = values.mean(dim=1)
    centred = values - mean[:, None]
    square = centred * centred
    variance = vecdot(centred, centred) / count
    spread = torch.where(variance > 0, variance, 1.0)
    energy = vecdot(values, values)

    inner = ((values >= tenth[:, None]) & (values <= ninetieth[:, None])).double()
    inner_count = inner.sum(dim=1).clamp(min=1)
    inner_mean = vecdot(values, inner) / inner_count
    robust = vecdot((values - inner_mean[:, None]).abs(), inner) / inner_count

    image = torch.arange(len(levels), device=levels.device)[:, None] * n_levels
    histogram = torch.bincount((levels.flatten(1) + image).flatten(), minlength=len(levels) * n_levels)
    shares = histogram.reshape(len(levels), n_levels).double() / count
    columns = {
        "10Percentile": tenth,
        "90Percentile": ninetieth,
        "Energy": energy,
        "Entropy": probability_entropy(shares, 1),
        "InterquartileRange": three_quarters - quarter,
        "Kurtosis": vecdot(square, square) / count / spread**2,
        "Maximum": values[:, -1],
        "MeanAbsoluteDeviation": centred.abs().mean(dim=1),
        "Mean": mean,
        "Median": median,
        "Minimum": values[:, 0],
        "Range": values[:, -1] - values[:, 0],
        "RobustMeanAbsoluteDeviation": robust,
        "RootMeanSquared": (energy / count).sqrt(),
        "Skewness": vecdot(square, centred) / count / spread**1.5,
        "TotalEnergy": energy,
        "Uniformity": shares.square().sum(dim=1),
        "Variance": variance,
    }
    return torch.stack([columns[name] for name in FIRST_ORDER], dim=1)


def _ascending(values: Tensor) -> Tensor:
    """Rows sorted; numpy's sort is four times faster than torch's on a processor."""
    if values.device.type == "cpu":
        return torch.from_numpy(np.sort(values.numpy(), axis=1))
    return values.sort(dim=1).values


def _percentile(ascending: Tensor, percent: float) -> Tensor:
    """Percentile of each row by linear interpolation between order statistics."""
    place = (ascending.shape[1] - 1) * percent / 100
    low = math.floor(place)
    high = min(low + 1, ascending.shape[1] - 1)
    return ascending[:, low] + (ascending[:, high] - ascending[:, low]) * (place - low)
