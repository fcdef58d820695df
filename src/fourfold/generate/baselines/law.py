"""Mixtures of Gaussians, one a class: the laws from which coordinates are drawn.

Coordinates are expected at variance 1 or so each (principal components divided by their deviations, latents of an
autoencoder): shrinking a covariance towards a multiple of the identity is only sensible there.
"""

from __future__ import annotations

import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import torch
from torch import Tensor

from fourfold.generate.conditioning.aggregates import FEWEST_PATIENTS

__all__ = ["COMPONENTS", "Law", "fit_gaussians", "fit_mixtures"]

COMPONENTS = (1, 2, 3, 4, 6, 8, 12, 16, 24, 32)
"""Numbers of components that are tried where none is given."""

_ITERATIONS = 200
# Added to variances that are 1 overall, so that a component never closes in on a point.
_FLOOR = 1e-3


@dataclass(frozen=True)
class Law:
    """A mixture of J Gaussians of k coordinates for each of K classes; unused places have weight 0.

    Parameters
    ----------
    weights : array, shape (K, J)
        float64, each row sums to 1.
    means : array, shape (K, J, k)
        float32.
    factors : array, shape (K, J, k, k)
        float32; covariances are ``factor @ factor.T``.
    """

    weights: np.ndarray
    means: np.ndarray
    factors: np.ndarray

    def draw(
        self, number: int, rng: np.random.Generator, temperature: float = 1.0, truncation: float = 1.0
    ) -> np.ndarray:
        """Coordinates of one image, shape (k,), float32.

        Parameters
        ----------
        number : int
            Class.
        rng : numpy.random.Generator
            Gives one uniform and k normal numbers, whatever comes of them.
        temperature : float
            Scale of the deviation from the component's mean.
        truncation : float
            Scale of the deviation from the mean of the class.
        """
        steps = np.cumsum(self.weights[number])
        place = min(int(np.searchsorted(steps, rng.random() * steps[-1], side="right")), len(steps) - 1)
        noise = rng.standard_normal(self.means.shape[-1], dtype=np.float32)
        point = self.means[number, place] + np.float32(temperature) * (self.factors[number, place] @ noise)
        centre = (self.weights[number] @ self.means[number]).astype(np.float32)
        return centre + np.float32(truncation) * (point - centre)

    def arrays(self) -> dict[str, Tensor]:
        """For the model file: aggregates of the training set."""
        return {f"law/{name}": torch.from_numpy(value) for name, value in vars(self).items()}

    @classmethod
    def restore(cls, arrays: Mapping[str, Tensor]) -> Law:
        """The law whose `arrays` these are."""
        return cls(*(np.ascontiguousarray(arrays[f"law/{name}"].numpy()) for name in ("weights", "means", "factors")))

    @classmethod
    def join(cls, parts: Sequence[tuple[np.ndarray, np.ndarray, np.ndarray]]) -> Law:
        """The law of all classes from weights (J,), means (J, k) and covariances (J, k, k) of each."""
        most = max(len(weights) for weights, _, _ in parts)
        size = parts[0][1].shape[1]
        weights = np.zeros((len(parts), most))
        means = np.zeros((len(parts), most, size), dtype=np.float32)
        factors = np.zeros((len(parts), most, size, size), dtype=np.float32)
        for number, (shares, centres, covariances) in enumerate(parts):
            used = len(shares)
            weights[number, :used] = shares / shares.sum()
            means[number, :used] = centres
            factors[number, :used] = [_factor(covariance) for covariance in covariances]
        return cls(weights, means, factors)


def fit_gaussians(coordinates: np.ndarray, classes: Mapping[str, np.ndarray]) -> tuple[Law, dict[str, Any]]:
    """One Gaussian a class, its covariance shrunk as far as its number of images asks for.

    Parameters
    ----------
    coordinates : array, shape (N, k)
    classes : mapping of str to array of int
        Rows of each class, at least 2.

    Returns
    -------
    Law
    dict
        ``shrinkage`` of each class.

    References
    ----------
    O. Ledoit, M. Wolf, A well-conditioned estimator for large-dimensional covariance matrices, J. Multivar. Anal. 88,
    2004.
    """
    from sklearn.covariance import LedoitWolf

    parts, shrinkages = [], []
    for rows in classes.values():
        found = LedoitWolf().fit(coordinates[rows].astype(np.float64))
        unbiased = found.covariance_ * len(rows) / (len(rows) - 1)
        parts.append((np.ones(1), found.location_[None], unbiased[None]))
        shrinkages.append(float(found.shrinkage_))
    return Law.join(parts), {"shrinkage": shrinkages}


