"""Registration: the motion under which a training image fits an image best, and how well it then fits.

A bank of motions finds candidates; between its steps an image can hide. Each candidate pair is therefore registered:
a shift by cross-correlation, then an affine map by Gauss-Newton steps on images with normalised local contrast
(Lucas, Kanade 1981). The training image is the one that is moved, so that parts that were cut out and enlarged are
sampled where they lie.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from torch.nn import functional

from fourfold.privacy.bank import blur_matrix
from fourfold.privacy.warps import area_matrix

__all__ = ["FINE", "Registered", "register"]

FINE = 32
"""Side of the grid on which images are registered."""

_CONTRAST = 3.0
_FLOOR = 0.02
_STEPS = 8
_COARSE = 12
_BLOCK = 1024
_LEAST_OVERLAP = 0.4


@dataclass(frozen=True)
class Registered:
    """Pairs of images after registration.

    Parameters
    ----------
    fine, coarse, bent : arrays of float64, shape (pairs,)
        Correlation where both images are seen: of local contrast on 32 x 32 pixels, of intensities on 12 x 12, and of
        tiles of local contrast that may each move a little further.
    matrix : array, shape (pairs, 2, 3)
        From places in the query to places in the training image, (right, down, 1) in [-1, 1].
    """

    fine: np.ndarray
    coarse: np.ndarray
    bent: np.ndarray
    matrix: np.ndarray


def register(
    queries: np.ndarray,
    training: np.ndarray,
    pairs: np.ndarray,
    starts: np.ndarray,
    signs: np.ndarray | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> Registered:
    """Register pairs of working images.

    Parameters
    ----------
    queries, training : arrays, shapes (n, planes, side, side) and (N, planes, side, side)
        float32 in [0, 1].
    pairs : array of int, shape (pairs, 2)
        Query and training row.
    starts : array, shape (pairs, 2, 3)
        First guesses, as `fourfold.privacy.warps.matrix_of` gives them.
    signs : array, shape (pairs,), or None
        -1 where the query is to be inverted first.
    progress : callable or None
        Called with pairs done and pairs in all.

    Returns
    -------
    Registered
    """
    total = len(pairs)
    signs = np.ones(total) if signs is None else signs
    side = min(FINE, queries.shape[-1])
    with torch.no_grad():
        asked = _reduced(torch.from_numpy(np.ascontiguousarray(queries, np.float32)), side)
        among = torch.from_numpy(np.ascontiguousarray(training, np.float32))
        among = torch.cat([_softened(part, among.shape[-1] // side) for part in among.split(_BLOCK)])
        parts = []
        for start in range(0, total, _BLOCK):
            rows = slice(start, start + _BLOCK)
            own = asked[pairs[rows, 0]]
            inverted = torch.from_numpy(np.asarray(signs[rows]) < 0)[:, None, None, None]
            own = torch.where(inverted, 1 - own, own)
            matrix = torch.from_numpy(np.ascontiguousarray(starts[rows], np.float32))
            parts.append(_registered(own, among[pairs[rows, 1]], matrix))
            if progress is not None:
                progress(min(start + _BLOCK, total), total)
    if not parts:
        return Registered(np.empty(0), np.empty(0), np.empty(0), np.empty((0, 2, 3)))
    return Registered(*(np.concatenate(column) for column in zip(*parts, strict=True)))


def _registered(queries: torch.Tensor, training: torch.Tensor, matrix: torch.Tensor) -> tuple[np.ndarray, ...]:
    side = queries.shape[-1]
    asked = _contrast(queries)
    matrix = _shifted(asked, training, matrix)
    best = torch.full((len(queries),), -2.0)
    kept = matrix.clone()
    places = _places(side)
    for _ in range(_STEPS):
        seen, inside = _sampled(training, matrix, side)
        fine = _correlation(asked, seen, inside)
        better = fine > best
        best = torch.where(better, fine, best)
        kept[better] = matrix[better]
        matrix = _composed(matrix, _step(asked, seen, inside, places))
    seen, inside = _sampled(training, kept, side)
    fine = _correlation(asked, seen, inside)
    return (
        fine.double().numpy(),
        _coarse_correlation(queries, training, kept).double().numpy(),
        _bent(asked, seen, inside).double().numpy(),
        kept.double().numpy(),
    )


def _reduced(images: torch.Tensor, side: int) -> torch.Tensor:
    if images.shape[-1] == side:
        return images
    rows = torch.from_numpy(area_matrix(images.shape[-1], side))
    return rows @ images @ rows.T


def _softened(images: torch.Tensor, width: int) -> torch.Tensor:
    """Averages over squares of `width` pixels that begin at every pixel: sampling at fewer places would alias."""
    if width < 2:
        return images
    return functional.avg_pool2d(functional.pad(images, (0, width - 1) * 2, mode="replicate"), width, stride=1)


def _contrast(images: torch.Tensor) -> torch.Tensor:
    """Local mean and contrast taken out."""
    blur = torch.from_numpy(blur_matrix(images.shape[-1], _CONTRAST))
    centred = images - blur @ images @ blur.T
    return centred / ((blur @ (centred * centred) @ blur.T).clamp_min(0).sqrt() + _FLOOR)


def _sampled(training: torch.Tensor, matrix: torch.Tensor, side: int) -> tuple[torch.Tensor, torch.Tensor]:
    """Training images under a map, contrast normalised, and which places lie within them, (pairs, 1, side, side)."""
    seen, inside = _looked_up(training, matrix, side)
    return _contrast(seen), inside


def _looked_up(training: torch.Tensor, matrix: torch.Tensor, side: int) -> tuple[torch.Tensor, torch.Tensor]:
    places = functional.affine_grid(matrix, [len(matrix), 1, side, side], align_corners=False)
    # A softened pixel stands for the middle of its square, not for where the square begins.
    width = max(1, training.shape[-1] // side)
    there = places - (width - 1) / training.shape[-1]
    seen = functional.grid_sample(training, there, padding_mode="border", align_corners=False)
    return seen, (places.abs().amax(dim=-1) <= 1.0).float()[:, None]


def _correlation(first: torch.Tensor, second: torch.Tensor, weight: torch.Tensor) -> torch.Tensor:
    """Weighted over the places that both see; less where they are few."""
    total = weight.sum(dim=(1, 2, 3)) * first.shape[1]
    share = weight.mean(dim=(1, 2, 3))
    total = total.clamp_min(1.0)
    centred = [one - ((one * weight).sum(dim=(1, 2, 3)) / total)[:, None, None, None] for one in (first, second)]
    product = (centred[0] * centred[1] * weight).sum(dim=(1, 2, 3))
    power = [(one * one * weight).sum(dim=(1, 2, 3)) for one in centred]
    found = product / (power[0] * power[1]).clamp_min(1e-8).sqrt()
    return torch.where(share >= _LEAST_OVERLAP, found, torch.full_like(found, -1.0))


def _shifted(asked: torch.Tensor, training: torch.Tensor, matrix: torch.Tensor) -> torch.Tensor:
    """The map with the shift, of up to an eighth of the side, at which the two images correlate best."""
    side = asked.shape[-1]
    seen, inside = _sampled(training, matrix, side)
    spectrum = torch.fft.rfft2(asked).conj() * torch.fft.rfft2(seen * inside)
    surface = torch.fft.irfft2(spectrum, s=(side, side)).sum(dim=1)
    reach = side // 8
    allowed = torch.zeros(side, dtype=torch.bool)
    allowed[: reach + 1] = True
    allowed[-reach:] = True
    surface = surface.masked_fill(~(allowed[:, None] & allowed[None, :]), -torch.inf)
    place = surface.flatten(1).argmax(dim=1)
    down, right = place // side, place % side
    steps = torch.stack([torch.where(one > side // 2, one - side, one).float() * 2 / side for one in (right, down)])
    motion = torch.zeros_like(matrix)
    motion[:, :, 2] = steps.T
    moved = _composed(matrix, motion)
    # Kept only where it helps: the surface is not normalised.
    before = _correlation(asked, seen, inside)
    after = _correlation(asked, *_sampled(training, moved, side))
    return torch.where((after > before)[:, None, None], moved, matrix)


def _places(side: int) -> torch.Tensor:
    """(right, down, 1) of every pixel, shape (3, side, side)."""
    line = (torch.arange(side) + 0.5) * 2 / side - 1
    down, right = torch.meshgrid(line, line, indexing="ij")
    return torch.stack([right, down, torch.ones_like(right)])


def _step(asked: torch.Tensor, seen: torch.Tensor, inside: torch.Tensor, places: torch.Tensor) -> torch.Tensor:
    """One Gauss-Newton step, as a displacement of places in the query, shape (pairs, 2, 3)."""
    side = asked.shape[-1]
    gain = (asked * seen * inside).sum(dim=(1, 2, 3)) / (seen * seen * inside).sum(dim=(1, 2, 3)).clamp_min(1e-6)
    residual = (asked - gain.clamp(0.2, 5.0)[:, None, None, None] * seen) * inside
    slope = 2 / side
    right = (torch.roll(seen, -1, dims=3) - torch.roll(seen, 1, dims=3)) / (2 * slope)
    down = (torch.roll(seen, -1, dims=2) - torch.roll(seen, 1, dims=2)) / (2 * slope)
    border = torch.zeros(side, side)
    border[1:-1, 1:-1] = 1
    weight = (inside * border).sqrt()
    columns = torch.cat(
        [(one[:, None] * places[None, :, None]).flatten(2) for one in (right * weight, down * weight)], dim=1
    )
    normal = columns @ columns.transpose(1, 2)
    normal = normal + (1e-3 * normal.diagonal(dim1=1, dim2=2).mean(dim=1)[:, None, None] + 1e-6) * torch.eye(6)
    right_side = columns @ (residual * weight).flatten(1)[:, :, None]
    motion = torch.linalg.solve(normal, right_side)[:, :, 0].reshape(-1, 2, 3)
    return motion.clamp(-0.15, 0.15)


def _composed(matrix: torch.Tensor, motion: torch.Tensor) -> torch.Tensor:
    """The map of displaced places: first the displacement, in the frame of the query, then the map so far."""
    return matrix + matrix[:, :, :2] @ motion


def _coarse_correlation(queries: torch.Tensor, training: torch.Tensor, matrix: torch.Tensor) -> torch.Tensor:
    side = queries.shape[-1]
    seen, inside = _looked_up(training, matrix, side)
    small = [_reduced(one, _COARSE) for one in (queries, seen, inside)]
    return _correlation(small[0], small[1], (small[2] > 0.9).float())


def _bent(asked: torch.Tensor, seen: torch.Tensor, inside: torch.Tensor, tile: int = 8, reach: int = 2) -> torch.Tensor:
    """Correlation over tiles of which each takes its own best shift."""
    planes, side = asked.shape[1], asked.shape[-1]
    stride = tile // 2
    moved = functional.pad(seen * inside, (reach,) * 4)
    fixed = asked * inside

    def tiles(images: torch.Tensor) -> torch.Tensor:
        cut = images.unfold(2, tile, stride).unfold(3, tile, stride)
        cut = cut.permute(0, 2, 3, 1, 4, 5).flatten(3)
        return cut - cut.mean(dim=3, keepdim=True)

    own = tiles(fixed)
    best = torch.full(own.shape[:3], -torch.inf)
    power = torch.zeros(own.shape[:3])
    for down in range(2 * reach + 1):
        for right in range(2 * reach + 1):
            other = tiles(moved[:, :, down : down + side, right : right + side])
            product = (own * other).sum(dim=3)
            strength = (other * other).sum(dim=3)
            # By the contrast of each, so that empty tiles say nothing.
            score = product / (strength + 0.06 * tile * tile * planes).sqrt()
            better = score > best
            best = torch.where(better, score, best)
            power = torch.where(better, strength, power)
    mine = (own * own).sum(dim=3)
    weight = (mine * power).sqrt()
    agreement = best / (mine + 0.06 * tile * tile * planes).sqrt()
    return (agreement * weight).sum(dim=(1, 2)) / weight.sum(dim=(1, 2)).clamp_min(1e-6)
