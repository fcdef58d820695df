"""Intervals and tests that all four axes share.

Nothing here knows what an image is: counts, p-values and samples in, intervals and decisions out.
"""

from fourfold.statistics.discoveries import benjamini_hochberg, cauchy_combination
from fourfold.statistics.intervals import clopper_pearson, upper_bound, variance_of_mean, wilson
from fourfold.statistics.tails import SMALLEST_P, ParetoTail, empirical_p_values, fit_tail, tail_p_values

__all__ = [
    "SMALLEST_P",
    "ParetoTail",
    "benjamini_hochberg",
    "cauchy_combination",
    "clopper_pearson",
    "empirical_p_values",
    "fit_tail",
    "tail_p_values",
    "upper_bound",
    "variance_of_mean",
    "wilson",
]
