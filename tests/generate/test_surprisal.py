"""Surprisal of the conditions of a training set."""

import json
from dataclasses import replace

import numpy as np
import pytest

from fourfold.generate.conditioning import Conditioning, Conditions, Request, surprisal
from fourfold.images import ImageSet


def image_set(count, labels=None, **columns):
    images = ImageSet.from_array(np.zeros((count, 1, 4, 4), np.float32), name="training", labels=labels)
    entries = tuple(
        replace(entry, columns={name: str(cells[row]) for name, cells in columns.items()})
        for row, entry in enumerate(images.entries)
    )
    return replace(images, entries=entries)


def found(images, *kinds, patients=None, attributes=()):
    patients = np.arange(len(images)) if patients is None else patients
    conditioning = Conditioning.fit(kinds, images, patients, Request(attributes=attributes))
    return surprisal(conditioning, conditioning.read(images), patients)


def test_a_class_of_half_of_the_patients_is_one_bit():
    result = found(image_set(64, labels=["ill", "well"] * 32), "class")
    assert (result.bits == 1.0).all()
    assert (result.median, result.rare, result.alone, result.warning) == (1.0, 0.0, 0, None)


def test_a_report_of_one_patient_alone_is_as_many_bits_as_there_are_patients():
    common = [f"word{chr(97 + place)}" for place in range(6)]
    texts = [" ".join(word for place, word in enumerate(common) if row >> place & 1) or "none" for row in range(64)]
    result = found(image_set(64, text=texts), "text")
    assert result.bits == pytest.approx(np.full(64, 6.0))
    assert (result.rare, result.alone) == (1.0, 64)


def test_patients_count_and_not_their_images():
    labels = ["rare"] * 50 + ["common"] * 50
    result = found(image_set(100, labels=labels), "class", patients=np.array([0] * 50 + [*range(1, 51)]))
    assert result.bits[0] == pytest.approx(np.log2(51))
    assert result.bits[-1] == pytest.approx(np.log2(51 / 50))
    assert result.alone == 1


def test_two_kinds_together_say_more_than_each():
    labels = ["ill", "well"] * 32
    sexes = ["F", "F", "M", "M"] * 16
    result = found(image_set(64, labels=labels, sex=sexes), "class", "attributes", attributes=("sex",))
    assert (result.bits == 2.0).all()
    assert result.kinds == {"class": 0.0, "attributes": 0.0}


def test_numbers_are_shared_with_those_near_them():
    ages = np.random.default_rng(0).normal(60, 10, 400).round(3)
    result = found(image_set(400, age=ages), "attributes", attributes=("age",))
    assert len(set(ages)) > 390
    assert 2.0 < result.median < 3.5
    assert result.rare < 0.05
    assert result.warning is None


def test_many_numbers_together_single_patients_out_and_there_is_a_warning():
    rng = np.random.default_rng(0)
    columns = {f"c{place}": rng.normal(size=200).round(3) for place in range(6)}
    result = found(image_set(200, **columns), "attributes", attributes=tuple(columns))
    assert result.median == pytest.approx(np.log2(200), abs=0.5)
    assert "attributes for " in result.warning


def test_a_warning_names_the_kind_and_never_the_patient_or_the_text():
    texts = [f"edema of {name}" for name in ["Schmidt", "Maier"] * 10] + [
        f"effusion {'x' * row}" for row in range(1, 21)
    ]
    images = image_set(40, labels=["ill"] * 38 + ["Fabry disease"] * 2, text=texts)
    result = found(images, "class", "text")
    assert "class for 5.0% of the images" in result.warning
    written = result.warning + json.dumps(result.describe())
    for word in ("Schmidt", "Maier", "effusion", "Fabry"):
        assert word not in written


def test_kinds_that_are_harmless_alone_are_warned_of_together():
    labels = ["pqrst"[row % 5] for row in range(120)]
    sites = ["abcdefgh"[row // 5 % 8] for row in range(120)]
    result = found(image_set(120, labels=labels, site=sites), "class", "attributes", attributes=("site",))
    assert result.kinds == {"class": 0.0, "attributes": 0.0}
    assert result.bits == pytest.approx(np.full(120, np.log2(40)))
    assert "class with attributes for " in result.warning


def test_what_is_described_has_no_row_of_a_patient():
    result = found(image_set(64, labels=["ill", "well"] * 32), "class")
    assert result.describe() == {
        "median_bits": 1.0,
        "unique_bits": 6.0,
        "patients": 64,
        "rare": 0.0,
        "rare_by_kind": {"class": 0.0},
        "patients_alone": 0,
    }
    assert json.loads(json.dumps(result.describe())) == result.describe()


def test_the_order_of_the_images_does_not_matter():
    ages = np.random.default_rng(0).normal(60, 10, 100).round(1)
    images = image_set(100, labels=["ill", "well"] * 50, age=ages)
    patients = np.arange(100) // 2
    order = np.random.default_rng(1).permutation(100)
    one = found(images, "class", "attributes", attributes=("age",), patients=patients)
    other = found(images.take(order), "class", "attributes", attributes=("age",), patients=patients[order])
    assert other.bits == pytest.approx(one.bits[order])
    assert other.describe() == one.describe()


def test_an_unconditional_model_is_not_surprising():
    result = surprisal(Conditioning(), Conditions(10), np.arange(10))
    assert (result.bits == 0).all()
    assert result.warning is None


def test_masks_that_nearly_agree_are_the_same_condition():
    from fourfold.generate.conditioning.masks import MaskPart

    column = np.zeros((40, 32, 32), np.uint8)
    column[:, 8:24, 8:24] = 1
    column[::2, 8, 8] = 0
    conditioning = Conditioning([MaskPart((0, 1), (32, 32))])
    assert (surprisal(conditioning, Conditions(40, {"mask": column}), np.arange(40)).bits == 0).all()
    column[0, :, :] = 0
    result = surprisal(conditioning, Conditions(40, {"mask": column}), np.arange(40))
    assert result.bits[0] == pytest.approx(np.log2(40))
