"""Identical matches: synthetic images whose pixels are those of a training image.

A diagnostic only: the last bit of one pixel defeats it, and so does every re-encoding. What it finds is beyond
argument, what it does not find is no evidence. Blank images match each other; the holdout shows how many of them real
sets share. Where it shares some, that share is uncertain too, and the interval is that of the difference
(`fourfold.statistics.miettinen_nurminen`): the exact one of the synthetic share alone would call every fifth fresh set
of 1000 images worse than a holdout of 250.
"""

from __future__ import annotations

import hashlib

import numpy as np

from fourfold.comparison import Sets
from fourfold.images.sets import ImageSet
from fourfold.privacy.contrast import clipped, one_sided
from fourfold.score import Metric, Score, does_not_apply, register
from fourfold.statistics import clopper_pearson, miettinen_nurminen

__all__ = ["identical_match_share", "pixel_digests"]

SOURCE = "identical match share, with the exact interval of Clopper and Pearson (Biometrika 26, 1934)"

_LEVELS = 65535
_BATCH_BYTES = 1 << 26


def pixel_digests(images: np.ndarray) -> list[bytes]:
    """What identifies the pixels of prepared images.

    Parameters
    ----------
    images : array, shape (N, ...)
        In [0, 1]; rounded to 16 bits, so that one image stored as integers and as floats is one image.

    Returns
    -------
    list of bytes, length N
        SHA-256 of shape and values.

    Examples
    --------
    >>> first, second = pixel_digests(np.array([[0.0, 0.5], [1e-7, 0.5]]))
    >>> first == second
    True
    """
    levels = np.rint(np.clip(np.asarray(images, dtype=np.float64), 0.0, 1.0) * _LEVELS).astype("<u2")
    shape = str(levels.shape[1:]).encode()
    return [hashlib.sha256(shape + image.tobytes()).digest() for image in levels]


def identical_match_share(sets: Sets) -> Score:
    """Share of synthetic images whose pixels, as prepared, are those of a training image; the holdout as control.

    Returns
    -------
    Score
        Null: the share of the holdout (0 without one). One-sided: an interval below the null is stretched to it.
    """
    fields = {"better": "lower", "features": "pixels", "source": SOURCE}
    if not len(sets.training) or not len(sets.synthetic):
        return does_not_apply("privacy", "identical_match_share", "needs training and synthetic images", **fields)
    known = set(_digests(sets.training))
    synthetic = _digests(sets.synthetic)
    matches = np.array([digest in known for digest in synthetic])
    count, size = int(matches.sum()), len(matches)
    control = None
    if sets.holdout is not None and len(sets.holdout):
        own = [digest in known for digest in _digests(sets.holdout)]
        control = (sum(own), len(own))
    null = 0.0 if control is None else control[0] / control[1]
    interval = clopper_pearson(count, size)
    if control is not None and control[0]:
        low, high = miettinen_nurminen((count, size), control)
        interval = clipped((null + low, null + high), (0.0, 1.0))
    return Score(
        "privacy",
        "identical_match_share",
        count / size,
        null=null,
        interval=one_sided(interval, null, "lower"),
        null_interval=None if control is None else clopper_pearson(*control),
        null_source="analytic" if control is None else "holdout",
        reason="without a holdout the null takes real patients never to have equal images" if control is None else None,
        per_synthetic={"identical_match": matches},
        details={
            "diagnostic": True,
            "one_sided": True,
            "matches": count,
            "distinct_images": len(set(synthetic)),
            "holdout_matches": None if control is None else control[0],
        },
        **fields,
    )


def _digests(images: ImageSet) -> list[bytes]:
    batch_size = int(np.clip(_BATCH_BYTES // (4 * int(np.prod(images.shape))), 1, 256))
    return [digest for _, batch in images.batches(batch_size) for digest in pixel_digests(batch)]


register(
    Metric(
        axis="privacy",
        name="identical_match_share",
        kind="images",
        better="lower",
        summary="share of synthetic images with exactly the pixels of a training image; a diagnostic",
        null="the share of the holdout; 0 without one",
        cost="O((N + M + H) pixels)",
        source=SOURCE,
        compute=identical_match_share,
    )
)
