"""Who plays which part in a release: real patients who calibrate the choice of images, and others who judge it.

What was calibrated on a patient cannot be judged by the same patient. The reference set calibrates, where there is one,
and the whole holdout judges; otherwise the holdout's patients are halved.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from fourfold.comparison import Sets
from fourfold.errors import InputError
from fourfold.images import ImageSet, Preparation, split_by_patient

__all__ = ["FEWEST_CALIBRATION", "Roles", "roles_of"]

FEWEST_CALIBRATION = 40
"""Real images of patients who calibrate the screen, at least."""


@dataclass(frozen=True)
class Roles:
    """The real sets of a release, prepared.

    Parameters
    ----------
    training : ImageSet
        Whom the generator saw; every candidate is screened against all of them.
    calibration : ImageSet
        Whom the screen, the gates and the choice of images are calibrated on.
    judging : ImageSet
        The holdout of the audit: nobody who took part in a decision.
    halved : bool
        Whether calibration and judging are halves of one holdout.
    """

    training: ImageSet
    calibration: ImageSet
    judging: ImageSet
    halved: bool

    @property
    def preparation(self) -> Preparation:
        """Of all sets; raises ValueError where they are not prepared."""
        found = self.training.preparation
        if found is None:
            raise ValueError("the sets of a release are prepared")
        return found

    def describe(self) -> dict[str, dict[str, int]]:
        """Images and patients of each part."""
        parts = {"training": self.training, "calibration": self.calibration, "judging": self.judging}
        return {
            name: {"images": len(images), "patients": len(np.unique(images.patients))} for name, images in parts.items()
        }


def roles_of(sets: Sets, seed: int) -> Roles:
    """Deal the parts.

    Parameters
    ----------
    sets : Sets
        Prepared, with a holdout; near-duplicate groups stand in where there are no patients.
    seed : int
        Of the halving.

    Raises
    ------
    InputError
        Where there are too few patients to calibrate on.
    """
    if sets.holdout is None:
        raise InputError(
            "a release needs a holdout: images of patients that the generator never saw; "
            "`fourfold split` sets some aside before training"
        )
    if sets.reference is not None:
        roles = Roles(sets.training, sets.reference, sets.holdout, halved=False)
    else:
        parts = split_by_patient(sets.holdout, {"calibration": 0.5, "judging": 0.5}, seed)
        roles = Roles(sets.training, parts["calibration"], parts["judging"], halved=True)
    if len(roles.calibration) < FEWEST_CALIBRATION:
        which = "half of the holdout" if roles.halved else "the reference set"
        raise InputError(
            f"{which} holds {len(roles.calibration)} images to calibrate the screen on, and {FEWEST_CALIBRATION} are "
            "needed; give a larger holdout, or further patients with --reference"
        )
    return roles
