from __future__ import annotations

import numpy as np
import pytest

from fourfold.neighbors import nearest
from fourfold.privacy.threshold_copies import threshold_copies, threshold_null_bound


def test_the_threshold_is_the_fifth_percentile_from_training_to_validation() -> None:
    found = threshold_copies(np.arange(101.0), np.array([5.0, 5.1]), np.array([4.0, 6.0]))
    assert found.threshold == 5.0
    assert found.training.tolist() == [True, False]
    assert found.synthetic.tolist() == [True, False]


def test_the_share_flagged_without_any_copying_grows_with_the_synthetic_set() -> None:
    rng = np.random.default_rng(0)
    scales = np.arange(1, 33) ** -0.5
    training, validation, synthetic = (rng.normal(size=(size, 32)) * scales for size in (500, 100, 2000))
    to_validation = nearest(training, validation, 1).distances[:, 0]
    shares = []
    for size in (100, 500, 2000):
        to_synthetic = nearest(training, synthetic[:size], 1).distances[:, 0]
        shares.append(threshold_copies(to_validation, to_synthetic, to_synthetic).training_share)
        assert shares[-1] <= threshold_null_bound(size, 100) + 0.03
    assert shares[0] < 0.09
    assert shares[1] > 0.12
    assert shares[2] > 0.3


def test_the_bound_at_the_published_sizes() -> None:
    assert threshold_null_bound(904, 226) == pytest.approx(0.185, abs=5e-4)
    assert threshold_null_bound(10_000, 200) == pytest.approx(0.92, abs=5e-3)


def test_an_empty_set_is_refused() -> None:
    with pytest.raises(ValueError, match="training, validation and synthetic"):
        threshold_copies(np.ones(3), np.ones(3), np.empty(0))
