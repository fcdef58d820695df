"""Findings as a condition."""

import json
from dataclasses import replace

import numpy as np
import pytest
import torch

from fourfold.errors import InputError
from fourfold.generate.conditioning import Conditioning, Request
from fourfold.images import ImageSet


def image_set(findings, classes=None):
    images = ImageSet.from_array(np.zeros((len(findings), 1, 4, 4), np.float32), name="training", labels=classes)
    entries = tuple(replace(entry, labels=one) for entry, one in zip(images.entries, findings, strict=True))
    return replace(images, entries=entries)


def common_findings(patients=40):
    rows = [{"edema": float(row % 2), "effusion": float(row % 4 == 0)} for row in range(patients)]
    return image_set(rows), np.arange(patients)


def test_findings_are_encoded_with_whether_they_are_known():
    images = image_set([{"edema": 1.0, "effusion": 0.0}, {"edema": np.nan, "effusion": 1.0}])
    conditioning = Conditioning.fit(["labels"], images, np.arange(2))
    vector = conditioning.encode(conditioning.read(images)).vector
    assert vector.tolist() == [[1, 0, 1, 1, 0], [0, 1, 0, 1, 0]]
    assert conditioning.width == 5


def test_withheld_findings_are_zeros_and_a_mark():
    images, patients = common_findings()
    conditioning = Conditioning.fit(["labels"], images, patients)
    withheld = conditioning.encode(conditioning.read(images)).withheld().vector
    assert (withheld[:, :-1] == 0).all()
    assert (withheld[:, -1] == 1).all()
    assert torch.equal(conditioning.withheld(40).vector, withheld)


def test_drawn_combinations_have_the_frequencies_of_the_training_set():
    images, patients = common_findings()
    conditioning = Conditioning.fit(["labels"], images, patients)
    drawn = conditioning.draw(range(4000)).columns["labels"]
    combinations = [tuple(row) for row in drawn]
    assert set(combinations) == {(0, 0), (1, 0), (0, 1)}
    assert combinations.count((1, 0)) / 4000 == pytest.approx(0.5, abs=0.03)
    assert combinations.count((0, 1)) / 4000 == pytest.approx(0.25, abs=0.03)


def test_a_combination_of_few_patients_is_neither_kept_nor_drawn():
    rows = [{"edema": float(row % 2), "effusion": 0.0} for row in range(40)] + [{"edema": 1.0, "effusion": 1.0}] * 4
    images = image_set(rows)
    conditioning = Conditioning.fit(["labels"], images, np.arange(44))
    assert "11" not in json.dumps(conditioning.record())
    drawn = conditioning.draw(range(500)).columns["labels"]
    assert not (drawn == 1).all(axis=1).any()


def test_drawn_findings_fit_the_class():
    rows = [{"edema": float(row < 20)} for row in range(40)]
    images = image_set(rows, classes=["ill"] * 20 + ["well"] * 20)
    drawn = Conditioning.fit(["class", "labels"], images, np.arange(40)).draw(range(200))
    assert ((drawn.columns["labels"][:, 0] == 1) == (drawn.columns["class"] == "ill")).all()


def test_where_every_combination_is_rare_findings_are_drawn_apart():
    rng = np.random.default_rng(0)
    table = rng.integers(0, 2, (60, 10)).astype(float)
    table[:, 0] = 0
    table[:2, 0] = 1
    images = image_set([{f"f{place}": value for place, value in enumerate(row)} for row in table])
    conditioning = Conditioning.fit(["labels"], images, np.arange(60))
    drawn = conditioning.draw(range(3000)).columns["labels"]
    assert (drawn[:, 0] == 0).all(), "a finding of two patients points at them"
    assert drawn[:, 1:].mean(axis=0) == pytest.approx(table[:, 1:].mean(axis=0), abs=0.04)


def test_unknown_findings_may_be_drawn_as_often_as_they_are_unknown():
    rows = [{"edema": np.nan if row % 2 else 1.0} for row in range(20)]
    conditioning = Conditioning.fit(["labels"], image_set(rows), np.arange(20))
    conditions = conditioning.draw(range(1000))
    assert np.isnan(conditions.columns["labels"]).mean() == pytest.approx(0.5, abs=0.05)
    assert {row["label:edema"] for row in conditioning.table(conditions)} == {"nan", "1"}


def test_a_private_model_draws_nothing_or_one_finding_evenly():
    images, patients = common_findings()
    conditioning = Conditioning.fit(["labels"], images, patients, Request(private=True))
    assert conditioning.part("labels").combinations.overall == {"00": 1 / 3, "10": 1 / 3, "01": 1 / 3}
    other = image_set([{"edema": 1.0, "effusion": 1.0}] * 40)
    assert conditioning.record() == Conditioning.fit(["labels"], other, patients, Request(private=True)).record()


def test_typed_findings_are_there_and_the_others_are_not():
    rows = [{"HER2+": float(row % 2), "edema": 0.0, "mass": 0.0} for row in range(20)]
    conditioning = Conditioning.fit(["labels"], image_set(rows), np.arange(20))
    drawn = conditioning.draw([0, 1], {"labels": "HER2++mass"}).columns["labels"]
    assert drawn.tolist() == [[1, 0, 1]] * 2
    assert conditioning.draw([0], {"labels": "none"}).columns["labels"].tolist() == [[0, 0, 0]]
    with pytest.raises(InputError, match=r"knows no finding 'fracture'.*it knows: HER2\+, edema, mass"):
        conditioning.draw([0], {"labels": "edema+fracture"})


def test_a_restored_part_is_the_same():
    images, patients = common_findings()
    conditioning = Conditioning.fit(["labels"], images, patients)
    record = json.loads(json.dumps(conditioning.record()))
    again = Conditioning.restore(record, conditioning.arrays())
    assert again.record() == conditioning.record()
    assert (again.draw(range(50)).columns["labels"] == conditioning.draw(range(50)).columns["labels"]).all()


def test_another_set_may_lack_some_findings_but_not_all():
    images, patients = common_findings()
    conditioning = Conditioning.fit(["labels"], images, patients)
    assert np.isnan(conditioning.read(image_set([{"edema": 1.0}])).columns["labels"]).tolist() == [[False, True]]
    with pytest.raises(InputError, match=r"training\[0\]: has none of the columns label:edema, label:effusion"):
        conditioning.read(image_set([{"fracture": 1.0}]))


def test_bad_findings_are_refused_in_words():
    with pytest.raises(InputError, match=r"training\[1\]: the column 'label:edema' holds -1; write 1 .* nan"):
        Conditioning.fit(["labels"], image_set([{"edema": 0.0}, {"edema": -1.0}]), np.arange(2))
    with pytest.raises(InputError, match="has no findings; add columns such as label:effusion"):
        Conditioning.fit(["labels"], image_set([{}, {}]), np.arange(2))
