"""One row an image: what all the scores say about it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from fourfold.opening import Opened
from fourfold.score import Score

__all__ = ["image_table", "training_table"]


def image_table(scores: Sequence[Score], opened: Opened) -> dict[str, np.ndarray]:
    """One row a synthetic image: the columns of ``images.parquet``.

    Parameters
    ----------
    scores : sequence of Score
    opened : Opened

    Returns
    -------
    dict of str to array, shape (M,)
        A column that several feature spaces have keeps its plain name for the leading one and is called
        ``name@space`` for the others. What was not asked is None, never False.
    """
    sets = opened.sets
    table = _columns(sets.synthetic.paths, [(score, score.per_synthetic) for score in scores])
    size = len(sets.synthetic)
    rows = table.pop("nearest_training", np.full(size, -1))
    # The last entry stands for row -1: no neighbour known.
    paths = np.array([*sets.training.paths, None], dtype=object)
    patients = sets.training.patients
    owners = np.array([*([None] * len(sets.training) if patients is None else patients.tolist()), None], dtype=object)
    table["nearest_training"] = paths[rows]
    table["nearest_training_patient"] = owners[rows]
    table["nearest_training_row"] = rows
    unasked = np.full(size, None, dtype=object)
    first = ("path", "copy", "copy_p", "copy_kind", "nearest_training", "nearest_training_patient", "realism")
    for name in first:
        table.setdefault(name, unasked if name in ("copy", "copy_kind") else np.full(size, np.nan))
    return {name: table[name] for name in (*first, *(name for name in table if name not in first))}


def training_table(scores: Sequence[Score], opened: Opened) -> dict[str, np.ndarray]:
    """One row a training image: ``path`` and the per-training columns of the scores, named as in `image_table`."""
    return _columns(opened.sets.training.paths, [(score, score.per_training) for score in scores])


def _columns(paths: Sequence[str], parts: Sequence[tuple[Score, Mapping[str, np.ndarray]]]) -> dict[str, np.ndarray]:
    table: dict[str, np.ndarray] = {"path": np.array(paths, dtype=object)}
    for score, columns in parts:
        for name, column in columns.items():
            free = name if name not in table else f"{name}@{score.features or score.name}"
            table.setdefault(free, np.asarray(column))
    return table
