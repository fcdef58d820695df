"""What a training leaves to be looked at."""

from __future__ import annotations

import resource
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from fourfold.errors import InputError
from fourfold.generate.training.logs import Log, last_losses, write_grid


def write(folder: Path, steps: range, start: int = 0, **more: float) -> None:
    log = Log(folder, start)
    for step in steps:
        log.write({"step": step, "seconds": 0.5 * step, "images": 8 * step, "learning_rate": 1e-3, "loss": 1 / step})
    if more:
        log.write({"step": steps.stop, "loss": 0.0, **more})
    log.flush()
    log.close()


def steps_of(folder: Path) -> list[str]:
    return [line.partition(",")[0] for line in (folder / "log.csv").read_text().splitlines()]


def test_rows_beyond_the_checkpoint_are_dropped_and_so_is_half_a_row(tmp_path: Path) -> None:
    write(tmp_path, range(1, 8))
    with (tmp_path / "log.csv").open("a") as stream:
        stream.write("8,4.0,6")
    write(tmp_path, range(6, 9), start=5)
    assert steps_of(tmp_path) == ["step", "1", "2", "3", "4", "5", "6", "7", "8"]


def test_a_training_from_the_beginning_begins_a_new_log(tmp_path: Path) -> None:
    write(tmp_path, range(1, 8))
    write(tmp_path, range(1, 3))
    assert steps_of(tmp_path) == ["step", "1", "2"]


def test_a_value_that_comes_later_gets_a_column_and_earlier_rows_stay(tmp_path: Path) -> None:
    write(tmp_path, range(1, 3), share=0.5)
    header, first, second, third = (tmp_path / "log.csv").read_text().splitlines()
    assert header == "step,seconds,images,learning_rate,loss,share"
    assert first == "1,0.5,8,0.001,1.0,"
    assert second == "2,1.0,16,0.001,0.5,"
    assert third == "3,,,,0.0,0.5"
    write(tmp_path, range(3, 4), start=2)
    assert (tmp_path / "log.csv").read_text().splitlines()[-1] == "3,1.5,24,0.001,0.3333333333333333,"


def test_last_losses_are_means_of_the_last_rows(tmp_path: Path) -> None:
    write(tmp_path, range(1, 5))
    assert last_losses(tmp_path, ("loss", "other"), rows=2) == {"loss": pytest.approx((1 / 3 + 1 / 4) / 2)}


def test_tensorboard_events_are_written_where_it_is_installed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write(tmp_path, range(1, 3))
    assert [file.stat().st_size > 100 for file in (tmp_path / "tensorboard").iterdir()] == [True]
    monkeypatch.setitem(sys.modules, "tensorboardX", None)
    (tmp_path / "without").mkdir()
    write(tmp_path / "without", range(1, 3))
    assert [file.name for file in (tmp_path / "without").iterdir()] == ["log.csv"]


def test_a_log_that_cannot_be_written_is_said(tmp_path: Path) -> None:
    (tmp_path / "log.csv").mkdir()
    with pytest.raises(InputError, match=r"log\.csv: cannot be written"):
        Log(tmp_path, 0)


def test_a_full_disk_is_said_once_and_closing_adds_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "tensorboardX", None)
    log = Log(tmp_path, 0)

    def fill() -> None:
        for step in range(1, 20):
            log.write({"step": step, "loss": 0.123456789})
        log.flush()

    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (100, before[1]))
    try:
        with pytest.raises(InputError, match=r"log\.csv: cannot be written .*; free some space"):
            fill()
        log.close()
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


def test_a_grid_shows_every_image_in_its_place(tmp_path: Path) -> None:
    images = np.linspace(0, 1, 5, dtype=np.float32).reshape(5, 1, 1, 1) * np.ones((5, 1, 4, 6), np.float32)
    grid = write_grid(tmp_path / "samples" / "grid.png", images)
    assert grid.shape == (8, 18, 3)
    with Image.open(tmp_path / "samples" / "grid.png") as read:
        assert np.array_equal(np.asarray(read), grid)
    assert [grid[0, 0, 0], grid[0, 6, 1], grid[0, 12, 2], grid[4, 0, 0], grid[4, 6, 0], grid[4, 12, 0]] == [
        0, 64, 128, 191, 255, 0,
    ]  # fmt: skip


def test_a_grid_of_volumes_shows_their_middle_slices_and_colours_stay(tmp_path: Path) -> None:
    volumes = np.zeros((1, 1, 4, 3, 3), np.float32)
    volumes[:, :, 2] = 1.0
    assert write_grid(tmp_path / "volume.png", volumes).min() == 255
    colours = np.zeros((1, 3, 2, 2), np.float32)
    colours[:, 1] = 1.0
    assert write_grid(tmp_path / "colour.png", colours)[0, 0].tolist() == [0, 255, 0]


def test_pixels_that_are_no_numbers_are_black(tmp_path: Path) -> None:
    assert write_grid(tmp_path / "grid.png", np.full((1, 1, 2, 2), np.nan, np.float32)).max() == 0
