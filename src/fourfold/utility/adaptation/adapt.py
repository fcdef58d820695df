"""Transfer without labels of the target: from a labelled kind of image to another one that shows the same things.

Given a predictor that was learned on labelled images of one kind, and pairs of an image of that kind and one of
another that show the same things (a case under another scanner, a synthetic twin in another contrast), a student
learns to make of the one what the teacher makes of the other; see `regression`. Pairs need no labels.

Pairs are themselves personal: whoever holds one links two images of a patient. What was learned from them holds what
any model trained on those patients holds, and is to be treated so.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, is_dataclass, replace

import numpy as np
import torch
from torch import Tensor, nn

from fourfold.errors import InputError
from fourfold.features.threads import one_thread
from fourfold.utility.adaptation.alignment import displaced, displacements, edge_agreement
from fourfold.utility.adaptation.regression import Regression, Seen, residuals, taught
from fourfold.utility.learning.contract import Predictor
from fourfold.utility.learning.optimisation import Scale

__all__ = ["Adaptation", "adapt", "network_of"]


@dataclass(frozen=True)
class Adaptation:
    """A predictor for images of another kind.

    Parameters
    ----------
    predictor : Predictor
        Takes images of the target kind.
    before, after : mapping of str to float
        Distance of its maps on target images from the teacher's on their partners, by layer, before and after; in
        units of the variance of the teacher's channels. Where it stays large the two kinds of image differ.
    displaced : float
        Share of the pairs that were found displaced.
    edges : (float, float)
        Mean correlation of the edges of pairs, as they were given and as they were compared.
    """

    predictor: Predictor
    before: Mapping[str, float]
    after: Mapping[str, float]
    displaced: float
    edges: tuple[float, float]


def adapt(
    teacher: Predictor,
    source: np.ndarray,
    target: np.ndarray,
    regression: Regression | None = None,
    *,
    seed: int = 0,
    progress: Callable[[int, int], None] | None = None,
) -> Adaptation:
    """Make a predictor work on another kind of image.

    Parameters
    ----------
    teacher : Predictor
        What a task of Fourfold learned from labelled images of the source kind.
    source, target : arrays, shape (n, C, *spatial)
        float32 in [0, 1]; row i of both shows the same things, up to the tolerance.
    regression : Regression or None
        None for the defaults: every map, pairs taken as aligned.
    seed : int
    progress : callable or None
        Called with (steps done, steps in all).

    Raises
    ------
    InputError
        Where there are no pairs, they differ in number or size, or the predictor has no network to adapt.

    References
    ----------
    A. Benbihi, M. Geist, C. Pradalier, arXiv:1805.04141, 2018.
    """
    regression = regression or Regression()
    network, scale = network_of(teacher)
    if source.shape != target.shape or not len(source):
        raise InputError(
            f"pairs are as many images of one kind as of the other, of one size, got {source.shape} and "
            f"{target.shape}; give them alike"
        )
    device = next(network.parameters()).device
    own = Scale.of(target)

    def seen(by: Scale) -> Seen:
        return lambda images: by(_tensor(images).to(device))

    with one_thread():
        shifts = displacements(source, target, regression.tolerance)
        aligned = displaced(source, shifts)
        eyes = {"see_source": seen(scale), "see_target": seen(own)}
        before = residuals(network, network, aligned, target, **eyes)
        student = taught(network, aligned, target, regression, seed=seed, progress=progress, **eyes)
        after = residuals(student, network, aligned, target, **eyes)
        edges = edge_agreement(source, target), edge_agreement(aligned, target)
    predictor = replace(teacher, network=student, scale=own)  # type: ignore[type-var]
    return Adaptation(predictor, before, after, float(shifts.any(axis=1).mean()), edges)


def network_of(predictor: Predictor) -> tuple[nn.Module, Scale]:
    """The network of a predictor and the scale of what it sees.

    Raises
    ------
    InputError
        Where it has none, as predictors of other packages have not.
    """
    network, scale = getattr(predictor, "network", None), getattr(predictor, "scale", None)
    if not isinstance(network, nn.Module) or not isinstance(scale, Scale) or not is_dataclass(predictor):
        raise InputError(
            f"a predictor of the type {type(predictor).__name__} has no network whose feature maps could be regressed; "
            "learn it with one of Fourfold's own networks"
        )
    return network, scale


def _tensor(images: np.ndarray) -> Tensor:
    return torch.from_numpy(np.ascontiguousarray(images))
