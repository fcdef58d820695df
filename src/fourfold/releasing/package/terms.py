"""What a released set is for and what not: said once, for the datasheet, ``README.txt`` and ``croissant.json``."""

from __future__ import annotations

__all__ = ["FORBIDDEN", "LIMITS", "USES", "maintenance"]

USES = (
    "Development and teaching of image analysis where images of patients cannot be shared.",
    "Training of models that are then tested on images of patients.",
    "Tests of software that reads, stores or shows medical images.",
)

FORBIDDEN = (
    "Not for diagnosis, treatment or any decision about a person.",
    "Not as evidence that a device or model works on patients: that needs images of patients.",
    "Not for attempts to find out who was among the training patients, or to link images to a person.",
)

LIMITS = (
    "Privacy: the statement says which attacks were tried and what they achieved. That is evidence, not proof, and "
    "says nothing about attacks that were not tried.",
    "Privacy: together with further sets made from the same patients more may be learnt than from this one alone.",
    "Content: images may show anatomy or disease that does not exist, and labels may be wrong.",
)


def maintenance(expires: str) -> str:
    """Until when a release holds and what follows then, in a sentence.

    Parameters
    ----------
    expires : str
        Last day of the statement.
    """
    return (
        f"The privacy statement holds until {expires}. Then the audit must be repeated, and a release whose audit is "
        "not repeated should no longer be passed on. A release is never changed: a corrected one has another "
        "fingerprint."
    )
