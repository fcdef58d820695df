"""Small sets on which the parts of an evaluation are timed: the user's own images, or phantoms in files."""

from __future__ import annotations

import math
import shutil
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import numpy as np

from fourfold.comparison import Role
from fourfold.images.phantoms import Phantoms, phantoms
from fourfold.images.sets import ImageSet
from fourfold.images.sources import open_set
from fourfold.planning.sizes import Sizes

__all__ = ["drawn", "phantom_sets"]

# Pixels of all phantoms that are drawn for a set, and how many are at least; the others are the same ones, mirrored and
# under another noise, since drawing takes longer than most of what is to be timed.
_PIXELS, _FEWEST = 700_000, 12
_NOISE = 0.03


def drawn(sets: Mapping[Role, ImageSet], sizes: Sizes) -> dict[Role, ImageSet]:
    """So many images of each set, from all over it."""
    return {
        role: sets[role].take(np.linspace(0, len(sets[role]) - 1, sizes.of(role)).astype(np.int64))
        for role in sizes.roles
    }


@contextmanager
def phantom_sets(sizes: Sizes, shape: tuple[int, ...]) -> Iterator[dict[Role, ImageSet]]:
    """Phantoms of one channel as files in a temporary folder, two classes and each image a patient of its own.

    Parameters
    ----------
    sizes : Sizes
    shape : tuple of int
        (H, W) or (D, H, W).
    """
    folder = Path(tempfile.mkdtemp(prefix="fourfold-plan-"))
    try:
        found: dict[Role, ImageSet] = {}
        for place, role in enumerate(sizes.roles):
            # Other patients in every set: what is found at once where images are copies takes less time.
            distinct = min(max(_PIXELS // math.prod(shape), _FEWEST), max(sizes.of(role), _FEWEST))
            source = phantoms("chest", distinct, images_per_patient=1, size=shape, prevalence=0.5, seed=place)
            _varied(source, sizes.of(role), place).write(folder / role)
            found[role] = open_set(folder / role, name=role)
        yield found
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _varied(source: Phantoms, count: int, place: int) -> Phantoms:
    """As many images as are asked for, no two of them alike."""
    rng = np.random.default_rng([place, count])
    rows = np.arange(count) % len(source)
    many = source.take(rows)
    images = many.images.copy()
    turned = rng.random(count) < 0.5
    images[turned] = images[turned][..., ::-1]
    images += _NOISE * rng.standard_normal(images.shape, dtype=np.float32)
    images *= rng.uniform(0.6, 1.0, size=(count,) + (1,) * (images.ndim - 1)).astype(np.float32)
    names = np.array([f"{place}{row:06d}" for row in range(count)])
    return replace(many, images=np.clip(images, 0.0, 1.0), patients=names)
