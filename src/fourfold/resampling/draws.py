"""Random parts of a set, with the images of a patient kept together."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from fourfold.comparison import Features
from fourfold.statistics.parts import chunked, dealt, group_numbers

__all__ = ["FEWEST", "bootstrap_means", "chunk_rows", "deal", "leave_out", "subsample", "too_few", "two_parts"]

# Patients (or images, where they are unknown) in a set, below which no spread is told from it.
FEWEST = 10


def subsample(features: Features, share: float, rng: np.random.Generator) -> Features:
    """A random `share` of the patients of a set (of its images where patients are unknown), at least one."""
    return features.take(deal(features, (share,), rng)[0])


def two_parts(features: Features, share: float, rng: np.random.Generator) -> list[Features]:
    """Two disjoint random parts of a set."""
    return [features.take(rows) for rows in deal(features, (share, share), rng)]


def deal(features: Features, shares: tuple[float, ...], rng: np.random.Generator) -> list[np.ndarray]:
    """Row numbers of disjoint random parts of a set, patients kept together.

    Parameters
    ----------
    features : Features
    shares : tuple of float
        Share of the patients (or images) in each part; they sum to at most 1. A part has at least one.
    rng : Generator

    Returns
    -------
    list of arrays
        Sorted row numbers.
    """
    return dealt(_groups(features), shares, rng)


def leave_out(features: Features, parts: int, rng: np.random.Generator) -> Iterator[np.ndarray]:
    """Row numbers without one of `parts` random equal parts of the patients, one part after the other."""
    groups = _groups(features)
    count = groups.max(initial=-1) + 1
    parts = min(parts, count)
    part_of_group = rng.permutation(count) % parts
    for part in range(parts):
        yield np.flatnonzero(part_of_group[groups] != part)


def chunk_rows(features: Features, size: int, rng: np.random.Generator) -> list[np.ndarray]:
    """Row numbers of disjoint random chunks of about `size` images, patients kept together; all rows where one fits."""
    return chunked(_groups(features), size, rng)


def too_few(*sets: Features) -> str | None:
    """Why there is no interval, where a set has too few patients (or images) to tell a spread from."""
    counts = [_groups(one).max(initial=-1) + 1 for one in sets]
    if min(counts) >= FEWEST:
        return None
    return (
        f"no interval: each set needs at least {FEWEST} patients, or images where they are unknown, got {min(counts)}"
    )


def bootstrap_means(
    values: np.ndarray, groups: np.ndarray | None = None, *, draws: int = 1000, seed: int = 0
) -> np.ndarray:
    """Means of per-image values over bootstrap samples of groups.

    Parameters
    ----------
    values : array, shape (n,)
    groups : array, shape (n,), or None
        Images of one group (patient) are drawn together; None for independent images.
    draws, seed : int

    Returns
    -------
    array, shape (draws,)

    Examples
    --------
    >>> import numpy as np
    >>> means = bootstrap_means(np.array([0.0, 1.0] * 50))
    >>> bool(0.04 < means.std() < 0.06)
    True
    """
    values = np.asarray(values, dtype=np.float64)
    codes = np.arange(len(values)) if groups is None else np.unique(groups, return_inverse=True)[1]
    sums, sizes = np.bincount(codes, values), np.bincount(codes)
    rng = np.random.default_rng([seed, len(values)])
    means = np.empty(draws)
    for draw in range(draws):
        times = np.bincount(rng.integers(0, len(sums), len(sums)), minlength=len(sums))
        means[draw] = times @ sums / (times @ sizes)
    return means


def _groups(features: Features) -> np.ndarray:
    return group_numbers(features.patients, len(features))
