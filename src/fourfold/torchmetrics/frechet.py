"""The Frechet distance in bounded memory."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor
from torchmetrics import Metric

from fourfold import fidelity
from fourfold.errors import InputError
from fourfold.torchmetrics.kept import Extractor, features_of, role_of

__all__ = ["FrechetDistance"]


class FrechetDistance(Metric):
    """Frechet distance in bounded memory; see `fourfold.fidelity.frechet_distance`.

    Parameters
    ----------
    features : int
        Number of features d.
    extractor : callable or None
        Batch of images to features (B, d); None where `update` gets features.
    reset_real_features : bool
        Whether `reset` forgets the real images too.
    **kwargs
        For `torchmetrics.Metric`.

    Notes
    -----
    State is O(d^2) whatever the number of images. With no more images than features it agrees with the function on
    arrays only to about 1e-6, since the moments no longer hold the images; `ExactFrechetDistance` keeps them.

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

    is_differentiable = False
    full_state_update = False
    higher_is_better = False
    plot_lower_bound = 0.0
    # The attribute in which `torchmetrics.wrappers.FeatureShare` puts the network that metrics share.
    feature_network = "extractor"

    def __init__(
        self, features: int, extractor: Extractor | None = None, *, reset_real_features: bool = True, **kwargs: Any
    ) -> None:
        super().__init__(**kwargs)
        self.features = features
        self.extractor = extractor
        self.reset_real_features = reset_real_features
        # Sums about a fixed origin would lose digits far from zero, so each process keeps its own mean and the
        # stacked states are merged exactly in `compute`.
        for role in ("real", "synthetic"):
            self.add_state(f"{role}_count", torch.zeros(1, dtype=torch.int64), dist_reduce_fx="cat")
            self.add_state(f"{role}_mean", torch.zeros(1, features, dtype=torch.float64), dist_reduce_fx="cat")
            self.add_state(
                f"{role}_scatter", torch.zeros(1, features, features, dtype=torch.float64), dist_reduce_fx="cat"
            )

    def update(self, batch: Tensor, real: bool, holdout: bool = False) -> None:
        """Add a batch of images (or of features, without an extractor) to the real or the synthetic set.

        Images of the holdout, which other metrics of a collection may need, are left alone.
        """
        if role_of(real, holdout) == "holdout":
            return
        features = features_of(batch, self.extractor)
        if features.shape[1] != self.features:
            raise InputError(f"this metric was made for {self.features} features, got {features.shape[1]}")
        role = "real" if real else "synthetic"
        self._hold(role, self._moments(role).update(features.double().cpu().numpy()))

    def compute(self) -> Tensor:
        """The distance, a float64 scalar. Raises InputError before two images of each set."""
        real, synthetic = self._moments("real"), self._moments("synthetic")
        value = fidelity.frechet_distance_from_moments(real.mean, real.covariance, synthetic.mean, synthetic.covariance)
        return torch.tensor(value, dtype=torch.float64, device=self.real_mean.device)

    def reset(self) -> None:
        """Forget all images, or the synthetic ones where real features are to stay."""
        real = None if self.reset_real_features else self._moments("real")
        super().reset()
        if real is not None:
            self._hold("real", real)

    def set_dtype(self, dst_type: str | torch.dtype) -> FrechetDistance:
        """Leave the state in float64: lower precision would be lost in the difference of traces."""
        return self

    def _hold(self, role: str, moments: fidelity.Moments) -> None:
        device = getattr(self, f"{role}_mean").device
        setattr(self, f"{role}_count", torch.tensor([moments.count], device=device))
        setattr(self, f"{role}_mean", torch.from_numpy(moments.mean)[None].to(device))
        setattr(self, f"{role}_scatter", torch.from_numpy(moments.scatter)[None].to(device))

    def _moments(self, role: str) -> fidelity.Moments:
        counts, means, scatters = (
            getattr(self, f"{role}_{name}").cpu().numpy() for name in ("count", "mean", "scatter")
        )
        # Gathered from processes, states have an axis more than merged ones.
        d = self.features
        counts, means, scatters = counts.reshape(-1), means.reshape(-1, d), scatters.reshape(-1, d, d)
        moments = fidelity.Moments.empty(self.features)
        for count, mean, scatter in zip(counts, means, scatters, strict=True):
            moments = moments.merge(fidelity.Moments(int(count), mean, scatter))
        return moments
