"""The Frechet distance over extractors and resolutions."""

import numpy as np
import pytest
import torch
from scipy import ndimage

from fourfold.comparison import Comparison, Features, Sets, Spaces
from fourfold.errors import InputError
from fourfold.images import ImageSet, prepare


@pytest.fixture(scope="module")
def multiscale():
    """Imported when asked for: the register of the other tests of this folder stays as it is."""
    import fourfold.fidelity.multiscale as module

    return module


def films(rng, count, side=32):
    grain = ndimage.gaussian_filter(rng.standard_normal((count, side, side)), (0, 1.5, 1.5))
    level = rng.uniform(0.35, 0.65, (count, 1, 1))
    return np.clip(level + 0.4 * grain, 0, 1).astype(np.float32)[:, None]


def spaces(seed=0, change=None, n=70, side=32):
    rng = np.random.default_rng([seed, n])
    images = {role: films(rng, n, side) for role in ("training", "holdout", "synthetic")}
    if change is not None:
        images["synthetic"] = change(images["synthetic"]).astype(np.float32)
    ready = prepare({role: ImageSet.from_array(own, name=role) for role, own in images.items()}, scaling="0:1")
    values = {role: Features(own.reshape(n, -1)[:, :: side * side // 8].copy()) for role, own in images.items()}
    comparison = Comparison("pixels", values["training"], values["synthetic"], values["holdout"])
    return Spaces(Sets(ready["training"], ready["synthetic"], ready["holdout"]), {"pixels": comparison})


def blur(sigma):
    return lambda images: ndimage.gaussian_filter(images, (0, 0, sigma, sigma))


def test_a_mean_of_ratios_is_the_same_in_every_unit_and_ranks(multiscale):
    rng = np.random.default_rng(0)
    x, y, z = rng.normal(size=(50, 3)), rng.normal(size=(50, 3)), rng.normal(size=(50, 3))
    unit = multiscale.frechet_distance(x, y)
    near, far = z + 0.5, z + 5
    found = [
        multiscale.multiscale_frechet_distance([(x, one), (7 * x, 7 * one)], [unit, 49 * unit]) for one in (near, far)
    ]
    assert found[0] == pytest.approx(multiscale.frechet_distance(x, near) / unit)
    assert found[1] > 10 * found[0]
    assert multiscale.multiscale_frechet_distance([(x, y)], [unit]) == 1.0


@pytest.mark.parametrize(
    ("pairs", "references", "words"),
    [(0, [], "got 0 pairs"), (1, [1.0, 2.0], "1 pairs and 2 references"), (1, [0.0], "positive, got")],
)
def test_a_task_without_a_reference_is_refused(multiscale, pairs, references, words):
    x = np.eye(3)
    with pytest.raises(InputError, match=words):
        multiscale.multiscale_frechet_distance([(x, x)] * pairs, references)


def test_an_extractor_at_half_the_resolution_sees_means_of_blocks(multiscale):
    from fourfold.features import Pixels

    images = torch.rand(2, 1, 8, 8)
    half = multiscale.Reduced(Pixels(size=4), 2)
    torch.testing.assert_close(half(images), Pixels(size=4)(images), check_dtype=False)
    assert half.name == "pixels at 1/2"
    assert half.fingerprint != multiscale.Reduced(Pixels(size=4), 4).fingerprint
    assert multiscale.Reduced(Pixels(size=2), 2)(torch.rand(2, 1, 1, 8, 8)).shape[0] == 2


def test_fresh_real_images_score_their_null_of_one(multiscale):
    found = [multiscale.MULTISCALE.compute(spaces(seed)) for seed in range(4)]
    assert all(score.null == 1 for score in found)
    assert sum(score.departs() == "no" for score in found) >= 3
    assert 0.7 < np.mean([score.value for score in found]) < 1.4


def test_more_blur_is_further_away_and_the_finest_resolution_sees_it_best(multiscale):
    found = [multiscale.MULTISCALE.compute(spaces(0, blur(sigma))) for sigma in (0.6, 1.5)]
    assert 1 < found[0].value < found[1].value
    assert found[1].departs() == "worse"
    tasks = found[1].details["tasks"]
    assert set(tasks) == {
        "pixels",
        *(f"{name}{at}" for name in ("histogram", "gradients") for at in ("", " at 1/2", " at 1/4")),
    }
    assert tasks["gradients"] > 3 * tasks["gradients at 1/4"]
    assert found[1].value == pytest.approx(np.mean(list(tasks.values())), rel=1e-3)


def test_small_images_are_not_reduced_below_eight_pixels(multiscale):
    assert set(multiscale.MULTISCALE.compute(spaces(n=40, side=16)).details["tasks"]) == {
        "pixels",
        "histogram",
        "histogram at 1/2",
        "gradients",
        "gradients at 1/2",
    }
