"""``fourfold rank fit`` and ``score``, as they are typed."""

from __future__ import annotations

import argparse
import json
from pathlib import Path

import pytest

import fourfold as ff
from fourfold.cli import rank
from fourfold.errors import InputError
from fourfold.features.perceptual.storage import open_tuned

QUICK = ["--triplets", "24", "--quiet"]


def run(*words: object) -> int:
    parser = argparse.ArgumentParser()
    rank.add_arguments(parser)
    return rank.run(parser.parse_args([str(word) for word in words]))


@pytest.fixture(scope="module")
def images(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("sets") / "chests"
    ff.phantoms("chest", 16, images_per_patient=1, size=24).write(folder)
    return folder


def test_an_extractor_is_tuned_kept_and_scored(
    images: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = tmp_path / "tuned"
    call = ["fit", "pixels?size=8", "--images", images, "-o", folder, "--steps", "20", "--phantoms", *QUICK]
    assert run(*call) == 0
    printed = capsys.readouterr().out
    assert "2AFC on held-out patients, before: 0." in printed
    assert "2AFC on held-out patients, unseen distortions, tuned: " in printed
    assert f"--features tuned:{folder}" in printed
    assert "images of patients" not in printed
    record = json.loads((folder / "tuned.json").read_text())
    assert record["unseen"] == ["shift", "noise", "contrast"]
    assert record["patients_images"] is False
    assert record["scores"]["held-out patients"]["after"]["null"] == 0.5
    assert str(images) not in (folder / "tuned.json").read_text()
    assert [entry.name for entry in tmp_path.iterdir()] == ["tuned"]
    assert open_tuned(folder).name == "tuned_pixels"
    assert run("score", "pixels?size=8", "--images", images, "--distortions", "noise,blur", *QUICK) == 0
    printed = capsys.readouterr().out
    assert printed.startswith("2AFC: ")
    assert "with noise: " in printed


def test_people_may_judge_instead(images: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    names = [str(path.relative_to(images)) for path in sorted(images.glob("*/*.png"))]
    names = [name for name in names if not name.startswith("masks")]
    lines = [f"{one},{names[place - 1]},{names[place - 2]},{'ab'[place % 2]}" for place, one in enumerate(names)]
    table = tmp_path / "judgements.csv"
    table.write_text("reference,a,b,vote\n" + "\n".join(lines) + "\n")
    assert run("score", "histogram", "--images", images, "--judgements", table, *QUICK) == 0
    assert "; 16 triplets)" in capsys.readouterr().out
    folder = tmp_path / "tuned"
    call = ["fit", "histogram", "--images", images, "--judgements", table, "-o", folder, "--steps", "3", *QUICK]
    assert run(*call) == 0
    assert "it was tuned on images of patients" in capsys.readouterr().out
    record = json.loads((folder / "tuned.json").read_text())
    assert record["patients_images"] is True
    assert record["triplets"] == {"count": 12, "source": "judgements"}


def test_a_folder_that_is_taken_is_refused_before_any_work(images: Path) -> None:
    with pytest.raises(InputError, match="is not empty; choose a new folder"):
        run("fit", "pixels", "--images", images, "-o", images, *QUICK)
