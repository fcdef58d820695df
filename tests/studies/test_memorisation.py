from typing import ClassVar

import numpy as np
import pytest

from fourfold.images import ImageSet
from fourfold.images.phantoms import phantoms
from fourfold.studies import PhantomImages, Scale, Table, run_study, study_named
from fourfold.studies.memorisation import Memorisation, models
from fourfold.studies.memorisation.contrasts import (
    averaged,
    by_seed,
    chance_of_shares,
    difference,
    one,
    per_doubling,
    sum_of,
    watched_sizes,
)
from fourfold.studies.memorisation.findings import findings_of
from fourfold.studies.memorisation.measuring import course_of, figures_of

SIZES = (50, 100, 200)
QUIET = {
    "copies": 0.0,
    "copies_null": 0.0,
    "correlation": 0.9,
    "correlation_null": 0.9,
    "excess_correlation": 0.0,
    "excess_correlation_blurred": 0.01,
    "extreme": 0.01,
    "frechet": 2.0,
    "nearer_1": 0.5,
    "nearer_2": 0.5,
    "snapshots": 2,
    "drawn": 400,
    "watched": 96,
    "onset": 1.0,
    "began": 0,
    "passes": 100.0,
}


def table_of(change=None, seeds=3, sizes=SIZES):
    """Cells in which nothing happens but what `change(recipe, size)` says, and a little noise by seed."""
    rng = np.random.default_rng(0)
    rows = []
    for seed in range(seeds):
        for size in sizes:
            for recipe in models.RECIPES:
                own = change(recipe, size) if change else {}
                row = {**QUIET, **own}
                for name in ("copies", "excess_correlation", "correlation", "excess_correlation_blurred"):
                    row[name] = row[name] + (rng.normal(0, 0.002) if row[name] else 0.0)
                rows.append({"recipe": recipe, "size": size, "seed": seed, **row})
    return Table(tuple(rows))


def memorising(recipe, size):
    """As published: diffusion copies, most from few images, and begins later the more there are."""
    if recipe == "gan":
        return {}
    copies = {50: 0.6, 100: 0.3, 200: 0.05}[size]
    began = size < 200
    return {
        "copies": copies,
        "correlation": 0.9 + copies / 20,
        "excess_correlation": copies / 20,
        "extreme": copies,
        "nearer_2": 0.5 + copies / 2,
        "onset": {50: 0.2, 100: 0.6, 200: 1.0}[size],
        "began": int(began),
        "onset_passes": 40.0 if began else None,
    }


def found(table, claim, start=""):
    (first, *_) = [one for one in findings_of(table) if one.claim == claim and one.quantity.startswith(start)]
    return first


def test_the_catalogue_has_the_study():
    assert isinstance(study_named("memorisation"), Memorisation)


def test_weights_recover_a_slope_and_differences():
    rows = [
        {"recipe": recipe, "size": size, "seed": 0, "value": slope * np.log2(size) + 7}
        for recipe, slope in (("diffusion", -3.0), ("gan", 1.0))
        for size in SIZES
    ]
    table = Table(tuple(rows))
    assert by_seed(table, "value", per_doubling("diffusion", list(SIZES))) == pytest.approx([-3.0])
    gap = sum_of(per_doubling("diffusion", list(SIZES)), per_doubling("gan", list(SIZES)), -1.0)
    assert by_seed(table, "value", gap) == pytest.approx([-4.0])
    assert by_seed(table, "value", difference(50)) == pytest.approx([-4 * np.log2(50)])
    assert by_seed(table, "value", averaged("gan", list(SIZES))) == pytest.approx([np.log2(100) + 7])


def test_a_seed_with_a_missing_cell_is_left_out():
    table = Table(tuple(row for row in table_of(seeds=2) if row["seed"] == 0 or row["size"] != 50))
    assert len(by_seed(table, "copies", difference(50))) == 1
    assert len(by_seed(table, "copies", difference(100))) == 2


