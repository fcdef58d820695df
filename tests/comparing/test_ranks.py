import numpy as np
import pytest

from fourfold.comparing import rank_ranges, told_apart


def test_values_far_apart_have_one_rank_each():
    values = np.array([0.3, 0.9, 0.6])
    assert rank_ranges(told_apart(values, np.full(3, 0.01))).tolist() == [[3, 3], [1, 1], [2, 2]]


def test_values_within_their_errors_share_all_ranks():
    assert rank_ranges(told_apart([0.50, 0.51, 0.52], [0.1, 0.1, 0.1])).tolist() == [[1, 3]] * 3


def test_known_values_are_told_apart_and_ties_are_not():
    above = told_apart([1.0, 1.0, 2.0], [0.0, 0.0, 0.0])
    assert above.astype(int).tolist() == [[0, 0, 0], [0, 0, 0], [1, 1, 0]]


def test_equal_sets_are_told_apart_in_one_comparison_in_twenty():
    rng = np.random.default_rng(0)
    errors = np.array([0.5, 1.0, 2.0, 1.0, 0.7])
    wrong = sum(told_apart(rng.normal(0, errors), errors, seed=draw).any() for draw in range(200))
    assert 3 <= wrong <= 19  # 10 expected, standard deviation 3.1


def test_ranks_cover_the_true_ones_and_narrow_as_errors_fall():
    rng = np.random.default_rng(1)
    truth = np.arange(6.0)
    widths = []
    for error in (2.0, 0.5, 0.1):
        covered, width = 0, 0.0
        for draw in range(40):
            found = rank_ranges(told_apart(truth + rng.normal(0, error, 6), np.full(6, error), seed=draw))
            covered += ((found[:, 0] <= 6 - truth) & (6 - truth <= found[:, 1])).all()
            width += np.mean(found[:, 1] - found[:, 0])
        assert covered >= 35
        widths.append(width)
    assert widths[0] > widths[1] > widths[2] == 0


def test_steps_tell_more_apart_than_one_threshold_for_all():
    # The far pair is gone after the first step; the near one needs the threshold of a single pair.
    assert told_apart([0.0, 3.1, 1000.0], [1.0, 1.0, 1.0])[1, 0] == told_apart([0.0, 3.1], [1.0, 1.0])[1, 0]


def test_one_value_is_first_and_last():
    assert rank_ranges(told_apart([1.0], [0.1])).tolist() == [[1, 1]]


@pytest.mark.parametrize(("values", "errors", "level"), [([np.nan], [1], 0.95), ([1], [-1], 0.95), ([1], [1], 1.0)])
def test_what_cannot_be_compared_is_refused(values, errors, level):
    with pytest.raises(ValueError, match="must be"):
        told_apart(values, errors, level=level)
