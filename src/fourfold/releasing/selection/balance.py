"""How many images of each class a release holds.

Shares are turned into whole images by the largest remainder, in exact fractions. Where there are too few candidates of
a class, a number that was asked for is not made up from other classes: what is missing stays missing and is recorded.
Where no number was asked for, the whole release is as large as the scarcest class allows at these shares; a class
without any candidate decides nothing there and is recorded as missing.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

import numpy as np

from fourfold.errors import InputError

__all__ = ["Balance", "Quotas", "largest_remainder", "quotas", "shares_of"]

Balance = str | Mapping[str, float]
"""``"training"``: as in the training set; ``"equal"``; or a share for each class."""


@dataclass(frozen=True)
class Quotas:
    """Images of each class.

    Parameters
    ----------
    shares : mapping of str to float
        What was aimed at.
    asked, given : mapping of str to int
        By the shares, and what the candidates allow; equal where no number was asked for.
    available : mapping of str to int
    scaled : bool
        Whether the number of images was left to the scarcest class.
    """

    shares: Mapping[str, float]
    asked: Mapping[str, int]
    given: Mapping[str, int]
    available: Mapping[str, int]
    scaled: bool

    @property
    def missing(self) -> tuple[str, ...]:
        """Classes that should be there and have no candidate."""
        return tuple(name for name, share in self.shares.items() if share and not self.available[name])

    @property
    def short(self) -> dict[str, int]:
        """Images that are missing, by class; only classes that miss any."""
        return {name: self.asked[name] - self.given[name] for name in self.asked if self.asked[name] > self.given[name]}

    def describe(self) -> dict[str, Any]:
        """Everything as JSON can hold it."""
        there = [name for name, share in self.shares.items() if share and self.available[name]]
        scarcest = min(there, key=lambda name: self.available[name] / self.shares[name], default=None)
        return {
            "shares": dict(self.shares),
            "asked": dict(self.asked),
            "given": dict(self.given),
            "available": dict(self.available),
            "short": self.short,
            "missing": list(self.missing),
            "scaled_to": scarcest if self.scaled else None,
        }


def shares_of(names: np.ndarray, balance: Balance) -> dict[str, Fraction]:
    """The share of each class.

    Parameters
    ----------
    names : array of str, shape (N,)
        Classes of the training images that may be released, N >= 1.
    balance : {"training", "equal"} or mapping of str to float
        Numbers of a mapping are relative; a class that it does not name gets none.

    Returns
    -------
    dict of str to Fraction
        Sorted by name, summing to 1.

    Raises
    ------
    InputError
        Where the balance is unknown, names a class that cannot be released, or its numbers are negative, not finite
        or all 0.

    Examples
    --------
    >>> shares_of(np.array(["a", "a", "b"]), "training")
    {'a': Fraction(2, 3), 'b': Fraction(1, 3)}
    """
    found, counts = np.unique(names, return_counts=True)
    classes = [str(name) for name in found]
    if isinstance(balance, str):
        if balance not in ("training", "equal"):
            raise InputError(f"the balance must be 'training', 'equal' or a share for each class, got {balance!r}")
        parts = [Fraction(int(count)) if balance == "training" else Fraction(1) for count in counts]
    else:
        unknown = sorted(set(balance) - set(classes))
        if unknown:
            raise InputError(
                f"the balance names {unknown[0]!r}, which cannot be released; choose from {', '.join(classes)}"
            )
        values = [float(balance.get(name, 0.0)) for name in classes]
        if not all(np.isfinite(value) and value >= 0 for value in values) or not sum(values) > 0:
            raise InputError("the balance needs a number from 0 up for each class, and one above 0")
        parts = [Fraction(value) for value in values]
    whole = sum(parts)
    return {name: part / whole for name, part in zip(classes, parts, strict=True)}


def largest_remainder(shares: Mapping[str, Fraction], total: int) -> dict[str, int]:
    """Whole numbers in proportion to the shares; each within one of its exact part.

    Parameters
    ----------
    shares : mapping of str to Fraction
        Summing to 1.
    total : int
        At least 0.

    Returns
    -------
    dict of str to int
        Summing to `total`. Equal remainders are settled by the larger share, then by name.

    References
    ----------
    Hamilton 1792; M. L. Balinski, H. P. Young, Fair Representation, 1982.

    Examples
    --------
    >>> largest_remainder({"a": Fraction(1, 2), "b": Fraction(1, 3), "c": Fraction(1, 6)}, 10)
    {'a': 5, 'b': 3, 'c': 2}
    """
    exact = {name: share * total for name, share in shares.items()}
    whole = {name: part.numerator // part.denominator for name, part in exact.items()}
    order = sorted(shares, key=lambda name: (whole[name] - exact[name], -shares[name], name))
    for name in order[: total - sum(whole.values())]:
        whole[name] += 1
    return whole


def quotas(shares: Mapping[str, Fraction], available: Mapping[str, int], count: int | None) -> Quotas:
    """Images of each class, as many as asked for or as many as the shares allow.

    Parameters
    ----------
    shares : mapping of str to Fraction
        Summing to 1.
    available : mapping of str to int
        Candidates of each class; 0 for what is not named.
    count : int or None
        Images in all; None for the largest number at which no class is short, those without candidates aside.

    Raises
    ------
    InputError
        Where fewer than one image is asked for.

    Examples
    --------
    >>> found = quotas({"a": Fraction(1, 2), "b": Fraction(1, 2)}, {"a": 9, "b": 2}, 10)
    >>> found.given, found.short
    ({'a': 5, 'b': 2}, {'b': 3})
    """
    if count is not None and count < 1:
        raise InputError(f"a release holds at least 1 image, got {count}")
    there = {name: int(available.get(name, 0)) for name in shares}
    if count is None:
        # What is not there at all cannot be kept in proportion.
        present = {name: share for name, share in shares.items() if share and there[name]}
        whole = sum(present.values(), Fraction(0))
        kept = {name: present.get(name, Fraction(0)) / whole for name in shares} if whole else {}
        asked = largest_remainder(kept, _largest(kept, there)) if kept else dict.fromkeys(shares, 0)
    else:
        asked = largest_remainder(shares, count)
    given = {name: min(asked[name], there[name]) for name in shares}
    return Quotas({name: float(share) for name, share in shares.items()}, asked, given, there, count is None)


def _largest(shares: Mapping[str, Fraction], available: Mapping[str, int]) -> int:
    """The largest number of images at which no class is short."""
    wanted = [name for name in shares if shares[name]]
    # A class gets less than one image more than its exact part.
    total = min(int((available[name] + 1) / shares[name]) for name in wanted)
    while any(images > available[name] for name, images in largest_remainder(shares, total).items()):
        total -= 1
    return total
