"""The recipe ``gan``: a compact StyleGAN2 for small sets, with adaptive augmentation.

Drawing an image takes one pass of a small network, dozens of times less than diffusion; what a GAN gives up for it is
variety, which the evaluation shows. Its knob is truncation: below 1 images come nearer to the mean of their condition,
which looks better and varies less.
"""

from fourfold.generate.gan.generator import GanGenerator
from fourfold.generate.gan.options import GanOptions
from fourfold.generate.gan.recipe import GanRecipe
from fourfold.generate.gan.trainee import GanTrainee

__all__ = ["GanGenerator", "GanOptions", "GanRecipe", "GanTrainee"]
