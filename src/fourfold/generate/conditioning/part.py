"""One kind of condition: how it is read from a set, encoded for a network, drawn anew and written down.

A part keeps aggregates of the training set only (class frequencies, means, a vocabulary): it becomes part of the model
file, which must not hold a row of any patient.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import torch
from torch import Tensor

from fourfold.errors import InputError
from fourfold.generate.condition import Condition
from fourfold.images import ImageSet

__all__ = ["KINDS", "Conditions", "Part", "Request"]

KINDS = ("class", "labels", "attributes", "text", "mask", "features")
"""Every kind of condition, in the order in which parts are drawn."""


@dataclass(frozen=True)
class Conditions:
    """Conditions of n images as a user would write them, a column a kind.

    Parameters
    ----------
    count : int
    columns : mapping of str to array, n rows
        ``"class"``: str; ``"labels"`` and ``"attributes"``: float (n, k), NaN unknown; ``"text"``: object, str;
        ``"mask"``: uint8 region numbers (n, *spatial); ``"features"``: float32 (n, d).
    """

    count: int
    columns: Mapping[str, np.ndarray] = field(default_factory=dict)

    def __len__(self) -> int:
        return self.count

    def take(self, rows: Sequence[int] | np.ndarray) -> Conditions:
        """The chosen rows."""
        chosen = np.asarray(rows, dtype=np.intp)
        return Conditions(len(chosen), {kind: column[chosen] for kind, column in self.columns.items()})


@dataclass(frozen=True)
class Request:
    """What a user asked for beyond the kinds themselves.

    Parameters
    ----------
    text : str or None
        Column of prompts or reports; None for the recognised names.
    attributes : tuple of str
        Columns of numbers or of a few words: ``NAME``, or declared as ``NAME:LOW:HIGH`` or ``NAME:WORD/WORD``, which
        a private model needs.
    features : str
        Specification of the extractor, see `fourfold.features.get`.
    feature_size : int
        Principal components that are kept of the features, 0 for all of them; never more than a fifth of the patients.
    text_encoder : str or None
        Folder or name of a Hugging Face text encoder; None for the small one that is trained with the model.
    private : bool
        The model is to be differentially private: whatever cannot be learned privately is fixed, not measured.
    """

    text: str | None = None
    attributes: tuple[str, ...] = ()
    features: str = "pixels"
    feature_size: int = 4
    text_encoder: str | None = None
    private: bool = False


class Part(ABC):
    """One kind of condition of one model."""

    kind: ClassVar[str]

    @classmethod
    @abstractmethod
    def fit(cls, images: ImageSet, patients: np.ndarray, request: Request, others: Mapping[str, np.ndarray]) -> Part:
        """The part for a prepared training set.

        Parameters
        ----------
        images : ImageSet
        patients : array of int, shape (N,)
        request : Request
        others : mapping of str to array
            Columns of the parts before this one.

        Raises
        ------
        InputError
            Where the set does not have what is asked for.
        """

    @abstractmethod
    def read(self, images: ImageSet) -> np.ndarray:
        """The column of a prepared set, as `Conditions` holds it; raises InputError naming the image that lacks it."""

    @abstractmethod
    def encode(self, column: np.ndarray) -> Condition:
        """Rows for a network; a vector without the column for what is withheld, which `Conditioning` adds."""

    @abstractmethod
    def draw(self, rng: np.random.Generator, others: Mapping[str, Any]) -> Any:
        """One new row, given the values of the parts before this one; raises InputError where it must be given."""

    @abstractmethod
    def parse(self, text: str) -> Any:
        """One row from what was typed, ``NAME=VALUE`` without the name; raises InputError."""

    @abstractmethod
    def record(self) -> dict[str, Any]:
        """Settings as JSON can hold them: aggregates only."""

    def arrays(self) -> dict[str, Tensor]:
        """Arrays: aggregates only."""
        return {}

    @classmethod
    @abstractmethod
    def restore(cls, record: Mapping[str, Any], arrays: Mapping[str, Tensor]) -> Part:
        """The part whose `record` and `arrays` these are."""

    def table(self, column: np.ndarray) -> dict[str, list[str]]:
        """Columns of ``metadata.csv`` for n drawn rows, by their names."""
        return {}

    def complete(self, value: Any, rng: np.random.Generator, others: Mapping[str, Any]) -> Any:
        """A parsed row with what was left open drawn anew, given the values of the parts before this one."""
        return value

    def blank(self, count: int) -> Condition:
        """What `encode` gives for n withheld rows."""
        return Condition(vector=torch.zeros(count, self.width))

    def locate(self, source: str) -> None:
        """Say where the encoder or extractor lies that the model file only names; raises InputError."""
        raise InputError(f"the condition {self.kind!r} of this model needs no file of its own; leave it out")

    def write(self, value: Any, folder: Path, name: str) -> dict[str, str]:
        """Files beside an image, for what does not fit into a table; cells of ``metadata.csv`` by their columns."""
        return {}

    def keys(self, column: np.ndarray) -> list[str]:
        """A row as a hashable word, equal for equal conditions; for surprisal."""
        return [str(value) for value in column]

    @property
    def width(self) -> int:
        """Columns of the encoded vector, 0 for none."""
        return 0

    @property
    def regions(self) -> int:
        """Regions of the encoded mask, 0 for none."""
        return 0
