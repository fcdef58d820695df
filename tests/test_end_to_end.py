"""The main job on real chest films: four synthetic sets whose truth is known."""

from __future__ import annotations

import csv
import functools
import shutil

import numpy as np
import pytest
from PIL import Image
from scipy import ndimage

import fourfold as ff

SIZES = {"kermany_cxr_96": (400, 350, 350), "nih_cxr_224": (260, 210, 210)}


def films_by_patient(folder, sizes, seed):
    """Rows of three sets of different patients."""
    with (folder / "metadata.csv").open(encoding="utf-8") as stream:
        rows = list(csv.DictReader(stream))
    patients = np.random.default_rng(seed).permutation(sorted({row["patient_id"] for row in rows}))
    sets, place = ([], [], []), 0
    for patient in patients:
        while place < 3 and len(sets[place]) >= sizes[place]:
            place += 1
        if place == 3:
            break
        sets[place].extend(row for row in rows if row["patient_id"] == patient)
    return sets


def write(folder, names, rows, images=None, patients=True):
    folder.mkdir()
    table = ["path,label" + (",patient" if patients else "")]
    for number, row in enumerate(rows):
        file = folder / f"{number:05d}.png"
        if images is None:
            shutil.copyfile(names / row["file"], file)
        else:
            Image.fromarray((np.clip(images[number], 0, 1) * 255).round().astype(np.uint8)).save(file)
        table.append(f"{file.name},{row['class']}" + (f",{row['patient_id']}" if patients else ""))
    (folder / "metadata.csv").write_text("\n".join(table))


def read(folder, rows):
    return np.stack([np.asarray(Image.open(folder / row["file"]).convert("L"), dtype=float) / 255 for row in rows])


def disguised(image, kind, rng):
    if kind == "noise":
        return image + rng.normal(0, 0.05, image.shape)
    if kind == "brightness":
        return image * rng.uniform(0.8, 1.2) + rng.uniform(-0.1, 0.1)
    return ndimage.rotate(image, rng.uniform(-5, 5), reshape=False, order=1)


class Case:
    def __init__(self, base, source, sizes):
        self.base = base
        # Networks that learn the task take longer than all the rest, and one of the two sets is enough for them.
        self.asked = None if source.name == "kermany_cxr_96" else ("fidelity", "variety", "privacy")
        self.training, self.holdout, fresh = films_by_patient(source, sizes, seed=3)
        rng = np.random.default_rng(4)
        write(base / "training", source, self.training)
        write(base / "holdout", source, self.holdout)
        write(base / "fresh", source, fresh, patients=False)
        films, originals = read(source, fresh), read(source, self.training)
        blurred = np.stack([ndimage.gaussian_filter(film, 1.5) for film in films])
        write(base / "blurred", source, fresh, blurred, patients=False)
        prototypes = films[rng.choice(len(films), 3, replace=False)]
        write(base / "repeated", source, fresh, prototypes[rng.integers(0, 3, len(films))], patients=False)
        count = round(0.02 * len(films))
        where = rng.choice(len(films), count, replace=False)
        sources = rng.choice(len(originals), count, replace=False)
        copied, rows = films.copy(), list(fresh)
        for number, (row, original) in enumerate(zip(where, sources, strict=True)):
            kind = ("noise", "brightness", "rotation")[number % 3]
            copied[row], rows[row] = disguised(originals[original], kind, rng), self.training[original]
        write(base / "copied", source, rows, copied, patients=False)
        self.truth = {f"{row:05d}.png": f"{original:05d}.png" for row, original in zip(where, sources, strict=True)}

    def evaluate(self, name, only=("fidelity", "variety", "privacy")):
        return ff.evaluate(
            self.base / name, self.base / "training", self.base / "holdout", only=only, store=self.base / "store"
        )

    @functools.cached_property
    def fresh(self):
        """The first evaluation of fresh patients."""
        return self.evaluate("fresh", only=self.asked)


# One worker a data set, so that its features are computed once.
GROUPS = [pytest.param(name, marks=pytest.mark.xdist_group(name)) for name in SIZES]
ONE_IS_ENOUGH = pytest.mark.parametrize("case", GROUPS[:1], indirect=True)


@pytest.fixture(scope="module", params=GROUPS)
def case(request, tmp_path_factory, data_folder):
    return Case(tmp_path_factory.mktemp(request.param), data_folder / request.param, SIZES[request.param])


def outside(evaluation):
    """Scores that lie beyond the bands which hold all scores of 95 % of fresh real sets."""
    return [
        (score.key, score.features, score.value, score.null_interval)
        for score in evaluation.scores
        if score.value is not None
        and score.null_interval is not None
        and not score.null_interval[0] <= score.value <= score.null_interval[1]
    ]


def test_fresh_real_images_stay_within_their_null_and_nobody_is_listed(case):
    evaluation = case.fresh
    assert outside(evaluation) == []
    banded = [score for score in evaluation.scores if score.null_interval is not None]
    assert len(banded) > 25
    departing = [score.key for score in banded if score.departs() not in ("no", None)]
    assert len(departing) <= 0.15 * len(banded), departing
    assert evaluation.images["copy"].sum() <= 1
    assert "fail" not in {verdict.status for verdict in evaluation.verdicts.values()}


def test_planted_copies_are_listed_with_their_source(case):
    evaluation = case.evaluate("copied", only=("privacy",))
    listed = {
        path: source
        for path, copy, source in zip(
            evaluation.images["path"], evaluation.images["copy"], evaluation.images["nearest_training"], strict=True
        )
        if copy
    }
    right = sum(listed.get(path) == source for path, source in case.truth.items())
    assert right >= 0.95 * len(case.truth)
    assert len(set(listed) - set(case.truth)) <= max(0.05 * len(listed), 1)
    assert evaluation.verdicts["privacy"].status == "fail"


@ONE_IS_ENOUGH
def test_blur_costs_fidelity_and_earns_no_privacy(case):
    evaluation = case.evaluate("blurred", only=("fidelity", "privacy"))
    assert evaluation.verdicts["fidelity"].status == "fail"
    assert evaluation["fidelity/frechet_distance@radiomics"].departs() == "worse"
    assert evaluation.images["copy"].sum() <= 1
    assert [score.key for score in evaluation.axis("privacy") if score.departs() == "better"] == []


@ONE_IS_ENOUGH
def test_three_prototypes_repeated_cost_variety(case):
    evaluation = case.evaluate("repeated", only=("variety",))
    assert evaluation.verdicts["variety"].status == "fail"
    for name in ("coverage", "recall", "vendi_score"):
        assert evaluation[f"variety/{name}@radiomics"].departs() == "worse", name


def test_a_second_evaluation_is_the_first_one_read_back(case, monkeypatch):
    first = case.fresh
    monkeypatch.setattr("fourfold.features.radiomics.Radiomics.__call__", None)
    monkeypatch.setattr("fourfold.answers.to_record", None)
    second = case.evaluate("fresh", only=case.asked)
    assert first.scores == second.scores
    for name, column in first.images.items():
        np.testing.assert_array_equal(column, second.images[name], err_msg=name)
