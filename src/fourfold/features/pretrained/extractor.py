"""The one class that runs every published network, and what opens the file of one."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from fourfold.errors import InputError
from fourfold.features.extractor import FeatureExtractor
from fourfold.features.local import LocalNetwork, is_torchscript, read_torchscript
from fourfold.features.pretrained import hub
from fourfold.features.pretrained.kinds import KINDS, Kind
from fourfold.features.pretrained.layouts import Arrays
from fourfold.features.slices import SlicePolicy
from fourfold.features.weights import read_arrays, sha256_of, weights_file

__all__ = ["PretrainedNetwork", "open_pretrained"]

# Images that go through a network at once on other devices. The last ones are filled up to as many, so that every
# image takes the same path through the device and its features do not depend on its neighbours.
_AT_ONCE = 16


class PretrainedNetwork(FeatureExtractor):
    """Features of a published network, from the arrays of a file.

    Parameters
    ----------
    kind : Kind
        A row of the table `KINDS`.
    arrays : mapping of str to array
        As the file has them.
    origin : str
        The file as the user knows it, for messages.
    sha256 : str
        Of the file.
    name : str or None
        How reports call the space; the kind's name where None.
    slices : SlicePolicy or None
        What of a volume a network for planes sees.
    size : int or None
        Side that volumes are resampled to, for a network of volumes; None leaves their voxels as they are.

    Raises
    ------
    InputError
        Where the arrays are not those of the network; the message says which file to get.
    MissingExtra
        Where a package with the network's layers is not installed.
    """

    def __init__(
        self,
        kind: Kind,
        arrays: Arrays,
        *,
        origin: str,
        sha256: str,
        name: str | None = None,
        slices: SlicePolicy | None = None,
        size: int | None = None,
    ) -> None:
        try:
            built = kind.build(arrays)
        except (ValueError, KeyError, IndexError, TypeError) as error:
            reason = str(error) if isinstance(error, ValueError) else "its arrays have other names"
            raise InputError(f"{origin}: holds no network {kind.name!r} ({reason}); {kind.advice}") from error
        self.kind = kind
        self.name = name or kind.name
        self.origin = origin
        self.sha256 = sha256
        self.trained_on = kind.trained_on
        self.source = kind.source
        self.architecture = built.architecture
        self.policy = _policy(kind, built.size or size, slices)
        self._network = built.network.eval().requires_grad_(False)

    def settings(self) -> dict[str, Any]:
        """Kind, architecture, which output, SHA-256 of the weights and the input policy."""
        return {
            "network": self.kind.name,
            "architecture": self.architecture,
            "output": self.kind.output,
            "weights": self.sha256,
            "input": self.policy.describe(),
        }

    def describe(self) -> dict[str, Any]:
        """As of any extractor, with the licence of the weights."""
        return {**super().describe(), "licence": self.kind.licence}

    def to(self, device: torch.device | str) -> PretrainedNetwork:
        """Move the weights; returns itself."""
        self._network.to(device)
        return self

    def __call__(self, images: Tensor) -> Tensor:
        """Features of shape (B, d); raises InputError where planes meet a network of volumes."""
        if self.policy.volumes == "whole" and images.ndim == 4:
            raise InputError(
                f"{self.name!r} is a network of volumes and cannot see planes; use another extractor for them"
            )
        return self.policy.features(images, self._in_parts)

    def _in_parts(self, images: Tensor) -> Tensor:
        at_once = 1 if images.device.type == "cpu" else _AT_ONCE
        return torch.cat([self._network(_filled(part, at_once))[: len(part)] for part in images.split(at_once)])


def open_pretrained(
    kind: str,
    path: str | Path,
    *,
    name: str | None = None,
    slices: SlicePolicy | None = None,
    size: int | None = None,
) -> FeatureExtractor:
    """A published network from a file.

    Parameters
    ----------
    kind : str
        A name of `KINDS`.
    path : str or Path
        State dict, safetensors or npz; TorchScript with the same arrays; or ONNX or any other TorchScript, which is run
        as it is on what `kind` is fed. ``"hub:OWNER/REPOSITORY"`` fetches the file from the hub; nothing else does.
    name, slices, size
        As of `PretrainedNetwork`.

    Returns
    -------
    FeatureExtractor
        `PretrainedNetwork`, or `LocalNetwork` where the file holds a program.

    Raises
    ------
    InputError
        Where there is no such file, or it holds something else; the message says which file to get.
    MissingExtra
        Where a package that reads the file or builds the network is not installed.
    """
    row = KINDS[kind]
    origin = str(path)
    try:
        file = hub.fetch(origin.removeprefix(hub.PREFIX)) if origin.startswith(hub.PREFIX) else weights_file(path)
        program = file.suffix.lower() == ".onnx"
        arrays = None if program else _arrays(file, origin)
    except InputError as error:
        raise InputError(f"{error}; {row.advice}") from error
    label = name or row.name
    if arrays is not None:
        try:
            return PretrainedNetwork(
                row, arrays, origin=origin, sha256=sha256_of(file), name=label, slices=slices, size=size
            )
        except InputError:
            if not is_torchscript(file):
                raise
    return LocalNetwork(file, name=label, policy=_policy(row, size, slices), trained_on=row.trained_on)


def _arrays(file: Path, origin: str) -> Arrays:
    if not is_torchscript(file):
        return read_arrays(file)
    state = read_torchscript(file, origin).state_dict()
    return {name: values.float().numpy(force=True) for name, values in state.items()}


def _policy(kind: Kind, size: int | None, slices: SlicePolicy | None) -> Any:
    return replace(kind.policy, size=size or kind.policy.size, slices=slices or kind.policy.slices)


def _filled(images: Tensor, count: int) -> Tensor:
    short = count - len(images)
    return torch.cat([images, images[-1:].expand(short, *images.shape[1:])]) if short else images
