import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fourfold.errors import InputError
from fourfold.neighbors import ball_counts, count_within, mutual_ball_counts, nearest, pair_distances

METRICS = ("euclidean", "cosine", "correlation", "hamming")


def all_distances(queries, points, metric):
    return np.stack([pair_distances(np.repeat(row[None], len(points), 0), points, metric) for row in queries])


def draw(seed, n, d, metric):
    rng = np.random.default_rng(seed)
    if metric == "hamming":
        return rng.integers(0, 3, (n, d))
    return (rng.normal(size=(n, d)) * rng.lognormal(0, 1, (n, 1)) + 10).astype(np.float32)


@settings(max_examples=60, deadline=None)
@given(
    seed=st.integers(0, 10**6),
    n=st.integers(1, 40),
    m=st.integers(1, 90),
    d=st.integers(2, 30),
    k=st.integers(1, 12),
    metric=st.sampled_from(METRICS),
    groups=st.integers(0, 6),
)
def test_search_equals_brute_force_in_float64(seed, n, m, d, k, metric, groups):
    queries, points = draw(seed, n, d, metric), draw(seed + 1, m, d, metric)
    shared = min(n, m, 5)
    points[:shared] = queries[:shared]
    expected = all_distances(queries, points, metric)
    query_groups = point_groups = None
    if groups:
        rng = np.random.default_rng(seed)
        query_groups, point_groups = rng.integers(0, groups, n), rng.integers(0, groups, m)
        expected[query_groups[:, None] == point_groups[None]] = np.inf
    expected = np.sort(np.pad(expected, ((0, 0), (0, k)), constant_values=np.inf), axis=1)[:, :k]
    found = nearest(queries, points, k, metric=metric, query_groups=query_groups, point_groups=point_groups)
    np.testing.assert_array_equal(found.distances, expected)
    np.testing.assert_array_equal(found.indices == -1, np.isinf(expected))
    for i, j in np.argwhere(found.indices >= 0):
        point = found.indices[i, j]
        assert pair_distances(queries[i : i + 1], points[point : point + 1], metric)[0] == found.distances[i, j]
    assert all(len(set(row[row >= 0])) == (row >= 0).sum() for row in found.indices)


@pytest.mark.parametrize("metric", METRICS)
def test_blocks_and_symmetry_change_nothing(metric):
    rows = draw(3, 700, 12, metric)
    expected = all_distances(rows, rows, metric)
    np.fill_diagonal(expected, np.inf)
    small = nearest(rows, rows, 4, metric=metric, exclude_self=True, memory=1 << 17)
    large = nearest(rows, rows.copy(), 4, metric=metric, exclude_self=True)
    np.testing.assert_array_equal(small.distances, np.sort(expected, axis=1)[:, :4])
    np.testing.assert_array_equal(large.distances, small.distances)


def test_a_verbatim_copy_is_at_distance_exactly_zero():
    rng = np.random.default_rng(0)
    points = (100 + rng.normal(size=(500, 257))).astype(np.float32)
    found = nearest(points[::7], points, 2)
    assert (found.distances[:, 0] == 0).all()
    np.testing.assert_array_equal(found.indices[:, 0], np.arange(500)[::7])
    assert (found.distances[:, 1] > 0).all()


def test_clusters_tighter_than_float32_can_resolve_are_searched_exactly():
    rng = np.random.default_rng(1)
    rows = (rng.normal(size=(3, 64))[rng.integers(0, 3, 300)] + 1e-6 * rng.normal(size=(300, 64))).astype(np.float32)
    expected = all_distances(rows, rows, "euclidean")
    np.fill_diagonal(expected, np.inf)
    found = nearest(rows, rows, 5, exclude_self=True)
    np.testing.assert_array_equal(found.distances, np.sort(expected, axis=1)[:, :5])


