"""Restoration against a prior under which the best estimate is known: a Gaussian field on 24 x 24 pixels."""

import numpy as np
import pytest
import torch

from fourfold.generate.analytic import GaussianLaw
from fourfold.generate.noise import Noise
from fourfold.generate.restoration.sampler import bridge_step, calls_of, posterior, reverse_chain
from fourfold.generate.restoration.time_map import GammaSchedule, correlated_pair

SIDE = 24
SCHEDULE = GammaSchedule()


@pytest.fixture(scope="module")
def law():
    """Standard deviation 0.2, correlation of a Gaussian of width 2 pixels."""
    places = torch.stack(torch.meshgrid(torch.arange(SIDE), torch.arange(SIDE), indexing="ij")).flatten(1).double().T
    covariance = 0.04 * torch.exp(-torch.cdist(places, places).square() / 8) + 1e-9 * torch.eye(SIDE**2)
    return GaussianLaw(torch.full((1, SIDE, SIDE), 0.5), covariance)


@pytest.fixture(scope="module")
def halves():
    """Standard deviation of the noise: 0.05 on the left, 0.30 on the right."""
    return torch.where(torch.arange(SIDE) < SIDE // 2, 0.05, 0.30).expand(1, 1, SIDE, SIDE).double()


@pytest.fixture(scope="module")
def images(law, halves):
    x0 = law.draw(40, np.random.default_rng(3))
    noise = torch.randn(x0.shape, generator=torch.Generator().manual_seed(4), dtype=torch.float64)
    return x0, x0 + halves * noise


def linear(law):
    """The best estimate as the sampler asks for it; it has no use for y."""
    known = {}

    def estimate(x, y, time):
        gamma = SCHEDULE.gamma(time[0])
        key = gamma.numpy().tobytes()
        if key not in known:
            known[key] = torch.linalg.solve(law.covariance + torch.diag(gamma.flatten()), law.covariance)
        return law.mean + ((x - law.mean).flatten(1) @ known[key]).reshape(x.shape)

    return estimate


def times_of(deviation, count):
    return SCHEDULE.time(deviation.square()).expand(count, 1, SIDE, SIDE)


def psnr(found, truth):
    return float(-10 * (found - truth).square().mean().log10())


@pytest.mark.parametrize(
    ("scale", "deviation", "steps"), [(20.0, 0.3, 17), (20.0, 0.5, 31), (5.0, 0.3, 38), (5.0, 0.5, 67)]
)
def test_a_noise_takes_the_published_number_of_steps(scale, deviation, steps):
    assert int(GammaSchedule(scale=scale).time(torch.tensor(deviation**2))) == steps


def test_the_time_of_a_variance_is_the_inverse_of_the_variance_at_a_time():
    times = torch.tensor([0.0, 0.003, 0.7, 1.0, 17.2, 999.5, 1000.0], dtype=torch.float64)
    torch.testing.assert_close(SCHEDULE.time(SCHEDULE.gamma(times)), times)


def test_a_noise_beyond_the_last_time_is_refused():
    with pytest.raises(ValueError, match=r"a standard deviation has a time from 0 to 4\.47"):
        SCHEDULE.time(torch.tensor(25.0))


def path(count=400_000):
    """x0, y, x_t and variances at three times of many pixels."""
    generator = torch.Generator().manual_seed(0)
    x0, end_noise, noise, step_noise = (torch.randn(count, generator=generator).double() for _ in range(4))
    end, now, after = SCHEDULE.gamma(torch.tensor([17.0, 9.0, 8.0], dtype=torch.float64))
    y = x0 + end.sqrt() * end_noise
    x, _ = correlated_pair(x0, y, end.expand(count), now.expand(count), noise)
    return x0, y, x, bridge_step(x, x0, now, after, step_noise), now, after


def test_state_and_noisy_image_lie_on_one_brownian_path_before_and_after_a_step():
    x0, y, x, stepped, now, after = path()
    for state, gamma in ((x, now), (stepped, after)):
        assert float((state - x0).var() / gamma) == pytest.approx(1, abs=0.01)
        assert float(((state - x0) * (y - x0)).mean() / gamma) == pytest.approx(1, abs=0.01)


def test_the_noisy_image_tells_nothing_beyond_the_state():
    generator = torch.Generator().manual_seed(1)
    prior, end, now = 0.09, 0.09, 0.0353
    x0, end_noise, noise = torch.randn(3, 400_000, generator=generator).double()
    x0 = prior**0.5 * x0
    y = x0 + end**0.5 * end_noise
    correlated, _ = correlated_pair(x0, y, torch.full_like(x0, end), torch.full_like(x0, now), noise)
    independent = x0 + now**0.5 * noise

    def weight_of_y(x):
        return float(torch.linalg.lstsq(torch.stack([x, y], dim=1), x0[:, None]).solution[1, 0])

    assert weight_of_y(correlated) == pytest.approx(0, abs=0.003)
    # Two independent looks are weighted by their precisions, which is what a network would learn from such pairs.
    assert weight_of_y(independent) == pytest.approx((1 / end) / (1 / prior + 1 / end + 1 / now), abs=0.003)
    assert weight_of_y(independent) == pytest.approx(0.22, abs=0.003)


def test_the_chain_starts_from_the_noisy_image_at_its_own_time():
    x0 = torch.zeros(3, 1, 4, 4)
    y = torch.randn(3, 1, 4, 4, generator=torch.Generator().manual_seed(2)) * 0.3
    end = torch.full_like(y, 0.09)
    x, noise = correlated_pair(x0, y, end, end, torch.full_like(y, 1e6))
    torch.testing.assert_close(x, y)
    torch.testing.assert_close(noise, y / 0.3)


def test_spatially_varying_restoration_beats_every_filter_with_one_noise_level(law, halves, images):
    x0, y = images
    time = times_of(halves, len(y))
    assert psnr(y, x0) == pytest.approx(13.4, abs=0.1)
    best_global = max(psnr(law(y, torch.tensor(s)), x0) for s in np.geomspace(0.05, 0.4, 12))
    assert best_global == pytest.approx(22.05, abs=0.15)
    exact = linear(law)(y, y, time)
    assert psnr(exact, x0) == pytest.approx(23.19, abs=0.15)

    assert calls_of(time) == 18
    found = posterior(linear(law), y, time, SCHEDULE, range(len(y)), chains=12)
    sample = reverse_chain(linear(law), y, time, SCHEDULE, Noise(range(len(y)), (1, SIDE, SIDE)))
    assert psnr(sample, x0) == pytest.approx(20.8, abs=0.25)
    assert psnr(found.mean, exact) > psnr(sample, exact) + 10
    assert psnr(found.mean, x0) == pytest.approx(psnr(exact, x0), abs=0.35)
    # The error of a sample is that of the best estimate and its own spread.
    expected = -10 * np.log10(10**-2.319 + float(found.spread.square().mean()))
    assert expected == pytest.approx(20.8, abs=0.15)


@pytest.mark.parametrize(("stride", "dispersion"), [(1.0, 0.93), (10.0, 0.62), (40.0, 0.0)])
def test_longer_strides_spread_less_than_the_posterior(law, stride, dispersion):
    deviation = torch.full((1, 1, SIDE, SIDE), 0.5, dtype=torch.float64)
    x0 = law.draw(8, np.random.default_rng(5))
    y = x0 + 0.5 * torch.randn(x0.shape, generator=torch.Generator().manual_seed(6), dtype=torch.float64)
    found = posterior(linear(law), y, times_of(deviation, 8), SCHEDULE, range(8), chains=10, stride=stride)
    gain = torch.linalg.solve(law.covariance + 0.25 * torch.eye(SIDE**2), law.covariance)
    variance = (law.covariance - law.covariance @ gain).trace() / SIDE**2
    assert float((found.spread.square().mean() / variance).sqrt()) == pytest.approx(dispersion, abs=0.02)


def test_pixels_without_noise_are_never_touched(law, halves, images):
    _, y = images
    deviation = torch.where(halves < 0.1, torch.zeros_like(halves), halves)
    found = reverse_chain(linear(law), y, times_of(deviation, len(y)), SCHEDULE, Noise(range(len(y)), y.shape[1:]))
    assert torch.equal(found[..., : SIDE // 2], y[..., : SIDE // 2])
    assert not torch.equal(found[..., SIDE // 2 :], y[..., SIDE // 2 :])


def test_a_chain_depends_on_its_image_alone(law, halves, images):
    _, y = images
    time = times_of(halves, len(y))
    together = posterior(linear(law), y[:3], time[:3], SCHEDULE, [7, 8, 9], chains=2)
    alone = posterior(linear(law), y[2:3], time[2:3], SCHEDULE, [9], chains=2)
    torch.testing.assert_close(together.mean[2:], alone.mean)
