"""The area under the ROC curve with patients, and thresholds from a control sample."""

from __future__ import annotations

import doctest

import numpy as np
import pytest

import fourfold.statistics.ranking
from fourfold.statistics import control_threshold, ranked_area


def test_the_examples_in_the_docstrings_run() -> None:
    found = doctest.testmod(fourfold.statistics.ranking)
    assert found.attempted > 0
    assert found.failed == 0


def test_the_area_is_the_share_of_pairs_in_order_with_ties_counting_half() -> None:
    rng = np.random.default_rng(0)
    positives, negatives = rng.integers(0, 6, 40), rng.integers(0, 5, 30)
    pairs = (positives[:, None] > negatives) + 0.5 * (positives[:, None] == negatives)
    assert ranked_area(positives, negatives).value == pytest.approx(pairs.mean(), abs=1e-12)


def test_with_one_observation_a_patient_the_standard_error_is_that_of_delong() -> None:
    rng = np.random.default_rng(1)
    positives, negatives = rng.normal(0.5, 1, 25), rng.normal(size=18)
    pairs = (positives[:, None] > negatives).astype(float)
    delong = np.sqrt(pairs.mean(axis=1).var(ddof=1) / 25 + pairs.mean(axis=0).var(ddof=1) / 18)
    assert ranked_area(positives, negatives).standard_error == pytest.approx(delong, abs=1e-12)


def test_repeating_every_image_of_a_patient_does_not_shrink_the_standard_error() -> None:
    rng = np.random.default_rng(2)
    positives, negatives = rng.normal(0.5, 1, 40), rng.normal(size=30)
    once = ranked_area(positives, negatives)
    thrice = ranked_area(
        np.repeat(positives, 3), np.repeat(negatives, 3), np.repeat(np.arange(40), 3), np.repeat(np.arange(40, 70), 3)
    )
    assert thrice.value == pytest.approx(once.value, abs=1e-12)
    assert thrice.standard_error == pytest.approx(once.standard_error, abs=1e-12)
    assert thrice.null_standard_error == pytest.approx(once.null_standard_error, abs=1e-12)
    assert (thrice.positives, thrice.negatives) == (40, 30)
    naive = ranked_area(np.repeat(positives, 3), np.repeat(negatives, 3))
    assert naive.standard_error < 0.7 * once.standard_error


def test_the_interval_of_clustered_scores_covers_the_truth_about_95_times_in_100() -> None:
    rng = np.random.default_rng(3)
    covered, below = 0, 0
    for _ in range(400):
        areas = []
        for _ in range(2):
            sizes = rng.integers(1, 6, 50)
            areas.append((np.repeat(rng.normal(size=50), sizes), np.repeat(np.arange(50), sizes)))
        (one, own), (two, other) = areas
        one, two = one + rng.normal(0, 0.5, len(one)), two + rng.normal(0, 0.5, len(two))
        area = ranked_area(one, two, own, other + 50)
        low, high = area.interval()
        covered += low <= 0.5 <= high
        below += area.upper() >= 0.5
    assert 365 <= covered <= 393
    assert below >= 365


def test_a_patient_in_both_classes_narrows_the_standard_error_as_it_should() -> None:
    rng = np.random.default_rng(4)
    values, errors = [], []
    for _ in range(300):
        person = rng.normal(0, 2, 40)
        first, second = person + rng.normal(0.3, 1, 40), person + rng.normal(0, 1, 40)
        area = ranked_area(first, second, np.arange(40), np.arange(40))
        values.append(area.value)
        errors.append(area.standard_error)
    assert np.mean(errors) == pytest.approx(np.std(values), rel=0.1)
    assert ranked_area(first, second).standard_error > 1.5 * errors[-1]


def test_without_a_difference_the_null_standard_error_is_that_of_mann_and_whitney() -> None:
    rng = np.random.default_rng(5)
    area = ranked_area(rng.normal(size=30), rng.normal(size=50))
    assert area.null_standard_error == pytest.approx(np.sqrt(81 / (12 * 30 * 50)), rel=1e-3)


def test_a_single_patient_in_a_class_leaves_everything_open() -> None:
    area = ranked_area([3.0, 4.0], [1.0, 2.0], [7, 7], [1, 2])
    assert area.standard_error == np.inf
    assert area.interval() == (0.0, 1.0)


@pytest.mark.parametrize(
    ("given", "message"),
    [
        (([], [1.0]), "both classes need an observation, got 0 and 1"),
        (([np.nan], [1.0]), "scores must be finite"),
        (([1.0], [1.0], [0]), "give the clusters of both classes, or of neither"),
    ],
)
def test_impossible_input_is_refused(given: tuple, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        ranked_area(*given)


@pytest.mark.parametrize("size", [99, 150, 237, 1000])
def test_fresh_controls_exceed_the_threshold_no_more_often_than_asked(size: int) -> None:
    rng = np.random.default_rng(size)
    # The exact false-positive rate of a threshold on uniform controls is 1 - threshold.
    rates = [1 - control_threshold(rng.random(size), 0.01) for _ in range(4000)]
    expected = np.floor(0.01 * (size + 1)) / (size + 1)
    assert np.mean(rates) == pytest.approx(expected, rel=0.08)
    assert expected <= 0.01 + 1e-12


def test_ties_at_the_threshold_are_not_exceeded() -> None:
    controls = np.repeat([0.0, 1.0], [50, 150])
    assert np.mean(controls > control_threshold(controls, 0.01)) == 0


def test_a_control_sample_too_small_for_the_rate_sets_no_threshold() -> None:
    assert control_threshold(np.arange(98), 0.01) is None
    assert control_threshold(np.arange(998), 0.001) is None
    with pytest.raises(ValueError, match="rate must be in"):
        control_threshold([1.0], 0.0)
