"""Pairs as files: what they hold, and what they must not."""

from __future__ import annotations

import csv
import doctest
import io
import json
import re
from dataclasses import replace
from pathlib import Path

import jsonschema
import numpy as np
import pytest

import fourfold as ff
from fourfold.images import ImageSet
from fourfold.pairing import PairedSets, paired
from fourfold.report import cells
from fourfold.report.paired_files import paired_csv, paired_document, paired_schema, render_paired, write_paired
from fourfold.report.paired_wording import as_score, sentences

HOSTILE = "<img onerror=alert(1)>.png"
PATIENTS = [f"MRN-{number:04d}" for number in range(14)]


@pytest.fixture(scope="module")
def found() -> PairedSets:
    clean = ff.phantoms("chest", 14, images_per_patient=1, size=24).images
    grain = np.random.default_rng(0).standard_normal(clean.shape).astype(np.float32)
    inputs = np.clip(clean + 0.1 * grain, 0, 1)
    restored = clean + 0.6 * (inputs - clean)
    restored[3] = 0.0

    def named(images: np.ndarray) -> ImageSet:
        made = ImageSet.from_array(images, patients=PATIENTS)
        names = [HOSTILE, "=1+1.png", *(f"film-{row:03d}.png" for row in range(2, 14))]
        entries = (replace(entry, path=name) for entry, name in zip(made.entries, names, strict=True))
        return replace(made, entries=tuple(entries), root=Path("/data/ward"))

    return paired(named(restored), named(clean), named(inputs))


@pytest.fixture(scope="module")
def folder(found, tmp_path_factory) -> Path:
    return write_paired(found, tmp_path_factory.mktemp("out") / "paired").parent


def test_the_examples_run() -> None:
    assert doctest.testmod(cells).failed == 0


def test_the_document_keeps_its_schema(found) -> None:
    jsonschema.Draft202012Validator.check_schema(paired_schema())
    document = json.loads(json.dumps(paired_document(found), allow_nan=False))
    jsonschema.validate(document, paired_schema())
    assert [one["name"] for one in document["measures"]] == ["psnr", "ssim", "ms_ssim"]
    leading = document["measures"][0]
    assert leading["gain"] == pytest.approx(leading["value"] - leading["null"])
    assert leading["lost"] == 1
    document["measures"][0]["standing"] = "fine"
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate(document, paired_schema())


def test_without_inputs_and_intervals_it_keeps_its_schema_too() -> None:
    images = ff.phantoms("chest", 4, images_per_patient=1, size=16).images
    few = paired(images * 0.9, images, measures=["psnr"])
    document = json.loads(json.dumps(paired_document(few), allow_nan=False))
    jsonschema.validate(document, paired_schema())
    assert document["measures"][0]["interval"] is None
    assert "no interval to compare with" in render_paired(few, "shareable")


def test_the_sentences_say_value_null_difference_and_what_was_made_worse(found) -> None:
    said = sentences(found)[0]
    assert re.match(r"PSNR, higher is better: [\d.]+ dB \([\d.]+ to [\d.]+\), where the untreated inputs have", said)
    assert said.endswith("1 of 14 images are further from their targets than before.")
    assert "MS-SSIM (2 of 5 scales)" in sentences(found)[2]


def test_a_measure_as_a_score_stands_as_its_paired_difference_does(found) -> None:
    for one in found.measures:
        assert as_score(one).departs() == one.standing


def test_the_table_has_a_row_a_pair_and_no_patient(found) -> None:
    text = paired_csv(found)
    rows = list(csv.DictReader(io.StringIO(text)))
    assert len(rows) == len(found)
    assert rows[1]["path"] == rows[1]["input"] == "'=1+1.png"
    for row, value in zip(rows, found["psnr"].values, strict=True):
        assert float(row["psnr"]) == value
        assert float(row["psnr_gain"]) == pytest.approx(float(row["psnr"]) - float(row["psnr_input"]))
    assert "MRN-" not in text


def test_the_inner_page_shows_the_worst_the_best_and_those_made_worse(folder) -> None:
    page = (folder / "index.html").read_text(encoding="utf-8")
    assert HOSTILE not in page
    assert page.count("film-003.png") >= 2
    for title in ("The worst", "The median", "The best", "Those that the treatment moved away most"):
        assert f"<h3>{title}</h3>" in page
    assert "data:image/png" in page
    assert page.count('<svg class="plot"') == 2
    assert re.search(r"Content-Security-Policy. content=.default-src 'none'", page)
    links = re.findall(r"(?:src|href)=\"([^\"]+)\"", page)
    assert all(one.startswith(("#", "data:")) for one in links)
    assert "MRN-" not in page


def test_what_may_be_passed_on_holds_no_pixel_name_or_place(folder) -> None:
    assert {file.name for file in folder.iterdir()} == {"index.html", "shareable.html", "paired.json", "paired.csv"}
    for name in ("shareable.html", "paired.json"):
        text = (folder / name).read_text(encoding="utf-8")
        for private in ("data:image", "film-0", "/data/ward", "MRN-", "onerror"):
            assert private not in text, (name, private)
    assert (folder / "shareable.html").read_text(encoding="utf-8").count('<svg class="plot"') == 1


def test_one_volume_is_shown_by_its_central_slice(tmp_path) -> None:
    volumes = ff.phantoms("brain", 2, images_per_patient=1, size=(16, 16, 20)).images
    page = paired(volumes * 0.9, volumes, measures=["psnr"]).report(tmp_path)
    assert "data:image/png" in page.read_text(encoding="utf-8")
