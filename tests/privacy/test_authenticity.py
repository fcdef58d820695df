from __future__ import annotations

import numpy as np
import pytest

from fourfold.comparison import Comparison, Features
from fourfold.privacy import authentic, authenticity


def golden() -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Training, holdout and synthetic features of the published golden numbers."""
    rng = np.random.default_rng(0)
    training, holdout = rng.normal(size=(300, 16)), rng.normal(size=(200, 16))
    return training, holdout, 0.8 * rng.normal(size=(250, 16)) + 0.3


def _comparison(
    training: np.ndarray,
    synthetic: np.ndarray,
    holdout: np.ndarray | None = None,
    patients: np.ndarray | None = None,
) -> Comparison:
    return Comparison(
        "space",
        Features(training.astype(np.float32), patients),
        Features(synthetic.astype(np.float32)),
        None if holdout is None else Features(holdout.astype(np.float32)),
    )


def test_the_golden_value_is_reproduced() -> None:
    training, holdout, synthetic = golden()
    assert training[0, :3] == pytest.approx([0.12573022, -0.13210486, 0.64042265], abs=1e-8)
    assert authenticity(_comparison(training, synthetic, holdout)).value == pytest.approx(0.54, abs=1e-12)


def test_the_radius_is_read_at_the_training_image_and_not_at_the_synthetic_one() -> None:
    # Widely used code reads the radius at the row of the nearest synthetic image; here that gives the opposite answer.
    training = np.array([[0.0], [1.0], [100.0], [110.0]])
    synthetic = np.array([[105.0], [103.0], [0.5], [0.6]])
    flags = authenticity(_comparison(training, synthetic)).per_synthetic["authentic"]
    assert flags.tolist() == [False, False, False, False]
    radii = np.array([1.0, 1.0, 10.0, 10.0])
    distances, nearest = np.array([5.0, 3.0, 0.5, 0.4]), np.array([2, 2, 0, 1])
    assert authentic(distances, nearest, radii).tolist() == [False, False, False, False]
    assert authentic(distances, np.arange(4), radii).tolist() == [True, True, False, False]


@pytest.mark.parametrize(("dimension", "expected"), [(2, 0.384), (32, 0.775)])
def test_the_share_of_a_perfect_generator_depends_on_the_dimension_and_only_the_holdout_tells(
    dimension: int, expected: float
) -> None:
    rng = np.random.default_rng(6)
    scores = [
        authenticity(_comparison(*(rng.normal(size=(size, dimension)) for size in (600, 400, 400)))) for _ in range(20)
    ]
    assert np.mean([score.value for score in scores]) == pytest.approx(expected, abs=0.03)
    assert sum(score.departs() == "worse" for score in scores) <= 3


def test_verbatim_copies_are_worse_than_the_holdout() -> None:
    rng = np.random.default_rng(2)
    training, holdout = rng.normal(size=(400, 64)), rng.normal(size=(400, 64))
    synthetic = rng.normal(size=(400, 64))
    synthetic[:80] = training[:80]
    score = authenticity(_comparison(training, synthetic, holdout))
    assert score.departs() == "worse"
    assert not score.per_synthetic["authentic"][:80].any()


def test_a_sibling_image_does_not_set_the_radius() -> None:
    rng = np.random.default_rng(3)
    anatomy = rng.normal(size=(150, 32))
    training = np.repeat(anatomy, 2, axis=0) + rng.normal(0, 0.01, (300, 32))
    copied = anatomy[:100] + rng.normal(0, 0.05, (100, 32))
    grouped = authenticity(_comparison(training, copied, patients=np.repeat(np.arange(150), 2)))
    assert grouped.value == 0.0


def test_images_far_away_are_not_better_than_the_null() -> None:
    rng = np.random.default_rng(4)
    score = authenticity(_comparison(rng.normal(size=(200, 8)), rng.normal(9, 1, (200, 8)), rng.normal(size=(200, 8))))
    assert score.value == 1.0
    assert score.departs() == "no"


def test_without_a_holdout_there_is_a_value_a_reason_and_no_null() -> None:
    training, _, synthetic = golden()
    score = authenticity(_comparison(training, synthetic))
    assert score.value == pytest.approx(0.54)
    assert score.null is None
    assert "holdout" in score.reason


def test_one_patient_alone_gives_a_reason() -> None:
    rng = np.random.default_rng(5)
    score = authenticity(_comparison(rng.normal(size=(5, 3)), rng.normal(size=(5, 3)), patients=np.zeros(5, dtype=int)))
    assert score.value is None
    assert "single patient" in score.reason
