"""What a package holds, that it is the same every time, and what is refused before anything is written."""

from __future__ import annotations

import csv
import json
import re
from dataclasses import replace
from pathlib import Path

import jsonschema
import numpy as np
import pytest

from fourfold.errors import InputError
from fourfold.images import ImageSet, open_set, prepare
from fourfold.images.phantoms import phantoms
from fourfold.images.sets import Entry
from fourfold.opening import open_sets
from fourfold.releasing.package import check_labels, release_schema, write_package


def _files(folder: Path) -> dict[str, bytes]:
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_a_package_holds_what_its_readme_names(release: Path) -> None:
    names = {path.name for path in release.iterdir()} - {"README.txt"}
    text = (release / "README.txt").read_text()
    assert all(name in text for name in names)


def test_images_read_back_as_they_were_given(release: Path, make) -> None:
    given = make["chests"]().images.load()
    images = prepare({"synthetic": open_set(release, name="synthetic")})["synthetic"]
    assert np.abs(images.load() - given).max() <= 0.5 / 255 + 1e-6


def test_masks_stand_beside_their_images(release: Path, make) -> None:
    masks = make["chests"]().masks
    for entry, mask in zip(open_set(release, name="synthetic").entries, masks, strict=True):
        assert np.array_equal(open_set(entry.mask, name="mask").raw(0), mask * np.uint8(255))


@pytest.mark.parametrize("bits", [8, 16])
def test_volumes_and_their_masks_read_back(tmp_path: Path, make, bits: int) -> None:
    found = phantoms("brain", 2, images_per_patient=1, size=(16, 17, 18), seed=1)
    contents = make["contents"](make["prepared"](found.images), masks=[found.masks[0], None], bits=bits)
    write_package(tmp_path / "R", make["complete"](contents, tmp_path))
    images = open_set(tmp_path / "R", name="synthetic")
    assert images.raw(0) == pytest.approx(found.images[0], abs=0.5 / (2**bits - 1) + 1e-6)
    assert np.array_equal(open_set(images.entries[0].mask, name="mask").raw(0), found.masks[0] * 255.0)
    assert images.entries[1].mask is None


@pytest.mark.parametrize("form", ["png", "dicom"])
def test_equal_contents_give_equal_bytes(tmp_path: Path, make, form: str) -> None:
    contents = make["complete"](make["chests"](form=form), tmp_path)
    assert write_package(tmp_path / "one", contents) == write_package(tmp_path / "two", contents)
    assert _files(tmp_path / "one") == _files(tmp_path / "two")


def test_what_an_interrupted_call_left_is_replaced(tmp_path: Path, make) -> None:
    contents = make["complete"](make["chests"](), tmp_path)
    (tmp_path / ".R.partial" / "images").mkdir(parents=True)
    (tmp_path / ".R.partial" / "images" / "000099.png").write_bytes(b"half")
    write_package(tmp_path / "R", contents)
    assert not (tmp_path / ".R.partial").exists()
    assert not (tmp_path / "R" / "images" / "000099.png").exists()


def test_an_error_leaves_nothing_behind(tmp_path: Path, make) -> None:
    contents = make["complete"](make["chests"](), tmp_path)
    with pytest.raises(InputError, match="contradicts the images in images"):
        write_package(tmp_path / "R", replace(contents, record={**contents.record, "images": 13}))
    assert {path.name for path in tmp_path.iterdir()} == {"staged", "policy.toml"}


def test_a_folder_that_holds_something_is_not_touched(tmp_path: Path, make) -> None:
    contents = make["complete"](make["chests"](), tmp_path)
    with pytest.raises(InputError, match="is not empty"):
        write_package(tmp_path / "staged", contents)


def test_an_audit_of_other_images_is_refused(tmp_path: Path, make) -> None:
    contents = make["complete"](make["chests"](), tmp_path)
    other = make["chests"](11)
    with pytest.raises(InputError, match="speaks of other images"):
        write_package(tmp_path / "R", replace(contents, images=other.images, masks=other.masks))


