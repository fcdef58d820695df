"""What a predictor says of a whole set, in a new folder that appears whole or not at all.

Classes and findings: ``predictions.csv``, a row an image, its path and a probability each. Regions: ``masks/``, one
mask an image with the values that the masks learned from had, and ``metadata.csv`` with the path of each image and
its mask.
"""

from __future__ import annotations

import csv
import os
import shutil
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np

from fourfold.errors import InputError
from fourfold.images import ImageSet, write_image
from fourfold.utility.learning.contract import Predictor, Task

__all__ = ["write_predictions"]

BATCH = 64


def write_predictions(
    images: ImageSet,
    task: Task,
    predictor: Predictor,
    output: str | os.PathLike[str],
    progress: Callable[[int, int], None] | None = None,
) -> Path:
    """Predict a prepared set, in bounded memory.

    Parameters
    ----------
    images : ImageSet
    task : Task
    predictor : Predictor
        Learned by the task.
    output : path
        Must not exist, or be empty.
    progress : callable or None
        Called with (images done, images in all).

    Raises
    ------
    InputError
        Where the folder is taken or cannot be written.
    """
    output = Path(output)
    if output.exists() and (not output.is_dir() or any(output.iterdir())):
        raise InputError(f"{output}: is not empty; choose a new folder")
    parent = output.resolve().parent
    try:
        parent.mkdir(parents=True, exist_ok=True)
        partial = Path(tempfile.mkdtemp(prefix=f".{output.name}.partial-", dir=parent))
        try:
            rows: list[list[object]] = []
            for start, values in images.batches(BATCH):
                found = predictor(values)
                paths = images.paths[start : start + len(values)]
                if task.kind == "classification":
                    rows += [[path, *map(float, row)] for path, row in zip(paths, found, strict=True)]
                else:
                    masks = _masks(found, task, partial, start)
                    rows += [list(pair) for pair in zip(paths, masks, strict=True)]
                if progress is not None:
                    progress(start + len(values), len(images))
            if task.kind == "classification":
                _table(partial / "predictions.csv", ["path", *(f"probability:{name}" for name in task.names)], rows)
            else:
                _table(partial / "metadata.csv", ["path", "mask"], rows)
            partial.chmod(0o755)
            if output.exists():
                output.rmdir()
            partial.replace(output)
        finally:
            shutil.rmtree(partial, ignore_errors=True)
    except OSError as error:
        problem = (error.strerror or type(error).__name__).lower()
        raise InputError(f"{output}: cannot be written ({problem}); free space or choose another folder") from error
    return output


def _masks(found: np.ndarray, task: Task, folder: Path, start: int) -> list[str]:
    """Write masks with the values that the regions had; returns their paths."""
    (folder / "masks").mkdir(exist_ok=True)
    values = np.array([0, *getattr(task, "values", range(1, len(task.names) + 1))], dtype=np.float64)
    return [
        write_image(values[mask][None] / 255, folder, f"masks/{start + row:06d}", bits=8, low=0, high=255)
        for row, mask in enumerate(found)
    ]


def _table(file: Path, names: Sequence[str], rows: Sequence[Sequence[object]]) -> None:
    with file.open("w", encoding="utf-8", newline="") as stream:
        writer = csv.writer(stream, lineterminator="\n")
        writer.writerow(names)
        writer.writerows(rows)
