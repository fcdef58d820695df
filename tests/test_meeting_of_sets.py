"""One pass a pair of sets gives what a search for each question gives."""

from dataclasses import replace

import numpy as np
import pytest

from fourfold import comparison as room
from fourfold import evaluation  # noqa: F401 - fills the register
from fourfold.comparison import Comparison, Features
from fourfold.engine import LOCAL
from fourfold.neighbors import ball_counts, nearest, searches
from fourfold.neighbors.balls import depth_in_balls, with_centres
from fourfold.privacy import legacy
from fourfold.privacy.singling_out import singling_out
from fourfold.score import metrics


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


def test_every_default_metric_together_multiplies_each_pair_of_sets_once(monkeypatch):
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
    comparison = comparison_of(images=1)
    for metric in metrics():
        if metric.kind == "features" and not metric.thorough and metric.axis in ("fidelity", "variety"):
            metric.compute(comparison)
    assert sorted(asked) == [
        ("meetings", 90, 130, 160),
        ("nearest", 90, 90),
        ("nearest", 130, 130),
        ("nearest", 160, 160),
    ]
