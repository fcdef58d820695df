"""From an image set to its features, by way of the store."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator

import numpy as np
import torch

from fourfold.errors import InputError
from fourfold.features.extractor import FeatureExtractor
from fourfold.features.store import SHARD_ROWS, FeatureSpace, FeatureStore
from fourfold.images.sets import ImageSet

__all__ = ["extract"]


def extract(
    image_set: ImageSet,
    extractor: FeatureExtractor,
    *,
    store: FeatureStore | None = None,
    batch_size: int = 64,
    workers: int = 0,
    progress: Callable[[str, int, int], None] | None = None,
    device: torch.device | str = "cpu",
) -> np.ndarray:
    """Features of every image of a prepared set.

    With a store, only images whose content is new to it are decoded and computed, each content once; finished
    images are stored every 256 and when the run ends for whatever reason, so that a rerun goes on from there.

    Parameters
    ----------
    image_set : ImageSet
        N images, prepared.
    extractor : FeatureExtractor
    store : FeatureStore or None
        None computes everything and keeps nothing.
    batch_size : int
        Images in memory at a time.
    workers : int
        Processes that decode.
    progress : callable or None
        Called with (task, images done, images in all).
    device : torch.device or str

    Returns
    -------
    array, shape (N, d)
        float32, finite.

    Raises
    ------
    InputError
        Where the set is empty, an image gives NaN or infinite features (the message names it), or the store cannot
        be read or written.
    """
    if not len(image_set):
        raise InputError(f"the {image_set.name} set holds no image; check its path")
    extractor.to(device)
    if store is None:
        digests = [str(row) for row in range(len(image_set))]
        space = None
    else:
        digests = image_set.digests()
        space = store.space(extractor, image_set.preparation)
    first = {digest: row for row, digest in reversed(list(enumerate(digests)))}
    contents = sorted(first, key=first.__getitem__)
    found, stored = (None, np.zeros(len(contents), dtype=bool)) if space is None else space.read(contents)

    missing = np.flatnonzero(~stored)
    task = f"{extractor.name} features of the {image_set.name} set"
    if progress is not None:
        progress(task, len(contents) - len(missing), len(contents))
    if len(missing):
        chosen = image_set.take([first[contents[place]] for place in missing])
        computed = _computed(chosen, extractor, batch_size, workers, device)
        keys = [contents[place] for place in missing]
        # Closed here, so that what is finished is stored before an interruption travels on.
        with contextlib.closing(_stored(computed, space, keys)) as batches:
            for start, values in batches:
                if found is None:
                    found = np.zeros((len(contents), values.shape[1]), dtype=np.float32)
                found[missing[start : start + len(values)]] = values
                if progress is not None:
                    progress(task, len(contents) - len(missing) + start + len(values), len(contents))
    if len(contents) == len(digests):
        return found
    place_of = {digest: place for place, digest in enumerate(contents)}
    return found[[place_of[digest] for digest in digests]]


def _computed(
    images: ImageSet, extractor: FeatureExtractor, batch_size: int, workers: int, device: torch.device | str
) -> Iterator[tuple[int, np.ndarray]]:
    """Features of each batch, with the first row of the batch."""
    columns = None
    for start, batch in images.batches(batch_size, workers):
        with torch.inference_mode():
            values = extractor(torch.from_numpy(batch).to(device)).numpy(force=True).astype(np.float32)
        columns = columns or values.shape[-1]
        if values.shape != (len(batch), columns):
            raise InputError(
                f"the feature extractor {extractor.name!r} gives shape {values.shape} for {len(batch)} images; "
                f"it must give ({len(batch)}, columns), the same for every image"
            )
        broken = np.flatnonzero(~np.isfinite(values).all(axis=1))
        if len(broken):
            path = images.paths[start + int(broken[0])]
            raise InputError(
                f"{path}: the feature extractor {extractor.name!r} gives NaN or infinite values for this image; "
                "look at the image, and leave it out or use another extractor"
            )
        yield start, values


def _stored(
    computed: Iterator[tuple[int, np.ndarray]], space: FeatureSpace | None, digests: list[str]
) -> Iterator[tuple[int, np.ndarray]]:
    """Pass features on and store them, also those that were finished when something went wrong."""
    if space is None:
        yield from computed
        return
    waiting: list[np.ndarray] = []
    begin = 0

    def flush() -> None:
        nonlocal begin
        if waiting:
            values = np.concatenate(waiting)
            waiting.clear()
            space.append(digests[begin : begin + len(values)], values)
            begin += len(values)

    try:
        for start, values in computed:
            waiting.append(values)
            if start + len(values) - begin >= SHARD_ROWS:
                flush()
            yield start, values
    finally:
        flush()
