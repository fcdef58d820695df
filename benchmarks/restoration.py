"""Restoration with noise that varies in space: what is exact, what is estimated, what is learned.

python benchmarks/restoration.py [exact] [noise] [trained] [--seeds N ...] [--steps N] [--quick]

- exact: a Gaussian field of 24 x 24 pixels with noise 0.05 on the left and 0.30 on the right, where the best estimate
  is known; the best single-level Wiener filter, one chain, the mean of chains, and how far strides spread.
- noise: estimated against true noise, on smooth fields and on phantoms with a noise of their own.
- trained: a network trained on 24 x 24 phantoms, on fresh patients, told a time for every pixel; the same network told
  one time for each image (of its mean variance); and one that was trained with one time for each image. Aim: 0.3 dB
  over both where the noise of the halves of an image differs, in every seed.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch

from fourfold import phantoms
from fourfold.generate.analytic import GaussianLaw
from fourfold.generate.conditioning import Conditioning, Conditions
from fourfold.generate.noise import Noise
from fourfold.generate.recipe import Run
from fourfold.generate.restoration import (
    GammaSchedule,
    KnownNoise,
    NoiseModel,
    ReadShotNoise,
    RestorationOptions,
    Restorer,
    RicianNoise,
    estimate_read_shot,
    estimate_rician,
    renoise,
    restore,
)
from fourfold.generate.restoration.network import RestorationNet
from fourfold.generate.restoration.sampler import Estimate, calls_of, posterior, reverse_chain
from fourfold.generate.restoration.training import Example, RestorationTrainee
from fourfold.generate.training import fit
from fourfold.generate.training_set import TrainingSet, patients_of
from fourfold.images import ImageSet, prepare

SIDE = SIZE = 24


class OneTimeTrainee(RestorationTrainee):
    """Told one time for each image."""

    def example(self, x0: torch.Tensor, generator: torch.Generator) -> Example:
        """As `RestorationTrainee.example`."""
        found = super().example(x0, generator)
        return Example(found.noisy, _levelled(found.variance))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("parts", nargs="*", choices=[[], "exact", "noise", "trained"], default=[])
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    parser.add_argument("--steps", type=int, default=1500)
    parser.add_argument("--quick", action="store_true", help="one seed of 40 steps, few images")
    options = parser.parse_args()
    if options.quick:
        options.seeds, options.steps = [0], 40
    parts = options.parts or ["exact", "noise", "trained"]
    if "exact" in parts:
        exact(20 if options.quick else 200)
    if "noise" in parts:
        noise()
    if "trained" in parts:
        trained(options.seeds, options.steps)


def exact(count: int) -> None:
    places = torch.stack(torch.meshgrid(torch.arange(SIDE), torch.arange(SIDE), indexing="ij")).flatten(1).double().T
    covariance = 0.04 * torch.exp(-torch.cdist(places, places).square() / 8) + 1e-9 * torch.eye(SIDE**2)
    law = GaussianLaw(torch.full((1, SIDE, SIDE), 0.5), covariance)
    halves = torch.where(torch.arange(SIDE) < SIDE // 2, 0.05, 0.30).expand(1, 1, SIDE, SIDE).double()
    x0 = law.draw(count, np.random.default_rng(0))
    y = x0 + halves * torch.randn(x0.shape, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    schedule = GammaSchedule()
    times = schedule.time(halves.square()).expand_as(y)
    estimate = _linear(law, schedule)
    print(f"Gaussian field, {count} images, {calls_of(times)} calls a chain")
    best = max(_psnr(law(y, torch.tensor(level)), x0) for level in np.geomspace(0.05, 0.4, 25))
    chain = reverse_chain(estimate, y, times, schedule, Noise(range(count), (1, SIDE, SIDE)))
    several = posterior(estimate, y, times, schedule, range(count), 16)
    for name, value in (
        ("noisy", _psnr(y, x0)),
        ("best Wiener filter of one level", best),
        ("best estimate, level by pixel", _psnr(estimate(y, y, times), x0)),
        ("one chain", _psnr(chain, x0)),
        ("mean of 16 chains", _psnr(several.mean, x0)),
    ):
        print(f"  {name:34}{value:7.2f} dB")
    for level, scale in ((0.5, 20.0), (0.3, 20.0), (0.3, 5.0)):
        schedule = GammaSchedule(scale=scale)
        total = covariance + level**2 * torch.eye(SIDE**2, dtype=torch.float64)
        variance = (covariance - covariance @ torch.linalg.solve(total, covariance)).trace() / SIDE**2
        noisy = x0[:20] + level * torch.randn(x0[:20].shape, generator=torch.Generator().manual_seed(1)).double()
        times = schedule.time(torch.full_like(noisy, level**2))
        found = []
        for stride in (1.0, 10.0, 40.0):
            spread = posterior(_linear(law, schedule), noisy, times, schedule, range(20), 16, stride=stride).spread
            found.append(f"{float((spread.square().mean() / variance).sqrt()):.2f} at {stride:g}")
        print(f"  spread over the posterior's, sigma {level:g}, lambda {scale:g}, by stride: {', '.join(found)}")


def noise() -> None:
    print("\nnoise estimated from 20 images (one image)")
    smooth = _smooth(20, 64)
    clean = _set(phantoms("chest", 20, size=64)).load()
    for name, images in (("smooth fields", smooth), ("chest phantoms", clean)):
        own = estimate_read_shot(images)
        print(f"  {name}: before noise is added read {own.read:.4f} shot {own.shot:.4f}")
        for model in (ReadShotNoise(0.02), ReadShotNoise(0.02, 0.08), ReadShotNoise(0.1, 0.05)):
            noisy = renoise(images, model)
            many, one = estimate_read_shot(noisy), estimate_read_shot(noisy[:1])
            print(
                f"    read {model.read:.3f} shot {model.shot:.3f}: {many.read:.4f} {many.shot:.4f} "
                f"({one.read:.4f} {one.shot:.4f})"
            )
    print("  Rician sigma 0.05, by the share of the background: ours; median of the darkest tenth / sqrt(2 ln 2)")
    rng = np.random.default_rng(0)
    for share in (0.1, 0.3, 0.6, 0.9):
        signal = np.where(rng.random((4, 1, 64, 64)) < share, 0, rng.uniform(0.3, 1, (4, 1, 64, 64)))
        noisy = renoise(signal, RicianNoise(0.05))
        values = np.sort(noisy.ravel())
        tenth = np.median(values[: len(values) // 10]) / np.sqrt(2 * np.log(2))
        print(f"    {share:.0%}: {estimate_rician(noisy).sigma:.4f}; {tenth:.4f}")


def trained(seeds: Sequence[int], steps: int) -> None:
    images = _set(phantoms("chest", 300, size=SIZE))
    patients, identified = patients_of(images)
    data = TrainingSet(images, Conditioning(), Conditions(len(images)), patients, identified)
    fresh = _set(phantoms("chest", 40, size=SIZE, first_patient=10_000)).load()[:64]
    options = RestorationOptions(channels=(16, 32), steps=steps, batch=16, learning_rate=2e-3, regions=0, varying=0.5)
    half = torch.where(torch.arange(SIZE) < SIZE // 2, 0.05, 0.30).expand(1, 1, SIZE, SIZE)
    cases: dict[str, NoiseModel] = {
        "halves 0.05 | 0.30": KnownNoise(half),
        "read 0.02, shot 0.3": ReadShotNoise(0.02, 0.3),
        "read 0.2": ReadShotNoise(0.2),
    }
    print(f"\ntrained for {steps} steps on {len(images)} phantoms, {len(fresh)} fresh images, mean of 8 chains, dB")
    names = ("noisy", "by pixel", "told one", "trained with one", "one call")
    print(f"  {'seed  noise':27}" + "".join(f"{name:>18}" for name in names))
    for seed in seeds:
        begun = time.perf_counter()
        by_pixel, with_one = (_train(kind, data, options, seed) for kind in (RestorationTrainee, OneTimeTrainee))
        seconds = time.perf_counter() - begun
        for name, model in cases.items():
            noisy = renoise(fresh, model, seed=seed)
            tensor = torch.tensor(noisy)
            deviation = model.deviation(tensor).contiguous()
            one = KnownNoise(_levelled(deviation.square()).sqrt())
            found = [
                _psnr(restore(noisy, restorer, known, seed=seed, batch=64).images, fresh)
                for restorer, known in ((by_pixel, KnownNoise(deviation)), (by_pixel, one), (with_one, one))
            ]
            call = by_pixel.estimate(tensor, tensor, by_pixel.schedule.time(deviation.square())).numpy()
            values = (_psnr(noisy, fresh), *found, _psnr(call, fresh))
            print(f"  {seed:<6}{name:21}" + "".join(f"{value:18.2f}" for value in values), flush=True)
        print(f"  {seconds:.0f} s of training", flush=True)


def _train(kind: type[RestorationTrainee], data: TrainingSet, options: RestorationOptions, seed: int) -> Restorer:
    torch.manual_seed(seed)
    trainee = kind(RestorationNet(1, 2, options.channels), data.shape, options)
    with tempfile.TemporaryDirectory() as folder:
        outcome = fit(trainee, data, options.schedule(), Run(Path(folder), seed, snapshots=options.steps))
    return Restorer(outcome.modules["network"].requires_grad_(False), trainee.times)


def _levelled(variance: torch.Tensor) -> torch.Tensor:
    """The mean of each image, everywhere."""
    return variance.mean(dim=tuple(range(1, variance.ndim)), keepdim=True).expand_as(variance).contiguous()


def _linear(law: GaussianLaw, schedule: GammaSchedule) -> Estimate:
    """The best estimate of a Gaussian law, for times that are the same for all images."""
    known: dict[bytes, torch.Tensor] = {}

    def estimate(x: torch.Tensor, y: torch.Tensor, time: torch.Tensor) -> torch.Tensor:
        gamma = schedule.gamma(time[0])
        key = gamma.numpy().tobytes()
        if key not in known:
            known[key] = torch.linalg.solve(law.covariance + torch.diag(gamma.flatten()), law.covariance)
        return law.mean + ((x - law.mean).flatten(1) @ known[key]).reshape(x.shape)

    return estimate


def _smooth(count: int, size: int) -> np.ndarray:
    rng = np.random.default_rng(0)
    y, x = np.mgrid[:size, :size] / size
    waves = [np.sin(9 * (a * x + b * y) + c) for a, b, c in rng.uniform(0.2, 1, (count, 3))]
    return (0.5 + 0.45 * np.array(waves, dtype=np.float32))[:, None]


def _set(found: object) -> ImageSet:
    return prepare({"training": found.to_image_set("training")})["training"]


def _psnr(found: Sequence, truth: Sequence) -> float:
    return float(-10 * np.log10(np.square(np.asarray(found) - np.asarray(truth)).mean()))


if __name__ == "__main__":
    main()
