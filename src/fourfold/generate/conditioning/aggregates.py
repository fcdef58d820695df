"""What a model file may keep of conditions: values that several patients share, and how often they occur.

A value that belongs to one patient points at that patient, so nothing is kept that fewer than `FEWEST_PATIENTS` of them
have in common. This bounds what is written down, and proves nothing about what a network learns: only differentially
private training does.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

__all__ = ["CELL", "FEWEST_PATIENTS", "SharedValues", "holders"]

FEWEST_PATIENTS = 5
"""Patients that must share a value before a model file may hold it: the smallest cell that disclosure control
usually lets through."""

CELL = 0.5
"""Standard deviations within which two numbers count as the same condition; for surprisal."""


def holders(values: Sequence[str | None], patients: np.ndarray) -> Counter[str]:
    """Number of patients with at least one image of each value; None counts for nothing."""
    pairs = {(value, patient) for value, patient in zip(values, patients.tolist(), strict=True) if value is not None}
    return Counter(value for value, _ in pairs)


@dataclass(frozen=True)
class SharedValues:
    """Values that enough patients share, and their shares of the images: over all, and within each class.

    Parameters
    ----------
    overall : mapping of str to float
        Shares that add up to 1; empty where no value is shared.
    classes : mapping of str to mapping
        The same for the images of a class, for the classes in which a value is shared by enough patients of the class.
    """

    overall: Mapping[str, float]
    classes: Mapping[str, Mapping[str, float]] = field(default_factory=dict)

    @classmethod
    def count(
        cls, values: Sequence[str | None], patients: np.ndarray, classes: np.ndarray | None = None
    ) -> SharedValues:
        """Those among the values of a training set.

        Parameters
        ----------
        values : sequence of str or None, length N
            None is unknown and counts for nothing.
        patients : array of int, shape (N,)
        classes : array of str, shape (N,), or None
        """
        within = {}
        for name in () if classes is None else np.unique(classes):
            rows = np.flatnonzero(classes == name)
            found = _shares([values[row] for row in rows], patients[rows])
            if found:
                within[str(name)] = found
        return cls(_shares(values, patients), within)

    @classmethod
    def even(cls, values: Sequence[str]) -> SharedValues:
        """Values that somebody declared, each as frequent as the others."""
        return cls({value: 1 / len(values) for value in values})

    def draw(self, rng: np.random.Generator, name: str | None = None) -> str | None:
        """One of the values by its share in the class, or over all where the class has none; None for no value."""
        shares = self.classes.get(name, self.overall) if name is not None else self.overall
        if not shares:
            return None
        values = sorted(shares)
        return values[int(rng.choice(len(values), p=[shares[value] for value in values]))]

    def record(self) -> dict[str, Any]:
        """As JSON can hold it."""
        return {"overall": dict(self.overall), "classes": {name: dict(found) for name, found in self.classes.items()}}

    @classmethod
    def restore(cls, record: Mapping[str, Any]) -> SharedValues:
        """Those whose `record` this is."""
        return cls(dict(record["overall"]), {name: dict(found) for name, found in record["classes"].items()})


def _shares(values: Sequence[str | None], patients: np.ndarray) -> dict[str, float]:
    held = holders(values, patients)
    counts = Counter(value for value in values if value is not None and held[value] >= FEWEST_PATIENTS)
    return {value: counts[value] / counts.total() for value in sorted(counts)}
