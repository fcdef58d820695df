"""What may be chosen about a GAN."""

from __future__ import annotations

import math
from dataclasses import dataclass

from fourfold.errors import InputError
from fourfold.generate.training.schedule import Balance, Schedule

__all__ = ["GanOptions", "schedule_of"]


@dataclass(frozen=True)
class GanOptions:
    """Options of the recipe ``gan``.

    Parameters
    ----------
    steps, batch, accumulate, warmup
        See `fourfold.generate.training.Schedule`.
    learning_rate : float
        Adam's, for both networks.
    balance : {"none", "patient", "class"}
        Who is drawn evenly: images, patients, or classes and patients within them.
    average : float
        Relative width of the average of the generator's weights (Karras et al. 2024, section 3.1).
    channels : int
        Of both networks at full size; coarser levels have up to four times as many.
    latent : int
        Length of a latent.
    mapping : int
        Layers from a latent to a style.
    r1 : float or None
        Weight of the gradient penalty, None for one that fits the size of the images.
    path_length : float
        Weight of path-length regularisation, 0 for none (the paper's is 2).
    mixing : float
        Share of images with two styles while training.
    augment_target : float
        How sure of real images the discriminator may be before they are augmented more, as the mean sign of its
        logits; 0 for no augmentation.
    augment_images : int
        Real images seen while the probability of augmentation can go from 0 to 1.

    Raises
    ------
    InputError
        Where a number is out of its range.
    """

    steps: int = 4000
    batch: int = 32
    learning_rate: float = 0.005
    accumulate: int = 1
    balance: Balance = "patient"
    average: float = 0.05
    warmup: int = 0
    channels: int = 16
    latent: int = 64
    mapping: int = 3
    r1: float | None = None
    path_length: float = 0.0
    mixing: float = 0.0
    augment_target: float = 0.6
    augment_images: int = 100_000

    def __post_init__(self) -> None:
        for name in ("steps", "batch", "channels", "latent", "mapping", "augment_images"):
            if getattr(self, name) < 1:
                raise InputError(f"the option {name} is a whole number from 1 up, got {getattr(self, name)}")
        if not self.learning_rate > 0:
            raise InputError(f"the option learning_rate is a number above 0, got {self.learning_rate:g}")
        for name in ("r1", "path_length"):
            value = getattr(self, name)
            if value is not None and not 0 <= value < math.inf:
                raise InputError(f"the option {name} is a number from 0 up, got {value:g}")
        for name in ("mixing", "augment_target"):
            if not 0 <= getattr(self, name) <= 1:
                raise InputError(f"the option {name} is a number from 0 to 1, got {getattr(self, name):g}")


def schedule_of(options: GanOptions) -> Schedule:
    """How the loop runs under these options; gradients are not clipped, since Adam scales them anyway."""
    return Schedule(
        steps=options.steps,
        batch=options.batch,
        accumulate=options.accumulate,
        balance=options.balance,
        average=(options.average,),
        warmup=options.warmup,
        clip=None,
    )
