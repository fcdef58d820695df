import numpy as np
import pytest
import torch

from fourfold.errors import InputError
from fourfold.generate.restoration import (
    KnownNoise,
    ReadShotNoise,
    RicianNoise,
    estimate_read_shot,
    estimate_rician,
    missing_noise,
    parse_noise,
    renoise,
)


def smooth_images(count, size, seed=0, dims=2, low=0.0):
    """Waves of a few periods between `low` and 1."""
    rng = np.random.default_rng(seed)
    axes = np.meshgrid(*(np.linspace(0, 1, size),) * dims, indexing="ij")
    images = np.zeros((count, 1, *(size,) * dims), dtype=np.float32)
    for image in images:
        for axis in axes:
            image[0] += np.sin(2 * np.pi * (rng.uniform(0.5, 1.5) * axis + rng.random()))
        image += dims
        image *= (1 - low) / image.max()
        image += low
    return images


@pytest.mark.parametrize(("read", "shot"), [(0.02, 0.0), (0.02, 0.08), (0.1, 0.05), (0.005, 0.1)])
def test_read_and_shot_noise_are_found_in_a_set(read, shot):
    noisy = renoise(smooth_images(20, 48), ReadShotNoise(read, shot))
    found = estimate_read_shot(noisy)
    for level in (0.1, 0.5, 0.9):
        expected = np.sqrt(read**2 + shot**2 * level)
        assert np.sqrt(found.read**2 + found.shot**2 * level) == pytest.approx(expected, rel=0.08)
    assert found.read == pytest.approx(read, abs=0.01)


def test_noise_is_found_in_a_single_image_and_in_a_volume():
    for images in (smooth_images(1, 96), smooth_images(1, 24, dims=3)):
        found = estimate_read_shot(renoise(images, ReadShotNoise(0.05)))
        assert np.sqrt(found.read**2 + found.shot**2 * 0.5) == pytest.approx(0.05, rel=0.1)


def test_clipped_pixels_do_not_make_the_dark_look_clean():
    images = smooth_images(20, 48) * 0.8
    images[:, :, :, :16] = 0
    clipped = renoise(images, ReadShotNoise(0.04)).clip(0, 1)
    found = estimate_read_shot(clipped)
    assert np.sqrt(found.read**2 + found.shot**2 * 0.5) == pytest.approx(0.04, rel=0.1)


def test_too_few_usable_pixels_are_refused():
    with pytest.raises(InputError, match="too few to estimate noise from; give more or larger images"):
        estimate_read_shot(np.zeros((3, 1, 32, 32)))


@pytest.mark.parametrize("background", [0.1, 0.4, 0.9])
@pytest.mark.parametrize("sigma", [0.02, 0.08])
def test_rician_noise_is_found_whatever_the_share_of_the_background(background, sigma):
    rng = np.random.default_rng(0)
    signal = np.zeros((4, 1, 64, 64), dtype=np.float32)
    tissue = rng.random(signal.shape) >= background
    signal[tissue] = rng.uniform(6 * sigma, 1, tissue.sum())
    noisy = renoise(signal, RicianNoise(sigma))
    assert estimate_rician(noisy).sigma == pytest.approx(sigma, rel=0.05)


def test_masked_zeros_are_not_taken_for_noise():
    signal = np.zeros((2, 1, 64, 64), dtype=np.float32)
    signal[..., 40:] = 0.7
    noisy = renoise(signal, RicianNoise(0.05))
    noisy[..., :15] = 0
    assert estimate_rician(noisy).sigma == pytest.approx(0.05, rel=0.05)


def test_images_without_a_background_are_refused():
    with pytest.raises(InputError, match="there is no background of pure noise in these images"):
        estimate_rician(renoise(smooth_images(4, 48, low=0.4), RicianNoise(0.02)))


def test_a_smooth_image_whose_values_look_like_noise_is_refused():
    values = np.sort(np.random.default_rng(0).rayleigh(0.2, 64 * 64))
    with pytest.raises(InputError, match="there is no background of pure noise in these images"):
        estimate_rician(values.reshape(1, 1, 64, 64))
    shuffled = np.random.default_rng(1).permutation(values).reshape(1, 1, 64, 64)
    assert estimate_rician(shuffled).sigma == pytest.approx(0.2, rel=0.05)


def test_stabilised_rician_noise_is_nearly_the_same_everywhere_and_can_be_inverted():
    noise = RicianNoise(0.05)
    magnitudes = torch.linspace(0.05, 1, 50)
    torch.testing.assert_close(noise.magnitude(noise.stabilise(magnitudes)), magnitudes)
    assert float(noise.stabilise(torch.tensor(1.0))) == pytest.approx(1)
    generator = torch.Generator().manual_seed(0)
    for signal in (0.1, 0.3, 0.9):
        clean = torch.full((1, 1, 200, 200), signal)
        noisy = noise.add(clean, lambda clean=clean: torch.randn(clean.shape, generator=generator))
        stabilised = noise.working(noisy)
        assert float(stabilised.std() / noise.deviation(noisy).mean()) == pytest.approx(1, abs=0.04)


