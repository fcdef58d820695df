"""Intervals and tests that all four axes share.

Nothing here knows what an image is: counts, p-values and samples in, intervals and decisions out.
"""

from fourfold.statistics.differences import difference_bound, miettinen_nurminen, miettinen_nurminen_p, residual_risk
from fourfold.statistics.discoveries import benjamini_hochberg, cauchy_combination, holm
from fourfold.statistics.epsilon import (
    bailey_ratio_bound,
    epsilon_lower_bound,
    katz_ratio_bound,
    one_run_epsilon,
)
from fourfold.statistics.intervals import clopper_pearson, upper_bound, variance_of_mean, wilson
from fourfold.statistics.ranking import RankedArea, control_threshold, ranked_area
from fourfold.statistics.tails import SMALLEST_P, ParetoTail, empirical_p_values, fit_tail, tail_p_values

__all__ = [
    "SMALLEST_P",
    "ParetoTail",
    "RankedArea",
    "bailey_ratio_bound",
    "benjamini_hochberg",
    "cauchy_combination",
    "clopper_pearson",
    "control_threshold",
    "difference_bound",
    "empirical_p_values",
    "epsilon_lower_bound",
    "fit_tail",
    "holm",
    "katz_ratio_bound",
    "miettinen_nurminen",
    "miettinen_nurminen_p",
    "one_run_epsilon",
    "ranked_area",
    "residual_risk",
    "tail_p_values",
    "upper_bound",
    "variance_of_mean",
    "wilson",
]
