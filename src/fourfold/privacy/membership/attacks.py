"""Attacks that ask of a real image, given the synthetic set alone, whether its generator was trained on it.

Each gives a score to every suspect x, higher for rather a member, from its distances to the synthetic images S and to
reference images R of other patients, or from the features themselves. None of them knows which suspects are members,
and each treats all suspects alike: without leakage members and others are then exchangeable, whatever their numbers.
Where R is made of the suspects themselves, an image's own patient is left out of it.

Logarithms are taken of distances and of sums of kernels, never of densities that underflow to ties.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from scipy.special import logsumexp

__all__ = [
    "calibrated_distance_attack",
    "classifier_attack",
    "density_ratio_attack",
    "distance_attack",
    "distance_ratio_attack",
    "kernel_density_attack",
    "monte_carlo_attack",
    "weighted_monte_carlo_attack",
]

FOLDS = 3
"""Parts into which suspects that serve as reference are dealt, by patient, for the classifier."""

_BLOCK_BYTES = 1 << 26


def distance_attack(to_synthetic: np.ndarray) -> np.ndarray:
    """Minus the distance to the nearest synthetic image.

    Parameters
    ----------
    to_synthetic : array, shape (n, k)
        Distances of each suspect to its k nearest synthetic images, nearest first, as `fourfold.neighbors.nearest`
        gives them.

    Returns
    -------
    array of float64, shape (n,)

    References
    ----------
    D. Chen, N. Yu, Y. Zhang, M. Fritz, GAN-Leaks, CCS 2020, section 4 (full black-box).

    Examples
    --------
    >>> distance_attack(np.array([[1.0, 2.0], [0.5, 3.0]])).tolist()
    [-1.0, -0.5]
    """
    return -np.asarray(to_synthetic, dtype=np.float64)[:, 0]


def calibrated_distance_attack(to_synthetic: np.ndarray, to_reference: np.ndarray) -> np.ndarray:
    """The distance to the nearest reference image less that to the nearest synthetic one.

    Parameters
    ----------
    to_synthetic, to_reference : arrays, shapes (n, k) and (n, l)
        As for `distance_attack`; reference images are those of other patients.

    Returns
    -------
    array of float64, shape (n,)

    References
    ----------
    Chen et al. 2020, section 4.4 (attack calibration), with a reference sample in place of a reference generator.
    """
    return np.asarray(to_reference, dtype=np.float64)[:, 0] - np.asarray(to_synthetic, dtype=np.float64)[:, 0]


def distance_ratio_attack(to_synthetic: np.ndarray) -> np.ndarray:
    """Logarithm of the distance to the k-th nearest synthetic image over that to the nearest.

    Calibrated from within: the synthetic images around a suspect tell how near one of them comes by chance.

    Parameters
    ----------
    to_synthetic : array, shape (n, k)
        As for `distance_attack`, k at least 2.

    Returns
    -------
    array of float64, shape (n,)
        At least 0.

    References
    ----------
    N. Carlini et al., Extracting Training Data from Diffusion Models, USENIX Security 2023, section 5 (adaptive
    threshold), with the sets exchanged.

    Examples
    --------
    >>> distance_ratio_attack(np.array([[1.0, np.e], [3.0, 3.0]])).round(6).tolist()
    [1.0, 0.0]
    """
    logs = _log(to_synthetic)
    return logs[:, -1] - logs[:, 0]


def monte_carlo_attack(to_synthetic: np.ndarray) -> np.ndarray:
    """Number of synthetic images within the median over suspects of the distance to the nearest.

    Parameters
    ----------
    to_synthetic : array, shape (n, k)
        As for `distance_attack`; at most k are counted.

    Returns
    -------
    array of float64, shape (n,)
        0 to k, 0 for half of the suspects.

    References
    ----------
    B. Hilprecht, M. Haerterich, D. Bernau, Monte Carlo and Reconstruction Membership Inference Attacks against
    Generative Models, PoPETs 2019(4) 232, median heuristic.

    Examples
    --------
    >>> monte_carlo_attack(np.array([[1.0, 2.0], [2.0, 2.5], [4.0, 5.0]])).tolist()
    [2.0, 1.0, 0.0]
    """
    distances = np.asarray(to_synthetic, dtype=np.float64)
    return (distances <= np.median(distances[:, 0])).sum(axis=1).astype(np.float64)


def weighted_monte_carlo_attack(to_synthetic: np.ndarray) -> np.ndarray:
    """As `monte_carlo_attack`, each image counting minus the logarithm of its distance over the median.

    The published weight is minus the logarithm of the distance itself, which changes its sign with the unit; distances
    are divided by the median here.

    Parameters
    ----------
    to_synthetic : array, shape (n, k)

    Returns
    -------
    array of float64, shape (n,)
        At least 0, 0 for half of the suspects.

    References
    ----------
    Hilprecht et al. 2019, as for `monte_carlo_attack`.
    """
    logs = _log(to_synthetic)
    return np.maximum(np.median(logs[:, 0]) - logs, 0.0).sum(axis=1)


def density_ratio_attack(to_synthetic: np.ndarray, to_reference: np.ndarray) -> np.ndarray:
    """Logarithm of the ratio of two nearest-neighbour density estimates, synthetic over reference, a dimension.

    Parameters
    ----------
    to_synthetic, to_reference : arrays, shapes (n, k) and (n, k)
        As for `calibrated_distance_attack`; the k-th distances r_S and r_R are compared.

    Returns
    -------
    array of float64, shape (n,)
        ``log(r_R / r_S)``: the density ratio is ``(r_R / r_S)^D |R| / |S|``, and neither the dimension nor the sizes
        change the order.

    References
    ----------
    B. van Breugel, H. Sun, Z. Qian, M. van der Schaar, Membership Inference Attacks against Synthetic Data through
    Overfitting Detection (DOMIAS), AISTATS 2023, equation 2; D. O. Loftsgaarden, C. P. Quesenberry, Ann. Math. Stat. 36
    (1965) 1049 (the density estimate).
    """
    return _log(to_reference)[:, -1] - _log(to_synthetic)[:, -1]


def kernel_density_attack(
    suspects: np.ndarray,
    synthetic: np.ndarray,
    reference: np.ndarray,
    bandwidth: float,
    suspect_patients: np.ndarray | None = None,
    reference_patients: np.ndarray | None = None,
) -> np.ndarray:
    """Logarithm of the ratio of two Gaussian kernel density estimates, synthetic over reference.

    Parameters
    ----------
    suspects, synthetic, reference : arrays, shapes (n, d), (M, d) and (R, d)
        Features of few dimensions, for example principal components.
    bandwidth : float
        Standard deviation of the kernel, in the unit of the features, above 0.
    suspect_patients, reference_patients : arrays, shapes (n,) and (R,), or None
        A suspect's density among the reference leaves out its own patient; None where they are different people.

    Returns
    -------
    array of float64, shape (n,)

    References
    ----------
    van Breugel et al. 2023, as for `density_ratio_attack`.
    """
    near = _log_density(suspects, synthetic, bandwidth, None, None)
    return near - _log_density(suspects, reference, bandwidth, suspect_patients, reference_patients)


def classifier_attack(
    suspects: np.ndarray,
    synthetic: np.ndarray,
    reference: np.ndarray | None = None,
    suspect_patients: np.ndarray | None = None,
    seed: int = 0,
) -> np.ndarray:
    """How surely a classifier that learned to tell synthetic from reference images calls a suspect synthetic.

    Parameters
    ----------
    suspects, synthetic : arrays, shapes (n, d) and (M, d)
        Features of few dimensions.
    reference : array, shape (R, d), or None
        Of other patients. None takes the suspects themselves, those of a third of the patients being scored by a
        classifier that learned from the other two.
    suspect_patients : array, shape (n,), or None
        None for one image a patient.
    seed : int
        Deals the folds, and starts the classifier.

    Returns
    -------
    array of float64, shape (n,)
        Log-odds of gradient-boosted trees; the sizes of the sets shift all of them alike.

    References
    ----------
    J. Hayes, L. Melis, G. Danezis, E. De Cristofaro, LOGAN, PoPETs 2019(1) 133 (black-box attack with a discriminator
    on samples).
    """
    if reference is not None:
        return _learned(synthetic, reference, seed).decision_function(suspects)
    owners = np.arange(len(suspects)) if suspect_patients is None else suspect_patients
    codes = np.unique(owners, return_inverse=True)[1].reshape(-1)
    rng = np.random.default_rng([seed, len(suspects)])
    fold = (rng.permutation(int(codes.max()) + 1) % FOLDS)[codes]
    scores = np.empty(len(suspects))
    for part in np.unique(fold):
        scored = fold == part
        scores[scored] = _learned(synthetic, suspects[~scored], seed).decision_function(suspects[scored])
    return scores


def _log(distances: np.ndarray) -> np.ndarray:
    """Logarithms; a distance of 0 counts as a billionth of the typical one, so that it stays finite."""
    distances = np.asarray(distances, dtype=np.float64)
    typical = float(np.median(distances[:, 0])) or float(distances.max()) or 1.0
    return np.log(np.maximum(distances, 1e-9 * typical))


def _log_density(
    suspects: np.ndarray,
    points: np.ndarray,
    bandwidth: float,
    suspect_patients: np.ndarray | None,
    point_patients: np.ndarray | None,
) -> np.ndarray:
    suspects, points = np.asarray(suspects, dtype=np.float64), np.asarray(points, dtype=np.float64)
    centre = points.mean(axis=0)
    suspects, points = (suspects - centre) / bandwidth, (points - centre) / bandwidth
    half_norms = 0.5 * np.einsum("ij,ij->i", points, points)
    found = np.empty(len(suspects))
    rows = max(1, _BLOCK_BYTES // (8 * len(points)))
    for start in range(0, len(suspects), rows):
        block = suspects[start : start + rows]
        exponents = block @ points.T - half_norms - 0.5 * np.einsum("ij,ij->i", block, block)[:, None]
        others = np.full(len(block), len(points))
        if suspect_patients is not None and point_patients is not None:
            own = suspect_patients[start : start + rows, None] == point_patients
            exponents[own] = -np.inf
            others = others - own.sum(axis=1)
        found[start : start + rows] = logsumexp(exponents, axis=1) - np.log(others)
    return found


def _learned(synthetic: np.ndarray, reference: np.ndarray, seed: int) -> Any:
    from sklearn.ensemble import HistGradientBoostingClassifier

    features = np.concatenate([synthetic, reference])
    classes = np.repeat([1, 0], [len(synthetic), len(reference)])
    classifier = HistGradientBoostingClassifier(
        max_iter=60, max_leaf_nodes=15, learning_rate=0.1, early_stopping=False, random_state=seed
    )
    return classifier.fit(features, classes)
