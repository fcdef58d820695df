"""A small convolutional network: how well pixels learned from one set sort real patients.

MONAI's ResNet with one block a stage, trained for a fixed number of steps by AdamW under a one-cycle learning rate,
with a loss in which the classes weigh equally and without augmentation. Images are resampled by area to a small size
first. It asks whether a set teaches a disease at all, in a minute, not how good a classifier could become.

Each network is trained in one thread from its own random generators, so that a seed gives the same network whatever
the number of processors; several are trained side by side.
"""

from __future__ import annotations

import math
import os
import threading
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from fourfold.features.threads import one_thread
from fourfold.utility.tasks import Labelled

__all__ = ["BUILDING", "SmallNetwork", "balanced_loss", "laid_out", "one_cycle", "shrink", "stem"]

SIDES = {2: 64, 3: 32}
"""Longest side of the images a network learns from, by the number of spatial dimensions."""

BATCHES = {2: 64, 3: 16}
"""Images a step, by the number of spatial dimensions."""

BUILDING = threading.Lock()
"""Held while layers draw their first weights from the global generator."""


@dataclass(frozen=True)
class SmallNetwork:
    """A ResNet of 0.3 million weights (in 2-D); a `Learner`.

    Parameters
    ----------
    steps, batch_size : int
        How long it is trained, whatever the size of the set.
    learning_rate, weight_decay : float
    channels : tuple of 4 int
        Of the four stages.
    workers : int
        Networks trained at once, one thread each.
    """

    steps: int = 120
    batch_size: int = 64
    learning_rate: float = 3e-3
    weight_decay: float = 1e-2
    channels: tuple[int, int, int, int] = (16, 32, 64, 128)
    workers: int = min(os.cpu_count() or 1, 4)
    seeded: bool = True
    counts_matter: bool = False

    @classmethod
    def suited(cls, shape: tuple[int, ...]) -> SmallNetwork:
        """The default for images of the shape (C, H, W) or (C, D, H, W)."""
        return cls(batch_size=BATCHES[len(shape) - 1])

    def __call__(self, images: np.ndarray, task: Labelled, repeats: float, test: np.ndarray, seed: int) -> np.ndarray:
        """Probabilities of the `test` images, shape (H, K), learned from `images`, shape (n, C, H, W) or 3-D.

        The number of steps is fixed, so counting images several times (`repeats`) changes nothing.
        """
        with one_thread():
            random = torch.Generator().manual_seed(seed)
            network = self._network(images.shape[1:], len(task.names), seed)
            self._train(network, torch.from_numpy(images), torch.from_numpy(task.targets), task.exclusive, random)
            return self._predict(network, torch.from_numpy(test), task.exclusive)

    def _network(self, shape: tuple[int, ...], outputs: int, seed: int) -> torch.nn.Module:
        from monai.networks.nets import ResNet

        stride, pooled = stem(min(shape[1:]), len(shape) - 1)
        with BUILDING, torch.random.fork_rng(devices=[]):
            # The layers draw their first weights from the global generator.
            torch.default_generator.manual_seed(seed)
            network = ResNet(
                "basic",
                [1, 1, 1, 1],
                list(self.channels),
                spatial_dims=len(shape) - 1,
                n_input_channels=shape[0],
                conv1_t_size=3,
                conv1_t_stride=stride,
                no_max_pool=not pooled,
                num_classes=outputs,
            )
        return network.to(memory_format=torch.channels_last) if len(shape) == 3 else network

    def _train(
        self, network: torch.nn.Module, images: Tensor, targets: Tensor, exclusive: bool, random: torch.Generator
    ) -> None:
        loss = balanced_loss(targets, exclusive)
        optimizer = torch.optim.AdamW(network.parameters(), lr=self.learning_rate, weight_decay=self.weight_decay)
        network.train()
        order = torch.empty(0, dtype=torch.long)
        for step in range(self.steps):
            for group in optimizer.param_groups:
                group["lr"] = self.learning_rate * one_cycle(step / self.steps)
            while len(order) < self.batch_size:
                order = torch.cat([order, torch.randperm(len(images), generator=random)])
            rows, order = order[: self.batch_size], order[self.batch_size :]
            optimizer.zero_grad(set_to_none=True)
            loss(network(laid_out(images[rows])), targets[rows]).backward()
            optimizer.step()

    def _predict(self, network: torch.nn.Module, images: Tensor, exclusive: bool) -> np.ndarray:
        network.eval()
        with torch.inference_mode():
            logits = torch.cat([network(laid_out(part)) for part in images.split(256)]).double()
            return (logits.softmax(dim=1) if exclusive else logits.sigmoid()).numpy()


