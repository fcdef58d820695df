"""The exact law of a share under random assignment of patients to two sets of equal size.

Of 2 K patients K are called "training" at random; patient p is the nearest of c_p images. How many images are then
nearest to a training patient? One patient who is typical, and so the nearest of many images, counts as one patient.
"""

from __future__ import annotations

import numpy as np

__all__ = ["assignment_p", "independent_images"]


def assignment_p(training: np.ndarray, holdout: np.ndarray) -> float:
    """Probability of at least as many images near to training patients, were the patients assigned at random.

    Parameters
    ----------
    training, holdout : arrays of int, shape (K,)
        Of how many images each patient is the nearest.

    Returns
    -------
    float
        One-sided, exact.

    References
    ----------
    R. A. Fisher, The Design of Experiments, 1935, chapter 3 (randomisation test).

    Examples
    --------
    Two patients each; both training patients are near to an image, and one of six assignments does as much:

    >>> assignment_p(np.array([1, 1]), np.array([0, 0]))
    0.16666666666666666
    """
    counts = np.concatenate([training, holdout])
    # Patients who are near to nothing are interchangeable, and what is assigned to them needs no telling.
    met = counts[counts > 0]
    places, left = len(training), len(counts)
    law = np.zeros((len(met) + 1, int(met.sum()) + 1))
    law[0, 0] = 1.0
    for number, count in enumerate(met):
        # After `number` patients of whom j are in training, the next is with probability (K - j) / (2 K - number).
        chance = np.clip(places - np.arange(len(met) + 1), 0, None)[:, None] / (left - number)
        taken = law * chance
        law = law - taken
        law[1:, count:] += taken[:-1, : law.shape[1] - count]
    return float(min(1.0, law[:, int(np.sum(training)) :].sum()))


def independent_images(training: np.ndarray, holdout: np.ndarray) -> int:
    """As many independent images as would make the share as uncertain as these patients make it; at least 1."""
    counts = np.concatenate([training, holdout]).astype(np.float64)
    images, places = counts.sum(), len(training)
    variance = places / 2 * counts.var(ddof=1)
    if variance == 0:
        return max(1, int(images))
    return int(np.clip(np.round(images**2 / (4 * variance)), 1, max(1, images)))
