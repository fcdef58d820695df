"""Whole sets on disk, in bounded memory: restored, given noise, or with regions drawn anew.

New images are stored in the values of those they come from, with their classes, patients and other columns, so that
both sets can be used alike. A folder appears whole or not at all. ``restoration.json`` beside the images says what was
done to them and holds no path and no identifier.
"""

from __future__ import annotations

import csv
import os
import shutil
import tempfile
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from types import TracebackType
from typing import Any

import numpy as np

from fourfold.comparison import Progress, no_progress
from fourfold.devices import check_device, enough_memory
from fourfold.errors import InputError
from fourfold.generate.models import Model
from fourfold.generate.provenance import now, versions, write_record
from fourfold.generate.restoration.masks import mask_of
from fourfold.generate.restoration.noise_models import NoiseModel
from fourfold.generate.restoration.regions import STEPS, regenerate
from fourfold.generate.restoration.restore import BATCH, CHAINS, noise_of, renoise, restore
from fourfold.generate.restoration.restorer import Restorer
from fourfold.generate.storage import Storage, holds_whole_numbers, storage_for
from fourfold.images import ImageSet, Preparation

__all__ = ["PROBED", "RECORD", "noise_of_set", "prepared_like", "regenerate_set", "renoise_set", "restore_set"]

RECORD = "restoration.json"
SCHEMA = "fourfold.restoration/1"

PROBED = 256
"""Images of a set that its noise is estimated from, spread evenly over it."""

_AGREEMENT = 2.0
_MEMORY = "use a smaller --batch"


def restore_set(
    images: ImageSet,
    restorer: Restorer,
    output: str | os.PathLike[str],
    noise: NoiseModel,
    *,
    chains: int = CHAINS,
    spread: str | os.PathLike[str] | None = None,
    seed: int = 0,
    batch: int = BATCH,
    stride: float = 1.0,
    device: str = "cpu",
    progress: Progress = no_progress,
) -> Path:
    """Restore a set into a new folder.

    Parameters
    ----------
    images : ImageSet
        Prepared, see `prepared_like`.
    restorer : Restorer
    output : path
        Must not exist, or be empty.
    noise : NoiseModel
        See `noise_of_set`.
    chains, seed, batch, stride
        As for `restore`.
    spread : path or None
        A second new folder, for the standard deviations over the chains: fractions of the full range.
    device : str
    progress : callable

    Raises
    ------
    InputError
        Where a folder is taken, or the images, their noise or the memory do not allow it.
    """
    if spread is not None and chains < 2:
        raise InputError("a spread takes 2 chains at least; raise --chains")
    check_device(device)
    restorer.to(device)
    done = {
        "done": "restored", "noise": noise.describe(), "chains": chains, "seed": seed, "stride": stride,
        "restorer": restorer.record.get("weights", {}).get("sha256"),
    }  # fmt: skip
    with _NewSet(output, images, _storage(images), done) as restored:
        spreads = None if spread is None else _NewSet(spread, images, _FRACTIONS[len(images.shape)], done)
        with spreads or _Nothing():
            for start, values in images.batches(batch):
                found = restore(
                    values, restorer, noise, chains=chains, seed=seed, first=start, batch=batch, stride=stride
                )
                restored.add(found.images)
                if spreads is not None:
                    spreads.add(found.spread)
                progress("restoring images", start + len(values), len(images))
    return restored.folder


def renoise_set(
    images: ImageSet,
    output: str | os.PathLike[str],
    noise: NoiseModel,
    *,
    seed: int = 0,
    progress: Progress = no_progress,
) -> Path:
    """Give a set noise, into a new folder; what falls below 0 or above 1 is clipped as a detector clips it.

    Parameters
    ----------
    images : ImageSet
        Prepared together with the real images whose noise it gets.
    output, noise, seed, progress
        As for `restore_set`.
    """
    done = {"done": "noise added", "noise": noise.describe(), "seed": seed}
    with _NewSet(output, images, _storage(images), done) as noisy:
        for start, values in images.batches(BATCH):
            noisy.add(renoise(values, noise, seed=seed, first=start))
            progress("adding noise", start + len(values), len(images))
    return noisy.folder


def regenerate_set(
    images: ImageSet,
    masks: ImageSet,
    model: Restorer | Model,
    output: str | os.PathLike[str],
    *,
    seed: int = 0,
    batch: int = BATCH,
    steps: int = STEPS,
    device: str = "cpu",
    progress: Progress = no_progress,
) -> Path:
    """Draw a region of each image anew, into a new folder.

    Outside the regions whole numbers stay what they were as long as images are not resampled; fractions to rounding.

    Parameters
    ----------
    images : ImageSet
        Prepared, see `prepared_like`.
    masks : ImageSet
        One mask an image, in their order, see `fourfold.generate.restoration.masks`; what is not 0 is replaced.
    model : Restorer or Model
    output, seed, batch, device, progress
        As for `restore_set`.
    steps
        As for `regenerate`.
    """
    check_device(device)
    drawer = (model if isinstance(model, Restorer) else model.generator).to(device)
    done = {
        "done": "regions drawn anew", "seed": seed, "model": model.record.get("weights", {}).get("sha256"),
        "steps": None if isinstance(model, Restorer) else steps,
    }  # fmt: skip
    with _NewSet(output, images, _storage(images), done) as drawn:
        for start, values in images.batches(batch):
            inside = np.stack([mask_of(masks, start + row, images) for row in range(len(values))])
            with enough_memory(_MEMORY):
                drawn.add(regenerate(values, inside, drawer, seed=seed, first=start, steps=steps, device=device))
            progress("drawing regions", start + len(values), len(images))
    return drawn.folder


