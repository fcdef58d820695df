import json
from pathlib import Path

import numpy as np
import pytest

from fourfold.cli.main import main
from fourfold.images import ImageSet, open_set, prepare
from fourfold.images.phantoms import phantoms
from fourfold.outliers import outliers


def films(first, patients):
    found = phantoms("chest", patients, images_per_patient=(1, 2), size=32, first_patient=first)
    return found.images, list(found.patients)


@pytest.fixture(scope="module")
def sets():
    """Real films, and fresh ones of which the first three are inverted."""
    real, owners = films(0, 120)
    new, others = films(1000, 40)
    new[:3] = 1 - new[:3]
    found = {
        "real": ImageSet.from_array(real, name="real", patients=owners),
        "new": ImageSet.from_array(new, name="new", patients=others),
    }
    return prepare(found, scaling="0:1")


@pytest.fixture(scope="module")
def report(sets):
    return outliers(sets["new"], sets["real"], features=["pixels"])


def test_the_planted_outliers_come_first(report):
    assert set(report.outside[:3]) == {0, 1, 2}
    assert "OUTSIDE: new[0] (p = 0.0204; by" in "\n".join(report.sentences())
    assert not report.drift.drifted


def test_a_drift_counts_patients_and_not_images(report, sets):
    assert report.drift.trials == len(set(sets["new"].patients)) == 40
    assert report.drift.trials < len(report.paths)


def test_the_report_names_what_it_does_not_see(report):
    printed = "\n".join(report.sentences())
    assert "NOT COVERED: a bright spot with a radius of 4 % of the side (small lesion, AUROC" in printed
    assert "NOT COVERED: a verbatim copy of a real image, which is inside by its nature" in printed
    assert {"small lesion", "copy"} <= {control.name for control in report.blind_spots}


def test_the_json_has_a_row_an_image_and_the_shareable_part_has_none(report, sets):
    found = json.loads(json.dumps(report.to_json()))
    assert [row["path"] for row in found["images"]] == sets["new"].paths
    assert found["images"][0]["outside"] is True
    shareable = json.dumps(report.shareable())
    assert "new[" not in shareable
    assert not any(patient in shareable for patient in {*sets["new"].patients, *sets["real"].patients})


def test_a_drifted_set_is_one(sets):
    shifted = ImageSet.from_array(np.clip(sets["new"].load() ** 1.6, 0, 1), name="new")
    shifted = prepare({"new": shifted}, scaling="0:1")["new"]
    assert outliers(shifted, sets["real"], features=[]).drift.drifted


@pytest.fixture(scope="module")
def folders(tmp_path_factory):
    root: Path = tmp_path_factory.mktemp("films")
    real = phantoms("chest", 90, images_per_patient=1, size=32)
    new = phantoms("chest", 30, images_per_patient=1, size=32, first_patient=500)
    real.write(root / "real")
    new.write(root / "new")
    new.take(np.arange(30)).write(root / "odd")
    for path in (root / "odd").glob("*/*.png"):
        _invert(path)
    return root


def _invert(path):
    from PIL import Image, ImageOps

    with Image.open(path) as image:
        inverted = ImageOps.invert(image.convert("L"))
    inverted.save(path)


def test_check_against_prints_and_gives_an_exit_code(folders, capsys):
    assert main(["check", str(folders / "new"), "--against", str(folders / "real"), "--features", "pixels"]) == 0
    printed = capsys.readouterr().out
    assert "images lie outside the real set (at alpha 0.05; gates fitted to 54 real patients" in printed
    assert "no more than alpha explains" in printed
    assert "NOT COVERED: a bright spot with a radius of 4 %" in printed
    assert (
        main(["check", str(folders / "odd"), "--against", str(folders / "real"), "--features", "pixels", "--json"]) == 1
    )
    found = json.loads(capsys.readouterr().out)
    assert found["set"]["drifted"] is True
    assert all(row["outside"] for row in found["images"])


def test_check_refuses_two_sets_other_scalings_and_a_split_of_nothing(folders, capsys, tmp_path):
    new, real = str(folders / "new"), str(folders / "real")
    assert main(["check", new, real, "--against", real]) == 2
    assert "--against judges one set at a time, got 2: new, real" in capsys.readouterr().err
    assert main(["check", new, "--against-split", "training"]) == 2
    assert "give them with --against" in capsys.readouterr().err
    small = tmp_path / "fractions.npy"
    np.save(small, open_set(new, name="new").raw(0)[None].astype(np.float32) / 255)
    assert main(["check", str(small), "--against", real]) == 2
    assert "is scaled unlike the real set" in capsys.readouterr().err
