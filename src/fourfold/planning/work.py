"""What the time of each step grows with: products that can be counted, and units that cannot be divided further.

A step takes a time once, a time a unit, and the time of its products. Which products and which units follows from how
a metric is computed; how long they take is measured (`fourfold.planning.measuring`).
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from fourfold.planning.passes import kernel_passes
from fourfold.planning.sizes import Sizes
from fourfold.privacy.bank import Bank
from fourfold.privacy.disguises import DISGUISES, ORDINARY
from fourfold.privacy.representations import FURTHER, REPRESENTATIONS, Representation
from fourfold.privacy.spectrum import Spectrum
from fourfold.privacy.tiles import Tiles

__all__ = ["DEALT_WIDTH", "ONCE", "Kind", "Work", "changes", "copy_queries", "metric_work"]

Kind = Literal["search", "kernel", "moments", "roots", "dealt moments", "dealt roots", "changes", "neighbours"]

# Subsamples behind an interval, and images of a set in each, see `fourfold.resampling.calibrate`.
_DRAWS, _DRAWN = 40, 500
# Products of one such draw, in those of its training part with all three parts, counted on equal sets.
_OF_A_DRAW = {
    "fidelity/density": 1.9,
    "fidelity/precision": 1.9,
    "fidelity/realism": 1.4,
    "variety/coverage": 1.9,
    "variety/recall": 1.4,
}
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

DEALT_WIDTH = 128
"""Components in which real images are dealt to two sets beyond this width, see `fourfold.fidelity.exchange`."""

# Frechet distances in full, of the actual sets and of real ones that level the deals; and in deals with jackknives.
_FULL, _SIZES = 2, 15
_JACKKNIVES = 96
_FRECHET = {
    "fidelity/frechet_distance": (1, 79 + _JACKKNIVES),
    "fidelity/frechet_distance_infinity": (_SIZES, 39 * _SIZES + _JACKKNIVES),
    "fidelity/radiomic_frechet_distance": (1, 79 + _JACKKNIVES),
    "fidelity/radiomic_frechet_distance_v0": (1, 79 + _JACKKNIVES),
}
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
        Multiplications by their kind: ``"search"`` among subsamples, ``"kernel"``, ``"moments"`` (float64),
        ``"roots"`` (width cubed, of decompositions), ``"dealt"`` ones of either where real images are dealt to two
        sets, ``"changes"`` (of images under which copies are looked for).
    """

    units: float
    products: Mapping[Kind, float] = field(default_factory=dict)


def metric_work(
    metric: str, sizes: Sizes, width: int, *, cells: int = 1, planes: int = 1, thorough: bool = False
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
        return Work(sizes.judged, {"kernel": width * sum(one.pairs for one in kernel_passes(sizes))})
    if metric == "variety/vendi_score":
        roots = sum(2.0 * min(size, width) ** 3 for size in (m, h or n))
        moments = sum(2.0 * size * width * min(size, width) for size in (m, h or n))
        return Work(m + (h or n), {"roots": roots, "moments": moments})
    if metric in _FRECHET:
        return _frechet(metric, sizes, width)
    if metric in _OF_A_DRAW:
        drawn = _drawn(sizes)
        pairs = _DRAWS * _OF_A_DRAW[metric] * drawn.training * drawn.judged
        return Work(drawn.judged, {"search": pairs * width})
    most = _AT_MOST.get(metric)
    return Work(sizes.judged if most is None else sum(min(size, most) for size in (n, m, h)))


def _frechet(metric: str, sizes: Sizes, width: int) -> Work:
    """Distances between the actual sets, and between dealt ones."""
    full, dealt = _FRECHET[metric]
    narrow = min(width, DEALT_WIDTH)
    n, m, h = sizes.training, sizes.synthetic, sizes.holdout
    first, second = (n, min(m, h)) if h else (n // 2, min(m, n // 2))
    moments, roots = _distance(first, second, narrow)
    products: dict[Kind, float] = {"dealt moments": dealt * moments, "dealt roots": dealt * roots}
    if width > DEALT_WIDTH:
        moments, roots = _distance(n, m, width)
        products |= {"moments": _FULL * moments, "roots": _FULL * full * roots}
    # The sums grow with the sets, the rest only until there are more images than features.
    return Work(sum(min(size, narrow) for size in (n, m, h)), products)


def _distance(n: int, m: int, width: int) -> tuple[float, float]:
    """Multiplications of one Frechet distance: of its moments, and of its decomposition."""
    inner, outer = min(n, width), min(m, width)
    # Bringing the rows into float64 takes about as long as their products.
    return 2.0 * width * (n * inner + m * outer), float(inner) * outer * min(inner, outer)


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


def _drawn(sizes: Sizes) -> Sizes:
    """The sets of one subsample."""
    share = min(0.5, _DRAWN / max(sizes.training, sizes.synthetic, sizes.holdout))
    part = {role: max(round(share * sizes.of(role)), 1) for role in sizes.roles}
    return Sizes(**part)
