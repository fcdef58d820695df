"""What a gate looks at where no network is at hand: the distribution of intensities, whole, by place and of edges.

An image is clipped to percentiles of its own, scaled to [0, 1] and counted in equal bins; the square root of the
density is what a gate sees. (The source takes the density. Where noise and exposure vary between images, a few large
bins then hold nearly all the variance: of 150 bins of brain phantoms 3 components remain instead of 10, and the AUROC
of doubled noise is 0.44 instead of 0.82. Where nothing varies the two agree.) That alone tells most
wrong sequences, units, noise levels and reconstructions from the right ones, and it is blind by construction to
where anything lies (a flipped or shuffled image has the same histogram) and, through the scaling, to brightness and
linear contrast. Three relatives mend that at small cost: histograms of thirds of each axis, of gradient magnitudes,
and the intensity levels before any scaling. Noise by itself is looked at in `fourfold.outliers.grain`.

The family here describes an image for a gate; `fourfold.features.Histogram` is the feature space of fixed
bins in which distributions of sets are compared.
"""

from __future__ import annotations

from typing import Any, ClassVar

import torch
from torch import Tensor

from fourfold.errors import InputError
from fourfold.features import FeatureExtractor
from fourfold.outliers.grain import GrainLevels

__all__ = ["EMBEDDINGS", "GradientHistogram", "IntensityHistogram", "IntensityLevels", "RegionHistograms"]

_SOURCE = "Frolova et al. 2022 (arXiv 2212.06506), Vasiliuk et al. 2023 (J. Imaging 9:191)"
_PARTS = 3


class IntensityHistogram(FeatureExtractor):
    """Roots of the density histogram of an image clipped to its own percentiles and scaled to [0, 1], by channel.

    Parameters
    ----------
    bins : int
        M, per channel.
    percentiles : (float, float)
        Of each channel of each image; what lies beyond is clipped. (1, 99) is the 2022 version of the source and
        (0.5, 99.5) that of 2023.

    Raises
    ------
    InputError
        For fewer than two bins or percentiles that do not rise within [0, 100].

    Examples
    --------
    >>> ramp = torch.linspace(0.2, 0.4, 1000).reshape(1, 1, 10, 100)
    >>> density = IntensityHistogram(bins=10)(ramp)
    >>> density.shape, round(float(density.square().mean()), 3)
    (torch.Size([1, 10]), 1.0)

    References
    ----------
    D. Frolova, A. Vasiliuk, M. Belyaev, B. Shirokikh, "Solving Sample-Level Out-of-Distribution Detection on 3D
    Medical Images" (arXiv 2212.06506).
    """

    name = "histogram"
    source = _SOURCE
    default_bins: ClassVar[int] = 150

    def __init__(self, bins: int | None = None, percentiles: tuple[float, float] = (1.0, 99.0)) -> None:
        bins = self.default_bins if bins is None else bins
        if bins < 2:
            raise InputError(f"the number of bins of {self.name!r} must be at least 2, got {bins}")
        if not 0 <= percentiles[0] < percentiles[1] <= 100:
            raise InputError(f"the percentiles of {self.name!r} must rise within [0, 100], got {percentiles}")
        self.bins = bins
        self.percentiles = (float(percentiles[0]), float(percentiles[1]))

    def settings(self) -> dict[str, Any]:
        """Bins and percentiles."""
        return {
            "of": "roots of densities of values clipped to percentiles",
            "bins": self.bins,
            "percentiles": list(self.percentiles),
        }

    def __call__(self, images: Tensor) -> Tensor:
        """Features of shape (B, C * bins), float32; the squares of a channel average 1.

        Parameters
        ----------
        images : Tensor, shape (B, C, H, W) or (B, C, D, H, W)
            Finite, in any units.
        """
        scaled = scaled_by_percentiles(images, self.percentiles)
        return _densities(scaled.flatten(2), self.bins).flatten(1)


