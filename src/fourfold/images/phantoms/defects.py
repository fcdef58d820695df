"""Defects planted by dose, with the truth about them: what an evaluation must find, and what it must not.

Every function takes arrays of images of shape (N, C, H, W) or (N, C, D, H, W) in [0, 1], phantoms or real ones, changes
none of them, and returns new ones beside a `Planted` that names each altered row.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from types import MappingProxyType

import numpy as np
from scipy import ndimage

from fourfold.errors import InputError
from fourfold.images.phantoms.population import Phantoms
from fourfold.images.phantoms.tampering import TRANSFORMS, Tampering, tampered

__all__ = ["Planted", "blur", "collapse", "drop_subgroup", "flip_labels", "plant_copies"]


@dataclass(frozen=True, eq=False)
class Planted:
    """The truth about a planted defect.

    Parameters
    ----------
    defect : str
        ``"copies"``, ``"collapse"``, ``"blur"``, ``"labels"`` or ``"missing subgroup"``.
    rows : array of int, shape (K,)
        The altered rows in ascending order; for a missing subgroup, the rows of the original that were left out.
    sources : array of int, shape (M,), or None
        For each returned image the row it was made from (copies: of the training images; collapse: of the images
        given), -1 where it is what it was.
    transforms : array of str, shape (M,), or None
        Copies: how each was disguised, ``""`` where it is none.
    details : mapping
        The dose, as numbers and names.
    """

    defect: str
    rows: np.ndarray
    sources: np.ndarray | None = None
    transforms: np.ndarray | None = None
    details: Mapping[str, float | int | str] = field(default_factory=lambda: MappingProxyType({}))

    def __len__(self) -> int:
        return len(self.rows)


def plant_copies(
    synthetic: np.ndarray,
    training: np.ndarray,
    share: float = 0.02,
    transform: str | Sequence[str] = "exact",
    *,
    seed: int = 0,
    strength: Tampering | None = None,
) -> tuple[np.ndarray, Planted]:
    """Replace random synthetic images by disguised copies of training images, each source used once.

    Parameters
    ----------
    synthetic, training : arrays, shapes (M, C, ...) and (N, C, ...)
        float in [0, 1], of one shape.
    share : float
        Share of the synthetic images to replace, rounded to whole images, at least one where it is not 0.
    transform : str or sequence of str
        ``"exact"``, ``"noise"``, ``"brightness"``, ``"flip"``, ``"shift"``, ``"rotate"``, ``"blend"`` or several joined
        by ``"+"`` and applied in that order, as in ``"rotate+noise"``. A sequence is dealt out evenly.
    seed : int
    strength : Tampering or None
        How strong each disguise is.

    Returns
    -------
    images : array, shape of `synthetic`
    truth : Planted
        `truth.sources` holds the training row of each copy.

    Raises
    ------
    InputError
        Where shapes differ, the share or a transform is unknown, or there are too few training images.
    """
    if synthetic.shape[1:] != training.shape[1:]:
        raise InputError(
            f"copies need images of one shape, got {synthetic.shape[1:]} synthetic and {training.shape[1:]} training"
        )
    kinds = [transform] if isinstance(transform, str) else list(transform)
    unknown = [step for kind in kinds for step in kind.split("+") if step not in TRANSFORMS]
    if unknown or not kinds:
        raise InputError(
            f"there is no transform {unknown[0] if unknown else ''!r}; choose from {', '.join(TRANSFORMS)}"
        )
    count = _dose(len(synthetic), share)
    if count > len(training):
        raise InputError(f"{count} copies need as many training images, there are {len(training)}; lower the share")
    rng = np.random.default_rng([seed, 1])
    rows = np.sort(rng.choice(len(synthetic), count, replace=False))
    chosen = rng.choice(len(training), count, replace=False)
    dealt = rng.permutation([kinds[place % len(kinds)] for place in range(count)])
    images = synthetic.copy()
    sources = np.full(len(synthetic), -1, dtype=np.int64)
    transforms = np.full(len(synthetic), "", dtype=f"U{max(map(len, kinds))}")
    for row, source, kind in zip(rows, chosen, dealt, strict=True):
        # Blending hides the source behind the image whose place it takes.
        images[row] = tampered(training[source], str(kind), rng, other=synthetic[row], strength=strength)
        sources[row], transforms[row] = source, kind
    return images, Planted("copies", rows, sources, transforms, _details(share=share, count=count))


def collapse(
    images: np.ndarray, prototypes: int = 3, noise: float = 0.02, *, seed: int = 0
) -> tuple[np.ndarray, Planted]:
    """Mode collapse: every image becomes one of a few prototypes, with noise.

    Parameters
    ----------
    images : array, shape (M, C, ...)
    prototypes : int
        How many different images remain, drawn from `images`.
    noise : float
        Standard deviation of the noise on each repetition, in units of the range [0, 1].
    seed : int

    Returns
    -------
    images : array, same shape
    truth : Planted
        `truth.sources` holds the row of each image's prototype.

    Raises
    ------
    InputError
        Where `prototypes` is not between 1 and M, or `noise` is negative.
    """
    if not 1 <= prototypes <= len(images):
        raise InputError(f"prototypes must lie between 1 and the {len(images)} images, got {prototypes}")
    if noise < 0:
        raise InputError(f"noise must not be negative, got {noise}")
    rng = np.random.default_rng([seed, 2])
    kept = rng.choice(len(images), prototypes, replace=False)
    sources = kept[rng.permutation(len(images)) % prototypes]
    collapsed = images[sources]
    grain = rng.standard_normal(collapsed.shape, dtype=np.float32)
    collapsed = np.clip(collapsed + np.float32(noise) * grain, 0, 1).astype(images.dtype)
    details = _details(prototypes=prototypes, noise=noise)
    return collapsed, Planted("collapse", np.arange(len(images)), sources.astype(np.int64), None, details)


def blur(images: np.ndarray, sigma: float = 1.0) -> tuple[np.ndarray, Planted]:
    """Gaussian blur of every image.

    Parameters
    ----------
    images : array, shape (M, C, ...)
    sigma : float
        Standard deviation in pixels.

    Returns
    -------
    images : array, same shape
    truth : Planted

    Raises
    ------
    InputError
        Where `sigma` is negative.
    """
    if sigma < 0:
        raise InputError(f"sigma must not be negative, got {sigma}")
    blurred = np.empty_like(images)
    for place, image in enumerate(images):
        ndimage.gaussian_filter(image, (0, *(sigma,) * (image.ndim - 1)), output=blurred[place], mode="nearest")
    rows = np.arange(len(images) if sigma else 0)
    return blurred, Planted("blur", rows, details=_details(sigma=sigma))


def flip_labels(labels: np.ndarray, share: float = 0.1, *, seed: int = 0) -> tuple[np.ndarray, Planted]:
    """Give a share of the images another class.

    Parameters
    ----------
    labels : array of str, shape (M,)
        At least two classes.
    share : float
        Share of the labels to change, rounded to whole images, at least one where it is not 0.
    seed : int

    Returns
    -------
    labels : array of str, shape (M,)
    truth : Planted

    Raises
    ------
    InputError
        Where there is one class only, or the share is out of range.
    """
    labels = np.asarray(labels)
    classes = np.unique(labels)
    if len(classes) < 2:
        raise InputError("labels of one class only cannot be flipped; give at least two classes")
    count = _dose(len(labels), share)
    rng = np.random.default_rng([seed, 3])
    rows = np.sort(rng.choice(len(labels), count, replace=False))
    flipped = labels.copy()
    places = np.searchsorted(classes, labels[rows])
    flipped[rows] = classes[(places + rng.integers(1, len(classes), count)) % len(classes)]
    return flipped, Planted("labels", rows, details=_details(share=share, count=count))


def drop_subgroup(population: Phantoms, subgroup: str) -> tuple[Phantoms, Planted]:
    """The population without a subgroup.

    Parameters
    ----------
    population : Phantoms
    subgroup : str
        A value of ``population.subgroups``.

    Returns
    -------
    population : Phantoms
    truth : Planted
        `truth.rows` are the rows that were left out.

    Raises
    ------
    InputError
        Where nobody belongs to the subgroup, or everybody does.
    """
    dropped = population.subgroups == subgroup
    if not dropped.any() or dropped.all():
        present = ", ".join(sorted(set(population.subgroups.tolist())))
        raise InputError(f"the subgroup {subgroup!r} cannot be dropped; the population has: {present}")
    details = _details(subgroup=subgroup, count=int(dropped.sum()))
    return population.take(~dropped), Planted("missing subgroup", np.flatnonzero(dropped), details=details)


def _dose(total: int, share: float) -> int:
    if not 0 <= share <= 1:
        raise InputError(f"share must lie in [0, 1], got {share!r}")
    return max(round(share * total), int(share > 0 and total > 0))


def _details(**numbers: float | int | str) -> Mapping[str, float | int | str]:
    return MappingProxyType(numbers)
