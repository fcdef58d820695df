"""Features in units of one set's own mean and standard deviation: once, wherever an extractor asks for it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TypeVar

import numpy as np

__all__ = ["standardised"]

_LEAST_SPREAD = 1e-6
"""Relative to the mean: features are float32, and what varies less than this varies by rounding."""

Name = TypeVar("Name")


def standardised(
    by: np.ndarray, sets: Mapping[Name, np.ndarray], names: tuple[str, ...] | None = None
) -> tuple[dict[Name, np.ndarray], tuple[str, ...] | None]:
    """Columns by the mean and standard deviation of one set; columns that do not vary over it are left out.

    Parameters
    ----------
    by : array, shape (N, d)
        The training set's features.
    sets : mapping to array, shape (n, d)
    names : tuple of str, length d, or None
        Of the columns.

    Returns
    -------
    sets : dict to array, shape (n, k)
        float32, under the same keys; a column varies where its standard deviation is above a millionth of its mean.
        Where none does, all are kept and only centred.
    names : tuple of str, length k, or None

    Examples
    --------
    >>> features = np.array([[0.0, 5.0], [2.0, 5.0]])
    >>> standardised(features, {"training": features}, ("size", "bias"))
    ({'training': array([[-1.],
           [ 1.]], dtype=float32)}, ('size',))
    """
    known = np.asarray(by, dtype=np.float64)
    mean, spread = known.mean(axis=0), known.std(axis=0)
    varies = spread > _LEAST_SPREAD * np.maximum(np.abs(mean), _LEAST_SPREAD)
    if not varies.any():
        varies, spread = np.ones_like(varies), np.ones_like(spread)
    scaled = {
        name: ((np.asarray(own, dtype=np.float64)[:, varies] - mean[varies]) / spread[varies]).astype(np.float32)
        for name, own in sets.items()
    }
    kept = None if names is None else tuple(name for name, keep in zip(names, varies, strict=True) if keep)
    return scaled, kept
