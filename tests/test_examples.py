from __future__ import annotations

import csv
import os
import re
import subprocess
import sys
from pathlib import Path

_EXAMPLES = Path(__file__).resolve().parents[1] / "examples"


def run(name: str, *arguments: str) -> str:
    """Standard output of an example."""
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    done = subprocess.run(
        [sys.executable, str(_EXAMPLES / name), *arguments],
        capture_output=True,
        text=True,
        env=environment,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_metrics_on_arrays_tells_the_two_generators_apart():
    lines = run("metrics_on_arrays.py", "--patients", "120").splitlines()[1:]
    scores = {line[:20].strip(): [float(number) for number in line[20:].split()] for line in lines}
    distance, precision, coverage = scores["fresh real images"]
    assert scores["out of focus"][0] > 10 * distance
    assert scores["out of focus"][1] < precision - 0.5
    assert scores["three prototypes"][2] < coverage - 0.5


def test_audit_phantoms_fails_the_set_with_copies_and_writes_its_statement(tmp_path):
    output = run("audit_phantoms.py", str(tmp_path / "audit"), "--patients", "110")
    assert "6 copies planted" in output
    assert re.search(r"^fail: \d of 110 synthetic images are copies", output, re.MULTILINE)
    assert (tmp_path / "audit" / "statement.html").is_file()


def test_evaluate_phantoms_lists_the_planted_copies_with_their_sources(tmp_path):
    output = run("evaluate_phantoms.py", "--patients", "120", "--only", "privacy", "--output", str(tmp_path / "report"))
    counts = re.search(r"(\d+) copies planted, (\d+) listed, (\d+) of them with the right source", output)
    planted, listed, right = map(int, counts.groups())
    assert planted == 6
    assert right >= 5
    assert listed - right <= 1
    assert (tmp_path / "report" / "index.html").is_file()


def test_memorisation_trains_and_audits_both_models(tmp_path):
    options = ["--few", "40", "--images", "40", "--minutes", "0.05", "--size", "16", "--output", str(tmp_path / "runs")]
    lines = run("memorisation.py", *options).splitlines()
    assert re.match(r"few: 40 images seen \d+ times; \d+ of 40 drawn images are on the list of copies", lines[0])
    assert lines[1].startswith("all: ")
    assert (tmp_path / "runs" / "few-report" / "index.html").is_file()


def test_private_generator_states_its_epsilon(tmp_path):
    assert re.search(r"epsilon", run("private_generator.py", str(tmp_path / "model")))


def test_release_films_judges_every_set_that_it_makes(tmp_path):
    output = run(
        *("release_films.py", "-o", str(tmp_path), "--patients", "45", "--size", "16", "--steps", "10"),
        *("--per-condition", "2", "--quick"),
    )
    assert re.search(r"^(released|refused): ", output, re.MULTILINE)
    assert re.search(r"^ {2}candidates +138$", output, re.MULTILINE)
    for name in ("unconditional", "diversity-aware"):
        assert f"\n{name}: 69 images" in output
        assert (tmp_path / f"{name}-report" / "index.html").is_file()
    assert (tmp_path / ("release" if "\nreleased" in output else "release.refused")).is_dir()


def test_scores_while_training_logs_a_score_of_each_question_that_nears_its_null(tmp_path):
    options = ("--patients", "120", "--steps", "200", "--every", "200", "-o", str(tmp_path))
    assert "step   200  utility/train_synthetic_test_real" in run("scores_while_training.py", *options)
    with (tmp_path / "csv" / "0" / "metrics.csv").open(encoding="utf-8") as stream:
        first, last = csv.DictReader(stream)
    assert {name.partition("/")[0] for name in first} == {"step", "fidelity", "variety", "privacy", "utility"}
    assert float(last["fidelity/kernel_distance/null"]) == 0.0
    assert float(last["fidelity/kernel_distance"]) < 0.8 * float(first["fidelity/kernel_distance"])
    assert float(first["variety/coverage"]) < float(last["variety/coverage"]) < float(last["variety/coverage/null"])
    assert list((tmp_path / "tensorboard" / "0").glob("events.out.tfevents.*"))
