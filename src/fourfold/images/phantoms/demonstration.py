"""Three folders with planted truth: what a first look at Fourfold is run on.

The "generator" of the demonstration copies some of its training images in disguise, draws half of the others out of
focus, has never seen one of the two subgroups, and mislabels some: one defect for each of the four questions.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from fourfold.errors import InputError
from fourfold.images.phantoms.defects import blur, drop_subgroup, flip_labels, plant_copies
from fourfold.images.phantoms.population import Kind, phantoms
from fourfold.images.sources import open_set
from fourfold.images.write import write_images

__all__ = ["Demonstration", "write_demonstration"]

DISGUISES = ("exact", "noise", "brightness", "rotate", "rotate+noise")


@dataclass(frozen=True)
class Demonstration:
    """What was planted.

    Parameters
    ----------
    copies : mapping of str to str
        Path of each planted copy within the synthetic folder, and of its source within the training folder.
    sentences : tuple of str
        Each defect and its dose.
    """

    copies: dict[str, str]
    sentences: tuple[str, ...]


def write_demonstration(
    folder: str | os.PathLike[str], *, kind: Kind = "chest", patients: int = 300, size: int = 64, seed: int = 0
) -> Demonstration:
    """Write the folders ``training``, ``holdout`` and ``synthetic``.

    Parameters
    ----------
    folder : path
        New or empty.
    kind : {"chest", "brain"}
    patients : int
        Patients of the training set and of the holdout, at least 20.
    size : int
        Side of the images in pixels.
    seed : int

    Raises
    ------
    InputError
        Where the folder holds something or cannot be written, or `patients` is too small.
    """
    folder = Path(folder)
    if patients < 20:
        raise InputError(f"a demonstration needs at least 20 patients, got {patients}")
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise InputError(f"{folder}: is not an empty folder; choose another place or empty it")
    draw = {"kind": kind, "size": size, "seed": seed, "images_per_patient": (1, 2)}
    training = phantoms(patients=patients, **draw)
    holdout = phantoms(patients=patients, first_patient=patients, **draw)
    fresh = phantoms(patients=3 * patients, first_patient=2 * patients, **draw)
    missing = str(np.unique(fresh.subgroups)[0])
    one_sided, _ = drop_subgroup(fresh, missing)
    one_sided = one_sided.take(np.arange(min(len(one_sided), len(training))))
    images = one_sided.images.copy()
    soft = np.random.default_rng([seed, 7]).random(len(images)) < 0.5
    images[soft] = blur(images[soft], 0.8)[0]
    labels, mislabelled = flip_labels(one_sided.labels, 0.35, seed=seed)
    images, planted = plant_copies(images, training.images, 0.03, DISGUISES, seed=seed)
    labels[planted.rows] = training.labels[planted.sources[planted.rows]]
    real = training.write(folder / "training")
    holdout.write(folder / "holdout")
    write_images(images, folder / "synthetic", labels=labels)
    paths = open_set(folder / "synthetic", name="synthetic").paths
    return Demonstration(
        copies={paths[row]: str(real[planted.sources[row]]) for row in planted.rows},
        sentences=(
            f"privacy: {len(planted)} of {len(images)} images copy one of the {len(training)} training images "
            f"({', '.join(DISGUISES)})",
            f"fidelity: {int(soft.sum())} images are out of focus",
            f"variety: the subgroup {missing!r} is missing",
            f"utility: {len(mislabelled)} labels are wrong",
        ),
    )
