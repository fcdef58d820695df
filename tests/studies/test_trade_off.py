import json
from typing import ClassVar

import numpy as np
import pytest

from fourfold.errors import InputError
from fourfold.images import ImageSet
from fourfold.images.reading import Reading as ImageReading
from fourfold.studies import PhantomImages, Scale, Table, own_images, run_study
from fourfold.studies.trade_off import TradeOff, generators
from fourfold.studies.trade_off.dealing import dealt
from fourfold.studies.trade_off.existence import best_duel, best_of, ordered_pairs, wins
from fourfold.studies.trade_off.findings import beast, imperfect, private
from fourfold.studies.trade_off.ladders import FRESH, LADDERS, Pictures, changed
from fourfold.studies.trade_off.readings import CALIBRATED, OTHERS, SPACES, OfSets, Reading, gaps, of_sets, sets_of
from fourfold.studies.trade_off.related import related
from fourfold.studies.trade_off.relations import side_of, within_ladders

FAMILIES = 10
RUNGS = 3
SEEDS = 3


def made_up(fidelity, variety, privacy, gain, *, kind="changed", noise=0.004, other_space=None):
    """A table of sets whose axes are what these functions of the dose make of it, in [0, 1]; 1 is the null."""
    rng = np.random.default_rng(4)
    rows = []
    for seed in range(SEEDS):
        for place in range(FAMILIES * RUNGS):
            dose = (place % RUNGS + 1 + place // RUNGS / FAMILIES) / (RUNGS + 1)
            row = {
                "set": f"family{place // RUNGS} {place % RUNGS}",
                "family": f"family{place // RUNGS}",
                "kind": kind,
                "rung": place % RUNGS,
                "seed": seed,
            }
            f, v, p, u = (
                float(ask(dose, rng)) + noise * rng.standard_normal() for ask in (fidelity, variety, privacy, gain)
            )
            for space in SPACES:
                f = float(other_space(dose, rng)) if other_space and space != SPACES[0] else f
                row |= {f"{space}_{name}": f for name in ("precision", "clipped_density")}
                row |= {f"{space}_{name}": v for name in ("recall", "coverage")}
                row |= {f"{space}_legacy_privacy": p, f"{space}_nearest_neighbour_ratio": 0.01}
                row |= {f"{space}_frechet_distance": 2 - f, f"{space}_frechet_distance_error": noise}
                row |= {f"{space}_{name}_null": 1.0 for name in ("precision", "clipped_density", "recall", "coverage")}
                row |= {f"{space}_{name}_error": noise for name in ("clipped_density", "recall", "coverage")}
                row |= {f"{space}_legacy_privacy_null": 1.0, f"{space}_frechet_distance_null": 1.0}
                row |= {f"{space}_nearest_neighbour_ratio_null": 0.01, f"{space}_nearest_neighbour_ratio_error": 0.002}
            row |= {"mean_image_file_size": 700 - 100 * v, "mean_image_file_size_null": 600.0}
            row |= {"membership": 1 - p / 2, "membership_null": 0.5, "membership_error": noise}
            row |= {"added_to_few": u, "added_to_few_null": 0.0, "added_to_few_error": noise}
            row |= {"in_place_of_real": 0.8 + u, "in_place_of_real_null": 0.8, "in_place_of_real_error": noise}
            rows.append(row)
    return Table(tuple(rows))


def rises(dose, rng):
    return 0.9 * dose


def falls(dose, rng):
    return 0.9 * (1 - dose)


def constant(dose, rng):
    return 0.5


def anything(dose, rng):
    return rng.uniform(0.1, 0.9)


ASKED = {"imperfect": imperfect, "beast": beast, "private": private}


def verdicts(table, claim):
    return {one.quantity: one.verdict for one in ASKED.get(claim, related)(table) if one.claim == claim}


@pytest.fixture(scope="module")
def traded():
    return made_up(falls, falls, rises, lambda dose, rng: 0.2 * (1 - dose))


def test_a_planted_trade_off_is_found_and_its_absence_contradicts_the_claim(traded):
    found = verdicts(traded, "trade-off")
    assert len(found) == 12
    for quantity, verdict in found.items():
        assert verdict == ("contradicted" if quantity.startswith("fidelity and variety") else "holds"), quantity


def test_unrelated_axes_are_not_told_apart():
    found = verdicts(made_up(anything, anything, anything, anything), "trade-off")
    assert list(found.values()).count("not told apart") >= 11


def test_a_verdict_needs_every_feature_space():
    found = verdicts(made_up(falls, constant, rises, constant, other_space=rises), "trade-off")
    assert found["fidelity and privacy, published, over all sets"] == "not told apart"


def test_being_closer_than_fresh_patients_is_no_merit_when_calibrated():
    table = made_up(lambda dose, rng: 1.2 + dose, constant, lambda dose, rng: 0.9 * (1 - dose), constant)
    assert (of_sets(table, CALIBRATED["fidelity"], SPACES[0]).values == 0).all()
    found = verdicts(table, "trade-off")
    assert found["fidelity and privacy, published, over all sets"] == "holds"
    assert found["fidelity and privacy, calibrated, over all sets"] == "not asked"


def test_fidelity_that_tells_usefulness_contradicts_the_claim(traded):
    assert set(verdicts(traded, "prediction").values()) == {"contradicted"}


def test_fidelity_that_tells_the_opposite_is_no_help():
    found = verdicts(made_up(falls, falls, constant, lambda dose, rng: 0.2 * dose), "prediction")
    assert set(found.values()) == {"holds"}


def test_usefulness_that_nothing_tells_is_not_told():
    found = verdicts(made_up(falls, falls, constant, anything), "prediction")
    assert set(found.values()) == {"not told apart"}


def test_useful_sets_of_low_fidelity_are_found_and_useless_ones_contradict():
    useful = made_up(falls, falls, constant, lambda dose, rng: 0.1)
    useless = made_up(falls, falls, constant, lambda dose, rng: -0.1)
    unclear = made_up(falls, falls, constant, lambda dose, rng: 0.0)
    assert set(verdicts(useful, "imperfect").values()) == {"holds"}
    assert set(verdicts(useless, "imperfect").values()) == {"contradicted"}
    assert set(verdicts(unclear, "imperfect").values()) == {"not told apart"}


def test_without_a_set_of_low_fidelity_nothing_is_said_of_them():
    table = made_up(lambda dose, rng: 1.0, lambda dose, rng: 1.0, constant, lambda dose, rng: 0.1)
    assert "holds" not in verdicts(table, "imperfect").values()


def test_low_fidelity_that_wins_is_found_and_where_it_always_loses_the_claim_is_contradicted():
    # The jitter of usefulness is kept small: every pair that differs in fidelity must differ in usefulness.
    winning = verdicts(made_up(falls, constant, constant, lambda dose, rng: dose, noise=0.0005), "beast")
    losing = verdicts(made_up(falls, constant, constant, lambda dose, rng: 1 - dose, noise=0.0005), "beast")
    assert set(winning.values()) == {"holds"}
    assert set(losing.values()) == {"contradicted"}


def test_a_useful_generator_that_gives_nobody_away_is_found():
    table = made_up(falls, falls, lambda dose, rng: 1.0, lambda dose, rng: 0.1, kind="trained")
    assert set(verdicts(table, "private").values()) == {"holds"}


@pytest.mark.parametrize(
    ("kind", "privacy", "gain"),
    [("trained", 0.3, 0.1), ("changed", 1.0, 0.1), ("trained", 1.0, 0.0)],
    ids=["told from others", "no generator", "useless"],
)
def test_what_is_not_private_useful_or_trained_is_no_such_generator(kind, privacy, gain):
    table = made_up(falls, falls, lambda dose, rng: privacy, lambda dose, rng: gain, kind=kind)
    assert "holds" not in verdicts(table, "private").values()


def test_findings_have_intervals_around_their_values(traded):
    found = TradeOff().findings(traded)
    assert {one.claim for one in found} == {claim.key for claim in TradeOff.claims}
    for one in found:
        assert (one.value is None) == (one.interval is None)
        assert one.value is None or one.interval[0] <= one.value <= one.interval[1]
        assert one.null is not None


@pytest.mark.parametrize("sets", [0, 1, 2])
def test_a_study_that_has_just_begun_has_findings(traded, sets):
    found = TradeOff().findings(Table(traded.rows[:sets]))
    assert {one.verdict for one in found if one.claim in ("trade-off", "prediction", "beast")} <= {"not asked"}


def test_cells_without_usefulness_leave_the_other_findings():
    table = made_up(falls, falls, rises, anything)
    bare = Table(tuple({**row, "added_to_few": None, "in_place_of_real": None} for row in table))
    assert verdicts(bare, "trade-off")["fidelity and privacy, calibrated, within ladders"] == "holds"
    assert set(verdicts(bare, "prediction").values()) == {"not asked"}


def test_a_ladder_starts_at_fresh_patients_where_their_images_were_changed():
    rows = [
        {"set": FRESH, "family": FRESH, "kind": "changed", "rung": 0, "seed": 0, "radiomics_precision": 1.0},
        *(
            {"set": name, "family": name, "kind": "changed", "rung": 1, "seed": 0, "radiomics_precision": 0.5}
            for name in "abcd"
        ),
    ]
    table = Table(tuple({**row, "radiomics_recall": 1 - float(row["radiomics_precision"])} for row in rows))
    precision, recall = Reading("fidelity", "published", "", "precision"), Reading("variety", "published", "", "recall")
    found = within_ladders(table, precision, recall, "radiomics")
    assert found.value == -1.0
    assert found.interval[0] == -1.0
    assert found.interval[1] < 0


def test_sides():
    assert side_of([(-0.5, -0.1), (-0.4, -0.2)], 0.0) == "below"
    assert side_of([(-0.5, -0.1), (-0.4, 0.2)], 0.0) == "neither"
    assert side_of([(0.1, 0.2)], 0.0) == "above"


def test_the_best_of_many_sets_is_held_to_all_of_them():
    figures = OfSets(np.array([0.10, 0.11, -0.2]), np.array([0.01, 0.05, 0.01]))
    one, many = (best_of(figures, np.array([False, True, True]), sets) for sets in (1, 50))
    assert (one.place, many.place) == (1, 1)
    assert one.interval[0] > 0 > many.interval[0]
    assert best_of(figures, np.zeros(3, dtype=bool), 3) is None


def test_pairs_are_ordered_only_where_every_space_agrees():
    first = OfSets(np.array([0.0, 1.0, 2.0]), np.full(3, 0.01))
    second = OfSets(np.array([0.0, 2.0, 1.0]), np.full(3, 0.01))
    assert ordered_pairs([first, second]).tolist() == [[0, 1], [0, 2]]


def test_what_seeds_have_in_common_does_not_blur_a_duel():
    rng = np.random.default_rng(0)
    seeds = np.array([0.0, 5.0, -5.0])
    useful = np.array([[0.3], [0.0], [0.1]]) + seeds + 0.001 * rng.standard_normal((3, 3))
    duel = best_duel(np.array([[0, 1], [1, 2]]), useful)
    assert (duel.worse, duel.better) == (0, 1)
    assert duel.interval[0] > 0.2
    assert best_duel(np.array([[0, 1]]), useful[:, :1]) is None


def test_wins_are_counted_with_room_for_families_that_were_not_there():
    useful = np.arange(6.0)[:, None] + np.zeros((6, 3)) + 0.01 * np.random.default_rng(3).standard_normal((6, 3))
    pairs = np.argwhere(np.triu(np.ones((6, 6), dtype=bool), 1))
    lost, own = wins(pairs, useful, np.arange(6)), wins(pairs[:, ::-1], useful, np.arange(6))
    assert (lost.share, own.share, lost.pairs) == (0.0, 1.0, 15)
    assert lost.interval == pytest.approx((0.0, 1 - 0.025 ** (1 / 6)))
    assert own.interval == pytest.approx((0.025 ** (1 / 6), 1.0))
    mixed = wins(np.concatenate([pairs, pairs[:, ::-1]]), useful, np.arange(6))
    assert mixed.share == 0.5
    assert wins(pairs[:1], useful, np.arange(6)) is None


def test_a_duel_of_equals_is_not_won_more_often_than_stated():
    rng = np.random.default_rng(1)
    pairs = np.argwhere(~np.eye(12, dtype=bool))
    told = [best_duel(pairs, rng.standard_normal((12, 3))).interval[0] > 0 for _ in range(200)]
    assert np.mean(told) <= 0.08


def test_a_frechet_distance_is_held_against_its_null_as_a_ratio():
    row = {"set": "a", "family": "a", "kind": "changed", "rung": 0, "seed": 0}
    table = Table(({**row, "radiomics_frechet_distance": 20.0, "radiomics_frechet_distance_null": 5.0},))
    assert gaps(table, OTHERS["fid"], "radiomics").values == pytest.approx([-np.log(4)])


@pytest.fixture(scope="module")
def pictures():
    rng = np.random.default_rng(2)
    return [
        Pictures(rng.random((40, 1, 16, 16), dtype=np.float32), np.repeat(["lesion", "normal"], [14, 26]))
        for _ in range(2)
    ]


@pytest.mark.parametrize("family", LADDERS)
def test_ladders_keep_size_and_range_and_the_same_seed_gives_the_same_set(family, pictures):
    fresh, training = pictures
    before = fresh.images.copy()
    strength = LADDERS[family].strengths[-1]
    one, again = (changed(family, strength, fresh, training, 3) for _ in range(2))
    assert one.images.shape == fresh.images.shape
    assert one.images.min() >= 0
    assert one.images.max() <= 1
    np.testing.assert_array_equal(one.images, again.images)
    np.testing.assert_array_equal(one.labels, again.labels)
    assert set(one.labels) == {"lesion", "normal"}
    np.testing.assert_array_equal(fresh.images, before)


@pytest.mark.parametrize("family", sorted(set(LADDERS) - {"mislabelled", "rarer class", "collapsed", "copied"}))
def test_a_stronger_rung_moves_images_further(family, pictures):
    fresh, training = pictures
    start = training if family == "copied and blurred" else fresh
    moved = [
        float(np.abs(changed(family, strength, fresh, training, 0).images - start.images).mean())
        for strength in LADDERS[family].strengths
    ]
    assert moved == sorted(moved)
    assert moved[0] > 0


def test_copies_are_training_images_with_their_classes(pictures):
    fresh, training = pictures
    made = changed("copied", 0.6, fresh, training, 0)
    for image, label in zip(made.images, made.labels, strict=True):
        same = (training.images == image).all(axis=(1, 2, 3))
        if same.any():
            assert label == training.labels[same][0]
    copied = sum((training.images == image).all(axis=(1, 2, 3)).any() for image in made.images)
    assert copied == 24


def test_the_rarer_class_gets_rarer_and_no_new_image_appears(pictures):
    fresh, training = pictures
    made = changed("rarer class", 0.4, fresh, training, 0)
    assert (made.labels == "lesion").sum() == 8
    assert all((fresh.images == image).all(axis=(1, 2, 3)).any() for image in made.images)


@pytest.mark.parametrize("scale", ["quick", "full"])
def test_every_cell_has_a_name_and_the_strongest_rungs_are_asked(scale):
    study = TradeOff()
    cells = study.cells(study.scales[scale])
    assert len({cell.key for cell in cells}) == len(cells)
    settings = [(cell.settings["family"], cell.settings["strength"]) for cell in cells if cell.seed == 0]
    assert len(set(settings)) == len(settings)
    for family, ladder in LADDERS.items():
        assert (family, ladder.strengths[-1]) in settings
    trained = {family for family, _ in settings} - set(LADDERS) - {FRESH}
    networks = {"gan", "diffusion"} if scale == "full" else set()
    assert trained == {"gaussian", "mixture", "smote", "kde", "vae"} | networks


class Tiny(TradeOff):
    """A few sets of small images."""

    scales: ClassVar = {
        "quick": Scale(
            0.1,
            {
                "images": 48,
                "test_images": 48,
                "few_images": 32,
                "rungs": 1,
                "vae_steps": 0,
                "gan_steps": 0,
                "diffusion_steps": 0,
            },
            seeds=1,
        ),
        "full": TradeOff.scales["full"],
    }


def test_a_small_study_runs_and_its_page_is_written(tmp_path, monkeypatch):
    few = {"blurred": LADDERS["blurred"], "copied": LADDERS["copied"]}
    monkeypatch.setattr("fourfold.studies.trade_off.study.LADDERS", few)
    monkeypatch.setattr(generators, "GENERATORS", {"gaussian": generators.GENERATORS["gaussian"]})
    result = run_study(Tiny(), tmp_path, scale="quick", source=PhantomImages("chest", 16))
    assert sets_of(result.table).names == (FRESH, "blurred 2", "copied 1", "gaussian 1")
    copied, fresh, blurred = (result.table.where(set=name) for name in ("copied 1", FRESH, "blurred 2"))
    assert copied.column("radiomics_legacy_privacy") == 0.0
    assert copied.column("membership") > 0.9 > fresh.column("membership")
    assert np.isfinite(fresh.column("added_to_few")).all()
    assert blurred.column("radiomics_frechet_distance") > 10 * fresh.column("radiomics_frechet_distance_null")
    page = result.report(tmp_path)
    assert "Fidelity, variety and privacy of every set" in page.read_text(encoding="utf-8")
    document = json.loads((tmp_path / "study.json").read_text(encoding="utf-8"))
    assert {one["claim"] for one in document["findings"]} == {claim.key for claim in TradeOff.claims}
    assert (tmp_path / "useful-and-private.png").exists()


def test_a_model_is_trained_once_for_all_sets_that_are_drawn_from_it(tmp_path, monkeypatch):
    scale = Tiny.scales["quick"]
    training = dealt(PhantomImages("chest", 16), 0, {"training": 40})["training"]
    calls = []
    train = generators.train
    monkeypatch.setattr(generators, "train", lambda *given, **options: calls.append(1) or train(*given, **options))

    def draw(setting, seed=0):
        return generators.drawn(
            "gaussian", setting, training, scale, tmp_path, "phantoms", seed, lambda task, done, total: None
        )

    whole, narrow, again = draw(1.0), draw(0.2), draw(1.0)
    assert len(calls) == 1
    np.testing.assert_array_equal(whole.images, again.images)
    assert narrow.images.std(axis=0).mean() < 0.5 * whole.images.std(axis=0).mean()
    names, counts = np.unique(training.labels, return_counts=True)
    assert {name: int((whole.labels == name).sum()) for name in names} == dict(zip(names, counts.tolist(), strict=True))
    draw(1.0, seed=1)
    assert len(calls) == 2


def test_images_without_classes_are_refused():
    images = np.random.default_rng(0).random((60, 1, 16, 16), dtype=np.float32)
    source = own_images(ImageSet.from_array(images), ImageReading())
    with pytest.raises(InputError, match=r"needs a class for every image, two classes or more; add a column"):
        dealt(source, 0, {"training": 20})
