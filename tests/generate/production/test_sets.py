"""Sets repeat to the last bit, say what they are, and are not written where they do not belong."""

from __future__ import annotations

import json
import re
from pathlib import Path

import numpy as np
import pytest

import fourfold as ff
from fourfold.errors import InputError
from fourfold.generate import Model
from fourfold.generate.baselines import GaussianGenerator
from fourfold.images import open_set


def test_a_set_says_what_it_is(rows_of, model: Model, tmp_path: Path) -> None:
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


def test_the_same_seed_gives_the_same_bytes_and_another_one_others(content_of, model: Model, tmp_path: Path) -> None:
    first, second = (model.generate(9, tmp_path / name, seed=1, batch=4) for name in ("a", "b"))
    other = model.generate(9, tmp_path / "c", seed=2, batch=4)
    assert content_of(first) == content_of(second)
    assert content_of(first).keys() == content_of(other).keys()
    assert content_of(first) != content_of(other)


def test_an_image_does_not_depend_on_how_many_are_drawn(content_of, model: Model, tmp_path: Path) -> None:
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


def test_an_empty_folder_is_filled(rows_of, model: Model, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "syn").mkdir()
    monkeypatch.chdir(tmp_path)
    assert len(rows_of(model.generate(2, "syn/", batch=2))) == 2
    assert [entry.name for entry in tmp_path.iterdir()] == ["syn"]


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


def test_progress_is_told_a_batch_at_a_time(model: Model, tmp_path: Path) -> None:
    told = []
    model.generate(10, tmp_path / "syn", batch=4, progress=lambda *where: told.append(where))
    assert told == [("drawing images", done, 10) for done in (4, 8, 10)]
