"""``--recipe diffusion``: a U-Net that removes noise, under any of six frameworks and any condition."""

from __future__ import annotations

from typing import Any, ClassVar

import numpy as np
import torch

from fourfold.errors import InputError
from fourfold.generate.diffusion.generator import DiffusionGenerator, build_denoiser, feature_columns
from fourfold.generate.diffusion.options import DiffusionOptions, schedule_of
from fourfold.generate.diffusion.trainee import DiffusionTrainee
from fourfold.generate.frameworks import framework
from fourfold.generate.recipe import Recipe, Run
from fourfold.generate.training import Outcome, fit
from fourfold.generate.training.augmentation import width as augmentation_width
from fourfold.generate.training_set import TrainingSet

__all__ = ["DiffusionRecipe", "network_settings"]

PRIVATE_SIGMA_DATA = 0.5
"""What EDM assumes; private training may not measure it."""

_MEASURED = 2048


class DiffusionRecipe(Recipe):
    """Diffusion on the pixels themselves."""

    name: ClassVar[str] = "diffusion"
    family: ClassVar[str] = "diffusion"
    summary: ClassVar[str] = "denoising U-Net on pixels; frameworks edm, ddpm, ncsn, vp, ve, flow; private training"
    source: ClassVar[str] = "Ho et al. 2020; Karras et al. 2022"
    conditions: ClassVar[tuple[str, ...]] = ("class", "labels", "attributes", "text", "mask", "features")
    fewest: ClassVar[int] = 16
    quick: ClassVar[dict[str, Any]] = {"steps": 300, "batch": 32, "channels": "32,32", "patch": 2, "warmup": 10}
    Options: ClassVar[type] = DiffusionOptions
    Generator: ClassVar[type] = DiffusionGenerator

    def fit(self, data: TrainingSet, options: Any, run: Run) -> tuple[DiffusionGenerator, dict[str, Any]]:
        """As `Recipe.fit`."""
        rows = np.random.default_rng([run.seed, 0]).permutation(len(data))[:_MEASURED]
        spread = PRIVATE_SIGMA_DATA if options.epsilon is not None else _spread(2 * data.load(np.sort(rows)) - 1)
        settings = network_settings(options, data, spread, options.patch_for(data.shape))
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(run.seed)
            denoiser = build_denoiser(data.shape, data.conditioning, settings)
        trainee = DiffusionTrainee(
            denoiser, framework(options.framework), data.shape, options, feature_columns(data.conditioning)
        )
        outcome, record = _trained(trainee, data, options, run)
        generator = DiffusionGenerator(
            data.shape, data.conditioning, settings, outcome.modules["denoiser"], outcome.modules.get("guide")
        )
        return generator, record


def _trained(
    trainee: DiffusionTrainee, data: TrainingSet, options: DiffusionOptions, run: Run
) -> tuple[Outcome, dict[str, Any]]:
    """What the loop gives, and what is said about it; privately where epsilon is set."""
    if options.epsilon is None:
        outcome = fit(trainee, data, schedule_of(options), run)
        return outcome, outcome.record
    from fourfold.generate.training.private import Privacy, fit_privately

    asked = Privacy(options.epsilon, options.delta, options.clip, options.draws)
    outcome, privacy = fit_privately(trainee, data, schedule_of(options), run, asked)
    return outcome, {**outcome.record, "privacy": privacy.describe()}


def network_settings(options: DiffusionOptions, data: TrainingSet, sigma_data: float, patch: int) -> dict[str, Any]:
    """What is needed to build the network again."""
    law = framework(options.framework)
    if data.conditioning.part("features") is None and options.condition_noise:
        raise InputError("condition_noise needs a model that is conditioned on features; add --condition features")
    return {
        "framework": options.framework,
        "prediction": law.prediction if options.prediction == "own" else options.prediction,
        "sigma_data": sigma_data,
        "channels": list(options.channels),
        "blocks": options.blocks,
        "patch": patch,
        "augmentation": augmentation_width(len(data.shape) - 1) if options.augment else 0,
        "guided": bool(data.conditioning.parts) and options.dropout > 0,
    }


def _spread(values: np.ndarray) -> float:
    """Standard deviation of what is denoised, never 0."""
    return max(float(np.std(values, dtype=np.float64)), 1e-3)
