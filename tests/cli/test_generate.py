"""``fourfold train``, ``fourfold generate`` and what comes after them, as they are typed."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import fourfold as ff
from fourfold.cli.main import main


@pytest.fixture(scope="module")
def real(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Training and holdout phantoms in folders."""
    folder = tmp_path_factory.mktemp("real")
    ff.phantoms("chest", 16, size=32).write(folder / "training")
    ff.phantoms("chest", 16, size=32, first_patient=100).write(folder / "holdout")
    return folder


@pytest.fixture(scope="module")
def model(real: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("trained") / "model"
    sets = [str(real / "training"), "--holdout", str(real / "holdout")]
    assert main(["train", *sets, "--recipe", "gaussian", "--condition", "class", "-o", str(folder), "--quiet"]) == 0
    return folder


def sentence(capsys: pytest.CaptureFixture[str]) -> str:
    printed = capsys.readouterr().err.strip()
    assert "Traceback" not in printed
    line = [line for line in printed.splitlines() if line.startswith("fourfold: error: ")]
    assert len(line) == 1, printed
    return line[0].removeprefix("fourfold: error: ")


def test_train_says_where_the_model_is_and_what_must_be_known(
    real: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = tmp_path / "model"
    call = ["train", str(real / "training"), "--recipe", "kde", "-o", str(folder), "--quiet"]
    assert main([*call, "--licence", "CC0", "--intended-use", "tests", "--seed", "3", "--size", "16"]) == 0
    printed = " ".join(capsys.readouterr().out.split())
    assert "trained kde on" in printed
    assert "images of 16 patients: " in printed
    assert "odel file holds the training images of patients" in printed
    assert f"model: {folder}" in printed
    record = json.loads((folder / "model.json").read_text())
    assert (record["licence"], record["intended_use"], record["seed"]) == ("CC0", "tests", 3)
    assert record["shape"] == [1, 16, 16]
    assert main(["generate", str(folder), "-n", "2", "-o", str(tmp_path / "syn"), "--quiet"]) == 0
    assert "warning: a kde model holds training images" in capsys.readouterr().out


def test_train_prints_the_promise_of_a_private_training(
    real: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    pytest.importorskip("opacus")
    call = ["train", str(real / "training"), "--recipe", "diffusion", "-o", str(tmp_path / "m"), "--quiet"]
    small = ["--steps", "2", "--batch", "4", "--set", "channels=8,8", "--set", "warmup=0", "--size", "16"]
    assert main([*call, *small, "--epsilon", "8"]) == 0
    printed = " ".join(capsys.readouterr().out.split())
    assert "at delta 1e-05, unit: patient" in printed
    assert "With one patient more or less among the training data" in printed
    assert "which the guarantee does not cover" in printed
    assert json.loads((tmp_path / "m" / "model.json").read_text())["privacy"]["epsilon"] <= 8


def test_options_reach_the_recipe(real: Path, tmp_path: Path) -> None:
    call = ["train", str(real / "training"), "--recipe", "gaussian", "-o", str(tmp_path / "m"), "--quiet"]
    assert main([*call, "--set", "most=3", "--set", "residual=pixel"]) == 0
    options = json.loads((tmp_path / "m" / "model.json").read_text())["options"]
    assert (options["most"], options["residual"]) == (3, "pixel")


def test_the_class_is_asked_for_by_name(model: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    call = ["generate", str(model), "-n", "5", "-o", str(tmp_path / "syn"), "--quiet", "--batch", "2"]
    assert main([*call, "--condition-value", "class=lesion", "--truncation", ".9", "--bits", "16"]) == 0
    assert capsys.readouterr().out.endswith(f"5 images: {tmp_path / 'syn'}\n")
    with (tmp_path / "syn" / "metadata.csv").open(newline="") as stream:
        rows = list(csv.DictReader(stream))
    assert [row["label"] for row in rows] == ["lesion"] * 5
    with Image.open(tmp_path / "syn" / rows[0]["path"]) as picture:
        assert picture.mode == "I;16"


def test_conditions_are_taken_from_a_set(model: Path, real: Path, tmp_path: Path) -> None:
    call = ["generate", str(model), "-n", "9", "-o", str(tmp_path / "syn"), "--quiet"]
    assert main([*call, "--conditions", str(real / "holdout")]) == 0
    record = json.loads((tmp_path / "syn" / "generation.json").read_text())
    assert record["conditions"]["origin"] == "set"
    assert "holdout" not in json.dumps(record)


@pytest.mark.parametrize(
    ("storage", "size"),
    [({"bits": 8}, 32), ({"bits": 16, "high": 4095}, 32)],
    ids=["8 bits", "12 bits"],
)
def test_what_was_drawn_can_be_evaluated_as_it_is(
    storage: dict[str, int], size: int, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for name, first in (("training", 0), ("holdout", 50)):
        (tmp_path / name).mkdir()
        for place, image in enumerate(ff.phantoms("chest", 12, size=40, first_patient=first).images):
            ff.images.write_image(image, tmp_path / name, str(place), **storage)
    sets = {name: str(tmp_path / name) for name in ("training", "holdout", "model", "syn")}
    assert main(["train", sets["training"], "--recipe", "gaussian", "-o", sets["model"], "--size", str(size)]) == 0
    assert main(["generate", sets["model"], "-n", "24", "-o", sets["syn"]]) == 0
    compared = [sets["syn"], "--train", sets["training"], "--holdout", sets["holdout"], "--size", str(size)]
    rest = ["-o", str(tmp_path / "report"), "--only", "variety/coverage", "--no-store", "--quiet"]
    assert main(["evaluate", *compared, *rest]) == 0
    assert "variety" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("more", "said"),
    [
        (["--recipe", "alchemy"], "there is no recipe 'alchemy'; there are: gaussian, mixture"),
        (["--framework", "edm"], "the recipe gaussian has no option 'framework'; it has: share, most, residual"),
        (["--epsilon", "1"], "the recipe gaussian has no option 'epsilon'"),
        (["--set", "most"], "--set takes NAME=VALUE, got 'most'"),
        (["--set", "most=few"], "the option most of gaussian is a whole number, got 'few'"),
        (["--set", "most=3", "--set", "most=4"], "the option most is given twice; give it once"),
        (["--condition", "text"], "text"),
        (["--condition", "class,none"], "a model has no condition or some"),
        (["--train-split", "training"], "there is no split 'training'"),
        (["--size", "0"], "--size takes 128"),
        (["--column", "MRN"], "--column takes ROLE=NAME"),
        (["--device", "cuda:7"], "this machine has no device 'cuda:7'"),
        (["--stop-at-onset"], "give one (--holdout)"),
        (["--text-column", "report"], "--text-column belongs to a model that is conditioned on text; add --condition"),
        (["--feature-size", "3"], "--feature-size belongs to a model that is conditioned on features"),
        (["--attributes", "age"], "--attributes belongs to a model that is conditioned on attributes"),
    ],
)
def test_wrong_calls_of_train_are_one_sentence_and_leave_nothing(
    real: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], more: list[str], said: str
) -> None:
    call = ["train", str(real / "training"), "--recipe", "gaussian", "-o", str(tmp_path / "m"), "--quiet"]
    assert main([*call, *more]) == 2
    assert said in sentence(capsys)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("more", "said"),
    [
        (["-n", "0"], "at least 1 image is drawn, got 0"),
        (["--sampler", "heun"], "--sampler is no knob of a gaussian model; it has: --truncation"),
        (["--condition-value", "class"], "--condition-value takes KIND=VALUE such as class=pneumonia, got 'class'"),
        (["--condition-value", "class=a", "--condition-value", "class=b"], "the condition 'class' is given twice"),
        (["--condition-value", "class=broken"], "the model knows no class 'broken'; it knows: lesion, normal"),
        (["--condition-value", "text=x"], "the model has no condition 'text'; it has: class"),
        (["--conditions", "nowhere"], "nowhere: does not exist; correct the path of the conditions set"),
        (["--features", "pixels"], "the model has no condition 'features'"),
        (["--slices"], "how a set is read was said, and no set was given; add --conditions SET"),
        (["--truncation", "-1"], "truncation is a number from 0 up, got -1"),
    ],
)
def test_wrong_calls_of_generate_are_one_sentence_and_leave_nothing(
    model: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], more: list[str], said: str
) -> None:
    assert main(["generate", str(model), "-n", "4", "-o", str(tmp_path / "syn"), "--quiet", *more]) == 2
    assert said in sentence(capsys)
    assert not list(tmp_path.iterdir())


def test_a_model_that_is_none_is_named(tmp_path: Path, real: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for folder, said in ((tmp_path / "nowhere", "does not exist"), (real / "training", "holds no model")):
        assert main(["generate", str(folder), "-n", "4", "-o", str(tmp_path / "syn")]) == 2
        assert f"{folder}: {said}" in sentence(capsys)


def test_a_loss_that_is_no_number_keeps_what_was_trained(
    real: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = tmp_path / "m"
    call = ["train", str(real / "training"), "--recipe", "diffusion", "-o", str(folder), "--quiet", "--size", "16"]
    small = ["--batch", "4", "--set", "channels=8,8", "--set", "warmup=0", "--snapshots", "1", "--condition", "none"]
    assert main([*call, *small, "--steps", "200", "--learning-rate", "1e20"]) == 2
    assert "finite" in sentence(capsys)
    assert (folder / "training" / "checkpoint.safetensors").exists()
    assert main(["generate", str(folder), "-n", "4", "-o", str(tmp_path / "syn")]) == 2
    assert "repeat the same fourfold train command" in sentence(capsys)


def test_training_is_interrupted_without_a_traceback(
    real: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupted(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("fourfold.generate.train.train", interrupted)
    assert main(["train", str(real / "training"), "--recipe", "gaussian", "-o", str(tmp_path / "m")]) == 130
    assert sentence(capsys).startswith("interrupted")


def test_python_does_what_the_command_line_does(real: Path, model: Path, tmp_path: Path) -> None:
    fitted = ff.train(
        real / "training", recipe="gaussian", output=tmp_path / "m", holdout=real / "holdout", condition="class"
    )
    opened = ff.open_model(model)
    assert fitted.digest == opened.digest
    assert main(["generate", str(model), "-n", "5", "-o", str(tmp_path / "a"), "--seed", "2", "--quiet"]) == 0
    folder = fitted.generate(5, tmp_path / "b", seed=2)
    for file in (folder / "images").iterdir():
        assert file.read_bytes() == (tmp_path / "a" / "images" / file.name).read_bytes()
    np.testing.assert_array_equal(opened.draw(3, seed=2), fitted.draw(3, seed=2))
