"""The threshold rule of Dar et al., for tables that set the two side by side; it takes no part in any verdict.

Dar et al., "Unconditional latent diffusion models memorize patient imaging data" (Nature Biomedical Engineering, 2025):
what is nearer than 95 % of training images are to their nearest *validation* image counts as memorised. The threshold
is read from nearest neighbours among one number of images and applied to nearest neighbours among another, so a
generator that copies nobody is accused the more, the more images it makes: at 904 training, 226 validation and 904
synthetic images of 16 % of the training set.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

__all__ = ["ThresholdCopies", "threshold_copies", "threshold_null_bound"]

SHARE = 0.05
"""Share of training images that are nearer to a validation image than the threshold."""


@dataclass(frozen=True)
class ThresholdCopies:
    """What the rule flags.

    Parameters
    ----------
    threshold : float
        Distance at or below which an image counts as memorised.
    training : array of bool, shape (N,)
        Training images with a synthetic image within the threshold.
    synthetic : array of bool, shape (M,)
        Synthetic images within the threshold of a training image.
    """

    threshold: float
    training: np.ndarray
    synthetic: np.ndarray

    @property
    def training_share(self) -> float:
        """Share of training images called memorised."""
        return float(self.training.mean())

    @property
    def synthetic_share(self) -> float:
        """Share of synthetic images called copies."""
        return float(self.synthetic.mean())


def threshold_copies(
    training_to_validation: np.ndarray, training_to_synthetic: np.ndarray, synthetic_to_training: np.ndarray
) -> ThresholdCopies:
    """Apply the rule of Dar et al. to distances in an embedding (theirs is 1 - Pearson correlation).

    Parameters
    ----------
    training_to_validation : array, shape (N,)
        From each training image to its nearest validation image; their 5th percentile is the threshold.
    training_to_synthetic : array, shape (N,)
        From each training image to its nearest synthetic image.
    synthetic_to_training : array, shape (M,)
        From each synthetic image to its nearest training image.

    Returns
    -------
    ThresholdCopies

    Raises
    ------
    ValueError
        If one of the arrays is empty.

    Examples
    --------
    >>> found = threshold_copies(np.arange(1.0, 101.0), np.array([2.0, 50.0]), np.array([2.0, 60.0, 70.0, 80.0]))
    >>> round(found.threshold, 2), found.training_share, found.synthetic_share
    (5.95, 0.5, 0.25)
    """
    arrays = [np.asarray(one, dtype=float) for one in (training_to_validation, training_to_synthetic)]
    own = np.asarray(synthetic_to_training, dtype=float)
    if not all(map(len, (*arrays, own))):
        raise ValueError("the rule needs training, validation and synthetic images")
    threshold = float(np.quantile(arrays[0], SHARE))
    return ThresholdCopies(threshold, arrays[1] <= threshold, own <= threshold)


def threshold_null_bound(synthetic: int, validation: int, share: float = SHARE) -> float:
    """Largest share of training images that the rule flags, on average, where the generator copies nobody.

    Parameters
    ----------
    synthetic, validation : int
        M and the number of validation images, all drawn from one distribution.
    share : float
        The percentile that sets the threshold.

    Returns
    -------
    float
        ``1 - (1 - share)^(M / validation)``: where a training image has its nearest of n images beyond the threshold
        with probability q^n, Jensen's inequality bounds the mean of q^M by that of q^n.

    Examples
    --------
    >>> round(threshold_null_bound(904, 226), 3)
    0.185
    """
    return 1.0 - (1.0 - share) ** (synthetic / validation)
