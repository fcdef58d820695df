"""Fidelity: whether the synthetic images look like real ones."""

# Both enter metrics in the register, whose order is that of the report.
import fourfold.fidelity.scores

# isort: split
import fourfold.fidelity.outside  # noqa: F401
from fourfold.fidelity.clipped import clipped_density
from fourfold.fidelity.cmmd import cmmd
from fourfold.fidelity.extrapolation import frechet_distance_infinity
from fourfold.fidelity.frechet import FrechetReference, frechet_distance, frechet_distance_from_moments
from fourfold.fidelity.kernel import KernelDistance, kernel_distance, kernel_distance_with_variance
from fourfold.fidelity.likelihood import feature_likelihood_divergence, likelihood_divergence
from fourfold.fidelity.manifold import density, precision, realism
from fourfold.fidelity.moments import Moments
from fourfold.fidelity.multiscale import multiscale_frechet_distance
from fourfold.fidelity.paired import paired_distance
from fourfold.fidelity.radiomic import radiomic_frechet_distance, radiomic_frechet_distance_v0
from fourfold.fidelity.similarity import PairDistance, ms_ssim, psnr, ssim
from fourfold.fidelity.sliced import sliced_wasserstein_distance
from fourfold.fidelity.support import alpha_precision
from fourfold.fidelity.topology import topological_precision

__all__ = [
    "FrechetReference",
    "KernelDistance",
    "Moments",
    "PairDistance",
    "alpha_precision",
    "clipped_density",
    "cmmd",
    "density",
    "feature_likelihood_divergence",
    "frechet_distance",
    "frechet_distance_from_moments",
    "frechet_distance_infinity",
    "kernel_distance",
    "kernel_distance_with_variance",
    "likelihood_divergence",
    "ms_ssim",
    "multiscale_frechet_distance",
    "paired_distance",
    "precision",
    "psnr",
    "radiomic_frechet_distance",
    "radiomic_frechet_distance_v0",
    "realism",
    "sliced_wasserstein_distance",
    "ssim",
    "topological_precision",
]
