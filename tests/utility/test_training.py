from dataclasses import replace

import numpy as np

from fourfold.comparison import Sets
from fourfold.images.sets import ImageSet, Preparation
from fourfold.score import metrics
from fourfold.utility import small_network
from fourfold.utility.network import SmallNetwork

QUICK = SmallNetwork(steps=12, batch_size=24, workers=2)
INSTANT = SmallNetwork(steps=2, batch_size=32)


def images(seed, size, side=16, labels=True, flipped=False, per_patient=1):
    """Class "round" has a bright middle, class "plain" has not."""
    random = np.random.default_rng([41, seed])
    codes = np.arange(size) // per_patient % 2
    pixels = 0.4 + 0.1 * random.normal(size=(size, 1, side, side))
    quarter = side // 4
    pixels[:, :, quarter:-quarter, quarter:-quarter] += 0.15 * codes[:, None, None, None]
    names = np.where(codes == (0 if flipped else 1), "round", "plain")
    found = ImageSet.from_array(
        np.clip(pixels, 0, 1).astype(np.float32),
        labels=list(names) if labels else None,
        patients=[f"p{row // per_patient}" for row in range(size)],
    )
    return replace(found, preparation=Preparation("range", 0.0, 1.0, (side, side), 1))


def test_fresh_images_teach_as_well_and_wrong_labels_do_not():
    score, gain = small_network(Sets(images(0, 80), images(1, 80), images(2, 80)), QUICK, repeats=1, splits=2)
    assert score.departs() == "no"
    assert score.value > 0.8
    assert (score.name, gain.name) == ("train_synthetic_test_real_cnn", "real_plus_synthetic_gain_cnn")
    wrong, _ = small_network(
        Sets(images(0, 80), images(1, 80, flipped=True), images(2, 80)), QUICK, repeats=1, splits=2
    )
    assert wrong.value < 0.2
    assert wrong.departs() == "worse"


def test_progress_is_told_and_details_say_what_was_done():
    told = []
    sets = Sets(images(0, 30, 80), images(1, 40, 80), images(2, 30, 80, per_patient=2))
    sets = replace(sets, progress=lambda *told_now: told.append(told_now))
    score, _ = small_network(sets, INSTANT, repeats=1, splits=1)
    assert score.details["image_shape"] == [1, 64, 64]
    assert score.details["original_shape"] == [1, 80, 80]
    assert score.details["resampling"] == "area"
    assert score.details["test_patients"] == 15
    assert score.details["steps"] == 2
    assert ("reading synthetic", 40, 40) in told
    last = told[-1]
    assert last[0] == "training networks"
    assert last[1] == last[2]


def test_sets_larger_than_the_memory_allows_are_drawn_from_and_it_is_said():
    sets = Sets(images(0, 100), images(1, 60), images(2, 60))
    each = 4 * 16 * 16
    sets = replace(sets, memory=40 * (3 + 2 * INSTANT.workers) * each)
    score, _ = small_network(sets, INSTANT, repeats=1, splits=1)
    assert score.details["training_images"] == 40
    assert "40 of 100 training images drawn by patient" in score.reason


def test_more_images_than_a_network_can_see_are_not_read_and_it_is_said():
    score, _ = small_network(Sets(images(0, 100), images(1, 60), images(2, 100)), INSTANT, repeats=1, splits=1)
    assert score.details["training_images"] == 64
    assert score.details["test_images"] == 100
    assert "64 of 100 training images drawn by patient" in score.reason


def test_without_a_holdout_it_is_said():
    score, _ = small_network(Sets(images(0, 64), images(1, 40)), INSTANT, repeats=1, splits=1)
    assert score.value is not None
    assert score.reason.startswith("no holdout")


def test_unlabelled_sets_get_a_reason():
    for score in small_network(Sets(images(0, 30), images(1, 30, labels=False), images(2, 30))):
        assert score.value is None
        assert score.reason == "the synthetic set has no labels"


def test_the_register_holds_both_scores():
    found = {metric.name: metric for metric in metrics() if metric.axis == "utility" and metric.kind == "images"}
    assert set(found) == {"train_synthetic_test_real_cnn", "real_plus_synthetic_gain_cnn"}
    sets = Sets(images(0, 30), images(1, 30, labels=False), images(2, 30))
    for name, metric in found.items():
        score = metric.compute(sets)
        assert score.name == name
        assert not score.applies
