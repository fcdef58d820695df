import numpy as np
import pytest
import torch
from scipy import ndimage

from fourfold.features.radiomics import (
    cooccurrence_features,
    cooccurrence_matrices,
    directions,
    grey_levels,
    run_length_matrices,
    size_zone_matrices,
    tone_differences,
)
from fourfold.features.radiomics.cooccurrence import COOCCURRENCE

# Haralick, Shanmugam, Dinstein 1973, figure 3.
HARALICK = torch.tensor([[[0, 0, 1, 1], [0, 0, 1, 1], [0, 2, 2, 2], [2, 2, 3, 3]]])
# A 5 x 5 image with levels 1 to 5, less one.
FIVE = torch.tensor([[[5, 2, 5, 4, 4], [3, 3, 3, 1, 3], [2, 1, 1, 1, 3], [4, 2, 2, 2, 3], [3, 5, 3, 3, 2]]]) - 1
# A 4 x 4 image with levels 1 to 5 (none of level 4), less one.
FOUR = torch.tensor([[[1, 2, 5, 2], [3, 5, 1, 3], [1, 3, 5, 5], [3, 1, 1, 1]]]) - 1


def random_levels(shape: tuple[int, ...], n_levels: int, seed: int = 0) -> torch.Tensor:
    return torch.randint(n_levels, shape, generator=torch.Generator().manual_seed(seed))


def test_cooccurrence_of_haralicks_example():
    matrices = dict(zip(directions((4, 4)), cooccurrence_matrices(HARALICK, 4)[0].tolist(), strict=True))
    assert matrices[0, 1] == [[4, 2, 1, 0], [2, 4, 0, 0], [1, 0, 6, 1], [0, 0, 1, 2]]
    assert matrices[1, 0] == [[6, 0, 2, 0], [0, 4, 2, 0], [2, 2, 2, 2], [0, 0, 2, 0]]
    assert matrices[1, 1] == [[2, 1, 3, 0], [1, 2, 1, 0], [3, 1, 0, 2], [0, 0, 2, 0]]
    assert matrices[1, -1] == [[4, 1, 0, 0], [1, 2, 2, 0], [0, 2, 4, 1], [0, 0, 1, 0]]


def test_cooccurrence_features_by_hand():
    # Two levels in equal stripes: every pair along the row is (1, 2).
    stripes = torch.tensor([[[0, 1, 0, 1, 0]]])
    values = dict(zip(COOCCURRENCE, cooccurrence_features(cooccurrence_matrices(stripes, 2))[0].tolist(), strict=True))
    assert values["Contrast"] == pytest.approx(1)
    assert values["Autocorrelation"] == pytest.approx(2)
    assert values["JointEntropy"] == pytest.approx(1)
    assert values["Correlation"] == pytest.approx(-1)
    assert values["MCC"] == pytest.approx(1)
    assert values["Id"] == pytest.approx(1 / 2)
    assert values["Idn"] == pytest.approx(2 / 3)
    assert values["SumEntropy"] == pytest.approx(0, abs=1e-12)
    assert values["ClusterTendency"] == pytest.approx(0, abs=1e-12)


def test_maximal_correlation_is_the_root_of_the_second_eigenvalue_of_q():
    matrices = cooccurrence_matrices(random_levels((2, 9, 8), 5), 5)
    p = (matrices / matrices.sum(dim=(2, 3), keepdim=True)).double()
    p_x = p.sum(dim=3)
    q = torch.einsum("baik,bajk,bai,bak->baij", p, p, 1 / p_x, 1 / p_x)
    second = torch.linalg.eigvals(q).real.sort(dim=2).values[..., -2]
    found = cooccurrence_features(matrices)[:, COOCCURRENCE.index("MCC")]
    torch.testing.assert_close(found, second.sqrt().mean(dim=1))


def test_run_lengths_of_a_small_image_by_hand():
    matrices = dict(zip(directions((5, 5)), run_length_matrices(FIVE, 5)[0].tolist(), strict=True))
    assert matrices[0, 1] == [[1, 0, 1, 0, 0], [3, 0, 1, 0, 0], [4, 1, 1, 0, 0], [1, 1, 0, 0, 0], [3, 0, 0, 0, 0]]
    assert matrices[1, 0] == [[2, 1, 0, 0, 0], [6, 0, 0, 0, 0], [6, 0, 1, 0, 0], [3, 0, 0, 0, 0], [3, 0, 0, 0, 0]]