def noise_of_set(images: ImageSet, kind: str) -> tuple[NoiseModel, int]:
    """Noise estimated from up to `PROBED` images of a prepared set, and how many they were; see `noise_of`."""
    rows = np.unique(np.linspace(0, len(images) - 1, min(len(images), PROBED)).round().astype(int))
    return noise_of(images.load(rows), kind), len(rows)


def prepared_like(images: ImageSet, model: Preparation) -> ImageSet:
    """A set, prepared by itself, with the range of a model's training images in place of its own.

    Raises
    ------
    InputError
        Where its own range is another, so that 1 would mean something else.
    """
    own = images.preparation
    if own.rule == model.rule == "range":
        spans = sorted((own.high - own.low, model.high - model.low))
        if spans[1] > _AGREEMENT * spans[0] or abs(own.low - model.low) > spans[1] / 2:
            raise InputError(
                f"the {images.name} set ranges from {own.low:g} to {own.high:g} and the model was trained on "
                f"{model.low:g} to {model.high:g}; store both alike, or say which values are the model's 0 and 1 with "
                "--scaling LOW:HIGH"
            )
    return replace(images, preparation=replace(own, rule=model.rule, low=model.low, high=model.high))


class _NewSet:
    """A folder of images that comes into being when the block ends without an error."""

    def __init__(
        self, output: str | os.PathLike[str], source: ImageSet, storage: Storage, done: Mapping[str, Any]
    ) -> None:
        self.folder, self._source, self._storage, self._done = Path(output), source, storage, done
        self._rows: list[dict[str, object]] = []

    def __enter__(self) -> _NewSet:
        if self.folder.exists() and (not self.folder.is_dir() or any(self.folder.iterdir())):
            raise InputError(f"{self.folder}: is not empty; choose a new folder")

        def begin() -> None:
            parent = self.folder.resolve().parent
            parent.mkdir(parents=True, exist_ok=True)
            self._partial = Path(tempfile.mkdtemp(prefix=f".{self.folder.name}.partial-", dir=parent))
            (self._partial / "images").mkdir()

        self._write(begin)
        return self

    def add(self, images: np.ndarray) -> None:
        """The next images of the set, in [0, 1]."""

        def write() -> None:
            for image in images:
                place = len(self._rows)
                path = self._storage.write(image, self._partial, f"images/{place:06d}")
                self._rows.append({"path": path, **_cells(self._source, place)})

        self._write(write)

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            if error is None:
                self._write(self._finish)
        finally:
            shutil.rmtree(self._partial, ignore_errors=True)

    def _finish(self) -> None:
        with (self._partial / "metadata.csv").open("w", encoding="utf-8", newline="") as stream:
            names = list(dict.fromkeys(name for row in self._rows for name in row))
            writer = csv.DictWriter(stream, names, lineterminator="\n")
            writer.writeheader()
            writer.writerows(self._rows)
        values = {"values": self._storage.describe(), "preparation": self._source.preparation.describe()}
        record = {"schema": SCHEMA, **self._done, "images": len(self._rows), **values}
        write_record(self._partial / RECORD, {**record, "versions": versions(), "created": now()})
        self._partial.chmod(0o755)
        if self.folder.exists():
            self.folder.rmdir()
        self._partial.replace(self.folder)

    def _write(self, work: Callable[[], None]) -> None:
        try:
            work()
        except OSError as error:
            problem = (error.strerror or type(error).__name__).lower()
            raise InputError(
                f"{self.folder}: cannot be written ({problem}); free space or choose another folder"
            ) from error


class _Nothing:
    def __enter__(self) -> None:
        return None

    def __exit__(self, *_: object) -> None:
        return None


_FRACTIONS = {3: Storage(32, 0.0, 1.0, (0.0, 1.0)), 4: Storage(16, 0.0, 1.0, (0.0, 1.0))}
"""How standard deviations are stored, for (C, H, W) and (C, D, H, W)."""


def _storage(images: ImageSet) -> Storage:
    return storage_for(images.preparation, holds_whole_numbers(images))


def _cells(source: ImageSet, row: int) -> dict[str, object]:
    """Columns of the table for one image: what the table of its source says of it, but for files."""
    entry = source.entries[row]
    found: dict[str, object] = {"label": entry.label, "patient": entry.patient}
    found = {name: value for name, value in found.items() if value is not None}
    found |= {f"label:{name}": f"{value:g}" for name, value in entry.labels.items()}
    return found | {name: value for name, value in entry.columns.items() if name not in (*found, "path")}
