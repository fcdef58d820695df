"""How a network learns to imitate radiomics, and how well it does.

Textures of several sizes are drawn once, their radiomics measured once; every step shows a batch of one size, mirrored
and turned by quarters at random, which changes no radiomic that is imitated here. The loss is the Huber loss of
standardised targets, so that each radiomic counts the same and a rare extreme texture not for much.

References
----------
Saba-Sadiya, Alhanai and Ghassemi, "Feature imitating networks", ICASSP 2022. Min, Ebadian, Alhanai and Ghassemi,
"Feature imitating networks enhance the performance, reliability and speed of deep learning on biomedical image
processing tasks", EMBC 2024. Theirs are dense networks; a convolutional one imitates radiomics far better.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from fourfold.errors import InputError
from fourfold.features.contrastive import fitted
from fourfold.features.imitation.network import Body, ImitationNetwork, Stages, new_network
from fourfold.features.imitation.targets import Scale, all_features, columns_of, measured
from fourfold.features.imitation.textures import draw_textures
from fourfold.features.threads import one_thread

__all__ = ["SIDES", "STEPS", "TEXTURES", "agreement", "imitate"]

SIDES = (24, 32, 48)
"""Sides of the textures in pixels."""

TEXTURES = 6000
"""Textures learned from, over all sides."""

STEPS = 600

_BATCH = 64
# Draws of textures that have nothing to do with each other.
_LEARNED, _UNSEEN = 17, 18

Progress = Callable[[int, int], None]


def imitate(
    features: tuple[str, ...] | None = None,
    *,
    body: Callable[[], Body] = Stages,
    sides: tuple[int, ...] = SIDES,
    textures: int = TEXTURES,
    steps: int = STEPS,
    seed: int = 0,
    device: torch.device | str = "cpu",
    progress: Progress | None = None,
) -> ImitationNetwork:
    """Train a network on procedural textures to imitate radiomics.

    Parameters
    ----------
    features : tuple of str or None
        Names of `Radiomics().feature_names()`, with or without ``original_``; None for all 79.
    body : callable
        Builds what gives the maps: `Stages`, or `Tapped` around the network of a task.
    sides : tuple of int
        Sides of the textures in pixels, at least 8.
    textures : int
        Over all sides; at least 32 for each.
    steps : int
        Of 64 textures each.
    seed : int
        The same seed gives the same network on the same machine, in one thread.
    device : torch.device or str
    progress : callable or None
        Called with steps done and steps in all.

    Returns
    -------
    ImitationNetwork
        In evaluation mode; its `agreement` is measured on textures of the same kinds that it has not seen.

    Raises
    ------
    InputError
        Where a radiomic does not exist, or there are too few textures or too short sides.
    """
    if not sides or textures < 32 * len(sides):
        raise InputError(f"imitation needs 32 textures for each of {len(sides)} sides, got {textures} in all")
    names = tuple(all_features()[column] for column in columns_of(all_features() if features is None else features))
    with one_thread():
        shown = _drawn(sides, textures, seed, _LEARNED)
        values = [measured(images, names) for images in shown]
        scale = Scale.of(np.concatenate(values))
        network = new_network(body, names, scale, seed).to(device)
        pairs = [(torch.from_numpy(images).to(device), scale(one).to(device)) for images, one in zip(shown, values)]
        fitted(network, _losses(network, pairs, torch.Generator().manual_seed(seed)), steps, progress)
        unseen = _drawn(sides, max(textures // 5, 2 * len(sides)), seed, _UNSEEN)
        network.agreement.copy_(torch.from_numpy(_explained(network, unseen)))
    return network


def agreement(network: ImitationNetwork, images: np.ndarray) -> dict[str, float]:
    """How much of each radiomic's variance over some images the network explains.

    Parameters
    ----------
    network : ImitationNetwork
    images : array, shape (n, C, H, W)
        float32 in [0, 1]; images it has not seen.

    Returns
    -------
    dict of str to float
        R squared by the radiomic's full name, on the scale of the targets: 1 is perfect, 0 no better than the mean of
        these images, below 0 worse than that; NaN where the radiomic is the same for all of them.
    """
    return dict(zip(network.features, _explained(network, [images]).tolist()))


def _drawn(sides: tuple[int, ...], textures: int, seed: int, draw: int) -> list[np.ndarray]:
    """As many textures of each side."""
    return [draw_textures(textures // len(sides), side, np.random.default_rng([seed, draw, side])) for side in sides]


def _explained(network: ImitationNetwork, sets: list[np.ndarray]) -> np.ndarray:
    """R squared of each target over images of several sizes."""
    device = network.centre.device
    scale = Scale(network.size.cpu(), network.centre.cpu(), network.spread.cpu())
    wanted = torch.cat([scale(measured(images, network.features)) for images in sets]).double()
    with torch.inference_mode():
        parts = [part for images in sets for part in torch.from_numpy(images).split(256)]
        found = torch.cat([network(part.to(device)).cpu() for part in parts]).double()
    missed = (found - wanted).square().sum(dim=0)
    total = (wanted - wanted.mean(dim=0)).square().sum(dim=0)
    return torch.where(total > 1e-12, 1 - missed / total, torch.nan).numpy()


def _losses(network: ImitationNetwork, pairs: list[tuple[Tensor, Tensor]], random: torch.Generator) -> Iterator[Tensor]:
    while True:
        images, targets = pairs[int(torch.randint(len(pairs), (1,), generator=random))]
        rows = torch.randint(len(images), (min(_BATCH, len(images)),), generator=random).to(images.device)
        quarters, mirrored = torch.randint(4, (2,), generator=random).tolist()
        turned = torch.rot90(images[rows], quarters, (2, 3))
        yield functional.smooth_l1_loss(network(turned.flip(3) if mirrored % 2 else turned), targets[rows])
