"""Diffusion in pixel space: the recipe, its training and its generator."""

from fourfold.generate.diffusion.generator import DiffusionGenerator
from fourfold.generate.diffusion.options import DiffusionOptions
from fourfold.generate.diffusion.recipe import DiffusionRecipe
from fourfold.generate.diffusion.trainee import DiffusionTrainee

__all__ = ["DiffusionGenerator", "DiffusionOptions", "DiffusionRecipe", "DiffusionTrainee"]
