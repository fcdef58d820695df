import numpy as np
import pytest

from fourfold.comparing.results import ComparedSet
from fourfold.comparing.table import row_of, rows_of, standard_error
from fourfold.score import Score


def score(value, null=0.9, error=0.01, better="higher", **more):
    return Score(
        "variety", "coverage", value, null, (value - 1.96 * error, value + 1.96 * error), better=better, **more
    )


def test_sets_of_one_size_are_compared_by_value():
    row = row_of([score(0.5), score(0.8), score(0.6)])
    assert row.compared == "value"
    assert row.ranks == ((3, 3), (1, 1), (2, 2))


def test_lower_is_better_where_the_score_says_so():
    row = row_of([score(0.5, better="lower"), score(0.8, better="lower")])
    assert row.ranks == ((1, 1), (2, 2))
    assert row.figures.tolist() == [-0.5, -0.8]


def test_sets_of_other_sizes_are_compared_by_the_value_less_its_null():
    # The second set is smaller, and does as well as a set of its size can.
    row = row_of([score(0.8, null=0.95), score(0.7, null=0.7)])
    assert row.compared == "value less null"
    assert row.ranks == ((2, 2), (1, 1))


def test_a_score_that_is_best_at_its_null_is_compared_by_the_distance():
    row = row_of([score(1.5, null=1.0, better="null"), score(0.9, null=1.0, better="null")])
    assert row.compared == "distance to null"
    assert row.ranks == ((2, 2), (1, 1))


def test_a_set_without_a_value_has_no_rank_and_moves_no_other():
    missing = Score("variety", "coverage", None, reason="no labels")
    row = row_of([score(0.5), missing, score(0.8)])
    assert row.ranks == ((2, 2), None, (1, 1))
    assert not row.complete
    assert not row.better_than[:, 1].any()


def test_a_score_that_one_set_was_not_asked_is_there_with_a_reason():
    sets = [ComparedSet("a", "a", 5, "0", {}, (score(0.5),)), ComparedSet("b", "b", 5, "1", {}, ())]
    (row,) = rows_of(sets)
    assert row.scores[1].reason == "it was not asked of this set"


def test_rows_come_by_axis_and_feature_space():
    scores = (score(0.5, features="pixels"), score(0.6, features="radiomics"), Score("fidelity", "density", 1.0))
    sets = [ComparedSet(name, name, 5, name, {}, scores) for name in "ab"]
    assert [row.key for row in rows_of(sets)] == [
        "fidelity/density",
        "variety/coverage@pixels",
        "variety/coverage@radiomics",
    ]


def test_an_interval_that_ends_at_the_range_counts_by_its_longer_side():
    assert standard_error(Score("variety", "coverage", 0.99, interval=(0.79, 1.0))) == pytest.approx(
        0.2 / 1.96, rel=1e-3
    )
    assert np.isnan(standard_error(Score("variety", "coverage", 0.99)))
