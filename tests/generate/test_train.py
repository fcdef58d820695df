"""Training checks first, loses nothing, goes on where it was, and writes down what it was asked for."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

import jsonschema
import numpy as np
import pytest
import torch
from torch import Tensor

import fourfold as ff
from fourfold.errors import InputError
from fourfold.generate import Conditioning, Conditions, Drawing, Generator, Recipe, Run, TrainingSet, model_schema
from fourfold.generate import recipe as recipes


class MeanGenerator(Generator):
    """The mean image of each class, with noise."""

    recipe: ClassVar[str] = "mean"

    def __init__(self, shape: tuple[int, ...], conditioning: Conditioning, mean: Tensor) -> None:
        self.shape, self.conditioning, self.mean = shape, conditioning, mean

    def draw(self, seeds: Sequence[int], conditions: Conditions, drawing: Drawing) -> np.ndarray:
        noise = [np.random.default_rng(seed).normal(0, 0.1, self.shape) for seed in seeds]
        return np.clip(self.mean.numpy() + noise, 0, 1).astype(np.float32)

    def arrays(self) -> Mapping[str, Tensor]:
        return {"mean": self.mean}

    @classmethod
    def restore(
        cls,
        shape: tuple[int, ...],
        conditioning: Conditioning,
        settings: Mapping[str, Any],
        arrays: Mapping[str, Tensor],
    ) -> MeanGenerator:
        return cls(shape, conditioning, arrays["mean"])


@dataclass(frozen=True)
class MeanOptions:
    """`fail` is ``"early"``, ``"late"`` (after a checkpoint) or ``"memory"``."""

    steps: int = 3
    rate: float = 0.5
    batch: int = 8
    fail: str = ""
    epsilon: float | None = None
    delta: float | None = None


class MeanRecipe(Recipe):
    """A recipe that can fail at will and counts how often it was begun and gone on with."""

    name: ClassVar[str] = "mean"
    family: ClassVar[str] = "baseline"
    summary: ClassVar[str] = "the mean image"
    source: ClassVar[str] = "these tests"
    conditions: ClassVar[tuple[str, ...]] = ("class", "attributes")
    usual: ClassVar[tuple[str, ...]] = ("class",)
    fewest: ClassVar[int] = 4
    dims: ClassVar[tuple[int, ...]] = (2,)
    Options: ClassVar[type] = MeanOptions
    Generator: ClassVar[type] = MeanGenerator
    failing: ClassVar[str] = ""
    runs: ClassVar[list[Run]] = []
    resumed: ClassVar[list[bool]] = []

    def fit(self, data: TrainingSet, options: Any, run: Run) -> tuple[Generator, dict[str, Any]]:
        fail = options.fail or MeanRecipe.failing
        MeanRecipe.runs.append(run)
        checkpoint = run.folder / "checkpoint.safetensors"
        MeanRecipe.resumed.append(checkpoint.exists())
        if fail == "early":
            raise InputError("this cannot be fitted; choose another option")
        checkpoint.write_bytes(b"patients")
        (run.folder / "log.csv").write_text("step,loss\n")
        if fail == "late":
            raise InputError("the loss is no number; choose a lower rate")
        if fail == "interrupt":
            raise KeyboardInterrupt
        if fail == "memory":
            raise RuntimeError("CUDA out of memory")
        record: dict[str, Any] = {"steps": options.steps, "losses": np.float32(0.5), "warnings": ["the loss rose"]}
        if options.epsilon is not None:
            record["privacy"] = {"epsilon": options.epsilon, "delta": 1e-5, "unit": "patient", "sentence": "So be it."}
        mean = torch.from_numpy(data.load().mean(axis=0))
        return MeanGenerator(data.shape, data.conditioning, mean), record


class Point:
    """An entry point of an installed package."""

    name, value, group = "mean", "tests:MeanRecipe", recipes.GROUP

    def load(self) -> type[Recipe]:
        return MeanRecipe


@pytest.fixture(autouse=True)
def _installed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(recipes, "entry_points", lambda group, name=None: [Point()] if name in (None, "mean") else [])
    monkeypatch.setattr(MeanRecipe, "failing", "")
    monkeypatch.setattr(MeanRecipe, "runs", [])
    monkeypatch.setattr(MeanRecipe, "resumed", [])


CHEST = ff.phantoms("chest", 12, size=16)


@pytest.fixture
def chest() -> ff.ImageSet:
    return CHEST.to_image_set()


def fitted(training: Any, folder: Path, **more: Any) -> ff.Model:
    return ff.train(training, recipe="mean", output=folder, **more)


def test_a_recipe_of_an_installed_package_is_trained_and_written_down(chest: ff.ImageSet, tmp_path: Path) -> None:
    model = fitted(chest, tmp_path / "m", rate=0.25, licence="CC0", intended_use="tests", minutes=2, snapshots=7)
    record = json.loads((tmp_path / "m" / "model.json").read_text())
    jsonschema.validate(record, model_schema())
    assert record == model.record
    assert record["recipe"] == "mean"
    assert record["options"] == {
        "steps": 3, "rate": 0.25, "batch": 8, "fail": "", "epsilon": None, "delta": None,
    }  # fmt: skip
    assert record["training"]["losses"] == 0.5
    assert record["data"]["images"] == len(CHEST)
    assert (
        record["data"]["digest"]
        == TrainingSet(
            ff.images.prepare({"training": chest})["training"], Conditioning(), Conditions(0), np.zeros(0)
        ).digest()
    )
    assert [part["kind"] for part in record["conditions"]] == ["class"]
    assert (MeanRecipe.runs[0].minutes, MeanRecipe.runs[0].snapshots) == (2, 7)
    assert "the loss rose" in model.warnings
    assert ff.open_model(tmp_path / "m").draw(2, seed=1).tobytes() == model.draw(2, seed=1).tobytes()


def test_nothing_in_the_record_names_anybody(tmp_path: Path) -> None:
    CHEST.write(tmp_path / "Ward-7-real")
    fitted(tmp_path / "Ward-7-real", tmp_path / "m")
    said = "".join(file.read_text() for file in (tmp_path / "m").rglob("*.json"))
    assert "Ward-7" not in said
    assert not re.search(r"P\d{5}", said)
    assert not re.search(r"[\w]+\.png", said)


def test_what_a_finished_training_needs_no_more_is_taken_away(chest: ff.ImageSet, tmp_path: Path) -> None:
    fitted(chest, tmp_path / "m")
    assert {file.name for file in (tmp_path / "m").rglob("*") if file.is_file()} == {
        "model.json",
        "weights.safetensors",
        "run.json",
        "log.csv",
    }


def test_a_usual_condition_is_left_out_where_the_set_does_not_have_it(tmp_path: Path) -> None:
    unlabelled = ff.ImageSet.from_array(CHEST.images, patients=list(CHEST.patients))
    assert fitted(unlabelled, tmp_path / "a").record["conditions"] == []
    assert fitted(CHEST.to_image_set(), tmp_path / "b", condition="none").record["conditions"] == []


def test_sets_without_identifiers_say_so(tmp_path: Path) -> None:
    model = fitted(ff.ImageSet.from_array(CHEST.images), tmp_path / "m")
    assert model.record["data"]["identified"] is False
    assert any("no patient identifiers" in warning for warning in model.warnings)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        ({"recipe": "alchemy"}, "there is no recipe 'alchemy'; there are: gaussian"),
        ({"hue": 3}, "the recipe mean has no option 'hue'; it has: steps, rate, batch"),
        ({"options": {"steps": "many"}}, "the option steps of mean is a whole number, got 'many'"),
        ({"condition": "mood"}, "there is no condition 'mood'; there are: none, class"),
        ({"condition": "mask"}, "has no mask"),
        ({"condition": "none,class"}, "a model has no condition or some, got none, class"),
        ({"device": "tpu"}, "there is no kind of device called 'tpu'"),
        ({"minutes": 0.0}, r"a training takes some time \(--minutes\), got 0"),
        ({"stop_at_onset": True}, r"the onset of memorisation is seen against a holdout; give one \(--holdout\)"),
        ({"scaling": "wide"}, "the scaling 'wide' is not understood"),
        ({"holdout": CHEST.to_image_set()}, r"the holdout shares 12 patients \(\d+ images\) with the training set"),
        ({"fail": "early"}, "this cannot be fitted"),
    ],
)
def test_what_cannot_be_trained_is_refused_and_leaves_nothing(
    chest: ff.ImageSet, tmp_path: Path, call: dict[str, Any], message: str
) -> None:
    with pytest.raises(InputError, match=message):
        ff.train(chest, **{"recipe": "mean", "output": tmp_path / "deep" / "m", **call})
    assert not (tmp_path / "deep" / "m").exists()


def test_too_few_images_are_called_that(chest: ff.ImageSet, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="the recipe mean needs at least 4 images and there are 3"):
        fitted(chest.take(range(3)), tmp_path / "m")


def test_one_class_is_no_condition(chest: ff.ImageSet, tmp_path: Path) -> None:
    rows = np.flatnonzero(chest.labels == "normal")
    with pytest.raises(InputError, match="every image of the training set is of the class 'normal'"):
        fitted(chest.take(rows), tmp_path / "m", condition="class")


def test_volumes_are_refused_by_a_recipe_for_pictures(tmp_path: Path) -> None:
    volumes = ff.ImageSet.from_array(np.random.default_rng(0).random((5, 1, 4, 4, 4), dtype=np.float32))
    with pytest.raises(InputError, match="the recipe mean does not do 3-D images; cut volumes into slices"):
        fitted(volumes, tmp_path / "m")


def test_a_holdout_image_that_is_also_in_training_is_refused(chest: ff.ImageSet, tmp_path: Path) -> None:
    other = ff.ImageSet.from_array(np.concatenate([CHEST.images[:1], 1 - CHEST.images[:5]]), name="holdout")
    with pytest.raises(InputError, match="the holdout shares 1 of 6 images with the training set"):
        fitted(chest, tmp_path / "m", holdout=other)


def test_a_stray_image_is_taken_out_of_the_holdout(chest: ff.ImageSet, tmp_path: Path) -> None:
    fresh = np.random.default_rng(0).random((120, 1, 16, 16), dtype=np.float32)
    other = ff.ImageSet.from_array(np.concatenate([CHEST.images[:1], fresh]))
    model = fitted(chest, tmp_path / "m", holdout=other, condition="none")
    assert model.record["data"]["holdout_images"] == 120
    assert any("1 of 121 holdout images are also in the training set" in warning for warning in model.warnings)


def test_a_finished_model_is_never_trained_over(chest: ff.ImageSet, tmp_path: Path) -> None:
    fitted(chest, tmp_path / "m")
    before = (tmp_path / "m" / "model.json").read_bytes()
    with pytest.raises(InputError, match=re.escape(f"{tmp_path / 'm'}: is a finished model; choose a new folder")):
        fitted(chest, tmp_path / "m")
    assert (tmp_path / "m" / "model.json").read_bytes() == before


def test_a_folder_of_somebody_else_is_never_touched(chest: ff.ImageSet, tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("keep")
    with pytest.raises(InputError, match="is not empty and holds no training of ours; choose a new folder"):
        fitted(chest, tmp_path)
    assert [file.name for file in tmp_path.iterdir()] == ["notes.txt"]
    with pytest.raises(InputError, match=r"notes.txt: is a file; choose a new folder"):
        fitted(chest, tmp_path / "notes.txt")


def test_an_interrupted_training_goes_on(chest: ff.ImageSet, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(MeanRecipe, "failing", "interrupt")
    with pytest.raises(KeyboardInterrupt):
        fitted(chest, tmp_path / "m")
    assert (tmp_path / "m" / "training" / "checkpoint.safetensors").exists()
    monkeypatch.setattr(MeanRecipe, "failing", "")
    fitted(chest, tmp_path / "m", minutes=5)
    assert MeanRecipe.resumed == [False, True]


def test_a_training_that_fails_late_keeps_its_checkpoint(
    chest: ff.ImageSet, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(MeanRecipe, "failing", "late")
    with pytest.raises(InputError, match="the loss is no number"):
        fitted(chest, tmp_path / "m")
    assert (tmp_path / "m" / "training" / "checkpoint.safetensors").read_bytes() == b"patients"
    monkeypatch.setattr(MeanRecipe, "failing", "")
    # Steps may change when a training goes on.
    assert fitted(chest, tmp_path / "m", steps=9).record["options"]["steps"] == 9
    assert MeanRecipe.resumed == [False, True]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"rate": 0.9}, r"options.rate was 0.5 and is 0.9"),
        ({"seed": 4}, "seed was 0 and is 4"),
        ({"scaling": "0:2"}, r"preparation.high was 1.0 and is 2.0"),
        (
            {"training": CHEST.to_image_set().take(range(10))},
            r"data.digest was \w+\.\.\. and is \w+\.\.\., data.im",
        ),
    ],
)
def test_an_unfinished_training_is_not_mixed_with_another(
    chest: ff.ImageSet, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, change: dict[str, Any], message: str
) -> None:
    monkeypatch.setattr(MeanRecipe, "failing", "late")
    with pytest.raises(InputError):
        fitted(chest, tmp_path / "m", condition="none")
    monkeypatch.setattr(MeanRecipe, "failing", "")
    with pytest.raises(InputError, match=f"holds a training that is not finished .+{message}"):
        fitted(**{"training": chest, "folder": tmp_path / "m", "condition": "none", **change})
    fitted(chest, tmp_path / "m", condition="none")


def test_a_training_that_had_nothing_to_lose_is_begun_anew_with_other_options(
    chest: ff.ImageSet, tmp_path: Path
) -> None:
    training = tmp_path / "m" / "training"
    training.mkdir(parents=True)
    with pytest.raises(InputError):
        fitted(chest, tmp_path / "m", fail="early")
    assert not (tmp_path / "m").exists()
    assert fitted(chest, tmp_path / "m", rate=0.1).record["options"]["rate"] == 0.1


def test_too_little_memory_names_the_knobs(chest: ff.ImageSet, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="not enough memory; use a smaller --batch, more --accumulate"):
        fitted(chest, tmp_path / "m", fail="memory")


def test_a_private_training_says_what_it_promises_and_keeps_the_rest_back(chest: ff.ImageSet, tmp_path: Path) -> None:
    model = fitted(chest, tmp_path / "m", epsilon=8.0)
    record = json.loads((tmp_path / "m" / "model.json").read_text())
    jsonschema.validate(record, model_schema())
    assert record["privacy"]["epsilon"] == 8.0
    assert "privacy" not in record["training"]
    # It is counted on the patients.
    assert record["surprisal"] is None
    assert any("losses of the training images" in warning for warning in model.warnings)


def test_a_range_that_was_measured_on_patients_is_refused_in_private_training(tmp_path: Path) -> None:
    free = ff.ImageSet.from_array(1000 * CHEST.images - 300, patients=list(CHEST.patients))
    with pytest.raises(InputError, match="was measured on the patients, which --epsilon does not cover; give a range"):
        fitted(free, tmp_path / "m", epsilon=1.0)
    assert fitted(free, tmp_path / "m", epsilon=1.0, scaling="-300:700").record["privacy"]["epsilon"] == 1.0


def test_a_recipe_that_cannot_be_loaded_is_named(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(Point, "load", lambda self: 1 / 0)
    with pytest.raises(InputError, match=r"'mean' of 'tests:MeanRecipe' cannot be loaded \(ZeroDivisionError\)"):
        fitted(CHEST.to_image_set(), tmp_path / "m")
