from __future__ import annotations

import numpy as np
from scipy import stats
from scipy.spatial import cKDTree

from fourfold.privacy.ratio import RatioNull, TwoNearest, log_ratio


def test_the_log_ratio_is_exponential_with_the_rate_of_the_dimension() -> None:
    rng = np.random.default_rng(9)
    for dimension in (2, 5):
        tree = cKDTree(rng.random((4000, dimension)), boxsize=1.0)
        distances, _ = tree.query(rng.random((3000, dimension)), k=2)
        u = log_ratio(distances[:, 0], distances[:, 1])
        assert stats.kstest(u * dimension, "expon").pvalue > 0.001


def test_p_values_of_fresh_values_are_uniform_and_a_verbatim_copy_gets_the_smallest() -> None:
    rng = np.random.default_rng(10)
    null = RatioNull.fit(rng.exponential(size=3000))
    first, second = np.full(401, 0.5), 0.5 * np.exp(rng.exponential(size=401))
    first[-1] = 0.0
    found = TwoNearest(np.zeros(401, int), np.ones(401, int), first, second)
    p = null.p_values(found)
    assert p[-1] == 1e-16
    assert stats.kstest(p[:-1], "uniform").pvalue > 0.001
