import numpy as np
import pytest

from fourfold.errors import InputError
from fourfold.neighbors import ball_counts, meetings, narrowing, nearest


def test_every_set_of_a_meeting_shares_the_points(monkeypatch, spread):
    monkeypatch.setattr(narrowing, "_WORTH_A_TRIAL", 0)
    points = spread(1200, 256, 2.0, 0)
    sets = {"synthetic": spread(1100, 256, 2.0, 1), "holdout": spread(900, 256, 0.0, 2)}
    radii = nearest(points, points, 3, exclude_self=True).distances[:, -1]
    met = meetings(sets, points, 3, point_radii=radii)
    for name, rows in sets.items():
        alone = nearest(rows, points, 3, pruning="never"), nearest(points, rows, 3, pruning="never")
        np.testing.assert_array_equal(met[name].nearest_points.indices, alone[0].indices)
        np.testing.assert_array_equal(met[name].nearest_queries.indices, alone[1].indices)
        np.testing.assert_array_equal(met[name].around_points.inside, ball_counts(rows, points, radii).inside)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda x: meetings({"holdout": x}, x, 0), "k must be at least 1, got 0"),
        (lambda x: meetings({"holdout": x[:, :1]}, x, 1), "queries have 1 columns and points have 2"),
        (lambda x: meetings({}, x, 1, set_radii={"odd": x}), "radii are given for odd, which is not among the sets"),
    ],
)
def test_what_is_wrong_with_the_input_is_said(call, message):
    with pytest.raises(InputError, match=message):
        call(np.zeros((3, 2), dtype=np.float32))
