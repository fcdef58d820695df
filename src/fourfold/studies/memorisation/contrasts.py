"""Weighted sums of cells within a seed: differences of recipes, averages over sizes, slopes over doublings of the size.

Cells of a seed share their patients, so whatever is compared is compared within the seed.
"""

from __future__ import annotations

import math
from collections.abc import Mapping

import numpy as np

from fourfold.studies.memorisation.models import DIFFUSION, GAN
from fourfold.studies.study import Table

__all__ = [
    "Weights",
    "averaged",
    "by_seed",
    "chance_of_shares",
    "difference",
    "one",
    "per_doubling",
    "sizes_of",
    "sum_of",
    "watched_sizes",
]

Weights = Mapping[tuple[str, int], float]
"""Of each cell, named by recipe and size."""

_REACH = 1.959963984540054


def sizes_of(table: Table) -> list[int]:
    """The sizes of training sets, ascending."""
    return sorted(int(size) for size in table.values("size"))


def watched_sizes(table: Table) -> list[int]:
    """The sizes at which every training was watched: a handful of patients cannot be told from as many others."""
    return [size for size in sizes_of(table) if (table.where(size=size).column("snapshots") > 0).all()]


def one(recipe: str, size: int) -> Weights:
    """A single cell."""
    return {(recipe, size): 1.0}


def difference(size: int) -> Weights:
    """The diffusion model less the GAN."""
    return {(DIFFUSION, size): 1.0, (GAN, size): -1.0}


def averaged(recipe: str, sizes: list[int]) -> Weights:
    """The mean over sizes."""
    return {(recipe, size): 1 / len(sizes) for size in sizes}


def per_doubling(recipe: str, sizes: list[int]) -> Weights:
    """The slope of least squares over the logarithm of the size to base 2.

    Examples
    --------
    >>> per_doubling("gan", [50, 200])
    {('gan', 50): -0.5, ('gan', 200): 0.5}
    """
    places = np.log2(np.asarray(sizes, dtype=np.float64))
    places -= places.mean()
    scale = float(np.sum(places**2))
    return {(recipe, size): float(place / scale) for size, place in zip(sizes, places, strict=True)}


def sum_of(left: Weights, right: Weights, factor: float = 1.0) -> Weights:
    """Left plus `factor` times right."""
    cells = dict.fromkeys([*left, *right])
    return {cell: left.get(cell, 0.0) + factor * right.get(cell, 0.0) for cell in cells}


def by_seed(table: Table, figure: str, weights: Weights) -> np.ndarray:
    """The weighted sum in each seed that has every cell, shape (seeds,)."""
    found = []
    for seed in table.values("seed"):
        values = [table.where(seed=seed, recipe=recipe, size=size).column(figure) for recipe, size in weights]
        if all(len(value) == 1 and np.isfinite(value[0]) for value in values):
            found.append(float(np.dot([value[0] for value in values], list(weights.values()))))
    return np.array(found, dtype=np.float64)


def chance_of_shares(table: Table, figure: str, weights: Weights, count: str) -> float:
    """Half-width of a 95 % interval of the mean over seeds from the drawing of images alone.

    Shares that are 0 in every seed have no spread between seeds, yet are not known to be 0. One success and one
    failure are added to each share, as Agresti and Coull do with two of each.

    Parameters
    ----------
    table : Table
    figure : str
        A share of images.
    weights : mapping
    count : str
        The column with the number of images.
    """
    total, seeds = 0.0, 0
    for seed in table.values("seed"):
        cells = [table.where(seed=seed, recipe=recipe, size=size) for recipe, size in weights]
        if not all(len(cell) == 1 and np.isfinite(cell.column(figure)[0]) for cell in cells):
            continue
        seeds += 1
        for cell, weight in zip(cells, weights.values(), strict=True):
            images = cell.column(count)[0]
            share = (np.clip(cell.column(figure)[0], 0.0, 1.0) * images + 1) / (images + 2)
            total += weight**2 * share * (1 - share) / (images + 2)
    return _REACH * math.sqrt(total) / seeds if seeds else 0.0
