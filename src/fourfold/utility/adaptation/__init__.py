"""Adaptation: a network learned on labelled images made to work on images of another kind, without their labels."""

from fourfold.utility.adaptation.adapt import Adaptation, adapt
from fourfold.utility.adaptation.pairs import matched_pairs
from fourfold.utility.adaptation.predictions import write_predictions
from fourfold.utility.adaptation.regression import Regression
from fourfold.utility.adaptation.storage import Adapted, open_adapted, write_adapted

__all__ = [
    "Adaptation",
    "Adapted",
    "Regression",
    "adapt",
    "matched_pairs",
    "open_adapted",
    "write_adapted",
    "write_predictions",
]
