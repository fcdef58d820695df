"""Samplers reach the law of their denoiser, image by image, pixel by pixel, within their budget."""

from __future__ import annotations

import math
import re
from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import Tensor

from fourfold.errors import InputError
from fourfold.fidelity import frechet_distance
from fourfold.generate.analytic import GaussianLaw, MixtureLaw, reference_mixture, sliced_wasserstein
from fourfold.generate.frameworks import FRAMEWORKS, framework
from fourfold.generate.noise import Noise
from fourfold.generate.sampling import SAMPLERS, sample, sampler
from fourfold.generate.sampling.ddim import ddim
from fourfold.generate.sampling.ddpm import ddpm
from fourfold.generate.sampling.heun import heun
from fourfold.generate.sampling.langevin import langevin
from fourfold.images import prepare
from fourfold.images.phantoms import phantoms

SHAPE = (2, 4, 4)

HOME = {
    "ddpm": "ddpm",
    "ddim": "ddpm",
    "euler": "edm",
    "heun": "edm",
    "dpm++2m": "edm",
    "sde-dpm++2m": "edm",
    "euler-maruyama": "vp",
    "predictor-corrector": "ve",
    "langevin": "ncsn",
}

# Sliced Wasserstein distance after 10, 35 and 200 evaluations, about 1.3 times what was measured over four seeds; 4000
# perfect draws are within 0.03.
FURTHEST = {
    "ddpm": (0.16, 0.06, 0.03),
    "ddim": (0.13, 0.05, 0.03),
    "euler": (0.17, 0.055, 0.03),
    "heun": (1.4, 0.045, 0.03),
    "dpm++2m": (0.085, 0.03, 0.03),
    "sde-dpm++2m": (0.15, 0.03, 0.03),
    "euler-maruyama": (0.17, 0.06, 0.03),
    "predictor-corrector": (0.63, 0.075, 0.03),
    "langevin": (math.nan, 0.2, 0.05),
}


class Double:
    """Noise in double precision, all of it from one stream: quicker than one an image."""

    def __init__(self, count: int, shape: tuple[int, ...], seed: int = 0) -> None:
        self.shape = (count, *shape)
        self.stream = torch.Generator().manual_seed(seed)

    def __call__(self) -> Tensor:
        return torch.randn(self.shape, generator=self.stream, dtype=torch.float64)


@pytest.fixture(scope="module")
def law() -> MixtureLaw:
    rng = np.random.default_rng(0)
    means = torch.from_numpy(rng.uniform(-1, 1, (4, *SHAPE)))
    return MixtureLaw(torch.ones(4), means, torch.full((4,), 0.2))


def run(name: str, law: Callable[..., Tensor], levels: Tensor, count: int, seed: int = 0) -> Tensor:
    noise = Double(count, SHAPE, seed)
    return SAMPLERS[name].function(law, levels[0] * noise(), levels, noise)


@pytest.mark.parametrize("name", SAMPLERS)
def test_every_sampler_reaches_the_law_of_a_mixture_and_its_rare_mode(name: str) -> None:
    known, count = reference_mixture(), 4000
    for evaluations, furthest in zip((10, 35, 200), FURTHEST[name], strict=True):
        if math.isnan(furthest):
            continue
        levels = SAMPLERS[name].levels(framework(HOME[name]), evaluations)
        noise = Double(count, (1, 1, 2))
        drawn = SAMPLERS[name].function(known, levels[0] * noise(), levels, noise)
        assert sliced_wasserstein(drawn, known) < furthest
    assert float(known.membership(drawn)[:, 3].mean()) == pytest.approx(0.05, abs=0.012)


