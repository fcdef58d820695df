"""MobileNet V1 and V2, trained on ImageNet, from plain arrays.

Both are built from a file that the user names; nothing is downloaded. The network is recognised from the arrays in
the file and becomes a short list of operations (`Operation`), convolutions with batch normalisation folded in
and additions, that one loop runs. The features are the last feature map averaged over its pixels.
"""

from __future__ import annotations

import copy
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from fourfold.errors import InputError
from fourfold.features.extractor import FeatureExtractor
from fourfold.features.inputs import IMAGENET_MEAN, IMAGENET_STD, InputPolicy
from fourfold.features.slices import SlicePolicy
from fourfold.features.weights import read_arrays, sha256_of, weights_file

__all__ = ["MobileNet"]

# torch.nn.BatchNorm2d's default, with which the V1 weights were trained.
_BATCH_NORM_EPSILON = 1e-5
_LEAK = 0.1
# The maps of a few images stay in the processor's cache: three times the speed of 64 at once. Batches this small also
# all take the same path through torch, so that the features of an image do not depend on its neighbours in the batch.
_CPU_BATCH = 4
# Strides of the blocks of MobileNetV1 (Howard et al. 2017, table 1), by the stages of the weights' names.
_V1_STRIDES = {"stage1": (2, 1, 2, 1, 2, 1), "stage2": (2, 1, 1, 1, 1, 1), "stage3": (2, 1)}


@dataclass(frozen=True)
class Operation:
    """One step of a network: a convolution of the map `sources[0]`, or the sum of the maps `sources`.

    Parameters
    ----------
    sources : tuple of int
        Numbers of the maps that go in.
    target : int
        Number of the map that comes out.
    weight : Tensor, shape (out, in / groups, h, w), or None
        None for a sum.
    bias : Tensor, shape (out,), or None
    stride, groups : int
    activation : {"none", "relu6", "leaky"}
    """

    sources: tuple[int, ...]
    target: int
    weight: Tensor | None = None
    bias: Tensor | None = None
    stride: int = 1
    groups: int = 1
    activation: str = "none"


class MobileNet(FeatureExtractor):
    """Features of MobileNetV1 0.25 (256 columns) or MobileNetV2 1.0 (1280 columns).

    Parameters
    ----------
    path : str or Path
        ``.npz``, ``.safetensors`` or state-dict file with the arrays of one of the two.
    name : str or None
        How reports call the space; ``"mobilenet_v1"`` or ``"mobilenet_v2"`` where None.
    slices : SlicePolicy or None
        What of a volume is seen; None: `SlicePolicy`'s defaults.

    Raises
    ------
    InputError
        Where the file is missing, damaged or holds another network.

    References
    ----------
    Howard et al., "MobileNets", arXiv:1704.04861; Sandler et al., "MobileNetV2", CVPR 2018.
    """

    name = "mobilenet"
    trained_on = "ImageNet: 1.3 million photographs of 1000 kinds of object, no medical image"

    def __init__(self, path: str | Path, *, name: str | None = None, slices: SlicePolicy | None = None) -> None:
        file = weights_file(path)
        self.sha256 = sha256_of(file)
        self._build(read_arrays(file), str(path), name, slices)

    @classmethod
    def from_arrays(
        cls,
        arrays: Mapping[str, np.ndarray],
        *,
        origin: str,
        sha256: str,
        name: str | None = None,
        slices: SlicePolicy | None = None,
    ) -> MobileNet:
        """A network from arrays that were read already; `origin` is the file that messages name."""
        network = cls.__new__(cls)
        network.sha256 = sha256
        network._build(arrays, origin, name, slices)
        return network

    def _build(
        self, arrays: Mapping[str, np.ndarray], origin: str, name: str | None, slices: SlicePolicy | None
    ) -> None:
        slices = slices or SlicePolicy()
        self.architecture = recognise(arrays)
        try:
            if self.architecture == "mobilenet_v1":
                self.source = "Howard et al., MobileNets, arXiv:1704.04861"
                self.policy = InputPolicy(size=224, mean=IMAGENET_MEAN, std=IMAGENET_STD, slices=slices)
                self._operations = _mobilenet_v1(arrays)
            elif self.architecture == "mobilenet_v2":
                self.source = "Sandler et al., MobileNetV2, CVPR 2018"
                self.policy = InputPolicy(size=224, low=-1.0, high=1.0, slices=slices)
                self._operations = _mobilenet_v2(arrays)
            else:
                raise InputError(
                    f"{origin}: holds a network that cannot be built from its arrays alone (known: MobileNetV1, "
                    "MobileNetV2); export yours as TorchScript with torch.jit.trace(network, example).save('net.pt')"
                )
        except (KeyError, ValueError, TypeError, IndexError) as error:
            raise InputError(f"{origin}: the arrays of {self.architecture} are incomplete or damaged") from error
        self.name = name or self.architecture

    def settings(self) -> dict[str, Any]:
        """Architecture, SHA-256 of the weights and the input policy."""
        return {"architecture": self.architecture, "weights": self.sha256, "input": self.policy.describe()}

    def to(self, device: torch.device | str) -> MobileNet:
        """Move the weights; returns itself."""
        self._operations = [
            step if step.weight is None else replace(step, weight=step.weight.to(device), bias=step.bias.to(device))
            for step in self._operations
        ]
        return self

    @property
    def operations(self) -> tuple[Operation, ...]:
        """The steps of the network, in the order in which they are done."""
        return tuple(self._operations)

    def with_operations(self, operations: Sequence[Operation]) -> MobileNet:
        """The same extractor with other steps, which may be changed weights that a gradient runs through."""
        other = copy.copy(self)
        other._operations = list(operations)
        return other

    def __call__(self, images: Tensor) -> Tensor:
        """Features of shape (B, 256) or (B, 1280), not negative for V2."""
        return self.policy.features(images, self._pooled)

    def _pooled(self, images: Tensor) -> Tensor:
        same = self.architecture == "mobilenet_v2"
        step = _CPU_BATCH if images.device.type == "cpu" else max(len(images), 1)
        maps = (run(self._operations, part, tensorflow_padding=same) for part in images.split(step))
        return torch.cat([last.mean(dim=(2, 3)) for last in maps])


