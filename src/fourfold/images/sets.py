"""An image set: what is in it, without holding it in memory.

An `ImageSet` is a list of entries (one image each: a file, a frame, a slice or a row of an array) and a way
to decode them. Once prepared (one scaling rule, one size, one number of channels, the same for the sets that
are compared) it gives float32 images in [0, 1].
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np

from fourfold.errors import UnreadableImage
from fourfold.images.formats import Decoded

__all__ = ["Entry", "ImageSet", "Preparation", "Skipped"]


@dataclass(frozen=True)
class Entry:
    """One image of a set.

    Parameters
    ----------
    path : str
        How the user knows it: relative to the set's root, with ``#frame`` or ``[row]`` where a file holds several.
    file : Path or None
        The file on disk, None for arrays in memory.
    files : tuple of Path
        The slices of a volume in order, where a volume is a series of files; `file` is then the first of them.
    index : int or None
        Frame, slice or row within the file.
    label : str or None
        The class, where there is exactly one.
    labels : mapping of str to float
        Named targets from ``label:NAME`` columns (multi-label).
    patient : str or None
    mask : Path or None
    columns : mapping of str to str
        Every other column of the metadata.
    """

    path: str
    file: Path | None = None
    files: tuple[Path, ...] = ()
    index: int | None = None
    label: str | None = None
    labels: Mapping[str, float] = field(default_factory=dict)
    patient: str | None = None
    mask: Path | None = None
    columns: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Skipped:
    """A file that was left out, and why: a value that reaches the report."""

    path: str
    reason: str


@dataclass(frozen=True)
class Preparation:
    """How decoded values become float32 in [0, 1] of one shape; recorded in every report.

    Parameters
    ----------
    rule : {"range", "per-image"}
        ``"range"``: (value - low) / (high - low), clipped. ``"per-image"``: the same with `low` and `high` read
        as percentiles of each image.
    low, high : float
    shape : tuple of int
        Spatial shape (H, W) or (D, H, W).
    channels : int
        1 or 3.
    resized : bool
        Whether images of another shape are resampled to `shape` (area/antialiased) rather than refused.
    converted : bool
        Whether images with another number of channels are converted rather than refused.
    """

    rule: str
    low: float
    high: float
    shape: tuple[int, ...]
    channels: int
    resized: bool = False
    converted: bool = False

    def describe(self) -> dict[str, Any]:
        """The rule as JSON can hold it."""
        return {
            "rule": self.rule,
            "low": self.low,
            "high": self.high,
            "shape": list(self.shape),
            "channels": self.channels,
            "resized": self.resized,
            "converted": self.converted,
        }


Decoder = Callable[[Entry], np.ndarray]


@dataclass(frozen=True)
class ImageSet:
    """A lazy set of images.

    Parameters
    ----------
    name : str
        How messages and reports call it: ``"training"``, ``"holdout"``, ``"synthetic"`` or a folder's name.
    entries : tuple of Entry
    decode : callable
        Entry to native values, channels first: ``(C, H, W)`` or ``(C, D, H, W)``, before any scaling to [0, 1]
        (modality rescale, photometric inversion and palette already applied). Must be picklable where `workers`
        is used.
    root : Path or None
        Where the paths start.
    preparation : Preparation or None
        None until the set is prepared together with the sets it is compared with.
    skipped : tuple of Skipped
        What was left out under ``skip_broken``.
    ignored : tuple of Skipped
        Files in the folder that are not taken for images: hidden files, the litter of file managers, notes.
    """

    name: str
    entries: tuple[Entry, ...]
    decode: Decoder = field(repr=False)
    root: Path | None = None
    preparation: Preparation | None = None
    skipped: tuple[Skipped, ...] = ()
    ignored: tuple[Skipped, ...] = ()

    def __len__(self) -> int:
        return len(self.entries)

    @property
    def paths(self) -> list[str]:
        """How the user knows each image."""
        return [entry.path for entry in self.entries]

    @property
    def labels(self) -> np.ndarray | None:
        """Classes as an array of str, None unless every image has one."""
        values = [entry.label for entry in self.entries]
        return None if not values or None in values else np.array(values, dtype=str)

    @property
    def patients(self) -> np.ndarray | None:
        """Patient identifiers as an array of str, None unless every image has one."""
        values = [entry.patient for entry in self.entries]
        return None if not values or None in values else np.array(values, dtype=str)

    @property
    def shape(self) -> tuple[int, ...]:
        """Shape of one prepared image, (C, H, W) or (C, D, H, W)."""
        if self.preparation is None:
            raise ValueError(f"the {self.name} set is not prepared")
        return (self.preparation.channels, *self.preparation.shape)

    def take(self, rows: Sequence[int] | np.ndarray) -> ImageSet:
        """The chosen images, in that order."""
        return replace(self, entries=tuple(self.entries[int(row)] for row in rows))

    @classmethod
    def from_array(
        cls,
        images: np.ndarray,
        *,
        name: str = "array",
        labels: Sequence[str] | None = None,
        patients: Sequence[str] | None = None,
    ) -> ImageSet:
        """A set held in memory.

        Parameters
        ----------
        images : array, shape (N, C, H, W) or (N, C, D, H, W), C = 1 or 3
        labels, patients : sequences of length N or None
        """
        from fourfold.images.arrays import ArrayDecoder

        entries = tuple(
            Entry(
                path=f"{name}[{row}]",
                index=row,
                label=None if labels is None else str(labels[row]),
                patient=None if patients is None else str(patients[row]),
            )
            for row in range(len(images))
        )
        return cls(name=name, entries=entries, decode=ArrayDecoder(np.asarray(images)))

    def raw(self, row: int) -> np.ndarray:
        """Native values of one image, channels first.

        Raises
        ------
        UnreadableImage
            Where the file cannot be read, or holds NaN or infinity.
        """
        return self.decoded(row).values

    def decoded(self, row: int) -> Decoded:
        """As `raw`, with the range that the format promises, where it promises one."""
        entry = self.entries[row]
        read = getattr(self.decode, "read", None)
        found = Decoded(self.decode(entry)) if read is None else read(entry)
        values = found.values
        if values.dtype.kind == "f" and not np.isfinite(values).all():
            wrong = int(values.size - np.isfinite(values).sum())
            problem = f"holds {wrong} values that are not finite (NaN or infinity)"
            raise UnreadableImage(entry.path, problem, "replace them or remove the file")
        return found

    def load(self, rows: Sequence[int] | np.ndarray | None = None) -> np.ndarray:
        """Prepared images.

        Parameters
        ----------
        rows : sequence of int or None
            None for all; only for sets known to be small.

        Returns
        -------
        array, shape (B, C, H, W) or (B, C, D, H, W)
            float32 in [0, 1].
        """
        from fourfold.images.prepare import apply

        chosen = range(len(self)) if rows is None else rows
        images = np.empty((len(chosen), *self.shape), dtype=np.float32)
        for place, row in enumerate(chosen):
            images[place] = apply(self.preparation, self.raw(int(row)), self.entries[int(row)].path)
        return images

    def batches(self, batch_size: int, workers: int = 0) -> Iterator[tuple[int, np.ndarray]]:
        """Prepared images in order, as (first row, batch).

        Parameters
        ----------
        batch_size : int
        workers : int
            Number of processes that decode; 0 decodes in this one. Sets held in memory are never sent to workers.
            At most ``2 * workers`` batches wait at a time, so that memory does not grow with the set.

        Yields
        ------
        (int, array of shape (B, C, H, W) or (B, C, D, H, W))
            float32 in [0, 1].
        """
        from fourfold.images.workers import in_order

        parts = [range(start, min(start + batch_size, len(self))) for start in range(0, len(self), batch_size)]
        in_memory = any(entry.file is None for entry in self.entries[:1])
        batches = map(self.load, parts) if in_memory else in_order(self.load, parts, workers)
        for part, images in zip(parts, batches, strict=True):
            yield part.start, images

    def digests(self) -> list[str]:
        """SHA-256 of each image's content (bytes of the file and the place in it), never of its name."""
        known: dict[Path, str] = {}

        def digest(file: Path) -> str:
            if file not in known:
                if file.is_dir():
                    inside = sorted(item for item in file.rglob("*") if item.is_file())
                    known[file] = hashlib.sha256("".join(map(digest, inside)).encode()).hexdigest()
                else:
                    with file.open("rb") as stream:
                        known[file] = hashlib.file_digest(stream, "sha256").hexdigest()
            return known[file]

        reading = getattr(self.decode, "reading", None)
        manner = "" if reading is None else reading.manner
        found = []
        for row, entry in enumerate(self.entries):
            if entry.file is None:
                found.append(hashlib.sha256(np.ascontiguousarray(self.raw(row)).tobytes()).hexdigest())
            elif entry.files:
                found.append(hashlib.sha256("".join(map(digest, entry.files)).encode()).hexdigest() + manner)
            else:
                place = "" if entry.index is None else f"#{entry.index}"
                found.append(digest(entry.file) + place + manner)
        return found