def test_eighteen_evaluations_of_the_second_order_solver_are_off_by_less_than_draws_of_a_perfect_one_scatter() -> None:
    known = reference_mixture()
    # A start that fills the plane evenly leaves the solver's own error and next to no scatter.
    even = torch.quasirandom.SobolEngine(2, scramble=True, seed=0).draw(4096, dtype=torch.float64)
    start = torch.special.ndtri(even.clamp(1e-9, 1 - 1e-9)).reshape(-1, 1, 1, 2)
    scatter = [sliced_wasserstein(known.draw(2500, np.random.default_rng(seed)), known) for seed in range(8)]
    levels = SAMPLERS["dpm++2m"].levels(framework("ddpm"), 18)
    drawn = SAMPLERS["dpm++2m"].function(known, levels[0] * start, levels, None)
    assert sliced_wasserstein(drawn, known) < np.mean(scatter)
    assert float(known.membership(drawn)[:, 3].mean()) == pytest.approx(0.05, abs=0.003)


def test_on_images_eighteen_evaluations_of_the_second_order_solver_stay_far_ahead_of_as_many_of_ddpm() -> None:
    images = prepare({"training": phantoms("chest", 60, size=16, seed=0).to_image_set("training")})["training"].load()
    points, deviation, count = 2 * torch.from_numpy(images[..., ::2, ::2]).double().flatten(1) - 1, 0.1, 500
    axes = torch.linalg.svd(points - points.mean(dim=0), full_matrices=False).Vh[:8].T

    def smeared(x: Tensor, sigma: Tensor) -> Tensor:
        """The denoiser of the images with noise, as `MixtureLaw`, by matrix products."""
        total = deviation**2 + sigma**2
        shares = ((2 * x @ points.T - points.square().sum(dim=1)) / (2 * total)).softmax(dim=1)
        return x + sigma**2 / total * (shares @ points - x)

    chosen = torch.from_numpy(np.random.default_rng(9).integers(len(points), size=8000))
    perfect = (points[chosen] + deviation * Double(8000, points.shape[1:], seed=9)()) @ axes

    def distance(x: Tensor) -> float:
        return frechet_distance(perfect.numpy(), (x @ axes).numpy())

    def drawn(name: str, evaluations: int, seed: int) -> Tensor:
        noise = Double(count, points.shape[1:], seed)
        levels = SAMPLERS[name].levels(framework("ddpm"), evaluations)
        return SAMPLERS[name].function(smeared, levels[0] * noise(), levels, noise)

    fast, coarse = (np.mean([distance(drawn(name, 18, seed)) for seed in range(8)]) for name in ("dpm++2m", "ddpm"))
    slow = np.mean([distance(drawn("ddpm", 1000, seed)) for seed in range(2)])
    assert fast < 1.1 * slow
    assert coarse > 1.3 * fast


@pytest.mark.parametrize(("name", "order"), [("euler", 1), ("ddim", 1), ("heun", 2), ("dpm++2m", 2)])
def test_the_error_falls_with_the_published_order(name: str, order: int) -> None:
    # In one dimension of a Gaussian the exact path is known: x / sqrt(s^2 + sigma^2) does not change.
    s, high, low = 0.5, 5.0, 0.05
    known = GaussianLaw(torch.zeros(1, 1, 1), torch.full((1, 1), s**2))
    x = torch.full((1, 1, 1, 1), high, dtype=torch.float64)
    at_low = x * math.sqrt((s**2 + low**2) / (s**2 + high**2))
    exact = known(at_low, torch.tensor(low, dtype=torch.float64))
    errors = []
    for steps in (40, 80):
        place = torch.linspace(0, 1, steps + 1, dtype=torch.float64)
        levels = torch.cat([high ** (1 - place) * low**place, torch.zeros(1, dtype=torch.float64)])
        errors.append(float((SAMPLERS[name].function(known, x, levels, None) - exact).abs()))
    assert math.log2(errors[0] / errors[1]) == pytest.approx(order, abs=0.25)


@pytest.mark.parametrize("name", ["ddpm", "ddim", "euler-maruyama", "predictor-corrector", "sde-dpm++2m"])
def test_a_gaussian_keeps_its_covariance(name: str) -> None:
    rng = np.random.default_rng(1)
    root = torch.from_numpy(rng.standard_normal((4, 4))) * 0.4
    known = GaussianLaw(torch.full((1, 2, 2), 0.3), root @ root.T + 0.05 * torch.eye(4))
    levels = SAMPLERS[name].levels(framework("ve"), 150)
    noise = Double(6000, (1, 2, 2))
    drawn = SAMPLERS[name].function(known, levels[0] * noise(), levels, noise).flatten(1)
    torch.testing.assert_close(drawn.mean(dim=0), known.mean.flatten(), rtol=0, atol=0.04)
    torch.testing.assert_close(drawn.T.cov(), known.covariance, rtol=0, atol=0.05)


