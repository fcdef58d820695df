"""Training on several devices at once, here two processes on a processor.

Run as a program, this file is the training that Fabric starts once a device.
"""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import torch
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

import fourfold
from fourfold.generate.condition import Condition
from fourfold.generate.conditioning import Conditioning, Conditions
from fourfold.generate.recipe import Run
from fourfold.generate.training import Batch, Outcome, Schedule, Trainee, end_other_processes, fit
from fourfold.generate.training_set import TrainingSet


class Linear(Trainee):
    """A step of it is the same however a batch is cut."""

    averaged = ("net",)

    def __init__(self) -> None:
        net = nn.Conv2d(1, 1, 3, padding=1)
        nn.init.constant_(net.weight, 0.1)
        nn.init.zeros_(net.bias)
        self.modules = {"net": net, "frozen": nn.Conv2d(1, 1, 1).requires_grad_(False)}
        self.optimizers = {"loss": torch.optim.Adam(net.parameters(), 0.01)}

    def loss(self, phase: str, batch: Batch, generator: torch.Generator) -> Tensor:
        return (self.modules["net"](batch.images) - batch.images).square().mean()

    def draw(self, modules: Mapping[str, nn.Module], seeds: list[int], condition: Condition | None) -> Tensor:
        return modules["net"](torch.zeros(len(seeds), 1, 8, 8)).clamp(0, 1)


def train(folder: Path, devices: int, steps: int) -> Outcome:
    images = np.random.default_rng(0).random((10, 1, 8, 8)).astype(np.float32)
    found = fourfold.ImageSet.from_array(images)
    found = fourfold.images.prepare({"training": found})["training"]
    data = TrainingSet(found, Conditioning(), Conditions(10), np.arange(10))
    schedule = Schedule(steps=steps, batch=8, accumulate=2, balance="none")
    return fit(Linear(), data, schedule, Run(folder, devices=devices, snapshots=3))


def test_two_devices_make_the_steps_of_one_and_one_process_is_left(tmp_path: Path) -> None:
    (tmp_path / "one").mkdir()
    one = train(tmp_path / "one", 1, 8)
    environment = {name: value for name, value in os.environ.items() if not name.startswith("PYTEST")}
    done = subprocess.run(
        [sys.executable, "-W", "ignore", __file__, str(tmp_path)],
        env=environment, capture_output=True, text=True, timeout=120,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr[-2000:]
    # Whatever is printed after training is printed by one process.
    assert done.stdout.splitlines() == ["written"]
    two = load_file(tmp_path / "two.safetensors")
    for name, value in one.modules["net"].state_dict().items():
        assert torch.allclose(two[name], value, atol=1e-6)
    steps = [line.partition(",")[0] for line in (tmp_path / "two" / "log.csv").read_text().splitlines()]
    assert steps == ["step", *map(str, range(1, 9))]


if __name__ == "__main__":
    torch.set_num_threads(1)
    place = Path(sys.argv[1])
    (place / "two").mkdir(exist_ok=True)
    # Twice, as recipes of two stages do, and as a training is that goes on.
    train(place / "two", 2, 5)
    outcome = train(place / "two", 2, 8)
    end_other_processes()
    save_file(dict(outcome.modules["net"].state_dict()), place / "two.safetensors")
    print("written")
