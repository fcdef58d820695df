from __future__ import annotations

import csv
import json
import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import fourfold as ff
from fourfold.errors import InputError
from fourfold.images import open_set, write_images
from fourfold.images.phantoms.defects import plant_copies
from fourfold.privacy import Policy
from fourfold.releasing import CandidatePlan, ReleasePolicy, open_ledger, verify

MAKING = Path(__file__).with_name("making.py")
DRAW = {"size": 16, "images_per_patient": (1, 1), "seed": 0}
LENIENT = {"inconclusive": "accept", "shortfall": "accept"}


def signed(**limits) -> ReleasePolicy:
    own = {name: limits.pop(name) for name in list(limits) if name in ReleasePolicy.__dataclass_fields__}
    return ReleasePolicy(
        Policy(signed_by="Dr A. Example", **{"required": ("copies",), "copy_rate": 0.5, **limits}), **{**LENIENT, **own}
    )


@pytest.fixture(scope="module")
def sets(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("sets")
    ff.phantoms("chest", 50, **DRAW).write(folder / "training")
    ff.phantoms("chest", 120, first_patient=50, **DRAW).write(folder / "holdout")
    fresh = ff.phantoms("chest", 90, first_patient=170, **DRAW)
    write_images(fresh.images, folder / "fresh", labels=fresh.labels)
    return folder


@pytest.fixture(scope="module")
def few_metrics():
    """The metrics are tested where they are made; here some are enough."""
    import fourfold.evaluation

    wanted = {"privacy/copies", "privacy/singling_out", "utility/train_synthetic_test_real"}
    kept = tuple(metric for metric in ff.metrics() if metric.key in wanted)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(fourfold.evaluation, "metrics", lambda: kept)
        yield


def make(sets, output, source="fresh", **options):
    return ff.release(
        sets / source if isinstance(source, str) else source,
        sets / "training",
        sets / "holdout",
        output=output,
        **{"policy": signed(), "features": ("pixels",), "n": 40, **options},
    )


@pytest.fixture(scope="module")
def released(sets, few_metrics, tmp_path_factory):
    folder = tmp_path_factory.mktemp("released")
    return make(sets, folder / "R"), folder


def run(*arguments: object) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "OMP_WAIT_POLICY": "PASSIVE"}
    return subprocess.run(
        [sys.executable, str(MAKING), *map(str, arguments)],
        capture_output=True,
        text=True,
        env=environment,
        check=False,
    )


def test_a_release_of_fresh_images_is_a_package_that_verifies(released) -> None:
    made, folder = released
    assert made.released
    assert made.reasons == ()
    found = verify(folder / "R", made.fingerprint)
    assert found.ok, found.problems
    record = json.loads((folder / "R" / "release.json").read_text())
    assert record["images"] == 40
    assert record["candidates"]["drawn"] == 90
    assert record["earlier_releases"] == 0
    assert len(open_set(folder / "R", name="synthetic")) == 40


def test_a_package_tells_nothing_of_sources_and_the_ledger_does(sets, released) -> None:
    made, folder = released
    with (made.work / "provenance.csv").open() as stream:
        rows = list(csv.DictReader(stream))
    assert len(rows) == 40
    candidates = open_set(sets / "fresh", name="synthetic")
    shown = open_set(folder / "R", name="synthetic")
    order = [candidates.paths.index(row["candidate"]) for row in rows]
    assert order != sorted(order)
    for number, row in enumerate(order):
        assert np.abs(shown.raw(number).astype(float) - candidates.raw(row).astype(float)).max() <= 1
    names = {
        *candidates.paths,
        *open_set(sets / "training", name="training").paths,
        *open_set(sets / "training", name="t").patients,
    }
    for file in (folder / "R").rglob("*"):
        if file.is_file() and file.suffix != ".png":
            text = file.read_text()
            assert not [name for name in names if name in text and not name.startswith("images/0")], file.name
    assert (folder / "fourfold-ledger" / "key").stat().st_mode & 0o077 == 0


def test_a_second_release_from_the_same_patients_is_counted_and_refused(sets, released, few_metrics) -> None:
    _, folder = released
    again = make(sets, folder / "second", seed=1)
    assert not again.released
    assert "1 earlier release from some of the same patients" in again.reasons[0]
    assert not (folder / "second").exists()
    evidence = {file.name for file in (folder / "second.refused").iterdir()}
    assert evidence == {"refusal.json", "audit.json", "scores.json", "shareable.html", "statement.html", "policy.toml"}
    assert json.loads((folder / "second.refused" / "refusal.json").read_text())["reasons"] == list(again.reasons)
    allowed = make(sets, folder / "third", seed=1, policy=signed(earlier_releases=1))
    assert allowed.released
    assert "1 earlier release was made" in (folder / "third" / "statement.html").read_text()


def test_planted_copies_are_vetoed_and_never_reach_the_package(sets, few_metrics, tmp_path) -> None:
    training = ff.phantoms("chest", 50, **DRAW)
    fresh = ff.phantoms("chest", 90, first_patient=170, **DRAW)
    images, planted = plant_copies(fresh.images.copy(), training.images, 0.1, ("exact", "noise", "brightness"), seed=2)
    write_images(images, tmp_path / "leaky", labels=fresh.labels)
    made = make(sets, tmp_path / "R", source=tmp_path / "leaky", n=None)
    paths = open_set(tmp_path / "leaky", name="synthetic").paths
    copies = {paths[row] for row in planted.rows}
    assert len(copies) == 9
    with (made.work / "provenance.csv").open() as stream:
        chosen = {row["candidate"] for row in csv.DictReader(stream)}
    assert not chosen & copies
    assert made.counts["vetoed as too near to a patient"] >= 9