def test_shares_that_are_zero_everywhere_are_not_known_to_the_last_digit():
    table = table_of(seeds=1)
    share = 1 / 402
    expected = 1.959964 * np.sqrt(share * (1 - share) / 402)
    assert chance_of_shares(table, "copies", one("gan", 50), "drawn") == pytest.approx(expected, rel=1e-5)
    assert chance_of_shares(table_of(seeds=4), "copies", one("gan", 50), "drawn") == pytest.approx(expected / 2)


def test_fewer_entries_than_in_the_holdout_are_no_error():
    beyond = Table(tuple({**row, "copies": -0.02} for row in table_of()))
    assert np.isfinite(chance_of_shares(beyond, "copies", one("gan", 50), "drawn"))


def test_memorisation_as_published_is_found():
    table = table_of(memorising)
    assert found(table, "more").verdict == "holds"
    assert found(table, "more", "diffusion less GAN, 50").value == pytest.approx(0.6, abs=0.01)
    assert found(table, "more", "diffusion model, 50").verdict == "holds"
    assert found(table, "more", "GAN, 50").verdict == "not told apart"
    assert found(table, "small").verdict == "holds"
    assert found(table, "small").value == pytest.approx(-0.275, abs=0.01)
    assert found(table, "correlation", "rank").verdict == "holds"
    assert (
        found(table, "correlation", "per doubling of the training set: highest correlation of the").verdict == "holds"
    )
    assert found(table, "onset", "diffusion model, 50 images: share nearer").verdict == "holds"
    assert found(table, "onset", "diffusion model, 50 images: share of").value == 1.0
    assert found(table, "later").verdict == "holds"


def test_a_gan_that_copies_more_contradicts_the_claims():
    table = table_of(lambda recipe, size: memorising({"gan": "diffusion", "diffusion": "gan"}[recipe], size))
    assert found(table, "more").verdict == "contradicted"
    assert found(table, "more").sentence.startswith("Contradicted: ")
    assert found(table, "small").verdict == "contradicted"
    assert found(table, "later").verdict == "not asked"


def test_where_nobody_copies_nothing_is_claimed():
    table = table_of()
    for claim in ("more", "small"):
        first = found(table, claim)
        assert first.verdict == "not told apart"
        assert first.interval[0] < 0 < first.interval[1]
    assert found(table, "correlation", "rank").verdict == "not asked"
    assert found(table, "onset").verdict == "not told apart"
    assert found(table, "onset", "diffusion model, 50 images: share of").verdict == "not told apart"


def test_blur_that_raises_the_correlation_contradicts_the_published_score():
    assert found(table_of(), "correlation", "blurred").verdict == "contradicted"
    lower = table_of(lambda recipe, size: {"excess_correlation_blurred": -0.02})
    assert found(lower, "correlation", "blurred").verdict == "holds"


def test_poor_images_of_a_gan_are_no_evidence_against_diffusion():
    table = table_of(lambda recipe, size: {"excess_correlation": -0.05 if recipe == "gan" else -0.01})
    calibrated = found(table, "more", "diffusion less GAN, all sizes: highest correlation beyond")
    assert (calibrated.verdict, calibrated.value) == ("not told apart", 0.0)


def test_models_of_unequal_quality_are_not_compared_as_equals():
    worse = table_of(lambda recipe, size: {"frechet": 8.0 if recipe == "gan" else 2.0})
    first = found(worse, "equals")
    assert (first.verdict, first.value) == ("contradicted", pytest.approx(0.25))
    assert found(table_of(), "equals").verdict == "holds"


def test_an_onset_that_comes_earlier_with_more_images_contradicts():
    early = table_of(lambda recipe, size: {"began": 1, "onset": 0.9 if size == 50 else 0.2, "snapshots": 10})
    assert found(early, "later").verdict == "contradicted"


def test_one_size_or_one_seed_is_not_asked_too_much():
    single = table_of(memorising, sizes=(50,))
    assert found(single, "small").verdict == "not asked"
    assert found(single, "later").verdict == "not asked"
    lone = found(table_of(memorising, seeds=1), "more")
    assert lone.interval is None
    assert lone.verdict == "not told apart"


