"""Metadata tables: which columns mean what, and what a wrong table is told."""

from __future__ import annotations

import json
import re
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from fourfold.errors import InputError
from fourfold.images import open_set


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    root = tmp_path / "set"
    (root / "images").mkdir(parents=True)
    for number in range(4):
        Image.fromarray(np.full((6, 5), 40 * number, dtype=np.uint8)).save(root / "images" / f"{number}.png")
    return root


def _table(folder: Path, text: str, name: str = "metadata.csv") -> Path:
    file = folder / name
    file.write_text(text, encoding="utf-8")
    return file


def _refused(file: Path, message: str, **options: object) -> None:
    with pytest.raises(InputError, match="^" + re.escape(message) + "$"):
        open_set(file, name="training", **options)


@pytest.mark.parametrize("path", ["path", "file", "file_name", "FileName", "filename", "image", "PATH"])
@pytest.mark.parametrize("patient", ["patient", "patient_id", "PatientID", "subject"])
def test_the_common_column_names_are_recognised(folder: Path, path: str, patient: str) -> None:
    _table(folder, f"{path},class,{patient},age\nimages/0.png,a,001,40\nimages/1.png,b,002,50\n")
    opened = open_set(folder, name="training")
    assert opened.paths == ["images/0.png", "images/1.png"]
    assert opened.labels.tolist() == ["a", "b"]
    assert opened.patients.tolist() == ["001", "002"]
    assert opened.entries[1].columns == {"age": "50"}


def test_columns_are_mapped_and_ignored_by_name(folder: Path) -> None:
    _table(folder, "file,diagnosis,MRN\nimages/0.png,a,x\nimages/1.png,,y\n")
    opened = open_set(folder, name="training", columns={"patient": "MRN", "label": None})
    assert opened.patients.tolist() == ["x", "y"]
    assert opened.labels is None


def test_label_columns_are_targets_of_their_own(folder: Path) -> None:
    _table(folder, "path,label:oedema,label:mass\nimages/0.png,1,0\nimages/1.png,true,0.5\n")
    opened = open_set(folder, name="training")
    assert [dict(entry.labels) for entry in opened.entries] == [
        {"oedema": 1.0, "mass": 0.0},
        {"oedema": 1.0, "mass": 0.5},
    ]


def test_a_split_chooses_rows_and_none_takes_all(folder: Path) -> None:
    file = _table(folder, "path,split\nimages/0.png,train\nimages/1.png,test\nimages/2.png,train\n")
    assert len(open_set(file, name="training")) == 3
    assert open_set(file, name="training", split="train").paths == ["images/0.png", "images/2.png"]
    _refused(file, f"{file}: there is no split 'dev'; the splits are test, train", split="dev")


@pytest.mark.parametrize("suffix", ["csv", "tsv", "jsonl", "parquet"])
def test_every_kind_of_table_gives_the_same_set(folder: Path, suffix: str) -> None:
    rows = [{"file": f"images/{number}.png", "label": number % 2, "patient": f"0{number}"} for number in range(4)]
    file = folder / f"table.{suffix}"
    if suffix == "parquet":
        pd.DataFrame(rows).to_parquet(file)
    elif suffix == "jsonl":
        file.write_text("\n".join(json.dumps(row) for row in rows))
    else:
        pd.DataFrame(rows).to_csv(file, index=False, sep="\t" if suffix == "tsv" else ",")
    opened = open_set(file, name="training")
    assert opened.labels.tolist() == ["0", "1", "0", "1"]
    assert opened.patients.tolist() == ["00", "01", "02", "03"]


def test_a_table_elsewhere_reads_from_the_given_root(folder: Path, tmp_path: Path) -> None:
    file = _table(tmp_path, "path\n0.png\n", "list.csv")
    assert open_set(file, name="training", root=folder / "images").raw(0).shape == (1, 6, 5)


def test_patients_missing_in_all_rows_are_no_patients(folder: Path) -> None:
    file = _table(folder, "path,patient\nimages/0.png,\nimages/1.png,\n")
    assert open_set(file, name="training").patients is None


