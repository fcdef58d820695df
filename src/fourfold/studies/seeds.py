"""What cells of one seed share: its patients, and the generators that learned from them.

Cells of a seed follow each other, so what they share is kept in memory until the next seed is asked for (``lru_cache``
over an `Asked`); a trained generator also lies in the study's ``work`` folder, under a name made of everything that
decides it.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from fourfold.comparison import Progress
from fourfold.generate import open_model
from fourfold.generate.models import MODEL, Model
from fourfold.generate.train import train
from fourfold.images import ImageSet, prepare
from fourfold.studies.sources import Source
from fourfold.studies.study import Cell, Scale, Study

__all__ = ["Asked", "in_memory", "trained"]


@dataclass(frozen=True)
class Asked:
    """A seed of a study at one scale, on one source; two are equal where they would give the same.

    Parameters
    ----------
    study : str
        Name and version.
    seed : int
    settings : tuple of (str, number)
        Of the scale.
    work : Path
    origin : int
        Which source, since sources cannot be compared; an `Asked` keeps its source alive, so the number stays its own.
    source, progress
    """

    study: str
    seed: int
    settings: tuple[tuple[str, int | float], ...]
    work: Path
    origin: int
    source: Source = field(compare=False)
    progress: Progress = field(compare=False)

    @classmethod
    def of(cls, study: Study, cell: Cell, scale: Scale, source: Source, work: Path, progress: Progress) -> Asked:
        """What a cell asks for."""
        settings = tuple(scale.settings.items())
        return cls(f"{study.name}/{study.version}", cell.seed, settings, work, id(source), source, progress)

    def __getitem__(self, name: str) -> int | float:
        return dict(self.settings)[name]

    def folder(self, name: str, **decisive: Any) -> Path:
        """A place in the work folder that nothing else has."""
        described = json.dumps([self.study, self.settings, self.source.digest, name, decisive], sort_keys=True)
        return self.work / f"{name}-{self.seed}-{hashlib.sha256(described.encode()).hexdigest()[:12]}"


def in_memory(sets: Mapping[str, ImageSet]) -> dict[str, ImageSet]:
    """Prepared sets as arrays in [0, 1] with classes and patients by number, and nothing else of their files."""
    found = {}
    for name, one in sets.items():
        known = one.patients is not None
        numbers = np.unique(one.patients, return_inverse=True)[1] if known else np.arange(len(one))
        # Patients of two sets are different people.
        people = [f"{name}-{number}" for number in numbers] if known else None
        found[name] = ImageSet.from_array(one.load(), name=name, labels=one.labels, patients=people)
    return prepare(found, scaling="0:1")


def trained(
    asked: Asked, training: ImageSet, recipe: str, *, condition: str | None, options: Mapping[str, Any] | None = None
) -> Model:
    """A generator of the training set of a seed, trained once.

    Parameters
    ----------
    asked : Asked
    training : ImageSet
        From `in_memory`.
    recipe, condition, options
        As for `fourfold.train`.
    """
    folder = asked.folder(recipe, condition=condition, options=dict(options or {}))
    if (folder / MODEL).exists():
        return open_model(folder)
    return train(
        training,
        recipe=recipe,
        output=folder,
        condition=condition,
        options=options,
        scaling="0:1",
        seed=asked.seed,
        progress=asked.progress,
    )
