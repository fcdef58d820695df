"""One pass a pair of sets gives what a search for each question gives."""

from dataclasses import replace

import numpy as np
import pytest

from fourfold import evaluation  # noqa: F401 - fills the register
from fourfold.comparison import Comparison, Features
from fourfold.comparison import space as room
from fourfold.comparison.parts import equal_parts, held_by_parts
from fourfold.engine import LOCAL
from fourfold.neighbors import ball_counts, nearest, searches
from fourfold.neighbors.balls import depth_in_balls, with_centres
from fourfold.privacy import legacy
from fourfold.privacy.singling_out import singling_out
from fourfold.score import metrics
from fourfold.variety import recall


def comparison_of(sizes=(160, 130, 90), width=6, images=2, seed=0, copies=8):
    rng = np.random.default_rng(seed)
    training, synthetic, holdout = (rng.normal(size=(size, width)).astype(np.float32) for size in sizes)
    synthetic[:copies] = training[:copies]
    owners = [np.arange(len(training)) // images, 1000 + np.arange(len(holdout)) // images]
    return Comparison(
        "normal", Features(training, owners[0]), Features(synthetic), Features(holdout, owners[1]), seed=seed
    )


@pytest.mark.parametrize("images", [1, 2, 5])
def test_neighbours_and_balls_are_those_of_a_search_of_their_own(images):
    comparison = comparison_of(images=images)
    training = comparison.training
    radii = with_centres(
        nearest(
            training.values,
            training.values,
            5,
            query_groups=training.patients,
            point_groups=training.patients,
            exclude_self=True,
        ).distances[:, -1]
    )
    for role in ("synthetic", "holdout"):
        own = comparison.set(role).values
        for k in (1, 5, 12):
            alone = nearest(own, training.values, k)
            np.testing.assert_array_equal(comparison.neighbors(role, "training", k).indices, alone.indices)
            np.testing.assert_array_equal(comparison.neighbors(role, "training", k).distances, alone.distances)
            back = nearest(training.values, own, k)
            np.testing.assert_array_equal(comparison.neighbors("training", role, k).indices, back.indices)
        for k in (2, 5):
            alone = ball_counts(own, training.values, comparison.radii("training", k))
            np.testing.assert_array_equal(comparison.balls(role, "training", k).containing, alone.containing)
            alone = ball_counts(training.values, own, comparison.radii(role, k))
            np.testing.assert_array_equal(comparison.balls("training", role, k).inside, alone.inside)
        typical = radii <= np.median(radii)
        np.testing.assert_allclose(
            comparison.depths(role), depth_in_balls(own, training.values[typical], radii[typical]), rtol=1e-12
        )


@pytest.mark.parametrize(("images", "depth"), [(1, 5), (1, 32), (3, 32), (20, 5)])
def test_the_nearest_real_images_are_those_of_a_search_among_all(images, depth):
    comparison = replace(comparison_of(images=images), depth=depth)
    real = np.concatenate([comparison.training.values, comparison.holdout.values])
    found = comparison.nearest_real("synthetic")
    alone = nearest(comparison.synthetic.values, real, found.indices.shape[1])
    np.testing.assert_array_equal(found.indices, alone.indices)
    np.testing.assert_array_equal(found.distances, alone.distances)
    assert found.indices.shape[1] >= depth


@pytest.mark.parametrize("images", [1, 4])
def test_persons_singled_out_do_not_depend_on_how_neighbours_were_found(images):
    shallow, deep = (replace(comparison_of(images=images), depth=depth) for depth in (5, 32))
    assert singling_out(shallow).details == singling_out(deep).details


@pytest.mark.parametrize("share", [1.0, 0.9, 0.5, 0.0, 1.2])
def test_counts_in_balls_of_any_radius_are_those_of_a_count_of_their_own(share):
    comparison = comparison_of()
    radii = comparison.radii("training", 5) * share
    for role in ("synthetic", "holdout"):
        alone = ball_counts(comparison.set(role).values, comparison.training.values, radii)
        found = comparison.within(role, radii)
        np.testing.assert_array_equal(found.containing, alone.containing)
        np.testing.assert_array_equal(found.inside, alone.inside)
        assert (comparison.close_pairs(role, radii) is None) == (share > 1)


def test_a_pair_at_the_radius_itself_is_outside():
    line = Features(np.arange(20, dtype=np.float32)[:, None], np.arange(20))
    comparison = Comparison("line", line, Features(line.values + 0.5))
    radii = np.full(20, 0.5)
    assert comparison.within("synthetic", radii).inside.sum() == 0
    assert comparison.within("synthetic", np.nextafter(radii, 1)).inside.sum() == 39


def test_pairs_too_many_to_keep_are_counted_anew():
    comparison = comparison_of(sizes=(200, 200, 50), copies=0)
    comparison.memory = 1 << 11
    radii = comparison.radii("training", 5)
    assert comparison.close_pairs("synthetic", radii) is None
    alone = ball_counts(comparison.synthetic.values, comparison.training.values, radii)
    np.testing.assert_array_equal(comparison.within("synthetic", radii).inside, alone.inside)


@pytest.mark.parametrize("images", [1, 3])
def test_a_search_over_an_engine_finds_what_one_pass_finds(images):
    here = comparison_of(images=images)
    there = replace(comparison_of(images=images), searching=searches.ShardedSearch(LOCAL))
    np.testing.assert_array_equal(
        here.neighbors("synthetic", "training", 5).indices, there.neighbors("synthetic", "training", 5).indices
    )
    for role in ("synthetic", "holdout"):
        np.testing.assert_array_equal(here.balls("training", role, 5).inside, there.balls("training", role, 5).inside)
        np.testing.assert_array_equal(here.depths(role), there.depths(role))
        radii = 0.7 * here.radii("training", 5)
        np.testing.assert_array_equal(here.within(role, radii).inside, there.within(role, radii).inside)


@pytest.mark.parametrize("size", [0, 1, 5, 6])
def test_sets_too_small_for_a_meeting_are_searched_one_by_one(size):
    comparison = comparison_of(sizes=(30, size, 12), copies=0)
    found = comparison.neighbors("synthetic", "training", 1)
    np.testing.assert_array_equal(
        found.indices, nearest(comparison.synthetic.values, comparison.training.values, 1).indices
    )


@pytest.mark.parametrize("images", [1, 2, 7, 40])
def test_the_legacy_score_ignores_patients_as_the_original_does(images):
    comparison = comparison_of(images=images)
    training, synthetic = comparison.training.values, comparison.synthetic.values
    assert legacy.legacy_privacy(comparison).value == legacy.legacy_triple(training, synthetic).privacy


@pytest.mark.parametrize("images", [1, 3])
@pytest.mark.parametrize("width", [2, 70])
def test_what_balls_of_equal_parts_hold_comes_from_the_same_pass(images, width):
    comparison = comparison_of((160, 300, 90), width, images)
    parts = equal_parts(comparison, "synthetic")
    held = held_by_parts(comparison, "synthetic", parts, 5)
    assert len(parts) == 3
    assert sorted(np.concatenate(parts)) == list(range(300))
    for rows, one in zip(parts, held, strict=True):
        assert one.mean() == recall(comparison.training.values, comparison.synthetic.values[rows], 5)
    assert held_by_parts(comparison, "synthetic", [np.arange(100), *parts[1:]], 5) is None
    assert held_by_parts(comparison, "holdout", equal_parts(comparison, "holdout"), 5) is None


def test_pairs_too_many_to_keep_for_parts_leave_the_counts_as_they_are():
    comparison, scarce = comparison_of((200, 300, 60)), comparison_of((200, 300, 60))
    scarce.memory = 1 << 11
    assert held_by_parts(scarce, "synthetic", equal_parts(scarce, "synthetic"), 5) is None
    for one in (scarce, comparison):
        alone = ball_counts(one.training.values, one.synthetic.values, one.radii("synthetic", 5))
        np.testing.assert_array_equal(one.balls("training", "synthetic", 5).inside, alone.inside)


def test_a_score_of_equal_parts_is_that_of_a_search_for_each():
    metric = next(metric for metric in metrics() if metric.key == "variety/recall")
    here = comparison_of((160, 300, 90), copies=0)
    there = replace(comparison_of((160, 300, 90), copies=0), searching=searches.ShardedSearch(LOCAL))
    assert metric.compute(here) == metric.compute(there)


class Summing:
    """Sums the products that it sees of each row, and counts them."""

    def __init__(self, size):
        self.sums, self.seen = np.zeros(size), 0

    def look(self, frame, rows, columns, products):
        self.sums[rows] += products.sum(axis=1) * -0.5 * 4.0**-frame.exponent
        self.seen += products.size


def test_onlookers_see_every_product_and_the_neighbours_are_the_same():
    shown, alone = (replace(comparison_of((1400, 1300, 90)), depth=6) for _ in range(2))
    within = Summing(1400), Summing(1300)
    between = Summing(1300)
    assert shown.show(*within, between)
    # Blocks of 1280 rows: of one set only those on and above the diagonal.
    assert [one.seen for one in (*within, between)] == [1400**2 - 120 * 1280, 1300**2 - 20 * 1280, 1300 * 1400]
    centred = [one.values - shown.training.values.mean(axis=0) for one in (shown.synthetic, shown.training)]
    np.testing.assert_allclose(between.sums, (centred[0] @ centred[1].T).sum(axis=1), atol=1e-2)
    for pair in (("training", "training"), ("synthetic", "training"), ("holdout", "training")):
        np.testing.assert_array_equal(shown.neighbors(*pair, 5).indices, alone.neighbors(*pair, 5).indices)
    assert not shown.show(*within, between)
    for refused in (comparison_of(), replace(comparison_of(), distance="cosine", depth=6)):
        assert not refused.show(*within, between)


@pytest.mark.parametrize(("sizes", "parts"), [((160, 130, 90), ()), ((160, 270, 90), (90, 90, 90))])
def test_every_default_metric_together_multiplies_each_pair_of_sets_once(monkeypatch, sizes, parts):
    asked = []

    def noted(name):
        home = room if name == "meetings" else searches
        original = getattr(home, name)

        def searched(queries, points, *rest, **options):
            sizes = sorted(map(len, queries.values())) if isinstance(queries, dict) else [len(queries)]
            asked.append((name, *sizes, len(points)))
            return original(queries, points, *rest, **options)

        monkeypatch.setattr(home, name, searched)

    for name in ("nearest", "meetings", "mutual_ball_counts", "ball_counts"):
        noted(name)
    comparison = comparison_of(sizes, images=1)
    for metric in metrics():
        if metric.kind == "features" and not metric.thorough and metric.axis in ("fidelity", "variety"):
            metric.compute(comparison)
    n, m, h = sizes
    # Radii within the parts take the fraction of one search that the parts are of the set.
    own = [("nearest", size, size) for size in (n, m, h, *parts)]
    assert sorted(asked) == sorted([("meetings", *sorted((m, h)), n), *own])