def test_patients_missing_in_some_rows_are_refused(folder: Path) -> None:
    file = _table(folder, "path,MRN\nimages/0.png,7\nimages/1.png,\nimages/2.png, \n")
    _refused(
        file,
        f"{file}: the column 'MRN' is empty in 2 of 3 rows, first for 'images/1.png'; "
        "fill them in, or ignore the column with --column patient=",
        columns={"patient": "MRN"},
    )


def test_a_missing_file_is_named(folder: Path) -> None:
    file = _table(folder, "path\nimages/0.png\nimages/9.png\n")
    _refused(
        file,
        f"{file}: the file 'images/9.png' does not exist in {folder}; correct the path or remove the row",
    )


@pytest.mark.parametrize("path", ["x" * 5000, "a\0b.png"])
def test_a_path_that_no_file_can_have_is_missing(folder: Path, path: str) -> None:
    file = folder / "table.jsonl"
    file.write_text(json.dumps({"path": path}))
    with pytest.raises(InputError, match=re.escape(f"{file}: the file {path!r} does not exist in {folder}; ")):
        open_set(file, name="training")


def test_a_repeated_row_is_named(folder: Path) -> None:
    file = _table(folder, "path\nimages/0.png\nimages/1.png\n./images/0.png\n")
    _refused(file, f"{file}: the file './images/0.png' stands in rows 1 and 3; remove one of them")


def test_a_row_without_path_is_named(folder: Path) -> None:
    file = _table(folder, "path,label\nimages/0.png,a\n,b\n")
    _refused(file, f"{file}: row 2 has no path; fill it in or remove the row")


@pytest.mark.parametrize("path", ["../secret.png", "images/../../secret.png"])
def test_a_path_that_climbs_out_of_the_folder_is_refused(folder: Path, path: str) -> None:
    Image.new("L", (2, 2)).save(folder.parent / "secret.png")
    file = _table(folder, f"path\n{path}\n")
    _refused(file, f"{file}: the path {path!r} leaves the folder of the images; keep all files inside it")


def test_a_link_that_leads_out_of_the_folder_is_refused(folder: Path) -> None:
    Image.new("L", (2, 2)).save(folder.parent / "secret.png")
    (folder / "link.png").symlink_to(folder.parent / "secret.png")
    file = _table(folder, "path\nlink.png\n")
    _refused(file, f"{file}: the path 'link.png' leaves the folder of the images; keep all files inside it")


@pytest.mark.parametrize("path", ["/etc/hostname", "C:\\scans\\1.png"])
def test_an_absolute_path_is_refused(folder: Path, path: str) -> None:
    file = _table(folder, f"path\n{path}\n")
    _refused(file, f"{file}: the path {path!r} is absolute; write it relative to the folder of the images")


def test_a_mask_may_not_leave_the_folder_either(folder: Path) -> None:
    file = _table(folder, "path,mask\nimages/0.png,../mask.png\n")
    _refused(file, f"{file}: the path '../mask.png' leaves the folder of the images; keep all files inside it")


def test_a_table_without_paths_lists_its_columns(folder: Path) -> None:
    file = _table(folder, "name,label\nx,1\n")
    _refused(
        file,
        f"{file}: no column of paths among name, label; name one 'path' or map it with --column path=NAME",
    )


def test_a_mapping_to_an_absent_column_lists_the_columns(folder: Path) -> None:
    file = _table(folder, "path,label\nimages/0.png,1\n")
    _refused(file, f"{file}: there is no column 'MRN'; the columns are path, label", columns={"patient": "MRN"})


def test_an_empty_table_is_refused(folder: Path) -> None:
    file = _table(folder, "path,label\n")
    _refused(file, f"{file}: the table has no rows; add one row an image")


def test_a_target_that_is_no_number_is_named(folder: Path) -> None:
    file = _table(folder, "path,label:mass\nimages/0.png,perhaps\n")
    _refused(file, f"{file}: the column 'label:mass' holds 'perhaps' for 'images/0.png'; write a number such as 0 or 1")
