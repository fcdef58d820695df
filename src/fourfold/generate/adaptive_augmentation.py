"""Adaptive discriminator augmentation: what lets a GAN learn from a few thousand images.

A discriminator that has few real images learns them by heart. Showing it, real and synthetic alike, only augmented
images prevents that; as long as each transform is left out often enough, the augmentation can be undone in
distribution and does not leak into what is generated. The probability p follows the overfitting itself: it rises while
the mean sign of the discriminator's answers to real images is above a target, and falls below it.

Mirroring and large rotations are left out, since they make hearts change sides and patients lie on their heads.

References
----------
Karras et al., "Training generative adversarial networks with limited data", NeurIPS 2020: sections 2.2 (leaks) and
3 (adaptation), appendix B (transforms).
"""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn
from torch.nn import functional

__all__ = ["MOST", "Controller", "augmented"]

MOST = 0.8
"""The largest probability; above it augmentations leak (section 2.2)."""
TRANSLATION = 0.125
"""Largest shift, as a share of a side."""
SCALE = 0.2
"""Standard deviation of the binary logarithm of a change of size."""
ROTATION = math.radians(10)
"""Largest angle; the paper turns by any angle."""
BRIGHTNESS = 0.2
"""Standard deviation, for images in [-1, 1]."""
CONTRAST = 0.5
"""Standard deviation of the binary logarithm."""
CUTOUT = 0.5
"""Side of what is cut out, as a share of the image's."""


def augmented(images: Tensor, probability: float, generator: torch.Generator) -> Tensor:
    """Images of which each transform changes some.

    Parameters
    ----------
    images : tensor, shape (n, C, H, W) or (n, C, D, H, W)
        Around [-1, 1].
    probability : float
        Of each transform and image.
    generator : torch.Generator
        On the CPU.

    Returns
    -------
    tensor, shape of `images`
        Differentiable in the images once; untouched images are the very same numbers.
    """
    if probability <= 0:
        return images
    return _cut_out(_recoloured(_moved(images, probability, generator), probability, generator), probability, generator)


class Controller(nn.Module):
    """The probability of augmentation, and the steps done; a module, so that a resumed training goes on where it was.

    Parameters
    ----------
    target : float
        Mean sign of the discriminator's logits for real images that is aimed at; 0 for no augmentation at all.
    images : int
        Real images that the discriminator sees while the probability goes from 0 to 1.
    """

    probability: Tensor
    signs: Tensor
    seen: Tensor
    steps: Tensor

    def __init__(self, target: float = 0.6, images: int = 100_000) -> None:
        super().__init__()
        self.target = target
        self.images = images
        for name in ("probability", "signs", "seen"):
            self.register_buffer(name, torch.zeros(()))
        self.register_buffer("steps", torch.zeros((), dtype=torch.int64))

    @torch.no_grad()
    def watch(self, logits: Tensor) -> None:
        """Note the discriminator's answers to real images, shape (n,)."""
        self.signs += logits.sign().sum()
        self.seen += len(logits)

    @torch.no_grad()
    def adapt(self) -> float:
        """End a step: move the probability by what was noted in it; returns the mean sign, NaN for nothing noted."""
        self.steps += 1
        if self.seen == 0:
            return math.nan
        overfitting = float(self.signs / self.seen)
        if self.target > 0:
            direction = math.copysign(1.0, overfitting - self.target)
            self.probability += direction * self.seen / self.images
            self.probability.clamp_(0.0, MOST)
        self.signs.zero_()
        self.seen.zero_()
        return overfitting


def _chosen(images: Tensor, probability: float, generator: torch.Generator) -> Tensor:
    """Which images a transform changes, shape (n,), float64 0 or 1, on the CPU."""
    return (torch.rand(len(images), generator=generator) < probability).double()


