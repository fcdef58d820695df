"""What the training loop trains: modules, their optimisers, and a loss a phase.

The loop (`fourfold.generate.training.loop`) owns batches, precision, devices, averaging, checkpoints and logs; a
trainee owns the mathematics of one kind of model.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
import torch
from torch import Tensor, nn

from fourfold.generate.condition import Condition

__all__ = ["Batch", "Trainee"]


@dataclass(frozen=True)
class Batch:
    """Images of one step.

    Parameters
    ----------
    images : tensor, shape (n, C, H, W) or (n, C, D, H, W)
        float32 in [-1, 1], on the device.
    rows : array of int, shape (n,)
        Their places in the training set.
    condition : Condition or None
        n rows, on the device.
    augmentation : tensor, shape (n, a), or None
        What augmentation did to each image, for networks that are told (Karras et al. 2022, appendix F.2).
    """

    images: Tensor
    rows: np.ndarray
    condition: Condition | None = None
    augmentation: Tensor | None = None

    def __len__(self) -> int:
        return len(self.images)

    def take(self, rows: slice) -> Batch:
        """A part of the batch, for gradient accumulation."""
        places = torch.arange(len(self))[rows]
        return Batch(
            self.images[rows],
            self.rows[rows],
            None if self.condition is None else self.condition.take(places),
            None if self.augmentation is None else self.augmentation[rows],
        )


class Trainee(ABC):
    """A model while it is trained.

    Attributes
    ----------
    phases : tuple of str
        Losses that are minimised in turn at every step, for example ``("discriminator", "generator")``.
    modules : dict of str to nn.Module
        Everything that is saved; the loop may replace an entry by its wrapped form (several GPUs), so losses reach
        modules through this mapping.
    optimizers : dict of str to torch.optim.Optimizer
        One a phase.
    averaged : tuple of str
        Names of the modules of which a moving average is kept; the average is what is used afterwards.
    """

    phases: ClassVar[tuple[str, ...]] = ("loss",)
    modules: dict[str, nn.Module]
    optimizers: dict[str, torch.optim.Optimizer]
    averaged: tuple[str, ...]

    @abstractmethod
    def loss(self, phase: str, batch: Batch, generator: torch.Generator) -> Tensor:
        """The mean loss of a batch in one phase, a scalar.

        Parameters
        ----------
        phase : str
        batch : Batch
        generator : torch.Generator
            On the CPU, fresh for every step and phase, so that a resumed run draws what an uninterrupted one would.
        """

    def describe(self) -> dict[str, Any]:
        """The recipe and its options as JSON can hold them: a checkpoint is only taken up where they are the same."""
        return {}

    def after_step(self, step: int) -> Mapping[str, float]:
        """Called when all phases of a step are done; returns what is logged beside the losses."""
        return {}

    @abstractmethod
    def draw(self, modules: Mapping[str, nn.Module], seeds: list[int], condition: Condition | None) -> Tensor:
        """Images in [0, 1] from given (averaged) modules, cheaply: for sample grids and for watching memorisation."""

    def watched(
        self, modules: Mapping[str, nn.Module], images: Tensor, condition: Condition | None, generator: torch.Generator
    ) -> Tensor | None:
        """A loss an image, shape (n,), by which training and holdout images are compared; None where there is none."""
        return None
