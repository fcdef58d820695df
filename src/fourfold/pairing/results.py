"""What was measured of pairs: plain records, which the report draws and ``paired.json`` holds."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import numpy as np

from fourfold.images import ImageSet
from fourfold.pairing.means import Mean
from fourfold.score import Better

__all__ = ["NullSource", "PairedSet", "PairedSets", "PairedValues"]

NullSource = Literal["untreated inputs", "pairs of unrelated images"]


@dataclass(frozen=True)
class PairedSet:
    """One of the sets, in the order of the pairs.

    Parameters
    ----------
    images : ImageSet
        Prepared.
    digest : str
        SHA-256 over its contents.
    """

    images: ImageSet = field(repr=False)
    digest: str


@dataclass(frozen=True)
class PairedValues:
    """One measure over all n pairs.

    Parameters
    ----------
    name, better, source
        As in `fourfold.fidelity.similarity.PairDistance`.
    lies : str
        When the measure misleads.
    settings : mapping
        Scales, or weights by their SHA-256.
    mean : Mean
        Of the restored images against their targets.
    null : Mean or None
        What it would be if nothing had been achieved; None where nothing is known of that.
    null_source : {"untreated inputs", "pairs of unrelated images"} or None
    gain : Mean or None
        Mean less null; with inputs paired image by image.
    unrelated : Mean or None
        Restored images against targets of other patients; None where one patient has most of the images.
    values : array, shape (n,)
    untreated : array, shape (n,), or None
        Of the inputs against their targets.
    strangers : array, shape (n,), or None
        The values behind `unrelated`, in no order of the pairs.
    """

    name: str
    better: Better
    source: str
    lies: str
    settings: Mapping[str, Any]
    mean: Mean
    null: Mean | None
    null_source: NullSource | None
    gain: Mean | None
    unrelated: Mean | None
    values: np.ndarray = field(repr=False)
    untreated: np.ndarray | None = field(default=None, repr=False)
    strangers: np.ndarray | None = field(default=None, repr=False)

    @property
    def gains(self) -> np.ndarray | None:
        """Value of each pair less that of its input, shape (n,); None without inputs."""
        return None if self.untreated is None else self.values - self.untreated

    @property
    def lost(self) -> np.ndarray | None:
        """Pairs that are further from their target than their input is, the worst first; None without inputs."""
        if self.gains is None:
            return None
        turned = self.gains if self.better == "higher" else -self.gains
        order = np.argsort(turned, kind="stable")
        return order[turned[order] < 0]

    @property
    def ranked(self) -> np.ndarray:
        """Pairs from the worst to the best, shape (n,)."""
        return np.argsort(self.values if self.better == "higher" else -self.values, kind="stable")

    @property
    def standing(self) -> Literal["better", "worse", "no"] | None:
        """How the mean stands to its null beyond chance; None where there is no interval."""
        if self.gain is None or self.gain.interval is None:
            return None
        low, high = self.gain.interval
        if low <= 0 <= high:
            return "no"
        return "better" if (low > 0) == (self.better == "higher") else "worse"


@dataclass(frozen=True)
class PairedSets:
    """Everything about restored images beside their targets.

    Parameters
    ----------
    sets : mapping of str to PairedSet
        ``"targets"``, ``"restored"`` and, where there are any, ``"inputs"``; row i of each is of pair i.
    measures : tuple of PairedValues
        The first leads.
    patients : int
        How many, or groups of near-duplicates where nobody knows whose the images are.
    identified : bool
        Whether these are patients.
    preparation, settings : mapping
        As JSON can hold them.
    notes : tuple of str
        What limits the answer, a sentence each.
    """

    sets: Mapping[str, PairedSet]
    measures: tuple[PairedValues, ...]
    patients: int
    identified: bool
    preparation: Mapping[str, Any]
    settings: Mapping[str, Any]
    notes: tuple[str, ...] = ()

    def __len__(self) -> int:
        """Number of pairs."""
        return len(self.sets["targets"].images)

    def __getitem__(self, name: str) -> PairedValues:
        """The measure of a name, such as ``"psnr"``."""
        found = next((one for one in self.measures if one.name == name), None)
        if found is None:
            raise KeyError(f"{name!r} was not measured; there are: {', '.join(one.name for one in self.measures)}")
        return found

    def report(self, folder: str | Path) -> Path:
        """Write ``index.html``, ``shareable.html``, ``paired.json`` and ``paired.csv``; returns the first."""
        from fourfold.report.paired_files import write_paired

        return write_paired(self, folder)
