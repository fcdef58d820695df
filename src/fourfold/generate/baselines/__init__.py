"""Generators without a network, fitted in seconds: what every trained one is measured against."""

from fourfold.generate.baselines.gaussian import GaussianGenerator, GaussianOptions, GaussianRecipe
from fourfold.generate.baselines.kde import KdeGenerator, KdeOptions, KdeRecipe
from fourfold.generate.baselines.mixture import MixtureGenerator, MixtureOptions, MixtureRecipe
from fourfold.generate.baselines.smote import SmoteGenerator, SmoteOptions, SmoteRecipe

__all__ = [
    "GaussianGenerator",
    "GaussianOptions",
    "GaussianRecipe",
    "KdeGenerator",
    "KdeOptions",
    "KdeRecipe",
    "MixtureGenerator",
    "MixtureOptions",
    "MixtureRecipe",
    "SmoteGenerator",
    "SmoteOptions",
    "SmoteRecipe",
]
