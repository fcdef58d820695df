from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from fourfold.comparison import Sets
from fourfold.images import ImageSet, prepare
from fourfold.privacy.identical_match import identical_match_share, pixel_digests


def _images(size: int, seed: int) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 256, (size, 1, 12, 12)).astype(np.uint8)


def _sets(training: np.ndarray, synthetic: np.ndarray, holdout: np.ndarray | None = None) -> Sets:
    given = {"training": training, "synthetic": synthetic} | ({} if holdout is None else {"holdout": holdout})
    return Sets(**prepare({name: ImageSet.from_array(images) for name, images in given.items()}))


def test_identical_images_are_found_with_an_exact_interval() -> None:
    training, synthetic = _images(30, 0), _images(40, 1)
    synthetic[[4, 9]] = training[[7, 7]]
    score = identical_match_share(_sets(training, synthetic, _images(20, 2)))
    assert score.value == 0.05
    assert score.null == 0.0
    assert score.interval == pytest.approx((0.00611, 0.16920), abs=1e-4)
    assert score.departs() == "worse"
    assert np.flatnonzero(score.per_synthetic["identical_match"]).tolist() == [4, 9]


def test_one_changed_bit_is_enough_to_be_missed() -> None:
    training, synthetic = _images(30, 0), _images(40, 1)
    synthetic[4] = training[7]
    synthetic[4, 0, 0, 0] ^= 1
    assert identical_match_share(_sets(training, synthetic)).value == 0.0


def test_images_that_real_sets_share_set_the_null() -> None:
    training, synthetic, holdout = _images(30, 0), _images(40, 1), _images(40, 2)
    training[0] = synthetic[:4] = holdout[:4] = 0
    score = identical_match_share(_sets(training, synthetic, holdout))
    assert score.value == score.null == 0.1
    assert score.departs() == "no"
    assert score.details["distinct_images"] == 37


def test_images_that_real_sets_share_call_few_fresh_sets_worse() -> None:
    rng, draws = np.random.default_rng(5), 60
    worse = 0
    for draw in range(draws):
        training, synthetic, holdout = (_images(size, 3 * draw + place) for place, size in enumerate((20, 300, 60)))
        training[0] = 0
        for images in (synthetic, holdout):
            images[rng.random(len(images)) < 0.15] = 0
        worse += identical_match_share(_sets(training, synthetic, holdout)).departs() == "worse"
    # At 2.5 % more than 6 of 60 have a chance of 0.1 %; by the interval of the synthetic share alone it is 13.
    assert worse <= 6


def test_without_a_holdout_the_null_is_none_and_says_so() -> None:
    score = identical_match_share(_sets(_images(5, 0), _images(5, 1)))
    assert score.null == 0.0
    assert "without a holdout" in score.reason


def test_an_empty_set_gives_a_reason() -> None:
    sets = _sets(_images(5, 0), _images(5, 1))
    empty = replace(sets, synthetic=sets.synthetic.take([]))
    assert "synthetic images" in identical_match_share(empty).reason


def test_one_image_as_integers_and_as_floats_is_one_image() -> None:
    whole = np.arange(256).reshape(1, 16, 16)
    assert pixel_digests(whole / 255) == pixel_digests(whole.astype(np.float32) / np.float32(255))
    assert pixel_digests(whole / 255) != pixel_digests(np.roll(whole, 1) / 255)


def test_it_is_a_diagnostic_and_carries_no_endpoint() -> None:
    score = identical_match_share(_sets(_images(5, 0), _images(5, 1)))
    assert score.details["diagnostic"] is True
    assert "endpoints" not in score.details
