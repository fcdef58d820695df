from __future__ import annotations

import json
from pathlib import Path

import jsonschema
import numpy as np
import pytest
from PIL import Image

import fourfold as ff
from fourfold.cli.main import main
from fourfold.report.paired_files import paired_schema


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    place = tmp_path_factory.mktemp("films")
    clean = ff.phantoms("chest", 12, images_per_patient=1, size=24).images
    rng = np.random.default_rng(0)
    noisy = np.clip(clean + 0.1 * rng.standard_normal(clean.shape), 0, 1)
    for name, images in {"clean": clean, "noisy": noisy, "restored": (clean + noisy) / 2}.items():
        (place / name).mkdir()
        for row, image in enumerate(images):
            Image.fromarray((image[0] * 255).round().astype(np.uint8)).save(place / name / f"{row:02d}.png")
    return place


def call(folder: Path, output: Path, *more: str) -> int:
    sets = [str(folder / "restored"), "--targets", str(folder / "clean")]
    return main(["paired", *sets, "--quiet", "-o", str(output), *more])


def test_a_report_is_written_and_what_was_found_is_printed(folder, tmp_path, capsys) -> None:
    assert call(folder, tmp_path / "out", "--inputs", str(folder / "noisy"), "--measure", "psnr") == 0
    printed = capsys.readouterr().out
    assert "12 pairs of 12 groups of near-duplicates" in printed
    assert "PSNR, higher is better" in printed
    assert "worst by psnr: " in printed
    assert f"report: {tmp_path / 'out' / 'index.html'}" in printed
    document = json.loads((tmp_path / "out" / "paired.json").read_text(encoding="utf-8"))
    jsonschema.validate(document, paired_schema())
    assert document["measures"][0]["standing"] == "better"


@pytest.mark.parametrize(
    ("more", "message"),
    [
        (["--measure", "beauty"], "there is no measure 'beauty'"),
        (["--match", "slice"], "by name, by order or by column:NAME, got 'slice'"),
        (["--match", "column:slice"], "has no entry in the column 'slice'"),
        (["--inputs", "nowhere"], "nowhere: does not exist"),
    ],
)
def test_what_is_wrong_gives_exit_code_two_and_leaves_nothing(folder, tmp_path, capsys, more, message) -> None:
    assert call(folder, tmp_path / "out", *more) == 2
    assert message in capsys.readouterr().err
    assert not (tmp_path / "out").exists()


def test_a_missing_partner_names_the_file(folder, tmp_path, capsys) -> None:
    (tmp_path / "some").mkdir()
    for row in range(11):
        (tmp_path / "some" / f"{row:02d}.png").write_bytes((folder / "noisy" / f"{row:02d}.png").read_bytes())
    assert call(folder, tmp_path / "out", "--inputs", str(tmp_path / "some")) == 2
    assert "11.png of the targets set has no partner with that name in the inputs set" in capsys.readouterr().err
