"""Variety: whether the synthetic images differ as real ones do, and whether every kind of real image is among them."""

import fourfold.variety.image_scores
import fourfold.variety.scores  # noqa: F401 - both enter their metrics in the register
from fourfold.variety.clipped import clipped_coverage, expected_clipped_coverage
from fourfold.variety.manifold import coverage, expected_coverage, recall
from fourfold.variety.mean_image import mean_image_file_size
from fourfold.variety.retrieval import RetrievalScore, image_retrieval_score, occupancy_estimate, occupancy_limits
from fourfold.variety.retrieval_gap import retrieval_gap
from fourfold.variety.similarity import ms_ssim_diversity, similarity_scales
from fourfold.variety.support import beta_recall
from fourfold.variety.topology import topological_recall
from fourfold.variety.vendi import vendi_score

__all__ = [
    "RetrievalScore",
    "beta_recall",
    "clipped_coverage",
    "coverage",
    "expected_clipped_coverage",
    "expected_coverage",
    "image_retrieval_score",
    "mean_image_file_size",
    "ms_ssim_diversity",
    "occupancy_estimate",
    "occupancy_limits",
    "recall",
    "retrieval_gap",
    "similarity_scales",
    "topological_recall",
    "vendi_score",
]
