"""The highest correlation of each synthetic image with any training image.

Akbar, Wang, Eklund, "Beware of diffusion models for synthesizing medical images" (Mach. Learn.: Sci. Technol. 6, 2025):
Pearson correlation over all pixels, the largest over the training set. Background and anatomy alone make it high, so
it means nothing without that of the holdout. It is blind to mirrored, turned and shifted copies, and it rises when
images are blurred: a diagnostic, while `copies` carries the verdict.
"""

from __future__ import annotations

import numpy as np

from fourfold.comparison import Sets
from fourfold.neighbors import nearest
from fourfold.privacy.contrast import interval_of_mean, one_sided
from fourfold.privacy.patients import numbered
from fourfold.privacy.working import working_images
from fourfold.score import Metric, Score, does_not_apply, register

__all__ = ["highest_correlation", "highest_correlation_score"]

SOURCE = "Akbar, Wang, Eklund: Beware of diffusion models for synthesizing medical images (MLST 6, 2025)"


def highest_correlation(
    images: np.ndarray, training: np.ndarray, memory: int = 1 << 30
) -> tuple[np.ndarray, np.ndarray]:
    """Highest Pearson correlation of each image with any training image.

    Parameters
    ----------
    images, training : arrays, shapes (M, ...) and (N, ...)
        Of one shape; all channels and pixels count.
    memory : int
        Bytes for the search.

    Returns
    -------
    correlation : array of float64, shape (M,)
        Within [-1, 1]; 0 where the image or every training image is constant.
    row : array of int64, shape (M,)
        The training image.

    Examples
    --------
    >>> real = np.random.default_rng(0).random((20, 1, 8, 8))
    >>> value, row = highest_correlation(0.5 * real[[7]] + 0.2, real)
    >>> float(value[0].round(6)), int(row[0])
    (1.0, 7)
    """
    found = nearest(
        np.asarray(images, dtype=np.float32).reshape(len(images), -1),
        np.asarray(training, dtype=np.float32).reshape(len(training), -1),
        1,
        metric="correlation",
        memory=memory,
    )
    return 1.0 - found.distances[:, 0], found.indices[:, 0]


def highest_correlation_score(sets: Sets) -> Score:
    """Mean over synthetic images of the highest correlation, against that of the holdout.

    Returns
    -------
    Score
        One-sided: an interval below the null is stretched to it.
    """
    fields = {"better": "lower", "features": "pixels", "source": SOURCE}
    if not len(sets.training) or not len(sets.synthetic):
        return does_not_apply("privacy", "highest_correlation", "needs training and synthetic images", **fields)
    training = working_images(sets.training)
    value, row = highest_correlation(working_images(sets.synthetic), training, sets.memory)
    columns = {"highest_correlation": value, "nearest_training": row}
    details = {"pixels": list(training.shape[1:]), "resampling": "area", **_quantiles("synthetic", value)}
    if sets.holdout is None or not len(sets.holdout):
        return Score(
            "privacy",
            "highest_correlation",
            float(value.mean()),
            reason="without a holdout there is no null: anatomy alone makes correlations high",
            per_synthetic=columns,
            details=details,
            **fields,
        )
    fresh, _ = highest_correlation(working_images(sets.holdout), training, sets.memory)
    _, patients = numbered(None, sets.holdout.patients, (len(sets.training), len(sets.holdout)))
    # Equal images are one draw of the generator.
    draws = np.unique(np.stack([value, row], axis=1), axis=0, return_inverse=True)[1].reshape(-1)
    interval, null_interval = interval_of_mean(value, fresh, patients, draws, (-1.0, 1.0))
    null = float(fresh.mean())
    return Score(
        "privacy",
        "highest_correlation",
        float(value.mean()),
        null=null,
        interval=one_sided(interval, null, "lower"),
        null_interval=null_interval,
        null_source="holdout",
        per_synthetic=columns,
        details={"one_sided": True, **details, **_quantiles("holdout", fresh)},
        **fields,
    )


def _quantiles(name: str, values: np.ndarray) -> dict[str, float]:
    shares = (0.5, 0.95, 0.99, 1.0)
    return {f"{name}_quantile_{share:g}": float(np.quantile(values, share)) for share in shares}


register(
    Metric(
        axis="privacy",
        name="highest_correlation",
        kind="images",
        better="lower",
        summary="highest Pearson correlation of each synthetic image with any training image, and its match",
        null="the holdout scored as if synthetic; none without a holdout",
        cost="O((M + H) N pixels), at most 64 x 64 pixels",
        source=SOURCE,
        compute=highest_correlation_score,
        needs=("holdout",),
    )
)
