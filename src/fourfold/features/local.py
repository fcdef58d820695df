"""Any network of the user's own, from a file: TorchScript, ONNX, or arrays of a network that is known here.

A file is opened by its ending: ``.pt``, ``.pth``, ``.ts``, ``.torchscript`` (TorchScript, else a state dict),
``.onnx``, ``.safetensors``, ``.npz``. State dicts are never unpickled into objects. A TorchScript or ONNX file is
a program: run files from people you trust.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from fourfold.errors import InputError, MissingExtra
from fourfold.features.extractor import FeatureExtractor
from fourfold.features.inputs import InputPolicy
from fourfold.features.mobilenet import MobileNet, recognise
from fourfold.features.weights import read_arrays, sha256_of, weights_file

__all__ = ["ENDINGS", "LocalNetwork", "is_torchscript", "open_network", "read_torchscript"]

_TORCH_ENDINGS = (".pt", ".pth", ".ts", ".torchscript")
_ARRAY_ENDINGS = (".npz", ".safetensors")
ENDINGS = (*_TORCH_ENDINGS, ".onnx", *_ARRAY_ENDINGS)

Network = Callable[[Tensor], Tensor]


class LocalNetwork(FeatureExtractor):
    """Features of a TorchScript or ONNX network.

    Parameters
    ----------
    path : str or Path
    name : str
        How reports call the space.
    policy : InputPolicy
        What the network is fed; nothing about it can be read from the file, so it is declared.
    trained_on : str
        What the network has seen, as the user knows it.

    Raises
    ------
    InputError
        Where the file is missing or is no such network; when called, where the output is not (B, d) or not finite.
    MissingExtra
        Where an ONNX file is given and onnxruntime is not installed.
    """

    def __init__(
        self, path: str | Path, *, name: str, policy: InputPolicy | None = None, trained_on: str = "not stated"
    ) -> None:
        file = weights_file(path)
        self.name = name
        self.policy = policy or InputPolicy()
        self.trained_on = trained_on
        self.origin = str(path)
        self.sha256 = sha256_of(file)
        self.format = "onnx" if file.suffix.lower() == ".onnx" else "torchscript"
        self.source = f"local {self.format} file {file.name}"
        self._module: torch.jit.ScriptModule | None = None
        if self.format == "onnx":
            self._network = _onnx(file, self.origin)
        else:
            self._module = read_torchscript(file, self.origin)
            self._network = self._module

    def settings(self) -> dict[str, Any]:
        """Format, SHA-256 of the file and the input policy."""
        return {"format": self.format, "weights": self.sha256, "input": self.policy.describe()}

    def to(self, device: torch.device | str) -> LocalNetwork:
        """Move the weights of a TorchScript network; ONNX stays on the CPU. Returns itself."""
        if self._module is not None:
            self._module.to(device)
        return self

    def __call__(self, images: Tensor) -> Tensor:
        """Features of shape (B, d)."""
        return self.policy.features(images, self._checked)

    def _checked(self, images: Tensor) -> Tensor:
        shape = tuple(images.shape)
        try:
            output = self._network(images)
        except InputError:
            raise
        # Whatever a foreign network raises has one cause here: it does not take these images.
        except Exception as error:
            raise InputError(
                f"{self.origin}: the network fails on images of shape {shape}; state what it takes, "
                "for example '?size=224&channels=3&volumes=slices' behind the path"
            ) from error
        if not isinstance(output, Tensor):
            raise InputError(
                f"{self.origin}: the network returns {type(output).__name__}, not one array; "
                "export it so that it returns features of shape (images, columns)"
            )
        if output.ndim > 2 and set(output.shape[2:]) == {1}:
            output = output.flatten(1)
        if output.ndim != 2 or output.shape[0] != len(images) or output.shape[1] == 0:
            raise InputError(
                f"{self.origin}: the network turns images of shape {shape} into shape {tuple(output.shape)}; "
                f"features need the shape ({len(images)}, columns), so pool its last feature map"
            )
        if not output.is_floating_point():
            raise InputError(f"{self.origin}: the network returns {output.dtype}; features need floating point numbers")
        if not torch.isfinite(output).all():
            raise InputError(
                f"{self.origin}: the network returns NaN or infinite features; "
                "check the value range, mean and std that it expects"
            )
        return output


def open_network(
    path: str | Path, *, name: str, policy: InputPolicy | None = None, trained_on: str = "not stated"
) -> FeatureExtractor:
    """The extractor that a file holds.

    Parameters
    ----------
    path : str or Path
    name : str
        How reports call the space.
    policy : InputPolicy or None
        None: images as they are, three channels, in [0, 1]. A known architecture brings its own and takes only
        `slices` from here.
    trained_on : str

    Returns
    -------
    FeatureExtractor
        `MobileNet` where the file holds its arrays, otherwise `LocalNetwork`.

    Raises
    ------
    InputError
        Where the file is missing, damaged, or holds arrays of a network that is not known.
    """
    file = weights_file(path)
    suffix = file.suffix.lower()
    if suffix not in ENDINGS:
        raise InputError(f"{path}: unknown kind of network file {suffix!r}; known are {', '.join(ENDINGS)}")
    if suffix in _ARRAY_ENDINGS or (suffix in _TORCH_ENDINGS and not is_torchscript(file)):
        arrays = read_arrays(file)
        if recognise(arrays) is None:
            raise InputError(
                f"{path}: holds the arrays of a network but not the network, and it is none that is known here "
                "(MobileNetV1, MobileNetV2); export it as TorchScript: torch.jit.trace(network, example).save('net.pt')"
            )
        slices = policy.slices if policy else None
        return MobileNet.from_arrays(arrays, origin=str(path), sha256=sha256_of(file), name=name, slices=slices)
    return LocalNetwork(path, name=name, policy=policy, trained_on=trained_on)


def is_torchscript(file: Path) -> bool:
    """Whether a file is an archive with a program in it."""
    import zipfile

    if not zipfile.is_zipfile(file):
        return False
    try:
        with zipfile.ZipFile(file) as archive:
            return any(entry.endswith("/constants.pkl") for entry in archive.namelist())
    except (OSError, zipfile.BadZipFile):
        return False


def read_torchscript(file: Path, origin: str) -> torch.jit.ScriptModule:
    """The network of a TorchScript file, in evaluation mode; raises InputError where `file` is none."""
    try:
        # torch announces the end of TorchScript; it stays the one format that holds a whole network, and files exist.
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", DeprecationWarning)
            module = torch.jit.load(str(file), map_location="cpu")
    except (RuntimeError, ValueError, OSError) as error:
        raise InputError(
            f"{origin}: cannot be read as TorchScript; export the network with torch.jit.trace(...).save(...)"
        ) from error
    return module.eval()


def _onnx(file: Path, origin: str) -> Network:
    try:
        import onnxruntime
    # A runtime that does not fit the machine fails with RuntimeError or OSError rather than ImportError.
    except (ImportError, RuntimeError, OSError) as error:
        raise MissingExtra("onnxruntime", "onnx", f"reading {origin}") from error
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 4
    options.intra_op_num_threads = torch.get_num_threads()
    try:
        session = onnxruntime.InferenceSession(str(file), options, providers=["CPUExecutionProvider"])
    # onnxruntime's exceptions share no base but Exception.
    except Exception as error:
        raise InputError(f"{origin}: cannot be read as ONNX; it is damaged or of another kind") from error
    inputs = session.get_inputs()
    if len(inputs) != 1:
        raise InputError(f"{origin}: the network takes {len(inputs)} inputs; export it so that it takes images alone")
    name, fixed = inputs[0].name, inputs[0].shape[0] if inputs[0].shape else None

    def network(images: Tensor) -> Tensor:
        values = images.numpy(force=True).astype(np.float32, copy=False)
        # A file exported for single images keeps that batch size for ever.
        step = fixed if isinstance(fixed, int) and fixed == 1 else max(len(values), 1)
        parts = [session.run(None, {name: values[start : start + step]})[0] for start in range(0, len(values), step)]
        return torch.from_numpy(np.concatenate(parts))

    return network
