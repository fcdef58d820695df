"""What a factorial study keeps on disk: the scores of each network it trained, so that a killed study goes on.

A unit is one network: one source, one cell, one seed. Its file holds its scores on the test patients and on the
resampled ones, and nothing of an image. Its key is a digest of everything that the scores depend on, so a unit of
other data or settings is never taken for this one.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from fourfold.features.results import ResultStore

__all__ = ["Unit", "digest_of_settings", "kept"]


@dataclass(frozen=True)
class Unit:
    """How one network did.

    Parameters
    ----------
    scores : array, shape (B,)
        The headline on each resampled test set.
    metrics : mapping of str to float
        On the whole test set, the headline first.
    """

    scores: np.ndarray
    metrics: Mapping[str, float]


def kept(folder: Path | None, key: str, make: Callable[[], Unit]) -> Unit:
    """The unit of that key: read where it is kept, else made and kept.

    Parameters
    ----------
    folder : Path or None
        None keeps nothing. Made where it does not exist.
    key : str
        Of everything that the unit depends on.
    make : callable

    Raises
    ------
    InputError
        Where the folder cannot be written.
    """
    if folder is None:
        return make()
    store = ResultStore(folder)
    found = store.get(key)
    if found is None:
        unit = make()
        store.put(key, dict(unit.metrics), {"scores": unit.scores})
        return unit
    return Unit(found[1]["scores"], found[0])


def digest_of_settings(settings: Any) -> str:
    """SHA-256 of numbers and words as JSON."""
    return hashlib.sha256(json.dumps(settings, sort_keys=True).encode()).hexdigest()
