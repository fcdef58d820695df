"""Findings: several names an image, each there, not there, or unknown (``label:NAME`` columns)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

import numpy as np
import torch
from torch import Tensor

from fourfold.errors import InputError
from fourfold.generate.condition import Condition
from fourfold.generate.conditioning.aggregates import FEWEST_PATIENTS, SharedValues, holders
from fourfold.generate.conditioning.part import Part, Request
from fourfold.images import Entry, ImageSet

__all__ = ["LabelsPart"]

NOTHING = "none"
"""What is typed for an image without any of the findings."""

_SIGNS = {0.0: "0", 1.0: "1"}
_UNKNOWN = "?"


class LabelsPart(Part):
    """Findings and the combinations in which patients have them.

    A combination that fewer than `FEWEST_PATIENTS` patients have is not kept; where all of them are so rare, findings
    are drawn apart from each other by their own frequencies, without those that so few patients have.

    Parameters
    ----------
    names : tuple of str
    combinations : SharedValues
        A word of ``0``, ``1`` and ``?`` (unknown) each, a sign a name.
    frequencies : array, shape (K,)
        Share of each finding among the images for which it is known.
    """

    kind: ClassVar[str] = "labels"

    def __init__(self, names: tuple[str, ...], combinations: SharedValues, frequencies: np.ndarray) -> None:
        self.names = tuple(names)
        self.combinations = combinations
        self.frequencies = np.asarray(frequencies, dtype=np.float64)

    @classmethod
    def fit(
        cls, images: ImageSet, patients: np.ndarray, request: Request, others: Mapping[str, np.ndarray]
    ) -> LabelsPart:
        """As `Part.fit`."""
        names = tuple(sorted({name for entry in images.entries for name in entry.labels}))
        if not names:
            raise InputError(
                f"the {images.name} set has no findings; add columns such as label:effusion that hold 0, 1 or nan "
                "(unknown), or train without --condition labels"
            )
        column = np.stack([_row(entry, names) for entry in images.entries])
        if request.private:
            single = ["".join("1" if place == one else "0" for place in range(len(names))) for one in range(len(names))]
            return cls(names, SharedValues.even(["0" * len(names), *single]), np.full(len(names), 1 / len(names)))
        return cls(
            names,
            SharedValues.count(_words(column), patients, others.get("class")),
            np.array([_frequency(one, patients) for one in column.T]),
        )

    def read(self, images: ImageSet) -> np.ndarray:
        """As `Part.read`: shape (n, K), a finding that the set has no column for is unknown."""
        for entry in images.entries:
            if not set(entry.labels) & set(self.names):
                columns = ", ".join(f"label:{name}" for name in self.names)
                raise InputError(f"{entry.path}: has none of the columns {columns}; add those that are known")
        return np.stack([_row(entry, self.names) for entry in images.entries])

    def encode(self, column: np.ndarray) -> Condition:
        """As `Part.encode`: the findings, 0 where unknown, and beside them whether each is known."""
        values = torch.as_tensor(np.asarray(column, dtype=np.float32))
        return Condition(vector=torch.cat([values.nan_to_num(0.0), (~values.isnan()).float()], dim=1))

    def draw(self, rng: np.random.Generator, others: Mapping[str, Any]) -> np.ndarray:
        """As `Part.draw`: a combination by its frequency, within the class where there is one."""
        word = self.combinations.draw(rng, others.get("class"))
        if word is None:
            return (rng.random(len(self.names)) < self.frequencies).astype(np.float64)
        return np.array([np.nan if sign == _UNKNOWN else float(sign) for sign in word])

    def parse(self, text: str) -> np.ndarray:
        """As `Part.parse`: the names of those that are there, ``effusion+edema``, or ``none``."""
        found = np.zeros(len(self.names))
        if text.strip() == NOTHING and NOTHING not in self.names:
            return found
        # A name may hold the sign itself ("HER2+"), so the longest run of pieces that is a name is taken.
        pieces = text.split("+")
        while pieces:
            ends = [end for end in range(len(pieces), 0, -1) if "+".join(pieces[:end]).strip() in self.names]
            if not ends:
                raise InputError(
                    f"the model knows no finding {pieces[0]!r}; write names with + between them, or {NOTHING}; "
                    f"it knows: {', '.join(self.names)}"
                )
            found[self.names.index("+".join(pieces[: ends[0]]).strip())] = 1.0
            pieces = pieces[ends[0] :]
        return found

    def record(self) -> dict[str, Any]:
        """As `Part.record`."""
        return {
            "names": list(self.names),
            "combinations": self.combinations.record(),
            "frequencies": self.frequencies.tolist(),
        }

    @classmethod
    def restore(cls, record: Mapping[str, Any], arrays: Mapping[str, Tensor]) -> LabelsPart:
        """As `Part.restore`."""
        combinations = SharedValues.restore(record["combinations"])
        return cls(tuple(record["names"]), combinations, np.array(record["frequencies"]))

    def table(self, column: np.ndarray) -> dict[str, list[str]]:
        """As `Part.table`: ``label:NAME`` columns of 0, 1 and nan."""
        return {f"label:{name}": [f"{value:g}" for value in column[:, place]] for place, name in enumerate(self.names)}

    def keys(self, column: np.ndarray) -> list[str]:
        """As `Part.keys`: the combination."""
        return _words(column)

    @property
    def width(self) -> int:
        """As `Part.width`: two a finding."""
        return 2 * len(self.names)


def _row(entry: Entry, names: tuple[str, ...]) -> np.ndarray:
    row = np.array([entry.labels.get(name, np.nan) for name in names], dtype=np.float64)
    strange = np.flatnonzero(~np.isnan(row) & ~np.isin(row, list(_SIGNS)))
    if len(strange):
        place = int(strange[0])
        raise InputError(
            f"{entry.path}: the column 'label:{names[place]}' holds {row[place]:g}; "
            "write 1 for a finding, 0 for none and nan where it is unknown or uncertain"
        )
    return row


def _words(column: np.ndarray) -> list[str]:
    return ["".join(_SIGNS.get(float(value), _UNKNOWN) for value in row) for row in column]


def _frequency(values: np.ndarray, patients: np.ndarray) -> float:
    """Share of a finding where it is known; 0 where so few patients have it that drawing it would point at them."""
    there = holders([_SIGNS.get(float(value)) for value in values], patients)["1"]
    return float(np.nanmean(values)) if there >= FEWEST_PATIENTS else 0.0
