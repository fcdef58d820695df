import argparse
import errno
import re

import numpy as np
import pytest
from PIL import Image

from fourfold.cli.main import COMMANDS, main
from fourfold.cli.options import add_preparation, add_reading, columns_of, memory_of, reading_of, size_of
from fourfold.errors import InputError
from fourfold.images.reading import Reading


@pytest.fixture
def folders(tmp_path):
    """Three small sets of smooth random pictures."""
    rng = np.random.default_rng(0)
    for place, name in enumerate(("training", "holdout", "synthetic")):
        folder = tmp_path / name
        folder.mkdir()
        rows = ["path,patient,label"]
        for i in range(24):
            coarse = Image.fromarray(rng.integers(0, 255, (6, 6), dtype=np.uint8))
            coarse.resize((32, 32), Image.Resampling.BICUBIC).save(folder / f"{i}.png")
            rows.append(f"{i}.png,{place}-{i // 2},{'ab'[i % 2]}")
        (folder / "metadata.csv").write_text("\n".join(rows))
    return tmp_path


def call(folder, *more):
    sets = [str(folder / "synthetic"), "--train", str(folder / "training"), "--holdout", str(folder / "holdout")]
    only = [] if "--only" in more else ["--only", "variety/coverage"]
    return main(["evaluate", *sets, "-o", str(folder / "out"), "--no-store", "--quiet", *only, *more])


def sentence(capsys):
    printed = capsys.readouterr().err.strip()
    assert "Traceback" not in printed
    line = [line for line in printed.splitlines() if line.startswith("fourfold: error: ")]
    assert len(line) == 1, printed
    return line[0].removeprefix("fourfold: error: ")


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_explains_itself(command, capsys):
    with pytest.raises(SystemExit) as stop:
        main([command, "--help"])
    assert stop.value.code == 0
    assert COMMANDS[command].split()[0].lower() in capsys.readouterr().out.lower()


def test_evaluate_writes_a_report_and_prints_the_answers(folders, capsys):
    assert call(folders) == 0
    printed = capsys.readouterr().out
    assert re.search(r"^variety\s+(pass|fail|inconclusive)", printed)
    assert f"report: {folders / 'out' / 'index.html'}" in printed
    assert {path.name for path in (folders / "out").iterdir()} == {
        "images.parquet",
        "index.html",
        "scores.json",
        "shareable.html",
    }


def test_a_required_axis_that_does_not_pass_gives_exit_code_one(folders):
    assert call(folders, "--require", "variety") == 1


def test_wrong_calls_give_exit_code_two():
    for arguments in ([], ["evaluate"], ["nonsense"], ["evaluate", "x", "--train", "y", "--channels", "2"]):
        with pytest.raises(SystemExit) as stop:
            main(arguments)
        assert stop.value.code == 2


def test_a_missing_folder_is_named(folders, capsys):
    assert main(["evaluate", str(folders / "nowhere"), "--train", str(folders / "training"), "--no-store"]) == 2
    assert "nowhere" in sentence(capsys)


def test_an_empty_folder_is_named(folders, capsys):
    (folders / "empty").mkdir()
    assert main(["evaluate", str(folders / "empty"), "--train", str(folders / "training"), "--no-store"]) == 2
    assert "empty: " in sentence(capsys)


def test_a_holdout_that_is_the_training_set_is_refused(folders, capsys):
    assert call(folders, "--holdout", str(folders / "training")) == 2
    assert "the holdout shares 12 patients (24 images) with the training set" in sentence(capsys)


def test_holdout_images_that_are_also_in_training_are_refused(folders, capsys):
    table = folders / "holdout" / "metadata.csv"
    (folders / "holdout" / "3.png").write_bytes((folders / "training" / "5.png").read_bytes())
    assert table.exists()
    assert call(folders) == 2
    assert "the holdout shares 1 of 24 images with the training set, for example 3.png is 5.png" in sentence(capsys)


def test_an_unreadable_image_is_named_or_listed_when_asked(folders, capsys):
    broken = folders / "synthetic" / "7.png"
    broken.write_bytes(broken.read_bytes()[:60])
    assert call(folders) == 2
    assert "7.png" in sentence(capsys)
    assert not (folders / "out").exists()
    assert call(folders, "--skip-broken") == 0
    assert "1 files of the synthetic set could not be read" in capsys.readouterr().out
    assert "7.png" in (folders / "out" / "index.html").read_text()
    assert "7.png" not in (folders / "out" / "shareable.html").read_text()


def test_one_image_gives_reasons_and_no_crash(folders, capsys):
    for i in range(1, 24):
        (folders / "synthetic" / f"{i}.png").unlink()
    (folders / "synthetic" / "metadata.csv").unlink()
    assert call(folders, "--only", "fidelity", "--only", "variety", "--only", "privacy") == 0
    assert "inconclusive" in capsys.readouterr().out


