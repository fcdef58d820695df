from __future__ import annotations

import json

import jsonschema
import pytest

from fourfold.cli.main import main
from fourfold.images.phantoms import write_demonstration
from fourfold.report.compare_files import compare_schema


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    place = tmp_path_factory.mktemp("phantoms")
    write_demonstration(place, patients=24, size=16)
    return place


def call(folder, output, *more, sets=("a=synthetic", "b=synthetic", "c=training")):
    named = [f"{word.partition('=')[0]}={folder / word.partition('=')[2]}" for word in sets]
    real = ["--train", str(folder / "training"), "--holdout", str(folder / "holdout")]
    only = ["--only", "variety/coverage", "--only", "fidelity/density", "--features", "pixels"]
    return main(
        ["compare", *named, *real, *only, "--quiet", "--store", str(folder / "store"), "-o", str(output), *more]
    )


def test_sets_are_compared_and_evaluated_once(folder, tmp_path, capsys, monkeypatch):
    output = tmp_path / "compare"
    asked = ["--ladder", "doubling=a,b,c", "--family", "b=gan"]
    assert call(folder, output, *asked) == 0
    printed = capsys.readouterr().out
    assert "variety: coverage" in printed
    assert "Along doubling (a to c)" in printed
    assert "'a' and 'b' hold the same images." in printed
    assert f"report: {output / 'index.html'}" in printed
    first = json.loads((output / "compare.json").read_text(encoding="utf-8"))
    jsonschema.validate(first, compare_schema())
    assert str(tmp_path) not in json.dumps(first)
    assert [one["family"] for one in first["sets"]] == ["a (its own)", "gan", "c (its own)"]
    monkeypatch.setattr("fourfold.answers.to_record", None)
    assert call(folder, output, *asked) == 0
    second = json.loads((output / "compare.json").read_text(encoding="utf-8"))
    assert second["scores"] == first["scores"]


@pytest.mark.parametrize(
    ("more", "message"),
    [
        (["--ladder", "blur=a,b"], "--ladder takes at least 3 sets"),
        (["--ladder", "blur=a,b,d"], "names the set 'd', which is not compared"),
        (["--family", "gan"], "--family takes NAME=VALUE"),
        (["--family", "d=gan"], "a family was given for 'd'"),
        (["--leading", "beauty=coverage"], "there is no axis 'beauty'"),
        (["--utility", "nowhere.json"], "nowhere.json: cannot be read"),
    ],
)
def test_what_is_wrong_gives_exit_code_two_and_leaves_nothing(folder, tmp_path, capsys, more, message):
    assert call(folder, tmp_path / "compare", *more) == 2
    assert message in capsys.readouterr().err
    assert not (tmp_path / "compare" / "index.html").exists()


def test_a_broken_set_is_named(folder, tmp_path, capsys):
    (folder / "broken").mkdir(exist_ok=True)
    (folder / "broken" / "one.png").write_bytes(b"no image")
    assert call(folder, tmp_path / "compare", sets=("a=synthetic", "bad=broken")) == 2
    assert "the set 'bad' cannot be compared" in capsys.readouterr().err


def test_one_set_is_no_comparison(folder, tmp_path, capsys):
    assert call(folder, tmp_path / "compare", sets=("a=synthetic",)) == 2
    assert "at least 2 synthetic sets, got 1" in capsys.readouterr().err