@pytest.mark.parametrize("shape", [(3, 7, 11), (2, 11, 4), (2, 5, 4, 6), (2, 2, 2, 2), (3, 2, 9), (2, 1, 6)])
def test_runs_are_those_found_by_walking_every_line(shape):
    levels = random_levels(shape, 2)
    matrices = run_length_matrices(levels, 2)
    spatial = shape[1:]
    for image, found in zip(levels.numpy(), matrices.numpy(), strict=True):
        for offset, matrix in zip(directions(spatial), found, strict=True):
            expected = np.zeros_like(matrix)
            for start in np.ndindex(*spatial):
                before = tuple(np.subtract(start, offset))
                inside = all(0 <= place < side for place, side in zip(before, spatial))
                if inside and image[before] == image[start]:
                    continue
                length, place = 0, start
                while all(0 <= p < side for p, side in zip(place, spatial)) and image[place] == image[start]:
                    length, place = length + 1, tuple(np.add(place, offset))
                expected[image[start], length - 1] += 1
            np.testing.assert_array_equal(matrix, expected)


def test_zones_of_a_small_image_by_hand():
    counts, sizes = size_zone_matrices(FIVE, 5)
    assert sizes.tolist() == [1, 2, 3, 4, 5]
    assert counts[0].tolist() == [[0, 0, 0, 1, 0], [1, 0, 0, 0, 1], [1, 0, 1, 0, 1], [1, 1, 0, 0, 0], [3, 0, 0, 0, 0]]


@pytest.mark.parametrize("shape", [(4, 13, 9), (3, 6, 7, 8), (2, 1, 9), (2, 9, 1), (3, 1, 8, 5), (2, 4, 1, 5)])
@pytest.mark.parametrize("n_levels", [1, 2, 3, 6])
def test_zones_are_the_connected_components_of_each_level(shape, n_levels):
    levels = random_levels(shape, n_levels)
    counts, sizes = size_zone_matrices(levels, n_levels)
    for image, found in zip(levels.numpy(), counts.numpy(), strict=True):
        for level in range(n_levels):
            labels, _ = ndimage.label(image == level, structure=np.ones((3,) * image.ndim))
            areas = np.bincount(labels.ravel())[1:]
            expected = [int((areas == size).sum()) for size in sizes]
            assert found[level].tolist() == expected


def test_a_zone_that_winds_through_the_image_is_one_zone():
    spiral = torch.ones(1, 9, 9, dtype=torch.int64)
    spiral[0, 1::2, :] = 0
    spiral[0, 1::4, -1] = spiral[0, 3::4, 0] = 1
    counts, sizes = size_zone_matrices(spiral, 2)
    assert counts[0, 1].sum() == 1
    assert sizes[counts[0, 1] > 0].item() == int(spiral.sum())


def test_tone_differences_of_a_small_image_by_hand():
    counts, differences = tone_differences(FOUR, 5)
    assert counts[0].tolist() == [6, 2, 4, 0, 4]
    expected = [13.35, 2.0, 0.6 + 0.6 + 0.5 + 4 / 3, 0.0, 10.075]
    assert differences[0].tolist() == pytest.approx(expected)


@pytest.mark.parametrize("shape", [(3, 7, 8), (2, 4, 5, 6), (2, 1, 7)])
def test_tone_differences_are_those_of_the_mean_of_the_neighbours(shape):
    levels = random_levels(shape, 6)
    counts, differences = tone_differences(levels, 6)
    for image, n, s in zip(levels.numpy(), counts.numpy(), differences.numpy(), strict=True):
        kernel = np.ones((3,) * image.ndim)
        kernel[(1,) * image.ndim] = 0
        total = ndimage.convolve(image.astype(float), kernel, mode="constant")
        around = ndimage.convolve(np.ones(image.shape), kernel, mode="constant")
        distance = np.abs(image - total / around)
        np.testing.assert_array_equal(n, np.bincount(image.ravel(), minlength=6))
        np.testing.assert_allclose(s, np.bincount(image.ravel(), weights=distance.ravel(), minlength=6), rtol=1e-12)


def test_bins_have_edges_at_multiples_of_the_width_and_count_from_the_lowest():
    intensities = torch.tensor([[54.0, 74.9, 75.0, 100.0, 166.0], [0.0, 24.9, 25.0, 250.0, 255.0]])
    assert grey_levels(intensities, 25).tolist() == [[0, 0, 1, 2, 4], [0, 0, 1, 10, 10]]
    assert grey_levels(torch.tensor([[-8.0, -0.5, 0.0, 7.9]]), 8).tolist() == [[0, 0, 1, 1]]


def test_directions_are_one_of_each_opposite_pair():
    assert len(directions((5, 5))) == 4
    assert len(directions((5, 5, 5))) == 13
    assert directions((1, 5)) == [(0, 1)]
    assert not any(tuple(-step for step in offset) in directions((5, 5, 5)) for offset in directions((5, 5, 5)))
