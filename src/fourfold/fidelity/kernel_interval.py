"""Interval of a kernel distance, from what it does where both sets come from one distribution.

The distance is then a quadratic form in the errors of both samples: with the centred kernel's eigenvalues l_i it is
distributed like a sum of l_i (z_i^2 - 1), z_i standard normal (Gretton et al. 2012, theorem 12), skewed to the right
and with a short end on the left. Its variance is known (`fourfold.fidelity.kernel`); its shape is seen by giving
groups of real images random signs, as if they were dealt to the two sets: the form w^T K w of the centred kernel
without its diagonal, w of +1 and -1 (the wild bootstrap of degenerate statistics, Dehling & Mikosch 1994). Away from
the null see `fourfold.resampling.inversion`.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from fourfold.comparison import Features
from fourfold.fidelity.kernel import Kernel, KernelDistance
from fourfold.resampling import excess_interval, linear_rate, subsample

__all__ = ["KernelNull", "kernel_interval", "kernel_null"]

# Images behind the shape of the null, at most (about; patients stay together).
_LARGEST = 500
_SIGNS = 2000
_TAILS = (0.025, 0.975)


@dataclass(frozen=True)
class KernelNull:
    """Shape of a kernel distance's distribution under the null.

    Parameters
    ----------
    above, below : float
        How far above and below its mean 95 % of it lie, in standard deviations.
    degrees : float
        (sum l_i)^2 / sum l_i^2, at least 1: the number of equal terms that would vary as much for their sum.
    """

    above: float
    below: float
    degrees: float


def kernel_null(features: Features, kernel: Kernel, *, seed: int = 0) -> KernelNull:
    """Shape of the null of a kernel distance, from real images.

    Parameters
    ----------
    features : Features
        Images of at least two patients, where those are known.
    kernel : callable
        As for `kernel_distance_with_variance`.
    seed : int
        Chooses the patients, where there are more than about 500 images, and the signs.

    Returns
    -------
    KernelNull
    """
    rng = np.random.default_rng([seed, len(features)])
    chosen = subsample(features, min(1.0, _LARGEST / max(len(features), 1)), rng)
    groups = np.arange(len(chosen)) if chosen.patients is None else np.unique(chosen.patients, return_inverse=True)[1]
    order = np.argsort(groups, kind="stable")
    rows, starts = chosen.values[order].astype(np.float64), np.unique(groups[order], return_index=True)[1]
    sizes = np.diff(np.append(starts, len(rows))).astype(np.float64)
    sums = kernel(rows @ rows.T, rows.shape[1])
    sums = np.add.reduceat(np.add.reduceat(sums, starts, axis=0), starts, axis=1)
    profile = sums.sum(axis=1) / sizes.sum()
    centred = sums - np.outer(profile, sizes) - np.outer(sizes, profile)
    centred += np.outer(sizes, sizes) * (profile.sum() / sizes.sum())
    count = len(sizes)
    first = float(np.trace(centred)) / count
    # Different groups only, as in the distance itself.
    np.fill_diagonal(centred, 0.0)
    squares = float(np.square(centred).sum())
    if squares == 0:
        return KernelNull(0.0, 0.0, 1.0)
    signs = rng.choice([-1.0, 1.0], size=(_SIGNS, count))
    forms = np.einsum("ij,ij->i", signs @ centred, signs) / math.sqrt(2.0 * squares)
    low, high = np.quantile(forms, _TAILS)
    return KernelNull(float(high), float(-low), max(first**2 * count * (count - 1) / squares, 1.0))


def kernel_interval(found: KernelDistance, null: KernelNull) -> tuple[tuple[float, float], tuple[float, float]]:
    """95 % interval of a kernel distance, and the band in which 95 % of fresh real samples lie about 0."""
    spread, fresh = math.sqrt(found.quadratic), math.sqrt(found.null_variance)
    above, below = null.above * spread, null.below * spread
    # Were pairs of an image with itself counted, as the row means count them, the null's mean would be this.
    bias = math.sqrt(null.degrees / 2.0) * spread
    rate = linear_rate(found.value, found.linear, bias, 2.0 * found.quadratic, above)
    return excess_interval(found.value, above, below, rate), (-null.below * fresh, null.above * fresh)
