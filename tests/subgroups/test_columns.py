import numpy as np
import pytest

from fourfold.errors import InputError
from fourfold.images import ImageSet
from fourfold.images.sets import Entry
from fourfold.subgroups import named_column
from fourfold.subgroups.columns import MOST_GROUPS, Column, known_columns


def images(*entries):
    return ImageSet("training", tuple(entries), decode=lambda entry: np.zeros((1, 4, 4)))


@pytest.mark.parametrize(
    ("specification", "column"),
    [
        ("sex", Column("sex")),
        ("age:20,40,60", Column("age", (20.0, 40.0, 60.0))),
        ("label:effusion", Column("label:effusion")),
        ("label:effusion:0.5", Column("label:effusion", (0.5,))),
        ("site: north", Column("site: north")),
    ],
)
def test_a_specification_names_a_column_and_the_limits_of_bands(specification, column):
    assert named_column(specification) == column


@pytest.mark.parametrize("specification", ["", ":20,40", "age:40,20", "age:20,20", "age:20,,40"])
def test_a_specification_without_a_column_or_with_limits_that_do_not_rise_is_refused(specification):
    with pytest.raises(InputError, match="write"):
        named_column(specification)


def test_a_value_belongs_to_the_band_whose_lower_limit_it_reaches():
    column = named_column("age:20,40")
    found = column.groups(["0", "19.9", "20", "039Y", "40", "90", "", "old"]).tolist()
    assert found == ["under 20", "under 20", "20 to under 40", "20 to under 40", "40 and over", "40 and over", "", ""]
    assert column.order(found) == ["under 20", "20 to under 40", "40 and over"]


def test_groups_stand_in_the_order_of_their_numbers():
    assert Column("slice").order(["10", "9", "", "b", "a", "9"]) == ["9", "10", "a", "b"]


def test_cells_come_from_classes_targets_and_free_columns():
    found = images(
        Entry("a.png", label="healthy", labels={"effusion": 1.0}, columns={"sex": "F"}),
        Entry("b.png", label="ill", labels={"effusion": float("nan")}),
    )
    assert Column("label").cells(found) == ["healthy", "ill"]
    assert Column("label:effusion").cells(found) == ["1", ""]
    assert Column("sex").cells(found) == ["F", ""]
    assert Column("scanner").cells(found) is None
    assert known_columns(found) == ["label", "label:effusion", "sex"]


def test_a_column_of_identifiers_is_no_column_of_groups():
    with pytest.raises(InputError, match=r"into 31 groups, more than 30; .*number:20,40,60") as error:
        Column("number").order([f"P-{row}" for row in range(MOST_GROUPS + 1)])
    assert "P-" not in str(error.value)
