"""Which slices of a volume a network for planes sees, and what becomes of their features: one policy, recorded.

Two papers that write "FID of slices" may mean different planes, different slices and different pooling, and their
figures differ by orders of magnitude. A `SlicePolicy` states all three, is a part of the extractor's record and is the
same for every set, since one extractor reads them all.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import Any, Literal

import torch
from torch import Tensor

from fourfold.errors import InputError

__all__ = ["SlicePolicy", "over_slices"]

# Volumes lie as (slices from feet to head, rows, columns): the axes that axial, coronal and sagittal planes cut across.
_AXES = {"axial": (2,), "three": (2, 3, 4)}
_POOLS = ("mean", "planes")


@dataclass(frozen=True)
class SlicePolicy:
    """How volumes meet a network for planes.

    Parameters
    ----------
    planes : {"axial", "three"}
        Cut across the first spatial axis only, or across each of the three.
    slices : int
        At most this many slices of an orientation, at the centres of equal parts of the axis.
    pool : {"mean", "planes"}
        ``"mean"``: features averaged over slices and orientations. ``"planes"``: averaged over the slices of an
        orientation, and the orientations side by side.

    Raises
    ------
    InputError
        Where there is no such choice, or no slice is asked for.

    Examples
    --------
    >>> SlicePolicy(planes="three", slices=8, pool="planes").describe()
    {'planes': 'three', 'slices': 8, 'pool': 'planes'}
    """

    planes: Literal["axial", "three"] = "axial"
    slices: int = 3
    pool: Literal["mean", "planes"] = "mean"

    def __post_init__(self) -> None:
        if self.planes not in _AXES:
            raise InputError(f"planes must be 'axial' or 'three', got {self.planes!r}")
        if self.slices < 1:
            raise InputError(f"slices must be at least 1, got {self.slices}")
        if self.pool not in _POOLS:
            raise InputError(f"pool must be 'mean' or 'planes', got {self.pool!r}")

    def describe(self) -> dict[str, Any]:
        """The policy as JSON can hold it."""
        return asdict(self)

    def features(self, volumes: Tensor, network: Callable[[Tensor], Tensor]) -> Tensor:
        """Features of volumes by a network for planes.

        Parameters
        ----------
        volumes : Tensor, shape (B, C, D, H, W)
        network : callable
            (B, C, H, W) to (B, d); called once for each orientation.

        Returns
        -------
        Tensor, shape (B, d), or (B, 3 d) for three planes side by side
        """
        orientations = [over_slices(volumes.movedim(axis, 2), self.slices, network) for axis in _AXES[self.planes]]
        return torch.cat(orientations, dim=1) if self.pool == "planes" else torch.stack(orientations).mean(dim=0)


def over_slices(volumes: Tensor, slices: int, network: Callable[[Tensor], Tensor]) -> Tensor:
    """Mean over slices of the features of planes.

    Parameters
    ----------
    volumes : Tensor, shape (B, C, D, H, W)
    slices : int
        At most this many slices at the centres of equal parts of the axis of length D.
    network : callable
        (B, C, H, W) to (B, d).

    Returns
    -------
    Tensor, shape (B, d)
    """
    depth = volumes.shape[2]
    count = min(slices, depth)
    places = ((torch.arange(count, dtype=torch.float64) + 0.5) * depth / count).long().to(volumes.device)
    planes = volumes.index_select(2, places).transpose(1, 2)
    features = network(planes.reshape(-1, *planes.shape[2:]))
    return features.reshape(len(volumes), count, -1).mean(dim=1)
