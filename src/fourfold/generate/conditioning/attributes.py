"""Attributes: columns of numbers (age, weight) and of a few words (sex, scanner)."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, ClassVar

import numpy as np
import torch
from torch import Tensor

from fourfold.errors import InputError
from fourfold.generate.condition import Condition
from fourfold.generate.conditioning.attribute import Attribute, Category, Number
from fourfold.generate.conditioning.attribute_fitting import fit_attribute
from fourfold.generate.conditioning.gaussians import ClassGaussians
from fourfold.generate.conditioning.part import Part, Request
from fourfold.images import ImageSet

__all__ = ["AttributesPart"]


class AttributesPart(Part):
    """Attributes, and how new ones are drawn.

    Numbers follow one Gaussian together, a class its own where it has patients enough, clipped to the range in which
    98 % of the patients lie; words are drawn by their shares, apart from the numbers and from each other. In a private
    model numbers are drawn evenly from the declared range.

    Parameters
    ----------
    attributes : tuple of Attribute
    gaussians : ClassGaussians or None
        Of the standardised numbers; None where nothing was measured, or there are none.
    """

    kind: ClassVar[str] = "attributes"

    def __init__(self, attributes: tuple[Attribute, ...], gaussians: ClassGaussians | None) -> None:
        self.attributes = tuple(attributes)
        self.gaussians = gaussians

    @classmethod
    def fit(
        cls, images: ImageSet, patients: np.ndarray, request: Request, others: Mapping[str, np.ndarray]
    ) -> AttributesPart:
        """As `Part.fit`."""
        if not request.attributes:
            there = sorted({name for entry in images.entries for name in entry.columns})
            said = f"; there are: {', '.join(there)}" if there else ""
            raise InputError(f"say which columns of the {images.name} set are attributes, such as age,sex{said}")
        classes = others.get("class")
        attributes = tuple(
            fit_attribute(asked, images, patients, classes, request.private) for asked in request.attributes
        )
        names = [attribute.name for attribute in attributes]
        repeated = [name for name in names if names.count(name) > 1]
        if repeated:
            raise InputError(f"the attribute {repeated[0]!r} is asked for twice; name it once")
        part = cls(attributes, None)
        if part._numbers and not request.private:
            part.gaussians = ClassGaussians.fit(part._standard(part.read(images)), patients, classes)
        return part

    def read(self, images: ImageSet) -> np.ndarray:
        """As `Part.read`: shape (n, K), a word as its place among the words; what is empty is unknown."""
        rows = []
        for entry in images.entries:
            missing = [one.name for one in self.attributes if one.name not in entry.columns]
            if missing:
                raise InputError(f"{entry.path}: has no column {missing[0]!r}, which the model is conditioned on")
            rows.append([one.read(entry.columns[one.name].strip(), entry.path) for one in self.attributes])
        return np.array(rows, dtype=np.float64)

    def encode(self, column: np.ndarray) -> Condition:
        """As `Part.encode`."""
        column = np.asarray(column, dtype=np.float64)
        parts = [one.encode(column[:, place]) for place, one in enumerate(self.attributes)]
        return Condition(vector=torch.from_numpy(np.concatenate(parts, axis=1).astype(np.float32)))

    def draw(self, rng: np.random.Generator, others: Mapping[str, Any]) -> np.ndarray:
        """As `Part.draw`: given the class, where there is one."""
        return self.complete(np.full(len(self.attributes), np.nan), rng, others)

    def complete(self, value: np.ndarray, rng: np.random.Generator, others: Mapping[str, Any]) -> np.ndarray:
        """As `Part.complete`: the attributes that were not typed, given those that were."""
        row = np.array(value, dtype=np.float64)
        name = others.get("class")
        numbers = self._numbers
        if numbers:
            known = self._standard(row[None])[0]
            if self.gaussians is not None:
                drawn = self.gaussians.draw(rng, name, known)
            else:
                drawn = np.sqrt(3) * rng.uniform(-1, 1, len(numbers))
            for (place, one), standard in zip(numbers, drawn, strict=True):
                row[place] = one.tidy(standard) if np.isnan(row[place]) else row[place]
        for place, one in enumerate(self.attributes):
            if isinstance(one, Category):
                drawn_word = one.draw(rng, name)
                row[place] = drawn_word if np.isnan(row[place]) else row[place]
        return row

    def parse(self, text: str) -> np.ndarray:
        """As `Part.parse`: ``age=60+sex=F``; NaN for what is not typed."""
        row = np.full(len(self.attributes), np.nan)
        names = [one.name for one in self.attributes]
        # Words may hold the sign themselves, so pieces end only where another name begins.
        for piece in re.split(rf"\+(?=(?:{'|'.join(map(re.escape, names))})=)", text):
            name, equals, value = piece.partition("=")
            if not equals or name.strip() not in names:
                raise InputError(
                    f"the attributes {text!r} are not understood; write NAME=VALUE with + between them, "
                    f"with names from: {', '.join(names)}"
                )
            place = names.index(name.strip())
            row[place] = self.attributes[place].parse(value.strip())
        return row

    def record(self) -> dict[str, Any]:
        """As `Part.record`."""
        classes = None if self.gaussians is None else list(self.gaussians.names)
        return {"attributes": [one.record() for one in self.attributes], "classes": classes}

    def arrays(self) -> dict[str, Tensor]:
        """As `Part.arrays`."""
        return {} if self.gaussians is None else self.gaussians.arrays()

    @classmethod
    def restore(cls, record: Mapping[str, Any], arrays: Mapping[str, Tensor]) -> AttributesPart:
        """As `Part.restore`."""
        classes = record["classes"]
        gaussians = None if classes is None else ClassGaussians.restore(classes, arrays)
        return cls(tuple(Attribute.restore(one) for one in record["attributes"]), gaussians)

    def table(self, column: np.ndarray) -> dict[str, list[str]]:
        """As `Part.table`: the columns by their own names."""
        return {one.name: [one.cell(value) for value in column[:, place]] for place, one in enumerate(self.attributes)}

    def keys(self, column: np.ndarray) -> list[str]:
        """As `Part.keys`: numbers are alike within half a standard deviation."""
        return [" ".join(one.key(value) for one, value in zip(self.attributes, row, strict=True)) for row in column]

    @property
    def width(self) -> int:
        """As `Part.width`."""
        return sum(one.width for one in self.attributes)

    @property
    def _numbers(self) -> list[tuple[int, Number]]:
        return [(place, one) for place, one in enumerate(self.attributes) if isinstance(one, Number)]

    def _standard(self, column: np.ndarray) -> np.ndarray:
        """The numbers alone, standardised, shape (n, numbers)."""
        return np.stack([one.standard(column[:, place]) for place, one in self._numbers], axis=1)
