import math

import numpy as np
import pytest
from scipy import stats

from fourfold.errors import InputError
from fourfold.outliers.conformal import (
    drift,
    fewest_patients,
    one_image_a_patient,
    threshold,
)


@pytest.mark.parametrize(("patients", "alpha"), [(19, 0.05), (60, 0.05), (99, 0.1), (37, 0.2)])
def test_false_alarms_are_at_most_alpha_on_average(patients, alpha):
    rng = np.random.default_rng(patients)
    alarms = [np.mean(rng.lognormal(size=20) > threshold(rng.lognormal(size=patients), alpha)) for _ in range(3000)]
    expected = math.floor(alpha * (patients + 1) + 1e-9) / (patients + 1)
    assert expected <= alpha + 1e-12
    assert abs(np.mean(alarms) - expected) < 4 * np.std(alarms) / math.sqrt(len(alarms))


def test_the_threshold_is_the_order_statistic_of_the_formula():
    scores = np.random.default_rng(0).permutation(np.arange(1.0, 61.0))
    assert threshold(scores, 0.05) == math.ceil(61 * 0.95)
    assert threshold(scores[:18], 0.05) == math.inf
    assert [fewest_patients(alpha) for alpha in (0.05, 0.01, 0.1, 0.3)] == [19, 99, 9, 3]


def test_alpha_must_be_a_share():
    for alpha in (0.0, 1.0, -1.0, math.nan):
        with pytest.raises(InputError, match="alpha is a share of false alarms between 0 and 1"):
            threshold(np.arange(50.0), alpha)


def test_every_patient_gives_one_image_and_each_image_is_as_likely():
    patients = np.array(["a", "b", "a", "c", "a"])
    drawn = [one_image_a_patient(patients, np.random.default_rng(seed)) for seed in range(900)]
    assert all(sorted(patients[rows]) == ["a", "b", "c"] for rows in drawn)
    counts = np.bincount(np.concatenate(drawn), minlength=5)
    assert counts[[1, 3]].tolist() == [900, 900]
    assert np.all(np.abs(counts[[0, 2, 4]] - 300) < 70)


def test_one_image_a_patient_keeps_the_rate_where_all_images_do_not():
    """Patients with many odd images: pooled scores understate how far out a fresh patient's image may lie."""
    rng = np.random.default_rng(0)
    chosen, pooled = [], []
    for _ in range(3000):
        own = rng.standard_normal(41)
        # The further inside a patient lies, the more images there are of them.
        images = np.repeat(own[:40], np.where(own[:40] < 0, 9, 1))
        chosen.append(own[40] > threshold(own[:40], 0.1))
        pooled.append(own[40] > threshold(images, 0.1))
    assert np.mean(chosen) < 0.115
    assert np.mean(pooled) > 0.2


def test_the_p_value_of_a_drift_is_that_of_the_beta_binomial_law():
    """The true rate of a threshold read from 60 patients varies: fresh sets are not binomial."""
    rng = np.random.default_rng(0)
    found, naive = [], []
    for _ in range(2000):
        outside = rng.uniform(size=1000) > threshold(rng.uniform(size=60), 0.05)
        result = drift(outside, 60, 0.05)
        found.append(result.drifted)
        naive.append(result.interval[0] > 0.05)
    assert np.mean(found) <= 0.025 + 4 * math.sqrt(0.025 / 2000)
    assert np.mean(naive) > 0.2
    assert drift(np.ones(40, dtype=bool), 60, 0.05).drifted


def test_drift_agrees_with_the_law_and_counts():
    outside = np.arange(50) < 7
    found = drift(outside, 99, 0.05)
    assert (found.outside, found.trials, found.share) == (7, 50, 0.14)
    assert found.p == pytest.approx(float(stats.betabinom(50, 5, 95).sf(6)))
    assert drift(np.zeros(5, dtype=bool), 99, 0.05).p == 1
    with pytest.raises(InputError, match="there is no image"):
        drift(np.zeros(0, dtype=bool), 99, 0.05)


def test_the_interval_of_the_share_outside_holds_its_null_for_fresh_sets():
    from fourfold.outliers import outside_share

    rng = np.random.default_rng(0)
    held = 0
    for _ in range(400):
        limit = np.sort(rng.random(60))[57]
        found = outside_share(rng.random(200) > limit, 60, 0.05)
        held += found.interval[0] <= found.null <= found.interval[1]
    assert 0.93 <= held / 400 <= 0.99


def test_a_share_outside_needs_a_threshold():
    from fourfold.outliers import outside_share

    with pytest.raises(InputError, match="at least 19 patients, got 18"):
        outside_share(np.ones(5, dtype=bool), 18, 0.05)
