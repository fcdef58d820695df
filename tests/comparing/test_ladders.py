import numpy as np
import pytest

from fourfold.comparing import Movement, movement

ERRORS = np.full(5, 0.1)


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ([0, 0.05, 1, 2, 3], Movement("rises", True, 2)),
        ([3, 2, 1, 0.5, 0], Movement("falls", True, 1)),
        ([0, 1, 2, 1, 0], Movement("turns", False, 1)),
        ([0, 0.05, -0.05, 0.02, 0], Movement("still", False, None)),
        ([0, 1, 0.95, 2, 3], Movement("rises", False, 1)),
    ],
)
def test_how_a_score_moves(values, expected):
    assert movement(values, ERRORS) == expected


def test_a_ladder_turned_round_moves_the_other_way():
    values = np.array([0.0, 0.1, 1.0, 2.0, 4.0])
    assert movement(values[::-1], ERRORS).direction == "falls"
    assert movement(-values, ERRORS) == Movement("falls", True, movement(values, ERRORS).departs)


def test_where_nothing_changes_one_ladder_in_twenty_seems_to_move():
    rng = np.random.default_rng(0)
    moved = sum(movement(rng.normal(0, ERRORS), ERRORS, seed=draw).direction != "still" for draw in range(300))
    assert 5 <= moved <= 27  # 15 expected, standard deviation 3.8
