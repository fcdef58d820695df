import builtins

import numpy as np
import pytest

from fourfold.errors import InputError, MissingExtra
from fourfold.neighbors import ball_counts, nearest, pair_distances
from fourfold.neighbors.balls import with_centres

pytest.importorskip("faiss", reason="faiss is not installed")

from fourfold.neighbors.approximate import nearest_approximate
from fourfold.neighbors.approximate_counts import ball_counts_approximate, effect_on_counts
from fourfold.neighbors.approximate_index import IndexOptions, indexed

ALL = IndexOptions(lists=20, probes=20, threads=1)
# One link and no look to the side: a graph that misses much.
NARROW = IndexOptions(links=2, breadth=1, threads=1)


@pytest.mark.parametrize("metric", ["euclidean", "cosine", "correlation"])
def test_looking_through_all_lists_is_exact(metric, spread):
    queries, points = spread(300, 24, 0.5, 0), spread(1500, 24, 0.5, 1)
    points[:5] = queries[:5]
    expected = nearest(queries, points, 4, metric=metric)
    found = nearest_approximate(queries, points, 4, metric=metric, options=ALL)
    np.testing.assert_array_equal(found.neighbors.distances, expected.distances)
    np.testing.assert_array_equal(found.neighbors.indices, expected.indices)
    assert (found.quality.recall, found.quality.first, found.quality.excess) == (1.0, 1.0, 0.0)
    low, high = found.quality.interval
    # Clopper and Pearson, 300 of 300.
    assert low == pytest.approx(0.025 ** (1 / 300))
    assert high == 1.0


def test_recall_falls_with_fewer_lists_and_the_measure_follows(spread):
    queries, points = spread(400, 16, 0.0, 2), spread(3000, 16, 0.0, 3)
    exact = nearest(queries, points, 5).distances
    recalls, excesses = [], []
    for probes in (1, 3, 8, 20):
        found = nearest_approximate(
            queries, points, 5, options=IndexOptions(lists=20, probes=probes, threads=1), sample=200
        )
        truth = float((found.neighbors.distances <= exact[:, -1:]).mean())
        low, high = found.quality.interval
        assert low <= truth <= high
        assert (found.neighbors.distances[:, -1] >= exact[:, -1]).all()
        recalls.append(found.quality.recall)
        excesses.append(found.quality.excess)
    assert recalls[-1] == 1.0
    assert all(np.diff(recalls) > 0)
    assert all(np.diff(excesses) < 0)
    assert recalls[0] < 0.7


def test_a_measure_of_all_queries_is_the_recall_itself(spread):
    queries, points = spread(150, 16, 0.0, 4), spread(2000, 16, 0.0, 5)
    exact = nearest(queries, points, 5).distances
    found = nearest_approximate(queries, points, 5, index="hnsw", options=NARROW, sample=10_000)
    got = found.neighbors.distances
    assert found.quality.sample == 150
    assert found.quality.recall == pytest.approx((got <= exact[:, -1:]).mean())
    assert found.quality.first == (got[:, 0] == exact[:, 0]).mean()
    assert found.quality.excess == pytest.approx((got[:, -1] / exact[:, -1] - 1).mean())
    assert found.quality.recall < 0.9
    wide = nearest_approximate(
        queries, points, 5, index="hnsw", options=IndexOptions(breadth=400, threads=1), sample=10_000
    )
    assert wide.quality.recall > 0.99


@pytest.mark.parametrize("index", ["ivf", "hnsw"])
def test_distances_are_those_of_the_pairs_and_excluded_patients_never_appear(index, spread):
    points = spread(1200, 12, 0.5, 6)
    # The images of a patient lie together, so that nearly all candidates are excluded ones.
    patients = np.repeat(np.arange(60), 20)
    points += 3 * spread(60, 12, 0.0, 7)[patients]
    options = IndexOptions(lists=30, probes=2, breadth=40, threads=1)
    found = nearest_approximate(
        points,
        points,
        3,
        index=index,
        options=options,
        query_groups=patients,
        point_groups=patients,
        exclude_self=True,
        sample=50,
    )
    indices = found.neighbors.indices
    assert (indices >= 0).all()
    assert (patients[indices] != patients[:, None]).all()
    distances = pair_distances(np.repeat(points, 3, axis=0), points[indices.ravel()], "euclidean")
    np.testing.assert_array_equal(found.neighbors.distances.ravel(), distances)
    assert (np.diff(found.neighbors.distances, axis=1) >= 0).all()