def fit_mixtures(
    coordinates: np.ndarray,
    classes: Mapping[str, np.ndarray],
    patients: np.ndarray,
    *,
    components: int | None = None,
    covariance: Literal["full", "tied", "diag"] = "full",
    seed: int = 0,
) -> tuple[Law, dict[str, Any]]:
    """A mixture a class, by expectation maximisation, of as many components as the Bayesian criterion asks for.

    Components of fewer than `FEWEST_PATIENTS` patients, or of too few images for their covariance, are not accepted:
    they would describe these patients rather than a population.

    Parameters
    ----------
    coordinates : array, shape (N, k)
    classes : mapping of str to array of int
        Rows of each class, at least 2.
    patients : array of int, shape (N,)
    components : int or None
        In each class; fewer where some would not be accepted. None chooses.
    covariance : {"full", "tied", "diag"}
    seed : int

    Returns
    -------
    Law
    dict
        ``mixture_components`` of each class, and ``warnings``.

    References
    ----------
    G. Schwarz, Estimating the dimension of a model, Ann. Stat. 6, 1978.
    """
    parts, notes = [], []
    for name, rows in classes.items():
        points = coordinates[rows].astype(np.float64)
        found = _best_mixture(points, patients[rows], components, covariance, seed)
        if found is None:
            single, _ = fit_gaussians(coordinates, {name: rows})
            parts.append((np.ones(1), single.means[0], _covariances(single)))
            notes.append(
                _note(name, "there are too few images for a mixture, and one shrunk Gaussian stands in for it")
            )
            continue
        parts.append(_moments(found, covariance))
        if not found.converged_:
            notes.append(_note(name, f"the mixture did not converge in {_ITERATIONS} iterations"))
        if components is not None and found.n_components < components:
            said = f"{components} components were asked for and {found.n_components} fitted, since some would have held"
            notes.append(_note(name, f"{said} fewer than {FEWEST_PATIENTS} patients, or too few images"))
    return Law.join(parts), {"mixture_components": [len(weights) for weights, _, _ in parts], "warnings": notes}


def _best_mixture(
    points: np.ndarray, patients: np.ndarray, components: int | None, covariance: str, seed: int
) -> Any | None:
    """The mixture of as many accepted components as asked for, or as the criterion prefers; None where none is."""
    if components is not None:
        tried = (_mixture(points, patients, count, covariance, seed) for count in range(components, 0, -1))
        return next((found for found in tried if found is not None), None)
    best, lowest, worse = None, np.inf, 0
    for count in COMPONENTS:
        found = _mixture(points, patients, count, covariance, seed)
        if found is None:
            continue
        criterion = found.bic(points)
        worse = 0 if criterion < lowest else worse + 1
        if criterion < lowest:
            best, lowest = found, criterion
        # The criterion has one valley; two steps up mean that it lies behind.
        if worse == 2:
            break
    return best


def _mixture(points: np.ndarray, patients: np.ndarray, count: int, covariance: str, seed: int) -> Any | None:
    """A fitted mixture, None where a component would hold too few images or patients."""
    from sklearn.exceptions import ConvergenceWarning
    from sklearn.mixture import GaussianMixture

    # Below this a component's own covariance means nothing.
    fewest = 2 * points.shape[1] if covariance == "full" else 10
    if count * fewest > len(points):
        return None
    with warnings.catch_warnings():
        # Reported in the record instead.
        warnings.simplefilter("ignore", ConvergenceWarning)
        found = GaussianMixture(
            count, covariance_type=covariance, reg_covar=_FLOOR, max_iter=_ITERATIONS, random_state=seed
        ).fit(points)
    places = found.predict(points)
    held = [patients[places == place] for place in range(count)]
    enough = all(len(some) >= fewest and len(np.unique(some)) >= FEWEST_PATIENTS for some in held)
    return found if enough else None


def _moments(found: Any, covariance: str) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    covariances = found.covariances_
    if covariance == "tied":
        covariances = np.broadcast_to(covariances, (found.n_components, *covariances.shape))
    elif covariance == "diag":
        covariances = np.stack([np.diag(one) for one in covariances])
    return found.weights_, found.means_, covariances


def _factor(covariance: np.ndarray) -> np.ndarray:
    """A square root, of semidefinite matrices as well."""
    values, vectors = np.linalg.eigh(covariance)
    return vectors * np.sqrt(np.maximum(values, 0.0))


def _covariances(law: Law) -> np.ndarray:
    """The covariances of the first class, shape (J, k, k)."""
    factors = law.factors[0].astype(np.float64)
    return factors @ factors.transpose(0, 2, 1)


def _note(name: str, clause: str) -> str:
    """A sentence about a class, or about the whole set where there are no classes."""
    return f"In the class {name!r} {clause}." if name else f"{clause[0].upper()}{clause[1:]}."
