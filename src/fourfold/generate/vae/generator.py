"""A trained decoder and the law of its latents."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

import numpy as np
import torch
from torch import Tensor

from fourfold.generate.baselines.classes import class_numbers
from fourfold.generate.baselines.law import Law
from fourfold.generate.conditioning import Conditioning, Conditions
from fourfold.generate.generator import Drawing, Generator
from fourfold.generate.vae.network import Vae

__all__ = ["VaeGenerator"]

_TOGETHER = 64


class VaeGenerator(Generator):
    """A trained decoder with the law of its latents; of the encoder nothing is kept.

    Parameters
    ----------
    shape : tuple of int
    conditioning : Conditioning
    vae : Vae
    channels : sequence of int
        Of `vae`.
    law : Law
        Of latents, by class.
    """

    recipe: ClassVar[str] = "vae"
    knobs: ClassVar[tuple[str, ...]] = ("temperature", "truncation")

    def __init__(
        self, shape: tuple[int, ...], conditioning: Conditioning, vae: Vae, channels: Sequence[int], law: Law
    ) -> None:
        self.shape = tuple(shape)
        self.conditioning = conditioning
        self.vae = vae.eval().requires_grad_(False)
        self.channels = list(channels)
        self.law = law

    def draw(self, seeds: Sequence[int], conditions: Conditions, drawing: Drawing) -> np.ndarray:
        """As `Generator.draw`.

        Temperature scales the deviation from the mean of a component of the law, truncation that from the mean of the
        class.
        """
        temperature = 1.0 if drawing.temperature is None else drawing.temperature
        truncation = 1.0 if drawing.truncation is None else drawing.truncation
        numbers = class_numbers(self.conditioning, conditions)
        latents = np.empty((len(seeds), self.vae.latent), dtype=np.float32)
        for latent, seed, number in zip(latents, seeds, numbers, strict=True):
            latent[...] = self.law.draw(int(number), np.random.default_rng([int(seed)]), temperature, truncation)
        condition = self.conditioning.encode(conditions)
        vector = None if condition is None else condition.vector
        device = next(self.vae.parameters()).device
        images = np.empty((len(seeds), *self.shape), dtype=np.float32)
        with torch.inference_mode():
            for start in range(0, len(seeds), _TOGETHER):
                rows = slice(start, start + _TOGETHER)
                z = torch.from_numpy(latents[rows]).to(device)
                drawn = self.vae.decode(z, None if vector is None else vector[rows].to(device))
                images[rows] = drawn.float().numpy(force=True)
        return images

    def arrays(self) -> dict[str, Tensor]:
        """As `Generator.arrays`."""
        return {**{f"vae/{name}": value for name, value in _decoder(self.vae).items()}, **self.law.arrays()}

    def settings(self) -> dict[str, Any]:
        """As `Generator.settings`."""
        return {"latent": self.vae.latent, "channels": self.channels}

    @classmethod
    def restore(
        cls,
        shape: tuple[int, ...],
        conditioning: Conditioning,
        settings: Mapping[str, Any],
        arrays: Mapping[str, Tensor],
    ) -> VaeGenerator:
        """As `Generator.restore`."""
        vae = Vae(shape, int(settings["latent"]), settings["channels"], conditioning.width)
        stored = {name.removeprefix("vae/"): value for name, value in arrays.items() if name.startswith("vae/")}
        vae.load_state_dict({**vae.state_dict(), **stored})
        return cls(shape, conditioning, vae, settings["channels"], Law.restore(arrays))

    def to(self, device: str) -> VaeGenerator:
        """As `Generator.to`."""
        self.vae.to(device)
        return self


def _decoder(vae: Vae) -> dict[str, Tensor]:
    """The weights that drawing needs."""
    parts = ("network.decode.", "network.decodeL.")
    return {name: value for name, value in vae.state_dict().items() if name.startswith(parts)}
