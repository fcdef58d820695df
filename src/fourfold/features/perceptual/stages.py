"""The feature stages of AlexNet, VGG16 and SqueezeNet 1.1, from a state-dict file in torchvision's layout.

Each network is a short list of steps that one function runs; the maps at the end of each stage are what distances of
pairs are made of. Nothing is downloaded: the file is the user's.

References
----------
Krizhevsky et al., NIPS 2012, in the form of arXiv:1404.5997 (AlexNet); Simonyan & Zisserman, ICLR 2015 (VGG16);
Iandola et al., arXiv:1602.07360 (SqueezeNet 1.1).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import NamedTuple

import torch
from torch import Tensor
from torch.nn import functional

from fourfold.errors import InputError
from fourfold.features.weights import read_arrays, weights_file

__all__ = ["NETWORKS", "Step", "read_backbone", "stage_maps"]

SMALLEST = 32
"""Pixels a side below which the last stages see nothing."""


class Step(NamedTuple):
    """One step of a network; `place` is its number in torchvision's ``features``, and `ends` whether a stage ends."""

    kind: str
    place: int = 0
    stride: int = 1
    padding: int = 0
    ends: bool = False


def _vgg16() -> tuple[Step, ...]:
    steps: list[Step] = []
    for stage in ((0, 2), (5, 7), (10, 12, 14), (17, 19, 21), (24, 26, 28)):
        if steps:
            steps.append(Step("halve"))
        steps += [Step("convolve", place, 1, 1, place == stage[-1]) for place in stage]
    return tuple(steps)


NETWORKS: dict[str, tuple[Step, ...]] = {
    "alex": (
        Step("convolve", 0, 4, 2, True),
        Step("pool"),
        Step("convolve", 3, 1, 2, True),
        Step("pool"),
        Step("convolve", 6, 1, 1, True),
        Step("convolve", 8, 1, 1, True),
        Step("convolve", 10, 1, 1, True),
    ),
    "vgg": _vgg16(),
    "squeeze": (
        Step("convolve", 0, 2, 0, True),
        Step("pool beyond"),
        Step("fire", 3),
        Step("fire", 4, ends=True),
        Step("pool beyond"),
        Step("fire", 6),
        Step("fire", 7, ends=True),
        Step("pool beyond"),
        Step("fire", 9, ends=True),
        Step("fire", 10, ends=True),
        Step("fire", 11, ends=True),
        Step("fire", 12, ends=True),
    ),
}
"""By the names that LPIPS has for them: torchvision's ``alexnet``, ``vgg16`` and ``squeezenet1_1``."""

_FILES = {"alex": "alexnet", "vgg": "vgg16", "squeeze": "squeezenet1_1"}
_FIRE = ("squeeze", "expand1x1", "expand3x3")


def stage_maps(
    network: str, weights: Mapping[str, Tensor], images: Tensor, halve: Callable[[Tensor], Tensor] | None = None
) -> list[Tensor]:
    """Maps at the end of each stage.

    Parameters
    ----------
    network : {"alex", "vgg", "squeeze"}
    weights : mapping of str to Tensor
        As `read_backbone` gives them.
    images : Tensor, shape (B, 3, H, W)
        Scaled as the distance wants them; at least 32 pixels a side.
    halve : callable or None
        Pooling between the stages of ``"vgg"``; None for the maximum of 2 x 2.

    Returns
    -------
    list of Tensor, each of shape (B, channels, h, w)

    Raises
    ------
    InputError
        Where images are too small.
    """
    if min(images.shape[2:]) < SMALLEST:
        raise InputError(
            f"images of {images.shape[2]} x {images.shape[3]} are too small for the network {network!r}; it needs "
            f"{SMALLEST} pixels a side (--size)"
        )
    maps = []
    for step in NETWORKS[network]:
        images = _run(step, weights, images, halve)
        if step.ends:
            maps.append(images)
    return maps


def _run(step: Step, weights: Mapping[str, Tensor], seen: Tensor, halve: Callable[[Tensor], Tensor] | None) -> Tensor:
    if step.kind == "halve":
        return functional.max_pool2d(seen, 2, 2) if halve is None else halve(seen)
    if step.kind in ("pool", "pool beyond"):
        return functional.max_pool2d(seen, 3, 2, ceil_mode=step.kind == "pool beyond")
    if step.kind == "convolve":
        return _convolved(weights, f"{step.place}", seen, step.stride, step.padding)
    squeezed = _convolved(weights, f"{step.place}.squeeze", seen)
    wide = [_convolved(weights, f"{step.place}.{name}", squeezed, 1, int("3x3" in name)) for name in _FIRE[1:]]
    return torch.cat(wide, dim=1)


def _convolved(weights: Mapping[str, Tensor], name: str, seen: Tensor, stride: int = 1, padding: int = 0) -> Tensor:
    return functional.relu(functional.conv2d(seen, weights[f"{name}.weight"], weights[f"{name}.bias"], stride, padding))


def read_backbone(network: str, path: str | Path) -> dict[str, Tensor]:
    """Weights and biases of the feature stages, by torchvision's names without ``features.``.

    Parameters
    ----------
    network : {"alex", "vgg", "squeeze"}
    path : str or Path
        State dict, safetensors or npz with the arrays of torchvision's network of that name, whole or its ``features``.

    Raises
    ------
    InputError
        Where there is no such network or file, or it holds another network.
    """
    if network not in NETWORKS:
        raise InputError(f"there is no backbone {network!r}; there are: {', '.join(NETWORKS)}")
    arrays = {name.removeprefix("features."): value for name, value in read_arrays(weights_file(path)).items()}
    names = []
    for step in NETWORKS[network]:
        if step.kind in ("convolve", "fire"):
            inside = (f"{step.place}",) if step.kind == "convolve" else tuple(f"{step.place}.{part}" for part in _FIRE)
            names += [f"{name}.{part}" for name in inside for part in ("weight", "bias")]
    missing = [name for name in names if name not in arrays]
    if missing:
        raise InputError(
            f"{path}: has no array 'features.{missing[0]}'; give the state dict of torchvision's {_FILES[network]}"
        )
    return {name: torch.from_numpy(arrays[name]).float() for name in names}
