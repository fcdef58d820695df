"""What became of the copies that were planted for the purpose.

"No copy was found" means little unless copies would have been. A few training images are disguised in every way of
`fourfold.privacy.disguises` and go through the same search; the share that would be listed, were it the only copy of
the whole set, is the power that a statement may claim.
"""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["Detection"]


@dataclass(frozen=True)
class Detection:
    """What became of planted copies of one disguise.

    Parameters
    ----------
    planted, found, attributed : int
        Planted; found at the level at which a single copy is listed; found with the right training image.
    """

    planted: int
    found: int
    attributed: int

    @property
    def recall(self) -> float:
        """Share found."""
        return self.found / self.planted if self.planted else 0.0
