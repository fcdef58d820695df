"""One preparation for all sets: which rule is chosen, and what sets that do not fit are told."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from fourfold.errors import InputError, UnreadableImage
from fourfold.images import ImageSet, open_set, prepare


def _set(values: np.ndarray, name: str = "training") -> ImageSet:
    return ImageSet.from_array(values, name=name)


def _noise(count: int = 4, high: float = 255, dtype: type = np.uint8, shape: tuple[int, ...] = (1, 8, 8)) -> np.ndarray:
    draws = np.random.default_rng([3, count]).random((count, *shape)) * high
    draws[:, 0].flat[0] = high
    return draws.astype(dtype)


def _rule(values: np.ndarray) -> tuple[str, float, float]:
    preparation = prepare({"training": _set(values)})["training"].preparation
    return preparation.rule, preparation.low, preparation.high


@pytest.mark.parametrize(
    ("values", "high"),
    [
        (_noise(high=100), 255),
        (_noise(high=255, dtype=np.uint16), 255),
        (_noise(high=900, dtype=np.uint16), 1023),
        (_noise(high=1024, dtype=np.uint16), 4095),
        (_noise(high=4095, dtype=np.int32), 4095),
        (_noise(high=4096, dtype=np.uint16), 16383),
        (_noise(high=60000, dtype=np.uint16), 65535),
        (_noise(high=1, dtype=np.uint8), 1),
        (_noise(high=1, dtype=np.float32), 1),
        (_noise(high=0.4, dtype=np.float64), 1),
    ],
)
def test_the_range_follows_the_depth_of_the_training_images(values: np.ndarray, high: float) -> None:
    assert _rule(values) == ("range", 0.0, high)


def test_fractions_around_zero_keep_their_range() -> None:
    assert _rule(_noise(high=2, dtype=np.float32) - 1) == ("range", -1.0, 1.0)


def test_free_values_that_agree_get_the_percentiles_of_the_training_set() -> None:
    values = _noise(8, 2000, np.float32) - 1000
    rule, low, high = _rule(values)
    assert rule == "range"
    assert (low, high) == pytest.approx(np.percentile(values, [0.5, 99.5]), rel=1e-6)


def test_free_values_that_differ_a_thousandfold_are_scaled_image_by_image() -> None:
    values = _noise(4, 1, np.float32) * np.array([3, 40, 900, 4000], dtype=np.float32)[:, None, None, None]
    assert _rule(values) == ("per-image", 0.5, 99.5)
    loaded = prepare({"training": _set(values)})["training"].load()
    assert loaded.min(axis=(1, 2, 3)) == pytest.approx(0)
    assert loaded.max(axis=(1, 2, 3)) == pytest.approx(1)


def test_a_range_can_be_asked_for() -> None:
    loaded = prepare({"training": _set(_noise())}, scaling="0:510")["training"].load()
    assert loaded.max() == 0.5


@pytest.mark.parametrize("scaling", ["sometimes", "1:2:3", "5:5", "9:1", "nan:1"])
def test_a_scaling_that_means_nothing_is_refused(scaling: str) -> None:
    with pytest.raises(InputError, match=r"write auto, per-image or LOW:HIGH|LOW must be below HIGH"):
        prepare({"training": _set(_noise())}, scaling=scaling)


def test_loaded_images_are_the_values_over_their_range() -> None:
    values = _noise()
    loaded = prepare({"training": _set(values)})["training"].load()
    assert loaded.dtype == np.float32
    assert loaded == pytest.approx(values / 255.0, abs=1e-7)


@pytest.mark.parametrize(
    ("training", "synthetic", "words"),
    [
        (_noise(), _noise() / 255.0, "fractions from"),
        (_noise(high=1, dtype=np.float32), _noise(high=2, dtype=np.float32) - 1, "fractions around 0 from"),
        (_noise(), _noise() > 128, "whole numbers from 0 to 1"),
        (_noise(high=4000, dtype=np.uint16), _noise(), "whole numbers from 0 to 255"),
        (_noise(high=900, dtype=np.uint16), _noise(), "whole numbers from"),
        (_noise(high=3000, dtype=np.float32) - 1000, _noise(), "whole numbers from"),
        (_noise(), _noise(high=3000, dtype=np.float32) - 1000, "free values from"),
    ],
)
def test_a_set_scaled_unlike_training_is_refused(training: np.ndarray, synthetic: np.ndarray, words: str) -> None:
    sets = {"training": _set(training), "synthetic": _set(synthetic * 1, "synthetic")}
    with pytest.raises(InputError, match=r"^the synthetic set is scaled unlike the training set: it holds") as caught:
        prepare(sets)
    assert words in str(caught.value)
    assert str(caught.value).endswith(
        "store both alike, or give the common range with --scaling LOW:HIGH, "
        "or scale each image by its own percentiles with --scaling per-image"
    )
    assert prepare(sets, scaling="per-image")["synthetic"].load().max() == 1


@pytest.mark.parametrize(
    ("training", "synthetic"),
    [
        (_noise(), _noise(high=150)),
        (_noise(), _noise(dtype=np.int64)),
        (_noise(high=4000, dtype=np.uint16), _noise(high=1500, dtype=np.uint16)),
        (_noise(high=1, dtype=np.float32), _noise(high=0.6, dtype=np.float32)),
        (_noise(high=3000, dtype=np.float32) - 1000, _noise(high=2800, dtype=np.float32) - 900),
    ],
)
def test_sets_that_only_differ_by_chance_are_prepared(training: np.ndarray, synthetic: np.ndarray) -> None:
    prepared = prepare({"training": _set(training), "synthetic": _set(synthetic, "synthetic")})
    assert prepared["training"].preparation == prepared["synthetic"].preparation


def _pictures(folder: Path, *shapes: tuple[int, ...]) -> Path:
    folder.mkdir()
    for number, shape in enumerate(shapes):
        values = np.random.default_rng(number).integers(0, 256, shape, dtype=np.uint8)
        Image.fromarray(values).save(folder / f"{number:03d}.png")
    return folder


def test_sizes_that_differ_name_two_files_and_the_remedy(tmp_path: Path) -> None:
    folder = _pictures(tmp_path / "mixed", *[(8, 10)] * 150, (9, 10))
    opened = open_set(folder, name="training")
    message = (
        "images differ in size: 000.png of the training set is 8 x 10 and 150.png of the training set is 9 x 10; "
        "resample all of them with --size 10"
    )
    with pytest.raises(InputError, match="^" + re.escape(message) + "$"):
        prepare({"training": opened})
    assert prepare({"training": opened}, size=8)["training"].load().shape == (151, 1, 8, 8)


def test_sizes_that_differ_between_sets_are_refused(tmp_path: Path) -> None:
    sets = {
        "training": open_set(_pictures(tmp_path / "a", (8, 8)), name="training"),
        "synthetic": open_set(_pictures(tmp_path / "b", (16, 16)), name="synthetic"),
    }
    with pytest.raises(
        InputError, match=r"000.png of the training set is 8 x 8 and 000.png of the synthetic set is 16"
    ):
        prepare(sets)


def test_channels_that_differ_name_two_files_and_the_remedy(tmp_path: Path) -> None:
    opened = open_set(_pictures(tmp_path / "a", (8, 8), (8, 8, 3)), name="training")
    message = (
        "images differ in channels: 000.png of the training set has 1 and 001.png of the training set has 3; "
        "make all of them grey with --channels 1"
    )
    with pytest.raises(InputError, match="^" + re.escape(message) + "$"):
        prepare({"training": opened})
    assert prepare({"training": opened}, channels=1)["training"].load().shape == (2, 1, 8, 8)
    assert prepare({"training": opened}, channels=3)["training"].load().shape == (2, 3, 8, 8)


def test_three_equal_channels_count_as_grey() -> None:
    grey = _noise()
    prepared = prepare({"training": _set(grey), "synthetic": _set(np.repeat(grey, 3, axis=1), "synthetic")})
    assert np.array_equal(prepared["training"].load(), prepared["synthetic"].load())


def test_a_coloured_image_that_was_not_probed_is_named_when_it_is_loaded() -> None:
    images = np.repeat(_noise(200), 3, axis=1)
    images[1, 0] = 255 - images[1, 0]
    prepared = prepare({"training": _set(images)})["training"]
    with pytest.raises(InputError, match=r"^training\[1\]: is RGB among grey images; .+ --channels 1$"):
        prepared.load([0, 1, 2])


def test_volumes_and_pictures_are_not_compared() -> None:
    sets = {"training": _set(_noise()), "synthetic": _set(_noise(shape=(1, 4, 8, 8)), "synthetic")}
    with pytest.raises(InputError, match=r"^2-D and 3-D images cannot be compared: "):
        prepare(sets)


@pytest.mark.parametrize("wrong", [np.nan, np.inf])
def test_values_that_are_not_finite_are_refused_with_their_number(wrong: float) -> None:
    values = _noise(high=1, dtype=np.float32)
    values[2, 0, 3, :2] = wrong
    message = "training[2]: holds 2 values that are not finite (NaN or infinity); replace them or remove the file"
    with pytest.raises(UnreadableImage, match="^" + re.escape(message) + "$"):
        prepare({"training": _set(values)})


def test_an_empty_set_is_refused() -> None:
    message = "there is no image in the holdout set; point at a folder or table with images"
    with pytest.raises(InputError, match=f"^{message}$"):
        prepare({"training": _set(_noise()), "holdout": _set(_noise()[:0], "holdout")})


def test_constant_images_are_prepared() -> None:
    loaded = prepare({"training": _set(np.full((3, 1, 8, 8), 51, dtype=np.uint8))})["training"].load()
    assert np.unique(loaded) == pytest.approx([0.2])


def test_downsampling_averages_what_it_leaves_out() -> None:
    board = (np.indices((64, 64)).sum(axis=0) % 2 * 255).astype(np.uint8)[None, None]
    loaded = prepare({"training": _set(board)}, size=8)["training"].load()
    assert loaded == pytest.approx(0.5, abs=0.05)
    volume = np.repeat(board, 8, axis=1)[:, None]
    assert prepare({"training": _set(volume)}, size=(4, 8, 8))["training"].load() == pytest.approx(0.5, abs=0.05)


@pytest.mark.parametrize("workers", [0, 2])
def test_batches_come_in_order_and_are_what_load_gives(tmp_path: Path, workers: int) -> None:
    opened = open_set(_pictures(tmp_path / "a", *[(8, 8)] * 23), name="training")
    prepared = prepare({"training": opened})["training"]
    starts, batches = zip(*prepared.batches(5, workers=workers), strict=True)
    assert starts == (0, 5, 10, 15, 20)
    assert np.array_equal(np.concatenate(batches), prepared.load())


def test_an_unreadable_image_in_a_worker_arrives_as_such(tmp_path: Path) -> None:
    folder = _pictures(tmp_path / "a", *[(8, 8)] * 130)
    prepared = prepare({"training": open_set(folder, name="training")})["training"]
    content = (folder / "100.png").read_bytes()
    (folder / "100.png").write_bytes(content[: len(content) // 2])
    with pytest.raises(UnreadableImage, match=r"^100.png: is cut short or damaged"):
        list(prepared.batches(16, workers=2))


def test_volumes_that_differ_a_thousandfold_are_scaled_each_by_itself(data_folder: Path) -> None:
    opened = open_set(data_folder / "hippocampus_3d", name="training").take(range(40))
    prepared = prepare({"training": opened}, size=24)["training"]
    assert prepared.preparation.rule == "per-image"
    assert prepared.load([0, 1]).shape == (2, 1, 24, 24, 24)


def test_the_main_sets_of_radiographs_need_no_option(data_folder: Path) -> None:
    for name, side in (("kermany_cxr_96", 96), ("nih_cxr_224", 224)):
        prepared = prepare({"training": open_set(data_folder / name, name="training").take(range(100))})["training"]
        assert prepared.shape == (1, side, side)
        assert (prepared.preparation.low, prepared.preparation.high) == (0, 255)
        assert prepared.patients is not None
