import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from fourfold.neighbors import ball_counts, meetings, nearest, pair_distances
from fourfold.neighbors.blocks import Blocks
from fourfold.neighbors.frames import Frame
from fourfold.neighbors.precision import BFLOAT16, DOUBLE, SINGLE, TF32
from fourfold.neighbors.pruning import leading_axes
from fourfold.neighbors.sides import Side

METRICS = ("euclidean", "cosine", "correlation", "hamming")
KINDS = ("decaying", "flat", "ties", "duplicates", "huge", "tiny", "outliers", "blank", "codes")


def rows_of(kind, rng, n, d):
    values = rng.normal(size=(n, d))
    if kind == "decaying":
        values *= 1.0 / np.arange(1, d + 1)
    elif kind == "ties":
        values = rng.integers(0, 2, (n, d)).astype(float)
    elif kind == "duplicates":
        values = values[rng.integers(0, max(1, n // 8), n)]
    elif kind == "huge":
        values *= 1e30
    elif kind == "tiny":
        values = 1e4 + values[:1] + 1e-3 * values
    elif kind == "outliers":
        values[:1] *= 1e12
        values[-1:] *= 1e-12
    elif kind == "blank":
        values[rng.random(n) < 0.6] = 0.0
    elif kind == "codes":
        values = rng.integers(-3, 3, (n, d)).astype(float)
    return values.astype(np.float32)


def all_distances(queries, points, metric):
    found = [pair_distances(np.repeat(row[None], len(points), 0), points, metric) for row in queries]
    return np.stack(found) if found else np.empty((0, len(points)))


def by_brute_force(queries, points, k, metric, left_out=None):
    distances = all_distances(queries, points, metric)
    if left_out is not None:
        distances[left_out] = np.inf
    numbers = np.broadcast_to(np.arange(len(points)), distances.shape)
    order = np.lexsort((numbers, distances), axis=1)[:, :k]
    found = np.take_along_axis(distances, order, axis=1)
    missing = ((0, 0), (0, k - order.shape[1]))
    found = np.pad(found, missing, constant_values=np.inf)
    return found, np.where(np.isfinite(found), np.pad(order, missing), -1)


@settings(max_examples=80, deadline=None)
@given(
    seed=st.integers(0, 10**6),
    kind=st.sampled_from(KINDS),
    metric=st.sampled_from(METRICS),
    n=st.integers(1, 60),
    m=st.integers(1, 150),
    d=st.integers(1, 90),
    k=st.integers(1, 9),
    groups=st.integers(0, 5),
    itself=st.booleans(),
    pruning=st.sampled_from(("always", "never", "auto")),
    screening=st.sampled_from(("float32", "bfloat16", "tf32")),
    dtype=st.sampled_from((np.float32, np.float64, np.float16)),
)
def test_whatever_the_shortcut_the_result_is_that_of_brute_force(
    seed, kind, metric, n, m, d, k, groups, itself, pruning, screening, dtype
):
    rng = np.random.default_rng(seed)
    points = rows_of(kind, rng, m, d)
    queries = points if itself else rows_of(kind, rng, n, d)
    if dtype == np.float16:
        points, queries = (np.clip(one, -6e4, 6e4) for one in (points, queries))
    points = points.astype(dtype)
    queries = points if itself else queries.astype(dtype)
    if not itself:
        queries[: min(n, m, 3)] = points[: min(n, m, 3)]
    left_out = np.zeros((len(queries), m), dtype=bool)
    own = theirs = None
    if groups:
        theirs = rng.integers(0, groups, m)
        own = theirs if itself else rng.integers(0, groups, n)
        left_out |= own[:, None] == theirs
    if itself:
        left_out |= np.eye(m, dtype=bool)
    distances, indices = by_brute_force(queries, points, k, metric, left_out)
    found = nearest(
        queries,
        points,
        k,
        metric=metric,
        query_groups=own,
        point_groups=theirs,
        exclude_self=itself,
        pruning=pruning,
        screening=screening,
    )
    np.testing.assert_array_equal(found.distances, distances)
    np.testing.assert_array_equal(found.indices, indices)


@settings(max_examples=40, deadline=None)
@given(
    seed=st.integers(0, 10**6),
    kind=st.sampled_from(KINDS),
    metric=st.sampled_from(METRICS),
    n=st.integers(0, 60),
    m=st.integers(1, 90),
    d=st.integers(1, 70),
    k=st.integers(1, 5),
    pruning=st.sampled_from(("always", "never", "auto")),
)
def test_one_pass_answers_every_question_as_brute_force_does(seed, kind, metric, n, m, d, k, pruning):
    rng = np.random.default_rng(seed)
    points, queries = rows_of(kind, rng, m, d), rows_of(kind, rng, n, d)
    queries[: min(n, m, 3)] = points[: min(n, m, 3)]
    distances = all_distances(queries, points, metric)
    # The radius is often the distance of one of the rows themselves: the comparison is strict.
    point_radii = distances[rng.integers(0, n, m), np.arange(m)] if n else np.ones(m)
    query_radii = distances[np.arange(n), rng.integers(0, m, n)]
    met = meetings(
        {"synthetic": queries, "holdout": queries[::2]},
        points,
        k,
        metric=metric,
        point_radii=point_radii,
        set_radii={"synthetic": query_radii},
        pruning=pruning,
    )
    for found, expected in (
        (met["synthetic"].nearest_points, by_brute_force(queries, points, k, metric)),
        (met["synthetic"].nearest_queries, by_brute_force(points, queries, k, metric)),
        (met["holdout"].nearest_points, by_brute_force(queries[::2], points, k, metric)),
    ):
        np.testing.assert_array_equal(found.distances, expected[0])
        np.testing.assert_array_equal(found.indices, expected[1])
    inside = distances < point_radii
    np.testing.assert_array_equal(met["synthetic"].around_points.containing, inside.sum(1))
    np.testing.assert_array_equal(met["synthetic"].around_points.inside, inside.sum(0))
    np.testing.assert_array_equal(met["holdout"].around_points.inside, inside[::2].sum(0))
    inside = distances < query_radii[:, None]
    np.testing.assert_array_equal(met["synthetic"].around_queries.containing, inside.sum(0))
    np.testing.assert_array_equal(met["synthetic"].around_queries.inside, inside.sum(1))
    assert met["holdout"].around_queries is None
    counts = ball_counts(queries, points, point_radii, metric=metric, pruning=pruning)
    np.testing.assert_array_equal(counts.containing, (distances < point_radii).sum(1))
    own = all_distances(points, points, metric) < point_radii
    counts = ball_counts(points, points, point_radii, metric=metric, pruning=pruning, memory=1 << 16)
    np.testing.assert_array_equal(counts.containing, own.sum(1))
    np.testing.assert_array_equal(counts.inside, own.sum(0))


@settings(max_examples=60, deadline=None)
@given(
    seed=st.integers(0, 10**6),
    kind=st.sampled_from(KINDS),
    metric=st.sampled_from(METRICS[:3]),
    d=st.integers(1, 200),
    precision=st.sampled_from((SINGLE, DOUBLE, BFLOAT16, TF32)),
)
def test_entries_of_blocks_are_bounds_and_no_worse_than_they_say(seed, kind, metric, d, precision):
    rng = np.random.default_rng(seed)
    queries, points = rows_of(kind, rng, 20, d), rows_of(kind, rng, 30, d)
    queries[:5] = points[:5]
    queries[5] = points[6] * np.float32(1 + 1e-6)
    frame = Frame.around(points, metric, queries)
    blocks = Blocks(*(Side(rows, frame, 1 << 20, precision=precision) for rows in (queries, points)), 1 << 20)
    true = frame.squared(all_distances(queries, points, metric))
    for rows, columns, block in blocks:
        bounds = block.double().numpy()
        assert (bounds <= true[rows, columns]).all()
        assert (bounds + blocks.doubt(rows, columns) >= true[rows, columns]).all()


@settings(max_examples=60, deadline=None)
@given(
    seed=st.integers(0, 10**6),
    kind=st.sampled_from(KINDS),
    metric=st.sampled_from(METRICS[:3]),
    d=st.integers(2, 200),
    count=st.integers(1, 16),
)
def test_the_bound_from_a_few_components_never_exceeds_the_distance(seed, kind, metric, d, count):
    rng = np.random.default_rng(seed)
    queries, points = rows_of(kind, rng, 20, d), rows_of(kind, rng, 60, d)
    queries[:5] = points[:5]
    queries[5:10] = points[5:10] * np.float32(1 + 1e-6)
    frame = Frame.around(points, metric, queries)
    axes = leading_axes(points, frame)
    count = min(count, axes.count)
    sides = [Side(axes.coordinates(rows, count), Frame.unmoved(count + 1), 0) for rows in (queries, points)]
    true = frame.squared(all_distances(queries, points, metric))
    for rows, columns, block in Blocks(*sides, 1 << 20, slack=axes.slack(count)):
        assert (block.double().numpy() <= true[rows, columns]).all()