@pytest.mark.parametrize("name", SAMPLERS)
@pytest.mark.parametrize("budget", [1, 2, 5, 17, 18, 40])
def test_a_sampler_keeps_to_its_budget(law: MixtureLaw, name: str, budget: int) -> None:
    chosen = sampler(name)
    least = chosen.evaluations(chosen.fewest)
    if budget < least:
        with pytest.raises(InputError, match=rf"{re.escape(name)} takes at least {least} evaluation"):
            chosen.steps(budget)
        return
    calls = []

    def counted(x: Tensor, sigma: Tensor) -> Tensor:
        calls.append(sigma)
        return law(x, sigma)

    levels = chosen.levels(framework("edm"), budget)
    run(name, counted, levels, 2)
    assert len(calls) == chosen.evaluations(len(levels) - 1)
    assert budget - chosen.each < len(calls) <= budget
    # The network never sees a level that it was not trained for.
    assert min(map(float, calls)) >= 0.002 * 0.999


def test_the_least_budget_is_told() -> None:
    with pytest.raises(InputError, match="the sampler langevin takes at least 16 evaluations of the network, got 10"):
        sampler("langevin").steps(10)
    with pytest.raises(InputError, match="the sampler heun takes at least 1 evaluation of the network, got 0"):
        sampler("heun").steps(0)


def test_what_there_is_is_listed_where_a_name_is_wrong() -> None:
    with pytest.raises(InputError, match="there is no sampler 'plms'; there are: ddpm, ddim, euler, heun"):
        sampler("plms")
    assert {one.sampler for one in FRAMEWORKS.values()} <= set(SAMPLERS)
    assert all(one.name == name and one.source for name, one in SAMPLERS.items())


@pytest.mark.parametrize("name", SAMPLERS)
def test_an_image_does_not_depend_on_its_batch(law: MixtureLaw, name: str) -> None:
    together, alone = (
        sample(law, framework("edm"), Noise(seeds, SHAPE), sampler=name, evaluations=21) for seeds in ([5, 6, 7], [6])
    )
    assert together.shape == (3, *SHAPE)
    torch.testing.assert_close(together[1:2], alone, rtol=0, atol=1e-6)
    again = sample(law, framework("edm"), Noise([5, 6, 7], SHAPE), sampler=name, evaluations=21)
    assert torch.equal(together, again)
    assert not torch.equal(together[0], together[2])


@pytest.mark.parametrize("name", SAMPLERS)
def test_only_stochastic_samplers_draw_on_the_way(law: MixtureLaw, name: str) -> None:
    levels = SAMPLERS[name].levels(framework("edm"), 18)
    x = levels[0] * Double(2, SHAPE)()
    if SAMPLERS[name].stochastic:
        with pytest.raises(ValueError, match="this sampler adds noise at its steps"):
            SAMPLERS[name].function(law, x, levels, None)
    else:
        assert bool(SAMPLERS[name].function(law, x, levels, None).isfinite().all())


@pytest.mark.parametrize("name", SAMPLERS)
def test_a_constant_map_gives_what_its_level_gives(law: MixtureLaw, name: str) -> None:
    levels = SAMPLERS[name].levels(framework("edm"), 21)
    maps = levels.reshape(-1, 1, 1, 1, 1).expand(-1, 3, 1, *SHAPE[1:])
    torch.testing.assert_close(run(name, law, maps, 3), run(name, law, levels, 3), rtol=0, atol=1e-9)