def test_images_of_the_same_patient_are_left_out():
    values = np.array([[0.0], [0.1], [5.0], [5.2]])
    patients = np.array([0, 0, 1, 1])
    found = nearest(values, values, 1, query_groups=patients, point_groups=patients, exclude_self=True)
    np.testing.assert_array_equal(found.indices[:, 0], [2, 2, 1, 1])


def test_a_row_without_direction_is_at_distance_one_from_the_others():
    rows = np.array([[0.0, 0.0], [1.0, 0.0], [0.0, 2.0]])
    found = nearest(rows[:1], rows, 3, metric="cosine")
    np.testing.assert_array_equal(found.distances, [[0.0, 1.0, 1.0]])


@settings(max_examples=40, deadline=None)
@given(seed=st.integers(0, 10**6), n=st.integers(1, 60), m=st.integers(2, 60), metric=st.sampled_from(METRICS))
def test_ball_counts_equal_brute_force_even_on_the_boundary(seed, n, m, metric):
    queries, points = draw(seed, n, 6, metric), draw(seed + 1, m, 6, metric)
    queries[0] = points[1]
    distances = all_distances(queries, points, metric)
    # The radius is often the distance of one of the queries themselves: the comparison is strict.
    radii = np.array([np.random.default_rng(seed + j).choice(distances[:, j]) for j in range(m)])
    inside = distances < radii[None]
    counts = ball_counts(queries, points, radii, metric=metric)
    np.testing.assert_array_equal(counts.containing, inside.sum(1))
    np.testing.assert_array_equal(counts.inside, inside.sum(0))
    np.testing.assert_array_equal(count_within(queries, points, radii, metric=metric), inside.sum(1))


def test_both_directions_of_ball_counts_come_from_one_pass():
    left, right = draw(1, 200, 8, "euclidean"), draw(2, 300, 8, "euclidean")
    left_radii = nearest(left, left, 3, exclude_self=True).distances[:, -1]
    right_radii = nearest(right, right, 3, exclude_self=True).distances[:, -1]
    around_left, around_right = mutual_ball_counts(left, right, left_radii, right_radii, memory=1 << 18)
    for found, expected in (
        (around_left, ball_counts(right, left, left_radii)),
        (around_right, ball_counts(left, right, right_radii)),
    ):
        np.testing.assert_array_equal(found.containing, expected.containing)
        np.testing.assert_array_equal(found.inside, expected.inside)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: nearest(np.zeros((2, 3)), np.zeros((2, 4)), 1), "queries have 3 columns and points have 4"),
        (lambda: nearest(np.zeros(3), np.zeros((2, 3)), 1), r"queries must have shape \(n, d\), got \(3,\)"),
        (lambda: nearest(np.full((1, 1), np.nan), np.zeros((2, 1)), 1), "queries hold NaN or infinite values"),
        (lambda: nearest(np.zeros((2, 3)), np.zeros((2, 3)), 0), "k must be at least 1, got 0"),
        (lambda: nearest(np.zeros((2, 3)), np.zeros((2, 3)), 1, metric="l2"), "metric must be one of euclidean, "),
        (lambda: ball_counts(np.zeros((2, 3)), np.zeros((2, 3)), np.zeros(3)), r"radii must have shape \(2,\)"),
        (
            lambda: nearest(np.zeros((2, 3)), np.zeros((2, 3)), 1, query_groups=np.zeros(2)),
            "give groups for queries and points, or for neither",
        ),
    ],
)
def test_what_is_wrong_with_the_input_is_said(call, message):
    with pytest.raises(InputError, match=message):
        call()


def test_fewer_points_than_neighbours_leave_places_empty():
    found = nearest(np.zeros((2, 1)), np.ones((1, 1)), 3)
    np.testing.assert_array_equal(found.indices, [[0, -1, -1], [0, -1, -1]])
    assert np.isinf(found.distances[:, 1:]).all()
    assert nearest(np.zeros((2, 1)), np.ones((0, 1)), 1).indices.tolist() == [[-1], [-1]]