def test_queries_with_too_few_candidates_are_searched_exactly(spread):
    points = spread(700, 8, 0.0, 8)
    # One patient has more images than any query has candidates.
    patients = np.concatenate([np.zeros(650, dtype=int), np.arange(1, 51)])
    points[650:] += 50
    excluded = {"query_groups": patients, "point_groups": patients, "exclude_self": True}
    found = nearest_approximate(
        points, points, 2, options=IndexOptions(lists=10, probes=1, threads=1), sample=50, **excluded
    )
    expected = nearest(points, points, 2, **excluded)
    assert found.quality.searched_exactly >= 650
    np.testing.assert_array_equal(found.neighbors.distances[:650], expected.distances[:650])
    np.testing.assert_array_equal(found.neighbors.indices[:650], expected.indices[:650])


def test_counts_are_those_of_the_exact_search_where_nothing_is_missed(spread):
    queries, points = spread(300, 6, 0.5, 9), spread(900, 6, 0.5, 10)
    radii = nearest(points, points, 3, exclude_self=True).distances[:, -1]
    radii[:3] = 10.0  # balls that hold everything, however far their centres are
    expected = ball_counts(queries, points, radii)
    found = ball_counts_approximate(queries, indexed(points, options=ALL), radii, candidates=900)
    np.testing.assert_array_equal(found.containing, expected.containing)
    np.testing.assert_array_equal(found.inside, expected.inside)
    # Queries whose few candidates are all hits are counted in full.
    radii[:] = 100.0
    found = ball_counts_approximate(queries, indexed(points, options=ALL), radii, candidates=4)
    assert found.containing.tolist() == [900] * 300
    assert found.inside.tolist() == [300] * 900


def test_the_effect_is_nothing_for_exact_counts_and_the_truth_for_others(spread):
    queries, points = spread(250, 12, 0.3, 11), spread(800, 12, 0.3, 12)
    patients = np.arange(800) // 2
    true = with_centres(
        nearest(points, points, 3, query_groups=patients, point_groups=patients, exclude_self=True).distances[:, -1]
    )
    exact = ball_counts(queries, points, true)
    keywords = {"groups": patients, "sample": 1000}
    none = effect_on_counts(queries, points, 3, true, exact, **keywords)
    assert (none.queries, none.points, none.radii) == (250, 800, 0.0)
    for one in (none.containing, none.density, none.covered):
        assert one.value == 0.0
        assert one.interval[0] <= 0.0 <= one.interval[1]
    # Radii that are too long by a tenth, and an index that misses much.
    longer = true * 1.1
    index = indexed(points, options=IndexOptions(lists=40, probes=1, threads=1))
    rough = ball_counts_approximate(queries, index, longer)
    effect = effect_on_counts(queries, points, 3, longer, rough, **keywords)
    assert effect.radii == pytest.approx(0.1)
    assert effect.containing.value == pytest.approx((rough.containing > 0).mean() - (exact.containing > 0).mean())
    assert effect.density.value == pytest.approx((rough.containing.mean() - exact.containing.mean()) / 3)
    assert effect.covered.value == pytest.approx((rough.inside > 0).mean() - (exact.inside > 0).mean())
    part = effect_on_counts(queries, points, 3, longer, rough, groups=patients, sample=100)
    assert (part.queries, part.points) == (100, 100)
    for some, whole in ((part.containing, effect.containing), (part.covered, effect.covered)):
        assert some.interval[0] <= whole.value <= some.interval[1]


def test_an_index_is_used_again_and_only_for_its_own_points(spread, tmp_path):
    points = spread(600, 8, 0.0, 13)
    np.save(tmp_path / "points.npy", points)
    mapped = np.load(tmp_path / "points.npy", mmap_mode="r")
    index = indexed(mapped, options=ALL)
    found = nearest_approximate(points[:50], mapped, 2, index=index)
    np.testing.assert_array_equal(found.neighbors.indices, nearest(points[:50], points, 2).indices)
    with pytest.raises(InputError, match=r"the index holds points of shape \(600, 8\), got \(599, 8\)"):
        nearest_approximate(points, points[1:], 2, index=index)


def test_what_cannot_be_searched_is_said(spread, monkeypatch):
    points = spread(60, 8, 0.0, 14)
    with pytest.raises(InputError, match="index must be one of ivf, hnsw, got 'flat'"):
        indexed(points, "flat")
    with pytest.raises(InputError, match="choose the search 'exact' for the metric 'hamming'"):
        indexed(points, metric="hamming")
    with pytest.raises(InputError, match="probes of an index must be at least 1"):
        indexed(points, options=IndexOptions(probes=0))
    with pytest.raises(InputError, match="k and sample must be at least 1, got 0 and 5"):
        nearest_approximate(points, points, 0, sample=5)
    with pytest.raises(InputError, match="there are no points to search"):
        indexed(points[:0])
    whole = builtins.__import__

    def without(name, *rest, **keywords):
        if name == "faiss":
            raise ImportError(name)
        return whole(name, *rest, **keywords)

    monkeypatch.setattr(builtins, "__import__", without)
    with pytest.raises(MissingExtra, match=r"pip install 'fourfold\[faiss\]'"):
        indexed(points)
