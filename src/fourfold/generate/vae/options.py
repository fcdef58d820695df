"""What may be chosen about a variational autoencoder."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

from fourfold.errors import InputError
from fourfold.generate.training import Schedule

__all__ = ["VaeOptions", "schedule_of"]


@dataclass(frozen=True)
class VaeOptions:
    """Options of `VaeRecipe`.

    Parameters
    ----------
    latent : int
        Length of the latent vector.
    channels : tuple of int
        Of each level of encoder and decoder.
    beta : float
        Weight of the divergence; 1 for the evidence bound.
    prior : {"fitted", "standard"}
        What latents are drawn from: a mixture fitted to those of the training set, or a standard normal law.
    steps, batch, learning_rate, accumulate, warmup, clip
        Of the optimiser (Adam); `batch` counts images over all micro-batches.
    balance : {"none", "patient", "class"}
        Who is drawn evenly: images, patients, or classes and patients within them.
    average : float
        Relative width of the average of the weights (Karras et al. 2024, section 3.1).

    Raises
    ------
    InputError
        Where a number is out of its range.
    """

    latent: int = 64
    channels: tuple[int, ...] = (32, 64, 128)
    beta: float = 1.0
    prior: Literal["fitted", "standard"] = "fitted"
    steps: int = 3000
    batch: int = 64
    learning_rate: float = 1e-3
    accumulate: int = 1
    warmup: int = 100
    clip: float = 1.0
    balance: Literal["none", "patient", "class"] = "patient"
    average: float = 0.1

    def __post_init__(self) -> None:
        for name, least in (("latent", 1), ("steps", 1), ("batch", 1), ("accumulate", 1), ("warmup", 0)):
            if getattr(self, name) < least:
                raise InputError(f"the option {name} is a whole number from {least} up, got {getattr(self, name)}")
        for name in ("learning_rate", "clip", "average"):
            if not 0 < getattr(self, name) < math.inf:
                raise InputError(f"the option {name} is a number above 0, got {getattr(self, name):g}")
        if not 0 <= self.beta < math.inf:
            raise InputError(f"the option beta is a number from 0 up, got {self.beta:g}")
        if len(self.channels) < 2 or min(self.channels) < 1:
            raise InputError("the option channels takes two or more numbers, one a level, such as 32,64,128")


def schedule_of(options: VaeOptions) -> Schedule:
    """How the loop runs under these options."""
    return Schedule(
        steps=options.steps,
        batch=options.batch,
        accumulate=options.accumulate,
        balance=options.balance,
        average=(options.average,),
        warmup=options.warmup,
        clip=options.clip,
    )
