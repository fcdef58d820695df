from __future__ import annotations

import numpy as np
import pytest

from fourfold.privacy.bank import Bank, View
from fourfold.privacy.representations import FURTHER, REPRESENTATIONS

EVERY = (*REPRESENTATIONS, *FURTHER)


def _images(count: int = 5, side: int = 64, planes: int = 1) -> np.ndarray:
    rng = np.random.default_rng(0)
    frequencies = np.hypot(*np.meshgrid(np.fft.fftfreq(side), np.fft.fftfreq(side)))
    filtered = np.fft.ifft2(np.fft.fft2(rng.normal(size=(count, planes, side, side))) / (frequencies + 0.03) ** 2)
    smooth = filtered.real
    low, high = smooth.min(axis=(2, 3), keepdims=True), smooth.max(axis=(2, 3), keepdims=True)
    return ((smooth - low) / (high - low)).astype(np.float32)


def test_the_product_of_plain_vectors_is_the_pearson_correlation() -> None:
    images = _images(side=32)
    vectors = View(32, 32).of(images)
    assert vectors @ vectors.T == pytest.approx(np.corrcoef(images.reshape(5, -1)), abs=1e-5)


@pytest.mark.parametrize("representation", EVERY, ids=lambda one: one.name)
def test_every_representation_knows_an_image_again_whatever_its_brightness(representation) -> None:
    images = 0.5 * _images() + 0.2
    nearness = representation.prepare(images).nearness(0.8 * images + 0.1)
    assert nearness.shape == (5, 5)
    assert nearness.dtype == np.float32
    # Blurred and cut-out training images are near, but never quite the same; flat tiles are damped.
    assert np.diag(nearness).min() > 0.7
    assert (nearness.argmax(axis=1) == np.arange(5)).all()


@pytest.mark.parametrize("representation", EVERY, ids=lambda one: one.name)
@pytest.mark.parametrize(("side", "planes"), [(28, 1), (64, 3)])
def test_small_images_and_several_planes_are_searched_too(representation, side: int, planes: int) -> None:
    images = _images(side=side, planes=planes)
    nearness = representation.prepare(images).nearness(images)
    assert (nearness.argmax(axis=1) == np.arange(5)).all()
    assert nearness.max() <= 1 + 1e-4


def test_a_patch_is_found_by_tiles_and_a_shift_by_the_spectrum() -> None:
    images = _images(30)
    by_name = {one.name: one.prepare(images) for one in EVERY}
    pasted = images[:1].copy()
    pasted[..., 20:44, 20:44] = images[7, ..., 20:44, 20:44]
    for name in ("tiles", "small tiles"):
        order = by_name[name].nearness(pasted)[0].argsort()[::-1]
        assert 7 in order[:2], name
    shifted = np.roll(images[[9]], (6, -5), axis=(2, 3))
    assert by_name["Fourier magnitude"].nearness(shifted)[0].argmax() == 9
    assert by_name["Fourier magnitude"].nearness(1 - shifted)[0].argmax() == 9


def test_an_image_without_contrast_is_near_nobody() -> None:
    flat = np.full((2, 1, 64, 64), 0.4, dtype=np.float32)
    for representation in EVERY:
        nearness = representation.prepare(_images()).nearness(flat)
        assert np.abs(nearness).max() < 1e-3, representation.name


def test_a_blur_is_undone_by_blurring_the_training_images() -> None:
    images = _images(30)
    view = View(64, 64)
    blurred = view.columns(images, 0.03).transpose(2, 0, 1).reshape(images.shape)
    nearness = Bank("blur", "", 32, None, False, blurs=(0.01, 0.03)).prepare(images).nearness(blurred)
    assert np.diag(nearness).min() > 0.9999
