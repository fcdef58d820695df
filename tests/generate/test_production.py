"""Sets are drawn in bounded memory, repeat to the last bit, go on after a kill, and speak the training set's values."""

from __future__ import annotations

import csv
import errno
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
import tracemalloc
from collections import namedtuple
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from torch import Tensor

import fourfold as ff
from fourfold.errors import InputError
from fourfold.generate import Conditioning, Conditions, Drawing, Generator, Model, production
from fourfold.generate.baselines import GaussianGenerator
from fourfold.generate.conditioning.masks import MaskPart
from fourfold.images import open_set, write_image
from fourfold.opening import open_sets

Usage = namedtuple("Usage", "total used free")


@pytest.fixture(scope="module")
def chest() -> ff.ImageSet:
    return ff.phantoms("chest", 20, size=16).to_image_set()


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory, chest: ff.ImageSet) -> Model:
    folder = tmp_path_factory.mktemp("production") / "model"
    return ff.train(chest, recipe="gaussian", output=folder, condition="class", most=8)


@pytest.fixture(scope="module")
def plain_model(tmp_path_factory: pytest.TempPathFactory, chest: ff.ImageSet) -> Model:
    folder = tmp_path_factory.mktemp("production") / "plain"
    return ff.train(chest, recipe="gaussian", output=folder, most=8)


def rows_of(folder: Path) -> list[dict[str, str]]:
    with (folder / "metadata.csv").open(newline="") as stream:
        return list(csv.DictReader(stream))


def content_of(folder: Path) -> dict[str, bytes]:
    """Every file but the records, which hold the time."""
    return {
        str(file.relative_to(folder)): file.read_bytes()
        for file in sorted(folder.rglob("*"))
        if file.is_file() and file.suffix != ".json"
    }


def test_a_set_says_what_it_is(model: Model, tmp_path: Path) -> None:
    folder = model.generate(10, tmp_path / "syn", seed=4, batch=4, truncation=0.9)
    rows = rows_of(folder)
    assert len(rows) == 10
    assert list(rows[0]) == ["path", "label", "seed"]
    assert {row["label"] for row in rows} == {"normal", "lesion"}
    record = json.loads((folder / "generation.json").read_text())
    assert record["count"] == 10
    assert (record["seed"], record["batch"], record["drawing"]) == (4, 4, {"truncation": 0.9})
    assert record["model"] == {"recipe": "gaussian", "digest": model.digest}
    assert record["conditions"] == {"origin": "law", "fixed": {}}
    assert json.loads((folder / "model.json").read_text()) == model.record
    opened = open_set(folder, name="synthetic")
    assert opened.labels.tolist() == [row["label"] for row in rows]
    assert str(tmp_path) not in (folder / "generation.json").read_text()


def test_the_same_seed_gives_the_same_bytes_and_another_one_others(model: Model, tmp_path: Path) -> None:
    first, second = (model.generate(9, tmp_path / name, seed=1, batch=4) for name in ("a", "b"))
    other = model.generate(9, tmp_path / "c", seed=2, batch=4)
    assert content_of(first) == content_of(second)
    assert content_of(first).keys() == content_of(other).keys()
    assert content_of(first) != content_of(other)


def test_an_image_does_not_depend_on_how_many_are_drawn(model: Model, tmp_path: Path) -> None:
    few, many = (content_of(model.generate(n, tmp_path / str(n), batch=4)) for n in (5, 11))
    assert {name: few[name] for name in few if name != "metadata.csv"}.items() <= many.items()
    assert many["metadata.csv"].startswith(few["metadata.csv"])


