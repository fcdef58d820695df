"""Every recipe keeps the rules, and the suite finds those that do not."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
import pytest
import torch
from torch import Tensor

from fourfold.cli.main import main
from fourfold.errors import InputError
from fourfold.generate import Conditioning, Conditions, Drawing, Generator, Recipe, Run, TrainingSet, check_recipe
from fourfold.generate import recipe as recipes

SHORTER = {
    "diffusion": {"steps": 60},
    "diversity-aware": {"steps": 60},
    "gan": {"steps": 100},
    "latent-diffusion": {"steps": 60, "autoencoder_steps": 60},
}
"""Steps that suffice to obey; what `fourfold recipes --check` takes is more than these tests have time for."""


@pytest.mark.parametrize("name", recipes.names())
def test_every_recipe_keeps_every_rule(name: str) -> None:
    findings = check_recipe(name, options=SHORTER.get(name))
    assert len(findings) == 13
    assert [f"{finding.name}: {finding.detail}" for finding in findings if not finding.passed] == []


class ToyGenerator(Generator):
    """Flat images whose grey is their class's, with noise; breaks one rule where it is told to."""

    recipe: ClassVar[str] = "toy"
    knobs: ClassVar[tuple[str, ...]] = ("truncation",)
    drawn: ClassVar[int] = 0

    def __init__(
        self, shape: tuple[int, ...], conditioning: Conditioning, grey: Tensor, breaks: str, kept: Tensor | None
    ) -> None:
        self.shape, self.conditioning, self.grey, self.breaks, self.kept = shape, conditioning, grey, breaks, kept

    def draw(self, seeds: Sequence[int], conditions: Conditions, drawing: Drawing) -> np.ndarray:
        part = self.conditioning.part("class")
        columns = [part.names.index(name) for name in conditions.columns["class"]] if part else [0] * len(seeds)
        if self.breaks == "condition":
            columns = [0] * len(seeds)
        if self.breaks == "seed":
            ToyGenerator.drawn += 1
            seeds = [seed + ToyGenerator.drawn for seed in seeds]
        if self.breaks == "batch":
            seeds = [seed + len(seeds) for seed in seeds]
        grey = self.grey.numpy()[columns].reshape(-1, *(1,) * len(self.shape))
        noise = np.stack([np.random.default_rng(seed).normal(0, 0.05, self.shape) for seed in seeds])
        images = np.clip(grey + noise, 0, 1).astype(np.float32)
        if self.breaks == "range":
            images *= 2
        if self.breaks == "nan":
            images[0, 0, 0, 0] = np.nan
        return images.astype(np.float64) if self.breaks == "dtype" else images

    def check_drawing(self, drawing: Drawing) -> None:
        if self.breaks != "knob":
            super().check_drawing(drawing)

    def arrays(self) -> Mapping[str, Tensor]:
        kept = {} if self.kept is None else {"kept": self.kept}
        return {"grey": self.grey * (0.5 if self.breaks == "saving" else 1), **kept}

    def settings(self) -> dict[str, Any]:
        name = {"name": "conformance-patient-P00003"} if self.breaks == "name" else {}
        return {"breaks": self.breaks, **name}

    @classmethod
    def restore(
        cls,
        shape: tuple[int, ...],
        conditioning: Conditioning,
        settings: Mapping[str, Any],
        arrays: Mapping[str, Tensor],
    ) -> ToyGenerator:
        return cls(shape, conditioning, arrays["grey"], settings["breaks"], arrays.get("kept"))


@dataclass(frozen=True)
class ToyOptions:
    breaks: str = ""


class ToyRecipe(Recipe):
    name: ClassVar[str] = "toy"
    family: ClassVar[str] = "baseline"
    summary: ClassVar[str] = "flat images"
    source: ClassVar[str] = "these tests"
    conditions: ClassVar[tuple[str, ...]] = ("class",)
    Options: ClassVar[type] = ToyOptions
    Generator: ClassVar[type] = ToyGenerator
    fits: ClassVar[int] = 0

    def fit(self, data: TrainingSet, options: Any, run: Run) -> tuple[Generator, dict[str, Any]]:
        if options.breaks == "fit":
            raise ZeroDivisionError("division by zero")
        images, classes = data.load(), data.conditions.columns["class"]
        grey = np.array([images[classes == name].mean() for name in data.conditioning.part("class").names])
        ToyRecipe.fits += 1
        grey += 1e-3 * ToyRecipe.fits if options.breaks == "training" else 0
        kept = torch.from_numpy(2 * images[:3] - 1) if options.breaks == "keeping" else None
        return ToyGenerator(data.shape, data.conditioning, torch.from_numpy(grey), options.breaks, kept), {}

    def check(self, data: TrainingSet) -> None:
        if len(data) >= 2 or self.forgiving:
            return
        super().check(data)

    forgiving: ClassVar[bool] = False


