"""A generator turns noise and conditions into images: what every fitted model of every recipe is.

A generator knows the shape of its images, what it is conditioned on, and which knobs of a `Drawing` it understands; a
knob that it does not understand is refused, never ignored.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from typing import Any, ClassVar

import numpy as np
from torch import Tensor

from fourfold.errors import InputError
from fourfold.generate.conditioning import Conditioning, Conditions

__all__ = ["Drawing", "Generator"]


@dataclass(frozen=True)
class Drawing:
    """How images are drawn; None leaves a knob to the generator.

    Parameters
    ----------
    sampler : str or None
        By the name in `fourfold.generate.sampling`.
    evaluations : int or None
        Network calls an image, guidance not counted.
    guidance : float or None
        Weight of the conditional estimate against the guide's, 1 for none (Ho & Salimans 2022).
    temperature : float or None
        Scale of the initial noise, 1 for the law that was learned; below it less variety.
    truncation : float or None
        Pulls the latent towards its mean (psi of StyleGAN) or shrinks it (baselines), 1 for none.
    condition_noise : float or None
        Standard deviation of noise added to feature and attribute conditions.
    """

    sampler: str | None = None
    evaluations: int | None = None
    guidance: float | None = None
    temperature: float | None = None
    truncation: float | None = None
    condition_noise: float | None = None

    def __post_init__(self) -> None:
        if self.evaluations is not None and self.evaluations < 1:
            raise InputError(f"drawing takes at least 1 evaluation of the network, got {self.evaluations}")
        for name in ("guidance", "temperature", "truncation", "condition_noise"):
            value = getattr(self, name)
            if value is not None and not 0 <= value < float("inf"):
                raise InputError(f"{name.replace('_', '-')} is a number from 0 up, got {value:g}")

    def given(self) -> dict[str, Any]:
        """The knobs that are not left to the generator, as JSON can hold them."""
        return {field.name: value for field in fields(self) if (value := getattr(self, field.name)) is not None}


class Generator(ABC):
    """A fitted generator.

    Attributes
    ----------
    recipe : str
        Name of the recipe that fitted it.
    knobs : tuple of str
        The fields of a `Drawing` that change what is drawn.
    shape : tuple of int
        (C, H, W) or (C, D, H, W).
    conditioning : Conditioning
        What it is conditioned on, possibly nothing.
    """

    recipe: ClassVar[str]
    knobs: ClassVar[tuple[str, ...]] = ()
    shape: tuple[int, ...]
    conditioning: Conditioning

    @abstractmethod
    def draw(self, seeds: Sequence[int], conditions: Conditions, drawing: Drawing) -> np.ndarray:
        """One image a seed.

        Parameters
        ----------
        seeds : sequence of int, length n
            The image depends on its seed, its condition and the drawing, and on nothing that is drawn beside it
            (up to rounding: networks sum in another order in batches of another size).
        conditions : Conditions
            n rows of what `conditioning` asks for.
        drawing : Drawing
            Checked by `check_drawing`.

        Returns
        -------
        array, shape (n, *shape)
            float32 in [0, 1].
        """

    @abstractmethod
    def arrays(self) -> Mapping[str, Tensor]:
        """Every weight and statistic, for ``weights.safetensors``."""

    def settings(self) -> dict[str, Any]:
        """Whatever else is needed to build it again, as JSON can hold it."""
        return {}

    @classmethod
    @abstractmethod
    def restore(
        cls,
        shape: tuple[int, ...],
        conditioning: Conditioning,
        settings: Mapping[str, Any],
        arrays: Mapping[str, Tensor],
    ) -> Generator:
        """The generator whose `settings` and `arrays` these are."""

    def to(self, device: str) -> Generator:
        """Move weights, where there are any; returns itself."""
        return self

    def check_drawing(self, drawing: Drawing) -> None:
        """Raise InputError where a knob is given that this generator does not have."""
        for name in drawing.given():
            if name not in self.knobs:
                has = f"it has: {', '.join(_flag(knob) for knob in self.knobs)}" if self.knobs else "it has none"
                raise InputError(f"{_flag(name)} is no knob of a {self.recipe} model; {has}")


def _flag(name: str) -> str:
    return "--" + name.replace("_", "-")
