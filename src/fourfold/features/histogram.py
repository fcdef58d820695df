"""The distribution of intensities: blind to place and to texture, sensitive to contrast, brightness and noise."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from fourfold.errors import InputError
from fourfold.features.extractor import FeatureExtractor

__all__ = ["Histogram"]


class Histogram(FeatureExtractor):
    """Square roots of the shares of pixels in equal bins of [0, 1], channel by channel.

    Scaled so that the Euclidean distance of two images is the Hellinger distance of their histograms, from 0 (the
    same) to 1 (no bin in common); with three channels it is the root mean square of the channels' distances.

    Parameters
    ----------
    bins : int
        Per channel; bin k holds values from k / bins to below (k + 1) / bins, the last one 1 as well.

    Examples
    --------
    >>> import torch
    >>> black, white = Histogram(bins=4)(torch.tensor([0.0, 1.0]).reshape(2, 1, 1, 1).expand(2, 1, 8, 8))
    >>> round(float(torch.dist(black, white)), 6)
    1.0

    References
    ----------
    Hellinger, "Neue Begruendung der Theorie quadratischer Formen von unendlichvielen Veraenderlichen", 1909.
    """

    name = "histogram"
    source = "Hellinger distance of intensity histograms"

    def __init__(self, bins: int = 64) -> None:
        if bins < 1:
            raise InputError(f"the number of bins of 'histogram' must be at least 1, got {bins}")
        self.bins = bins

    def settings(self) -> dict[str, Any]:
        """The number of bins, and the map that is applied to their shares."""
        return {"bins": self.bins, "map": "hellinger"}

    def feature_names(self, channels: int = 1) -> tuple[str, ...]:
        """Names of the columns for images of one channel, or of `channels`."""
        edges = [f"{k / self.bins:.4g}-{(k + 1) / self.bins:.4g}" for k in range(self.bins)]
        if channels == 1:
            return tuple(f"histogram_{edge}" for edge in edges)
        return tuple(f"histogram_channel{channel}_{edge}" for channel in range(channels) for edge in edges)

    def __call__(self, images: Tensor) -> Tensor:
        """Features of shape (B, C * bins), float32, each row of squared length 1/2.

        Parameters
        ----------
        images : Tensor, shape (B, C, H, W) or (B, C, D, H, W)
            float32 in [0, 1]; values outside count to the first or last bin.

        Raises
        ------
        InputError
            For images without pixels or with values that are not finite.
        """
        batch, channels = images.shape[:2]
        values = images.flatten(2)
        if values.shape[2] == 0:
            raise InputError("a histogram needs images of at least one pixel")
        if not torch.isfinite(values).all():
            raise InputError("a histogram needs finite values; an image holds NaN or infinity")
        places = (values * self.bins).long().clamp(0, self.bins - 1)
        rows = torch.arange(batch * channels, device=images.device).reshape(batch, channels, 1)
        counts = torch.bincount((places + rows * self.bins).flatten(), minlength=batch * channels * self.bins)
        shares = counts.reshape(batch, channels * self.bins).double() / values.shape[2]
        return (shares / (2 * channels)).sqrt().float()