def recognise(arrays: Mapping[str, np.ndarray]) -> str | None:
    """``"mobilenet_v1"``, ``"mobilenet_v2"`` or None, from the names of the arrays."""
    if "stage1.0.0.weight" in arrays and "stage3.1.4.running_var" in arrays:
        return "mobilenet_v1"
    if {"arch", "w0", "s0", "b0"} <= set(arrays):
        return "mobilenet_v2" if "MobileNetV2" in str(arrays["arch"]) else None
    return None


def run(operations: list[Operation], images: Tensor, *, tensorflow_padding: bool) -> Tensor:
    """The last map of a network.

    Parameters
    ----------
    operations : list of Operation
        Map 0 is the input.
    images : Tensor, shape (B, 3, H, W)
    tensorflow_padding : bool
        Whether convolutions pad as TensorFlow's "SAME" does, where the odd row and column goes to the bottom and
        the right, rather than by half the kernel on every side.
    """
    # A map is dropped after its last use: V2 holds 50 of them.
    last_use = {source: place for place, step in enumerate(operations) for source in step.sources}
    maps = {0: images}
    for place, step in enumerate(operations):
        if step.weight is None:
            result = sum(maps[source] for source in step.sources)
        else:
            result = _convolve(maps[step.sources[0]], step, tensorflow_padding)
        maps[step.target] = result
        for source in step.sources:
            if last_use[source] == place:
                maps.pop(source, None)
    return result


def _convolve(values: Tensor, step: Operation, tensorflow_padding: bool) -> Tensor:
    height, width = step.weight.shape[2:]
    if tensorflow_padding:
        top, bottom = _same_padding(values.shape[2], height, step.stride)
        left, right = _same_padding(values.shape[3], width, step.stride)
        values = functional.pad(values, (left, right, top, bottom))
        padding = (0, 0)
    else:
        padding = (height // 2, width // 2)
    values = functional.conv2d(values, step.weight, step.bias, step.stride, padding, groups=step.groups)
    if step.activation == "relu6":
        return functional.relu6(values)
    return functional.leaky_relu(values, _LEAK) if step.activation == "leaky" else values


def _same_padding(length: int, kernel: int, stride: int) -> tuple[int, int]:
    total = max((-(-length // stride) - 1) * stride + kernel - length, 0)
    return total // 2, total - total // 2


def _mobilenet_v1(arrays: Mapping[str, np.ndarray]) -> list[Operation]:
    operations: list[Operation] = []

    def add(prefix: str, convolution: int, stride: int) -> None:
        weight, bias = _folded(arrays, f"{prefix}.{convolution}", f"{prefix}.{convolution + 1}")
        place = len(operations)
        groups = weight.shape[0] if weight.shape[1] == 1 else 1
        operations.append(Operation((place,), place + 1, weight, bias, stride, groups, "leaky"))

    for stage, strides in _V1_STRIDES.items():
        for block, stride in enumerate(strides):
            add(f"{stage}.{block}", 0, stride)
            if (stage, block) != ("stage1", 0):
                add(f"{stage}.{block}", 3, 1)
    return operations


def _folded(arrays: Mapping[str, np.ndarray], convolution: str, norm: str) -> tuple[Tensor, Tensor]:
    variance = arrays[f"{norm}.running_var"].astype(np.float64)
    scale = arrays[f"{norm}.weight"].astype(np.float64) / np.sqrt(variance + _BATCH_NORM_EPSILON)
    weight = arrays[f"{convolution}.weight"].astype(np.float64) * scale[:, None, None, None]
    bias = arrays[f"{norm}.bias"].astype(np.float64) - arrays[f"{norm}.running_mean"].astype(np.float64) * scale
    return torch.from_numpy(weight.astype(np.float32)), torch.from_numpy(bias.astype(np.float32))


def _mobilenet_v2(arrays: Mapping[str, np.ndarray]) -> list[Operation]:
    operations: list[Operation] = []
    numbers: dict[int, int] = {}
    for step in json.loads(str(arrays["arch"]))["ops"]:
        if step["op"] == "gap":
            break
        if step["op"] == "input":
            numbers[step["dst"]] = 0
            continue
        target = numbers[step["dst"]] = len(operations) + 1
        if step["op"] == "add":
            operations.append(Operation(tuple(numbers[source] for source in step["src"]), target))
            continue
        if step["op"] not in ("conv", "dwconv") or step["act"] not in ("none", "relu6"):
            raise ValueError(f"unknown operation {step['op']!r} with activation {step['act']!r}")
        codes, scale, bias = (arrays[f"{letter}{step['i']}"].astype(np.float32) for letter in "wsb")
        operations.append(
            Operation(
                (numbers[step["src"]],),
                target,
                torch.from_numpy(codes * scale[:, None, None, None]),
                torch.from_numpy(bias),
                int(step["stride"]),
                codes.shape[0] if step["op"] == "dwconv" else 1,
                step["act"],
            )
        )
    if not operations:
        raise ValueError("the list of operations is empty")
    return operations
