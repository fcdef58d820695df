"""Densities and bounds of models whose law is known."""

from __future__ import annotations

import math
from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest
import torch
from torch import Tensor

from fourfold.generate.analytic import GaussianLaw, MixtureLaw, reference_mixture
from fourfold.generate.frameworks import framework
from fourfold.generate.likelihood import bits_per_dimension, dequantised, log_likelihood, variational_bound
from fourfold.generate.noise import Noise
from fourfold.generate.sampling.dpm_solver import logarithmic

SIDE = 3
PIXELS = SIDE**2


def gaussian(mean: float = 0.0) -> GaussianLaw:
    root = torch.from_numpy(np.random.default_rng(0).standard_normal((PIXELS, PIXELS))) * 0.3
    return GaussianLaw(torch.full((1, SIDE, SIDE), mean), root @ root.T + 0.02 * torch.eye(PIXELS))


def test_the_density_of_a_gaussian_is_exact_and_its_mean_is_the_entropy() -> None:
    law, edm = gaussian(), framework("edm")
    x = law.draw(500, np.random.default_rng(1))
    found = log_likelihood(law, x, edm, None, intervals=96)
    torch.testing.assert_close(found, law.log_density(x, edm.sigma_min), rtol=0, atol=0.01)
    surprise = -found
    assert float(surprise.mean()) == pytest.approx(law.entropy(), abs=4 * float(surprise.std()) / 500**0.5)


def test_the_density_of_a_mixture_is_exact_and_converges_with_the_square_of_the_steps() -> None:
    law, edm = reference_mixture(), replace(framework("edm"), sigma_min=0.01)
    x = law.draw(200, np.random.default_rng(2))
    known = law.log_density(x, edm.sigma_min)
    found = {count: log_likelihood(law, x, edm, None, intervals=count) for count in (32, 64, 256)}
    # The start is N(0, sigma_max^2), as the samplers', and not the noised mixture: that is what remains.
    torch.testing.assert_close(found[256], known, rtol=0, atol=0.015)
    errors = [float((found[count] - found[256]).abs().mean()) for count in (32, 64)]
    assert errors[0] / errors[1] > 3


def test_the_guess_of_the_spread_of_the_data_changes_nothing_in_the_limit() -> None:
    law, edm = reference_mixture(), replace(framework("edm"), sigma_min=0.01)
    x = law.draw(50, np.random.default_rng(3))
    narrow, wide = (log_likelihood(law, x, edm, None, intervals=200, sigma_data=s) for s in (0.2, 1.0))
    torch.testing.assert_close(narrow, wide, rtol=0, atol=0.01)


def test_probes_estimate_the_trace_without_bias_and_belong_to_their_image() -> None:
    law, edm = gaussian(0.2), framework("edm")
    x = law.draw(400, np.random.default_rng(4))
    exact = log_likelihood(law, x, edm, None, intervals=32)
    noise = Noise(range(400), (1, SIDE, SIDE))
    one = log_likelihood(law, x, edm, noise, intervals=32)
    four = log_likelihood(law, x, edm, Noise(range(400), (1, SIDE, SIDE)), intervals=32, probes=4)
    for found in (one, four):
        error = found - exact
        assert abs(float(error.mean())) < 4 * float(error.std()) / 400**0.5
    assert float((four - exact).std()) < 0.65 * float((one - exact).std())
    alone = log_likelihood(law, x[7:8], edm, Noise([7], (1, SIDE, SIDE)), intervals=32)
    torch.testing.assert_close(alone, one[7:8])


def test_parameters_of_the_network_get_no_gradient() -> None:
    scale = torch.tensor(0.5, requires_grad=True)
    x = torch.ones(2, 1, 1, 2)
    found = log_likelihood(lambda x, sigma: scale * x, x, framework("edm"), None, intervals=4)
    assert scale.grad is None
    assert not found.requires_grad


def expected_step(law: GaussianLaw, level: Tensor, following: Tensor) -> float:
    """Mean of a step's divergence, from the known error of the best estimate."""
    values = torch.linalg.eigvalsh(law.covariance)
    error = (values * level**2 / (values + level**2)).sum()
    return float((1 / following**2 - 1 / level**2) * error / 2)


