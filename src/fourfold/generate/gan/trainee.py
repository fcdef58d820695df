"""Training a generator against a discriminator: non-saturating losses, lazy R1, adaptive augmentation.

References
----------
Goodfellow et al., "Generative adversarial nets", NeurIPS 2014 (the non-saturating loss).
Mescheder, Geiger, Nowozin, "Which training methods for GANs do actually converge?", ICML 2018 (R1).
Karras et al., "Analyzing and improving the image quality of StyleGAN", CVPR 2020: section 3.1 (lazy regularisation),
section 3.2 (path length).
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.functional import softplus

from fourfold.generate.adaptive_augmentation import Controller, augmented
from fourfold.generate.condition import Condition
from fourfold.generate.gan.generator import draw_images
from fourfold.generate.gan.options import GanOptions
from fourfold.generate.networks.discriminator import Discriminator
from fourfold.generate.networks.stylegan import StyleGenerator
from fourfold.generate.training.trainee import Batch, Trainee

__all__ = ["GanTrainee", "PathLength", "r1_penalty", "r1_weight"]

R1_INTERVAL, PATH_INTERVAL = 16, 4
"""Steps from one regularisation to the next."""
R1_AT_32 = 0.1
PATH_DECAY = 0.99


def r1_weight(pixels: int) -> float:
    """A weight of R1 for images of this many pixels: 0.1 at 32 pixels a side, and in proportion to the side.

    That is 0.8 at 256, where Karras et al. 2020 ("Training generative adversarial networks with limited data") take 1;
    their 0.01 at 32 pixels leaves so small a discriminator too wild.
    """
    return R1_AT_32 * math.sqrt(pixels) / 32


def r1_penalty(logits: Tensor, images: Tensor) -> Tensor:
    """The mean squared norm of the gradient of logits (n,) by the images (n, *shape) that they were computed from."""
    (gradient,) = torch.autograd.grad(logits.sum(), images, create_graph=True)
    return gradient.square().flatten(1).sum(dim=1).mean()


class PathLength(nn.Module):
    """Keeps a step in style space equally long in image space everywhere; holds the length that it aims at."""

    length: Tensor

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("length", torch.zeros(()))

    def forward(self, images: Tensor, styles: Tensor, generator: torch.Generator) -> Tensor:
        """The mean squared deviation of ``|J^T y|`` from its running mean, y normal (equation 4 of the paper).

        Parameters
        ----------
        images : tensor, shape (n, C, *spatial)
        styles : tensor, shape (n, layers, w)
            What the images were made of.
        generator : torch.Generator
        """
        y = torch.randn(images.shape, generator=generator).to(images) / math.sqrt(math.prod(images.shape[2:]))
        (gradient,) = torch.autograd.grad((images * y).sum(), styles, create_graph=True)
        lengths = gradient.square().sum(dim=2).mean(dim=1).sqrt()
        with torch.no_grad():
            self.length.lerp_(lengths.mean().float(), 1 - PATH_DECAY)
        return (lengths - self.length.clone()).square().mean()


class GanTrainee(Trainee):
    """A generator and its discriminator while they are trained.

    Parameters
    ----------
    generator : StyleGenerator
    discriminator : Discriminator
    options : GanOptions
    pixels : int
        Of an image.

    Attributes
    ----------
    r1 : float
        Weight of R1.
    """

    phases = ("discriminator", "generator")
    averaged = ("generator",)

    def __init__(
        self, generator: StyleGenerator, discriminator: Discriminator, options: GanOptions, pixels: int
    ) -> None:
        self.options = options
        self.r1 = r1_weight(pixels) if options.r1 is None else options.r1
        self.latent, self.noises = generator.latent, generator.noises
        self.layers = len(generator.synthesis.layers)
        self.modules: dict[str, nn.Module] = {
            "generator": generator,
            "discriminator": discriminator,
            "controller": Controller(options.augment_target, options.augment_images),
            "path_length": PathLength(),
        }
        rate, path = options.learning_rate, options.path_length
        self.optimizers: dict[str, torch.optim.Optimizer] = {
            "discriminator": _adam(discriminator, rate, R1_INTERVAL if self.r1 > 0 else 0),
            "generator": _adam(generator, rate, PATH_INTERVAL if path > 0 else 0),
        }

    def describe(self) -> dict[str, Any]:
        """The recipe and its options."""
        return {"recipe": "gan", **asdict(self.options)}

    def loss(self, phase: str, batch: Batch, generator: torch.Generator) -> Tensor:
        """As `Trainee.loss`."""
        vector = None if batch.condition is None else batch.condition.vector
        critic = self.modules["discriminator"]
        if phase == "discriminator":
            return self._discriminator_loss(batch.images, vector, generator)
        # Wrapped for several GPUs, it would wait for gradients of weights that get none here.
        critic = getattr(critic, "module", critic)
        images, styles = self._generated(len(batch), vector, batch.images.device, generator)
        loss = softplus(-critic(self._augmented(images, generator), vector)).mean()
        if self.options.path_length > 0 and self._due(PATH_INTERVAL):
            penalty = self.modules["path_length"](images, styles, generator)
            loss = loss + self.options.path_length * PATH_INTERVAL * penalty
        return loss

    def after_step(self, step: int) -> Mapping[str, float]:
        """As `Trainee.after_step`: adapts the augmentation; logs its probability and the sign that it follows."""
        controller = self.modules["controller"]
        sign = controller.adapt()
        return {"augmentation": float(controller.probability), "sign_real": sign}

    def draw(self, modules: Mapping[str, nn.Module], seeds: list[int], condition: Condition | None) -> Tensor:
        """As `Trainee.draw`."""
        return draw_images(modules["generator"], seeds, condition)

    def _discriminator_loss(self, images: Tensor, vector: Tensor | None, generator: torch.Generator) -> Tensor:
        critic, controller = self.modules["discriminator"], self.modules["controller"]
        with torch.no_grad():
            generated, _ = self._generated(len(images), vector, images.device, generator)
            generated = self._augmented(generated, generator)
            images = self._augmented(images, generator)
        due = self.r1 > 0 and self._due(R1_INTERVAL)
        images = images.detach().requires_grad_(due)
        logits = critic(images, vector)
        controller.watch(logits)
        loss = softplus(-logits).mean() + softplus(critic(generated, vector)).mean()
        if due:
            loss = loss + self.r1 / 2 * R1_INTERVAL * r1_penalty(logits, images)
        return loss

    def _generated(
        self, count: int, vector: Tensor | None, device: torch.device, generator: torch.Generator
    ) -> tuple[Tensor, Tensor]:
        z, other = torch.randn(2, count, self.latent, generator=generator).to(device)
        noise = torch.randn(count, self.noises, generator=generator).to(device)
        mixed = torch.rand(count, generator=generator) < self.options.mixing
        crossover = torch.randint(1, max(self.layers, 2), (count,), generator=generator)
        crossover = torch.where(mixed, crossover, self.layers).to(device)
        return self.modules["generator"](z, noise, vector, other if self.options.mixing > 0 else None, crossover)

    def _augmented(self, images: Tensor, generator: torch.Generator) -> Tensor:
        return augmented(images, float(self.modules["controller"].probability), generator)

    def _due(self, interval: int) -> bool:
        return int(self.modules["controller"].steps) % interval == 0


def _adam(module: nn.Module, rate: float, interval: int) -> torch.optim.Adam:
    """Adam, its rates made up for a regularisation every `interval` steps (0 for none), as in section 3.1."""
    share = interval / (interval + 1) if interval else 1.0
    return torch.optim.Adam(module.parameters(), lr=rate * share, betas=(0.0, 0.99**share), eps=1e-8)
