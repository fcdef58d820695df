"""DDIM: the same marginals as DDPM with any share of its noise, none by default.

In unscaled variables, with ``s^2 = eta^2 sigma'^2 (sigma^2 - sigma'^2) / sigma^2``:

    x' = D + sqrt(sigma'^2 - s^2) (x - D) / sigma + s z

``eta = 1`` is DDPM with the posterior variance. ``eta = 0`` is deterministic, and then the same map as Euler's method
in sigma (Karras et al. 2022, section 3): the published samplers differ in the levels that they visit, not in the step.
One network call a step.

References
----------
J. Song, C. Meng, S. Ermon, "Denoising diffusion implicit models", ICLR 2021, equations 12 and 16.
"""

from __future__ import annotations

from torch import Tensor

from fourfold.generate.denoiser import Denoise
from fourfold.generate.sampling.steps import Draw, drawn, steps

__all__ = ["ddim"]


def ddim(denoise: Denoise, x: Tensor, levels: Tensor, noise: Draw | None = None, *, eta: float = 0.0) -> Tensor:
    """DDIM; deterministic for ``eta = 0``.

    Parameters
    ----------
    denoise : Denoise
    x : tensor, shape (n, C, *spatial)
        Noised at ``levels[0]``.
    levels : tensor, shape (K + 1,) or (K + 1, n, 1, *spatial)
        Falling, the last one 0.
    noise : callable or None
        Needed for a positive `eta`.
    eta : float
        Share of DDPM's noise, from 0 to 1.

    Returns
    -------
    tensor, shape of `x`
    """
    for step in steps(levels):
        estimate = denoise(x, step.level.to(x))
        fresh = eta * step.following * (1 - step.ratio.square()).sqrt()
        keep = step.ratio * (1 - eta**2 * (1 - step.ratio.square())).sqrt()
        moved = step.towards(x, estimate, keep)
        if eta and not step.last:
            moved = moved + fresh.to(x) * drawn(noise, x)
        x = step.settle(x, moved)
    return x
