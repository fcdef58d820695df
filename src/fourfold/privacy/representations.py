"""The views of an image in which a copy is looked for.

A copy that was moved, turned, mirrored, cut out, brightened or made noisy is not the nearest training image pixel by
pixel. Each representation forgives some changes and not others; each has its own null, read from real images that go
through the same search, so that what one of them cannot see costs nothing but power.

Nearness is a correlation: 1 for a verbatim copy, about 0 for unrelated images.
"""

from __future__ import annotations

from typing import Protocol

import numpy as np

from fourfold.privacy.bank import Bank
from fourfold.privacy.spectrum import Spectrum
from fourfold.privacy.tiles import Tiles
from fourfold.privacy.warps import Warp, grid, windows

__all__ = ["FURTHER", "REGISTERED", "REPRESENTATIONS", "Prepared", "Representation"]


class Prepared(Protocol):
    """A representation of the training images, ready to be searched."""

    size: int
    slots: int
    """Arrays of the size of the result that a search holds at once."""

    def nearness(self, queries: np.ndarray) -> np.ndarray:
        """Of each query to each training image, shape (n, N), float32 in [-1, 1]."""
        ...

    def distances(self, queries: np.ndarray, rows: np.ndarray) -> np.ndarray | None:
        """1 minus the nearness of each query to one training image in float64, where that is known better."""
        ...

    def motions(self, queries: np.ndarray, rows: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """For chosen pairs, the map from query to training image, (n, k, 2, 3), and the sign, (n, k)."""
        ...


class Representation(Protocol):
    """One way to look at an image: its name in ``copy_kind``, and how many patients it proposes for registration."""

    name: str
    summary: str
    leads: int

    def prepare(self, training: np.ndarray, aspect: float = 1.0) -> Prepared:
        """Ready to be searched."""
        ...


_STEPS = (-4.5 / 64, -2.25 / 64, 0.0, 2.25 / 64, 4.5 / 64)
_BOTH = (False, True)
_TURNED = tuple(Warp(mirrored=mirrored, turns=turns) for mirrored in _BOTH for turns in (1, 2, 3))
_DIHEDRAL = tuple(Warp(mirrored=mirrored, turns=turns) for mirrored in _BOTH for turns in range(4))
_FAR = (
    *grid(range(-30, 31, 5), (0.0,), _BOTH),
    *grid((0.0,), (-0.125, -0.0625, 0.0, 0.0625, 0.125), _BOTH)[1:],
    *grid((0.0,), (-0.04, 0.0, 0.04), _BOTH, (0.8, 0.88, 1.12, 1.25)),
)

REPRESENTATIONS: tuple[Representation, ...] = (
    Bank("correlation", "Pearson correlation of intensities", 64, None, False),
    Bank("local contrast", "correlation after local contrast normalisation", 64, 3.0, False, leads=2),
    Bank(
        "coarse local contrast",
        "correlation on 20 x 20 pixels after local contrast normalisation, with training images also blurred",
        20,
        3.0,
        True,
        blurs=(0.0, 0.02, 0.04),
    ),
    Bank(
        "blur",
        "correlation of intensities with training images blurred by 1 to 6 % of the side",
        32,
        None,
        False,
        blurs=(0.01, 0.018, 0.0234, 0.03, 0.038, 0.047, 0.06),
    ),
    Bank(
        "turned, mirrored or inverted",
        "local contrast under quarter turns, mirrored or not, in either sign",
        32,
        2.0,
        False,
        _DIHEDRAL,
        signed=False,
        leads=2,
    ),
    Bank(
        "small motions",
        "local contrast under rotations of up to 6 degrees or shifts of 4 % of the side",
        32,
        3.0,
        True,
        (*grid((-6.0, -4.0, -2.0, 0.0, 2.0, 4.0, 6.0)), *grid((0.0,), (-0.04, 0.0, 0.04))[1:]),
    ),
    Bank(
        "motions",
        "coarse local contrast under rotations of up to 6 degrees with shifts of up to 7 % of the side, mirrored or "
        "not, and under quarter turns",
        16,
        2.0,
        True,
        grid((-6.0, -3.0, 0.0, 3.0, 6.0), _STEPS, _BOTH) + _TURNED,
        leads=2,
    ),
    Spectrum("Fourier magnitude", "correlation of Fourier magnitudes of local contrast", 64, 3.0, leads=2),
    Tiles("small tiles", "the best of overlapping tiles of 19 % of the side", 64, 1.0, 12, 4, 1),
)
"""Those that `copies` searches by default, before registration: for copies as generators make them."""

FURTHER: tuple[Representation, ...] = (
    Bank(
        "large motions",
        "coarse local contrast under rotations of up to 30 degrees, shifts of up to 12 % of the side or changes of "
        "size from 0.8 to 1.25",
        16,
        2.0,
        True,
        _FAR,
        leads=2,
    ),
    Bank(
        "crops",
        "coarse local contrast with parts of the training images of 50 to 90 % of the side, wherever they lie",
        16,
        2.0,
        False,
        windows=windows((0.9, 0.83, 0.76, 0.7, 0.64, 0.59, 0.54, 0.5), 0.06),
        leads=4,
    ),
    Tiles("tiles", "the four best of overlapping tiles of 25 % of the side", 64, 1.5, 16, 8, 4),
)
"""Those that a full audit searches as well: for copies that somebody hides."""

REGISTERED: dict[str, str] = {
    "registered": "local contrast after affine registration with what the other representations propose",
    "registered, coarse": "intensities on 12 x 12 pixels after the same registration",
    "registered, bent": "tiles of local contrast that may each move a little further after it",
}
"""The representations that registration adds."""