@pytest.mark.parametrize("form", ["png", "dicom"])
def test_an_audit_of_the_staged_images_states_the_digest_of_the_package(tmp_path: Path, make, form: str) -> None:
    contents = make["chests"](form=form)
    write_package(tmp_path / "R", make["complete"](contents, tmp_path))
    real = phantoms("chest", 16, images_per_patient=1, size=24, seed=6)
    training, holdout = (
        ImageSet.from_array(np.uint8(255 * part.images), labels=part.labels.tolist(), patients=part.patients.tolist())
        for part in (real.take(range(8)), real.take(range(8, 16)))
    )
    opened = open_sets(tmp_path / "staged", training, holdout)
    assert opened.digests["synthetic"] == json.loads((tmp_path / "R" / "release.json").read_text())["dataset"]


def test_a_missing_document_is_refused(tmp_path: Path, make) -> None:
    contents = make["complete"](make["chests"](), tmp_path)
    documents = {name: content for name, content in contents.documents.items() if name != "statement.html"}
    with pytest.raises(InputError, match=r"lacks statement\.html"):
        write_package(tmp_path / "R", replace(contents, documents=documents))


def test_an_incomplete_record_is_refused(tmp_path: Path, make) -> None:
    contents = make["complete"](make["chests"](), tmp_path)
    record = {name: value for name, value in contents.record.items() if name != "patients"}
    with pytest.raises(InputError, match="is not complete"):
        write_package(tmp_path / "R", replace(contents, record=record))


def test_nothing_but_labels_and_masks_travels(tmp_path: Path, make) -> None:
    contents = make["chests"]()
    entries = tuple(
        replace(entry, path=f"ward7/MRN-4711-{row}.dcm", patient=f"MRN-4711-{row}", columns={"ward": "seven-east"})
        for row, entry in enumerate(contents.images.entries)
    )
    contents = replace(contents, images=replace(contents.images, entries=entries))
    write_package(tmp_path / "R", make["complete"](contents, tmp_path))
    for name, content in _files(tmp_path / "R").items():
        assert not re.search(rb"MRN|ward7|seven-east", content), name
        assert contents.secret not in content
        assert contents.secret.hex().encode() not in content


def test_the_table_has_labels_and_masks_only(release: Path) -> None:
    with (release / "metadata.csv").open(newline="") as stream:
        rows = list(csv.DictReader(stream))
    assert list(rows[0]) == ["path", "label", "mask"]
    assert rows[0]["path"] == "images/000001.png"


def test_pictures_hold_no_chunk_beside_their_pixels(release: Path) -> None:
    for file in (release / "images").iterdir():
        assert not re.search(rb"tEXt|zTXt|iTXt|eXIf|iCCP|tIME|gAMA|pHYs", file.read_bytes())


def test_the_record_is_valid_and_counts_the_images(release: Path) -> None:
    jsonschema.Draft202012Validator.check_schema(release_schema())
    record = json.loads((release / "release.json").read_text())
    jsonschema.validate(record, release_schema())
    assert record["images"] == sum(record["classes"].values()) == 12
    assert record["shape"] == [1, 24, 24]


def test_the_datasheet_says_what_was_not_tested_and_until_when_it_holds(release: Path) -> None:
    text = (release / "datasheet.md").read_text()
    for words in ("Attacks that are not known yet.", "2027-03-31", "lesion", "Not for diagnosis", "drawn: 100"):
        assert words in text


