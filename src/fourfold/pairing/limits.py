"""What limits the answer about pairs, and what looks as if something had gone wrong, a sentence each."""

from __future__ import annotations

from collections.abc import Sequence

from fourfold.images import Preparation
from fourfold.pairing.results import PairedValues
from fourfold.resampling import FEWEST

__all__ = ["limits_of"]


def limits_of(
    measures: Sequence[PairedValues],
    preparation: Preparation,
    *,
    patients: int,
    identified: bool,
    equal: int,
    related_only: bool,
) -> list[str]:
    """What must be said beside the numbers.

    Parameters
    ----------
    measures : sequence of PairedValues
    preparation : Preparation
        Of all sets.
    patients : int
    identified : bool
        Whether these are patients, and not groups that stand in for them.
    equal : int
        Restored images that are their targets.
    related_only : bool
        Whether there were no pairs of unrelated images.

    Returns
    -------
    list of str
    """
    leading = measures[0]
    unchanged = 0 if leading.gains is None else int((leading.gains == 0).sum())
    strangers = [one.name for one in measures if _as_strangers(one)]
    said = [
        (True, _of_values(preparation)),
        (
            not identified,
            "No set has patient identifiers: groups of near-duplicate targets stand in for patients, so two images of "
            "one patient that look different count as two people, and intervals may be too short.",
        ),
        (
            patients < FEWEST,
            f"There are no intervals: they take pairs of at least {FEWEST} patients, and there are {patients}.",
        ),
        (
            leading.untreated is None,
            "The untreated inputs were not given: what doing nothing would score is unknown, and pairs of unrelated "
            "images stand in, which any image of the right kind can beat.",
        ),
        (related_only, "Most images are of one patient, so that none can be set against those of others."),
        (
            equal > 0,
            f"{equal} of the restored images equal their targets in every pixel: is one set made of the other?",
        ),
        (
            unchanged > 0,
            f"{unchanged} of the restored images score as their inputs do to the last digit, as if left untreated.",
        ),
        (
            bool(strangers),
            f"By {', '.join(strangers)} restored images are no nearer to their own targets than to those of other "
            "patients beyond chance: are the right images matched?",
        ),
    ]
    return [sentence for holds, sentence in said if holds]


def _of_values(preparation: Preparation) -> str:
    if preparation.rule == "per-image":
        return "Each image was scaled by its own percentiles, so that errors of brightness and contrast are not seen."
    return (
        f"Values from {preparation.low:g} to {preparation.high:g} are the range that every measure takes for whole; "
        "what lies outside was cut off, and numbers from another range do not compare."
    )


def _as_strangers(one: PairedValues) -> bool:
    """Whether partners cannot be told from strangers."""
    if one.unrelated is None:
        return False
    low, high = one.unrelated.interval or (one.unrelated.value, one.unrelated.value)
    return one.mean.value <= high if one.better == "higher" else one.mean.value >= low
