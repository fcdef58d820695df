"""Images from a trainee while it is trained, under conditions that are drawn for them or taken from the data."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from fourfold.errors import InputError
from fourfold.generate.condition import Condition
from fourfold.generate.conditioning import Conditions
from fourfold.generate.training.callback import Moment
from fourfold.generate.training_set import TrainingSet

__all__ = ["Draws"]


class Draws:
    """Draws images in batches.

    Parameters
    ----------
    data : TrainingSet
    given : sequence of Conditions
        Conditions to take by turns, one from each, where some cannot be drawn anew but must be given, such as masks.
    batch : int
        Images that are drawn at once.
    """

    def __init__(self, data: TrainingSet, given: Sequence[Conditions], batch: int) -> None:
        self._conditioning, self._given, self._batch = data.conditioning, list(given), batch
        try:
            self._conditioning.draw([0])
            self._drawable = True
        except InputError:
            self._drawable = False

    @property
    def fair(self) -> bool:
        """Whether the conditions favour no set: they are drawn, or taken from two."""
        return self._drawable or len(self._given) > 1

    def __call__(self, moment: Moment, seeds: Sequence[int]) -> np.ndarray:
        """One image a seed.

        Returns
        -------
        array, shape (n, C, H, W) or (n, C, D, H, W)
            float32 in [0, 1].
        """
        parts = [list(seeds[start : start + self._batch]) for start in range(0, len(seeds), self._batch)]
        return np.concatenate([moment.draw(some, self._condition(some)) for some in parts])

    def _condition(self, seeds: list[int]) -> Condition | None:
        if not self._conditioning.parts:
            return None
        if self._drawable:
            return self._conditioning.encode(self._conditioning.draw(seeds))
        return self._conditioning.encode(_joined([self._one(seed, place) for place, seed in enumerate(seeds)]))

    def _one(self, seed: int, place: int) -> Conditions:
        pool = self._given[place % len(self._given)]
        return pool.take([int(np.random.default_rng(seed).integers(len(pool)))])


def _joined(rows: list[Conditions]) -> Conditions:
    columns = {kind: np.concatenate([row.columns[kind] for row in rows]) for kind in rows[0].columns}
    return Conditions(len(rows), columns)
