"""Laws whose denoisers, densities and draws are known."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from scipy import stats
from torch import Tensor

from fourfold.generate.analytic import GaussianLaw, MixtureLaw, reference_mixture, sliced_wasserstein

SIDE = 3


@pytest.fixture
def gaussian() -> GaussianLaw:
    rng = np.random.default_rng(0)
    root = torch.from_numpy(rng.standard_normal((SIDE**2, SIDE**2)))
    mean = torch.from_numpy(rng.standard_normal((1, SIDE, SIDE)))
    return GaussianLaw(mean, root @ root.T / SIDE**2 + 0.05 * torch.eye(SIDE**2))


@pytest.fixture
def mixture() -> MixtureLaw:
    rng = np.random.default_rng(1)
    means = torch.from_numpy(rng.standard_normal((3, 1, SIDE, SIDE)))
    deviations = torch.from_numpy(rng.uniform(0.2, 0.6, (3, 1, SIDE, SIDE)))
    return MixtureLaw(torch.tensor([0.5, 0.3, 0.2]), means, deviations)


@pytest.fixture(params=["gaussian", "mixture"])
def law(request: pytest.FixtureRequest) -> GaussianLaw | MixtureLaw:
    return request.getfixturevalue(request.param)


def score(law: GaussianLaw | MixtureLaw, x: Tensor, sigma: float) -> Tensor:
    given = x.clone().requires_grad_()
    (found,) = torch.autograd.grad(law.log_density(given, sigma).sum(), given)
    return found


@pytest.mark.parametrize("sigma", [0.05, 0.7, 20.0])
def test_the_denoiser_is_the_score_of_the_density(law: GaussianLaw | MixtureLaw, sigma: float) -> None:
    x = law.draw(6, np.random.default_rng(2)) + sigma
    tweedie = x + sigma**2 * score(law, x, sigma)
    torch.testing.assert_close(law(x, torch.tensor(sigma)), tweedie, rtol=1e-6, atol=1e-6)


def test_densities_are_those_of_scipy(gaussian: GaussianLaw, mixture: MixtureLaw) -> None:
    x = gaussian.draw(4, np.random.default_rng(3))
    flat = x.flatten(1).numpy()
    covariance = gaussian.covariance.numpy() + 0.09 * np.eye(SIDE**2)
    known = stats.multivariate_normal(gaussian.mean.flatten().numpy(), covariance)
    np.testing.assert_allclose(gaussian.log_density(x, 0.3).numpy(), known.logpdf(flat), rtol=1e-6)
    parts = [
        weight.item() * np.exp(stats.norm(mean, np.sqrt(variance + 0.09)).logpdf(flat).sum(axis=1))
        for weight, mean, variance in zip(
            mixture.weights, mixture.means.flatten(1).numpy(), mixture.variances.flatten(1).numpy(), strict=True
        )
    ]
    np.testing.assert_allclose(mixture.log_density(x, 0.3).numpy(), np.log(sum(parts)), rtol=1e-6)


def test_entropy_is_the_mean_surprise(gaussian: GaussianLaw) -> None:
    surprise = -gaussian.log_density(gaussian.draw(20000, np.random.default_rng(4)))
    assert gaussian.entropy() == pytest.approx(float(surprise.mean()), abs=4 * float(surprise.std()) / 20000**0.5)


def test_draws_have_the_moments_of_the_law(gaussian: GaussianLaw, mixture: MixtureLaw) -> None:
    drawn = gaussian.draw(20000, np.random.default_rng(5)).flatten(1)
    torch.testing.assert_close(drawn.mean(dim=0), gaussian.mean.flatten(), rtol=0, atol=0.06)
    torch.testing.assert_close(drawn.T.cov(), gaussian.covariance, rtol=0, atol=0.12)
    shares = mixture.membership(mixture.draw(20000, np.random.default_rng(6))).mean(dim=0)
    torch.testing.assert_close(shares, mixture.weights, rtol=0, atol=0.015)


def test_a_constant_map_is_one_level(law: GaussianLaw | MixtureLaw) -> None:
    x = law.draw(4, np.random.default_rng(7))
    one, each = torch.tensor(0.4), torch.full((4,), 0.4)
    torch.testing.assert_close(law(x, torch.full((4, 1, SIDE, SIDE), 0.4)), law(x, one))
    assert torch.equal(law(x, each), law(x, one))


def test_on_maps_clean_pixels_stay_and_hopeless_ones_are_predicted_from_them(gaussian: GaussianLaw) -> None:
    x = gaussian.draw(2, np.random.default_rng(8))
    levels = torch.zeros(2, 1, SIDE, SIDE)
    levels[..., -1] = 1e4
    estimate = gaussian(x, levels)
    known = levels[0].flatten() == 0
    torch.testing.assert_close(estimate.flatten(1)[:, known], x.flatten(1)[:, known])
    cov, mean = gaussian.covariance, gaussian.mean.flatten()
    weights = torch.linalg.solve(cov[known][:, known], cov[known][:, ~known])
    expected = mean[~known] + (x.flatten(1)[:, known] - mean[known]) @ weights
    torch.testing.assert_close(estimate.flatten(1)[:, ~known], expected, rtol=1e-4, atol=1e-4)


def test_answers_come_in_the_precision_of_the_question(law: GaussianLaw | MixtureLaw) -> None:
    x = law.draw(2, np.random.default_rng(9)).float()
    assert law(x, torch.tensor(0.5)).dtype == torch.float32
    assert law(x.double(), torch.tensor(0.5)).dtype == torch.float64


def test_the_distance_to_a_law_is_what_it_must_be_for_a_shift_and_small_for_its_own_draws() -> None:
    one = MixtureLaw(torch.ones(1), torch.zeros(1, 1, 1, 2), torch.ones(1))
    quantiles = torch.special.ndtri((torch.arange(4000).double() + 0.5) / 4000)
    angle = torch.linspace(0, 2 * math.pi, 4001).double()[:-1] * 997
    # A rotationally even sample moved by 2: along a direction at angle a, the shift is 2 |cos a|, on average 4 / pi.
    radius = (-2 * (1 - (torch.arange(4000).double() + 0.5) / 4000).log()).sqrt()
    even = torch.stack([radius * angle.cos(), radius * angle.sin()], dim=1).reshape(-1, 1, 1, 2)
    moved = even + torch.tensor([2.0, 0.0])
    assert sliced_wasserstein(moved, one) == pytest.approx(4 / math.pi, rel=0.02)
    line = MixtureLaw(torch.ones(1), torch.zeros(1, 1, 1, 1), torch.full((1,), 0.5))
    assert sliced_wasserstein(quantiles.reshape(-1, 1, 1, 1), line) == pytest.approx(
        0.5 * (2 / math.pi) ** 0.5, rel=0.01
    )
    law = reference_mixture()
    own = [sliced_wasserstein(law.draw(4000, np.random.default_rng(seed)), law) for seed in range(4)]
    assert max(own) < 0.04


def test_the_reference_mixture_has_a_rare_mode() -> None:
    law = reference_mixture()
    assert law.shape == (1, 1, 2)
    assert float(law.weights[3]) == pytest.approx(0.05)
    assert float(law.membership(law.draw(8000, np.random.default_rng(0)))[:, 3].mean()) == pytest.approx(0.05, abs=0.01)
