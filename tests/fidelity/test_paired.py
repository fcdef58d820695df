"""Distances of pairs and their anchors."""

from __future__ import annotations

import doctest
from importlib import import_module

import numpy as np
import pytest
import torch
from scipy import stats

import fourfold as ff
from fourfold.errors import InputError
from fourfold.fidelity.paired import paired_distance
from fourfold.fidelity.similarity import CEILING, DISTANCES, PairDistance, ms_ssim, psnr, ssim

ABSOLUTE = PairDistance("absolute", "lower", "-", lambda x, y: np.abs(x - y).mean(axis=(1, 2, 3)))


@pytest.fixture(scope="module")
def chests() -> np.ndarray:
    return ff.phantoms("chest", 24, images_per_patient=1, size=32).images


def _noisy(images: np.ndarray, deviation: float, seed: int = 0) -> np.ndarray:
    grain = np.random.default_rng(seed).standard_normal(images.shape).astype(np.float32)
    return np.clip(images + deviation * grain, 0, 1)


def test_the_examples_run() -> None:
    for name in ("similarity", "paired"):
        assert doctest.testmod(import_module(f"fourfold.fidelity.{name}")).failed == 0


@pytest.mark.parametrize("measure", [psnr, ssim, lambda x, y: ms_ssim(x, y, scales=2)])
def test_a_similarity_falls_with_noise_is_symmetric_and_best_for_equal_images(measure, chests: np.ndarray) -> None:
    images = chests[:6]
    ladder = [measure(images, _noisy(images, deviation)).mean() for deviation in (0.0, 0.02, 0.05, 0.1, 0.2, 0.4)]
    assert stats.spearmanr(range(6), ladder)[0] == -1
    other = _noisy(images, 0.1)
    assert np.allclose(measure(images, other), measure(other, images), rtol=1e-5)
    assert np.allclose(measure(images, other)[:1], measure(images[:1], other[:1]), rtol=1e-5)
    assert ladder[0] == pytest.approx(CEILING if measure is psnr else 1.0, abs=1e-4)


def test_structural_similarity_is_that_of_its_formula() -> None:
    # Under a window that lies wholly in a flat image only the means count: (2 m n + c) / (m^2 + n^2 + c), c = 0.01^2.
    x, y = np.full((1, 1, 24, 24), 0.5), np.full((1, 1, 24, 24), 0.4)
    assert ssim(x, y)[0] == pytest.approx((2 * 0.2 + 1e-4) / (0.25 + 0.16 + 1e-4), abs=1e-9)


@pytest.mark.parametrize("shape", [(3, 24, 30), (1, 16, 14, 18)])
def test_structural_similarity_is_that_of_torchmetrics(shape: tuple[int, ...]) -> None:
    from torchmetrics.functional.image import structural_similarity_index_measure

    x = np.random.default_rng(0).uniform(size=(2, *shape))
    y = _noisy(x, 0.1)
    theirs = structural_similarity_index_measure(
        torch.from_numpy(x), torch.from_numpy(y), data_range=1.0, reduction="none"
    )
    assert np.allclose(ssim(x, y), theirs.numpy(), rtol=0, atol=1e-9)


def test_similarity_over_scales_is_that_of_torchmetrics() -> None:
    from torchmetrics.functional.image import multiscale_structural_similarity_index_measure

    x = np.random.default_rng(0).uniform(size=(2, 1, 48, 54))
    y = _noisy(x, 0.1)
    weights = np.array((0.0448, 0.2856, 0.3001))
    theirs = multiscale_structural_similarity_index_measure(
        torch.from_numpy(x), torch.from_numpy(y), data_range=1.0, reduction="none", betas=tuple(weights / weights.sum())
    )
    assert np.allclose(ms_ssim(x, y, scales=3), theirs.numpy(), rtol=0, atol=1e-9)


def test_volumes_are_compared_too() -> None:
    volumes = ff.phantoms("brain", 2, images_per_patient=1, size=(16, 20, 20)).images
    assert psnr(volumes, _noisy(volumes, 0.1)).shape == ssim(volumes, _noisy(volumes, 0.1)).shape == (2,)


