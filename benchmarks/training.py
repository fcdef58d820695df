"""A training step and a drawn image of ours against bare PyTorch loops on the same network, batch and precision.

python benchmarks/training.py [--quick] [--size 32] [--batch 64] [--threads 1] [--precision 32-true] [--device cpu]

The two take turns of a few steps within one process, so that a busy machine slows both alike; the median turn counts.
Ours averages the weights, clips gradients, watches for NaN, logs every step and deals patients evenly; the bare loop
does none of it. In the same way our sampler is paired with Heun's method written out. On a processor what counts is
processor time, on a GPU time on the clock.
"""

from __future__ import annotations

import argparse
import copy
import os
import statistics
import tempfile
import time
from collections.abc import Callable, Mapping
from itertools import pairwise
from pathlib import Path

os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")

import numpy as np
import torch

from fourfold import ImageSet
from fourfold.generate.conditioning import Conditioning, Conditions
from fourfold.generate.denoiser import Preconditioned
from fourfold.generate.diffusion.generator import DiffusionGenerator, build_denoiser
from fourfold.generate.diffusion.options import DiffusionOptions, schedule_of
from fourfold.generate.diffusion.trainee import DiffusionTrainee
from fourfold.generate.frameworks import P_MEAN, P_STD, framework, karras_levels
from fourfold.generate.generator import Drawing
from fourfold.generate.recipe import Run
from fourfold.generate.training import Callback, fit
from fourfold.generate.training_set import TrainingSet
from fourfold.images import prepare

TURN = 4
SAMPLING_STEPS = 18
SIGMA_DATA = 0.5


class Bare:
    """What one would write by hand: EDM's loss, Adam, nothing else."""

    def __init__(self, denoiser: Preconditioned, images: torch.Tensor, arguments: argparse.Namespace) -> None:
        self.denoiser, self.images, self.batch = denoiser.to(arguments.device), images, arguments.batch
        self.device = arguments.device
        self.optimizer = torch.optim.Adam(self.denoiser.parameters(), 1e-3, betas=(0.9, 0.99))
        self.mixed = torch.autocast(arguments.device, torch.bfloat16, enabled=arguments.precision == "bf16-mixed")

    def step(self) -> None:
        """One step of training."""
        rows = torch.randint(len(self.images), (self.batch,))
        clean = self.images[rows].to(self.device)
        sigma = (P_MEAN + P_STD * torch.randn(self.batch, device=self.device)).exp()
        level = sigma.reshape(-1, 1, 1, 1)
        with self.mixed:
            estimate = self.denoiser(clean + level * torch.randn_like(clean), sigma)
        weight = (level.square() + SIGMA_DATA**2) / (level * SIGMA_DATA).square()
        loss = (weight * (estimate - clean).square()).mean()
        self.optimizer.zero_grad()
        loss.backward()
        self.optimizer.step()

    @torch.inference_mode()
    def draw(self, count: int, shape: tuple[int, ...]) -> np.ndarray:
        """Images in [0, 1] by Heun's method."""
        levels = [*karras_levels(torch.linspace(0, 1, SAMPLING_STEPS, dtype=torch.float64), 0.002, 80.0).tolist(), 0.0]
        x = torch.randn(count, *shape, device=self.device) * levels[0]
        for level, following in pairwise(levels):
            slope = (x - self.denoiser(x, torch.full((count,), level, device=self.device))) / level
            moved = x + (following - level) * slope
            if following:
                other = (moved - self.denoiser(moved, torch.full((count,), following, device=self.device))) / following
                moved = x + (following - level) * (slope + other) / 2
            x = moved
        return ((x + 1) / 2).clamp(0, 1).cpu().numpy()


