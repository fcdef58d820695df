"""Written images read back as they were, and a folder appears whole or not at all."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest

from fourfold.errors import InputError
from fourfold.images import ImageSet, open_set, prepare, write_images

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