def mosaic(levels: Tensor) -> Tensor:
    """Maps: the first row of pixels is clean, the second starts later, at a level of 1, the others are as `levels`."""
    maps = levels.reshape(-1, 1, 1, 1, 1).repeat(1, 3, 1, *SHAPE[1:])
    maps[..., 0, :] = 0
    maps[..., 1, :] = maps[..., 1, :].clamp_max(1.0)
    return maps


@pytest.mark.parametrize("name", SAMPLERS)
def test_clean_pixels_stay_as_they_are_and_nothing_breaks(law: MixtureLaw, name: str) -> None:
    maps = mosaic(SAMPLERS[name].levels(framework("edm"), 31))
    clean = law.draw(3, np.random.default_rng(2))
    noise = Double(3, SHAPE)
    x = clean + maps[0] * noise()
    drawn = SAMPLERS[name].function(law, x, maps, noise)
    assert torch.equal(drawn[..., 0, :], clean[..., 0, :])
    assert bool(drawn.isfinite().all())
    assert float((drawn[..., 1:, :] - x[..., 1:, :]).abs().min()) > 0


@pytest.mark.parametrize("name", SAMPLERS)
def test_pixels_wait_until_their_level_falls(law: MixtureLaw, name: str) -> None:
    first = SAMPLERS[name].levels(framework("edm"), 31)
    seen = []

    def watched(x: Tensor, sigma: Tensor) -> Tensor:
        seen.append((x[..., 1, :].clone(), float(sigma.max())))
        return law(x, sigma)

    maps = mosaic(first)
    noise = Double(3, SHAPE)
    SAMPLERS[name].function(watched, maps[0] * noise(), maps, noise)
    waiting = [row for row, level in seen if level > 1]
    assert len(waiting) > 3
    assert all(torch.equal(row, waiting[0]) for row in waiting)


@pytest.mark.parametrize("name", SAMPLERS)
def test_pixels_may_come_to_their_end_before_others(law: MixtureLaw, name: str) -> None:
    levels = torch.linspace(2, 0, 8, dtype=torch.float64)
    maps = levels.reshape(-1, 1, 1, 1, 1).repeat(1, 3, 1, *SHAPE[1:])
    maps[..., 0] = (maps[..., 0] - 1).clamp_min(0)
    states = []

    def watched(x: Tensor, sigma: Tensor) -> Tensor:
        states.append((x.clone(), sigma))
        return law(x, sigma)

    noise = Double(3, SHAPE)
    drawn = SAMPLERS[name].function(watched, maps[0] * noise(), maps, noise)
    assert bool(drawn.isfinite().all())
    done = [x[..., 0] for x, sigma in states if float(sigma[..., 0].max()) == 0 < float(sigma.max())]
    assert done
    # Those who arrive at 0 have been denoised and are left alone after that.
    assert torch.equal(done[-1], drawn[..., 0])


def test_ancestral_sampling_on_a_map_follows_the_posterior_of_its_walk() -> None:
    # x0 = 0 known: after a step the noise has the variance of the next level, and the correlation of a random walk.
    levels = torch.tensor([[1.0, 2.0], [0.5, 1.0], [0.0, 0.0]], dtype=torch.float64).reshape(3, 1, 1, 1, 2)
    noise = Double(40000, (1, 1, 2))
    start = levels[0] * noise()
    states = []

    def nothing(x: Tensor, sigma: Tensor) -> Tensor:
        states.append(x)
        return torch.zeros_like(x)

    ddpm(nothing, start, levels, noise)
    after = states[1].flatten(1)
    torch.testing.assert_close(after.var(dim=0), torch.tensor([0.25, 1.0]).double(), rtol=0.03, atol=0)
    covariance = (after * start.flatten(1)).mean(dim=0)
    torch.testing.assert_close(covariance, torch.tensor([0.25, 1.0]).double(), rtol=0.05, atol=0)


def test_ddim_with_all_its_noise_is_ddpm(law: MixtureLaw) -> None:
    levels = framework("ddpm").levels(20)
    runs = []
    for function, options in ((ddim, {"eta": 1.0}), (ddpm, {})):
        noise = Double(3, SHAPE)
        runs.append(function(law, levels[0] * noise(), levels, noise, **options))
    torch.testing.assert_close(*runs)


