"""Intervals by resampling: how far a score may be off, and how far from it the null may be.

Real images come in patients, and a bootstrap repeats them: repeated images are neighbours at distance 0, which biases
every score built on neighbours. So real patients are subsampled without replacement. A statistic that is smooth in
its samples deviates, on random subsamples with a share f of each set, from their mean with (1 - f) / f times its own
variance on the whole: for halves (f = 1/2) the variance of the deviations is the variance of the score.
"""

from fourfold.resampling.calibration import calibrate
from fourfold.resampling.draws import FEWEST, bootstrap_means, chunk_rows, deal, leave_out, subsample, too_few
from fourfold.resampling.estimate import Estimate, normal_interval
from fourfold.resampling.inversion import excess_interval, facing_null, linear_rate

__all__ = [
    "FEWEST",
    "Estimate",
    "bootstrap_means",
    "calibrate",
    "chunk_rows",
    "deal",
    "excess_interval",
    "facing_null",
    "leave_out",
    "linear_rate",
    "normal_interval",
    "subsample",
    "too_few",
]
