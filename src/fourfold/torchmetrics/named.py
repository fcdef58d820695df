"""A class for each row of the table, and collections of them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from torchmetrics import MetricCollection

from fourfold.torchmetrics.functions import function_named
from fourfold.torchmetrics.kept import Extractor, FeatureMetric

__all__ = [
    "AlphaPrecision",
    "BetaRecall",
    "ClippedCoverage",
    "ClippedDensity",
    "Cmmd",
    "Coverage",
    "Density",
    "ExactFrechetDistance",
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

_CLASSES: dict[str, type[FeatureMetric]] = {}


def _of(name: str, title: str) -> type[FeatureMetric]:
    """The class of a function; `title` is the name that it is bound to, by which it is pickled."""
    function = function_named(name)
    members: dict[str, Any] = {
        "__module__": __name__,
        "__qualname__": title,
        "__doc__": f"See `fourfold.{function.axis}.{name}` for the metric, `FeatureMetric` for the parameters.",
        "function": function,
        "higher_is_better": function.higher_is_better,
        "plot_lower_bound": function.bounds[0],
        "plot_upper_bound": function.bounds[1],
    }
    _CLASSES[name] = type(title, (FeatureMetric,), members)
    return _CLASSES[name]


AlphaPrecision = _of("alpha_precision", "AlphaPrecision")
BetaRecall = _of("beta_recall", "BetaRecall")
ClippedCoverage = _of("clipped_coverage", "ClippedCoverage")
ClippedDensity = _of("clipped_density", "ClippedDensity")
Cmmd = _of("cmmd", "Cmmd")
Coverage = _of("coverage", "Coverage")
Density = _of("density", "Density")
# The one in bounded memory has the name; this one agrees with the function for any number of images.
ExactFrechetDistance = _of("frechet_distance", "ExactFrechetDistance")
FrechetDistanceInfinity = _of("frechet_distance_infinity", "FrechetDistanceInfinity")
ImageRetrievalScore = _of("image_retrieval_score", "ImageRetrievalScore")
KernelDistance = _of("kernel_distance", "KernelDistance")
LikelihoodDivergence = _of("likelihood_divergence", "LikelihoodDivergence")
Precision = _of("precision", "Precision")
RadiomicFrechetDistance = _of("radiomic_frechet_distance", "RadiomicFrechetDistance")
RadiomicFrechetDistanceV0 = _of("radiomic_frechet_distance_v0", "RadiomicFrechetDistanceV0")
Realism = _of("realism", "Realism")
Recall = _of("recall", "Recall")
RetrievalGap = _of("retrieval_gap", "RetrievalGap")
SlicedWassersteinDistance = _of("sliced_wasserstein_distance", "SlicedWassersteinDistance")
TopologicalPrecision = _of("topological_precision", "TopologicalPrecision")
TopologicalRecall = _of("topological_recall", "TopologicalRecall")
VendiScore = _of("vendi_score", "VendiScore")


def collect(
    names: Sequence[str], extractor: Extractor | None = None, *, reset_real_features: bool = True, **kwargs: Any
) -> MetricCollection:
    """Several metrics of the same features, for which the extractor runs once a batch.

    Parameters
    ----------
    names : sequence of str
        Of `fourfold.torchmetrics.FUNCTIONS`.
    extractor, reset_real_features
        As for `FeatureMetric`.
    **kwargs
        For each `torchmetrics.Metric`.

    Returns
    -------
    MetricCollection
        By name. All share one copy of the features, from the first batch on.

    Raises
    ------
    InputError
        Where there is no metric of that name.

    Examples
    --------
    >>> import torch
    >>> metrics = collect(["kernel_distance", "vendi_score"])
    >>> metrics.update(torch.tensor([[0.0], [2.0]]), real=True)
    >>> metrics.update(torch.tensor([[1.0], [3.0]]), real=False)
    >>> {name: round(float(value), 6) for name, value in metrics.compute().items()}
    {'kernel_distance': -121.0, 'vendi_score': 1.0}
    """
    chosen = [function_named(name).name for name in names]
    made = {name: _CLASSES[name](extractor, reset_real_features=reset_real_features, **kwargs) for name in chosen}
    # Named here, groups hold for the first batch too; found by comparing states, they would not.
    return MetricCollection(made, compute_groups=[chosen])
