import numpy as np
import pytest

from fourfold.errors import InputError
from fourfold.neighbors import ball_counts, narrowing, nearest


def test_a_decaying_spectrum_spares_most_products_and_changes_nothing(monkeypatch, spread):
    monkeypatch.setattr(narrowing, "_WORTH_A_TRIAL", 0)
    points, queries = spread(2000, 1024, 1.5, 0), spread(1500, 1024, 1.5, 1)
    groups = np.random.default_rng(0).integers(0, 900, 2000)
    for left, right, left_out in (
        (queries, points, {}),
        (points, points, {"exclude_self": True, "query_groups": groups, "point_groups": groups}),
    ):
        found = nearest(left, right, 5, pruning="always", **left_out)
        without = nearest(left, right, 5, pruning="never", **left_out)
        np.testing.assert_array_equal(found.indices, without.indices)
        np.testing.assert_array_equal(found.distances, without.distances)
        assert found.pruning.components
        assert found.pruning.settled > 0.9
        assert found.pruning.skipped > 0.4
        assert without.pruning.reason == "not asked for"
    radii = nearest(points, points, 3, exclude_self=True).distances[:, -1]
    found = ball_counts(queries, points, radii)
    without = ball_counts(queries, points, radii, pruning="never")
    np.testing.assert_array_equal(found.containing, without.containing)
    np.testing.assert_array_equal(found.inside, without.inside)
    assert found.pruning.skipped > 0.5
    assert without.pruning.skipped == 0.0


def test_a_flat_spectrum_is_noticed_in_a_trial(monkeypatch, spread):
    monkeypatch.setattr(narrowing, "_WORTH_A_TRIAL", 0)
    points, queries = spread(1500, 256, 0.0, 0), spread(1500, 256, 0.0, 1)
    found = nearest(queries, points, 1)
    assert found.pruning.components == ()
    assert found.pruning.skipped == 0.0
    assert "trial" in found.pruning.reason
    counts = ball_counts(queries, points, np.full(1500, found.distances.max()))
    assert "trial" in counts.pruning.reason


def test_a_plan_that_does_not_hold_is_given_up_after_its_first_rows(monkeypatch, spread):
    monkeypatch.setattr(narrowing, "_WORTH_A_TRIAL", 0)
    monkeypatch.setattr(narrowing, "_FIRST", 100)
    monkeypatch.setattr(narrowing, "cheapest", lambda *given: (16, 32))
    points, queries = spread(1500, 256, 0.0, 0), spread(1500, 256, 0.0, 1)
    found = nearest(queries, points, 1)
    assert found.pruning.components == (16,)
    assert found.pruning.reason == "16 components settled 0 of 100 rows, too few to pay"
    np.testing.assert_array_equal(found.indices, nearest(queries, points, 1, pruning="never").indices)


def test_copies_beyond_those_kept_are_ordered_by_row_number():
    points = np.zeros((400, 3), dtype=np.float32)
    points[::5] = 1.0
    found = nearest(points[:2], points, 3)
    np.testing.assert_array_equal(found.indices, [[0, 5, 10], [1, 2, 3]])


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda x: nearest(x, x, 1, pruning="some"), "pruning must be one of auto, always, never, got 'some'"),
        (lambda x: ball_counts(x, x, np.ones(3), pruning="some"), "pruning must be one of auto, always, never"),
        (lambda x: nearest(x, x, 1, screening="half"), "screening must be one of float32, bfloat16, tf32, got 'half'"),
    ],
)
def test_what_is_wrong_with_the_choice_is_said(call, message):
    with pytest.raises(InputError, match=message):
        call(np.zeros((3, 2), dtype=np.float32))
