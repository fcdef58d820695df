"""What was measured before a plan: on which images, in which spaces, and how long each part of the work takes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from fourfold.planning.law import Law, Seconds
from fourfold.planning.work import Kind

__all__ = ["READING", "Constants", "Step", "draws_step", "features_step", "neighbours_step"]

Step = tuple[str, str | None]
"""What is done, and in which feature space: ``("variety/coverage", "radiomics")``."""

READING: Step = ("reading", None)


@dataclass(frozen=True)
class Constants:
    """What the predictions rest on.

    Parameters
    ----------
    shape : tuple of int
        Of a prepared image, (C, H, W) or (C, D, H, W).
    cells, planes : int
        Pixels of a working image, and the planes that they are in, see `fourfold.privacy.working`.
    widths : mapping of str to int
        Features by space, the leading space first.
    laws : mapping of Step to Law
        Time of each step beside its products; empty where nothing was timed.
    rates : mapping of (str, int) to Seconds
        For one multiplication, by the kind of product and the width of the features.
    base : int
        Bytes that the process takes before it holds an image.
    """

    shape: tuple[int, ...]
    cells: int
    planes: int
    widths: Mapping[str, int]
    base: int
    laws: Mapping[Step, Law] = field(default_factory=dict)
    rates: Mapping[tuple[Kind, int], Seconds] = field(default_factory=dict)

    def rate(self, kind: Kind, width: int) -> Seconds:
        """Time of one multiplication; of the nearest width that was measured."""
        widths = [one for other, one in self.rates if other == kind]
        if not widths:
            return Seconds()
        return self.rates[kind, min(widths, key=lambda one: (abs(one - width), one))]


def features_step(space: str) -> Step:
    """Decoding the images and computing their features."""
    return ("features", space)


def neighbours_step(space: str) -> Step:
    """All passes over whole sets in one space."""
    return ("neighbours", space)


def draws_step(space: str) -> Step:
    """Random parts of the sets in one space, for the intervals of all scores that share them."""
    return ("draws", space)
