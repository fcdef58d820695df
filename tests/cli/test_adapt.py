"""``fourfold adapt fit`` and ``predict``, as they are typed."""

from __future__ import annotations

import argparse
import json
from dataclasses import replace
from pathlib import Path

import pytest

import fourfold as ff
from fourfold.cli import adapt
from fourfold.errors import InputError

QUICK = ["--teacher-steps", "4", "--steps", "4", "--quiet"]


def run(*words: object) -> int:
    parser = argparse.ArgumentParser()
    adapt.add_arguments(parser)
    return adapt.run(parser.parse_args([str(word) for word in words]))


@pytest.fixture(scope="module")
def sets(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A labelled set, and the same people in inverted images, of which two have no partner."""
    folder = tmp_path_factory.mktemp("sets")
    people = ff.phantoms("brain", 10, images_per_patient=1, size=16)
    people.write(folder / "source")
    # A file of 16 bits has another range, as another kind of image has.
    replace(people, images=1 - people.images).take(range(8)).write(folder / "target", bits=16)
    return folder


def test_from_labelled_images_and_pairs_to_masks(
    sets: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    model, out = tmp_path / "model", tmp_path / "out"
    assert run("fit", sets / "source", sets / "target", "-o", model, "--tolerance", "1", *QUICK) == 0
    printed = capsys.readouterr().out
    assert "8 of 10 source images have a partner" in printed
    assert "of the pairs were found displaced" in printed
    assert f"adapted model: {model}" in printed
    record = json.loads((model / "adapted.json").read_text())
    assert (record["pairs"], record["labels"], record["preparation"]["high"]) == (8, 10, 65535.0)
    assert run("predict", model, sets / "target", "-o", out, "--quiet") == 0
    assert "predictions for 8 images" in capsys.readouterr().out
    assert len(list((out / "masks").iterdir())) == 8


def test_an_adapted_model_teaches_in_its_turn(sets: Path, tmp_path: Path) -> None:
    call = ["fit", sets / "source", sets / "target", "--task", "classification", *QUICK]
    assert run(*call, "-o", tmp_path / "first") == 0
    assert (
        run("fit", sets / "target", sets / "source", "--from", tmp_path / "first", "-o", tmp_path / "back", *QUICK) == 0
    )
    record = json.loads((tmp_path / "back" / "adapted.json").read_text())
    assert (record["task"]["kind"], record["labels"], record["preparation"]["high"]) == ("classification", None, 255.0)
    assert run("predict", tmp_path / "back", sets / "source", "-o", tmp_path / "out", "--quiet") == 0
    rows = (tmp_path / "out" / "predictions.csv").read_text().splitlines()
    assert rows[0] == "path,probability:lesion,probability:normal"
    assert len(rows) == 11


def test_labels_may_come_from_a_set_of_its_own(sets: Path, tmp_path: Path) -> None:
    ff.phantoms("brain", 6, images_per_patient=1, size=16, first_patient=50).write(tmp_path / "labelled")
    call = ["fit", sets / "source", sets / "target", "--from", tmp_path / "labelled", "-o", tmp_path / "model", *QUICK]
    assert run(*call) == 0
    assert json.loads((tmp_path / "model" / "adapted.json").read_text())["labels"] == 6


def test_sets_that_do_not_fit_are_refused_before_any_training(sets: Path, tmp_path: Path) -> None:
    ff.phantoms("brain", 10, images_per_patient=1, size=20).write(tmp_path / "larger")
    with pytest.raises(InputError, match="make them alike with --size and --channels"):
        run("fit", sets / "source", tmp_path / "larger", "-o", tmp_path / "model", *QUICK)
    with pytest.raises(InputError, match="is not empty; choose a new folder"):
        run("fit", sets / "source", sets / "target", "-o", sets / "source", *QUICK)
    with pytest.raises(InputError, match="holds no adapted model"):
        run("predict", sets / "source", sets / "target", "-o", tmp_path / "out")
