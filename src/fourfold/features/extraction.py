"""From an image set to its features, by way of an engine and the store."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator, Sequence
from typing import Protocol

import numpy as np
import torch

from fourfold.devices import check_device
from fourfold.engine import LOCAL, Engine
from fourfold.errors import FourfoldError, InputError
from fourfold.features.computing import Computation, Part, Writer, computed
from fourfold.features.extractor import FeatureExtractor
from fourfold.features.store import SHARD_ROWS
from fourfold.images.sets import ImageSet, Preparation

__all__ = ["Space", "Store", "extract"]

# Parts for each worker, so that none waits long for the last one.
_PARTS_A_WORKER = 4


class Space(Protocol):
    """Features of one extractor under one preparation, wherever they are stored."""

    def read(self, digests: Sequence[str]) -> tuple[np.ndarray | None, np.ndarray]:
        """What is stored of the images asked for; see `FeatureSpace.read`."""

    def append(self, digests: Sequence[str], features: np.ndarray) -> None:
        """Store the features of further images as one shard."""

    def writer(self) -> Writer | None:
        """What workers elsewhere append with; None where only this process can."""


class Store(Protocol):
    """Where features are kept: a `FeatureStore` or a `RemoteStore`."""

    def space(self, extractor: FeatureExtractor, preparation: Preparation | None) -> Space:
        """The features of one extractor under one preparation."""


def extract(
    image_set: ImageSet,
    extractor: FeatureExtractor,
    *,
    store: Store | None = None,
    batch_size: int = 64,
    workers: int = 0,
    progress: Callable[[str, int, int], None] | None = None,
    device: torch.device | str = "cpu",
    engine: Engine = LOCAL,
) -> np.ndarray:
    """Features of every image of a prepared set.

    Images are decoded while the network runs, and each content is computed once. With a store, only images whose
    content is new to it are decoded and computed; finished images are stored every 256 and when the run ends for
    whatever reason, so that a rerun goes on from there.

    Parameters
    ----------
    image_set : ImageSet
        N images, prepared.
    extractor : FeatureExtractor
    store : FeatureStore, RemoteStore or None
        None computes everything and keeps nothing. Workers write into a `RemoteStore` themselves; into the folder of
        a `FeatureStore`, which they may not see, this process writes what they send.
    batch_size : int
        Images that the extractor sees at a time.
    workers : int
        Processes that decode, where the engine is this process.
    progress : callable or None
        Called with (task, images done, images in all).
    device : torch.device or str
    engine : Engine
        Where images are decoded and computed; each worker of it does both for parts of the set.

    Returns
    -------
    array, shape (N, d)
        float32, finite; the same from every engine but for the rounding of the processors, below 1e-6.

    Raises
    ------
    InputError
        Where the set is empty, an image gives NaN or infinite features (the message names it), or the store cannot
        be read or written.
    """
    if not len(image_set):
        raise InputError(f"the {image_set.name} set holds no image; check its path")
    stored = None if store is None else _Stored(store, image_set, extractor, engine)
    digests = [str(row) for row in range(len(image_set))] if stored is None else stored.digests
    first = {digest: row for row, digest in reversed(list(enumerate(digests)))}
    contents = sorted(first, key=first.__getitem__)
    found, known = (None, np.zeros(len(contents), dtype=bool)) if stored is None else stored.read(contents)

    missing = np.flatnonzero(~known)
    task = f"{extractor.name} features of the {image_set.name} set"
    if progress is not None:
        progress(task, len(contents) - len(missing), len(contents))
    if len(missing):
        chosen = image_set.take([first[contents[place]] for place in missing])
        keys = [contents[place] for place in missing]
        if engine.here:
            check_device(str(device))
            batches = _here(chosen, extractor, batch_size, workers, device, keys, stored)
        else:
            batches = _elsewhere(chosen, extractor, batch_size, device, keys, stored, engine)
        done = len(contents) - len(missing)
        # Closed here, so that what is finished is stored before an interruption travels on.
        with contextlib.closing(batches):
            for start, values in batches:
                if found is None:
                    # Where everything is new, what the batches are rows of is the answer: one copy in memory.
                    whole = engine.here and len(missing) == len(contents)
                    found = values.base if whole else np.zeros((len(contents), values.shape[1]), dtype=np.float32)
                found[missing[start : start + len(values)]] = values
                done += len(values)
                if progress is not None:
                    progress(task, done, len(contents))
        if done != len(contents):
            raise FourfoldError(
                f"the engine {engine.name!r} gave features of {done} of {len(contents)} images; run it again"
            )
    if len(contents) == len(digests):
        return found
    place_of = {digest: place for place, digest in enumerate(contents)}
    return found[[place_of[digest] for digest in digests]]


class _Stored:
    """The store as the processes of an engine see it: one of them reads and writes, all know what was there."""

    def __init__(self, store: Store, image_set: ImageSet, extractor: FeatureExtractor, engine: Engine) -> None:
        self._store, self._extractor, self._preparation = store, extractor, image_set.preparation
        self._engine = engine
        self._space: Space | None = None
        self.writer: Writer | None = None
        self.digests = _digests(image_set, engine)

    def read(self, contents: Sequence[str]) -> tuple[np.ndarray | None, np.ndarray]:
        """What is stored of the contents."""

        def reading() -> tuple[np.ndarray | None, np.ndarray, Writer | None]:
            self._space = self._store.space(self._extractor, self._preparation)
            return *self._space.read(contents), self._space.writer()

        found, known, self.writer = self._engine.once(reading)
        return found, known

    def append(self, keys: Sequence[str], values: np.ndarray) -> None:
        """Store further features, where this is the process that does."""
        if self._space is not None:
            self._space.append(keys, values)


def _digests(image_set: ImageSet, engine: Engine) -> list[str]:
    # Arrays in memory would travel to be read, which takes longer than reading them.
    if engine.here or image_set.entries[0].file is None:
        return image_set.digests()
    parts = [image_set.take(rows) for rows in _parts(len(image_set), engine, 1)]
    return [digest for found in engine.map(ImageSet.digests, parts) for digest in found]


def _parts(count: int, engine: Engine, batch_size: int) -> list[range]:
    """Rows of each part: a shard at most, so that what a dead worker takes along is little."""
    even = -(-count // (_PARTS_A_WORKER * engine.workers))
    size = min(max(even, batch_size), max(SHARD_ROWS, batch_size))
    return [range(start, min(start + size, count)) for start in range(0, count, size)]


def _elsewhere(
    images: ImageSet,
    extractor: FeatureExtractor,
    batch_size: int,
    device: torch.device | str,
    keys: list[str],
    stored: _Stored | None,
    engine: Engine,
) -> Iterator[tuple[int, np.ndarray]]:
    """Features of each part, with the first row of the part; stored as they come, by the worker or here."""
    writer = None if stored is None else stored.writer
    computation = Computation.of(images, extractor.to("cpu"), batch_size, str(device), writer, engine)
    parts = [
        Part(rows.start, images.entries[rows.start : rows.stop], keys[rows.start : rows.stop])
        for rows in _parts(len(images), engine, batch_size)
    ]
    columns = None
    for place, values in engine.stream(computation, parts, accelerated=str(device).startswith("cuda")):
        columns = columns or values.shape[1]
        if values.shape[1] != columns:
            raise InputError(
                f"the feature extractor {extractor.name!r} gives {values.shape[1]} columns for some images and "
                f"{columns} for others; it must give the same for every image"
            )
        if stored is not None and writer is None:
            stored.append(parts[place].keys, values)
        yield parts[place].start, values


def _here(
    images: ImageSet,
    extractor: FeatureExtractor,
    batch_size: int,
    workers: int,
    device: torch.device | str,
    keys: list[str],
    stored: _Stored | None,
) -> Iterator[tuple[int, np.ndarray]]:
    """Features of each batch, stored shard by shard, also those that were finished when something went wrong."""
    batches = computed(images, extractor.to(device), batch_size, workers, device)
    if stored is None:
        with contextlib.closing(batches):
            yield from batches
        return
    begin = end = 0
    features = None
    try:
        with contextlib.closing(batches):
            for start, values in batches:
                features, end = values.base, start + len(values)
                if end - begin >= SHARD_ROWS:
                    stored.append(keys[begin:end], features[begin:end])
                    begin = end
                yield start, values
    finally:
        if end > begin:
            stored.append(keys[begin:end], features[begin:end])
