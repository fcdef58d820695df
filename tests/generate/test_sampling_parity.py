"""Our samplers against the schedulers of diffusers and MONAI: same levels, same noise, same images to 1e-5.

Their variance-preserving variables are ours over ``sqrt(1 + sigma^2)``.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable, Iterator

import numpy as np
import pytest
import torch
from torch import Tensor

from fourfold.generate.analytic import MixtureLaw
from fourfold.generate.frameworks import ddpm_sigmas, framework
from fourfold.generate.sampling.ddim import ddim
from fourfold.generate.sampling.ddpm import ddpm
from fourfold.generate.sampling.dpm_solver import dpm_solver_2m, logarithmic, sde_dpm_solver_2m
from fourfold.generate.sampling.euler import euler
from fourfold.generate.sampling.euler_maruyama import euler_maruyama_ve
from fourfold.generate.sampling.heun import heun
from fourfold.generate.sampling.predictor_corrector import predictor_corrector

TOLERANCE = {"rtol": 0, "atol": 1e-5}
SHAPE = (3, 2, 4, 4)

# diffusers turns tensors into arrays in a way that NumPy 2 deprecates.
pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")


@pytest.fixture(scope="module")
def law() -> MixtureLaw:
    """Far from Gaussian, so that a wrong coefficient shows."""
    rng = np.random.default_rng(0)
    means = torch.from_numpy(rng.uniform(-1, 1, (5, *SHAPE[1:])))
    return MixtureLaw(torch.ones(5), means, torch.full((5,), 0.2))


class Recorded:
    """The same noise for two samplers: ours calls it, theirs gets it in place of their own draws."""

    def __init__(self, count: int, dtype: torch.dtype = torch.float64) -> None:
        rng = np.random.default_rng(1)
        self.numbers = torch.from_numpy(rng.standard_normal((count, *SHAPE))).to(dtype)
        self.start = torch.from_numpy(rng.standard_normal(SHAPE)).to(dtype)
        self.rewind()

    def rewind(self) -> None:
        self._left: Iterator[Tensor] = iter(self.numbers)

    def __call__(self, *_: object, **__: object) -> Tensor:
        return next(self._left)


def eps(law: MixtureLaw, x: Tensor, sigma: Tensor) -> Tensor:
    return (x - law(x, sigma)) / sigma


def theirs_scaled(
    law: MixtureLaw, step: Callable[[Tensor, int, Tensor], Tensor], times: Tensor, sigmas: Tensor, start: Tensor
) -> Tensor:
    """A scheduler that steps in variance-preserving variables and has reached sigma = 0 at the end."""
    scale = (1 + sigmas.square()).sqrt()
    x = sigmas[0] * start / scale[0]
    for index, time in enumerate(times):
        x = step(eps(law, x * scale[index], sigmas[index]), int(time), x)
    return x


def in_double(scheduler: object) -> object:
    """Their tables, which are in single precision, in double."""
    scheduler.betas = scheduler.betas.double()
    scheduler.alphas = 1 - scheduler.betas
    scheduler.alphas_cumprod = torch.cumprod(scheduler.alphas, 0)
    scheduler.one = torch.ones((), dtype=torch.float64)
    return scheduler


def times_and_sigmas(scheduler: object, steps: int) -> tuple[Tensor, Tensor]:
    scheduler.set_timesteps(steps)
    abar = scheduler.alphas_cumprod[scheduler.timesteps]
    return scheduler.timesteps, ((1 - abar) / abar).sqrt()


def to_zero(sigmas: Tensor) -> Tensor:
    return torch.cat([sigmas.double(), torch.zeros(1, dtype=torch.float64)])


def test_levels_of_the_ddpm_framework_are_those_of_diffusers_and_monai() -> None:
    import diffusers
    from monai.networks.schedulers import DDPMScheduler

    for scheduler in (diffusers.DDPMScheduler(timestep_spacing="linspace"), DDPMScheduler()):
        _, sigmas = times_and_sigmas(in_double(scheduler), 20)
        torch.testing.assert_close(framework("ddpm").levels(20)[:-1], sigmas, rtol=1e-5, atol=0)
    assert len(ddpm_sigmas()) == 1000


@pytest.mark.parametrize(("variance", "name"), [("posterior", "fixed_small"), ("beta", "fixed_large")])
def test_ddpm_is_that_of_diffusers(law: MixtureLaw, monkeypatch: pytest.MonkeyPatch, variance: str, name: str) -> None:
    import diffusers

    module = importlib.import_module("diffusers.schedulers.scheduling_ddpm")
    scheduler = in_double(diffusers.DDPMScheduler(variance_type=name, clip_sample=False))
    times, sigmas = times_and_sigmas(scheduler, 25)
    noise = Recorded(25)
    monkeypatch.setattr(module, "randn_tensor", noise)
    peer = theirs_scaled(law, lambda e, t, x: scheduler.step(e, t, x).prev_sample, times, sigmas, noise.start)
    noise.rewind()
    ours = ddpm(law, sigmas[0] * noise.start, to_zero(sigmas), noise, variance=variance)
    torch.testing.assert_close(ours, peer, **TOLERANCE)


@pytest.mark.parametrize(("variance", "name"), [("posterior", "fixed_small"), ("beta", "fixed_large")])
def test_ddpm_is_that_of_monai(law: MixtureLaw, monkeypatch: pytest.MonkeyPatch, variance: str, name: str) -> None:
    from monai.networks.schedulers import DDPMScheduler

    # MONAI steps through every time of its chain, whatever it is asked for.
    scheduler = in_double(
        DDPMScheduler(num_train_timesteps=80, variance_type=name, clip_sample=False, beta_start=1e-3, beta_end=0.2)
    )
    times, sigmas = times_and_sigmas(scheduler, 80)
    noise = Recorded(80)
    with monkeypatch.context() as patch:
        patch.setattr(torch, "randn", noise)
        peer = theirs_scaled(law, lambda e, t, x: scheduler.step(e, t, x)[0], times, sigmas, noise.start)
    noise.rewind()
    ours = ddpm(law, sigmas[0] * noise.start, to_zero(sigmas), noise, variance=variance)
    torch.testing.assert_close(ours, peer, **TOLERANCE)


@pytest.mark.parametrize("eta", [0.0, 1.0])
@pytest.mark.parametrize("package", ["diffusers", "monai"])
def test_ddim_is_that_of_both(law: MixtureLaw, monkeypatch: pytest.MonkeyPatch, package: str, eta: float) -> None:
    if package == "diffusers":
        import diffusers

        scheduler = in_double(diffusers.DDIMScheduler(clip_sample=False, set_alpha_to_one=True))
        scheduler.final_alpha_cumprod = torch.ones((), dtype=torch.float64)

        def step(e: Tensor, t: int, x: Tensor) -> Tensor:
            return scheduler.step(e, t, x, eta=eta).prev_sample
    else:
        from monai.networks.schedulers import DDIMScheduler

        # MONAI takes the time before to be as far away as if all times were evenly spaced from 1000 down, which its own
        # times are only where it visits all of them.
        scheduler = in_double(DDIMScheduler(80, clip_sample=False, beta_start=1e-3, beta_end=0.2))
        scheduler.final_alpha_cumprod = torch.ones((), dtype=torch.float64)

        def step(e: Tensor, t: int, x: Tensor) -> Tensor:
            return scheduler.step(e, t, x, eta=eta)[0]

    count = 20 if package == "diffusers" else 80
    times, sigmas = times_and_sigmas(scheduler, count)
    noise = Recorded(count)
    with monkeypatch.context() as patch:
        patch.setattr(importlib.import_module("diffusers.schedulers.scheduling_ddim"), "randn_tensor", noise)
        patch.setattr(torch, "randn", noise)
        peer = theirs_scaled(law, step, times, sigmas, noise.start)
    noise.rewind()
    ours = ddim(law, sigmas[0] * noise.start, to_zero(sigmas), noise, eta=eta)
    torch.testing.assert_close(ours, peer, **TOLERANCE)


@pytest.mark.parametrize("karras", [False, True])
def test_euler_is_that_of_diffusers(law: MixtureLaw, karras: bool) -> None:
    import diffusers

    scheduler = diffusers.EulerDiscreteScheduler(use_karras_sigmas=karras)
    scheduler.set_timesteps(15)
    start = Recorded(1, torch.float32).start * scheduler.sigmas[0]
    x = start
    for index, time in enumerate(scheduler.timesteps):
        x = scheduler.step(eps(law, x, scheduler.sigmas[index]), time, x).prev_sample
    torch.testing.assert_close(euler(law, start, scheduler.sigmas), x, **TOLERANCE)


def test_euler_on_the_levels_of_edm_is_that_of_diffusers(law: MixtureLaw) -> None:
    import diffusers

    scheduler = diffusers.EDMEulerScheduler()
    scheduler.set_timesteps(15)
    start = Recorded(1, torch.float32).start * scheduler.sigmas[0]
    x = start
    for index, time in enumerate(scheduler.timesteps):
        sigma = scheduler.sigmas[index]
        c_skip, c_out = 0.25 / (0.25 + sigma**2), 0.5 * sigma / (0.25 + sigma**2) ** 0.5
        x = scheduler.step((law(x, sigma) - c_skip * x) / c_out, time, x).prev_sample
    levels = framework("edm").levels(15)
    torch.testing.assert_close(levels.float(), scheduler.sigmas, rtol=1e-5, atol=0)
    torch.testing.assert_close(euler(law, start, levels), x, **TOLERANCE)


@pytest.mark.parametrize("karras", [False, True])
def test_heun_is_that_of_diffusers(law: MixtureLaw, karras: bool) -> None:
    import diffusers

    scheduler = diffusers.HeunDiscreteScheduler(beta_start=1e-4, beta_end=0.02, use_karras_sigmas=karras)
    scheduler.set_timesteps(12)
    # Theirs lists a level once for each call of the network: the first one alone, all others twice.
    levels = torch.cat([scheduler.sigmas[:1], scheduler.sigmas[1::2]]).double()
    start = Recorded(1).start * levels[0]
    x = start
    for time in scheduler.timesteps:
        scheduler._init_step_index(time) if scheduler.step_index is None else None
        sigma = scheduler.sigmas[scheduler.step_index]
        x = scheduler.step(eps(law, x, sigma), time, x).prev_sample
    torch.testing.assert_close(heun(law, start, levels), x, **TOLERANCE)


@pytest.mark.parametrize("steps", [5, 10, 25])
@pytest.mark.parametrize(("kind", "ours"), [("dpmsolver++", dpm_solver_2m), ("sde-dpmsolver++", sde_dpm_solver_2m)])
def test_dpm_solver_is_that_of_diffusers(
    law: MixtureLaw, monkeypatch: pytest.MonkeyPatch, kind: str, ours: Callable[..., Tensor], steps: int
) -> None:
    import diffusers

    module = importlib.import_module("diffusers.schedulers.scheduling_dpmsolver_multistep")
    scheduler = diffusers.DPMSolverMultistepScheduler(algorithm_type=kind, solver_order=2, final_sigmas_type="zero")
    scheduler.set_timesteps(steps)
    noise = Recorded(steps)
    monkeypatch.setattr(module, "randn_tensor", noise)
    sigmas = scheduler.sigmas.double()[:-1]
    peer = theirs_scaled(
        law, lambda e, t, x: scheduler.step(e, t, x).prev_sample, scheduler.timesteps, sigmas, noise.start
    )
    noise.rewind()
    found = ours(law, sigmas[0] * noise.start, to_zero(sigmas), noise)
    torch.testing.assert_close(found, peer, **TOLERANCE)


def test_levels_even_in_lambda_are_those_of_diffusers() -> None:
    import diffusers

    scheduler = diffusers.DPMSolverMultistepScheduler(use_exponential_sigmas=True)
    scheduler.set_timesteps(12)
    torch.testing.assert_close(logarithmic(framework("ddpm"), 12).float(), scheduler.sigmas, rtol=1e-4, atol=0)


def test_reverse_diffusion_of_the_ve_process_is_that_of_diffusers(
    law: MixtureLaw, monkeypatch: pytest.MonkeyPatch
) -> None:
    scheduler, levels, noise = ve(monkeypatch)
    x = levels[0] * noise.start
    for time, sigma in zip(scheduler.timesteps, levels[:-1], strict=True):
        found = scheduler.step_pred(-eps(law, x, sigma) / sigma, time, x)
        x = found.prev_sample
    noise.rewind()
    ours = euler_maruyama_ve(law, levels[0] * noise.start, levels, noise)
    torch.testing.assert_close(ours, found.prev_sample_mean, **TOLERANCE)


def test_predictor_and_corrector_are_those_of_diffusers_where_the_norms_are_what_they_are_on_average(
    law: MixtureLaw, monkeypatch: pytest.MonkeyPatch
) -> None:
    scheduler, levels, noise = ve(monkeypatch)
    pull = {}

    def watched(x: Tensor, sigma: Tensor) -> Tensor:
        estimate = law(x, sigma)
        pull["norm"] = ((x - estimate) / sigma).flatten(1).norm(dim=1)
        return estimate

    def fitting(*_: object, **__: object) -> Tensor:
        """Noise whose norm is sigma times that of the score, for which their step is ours."""
        drawn = noise()
        # Theirs divides means over the batch.
        return drawn / drawn.flatten(1).norm(dim=1).reshape(-1, 1, 1, 1) * pull["norm"].mean()

    monkeypatch.setattr(importlib.import_module("diffusers.schedulers.scheduling_sde_ve"), "randn_tensor", fitting)
    x = levels[0] * noise.start
    for index, (time, sigma) in enumerate(zip(scheduler.timesteps, levels[:-1], strict=True)):
        found = scheduler.step_pred((watched(x, sigma) - x) / sigma**2, time, x)
        x = found.prev_sample
        after = levels[index + 1]
        if after > 0:
            x = scheduler.step_correct((watched(x, after) - x) / after**2, x).prev_sample
    noise.rewind()
    ours = predictor_corrector(watched, levels[0] * noise.start, levels, fitting, signal_to_noise=0.16)
    torch.testing.assert_close(ours, found.prev_sample_mean, **TOLERANCE)


def ve(monkeypatch: pytest.MonkeyPatch) -> tuple[object, Tensor, Recorded]:
    """Their scheduler of the VE process, its levels in double, and the noise that it will draw."""
    import diffusers

    scheduler = diffusers.ScoreSdeVeScheduler(num_train_timesteps=30, snr=0.16, sigma_min=0.02, sigma_max=100.0)
    scheduler.set_timesteps(30)
    scheduler.set_sigmas(30)
    # Their step finds its level by truncating time * (count - 1), which must not fall short of a whole number.
    scheduler.timesteps = torch.linspace(1, 0, 30, dtype=torch.float64) + 1e-4
    scheduler.discrete_sigmas = scheduler.discrete_sigmas.double()
    noise = Recorded(100)
    monkeypatch.setattr(importlib.import_module("diffusers.schedulers.scheduling_sde_ve"), "randn_tensor", noise)
    return scheduler, to_zero(scheduler.discrete_sigmas.flip(0)), noise
