from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fourfold.errors import InputError
from fourfold.releasing.selection import largest_remainder, quotas, shares_of

COUNTS = st.lists(st.integers(1, 60), min_size=1, max_size=6)
FEW = settings(max_examples=60, deadline=None)


def names(counts):
    return np.repeat([f"class {place}" for place in range(len(counts))], counts)


@FEW
@given(COUNTS, st.integers(0, 500))
def test_whole_numbers_add_up_and_are_within_one_of_their_share(counts, total):
    shares = shares_of(names(counts), "training")
    whole = largest_remainder(shares, total)
    assert sum(whole.values()) == total
    assert all(abs(whole[name] - shares[name] * total) < 1 for name in shares)


@FEW
@given(COUNTS)
def test_a_release_of_the_training_sets_size_has_its_counts(counts):
    assert list(largest_remainder(shares_of(names(counts), "training"), sum(counts)).values()) == counts


@FEW
@given(COUNTS, st.lists(st.integers(1, 80), min_size=6, max_size=6))
def test_without_a_number_the_release_is_as_large_as_no_class_is_short(counts, there):
    shares = shares_of(names(counts), "training")
    available = dict(zip(shares, there, strict=False))
    found = quotas(shares, available, None)
    assert found.given == found.asked
    assert not found.short
    assert all(found.given[name] <= available[name] for name in shares)
    more = (largest_remainder(shares, total) for total in range(sum(found.given.values()) + 1, sum(there) + 2))
    assert all(any(whole[name] > available[name] for name in shares) for whole in more)


@FEW
@given(COUNTS, st.lists(st.integers(0, 80), min_size=6, max_size=6), st.integers(1, 200))
def test_what_is_missing_is_recorded_and_not_made_up_from_other_classes(counts, there, count):
    shares = shares_of(names(counts), "training")
    available = dict(zip(shares, there, strict=False))
    found = quotas(shares, available, count)
    assert sum(found.asked.values()) == count
    assert sum(found.given.values()) + sum(found.short.values()) == count
    assert all(found.given[name] == available[name] for name in found.short)


def test_a_class_without_candidates_is_missing_and_holds_nothing_up():
    found = quotas(shares_of(np.array(["a", "a", "b", "c"]), "training"), {"a": 20, "c": 30}, None)
    assert found.given == {"a": 20, "b": 0, "c": 10}
    assert found.missing == ("b",)
    assert found.describe()["missing"] == ["b"]
    nothing = quotas(shares_of(np.array(["a", "b"]), "equal"), {}, None)
    assert nothing.given == {"a": 0, "b": 0}
    assert nothing.missing == ("a", "b")


def test_shares_by_name_are_relative_and_leave_out_what_they_do_not_name():
    shares = shares_of(np.array(["a", "b", "c"]), {"a": 3, "b": 1})
    assert shares == {"a": Fraction(3, 4), "b": Fraction(1, 4), "c": Fraction(0)}
    assert quotas(shares, {"a": 30, "b": 5}, None).given == {"a": 17, "b": 5, "c": 0}


def test_equal_shares_do_not_ask_the_training_set():
    assert shares_of(np.array(["a", "a", "a", "b"]), "equal") == {"a": Fraction(1, 2), "b": Fraction(1, 2)}


def test_the_scarcest_class_is_named_where_it_decides():
    found = quotas(shares_of(np.array(["a", "b"]), "equal"), {"a": 100, "b": 7}, None)
    assert found.describe()["scaled_to"] == "b"
    assert quotas(shares_of(np.array(["a", "b"]), "equal"), {"a": 100, "b": 7}, 10).describe()["scaled_to"] is None


@pytest.mark.parametrize(
    ("balance", "message"),
    [
        ("fair", "the balance must be 'training', 'equal' or a share for each class, got 'fair'"),
        ({"z": 1.0}, "the balance names 'z', which cannot be released; choose from a, b"),
        ({"a": -1.0}, "the balance needs a number from 0 up for each class, and one above 0"),
        ({"a": 0.0}, "the balance needs a number from 0 up for each class, and one above 0"),
        ({"a": float("nan")}, "the balance needs a number from 0 up for each class, and one above 0"),
    ],
)
def test_a_balance_that_means_nothing_is_refused(balance, message):
    with pytest.raises(InputError, match=f"^{message}$"):
        shares_of(np.array(["a", "b"]), balance)


def test_no_images_are_no_release():
    with pytest.raises(InputError, match="at least 1 image, got 0"):
        quotas(shares_of(np.array(["a"]), "equal"), {"a": 3}, 0)
