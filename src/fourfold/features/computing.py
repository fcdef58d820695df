"""Features of prepared images, batch by batch: what runs in this process and in every worker of an engine.

Images are decoded ahead of the network, and an image whose prepared content was met before is not computed again.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass, replace
from typing import Protocol

import numpy as np
import torch

from fourfold.devices import enough_memory, whole_float32
from fourfold.engine import Engine, Shared
from fourfold.engine.ahead import ahead
from fourfold.errors import InputError
from fourfold.features.extractor import FeatureExtractor
from fourfold.images.arrays import ArrayDecoder
from fourfold.images.sets import Entry, ImageSet

__all__ = ["Computation", "Part", "Writer", "computed"]

_REMEDY = "take smaller images with --size, or the processor with --device cpu"


class Writer(Protocol):
    """Stores features from wherever they were computed; picklable."""

    def append(self, digests: list[str], features: np.ndarray) -> None:
        """Store the features of further images as one shard."""


def computed(
    images: ImageSet, extractor: FeatureExtractor, batch_size: int, workers: int, device: torch.device | str
) -> Iterator[tuple[int, np.ndarray]]:
    """Features of each batch, with the first row of the batch.

    Parameters
    ----------
    images : ImageSet
        N images, prepared.
    extractor : FeatureExtractor
        On its device.
    batch_size : int
        Up to four batches are in memory: one in the network, two that wait, one that is decoded.
    workers : int
        Processes that decode.
    device : torch.device or str

    Yields
    ------
    (int, array of shape (B, d))
        float32, finite; the rows of one array of shape (N, d), which is the ``base`` of each.

    Raises
    ------
    InputError
        Where the extractor gives another shape, or NaN or infinite values.
    """
    found: np.ndarray | None = None
    first: dict[bytes, int] = {}
    # Closed here, so that the thread has ended before an interruption travels on.
    with closing(ahead(_keyed(images, batch_size, workers))) as batches:
        for start, batch, keys in batches:
            fresh = [row for row, key in enumerate(keys) if first.setdefault(key, start + row) == start + row]
            if fresh:
                values = _forward(extractor, batch if len(fresh) == len(batch) else batch[fresh], device)
                _check(extractor, values, [images.entries[start + row] for row in fresh], found)
                if found is None:
                    found = np.empty((len(images), values.shape[1]), dtype=np.float32)
                found[[start + row for row in fresh]] = values
            if len(fresh) < len(batch):
                found[start : start + len(batch)] = found[[first[key] for key in keys]]
            yield start, found[start : start + len(batch)]


def _keyed(images: ImageSet, batch_size: int, workers: int) -> Iterator[tuple[int, np.ndarray, list[bytes]]]:
    for start, batch in images.batches(batch_size, workers):
        yield start, batch, [hashlib.blake2b(image.ravel(), digest_size=16).digest() for image in batch]


def _forward(extractor: FeatureExtractor, batch: np.ndarray, device: torch.device | str) -> np.ndarray:
    with torch.inference_mode(), whole_float32(), enough_memory(_REMEDY):
        return extractor(torch.from_numpy(batch).to(device)).numpy(force=True).astype(np.float32)


def _check(extractor: FeatureExtractor, values: np.ndarray, entries: list[Entry], found: np.ndarray | None) -> None:
    columns = values.shape[-1] if found is None else found.shape[1]
    if values.shape != (len(entries), columns):
        raise InputError(
            f"the feature extractor {extractor.name!r} gives shape {values.shape} for {len(entries)} images; "
            f"it must give ({len(entries)}, columns), the same for every image"
        )
    broken = np.flatnonzero(~np.isfinite(values).all(axis=1))
    if len(broken):
        raise InputError(
            f"{entries[int(broken[0])].path}: the feature extractor {extractor.name!r} gives NaN or infinite values "
            "for this image; look at the image, and leave it out or use another extractor"
        )


@dataclass(frozen=True)
class Part:
    """Some images of a set, as they travel to a worker.

    Parameters
    ----------
    start : int
        The place of the first one.
    entries : tuple of Entry
    keys : list of str
        What they are stored under.
    """

    start: int
    entries: tuple[Entry, ...]
    keys: list[str]


@dataclass(frozen=True)
class Computation:
    """Everything that a worker needs to compute parts of a set; travels once.

    Called, it gives the work: `Part` to array of shape (B, d), float32.

    Parameters
    ----------
    images : ImageSet
        Without entries: how to decode and prepare them.
    extractor : FeatureExtractor
    batch_size : int
    device : str
    writer : Writer or None
        Where the worker stores what it computed.
    """

    images: ImageSet
    extractor: FeatureExtractor
    batch_size: int
    device: str
    writer: Writer | None = None

    @classmethod
    def of(
        cls,
        images: ImageSet,
        extractor: FeatureExtractor,
        batch_size: int,
        device: str,
        writer: Writer | None,
        engine: Engine,
    ) -> Computation:
        """The computation for a set, with an array in memory shared by way of the engine."""
        decode = images.decode
        if isinstance(decode, ArrayDecoder):
            decode = _SharedRows(engine.share(decode.images))
        return cls(replace(images, entries=(), decode=decode), extractor, batch_size, engine.device(device), writer)

    def __call__(self) -> _Extracting:
        """The work, with the extractor on its device."""
        return _Extracting(self, self.extractor.to(self.device))


@dataclass(frozen=True)
class _Extracting:
    computation: Computation
    extractor: FeatureExtractor

    def __call__(self, part: Part) -> np.ndarray:
        asked = self.computation
        images = replace(asked.images, entries=part.entries)
        rows = [values for _, values in computed(images, self.extractor, asked.batch_size, 0, asked.device)]
        features = rows[0].base
        if asked.writer is not None:
            asked.writer.append(part.keys, features)
        return features


@dataclass(frozen=True)
class _SharedRows:
    """Gives row ``entry.index`` of an array that the engine shares."""

    images: Shared

    def __call__(self, entry: Entry) -> np.ndarray:
        return self.images.get()[entry.index]
