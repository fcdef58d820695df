"""Fidelity: whether the synthetic images look like real ones."""

import fourfold.fidelity.scores  # noqa: F401 - enters the metrics in the register
from fourfold.fidelity.extrapolation import frechet_distance_infinity
from fourfold.fidelity.frechet import FrechetReference, frechet_distance, frechet_distance_from_moments
from fourfold.fidelity.kernel import KernelDistance, kernel_distance, kernel_distance_with_variance
from fourfold.fidelity.manifold import density, precision, realism
from fourfold.fidelity.moments import Moments
from fourfold.fidelity.radiomic import radiomic_frechet_distance, radiomic_frechet_distance_v0

__all__ = [
    "FrechetReference",
    "KernelDistance",
    "Moments",
    "density",
    "frechet_distance",
    "frechet_distance_from_moments",
    "frechet_distance_infinity",
    "kernel_distance",
    "kernel_distance_with_variance",
    "precision",
    "radiomic_frechet_distance",
    "radiomic_frechet_distance_v0",
    "realism",
]
