from dataclasses import replace

import numpy as np
import pytest

from fourfold.errors import InputError
from fourfold.images import ImageSet, write_images
from fourfold.images.phantoms import phantoms
from fourfold.images.reading import Reading
from fourfold.studies import Cell, PhantomImages, Scale, Table, own_images, run_study
from fourfold.studies.data_quality import DataQuality
from fourfold.studies.data_quality import training as learning
from fourfold.studies.data_quality.training import AS_DRAWN, NEW, NONE, REAL, REPEATED
from fourfold.studies.judging import over_seeds
from fourfold.studies.seeds import Asked

TINY = Scale(0.1, {"images": 50, "test_images": 30, "rarer": 0.3, "steps": 2, "diffusion_steps": 0}, seeds=2)


def asked(work, source=None, **settings):
    scale = replace(TINY, settings={**TINY.settings, **settings})
    source = PhantomImages("chest", 16) if source is None else source
    return Asked.of(DataQuality(), Cell("c", {"seed": 0}), scale, source, work, lambda *_: None)


def told(noise=0.0, repeated=0.0, wrong=-0.1, synthetic=None, seeds=5, spread=0.002, draw=0):
    """Cells in which noise and balance do what is said, on real images and (`synthetic`) on others."""
    rng = np.random.default_rng(draw)
    rows = []
    for cell in DataQuality().cells(Scale(1.0, TINY.settings, seeds=seeds)):
        own = cell.settings
        change = {"noise": noise, "repeated": repeated}
        if own["source"] != REAL:
            change |= synthetic or {}
        area = (
            0.8
            + change["noise"] * str(own["noise"]).startswith("image")
            + change["repeated"] * (own["balance"] != AS_DRAWN)
        )
        area += wrong * str(own["noise"]).startswith("labels") + rng.normal(0, spread)
        rows.append({"cell": cell.key, **own, "area": area, "balanced_accuracy": area - 0.1})
    return Table(tuple(rows))


def verdicts(table, claim):
    return {one.quantity: one.verdict for one in DataQuality().findings(table) if one.claim == claim}


def test_a_whole_study_ends_with_every_claim_answered(tmp_path, monkeypatch):
    monkeypatch.setattr(DataQuality, "scales", {"quick": TINY})
    found = run_study(DataQuality(), tmp_path / "s", scale="quick", source=PhantomImages("chest", 16))
    assert len(found.table) == 30
    assert {one.claim for one in found.findings} == {"real", "synthetic", "interaction", "control"}
    assert all(one.interval[0] <= one.value <= one.interval[1] for one in found.findings)
    assert found.report(tmp_path / "r").is_file()
    assert {"effects.png", "areas.svg"} <= {file.name for file in (tmp_path / "r").iterdir()}


def test_processes_give_the_table_of_one(tmp_path, monkeypatch):
    # A study of the package: processes that start anew have to find it.
    monkeypatch.setattr(DataQuality, "scales", {"quick": replace(TINY, seeds=2)})
    told = []

    def table(folder, **options):
        source = PhantomImages("chest", 16)
        return run_study(DataQuality(), tmp_path / folder, scale="quick", source=source, **options).table

    many = table("many", workers=2, progress=lambda *given: told.append(given))
    assert many == table("one")
    assert told[0] == ("study data-quality", 0, len(many))
    assert told[-1] == ("study data-quality", len(many), len(many))


def test_what_goes_wrong_in_a_process_is_said_here(tmp_path, monkeypatch):
    monkeypatch.setattr(DataQuality, "scales", {"quick": replace(TINY, seeds=2)})
    few = own_images(phantoms("chest", 8, size=16).images, Reading())
    with pytest.raises(InputError, match="the study needs"):
        run_study(DataQuality(), tmp_path / "s", scale="quick", source=few, workers=2)
    with pytest.raises(InputError, match="0 or more processes, got -1"):
        run_study(DataQuality(), tmp_path / "t", scale="quick", source=few, workers=-1)
    assert not (tmp_path / "t").exists()


def test_one_seed_has_figures_too(tmp_path, monkeypatch):
    monkeypatch.setattr(DataQuality, "scales", {"quick": TINY})
    found = run_study(DataQuality(), tmp_path / "s", scale="quick", source=PhantomImages("chest", 16), seeds=1)
    assert {one.verdict for one in found.findings} == {"not asked"}
    assert found.report(tmp_path / "r").is_file()


def test_the_published_pattern_is_said_to_hold_where_it_is_there():
    table = told(0.05, 0.04, synthetic={"noise": -0.05, "repeated": -0.04})
    for claim in ("real", "synthetic", "interaction", "control"):
        assert set(verdicts(table, claim).values()) == {"holds"}, claim


