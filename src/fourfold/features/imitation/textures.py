"""Procedural textures: what a network learns radiomics from, so that it has seen no patient.

Every texture is drawn from one of six families and then toned:

- *spectral*: a Gaussian field whose amplitude falls as a power of the frequency, from white to cloudy, stretched along
  a random direction;
- *waves*: a few gratings of random direction and wavelength;
- *cells*: distances to random points, or a grey value for the cell of each;
- *spots*: blurred points of random height, few or many;
- *layers*: two of the former on top of each other, as fine texture lies on coarse anatomy;
- *regions*: two of the first four side by side along a wavy border, one of them often empty, as the air around a head.

Toning takes the marginal away from the family: a random window, gamma and inversion, noise, and often few grey levels.
The fields of phantoms (`fourfold.images.phantoms.fields`) belong to one patient each and keep still under movement;
here nothing is ever seen twice, so whole batches are drawn on the pixel grid at once.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from scipy import fft

from fourfold.errors import InputError

__all__ = ["FAMILIES", "draw_textures"]

LEAST_SIDE = 8
_AT_ONCE = 256


def draw_textures(
    count: int, side: int, rng: np.random.Generator, families: tuple[str, ...] | None = None
) -> np.ndarray:
    """Random textures.

    Parameters
    ----------
    count : int
        How many; each from a family of its own.
    side : int
        Pixels, at least 8.
    rng : numpy.random.Generator
    families : tuple of str or None
        Some of `FAMILIES`; None for all.

    Returns
    -------
    array, shape (count, 1, side, side)
        float32 in [0, 1].

    Raises
    ------
    InputError
        For a side that is too short or a family that does not exist.

    Examples
    --------
    >>> draw_textures(3, 16, np.random.default_rng(0)).shape
    (3, 1, 16, 16)
    """
    if side < LEAST_SIDE:
        raise InputError(f"textures need a side of at least {LEAST_SIDE} pixels, got {side}")
    chosen = tuple(FAMILIES) if families is None else families
    unknown = [family for family in chosen if family not in FAMILIES]
    if unknown or not chosen:
        raise InputError(f"textures have the families {', '.join(FAMILIES)}; got {', '.join(unknown) or 'none'}")
    parts = [_drawn(min(_AT_ONCE, count - start), side, rng, chosen) for start in range(0, count, _AT_ONCE)]
    return np.concatenate(parts or [np.zeros((0, side, side), dtype=np.float32)])[:, None]


def _drawn(count: int, side: int, rng: np.random.Generator, families: tuple[str, ...]) -> np.ndarray:
    return _toned(_mixed(count, side, rng, families), rng)


def _mixed(count: int, side: int, rng: np.random.Generator, families: tuple[str, ...]) -> np.ndarray:
    """Textures scaled to [0, 1] each, before toning, shape (count, side, side)."""
    family = rng.integers(len(families), size=count)
    values = np.empty((count, side, side), dtype=np.float32)
    for number, name in enumerate(families):
        rows = np.flatnonzero(family == number)
        if len(rows):
            values[rows] = _stretched(FAMILIES[name](len(rows), side, rng))
    return values


def _spectral(count: int, side: int, rng: np.random.Generator) -> np.ndarray:
    slope = rng.uniform(0, 3, count)
    longest = side * rng.uniform(0.15, 1.5, count)
    return _fields(count, side, rng, slope, longest, stretch=np.exp(rng.uniform(0, 1.8, count)))


def _fields(
    count: int, side: int, rng: np.random.Generator, slope: np.ndarray, longest: np.ndarray, stretch: np.ndarray
) -> np.ndarray:
    """Gaussian fields of amplitude frequency ** -slope below a longest wavelength, stretched along a direction."""
    first, second = np.meshgrid(fft.fftfreq(side), fft.rfftfreq(side), indexing="ij")
    angle = rng.uniform(0, np.pi, count)
    cosine, sine = np.cos(angle)[:, None, None], np.sin(angle)[:, None, None]
    along = (cosine * first + sine * second) * stretch[:, None, None]
    across = -sine * first + cosine * second
    frequency = np.sqrt(along**2 + across**2)
    # Below the longest wavelength amplitudes stay level, so that no field is left without any frequency.
    amplitude = np.maximum(frequency, 1 / longest[:, None, None]) ** -slope[:, None, None]
    amplitude[:, 0, 0] = 0
    noise = rng.standard_normal((count, side, side), dtype=np.float32)
    return fft.irfft2(fft.rfft2(noise) * amplitude.astype(np.float32), s=(side, side))


def _waves(count: int, side: int, rng: np.random.Generator, most: int = 3) -> np.ndarray:
    rows, columns = np.mgrid[:side, :side].astype(np.float32)
    total = np.zeros((count, side, side), dtype=np.float32)
    for _ in range(most):
        angle = rng.uniform(0, np.pi, count)[:, None, None]
        wavelength = np.exp(rng.uniform(np.log(2.5), np.log(1.5 * side), count))[:, None, None]
        phase = rng.uniform(0, 2 * np.pi, count)[:, None, None]
        weight = rng.exponential(1, count)[:, None, None]
        place = np.cos(angle) * rows + np.sin(angle) * columns
        total += (weight * np.sin(2 * np.pi * place / wavelength + phase)).astype(np.float32)
    # Steep slopes turn gratings into stripes.
    steepness = np.exp(rng.uniform(-1, 2, count))[:, None, None]
    return np.tanh(steepness * total)


def _cells(count: int, side: int, rng: np.random.Generator) -> np.ndarray:
    rows, columns = np.mgrid[:side, :side].reshape(2, -1).astype(np.float32)
    values = np.empty((count, side * side), dtype=np.float32)
    for row in range(count):
        points = rng.uniform(0, side, (int(np.exp(rng.uniform(np.log(3), np.log(side * side / 8)))) + 1, 2))
        squares = (rows - points[:, :1]) ** 2 + (columns - points[:, 1:]) ** 2
        nearest, second = np.sqrt(np.partition(squares, 1, axis=0)[:2])
        kind = rng.integers(3)
        values[row] = (nearest, second - nearest, rng.random(len(points))[squares.argmin(axis=0)])[kind]
    return values.reshape(count, side, side)


def _spots(count: int, side: int, rng: np.random.Generator) -> np.ndarray:
    share = np.exp(rng.uniform(np.log(2 / side**2), np.log(0.3), count))[:, None, None]
    heights = rng.exponential(1, (count, side, side)) * (rng.random((count, side, side)) < share)
    # An image without a spot would be constant.
    heights[np.arange(count), rng.integers(side, size=count), rng.integers(side, size=count)] += 1
    frequency = np.sqrt(fft.fftfreq(side)[:, None] ** 2 + fft.rfftfreq(side)[None, :] ** 2)
    width = np.exp(rng.uniform(np.log(0.4), np.log(side / 10), count))[:, None, None]
    blur = np.exp(-2 * (np.pi * frequency * width) ** 2)
    return fft.irfft2(fft.rfft2(heights) * blur, s=(side, side))


def _layers(count: int, side: int, rng: np.random.Generator) -> np.ndarray:
    below, above = (_mixed(count, side, rng, SIMPLE) for _ in range(2))
    share = rng.uniform(0.1, 0.9, (count, 1, 1))
    return share * below + (1 - share) * above


def _regions(count: int, side: int, rng: np.random.Generator) -> np.ndarray:
    inside, outside = (_mixed(count, side, rng, SIMPLE) for _ in range(2))
    border = _fields(count, side, rng, np.full(count, 2.0), np.full(count, float(side)), np.ones(count))
    level = np.quantile(border.reshape(count, -1), rng.uniform(0.1, 0.9), axis=1)[:, None, None]
    empty = rng.random(count)[:, None, None] < 0.5
    low, span = rng.uniform(0, 0.5, (count, 1, 1)), rng.uniform(0.2, 0.5, (count, 1, 1))
    return np.where(border > level, low + span * inside, np.where(empty, 0.0, span * outside))


FAMILIES: dict[str, Callable[[int, int, np.random.Generator], np.ndarray]] = {
    "spectral": _spectral,
    "waves": _waves,
    "cells": _cells,
    "spots": _spots,
    "layers": _layers,
    "regions": _regions,
}
SIMPLE = ("spectral", "waves", "cells", "spots")


def _stretched(values: np.ndarray) -> np.ndarray:
    """Each image from its minimum at 0 to its maximum at 1."""
    low, high = (extreme(values, axis=(1, 2), keepdims=True) for extreme in (np.min, np.max))
    return ((values - low) / np.maximum(high - low, 1e-12)).astype(np.float32)


def _toned(values: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    def drawn(low: float, high: float) -> np.ndarray:
        return rng.uniform(low, high, (len(values), 1, 1)).astype(np.float32)

    values = np.where(drawn(0, 1) < 0.3, 1 - values, values) ** np.exp(drawn(-0.7, 0.7))
    span = np.exp(drawn(np.log(0.2), np.log(1.4)))
    # A window that is wider than the range of values cuts both ends.
    values = drawn(0, 1) * (1 - span) + span * values
    noise = np.where(drawn(0, 1) < 0.5, 0, np.exp(drawn(np.log(0.003), np.log(0.1))))
    values = values + noise * rng.standard_normal(values.shape, dtype=np.float32)
    # Films come in 256 grey levels, and some have been through a compression that left fewer.
    steps = np.where(drawn(0, 1) < 0.8, 255, np.floor(np.exp(drawn(np.log(6), np.log(64)))))
    return (np.round(np.clip(values, 0, 1) * steps) / steps).astype(np.float32)
