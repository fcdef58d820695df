"""What the gates look at, and which gates there are, from their names."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from math import prod

import numpy as np

from fourfold.errors import InputError
from fourfold.features import FeatureExtractor, extract, get
from fourfold.images import Entry, ImageSet, Preparation
from fourfold.images.arrays import ArrayDecoder
from fourfold.outliers.histogram import EMBEDDINGS

__all__ = ["NEIGHBOURS", "Progress", "View", "as_prepared", "embed", "views"]

Progress = Callable[[str, int, int], None]

NEIGHBOURS = 5
"""Rank of the neighbour that a ``neighbours:`` gate measures to: one odd real image does not excuse another."""

_RANKS = {"": None, "nearest": 1, "neighbours": NEIGHBOURS}
_BATCH = 64
_COPIES_IN_MEMORY = 16


@dataclass(frozen=True)
class View:
    """Something to look at.

    Parameters
    ----------
    name : str
        How gates call it.
    extractor : FeatureExtractor
    """

    name: str
    extractor: FeatureExtractor = field(repr=False)


def views(
    gates: Sequence[str], features: Sequence[str | FeatureExtractor]
) -> tuple[dict[str, View], list[tuple[str, str, int | None]]]:
    """What the asked gates look at, and the gates.

    Parameters
    ----------
    gates, features
        As for `fourfold.outliers.fit_gates`.

    Returns
    -------
    views : dict of str to View
    gates : list of (str, str, int or None)
        Name, view, and the rank of the neighbour that is measured to; None for Mahalanobis' distance.

    Raises
    ------
    InputError
        Where there is no gate, one that does not exist, or one twice.

    Examples
    --------
    >>> views(["nearest:histogram"], [])[1]
    [('nearest:histogram', 'histogram', 1)]
    """
    found: dict[str, View] = {}
    asked: list[tuple[str, str, int | None]] = []
    for gate in gates:
        kind, _, name = gate.rpartition(":")
        if kind not in _RANKS or name not in EMBEDDINGS:
            raise InputError(
                f"there is no gate {gate!r}; there are: {', '.join(EMBEDDINGS)}, each also as nearest:NAME and "
                "neighbours:NAME, and any feature space as `features`"
            )
        found.setdefault(name, View(name, EMBEDDINGS[name]()))
        asked.append((gate, name, _RANKS[kind]))
    for feature in features:
        extractor = get(feature) if isinstance(feature, str) else feature
        name = extractor.name
        if name in found:
            raise InputError(f"two gates would be called {name!r}; give each feature space once, and its own name")
        found[name] = View(name, extractor)
        asked += [(name, name, None), (f"neighbours:{name}", name, NEIGHBOURS)]
    if not asked:
        raise InputError("there is no gate; name at least one, or a feature space")
    if len({name for name, _, _ in asked}) < len(asked):
        raise InputError(f"a gate is asked for twice among {', '.join(name for name, _, _ in asked)}; name it once")
    return found, asked


def embed(
    images: ImageSet,
    views: Mapping[str, View],
    memory: int = 1 << 30,
    device: str = "cpu",
    progress: Progress | None = None,
) -> dict[str, np.ndarray]:
    """Features of every image in every view.

    Each image is decoded once, in batches of as many as `memory` holds with what is computed from them.

    Parameters
    ----------
    images : ImageSet
        n images, prepared.
    views : mapping of str to View
    memory : int
        Bytes.
    device : str
    progress : callable or None
        Called with (task, done, total).

    Returns
    -------
    dict of str to array, shape (n, d)
        By the name of the view.

    Raises
    ------
    InputError
        Where the set is empty or a view gives an image features that are not finite.
    """
    if not len(images):
        raise InputError(f"the {images.name} set holds no image; check its path")
    each = 4 * prod(images.shape) * _COPIES_IN_MEMORY
    found: dict[str, list[np.ndarray]] = {name: [] for name in views}
    for start, batch in images.batches(max(1, min(_BATCH, memory // each))):
        held = _in_memory(images, start, batch)
        for name, view in views.items():
            found[name].append(extract(held, view.extractor, batch_size=len(batch), device=device))
        if progress is not None:
            progress(f"looking at the {images.name} set", start + len(batch), len(images))
    return {name: np.concatenate(parts) for name, parts in found.items()}


def _in_memory(images: ImageSet, start: int, batch: np.ndarray) -> ImageSet:
    """A decoded batch of prepared images as a set that is not scaled again."""
    entries = tuple(Entry(path=path, index=row) for row, path in enumerate(images.paths[start : start + len(batch)]))
    return ImageSet(images.name, entries, ArrayDecoder(batch), preparation=as_prepared(images.shape))


def as_prepared(shape: tuple[int, ...]) -> Preparation:
    """The preparation of images of shape (C, ...) that were prepared before."""
    return Preparation("range", 0.0, 1.0, tuple(shape[1:]), shape[0])
