"""How many images each set has."""

from __future__ import annotations

from dataclasses import dataclass

from fourfold.comparison import Role
from fourfold.errors import InputError

__all__ = ["Sizes"]


@dataclass(frozen=True)
class Sizes:
    """Images of each set.

    Parameters
    ----------
    training, synthetic : int
        At least 1.
    holdout, reference : int
        0 where there is none.

    Raises
    ------
    InputError
        Where a number is out of range.
    """

    training: int
    synthetic: int
    holdout: int = 0
    reference: int = 0

    def __post_init__(self) -> None:
        for role, least in (("training", 1), ("synthetic", 1), ("holdout", 0), ("reference", 0)):
            if self.of(role) < least:
                raise InputError(f"the {role} set has {self.of(role)} images; give at least {least}")

    def of(self, role: Role) -> int:
        """Images of one set."""
        return int(getattr(self, role))

    @property
    def roles(self) -> tuple[Role, ...]:
        """The sets that there are."""
        every: tuple[Role, ...] = ("training", "synthetic", "holdout", "reference")
        return tuple(role for role in every if self.of(role))

    @property
    def judged(self) -> int:
        """Images of training, synthetic and holdout set, which every score is about."""
        return self.training + self.synthetic + self.holdout

    @property
    def images(self) -> int:
        """Images of all sets."""
        return self.judged + self.reference

    def at_most(self, largest: int, least: int = 1) -> Sizes:
        """Sets in the same proportions, none above `largest`; none is cut below `least`.

        Examples
        --------
        >>> Sizes(10_000, 5_000, 100).at_most(200, least=24)
        Sizes(training=200, synthetic=100, holdout=24, reference=0)
        """
        share = min(1.0, largest / max(self.of(role) for role in self.roles))
        kept = {role: min(self.of(role), max(round(self.of(role) * share), least)) for role in self.roles}
        return Sizes(**kept)
