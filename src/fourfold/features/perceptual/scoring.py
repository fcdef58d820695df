"""How well an extractor, tuned or not, ranks triplets."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import torch
from torch import Tensor

from fourfold.features.extractor import FeatureExtractor
from fourfold.features.perceptual.network import TunedNetwork
from fourfold.features.perceptual.ranking import TwoAlternative, distances, embedding, two_alternative
from fourfold.features.perceptual.triplets import Triplets

__all__ = ["Progress", "features_of", "rank"]

# Triplets whose images are in memory at once.
_AT_ONCE = 32

Progress = Callable[[str, int, int], None]
Features = tuple[Tensor, Tensor, Tensor]


def rank(
    extractor: FeatureExtractor | TunedNetwork,
    triplets: Triplets,
    *,
    device: torch.device | str = "cpu",
    progress: Progress | None = None,
) -> TwoAlternative:
    """How well an extractor ranks triplets, by the distances of its embeddings.

    Parameters
    ----------
    extractor : FeatureExtractor or TunedNetwork
        The features of an extractor that is not tuned are taken as they are, or standardised over the references where
        it says so (``standardise``).
    triplets : Triplets
    device : torch.device or str
    progress : callable or None

    Returns
    -------
    TwoAlternative

    Raises
    ------
    InputError
        Where there is no triplet, or features are not finite.
    """
    extractor.to(device)
    features = features_of(extractor, triplets, device, progress)
    if getattr(extractor, "standardise", False):
        centre, spread = features[0].mean(dim=0), features[0].std(dim=0, correction=0)
        spread = torch.where(spread > 0, spread, torch.inf)
        features = tuple((one - centre) / spread for one in features)
    reference, a, b = (embedding(one.double()) for one in features)
    to_a, to_b = (distances(reference, side).numpy(force=True) for side in (a, b))
    return two_alternative(to_a, to_b, triplets.votes, triplets.groups, triplets.kinds)


@torch.no_grad()
def features_of(
    extractor: Callable[[Tensor], Tensor],
    triplets: Triplets,
    device: torch.device | str,
    progress: Progress | None = None,
) -> Features:
    """Features of references, a and b, each of shape (n, d), on the device."""
    sides: tuple[list[Tensor], ...] = ([], [], [])
    for start in range(0, len(triplets), _AT_ONCE):
        places = np.arange(start, min(start + _AT_ONCE, len(triplets)))
        for side, images in zip(sides, triplets.load(places), strict=True):
            side.append(extractor(torch.from_numpy(images).to(device)).float())
        if progress is not None:
            progress("features of triplets", int(places[-1]) + 1, len(triplets))
    reference, a, b = (torch.cat(side) for side in sides)
    return reference, a, b
