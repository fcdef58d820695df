from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from PIL import Image

from fourfold.errors import InputError
from fourfold.images import ImageSet, Preparation, open_set, prepare
from fourfold.releasing.masks import LEAST_AGREEMENT, foregrounds, telling_masks


def discs(rng: np.random.Generator, count: int, side: int = 48) -> np.ndarray:
    rows, columns = np.mgrid[:side, :side]
    places, radii = rng.uniform(14, 34, (count, 2)), rng.uniform(5, 12, (count, 2))
    return np.array(
        [
            ((rows - y) / a) ** 2 + ((columns - x) / b) ** 2 < 1
            for (y, x), (a, b) in zip(places, radii, strict=True)
        ]
    )  # fmt: skip


def as_set(masks: np.ndarray | None, folder, name: str, count: int = 5) -> ImageSet:
    size = count if masks is None else len(masks)
    images = ImageSet.from_array(np.zeros((size, 1, 48, 48), dtype=np.float32), name=name)
    entries = list(images.entries)
    if masks is not None:
        folder.mkdir(parents=True)
        for row, mask in enumerate(masks):
            Image.fromarray(mask.astype(np.uint8) * 255).save(folder / f"{row}.png")
            entries[row] = replace(entries[row], mask=folder / f"{row}.png")
    return replace(images, entries=tuple(entries), preparation=Preparation("range", 0.0, 1.0, (48, 48), 1))


def test_masks_of_training_patients_are_vetoed_and_fresh_ones_are_not(tmp_path) -> None:
    rng = np.random.default_rng(0)
    real, fresh, others = discs(rng, 60), discs(rng, 60), discs(rng, 40)
    shifted = np.roll(real[:3], 1, axis=2)
    asked = np.concatenate([others, real[:5], shifted])
    found = telling_masks(
        as_set(asked, tmp_path / "a", "candidates"),
        as_set(real, tmp_path / "b", "training"),
        as_set(fresh, tmp_path / "c", "calibration"),
    )
    assert found.vetoed[40:45].all()
    assert found.vetoed[:40].sum() <= 2
    assert found.threshold >= LEAST_AGREEMENT
    assert found.figures()["masks"] == 48


def test_without_masks_nobody_is_vetoed(tmp_path) -> None:
    bare = as_set(None, tmp_path, "candidates")
    found = telling_masks(bare, bare, bare)
    assert not found.vetoed.any()
    assert found.threshold is None
    masks = np.zeros((4, 48, 48), dtype=bool)
    empty = as_set(masks, tmp_path / "empty", "candidates")
    assert not telling_masks(empty, empty, bare).vetoed.any()


def test_masks_of_patients_are_not_read_where_no_candidate_has_one(tmp_path) -> None:
    bare = as_set(None, tmp_path, "candidates")
    real = as_set(np.ones((2, 48, 48), dtype=bool), tmp_path / "real", "training")
    (tmp_path / "real" / "1.png").write_text("no picture")
    assert not telling_masks(bare, real, real).vetoed.any()
    with pytest.raises(InputError, match=r"1\.png"):
        telling_masks(as_set(np.ones((1, 48, 48), dtype=bool), tmp_path / "own", "candidates"), real, real)


def test_slices_are_compared_with_the_slices_of_a_mask(tmp_path) -> None:
    nibabel = pytest.importorskip("nibabel")
    masks = np.zeros((3, 40, 32), dtype=np.uint8)
    masks[0, 2:20, 4:9] = 1
    masks[2, 25:, 10:] = 2
    image = np.random.default_rng(0).random(masks.shape, dtype=np.float32)
    for name, values in (("image", image), ("mask", masks)):
        written = nibabel.Nifti1Image(values.transpose(2, 1, 0), np.diag([-1.0, -1.0, 1.0, 1.0]))
        nibabel.save(written, tmp_path / f"{name}.nii.gz")
    (tmp_path / "metadata.csv").write_text("path,mask\nimage.nii.gz,mask.nii.gz")
    images = prepare({"training": open_set(tmp_path, name="training", slices=True)})["training"]
    np.testing.assert_array_equal(foregrounds(images), masks.reshape(3, -1) > 0)
