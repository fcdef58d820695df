"""Attributes as a condition."""

import json
from dataclasses import replace

import numpy as np
import pytest

from fourfold.errors import InputError
from fourfold.generate.conditioning import Conditioning, Request
from fourfold.images import ImageSet


def image_set(columns, classes=None):
    count = len(next(iter(columns.values())))
    images = ImageSet.from_array(np.zeros((count, 1, 4, 4), np.float32), name="training", labels=classes)
    entries = tuple(
        replace(entry, columns={name: str(cells[row]) for name, cells in columns.items()})
        for row, entry in enumerate(images.entries)
    )
    return replace(images, entries=entries)


def fit(images, *attributes, kinds=("attributes",), private=False, patients=None):
    patients = np.arange(len(images)) if patients is None else patients
    return Conditioning.fit(kinds, images, patients, Request(attributes=attributes, private=private))


@pytest.fixture
def people():
    rng = np.random.default_rng(0)
    ages = rng.normal(60, 10, 300).round().astype(int)
    weights = (30 + 0.8 * ages + rng.normal(0, 3, 300)).round(1)
    return image_set({"age": ages, "weight": weights, "sex": ["F", "M", "F"] * 100})


def test_numbers_are_standardised_and_words_are_one_hot(people):
    conditioning = fit(people, "age", "sex")
    vector = conditioning.encode(conditioning.read(people)).vector.numpy()
    assert vector.shape == (300, 2 + 3 + 1)
    assert vector[:, 0].mean() == pytest.approx(0, abs=1e-5)
    assert vector[:, 0].std() == pytest.approx(1, abs=1e-5)
    assert vector[0, 1:].tolist() == [1, 1, 0, 1, 0]
    assert vector[1, 1:].tolist() == [1, 0, 1, 1, 0]


def test_what_is_unknown_is_zero_and_marked():
    images = image_set(
        {"age": ["50", "", "nan", *map(str, range(40, 60))], "sex": ["F", "unknown", *["M", "F", "M"] * 7]}
    )
    conditioning = fit(images, "age", "sex")
    vector = conditioning.encode(conditioning.read(images)).vector
    assert vector[1].tolist() == [0] * 6
    assert vector[2, :2].tolist() == [0, 0]
    assert conditioning.table(conditioning.read(images))[1] == {"age": "", "sex": ""}


def test_drawn_attributes_follow_the_law_of_the_training_set(people):
    conditioning = fit(people, "age", "weight", "sex")
    drawn = conditioning.draw(range(2000)).columns["attributes"]
    assert drawn[:, 0].mean() == pytest.approx(60, abs=1.5)
    assert np.corrcoef(drawn[:, 0], drawn[:, 1])[0, 1] > 0.85
    assert (drawn[:, 0] == drawn[:, 0].round()).all(), "ages are whole years"
    assert (drawn[:, 2] == 0).mean() == pytest.approx(2 / 3, abs=0.04)


def test_drawn_numbers_stay_where_most_patients_are(people):
    conditioning = fit(people, "age")
    ages = conditioning.read(people).columns["attributes"][:, 0]
    drawn = conditioning.draw(range(3000)).columns["attributes"][:, 0]
    low, high = np.quantile(ages, [0.01, 0.99])
    assert drawn.min() == pytest.approx(low, abs=2)
    assert drawn.max() == pytest.approx(high, abs=2)
    assert ages.min() < drawn.min()
    assert drawn.max() < ages.max()


def test_drawn_attributes_fit_the_class():
    rng = np.random.default_rng(0)
    ages = np.concatenate([rng.normal(30, 3, 100), rng.normal(80, 3, 100)]).round()
    images = image_set({"age": ages}, classes=["young"] * 100 + ["old"] * 100)
    drawn = fit(images, "age", kinds=("class", "attributes")).draw(range(300))
    young = drawn.columns["class"] == "young"
    assert drawn.columns["attributes"][young].max() < 55 < drawn.columns["attributes"][~young].min()


def test_values_of_one_patient_are_not_in_the_model_file():
    ages = [40 + row % 20 for row in range(60)]
    ages[7] = 107
    sexes = ["F", "M"] * 30
    sexes[9] = "Klinefelter"
    images = image_set({"age": ages, "sex": sexes})
    conditioning = fit(images, "age", "sex")
    written = json.dumps(conditioning.record())
    assert "Klinefelter" not in written
    assert conditioning.part("attributes").attributes[0].high < 80
    assert np.isnan(conditioning.read(images).columns["attributes"][9, 1])


def test_what_is_not_typed_is_drawn_given_what_is(people):
    conditioning = fit(people, "age", "weight", "sex")
    drawn = conditioning.draw(range(300), {"attributes": "age=75+sex=M"}).columns["attributes"]
    assert (drawn[:, [0, 2]] == [75, 1]).all()
    assert drawn[:, 1].mean() == pytest.approx(30 + 0.8 * 75, abs=1)
    assert drawn[:, 1].std() > 0.5


