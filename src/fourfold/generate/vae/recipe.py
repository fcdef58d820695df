"""``--recipe vae``: an autoencoder, and a law fitted to its latents."""

from __future__ import annotations

import math
from typing import Any, ClassVar

import numpy as np
import torch

from fourfold.generate.baselines.classes import class_names, rows_by_class
from fourfold.generate.baselines.law import Law, fit_mixtures
from fourfold.generate.conditioning.aggregates import FEWEST_PATIENTS
from fourfold.generate.generator import Generator
from fourfold.generate.recipe import Family, Recipe, Run
from fourfold.generate.training import fit
from fourfold.generate.training_set import TrainingSet
from fourfold.generate.vae.generator import VaeGenerator
from fourfold.generate.vae.network import Vae
from fourfold.generate.vae.options import VaeOptions, schedule_of
from fourfold.generate.vae.trainee import VaeTrainee

__all__ = ["VaeRecipe"]

_TOGETHER = 64
_PRIOR_STREAM = 3


class VaeRecipe(Recipe):
    """Fits `VaeGenerator`."""

    name: ClassVar[str] = "vae"
    family: ClassVar[Family] = "autoencoder"
    summary: ClassVar[str] = "a variational autoencoder; trains in minutes, draws blurred images in one pass"
    source: ClassVar[str] = "Kingma & Welling 2014; Rybkin et al. 2021"
    conditions: ClassVar[tuple[str, ...]] = ("class", "labels", "attributes", "features")
    fewest: ClassVar[int] = 16
    quick: ClassVar[dict[str, Any]] = {"steps": 300, "batch": 32, "channels": "16,32", "latent": 8, "warmup": 10}
    Options: ClassVar[type] = VaeOptions
    Generator: ClassVar[type[Generator]] = VaeGenerator

    def fit(self, data: TrainingSet, options: VaeOptions, run: Run) -> tuple[VaeGenerator, dict[str, Any]]:
        """As `Recipe.fit`."""
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(run.seed)
            vae = Vae(data.shape, options.latent, options.channels, data.conditioning.width)
        outcome = fit(VaeTrainee(vae, options), data, schedule_of(options), run)
        trained = outcome.modules["vae"].eval().requires_grad_(False)
        latents, error, divergence = _encoded(trained.to(run.device), data, run)
        trained.cpu()
        law, said = _law(latents, data, options, run.seed)
        record = {
            **outcome.record,
            "reconstruction_error": error,
            "divergence": divergence,
            **said,
            "warnings": [*outcome.record.get("warnings", []), *said.get("warnings", [])],
        }
        return VaeGenerator(data.shape, data.conditioning, trained, options.channels, law), record


def _encoded(vae: Vae, data: TrainingSet, run: Run) -> tuple[np.ndarray, float, float]:
    """One latent of each training image, drawn from its own law; root mean squared error; mean divergence."""
    rng = np.random.default_rng([run.seed, _PRIOR_STREAM])
    latents = np.empty((len(data), vae.latent), dtype=np.float32)
    error = divergence = 0.0
    condition = data.conditioning.encode(data.conditions)
    vector = None if condition is None else condition.vector
    with torch.no_grad():
        for start in range(0, len(data), _TOGETHER):
            rows = np.arange(start, min(start + _TOGETHER, len(data)))
            images = torch.from_numpy(np.ascontiguousarray(data.load(rows))).to(run.device)
            mean, logarithm = vae.encode(images)
            noise = torch.from_numpy(rng.standard_normal(mean.shape, dtype=np.float32)).to(run.device)
            z = mean + (logarithm / 2).exp() * noise
            rebuilt = vae.decode(z, None if vector is None else vector[rows].to(run.device))
            latents[rows] = z.numpy(force=True)
            error += float((rebuilt - images).square().flatten(1).mean(dim=1).sum())
            divergence += float((mean.square() + logarithm.exp() - 1 - logarithm).sum() / 2)
    return latents, math.sqrt(error / len(data)), divergence / len(data)


def _law(latents: np.ndarray, data: TrainingSet, options: VaeOptions, seed: int) -> tuple[Law, dict[str, Any]]:
    """The law of the latents by class; a class of few patients gets that of all."""
    classes = rows_by_class(data, "vae")
    if options.prior == "standard":
        count, size = len(class_names(data.conditioning)), options.latent
        identity = np.broadcast_to(np.eye(size, dtype=np.float32), (count, 1, size, size))
        return Law(np.ones((count, 1)), np.zeros((count, 1, size), dtype=np.float32), identity.copy()), {}
    known = {
        name: rows if len(np.unique(data.patients[rows])) >= FEWEST_PATIENTS else np.arange(len(data))
        for name, rows in classes.items()
    }
    return fit_mixtures(latents, known, data.patients, seed=seed)
