"""The share of synthetic images outside the real distribution."""

import numpy as np
import pytest

from fourfold.comparison import Comparison, Features, Sets, Spaces
from fourfold.images import ImageSet, prepare

SIDE = 16


def films(rng, count, odd=0):
    """Smooth blobs of varying size and strength; the first `odd` are far noisier."""
    y, x = np.mgrid[-1:1:16j, -1:1:16j]
    size, strength = rng.uniform(0.3, 0.7, (count, 1, 1)), rng.uniform(0.3, 0.6, (count, 1, 1))
    images = 0.2 + strength * np.exp(-(x**2 + y**2) / size**2) + 0.02 * rng.standard_normal((count, SIDE, SIDE))
    images[:odd] += 0.15 * rng.standard_normal((odd, SIDE, SIDE))
    return np.clip(images, 0, 1).astype(np.float32)[:, None]


def spaces(seed=0, odd=0, n=120, h=60, m=60, **more):
    rng = np.random.default_rng([seed, n, h])
    images = {"training": films(rng, n), "synthetic": films(rng, m, odd)}
    if h:
        images["holdout"] = films(rng, h)
    sets = {
        role: ImageSet.from_array(
            own, name=role, patients=None if role == "synthetic" else [f"{role}{i}" for i in range(len(own))]
        )
        for role, own in images.items()
    }
    ready = prepare(sets, scaling="0:1")
    pixels = {role: Features(own[:, 0, ::4, ::4].reshape(len(own), -1)) for role, own in images.items()}
    comparison = Comparison("pixels", pixels["training"], pixels["synthetic"], pixels.get("holdout"))
    return Spaces(Sets(ready["training"], ready["synthetic"], ready.get("holdout"), **more), {"pixels": comparison})


@pytest.fixture(scope="module")
def compute():
    from fourfold.fidelity.outside import OUTSIDE

    return OUTSIDE.compute


@pytest.fixture(scope="module")
def with_odd(compute):
    return compute(spaces(odd=15))


def test_odd_images_lie_outside_and_are_named_with_the_gate_that_saw_them(with_odd):
    outside, by = with_odd.per_synthetic["outside"], with_odd.per_synthetic["outside_by"]
    assert outside[:15].all()
    assert outside[15:].mean() < 0.2
    assert with_odd.departs() == "worse"
    assert with_odd.value == outside.mean()
    assert [name == "" for name in by] == (~outside).tolist()
    assert sum(with_odd.details["outside_by_gate"].values()) == outside.sum()


def test_there_is_a_p_value_of_every_gate_for_every_image(with_odd):
    gates = {name.partition(":")[2] for name in with_odd.per_synthetic if name.startswith("outside_p:")}
    assert {"histogram", "levels", "regions", "gradients", "pixels features", "neighbours:pixels features"} <= gates
    for name, column in with_odd.per_synthetic.items():
        assert column.shape == (60,)
        assert column.dtype.kind in "bfU", "the store keeps no Python objects"
        if name.startswith("outside_p"):
            assert column.min() > 0
            assert column.max() <= 1


def test_the_null_is_what_the_threshold_gives_fresh_images(with_odd):
    assert with_odd.null == pytest.approx(3 / 61)
    assert with_odd.null_interval[0] == 0
    assert 0.1 < with_odd.null_interval[1] < 0.2


def test_fresh_real_images_lie_outside_as_often_as_the_null_says(compute):
    found = [compute(spaces(seed)) for seed in range(6)]
    assert sum(score.departs() == "worse" for score in found) <= 1
    assert np.mean([score.value for score in found]) < 0.12


def test_without_a_holdout_the_training_patients_are_divided(compute):
    found = compute(spaces(odd=15, h=0))
    assert found.departs() == "worse"
    assert found.null_source == "training halves"
    assert found.details["patients_fitted"] + found.details["patients_calibration"] == 120
    assert found.reason.startswith("no holdout")


def test_too_few_holdout_patients_are_a_reason_and_no_error(compute):
    found = compute(spaces(h=12))
    assert not found.applies
    assert "at least 19 holdout patients, got 12" in found.reason
