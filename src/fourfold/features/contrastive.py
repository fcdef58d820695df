"""The copy detector: a network that is trained on the spot to know an image again under a disguise.

Each step shows a batch of images and one random disguise of each (`Disguises`). With the vectors ``c_i`` of the images
and ``z_i`` of their disguises, the loss is the cross-entropy of ``z_i . c_j / tau`` and of its transpose for the
right answer j = i (NT-Xent of Chen et al. 2020, between the two kinds of view only, since only a disguise is ever
compared with an image). An image that was mixed into a disguise is no wrong answer to it.

A detector knows the images it was trained on better than others: their nearest neighbours are no measure of chance.
`fourfold.privacy.learned` therefore searches among images that the network has not seen.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from fourfold.features.contrastive_backbone import Backbone, embedded, new_backbone, shrunk
from fourfold.features.contrastive_disguises import Disguises

__all__ = ["LEAST_IMAGES", "ContrastiveNetwork", "contrastive_loss", "fitted", "steps_for"]

LEAST_IMAGES = 60
"""Images below which no network is trained."""

DIMENSION = 128
TEMPERATURE = 0.05
BATCH = 128
WIDTH = 48

_LEARNING_RATE = 3e-3
_WEIGHT_DECAY = 1e-2
_WARMING = 0.2

Progress = Callable[[int, int], None]


@dataclass(frozen=True)
class ContrastiveNetwork:
    """A trained copy detector.

    Parameters
    ----------
    network : Backbone
    trained_on : int
        Images.

    References
    ----------
    Chen et al., "A simple framework for contrastive learning of visual representations", ICML 2020. Pizzi et al.,
    "A self-supervised descriptor for image copy detection", CVPR 2022. Dar et al., "Unconditional latent diffusion
    models memorize patient imaging data", Nature Biomedical Engineering 2025.
    """

    network: Backbone
    trained_on: int

    @classmethod
    def train(
        cls,
        images: np.ndarray,
        groups: np.ndarray | None = None,
        *,
        seed: int = 0,
        steps: int | None = None,
        width: int = WIDTH,
        device: torch.device | str = "cpu",
        progress: Progress | None = None,
    ) -> ContrastiveNetwork:
        """Train a network from random weights.

        Parameters
        ----------
        images : array, shape (n, planes, side, side)
            Working images, float32 in [0, 1]; at least 60.
        groups : array of int, shape (n,), or None
            Patients. Other images of the same patient are no wrong answers; None where each image is one.
        seed : int
            The same seed and images give the same network on the same machine, in one thread.
        steps : int or None
            Of 128 images each; None for `steps_for`.
        width : int
            Channels of the first stage.
        device : torch.device or str
        progress : callable or None
            Called with steps done and steps in all.

        Raises
        ------
        InputError
            Where there are too few images or their shape is another one.
        """
        small = shrunk(images, LEAST_IMAGES).to(device)
        patients = torch.arange(len(small)) if groups is None else torch.as_tensor(np.asarray(groups, dtype=np.int64))
        patients = patients.to(device)
        network = new_backbone(small.shape[1], width, DIMENSION, seed, device)
        random = torch.Generator(device=device).manual_seed(seed)
        disguise = Disguises()

        def losses() -> Iterator[Tensor]:
            for rows in _batches(len(small), random, device):
                shown = small[rows]
                disguised, mixed = disguise(shown, shown.roll(-1, 0), random)
                vectors = network(torch.cat([shown, disguised]))
                same = patients[rows][:, None] == patients[rows][None, :]
                partner = torch.eye(len(rows), dtype=torch.bool, device=device).roll(1, 1) & mixed[:, None]
                yield contrastive_loss(vectors[len(rows) :], vectors[: len(rows)], same | partner)

        fitted(network, losses(), steps_for(len(small)) if steps is None else steps, progress)
        return cls(network, len(small))

    def embed(self, images: np.ndarray, views: bool = False) -> np.ndarray:
        """Unit vectors whose scalar product says how alike two images are.

        Parameters
        ----------
        images : array, shape (n, planes, side, side)
            Working images, float32 in [0, 1].
        views : bool
            Also mirrored and turned by quarters: eight views of each image.

        Returns
        -------
        array, shape (n, 128), or (n, 8, 128) with `views`
            float32; zeros for an image without contrast.
        """
        return embedded(self.network, images, views)


def steps_for(images: int) -> int:
    """Steps of training for that many images, between 150 and 800: 250 for 500, 628 for 5 000.

    More images need more steps, but not in proportion: two halves of 1 000 images are learned in a minute and a half
    of one core, those of 10 000 in about four minutes.
    """
    return int(np.clip(250 * (images / 500) ** 0.4, 150, 800))


def contrastive_loss(disguised: Tensor, shown: Tensor, ignored: Tensor) -> Tensor:
    """NT-Xent between two sets of unit vectors, both ways.

    Parameters
    ----------
    disguised, shown : Tensors, shape (n, d)
        Row i of one belongs to row i of the other.
    ignored : Tensor of bool, shape (n, n)
        Pairs that are no wrong answers; the diagonal is right whatever it says.
    """
    right = torch.eye(len(shown), dtype=torch.bool, device=shown.device)
    logits = (disguised @ shown.T / TEMPERATURE).masked_fill(ignored & ~right, -torch.inf)
    answers = torch.arange(len(shown), device=shown.device)
    return (functional.cross_entropy(logits, answers) + functional.cross_entropy(logits.T, answers)) / 2


def fitted(network: torch.nn.Module, losses: Iterator[Tensor], steps: int, progress: Progress | None) -> None:
    """Train by AdamW under a one-cycle learning rate, one step for each loss."""
    optimizer = torch.optim.AdamW(network.parameters(), lr=_LEARNING_RATE, weight_decay=_WEIGHT_DECAY)
    network.train()
    for step in range(steps):
        for group in optimizer.param_groups:
            group["lr"] = _LEARNING_RATE * _one_cycle((step + 1) / (steps + 1))
        optimizer.zero_grad(set_to_none=True)
        next(losses).backward()
        optimizer.step()
        if progress is not None:
            progress(step + 1, steps)
    network.eval()


def _one_cycle(done: float) -> float:
    """Share of the highest learning rate: up over a fifth of the steps, then down by a cosine."""
    if done < _WARMING:
        return done / _WARMING
    return 0.5 * (1 + np.cos(np.pi * (done - _WARMING) / (1 - _WARMING)))


def _batches(count: int, random: torch.Generator, device: torch.device | str) -> Iterator[Tensor]:
    size = min(BATCH, count)
    order = torch.empty(0, dtype=torch.long, device=device)
    while True:
        if len(order) < size:
            # What is left over is dropped, so that no image is twice in one batch.
            order = torch.randperm(count, generator=random, device=device)
        rows, order = order[:size], order[size:]
        yield rows