def test_the_opposite_pattern_contradicts_it_in_words():
    table = told(-0.05, -0.04, synthetic={"noise": 0.05, "repeated": 0.04})
    for claim in ("real", "synthetic", "interaction"):
        assert set(verdicts(table, claim).values()) == {"contradicted"}, claim
    sentences = [one.sentence for one in DataQuality().findings(table) if one.claim != "control"]
    assert all("against the claim" in sentence for sentence in sentences)


def test_equal_effects_differ_in_nothing_whatever_their_size():
    table = told(0.05, 0.04)
    assert set(verdicts(table, "real").values()) == {"holds"}
    assert set(verdicts(table, "interaction").values()) == {"not told apart"}


def test_where_nothing_does_anything_few_studies_say_so():
    said = [set(verdicts(told(spread=0.1, draw=draw), "real").values()) != {"not told apart"} for draw in range(40)]
    assert np.sum(said) <= 6


def test_without_cells_or_with_one_seed_nothing_is_asked():
    for table in (Table(), told(seeds=1)):
        found = DataQuality().findings(table)
        assert [one.verdict for one in found] == ["not asked"] * 4


def test_a_seed_that_lacks_a_cell_is_left_out():
    whole = told(0.05)
    rows = tuple(row for row in whole if row["seed"] < 2 or row["noise"] == NONE)
    assert "noise in the images, real, area under the curve" in verdicts(Table(rows), "real")
    rows = tuple(row for row in whole if row["seed"] < 1 or row["noise"] == NONE)
    assert "noise in the images, real, area under the curve" not in verdicts(Table(rows), "real")


def test_intervals_of_a_claim_hold_together_at_the_stated_rate():
    rng = np.random.default_rng(3)
    held = [
        all(over.low <= 0 <= over.high for over in (over_seeds(values, 3) for values in draws))
        for draws in rng.normal(size=(2000, 3, 5))
    ]
    assert 0.94 < np.mean(held) < 0.97


def test_the_rarest_class_is_thinned_and_the_others_stay(tmp_path):
    patients = learning._patients(asked(tmp_path, rarer=0.2))
    _, counts = np.unique(patients.training.labels, return_counts=True)
    assert counts.min() / counts.sum() == pytest.approx(0.2, abs=0.03)
    assert counts.max() > 20


def test_images_without_classes_are_refused(tmp_path):
    class Bare(PhantomImages):
        def deal(self, seed, sizes):
            dealt = super().deal(seed, sizes)
            return {
                name: replace(ImageSet.from_array(one.load(), name=name), preparation=one.preparation)
                for name, one in dealt.items()
            }

    with pytest.raises(
        InputError, match=r"the training set has no classes to tell apart.*give images with a label column"
    ):
        learning.tested(asked(tmp_path, Bare("chest", 16)), REAL, NONE, AS_DRAWN)


def test_a_folder_of_the_user_is_dealt_by_patient_and_leaves_no_name(tmp_path):
    drawn = phantoms("chest", 60, size=16).to_image_set("own")
    write_images(replace(drawn, preparation=None), tmp_path / "own")
    one = asked(tmp_path, own_images(tmp_path / "own", Reading()), images=40, test_images=30)
    patients = learning._patients(one)
    assert not set(patients.training.patients) & set(drawn.patients)
    assert 0 <= patients.test.images.min() < patients.test.images.max() <= 1
    assert not set(map(bytes, patients.training.load())) & set(map(bytes, patients.test.images))


def test_cells_differ_in_their_measure_only_and_can_be_computed_again(tmp_path):
    one = asked(tmp_path)
    first = learning.tested(one, REAL, NONE, AS_DRAWN)
    learning._patients.cache_clear()
    learning._pool.cache_clear()
    assert learning.tested(asked(tmp_path), REAL, NONE, AS_DRAWN) == first
    pool, rows = learning._pool(one, REAL)
    plain = learning._altered(pool, rows, [], 0)
    noisy = learning._altered(pool, rows, [learning.NOISES["image .1"]], 0)
    assert np.array_equal(plain.targets, noisy.targets)
    assert 0.02 < np.abs(noisy.images - plain.images).mean() < 0.12
    both = [learning.BALANCES[REPEATED], learning.NOISES["image .1"]]
    balanced = learning._altered(pool, rows, both, 0)
    assert len(np.unique(balanced.targets.sum(axis=0))) == 1
    # An image that is repeated carries the same noise each time.
    assert len(np.unique(balanced.images.reshape(len(balanced), -1), axis=0)) == len(plain)


def test_a_generator_draws_to_balance_and_repeats_no_image(tmp_path):
    pool, rows = learning._pool(asked(tmp_path), "gaussian")
    drawn = learning._altered(pool, rows, [learning.BALANCES[NEW]], 0)
    assert len(drawn) == len(rows)
    assert np.ptp(drawn.targets.sum(axis=0)) <= 1
    assert len(np.unique(drawn.images.reshape(len(drawn), -1), axis=0)) == len(drawn)
    assert not list(tmp_path.glob("*.npy"))
