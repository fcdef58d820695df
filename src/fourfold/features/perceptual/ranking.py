"""How an extractor ranks: distances between embeddings, and how often it agrees with who judged.

The embedding of an image is its feature vector less its own mean, divided by its length; the distance of two images is
1 - cosine of their embeddings, in [0, 2]. The two-alternative score (2AFC) is the mean agreement over triplets.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from torch import Tensor

from fourfold.errors import InputError
from fourfold.statistics import variance_of_mean, wilson

__all__ = ["TwoAlternative", "distances", "embedding", "two_alternative"]

_SHORTEST = 1e-8


def embedding(features: Tensor) -> Tensor:
    """Features less their own mean, of length 1.

    Parameters
    ----------
    features : Tensor, shape (B, d)

    Returns
    -------
    Tensor, shape (B, d)
        Zeros for a vector whose entries are all the same.

    References
    ----------
    Fu et al., "DreamSim", arXiv:2306.09344.

    Examples
    --------
    >>> import torch
    >>> embedding(torch.tensor([[3.0, 1.0]]))
    tensor([[ 0.7071, -0.7071]])
    """
    centred = features - features.mean(dim=1, keepdim=True)
    return centred / centred.norm(dim=1, keepdim=True).clamp(min=_SHORTEST)


def distances(x: Tensor, y: Tensor) -> Tensor:
    """1 - cosine between row i of one and row i of the other, shape (B,), of embeddings.

    Half their squared Euclidean distance, so that it is exactly 0 for equal images and the same either way round.
    """
    return (x - y).square().sum(dim=1) / 2


@dataclass(frozen=True)
class TwoAlternative:
    """How often the closer image of a triplet was found.

    Parameters
    ----------
    value : float
        Mean agreement in [0, 1]; 0.5 for whoever guesses.
    interval : (float, float)
        95 %, with all triplets of a patient (or reference) as one observation.
    triplets, groups : int
    by_kind : mapping of str to TwoAlternative
        The same over the triplets in which a kind takes part, where there are several kinds.
    """

    value: float
    interval: tuple[float, float]
    triplets: int
    groups: int
    by_kind: Mapping[str, TwoAlternative]

    def describe(self) -> dict[str, Any]:
        """As JSON can hold it."""
        record = {
            "value": self.value,
            "interval": list(self.interval),
            "null": 0.5,
            "triplets": self.triplets,
            "groups": self.groups,
        }
        return record | {"by_kind": {name: one.describe() for name, one in self.by_kind.items()}}


def two_alternative(
    to_a: np.ndarray, to_b: np.ndarray, votes: np.ndarray, groups: np.ndarray, kinds: np.ndarray | None = None
) -> TwoAlternative:
    """The two-alternative forced-choice score (2AFC).

    Parameters
    ----------
    to_a, to_b : arrays, shape (n,)
        Distances of the reference to a and to b.
    votes : array, shape (n,)
        Share of the judges for whom b is closer.
    groups : array, shape (n,)
        Equal entries are one cluster.
    kinds : array of str, shape (n, k), or None
        What each triplet is made of.

    Returns
    -------
    TwoAlternative
        Agreement is the share of the judges who said the same; equal distances count one half.

    Raises
    ------
    InputError
        Where there is no triplet, or a distance is not finite.

    References
    ----------
    Zhang et al., "The unreasonable effectiveness of deep features as a perceptual metric", CVPR 2018 (the score);
    Liang & Zeger, Biometrika 73 (1986) 13 (its variance).

    Examples
    --------
    >>> import numpy as np
    >>> two_alternative(np.array([1.0, 2.0, 3.0]), np.array([2.0, 1.0, 3.0]), np.array([0, 1, 1]), np.arange(3)).value
    0.8333333333333334
    """
    to_a, to_b, votes = (np.asarray(one, dtype=np.float64) for one in (to_a, to_b, votes))
    if not len(votes):
        raise InputError("a ranking is judged by triplets, and there is none")
    if not (np.isfinite(to_a).all() and np.isfinite(to_b).all()):
        raise InputError("a distance is NaN or infinite; look at the images, or use another feature extractor")
    chosen = np.where(to_a == to_b, 0.5, to_b < to_a)
    agreement = chosen * votes + (1 - chosen) * (1 - votes)
    groups = np.asarray(groups)
    names = [] if kinds is None else np.unique(kinds).tolist()
    by_kind = {}
    if len(names) > 1:
        for name in names:
            rows = (np.asarray(kinds) == name).any(axis=1)
            by_kind[name] = two_alternative(to_a[rows], to_b[rows], votes[rows], groups[rows])
    count = len(np.unique(groups))
    value = float(agreement.mean())
    return TwoAlternative(value, _interval(agreement, groups, count), len(votes), count, by_kind)


def _interval(agreement: np.ndarray, groups: np.ndarray, count: int) -> tuple[float, float]:
    """Wilson's interval of a share with as many independent trials as have the variance that the clusters have."""
    value, variance = float(agreement.mean()), variance_of_mean(agreement, groups)
    if not np.isfinite(variance):
        return 0.0, 1.0
    # Where all agree nothing is known of the variance, and a cluster is one trial.
    trials = count if variance == 0 else max(1, min(len(agreement), round(value * (1 - value) / variance)))
    low, high = wilson(round(value * trials), trials)
    return min(low, value), max(high, value)
