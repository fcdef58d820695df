import tracemalloc

import numpy as np
import pytest

from fourfold.engine import LOCAL, LocalEngine
from fourfold.errors import InputError
from fourfold.neighbors import ball_counts, count_within, mutual_ball_counts, nearest
from fourfold.neighbors.rows import FileRows, SharedRows, ranges, reachable
from fourfold.neighbors.sharded import merged, nearest_sharded
from fourfold.neighbors.sharded_counts import ball_counts_sharded, count_within_sharded, mutual_ball_counts_sharded
from fourfold.neighbors.sharding import pairs_of, pieces

METRICS = ("euclidean", "cosine", "correlation", "hamming")
# Small enough that the sets below are cut into several blocks and shards, by a search and by a count.
MEMORY, FOR_COUNTS = 1 << 21, 1 << 17


class Several(LocalEngine):
    """Pieces for several workers, done here one after the other."""

    def __init__(self, workers=3):
        super().__init__(0)
        self.pieces = []
        self._told = workers

    @property
    def workers(self):
        return self._told

    @property
    def here(self):
        return True

    def map(self, work, pieces):
        self.pieces += pieces
        return super().map(work, pieces)


def rows(seed, n, d=6, metric="euclidean"):
    rng = np.random.default_rng(seed)
    # Few values, so that many distances are equal.
    return rng.integers(0, 3, (n, d)).astype(np.int64 if metric == "hamming" else np.float32)


def groups(seed, n):
    return np.random.default_rng(seed).integers(0, 40, n)


def same(found, expected):
    np.testing.assert_array_equal(found.distances, expected.distances)
    np.testing.assert_array_equal(found.indices, expected.indices)


def same_counts(found, expected):
    np.testing.assert_array_equal(found.containing, expected.containing)
    np.testing.assert_array_equal(found.inside, expected.inside)


@pytest.mark.parametrize("workers", [1, 3])
@pytest.mark.parametrize("metric", METRICS)
def test_shards_give_the_same_neighbours_in_the_same_order_of_ties(metric, workers):
    queries, points, engine = rows(0, 500, metric=metric), rows(1, 1100, metric=metric), Several(workers)
    of_queries, of_points = groups(2, 500), groups(3, 1100)
    for k, excluded in ((1, {}), (7, {"query_groups": of_queries, "point_groups": of_points})):
        expected = nearest(queries, points, k, metric=metric, **excluded)
        same(nearest_sharded(queries, points, k, engine=engine, metric=metric, memory=MEMORY, **excluded), expected)
    assert len({piece.rows for piece in engine.pieces}) > 1


@pytest.mark.parametrize("workers", [1, 3])
@pytest.mark.parametrize("metric", METRICS)
def test_a_set_in_itself_leaves_out_the_row_and_its_patient_wherever_the_cut_lies(metric, workers):
    points, engine, patients = rows(4, 900, metric=metric), Several(workers), groups(5, 900)
    for given in (None, patients):
        excluded = {"query_groups": given, "point_groups": given, "exclude_self": True}
        expected = nearest(points, points, 4, metric=metric, **excluded)
        same(nearest_sharded(points, points, 4, engine=engine, metric=metric, memory=MEMORY, **excluded), expected)
    assert all(piece.columns[0] >= piece.rows[0] for piece in engine.pieces), "a pair was done twice"


def test_a_row_is_left_out_by_its_number_where_the_sets_are_two_objects():
    points = rows(6, 1200)
    expected = nearest(points, points.copy(), 3, exclude_self=True)
    same(nearest_sharded(points, points.copy(), 3, engine=Several(), memory=MEMORY, exclude_self=True), expected)
    # Every part of repeated rows has the same memory, and still its own row numbers.
    alike = np.broadcast_to(points[:1], (1200, points.shape[1]))
    found = nearest_sharded(alike, alike[:], 1, engine=Several(), memory=MEMORY, exclude_self=True)
    assert found.indices[:, 0].tolist() == [1] + [0] * 1199


def test_a_shard_whose_points_are_all_left_out_adds_nothing():
    points, patients = rows(7, 900), np.repeat([0, 1], [700, 200])
    excluded = {"query_groups": patients, "point_groups": patients, "exclude_self": True}
    same(
        nearest_sharded(points, points, 250, engine=LOCAL, memory=1 << 23, **excluded),
        nearest(points, points, 250, **excluded),
    )


