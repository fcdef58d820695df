"""One attribute: a column of numbers, or of a few words, as a network takes it."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from fourfold.errors import InputError
from fourfold.generate.conditioning.aggregates import CELL, SharedValues

__all__ = ["Attribute", "Category", "Number", "is_unknown", "number_of"]

_UNKNOWN = ("", "nan", "na", "n/a", "none", "null", "unknown")


class Attribute(ABC):
    """A column of one number a row, NaN where it is unknown."""

    name: str
    width: int

    @abstractmethod
    def read(self, cell: str, path: str) -> float:
        """The number of a cell; raises InputError naming the image."""

    @abstractmethod
    def encode(self, values: np.ndarray) -> np.ndarray:
        """Columns for a network, shape (n, `width`), the last of them 1 where the value is known."""

    @abstractmethod
    def parse(self, text: str) -> float:
        """The number of what was typed; raises InputError."""

    @abstractmethod
    def cell(self, value: float) -> str:
        """The number as a table holds it."""

    @abstractmethod
    def key(self, value: float) -> str:
        """Equal for values that are alike; for surprisal."""

    @abstractmethod
    def record(self) -> dict[str, Any]:
        """Aggregates as JSON can hold them."""

    @staticmethod
    def restore(record: Mapping[str, Any]) -> Attribute:
        """The attribute whose `record` this is."""
        if "values" in record:
            shared = SharedValues.restore(record["shared"])
            return Category(record["name"], tuple(record["values"]), shared)
        return Number(**record)


@dataclass(frozen=True)
class Number(Attribute):
    """Numbers, standardised.

    Parameters
    ----------
    name : str
    mean, deviation : float
        What is subtracted, and what is divided by.
    low, high : float
        New values stay within.
    whole : bool
        Whether values are whole numbers.
    declared : bool
        Whether the user said what the range is; values beyond it then count as its ends.
    """

    name: str
    mean: float
    deviation: float
    low: float
    high: float
    whole: bool
    declared: bool

    width = 2

    def read(self, cell: str, path: str) -> float:
        """As `Attribute.read`."""
        value = number_of(cell)
        if value is None:
            raise InputError(f"{path}: the column {self.name!r} holds no number; correct it, or leave it empty")
        return float(np.clip(value, self.low, self.high)) if self.declared else value

    def standard(self, values: np.ndarray) -> np.ndarray:
        """Values with mean 0 and standard deviation 1."""
        return (values - self.mean) / self.deviation

    def tidy(self, standard: float) -> float:
        """The value of a drawn standardised one: within the range, whole where all are, of six digits otherwise."""
        value = float(np.clip(self.mean + self.deviation * standard, self.low, self.high))
        return float(round(value)) if self.whole else float(f"{value:.6g}")

    def encode(self, values: np.ndarray) -> np.ndarray:
        """As `Attribute.encode`."""
        return np.stack([np.nan_to_num(self.standard(values)), ~np.isnan(values)], axis=1)

    def parse(self, text: str) -> float:
        """As `Attribute.parse`."""
        value = number_of(text)
        if value is None or np.isnan(value):
            raise InputError(f"the attribute {self.name!r} is a number, got {text!r}; write {self.name}=NUMBER")
        if self.declared and not self.low <= value <= self.high:
            raise InputError(
                f"the attribute {self.name!r} of this model lies between {self.low:g} and {self.high:g}, got {value:g}"
            )
        return value

    def cell(self, value: float) -> str:
        """As `Attribute.cell`."""
        return "" if np.isnan(value) else f"{value:.9g}"

    def key(self, value: float) -> str:
        """As `Attribute.key`: cells of half a standard deviation."""
        return "?" if np.isnan(value) else str(int(np.rint(self.standard(value) / CELL)))

    def record(self) -> dict[str, Any]:
        """As `Attribute.record`."""
        return dict(vars(self))


@dataclass(frozen=True)
class Category(Attribute):
    """A few words, one-hot; a number is the place of a word, NaN for a word that is not among them.

    Parameters
    ----------
    name : str
    values : tuple of str
        Declared, or each held by enough patients (`FEWEST_PATIENTS`).
    shared : SharedValues
    """

    name: str
    values: tuple[str, ...]
    shared: SharedValues

    @property
    def width(self) -> int:
        """A column a word, and one that says whether it is known."""
        return len(self.values) + 1

    def read(self, cell: str, path: str) -> float:
        """As `Attribute.read`: a word that few patients have is unknown."""
        return float(self.values.index(cell)) if cell in self.values else np.nan

    def encode(self, values: np.ndarray) -> np.ndarray:
        """As `Attribute.encode`."""
        words = values[:, None] == np.arange(len(self.values))
        return np.concatenate([words, words.any(axis=1, keepdims=True)], axis=1)

    def draw(self, rng: np.random.Generator, name: str | None) -> float:
        """A word by its share, within the class where there is one."""
        return float(self.values.index(self.shared.draw(rng, name)))

    def parse(self, text: str) -> float:
        """As `Attribute.parse`."""
        if text not in self.values:
            raise InputError(f"the attribute {self.name!r} has no value {text!r}; it has: {', '.join(self.values)}")
        return float(self.values.index(text))

    def cell(self, value: float) -> str:
        """As `Attribute.cell`."""
        return "" if np.isnan(value) else self.values[int(value)]

    def key(self, value: float) -> str:
        """As `Attribute.key`: the word."""
        return self.cell(value)

    def record(self) -> dict[str, Any]:
        """As `Attribute.record`."""
        return {"name": self.name, "values": list(self.values), "shared": self.shared.record()}


def is_unknown(cell: str) -> bool:
    """Whether a cell says that nothing is known."""
    return cell.strip().lower() in _UNKNOWN


def number_of(cell: str) -> float | None:
    """The number of a cell, NaN for an unknown one, None for what is neither."""
    if is_unknown(cell):
        return float("nan")
    try:
        value = float(cell)
    except ValueError:
        return None
    return value if np.isfinite(value) else None