def test_batches_are_full_to_the_last(model: Model, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    drawn = []
    draw = GaussianGenerator.draw

    def counted(self: GaussianGenerator, seeds: list[int], *rest: object) -> np.ndarray:
        drawn.append(len(seeds))
        return draw(self, seeds, *rest)

    monkeypatch.setattr(GaussianGenerator, "draw", counted)
    model.generate(9, tmp_path / "syn", batch=4)
    assert drawn == [4, 4, 4]


def test_images_in_memory_are_those_of_the_set(model: Model, tmp_path: Path) -> None:
    folder = model.generate(6, tmp_path / "syn", seed=8, batch=4)
    stored = open_set(folder, name="synthetic")
    drawn = model.draw(6, seed=8, batch=4)
    assert drawn.shape == (6, 1, 16, 16)
    assert drawn.dtype == np.float32
    for row, image in enumerate(drawn):
        np.testing.assert_allclose(stored.raw(row), image, atol=1e-6)


def test_the_record_re_creates_an_image_to_the_last_bit(model: Model, tmp_path: Path) -> None:
    folder = model.generate(7, tmp_path / "syn", seed=8, batch=4, condition_value={"class": "lesion"})
    drawn = model.draw(7, seed=8, batch=4, condition_value={"class": "lesion"})
    again = ff.open_model(model.folder)
    for record in (folder, folder / "generation.json", json.loads((folder / "generation.json").read_text())):
        assert again.recreate(record, 5).tobytes() == drawn[5].tobytes()
    with pytest.raises(InputError, match="the set has images 0 to 6, got 7"):
        model.recreate(folder, 7)


def test_another_model_re_creates_nothing(model: Model, plain_model: Model, tmp_path: Path) -> None:
    folder = model.generate(2, tmp_path / "syn", batch=2)
    with pytest.raises(InputError, match="the set was drawn by another model than"):
        plain_model.recreate(folder, 0)


def test_a_condition_can_be_the_same_for_all(model: Model, tmp_path: Path) -> None:
    folder = model.generate(6, tmp_path / "syn", condition_value={"class": "lesion"})
    assert {row["label"] for row in rows_of(folder)} == {"lesion"}
    with pytest.raises(InputError, match="the model knows no class 'broken'; it knows: lesion, normal"):
        model.generate(6, tmp_path / "other", condition_value={"class": "broken"})
    assert list(tmp_path.iterdir()) == [folder]


def test_conditions_of_a_set_are_each_used_once_before_any_is_repeated(
    model: Model, chest: ff.ImageSet, tmp_path: Path
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


def test_a_mask_is_written_beside_each_image_and_its_file_named_nowhere(model: Model, tmp_path: Path) -> None:
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


class Painting(Painter):
    """Noise of a size that is felt."""

    def __init__(self) -> None:
        self.shape, self.conditioning = (1, 64, 64), Conditioning()

    def draw(self, seeds: Sequence[int], conditions: Conditions, drawing: Drawing) -> np.ndarray:
        return np.stack([np.random.default_rng(seed).random(self.shape, dtype=np.float32) for seed in seeds])


def test_memory_does_not_grow_with_the_set(model: Model, tmp_path: Path) -> None:
    painting = replace(model, generator=Painting())
    painting.generate(8, tmp_path / "first", batch=8)
    peaks = []
    for n in (16, 480):
        tracemalloc.start()
        painting.generate(n, tmp_path / str(n), batch=8)
        peaks.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()
    assert peaks[1] < peaks[0] + 20 * 64 * 64 * 4


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


@pytest.mark.parametrize(
    ("call", "message"),
    [
        ({"n": 0}, "at least 1 image is drawn, got 0"),
        ({"batch": 0}, r"at least 1 image is drawn at once \(--batch\), got 0"),
        ({"bits": 12}, r"images are stored with 8 or 16 bits \(--bits\), got 12"),
        ({"sampler": "heun"}, "--sampler is no knob of a gaussian model; it has: --truncation"),
        ({"hue": 1}, "there is no knob 'hue'; there are: sampler, evaluations"),
        ({"truncation": -1.0}, "truncation is a number from 0 up, got -1"),
        ({"device": "tpu"}, "there is no kind of device called 'tpu'"),
        ({"device": "meta"}, "this machine has no device 'meta' that torch can use; it has: cpu"),
    ],
)
def test_wrong_calls_are_refused_and_leave_nothing(
    model: Model, tmp_path: Path, call: dict[str, object], message: str
) -> None:
    with pytest.raises(InputError, match=message):
        model.generate(**{"n": 4, "output": tmp_path / "syn", **call})
    assert not list(tmp_path.iterdir())


def test_a_folder_that_holds_something_is_never_written_over(model: Model, tmp_path: Path) -> None:
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "notes.txt").write_text("keep")
    with pytest.raises(InputError, match="mine: is not empty; choose a new folder"):
        model.generate(2, tmp_path / "mine")
    folder = model.generate(2, tmp_path / "syn", batch=2)
    with pytest.raises(InputError, match="syn: holds a finished set; choose a new folder"):
        model.generate(2, folder, batch=2)
    (tmp_path / "file").write_text("x")
    with pytest.raises(InputError, match=re.escape("file/syn: cannot be written (not a directory)")):
        model.generate(2, tmp_path / "file" / "syn")


def test_an_empty_folder_is_filled(model: Model, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "syn").mkdir()
    monkeypatch.chdir(tmp_path)
    assert len(rows_of(model.generate(2, "syn/", batch=2))) == 2
    assert [entry.name for entry in tmp_path.iterdir()] == ["syn"]


KILLED = """
import sys, time
import torch
torch.set_num_threads(1)
from fourfold.generate import open_model
from fourfold.generate.baselines import GaussianGenerator
draw = GaussianGenerator.draw
def slow(self, seeds, conditions, drawing):
    time.sleep(0.15)
    return draw(self, seeds, conditions, drawing)
GaussianGenerator.draw = slow
open_model(sys.argv[1]).generate(200, sys.argv[2], batch=4, seed=6)
"""


@pytest.mark.skipif(os.name != "posix", reason="kills with a signal")
def test_a_set_goes_on_after_a_kill_and_becomes_what_it_would_have_been(model: Model, tmp_path: Path) -> None:
    process = subprocess.Popen([sys.executable, "-c", KILLED, str(model.folder), str(tmp_path / "syn")])
    table = tmp_path / ".syn.partial" / "metadata.csv"
    deadline = time.monotonic() + 60
    while not (table.exists() and len(table.read_text().splitlines()) > 8) and time.monotonic() < deadline:
        time.sleep(0.02)
    process.send_signal(signal.SIGKILL)
    assert process.wait() == -signal.SIGKILL
    assert not (tmp_path / "syn").exists()
    there = (tmp_path / ".syn.partial" / "images" / "000002.tiff").stat().st_mtime_ns
    # What a kill in the middle of writing leaves.
    with table.open("a") as stream:
        stream.write("images/0000")
    (tmp_path / ".syn.partial" / "images" / "000150.tiff").write_bytes(b"torn")
    (tmp_path / ".syn.partial" / "images" / "000151.partial.tiff").write_bytes(b"torn")
    resumed = model.generate(40, tmp_path / "syn", batch=4, seed=6)
    whole = model.generate(40, tmp_path / "whole", batch=4, seed=6)
    assert content_of(resumed) == content_of(whole)
    assert (resumed / "images" / "000002.tiff").stat().st_mtime_ns == there
    assert {entry.name for entry in tmp_path.iterdir()} == {"syn", "whole"}


def interrupt(model: Model, folder: Path, monkeypatch: pytest.MonkeyPatch, after: int, **call: object) -> None:
    """A call that ends after some batches as Ctrl-C ends it."""
    draw = GaussianGenerator.draw
    calls = []

    def interrupted(self: GaussianGenerator, *rest: object) -> np.ndarray:
        calls.append(1)
        if len(calls) > after:
            raise KeyboardInterrupt
        return draw(self, *rest)

    with monkeypatch.context() as patch:
        patch.setattr(GaussianGenerator, "draw", interrupted)
        with pytest.raises(KeyboardInterrupt):
            model.generate(12, folder, batch=4, **call)


def test_an_unfinished_set_is_not_mixed_with_another(
    model: Model, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    interrupt(model, tmp_path / "syn", monkeypatch, 2, seed=1)
    message = r"\.syn\.partial: holds a set that is not finished and was asked for otherwise \(seed was 1 and is 2\);"
    with pytest.raises(InputError, match=message):
        model.generate(12, tmp_path / "syn", batch=4, seed=2)
    finished = model.generate(12, tmp_path / "syn", batch=4, seed=1)
    assert content_of(finished) == content_of(model.generate(12, tmp_path / "whole", batch=4, seed=1))


def test_an_unfinished_set_may_become_smaller(model: Model, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    interrupt(model, tmp_path / "syn", monkeypatch, 2)
    smaller = model.generate(6, tmp_path / "syn", batch=4)
    assert content_of(smaller) == content_of(model.generate(6, tmp_path / "whole", batch=4))


def test_more_than_the_disk_holds_is_refused(model: Model, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shutil, "disk_usage", lambda path: Usage(1 << 30, 1 << 30, 40 * 4096))
    message = "1000 images need 4.08 MB more and the disk has 164 kB free, enough for 44 images; ask for fewer"
    with pytest.raises(InputError, match=message):
        model.generate(1000, tmp_path / "syn", batch=4)
    assert not list(tmp_path.iterdir())
    assert len(rows_of(model.generate(44, tmp_path / "syn", batch=4))) == 44


def test_a_disk_that_fills_up_loses_nothing(model: Model, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    append = production.append
    calls = []

    def full(*arguments: object) -> None:
        calls.append(1)
        if len(calls) == 3:
            raise OSError(errno.ENOSPC, "No space left on device")
        append(*arguments)

    with monkeypatch.context() as patch:
        patch.setattr(production, "append", full)
        with pytest.raises(
            InputError, match=r"syn: cannot be written \(no space left on device\); mend that and repeat"
        ):
            model.generate(12, tmp_path / "syn", batch=4)
    finished = model.generate(12, tmp_path / "syn", batch=4)
    assert content_of(finished) == content_of(model.generate(12, tmp_path / "whole", batch=4))


@pytest.mark.parametrize(
    "error",
    [MemoryError(), torch.OutOfMemoryError("CUDA out of memory"), RuntimeError("DefaultCPUAllocator: not enough")],
)
def test_too_little_memory_names_the_knob(
    model: Model, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, error: Exception
) -> None:
    def greedy(*_: object) -> np.ndarray:
        raise error

    monkeypatch.setattr(GaussianGenerator, "draw", greedy)
    with pytest.raises(InputError, match=r"not enough memory; draw fewer images at once than 64 \(--batch\)"):
        model.generate(100, tmp_path / "syn")
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("drawn", "message"),
    [
        (np.full((4, 1, 16, 16), np.nan, dtype=np.float32), "draws images that are not finite"),
        (np.zeros((4, 1, 16, 15), dtype=np.float32), r"float32 and shape \(4, 1, 16, 15\) where images"),
        (np.zeros((4, 1, 16, 16)), "an array of float64"),
    ],
)
def test_what_is_no_image_is_never_written(
    model: Model, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, drawn: np.ndarray, message: str
) -> None:
    monkeypatch.setattr(GaussianGenerator, "draw", lambda *_: drawn)
    with pytest.raises(InputError, match=message):
        model.generate(8, tmp_path / "syn", batch=4)
    assert not list(tmp_path.iterdir())


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
def test_volumes_can_be_compared_with_their_training_set_as_they_are(storage: dict[str, int], tmp_path: Path) -> None:
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


def test_progress_is_told_a_batch_at_a_time(model: Model, tmp_path: Path) -> None:
    told = []
    model.generate(10, tmp_path / "syn", batch=4, progress=lambda *where: told.append(where))
    assert told == [("drawing images", done, 10) for done in (4, 8, 10)]
