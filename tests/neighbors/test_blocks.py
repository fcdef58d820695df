import tracemalloc

import numpy as np

from fourfold.neighbors import ball_counts, nearest
from fourfold.neighbors.blocks import Blocks


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


def test_the_same_memory_in_another_order_is_another_set(spread):
    points = spread(1500, 8, 0.0, 0)
    found = nearest(points[::-1], points, 1, exclude_self=True)
    np.testing.assert_array_equal(found.indices[:, 0], np.arange(1500)[::-1])
