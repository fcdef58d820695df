"""The one training loop of the tasks: a fixed number of steps of AdamW under a one-cycle learning rate.

On a processor everything runs in one thread, and every draw (first weights, order of the images, augmentation) comes
from generators of the seed, so that a seed gives the same network whatever else the machine does.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor, nn

from fourfold.errors import InputError
from fourfold.features.threads import one_thread
from fourfold.utility.learning.augmentation import augmented
from fourfold.utility.learning.contract import Examples, Progress
from fourfold.utility.network import laid_out, one_cycle

__all__ = ["Scale", "Schedule", "learned", "optimise"]


@dataclass(frozen=True)
class Schedule:
    """How a network is trained.

    Parameters
    ----------
    steps, batch_size : int
    learning_rate : float
        The highest, reached after a quarter of the steps.
    weight_decay : float
    memory : float
        Decay of the squared gradients.
    """

    steps: int
    batch_size: int
    learning_rate: float
    weight_decay: float
    memory: float = 0.999


@dataclass(frozen=True)
class Scale:
    """Centre and spread of the intensities that a network was trained on; it sees (image - centre) / spread."""

    centre: float
    spread: float

    @classmethod
    def of(cls, images: np.ndarray) -> Scale:
        """Of a training set; a set of constant images keeps its values, but for the centre."""
        spread = float(images.std(dtype=np.float64))
        return cls(float(images.mean(dtype=np.float64)), spread if spread > 1e-6 else 1.0)

    def __call__(self, images: Tensor) -> Tensor:
        """Images as the network sees them."""
        return (images - self.centre) / self.spread


def learned(
    make: Callable[[], nn.Module],
    examples: Examples,
    loss: Callable[[Tensor, Tensor], Tensor],
    schedule: Schedule,
    *,
    seed: int,
    device: str,
    augment: tuple[int, ...] | None = None,
    progress: Progress | None = None,
) -> tuple[nn.Module, Scale]:
    """A network that has learned from examples.

    Parameters
    ----------
    make : callable
        Builds the network; called in one thread.
    examples : Examples
    loss, schedule, seed, device, augment, progress
        As for `optimise`.

    Returns
    -------
    network : torch.nn.Module
        On `device`, in evaluation mode.
    scale : Scale
        Of the images it has learned from.

    Raises
    ------
    InputError
        Where there is no example.
    """
    if not len(examples):
        raise InputError("there is no image to learn from")
    scale = Scale.of(examples.images)
    with one_thread():
        network = make().to(device)
        optimise(
            network,
            examples.images,
            examples.targets,
            loss,
            schedule,
            seed=seed,
            device=device,
            scale=scale,
            augment=augment,
            progress=progress,
        )
    return network.eval(), scale


def optimise(
    network: nn.Module,
    images: np.ndarray,
    targets: np.ndarray,
    loss: Callable[[Tensor, Tensor], Tensor],
    schedule: Schedule,
    *,
    seed: int,
    device: str,
    scale: Scale,
    augment: tuple[int, ...] | None = None,
    progress: Progress | None = None,
) -> None:
    """Train a network in place.

    Parameters
    ----------
    network : torch.nn.Module
        On `device`.
    images : array, shape (n, C, *spatial)
        float32 in [0, 1].
    targets : array, shape (n, K) or (n, *spatial)
        Maps of region numbers move with their images where they are augmented.
    loss : callable
        The network's outputs and the targets of a batch to a loss.
    schedule : Schedule
    seed : int
    device : str
    scale : Scale
    augment : tuple of int, or None
        Spatial axes that may be flipped (0 the first), empty for none; None for no augmentation at all.
    progress : callable or None
    """
    random = torch.Generator().manual_seed(seed)
    optimizer = torch.optim.AdamW(
        network.parameters(),
        lr=schedule.learning_rate,
        betas=(0.9, schedule.memory),
        weight_decay=schedule.weight_decay,
    )
    network.train()
    order = torch.empty(0, dtype=torch.long)
    for step in range(schedule.steps):
        for group in optimizer.param_groups:
            group["lr"] = schedule.learning_rate * one_cycle(step / schedule.steps)
        while len(order) < schedule.batch_size:
            order = torch.cat([order, torch.randperm(len(images), generator=random)])
        rows, order = order[: schedule.batch_size].numpy(), order[schedule.batch_size :]
        seen, wanted = torch.from_numpy(images[rows]), torch.from_numpy(targets[rows])
        if augment is not None:
            maps = wanted if wanted.ndim > 2 else None
            seen, maps = augmented(seen, maps, random, flips=augment)
            wanted = wanted if maps is None else maps
        optimizer.zero_grad(set_to_none=True)
        loss(network(laid_out(scale(seen.to(device)))), wanted.to(device)).backward()
        optimizer.step()
        if progress is not None:
            progress(step + 1, schedule.steps)
