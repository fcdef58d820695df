from __future__ import annotations

from dataclasses import replace

import pytest

import fourfold as ff
from fourfold.cli.main import main
from fourfold.images.phantoms import write_demonstration
from fourfold.privacy import Policy, read_policy


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    place = tmp_path_factory.mktemp("phantoms")
    write_demonstration(place, patients=20, size=24)
    return place


@pytest.fixture(autouse=True)
def _one_cheap_metric(monkeypatch):
    """The stages are tested where they are made."""
    kept = tuple(metric for metric in ff.metrics() if metric.key == "privacy/highest_correlation")
    monkeypatch.setattr("fourfold.evaluation.metrics", lambda: kept)


def call(folder, output, *more, command="audit"):
    sets = [str(folder / "synthetic"), "--train", str(folder / "training"), "--holdout", str(folder / "holdout")]
    options = ["--features", "pixels", "--no-store", "--quiet", "-o", str(output)]
    return main([command, *sets, *options, *more])


def test_an_audit_prints_verdict_and_stages_and_names_the_statement(folder, tmp_path, capsys):
    assert call(folder, tmp_path / "audit", "--split-by", "the registry") == 1
    printed = capsys.readouterr().out
    assert printed.startswith("INCONCLUSIVE ")
    assert "0 validity" in printed
    assert "5 model                             does not apply" in printed
    assert f"statement: {tmp_path / 'audit' / 'statement.html'}" in printed
    assert "the registry" in (tmp_path / "audit" / "statement.html").read_text(encoding="utf-8")


@pytest.fixture
def floor(monkeypatch):
    """A metric that reports an endpoint of 0.5."""
    metric = next(metric for metric in ff.metrics() if metric.key == "privacy/highest_correlation")
    entries = [{"name": "epsilon", "stage": 2, "kind": "floor", "estimate": 0.5}]
    scored = replace(metric, compute=lambda sets: metric.compute(sets).with_details(endpoints=entries))
    monkeypatch.setattr("fourfold.evaluation.metrics", lambda: (scored,))


def test_a_policy_decides_the_exit_code(folder, tmp_path, capsys, floor):
    policy = tmp_path / "policy.toml"
    policy.write_text("required = []\n", encoding="utf-8")
    assert call(folder, tmp_path / "a", "--policy", str(policy)) == 0
    printed = capsys.readouterr().out
    assert printed.startswith("PASS ")
    assert "privacy loss (epsilon), lower bound" in printed
    policy.write_text("required = []\n[limits]\nepsilon = 0.4\n", encoding="utf-8")
    assert call(folder, tmp_path / "b", "--policy", str(policy)) == 1
    assert capsys.readouterr().out.startswith("FAIL ")


def test_evaluate_judges_privacy_by_a_policy_too(folder, tmp_path, capsys, floor):
    policy = tmp_path / "policy.toml"
    policy.write_text("required = []\n", encoding="utf-8")
    asked = ("--only", "privacy", "--require", "privacy")
    assert call(folder, tmp_path / "a", *asked, command="evaluate") == 1
    assert "membership attack, area under the curve" in capsys.readouterr().out
    assert call(folder, tmp_path / "b", *asked, "--policy", str(policy), command="evaluate") == 0


def test_a_wrong_policy_or_a_missing_holdout_gives_exit_code_two(folder, tmp_path, capsys):
    policy = tmp_path / "policy.toml"
    policy.write_text("beauty = 1\n", encoding="utf-8")
    assert call(folder, tmp_path / "audit", "--policy", str(policy)) == 2
    assert "policy.toml: there is no 'beauty'" in capsys.readouterr().err
    assert main(["audit", str(folder / "synthetic"), "--train", str(folder / "training"), "--no-store"]) == 2
    assert "an audit needs a holdout" in capsys.readouterr().err
    assert call(folder, tmp_path / "audit", "--model", str(tmp_path / "none.pt")) == 2
    assert "none.pt" in capsys.readouterr().err
    assert call(folder, tmp_path / "audit", "--model-range", "1:0") == 2
    assert "--model-range takes LOW:HIGH such as -1:1, got '1:0'" in capsys.readouterr().err
    assert not (tmp_path / "audit").exists()


def test_the_default_policy_is_written_once(tmp_path, capsys):
    file = tmp_path / "policy.toml"
    for code in (0, 2):
        with pytest.raises(SystemExit) as stop:
            main(["audit", "--write-policy", str(file)])
        assert stop.value.code == code
    assert read_policy(file) == Policy()
    assert "is not overwritten" in capsys.readouterr().err
