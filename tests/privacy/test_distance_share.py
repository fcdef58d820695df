from __future__ import annotations

import numpy as np
import pytest

from fourfold.comparison import Comparison, Features
from fourfold.privacy.distance_share import distance_share, distance_share_score


def _comparison(
    training: np.ndarray,
    holdout: np.ndarray,
    synthetic: np.ndarray,
    views: int = 1,
) -> Comparison:
    def patients(size: int, start: int) -> np.ndarray:
        return start + np.arange(size) // views

    return Comparison(
        "space",
        Features(training.astype(np.float32), patients(len(training), 0)),
        Features(synthetic.astype(np.float32)),
        Features(holdout.astype(np.float32), patients(len(holdout), 10_000)),
    )


def _normals(rng: np.random.Generator, *sizes: int, dimension: int = 64) -> list[np.ndarray]:
    return [rng.normal(size=(size, dimension)) * np.arange(1, dimension + 1) ** -0.5 for size in sizes]


def test_the_variance_is_that_of_exchanging_labels() -> None:
    rng = np.random.default_rng(0)
    near, far, rows = rng.random(60), rng.random(60), rng.integers(0, 12, (2, 60))
    rows[1] %= 8
    found = distance_share(near, rows[0], far, rows[1], np.arange(12), np.arange(12, 20))
    counts = np.bincount(np.where(near < far, rows[0], 12 + rows[1]), minlength=20)
    shares = [counts[rng.permutation(20)[:12]].sum() / 60 for _ in range(20_000)]
    assert found.null == pytest.approx(np.mean(shares), abs=0.002)
    assert found.standard_error == pytest.approx(np.std(shares), rel=0.02)
    assert found.standard_error == pytest.approx(
        np.sqrt(12 * 8 / (20 * 19) * np.sum((counts - counts.mean()) ** 2)) / 60
    )


@pytest.mark.parametrize(
    ("sizes", "naive"), [((300, 300, 300), 1.15), ((300, 300, 3000), 2.0), ((300, 100, 1000), 1.5)]
)
def test_synthetic_images_are_not_taken_as_independent(sizes: tuple[int, int, int], naive: float) -> None:
    rng = np.random.default_rng(1)
    scores = [distance_share_score(_comparison(*_normals(rng, *sizes))) for _ in range(80)]
    z = np.array([score.details["z"] for score in scores])
    as_independent = [(score.value - score.null) / score.details["naive_standard_error"] for score in scores]
    assert np.std(z) == pytest.approx(1.0, abs=0.2)
    assert abs(np.mean(z)) < 0.3
    assert np.std(as_independent) > naive


def test_the_patient_is_the_unit() -> None:
    rng = np.random.default_rng(2)
    z = []
    for _ in range(100):
        anatomies = _normals(rng, 60, 60, dimension=8)
        training, holdout = (np.repeat(one, 5, axis=0) + 0.1 * rng.normal(size=(300, 8)) for one in anatomies)
        comparison = _comparison(training, holdout, rng.normal(size=(600, 8)), views=5)
        z.append(distance_share_score(comparison).details["z"])
    assert np.std(z) == pytest.approx(1.0, abs=0.2)


def test_copies_of_a_tenth_are_worse_than_the_null_and_the_images_are_named() -> None:
    training, holdout, synthetic = _normals(np.random.default_rng(3), 400, 400, 1000, dimension=32)
    synthetic[:200] = training[:200] + 0.01
    score = distance_share_score(_comparison(training, holdout, synthetic))
    assert score.departs() == "worse"
    assert score.details["p"] < 0.01
    assert score.per_synthetic["nearer_to_training"][:200].all()


def test_more_synthetic_images_do_not_shrink_the_interval_below_what_the_holdout_allows() -> None:
    rng = np.random.default_rng(4)
    training, holdout, synthetic = _normals(rng, 300, 60, 20_000)
    few, many = (distance_share_score(_comparison(training, holdout, synthetic[:size])) for size in (5000, 20_000))
    assert many.details["standard_error"] > 0.85 * few.details["standard_error"]
    assert many.details["naive_standard_error"] == pytest.approx(few.details["naive_standard_error"] / 2)


def test_ties_count_half() -> None:
    training, _, synthetic = _normals(np.random.default_rng(5), 50, 50, 40)
    score = distance_share_score(_comparison(training, training, synthetic))
    assert score.value == 0.5
    assert score.departs() == "no"


def test_a_patient_in_both_sets_is_refused() -> None:
    one = np.zeros(1, dtype=int)
    with pytest.raises(ValueError, match="both in training and in the holdout"):
        distance_share(np.ones(1), one, np.ones(1), one, np.arange(3), np.arange(2, 5))


def test_without_a_holdout_there_is_a_reason() -> None:
    training, synthetic = (Features(one) for one in _normals(np.random.default_rng(6), 10, 10))
    assert "holdout" in distance_share_score(Comparison("space", training, synthetic)).reason


def test_it_is_a_diagnostic_and_carries_no_endpoint() -> None:
    score = distance_share_score(_comparison(*_normals(np.random.default_rng(7), 40, 40, 40)))
    assert score.details["diagnostic"] is True
    assert "endpoints" not in score.details
