"""A diffusion model as attacks on models see it: a denoiser without a condition (`fourfold.privacy.model`)."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from torch import Tensor

from fourfold.errors import InputError

if TYPE_CHECKING:
    from fourfold.generate.diffusion import DiffusionGenerator
    from fourfold.generate.models import Model

__all__ = ["BareDenoiser", "bare_denoiser"]


class BareDenoiser:
    """``D(x, sigma)`` of a diffusion model on pixels, its condition withheld.

    Attributes
    ----------
    value_range : (float, float)
        Values of its images where ours are 0 and 1.
    """

    value_range: ClassVar[tuple[float, float]] = (-1.0, 1.0)

    def __init__(self, generator: DiffusionGenerator) -> None:
        self._generator = generator

    def __call__(self, x: Tensor, sigma: Tensor) -> Tensor:
        """Estimate of x0.

        Parameters
        ----------
        x : tensor, shape (n, C, H, W) or (n, C, D, H, W)
            In [-1, 1], with noise added.
        sigma : tensor, shape (n,)

        Returns
        -------
        tensor, shape of `x`
        """
        condition = self._generator.conditioning.withheld(len(x))
        return self._generator.denoise(None if condition is None else condition.to(x.device))(x, sigma)


def bare_denoiser(model: Model) -> BareDenoiser:
    """The denoiser of a model; raises InputError where it is no diffusion model on pixels."""
    from fourfold.generate.diffusion import DiffusionGenerator

    generator = model.generator
    if not isinstance(generator, DiffusionGenerator) or generator.drawn_shape != generator.shape:
        raise InputError(
            f"{model.folder}: a {model.record['recipe']} model has no denoiser of images, which attacks need; "
            "judge the images that it draws, without --model"
        )
    if generator.conditioning.parts and not generator.settings()["guided"]:
        raise InputError(
            f"{model.folder}: this model can only denoise under a condition, which attacks do not give; train it with "
            "--set dropout=0.1, or judge the images that it draws, without --model"
        )
    return BareDenoiser(generator)
