"""``--recipe gan``: a generator trained against a discriminator."""

from __future__ import annotations

import math
from typing import Any, ClassVar

import torch

from fourfold.generate.gan.generator import GanGenerator, style_generator
from fourfold.generate.gan.options import GanOptions, schedule_of
from fourfold.generate.gan.trainee import GanTrainee
from fourfold.generate.networks.discriminator import Discriminator
from fourfold.generate.recipe import Recipe, Run
from fourfold.generate.training import fit
from fourfold.generate.training_set import TrainingSet

__all__ = ["GanRecipe"]


class GanRecipe(Recipe):
    """Style-based adversarial training."""

    name: ClassVar[str] = "gan"
    family: ClassVar[str] = "adversarial"
    summary: ClassVar[str] = "compact StyleGAN2 with adaptive augmentation; draws an image in one pass; truncation"
    source: ClassVar[str] = "Karras et al. 2020 (StyleGAN2, ADA)"
    conditions: ClassVar[tuple[str, ...]] = ("class", "labels", "attributes", "features")
    fewest: ClassVar[int] = 16
    quick: ClassVar[dict[str, Any]] = {"steps": 150, "batch": 16, "channels": 8, "latent": 32}
    Options: ClassVar[type] = GanOptions
    Generator: ClassVar[type] = GanGenerator

    def fit(self, data: TrainingSet, options: Any, run: Run) -> tuple[GanGenerator, dict[str, Any]]:
        """As `Recipe.fit`."""
        conditioning, shape = data.conditioning, data.shape
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(run.seed)
            network = style_generator(shape, conditioning, options.latent, options.channels, options.mapping)
            discriminator = Discriminator(shape, conditioning.width, channels=options.channels)
        trainee = GanTrainee(network, discriminator, options, math.prod(shape[1:]))
        outcome = fit(trainee, data, schedule_of(options), run)
        averaged = outcome.modules["generator"]
        augmentation = float(outcome.modules["controller"].probability)
        record = {**outcome.record, "r1": trainee.r1, "augmentation": augmentation}
        return GanGenerator(shape, conditioning, averaged, options.channels, options.mapping), record
