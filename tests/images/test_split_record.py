"""The record of a split proves which sets chance made, and tells nothing about anybody."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from fourfold.cli.main import main
from fourfold.errors import InputError
from fourfold.images import (
    ImageSet,
    open_set,
    prepare,
    randomised_by_us,
    read_split_record,
    record_split,
    split_by_patient,
    write_split_record,
)
from fourfold.images.phantoms import phantoms

HALVES = {"training": 0.6, "holdout": 0.4}


@pytest.fixture
def everyone() -> ImageSet:
    rng = np.random.default_rng(0)
    images = rng.random((90, 1, 4, 4)).astype(np.float32)
    labels = np.where(np.arange(90) % 9 < 3, "ill", "well")
    return ImageSet.from_array(images, labels=list(labels), patients=[f"name {row // 3}" for row in range(90)])


def test_the_parts_of_a_recorded_split_are_recognised_in_any_order(everyone: ImageSet, tmp_path: Path) -> None:
    parts = split_by_patient(everyone, HALVES, seed=5)
    file = write_split_record(record_split(parts, HALVES, 5), tmp_path / "split.json")
    record = read_split_record(file)
    assert record == record_split(parts, HALVES, 5)
    training, holdout = parts["training"], parts["holdout"]
    shuffled = training.take(np.random.default_rng(1).permutation(len(training)))
    assert randomised_by_us(record, shuffled, holdout)
    prepared = prepare({"training": training, "holdout": holdout})
    assert randomised_by_us(record, prepared["training"], prepared["holdout"])


def test_another_seed_another_share_or_other_images_are_not(everyone: ImageSet) -> None:
    parts = split_by_patient(everyone, HALVES, seed=5)
    record = record_split(parts, HALVES, 5)
    training, holdout = parts["training"], parts["holdout"]
    assert not randomised_by_us(replace(record, seed=6), training, holdout)
    assert not randomised_by_us(record, training.take(np.arange(len(training) - 1)), holdout)
    assert not randomised_by_us(record, training, training)
    by_hand = {"training": everyone.take(np.arange(54)), "holdout": everyone.take(np.arange(54, 90))}
    assert not randomised_by_us(record_split(by_hand, HALVES, 5), by_hand["training"], by_hand["holdout"])


def test_groups_and_parts_that_leave_patients_out_rest_on_their_digests(everyone: ImageSet) -> None:
    shares = {"training": 0.5, "holdout": 0.3}
    parts = split_by_patient(everyone, shares, seed=5)
    assert randomised_by_us(record_split(parts, shares, 5), parts["training"], parts["holdout"])
    nameless = replace(everyone, entries=tuple(replace(entry, patient=None) for entry in everyone.entries))
    parts = split_by_patient(nameless, HALVES, seed=5)
    record = record_split(parts, HALVES, 5)
    assert record.unit == "group"
    assert randomised_by_us(record, parts["training"], parts["holdout"])


def test_the_command_leaves_a_record_without_names_or_paths(tmp_path: Path, capsys: pytest.CaptureFixture) -> None:
    drawn = phantoms("chest", 12, images_per_patient=2, size=16)
    drawn.write(tmp_path / "all")
    table = tmp_path / "all" / "split.csv"
    assert main(["split", str(tmp_path / "all"), "-o", str(table), "--holdout", "0.5", "--seed", "7"]) == 0
    file = tmp_path / "all" / "split.json"
    assert f"record: {file}" in capsys.readouterr().out
    text = file.read_text()
    assert not re.search(r"P0\d+|\.png|/", text.replace("fourfold.split/1", ""))
    assert json.loads(text)["seed"] == 7
    parts = [open_set(table, name=name, split=name) for name in ("training", "holdout")]
    assert randomised_by_us(read_split_record(file), *parts)


@pytest.mark.parametrize(
    "text", ["", "[]", '{"schema": "other/1"}', '{"schema": "fourfold.split/1", "unit": "patient"}']
)
def test_other_files_are_no_records(text: str, tmp_path: Path) -> None:
    file = tmp_path / "split.json"
    file.write_text(text)
    with pytest.raises(InputError, match=r"split\.json: is no record of a split"):
        read_split_record(file)


def test_a_missing_record_and_a_folder_that_cannot_be_written_are_named(everyone: ImageSet, tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"none\.json: cannot be read"):
        read_split_record(tmp_path / "none.json")
    record = record_split(split_by_patient(everyone, HALVES, seed=0), HALVES, 0)
    with pytest.raises(InputError, match="cannot be written"):
        write_split_record(record, tmp_path / "nowhere" / "split.json")