def test_images_that_are_too_small_or_no_pairs_are_refused(chests: np.ndarray) -> None:
    with pytest.raises(InputError, match="needs at least 161 pixels a side, got images of 32 x 32"):
        ms_ssim(chests, chests)
    with pytest.raises(InputError, match="needs at least 11 pixels a side"):
        ssim(chests[..., :8], chests[..., :8])
    with pytest.raises(InputError, match="has 1 to 5 scales, got 6"):
        ms_ssim(chests, chests, scales=6)
    with pytest.raises(InputError, match="two arrays of one shape"):
        psnr(chests, chests[:3])
    broken = chests.copy()
    broken[17] = np.nan
    with pytest.raises(InputError, match="a pair between 16 and 23 has values that are not finite"):
        psnr(chests, broken)


def test_pairs_are_closer_than_images_of_different_patients(chests: np.ndarray) -> None:
    score = paired_distance(_noisy(chests, 0.05), chests, DISTANCES["ssim"])
    assert score.departs() == "better"
    assert score.null_source == "pairs of images of different patients"
    assert score.null == score.details["unrelated"]
    assert score.value == pytest.approx(score.per_synthetic["ssim"].mean())
    shuffled = paired_distance(np.roll(chests, 1, axis=0), chests, DISTANCES["ssim"])
    assert shuffled.departs() == "no"


def test_unrelated_images_are_of_other_patients() -> None:
    patients = np.array([0] * 6 + [1] * 4 + [2, 3])
    images = np.broadcast_to(patients[:, None, None, None] / 4.0, (12, 1, 4, 4))
    seen: list[np.ndarray] = []

    def measure(x: np.ndarray, y: np.ndarray) -> np.ndarray:
        seen.append(np.abs(x - y).max(axis=(1, 2, 3)))
        return seen[-1]

    paired_distance(images, images, PairDistance("seen", "lower", "-", measure), patients=patients)
    assert seen[0].max() == 0
    assert seen[1].min() > 0
    one = paired_distance(images, images, ABSOLUTE, patients=[0] * 7 + [1] * 5)
    assert one.null is None
    assert "most images are of one patient" in one.reason


def test_test_and_retest_are_the_null_where_there_are_any(chests: np.ndarray) -> None:
    retest = (_noisy(chests, 0.02, 1), _noisy(chests, 0.02, 2))
    good = paired_distance(_noisy(chests, 0.02, 3), _noisy(chests, 0.02, 4), ABSOLUTE, retest=retest)
    bad = paired_distance(_noisy(chests, 0.10, 3), _noisy(chests, 0.02, 4), ABSOLUTE, retest=retest)
    assert good.null_source == bad.null_source == "test-retest pairs"
    assert good.departs() == "no"
    assert bad.departs() == "worse"
    assert bad.details["unrelated"] > bad.value > bad.null


def test_the_interval_holds_the_null_in_95_of_100_for_pairs_that_are_test_and_retest() -> None:
    rng = np.random.default_rng(0)
    inside = band = 0
    draws = 400
    for _ in range(draws):
        # Three pairs a patient, whose noise has a strength of their own.
        strengths = np.repeat(rng.lognormal(sigma=0.5, size=(2, 40)), 3, axis=1)
        sets = rng.normal(size=(2, 120, 1, 2, 2)) * strengths[:, :, None, None, None]
        zeros = np.zeros_like(sets[0])
        patients = np.repeat(np.arange(40), 3)
        score = paired_distance(
            sets[0], zeros, ABSOLUTE, patients=patients, retest=(sets[1], zeros), retest_patients=patients
        )
        inside += score.interval[0] <= score.null <= score.interval[1]
        band += score.null_interval[0] <= score.value <= score.null_interval[1]
    assert 0.92 <= inside / draws <= 0.98
    assert 0.92 <= band / draws <= 0.98


def test_few_patients_give_a_value_and_no_interval(chests: np.ndarray) -> None:
    score = paired_distance(chests[:6], chests[6:12], DISTANCES["psnr"])
    assert score.value is not None
    assert score.interval is None
    assert "at least 10 patients" in score.reason
    with pytest.raises(InputError, match="there are 2 patients for 24 pairs"):
        paired_distance(chests, chests, ABSOLUTE, patients=["a", "b"])


def test_a_distance_by_layers_is_one_of_them() -> None:
    distance = PairDistance.by_layers(lambda x, y: (x - y).abs().amax(dim=(1, 2, 3)), "largest", "-")
    x = np.random.default_rng(0).uniform(size=(20, 1, 8, 8))
    score = paired_distance(x, x + 0.25, distance)
    assert score.value == pytest.approx(0.25, abs=1e-6)
    assert score.better == "lower"
    assert torch.is_grad_enabled()
