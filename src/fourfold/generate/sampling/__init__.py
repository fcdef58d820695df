"""Samplers: from noise to images in a number of network calls that the user chooses."""

from fourfold.generate.sampling.register import SAMPLERS, Sampler, sampler
from fourfold.generate.sampling.sample import sample

__all__ = ["SAMPLERS", "Sampler", "sample", "sampler"]
