"""What drawn images are held against: real images in two feature spaces, with what fresh real images score.

Quality is the Frechet distance in the leading components of pixels, and of radiomics, which see texture. Variety is
coverage, recall and the variance of the pixels as a share of the real one. Memorisation is the share of draws that are
nearer to the training images than to as many holdout images, and the highest correlation with either.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

import numpy as np
from scipy.spatial.distance import cdist

from fourfold.comparison import Features
from fourfold.fidelity import frechet_distance
from fourfold.privacy.correlation import highest_correlation
from fourfold.resampling import deal
from fourfold.studies.axes import Axes
from fourfold.studies.sources import Source
from fourfold.variety import coverage, recall

__all__ = ["Patients", "Standard", "against_law", "against_patients", "patients_of"]

NEIGHBORS = 5
DEALS = 16
"""Deals of the real patients, or sets of perfect draws, that a null is the mean of."""

_CERTAIN = 0.99


@dataclass(frozen=True)
class Patients:
    """The real images of one seed.

    Parameters
    ----------
    training, holdout : arrays, shapes (N, C, H, W) and (K, C, H, W)
        In [0, 1].
    groups : array of int, shape (N + K,)
        Patients, those of the training images first.
    digest : str
        Of the source.
    seed : int
    """

    training: np.ndarray
    holdout: np.ndarray
    groups: np.ndarray
    digest: str
    seed: int


def patients_of(source: Source, seed: int, training: int, holdout: int) -> Patients:
    """The patients of a seed; images without an identifier are patients of their own.

    Raises
    ------
    InputError
        Where the source has too few.
    """
    dealt = source.deal(seed, {"training": training, "holdout": holdout})
    known = [one.patients for one in dealt.values()]
    if any(one is None for one in known):
        groups = np.arange(sum(map(len, dealt.values())))
    else:
        groups = np.unique(np.concatenate([np.char.add(f"{place} ", one) for place, one in enumerate(known)]),
                           return_inverse=True)[1]  # fmt: skip
    return Patients(dealt["training"].load(), dealt["holdout"].load(), groups, source.digest, seed)


@dataclass(frozen=True)
class Standard:
    """What draws are measured against.

    Parameters
    ----------
    patients : Patients
    pixels, texture : Axes
    law : tuple of arrays, shapes (R, d)
        Pixel and texture features of what draws should be distributed as.
    variance : float
        Of the pixels under the law, summed.
    reach : float
        Distance to the nearest training image within which 99 % of perfect draws of a law that copies lie; 0 where
        the law is no such law.
    nulls : mapping of str to float
        What fresh images of the law score, in equal number.
    """

    patients: Patients
    pixels: Axes
    texture: Axes
    law: tuple[np.ndarray, np.ndarray]
    variance: float
    reach: float = 0.0
    nulls: dict[str, float] = field(default_factory=dict)

    def figures(self, drawn: np.ndarray) -> dict[str, float]:
        """All figures of drawn images, in [0, 1], with their nulls."""
        found = _scores(self.law, (self.pixels(drawn), self.texture(drawn)))
        found["spread"] = float(drawn.reshape(len(drawn), -1).var(axis=0, ddof=1).sum()) / self.variance
        sides = self.patients.training, self.patients.holdout
        size = min(map(len, sides))
        rng = np.random.default_rng([self.patients.seed, 5])
        sides = tuple(side[np.sort(rng.permutation(len(side))[:size])] for side in sides)
        near, far = (_nearest(drawn, side) for side in sides)
        found["nearer_training"] = float(np.mean(near < far) + np.mean(near == far) / 2)
        mine, theirs = (float(highest_correlation(drawn, side)[0].mean()) for side in sides)
        found |= {"correlation": mine, "correlation_null": theirs, "nearer_training_null": 0.5, "draws": len(drawn)}
        if self.reach:
            found |= {"copied": float(np.mean(_nearest(drawn, self.patients.training) <= self.reach))}
            found |= {"copied_null": _CERTAIN}
        return {**found, **self.nulls}


def against_patients(patients: Patients, draws: int) -> Standard:
    """The standard of a learned denoiser: its training images, and real patients dealt anew as what chance gives."""
    pixels, texture = (Axes(name, patients.training) for name in ("pixels", "radiomics"))
    everyone = np.concatenate([patients.training, patients.holdout])
    spaces = pixels(everyone), texture(everyone)
    rng = np.random.default_rng([patients.seed, 6])
    own, total = len(patients.training), len(everyone)
    shares = own / total, min(draws, total - own) / total
    pairs = []
    for _ in range(DEALS):
        rows = deal(Features(spaces[0], patients.groups), shares, rng)
        pairs.append(tuple(tuple(space[part] for space in spaces) for part in rows))
    variance = float(patients.training.reshape(own, -1).var(axis=0, ddof=1).sum())
    law = tuple(space[:own] for space in spaces)
    return Standard(patients, pixels, texture, law, variance, nulls=_nulls(pairs))


def against_law(patients: Patients, perfect: Sequence[np.ndarray]) -> Standard:
    """The standard of a denoiser of a known law: its draws.

    Parameters
    ----------
    patients : Patients
    perfect : sequence of arrays, shape (n, C, H, W)
        Sets of draws as large as those to be measured; the first half of them are the law, the others its null.
    """
    pixels, texture = (Axes(name, patients.training) for name in ("pixels", "radiomics"))
    half = len(perfect) // 2
    law = np.concatenate(perfect[:half])
    spaces = pixels(law), texture(law)
    pairs = [(spaces, (pixels(fresh), texture(fresh))) for fresh in perfect[half:]]
    variance = float(law.reshape(len(law), -1).var(axis=0, ddof=1).sum())
    reach = float(np.quantile(_nearest(law, patients.training), _CERTAIN))
    return Standard(patients, pixels, texture, spaces, variance, reach, _nulls(pairs))


Pair = tuple[np.ndarray, np.ndarray]


def _scores(law: Pair, drawn: Pair) -> dict[str, float]:
    """Distances in both spaces, coverage and recall in that of pixels."""
    return {
        "frechet": frechet_distance(law[0], drawn[0]),
        "frechet_texture": frechet_distance(law[1], drawn[1]),
        "coverage": coverage(law[0], drawn[0], NEIGHBORS),
        "recall": recall(law[0], drawn[0], NEIGHBORS),
    }


def _nulls(pairs: Iterable[tuple[Pair, Pair]]) -> dict[str, float]:
    found = [_scores(law, fresh) for law, fresh in pairs]
    return {f"{name}_null": float(np.mean([one[name] for one in found])) for name in found[0]}


def _nearest(images: np.ndarray, others: np.ndarray) -> np.ndarray:
    """Distance of each image to the nearest of others, pixel by pixel, shape (n,)."""
    return cdist(*(part.reshape(len(part), -1).astype(np.float64) for part in (images, others))).min(axis=1)
