"""Moving averages of weights whose memory grows with the training: the power functions of EDM2.

After step t the average is ``theta_avg <- beta_t theta_avg + (1 - beta_t) theta`` with
``beta_t = (1 - 1/t)^(gamma + 1)``, so that the weights of step s count in proportion to ``s^gamma``: the average
forgets the beginning of a training whatever its length, and no decay has to be tuned to the number of steps. The
exponent gamma follows from the width of this profile relative to the length of the training.

References
----------
T. Karras, M. Aittala, J. Lehtinen, J. Hellsten, T. Aila, S. Laine, CVPR 2024 (EDM2),
section 3.1 and appendix C.
"""

from __future__ import annotations

import copy
from collections.abc import Mapping, Sequence

import numpy as np
import torch
from torch import Tensor, nn
from torch.optim.swa_utils import get_ema_multi_avg_fn

__all__ = ["PowerAverages", "decay", "exponent"]


def exponent(width: float) -> float:
    """The exponent gamma of a profile of this relative width.

    Parameters
    ----------
    width : float
        Standard deviation of the profile ``t^gamma`` on [0, 1], in (0, 1 / sqrt(12)).

    Returns
    -------
    float
        The positive root of ``(gamma + 1) = width^2 (gamma + 2)^2 (gamma + 3)``.

    Examples
    --------
    >>> round(exponent(0.05), 2), round(exponent(0.10), 2)
    (16.97, 6.94)
    """
    inverse = width**-2
    return float(np.roots([1.0, 7.0, 16.0 - inverse, 12.0 - inverse]).real.max())


def decay(step: int, gamma: float) -> float:
    """The weight beta of the average at a step, counted from 1; 0 at the first, which forgets the initial weights."""
    return (1 - 1 / step) ** (gamma + 1)


class PowerAverages:
    """Averages of some modules, one a width.

    Parameters
    ----------
    modules : mapping of str to nn.Module
        What is averaged; buffers are copied, not averaged.
    widths : sequence of float
        Relative widths, see `exponent`.
    """

    def __init__(self, modules: Mapping[str, nn.Module], widths: Sequence[float]) -> None:
        self._exponents = {width: exponent(width) for width in widths}
        self._averages = {
            width: {name: _frozen_copy(module) for name, module in modules.items()} for width in self._exponents
        }
        # Walking through a network takes longer than averaging it.
        self._trained = _walked(modules)
        self._ours = {width: _walked(copies) for width, copies in self._averages.items()}

    def update(self, step: int) -> None:
        """Take in the weights after a step, counted from 1."""
        weights, buffers = self._trained
        for width, gamma in self._exponents.items():
            our_weights, our_buffers = self._ours[width]
            with torch.no_grad():
                get_ema_multi_avg_fn(decay(step, gamma))(our_weights, weights, None)
                for ours, theirs in zip(our_buffers, buffers, strict=True):
                    ours.copy_(theirs)

    def modules(self) -> dict[str, nn.Module]:
        """The modules with the average of the first width, in eval mode; empty where there is none."""
        return dict(next(iter(self._averages.values()), {}))

    def arrays(self) -> dict[str, Tensor]:
        """Every average, by ``WIDTH/MODULE/NAME``."""
        return {
            f"{width:g}/{name}/{key}": value
            for width, modules in self._averages.items()
            for name, module in modules.items()
            for key, value in module.state_dict().items()
        }

    def restore(self, arrays: Mapping[str, Tensor]) -> None:
        """Take the averages whose `arrays` these are."""
        for width, modules in self._averages.items():
            for name, module in modules.items():
                prefix = f"{width:g}/{name}/"
                module.load_state_dict(
                    {key.removeprefix(prefix): value for key, value in arrays.items() if key.startswith(prefix)}
                )


def _frozen_copy(module: nn.Module) -> nn.Module:
    return copy.deepcopy(module).eval().requires_grad_(False)


def _walked(modules: Mapping[str, nn.Module]) -> tuple[list[Tensor], list[Tensor]]:
    """All weights and all buffers."""
    weights = [weight for module in modules.values() for weight in module.parameters()]
    return weights, [buffer for module in modules.values() for buffer in module.buffers()]
