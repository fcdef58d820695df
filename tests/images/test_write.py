"""Written images read back as they were, and a folder appears whole or not at all."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest

from fourfold.errors import InputError
from fourfold.images import ImageSet, open_set, prepare, write_image, write_images

IMAGES = np.random.default_rng(0).random((5, 1, 8, 6)).astype(np.float32)


@pytest.mark.parametrize(("bits", "step"), [(8, 0.5 / 255), (16, 0.5 / 65535)])
@pytest.mark.parametrize("shape", [(1, 8, 6), (3, 8, 6), (1, 4, 8, 6)])
def test_images_read_back_to_within_half_a_step(tmp_path: Path, bits: int, step: float, shape: tuple[int, ...]) -> None:
    images = np.random.default_rng(1).random((5, *shape)).astype(np.float32)
    images[:, 0].reshape(5, -1)[:, 0] = 1
    folder = write_images(images, tmp_path / "out", bits=bits)
    opened = open_set(folder, name="training")
    loaded = prepare({"training": opened}, scaling="auto")["training"].load()
    tolerance = 0.5 / 255 if shape[0] == 3 else step
    assert loaded.shape == images.shape
    assert np.abs(loaded - images).max() <= tolerance + 1e-6


def test_labels_and_patients_are_written_beside_the_images(tmp_path: Path) -> None:
    folder = write_images(IMAGES, tmp_path / "out", labels=list("aabba"), patients=["1", "1", "2", "3", "4"])
    opened = open_set(folder, name="training")
    assert opened.labels.tolist() == list("aabba")
    assert opened.patients.tolist() == ["1", "1", "2", "3", "4"]
    assert opened.paths[0] == "images/00000.png"


def test_a_set_keeps_its_labels_and_patients(tmp_path: Path) -> None:
    image_set = ImageSet.from_array(IMAGES, labels=list("aabba"), patients=list("vwxyz"))
    opened = open_set(write_images(image_set, tmp_path / "out"), name="training")
    assert opened.labels.tolist() == list("aabba")
    assert opened.patients.tolist() == list("vwxyz")


def test_a_folder_that_holds_something_is_never_written_over(tmp_path: Path) -> None:
    (tmp_path / "mine.txt").write_text("keep")
    with pytest.raises(InputError, match="^" + re.escape(f"{tmp_path}: is not empty; choose a new folder") + "$"):
        write_images(IMAGES, tmp_path)
    assert list(tmp_path.iterdir()) == [tmp_path / "mine.txt"]


def test_a_failure_on_the_way_leaves_nothing_behind(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from PIL import Image

    calls = []
    save = Image.Image.save

    def full(self: Image.Image, *arguments: object, **options: object) -> None:
        calls.append(1)
        if len(calls) == 3:
            raise OSError(28, "No space left on device")
        save(self, *arguments, **options)

    monkeypatch.setattr(Image.Image, "save", full)
    message = f"{tmp_path / 'out'}: cannot be written (No space left on device); free space or choose another folder"
    with pytest.raises(InputError, match="^" + re.escape(message) + "$"):
        write_images(IMAGES, tmp_path / "out")
    assert list(tmp_path.iterdir()) == []


def test_a_place_that_is_no_folder_is_refused(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("x")
    with pytest.raises(InputError, match=r"file/out: cannot be written \(.+\); free space or choose another folder$"):
        write_images(IMAGES, tmp_path / "file" / "out")


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"labels": ["a"]}, "there are 1 labels for 5 images; give one an image"),
        ({"patients": ["a"] * 6}, "there are 6 patients for 5 images; give one an image"),
        ({"bits": 12}, "images are written with 8 or 16 bits, got 12"),
    ],
)
def test_what_does_not_fit_is_refused(tmp_path: Path, options: dict[str, object], message: str) -> None:
    with pytest.raises(InputError, match="^" + re.escape(message) + "$"):
        write_images(IMAGES, tmp_path / "out", **options)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("shape", "storage", "ending", "low", "high", "step"),
    [
        ((1, 8, 6), {}, ".png", 0, 255, 0.5),
        ((1, 8, 6), {"bits": 16}, ".png", 0, 65535, 0.5),
        ((1, 8, 6), {"bits": 16, "low": 100, "high": 4095}, ".png", 100, 4095, 0.5),
        ((1, 8, 6), {"bits": 32}, ".tiff", 0, 1, 1e-7),
        ((1, 8, 6), {"bits": 32, "low": -1000, "high": 400}, ".tiff", -1000, 400, 1e-4),
        ((3, 8, 6), {}, ".png", 0, 255, 0.5),
        ((3, 8, 6), {"bits": 16, "high": 1023}, ".npy", 0, 1023, 0.5),
        ((3, 8, 6), {"bits": 32}, ".npy", 0, 1, 1e-7),
        ((1, 4, 8, 6), {}, ".nii.gz", 0, 1, 0.5 / 255),
        ((1, 4, 8, 6), {"bits": 16, "low": -1000, "high": 400}, ".nii.gz", -1000, 400, 0.5 * 1400 / 65535),
        ((1, 4, 8, 6), {"bits": 32, "low": -1000, "high": 400}, ".nii.gz", -1000, 400, 1e-4),
    ],
)
def test_one_image_is_written_in_the_values_that_are_asked_for(
    tmp_path: Path,
    shape: tuple[int, ...],
    storage: dict[str, int],
    ending: str,
    low: float,
    high: float,
    step: float,
) -> None:
    image = np.random.default_rng(2).random(shape).astype(np.float32)
    assert write_image(image, tmp_path, "one", **storage) == f"one{ending}"
    assert [file.name for file in tmp_path.iterdir()] == [f"one{ending}"]
    read = open_set(tmp_path, name="training").raw(0)
    assert read.shape == shape
    assert np.abs(read - (low + image.astype(np.float64) * (high - low))).max() <= step * 1.001


@pytest.mark.parametrize(
    ("shape", "storage", "message"),
    [
        ((2, 8, 6), {}, r"an image of shape \(2, 8, 6\) cannot be written; give \(C, H, W\) or \(1, D, H, W\)"),
        ((3, 4, 8, 6), {}, "colour volumes cannot be written"),
        ((1, 8, 6), {"bits": 12}, "an image is written with 8, 16 or 32 bits, got 12"),
        ((1, 8, 6), {"high": 300}, "the range 0 to 300 cannot be written with 8 bits; choose another depth"),
        ((1, 8, 6), {"bits": 16, "low": -1}, "the range -1 to 65535 cannot be written with 16 bits"),
        ((1, 8, 6), {"bits": 32, "low": 2}, "the range 2 to 1 cannot be written"),
    ],
)
def test_one_image_that_does_not_fit_is_refused(
    tmp_path: Path, shape: tuple[int, ...], storage: dict[str, int], message: str
) -> None:
    with pytest.raises(InputError, match=message):
        write_image(np.zeros(shape, dtype=np.float32), tmp_path, "one", **storage)
    assert not list(tmp_path.iterdir())
