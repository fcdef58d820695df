"""Populations of phantom patients, as many as anybody asks for.

Patient p of a seed is the same person, and their image i the same image, whatever is asked beside them: every patient
and every image has a random stream of its own. Two ranges of patients that do not overlap are two samples of one law,
so every null can be checked against fresh patients.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass, fields, replace
from typing import Any, Literal

import numpy as np

from fourfold.errors import InputError
from fourfold.images.phantoms.acquisition import Acquisition, acquire, draw_acquisition, pose
from fourfold.images.phantoms.brain import draw_brain, draw_brain_lesion, render_brain
from fourfold.images.phantoms.chest import draw_chest, draw_chest_lesion, render_chest
from fourfold.images.phantoms.fields import grid_coordinates
from fourfold.images.sets import ImageSet

__all__ = ["Kind", "Phantoms", "phantoms"]

Kind = Literal["chest", "brain"]


@dataclass(frozen=True)
class _Law:
    """How patients of one kind are drawn; `code` separates the random streams of the kinds."""

    code: int
    subgroup: str
    groups: tuple[str, str]
    draw: Callable[..., Any]
    draw_lesion: Callable[..., Any]
    render: Callable[..., tuple[np.ndarray, np.ndarray]]


_LAWS = {
    "chest": _Law(1, "sex", ("F", "M"), draw_chest, draw_chest_lesion, render_chest),
    "brain": _Law(2, "scanner", ("B", "A"), draw_brain, draw_brain_lesion, render_brain),
}
_PERSON, _ANATOMY, _LESION, _IMAGES = 0, 1, 2, 3


@dataclass(frozen=True, eq=False)
class Phantoms:
    """Images with everything that is true about them.

    Parameters
    ----------
    kind : {"chest", "brain"}
    images : array, shape (N, 1, H, W) or (N, 1, D, H, W)
        float32 in [0, 1].
    labels : array of str, shape (N,)
        The class; a patient's images share it.
    patients : array of str, shape (N,)
        For example ``"P00012"``.
    masks : array of bool, shape of `images`
        Where the lesion is; nothing for the class without one.
    subgroups : array of str, shape (N,)
        Chest: sex, ``"F"`` or ``"M"``. Brain: scanner, ``"A"`` or ``"B"``. They look different.
    acquisition : array, shape (N, 10)
        float32, a row an image, the columns as in `acquisition_names`.
    """

    kind: Kind
    images: np.ndarray
    labels: np.ndarray
    patients: np.ndarray
    masks: np.ndarray
    subgroups: np.ndarray
    acquisition: np.ndarray

    def __len__(self) -> int:
        return len(self.images)

    @property
    def subgroup(self) -> str:
        """What the subgroups are: ``"sex"`` or ``"scanner"``."""
        return _LAWS[self.kind].subgroup

    @property
    def acquisition_names(self) -> tuple[str, ...]:
        """The columns of `acquisition`; see `fourfold.images.phantoms.acquisition.Acquisition`."""
        return Acquisition.names()

    def take(self, rows: Sequence[int] | np.ndarray) -> Phantoms:
        """The chosen images (row numbers or a boolean choice), in that order."""
        rows = np.asarray(rows)
        rows = rows if rows.dtype == bool else rows.astype(np.intp)
        return replace(self, **{name: getattr(self, name)[rows] for name in _columns()})

    @classmethod
    def concatenate(cls, parts: Sequence[Phantoms]) -> Phantoms:
        """Several populations of one kind and size as one.

        Raises
        ------
        InputError
            Where there is none, or kinds or sizes differ.
        """
        if not parts:
            raise InputError("nothing to concatenate; give at least one population of phantoms")
        if len({(part.kind, part.images.shape[1:]) for part in parts}) > 1:
            raise InputError("phantoms of different kinds or sizes cannot be concatenated; generate them alike")
        joined = {name: np.concatenate([getattr(part, name) for part in parts]) for name in _columns()}
        return replace(parts[0], **joined)

    def to_image_set(self, name: str = "phantoms") -> ImageSet:
        """The same images as a set in memory, with labels, patients and the subgroup as a column."""
        found = ImageSet.from_array(self.images, name=name, labels=list(self.labels), patients=list(self.patients))
        entries = tuple(
            replace(entry, columns={**entry.columns, self.subgroup: str(group)})
            for entry, group in zip(found.entries, self.subgroups, strict=True)
        )
        return replace(found, entries=entries)

    def write(self, folder: str | os.PathLike[str], *, bits: int = 8) -> list[str]:
        """Write class folders of PNG (2-D) or NIfTI (3-D) files, masks and ``metadata.csv``.

        Parameters
        ----------
        folder : path
            Must not exist, or be empty. It appears whole or not at all.
        bits : {8, 16}
            Depth of the PNG files; NIfTI volumes hold float32.

        Returns
        -------
        list of str, length N
            Path of each image within the folder, for example ``"lesion/P00012_00.png"``.

        Raises
        ------
        InputError
            Where the folder holds files already or cannot be written.
        """
        from fourfold.images.phantoms.storage import write_phantoms

        return write_phantoms(self, folder, bits=bits)


def phantoms(
    kind: Kind = "chest",
    patients: int = 200,
    *,
    images_per_patient: int | tuple[int, int] = (1, 3),
    size: int | tuple[int, ...] = 64,
    spatial_dims: int | None = None,
    seed: int = 0,
    first_patient: int = 0,
    classes: tuple[str, str] = ("normal", "lesion"),
    prevalence: float = 0.4,
) -> Phantoms:
    """Draw phantom patients and their images.

    Parameters
    ----------
    kind : {"chest", "brain"}
        2-D: a frontal radiograph, an axial T1-like slice. 3-D: a chest CT, a head.
    patients : int
        How many patients.
    images_per_patient : int or (int, int)
        A number, or the smallest and largest number, drawn uniformly for each patient.
    size : int or tuple of int
        Side of a square (or cube), or (H, W), or (D, H, W). The anatomy fills the image whatever its sides.
    spatial_dims : {2, 3} or None
        None: as many as `size` has, 2 for a single number.
    seed, first_patient : int
        Patients ``first_patient`` to ``first_patient + patients - 1`` of the world `seed`.
    classes : (str, str)
        Names of the class without and the class with a lesion.
    prevalence : float
        Probability that a patient belongs to the second class, in [0, 1].

    Returns
    -------
    Phantoms

    Raises
    ------
    InputError
        Where an argument is out of range.

    Examples
    --------
    >>> training = phantoms("chest", 5, images_per_patient=2, size=32)
    >>> fresh = phantoms("chest", 5, images_per_patient=2, size=32, first_patient=5)
    >>> training.images.shape, sorted(set(training.patients) & set(fresh.patients))
    ((10, 1, 32, 32), [])
    """
    law, shape, counts = _checked(kind, patients, images_per_patient, size, spatial_dims, seed, first_patient)
    if len(classes) != 2 or classes[0] == classes[1]:
        raise InputError(f"classes must be two different names, got {classes!r}")
    unfit = [name for name in classes if not name or set(name) & set("/\\:") or name in (".", "..", "masks")]
    if unfit:
        raise InputError(f"a class becomes a folder, which cannot be called {unfit[0]!r}; choose another name")
    if not 0 <= prevalence <= 1:
        raise InputError(f"prevalence must lie in [0, 1], got {prevalence!r}")
    grid, pixel = grid_coordinates(shape)
    images, masks, rows, people = [], [], [], []
    for number in range(first_patient, first_patient + patients):
        person = np.random.default_rng([seed, law.code, number, _PERSON])
        ill, group = person.uniform() < prevalence, int(person.uniform() < 0.5)
        count = int(person.integers(counts[0], counts[1] + 1))
        anatomy = law.draw(np.random.default_rng([seed, law.code, number, _ANATOMY]), group == 0, len(shape), pixel)
        lesion = None
        if ill:
            lesion = law.draw_lesion(np.random.default_rng([seed, law.code, number, _LESION]), anatomy, len(shape))
        for image in range(count):
            rng = np.random.default_rng([seed, law.code, number, _IMAGES + image])
            taken = draw_acquisition(rng, len(shape))
            clean, mask = law.render(anatomy, pose(grid, taken), pixel, taken.breath, lesion)
            images.append(acquire(clean, taken, rng))
            masks.append(mask)
            rows.append(taken.row())
            people.append((f"P{number:05d}", classes[int(ill)], law.groups[group]))
    names, labels, subgroups = (np.array(column, dtype=str) for column in zip(*people, strict=True))
    return Phantoms(
        kind=kind,
        images=np.stack(images)[:, None],
        labels=labels,
        patients=names,
        masks=np.stack(masks)[:, None],
        subgroups=subgroups,
        acquisition=np.asarray(rows, dtype=np.float32),
    )


def _columns() -> list[str]:
    return [field.name for field in fields(Phantoms) if field.name != "kind"]


def _checked(
    kind: str,
    patients: int,
    images_per_patient: int | tuple[int, int],
    size: int | tuple[int, ...],
    spatial_dims: int | None,
    seed: int,
    first_patient: int,
) -> tuple[_Law, tuple[int, ...], tuple[int, int]]:
    """The law, the shape of an image and the range of images a patient."""
    if kind not in _LAWS:
        raise InputError(f"there are no phantoms of kind {kind!r}; choose from {', '.join(_LAWS)}")
    if patients < 1:
        raise InputError(f"patients must be at least 1, got {patients}")
    if seed < 0 or first_patient < 0:
        raise InputError(f"seed and first_patient must not be negative, got {seed} and {first_patient}")
    shape = (size,) * (spatial_dims or 2) if isinstance(size, int) else tuple(int(side) for side in size)
    if len(shape) not in (2, 3) or (spatial_dims is not None and len(shape) != spatial_dims):
        raise InputError(f"size must be a number, (H, W) or (D, H, W) that agrees with spatial_dims, got {size!r}")
    if min(shape) < 16:
        raise InputError(f"phantoms need at least 16 pixels a side to hold an anatomy, got {size!r}")
    low, high = (images_per_patient,) * 2 if isinstance(images_per_patient, int) else images_per_patient
    if not 1 <= low <= high:
        raise InputError(f"images_per_patient must be at least 1 and in order, got {images_per_patient!r}")
    return _LAWS[kind], shape, (low, high)
