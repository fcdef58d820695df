"""``--recipe latent-diffusion``: for images too large to denoise pixel by pixel."""

from __future__ import annotations

from dataclasses import asdict, replace
from typing import Any, ClassVar

import numpy as np
import torch
from torch import nn

from fourfold.errors import InputError
from fourfold.features.autoencoder.network import build_autoencoder, encode, rebuild, reconstruction_report
from fourfold.generate.diffusion.generator import build_denoiser, feature_columns
from fourfold.generate.diffusion.options import schedule_of
from fourfold.generate.diffusion.recipe import network_settings
from fourfold.generate.frameworks import framework
from fourfold.generate.latent.autoencoder import AutoencoderTrainee
from fourfold.generate.latent.generator import LatentDiffusionGenerator
from fourfold.generate.latent.latents import SPREAD, encode_all
from fourfold.generate.latent.options import LatentDiffusionOptions
from fourfold.generate.latent.trainee import LatentTrainee
from fourfold.generate.recipe import Recipe, Run
from fourfold.generate.training import Schedule, fit
from fourfold.generate.training.logs import write_grid
from fourfold.generate.training_set import TrainingSet

__all__ = ["LatentDiffusionRecipe"]

AUTOENCODER_SHARE = 0.4
"""Of the minutes, where training is limited by time."""

_PICTURED = 16


class LatentDiffusionRecipe(Recipe):
    """Diffusion on the latents of an autoencoder that is trained first."""

    name: ClassVar[str] = "latent-diffusion"
    family: ClassVar[str] = "diffusion"
    summary: ClassVar[str] = "the same on the latents of an autoencoder (KL or VQ) that is trained first"
    source: ClassVar[str] = "Rombach et al. 2022; Pinaya et al. 2022"
    conditions: ClassVar[tuple[str, ...]] = ("class", "labels", "attributes", "text", "mask", "features")
    fewest: ClassVar[int] = 16
    quick: ClassVar[dict[str, Any]] = {
        "steps": 300, "batch": 32, "channels": "32,32", "warmup": 10, "autoencoder_steps": 150,
        "autoencoder_channels": "16,16", "latent_channels": 2,
    }  # fmt: skip
    Options: ClassVar[type] = LatentDiffusionOptions
    Generator: ClassVar[type] = LatentDiffusionGenerator

    def fit(self, data: TrainingSet, options: Any, run: Run) -> tuple[LatentDiffusionGenerator, dict[str, Any]]:
        """As `Recipe.fit`."""
        if options.augment:
            raise InputError("augmentation is not offered on latents; train with --set augment=0")
        autoencoder, encoding = self._autoencoder(data, options, run)
        cache = run.folder / "latents.safetensors"
        latents = encode_all(autoencoder, data, cache, run.progress)
        settings = {
            **network_settings(options, data, SPREAD, options.patch or 1),
            **_autoencoder_settings(options),
            "latent_shape": list(latents.shape),
        }
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(run.seed)
            denoiser = build_denoiser(latents.shape, data.conditioning, settings)
        columns = feature_columns(data.conditioning)
        trainee = LatentTrainee(denoiser, framework(options.framework), latents, options, autoencoder, columns)
        minutes = None if run.minutes is None else (1 - AUTOENCODER_SHARE) * run.minutes
        outcome = fit(trainee, data, schedule_of(options), replace(run, minutes=minutes))
        cache.unlink(missing_ok=True)
        generator = LatentDiffusionGenerator(
            data.shape,
            data.conditioning,
            settings,
            outcome.modules["denoiser"],
            outcome.modules.get("guide"),
            autoencoder.cpu(),
            latents.scale,
        )
        statistics = {
            "mean": [round(float(value), 4) for value in latents.scale.mean],
            "deviation": [round(float(value), 4) for value in latents.scale.deviation],
        }
        return generator, {**outcome.record, "autoencoder": encoding, "latent_statistics": statistics}

    def _autoencoder(
        self, data: TrainingSet, options: LatentDiffusionOptions, run: Run
    ) -> tuple[nn.Module, dict[str, Any]]:
        """The trained autoencoder and what is said about it."""
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(run.seed + 1)
            autoencoder = build_autoencoder(data.shape, _autoencoder_settings(options))
        with torch.no_grad():
            latent_shape = tuple(encode(autoencoder, torch.zeros(1, *data.shape))[0].shape[1:])
        dims, planes = len(data.shape) - 1, data.shape[0]
        trainee = AutoencoderTrainee(autoencoder, latent_shape, options, dims, planes)
        schedule = Schedule(
            steps=options.autoencoder_steps,
            batch=options.batch,
            accumulate=options.accumulate,
            balance=options.balance,
            average=(options.average,),
            warmup=options.warmup,
            clip=options.clip,
        )
        folder = run.folder / "autoencoder"
        folder.mkdir(exist_ok=True)
        minutes = None if run.minutes is None else AUTOENCODER_SHARE * run.minutes
        # Reconstructions are no samples: there is nothing to watch for copies yet.
        unwatched = replace(data, holdout=None, holdout_conditions=None)
        outcome = fit(trainee, unwatched, schedule, replace(run, folder=folder, minutes=minutes, stop_at_onset=False))
        trained = outcome.modules["autoencoder"].autoencoder.eval().requires_grad_(False)
        reported = data.load_holdout() if data.holdout is not None else data.load()
        report = {
            "measured_on": "holdout" if data.holdout is not None else "training",
            **reconstruction_report(trained, reported),
        }
        first = torch.from_numpy(np.ascontiguousarray(reported[:_PICTURED]))
        pairs = torch.cat([first, rebuild(trained, first)], dim=-1)
        write_grid(run.folder / "reconstructions.png", pairs.numpy())
        return trained, {"training": outcome.record, "reconstruction": report, "latent_shape": list(latent_shape)}


def _autoencoder_settings(options: LatentDiffusionOptions) -> dict[str, Any]:
    """What `build_autoencoder` needs."""
    chosen = asdict(options)
    names = ("autoencoder", "autoencoder_channels", "latent_channels", "codes")
    return {name: list(chosen[name]) if isinstance(chosen[name], tuple) else chosen[name] for name in names}
