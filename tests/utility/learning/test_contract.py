from dataclasses import replace

import numpy as np
import pytest

from fourfold.utility.learning import Examples, Outcomes
from fourfold.utility.learning.classification import Classification


def some(count, first=0, **groups):
    images = np.full((count, 1, 2, 2), first, dtype=np.float32)
    return Examples(images, np.zeros((count, 2), dtype=np.float32), np.arange(count) // 2, groups)


def test_rows_may_be_chosen_several_times():
    chosen = some(4, sex=np.array(["f", "m", "f", "m"])).take(np.array([3, 3, 0]))
    assert len(chosen) == 3
    np.testing.assert_array_equal(chosen.patients, [1, 1, 0])
    np.testing.assert_array_equal(chosen.groups["sex"], ["m", "m", "f"])


def test_patients_of_different_parts_are_different_people():
    whole = Examples.concatenate([some(4), some(3), some(1)])
    np.testing.assert_array_equal(whole.patients, [0, 0, 1, 1, 2, 2, 3, 4])


def test_a_column_that_a_part_lacks_is_unknown_there():
    whole = Examples.concatenate([some(1, sex=np.array(["f"])), some(2)])
    np.testing.assert_array_equal(whole.groups["sex"], ["f", "", ""])


def test_lengths_that_differ_are_refused():
    with pytest.raises(ValueError, match="differ in length"):
        Examples(np.zeros((2, 1, 4, 4)), np.zeros((3, 2)), np.arange(2))


def test_outcomes_are_chosen_with_all_their_facts():
    chosen = Outcomes({"a": np.arange(6).reshape(3, 2)}, np.arange(3)).take(np.array([2, 0]))
    np.testing.assert_array_equal(chosen.facts["a"], [[4, 5], [0, 1]])
    assert len(chosen) == 2


def test_the_headline_of_many_test_sets_is_the_first_value_of_the_metric_on_each():
    class Plain(Classification):
        headline = Classification.__mro__[1].headline

    random = np.random.default_rng(0)
    targets = np.eye(3, dtype=np.float32)[np.arange(30) % 3]
    examples = Examples(np.zeros((30, 1, 2, 2), np.float32), targets, np.arange(30))
    outcomes = Classification(("a", "b", "c")).outcomes(random.dirichlet(np.ones(3), 30), examples)
    weights = random.integers(0, 3, (5, 30))
    np.testing.assert_allclose(
        Plain(("a", "b", "c")).headline(outcomes, weights),
        Classification(("a", "b", "c")).headline(outcomes, weights),
    )


def test_a_digest_is_of_contents_and_tells_every_part_from_another():
    sexes = np.array(["f", "m", "f", "m"])
    base = some(4, sex=sexes)
    assert base.digest() == some(4, sex=sexes.copy()).digest()
    assert base.digest() == base.take(np.array([3, 2, 1, 0])).take(np.array([3, 2, 1, 0])).digest()
    others = [
        some(4),
        some(4, sex=sexes[::-1]),
        some(4, age=sexes),
        some(4, first=1, sex=sexes),
        some(3, sex=sexes[:3]),
        replace(base, targets=base.targets + 1),
        replace(base, patients=np.arange(4)),
        replace(base, images=base.images.reshape(4, 2, 2, 1)),
    ]
    assert len({base.digest(), *(other.digest() for other in others)}) == 9
