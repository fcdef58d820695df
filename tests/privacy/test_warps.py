from __future__ import annotations

import numpy as np
import pytest

from fourfold.privacy.warps import Warp, area_matrix, matrix_of, moved, windows


def _images(count: int = 5, side: int = 64, planes: int = 1) -> np.ndarray:
    rng = np.random.default_rng(0)
    frequencies = np.hypot(*np.meshgrid(np.fft.fftfreq(side), np.fft.fftfreq(side)))
    filtered = np.fft.ifft2(np.fft.fft2(rng.normal(size=(count, planes, side, side))) / (frequencies + 0.03) ** 2)
    smooth = filtered.real
    low, high = smooth.min(axis=(2, 3), keepdims=True), smooth.max(axis=(2, 3), keepdims=True)
    return ((smooth - low) / (high - low)).astype(np.float32)


def test_area_resampling_keeps_the_mean_and_averages_blocks() -> None:
    rows = np.random.default_rng(0).random(96).astype(np.float32)
    assert (area_matrix(96, 64) @ rows).mean() == pytest.approx(rows.mean(), rel=1e-5)
    assert area_matrix(96, 48) @ rows == pytest.approx(rows.reshape(48, 2).mean(axis=1), rel=1e-5)


@pytest.mark.parametrize(
    ("warp", "expected"),
    [
        (Warp(mirrored=True), lambda images: images[..., ::-1]),
        (Warp(turns=2), lambda images: images[..., ::-1, ::-1]),
        (Warp(turns=4), lambda images: images),
        (Warp(), lambda images: images),
    ],
)
def test_mirroring_and_turning_move_whole_pixels(warp: Warp, expected) -> None:
    images = _images(side=16)
    assert moved(images, warp) == pytest.approx(expected(images), abs=1e-5)


def test_a_quarter_turn_is_one_of_the_two_quarter_turns() -> None:
    images = _images(side=16)
    turned = moved(images, Warp(turns=1))
    assert any(np.allclose(turned, np.rot90(images, k, axes=(2, 3)), atol=1e-5) for k in (1, 3))


def test_a_shift_samples_further_down() -> None:
    images = _images(side=64)
    assert moved(images, Warp(down=1 / 64))[:, :, :-1] == pytest.approx(images[:, :, 1:], abs=1e-5)


def test_opposite_rotations_undo_each_other_within_the_disc() -> None:
    images = _images(side=64)
    back = moved(moved(images, Warp(angle=6)), Warp(angle=-6))
    inside = (..., slice(16, 48), slice(16, 48))
    assert np.abs(back - images)[inside].mean() < 0.02
    assert np.abs(moved(images, Warp(angle=6)) - images)[inside].mean() > 0.05


def test_a_rotation_of_a_tall_image_is_a_rotation_before_it_is_squeezed() -> None:
    side, aspect = 64, 2.0
    rows, columns = np.meshgrid(np.arange(side) - 31.5, np.arange(side) - 31.5, indexing="ij")

    def ellipse(angle: float) -> np.ndarray:
        # In the plane of the original image, where a row is twice as tall as a column is wide.
        down, right = rows * aspect, columns
        along = np.cos(angle) * right + np.sin(angle) * down
        across = -np.sin(angle) * right + np.cos(angle) * down
        return np.exp(-((along / 20) ** 2) - (across / 8) ** 2)[None, None].astype(np.float32)

    turned = moved(ellipse(0.0), Warp(angle=6), aspect)
    errors = [np.abs(turned - ellipse(sign * np.deg2rad(6))).max() for sign in (-1, 1)]
    assert min(errors) < 0.02 < max(errors)


@pytest.mark.parametrize(
    "warp",
    [
        Warp(angle=9.0, right=0.06, down=-0.03),
        Warp(turns=1),
        Warp(turns=3, mirrored=True, angle=4.0),
        Warp(scale=0.6, right=0.1),
        Warp(mirrored=True, down=0.05, scale=1.2),
    ],
)
@pytest.mark.parametrize("aspect", [1.0, 1.5])
def test_the_matrix_of_a_warp_says_where_each_place_is_sampled(warp: Warp, aspect: float) -> None:
    side = 33
    line = (np.arange(side) + 0.5) * 2 / side - 1
    ramps = np.stack(np.meshgrid(line, line, indexing="ij")[::-1])[:, None].astype(np.float32)
    right, down = moved(ramps, warp, aspect)[:, 0]
    places = np.stack([*ramps[:, 0], np.ones((side, side))])
    expected = np.clip(np.tensordot(matrix_of(warp, aspect), places, axes=1), line[0], line[-1])
    assert np.stack([right, down]) == pytest.approx(expected, abs=1e-4)
    whole = np.vstack([matrix_of(warp, aspect), [0, 0, 1]])
    assert matrix_of(warp, aspect, inverse=True) == pytest.approx(np.linalg.inv(whole)[:2], abs=1e-9)


def test_windows_of_half_the_side_reach_every_border() -> None:
    found = windows((0.5,), 0.1)
    assert min(warp.down for warp in found) == -0.25
    assert max(warp.right for warp in found) == 0.25
    assert len(found) == 36