def test_the_bound_of_a_gaussian_is_what_its_formula_says_and_above_the_entropy() -> None:
    law = gaussian()
    x = law.draw(2000, np.random.default_rng(5))
    levels = logarithmic(replace(framework("edm"), sigma_min=0.01), 40)
    found = variational_bound(law, x, levels, Noise(range(2000), (1, SIDE, SIDE)), grey_levels=None)
    steps = sum(expected_step(law, level, after) for level, after in pairwise(levels[:-1]))
    assert float(found.steps.mean()) == pytest.approx(steps, abs=4 * float(found.steps.std()) / 2000**0.5)
    assert float(found.total.mean()) > law.entropy()


def test_the_bound_tightens_with_more_levels() -> None:
    law = gaussian()
    x = law.draw(300, np.random.default_rng(6))
    edm = replace(framework("edm"), sigma_min=0.01)
    gaps = []
    for count in (20, 60, 240):
        noise = Noise(range(300), (1, SIDE, SIDE))
        found = variational_bound(law, x, logarithmic(edm, count), noise, grey_levels=None)
        gaps.append(float((found.total + law.log_density(x)).mean()) / PIXELS)
    assert gaps[0] > gaps[1] > gaps[2]
    # The gap falls as the length of the steps.
    assert gaps[1] / gaps[2] > 3
    assert gaps[2] < 0.15


def test_the_bound_of_grey_levels_bounds_their_entropy_under_the_chain_of_ddpm() -> None:
    grey = np.random.default_rng(7).integers(100, 156, (200, 1, 2, 2))
    x = torch.from_numpy(2 * grey / 255 - 1)
    # Independent pixels, each even over 56 of the 256 values: the denoiser is that of 56 points.
    values = torch.arange(100, 156).double() * 2 / 255 - 1

    def denoise(x: Tensor, sigma: Tensor) -> Tensor:
        shares = (-((x.unsqueeze(-1) - values) ** 2) / (2 * sigma**2)).softmax(dim=-1)
        return (shares * values).sum(dim=-1)

    bits = {}
    for count in (250, 1000):
        found = variational_bound(denoise, x, framework("ddpm").levels(count), Noise(range(200), (1, 2, 2)))
        bits[count] = float(bits_per_dimension(-found.total, 4, None).mean())
    assert math.log2(56) < bits[1000] < math.log2(56) + 0.9
    assert bits[1000] < bits[250]


def test_the_grey_levels_of_a_decoder_have_probabilities_that_sum_to_one() -> None:
    values = (2 * torch.arange(256).double() / 255 - 1).reshape(256, 1, 1, 1)
    for mean, level in ((0.013, 0.02), (0.99, 0.3), (-1.2, 0.05)):
        found = variational_bound(
            lambda x, sigma, mean=mean: torch.full_like(x, mean),
            values,
            torch.tensor([level, 0.0]),
            Noise(range(256), (1, 1, 1)),
        )
        assert float((-found.decoder).exp().sum()) == pytest.approx(1.0, abs=1e-9)
        assert bool(found.decoder.isfinite().all())


def test_bits_per_dimension_are_those_of_even_noise_over_the_grey_levels() -> None:
    even = torch.full((3,), -12 * math.log(2 * 256 / 255), dtype=torch.float64)
    torch.testing.assert_close(bits_per_dimension(even, 12), torch.full((3,), 8.0, dtype=torch.float64))
    assert float(bits_per_dimension(torch.tensor(-math.log(2.0)), 1, None)) == pytest.approx(1.0)


def test_dequantised_images_fill_their_grey_levels_evenly_and_no_others() -> None:
    grey = torch.full((4000, 1, 1, 1), 100)
    x = dequantised(2 * grey.double() / 255 - 1, Noise(range(4000), (1, 1, 1)))
    back = (x + 1) * 255 / 2 - 100
    assert float(back.min()) >= -0.5
    assert float(back.max()) <= 0.5
    assert float(back.std()) == pytest.approx(1 / 12**0.5, abs=0.01)


def test_images_of_the_model_are_more_likely_than_others() -> None:
    law = MixtureLaw(torch.ones(2), torch.stack([torch.zeros(1, 4, 4), torch.ones(1, 4, 4)]), torch.full((2,), 0.2))
    own = law.draw(20, np.random.default_rng(8))
    noise = [Noise(range(20), (1, 4, 4)) for _ in range(2)]
    good, bad = (
        log_likelihood(law, x, framework("edm"), one, intervals=32)
        for x, one in zip((own, own.flip(0) * -1), noise, strict=True)
    )
    assert float(bits_per_dimension(good, 16).mean()) < float(bits_per_dimension(bad, 16).mean()) - 1
