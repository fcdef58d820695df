from __future__ import annotations

import numpy as np
import pytest

from fourfold.comparison import Comparison, Features
from fourfold.privacy import copy_count, expected_copy_count, expected_exposure, exposure, rarefied_exposure


def _comparison(training: np.ndarray, synthetic: np.ndarray, holdout: np.ndarray | None = None) -> Comparison:
    return Comparison(
        "space",
        Features(training.astype(np.float32)),
        Features(synthetic.astype(np.float32)),
        None if holdout is None else Features(holdout.astype(np.float32)),
    )


@pytest.mark.parametrize("dimension", [2, 16, 64])
def test_fresh_samples_score_the_analytic_null_in_any_dimension(dimension: int) -> None:
    rng = np.random.default_rng(dimension)
    counts, shares = [], []
    for _ in range(12):
        comparison = _comparison(rng.normal(size=(300, dimension)), rng.normal(size=(200, dimension)))
        counts.append(copy_count(comparison).value)
        shares.append(exposure(comparison).value)
    error = np.std(counts) / np.sqrt(12)
    assert np.mean(counts) == pytest.approx(1.0, abs=3 * error)
    assert np.mean(shares) == pytest.approx(200 / (300 + 200 - 1), abs=3 * np.std(shares) / np.sqrt(12))


def test_the_nulls_are_those_of_exchangeable_images() -> None:
    assert expected_copy_count(np.arange(300)) == pytest.approx(1.0)
    assert expected_exposure(np.arange(300), 250) == pytest.approx(250 / (300 + 250 - 1))
    # Three images a patient leave N - 3 images of others.
    assert expected_copy_count(np.repeat(np.arange(100), 3)) == pytest.approx(300 / 298)
    assert expected_exposure(np.repeat(np.arange(100), 3), 250) == pytest.approx(250 / (250 + 297))


def test_rarefaction_is_the_mean_over_random_subsets() -> None:
    rng = np.random.default_rng(0)
    member = rng.random((40, 30)) < 0.05
    draws = [member[:, rng.permutation(30)[:12]].any(axis=1).mean() for _ in range(4000)]
    assert rarefied_exposure(member.sum(axis=1), 30, 12) == pytest.approx(np.mean(draws), abs=0.005)
    assert rarefied_exposure(member.sum(axis=1), 30, 30) == pytest.approx(member.any(axis=1).mean())


def test_fresh_images_stay_at_the_null_and_noisy_copies_do_not() -> None:
    rng = np.random.default_rng(1)
    training, holdout, fresh = (rng.normal(size=(size, 16)) for size in (400, 300, 500))
    copied = training[rng.integers(0, 400, 500)] + rng.normal(0, 0.2, (500, 16))
    for score in (copy_count, exposure):
        null = score(_comparison(training, fresh, holdout))
        leak = score(_comparison(training, copied, holdout))
        assert null.null_source == "holdout"
        assert null.departs() == "no"
        assert null.interval[0] <= null.value <= null.interval[1]
        assert leak.departs() == "worse", leak.name


def test_images_far_from_the_training_set_get_no_better_mark_than_the_null() -> None:
    rng = np.random.default_rng(2)
    training, holdout = rng.normal(size=(200, 8)), rng.normal(size=(200, 8))
    for score in (copy_count, exposure):
        assert score(_comparison(training, rng.normal(50, 1, (200, 8)), holdout)).departs() == "no"


def test_copies_of_duplicated_training_images_are_still_counted() -> None:
    rng = np.random.default_rng(3)
    half, holdout = rng.normal(size=(200, 16)), rng.normal(size=(200, 16))
    copied = half[:150] + rng.normal(0, 0.01, (150, 16))
    score = exposure(_comparison(np.concatenate([half, half]), copied, holdout))
    assert score.value > 0.7
    assert score.departs() == "worse"
    assert score.per_training["exposed"].shape == (400,)


def test_repeating_synthetic_images_does_not_sharpen_the_interval() -> None:
    rng = np.random.default_rng(4)
    training, holdout, some = rng.normal(size=(200, 8)), rng.normal(size=(200, 8)), rng.normal(size=(5, 8))
    repeated = copy_count(_comparison(training, np.repeat(some, 40, axis=0), holdout))
    fresh = copy_count(_comparison(training, rng.normal(size=(200, 8)), holdout))
    assert np.diff(repeated.interval) > np.diff(fresh.interval)


@pytest.mark.parametrize(("training", "synthetic"), [(1, 10), (10, 1)])
def test_too_few_images_give_a_reason(training: int, synthetic: int) -> None:
    rng = np.random.default_rng(5)
    for score in (copy_count, exposure):
        found = score(_comparison(rng.normal(size=(training, 4)), rng.normal(size=(synthetic, 4))))
        assert found.value is None
        assert found.reason