def shrink(images: np.ndarray, longest: int | None = None) -> np.ndarray:
    """Images resampled by area so that no side is longer than `longest`; smaller images stay as they are.

    Parameters
    ----------
    images : array, shape (B, C, H, W) or (B, C, D, H, W)
        float32.
    longest : int or None
        Pixels; None for 64 in 2-D and 32 in 3-D.

    Returns
    -------
    array
        float32, the aspect ratio kept to the nearest pixel.

    Examples
    --------
    >>> import numpy as np
    >>> shrink(np.zeros((2, 1, 128, 96), dtype=np.float32)).shape
    (2, 1, 64, 48)
    """
    sides = images.shape[2:]
    longest = SIDES[len(sides)] if longest is None else longest
    if max(sides) <= longest:
        return np.ascontiguousarray(images)
    smaller = [max(round(side * longest / max(sides)), 1) for side in sides]
    return functional.interpolate(torch.from_numpy(images), size=smaller, mode="area").numpy()


def stem(shortest: int, dimensions: int) -> tuple[int, bool]:
    """Stride of the first convolution, and whether a pooling follows.

    The first stage works at 10 to 20 pixels, in 3-D at 5 to 10 voxels.
    """
    size = shortest if dimensions == 2 else 2 * shortest
    return (1 if size < 20 else 2), size >= 40


def one_cycle(done: float, rise: float = 0.25) -> float:
    """Factor of the learning rate: linear rise, then a cosine to 0 (after Smith and Topin 2017)."""
    return (done + 1e-3) / (rise + 1e-3) if done < rise else 0.5 + 0.5 * math.cos(math.pi * (done - rise) / (1 - rise))


def laid_out(images: Tensor) -> Tensor:
    """Pictures with their channels last, which convolutions on processors prefer; volumes as they are."""
    return images.contiguous(memory_format=torch.channels_last) if images.ndim == 4 else images


def balanced_loss(targets: Tensor, exclusive: bool) -> Callable[[Tensor, Tensor], Tensor]:
    """Cross-entropy in which every class (or presence and absence of every finding) weighs the same.

    Parameters
    ----------
    targets : Tensor, shape (n, K)
        The whole training set: 1 present, 0 absent, NaN unknown.
    exclusive : bool
        Whether each image has exactly one of the K.

    Returns
    -------
    callable
        Logits and targets of a batch, shapes (B, K), to a loss; what is unknown adds nothing to it.
    """
    if exclusive:
        weight = _balance(targets.sum(dim=0))
        return lambda logits, wanted: functional.cross_entropy(logits, wanted.argmax(dim=1), weight=weight)
    known = ~targets.isnan()
    present = (targets.nan_to_num() == 1).sum(dim=0)
    weight = torch.stack([_balance(pair) for pair in torch.stack([known.sum(dim=0) - present, present], dim=1)])

    def loss(logits: Tensor, wanted: Tensor) -> Tensor:
        filled = wanted.nan_to_num()
        factor = torch.where(filled == 1, weight[:, 1], weight[:, 0]) * ~wanted.isnan()
        return functional.binary_cross_entropy_with_logits(logits, filled, weight=factor)

    return loss


def _balance(counts: Tensor) -> Tensor:
    """Weights inverse to the counts, 1 on average over the images; 0 for what is absent."""
    counts = counts.to(torch.float32)
    return torch.where(counts > 0, counts.sum() / (len(counts) * counts.clamp(min=1)), torch.zeros(()))
