from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from fourfold.comparison import Sets
from fourfold.images.sets import ImageSet, Preparation
from fourfold.privacy import highest_correlation, working_images
from fourfold.privacy.correlation import highest_correlation_score


def _images(count: int, seed: int, side: int = 24) -> np.ndarray:
    coarse = np.random.default_rng(seed).random((count, 1, 6, 6))
    return coarse.repeat(side // 6, axis=2).repeat(side // 6, axis=3).astype(np.float32)


def _set(images: np.ndarray, patients: list[str] | None = None) -> ImageSet:
    shape, channels = images.shape[2:], images.shape[1]
    return replace(
        ImageSet.from_array(images, patients=patients), preparation=Preparation("range", 0, 1, shape, channels)
    )


def test_the_highest_correlation_is_that_of_numpy() -> None:
    images, training = _images(7, 1), _images(30, 2)
    value, row = highest_correlation(images, training)
    expected = np.corrcoef(images.reshape(7, -1), training.reshape(30, -1))[:7, 7:]
    assert value == pytest.approx(expected.max(axis=1), abs=1e-6)
    assert (row == expected.argmax(axis=1)).all()


def test_brightness_and_contrast_do_not_hide_a_copy() -> None:
    training = _images(30, 3)
    value, row = highest_correlation(0.3 * training[[4, 9]] + 0.6, training)
    assert value == pytest.approx([1.0, 1.0], abs=1e-6)
    assert row.tolist() == [4, 9]


def test_constant_images_correlate_with_nothing() -> None:
    value, _ = highest_correlation(np.full((2, 1, 24, 24), 0.5, dtype=np.float32), _images(10, 4))
    assert value.tolist() == [0.0, 0.0]


def test_the_score_of_fresh_images_is_that_of_the_holdout_and_of_copies_is_worse() -> None:
    training, holdout, fresh = _images(200, 5), _images(100, 6), _images(150, 7)
    sets = Sets(_set(training), _set(fresh), _set(holdout))
    score = highest_correlation_score(sets)
    assert score.departs() == "no"
    assert score.null_interval[0] < score.value < score.null_interval[1]
    copied = np.concatenate([fresh[:100], training[:50]])
    leak = highest_correlation_score(Sets(_set(training), _set(copied), _set(holdout)))
    assert leak.departs() == "worse"
    assert leak.per_synthetic["nearest_training"][100:].tolist() == list(range(50))


def test_noise_gets_no_better_mark_than_the_null() -> None:
    noise = np.random.default_rng(8).random((100, 1, 24, 24)).astype(np.float32)
    score = highest_correlation_score(Sets(_set(_images(100, 9)), _set(noise), _set(_images(100, 10))))
    assert score.value < score.null
    assert score.departs() == "no"


def test_without_a_holdout_there_is_no_null_and_a_reason() -> None:
    score = highest_correlation_score(Sets(_set(_images(20, 11)), _set(_images(10, 12))))
    assert score.value is not None
    assert score.null is None
    assert "holdout" in score.reason


@pytest.mark.parametrize(
    ("shape", "working"),
    [
        ((1, 96, 96), (1, 64, 64)),
        ((3, 40, 30), (3, 40, 40)),
        ((1, 20, 80, 100), (8, 64, 64)),
        ((1, 4, 16, 16), (4, 16, 16)),
    ],
)
def test_working_images_are_square_small_and_keep_the_mean(shape: tuple[int, ...], working: tuple[int, ...]) -> None:
    images = np.random.default_rng(13).random((3, *shape)).astype(np.float32)
    reduced = working_images(_set(images))
    assert reduced.shape == (3, *working)
    assert reduced.mean(axis=(1, 2, 3)) == pytest.approx(images.reshape(3, -1).mean(axis=1), abs=1e-4)
