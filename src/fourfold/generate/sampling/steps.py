"""From one noise level to the next: what all samplers share.

A level is one number, or a map with a number a pixel. On maps a pixel may wait (its level does not fall in this step,
as when a clean region is kept or a weakly noised one joins later) and then nothing about it changes, bit for bit.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import pairwise

import torch
from torch import Tensor

__all__ = ["Draw", "Step", "drawn", "steps"]

Draw = Callable[[], Tensor]
"""Fresh standard normal numbers of the shape of x, as `fourfold.generate.noise.Noise` gives them."""


@dataclass(frozen=True)
class Step:
    """One step, the mathematics of its levels in float64.

    Parameters
    ----------
    level, following : tensor, shape () or (n, 1, *spatial)
        sigma and the sigma after it, ``level >= following >= 0``.
    """

    level: Tensor
    following: Tensor

    @property
    def ratio(self) -> Tensor:
        """``following / level``, 1 where a pixel waits."""
        return torch.where(self.level > 0, self.following / self.level, 1.0)

    @property
    def last(self) -> bool:
        """Whether no noise is left anywhere after this step."""
        return not bool((self.following > 0).any())

    def towards(self, x: Tensor, estimate: Tensor, keep: Tensor) -> Tensor:
        """``estimate + keep (x - estimate)``: exactly the estimate where nothing is kept."""
        return estimate + keep.to(x) * (x - estimate)

    def settle(self, x: Tensor, moved: Tensor) -> Tensor:
        """`moved`, but x itself where a pixel waits."""
        moves = self.level > self.following
        if moves.ndim == 0:
            return moved if moves else x
        return torch.where(moves.to(x.device), moved, x)


def steps(levels: Tensor) -> Iterator[Step]:
    """The steps between neighbouring levels.

    Parameters
    ----------
    levels : tensor, shape (K + 1,) or (K + 1, n, 1, *spatial)
        Falling, the last one 0.

    Raises
    ------
    ValueError
        Where levels rise, are negative or not finite, or do not end at 0.
    """
    levels = levels.detach().to("cpu", torch.float64)
    falling = levels.ndim >= 1 and len(levels) > 1 and bool((levels[:-1] >= levels[1:]).all())
    if not falling or not bool(levels.isfinite().all()) or bool((levels[-1] != 0).any()):
        raise ValueError("noise levels must be finite and fall, and the last one must be 0")
    yield from (Step(level, following) for level, following in pairwise(levels))


def drawn(noise: Draw | None, x: Tensor) -> Tensor:
    """The next noise, as x is.

    Raises
    ------
    ValueError
        Where there is none to draw.
    """
    if noise is None:
        raise ValueError("this sampler adds noise at its steps: give it a source of noise")
    return noise().to(x)
