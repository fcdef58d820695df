"""Outliers: images that do not belong to the population of the real ones, with a guaranteed false-alarm rate."""

from fourfold.outliers.alterations import ALTERATIONS, Alteration
from fourfold.outliers.conformal import Drift, OutsideShare, drift, outside_share, threshold
from fourfold.outliers.controls import COVERED, ControlResult, measure_controls
from fourfold.outliers.fitting import DEFAULT_FEATURES, DEFAULT_GATES, fit_gates
from fourfold.outliers.gates import Gates, Judgement
from fourfold.outliers.histogram import EMBEDDINGS
from fourfold.outliers.report import OutlierReport, outliers

__all__ = [
    "ALTERATIONS",
    "COVERED",
    "DEFAULT_FEATURES",
    "DEFAULT_GATES",
    "EMBEDDINGS",
    "Alteration",
    "ControlResult",
    "Drift",
    "Gates",
    "Judgement",
    "OutlierReport",
    "OutsideShare",
    "drift",
    "fit_gates",
    "measure_controls",
    "outliers",
    "outside_share",
    "threshold",
]
