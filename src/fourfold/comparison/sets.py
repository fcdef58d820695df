"""A set in one feature space, and the three sets as images and in all their spaces."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Literal

import numpy as np

from fourfold.images.sets import ImageSet

if TYPE_CHECKING:
    from fourfold.comparison.space import Comparison

__all__ = ["Features", "Progress", "Role", "Sets", "Spaces", "no_progress"]

Role = Literal["training", "holdout", "synthetic", "reference"]
Progress = Callable[[str, int, int], None]


def no_progress(task: str, done: int, total: int) -> None:
    """A progress callback that shows nothing."""


@dataclass(frozen=True)
class Features:
    """One set in one feature space.

    Parameters
    ----------
    values : array, shape (N, d)
        float32, finite.
    patients : array of int, shape (N,), or None
        Equal numbers mean the same patient (or the same near-duplicate group); numbering is shared between
        the training and the holdout set.
    labels : array of str, shape (N,), or None
        Classes, where each image has exactly one.
    findings : mapping of str to array, shape (N,), or None
        Named targets (`Entry.labels`), 1 present, 0 absent, NaN unknown; where images may have several.
    """

    values: np.ndarray
    patients: np.ndarray | None = None
    labels: np.ndarray | None = None
    findings: Mapping[str, np.ndarray] | None = None

    def __len__(self) -> int:
        return len(self.values)

    def take(self, rows: np.ndarray) -> Features:
        """The chosen rows."""
        return Features(
            self.values[rows],
            None if self.patients is None else self.patients[rows],
            None if self.labels is None else self.labels[rows],
            None if self.findings is None else {name: column[rows] for name, column in self.findings.items()},
        )


@dataclass(frozen=True)
class Sets:
    """The prepared images of the three sets, and how to work on them.

    `reference` is a third real set, where one was given; `thorough` asks for a full audit rather than a quick one.
    """

    training: ImageSet
    synthetic: ImageSet
    holdout: ImageSet | None = None
    seed: int = 0
    memory: int = 1 << 30
    progress: Progress = no_progress
    reference: ImageSet | None = None
    thorough: bool = False

    def take(self, rows: Mapping[Role, np.ndarray]) -> Sets:
        """The chosen rows of the sets that are named, the other sets whole."""
        return replace(self, **{role: getattr(self, role).take(own) for role, own in rows.items()})


@dataclass(frozen=True)
class Spaces:
    """The sets as images and in every feature space, for questions that choose among spaces.

    Parameters
    ----------
    sets : Sets
    comparisons : mapping of str to Comparison
        By name of the feature space, the leading one first; rows are those of `sets`.
    """

    sets: Sets
    comparisons: Mapping[str, Comparison]