@pytest.mark.parametrize("signal", [0.0, 0.02, 0.1, 0.5])
def test_the_mean_of_stabilised_magnitudes_leads_back_to_the_signal_without_the_rician_floor(signal):
    noise = RicianNoise(0.05)
    generator = torch.Generator().manual_seed(1)
    clean = torch.full((1, 1, 400, 400), signal)
    noisy = noise.add(clean, lambda: torch.randn(clean.shape, generator=generator))
    mean = noise.working(noisy).mean()
    assert float(noise.finished(mean)) == pytest.approx(signal, abs=0.008)
    # Value by value the inverse cannot fall below 0.7 sigma, and ends at the mean magnitude.
    if signal < 0.05:
        assert float(noise.magnitude(mean)) > signal + 0.03


def test_the_variance_is_taken_from_the_neighbourhood_of_a_noisy_pixel():
    clean = torch.from_numpy(smooth_images(8, 48, low=0.05))
    noise = ReadShotNoise(0.01, 0.2)
    noisy = torch.from_numpy(renoise(clean.numpy(), noise))
    error = (noise.deviation(noisy) - noise.variance(clean).sqrt()).square().mean().sqrt()
    pixelwise = (noise.variance(noisy).sqrt() - noise.variance(clean).sqrt()).square().mean().sqrt()
    assert error < 0.5 * pixelwise
    assert float(noise.deviation(noisy).min()) >= (0.01**2 + 0.2**4 / 9) ** 0.5 - 1e-6


def test_noise_on_a_dark_background_is_not_clipped():
    dark = renoise(np.zeros((4, 1, 64, 64), dtype=np.float32), ReadShotNoise(0.1))
    assert dark.mean() == pytest.approx(0, abs=0.003)
    assert dark.std() == pytest.approx(0.1, rel=0.02)


def test_noise_depends_on_the_place_in_the_set_and_not_on_the_batch():
    images = smooth_images(4, 16)
    whole = renoise(images, ReadShotNoise(0.1), seed=3)
    assert np.array_equal(whole[2:], renoise(images[2:], ReadShotNoise(0.1), seed=3, first=2))
    assert not np.array_equal(whole, renoise(images, ReadShotNoise(0.1), seed=4))


def test_missing_noise_brings_images_up_to_what_real_ones_have():
    clean = smooth_images(12, 48, seed=1)
    real = renoise(smooth_images(12, 48, seed=2), ReadShotNoise(0.05, 0.08))
    synthetic = renoise(clean, ReadShotNoise(0.02, 0.03))
    added = missing_noise(estimate_read_shot(synthetic), estimate_read_shot(real))
    found = estimate_read_shot(renoise(synthetic, added, seed=9))
    for level in (0.1, 0.9):
        expected = np.sqrt(0.05**2 + 0.08**2 * level)
        assert np.sqrt(found.read**2 + found.shot**2 * level) == pytest.approx(expected, rel=0.08)
    assert missing_noise(ReadShotNoise(0.1, 0.1), ReadShotNoise(0.05, 0.2)).read == 0


@pytest.mark.parametrize(
    ("text", "noise"),
    [
        ("auto", "auto"),
        ("rician", "rician"),
        ("rician=0.03", RicianNoise(0.03)),
        ("read=0.02,shot=0.05", ReadShotNoise(0.02, 0.05)),
        ("read=0.02", ReadShotNoise(0.02)),
    ],
)
def test_noise_is_read_from_what_was_typed(text, noise):
    assert parse_noise(text) == noise


@pytest.mark.parametrize("text", ["", "read", "read=x", "gauss=0.1", "rician=0.1,read=0.1", "read=0.1,bias=2"])
def test_other_words_are_refused(text):
    with pytest.raises(InputError, match="noise is auto, rician, rician=SIGMA, or read=SIGMA,shot=SIGMA"):
        parse_noise(text)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: ReadShotNoise(-0.1), "read noise is a standard deviation from 0 to 1 of the full range, got -0.1"),
        (lambda: ReadShotNoise(0.1, float("nan")), "shot noise is a standard deviation .*, got nan"),
        (lambda: RicianNoise(0), "Rician noise has a sigma above 0 and up to 1 of the full range, got 0"),
        (lambda: KnownNoise(torch.tensor([-1.0])), "a map of noise holds standard deviations, finite and from 0 up"),
    ],
)
def test_noise_that_cannot_be_is_refused(make, message):
    with pytest.raises(InputError, match=message):
        make()
