"""Guidance: away from what a guide says, ``D_guide + w (D - D_guide)``.

The guide is the same network without its condition (classifier-free guidance) or a weaker version of it (autoguidance).
A weight of 1 is the model itself. Above 1, images obey the condition more and differ less from each other.

References
----------
J. Ho, T. Salimans, "Classifier-free diffusion guidance", arXiv 2207.12598; w here is one more than theirs.
T. Karras et al., "Guiding a diffusion model with a bad version of itself", NeurIPS 2024, equation 3.
T. Kynkaanniemi et al., "Applying guidance in a limited interval improves sample and distribution quality in diffusion
models", NeurIPS 2024.
"""

from __future__ import annotations

import math
from dataclasses import fields

import torch
from torch import Tensor

from fourfold.errors import InputError
from fourfold.generate.condition import Condition
from fourfold.generate.denoiser import Denoise, Denoiser, bind, spread

__all__ = ["autoguidance", "classifier_free"]

EVERYWHERE = (0.0, math.inf)


def autoguidance(
    denoise: Denoise, guide: Denoise, weight: float, *, between: tuple[float, float] = EVERYWHERE
) -> Denoise:
    """A denoiser guided by another one, a call of each.

    Parameters
    ----------
    denoise, guide : Denoise
        The model, and a worse one: trained for a shorter time, smaller, or without the condition.
    weight : float
        1 for the model alone, 0 for the guide alone; neither calls the other.
    between : tuple of float
        Guidance acts where ``between[0] < sigma <= between[1]``; elsewhere the model is alone.

    Returns
    -------
    Denoise
    """
    if weight == 1:
        return denoise
    if weight == 0 and between == EVERYWHERE:
        return guide

    def guided(x: Tensor, sigma: Tensor) -> Tensor:
        inside = _inside(sigma, x, between)
        estimate = denoise(x, sigma)
        return estimate if inside is False else _away(estimate, guide(x, sigma), weight, inside)

    return guided


def classifier_free(
    denoiser: Denoiser, condition: Condition | None, weight: float, *, between: tuple[float, float] = EVERYWHERE
) -> Denoise:
    """A denoiser guided by itself without its condition, in one call of twice the batch.

    Parameters
    ----------
    denoiser : Denoiser
        Trained with the condition withheld at times.
    condition : Condition
        n rows.
    weight : float
        1 for the conditional model alone, 0 for the unconditional one; neither doubles the batch.
    between : tuple of float
        Guidance acts where ``between[0] < sigma <= between[1]``; elsewhere the conditional model is alone.

    Returns
    -------
    Denoise

    Raises
    ------
    InputError
        Where there is no condition and the weight is not 1.
    """
    if weight == 1:
        return bind(denoiser, condition)
    if condition is None:
        raise InputError(
            f"guidance of {weight:g} without a condition has nothing to guide towards; "
            "use a model that was trained with a condition, or a guidance of 1"
        )
    withheld = condition.withheld()
    if weight == 0 and between == EVERYWHERE:
        return bind(denoiser, withheld)
    both = _one_after_the_other(condition, withheld)

    def guided(x: Tensor, sigma: Tensor) -> Tensor:
        inside = _inside(sigma, x, between)
        if inside is False:
            return denoiser(x, sigma, condition)
        level = spread(sigma, x)
        estimate, guide = denoiser(torch.cat([x, x]), torch.cat([level, level]), both).chunk(2)
        return _away(estimate, guide, weight, inside)

    return guided


def _inside(sigma: Tensor, x: Tensor, between: tuple[float, float]) -> Tensor | bool:
    """Where guidance acts; True for everywhere and False for nowhere, which save a call."""
    if between == EVERYWHERE:
        return True
    level = spread(sigma, x)
    inside = (level > between[0]) & (level <= between[1])
    return inside if bool(inside.any()) else False


def _away(estimate: Tensor, guide: Tensor, weight: float, inside: Tensor | bool) -> Tensor:
    guided = guide + weight * (estimate - guide)
    return guided if inside is True else torch.where(inside, guided, estimate)


def _one_after_the_other(first: Condition, second: Condition) -> Condition:
    """The rows of both, in a batch."""
    parts = {}
    for field in fields(first):
        a, b = getattr(first, field.name), getattr(second, field.name)
        parts[field.name] = None if a is None else torch.cat([a, b])
    return type(first)(**parts)