def test_a_size_of_too_few_patients_to_be_watched_is_left_out_of_what_the_watch_saw():
    unseen = {"snapshots": 0, "nearer_1": None, "nearer_2": None, "onset": None, "began": None}
    table = table_of(lambda recipe, size: unseen if size == 50 else memorising(recipe, size))
    assert watched_sizes(table) == [100, 200]
    growth, *_ = [one for one in findings_of(table) if one.claim == "onset" and "last snapshot" in one.quantity]
    assert growth.quantity.startswith("diffusion model, 100 images")
    assert growth.verdict == "holds"
    assert found(table, "later").verdict in ("holds", "not told apart")
    assert found(table, "more").quantity.startswith("diffusion less GAN, all sizes:")


def test_the_course_of_a_training_is_read_from_its_record():
    looks = [{"step": 50, "share": 0.4}, {"step": 100, "share": 0.9}]
    course = course_of({"memorisation": {"onset": 50, "looks": looks}}, 100, 20, 8)
    assert course["nearer_1"] == 0.4
    assert course["nearer_2"] == 0.9
    assert (course["onset"], course["began"], course["onset_passes"], course["passes"]) == (0.5, 1, 20.0, 40.0)
    none = course_of({"memorisation": {"onset": None, "looks": looks}}, 100, 20, 8)
    assert (none["onset"], none["began"], none["onset_passes"]) == (1.0, 0, None)
    unwatched = course_of({}, 100, 20, 8)
    assert (unwatched["onset"], unwatched["began"], unwatched["snapshots"]) == (None, None, 0)


@pytest.fixture(scope="module")
def real():
    found = {}
    for place, (name, count) in enumerate({"holdout": 60, "training": 40, "fresh": 30}.items()):
        found[name] = phantoms("brain", count, size=16, seed=3, first_patient=1000 * place).take(range(count))
    return found


def sets(real):
    return {
        name: ImageSet.from_array(real[name].images, name=name, patients=list(real[name].patients))
        for name in ("training", "holdout")
    }


def test_copies_are_listed_and_fresh_patients_are_not(real):
    noise = np.random.default_rng(0).normal(0, 0.01, (15, 1, 16, 16)).astype(np.float32)
    copied = np.clip(real["training"].images[:15] + noise, 0, 1)
    mixed = figures_of(np.concatenate([copied, real["fresh"].images[:15]]), sets(real), 0)
    fresh = figures_of(real["fresh"].images, sets(real), 0)
    assert mixed["copies"] > 0.35
    assert fresh["copies"] <= 0.1
    assert mixed["excess_correlation"] > fresh["excess_correlation"]
    assert mixed["correlation"] == pytest.approx(mixed["excess_correlation"] + mixed["correlation_null"])


def test_poor_images_are_far_from_fresh_ones(real):
    noise = np.random.default_rng(0).random((30, 1, 16, 16)).astype(np.float32)
    assert figures_of(noise, sets(real), 0)["frechet"] > 5 * figures_of(real["fresh"].images, sets(real), 0)["frechet"]


class Tiny(Memorisation):
    scales: ClassVar = {
        "quick": Scale(
            0.1,
            {
                **Memorisation.scales["quick"].settings,
                "smallest": 20,
                "sizes": 1,
                "holdout": 60,
                "drawn": 16,
                "snapshots": 1,
                "diffusion_steps": 4,
                "diffusion_batch": 4,
                "width": 8,
                "patch": 4,
                "gan_steps": 4,
                "gan_batch": 4,
                "gan_channels": 4,
                "latent": 8,
            },
            seeds=1,
        )
    }


def test_the_study_runs_reports_and_goes_on_from_its_models(tmp_path, monkeypatch):
    source = PhantomImages("brain", 16)
    result = run_study(Tiny(), tmp_path, scale="quick", source=source)
    assert len(result.table) == 2
    assert {finding.claim for finding in result.findings} == {claim.key for claim in Memorisation.claims}
    page = result.report(tmp_path).read_text(encoding="utf-8")
    assert "Diffusion models memorise training images more" in page
    assert (tmp_path / "course.png").exists()

    def retrained(*args, **options):
        raise AssertionError("a model that is kept is trained again")

    monkeypatch.setattr(models, "train", retrained)
    (tmp_path / "cells" / "gan-20-0.json").unlink()
    assert run_study(Tiny(), tmp_path, scale="quick", source=source).table == result.table
