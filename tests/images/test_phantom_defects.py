from __future__ import annotations

import numpy as np
import pytest

from fourfold.errors import InputError
from fourfold.images.phantoms import (
    TRANSFORMS,
    Tampering,
    blur,
    collapse,
    drop_subgroup,
    flip_labels,
    phantoms,
    plant_copies,
    tampered,
)


@pytest.fixture(scope="module")
def training() -> np.ndarray:
    return phantoms("chest", 60, images_per_patient=1, size=32).images


@pytest.fixture(scope="module")
def fresh() -> np.ndarray:
    return phantoms("chest", 50, images_per_patient=1, size=32, first_patient=60).images


def test_exact_copies_have_the_asked_dose_and_their_source_is_named(training, fresh):
    before = fresh.copy()
    images, truth = plant_copies(fresh, training, share=0.2, seed=3)
    assert len(truth) == 10
    assert np.array_equal(np.flatnonzero(truth.sources >= 0), truth.rows)
    assert len(set(truth.sources[truth.rows])) == 10
    assert np.array_equal(images[truth.rows], training[truth.sources[truth.rows]])
    untouched = truth.sources < 0
    assert np.array_equal(images[untouched], fresh[untouched])
    assert np.array_equal(fresh, before)


@pytest.mark.parametrize("transform", [*TRANSFORMS, "rotate+noise+brightness"])
def test_a_disguised_copy_is_still_nearest_to_its_source(training, fresh, transform):
    images, truth = plant_copies(fresh, training, share=0.2, transform=transform)
    assert images.dtype == np.float32
    assert images.min() >= 0
    assert images.max() <= 1
    copies = images[truth.rows]
    if transform == "flip":
        copies = copies[..., ::-1]
    mean = training.mean(0)
    alike = np.corrcoef((training - mean).reshape(60, -1), (copies - mean).reshape(10, -1))[:60, 60:]
    assert (alike.argmax(0) == truth.sources[truth.rows]).mean() >= 0.9
    assert set(truth.transforms[truth.rows]) == {transform}
    if transform != "exact":
        assert not np.any([np.array_equal(images[row], training[truth.sources[row]]) for row in truth.rows])


def test_several_disguises_are_dealt_out_evenly(training, fresh):
    _, truth = plant_copies(fresh, training, share=0.24, transform=["exact", "flip+noise", "blend"])
    names, counts = np.unique(truth.transforms[truth.rows], return_counts=True)
    assert names.tolist() == ["blend", "exact", "flip+noise"]
    assert counts.tolist() == [4, 4, 4]


def test_the_same_seed_plants_the_same_copies(training, fresh):
    one, truth = plant_copies(fresh, training, share=0.1, transform="noise", seed=1)
    again, same_truth = plant_copies(fresh, training, share=0.1, transform="noise", seed=1)
    _, other_truth = plant_copies(fresh, training, share=0.1, transform="noise", seed=2)
    assert np.array_equal(one, again)
    assert np.array_equal(truth.sources, same_truth.sources)
    assert not np.array_equal(truth.sources, other_truth.sources)


def test_a_small_share_plants_at_least_one_copy_and_none_plants_none(training, fresh):
    assert len(plant_copies(fresh, training, share=0.001)[1]) == 1
    images, truth = plant_copies(fresh, training, share=0.0)
    assert len(truth) == 0
    assert np.array_equal(images, fresh)


@pytest.mark.parametrize("transform", ["flip", "shift", "rotate+brightness", "blend"])
def test_copies_are_planted_in_volumes_and_in_colour(transform):
    rng = np.random.default_rng(0)
    for shape in ((3, 24, 20), (1, 8, 12, 10)):
        training, synthetic = rng.random((2, 5, *shape), dtype=np.float32)
        images, truth = plant_copies(synthetic, training, share=0.4, transform=transform)
        assert images.shape == synthetic.shape
        assert len(truth) == 2


def test_strength_is_the_callers_choice():
    rng = np.random.default_rng(0)
    flat = np.full((1, 16, 16), 0.5, dtype=np.float32)
    assert tampered(flat, "noise", rng, strength=Tampering(noise=0.1)).std() == pytest.approx(0.1, rel=0.2)
    assert np.array_equal(tampered(flat, "brightness", rng, strength=Tampering(gain=0.0, offset=0.0)), flat)


