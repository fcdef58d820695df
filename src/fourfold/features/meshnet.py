"""MeshNet: a small network for whole brains, from plain arrays.

It was trained to name the tissues of T1-weighted brains, with kernels whose holes widen and close again so that the map
keeps every voxel. The features are what each of its hidden maps holds on average and how much that varies over the
brain. The last map alone knows tissues and little of the patient: of 16 scans of 8 patients it links 6 to the other one
of the same patient, all maps together link 11.
"""

from __future__ import annotations

import json
from collections import deque
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from fourfold.errors import InputError
from fourfold.features.extractor import FeatureExtractor
from fourfold.features.inputs import InputPolicy
from fourfold.features.weights import read_arrays, sha256_of, weights_file

__all__ = ["MeshNet"]

_ACTIVATIONS = {"relu": functional.relu, "elu": functional.elu}


class Layer(NamedTuple):
    """A convolution that keeps the size, and the activation behind it ("" for none)."""

    weight: Tensor
    bias: Tensor
    dilation: int
    activation: str


class MeshNet(FeatureExtractor):
    """Mean and standard deviation over voxels of each hidden map of MeshNet: 90, 360 or 540 columns of nine maps.

    Brains should lie in voxels of about 1 mm with their values in [0, 1]; the network sees the voxels as they are, one
    volume at a time, so its cost is that of the volume: about `2 * parameters` operations a voxel.

    Parameters
    ----------
    path : str or Path
        ``.npz``, with the order of the layers in the array ``arch``.
    name : str or None
        How reports call the space; ``"meshnet"`` where None.
    size : int or None
        Side of the cube that volumes are resampled to; None leaves them as they are.

    Raises
    ------
    InputError
        Where the file is missing, damaged or holds another network; when called, where planes are given.

    References
    ----------
    Fedorov et al., "End-to-end learning of brain tissue segmentation from imperfect labeling", IJCNN 2017; Masoud et
    al., "Brainchop", JOSS 2023 (weights, MIT).
    """

    name = "meshnet"
    trained_on = "T1-weighted brains with tissue labels"
    source = "Fedorov et al. 2017 (MeshNet); weights of the project brainchop"

    def __init__(self, path: str | Path, *, name: str | None = None, size: int | None = None) -> None:
        file = weights_file(path)
        self.name = name or type(self).name
        self.sha256 = sha256_of(file)
        self.policy = InputPolicy(size=size, channels=1, volumes="whole")
        try:
            self.architecture, self._layers = _layers(read_arrays(file))
        except (KeyError, ValueError, TypeError, IndexError) as error:
            raise InputError(
                f"{path}: holds no MeshNet; it takes an npz file with the arrays w0, b0, w1 and so on, and their order "
                "in 'arch', such as meshnet3d_model20chan3cls.npz"
            ) from error

    def settings(self) -> dict[str, Any]:
        """Architecture, SHA-256 of the weights and the input policy."""
        return {"architecture": self.architecture, "weights": self.sha256, "input": self.policy.describe()}

    def feature_names(self) -> tuple[str, ...]:
        """``map_0_mean_0``, ..., ``map_0_sd_0``, ...: by map, and in it by channel."""
        return tuple(
            f"map_{place}_{what}_{channel}"
            for place, layer in enumerate(self._layers[:-1])
            for what in ("mean", "sd")
            for channel in range(len(layer.bias))
        )

    def to(self, device: torch.device | str) -> MeshNet:
        """Move the weights; returns itself."""
        self._layers = [
            layer._replace(weight=layer.weight.to(device), bias=layer.bias.to(device)) for layer in self._layers
        ]
        return self

    def __call__(self, images: Tensor) -> Tensor:
        """Features of shape (B, d) of volumes."""
        if images.ndim != 5:
            raise InputError(
                f"{self.name!r} is a network of volumes and cannot see planes; use another extractor for them"
            )
        return self.policy.features(images, self._pooled)

    def labels(self, volumes: Tensor) -> Tensor:
        """The class that the network names for each voxel.

        Parameters
        ----------
        volumes : Tensor, shape (B, C, D, H, W)

        Returns
        -------
        Tensor, shape (B, D, H, W)
            int64; the meaning of the numbers is the file's.
        """
        prepared = self.policy.apply(volumes)
        last = (deque(maps(self._layers, part), maxlen=1).pop() for part in prepared.split(1))
        return torch.cat([values.argmax(dim=1) for values in last])

    def _pooled(self, volumes: Tensor) -> Tensor:
        # One volume at a time: its maps fill the memory, and its features cannot depend on its neighbours.
        return torch.cat([self._moments(part) for part in volumes.split(1)])

    def _moments(self, volume: Tensor) -> Tensor:
        hidden = (values.flatten(2) for values in maps(self._layers[:-1], volume))
        return torch.cat([part for values in hidden for part in (values.mean(2), values.std(2, correction=0))], dim=1)


def maps(layers: list[Layer], volumes: Tensor) -> Iterator[Tensor]:
    """Each map in turn, shape (B, channels, D, H, W), of volumes of shape (B, 1, D, H, W)."""
    values = volumes
    for layer in layers:
        padding = tuple(layer.dilation * (length // 2) for length in layer.weight.shape[2:])
        values = functional.conv3d(values, layer.weight, layer.bias, 1, padding, layer.dilation)
        if layer.activation:
            values = _ACTIVATIONS[layer.activation](values)
        yield values


def _layers(arrays: Mapping[str, np.ndarray]) -> tuple[str, list[Layer]]:
    architecture = json.loads(str(arrays["arch"]))
    layers: list[Layer] = []
    for step in architecture["ops"]:
        if step["op"] == "conv3d":
            weight, bias = (torch.from_numpy(arrays[f"{letter}{step['i']}"].astype(np.float32)) for letter in "wb")
            if weight.ndim != 5 or weight.shape[1] != (len(layers[-1].bias) if layers else 1):
                raise ValueError(f"array w{step['i']} does not follow the layer before it")
            layers.append(Layer(weight, bias, int(step["dilation"]), ""))
        elif step["op"] in _ACTIVATIONS:
            layers[-1] = layers[-1]._replace(activation=step["op"])
        else:
            raise ValueError(f"unknown operation {step['op']!r}")
    if len(layers) < 2:
        raise ValueError("the list of operations has no hidden layer")
    return str(architecture["model"]), layers
