"""The audit of the very files that would be released, on patients who took part in no decision about them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import date
from pathlib import Path
from typing import Any

import numpy as np

from fourfold.auditing import Audit, audit
from fourfold.comparison import Progress
from fourfold.images import ImageSet
from fourfold.images.formats import Decoded
from fourfold.images.sets import Decoder, Entry, Preparation
from fourfold.privacy import Policy
from fourfold.releasing.package import Form, open_images
from fourfold.releasing.roles import Roles

__all__ = ["BESIDE", "audited", "on_the_scale_of"]

BESIDE = ("fidelity", "variety", "utility")
"""What the report says beside privacy."""


@dataclass(frozen=True)
class OnScale:
    """Decodes as another decoder does, with values from 0 to `top` read as those from `low` to `high`.

    Parameters
    ----------
    decode : callable
    top, low, high : float
    """

    decode: Decoder
    top: float
    low: float
    high: float

    @property
    def reading(self) -> Any:
        """How files are read, which a digest depends on."""
        return getattr(self.decode, "reading", None)

    def __call__(self, entry: Entry) -> np.ndarray:
        """Native values of one image."""
        return self.read(entry).values

    def read(self, entry: Entry) -> Decoded:
        """The same, without a range that the format promises: it is another one now."""
        values = np.asarray(self.decode(entry), dtype=np.float32)
        return Decoded(np.float32(self.low) + values * np.float32((self.high - self.low) / self.top))


def on_the_scale_of(images: ImageSet, form: Form, bits: int, preparation: Preparation) -> ImageSet:
    """Images of a package in the values of the training set, so that both are compared as they are.

    A package holds the whole range of its format, whatever the training set's values were.

    Parameters
    ----------
    images : ImageSet
        As `open_images` opens them.
    form : {"png", "nifti", "dicom"}
    bits : {8, 16}
    preparation : Preparation
        Of the training set.
    """
    if preparation.rule != "range":
        return images
    # A display window of DICOM is read as 0 to 255, a NIfTI volume of the package as fractions.
    top = {"png": float(2**bits - 1), "nifti": 1.0, "dicom": 255.0}[form]
    return replace(images, decode=OnScale(images.decode, top, preparation.low, preparation.high))


def audited(
    folder: Path,
    form: Form,
    bits: int,
    roles: Roles,
    *,
    policy: Policy,
    features: Sequence[Any],
    split: Any,
    split_by: str,
    day: date,
    seed: int,
    memory: int,
    device: str,
    store: Path,
    progress: Progress,
) -> Audit:
    """The full audit, with the other three answers beside it.

    Parameters
    ----------
    folder : Path
        Where `write_pictures` wrote the images.
    form, bits
        Of the images.
    roles : Roles
    policy : Policy
    features : sequence of str or FeatureExtractor
        Others than those that the screen looked at.
    split, split_by, day
        As for `fourfold.auditing.audit`.
    seed, memory, device, progress
        As everywhere.
    store : Path
        Where features and scores are kept, so that an interrupted audit goes on.
    """
    preparation = roles.preparation
    images = on_the_scale_of(open_images(folder, form), form, bits, preparation)
    found = audit(
        images,
        roles.training,
        roles.judging,
        policy=policy,
        beside=BESIDE,
        split=split,
        split_by=split_by,
        day=day,
        features=features,
        size=preparation.shape if preparation.resized else None,
        channels=preparation.channels if preparation.converted else None,
        scaling=_scaling(preparation),
        seed=seed,
        memory=memory,
        device=device,
        store=store,
        progress=progress,
    )
    # How long it took is different each time it is made, and no two packages of one release may differ.
    settings = {name: value for name, value in found.evaluation.settings.items() if name != "seconds"}
    return replace(found, evaluation=replace(found.evaluation, settings=settings))


def _scaling(preparation: Preparation) -> str:
    return "per-image" if preparation.rule == "per-image" else f"{preparation.low!r}:{preparation.high!r}"
