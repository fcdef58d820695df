"""What one model is asked: copies, highest correlation, how it got there while it was trained, how good its images are.

Every figure has its null on the same patients: the holdout in place of drawn images, or one half where training and
holdout patients are as many. The holdout is scored blurred as well: no such image copies anybody.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from scipy.ndimage import gaussian_filter

from fourfold.fidelity import frechet_distance
from fourfold.images import ImageSet, prepare
from fourfold.privacy import find_copies, highest_correlation
from fourfold.privacy.patients import numbered
from fourfold.privacy.working import aspect_ratio, working_images
from fourfold.studies.axes import Axes

__all__ = ["EXTREME", "course_of", "figures_of"]

EXTREME = 0.99
"""Quantile of the holdout's highest correlation beyond which an image counts as extreme."""

_BLUR = 1.0 / 32
"""Standard deviation of the blur, as a share of the side: one pixel of 32."""


def figures_of(drawn: np.ndarray, sets: Mapping[str, ImageSet], seed: int) -> dict[str, float | None]:
    """The figures of drawn images.

    Parameters
    ----------
    drawn : array, shape (M, C, H, W)
        In [0, 1].
    sets : mapping of str to ImageSet
        ``"training"`` and ``"holdout"``, in [0, 1].
    seed : int

    Returns
    -------
    dict of str to float or None
        A null has the name of its figure and ``_null``.
    """
    prepared = prepare({**sets, "synthetic": ImageSet.from_array(drawn, name="synthetic")}, scaling="0:1")
    training, holdout = prepared["training"], prepared["holdout"]
    real, fresh, synthetic = (working_images(one) for one in (training, holdout, prepared["synthetic"]))
    groups, holdout_groups = numbered(training.patients, holdout.patients, (len(training), len(holdout)))
    found = find_copies(
        real,
        synthetic,
        fresh,
        groups=groups,
        holdout_groups=holdout_groups,
        aspect=aspect_ratio(training.shape),
        plants=0,
        seed=seed,
    )
    mine, theirs, blurred = (highest_correlation(one, real)[0] for one in (synthetic, fresh, _blurred(fresh)))
    return {
        "copies": float(found.listed.mean()),
        "copies_null": found.null_share,
        "copied_patients": len(np.unique(found.groups[found.nearest[found.listed]])),
        "correlation": float(mine.mean()),
        "correlation_null": float(theirs.mean()),
        "excess_correlation": float(mine.mean() - theirs.mean()),
        "extreme": float(np.mean(mine > np.quantile(theirs, EXTREME))),
        "extreme_null": 1 - EXTREME,
        "excess_correlation_blurred": float(blurred.mean() - theirs.mean()),
        "drawn": len(drawn),
        **_quality(drawn, holdout.load(), holdout_groups, seed),
    }


def course_of(record: Mapping[str, Any], steps: int, images: int, batch: int) -> dict[str, float | int | None]:
    """What the watch saw while the model was trained.

    Parameters
    ----------
    record : mapping
        ``training`` of a model's record.
    steps : int
        Planned.
    images : int
        Of the training set.
    batch : int

    Returns
    -------
    dict of str to float, int or None
        ``nearer_K``: at snapshot K, the share of draws nearer to training than to as many holdout patients, of
        ``watched`` draws. ``onset``: the step at which memorisation began as a share of all, 1 where it did not begin;
        ``began`` says whether it did. ``passes``: how often training saw an image.
    """
    watch = record.get("memorisation") or {}
    looks: Sequence[Mapping[str, Any]] = watch.get("looks", [])
    onset = watch.get("onset")
    found: dict[str, float | int | None] = {f"nearer_{place}": look["share"] for place, look in enumerate(looks, 1)}
    return {
        **found,
        "snapshots": len(looks),
        "passes": steps * batch / images,
        "onset_passes": None if onset is None else onset * batch / images,
        "onset": None if not looks else 1.0 if onset is None else onset / steps,
        "began": None if not looks else int(onset is not None),
    }


def _blurred(images: np.ndarray) -> np.ndarray:
    """Working images, shape (n, planes, side, side), blurred within their planes."""
    deviation = _BLUR * images.shape[-1]
    return gaussian_filter(images, (0, 0, deviation, deviation)).astype(np.float32)


def _quality(drawn: np.ndarray, holdout: np.ndarray, patients: np.ndarray, seed: int) -> dict[str, float]:
    """Frechet distance of radiomics to one half of the holdout's patients; that of the other half is the null.

    The sets have one size, since the distance grows where they are small.
    """
    order = np.random.default_rng([seed, 61]).permutation(np.unique(patients))
    first = np.isin(patients, order[: len(order) // 2])
    axes = Axes("radiomics", holdout)
    here, there, made = axes(holdout[first]), axes(holdout[~first]), axes(drawn)
    size = min(map(len, (here, there, made)))
    return {
        "frechet": frechet_distance(here, made[:size]),
        "frechet_null": frechet_distance(here, there[:size]),
    }
