"""Radiomics as a feature extractor."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from fourfold.errors import InputError
from fourfold.features.extractor import FeatureExtractor
from fourfold.features.inputs import with_channels
from fourfold.features.radiomics.cooccurrence import COOCCURRENCE, cooccurrence_features, cooccurrence_matrices
from fourfold.features.radiomics.filters import laplacian_of_gaussian, wavelet_bands, wavelet_names
from fourfold.features.radiomics.first_order import FIRST_ORDER, first_order_features
from fourfold.features.radiomics.grey_levels import directions, grey_levels
from fourfold.features.radiomics.runs import RUN_LENGTH, run_length_features, run_length_matrices
from fourfold.features.radiomics.tone_difference import TONE_DIFFERENCE, tone_difference_features, tone_differences
from fourfold.features.radiomics.zones import SIZE_ZONE, size_zone_features, size_zone_matrices

__all__ = ["Radiomics"]

# Pixels worked on at once: enough to hide the cost of a call, few enough to stay in the processor's cache.
_PIXELS_AT_ONCE = 1 << 17

_Family = Callable[[Tensor, Tensor, int], Tensor]
_FAMILIES: dict[str, tuple[tuple[str, ...], _Family]] = {
    "firstorder": (FIRST_ORDER, first_order_features),
    "glcm": (COOCCURRENCE, lambda _, levels, n: cooccurrence_features(cooccurrence_matrices(levels, n))),
    "glrlm": (RUN_LENGTH, lambda _, levels, n: run_length_features(run_length_matrices(levels, n))),
    "glszm": (SIZE_ZONE, lambda _, levels, n: size_zone_features(*size_zone_matrices(levels, n))),
    "ngtdm": (TONE_DIFFERENCE, lambda _, levels, n: tone_difference_features(*tone_differences(levels, n))),
}


class Radiomics(FeatureExtractor):
    """First-order and texture features of the whole image, as pyradiomics defines them.

    Needs no weights and has seen no data: texture that a generator smooths or sharpens shows here, whatever the
    organ; anatomy does not. The 79 columns are those of pyradiomics for a mask that covers the image, and a few are
    exact multiples or sums of others there as well (TotalEnergy = Energy, SumAverage = 2 JointAverage,
    SumSquares = (ClusterTendency + Contrast) / 4), so their covariance is singular. Their units differ by many orders
    of magnitude: distances need `standardise`. Connected zones are found on the processor whatever the device.

    Parameters
    ----------
    scale : float
        Images in [0, 1] are multiplied by it before anything else; intensities, bins and first-order features are
        on this scale. With 255 the codes of an 8-bit image become whole numbers again.
    bin_width : float
        Width of a grey level on that scale. Edges lie at its whole multiples in every image, hence in every set; 8 on
        a scale of 255 gives 32 levels of eight codes each, which no code straddles.
    families : tuple of str
        Some of ``"firstorder"``, ``"glcm"``, ``"glrlm"``, ``"glszm"``, ``"ngtdm"``.
    log_sigmas : tuple of float
        For each, all families again on the Laplacian of Gaussian of that width in pixels.
    wavelet : bool
        All families again on each band of one level of a stationary wavelet (4 in a plane, 8 in a volume).

    Raises
    ------
    InputError
        For a scale, width or sigma that is not above 0, more than 1024 levels, or an unknown family.

    Examples
    --------
    >>> import torch
    >>> radiomics = Radiomics()
    >>> radiomics(torch.rand(2, 1, 16, 16, generator=torch.Generator().manual_seed(0))).shape
    torch.Size([2, 79])
    >>> radiomics.feature_names()[22]
    'original_glcm_Contrast'
    """

    name = "radiomics"
    source = "van Griethuysen et al. 2017 (pyradiomics 3.0.1), Zwanenburg et al. 2020 (IBSI)"
    standardise = True

    def __init__(
        self,
        scale: float = 255.0,
        bin_width: float = 8.0,
        families: tuple[str, ...] = tuple(_FAMILIES),
        log_sigmas: tuple[float, ...] = (),
        wavelet: bool = False,
    ) -> None:
        if not (math.isfinite(scale) and scale > 0):
            raise InputError(f"the scale of 'radiomics' must be above 0, got {scale}")
        if not (math.isfinite(bin_width) and bin_width > 0):
            raise InputError(f"the bin width of 'radiomics' must be above 0, got {bin_width}")
        if scale / bin_width > 1024:
            raise InputError(f"at most 1024 grey levels: widen bin_width={bin_width} or lower scale={scale}")
        unknown = [family for family in families if family not in _FAMILIES]
        if unknown or not families:
            raise InputError(f"'radiomics' has the families {', '.join(_FAMILIES)}; got {', '.join(unknown) or 'none'}")
        for sigma in log_sigmas:
            if not (math.isfinite(sigma) and sigma > 0):
                raise InputError(f"a sigma of 'radiomics' must be above 0, got {sigma}")
        self.scale = float(scale)
        self.bin_width = float(bin_width)
        self._n_levels = math.floor(scale / bin_width * (1 + 1e-6)) + 1
        self.families = tuple(families)
        self.log_sigmas = tuple(float(sigma) for sigma in log_sigmas)
        self.wavelet = bool(wavelet)

    def settings(self) -> dict[str, Any]:
        """Scale, bins, families and filters, and the conventions that are fixed."""
        return {
            "scale": self.scale,
            "bin_width": self.bin_width,
            "families": list(self.families),
            "log_sigmas": list(self.log_sigmas),
            "wavelet": "coif1" if self.wavelet else None,
            "colour": "luma of ITU-R BT.601",
            "distance": 1,
            "symmetrical": True,
        }

    def feature_names(self, axes: int = 2) -> tuple[str, ...]:
        """Names as pyradiomics writes them, for example ``original_glcm_Contrast``.

        With `wavelet` the number of columns depends on the images: `axes` is 2 for planes and 3 for volumes.
        """
        images = ["original", *(f"log-sigma-{str(sigma).replace('.', '-')}-mm-3D" for sigma in self.log_sigmas)]
        if self.wavelet:
            images += [f"wavelet-{band}" for band in wavelet_names(axes)]
        columns = [f"{family}_{name}" for family in self.families for name in _FAMILIES[family][0]]
        return tuple(f"{image}_{column}" for image in images for column in columns)

    @torch.no_grad()
    def __call__(self, images: Tensor) -> Tensor:
        """Features of a batch.

        Parameters
        ----------
        images : Tensor, shape (B, C, H, W) or (B, C, D, H, W)
            float32 in [0, 1], C = 1 or 3 (colour is read as luma).

        Returns
        -------
        Tensor, shape (B, 79), or 79 for the image and each of its filtered versions
            float32, finite; columns as in `feature_names`. Constant images get pyradiomics' values.

        Raises
        ------
        InputError
            For another number of axes or channels, images of one pixel, values that are not in [0, 1], or images
            too small for a sigma.
        """
        if images.ndim not in (4, 5):
            raise InputError(f"radiomics takes images (B, C, H, W) or volumes (B, C, D, H, W), got {images.ndim} axes")
        pixels = math.prod(images.shape[2:])
        if pixels < 2:
            raise InputError("radiomics needs images of at least two pixels")
        if len(images) == 0:
            return images.new_zeros((0, len(self.feature_names(images.ndim - 2))), dtype=torch.float32)
        shortest = min(images.shape[2:])
        if self.log_sigmas and shortest < max(4, math.ceil(max(self.log_sigmas)) + 1):
            raise InputError(f"a side of {shortest} pixels is too short for sigma={max(self.log_sigmas):g}")
        # Fine bins make the co-occurrence matrices larger than the images.
        cells = self._n_levels**2 * len(directions(tuple(images.shape[2:])))
        at_once = max(1, _PIXELS_AT_ONCE // max(pixels, cells))
        return torch.cat([self._features(part) for part in images.split(at_once)])

    def _features(self, images: Tensor) -> Tensor:
        # In float64 the luma of three equal channels is that channel, to the last bit of float32.
        grey = images[:, 0].float() if images.shape[1] == 1 else with_channels(images.double(), 1)[:, 0].float()
        low, high = grey.aminmax()
        if not (low >= 0 and high <= 1):
            raise InputError(f"radiomics takes values from 0 to 1, got {float(low):.6g} to {float(high):.6g}")
        intensities = grey * self.scale
        parts = self._families(intensities, grey_levels(intensities, self.bin_width), self._n_levels)
        filtered = [laplacian_of_gaussian(intensities, sigma) for sigma in self.log_sigmas]
        if self.wavelet:
            filtered += wavelet_bands(intensities).values()
        for response in filtered:
            levels = grey_levels(response, self.bin_width)
            parts += self._families(response, levels, int(levels.max()) + 1)
        return torch.cat(parts, dim=1).float()

    def _families(self, intensities: Tensor, levels: Tensor, n_levels: int) -> list[Tensor]:
        return [_FAMILIES[family][1](intensities, levels, n_levels) for family in self.families]
