"""Gradients of single patients with Opacus: found by its hooks, clipped, summed and hidden in noise by its optimiser.

A step holds at most one image of each patient, so the gradient of an image, which Opacus finds beside the sum of all,
is the whole contribution of a patient, and clipping it bounds what the patient can change.

This module imports Opacus; whatever lists recipes must not import it.

References
----------
M. Abadi et al., CCS 2016. A. Yousefpour et al., Opacus, 2021.
"""

from __future__ import annotations

import warnings
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import Any

import torch
from opacus.grad_sample import GradSampleModule
from opacus.optimizers import DPOptimizer
from opacus.validators import ModuleValidator
from torch import Tensor, nn

from fourfold.errors import InputError
from fourfold.generate.training.secret import Secret

__all__ = ["PatientGradients", "PatientOptimizer", "no_hook_warnings"]

_MARGIN = 1e-6
"""Relative; a norm that is rounded down must not let a gradient pass that is longer than allowed."""


class PatientGradients(GradSampleModule):
    """Opacus' hooks on a network, which keeps its name, its weights and its forward pass.

    Opacus reads the input of a convolution as if it lay in memory in the order of its axes; where it does not
    (PyTorch lays out channels last where it is faster), the gradients it finds are wrong without a word. Inputs are
    therefore put in order first.

    Parameters
    ----------
    network : nn.Module
        Losses of its outputs are summed over the batch, not averaged.

    Raises
    ------
    InputError
        Where the network has layers that mix images, such as batch normalisation.
    """

    def __init__(self, network: nn.Module) -> None:
        problems = ModuleValidator.validate(network, strict=False)
        if problems:
            raise InputError(
                "private training needs a network whose layers treat every image by itself, and this one has others "
                f"({problems[0]}); use --recipe diffusion"
            )
        super().__init__(network, loss_reduction="sum")

    def capture_activations_hook(self, module: nn.Module, forward_input: Iterable[Tensor], output: Any) -> None:
        """As Opacus', of inputs in order."""
        super().capture_activations_hook(module, [_in_order(one) for one in forward_input], output)


class PatientOptimizer(DPOptimizer):
    """An optimiser that sees the clipped and noised sum over patients alone.

    A step is opened with `begin`; after the backward pass of each part of the batch but the last, `gather` clips and
    adds up its gradients; `step` does so for the last part, adds the noise and lets the optimiser go. Whatever was not
    gathered under an opened step is discarded. A step without any patient is noise alone, and counts like any other.

    Parameters
    ----------
    optimizer : torch.optim.Optimizer
    noise_multiplier : float
        Standard deviation of the noise over `clip`.
    clip : float
        Largest norm of a patient's gradient.
    expected : float
        Patients in a step on average: what sums are divided by, since the true number is private.
    secret : Secret
        Of the noise.
    """

    def __init__(
        self,
        optimizer: torch.optim.Optimizer,
        *,
        noise_multiplier: float,
        clip: float,
        expected: float,
        secret: Secret,
    ) -> None:
        super().__init__(
            optimizer,
            noise_multiplier=noise_multiplier,
            max_grad_norm=clip,
            expected_batch_size=None,
            loss_reduction="sum",
        )
        self._expected, self._secret = expected, secret
        self._place: int | None = None
        self._made: int | None = None
        self._sums: list[Tensor] = []

    def begin(self, place: int) -> None:
        """Open a step.

        Parameters
        ----------
        place : int
            Its own, of all the training's steps: the noise follows from it.

        Raises
        ------
        RuntimeError
            Where the step that was made last had the same, for equal noise cancels out.
        """
        if place == self._made:
            raise RuntimeError("two steps of a private training must not have the same noise")
        self._place = place
        self._sums = [torch.zeros_like(p) for p in self.params]
        self._forget()

    def gather(self) -> None:
        """Clip the gradients that the last backward pass left, add them up, and forget them."""
        given = [(total, p.grad_sample) for total, p in zip(self._sums, self.params) if p.grad_sample is not None]
        if given:
            clipped = _clipped([_single(found) for _, found in given], self.max_grad_norm)
            for (total, _), one in zip(given, clipped, strict=True):
                total += one.to(total)
        self._forget()

    def pre_step(self, closure: Any = None) -> bool:
        """As Opacus': leave what the optimiser may see in ``grad``.

        Raises
        ------
        RuntimeError
            Where no step is open.
        """
        if self._place is None:
            raise RuntimeError("a step of a private training begins with begin()")
        self.gather()
        for number, (p, total) in enumerate(zip(self.params, self._sums)):
            noise = self._secret.normal(p.numel(), "noise", self._place, number).reshape(p.shape)
            scale = self.noise_multiplier * self.max_grad_norm
            p.grad = ((total.cpu().double() + scale * noise) / self._expected).to(p)
        self._place, self._made, self._sums = None, self._place, []
        return True

    def zero_grad(self, set_to_none: bool = True) -> None:
        """Forget everything."""
        self._forget()
        self.original_optimizer.zero_grad(set_to_none)

    def _forget(self) -> None:
        for p in self.params:
            p.grad_sample = None
            p.grad = None


@contextmanager
def no_hook_warnings() -> Iterator[None]:
    """Without PyTorch's note that a first layer's input needs no gradient: that of its output is what is wanted."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="Full backward hook is firing")
        yield


def _clipped(samples: list[Tensor], clip: float) -> list[Tensor]:
    """Sums over patients of gradients none of which is longer than `clip`; one that is no number counts for nothing.

    Parameters
    ----------
    samples : list of tensor, shape (n, *shape of a parameter)
    """
    counts = {len(one) for one in samples}
    if len(counts) > 1:
        raise RuntimeError(f"layers saw different numbers of patients: {sorted(counts)}")
    norms = torch.stack([torch.linalg.vector_norm(one.flatten(1).float(), dim=1) for one in samples])
    norms = torch.linalg.vector_norm(norms, dim=0)
    sound = norms.isfinite()
    factor = (clip / (norms * (1 + _MARGIN)).clamp_min(clip))[sound]
    return [torch.einsum("i,i...->...", factor.to(one.dtype), one[sound]) for one in samples]


def _single(found: Tensor | list[Tensor]) -> Tensor:
    return found if isinstance(found, Tensor) else torch.cat(found)


def _in_order(one: Any) -> Any:
    if not isinstance(one, Tensor) or one.stride() == torch.empty(one.shape, device="meta").stride():
        return one
    return one.clone(memory_format=torch.contiguous_format)
