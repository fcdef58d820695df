"""What may be chosen about a diffusion model."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from fourfold.errors import InputError
from fourfold.generate.training import Schedule

__all__ = ["DiffusionOptions", "schedule_of"]


@dataclass(frozen=True)
class DiffusionOptions:
    """Options of the diffusion recipes.

    Parameters
    ----------
    framework : {"edm", "ddpm", "ncsn", "vp", "ve", "flow"}
        The law of noise levels, see `fourfold.generate.frameworks`.
    prediction : {"own", "eps", "score", "v", "x0", "edm", "flow"}
        What the network predicts; ``"own"`` for what the framework was published with.
    channels : tuple of int
        Width of each level of the U-Net.
    blocks : int
        Residual blocks a level.
    patch : int
        Pixel-unshuffling, 0 for the largest of 1, 2, 4 that leaves the network 16 pixels a side.
    steps, batch, learning_rate, accumulate, warmup
        Of the optimiser (Adam); `batch` counts images over all micro-batches.
    balance : {"none", "patient", "class"}
        Who is drawn evenly: images, patients, or classes and patients within them.
    augment : float
        Probability of each augmentation; the network is told which (Karras et al. 2022, appendix F.2).
    average : float
        Relative width of the average of the weights (Karras et al. 2024, section 3.1).
    dropout : float
        Share of the conditions that are withheld in training, for classifier-free guidance.
    guide : {"unconditional", "early"}
        What guidance is measured from: the same network without a condition, or a copy from an eighth of the training
        (autoguidance, Karras et al. 2024b).
    condition_noise : float
        Noise on feature conditions in training, before they are normalised again.
    epsilon, delta : float or None
        Private training with the patient as the unit (DP-SGD), None for ordinary training.
    draws : int
        Noise draws an image in private training: less variance in a patient's gradient at no cost in privacy.
    clip : float
        Largest norm of a gradient: of the batch, or of one patient in private training.
    """

    framework: Literal["edm", "ddpm", "ncsn", "vp", "ve", "flow"] = "edm"
    prediction: Literal["own", "eps", "score", "v", "x0", "edm", "flow"] = "own"
    channels: tuple[int, ...] = (64, 96)
    blocks: int = 1
    patch: int = 0
    steps: int = 3000
    batch: int = 64
    learning_rate: float = 1e-3
    accumulate: int = 1
    warmup: int = 100
    balance: Literal["none", "patient", "class"] = "patient"
    augment: float = 0.0
    average: float = 0.1
    dropout: float = 0.1
    guide: Literal["unconditional", "early"] = "unconditional"
    condition_noise: float = 0.0
    epsilon: float | None = None
    delta: float | None = None
    draws: int = 1
    clip: float = 1.0

    def __post_init__(self) -> None:
        for name, least in (
            ("blocks", 1),
            ("patch", 0),
            ("steps", 1),
            ("batch", 1),
            ("accumulate", 1),
            ("warmup", 0),
            ("draws", 1),
        ):
            if getattr(self, name) < least:
                raise InputError(f"the option {name} is a whole number from {least} up, got {getattr(self, name)}")
        for name in ("learning_rate", "clip", "average"):
            if not 0 < getattr(self, name) < float("inf"):
                raise InputError(f"the option {name} is a number above 0, got {getattr(self, name):g}")
        for name in ("augment", "dropout"):
            if not 0 <= getattr(self, name) < 1:
                raise InputError(f"the option {name} is a share from 0 to below 1, got {getattr(self, name):g}")
        if not self.channels or min(self.channels) < 4 or any(size % 4 for size in self.channels):
            raise InputError("the option channels takes multiples of 4, one a level, such as 64,96")
        if self.condition_noise < 0:
            raise InputError(f"the option condition_noise is a number from 0 up, got {self.condition_noise:g}")
        if self.epsilon is None and self.delta is not None:
            raise InputError("--delta belongs to private training; give --epsilon with it")
        if self.epsilon is None and self.draws > 1:
            raise InputError("the option draws belongs to private training; give --epsilon with it")

    def patch_for(self, shape: tuple[int, ...]) -> int:
        """Pixel-unshuffling for images of `shape`, (C, H, W) or (C, D, H, W)."""
        if self.patch:
            return self.patch
        smallest = min(shape[1:])
        deepest = 2 ** (len(self.channels) - 1)
        fitting = [
            patch
            for patch in (4, 2)
            if smallest // patch >= 16 and all(size % (patch * deepest) == 0 for size in shape[1:])
        ]
        return fitting[0] if fitting else 1


def schedule_of(options: DiffusionOptions) -> Schedule:
    """How the loop runs under these options."""
    return Schedule(
        steps=options.steps,
        batch=options.batch,
        accumulate=options.accumulate,
        balance=options.balance,
        augment=options.augment,
        average=(options.average,),
        dropout=options.dropout,
        warmup=options.warmup,
        clip=options.clip,
    )
