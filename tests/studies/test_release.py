from dataclasses import replace

import numpy as np
import pytest

from fourfold.errors import InputError
from fourfold.images import ImageSet
from fourfold.studies import Cell, PhantomImages, Scale, Table, run_study
from fourfold.studies.release import Releases
from fourfold.studies.release import arms as made
from fourfold.studies.release.arms import ARMS, FRESH, LEFT_OUT, ORDINARY, REAL, RELEASED, UNSCREENED
from fourfold.studies.release.conclusions import LOSS, MARGIN
from fourfold.studies.release.judging import SPACES, figures_of
from fourfold.studies.seeds import Asked

TINY = Scale(
    0.1,
    {
        "images": 40,
        "calibration": 40,
        "steps": 2,
        "per_condition": 2,
        "evaluations": 2,
        "network_steps": 2,
        "networks": 1,
        "thorough": 0,
    },
    seeds=1,
)


def asked(work, source=None, seed=0, **settings):
    scale = replace(TINY, settings={**TINY.settings, **settings})
    source = PhantomImages("chest", 16) if source is None else source
    return Asked.of(Releases(), Cell("c", {"seed": seed}), scale, source, work, lambda *_: None)


def told(area=None, excess=None, retrieval=0.5, seeds=6, spread=0.002):
    """Cells in which each arm is as useful, and singles out as many, as is said; the rest is as fresh patients are."""
    rng = np.random.default_rng(0)
    areas = dict.fromkeys(ARMS, 0.9) | (area or {})
    excesses = dict.fromkeys(ARMS, 0.0) | {REAL: 0.9} | (excess or {})
    rows = []
    for cell in Releases().cells(Scale(1.0, TINY.settings, seeds=seeds)):
        name = cell.settings["arm"]
        row = {"cell": cell.key, **cell.settings, "area": areas[name] + rng.normal(0, spread)}
        for space in SPACES:
            row[f"excess_{space}"] = excesses[name] + rng.normal(0, spread)
            row[f"retrieval_{space}"] = (1.0 if name == REAL else retrieval) + rng.normal(0, spread)
        rows.append(row)
    return Table(tuple(rows))


def verdicts(table, claim):
    return [one.verdict for one in Releases().findings(table) if one.claim == claim]


def test_a_whole_study_judges_every_arm_and_reports(tmp_path, monkeypatch):
    monkeypatch.setattr(Releases, "scales", {"quick": TINY})
    found = run_study(Releases(), tmp_path / "s", scale="quick", source=PhantomImages("chest", 16))
    assert found.table.values("arm") == list(ARMS)
    real = next(row for row in found.table if row["arm"] == REAL)
    fresh = next(row for row in found.table if row["arm"] == FRESH)
    assert real["excess_pixels"] > 0.8
    assert real["p"] < 0.05
    assert fresh["excess_pixels"] < 0.3
    assert real["retrieval_pixels"] == 1.0
    assert real["coverage_pixels"] <= 1.0
    # One seed has no interval.
    assert {one.verdict for one in found.findings} == {"not asked"}
    assert {one.claim for one in found.findings} == {claim.key for claim in Releases.claims}
    assert found.report(tmp_path / "r").is_file()
    assert {"excess.png", "utility.svg"} <= {file.name for file in (tmp_path / "r").iterdir()}
    # Everything that decides a model is in its name, so a second study of other steps shares none.
    assert len({asked(tmp_path, steps=steps).folder("diffusion") for steps in (2, 3)}) == 2


def test_the_published_outcome_is_said_to_hold_where_it_is_there():
    table = told({ORDINARY: 0.85}, {ORDINARY: 0.1}, retrieval=1.2)
    for claim in ("utility", "better", "nobody", "ordinary", "diversity", "distance", "control"):
        assert set(verdicts(table, claim)) == {"holds"}, claim


def test_the_opposite_outcome_contradicts_it_in_words():
    area = {RELEASED: 0.9 - 3 * LOSS, FRESH: 0.9 - 3 * LOSS}
    excess = {RELEASED: 0.1, ORDINARY: -0.1, UNSCREENED: 0.1, LEFT_OUT: -0.1, FRESH: 0.1, REAL: -0.1}
    table = told(area, excess)
    for claim in ("utility", "better", "nobody", "ordinary", "diversity", "distance", "control"):
        assert set(verdicts(table, claim)) == {"contradicted"}, claim
    sentences = [one.sentence for one in Releases().findings(table) if one.claim == "nobody"]
    assert all("singled out more often than others, against the claim" in sentence for sentence in sentences)
    holes = [one.sentence for one in Releases().findings(table) if one.claim == "distance"]
    assert all("the holes are seen" in sentence for sentence in holes)


