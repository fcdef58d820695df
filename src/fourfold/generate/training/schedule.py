"""How long and on which batches a trainee is trained."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, get_args

from fourfold.errors import InputError

__all__ = ["Balance", "Schedule"]

Balance = Literal["none", "patient", "class"]

WIDEST_AVERAGE = 12**-0.5
"""The relative width of a plain mean of all steps; a power function cannot be wider (Karras et al., CVPR 2024)."""


@dataclass(frozen=True)
class Schedule:
    """Length and batches of a training.

    Parameters
    ----------
    steps : int
    batch : int
        Images a step, over all devices together.
    accumulate : int
        Parts into which each device's share of a batch is cut, for memory.
    balance : {"none", "patient", "class"}
        What is drawn evenly: images, patients, or classes and patients within each class.
    augment : float
        Probability of each augmentation, 0 for none; see `fourfold.generate.training.augmentation`.
    average : tuple of float
        Relative widths of the power-function averages of the weights (EDM2); the first one is used afterwards.
        Empty for none.
    dropout : float
        Share of the conditions that are withheld (Ho & Salimans 2022).
    warmup : int
        Steps of linearly rising learning rate.
    clip : float or None
        Largest norm of a phase's gradient, None for any.

    Raises
    ------
    InputError
        Where a number is out of its range.
    """

    steps: int
    batch: int = 64
    accumulate: int = 1
    balance: Balance = "patient"
    augment: float = 0.0
    average: tuple[float, ...] = (0.05,)
    dropout: float = 0.0
    warmup: int = 0
    clip: float | None = 1.0

    def __post_init__(self) -> None:
        for name in ("steps", "batch", "accumulate"):
            if getattr(self, name) < 1:
                raise InputError(f"{name} is a whole number from 1 up, got {getattr(self, name)}")
        if self.accumulate > self.batch:
            raise InputError(
                f"a batch of {self.batch} cannot be cut into {self.accumulate} parts; raise batch or lower accumulate"
            )
        if self.warmup < 0:
            raise InputError(f"warmup is a number of steps from 0 up, got {self.warmup}")
        for name in ("augment", "dropout"):
            if not 0 <= getattr(self, name) <= 1:
                raise InputError(f"{name} is a probability from 0 to 1, got {getattr(self, name):g}")
        if self.balance not in get_args(Balance):
            raise InputError(f"balance is one of {', '.join(get_args(Balance))}, got {self.balance!r}")
        for width in self.average:
            if not 0 < width < WIDEST_AVERAGE:
                raise InputError(f"average is a relative width above 0 and below {WIDEST_AVERAGE:.3f}, got {width:g}")
        if len(set(self.average)) < len(self.average):
            raise InputError(f"average names a width twice: {', '.join(f'{width:g}' for width in self.average)}")
        if self.clip is not None and not self.clip > 0:
            raise InputError(f"clip is a norm above 0, got {self.clip:g}")
