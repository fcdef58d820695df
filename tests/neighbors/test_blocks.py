import tracemalloc

import numpy as np
import pytest

from fourfold.neighbors import Frame, ball_counts, nearest
from fourfold.neighbors.blocks import Blocks
from fourfold.neighbors.sides import Side


def test_a_set_in_its_own_balls_takes_half_the_blocks(monkeypatch, spread):
    points = spread(3000, 64, 0.5, 0)
    seen = []
    whole = Blocks.__iter__
    monkeypatch.setattr(Blocks, "__iter__", lambda self: (seen.append(part[:2]) or part for part in whole(self)))
    radii = nearest(points, points, 3, exclude_self=True).distances[:, -1]
    seen.clear()
    own = ball_counts(points, points, radii)
    assert len(seen) == 6
    both = ball_counts(points, points.copy(), radii)
    np.testing.assert_array_equal(own.containing, both.containing)
    np.testing.assert_array_equal(own.inside, both.inside)


def test_memory_stays_within_its_bound(spread):
    points, queries = spread(4000, 128, 1.0, 0), spread(3000, 128, 1.0, 1)
    memory = 1 << 23
    for pruning in ("never", "always"):
        tracemalloc.start()
        nearest(queries, points, 2, memory=memory, pruning=pruning)
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        assert peak < memory


@pytest.mark.parametrize("same", [False, True])
def test_columns_that_are_not_held_serve_several_stripes_and_no_pair_is_left_out(spread, same):
    points = spread(1000, 64, 0.5, 0)
    frame = Frame.around(points, "euclidean")
    among = Side(points, frame, 0)
    blocks = Blocks(among if same else Side(points, frame, 0), among, 1 << 19)
    met = np.zeros((1000, 1000), dtype=int)
    brought = []
    among.rows = lambda columns: brought.append(columns) or Side.rows(among, columns)
    for rows, columns, block in blocks:
        assert block.shape == met[rows, columns].shape
        met[rows, columns] += 1
    assert not among.ready
    assert (met[np.triu_indices(1000)] == 1).all()
    assert same or (met == 1).all()
    assert len(brought) < 0.5 * (1000 / blocks.height) * (1000 / blocks.breadth)


def test_the_same_memory_in_another_order_is_another_set(spread):
    points = spread(1500, 8, 0.0, 0)
    found = nearest(points[::-1], points, 1, exclude_self=True)
    np.testing.assert_array_equal(found.indices[:, 0], np.arange(1500)[::-1])
