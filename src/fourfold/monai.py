"""Feature-based metrics as MONAI calls them: on ``(y_pred, y)``, synthetic before real, returning tensors.

`SetMetric` is asked once, with all images, and is exchangeable with `monai.metrics.FIDMetric`. `CumulativeSetMetric` is
given a batch at a time, and is exchangeable with the `monai.metrics.CumulativeIterationMetric` of an evaluation loop or
an ignite handler (`monai.handlers.IgniteMetricHandler`). Both take any metric of `fourfold.torchmetrics.FUNCTIONS` and
leave the mathematics to its function on arrays.

`monai.metrics.MMDMetric` takes its sets the other way round, ``(y, y_pred)``: where it is to be exchanged, name them.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from monai.metrics import CumulativeIterationMetric, Metric
from torch import Tensor

from fourfold.errors import InputError
from fourfold.torchmetrics.functions import FeatureFunction, function_named
from fourfold.torchmetrics.kept import Extractor, features_of

__all__ = ["CumulativeSetMetric", "SetMetric"]


class SetMetric(Metric):
    """A metric of two whole sets, exchangeable with `monai.metrics.FIDMetric`.

    Parameters
    ----------
    name : str
        Of `fourfold.torchmetrics.FUNCTIONS`, for example ``"coverage"``.
    extractor : callable or None
        Batch of images to features (B, d); None where features are given, as to `FIDMetric`.
    holdout : Tensor or None
        Images or features of real patients in neither set, for the metrics that need them; `y` is then the training
        set.
    **settings
        For the function: `k`, `seed`, ...

    Raises
    ------
    InputError
        Where there is no such metric or setting.

    Examples
    --------
    >>> import torch
    >>> real = torch.tensor([[0.0, 0.0], [1.0, 0.0], [0.0, 1.0], [1.0, 1.0]])
    >>> SetMetric("frechet_distance")(y_pred=real + 2, y=real)
    tensor(8., dtype=torch.float64)
    """

    def __init__(
        self, name: str, extractor: Extractor | None = None, *, holdout: Tensor | None = None, **settings: Any
    ) -> None:
        super().__init__()
        self.extractor = extractor
        self._asked = _Asked(name, None if holdout is None else features_of(holdout, extractor), settings)

    def __call__(self, y_pred: Tensor, y: Tensor) -> Tensor:
        """The metric of a synthetic and a real set.

        Parameters
        ----------
        y_pred, y : Tensors, shapes (M, C, ...) and (N, C, ...), or (M, d) and (N, d)
            Images, or features where there is no extractor; the numbers may differ.

        Returns
        -------
        Tensor
            A float64 scalar on the device of `y_pred`.

        Raises
        ------
        InputError
            Where a set is too small or the features do not agree.
        """
        return self._asked.value(features_of(y_pred, self.extractor), features_of(y, self.extractor))


class CumulativeSetMetric(CumulativeIterationMetric):
    """A metric of two sets that come in batches, exchangeable with a `monai.metrics.CumulativeIterationMetric`.

    A call keeps the features of a batch and returns them; `aggregate` gathers those of all processes and returns the
    value; `reset` forgets them.

    Parameters
    ----------
    name, extractor, holdout, **settings
        As for `SetMetric`.

    Raises
    ------
    InputError
        Where there is no such metric or setting.

    Examples
    --------
    >>> import torch
    >>> metric = CumulativeSetMetric("kernel_distance")
    >>> for first, second in ((1.0, 0.0), (3.0, 2.0)):
    ...     kept = metric(y_pred=torch.tensor([[first]]), y=torch.tensor([[second]]))
    >>> metric.aggregate()
    tensor(-121., dtype=torch.float64)
    """

    def __init__(
        self, name: str, extractor: Extractor | None = None, *, holdout: Tensor | None = None, **settings: Any
    ) -> None:
        super().__init__()
        self.extractor = extractor
        self._asked = _Asked(name, None if holdout is None else features_of(holdout, extractor), settings)

    def aggregate(self) -> Tensor:
        """The value over all batches and processes, a float64 scalar. Raises InputError where a set is too small."""
        kept = self.get_buffer()
        if kept is None:
            raise InputError(f"{self._asked.function.name} has no images yet; call the metric with batches first")
        return self._asked.value(*kept)

    def _compute_tensor(self, y_pred: Tensor, y: Tensor | None = None, **kwargs: Any) -> tuple[Tensor, Tensor]:
        if y is None:
            raise InputError(f"{self._asked.function.name} compares two sets; give real images as y")
        return features_of(y_pred, self.extractor), features_of(y, self.extractor)

    def _compute_list(
        self, y_pred: Sequence[Tensor], y: Sequence[Tensor] | None = None, **kwargs: Any
    ) -> tuple[Tensor, Tensor]:
        # MONAI would call the extractor with one image at a time.
        return self._compute_tensor(_stacked(y_pred), None if y is None else _stacked(y))


class _Asked:
    """A function of features with its settings, on tensors."""

    def __init__(self, name: str, holdout: Tensor | None, settings: dict[str, Any]) -> None:
        self.function: FeatureFunction = function_named(name)
        unknown = sorted(settings.keys() - self.function.settings)
        if unknown:
            known = ", ".join(sorted(self.function.settings)) or "none"
            raise InputError(f"{name} has no setting {unknown[0]!r}; its settings are: {known}")
        self.holdout = holdout
        self.settings = settings

    def value(self, synthetic: Tensor, training: Tensor) -> Tensor:
        sets = {"training": training, "synthetic": synthetic}
        if self.holdout is not None:
            sets["holdout"] = self.holdout
        arrays = {role: one.cpu().numpy() for role, one in sets.items()}
        return torch.tensor(self.function(arrays, **self.settings), dtype=torch.float64, device=synthetic.device)


def _stacked(images: Tensor | Sequence[Tensor]) -> Tensor:
    return images if isinstance(images, Tensor) else torch.stack(list(images))