class Turns(Callback):
    """After a few of our steps, as many bare ones."""

    name = "turns"

    def __init__(self, bare: Bare, clock: Callable[[], float]) -> None:
        self.bare, self.clock = bare, clock
        self.ours: list[float] = []
        self.theirs: list[float] = []
        self.since: float | None = None

    def on_step(self, step: int, losses: Mapping[str, float]) -> None:
        """Measure a turn of ours, which ends here, and one of theirs."""
        if step % TURN:
            return
        now = self.clock()
        # The first turn pays for what is done once.
        if self.since is not None:
            self.ours.append(now - self.since)
        begun = self.clock()
        for _ in range(TURN):
            self.bare.step()
        if self.since is not None:
            self.theirs.append(self.clock() - begun)
        self.since = self.clock()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="few turns: shows that it runs, not how fast")
    parser.add_argument("--size", type=int, default=32)
    parser.add_argument("--batch", type=int, default=64)
    parser.add_argument("--turns", type=int, default=12, help=f"of {TURN} steps each")
    parser.add_argument("--rounds", type=int, default=4, help="of drawing")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--precision", default="32-true", choices=("32-true", "bf16-mixed"))
    parser.add_argument("--device", default="cpu")
    arguments = parser.parse_args()
    if arguments.quick:
        arguments.turns, arguments.rounds, arguments.batch = 3, 1, 8
    torch.set_num_threads(arguments.threads)
    clock = _processor if arguments.device == "cpu" else _wall(arguments.device)

    data = _data(arguments.size)
    options = DiffusionOptions(
        steps=TURN * (arguments.turns + 1), batch=arguments.batch, channels=(48, 96), patch=2, dropout=0.0
    )
    settings = {
        "framework": "edm", "prediction": "edm", "sigma_data": SIGMA_DATA, "channels": options.channels,
        "blocks": 1, "patch": 2, "guided": False,
    }  # fmt: skip
    denoiser = build_denoiser(data.shape, data.conditioning, settings)
    bare = Bare(copy.deepcopy(denoiser), torch.from_numpy(data.load()) * 2 - 1, arguments)
    turns = Turns(bare, clock)
    trainee = DiffusionTrainee(denoiser, framework("edm"), data.shape, options)
    with tempfile.TemporaryDirectory() as folder:
        run = Run(Path(folder), device=arguments.device, precision=arguments.precision, snapshots=options.steps)
        fit(trainee, data, schedule_of(options), run, [turns])
    images = TURN * arguments.batch
    print(f"{arguments.size} pixels, batch {arguments.batch}, {arguments.precision}, {arguments.device}")
    _print("training", images, turns.ours, turns.theirs)

    generator = DiffusionGenerator(data.shape, data.conditioning, settings, denoiser).to(arguments.device)
    bare.denoiser.eval().requires_grad_(False)
    drawing = Drawing(sampler="heun", evaluations=2 * SAMPLING_STEPS - 1)
    seeds, found = list(range(arguments.batch)), ([], [])
    for number in range(arguments.rounds + 1):
        for draw, seconds in zip(
            (
                lambda: generator.draw(seeds, Conditions(len(seeds)), drawing),
                lambda: bare.draw(len(seeds), data.shape),
            ),
            found,
            strict=True,
        ):
            begun = clock()
            draw()
            if number:
                seconds.append(clock() - begun)
    _print("sampling", len(seeds), *found)


def _data(size: int) -> TrainingSet:
    images = np.random.default_rng(0).random((512, 1, size, size)).astype(np.float32)
    found = prepare({"training": ImageSet.from_array(images)})["training"]
    return TrainingSet(found, Conditioning(), Conditions(len(found)), np.arange(len(found)) // 2)


def _processor() -> float:
    return time.process_time()


def _wall(device: str) -> Callable[[], float]:
    def clock() -> float:
        getattr(torch, device).synchronize()
        return time.perf_counter()

    return clock


def _print(name: str, images: int, ours: list[float], theirs: list[float]) -> None:
    rates = [images / statistics.median(seconds) for seconds in (ours, theirs)]
    # Neighbouring turns met the same machine; their ratios say how sure the figure is.
    ratios = sorted(their / our for our, their in zip(ours, theirs, strict=True))
    low, high = ratios[len(ratios) // 4], ratios[-1 - len(ratios) // 4]
    print(
        f"{name:10}fourfold {rates[0]:8.1f} images/s   bare {rates[1]:8.1f} images/s   "
        f"ours is {statistics.median(ratios):.3f} of it (middle half {low:.3f} to {high:.3f})"
    )


if __name__ == "__main__":
    main()