def test_rotation_keeps_to_its_limit():
    bar = np.zeros((1, 65, 65), dtype=np.float32)
    bar[0, 31:34, 5:60] = 1
    y, x = np.mgrid[:65, :65] - 32
    rng = np.random.default_rng(0)
    angles = []
    for _ in range(50):
        turned = tampered(bar, "rotate", rng)[0]
        angles.append(np.degrees(np.arctan2((turned * x * y).sum(), (turned * x * x).sum())))
    assert np.abs(angles).max() < 5.1
    assert np.abs(angles).max() > 3.5
    assert min(angles) < 0 < max(angles)


def test_collapse_repeats_the_asked_number_of_prototypes(fresh):
    collapsed, truth = collapse(fresh, prototypes=3, noise=0.0, seed=1)
    assert len(np.unique(collapsed.reshape(50, -1), axis=0)) == 3
    assert np.array_equal(collapsed, fresh[truth.sources])
    _, counts = np.unique(truth.sources, return_counts=True)
    assert sorted(counts.tolist()) == [16, 17, 17]
    noisy, _ = collapse(fresh, prototypes=3, noise=0.02, seed=1)
    assert len(np.unique(noisy.reshape(50, -1), axis=0)) == 50
    assert 0.01 < (noisy - collapsed).std() < 0.03


def test_blur_takes_detail_and_keeps_the_mean(fresh):
    blurred, truth = blur(fresh, sigma=1.5)
    assert np.abs(np.diff(blurred)).mean() < 0.7 * np.abs(np.diff(fresh)).mean()
    assert blurred.mean() == pytest.approx(fresh.mean(), rel=0.02)
    assert len(truth) == 50
    assert truth.details["sigma"] == 1.5
    assert len(blur(fresh, sigma=0)[1]) == 0


def test_exactly_the_named_labels_are_flipped():
    labels = np.array(["a", "b", "c", "a"] * 10)
    flipped, truth = flip_labels(labels, share=0.3, seed=2)
    assert np.array_equal(np.flatnonzero(flipped != labels), truth.rows)
    assert len(truth) == 12
    assert set(flipped) <= {"a", "b", "c"}


def test_a_dropped_subgroup_is_gone_and_its_rows_are_named():
    population = phantoms("brain", 40, images_per_patient=1, size=16)
    rest, truth = drop_subgroup(population, "A")
    assert set(rest.subgroups) == {"B"}
    assert np.array_equal(truth.rows, np.flatnonzero(population.subgroups == "A"))
    assert len(rest) + len(truth) == 40


def test_defects_that_make_no_sense_are_refused(training, fresh):
    with pytest.raises(InputError, match=r"share must lie in \[0, 1\], got 2"):
        plant_copies(fresh, training, share=2)
    with pytest.raises(InputError, match="there is no transform 'twirl'; choose from exact, noise"):
        plant_copies(fresh, training, transform="flip+twirl")
    with pytest.raises(InputError, match="5 copies need as many training images, there are 2"):
        plant_copies(fresh, training[:2], share=0.1)
    with pytest.raises(InputError, match="copies need images of one shape"):
        plant_copies(fresh, training[..., :16], share=0.1)
    with pytest.raises(InputError, match="a blended copy needs another image"):
        tampered(fresh[0], "blend", np.random.default_rng(0))
    with pytest.raises(InputError, match="prototypes must lie between 1 and the 50 images, got 0"):
        collapse(fresh, prototypes=0)
    with pytest.raises(InputError, match="noise must not be negative"):
        collapse(fresh, noise=-1)
    with pytest.raises(InputError, match="sigma must not be negative"):
        blur(fresh, sigma=-1)
    with pytest.raises(InputError, match="one class only"):
        flip_labels(np.array(["a", "a"]))
    with pytest.raises(InputError, match="the subgroup 'X' cannot be dropped; the population has: F"):
        drop_subgroup(phantoms("chest", 20, size=16), "X")
