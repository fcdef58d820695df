"""A trained diffusion model in pixel space."""

from __future__ import annotations

import copy
from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

import numpy as np
from torch import Tensor

from fourfold.errors import InputError
from fourfold.generate.condition import Condition
from fourfold.generate.conditioning import Conditioning, Conditions
from fourfold.generate.denoiser import Denoise, Preconditioned, bind
from fourfold.generate.diffusion.trainee import perturbed
from fourfold.generate.frameworks import Framework, framework
from fourfold.generate.generator import Drawing, Generator
from fourfold.generate.guidance import autoguidance, classifier_free
from fourfold.generate.networks.text import text_network
from fourfold.generate.networks.unet import DenoisingUNet
from fourfold.generate.noise import Noise
from fourfold.generate.parametrisations import Parametrisation
from fourfold.generate.sampling import sample

__all__ = ["DiffusionGenerator", "build_denoiser", "feature_columns"]

TEXT_WIDTH = 64
SAMPLER = "dpm++2m"
EVALUATIONS = 18
"""Where more calls of this sampler gain little on trained models, see ``benchmarks/samplers.py``."""

_NOISE_STREAM = 0x5EED


def build_denoiser(shape: tuple[int, ...], conditioning: Conditioning, settings: Mapping[str, Any]) -> Preconditioned:
    """The network of a diffusion model, with fresh weights.

    Parameters
    ----------
    shape : tuple of int
        Of what is denoised.
    conditioning : Conditioning
    settings : mapping
        ``channels``, ``blocks``, ``patch``, ``prediction``, ``sigma_data``.

    Raises
    ------
    InputError
        Where the network does not fit the shape.
    """
    network = DenoisingUNet(
        shape,
        settings["channels"],
        blocks=settings["blocks"],
        patch=settings["patch"],
        vector=conditioning.width,
        text=text_network(conditioning, TEXT_WIDTH),
        mask=conditioning.regions,
        augmentation=settings.get("augmentation", 0),
    )
    return Preconditioned(network, Parametrisation(settings["prediction"], settings["sigma_data"]))


def feature_columns(conditioning: Conditioning) -> slice | None:
    """Where the features stand in an encoded vector, None where there are none."""
    start = 0
    for part in conditioning.parts:
        if part.kind == "features":
            return slice(start, start + part.width)
        start += part.width
    return None


class DiffusionGenerator(Generator):
    """A denoiser with its framework.

    Parameters
    ----------
    shape : tuple of int
        Of the images.
    conditioning : Conditioning
    settings : mapping
        Those of `build_denoiser`, ``framework``, ``guided`` (whether the condition was withheld in training).
    denoiser : Preconditioned
    guide : Preconditioned or None
        The weaker copy that guidance is measured from.
    """

    recipe: ClassVar[str] = "diffusion"
    knobs: ClassVar[tuple[str, ...]] = ("sampler", "evaluations", "guidance", "temperature", "condition_noise")

    def __init__(
        self,
        shape: tuple[int, ...],
        conditioning: Conditioning,
        settings: Mapping[str, Any],
        denoiser: Preconditioned,
        guide: Preconditioned | None = None,
    ) -> None:
        self.shape = shape
        self.conditioning = conditioning
        self._settings = dict(settings)
        self.denoiser = denoiser.eval().requires_grad_(False)
        self.guide = None if guide is None else guide.eval().requires_grad_(False)

    @property
    def framework(self) -> Framework:
        """The law of noise levels that it was trained on."""
        return framework(self._settings["framework"])

    @property
    def drawn_shape(self) -> tuple[int, ...]:
        """Shape of what the denoiser sees: the images themselves."""
        return self.shape

    def draw(self, seeds: Sequence[int], conditions: Conditions, drawing: Drawing) -> np.ndarray:
        """As `Generator.draw`."""
        device = next(self.denoiser.parameters()).device
        condition = self.conditioning.encode(conditions)
        if condition is not None:
            condition = self._kicked(condition, seeds, drawing.condition_noise or 0.0).to(device)
        drawn = sample(
            self.denoise(condition, 1.0 if drawing.guidance is None else drawing.guidance),
            self.framework,
            Noise(seeds, self.drawn_shape, device),
            sampler=drawing.sampler or SAMPLER,
            evaluations=drawing.evaluations or EVALUATIONS,
            temperature=1.0 if drawing.temperature is None else drawing.temperature,
        )
        return self.shown(drawn).float().numpy(force=True)

    def denoise(self, condition: Condition | None, guidance: float = 1.0) -> Denoise:
        """The denoiser under a condition and a weight of guidance.

        Raises
        ------
        InputError
            Where guidance is asked for and there is nothing to measure it from.
        """
        if guidance == 1.0:
            return bind(self.denoiser, condition)
        if self.guide is not None:
            return autoguidance(bind(self.denoiser, condition), bind(self.guide, condition), guidance)
        if condition is None or not self._settings["guided"]:
            raise InputError(
                "--guidance needs a model that was trained with a condition which was withheld at times (--set "
                "dropout=0.1), or with a guide of its own (--set guide=early); this one has neither"
            )
        return classifier_free(self.denoiser, condition, guidance)

    def shown(self, drawn: Tensor) -> Tensor:
        """Images in [0, 1] of what was drawn."""
        return ((drawn + 1) / 2).clamp(0, 1)

    def arrays(self) -> Mapping[str, Tensor]:
        """As `Generator.arrays`."""
        found = {f"denoiser.{name}": value for name, value in self.denoiser.state_dict().items()}
        if self.guide is not None:
            found |= {f"guide.{name}": value for name, value in self.guide.state_dict().items()}
        return found

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
    ) -> DiffusionGenerator:
        """As `Generator.restore`."""
        return cls(shape, conditioning, settings, *cls._networks(shape, conditioning, settings, arrays))

    def to(self, device: str) -> DiffusionGenerator:
        """As `Generator.to`."""
        self.denoiser.to(device)
        if self.guide is not None:
            self.guide.to(device)
        return self

    @staticmethod
    def _networks(
        shape: tuple[int, ...], conditioning: Conditioning, settings: Mapping[str, Any], arrays: Mapping[str, Tensor]
    ) -> tuple[Preconditioned, Preconditioned | None]:
        """Denoiser and guide with the stored weights."""
        denoiser = build_denoiser(shape, conditioning, settings)
        guide = copy.deepcopy(denoiser) if any(name.startswith("guide.") for name in arrays) else None
        for start, network in (("denoiser.", denoiser), ("guide.", guide)):
            if network is not None:
                own = {name.removeprefix(start): value for name, value in arrays.items() if name.startswith(start)}
                network.load_state_dict(own)
        return denoiser, guide

    def _kicked(self, condition: Condition, seeds: Sequence[int], sigma: float) -> Condition:
        """The condition with noise on its features, each image's own."""
        columns = feature_columns(self.conditioning)
        if not sigma or condition.vector is None:
            return condition
        if columns is None:
            raise InputError("--condition-noise needs a model that is conditioned on features; this one is not")
        kick = Noise([seed ^ _NOISE_STREAM for seed in seeds], condition.vector.shape[1:])()
        return perturbed(condition, columns, sigma, kick)
