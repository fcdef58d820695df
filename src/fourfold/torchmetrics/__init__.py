"""Feature-based metrics as `torchmetrics.Metric`, to be logged from a training loop.

A class accumulates the features of real and synthetic images and leaves the mathematics to the function of the same
name on arrays. They keep the features, since most need all pairs; `FrechetDistance` keeps sums only (count, mean and
scatter in float64, which merge exactly), in bounded memory. States merge across processes. `collect` asks several of
them with the extractor run once a batch, and `FourScores` asks one score of each question, with its null.

    metric = Coverage(network)
    for images in real:
        metric.update(images, real=True)
    for images in synthetic:
        metric.update(images, real=False)
    metric.compute()
"""

from fourfold.torchmetrics.four import FourScores
from fourfold.torchmetrics.frechet import FrechetDistance
from fourfold.torchmetrics.functions import FUNCTIONS, FeatureFunction
from fourfold.torchmetrics.kept import FeatureMetric
from fourfold.torchmetrics.named import (
    AlphaPrecision,
    BetaRecall,
    ClippedCoverage,
    ClippedDensity,
    Cmmd,
    Coverage,
    Density,
    ExactFrechetDistance,
    FrechetDistanceInfinity,
    ImageRetrievalScore,
    KernelDistance,
    LikelihoodDivergence,
    Precision,
    RadiomicFrechetDistance,
    RadiomicFrechetDistanceV0,
    Realism,
    Recall,
    RetrievalGap,
    SlicedWassersteinDistance,
    TopologicalPrecision,
    TopologicalRecall,
    VendiScore,
    collect,
)

__all__ = [
    "FUNCTIONS",
    "AlphaPrecision",
    "BetaRecall",
    "ClippedCoverage",
    "ClippedDensity",
    "Cmmd",
    "Coverage",
    "Density",
    "ExactFrechetDistance",
    "FeatureFunction",
    "FeatureMetric",
    "FourScores",
    "FrechetDistance",
    "FrechetDistanceInfinity",
    "ImageRetrievalScore",
    "KernelDistance",
    "LikelihoodDivergence",
    "Precision",
    "RadiomicFrechetDistance",
    "RadiomicFrechetDistanceV0",
    "Realism",
    "Recall",
    "RetrievalGap",
    "SlicedWassersteinDistance",
    "TopologicalPrecision",
    "TopologicalRecall",
    "VendiScore",
    "collect",
]
