"""How the sets of one piece of work are opened and prepared: all of them alike, each in the split of its role.

`fourfold.images.formats.FileReading` says how one file is read; this says what was asked for whole sets.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from fourfold.images.leakage import without_leakage
from fourfold.images.prepare import prepare
from fourfold.images.sets import ImageSet
from fourfold.images.sources import open_set

__all__ = ["Reading", "left_out"]


@dataclass(frozen=True)
class Reading:
    """How sets are opened and prepared.

    Parameters
    ----------
    splits : mapping of str to str
        The value of the split column for each role, such as ``"training"``, ``"holdout"`` or ``"synthetic"``.
    columns, root, volumes, slices, skip_broken
        As for `fourfold.images.open_set`.
    size, channels, scaling
        As for `fourfold.images.prepare`.
    """

    splits: Mapping[str, str] | None = None
    columns: Mapping[str, str | None] | None = None
    root: str | os.PathLike[str] | None = None
    volumes: bool = False
    slices: bool = False
    skip_broken: bool = False
    size: int | tuple[int, ...] | None = None
    channels: int | None = None
    scaling: str = "auto"

    def open(self, sources: Mapping[str, Any]) -> tuple[dict[str, ImageSet], list[str]]:
        """Prepared sets by their roles, and what must be said about them, a sentence each.

        Raises
        ------
        InputError
            Where a set cannot be read, sets disagree, or the ``"holdout"`` is no control of the ``"training"`` set.
        """
        found = {role: self.open_one(source, role) for role, source in sources.items()}
        said = []
        if "holdout" in found:
            found["holdout"], sentence = without_leakage(found["holdout"], found["training"])
            said += [sentence] if sentence else []
        return self.prepare(found), [*said, *left_out(found)]

    def open_one(self, source: Any, name: str, role: str | None = None) -> ImageSet:
        """One set, not prepared.

        Parameters
        ----------
        source
            Whatever `fourfold.images.open_set` opens.
        name : str
            How messages call the set.
        role : str or None
            Whose split is taken; None for that of `name`.

        Raises
        ------
        InputError
            Where the set cannot be opened.
        """
        return open_set(
            source,
            name=name,
            columns=self.columns,
            split=(self.splits or {}).get(name if role is None else role),
            root=self.root,
            volumes=self.volumes,
            slices=self.slices,
            skip_broken=self.skip_broken,
        )

    def prepare(self, sets: Mapping[str, ImageSet]) -> dict[str, ImageSet]:
        """Opened sets by their roles, on one scale and of one size, as `fourfold.images.prepare` makes them."""
        return prepare(sets, size=self.size, channels=self.channels, scaling=self.scaling)


def left_out(sets: Mapping[str, ImageSet]) -> list[str]:
    """What must be said about the files that ``skip_broken`` left out, a sentence a set."""
    return [
        f"{len(images.skipped)} files of the {name} set could not be read and were left out."
        for name, images in sets.items()
        if images.skipped
    ]
