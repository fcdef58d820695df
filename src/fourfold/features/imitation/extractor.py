"""Imitated radiomics as a feature extractor."""

from __future__ import annotations

import contextlib
import hashlib
import json
import logging
import threading
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from fourfold.errors import InputError
from fourfold.features.extractor import FeatureExtractor
from fourfold.features.imitation.network import CHANNELS, ImitationNetwork
from fourfold.features.imitation.storage import load_network, save_network
from fourfold.features.imitation.training import SIDES, STEPS, TEXTURES, imitate
from fourfold.features.slices import SlicePolicy
from fourfold.features.store import default_folder, make_private

__all__ = ["Imitation"]

# Pixels worked on at once: few enough that the maps stay in the processor's cache.
_PIXELS_AT_ONCE = 1 << 16

_LOG = logging.getLogger("fourfold")
_TRAINING = threading.Lock()


class Imitation(FeatureExtractor):
    """Radiomics as a network imitates them: differentiable, and without a step that leaves the device.

    Each column is a radiomic in standard deviations over procedural textures. On a processor the radiomics themselves
    are as fast or faster; what a network adds are gradients and batches that stay on a GPU. It is read from a file, or
    trained on the spot, once, in about a minute, when its first image or its fingerprint is asked for; then it lies
    beside the feature store. `agreement` says how well it imitates each radiomic; where a figure must be exact, use
    ``radiomics``. The fingerprint holds the weights, since training on another processor gives other ones.

    Parameters
    ----------
    network : ImitationNetwork, str, Path or None
        A trained network, the safetensors file of one, or None for the default one.
    name : str or None
        None for ``imitation``.
    seed : int
        Of the training, where there is one.
    slices : SlicePolicy or None
        What of a volume is seen; None: `SlicePolicy`'s defaults.

    Raises
    ------
    InputError
        Where the file cannot be used, or the seed is below 0.

    References
    ----------
    Saba-Sadiya, Alhanai and Ghassemi, "Feature imitating networks", ICASSP 2022; Min et al., EMBC 2024.
    """

    name = "imitation"
    trained_on = "procedural textures, no patient"
    source = "Saba-Sadiya et al. 2022, Min et al. 2024 (feature-imitating networks)"

    def __init__(
        self,
        network: ImitationNetwork | str | Path | None = None,
        *,
        name: str | None = None,
        seed: int = 0,
        slices: SlicePolicy | None = None,
    ) -> None:
        if seed < 0:
            raise InputError(f"the seed of 'imitation' must be 0 or above, got {seed}")
        self.name = name or type(self).name
        self.seed = seed
        self.slices = slices or SlicePolicy()
        self._device = torch.device("cpu")
        self._network = load_network(network) if isinstance(network, (str, Path)) else network
        self._digest: str | None = None

    @property
    def network(self) -> ImitationNetwork:
        """The network, trained now where it has to be."""
        # Features are extracted in inference mode, in which nothing can be trained and weights could not be used again.
        with _TRAINING, torch.inference_mode(False), torch.enable_grad():
            if self._network is None:
                self._network = _default_network(self.seed)
            return self._network.to(self._device).eval()

    @property
    def agreement(self) -> dict[str, float]:
        """R squared of each radiomic on textures that the network has not seen."""
        return dict(zip(self.network.features, self.network.agreement.tolist()))

    def settings(self) -> dict[str, Any]:
        """SHA-256 of the weights, what of a volume is seen."""
        if self._digest is None:
            self._digest = _digest(self.network)
        return {"sha256": self._digest, "volumes": self.slices.describe()}

    def feature_names(self) -> tuple[str, ...]:
        """Names of the imitated radiomics."""
        return self.network.features

    def to(self, device: torch.device | str) -> Imitation:
        """Move the weights; returns itself."""
        self._device = torch.device(device)
        return self

    def __call__(self, images: Tensor) -> Tensor:
        """Features of shape (B, d) of images or volumes; differentiable in the images."""
        return self.slices.features(images, self._planes) if images.ndim == 5 else self._planes(images)

    def _planes(self, images: Tensor) -> Tensor:
        network = self.network
        at_once = max(1, _PIXELS_AT_ONCE // (images.shape[2] * images.shape[3]))
        return torch.cat([network(part) for part in images.split(at_once)])


def _default_network(seed: int) -> ImitationNetwork:
    """Read what an earlier run has trained, or train it and leave it for the next one."""
    recipe = {"version": 1, "seed": seed, "sides": SIDES, "textures": TEXTURES, "steps": STEPS, "channels": CHANNELS}
    key = hashlib.sha256(json.dumps(recipe, sort_keys=True).encode()).hexdigest()[:16]
    folder = default_folder() / "networks"
    file = folder / f"imitation-{key}.safetensors"
    if file.is_file():
        # A damaged file is made anew.
        with contextlib.suppress(InputError):
            return load_network(file)
    _LOG.info("training the imitating network on procedural textures: about a minute, once")
    network = imitate(seed=seed)
    make_private(folder)
    save_network(network, file)
    return network


def _digest(network: ImitationNetwork) -> str:
    found = hashlib.sha256(json.dumps(network.features).encode())
    for name, value in sorted(network.state_dict().items()):
        found.update(name.encode())
        found.update(value.detach().cpu().contiguous().numpy().tobytes())
    return found.hexdigest()