def test_typed_words_may_hold_the_sign_between_attributes():
    images = image_set({"status": ["HER2+", "HER2-"] * 10, "age": range(20)})
    conditioning = fit(images, "status", "age")
    drawn = conditioning.draw([0], {"attributes": "status=HER2++age=3"})
    assert conditioning.table(drawn) == [{"status": "HER2+", "age": "3"}]


def test_the_image_depends_on_its_seed_alone(people):
    conditioning = fit(people, "age", "sex")
    many = conditioning.draw([3, 4, 5]).columns["attributes"]
    assert (conditioning.draw([5]).columns["attributes"] == many[2:]).all()


def test_a_table_of_drawn_attributes_reads_as_what_was_drawn(people):
    conditioning = fit(people, "age", "weight", "sex")
    drawn = conditioning.draw(range(50))
    rows = conditioning.table(drawn)
    again = image_set({name: [row[name] for row in rows] for name in rows[0]})
    assert (conditioning.read(again).columns["attributes"] == drawn.columns["attributes"]).all()


def test_a_restored_part_is_the_same(people):
    conditioning = fit(people, "age", "weight:0:200", "sex")
    again = Conditioning.restore(json.loads(json.dumps(conditioning.record())), conditioning.arrays())
    assert again.record() == conditioning.record()
    assert (again.draw(range(20)).columns["attributes"] == conditioning.draw(range(20)).columns["attributes"]).all()


def test_a_private_model_needs_declarations_and_measures_nothing(people):
    with pytest.raises(InputError, match=r"may not measure the column 'age'; say what it can hold: age:LOW:HIGH"):
        fit(people, "age", private=True)
    conditioning = fit(people, "age:0:100", "sex:F/M", private=True)
    others = image_set({"age": [1] * 20, "weight": [1] * 20, "sex": ["F"] * 20})
    assert conditioning.record() == fit(others, "age:0:100", "sex:F/M", private=True).record()
    assert conditioning.arrays() == {}
    drawn = conditioning.draw(range(2000)).columns["attributes"]
    assert drawn[:, 0].mean() == pytest.approx(50, abs=2)
    assert drawn[:, 0].std() == pytest.approx(100 / np.sqrt(12), abs=1.5)
    assert (drawn[:, 1] == 0).mean() == pytest.approx(0.5, abs=0.04)


def test_a_declared_range_bounds_what_is_read_and_typed(people):
    conditioning = fit(people, "age:50:70")
    ages = conditioning.read(people).columns["attributes"][:, 0]
    assert (ages.min(), ages.max()) == (50, 70)
    with pytest.raises(InputError, match="lies between 50 and 70, got 90"):
        conditioning.draw([0], {"attributes": "age=90"})


@pytest.mark.parametrize(
    ("attributes", "message"),
    [
        ((), "say which columns of the training set are attributes, such as age,sex; there are: age, id, one, sex"),
        (("height",), "there is no column 'height' to take as an attribute; there are: age, id, one, sex"),
        (("age:90:10",), "the range of the attribute 'age:90:10' is empty"),
        (("sex:F/",), "names fewer than two words"),
        (("id",), "the column 'id' has 20 different values, fewer than two of them with 5 patients or more"),
        (("one",), "the column 'one' is the same for every image"),
        (("age", "age"), "the attribute 'age' is asked for twice"),
    ],
)
def test_bad_requests_are_refused_in_words(attributes, message):
    columns = {"age": range(20), "sex": ["F", "M"] * 10, "id": [f"x{row}" for row in range(20)], "one": [1] * 20}
    with pytest.raises(InputError) as error:
        fit(image_set(columns), *attributes)
    assert message in str(error.value)


def test_a_cell_that_is_no_number_among_numbers_is_named_by_its_image():
    images = image_set({"age": [*map(str, range(20)), "sixty"]})
    with pytest.raises(InputError, match=r"training\[20\]: the column 'age' holds no number") as error:
        fit(images, "age")
    assert "sixty" not in str(error.value)


def test_bad_typing_is_refused_in_words(people):
    conditioning = fit(people, "age", "sex")
    with pytest.raises(InputError, match="'sex' has no value 'X'; it has: F, M"):
        conditioning.draw([0], {"attributes": "sex=X"})
    with pytest.raises(InputError, match="'age' is a number, got 'old'"):
        conditioning.draw([0], {"attributes": "age=old"})
    with pytest.raises(InputError, match=r"not understood; write NAME=VALUE .* names from: age, sex"):
        conditioning.draw([0], {"attributes": "weight=3"})
