"""Where the patients of a study come from: phantoms, whose law is known, or images of the user's own.

A cell asks for disjoint groups of patients by a seed, and gets the same ones whenever it asks again.
"""

from __future__ import annotations

import hashlib
from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, Literal

import numpy as np

from fourfold.errors import InputError
from fourfold.images import ImageSet, near_duplicate_groups
from fourfold.images.digest import set_digest
from fourfold.images.phantoms import phantoms
from fourfold.images.prepare import prepare
from fourfold.images.reading import Reading

__all__ = ["OwnImages", "PhantomImages", "Source", "own_images"]

# Phantom patients of one seed lie this far from those of the next.
_APART = 1_000_000


class Source(ABC):
    """A supply of patients.

    Attributes
    ----------
    name : str
        As the page calls it.
    """

    name: str

    @abstractmethod
    def deal(self, seed: int, sizes: Mapping[str, int]) -> dict[str, ImageSet]:
        """Disjoint groups of patients.

        Parameters
        ----------
        seed : int
        sizes : mapping of str to int
            Images of each set, for example ``{"training": 200, "holdout": 200}``. Patients stay whole, so a set may
            have a few images less.

        Returns
        -------
        dict of str to ImageSet
            Prepared alike, in memory.

        Raises
        ------
        InputError
            Where there are not enough images.
        """

    @property
    @abstractmethod
    def digest(self) -> str:
        """SHA-256 of what decides every image: cells of another source are computed anew."""

    @abstractmethod
    def describe(self) -> dict[str, Any]:
        """What the page says, without a path or an identifier."""


@dataclass(frozen=True)
class PhantomImages(Source):
    """Phantom patients, new ones for every seed.

    Parameters
    ----------
    kind : {"chest", "brain"}
    size : int
        Side in pixels.
    """

    kind: Literal["chest", "brain"] = "chest"
    size: int = 32

    @property
    def name(self) -> str:
        """Kind and size."""
        return f"{self.kind} phantoms of {self.size} x {self.size} pixels"

    def deal(self, seed: int, sizes: Mapping[str, int]) -> dict[str, ImageSet]:
        """Each set from patients of its own."""
        found = {}
        for place, (name, images) in enumerate(sizes.items()):
            # Patients have one to three images: as many patients as images are enough.
            drawn = phantoms(
                self.kind,
                images,
                size=self.size,
                seed=seed,
                first_patient=place * _APART,
            )
            rows = _whole_patients(drawn.patients, images, np.arange(images))
            found[name] = drawn.take(rows).to_image_set(name)
        return prepare(found, scaling="0:1")

    @property
    def digest(self) -> str:
        """Of kind and size."""
        return hashlib.sha256(f"phantoms/{self.kind}/{self.size}".encode()).hexdigest()

    def describe(self) -> dict[str, Any]:
        """Kind and size."""
        return {"kind": f"{self.kind} phantoms", "size": self.size}


@dataclass(frozen=True)
class OwnImages(Source):
    """Images of a user, dealt by patient.

    Parameters
    ----------
    images : ImageSet
        Prepared.
    groups : array of int, shape (N,)
        Patients, or groups of near-duplicates where patients are not known.
    known : bool
        Whether they are patients.
    """

    images: ImageSet
    groups: np.ndarray
    known: bool

    @property
    def name(self) -> str:
        """Size and number."""
        shape = " x ".join(str(length) for length in self.images.shape[1:])
        return f"{len(self.images)} images of {shape} pixels"

    def deal(self, seed: int, sizes: Mapping[str, int]) -> dict[str, ImageSet]:
        """Patients in a random order, to one set after the other, within the class that most of their images have."""
        if sum(sizes.values()) > len(self.images):
            raise InputError(
                f"the study needs {sum(sizes.values())} images and there are {len(self.images)}; "
                "give more images; the quick size needs the fewest"
            )
        rng = np.random.default_rng([seed, 41])
        strata = _strata(self.groups, self.images.labels)
        left = np.ones(len(self.images), dtype=bool)
        order = rng.permutation(int(self.groups.max()) + 1)
        rank = np.argsort(order)[self.groups]
        found = {}
        for name, images in sizes.items():
            rows = np.flatnonzero(left)
            rows = rows[np.argsort(rank[rows], kind="stable")]
            chosen = _by_class(rows, self.groups, strata, images)
            left[np.isin(self.groups, self.groups[chosen])] = False
            found[name] = replace(self.images.take(chosen), name=name)
        short = next((name for name, own in found.items() if len(own) < 0.8 * sizes[name]), None)
        if short is not None:
            raise InputError(
                f"whole patients give {len(found[short])} images to the {short} set, and the study needs "
                f"{sizes[short]}; give images of more patients; the quick size needs the fewest"
            )
        return found

    @property
    def digest(self) -> str:
        """Of contents, patients and preparation."""
        described = repr(self.images.preparation.describe() if self.images.preparation else {})
        return hashlib.sha256((set_digest(self.images, patients=self.groups) + described).encode()).hexdigest()

    def describe(self) -> dict[str, Any]:
        """Numbers and digest."""
        return {
            "kind": "own images",
            "images": len(self.images),
            "patients" if self.known else "groups of near-duplicates": int(self.groups.max()) + 1,
            "sha256": self.digest,
        }


def own_images(source: Any, reading: Reading) -> OwnImages:
    """A user's images as a source.

    Parameters
    ----------
    source
        Whatever `fourfold.open_set` opens.
    reading : Reading

    Raises
    ------
    InputError
        As for opening and preparing a set.
    """
    opened = reading.prepare({"training": reading.open_one(source, "training")})["training"]
    known = opened.patients is not None
    groups = np.unique(opened.patients, return_inverse=True)[1] if known else near_duplicate_groups(opened)
    return OwnImages(opened, groups.astype(np.int64), known)


def _whole_patients(patients: np.ndarray, images: int, order: np.ndarray) -> np.ndarray:
    """Rows of the first patients whose images fit, ascending."""
    codes = np.unique(patients, return_inverse=True)[1]
    sizes = np.bincount(codes)
    first = list(dict.fromkeys(codes[order].tolist()))
    fits = np.cumsum(sizes[first]) <= images
    chosen = np.asarray(first)[fits]
    return np.flatnonzero(np.isin(codes, chosen))


def _by_class(rows: np.ndarray, groups: np.ndarray, strata: np.ndarray, images: int) -> np.ndarray:
    """Of these rows those of whole patients, ascending: each class with the share of `images` that it has of all."""
    chosen = []
    for stratum in np.unique(strata):
        own = rows[strata[rows] == stratum]
        share = round(images * float(np.mean(strata == stratum)))
        if len(own) and share:
            chosen.append(own[_whole_patients(groups[own], share, np.arange(len(own)))])
    return np.sort(np.concatenate(chosen)) if chosen else rows[:0]


def _strata(groups: np.ndarray, labels: np.ndarray | None) -> np.ndarray:
    """For each image the class that most images of its patient have, as a number; 0 where there are no classes."""
    if labels is None:
        return np.zeros(len(groups), dtype=np.int64)
    codes = np.unique(labels, return_inverse=True)[1]
    table = np.zeros((int(groups.max()) + 1, int(codes.max()) + 1), dtype=np.int64)
    np.add.at(table, (groups, codes), 1)
    return table.argmax(axis=1)[groups]
