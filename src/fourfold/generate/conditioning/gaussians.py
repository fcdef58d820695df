"""Vectors as a Gaussian over all images and one within each class: what is drawn from where patients may not be."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import torch
from torch import Tensor

from fourfold.generate.conditioning.aggregates import FEWEST_PATIENTS

__all__ = ["ClassGaussians"]

_LITTLE = 1e-9
"""Variance that keeps a column which is always the same from breaking the factorisation; columns have scales near 1."""


class ClassGaussians:
    """Means and covariances; a class whose patients are too few borrows those of all.

    A mean rests on at least `FEWEST_PATIENTS` patients, a covariance of d columns on d times as many: with fewer, it
    would span little more than the patients themselves.

    Parameters
    ----------
    names : sequence of str
        K classes.
    means : array, shape (1 + K, d)
        Over all first.
    covariances : array, shape (1 + K, d, d)
    """

    def __init__(self, names: Sequence[str], means: np.ndarray, covariances: np.ndarray) -> None:
        self.names = tuple(names)
        self.means = np.asarray(means, dtype=np.float64)
        self.covariances = np.asarray(covariances, dtype=np.float64)

    @classmethod
    def fit(cls, values: np.ndarray, patients: np.ndarray, classes: np.ndarray | None = None) -> ClassGaussians:
        """Those of the vectors of a training set.

        Parameters
        ----------
        values : array, shape (N, d)
            NaN is unknown; every column is known for at least `FEWEST_PATIENTS` patients.
        patients : array of int, shape (N,)
        classes : array of str, shape (N,), or None
        """
        apart = np.diag(np.nanvar(values, axis=0))
        mean, covariance = _moments(values, patients, np.nanmean(values, axis=0), apart)
        names: list[str] = []
        means, covariances = [mean], [covariance]
        for name in () if classes is None else np.unique(classes):
            rows = classes == name
            if len(np.unique(patients[rows])) >= FEWEST_PATIENTS:
                own_mean, own_covariance = _moments(values[rows], patients[rows], mean, covariance)
                names.append(str(name))
                means.append(own_mean)
                covariances.append(own_covariance)
        return cls(names, np.stack(means), np.stack(covariances))

    def draw(self, rng: np.random.Generator, name: str | None = None, known: np.ndarray | None = None) -> np.ndarray:
        """One vector of a class, or of all where there is no such class.

        Parameters
        ----------
        rng : Generator
        name : str or None
        known : array, shape (d,), or None
            What is given, NaN where it is to be drawn: the rest follows the Gaussian under that condition.

        Returns
        -------
        array, shape (d,)
        """
        place = 1 + self.names.index(name) if name in self.names else 0
        mean, covariance = self.means[place], self.covariances[place]
        vector = np.full(len(mean), np.nan) if known is None else np.array(known, dtype=np.float64)
        missing, given = np.isnan(vector), ~np.isnan(vector)
        weights = covariance[np.ix_(missing, given)] @ np.linalg.pinv(covariance[np.ix_(given, given)])
        centre = mean[missing] + weights @ (vector[given] - mean[given])
        rest = covariance[np.ix_(missing, missing)] - weights @ covariance[np.ix_(given, missing)]
        vector[missing] = centre + _root(rest) @ rng.standard_normal(int(missing.sum()))
        return vector

    def arrays(self) -> dict[str, Tensor]:
        """Means and covariances, for the model file."""
        return {"means": torch.from_numpy(self.means), "covariances": torch.from_numpy(self.covariances)}

    @classmethod
    def restore(cls, names: Sequence[str], arrays: Mapping[str, Tensor]) -> ClassGaussians:
        """Those whose `names` and `arrays` these are."""
        return cls(names, arrays["means"].numpy(), arrays["covariances"].numpy())


def _moments(
    values: np.ndarray, patients: np.ndarray, mean: np.ndarray, covariance: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Mean and covariance of some rows; those that are given stand in where too few patients are known."""
    known = ~np.isnan(values)
    mean = mean.copy()
    enough = np.array([len(np.unique(patients[column])) >= FEWEST_PATIENTS for column in known.T], dtype=bool)
    mean[enough] = np.nanmean(values[:, enough], axis=0)
    complete = known.all(axis=1)
    if len(np.unique(patients[complete])) >= FEWEST_PATIENTS * values.shape[1]:
        centred = values[complete] - values[complete].mean(axis=0)
        covariance = centred.T @ centred / len(centred)
    return mean, covariance


def _root(covariance: np.ndarray) -> np.ndarray:
    """A lower triangle L with L L^T = covariance; Cholesky's, since its signs are the same on every machine."""
    return np.linalg.cholesky((covariance + covariance.T) / 2 + _LITTLE * np.eye(len(covariance)))
