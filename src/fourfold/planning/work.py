"""What the time of each step grows with: products that can be counted, and units that cannot be divided further.

A step takes a time once, a time a unit, and the time of its products. Which products and which units follows from how
a metric is computed; how long they take is measured (`fourfold.planning.measuring`).
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from fourfold.planning.draws import HELD, equal_parts, own_draws
from fourfold.planning.frechet import DEALT_WIDTH, FRECHET, actual, dealt
from fourfold.planning.passes import kernel_passes
from fourfold.planning.sizes import Sizes
from fourfold.privacy.bank import Bank
from fourfold.privacy.disguises import DISGUISES, ORDINARY
from fourfold.privacy.representations import FURTHER, REPRESENTATIONS, Representation
from fourfold.privacy.spectrum import Spectrum
from fourfold.privacy.tiles import Tiles

__all__ = ["ONCE", "Kind", "Work", "changes", "copy_queries", "metric_work"]

Kind = Literal["search", "kernel", "cubes", "moments", "roots", "dealt moments", "dealt roots", "changes", "neighbours"]

# Images of a set that are looked at, at most.
_AT_MOST = {
    "fidelity/likelihood_divergence": 1000,
    "privacy/exchangeability": 4000,
    "privacy/likelihood_gap": 3600,
    "utility/real_plus_synthetic_gain": 5000,
    "utility/train_synthetic_test_real": 5000,
}
ONCE = frozenset({"variety/ms_ssim_diversity"})
"""Metrics on a fixed number of pairs of images, whatever the sets."""

# Entropies of the eigenvalues, their vectors among them, beside one Frechet distance; and eigenvalues alone.
_WITH_VECTORS, _VALUES = 1.4, 0.75
# Images that serve as null of the search for copies, and that are disguised, at most.
_NULL, _FRESH, _PLANTS, _PLANTS_OF_AN_AUDIT = 2000, 4000, 20, 40


@dataclass(frozen=True)
class Work:
    """What a step does.

    Parameters
    ----------
    units : float
        Images, or images in subsamples, or whatever else its time grows with in proportion.
    products : mapping of str to float
        Multiplications by their kind: ``"search"`` among parts of sets, ``"kernel"``, ``"cubes"`` (pairs whose kernels
        are taken from products that are there), ``"moments"`` (float64), ``"roots"`` (width cubed, of decompositions),
        ``"dealt"`` ones of either where real images are dealt to two sets, ``"changes"`` (of images under which copies
        are looked for).
    """

    units: float
    products: Mapping[Kind, float] = field(default_factory=dict)


def metric_work(
    metric: str,
    sizes: Sizes,
    width: int,
    *,
    cells: int = 1,
    planes: int = 1,
    thorough: bool = False,
    seen: bool = False,
) -> Work:
    """What a metric does beside the passes over whole sets that it shares with others.

    Parameters
    ----------
    metric : str
        ``"axis/name"``; of one that is not known, the time is taken to grow with the images.
    sizes : Sizes
    width : int
        Features, of a metric on features.
    cells, planes : int
        Pixels of a working image, of a metric on images, and the planes that they are in, see
        `fourfold.privacy.working`.
    thorough : bool
    seen : bool
        Whether the kernel distance sees the products of the neighbours, see `fourfold.planning.passes.kernel_sees`.
    """
    n, m, h = sizes.training, sizes.synthetic, sizes.holdout
    if metric == "privacy/copies":
        pairs = copy_queries(sizes, thorough)
        asked = (*REPRESENTATIONS, *FURTHER) if thorough else REPRESENTATIONS
        side = math.isqrt(cells // planes)
        return Work(pairs, {"changes": pairs * n * planes * sum(changes(one, side) for one in asked)})
    if metric == "privacy/highest_correlation":
        return Work(sizes.judged, {"search": float(m + h) * n * cells})
    if metric == "fidelity/kernel_distance" or metric == "fidelity/cmmd":
        pairs = sum(one.pairs for one in kernel_passes(sizes))
        own = seen and metric == "fidelity/kernel_distance"
        return Work(sizes.judged, {"cubes": pairs} if own else {"kernel": width * pairs})
    if metric == "variety/vendi_score":
        return _vendi(sizes, width)
    if metric in FRECHET:
        return _frechet(metric, sizes, width)
    if metric == "variety/recall" or (metric in HELD and not h):
        own_parts = own_draws(metric, sizes)
        return Work(own_parts.units, {"search": own_parts.pairs * width})
    most = _AT_MOST.get(metric)
    return Work(sizes.judged if most is None else sum(min(size, most) for size in (n, m, h)))


def _frechet(metric: str, sizes: Sizes, width: int) -> Work:
    """Distances between the actual sets, and between dealt ones."""
    narrow = min(width, DEALT_WIDTH)
    whole, parts = actual(metric, sizes, width), dealt(metric, sizes, narrow)
    if width > DEALT_WIDTH:
        products: dict[Kind, float] = {"moments": whole.moments, "roots": whole.roots}
    else:
        products, parts = {}, whole + parts
    products |= {"dealt moments": parts.moments, "dealt roots": parts.roots}
    # The sums grow with the sets, the rest only until there are more images than features.
    return Work(sum(min(size, narrow) for size in (sizes.training, sizes.synthetic, sizes.holdout)), products)


def _vendi(sizes: Sizes, width: int) -> Work:
    """Likenesses of all images of two sets, and of parts of the larger one that are as large as the other."""
    pair = sizes.synthetic, sizes.holdout or sizes.training
    roots = moments = 0.0
    for size in pair:
        parts = equal_parts(size, min(pair))
        roots += _WITH_VECTORS * min(size, width) ** 3
        if parts > 1:
            roots += _VALUES * min(parts, 8) * min(size / parts, width) ** 3
        # The sums, and what each image adds to the score.
        moments += 2.0 * size * width * min(size, width)
    return Work(sum(pair), {"roots": roots, "moments": moments})


def copy_queries(sizes: Sizes, thorough: bool = False) -> float:
    """Images that are searched among the training set for a copy: synthetic ones, those of the null, planted ones."""
    plants = min(sizes.training, _PLANTS_OF_AN_AUDIT if thorough else _PLANTS)
    disguised = plants * len(DISGUISES if thorough else ORDINARY)
    return sizes.synthetic + min(sizes.holdout, _FRESH) + min(sizes.training, _NULL) + disguised


def changes(one: Representation, side: int) -> float:
    """Multiplications of one image with one training image in a representation, on working images of that side."""
    if isinstance(one, Bank):
        own = min(one.side, side)
        # A disc fills pi / 4 of its square.
        seen = own * own * (math.pi / 4 if one.windowed else 1.0)
        return len(one.warps) * len(one.windows) * len(one.blurs) * seen
    if isinstance(one, Tiles):
        own = min(one.side, side)
        tile = min(one.tile, own)
        return len(range(0, own - tile + 1, one.stride)) ** 2 * tile * tile
    own = min(one.side, side) if isinstance(one, Spectrum) else side
    return own * (own // 2 + 1)