def test_a_failed_audit_refuses_whatever_else_is_accepted(sets, few_metrics, tmp_path) -> None:
    made = make(sets, tmp_path / "R", policy=signed(utility_loss=0.001))
    assert not made.released
    assert any("area under the curve" in reason for reason in made.reasons)


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"n": 0}, "at least 1 image is released"),
        ({"mode": "published"}, "conditioned on features"),
        ({"balance": {"nobody": 1.0}}, "nobody"),
    ],
)
def test_wrong_wishes_are_refused_in_words(sets, few_metrics, tmp_path, options, words) -> None:
    with pytest.raises(InputError, match=words):
        make(sets, tmp_path / "R", **options)
    assert not (tmp_path / "R").exists()


def test_a_release_needs_a_holdout_and_an_empty_place(sets, released, few_metrics, tmp_path) -> None:
    with pytest.raises(InputError, match="needs a holdout"):
        ff.release(sets / "fresh", sets / "training", None, output=tmp_path / "R", policy=signed())
    _, folder = released
    with pytest.raises(InputError, match="holds a finished release"):
        make(sets, folder / "R")
    (tmp_path / "taken").mkdir()
    (tmp_path / "taken" / "note.txt").write_text("mine")
    with pytest.raises(InputError, match="is not empty"):
        make(sets, tmp_path / "taken")
    shutil.copytree(folder, tmp_path / "moved")
    shutil.rmtree(tmp_path / "moved" / "R")
    with pytest.raises(InputError, match="was finished on"):
        make(sets, tmp_path / "moved" / "R")


def test_labels_that_name_a_patient_are_refused(sets, few_metrics, tmp_path) -> None:
    patients = open_set(sets / "training", name="training").patients
    fresh = ff.phantoms("chest", 60, first_patient=170, **DRAW)
    labels = [str(label) for label in fresh.labels]
    labels[3] = f"see {patients[0]}"
    write_images(fresh.images, tmp_path / "telling", labels=labels)
    with pytest.raises(InputError, match="cannot be released") as caught:
        make(sets, tmp_path / "R", source=tmp_path / "telling")
    assert str(patients[0]) not in str(caught.value)


def test_the_ledger_knows_nobody_without_its_key(sets, tmp_path) -> None:
    training = open_set(sets / "training", name="training")
    book, other = open_ledger(tmp_path / "one"), open_ledger(tmp_path / "two")
    codes = book.codes(training)
    assert not codes & other.codes(training)
    assert book.codes(training.take([3, 4])) < codes
    book.enter("first", codes, {})
    assert book.earlier(book.codes(training.take([3])), besides="second") == 1
    assert book.earlier(codes, besides="first") == 0
    text = (tmp_path / "one" / "releases" / "first.json").read_text()
    assert not [patient for patient in training.patients if str(patient) in text]
    (tmp_path / "one" / "releases" / "first.json").write_text("{}")
    with pytest.raises(InputError, match="no record of a release"):
        book.earlier(codes, besides="second")


def test_a_model_draws_for_its_release(sets, few_metrics, tmp_path) -> None:
    model = ff.train(sets / "training", recipe="gaussian", output=tmp_path / "model", condition="class")
    made = make(sets, tmp_path / "R", source=tmp_path / "model", n=30, plan=CandidatePlan(per_condition=2))
    assert made.figures["generator"] == {"recipe": "gaussian", "digest": model.digest}
    assert made.figures["candidates"]["drawn"] == 60
    assert made.figures["candidates"]["conditions"] is None


def bytes_of(folder: Path) -> dict[str, bytes]:
    return {file.relative_to(folder).as_posix(): file.read_bytes() for file in folder.rglob("*") if file.is_file()}


def test_killed_in_every_step_it_ends_with_the_same_bytes(sets, tmp_path) -> None:
    origin = tmp_path / "model"
    # Of other patients than the release is about, so that its images may be released.
    ff.train(sets / "fresh", recipe="gaussian", output=origin, condition="class")
    open_ledger(tmp_path / "ledger")
    shutil.copytree(tmp_path / "ledger", tmp_path / "other")
    whole = run(sets, origin, tmp_path / "a" / "R", tmp_path / "ledger")
    assert whole.returncode == 0, whole.stderr
    assert whole.stdout.startswith("True"), whole.stdout
    for task in ("drawing images", "copies: registration", "selection", "privacy: singling out", "writing the package"):
        killed = run(sets, origin, tmp_path / "b" / "R", tmp_path / "other", task)
        assert killed.returncode == -signal.SIGKILL, (task, killed.stdout, killed.stderr)
        assert not (tmp_path / "b" / "R").exists()
    done = run(sets, origin, tmp_path / "b" / "R", tmp_path / "other")
    assert done.stdout == whole.stdout, done.stderr
    assert bytes_of(tmp_path / "a") == bytes_of(tmp_path / "b")
