"""Sets speak the training set's values."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

import fourfold as ff
from fourfold.generate import Model
from fourfold.images import open_set, write_image
from fourfold.opening import open_sets


def files(folder: Path, images: np.ndarray, **storage: object) -> Path:
    folder.mkdir()
    for place, image in enumerate(images):
        write_image(image, folder, f"{place:03d}", **storage)
    return folder


def array(file: Path, images: np.ndarray) -> Path:
    np.save(file, images)
    return file


def colour(images: np.ndarray) -> np.ndarray:
    return np.concatenate([images, images**2, images / 2], axis=1)


CASES = {
    "8-bit PNG": (".png", 0.5 / 255, lambda place, images: files(place, images)),
    "12 bits in PNG of 16": (".png", 0.5 / 4095, lambda place, images: files(place, images, bits=16, low=0, high=4095)),
    "RGB PNG": (".png", 0.5 / 255, lambda place, images: files(place, colour(images))),
    "RGB of 16 bits": (
        ".npy",
        0.5 / 65535,
        lambda place, images: array(place.with_suffix(".npy"), np.rint(65535 * colour(images)).astype(np.uint16)),
    ),
    "fractions": (".tiff", 1e-6, lambda place, images: array(place.with_suffix(".npy"), images)),
    "free values": (".tiff", 1e-6, lambda place, images: array(place.with_suffix(".npy"), 300 * images - 1000)),
}


@pytest.mark.parametrize("case", CASES)
def test_a_set_can_be_compared_with_its_training_set_as_it_is(case: str, tmp_path: Path) -> None:
    ending, step, store = CASES[case]
    real, held = (
        store(tmp_path / name, ff.phantoms("chest", 10, size=16, first_patient=first).images)
        for name, first in (("real", 0), ("held", 50))
    )
    model = ff.train(real, recipe="gaussian", output=tmp_path / "model", most=4)
    folder = model.generate(6, tmp_path / "syn", batch=4)
    assert {file.suffix for file in (folder / "images").iterdir()} == {ending}
    opened = open_sets(folder, real, held, size=16)
    assert np.abs(opened.sets.synthetic.load() - model.draw(6, batch=4)).max() <= step * 1.01


@pytest.mark.parametrize("storage", [{"bits": 8}, {"bits": 16, "low": -1000, "high": 400}])
def test_volumes_can_be_compared_with_their_training_set_as_they_are(
    content_of, storage: dict[str, int], tmp_path: Path
) -> None:
    real, held = (
        files(tmp_path / name, ff.phantoms("brain", 9, size=16, spatial_dims=3, first_patient=first).images, **storage)
        for name, first in (("real", 0), ("held", 50))
    )
    model = ff.train(real, recipe="gaussian", output=tmp_path / "model", most=4)
    folder = model.generate(6, tmp_path / "syn", batch=4)
    assert {file.name[6:] for file in (folder / "images").iterdir()} == {".nii.gz"}
    opened = open_sets(folder, real, held)
    assert np.abs(opened.sets.synthetic.load() - model.draw(6, batch=4)).max() <= 1e-4
    assert content_of(folder) == content_of(model.generate(6, tmp_path / "again", batch=4))


def test_images_scaled_one_by_one_use_the_whole_depth(chest: ff.ImageSet, tmp_path: Path) -> None:
    model = ff.train(chest, recipe="gaussian", output=tmp_path / "model", most=4, scaling="per-image")
    folder = model.generate(4, tmp_path / "syn", batch=4)
    values = open_set(folder, name="synthetic").raw(0)
    assert values.dtype == np.uint16
    assert values.max() > 60000
    assert json.loads((folder / "generation.json").read_text())["values"]["stands_for"] is None


def test_a_depth_that_was_asked_for_is_used_over_its_whole_range(model: Model, tmp_path: Path) -> None:
    folder = model.generate(4, tmp_path / "syn", batch=4, bits=8)
    values = open_set(folder, name="synthetic").raw(0)
    assert values.dtype == np.uint8
    np.testing.assert_allclose(values / 255, model.draw(4, batch=4)[0], atol=0.5 / 255 + 1e-6)
    assert json.loads((folder / "generation.json").read_text())["values"] == {
        "bits": 8,
        "low": None,
        "high": None,
        "stands_for": [0.0, 1.0],
    }
