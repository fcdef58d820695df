"""All the parts of a model's condition together."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from fourfold.errors import InputError
from fourfold.generate.condition import Condition
from fourfold.generate.conditioning.part import KINDS, Conditions, Part, Request
from fourfold.images import ImageSet

__all__ = ["Conditioning"]

_HOMES = {
    "class": "classes:ClassPart",
    "labels": "labels:LabelsPart",
    "attributes": "attributes:AttributesPart",
    "text": "text:TextPart",
    "mask": "masks:MaskPart",
    "features": "features:FeaturesPart",
}
_DRAWING_STREAM = 1


def _part(kind: str) -> type[Part]:
    module, _, name = _HOMES[kind].partition(":")
    return getattr(import_module(f"fourfold.generate.conditioning.{module}"), name)


class Conditioning:
    """The parts of a condition, none for an unconditional model.

    Parameters
    ----------
    parts : sequence of Part
        At most one a kind, in the order of `KINDS`.
    """

    def __init__(self, parts: Sequence[Part] = ()) -> None:
        self.parts = tuple(parts)

    @classmethod
    def fit(
        cls, kinds: Sequence[str], images: ImageSet, patients: np.ndarray, request: Request | None = None
    ) -> Conditioning:
        """The conditioning of a prepared training set.

        Raises
        ------
        InputError
            Where a kind is unknown, or the set does not have what it asks for.
        """
        unknown = [kind for kind in kinds if kind not in KINDS]
        if unknown:
            raise InputError(f"there is no condition {unknown[0]!r}; there are: none, {', '.join(KINDS)}")
        parts: list[Part] = []
        columns: dict[str, np.ndarray] = {}
        for kind in (kind for kind in KINDS if kind in kinds):
            part = _part(kind).fit(images, patients, request or Request(), columns)
            columns[kind] = part.read(images)
            parts.append(part)
        return cls(parts)

    @property
    def kinds(self) -> tuple[str, ...]:
        """The kinds of the parts."""
        return tuple(part.kind for part in self.parts)

    def part(self, kind: str) -> Part | None:
        """The part of that kind, None where there is none."""
        return next((part for part in self.parts if part.kind == kind), None)

    @property
    def width(self) -> int:
        """Columns of an encoded vector, with the one that says that it is withheld; 0 for none."""
        width = sum(part.width for part in self.parts)
        return width + 1 if width else 0

    @property
    def regions(self) -> int:
        """Regions of an encoded mask, 0 for none."""
        return sum(part.regions for part in self.parts)

    def read(self, images: ImageSet) -> Conditions:
        """The conditions of a prepared set."""
        return Conditions(len(images), {part.kind: part.read(images) for part in self.parts})

    def encode(self, conditions: Conditions) -> Condition | None:
        """For a network; None for an unconditional model.

        Raises
        ------
        InputError
            Where a column is missing.
        """
        if not self.parts:
            return None
        missing = [part.kind for part in self.parts if part.kind not in conditions.columns]
        if missing:
            raise InputError(f"the model needs the condition {missing[0]!r} for every image; give it")
        return _joined([part.encode(conditions.columns[part.kind]) for part in self.parts], len(conditions))

    def withheld(self, count: int) -> Condition | None:
        """What a network sees of n images whose conditions are withheld; None for an unconditional model."""
        return _joined([part.blank(count) for part in self.parts], count).withheld() if self.parts else None

    def draw(self, seeds: Sequence[int], fixed: Mapping[str, str] | None = None) -> Conditions:
        """New conditions, one row a seed.

        Parameters
        ----------
        seeds : sequence of int
            The condition of an image depends on its seed alone.
        fixed : mapping of str to str or None
            Kinds whose value was typed.

        Raises
        ------
        InputError
            Where a typed value does not fit, or a part cannot be drawn and must be given.
        """
        fixed = dict(fixed or {})
        strange = [kind for kind in fixed if kind not in self.kinds]
        if strange:
            has = f"it has: {', '.join(self.kinds)}" if self.parts else "it has none"
            raise InputError(f"the model has no condition {strange[0]!r}; {has}")
        typed = {part.kind: part.parse(fixed[part.kind]) for part in self.parts if part.kind in fixed}
        rows: list[dict[str, Any]] = []
        for seed in seeds:
            rng = np.random.default_rng([int(seed), _DRAWING_STREAM])
            row: dict[str, Any] = {}
            for part in self.parts:
                if part.kind in typed:
                    row[part.kind] = part.complete(typed[part.kind], rng, row)
                else:
                    row[part.kind] = part.draw(rng, row)
            rows.append(row)
        columns = {}
        for part in self.parts:
            values = [row[part.kind] for row in rows]
            columns[part.kind] = np.array(values, dtype=object) if part.kind == "text" else np.array(values)
        return Conditions(len(rows), columns)

    def table(self, conditions: Conditions) -> list[dict[str, str]]:
        """Cells of ``metadata.csv``, one mapping an image."""
        rows: list[dict[str, str]] = [{} for _ in range(len(conditions))]
        for part in self.parts:
            for name, cells in part.table(conditions.columns[part.kind]).items():
                for row, cell in zip(rows, cells, strict=True):
                    row[name] = cell
        return rows

    def write(self, conditions: Conditions, row: int, folder: Path, name: str) -> dict[str, str]:
        """Files beside image `row`, see `Part.write`."""
        cells: dict[str, str] = {}
        for part in self.parts:
            cells |= part.write(conditions.columns[part.kind][row], folder, name)
        return cells

    def record(self) -> list[dict[str, Any]]:
        """The parts as JSON can hold them."""
        return [{"kind": part.kind, **part.record()} for part in self.parts]

    def arrays(self) -> dict[str, Tensor]:
        """The arrays of the parts, by ``kind/name``."""
        return {f"{part.kind}/{name}": value for part in self.parts for name, value in part.arrays().items()}

    @classmethod
    def restore(cls, record: Sequence[Mapping[str, Any]], arrays: Mapping[str, Tensor]) -> Conditioning:
        """The conditioning whose `record` and `arrays` these are."""
        parts = []
        for one in record:
            kind = one["kind"]
            own = {
                name.removeprefix(f"{kind}/"): value for name, value in arrays.items() if name.startswith(f"{kind}/")
            }
            parts.append(_part(kind).restore(one, own))
        return cls(parts)


def _joined(encoded: Sequence[Condition], count: int) -> Condition:
    """The conditions of all parts as one, with the column that says that it is withheld."""
    vectors = [one.vector for one in encoded if one.vector is not None]
    return Condition(
        vector=torch.cat([*vectors, torch.zeros(count, 1)], dim=1) if vectors else None,
        tokens=next((one.tokens for one in encoded if one.tokens is not None), None),
        context=next((one.context for one in encoded if one.context is not None), None),
        mask=next((one.mask for one in encoded if one.mask is not None), None),
    )
