import numpy as np

from fourfold.comparing import standings, told_apart


def places(values, error):
    values = np.asarray(values, dtype=float)
    better = np.stack([told_apart(row, np.full(len(row), error)) for row in values])
    return [(one.place, one.by) for one in standings(values, better)]


def test_a_trade_off_leaves_both_sets_on_the_front():
    assert places([[0.0, 1.0], [1.0, 0.0]], 0.01) == [("front", ()), ("front", ())]


def test_a_set_that_is_worse_by_all_is_dominated_by_the_others():
    assert places([[3, 2, 0], [2, 3, 0]], 0.01)[2] == ("dominated", (0, 1))


def test_a_set_that_is_worse_within_the_errors_is_not_told_apart():
    assert places([[0.51, 0.50], [0.51, 0.50]], 0.1)[1] == ("not told apart", (0,))


def test_an_advantage_within_the_errors_keeps_a_set_from_being_dominated():
    assert places([[5.0, 0.0], [0.50, 0.51]], 0.1) == [("front", ()), ("not told apart", (0,))]


def test_equal_sets_are_all_on_the_front():
    assert {place for place, _ in places([[1, 1, 1], [2, 2, 2]], 0.0)} == {"front"}


def test_the_front_is_the_exact_one_where_values_are_known():
    values = np.random.default_rng(0).random((3, 30))
    exact = ["front" if not (values > values[:, [j]]).all(axis=0).any() else "dominated" for j in range(30)]
    assert [place for place, _ in places(values, 0.0)] == exact