@pytest.mark.parametrize("pruning", ["always", "never"])
def test_shards_pruned_by_themselves_give_the_same_neighbours(spread, pruning):
    queries, points = spread(600, 128, 1.5, 0), spread(2000, 128, 1.5, 1)
    for among in (points, queries):
        expected = nearest(queries, among, 3, exclude_self=among is queries)
        found = nearest_sharded(
            queries,
            among,
            3,
            engine=Several(),
            memory=1 << 22,
            pruning=pruning,
            exclude_self=among is queries,
        )
        same(found, expected)
        assert bool(found.pruning.components) == (pruning == "always")


@pytest.mark.parametrize("workers", [1, 3])
@pytest.mark.parametrize("metric", METRICS)
def test_counts_over_shards_add_up(metric, workers):
    left, right, engine = rows(8, 800, metric=metric), rows(9, 1500, metric=metric), Several(workers)
    rng = np.random.default_rng(10)
    # Radii that are distances themselves: the comparison is strict.
    of_left = nearest(left, right, 5, metric=metric).distances[np.arange(800), rng.integers(0, 5, 800)]
    of_right = nearest(right, left, 5, metric=metric).distances[np.arange(1500), rng.integers(0, 5, 1500)]
    keywords = {"metric": metric, "memory": FOR_COUNTS}
    found = mutual_ball_counts_sharded(left, right, of_left, of_right, engine=engine, **keywords)
    for one, expected in zip(found, mutual_ball_counts(left, right, of_left, of_right, metric=metric), strict=True):
        same_counts(one, expected)
    excluded = {"query_groups": groups(11, 800), "point_groups": groups(12, 1500)}
    same_counts(
        ball_counts_sharded(left, right, of_right, engine=engine, **excluded, **keywords),
        ball_counts(left, right, of_right, metric=metric, **excluded),
    )
    own = {"query_groups": groups(11, 800), "point_groups": groups(11, 800)}
    same_counts(
        ball_counts_sharded(left, left, of_left, engine=engine, **own, **keywords),
        ball_counts(left, left, of_left, metric=metric, **own),
    )
    np.testing.assert_array_equal(
        count_within_sharded(left, left, of_left, engine=engine, **keywords),
        count_within(left, left, of_left, metric=metric),
    )


def test_workers_map_files_themselves(tmp_path, monkeypatch):
    queries, points = rows(13, 900), rows(14, 1300)
    np.save(tmp_path / "queries.npy", queries)
    raw = np.memmap(tmp_path / "points.raw", np.float32, "w+", offset=4096 + 24, shape=(1400, 6))
    raw[50:1350] = points
    raw.flush()
    monkeypatch.setattr(LOCAL.__class__, "share", lambda *_: pytest.fail("rows of a file were sent to a worker"))
    expected = nearest(queries, points, 3)
    same(nearest_sharded(tmp_path / "queries.npy", raw[50:1350], 3, engine=LOCAL, memory=MEMORY), expected)
    own = str(tmp_path / "queries.npy")
    found = nearest_sharded(own, own, 3, engine=LOCAL, memory=MEMORY, exclude_self=True)
    same(found, nearest(queries, queries, 3, exclude_self=True))


def test_what_is_in_no_file_is_shared(tmp_path):
    np.save(tmp_path / "rows.npy", rows(15, 50))
    private = np.load(tmp_path / "rows.npy", mmap_mode="c")
    mapped = np.load(tmp_path / "rows.npy", mmap_mode="r")
    assert isinstance(reachable(mapped, LOCAL), FileRows)
    assert isinstance(reachable(mapped[10:20], LOCAL), FileRows)
    np.testing.assert_array_equal(reachable(mapped[10:20], LOCAL).part(2, 5), rows(15, 50)[12:15])
    for given in (private, mapped[:, :3], mapped[::2], np.array(mapped)):
        assert isinstance(reachable(given, LOCAL), SharedRows)
        np.testing.assert_array_equal(reachable(given, LOCAL).part(1, 4), given[1:4])


def test_processes_give_the_same(tmp_path):
    queries, points, patients = rows(16, 1100), rows(17, 1500), groups(18, 1100)
    np.save(tmp_path / "points.npy", points)
    excluded = {"query_groups": patients, "point_groups": patients, "exclude_self": True}
    with LocalEngine(2) as engine:
        same(nearest_sharded(queries, tmp_path / "points.npy", 3, engine=engine), nearest(queries, points, 3))
        same(nearest_sharded(queries, queries, 3, engine=engine, **excluded), nearest(queries, queries, 3, **excluded))
        radii = np.full(1500, 1.5)
        same_counts(
            ball_counts_sharded(queries, tmp_path / "points.npy", radii, engine=engine),
            ball_counts(queries, points, radii),
        )


