"""A control of other people: images and patients that two real sets share.

Large public sets hold a few films that were filed under two patients. Those are left out of the control, and said so;
beyond that, or where patients are shared, the control is none.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from fourfold.errors import InputError
from fourfold.images.sets import ImageSet

__all__ = ["STRAY_SHARE", "without_leakage"]

# Up to this share of a control, images that are also in the other set are taken for strays and left out.
STRAY_SHARE = 0.01


def without_leakage(
    control: ImageSet, other: ImageSet, contents: Sequence[str] | None = None, others: Sequence[str] | None = None
) -> tuple[ImageSet, str]:
    """The control without stray images of another set, and a sentence about them, empty where there are none.

    Parameters
    ----------
    control, other : ImageSet
        Messages call them by their names.
    contents, others : sequence of str or None
        What `ImageSet.digests` gives for the two, where it is at hand.

    Raises
    ------
    InputError
        Where they share a patient, or more images than strays.
    """
    if control.patients is not None and other.patients is not None:
        both = set(other.patients) & set(control.patients)
        if both:
            rows = np.flatnonzero(np.isin(control.patients, list(both)))
            raise InputError(
                f"the {control.name} shares {len(both)} patients ({len(rows)} images) with the {other.name} set, for "
                f"example the patient of {control.paths[rows[0]]}; a {control.name} must hold other patients: "
                "split by patient (fourfold check lists the shared ones)"
            )
    row_of = {digest: row for row, digest in enumerate(other.digests() if others is None else others)}
    contents = control.digests() if contents is None else contents
    shared = [row for row, digest in enumerate(contents) if digest in row_of]
    if not shared:
        return control, ""
    if len(shared) > STRAY_SHARE * len(control):
        twin = other.paths[row_of[contents[shared[0]]]]
        raise InputError(
            f"the {control.name} shares {len(shared)} of {len(control)} images with the {other.name} set, for example "
            f"{control.paths[shared[0]]} is {twin}; a {control.name} must hold other patients: "
            "remove the shared images (fourfold check lists them)"
        )
    return control.take(np.setdiff1d(np.arange(len(control)), shared)), (
        f"{len(shared)} of {len(control)} {control.name} images are also in the {other.name} set and were left out of "
        f"the {control.name} (fourfold check lists them)."
    )
