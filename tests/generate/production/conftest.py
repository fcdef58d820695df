"""A model with classes and one without, and what is read of the sets that they draw."""

from __future__ import annotations

import csv
from collections.abc import Callable
from pathlib import Path

import pytest

import fourfold as ff
from fourfold.generate import Model


@pytest.fixture(scope="session")
def chest() -> ff.ImageSet:
    return ff.phantoms("chest", 20, size=16).to_image_set()


@pytest.fixture(scope="session")
def model(tmp_path_factory: pytest.TempPathFactory, chest: ff.ImageSet) -> Model:
    folder = tmp_path_factory.mktemp("production") / "model"
    return ff.train(chest, recipe="gaussian", output=folder, condition="class", most=8)


@pytest.fixture(scope="session")
def plain_model(tmp_path_factory: pytest.TempPathFactory, chest: ff.ImageSet) -> Model:
    folder = tmp_path_factory.mktemp("production") / "plain"
    return ff.train(chest, recipe="gaussian", output=folder, most=8)


@pytest.fixture(scope="session")
def rows_of() -> Callable[[Path], list[dict[str, str]]]:
    """The table of a set."""

    def read(folder: Path) -> list[dict[str, str]]:
        with (folder / "metadata.csv").open(newline="") as stream:
            return list(csv.DictReader(stream))

    return read


@pytest.fixture(scope="session")
def content_of() -> Callable[[Path], dict[str, bytes]]:
    """Every file of a set but the records, which hold the time."""
    return lambda folder: {
        str(file.relative_to(folder)): file.read_bytes()
        for file in sorted(folder.rglob("*"))
        if file.is_file() and file.suffix != ".json"
    }