def _moved(images: Tensor, probability: float, generator: torch.Generator) -> Tensor:
    """Shifted by whole pixels, made larger, stretched and turned, all at once; edges are mirrored."""
    n, dims = len(images), images.ndim - 2
    matrices = torch.eye(dims + 1, dtype=torch.float64).repeat(n, 1, 1)
    changed = torch.zeros(n, dtype=torch.bool)
    # Coordinates of the affine grid run from -1 to 1 and have x first, the reverse of the array's axes.
    sides = torch.tensor(images.shape[:1:-1], dtype=torch.float64)

    chosen = _chosen(images, probability, generator)
    share = (2 * torch.rand(n, dims, generator=generator).double() - 1) * TRANSLATION
    shift = torch.eye(dims + 1, dtype=torch.float64).repeat(n, 1, 1)
    shift[:, :dims, dims] = chosen[:, None] * torch.round(share * sides) * 2 / sides
    matrices, changed = shift @ matrices, changed | (chosen > 0)

    chosen = _chosen(images, probability, generator)
    size = torch.exp2(chosen * SCALE * torch.randn(n, generator=generator).double())
    matrices, changed = _diagonal(size[:, None].expand(n, dims)) @ matrices, changed | (chosen > 0)

    chosen = _chosen(images, probability, generator)
    angle = chosen * (2 * torch.rand(n, generator=generator).double() - 1) * ROTATION
    matrices, changed = _turn(angle, sides) @ matrices, changed | (chosen > 0)

    chosen = _chosen(images, probability, generator)
    stretch = SCALE * torch.randn(n, dims, generator=generator).double()
    stretch = torch.exp2(chosen[:, None] * (stretch - stretch.mean(dim=1, keepdim=True)))
    matrices, changed = _diagonal(stretch) @ matrices, changed | (chosen > 0)

    if not changed.any():
        return images
    rows = torch.nonzero(changed).squeeze(1)
    # Not every device has float64, so that numbers change their kind before they move.
    theta = matrices[rows, :dims].to(images.dtype).to(images.device)
    rows = rows.to(images.device)
    grid = functional.affine_grid(theta, [len(rows), *images.shape[1:]], align_corners=False)
    moved = functional.grid_sample(images[rows], grid, padding_mode="reflection", align_corners=False)
    return images.index_copy(0, rows, moved.to(images))


def _recoloured(images: Tensor, probability: float, generator: torch.Generator) -> Tensor:
    """Brighter or darker, with more contrast or less."""
    n = len(images)
    brightness = BRIGHTNESS * _chosen(images, probability, generator) * torch.randn(n, generator=generator).double()
    contrast = CONTRAST * _chosen(images, probability, generator) * torch.randn(n, generator=generator).double()
    return images * _over_image(torch.exp2(contrast), images) + _over_image(brightness, images)


def _cut_out(images: Tensor, probability: float, generator: torch.Generator) -> Tensor:
    """A box with half the image's sides set to mid grey."""
    n, spatial = len(images), images.shape[2:]
    chosen = _chosen(images, probability, generator)
    centres = torch.rand(n, len(spatial), generator=generator)
    box = torch.ones(n, *spatial, dtype=torch.bool)
    for axis, size in enumerate(spatial):
        places = (torch.arange(size) + 0.5) / size
        within = (places[None] - centres[:, axis, None]).abs() <= CUTOUT / 2
        box &= within.reshape(n, *(size if other == axis else 1 for other in range(len(spatial))))
    return images * (1 - _over_image(chosen, images) * box[:, None].to(images))


def _diagonal(values: Tensor) -> Tensor:
    """Matrices that scale, shape (n, dims + 1, dims + 1), of factors (n, dims)."""
    return torch.diag_embed(functional.pad(values, (0, 1), value=1.0))


def _turn(angle: Tensor, sides: Tensor) -> Tensor:
    """Matrices that turn within the last two axes of the array, by angles (n,), for images of these sides (x first)."""
    n, dims = len(angle), len(sides)
    turn = torch.eye(dims + 1, dtype=torch.float64).repeat(n, 1, 1)
    cos, sin = angle.cos(), angle.sin()
    turn[:, 0, 0], turn[:, 1, 1] = cos, cos
    turn[:, 0, 1] = -sin * sides[1] / sides[0]
    turn[:, 1, 0] = sin * sides[0] / sides[1]
    return turn


def _over_image(values: Tensor, images: Tensor) -> Tensor:
    """Numbers (n,) in a shape that multiplies images."""
    return values.reshape(-1, *(1,) * (images.ndim - 1)).to(images.dtype).to(images.device)