def test_lists_of_neighbours_merge_in_any_order():
    queries, points = rows(19, 40), rows(20, 90)
    parts = [nearest(queries, points[first:last], 6) for first, last in ranges(0, 90, 25)]
    moved = [
        type(part)(part.distances, np.where(part.indices < 0, -1, part.indices + first))
        for part, (first, _) in zip(parts, ranges(0, 90, 25), strict=True)
    ]
    left = merged(merged(moved[0], moved[1]), merged(moved[2], moved[3]))
    right = merged(moved[3], merged(merged(moved[2], moved[1]), moved[0]))
    same(left, nearest(queries, points, 6))
    same(right, left)


def test_pieces_hold_each_pair_once_and_enough_of_them_for_all_workers():
    for n, m in ((5000, 5000), (40_000, 3000), (2000, 90_000)):
        for queries, points in (
            (np.zeros((n, 4), np.float32), np.zeros((m, 4), np.float32)),
            (np.zeros((n, 4), np.float32),) * 2,
        ):
            pairs = pairs_of(
                queries,
                points,
                engine=Several(4),
                metric="euclidean",
                query_groups=None,
                point_groups=None,
                exclude_self=False,
                memory=1 << 30,
                pruning="auto",
            )
            todo = pieces(pairs, 4)
            whole = len(queries) * (len(queries) + 1) / 2 if pairs.halved else len(queries) * len(points)
            done = sum(one.size if one.rows != one.columns or not pairs.halved else 0.0 for one in todo)
            triangle = sum((r := one.rows[1] - one.rows[0]) * (r + 1) / 2 for one in todo if one.rows == one.columns)
            assert done + (triangle if pairs.halved else 0.0) == whole
            assert len(todo) >= 4


def test_memory_of_a_worker_stays_within_its_bound(tmp_path, spread):
    file, memory = tmp_path / "points.npy", 1 << 22
    np.save(file, spread(5000, 256, 1.0, 0))
    nearest_sharded(rows(24, 20), rows(25, 20), 1, engine=LOCAL)
    tracemalloc.start()
    nearest_sharded(file, file, 1, engine=LOCAL, memory=memory, exclude_self=True)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    # The result comes on top; a copy of the set would be 5 MB more.
    assert peak < memory + 5000 * 16


def test_empty_sets_have_no_neighbours():
    some, none = rows(21, 5), np.empty((0, 6), np.float32)
    found = nearest_sharded(some, none, 2, engine=LOCAL)
    assert np.isinf(found.distances).all()
    assert (found.indices == -1).all()
    assert nearest_sharded(none, some, 2, engine=LOCAL).distances.shape == (0, 2)
    assert ball_counts_sharded(some, none, np.empty(0), engine=LOCAL).containing.tolist() == [0] * 5


def test_what_cannot_be_searched_is_said(tmp_path):
    some = rows(22, 5)
    with pytest.raises(InputError, match="k must be at least 1, got 0"):
        nearest_sharded(some, some, 0, engine=LOCAL)
    with pytest.raises(InputError, match="queries have 6 columns and points have 3"):
        nearest_sharded(some, some[:, :3], 1, engine=LOCAL)
    with pytest.raises(InputError, match=r"metric must be one of .*, got 'manhattan'"):
        nearest_sharded(some, some, 1, engine=LOCAL, metric="manhattan")
    with pytest.raises(InputError, match=r"is no readable \.npy file"):
        nearest_sharded(some, tmp_path / "none.npy", 1, engine=LOCAL)
    np.save(tmp_path / "columns.npy", np.asfortranarray(some))
    with pytest.raises(InputError, match="stored row by row"):
        nearest_sharded(some, tmp_path / "columns.npy", 1, engine=LOCAL)
    np.save(tmp_path / "objects.npy", np.array([[None]]), allow_pickle=True)
    with pytest.raises(InputError, match=r"is no readable \.npy file of numbers"):
        nearest_sharded(some, tmp_path / "objects.npy", 1, engine=LOCAL)
    np.save(tmp_path / "broken.npy", np.array([[np.nan] * 6]))
    with pytest.raises(InputError, match="points hold NaN or infinite values"):
        nearest_sharded(some, tmp_path / "broken.npy", 1, engine=LOCAL)
    np.save(tmp_path / "short.npy", some)
    short = reachable(tmp_path / "short.npy", LOCAL)
    np.save(tmp_path / "short.npy", some[:2])
    with pytest.raises(InputError, match="every worker has to see the whole file"):
        short.part(0, 5)