class RegionHistograms(IntensityHistogram):
    """The same in each third of each axis: 9 regions of a picture, 27 of a volume, scaled by the whole image.

    Sees a flip, an exchange of parts and shuffled pixels, which a histogram of the whole cannot.

    Parameters
    ----------
    bins : int
        Per region and channel; fewer than for the whole, since a region holds fewer pixels.
    percentiles : (float, float)
        As for `IntensityHistogram`.
    """

    name = "regions"
    default_bins = 20

    def settings(self) -> dict[str, Any]:
        """Bins, percentiles and the parts of an axis."""
        return {**super().settings(), "parts": _PARTS}

    def __call__(self, images: Tensor) -> Tensor:
        """Features of shape (B, C * 3^axes * bins), float32.

        Raises
        ------
        InputError
            Where an axis is shorter than three pixels.
        """
        if min(images.shape[2:]) < _PARTS:
            raise InputError(f"thirds of each axis need at least 3 pixels a side, got {tuple(images.shape[2:])}")
        parts = [scaled_by_percentiles(images, self.percentiles)]
        for axis in range(2, images.ndim):
            parts = [piece for part in parts for piece in torch.tensor_split(part, _PARTS, dim=axis)]
        return torch.cat([_densities(part.flatten(2), self.bins).flatten(1) for part in parts], dim=1)


class GradientHistogram(IntensityHistogram):
    """Histogram of gradient magnitudes of the scaled image: how sharp, how noisy, how smooth.

    The square root of a magnitude is counted, since most of an image is nearly flat.

    Parameters
    ----------
    bins : int
    percentiles : (float, float)
        As for `IntensityHistogram`.
    """

    name = "gradients"

    def settings(self) -> dict[str, Any]:
        """Bins, percentiles and what is counted."""
        return {**super().settings(), "of": "roots of densities of roots of gradient magnitudes"}

    def __call__(self, images: Tensor) -> Tensor:
        """Features of shape (B, C * bins), float32.

        Raises
        ------
        InputError
            Where an axis is shorter than two pixels.
        """
        if min(images.shape[2:]) < 2:
            raise InputError(f"gradients need at least 2 pixels a side, got {tuple(images.shape[2:])}")
        scaled = scaled_by_percentiles(images, self.percentiles)
        axes = tuple(range(2, images.ndim))
        squared = sum(gradient.square() for gradient in torch.gradient(scaled, dim=axes))
        # Values in [0, 1] change by at most 1 a pixel, so the length is at most the root of the number of axes.
        return _densities((squared / len(axes)).pow(0.25).flatten(2), self.bins).flatten(1)


class IntensityLevels(FeatureExtractor):
    """Percentiles of the image as it was prepared, and the shares of its values at both ends of [0, 1].

    Sees brightness, window, unit and inversion, which the scaled histograms remove before they look.
    """

    name = "levels"
    source = "order statistics"
    standardise = True
    percentiles: ClassVar[tuple[float, ...]] = (0.5, 1.0, 5.0, 10.0, 25.0, 50.0, 75.0, 90.0, 95.0, 99.0, 99.5)

    def settings(self) -> dict[str, Any]:
        """The percentiles."""
        return {"percentiles": list(self.percentiles), "ends": [0.0, 1.0]}

    def __call__(self, images: Tensor) -> Tensor:
        """Features of shape (B, C * 13), float32."""
        values = images.flatten(2)
        ordered = values.sort(dim=2).values
        levels = [ordered[..., _place(percentile, values.shape[2])] for percentile in self.percentiles]
        ends = [(values <= 0).float().mean(dim=2), (values >= 1).float().mean(dim=2)]
        return torch.stack([*levels, *ends], dim=2).flatten(1)


EMBEDDINGS: dict[str, type[FeatureExtractor]] = {
    extractor.name: extractor
    for extractor in (IntensityHistogram, RegionHistograms, GradientHistogram, IntensityLevels, GrainLevels)
}
"""What a gate may look at besides a feature space, by name."""


def scaled_by_percentiles(images: Tensor, percentiles: tuple[float, float]) -> Tensor:
    """Each channel of each image clipped to its own percentiles and scaled to [0, 1]; a constant one becomes 0."""
    values = images.flatten(2)
    low, high = (
        values.kthvalue(_place(percentile, values.shape[2]) + 1, dim=2, keepdim=True).values
        for percentile in percentiles
    )
    span = (high - low).clamp_min(torch.finfo(values.dtype).tiny)
    return ((values - low) / span).clamp(0, 1).reshape(images.shape)


def _place(percentile: float, count: int) -> int:
    """The nearest rank, from 0."""
    return round(percentile / 100 * (count - 1))


def _densities(values: Tensor, bins: int) -> Tensor:
    """Square roots of densities of values in [0, 1] of shape (B, C, P): (B, C, bins)."""
    batch, channels, count = values.shape
    places = (values * bins).long().clamp(0, bins - 1)
    rows = torch.arange(batch * channels, device=values.device).reshape(batch, channels, 1)
    counts = torch.bincount((places + rows * bins).flatten(), minlength=batch * channels * bins)
    return (counts.reshape(batch, channels, bins).double() * (bins / count)).sqrt().float()
