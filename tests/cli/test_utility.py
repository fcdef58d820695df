from __future__ import annotations

import json

import jsonschema
import pytest

from fourfold.cli.main import COMMANDS, main
from fourfold.cli.options import named_sets
from fourfold.errors import InputError
from fourfold.images.phantoms import write_demonstration
from fourfold.report.utility_study import utility_schema


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    place = tmp_path_factory.mktemp("phantoms")
    write_demonstration(place, patients=24, size=16)
    return place


@pytest.fixture(autouse=True)
def _named(monkeypatch):
    monkeypatch.setitem(COMMANDS, "utility", "whether it works on real patients")


def call(folder, output, *more):
    sets = [str(folder / "synthetic"), "--train", str(folder / "training"), "--holdout", str(folder / "holdout")]
    options = ["--seeds", "2", "--halvings", "0", "--steps", "2", "--arms", "synthetic", "--quiet", "-o", str(output)]
    return main(["utility", *sets, *options, *more])


def test_a_study_prints_answers_and_arms_and_goes_on_from_its_units(folder, tmp_path, capsys, monkeypatch):
    output = tmp_path / "utility"
    assert call(folder, output, "--subgroup", "sex") == 0
    printed = capsys.readouterr().out
    assert printed.startswith("synthetic: 37 images of it in place of as many real ones: area under the ROC curve")
    assert "learned from" in printed
    assert f"report: {output / 'index.html'}" in printed
    first = json.loads((output / "utility.json").read_text(encoding="utf-8"))
    jsonschema.validate(first, utility_schema())
    assert str(tmp_path) not in json.dumps(first)
    monkeypatch.setattr("fourfold.utility.learning.optimisation.optimise", pytest.fail)
    assert call(folder, output, "--subgroup", "sex") == 0
    assert json.loads((output / "utility.json").read_text(encoding="utf-8")) == first


@pytest.mark.parametrize(
    ("more", "message"),
    [
        (["--arms", "beauty"], "--arms takes some of synthetic, added, augmented, curve"),
        (["--ratios", "one"], "--ratios takes numbers"),
        (["--seeds", "1"], "2 seeds or more"),
        (["--subgroup", "age"], "no column 'age'"),
        (["--fresh-part", "2"], "between 0 and 1"),
    ],
)
def test_what_is_wrong_gives_exit_code_two_and_leaves_nothing(folder, tmp_path, capsys, more, message):
    assert call(folder, tmp_path / "utility", *more) == 2
    assert message in capsys.readouterr().err
    assert not (tmp_path / "utility" / "index.html").exists()


def test_sets_may_be_named(tmp_path):
    (tmp_path / "a=b").mkdir()
    assert named_sets(["x/gan", "y/vae"]) == ["x/gan", "y/vae"]
    assert named_sets([str(tmp_path / "a=b")]) == [str(tmp_path / "a=b")]
    assert named_sets(["mine=x/gan", "y/vae"]) == {"mine": "x/gan", "vae": "y/vae"}
    with pytest.raises(InputError, match="two synthetic sets are called 'mine'"):
        named_sets(["mine=x", "mine=y"])
