"""Many synthetic sets side by side: ranks, fronts, agreement of scores, prediction of utility, ladders.

`compare` evaluates each set once and keeps its scores; everything else are statistics over sets, plain functions on
arrays. It says which sets can be told apart, not which one is to be chosen.
"""

from fourfold.comparing.association import Associations, associations, too_few_sets
from fourfold.comparing.compare import compare
from fourfold.comparing.fronts import Standing, standings
from fourfold.comparing.ladders import Movement, movement
from fourfold.comparing.layout import side_by_side
from fourfold.comparing.measured import MeasuredUtility, read_measured_utility
from fourfold.comparing.prediction import PREDICTORS, predictions
from fourfold.comparing.ranks import rank_ranges, told_apart
from fourfold.comparing.results import (
    ComparedSet,
    ComparedSets,
    Front,
    Ladder,
    Matrix,
    Prediction,
    RealSet,
    Row,
    Target,
)

__all__ = [
    "PREDICTORS",
    "Associations",
    "ComparedSet",
    "ComparedSets",
    "Front",
    "Ladder",
    "Matrix",
    "MeasuredUtility",
    "Movement",
    "Prediction",
    "RealSet",
    "Row",
    "Standing",
    "Target",
    "associations",
    "compare",
    "movement",
    "predictions",
    "rank_ranges",
    "read_measured_utility",
    "side_by_side",
    "standings",
    "told_apart",
    "too_few_sets",
]
