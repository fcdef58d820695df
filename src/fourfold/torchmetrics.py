"""Feature-based metrics as `torchmetrics.Metric`, to be logged from a training loop.

Each class accumulates the features of real and synthetic images and leaves the mathematics to the function of the same
name on arrays. The Frechet distance keeps sums only (count, mean and scatter in float64, which merge exactly), the
others keep the features, since they need all pairs. States merge across processes.

    metric = FrechetDistance(features=192, extractor=network)
    for images in real:
        metric.update(images, real=True)
    for images in synthetic:
        metric.update(images, real=False)
    metric.compute()
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torchmetrics import Metric
from torchmetrics.utilities import dim_zero_cat

from fourfold import fidelity, variety
from fourfold.errors import InputError

__all__ = ["Coverage", "Density", "FrechetDistance", "KernelDistance", "Precision", "Recall"]

Extractor = Callable[[Tensor], Tensor]


class _OnFeatures(Metric):
    """Common to all: an optional extractor, and the check of what it gives."""

    is_differentiable = False
    full_state_update = False

    def __init__(self, extractor: Extractor | None, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.extractor = extractor

    def _features(self, batch: Tensor) -> Tensor:
        features = batch
        if self.extractor is not None:
            with torch.no_grad():
                features = self.extractor(batch)
        if features.ndim != 2:
            raise InputError(
                f"features must have the shape (B, d), got {tuple(features.shape)}; give an extractor for images"
            )
        return features.detach()


class FrechetDistance(_OnFeatures):
    """Frechet distance in bounded memory; see `fourfold.fidelity.frechet_distance`.

    Parameters
    ----------
    features : int
        Number of features d.
    extractor : callable or None
        Batch of images to features (B, d); None where `update` gets features.
    **kwargs
        For `torchmetrics.Metric`.

    Notes
    -----
    State is O(d^2) whatever the number of images. With no more images than features it agrees with the function on
    arrays only to about 1e-6, since the moments no longer hold the images.

    Examples
    --------
    >>> import torch
    >>> metric = FrechetDistance(features=2)
    >>> real = torch.tensor([[0.0, 0.0], [1.0, 0.0], [0.0, 1.0], [1.0, 1.0]])
    >>> metric.update(real, real=True)
    >>> metric.update(real + 2, real=False)
    >>> metric.compute()
    tensor(8., dtype=torch.float64)
    """

    higher_is_better = False

    def __init__(self, features: int, extractor: Extractor | None = None, **kwargs: Any) -> None:
        super().__init__(extractor, **kwargs)
        self.features = features
        # Sums about a fixed origin would lose digits far from zero, so each process keeps its own mean and the
        # stacked states are merged exactly in `compute`.
        for role in ("real", "synthetic"):
            self.add_state(f"{role}_count", torch.zeros(1, dtype=torch.int64), dist_reduce_fx="cat")
            self.add_state(f"{role}_mean", torch.zeros(1, features, dtype=torch.float64), dist_reduce_fx="cat")
            self.add_state(
                f"{role}_scatter", torch.zeros(1, features, features, dtype=torch.float64), dist_reduce_fx="cat"
            )

    def update(self, batch: Tensor, real: bool) -> None:
        """Add a batch of images (or of features, without an extractor) to the real or the synthetic set."""
        features = self._features(batch)
        if features.shape[1] != self.features:
            raise InputError(f"this metric was made for {self.features} features, got {features.shape[1]}")
        role = "real" if real else "synthetic"
        moments = self._moments(role).update(features.double().cpu().numpy())
        device = getattr(self, f"{role}_mean").device
        setattr(self, f"{role}_count", torch.tensor([moments.count], device=device))
        setattr(self, f"{role}_mean", torch.from_numpy(moments.mean)[None].to(device))
        setattr(self, f"{role}_scatter", torch.from_numpy(moments.scatter)[None].to(device))

    def compute(self) -> Tensor:
        """The distance, a float64 scalar. Raises InputError before two images of each set."""
        real, synthetic = self._moments("real"), self._moments("synthetic")
        value = fidelity.frechet_distance_from_moments(real.mean, real.covariance, synthetic.mean, synthetic.covariance)
        return torch.tensor(value, dtype=torch.float64, device=self.real_mean.device)

    def set_dtype(self, dst_type: str | torch.dtype) -> FrechetDistance:
        """Leave the state in float64: lower precision would be lost in the difference of traces."""
        return self

    def _moments(self, role: str) -> fidelity.Moments:
        counts, means, scatters = (
            getattr(self, f"{role}_{name}").cpu().numpy() for name in ("count", "mean", "scatter")
        )
        moments = fidelity.Moments.empty(self.features)
        for count, mean, scatter in zip(counts, means, scatters, strict=True):
            moments = moments.merge(fidelity.Moments(int(count), mean, scatter))
        return moments


class _OnAllFeatures(_OnFeatures):
    """Keeps the features of both sets until they are compared."""

    def __init__(self, extractor: Extractor | None = None, **kwargs: Any) -> None:
        super().__init__(extractor, **kwargs)
        self.add_state("real", [], dist_reduce_fx="cat")
        self.add_state("synthetic", [], dist_reduce_fx="cat")

    def update(self, batch: Tensor, real: bool) -> None:
        """Add a batch of images (or of features, without an extractor) to the real or the synthetic set."""
        getattr(self, "real" if real else "synthetic").append(self._features(batch))

    def compute(self) -> Tensor:
        """The value, a float64 scalar. Raises InputError where a set is too small."""
        sets = []
        for role in ("real", "synthetic"):
            kept = getattr(self, role)
            if isinstance(kept, list) and not kept:
                raise InputError(f"{type(self).__name__} has no {role} images yet; call update(..., real=...) first")
            sets.append(dim_zero_cat(kept))
        value = self._function(*(one.cpu().numpy() for one in sets))
        return torch.tensor(value, dtype=torch.float64, device=sets[0].device)

    def _function(self, real: np.ndarray, synthetic: np.ndarray) -> float:
        raise TypeError(f"{type(self).__name__} names no function")


class KernelDistance(_OnAllFeatures):
    """Kernel distance (KID) on all pairs; see `fourfold.fidelity.kernel_distance`.

    Parameters
    ----------
    extractor : callable or None
        Batch of images to features (B, d); None where `update` gets features.
    **kwargs
        For `torchmetrics.Metric`.
    """

    higher_is_better = False

    def _function(self, real: np.ndarray, synthetic: np.ndarray) -> float:
        return fidelity.kernel_distance(real, synthetic)


class _OnNeighbors(_OnAllFeatures):
    """With balls that reach to the k-th nearest neighbour.

    Parameters
    ----------
    extractor : callable or None
        Batch of images to features (B, d); None where `update` gets features.
    k : int
    **kwargs
        For `torchmetrics.Metric`.
    """

    higher_is_better = True

    def __init__(self, extractor: Extractor | None = None, k: int = 5, **kwargs: Any) -> None:
        super().__init__(extractor, **kwargs)
        self.k = k


class Precision(_OnNeighbors):
    """Share of synthetic images within the real manifold; see `fourfold.fidelity.precision`."""

    def _function(self, real: np.ndarray, synthetic: np.ndarray) -> float:
        return fidelity.precision(real, synthetic, self.k)


class Density(_OnNeighbors):
    """Neighbourhoods of real images that hold a synthetic one; see `fourfold.fidelity.density`."""

    def _function(self, real: np.ndarray, synthetic: np.ndarray) -> float:
        return fidelity.density(real, synthetic, self.k)


class Recall(_OnNeighbors):
    """Share of real images within the synthetic manifold; see `fourfold.variety.recall`."""

    def _function(self, real: np.ndarray, synthetic: np.ndarray) -> float:
        return variety.recall(real, synthetic, self.k)


class Coverage(_OnNeighbors):
    """Share of real images with a synthetic one in their neighbourhood; see `fourfold.variety.coverage`."""

    def _function(self, real: np.ndarray, synthetic: np.ndarray) -> float:
        return variety.coverage(real, synthetic, self.k)
