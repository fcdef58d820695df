from __future__ import annotations

import numpy as np
import pytest

from fourfold.privacy.registration import register
from fourfold.privacy.warps import Warp, matrix_of, moved


def _images(count: int, seed: int = 0, side: int = 64) -> np.ndarray:
    rng = np.random.default_rng(seed)
    frequencies = np.hypot(*np.meshgrid(np.fft.fftfreq(side), np.fft.fftfreq(side)))
    smooth = np.fft.ifft2(np.fft.fft2(rng.normal(size=(count, 1, side, side))) / (frequencies + 0.03) ** 2).real
    low, high = smooth.min(axis=(2, 3), keepdims=True), smooth.max(axis=(2, 3), keepdims=True)
    return ((smooth - low) / (high - low)).astype(np.float32)


IMAGES = _images(12)
PAIRS = np.column_stack([np.arange(12), np.arange(12)])


@pytest.mark.parametrize(
    ("warp", "start"),
    [
        (Warp(), Warp()),
        (Warp(angle=4.0, right=0.03), Warp()),
        (Warp(right=0.1, down=-0.06), Warp()),
        (Warp(angle=14.0), Warp(angle=10.0)),
        (Warp(scale=0.75, right=0.05), Warp(scale=0.8)),
        (Warp(mirrored=True, angle=3.0), Warp(mirrored=True)),
    ],
)
def test_a_moved_image_is_registered_to_where_it_came_from(warp: Warp, start: Warp) -> None:
    starts = np.repeat(matrix_of(start)[None], 12, axis=0)
    found = register(moved(IMAGES, warp), IMAGES, PAIRS, starts)
    assert np.median(found.fine) > 0.97
    assert np.median(found.coarse) > 0.99
    assert np.median(np.abs(found.matrix - matrix_of(warp)).max(axis=(1, 2))) < 0.02
    wrong = register(moved(IMAGES, warp), np.roll(IMAGES, 5, axis=0), PAIRS, starts)
    assert wrong.fine.max() < np.median(found.fine)


def test_the_same_image_registers_at_once() -> None:
    found = register(IMAGES, IMAGES, PAIRS, np.repeat(matrix_of(Warp())[None], 12, axis=0))
    assert found.fine == pytest.approx(np.ones(12), abs=1e-4)
    assert found.coarse == pytest.approx(np.ones(12), abs=1e-4)


def test_an_inverted_query_is_inverted_back() -> None:
    starts = np.repeat(matrix_of(Warp())[None], 12, axis=0)
    found = register(1 - IMAGES, IMAGES, PAIRS, starts, np.full(12, -1.0))
    assert found.fine.min() > 0.99


def test_bent_images_agree_better_tile_by_tile() -> None:
    from fourfold.privacy.disguises import DISGUISES

    elastic = next(one for one in DISGUISES if one.name == "elastic")
    bent = elastic.apply(IMAGES, IMAGES, np.random.default_rng(0))
    starts = np.repeat(matrix_of(Warp())[None], 12, axis=0)
    found = register(bent, IMAGES, PAIRS, starts)
    others = register(bent, np.roll(IMAGES, 5, axis=0), PAIRS, starts)
    assert np.median(found.bent) > others.bent.max()


def test_no_pairs_give_nothing() -> None:
    found = register(IMAGES, IMAGES, np.empty((0, 2), int), np.empty((0, 2, 3)))
    assert found.fine.shape == (0,)