def test_what_is_not_found_is_no_proof_that_nobody_is_singled_out():
    """An interval that covers 0 and more than the margin settles nothing; nor does one that covers the allowed loss."""
    rows = []
    for row in told(spread=0.0):
        sway = 2 * MARGIN * (-1) ** int(row["seed"])
        sways = {name: row[name] + sway for name in ("area", "excess_pixels", "excess_radiomics")}
        rows.append({**row, **(sways if row["arm"] in (RELEASED, LEFT_OUT) else {})})
    for claim in ("nobody", "distance"):
        assert verdicts(Table(tuple(rows)), claim) == ["not told apart"] * 2, claim
    assert verdicts(Table(tuple(rows)), "utility")[0] == "not told apart"


def test_a_release_that_was_refused_is_missing_and_said_so():
    whole = told()
    rows = tuple(
        {**row, "area": None, "excess_pixels": None, "excess_radiomics": None} if row["arm"] == RELEASED else row
        for row in whole
    )
    found = [one for one in Releases().findings(Table(rows)) if one.claim in ("utility", "nobody")]
    assert [one.verdict for one in found] == ["not asked", "not asked"]
    assert "left no set to judge in 6 seeds" in found[0].sentence


def test_findings_about_releases_say_how_many_seeds_have_none():
    rows = tuple({**row, "area": None} if row["arm"] == RELEASED and row["seed"] == 0 else row for row in told())
    found = {one.claim: one.sentence for one in Releases().findings(Table(rows))}
    assert "In 1 of 6 seeds the screen left no set" in found["better"]
    assert "left no set" not in found["ordinary"]


def test_copies_of_some_training_images_are_singled_out_and_fresh_patients_are_not(tmp_path):
    one = asked(tmp_path, images=60)
    patients = made.patients(one)
    fresh = figures_of(one, patients.fresh)
    images = patients.fresh.load().copy()
    rows = np.arange(0, len(images), 2)
    source = patients.training.load()[rows]
    images[rows] = np.clip(source + np.random.default_rng(0).normal(0, 0.01, source.shape), 0, 1)
    mixed = replace(
        ImageSet.from_array(images, name="candidates", labels=patients.fresh.labels),
        preparation=patients.fresh.preparation,
    )
    copied = figures_of(one, mixed)
    assert copied["excess_pixels"] > fresh["excess_pixels"] + 0.3
    assert copied["p"] < 0.05 < fresh["p"]


def test_the_patients_of_a_seed_are_different_people_and_the_same_again(tmp_path):
    patients = made.patients(asked(tmp_path))
    people = [set(getattr(patients, role).patients) for role in ("training", "holdout", "calibration", "fresh")]
    assert sum(map(len, people)) == len(set.union(*people))
    made.patients.cache_clear()
    again = made.patients(asked(tmp_path))
    assert np.array_equal(again.fresh.load(), patients.fresh.load())
    other = made.patients(asked(tmp_path, seed=1))
    assert not np.array_equal(other.training.load()[:20], patients.training.load()[:20])


def test_leaving_out_the_nearest_leaves_out_the_copies(tmp_path):
    patients = made.patients(asked(tmp_path))
    far = patients.fresh
    both = np.concatenate([patients.training.load(), far.load()])
    candidates = replace(
        ImageSet.from_array(both, name="candidates", labels=[*patients.training.labels, *far.labels]),
        preparation=far.preparation,
    )
    left = made._nearest_left_out(candidates, patients, 0).load()
    copied = np.isin(left.reshape(len(left), -1)[:, 77], patients.training.load().reshape(-1, 256)[:, 77])
    assert copied.sum() <= 1


def test_an_empty_set_has_a_size_and_nothing_else(tmp_path):
    one = asked(tmp_path)
    assert figures_of(one, made.patients(one).fresh.take(np.arange(0))) == {"images": 0}


def test_images_without_classes_are_refused(tmp_path):
    class Bare(PhantomImages):
        def deal(self, seed, sizes):
            dealt = super().deal(seed, sizes)
            return {
                name: replace(ImageSet.from_array(one.load(), name=name), preparation=one.preparation)
                for name, one in dealt.items()
            }

    with pytest.raises(InputError, match="the images have no classes"):
        made.patients(asked(tmp_path, Bare("chest", 16)))
