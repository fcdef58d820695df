"""The exact denoiser of a mixture in two dimensions: distances are to the law itself, likelihoods are known."""

from __future__ import annotations

import math
from functools import lru_cache

import numpy as np
import torch
from torch import Tensor

from fourfold.fidelity import frechet_distance_from_moments
from fourfold.generate.analytic import MixtureLaw, reference_mixture, sliced_wasserstein
from fourfold.generate.frameworks import framework
from fourfold.generate.likelihood import bits_per_dimension, log_likelihood, variational_bound
from fourfold.generate.sampling import SAMPLERS
from fourfold.studies.steps.grid import BOUND, ODE
from fourfold.studies.study import Cell, Figures

__all__ = ["RARE", "mixture_figures"]

RARE = 0.05
"""Weight of the last mode."""

_PERFECT_RUNS = 4


def mixture_figures(cell: Cell, points: int) -> Figures:
    """What a sampler, or a likelihood, makes of the mixture.

    Parameters
    ----------
    cell : Cell
    points : int
        Drawn; every sampler of a seed starts from the same noise.

    Returns
    -------
    mapping
        ``frechet`` and ``sliced`` (distances to the law), ``rare`` (error of the mass of the rare mode, as a share of
        it) with their nulls, which are what perfect draws score; or ``bits`` a dimension beside ``bits_true``, those
        of the density itself.
    """
    law, calls = reference_mixture(), int(cell.settings["calls"])
    levels_of, sampler = framework(str(cell.settings["framework"])), str(cell.settings["sampler"])
    stream = torch.Generator().manual_seed(cell.seed)

    def noise() -> Tensor:
        return torch.randn((points, *law.shape), generator=stream, dtype=torch.float64)

    if sampler in (ODE, BOUND):
        perfect = law.draw(points, np.random.default_rng([cell.seed, 1]))
        true = -law.log_density(perfect)
        if sampler == ODE:
            found = -log_likelihood(law, perfect, levels_of, None, intervals=calls // 2)
        else:
            found = variational_bound(law, perfect, levels_of.levels(calls), noise, grey_levels=None).total
        bits = {name: float(_bits(nats)) for name, nats in (("bits", found), ("bits_true", true))}
        return {**bits, "draws": points}
    levels = SAMPLERS[sampler].levels(levels_of, calls)
    drawn = SAMPLERS[sampler].function(law, levels[0] * noise(), levels, noise)
    return {**_scores(law, drawn), **_nulls(points, cell.seed), "draws": points}


@lru_cache(maxsize=2)
def _nulls(points: int, seed: int) -> dict[str, float]:
    """What perfect draws score, once for all cells of a seed."""
    law = reference_mixture()
    runs = [_scores(law, law.draw(points, np.random.default_rng([seed, 2, run]))) for run in range(_PERFECT_RUNS)]
    return {f"{name}_null": float(np.mean([one[name] for one in runs])) for name in runs[0]}


def _bits(nats: Tensor) -> Tensor:
    return bits_per_dimension(-nats, 2, grey_levels=None).mean()


def _scores(law: MixtureLaw, drawn: Tensor) -> dict[str, float]:
    flat, centres = drawn.flatten(1).numpy(), law.means.flatten(1)
    mean = law.weights @ centres
    within = torch.diag(law.weights @ law.variances.flatten(1))
    covariance = within + (law.weights * (centres - mean).T) @ (centres - mean)
    mass = float(law.membership(drawn)[:, -1].mean())
    return {
        "frechet": frechet_distance_from_moments(mean.numpy(), covariance.numpy(), flat.mean(axis=0), np.cov(flat.T)),
        "sliced": sliced_wasserstein(drawn, law),
        "rare": abs(mass / RARE - 1) if math.isfinite(mass) else math.nan,
    }
