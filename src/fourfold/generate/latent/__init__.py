"""Latent diffusion: an autoencoder first, then diffusion on what it encodes."""

from fourfold.features.autoencoder.network import build_autoencoder, decode, encode
from fourfold.generate.latent.generator import LatentDiffusionGenerator
from fourfold.generate.latent.options import LatentDiffusionOptions
from fourfold.generate.latent.recipe import LatentDiffusionRecipe

__all__ = [
    "LatentDiffusionGenerator",
    "LatentDiffusionOptions",
    "LatentDiffusionRecipe",
    "build_autoencoder",
    "decode",
    "encode",
]