def test_an_output_that_cannot_be_written_is_said_before_the_work(folders, capsys):
    (folders / "file").write_text("")
    assert call(folders, "-o", str(folders / "file" / "report")) == 2
    assert str(folders / "file") in sentence(capsys)


def test_a_full_disk_is_said(folders, capsys, monkeypatch):
    def full(*_):
        raise OSError(errno.ENOSPC, "No space left on device", str(folders / "out"))

    monkeypatch.setattr("fourfold.evaluation.Evaluation.report", full)
    assert call(folders) == 2
    assert "no space left" in sentence(capsys)


def test_an_interruption_is_no_traceback(folders, capsys, monkeypatch):
    def interrupted(*_, **__):
        raise KeyboardInterrupt

    monkeypatch.setattr("fourfold.evaluation.evaluate", interrupted)
    assert call(folders) == 130
    assert sentence(capsys).startswith("interrupted")


def test_a_fault_of_ours_shows_no_values(folders, capsys, monkeypatch):
    monkeypatch.delenv("FOURFOLD_TRACEBACK", raising=False)

    def fault(*_, **__):
        raise RuntimeError("patient 12345")

    monkeypatch.setattr("fourfold.evaluation.evaluate", fault)
    assert call(folders) == 70
    said = sentence(capsys)
    assert "12345" not in said
    assert "RuntimeError at test_main.py" in said


def test_check_reports_leakage_with_exit_code_one(folders, capsys):
    (folders / "holdout" / "3.png").write_bytes((folders / "training" / "5.png").read_bytes())
    assert main(["check", f"training={folders / 'training'}", f"holdout={folders / 'holdout'}"]) == 1
    printed = capsys.readouterr().out
    assert "3.png" in printed
    assert "5.png" in printed
    assert main(["check", str(folders / "training")]) == 0


def test_split_by_patient_can_be_used_at_once(folders, capsys):
    table = folders / "training" / "split.csv"
    assert main(["split", str(folders / "training"), "-o", str(table), "--holdout", "0.5"]) == 0
    assert main(["check", str(table)]) == 0
    sets = [str(folders / "synthetic"), "--train", str(table), "--holdout", str(table)]
    splits = ["--train-split", "training", "--holdout-split", "holdout"]
    rest = ["-o", str(folders / "out"), "--no-store", "--quiet", "--only", "variety/coverage"]
    assert main(["evaluate", *sets, *splits, *rest]) == 0


def test_metrics_and_features_are_listed_with_sources(capsys):
    assert main(["metrics"]) == 0
    printed = capsys.readouterr().out
    for key in ("fidelity/frechet_distance", "variety/coverage", "privacy/copies", "utility/train_synthetic_test_real"):
        assert key in printed
    assert main(["metrics", "coverage"]) == 0
    assert "Naeem" in capsys.readouterr().out
    assert main(["metrics", "beauty"]) == 2
    assert main(["features"]) == 0
    assert "radiomics" in capsys.readouterr().out


def test_options_are_parsed_or_refused_in_words():
    assert size_of("128") == 128
    assert size_of("24x96x96") == (24, 96, 96)
    assert memory_of("512M") == 512 << 20
    assert columns_of(["patient=MRN"]) == {"patient": "MRN"}
    for wrong in ("0", "12x0", "axb", "-3"):
        with pytest.raises(InputError, match="--size takes 128"):
            size_of(wrong)
    with pytest.raises(InputError, match="--memory takes"):
        memory_of("lots")
    with pytest.raises(InputError, match="--column takes ROLE=NAME"):
        columns_of(["MRN"])


def test_options_of_reading_become_one_reading():
    parser = argparse.ArgumentParser()
    add_preparation(parser)
    add_reading(parser)
    assert reading_of(parser.parse_args([]), {"training": None}) == Reading(splits={})
    words = "--size 12x8 --channels 1 --scaling 0:9 --column patient=MRN --root r --volumes --slices --skip-broken"
    assert reading_of(parser.parse_args(words.split()), {"training": "a", "holdout": None}) == Reading(
        {"training": "a"}, {"patient": "MRN"}, "r", True, True, True, (12, 8), 1, "0:9"
    )


def test_a_root_for_tables_does_not_touch_folders(folders, capsys):
    table = folders / "elsewhere.csv"
    assert main(["split", str(folders / "training"), "-o", str(table), "--holdout", "0.5"]) == 0
    assert f"--root {folders / 'training'}" in capsys.readouterr().out
    sets = [f"real={table}", f"holdout={folders / 'holdout'}"]
    assert main(["check", "--root", str(folders / "training"), *sets]) == 0
    assert "LEAKAGE" not in capsys.readouterr().out
