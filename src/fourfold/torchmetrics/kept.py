"""Metrics that keep the features of all sets until they are compared."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, ClassVar

import torch
from torch import Tensor
from torchmetrics import Metric
from torchmetrics.utilities import dim_zero_cat

from fourfold.errors import InputError
from fourfold.torchmetrics.functions import FeatureFunction, Role

__all__ = ["Extractor", "FeatureMetric", "features_of"]

Extractor = Callable[[Tensor], Tensor]

_ROLES: tuple[Role, ...] = ("synthetic", "training", "holdout")


def features_of(batch: Tensor, extractor: Extractor | None) -> Tensor:
    """Features of a batch of images, or the batch itself where there is no extractor.

    Returns
    -------
    Tensor, shape (B, d)
        Without a graph, in float32 or float64.

    Raises
    ------
    InputError
        Where they have another shape.
    """
    features = batch
    if extractor is not None:
        with torch.no_grad():
            features = extractor(batch)
    if features.ndim != 2:
        raise InputError(
            f"features must have the shape (B, d), got {tuple(features.shape)}; give an extractor for images"
        )
    # Half precision has no distances worth comparing, and numpy has no bfloat16.
    return features.detach() if features.dtype in (torch.float32, torch.float64) else features.detach().float()


def role_of(real: bool, holdout: bool) -> Role:
    """The set that a batch belongs to; raises InputError where there is no such set."""
    if holdout and not real:
        raise InputError("holdout images are real ones; call update(images, real=True, holdout=True)")
    return "holdout" if holdout else "training" if real else "synthetic"


class FeatureMetric(Metric):
    """A metric of features as a `torchmetrics.Metric`; its classes are in `fourfold.torchmetrics`.

    Parameters
    ----------
    extractor : callable or None
        Batch of images to features (B, d); None where `update` gets features.
    reset_real_features : bool
        Whether `reset` forgets training and holdout images too. False where they stay the same all through a training.
    **settings
        For the function (`k`, `seed`, ...), and for `torchmetrics.Metric`.

    Notes
    -----
    The rows of all sets are one state and the set of each row another, so that metrics in a `MetricCollection` share
    them, and a process that has seen nothing of one set takes part in a reduction. Functions that draw (`seed`) depend
    on the order of the rows, which is that of the processes.
    """

    is_differentiable = False
    full_state_update = False
    # The attribute in which `torchmetrics.wrappers.FeatureShare` puts the network that metrics share.
    feature_network = "extractor"
    function: ClassVar[FeatureFunction]

    def __init__(
        self, extractor: Extractor | None = None, *, reset_real_features: bool = True, **settings: Any
    ) -> None:
        own = {name: settings.pop(name) for name in self.function.settings & settings.keys()}
        super().__init__(**settings)
        self.extractor = extractor
        self.reset_real_features = reset_real_features
        self.settings = own
        self.add_state("features", [], dist_reduce_fx="cat")
        self.add_state("roles", [], dist_reduce_fx="cat")

    def update(self, batch: Tensor, real: bool, holdout: bool = False) -> None:
        """Add a batch of images, or of features where there is no extractor.

        Parameters
        ----------
        batch : Tensor, shape (B, C, ...) or (B, d)
        real : bool
            Real images or synthetic ones.
        holdout : bool
            Whether the real images are of the holdout rather than of the training set.

        Raises
        ------
        InputError
            Where the features do not have the shape (B, d).
        """
        role = role_of(real, holdout)
        features = features_of(batch, self.extractor)
        self.features.append(features)
        self.roles.append(torch.full((len(features),), _ROLES.index(role), dtype=torch.int8, device=features.device))

    def compute(self) -> Tensor:
        """The value, a float64 scalar. Raises InputError where a set is missing or too small."""
        if isinstance(self.features, list) and not self.features:
            raise InputError(f"{self.function.name} has no images yet; call update(..., real=...) first")
        features, roles = dim_zero_cat(self.features), dim_zero_cat(self.roles)
        sets = {role: features[roles == code].cpu().numpy() for code, role in enumerate(_ROLES)}
        return torch.tensor(self.function(sets, **self.settings), dtype=torch.float64, device=features.device)

    def reset(self) -> None:
        """Forget all images, or the synthetic ones where real features are to stay."""
        kept = None
        if not self.reset_real_features and len(self.features):
            features, roles = dim_zero_cat(self.features), dim_zero_cat(self.roles)
            real = roles != _ROLES.index("synthetic")
            kept = features[real], roles[real]
        super().reset()
        if kept is not None:
            self.features.append(kept[0])
            self.roles.append(kept[1])
