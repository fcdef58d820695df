"""Training and holdout from one population cannot be told apart, whatever their sizes; from two they can."""

from __future__ import annotations

import numpy as np
import pytest

from fourfold.comparison import Comparison, Features, Sets, Spaces
from fourfold.images import ImageSet
from fourfold.privacy import exchangeability, two_sample_area


def _patients(count: int, seed: int, shift: float = 0.0, images: int = 3) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    anatomy = np.repeat(rng.normal(size=(count, 40)), images, axis=0)
    values = anatomy + 0.5 * rng.normal(size=anatomy.shape)
    values[:, 0] += shift
    return values.astype(np.float32), np.repeat(np.arange(count), images)


def _scores(training, holdout, spaces: int = 1):
    (values, patients), (fresh, others) = training, holdout
    empty = ImageSet.from_array(np.zeros((2, 1, 4, 4), np.float32))
    features = Features(values, patients), Features(fresh, others + patients.max() + 1)
    comparisons = {
        f"space {one}": Comparison(f"space {one}", features[0], features[0], features[1]) for one in range(spaces)
    }
    return exchangeability(Spaces(Sets(empty, empty, empty), comparisons))


@pytest.mark.parametrize("sizes", [(150, 150), (50, 250), (250, 50)])
def test_one_population_is_not_told_apart_whatever_the_sizes(sizes: tuple[int, int]) -> None:
    areas = []
    outside = 0
    for seed in range(12):
        (score,) = _scores(_patients(sizes[0], 2 * seed), _patients(sizes[1], 2 * seed + 1))
        areas.append(score.value)
        outside += score.departs() != "no"
        assert score.details["blocker"] is None
    assert np.mean(areas) == pytest.approx(0.5, abs=0.03)
    assert outside <= 2


def test_several_images_of_a_patient_do_not_make_the_interval_narrower() -> None:
    (one,) = _scores(_patients(100, 0, images=1), _patients(100, 1, images=1))
    (many,) = _scores(_patients(100, 0, images=8), _patients(100, 1, images=8))
    assert many.details["standard_error"] > 0.8 * one.details["standard_error"]


def test_two_populations_are_told_apart_and_block_membership() -> None:
    scores = _scores(_patients(150, 3), _patients(150, 4, shift=1.5), spaces=2)
    for score in scores:
        assert score.value > 0.7
        assert score.departs() == "different"
        assert score.details["blocker"].startswith("training and holdout differ")


def test_features_that_do_not_vary_tell_nothing_apart() -> None:
    constant = np.ones((60, 3), np.float32)
    area = two_sample_area(constant, constant, np.arange(60), np.arange(60, 120))
    assert area.value == 0.5


def test_few_patients_give_a_reason_and_not_a_number() -> None:
    (score,) = _scores(_patients(10, 5, images=20), _patients(100, 6))
    assert score.value is None
    assert "20 patients" in score.reason
