"""Regression of feature maps: the student learns to see in one kind of image what the teacher sees in its partner.

The teacher A was trained on labelled images x_s and stays as it is. The student B begins as a copy of it, looks at the
partner x_t of each image, and its weights follow the gradient of

    sum_l mean |phi_l^B(x_t) - phi_l^A(x_s)|^2 / sigma_l^2

over the chosen maps, with sigma_l the spread of each channel of the teacher's map, so that no channel drowns the
others. No label takes part. What follows the last chosen map (the head) has no gradient and stays the teacher's.

References
----------
A. Benbihi, M. Geist, C. Pradalier, arXiv:1805.04141, 2018.
"""

from __future__ import annotations

import copy
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor, nn

from fourfold.errors import InputError
from fourfold.utility.adaptation.maps import Layers, chosen_layers, watched

__all__ = ["Regression", "residuals", "taught"]

SEEN = 256
"""Pairs that spreads and residuals are measured on, at most."""


@dataclass(frozen=True)
class Regression:
    """How a student is taught.

    Parameters
    ----------
    layers : {"last", "all"}
        Whether the last map is regressed or every one.
    tolerance : int
        Pixels by which partners may be displaced, in each axis; see `alignment`.
    steps, batch_size : int
    learning_rate : float
        The highest, of AdamW without decay under a one-cycle schedule.
    """

    layers: Layers = "all"
    tolerance: int = 0
    steps: int = 300
    batch_size: int = 16
    learning_rate: float = 1e-2

    def __post_init__(self) -> None:
        if self.layers not in ("last", "all"):
            raise InputError(f"maps that are regressed are 'last' or 'all', got {self.layers!r}")
        for name, least in (("tolerance", 0), ("steps", 1), ("batch_size", 1)):
            if getattr(self, name) < least:
                raise InputError(f"{name} is a whole number from {least} up, got {getattr(self, name)}")
        if not 0 < self.learning_rate < float("inf"):
            raise InputError(f"the learning rate is a number above 0, got {self.learning_rate:g}")


Seen = Callable[[np.ndarray], Tensor]
"""Images of shape (B, C, *spatial), float32 in [0, 1], as a network sees them."""


def taught(
    teacher: nn.Module,
    source: np.ndarray,
    target: np.ndarray,
    regression: Regression,
    *,
    seed: int,
    see_source: Seen,
    see_target: Seen,
    progress: Callable[[int, int], None] | None = None,
) -> nn.Module:
    """A student of the teacher, in evaluation mode.

    Parameters
    ----------
    teacher : torch.nn.Module
    source, target : arrays, shape (n, C, *spatial)
        Pairs that show the same things at the same places; float32 in [0, 1].
    regression : Regression
        Its tolerance is the caller's to keep, see `fourfold.utility.adaptation.adapt`.
    seed : int
        Decides the order of the pairs; equal arguments give an equal student in one thread.
    see_source, see_target : callable
    progress : callable or None
        Called with (steps done, steps in all).
    """
    teacher = copy.deepcopy(teacher).eval().requires_grad_(False)
    student = copy.deepcopy(teacher).train().requires_grad_(True)
    names = chosen_layers(teacher, see_source(source[:1]), regression.layers)
    spreads = _spreads(teacher, names, source, see_source)
    optimizer = torch.optim.AdamW(student.parameters(), lr=regression.learning_rate, weight_decay=0.0)
    cycle = torch.optim.lr_scheduler.OneCycleLR(
        optimizer, regression.learning_rate, total_steps=regression.steps + 1, cycle_momentum=False
    )
    random = torch.Generator().manual_seed(seed)
    order = torch.empty(0, dtype=torch.long)
    for step in range(regression.steps):
        while len(order) < regression.batch_size:
            order = torch.cat([order, torch.randperm(len(source), generator=random)])
        rows, order = order[: regression.batch_size].numpy(), order[regression.batch_size :]
        optimizer.zero_grad(set_to_none=True)
        _distances(
            student, teacher, names, spreads, see_target(target[rows]), see_source(source[rows])
        ).mean().backward()
        optimizer.step()
        cycle.step()
        if progress is not None:
            progress(step + 1, regression.steps)
    return student.eval().requires_grad_(False)


def residuals(
    student: nn.Module,
    teacher: nn.Module,
    source: np.ndarray,
    target: np.ndarray,
    *,
    see_source: Seen,
    see_target: Seen,
) -> dict[str, float]:
    """What is left between the two networks' maps, by layer: where the two kinds of image still differ.

    Parameters
    ----------
    student, teacher : torch.nn.Module
        In evaluation mode.
    source, target, see_source, see_target
        As for `taught`.

    Returns
    -------
    dict of str to float
        Mean squared distance in units of the variance of the teacher's channels, on up to 256 pairs.
    """
    names = chosen_layers(teacher, see_source(source[:1]), "all")
    spreads = _spreads(teacher, names, source, see_source)
    total, seen = torch.zeros(len(names), dtype=torch.float64), 0
    with torch.no_grad():
        for start in range(0, min(len(source), SEEN), 16):
            rows = slice(start, min(start + 16, SEEN))
            parts = see_target(target[rows]), see_source(source[rows])
            found = _distances(student, teacher, names, spreads, *parts)
            total += found.double().sum(dim=0).cpu()
            seen += len(found)
    return dict(zip(names, (total / seen).tolist(), strict=True))


def _distances(
    student: nn.Module,
    teacher: nn.Module,
    names: tuple[str, ...],
    spreads: dict[str, Tensor],
    target: Tensor,
    source: Tensor,
) -> Tensor:
    """Shape (B, layers), in units of the variance of the teacher's channels."""
    with watched(student, names) as own:
        student(target)
    with watched(teacher, names) as theirs, torch.no_grad():
        teacher(source)
    return torch.stack(
        [((own[name] - theirs[name]) / spreads[name]).square().flatten(1).mean(dim=1) for name in names], dim=1
    )


def _spreads(teacher: nn.Module, names: tuple[str, ...], source: np.ndarray, see: Seen) -> dict[str, Tensor]:
    """Standard deviation of each channel of the teacher's maps, shape (1, c, 1, ...)."""
    sums: dict[str, tuple[int, Tensor, Tensor]] = {}
    with watched(teacher, names) as found, torch.no_grad():
        for start in range(0, min(len(source), SEEN), 16):
            teacher(see(source[start : min(start + 16, SEEN)]))
            for name, maps in found.items():
                count, total, squares = sums.get(name, (0, torch.zeros(()), torch.zeros(())))
                axes = [axis for axis in range(maps.ndim) if axis != 1]
                wide = maps.double()
                first, second = wide.sum(dim=axes, keepdim=True).cpu(), wide.square().sum(dim=axes, keepdim=True).cpu()
                sums[name] = count + maps.numel() // maps.shape[1], total + first, squares + second
    spreads = {}
    for name, (count, total, squares) in sums.items():
        spread = (squares / count - (total / count).square()).clamp(min=0).sqrt()
        # A channel that says nothing about the source images is not blown up.
        spreads[name] = spread.clamp(min=float(spread.mean()) * 0.05 + 1e-6).float().to(found[name].device)
    return spreads
