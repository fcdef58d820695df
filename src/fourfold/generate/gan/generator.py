"""A trained GAN: its averaged generator."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

import numpy as np
import torch
from torch import Tensor

from fourfold.generate.condition import Condition
from fourfold.generate.conditioning import Conditioning, Conditions
from fourfold.generate.generator import Drawing, Generator
from fourfold.generate.networks.stylegan import StyleGenerator
from fourfold.generate.noise import Noise

__all__ = ["GanGenerator", "draw_images", "style_generator"]

_DRAWN_TOGETHER = 64


class GanGenerator(Generator):
    """A trained style generator.

    Parameters
    ----------
    shape : tuple of int
        (C, H, W) or (C, D, H, W).
    conditioning : Conditioning
        Vector conditions only.
    network : StyleGenerator
    mapping : int
        Layers of its mapping network.
    channels : int
        Of its finest level.
    """

    recipe: ClassVar[str] = "gan"
    knobs: ClassVar[tuple[str, ...]] = ("truncation",)

    def __init__(
        self, shape: tuple[int, ...], conditioning: Conditioning, network: StyleGenerator, channels: int, mapping: int
    ) -> None:
        self.shape = tuple(shape)
        self.conditioning = conditioning
        self.network = network.eval().requires_grad_(False)
        self._settings = {"latent": network.latent, "channels": channels, "mapping": mapping}

    def draw(self, seeds: Sequence[int], conditions: Conditions, drawing: Drawing) -> np.ndarray:
        """As `Generator.draw`."""
        truncation = 1.0 if drawing.truncation is None else drawing.truncation
        condition = self.conditioning.encode(conditions)
        return draw_images(self.network, list(seeds), condition, truncation).numpy()

    def arrays(self) -> Mapping[str, Tensor]:
        """As `Generator.arrays`."""
        return self.network.state_dict()

    def settings(self) -> dict[str, Any]:
        """As `Generator.settings`."""
        return dict(self._settings)

    @classmethod
    def restore(
        cls,
        shape: tuple[int, ...],
        conditioning: Conditioning,
        settings: Mapping[str, Any],
        arrays: Mapping[str, Tensor],
    ) -> GanGenerator:
        """As `Generator.restore`."""
        sizes = {name: int(settings[name]) for name in ("latent", "channels", "mapping")}
        network = style_generator(shape, conditioning, **sizes)
        network.load_state_dict(dict(arrays))
        return cls(shape, conditioning, network, sizes["channels"], sizes["mapping"])

    def to(self, device: str) -> GanGenerator:
        """As `Generator.to`."""
        self.network.to(device)
        return self


def style_generator(
    shape: tuple[int, ...], conditioning: Conditioning, latent: int, channels: int, mapping: int
) -> StyleGenerator:
    """The generator's network with fresh weights.

    Raises
    ------
    InputError
        Where the sides of the images cannot be halved often enough.
    """
    return StyleGenerator(shape, conditioning.width, latent=latent, channels=channels, layers=mapping)


def draw_images(
    network: StyleGenerator, seeds: list[int], condition: Condition | None, truncation: float = 1.0
) -> Tensor:
    """Images in [0, 1] on the CPU, shape (n, *shape), one a seed.

    Parameters
    ----------
    network : StyleGenerator
        In eval mode.
    seeds : list of int
        Latents and noise inputs of an image come from its seed alone.
    condition : Condition or None
        n rows.
    truncation : float
        psi of the truncation.
    """
    device = next(network.parameters()).device
    drawn = []
    with torch.inference_mode():
        for start in range(0, len(seeds), _DRAWN_TOGETHER):
            rows = slice(start, start + _DRAWN_TOGETHER)
            numbers = Noise(seeds[rows], (network.latent + network.noises,), device)()
            z, noise = numbers.split([network.latent, network.noises], dim=1)
            vector = None if condition is None else condition.vector[rows].to(device)
            drawn.append(((network.draw(z, noise, vector, truncation) + 1) / 2).clamp(0, 1).float().cpu())
    return torch.cat(drawn)
