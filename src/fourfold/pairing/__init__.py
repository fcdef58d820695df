"""Pairs: restored or translated images beside the images they should be.

`paired` matches the images of two or three sets, measures each pair, and gives every number with what it would be if
nothing had been achieved (the untreated inputs against the targets), with what unrelated images score, and with an
interval over patients. Sets without partners are judged by `fourfold.evaluate`.
"""

from fourfold.pairing.matching import match_sets
from fourfold.pairing.means import Mean, mean_of_patients, mean_of_unrelated
from fourfold.pairing.measures import Measure, open_measures
from fourfold.pairing.paired import paired
from fourfold.pairing.results import PairedSet, PairedSets, PairedValues

__all__ = [
    "Mean",
    "Measure",
    "PairedSet",
    "PairedSets",
    "PairedValues",
    "match_sets",
    "mean_of_patients",
    "mean_of_unrelated",
    "open_measures",
    "paired",
]
