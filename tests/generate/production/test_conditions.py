"""Conditions are drawn, given one by one, or taken from a set, and none is named in what is written."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from torch import Tensor

import fourfold as ff
from fourfold.errors import InputError
from fourfold.generate import Conditioning, Conditions, Drawing, Generator, Model
from fourfold.generate.conditioning.masks import MaskPart


class Painter(Generator):
    """Shows the mask it is given."""

    recipe = "painter"

    def __init__(self) -> None:
        self.shape, self.conditioning = (1, 8, 8), Conditioning([MaskPart((0, 7), (8, 8))])

    def draw(self, seeds: Sequence[int], conditions: Conditions, drawing: Drawing) -> np.ndarray:
        noise = np.stack([np.random.default_rng(seed).random(self.shape) for seed in seeds])
        return (0.5 * conditions.columns["mask"][:, None] + 0.5 * noise).astype(np.float32)

    def arrays(self) -> dict[str, Tensor]:
        return {}

    @classmethod
    def restore(cls, *_: object) -> Painter:
        return cls()


def test_a_condition_can_be_the_same_for_all(rows_of, model: Model, tmp_path: Path) -> None:
    folder = model.generate(6, tmp_path / "syn", condition_value={"class": "lesion"})
    assert {row["label"] for row in rows_of(folder)} == {"lesion"}
    with pytest.raises(InputError, match="the model knows no class 'broken'; it knows: lesion, normal"):
        model.generate(6, tmp_path / "other", condition_value={"class": "broken"})
    assert list(tmp_path.iterdir()) == [folder]


def test_conditions_of_a_set_are_each_used_once_before_any_is_repeated(
    rows_of, model: Model, chest: ff.ImageSet, tmp_path: Path
) -> None:
    some = chest.take(range(7))
    folder = model.generate(14, tmp_path / "syn", conditions=some, batch=4, seed=3)
    labels = [row["label"] for row in rows_of(folder)]
    assert sorted(labels[:7]) == sorted(labels[7:]) == sorted(some.labels.tolist())
    record = json.loads((folder / "generation.json").read_text())["conditions"]
    assert record["origin"] == "set"
    assert record["images"] == 7
    assert record["the_training_set"] is False
    assert "array" not in (folder / "metadata.csv").read_text()
    assert (
        model.recreate(folder, 9, conditions=some).tobytes()
        == model.draw(14, conditions=some, batch=4, seed=3)[9].tobytes()
    )
    with pytest.raises(InputError, match="were taken from another set; give that one"):
        model.recreate(folder, 9)
    with pytest.raises(InputError, match="from another set than this"):
        model.recreate(folder, 9, conditions=chest.take(range(8)))


def test_the_training_set_as_conditions_is_recognised(model: Model, chest: ff.ImageSet, tmp_path: Path) -> None:
    folder = model.generate(2, tmp_path / "syn", conditions=chest, batch=2)
    assert json.loads((folder / "generation.json").read_text())["conditions"]["the_training_set"] is True


def test_a_mask_is_written_beside_each_image_and_its_file_named_nowhere(rows_of, model: Model, tmp_path: Path) -> None:
    mask = tmp_path / "ward-7.png"
    Image.fromarray(np.repeat([[0, 7]], 4, axis=1).repeat(8, axis=0).astype(np.uint8)).save(mask)
    painter = replace(model, generator=Painter())
    asked = {"condition_value": {"mask": str(mask)}, "batch": 2}
    folder = painter.generate(3, tmp_path / "syn", **asked)
    assert [row["mask"] for row in rows_of(folder)] == [f"masks/00000{place}.png" for place in range(3)]
    with Image.open(folder / "masks" / "000001.png") as written, Image.open(mask) as given:
        assert np.array_equal(written, given)
    assert "ward-7" not in "".join(file.read_text() for file in folder.glob("*.*"))
    again = painter.recreate(folder, 2, condition_value=asked["condition_value"])
    assert again.tobytes() == painter.draw(3, **asked)[2].tobytes()
    Image.fromarray(np.full((8, 8), 7, dtype=np.uint8)).save(mask)
    with pytest.raises(InputError, match="the set was drawn under other conditions than these"):
        painter.recreate(folder, 2, condition_value=asked["condition_value"])


def test_conditions_that_do_not_fit_are_refused(
    model: Model, plain_model: Model, chest: ff.ImageSet, tmp_path: Path
) -> None:
    unlabelled = ff.ImageSet.from_array(np.zeros((3, 1, 16, 16), dtype=np.float32))
    with pytest.raises(InputError, match=r"conditions\[0\]|array\[0\]: has no class"):
        model.generate(2, tmp_path / "a", conditions=unlabelled)
    with pytest.raises(InputError, match="the model has no condition, so there is nothing to take from a set"):
        plain_model.generate(2, tmp_path / "a", conditions=chest)
    with pytest.raises(InputError, match="give one"):
        model.generate(2, tmp_path / "a", conditions=chest, condition_value={"class": "lesion"})
    with pytest.raises(InputError, match="the model has no condition 'class'"):
        plain_model.generate(2, tmp_path / "a", condition_value={"class": "lesion"})
    assert not list(tmp_path.iterdir())
