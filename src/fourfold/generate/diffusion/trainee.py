"""Training a denoiser: the weighted squared error of its estimate of x0, over the noise levels of a framework."""

from __future__ import annotations

import copy
from collections.abc import Mapping
from dataclasses import asdict, replace
from typing import Any

import torch
from torch import Tensor, nn

from fourfold.generate.condition import Condition
from fourfold.generate.denoiser import Preconditioned, bind, spread
from fourfold.generate.diffusion.options import DiffusionOptions
from fourfold.generate.frameworks import Framework
from fourfold.generate.noise import Noise
from fourfold.generate.sampling import sample
from fourfold.generate.training.trainee import Batch, Trainee

__all__ = ["DiffusionTrainee", "perturbed"]

WATCHED_QUANTILES = (0.2, 0.4, 0.6, 0.8)
"""Training levels at which training and holdout images are compared."""

SNAPSHOT_EVALUATIONS = 12
GUIDE_SHARE = 8
"""Autoguidance keeps the weights of one step in eight: the guide must be worse in the same way, not otherwise."""


class DiffusionTrainee(Trainee):
    """A denoiser while it is trained.

    Parameters
    ----------
    denoiser : Preconditioned
    framework : Framework
    shape : tuple of int
        Of what is denoised.
    options : DiffusionOptions
    feature_columns : slice or None
        Where feature conditions stand in the vector, for condition noise.
    """

    averaged = ("denoiser",)

    def __init__(
        self,
        denoiser: Preconditioned,
        framework: Framework,
        shape: tuple[int, ...],
        options: DiffusionOptions,
        feature_columns: slice | None = None,
    ) -> None:
        self.framework = framework
        self.parametrisation = denoiser.parametrisation
        self.shape = shape
        self.options = options
        self.feature_columns = feature_columns
        self.modules = {"denoiser": denoiser}
        if options.guide == "early":
            self.modules["guide"] = copy.deepcopy(denoiser).requires_grad_(False)
        self.optimizers = {"loss": torch.optim.Adam(denoiser.parameters(), options.learning_rate, betas=(0.9, 0.99))}

    def clean(self, batch: Batch, generator: torch.Generator) -> Tensor:
        """What is denoised, for the images of a batch: the images themselves."""
        return batch.images

    def loss(self, phase: str, batch: Batch, generator: torch.Generator) -> Tensor:
        """``E w(sigma) |D(x0 + sigma eps; sigma) - x0|^2``, w = 1 / c_out^2 (Karras et al. 2022, equation 8)."""
        return self.losses(batch, generator).mean()

    def describe(self) -> dict[str, Any]:
        """The options."""
        return asdict(self.options)

    def losses(self, batch: Batch, generator: torch.Generator) -> Tensor:
        """The same for each image, shape (n,), over levels that are spread evenly over the batch."""
        sigma = self.framework.draw(len(batch), generator)
        return self._losses(batch, sigma[torch.randperm(len(batch), generator=generator)], generator)

    def independent_losses(self, batch: Batch, generator: torch.Generator) -> Tensor:
        """The same over levels that know nothing of each other, as private training needs them."""
        uniform = torch.rand(len(batch), generator=generator, dtype=torch.float64)
        return self._losses(batch, self.framework.quantile(uniform.clamp(1e-6, 1 - 1e-6)).float(), generator)

    def _losses(self, batch: Batch, sigma: Tensor, generator: torch.Generator) -> Tensor:
        x0 = self.clean(batch, generator)
        noise = torch.randn(x0.shape, generator=generator)
        condition = batch.condition
        if condition is not None and condition.vector is not None and self.options.condition_noise > 0:
            kick = torch.randn(condition.vector.shape, generator=generator).to(condition.vector)
            condition = perturbed(condition, self.feature_columns, self.options.condition_noise, kick)
        if batch.augmentation is not None:
            condition = replace(condition or Condition(), told=batch.augmentation)
        return self._error(self.modules["denoiser"], x0, sigma.to(x0), noise.to(x0), condition)

    def after_step(self, step: int) -> Mapping[str, float]:
        """Keeps the guide of autoguidance when its time has come."""
        if "guide" in self.modules and step == max(1, self.options.steps // GUIDE_SHARE):
            own = {name.removeprefix("module."): value for name, value in self.modules["denoiser"].state_dict().items()}
            self.modules["guide"].load_state_dict(own)
        return {}

    def draw(self, modules: Mapping[str, nn.Module], seeds: list[int], condition: Condition | None) -> Tensor:
        """Images in [0, 1], with few evaluations."""
        device = next(modules["denoiser"].parameters()).device
        noise = Noise(seeds, self.shape, device)
        denoise = bind(modules["denoiser"], None if condition is None else condition.to(device))
        drawn = sample(denoise, self.framework, noise, sampler="dpm++2m", evaluations=SNAPSHOT_EVALUATIONS)
        return self.shown(modules, drawn)

    def shown(self, modules: Mapping[str, nn.Module], drawn: Tensor) -> Tensor:
        """Images in [0, 1] of what was drawn."""
        return ((drawn + 1) / 2).clamp(0, 1)

    def watched(
        self, modules: Mapping[str, nn.Module], images: Tensor, condition: Condition | None, generator: torch.Generator
    ) -> Tensor:
        """The denoising loss of each image over four levels, with noise that depends on its place alone."""
        total = torch.zeros(len(images))
        with torch.no_grad():
            for quantile in WATCHED_QUANTILES:
                sigma = self.framework.quantile(torch.tensor([quantile], dtype=torch.float64)).float()
                noise = torch.randn(images.shape, generator=generator).to(images)
                level = sigma.expand(len(images)).to(images)
                total += self._error(modules["denoiser"], images, level, noise, condition).cpu()
        return total / len(WATCHED_QUANTILES)

    def _error(
        self, denoiser: nn.Module, x0: Tensor, sigma: Tensor, noise: Tensor, condition: Condition | None
    ) -> Tensor:
        level = spread(sigma, x0)
        estimate = denoiser(x0 + level * noise, sigma, condition)
        weight = self.parametrisation.weight(sigma)
        return weight * (estimate - x0).square().flatten(1).mean(dim=1)


def perturbed(condition: Condition, columns: slice | None, sigma: float, noise: Tensor) -> Condition:
    """A condition whose feature columns carry noise, at their old length; what is withheld stays so.

    Parameters
    ----------
    condition : Condition
    columns : slice or None
        Of the vector; None changes nothing.
    sigma : float
        Standard deviation, where a column has about 1.
    noise : tensor, shape of ``condition.vector``
        Standard normal.
    """
    if columns is None or condition.vector is None:
        return condition
    features = condition.vector[:, columns]
    length = features.norm(dim=1, keepdim=True)
    moved = features + sigma * noise[:, columns]
    moved = moved * (length / moved.norm(dim=1, keepdim=True).clamp_min(1e-8))
    vector = condition.vector.clone()
    vector[:, columns] = moved
    return replace(condition, vector=vector)