def test_a_licence_is_an_identifier_or_a_text(release: Path, tmp_path: Path, make) -> None:
    assert "creativecommons.org/licenses/by/4.0" in (release / "LICENSE.txt").read_text()
    own = make["complete"](make["chests"](licence="For research within the consortium only."), tmp_path)
    write_package(tmp_path / "R", own)
    assert (tmp_path / "R" / "LICENSE.txt").read_text() == "For research within the consortium only.\n"


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"form": "nifti"}, "pictures are not released as nifti"),
        ({"form": "tiff"}, "are released as png, nifti, dicom"),
        ({"bits": 12}, "8 or 16 bits"),
        ({"secret": b"short"}, "has 32 bytes"),
        ({"creators": ()}, "name the creators"),
        ({"title": " "}, "needs a title"),
        ({"masks": [None]}, "1 masks for 12 images"),
    ],
)
def test_contents_that_cannot_be_released_are_refused(make, options, words: str) -> None:
    with pytest.raises(InputError, match=words):
        make["chests"](**options)


@pytest.mark.parametrize(
    "mask", [np.zeros((5, 5), np.uint8), np.full((24, 24), 0.5), np.full((24, 24), 256), np.full((24, 24), np.nan)]
)
def test_a_mask_that_does_not_fit_is_refused(tmp_path: Path, make, mask: np.ndarray) -> None:
    contents = make["chests"](masks=[mask] * 12)
    with pytest.raises(InputError, match="the mask of image 1"):
        make["documents"](contents, tmp_path)


def _training(labels: list[str], patients: list[str]) -> ImageSet:
    entries = tuple(
        Entry(path=f"{label}/scan_{row:03d}x.png", label=label, patient=patient)
        for row, (label, patient) in enumerate(zip(labels, patients, strict=True))
    )
    return ImageSet(name="training", entries=entries, decode=lambda entry: np.zeros((1, 2, 2)))


def _released(*labels: str) -> ImageSet:
    return ImageSet("synthetic", tuple(Entry(path="x", label=label) for label in labels), decode=lambda entry: entry)


NORMAL = _training(["normal"] * 6, [f"MRN-{4711 + row}" for row in range(6)])


def test_labels_that_many_patients_carry_are_fine() -> None:
    assert check_labels(_released("normal"), NORMAL) == ()


@pytest.mark.parametrize("label", ["MRN-4711", "mrn-4713 left", "scan_001x", "normal/scan_002x.png", "x scan_003x.png"])
def test_labels_that_name_a_patient_or_file_are_refused_without_naming_them(label: str) -> None:
    (problem,) = check_labels(_released("normal", label), NORMAL)
    assert "patient identifier, file name" in problem
    assert label not in problem
    assert "4711" not in problem


def test_a_combination_of_few_patients_is_refused_however_many_images_it_has() -> None:
    few = _training(["normal"] * 6 + ["rare"] * 8, [f"p{row}" for row in range(6)] + ["a", "b", "c", "d"] * 2)
    (problem,) = check_labels(_released("normal", "rare"), few)
    assert problem.startswith("The labels rare are carried by fewer than 5")
    assert check_labels(_released("normal", "rare"), few, least=4) == ()


def test_a_combination_of_findings_counts_as_a_whole() -> None:
    def entry(row: int, a: float, b: float) -> Entry:
        return Entry(path=f"image{row}", labels={"a": a, "b": b}, patient=f"person {row}")

    training = ImageSet("t", tuple(entry(row, row % 2, row % 3 == 0) for row in range(12)), decode=lambda entry: entry)
    released = ImageSet("s", (Entry(path="x", labels={"a": 1.0, "b": 1.0}),), decode=lambda entry: entry)
    assert "a=1, b=1" in check_labels(released, training)[0]
    assert check_labels(released, training, least=2) == ()
    only = ImageSet("s", (Entry(path="x", labels={"a": 1.0}),), decode=lambda entry: entry)
    assert check_labels(only, training) == ()


def test_free_text_is_no_label() -> None:
    assert "control characters" in check_labels(_released("a\nb"), NORMAL)[0]
    assert "more than 100" in check_labels(_released("very " * 30), NORMAL)[0]