class Point:
    name, value, group = "toy", "tests:ToyRecipe", recipes.GROUP

    def load(self) -> type[Recipe]:
        return ToyRecipe


@pytest.fixture
def _installed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(recipes, "entry_points", lambda group, name=None: [Point()] if name in (None, "toy") else [])


def broken(**call: Any) -> dict[str, str]:
    return {finding.name: finding.detail for finding in check_recipe("toy", **call) if not finding.passed}


@pytest.mark.usefixtures("_installed")
def test_a_recipe_of_a_package_can_keep_every_rule() -> None:
    assert recipes.names()[-1] == "toy"
    assert broken() == {}


@pytest.mark.usefixtures("_installed")
@pytest.mark.parametrize(
    ("breaks", "rule", "detail"),
    [
        ("fit", "it can be fitted", "ZeroDivisionError: division by zero"),
        ("training", "the same seed fits the same model", "gave different weights"),
        ("range", "images have the right number, shape, type and range", "should stay within 0 to 1"),
        ("dtype", "images have the right number, shape, type and range", "an array of float64"),
        ("nan", "images have the right number, shape, type and range", "not finite"),
        ("seed", "the same seed draws the same bytes", "they differ by up to"),
        ("batch", "an image does not depend on its batch", "more than rounding"),
        ("saving", "a model that was saved draws the same bytes", "they differ by up to"),
        ("condition", "its class is obeyed", "chance 0.50, margin 0.2"),
        ("knob", "a knob that it does not have is refused", "the knob sampler passed"),
        ("name", "the model folder names nobody", "model.json holds a path, or the name of a patient"),
        ("keeping", "training images are in the folder only where the recipe says so", "3 of"),
    ],
)
def test_a_rule_that_is_broken_is_found(breaks: str, rule: str, detail: str) -> None:
    found = broken(options={"breaks": breaks})
    assert detail in found[rule]


@pytest.mark.usefixtures("_installed")
def test_a_recipe_that_takes_too_few_images_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ToyRecipe, "forgiving", True)
    assert "1 images passed" in broken()["too few images are refused"]


@pytest.mark.usefixtures("_installed")
def test_one_fault_does_not_hide_the_others() -> None:
    assert set(broken(options={"breaks": "keeping"})) == {
        "training images are in the folder only where the recipe says so"
    }


def test_an_unknown_recipe_is_refused() -> None:
    with pytest.raises(InputError, match="there is no recipe 'alchemy'"):
        check_recipe("alchemy")


@pytest.mark.usefixtures("_installed")
def test_the_suite_is_run_from_the_command_line(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    assert main(["recipes", "--check", "toy", "--quiet"]) == 0
    printed = capsys.readouterr().out
    assert "pass  the same seed draws the same bytes: 6 images, bit for bit" in printed
    assert "toy: 13 of 13 pass" in printed
    monkeypatch.setattr(ToyRecipe, "quick", {"breaks": "range"})
    assert main(["recipes", "--check", "toy", "--quiet"]) == 1
    assert "FAIL  images have the right number" in capsys.readouterr().out


@pytest.mark.usefixtures("_installed")
def test_recipes_are_listed_with_their_options(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    assert main(["recipes", "toy"]) == 0
    assert capsys.readouterr().out.splitlines() == [
        "toy",
        "    flat images",
        "    condition: class; from 2 images",
        "    options: breaks=",
        "    source: these tests",
    ]
    monkeypatch.setattr(Point, "load", lambda self: 1 / 0)
    assert main(["recipes"]) == 0
    printed = capsys.readouterr().out
    for name in recipes.names():
        assert f"\n{name}\n" in f"\n{printed}"
    assert "cannot be loaded (ZeroDivisionError)" in printed
