"""The description for programs, read by the reference implementation, offline."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from fourfold.images.phantoms import phantoms
from fourfold.releasing.package import write_package

mlcroissant = pytest.importorskip("mlcroissant")

pytestmark = pytest.mark.filterwarnings("ignore")


def _dataset(folder: Path):
    dataset = mlcroissant.Dataset(jsonld=str(folder / "croissant.json"))
    issues = dataset.metadata.ctx.issues
    assert not issues.errors
    assert not issues.warnings
    return dataset


def test_records_come_with_their_labels_and_pixels(release: Path) -> None:
    records = list(_dataset(release).records("records"))
    assert len(records) == 12
    assert {record["records/label"] for record in records} == {b"normal", b"lesion"}
    assert all(record["records/image"].size == (24, 24) for record in records)
    assert records[0]["records/mask"] == b"masks/000001.png"


def test_uses_limits_and_licence_are_stated(release: Path) -> None:
    metadata = _dataset(release).metadata
    assert metadata.license == ["https://spdx.org/licenses/CC-BY-4.0"]
    assert any("diagnosis" in limit for limit in metadata.data_limitations)
    assert metadata.data_use_cases
    assert metadata.data_biases


@pytest.mark.parametrize("form", ["nifti", "dicom"])
def test_volumes_validate_and_give_their_paths(tmp_path: Path, make, form: str) -> None:
    found = phantoms("brain", 2, images_per_patient=1, size=16, spatial_dims=3, seed=1)
    findings = [{"lesion": float(label == "lesion")} for label in found.labels]
    contents = make["contents"](make["prepared"](found.images, findings=findings), masks=list(found.masks), form=form)
    write_package(tmp_path / "R", make["complete"](contents, tmp_path))
    records = list(_dataset(tmp_path / "R").records("records"))
    assert len(records) == (2 if form == "nifti" else 32)
    assert all(record["records/label_lesion"] in (0.0, 1.0) for record in records)


def test_an_own_licence_and_pictures_in_dicom_validate(tmp_path: Path, make) -> None:
    contents = make["chests"](form="dicom", licence="For research only.")
    write_package(tmp_path / "R", make["complete"](contents, tmp_path))
    _dataset(tmp_path / "R")


def test_nothing_in_it_points_outside_the_package(release: Path) -> None:
    document = json.loads((release / "croissant.json").read_text())
    for part in document["distribution"]:
        place = part.get("contentUrl") or part["includes"]
        assert "://" not in place
        assert ".." not in place
