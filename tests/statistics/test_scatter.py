import numpy as np
import pytest

from fourfold.statistics.parts import chunked, dealt, group_numbers
from fourfold.statistics.scatter import Scatter, in_double


def test_a_scatter_of_blocks_is_the_product_of_all_rows():
    x = np.random.default_rng(0).normal(size=(2500, 7)).astype(np.float32)
    scatter, seen = Scatter(7), 0
    for rows, block in in_double(x):
        np.testing.assert_array_equal(block, x[rows])
        scatter.add(block)
        seen += len(block)
    assert seen == 2500
    wide = x.astype(np.float64)
    np.testing.assert_allclose(scatter.matrix, wide.T @ wide, rtol=1e-12)


def test_a_scatter_of_nothing_is_zero():
    scatter = Scatter(2)
    scatter.add(np.zeros((0, 2)))
    assert not scatter.matrix.any()
    assert list(in_double(np.zeros((0, 2)))) == []


@pytest.mark.parametrize("images", [1, 3])
def test_parts_are_disjoint_and_keep_groups_together(images):
    groups = group_numbers(10 + np.arange(300) // images, 300)
    rng = np.random.default_rng(0)
    for parts in (dealt(groups, (0.2, 0.5), rng), chunked(groups, 90, rng)):
        rows = np.concatenate(parts)
        assert len(np.unique(rows)) == len(rows)
        assert sum(len(np.unique(groups[part])) for part in parts) == len(np.unique(groups[rows]))
    assert [len(part) for part in chunked(groups, 90, rng)] == [pytest.approx(100, abs=images)] * 3
    state = rng.bit_generator.state
    assert [len(part) for part in chunked(groups, 290, rng)] == [300]
    assert rng.bit_generator.state == state
