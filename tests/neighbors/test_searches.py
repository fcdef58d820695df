import numpy as np
import pytest

from fourfold.engine import LOCAL, LocalEngine
from fourfold.neighbors.approximate_index import IndexOptions
from fourfold.neighbors.searches import EXACT, ApproximateSearch, ShardedSearch, search_named


def all_answers(search, left, right, patients):
    own = search.nearest(left, left, 3, query_groups=patients, point_groups=patients, exclude_self=True)
    radii = own.distances[:, -1], search.nearest(right, right, 3, exclude_self=True).distances[:, -1]
    counts = *search.mutual_ball_counts(left, right, *radii), search.ball_counts(left, right, radii[1])
    return [own.distances, own.indices, *(part for one in counts for part in (one.containing, one.inside))]


@pytest.mark.parametrize("way", ["sharded", "ivf"])
def test_every_way_that_misses_nothing_gives_the_same(way, spread):
    if way == "ivf":
        pytest.importorskip("faiss", reason="faiss is not installed")
    left, right = spread(200, 8, 0.5, 0), spread(300, 8, 0.5, 1)
    patients = np.arange(200) // 4
    search = {
        "sharded": lambda: ShardedSearch(LOCAL),
        "ivf": lambda: ApproximateSearch("ivf", IndexOptions(5, 5, threads=1)),
    }[way]()
    answers = zip(all_answers(search, left, right, patients), all_answers(EXACT, left, right, patients), strict=True)
    for place, (found, expected) in enumerate(answers):
        if way != "ivf" or place < 2:
            np.testing.assert_array_equal(found, expected)
        else:
            # Only the ball around a far outlier may be missed, since its centre is no candidate.
            assert (found <= expected).all()
            assert found.sum() > 0.99 * expected.sum()
    if isinstance(search, ApproximateSearch):
        assert [one.recall for one in search.qualities] == [1.0, 1.0]


def test_a_search_is_named_by_its_user():
    assert search_named("exact", LOCAL) is EXACT
    assert isinstance(search_named("exact", LocalEngine(2)), ShardedSearch)
    assert search_named("hnsw", LOCAL).index == "hnsw"
    assert search_named("exact", LOCAL, device="cuda:1").device == "cuda:1"
    assert search_named("exact", LOCAL, device="mps") is EXACT
    assert isinstance(search_named("exact", LocalEngine(2), device="cuda"), ShardedSearch)