def test_churn_adds_noise_where_it_is_told_and_keeps_the_law() -> None:
    known, levels = reference_mixture(), framework("edm").levels(40)
    noise = Double(4000, (1, 1, 2))
    start = levels[0] * noise()
    churned = heun(known, start, levels, noise, churn=15.0, churn_between=(0.05, 50.0), churn_noise=1.0)
    assert sliced_wasserstein(churned, known) < 0.03
    plain = heun(known, start, levels)
    assert not torch.allclose(churned, plain)
    nowhere = heun(known, start, levels, noise, churn=15.0, churn_between=(90.0, 100.0))
    torch.testing.assert_close(nowhere, plain)


def test_more_langevin_steps_a_level_are_nearer_to_the_law() -> None:
    known, levels = reference_mixture(), framework("ncsn").levels(12)
    distances = []
    for each in (2, 8):
        noise = Double(3000, (1, 1, 2))
        distances.append(sliced_wasserstein(langevin(known, levels[0] * noise(), levels, noise, each=each), known))
    assert distances[1] < 0.7 * distances[0]


def test_a_colder_start_varies_less(law: MixtureLaw) -> None:
    spread = []
    for temperature in (0.5, 1.0):
        drawn = sample(
            law,
            framework("edm"),
            Noise(range(200), SHAPE),
            sampler="dpm++2m",
            evaluations=12,
            temperature=temperature,
        )
        spread.append(float(law.membership(drawn).mean(dim=0).min()))
    assert spread[0] < spread[1]


@pytest.mark.parametrize("name", FRAMEWORKS)
def test_every_framework_has_a_sampler_that_reaches_the_law(law: MixtureLaw, name: str) -> None:
    own = framework(name)
    drawn = sample(law, own, Noise(range(100), SHAPE), sampler=own.sampler, evaluations=600)
    assert drawn.dtype == torch.float32
    near = (drawn.double().unsqueeze(1) - law.means).square().flatten(2).mean(dim=2).sqrt().amin(dim=1)
    assert float(near.mean()) == pytest.approx(0.2, abs=0.03)


def test_levels_may_be_given_instead_of_a_framework(law: MixtureLaw) -> None:
    own = framework("edm")
    by_name = sample(law, own, Noise([1], SHAPE), sampler="euler", evaluations=9)
    by_levels = sample(law, own.levels(9), Noise([1], SHAPE), sampler="euler")
    assert torch.equal(by_name, by_levels)
    with pytest.raises(ValueError, match="give a framework and evaluations, or levels alone"):
        sample(law, own.levels(9), Noise([1], SHAPE), sampler="euler", evaluations=9)
    with pytest.raises(ValueError, match="give evaluations with a framework"):
        sample(law, own, Noise([1], SHAPE), sampler="euler")


@pytest.mark.parametrize("levels", [[1.0, 2.0, 0.0], [2.0, 1.0], [math.nan, 0.0], [0.0], [math.inf, 1.0, 0.0]])
def test_levels_that_do_not_fall_to_nought_are_refused(law: MixtureLaw, levels: list[float]) -> None:
    with pytest.raises(ValueError, match="noise levels must be finite and fall, and the last one must be 0"):
        run("euler", law, torch.tensor(levels), 1)


def test_more_evaluations_than_a_framework_has_levels_are_refused(law: MixtureLaw) -> None:
    with pytest.raises(InputError, match="the framework ddpm has fewer than 1500 noise levels"):
        sample(law, framework("ddpm"), Noise([1], SHAPE), sampler="ddpm", evaluations=1500)
    many = SAMPLERS["dpm++2m"].levels(framework("ddpm"), 1500)
    assert len(many) == 1501


def test_solvers_of_second_order_space_their_levels_evenly_in_the_logarithm() -> None:
    levels = SAMPLERS["dpm++2m"].levels(replace(framework("edm"), sigma_min=0.01, sigma_max=100.0), 5)
    torch.testing.assert_close(levels, torch.tensor([100.0, 10.0, 1.0, 0.1, 0.01, 0.0]).double())
