from __future__ import annotations

import csv

import nibabel
import numpy as np
import pytest
from PIL import Image

from fourfold.errors import InputError
from fourfold.images import open_set
from fourfold.images.phantoms import phantoms, storage


@pytest.mark.parametrize(("bits", "step"), [(8, 255), (16, 65535)])
def test_pictures_are_read_back_with_labels_patients_and_masks(tmp_path, bits, step):
    found = phantoms("chest", 8, size=32, prevalence=0.5)
    paths = found.write(tmp_path / "set", bits=bits)
    opened = open_set(tmp_path / "set", name="training")
    assert opened.paths == paths
    assert opened.labels.tolist() == found.labels.tolist()
    assert opened.patients.tolist() == found.patients.tolist()
    assert [entry.columns["sex"] for entry in opened.entries] == found.subgroups.tolist()
    for row, entry in enumerate(opened.entries):
        assert np.abs(opened.raw(row) / step - found.images[row]).max() <= 0.51 / step
        assert (entry.mask is not None) == found.masks[row].any()
        if entry.mask is not None:
            assert np.array_equal(np.asarray(Image.open(entry.mask)) > 0, found.masks[row, 0])


def test_volumes_are_read_back_as_they_were(tmp_path):
    found = phantoms("brain", 3, images_per_patient=1, size=(16, 20, 18), prevalence=1.0)
    found.write(tmp_path / "set")
    opened = open_set(tmp_path / "set", name="training", volumes=True)
    assert len(opened) == 3
    for row, entry in enumerate(opened.entries):
        assert np.allclose(opened.raw(row), found.images[row], atol=1e-6)
        mask = np.asarray(nibabel.load(entry.mask).dataobj)
        assert np.array_equal(mask.transpose(2, 1, 0) > 0, found.masks[row, 0])


def test_the_table_holds_every_acquisition_parameter(tmp_path):
    found = phantoms("chest", 3, size=16)
    found.write(tmp_path / "set")
    with (tmp_path / "set" / "metadata.csv").open(encoding="utf-8") as stream:
        rows = list(csv.DictReader(stream))
    written = np.array([[float(row[name]) for name in found.acquisition_names] for row in rows])
    assert np.allclose(written, found.acquisition, rtol=1e-5)


def test_a_folder_with_files_is_left_alone(tmp_path):
    (tmp_path / "note.txt").write_text("mine")
    with pytest.raises(InputError, match="is not an empty folder; choose another place or empty it"):
        phantoms("chest", 1, size=16).write(tmp_path)
    assert [file.name for file in tmp_path.iterdir()] == ["note.txt"]


def test_a_write_that_fails_leaves_nothing_behind(tmp_path, monkeypatch):
    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(storage, "_write_picture", full)
    with pytest.raises(InputError, match=r"cannot be written \(No space left on device\)"):
        phantoms("chest", 1, size=16).write(tmp_path / "set")
    assert list(tmp_path.iterdir()) == []


def test_only_depths_that_png_has_are_written(tmp_path):
    with pytest.raises(InputError, match="bits must be 8 or 16, got 12"):
        phantoms("chest", 1, size=16).write(tmp_path / "set", bits=12)
