from pathlib import Path

import numpy as np
import pytest

import fourfold as ff
from fourfold.errors import InputError
from fourfold.generate.conditioning import Conditioning, Conditions
from fourfold.generate.generator import Drawing
from fourfold.generate.recipe import Run, recipe
from fourfold.generate.training_set import TrainingSet, patients_of
from fourfold.images import ImageSet, prepare

PATIENTS = 40
ADVERSARIES = ("copier", "collapsed")


@pytest.fixture(scope="module")
def chests():
    """Training, holdout and fresh phantoms of as many patients each."""
    found = ff.phantoms("chest", 3 * PATIENTS, size=32, seed=3)
    numbers = np.unique(found.patients, return_inverse=True)[1]
    roles = ("training", "holdout", "fresh")
    return {role: found.take(numbers // PATIENTS == place) for place, role in enumerate(roles)}


@pytest.fixture(scope="module")
def data(chests):
    images = prepare({"training": chests["training"].to_image_set("training")})["training"]
    patients, identified = patients_of(images)
    conditioning = Conditioning.fit(("class",), images, patients)
    return TrainingSet(images, conditioning, conditioning.read(images), patients, identified)


def fit(name, data, seed=0, **options):
    found = recipe(name)
    found.check(data)
    return found.fit(data, found.Options(**options), Run(Path(), seed=seed))


def drawn_set(generator, n):
    conditions = generator.conditioning.draw(range(n))
    images = generator.draw(range(n), conditions, Drawing())
    return ImageSet.from_array(images, name="synthetic", labels=conditions.columns["class"])


def drawn(generator, n, label):
    return generator.draw(range(n), Conditions(n, {"class": np.full(n, label)}), Drawing())


@pytest.fixture(scope="module")
def scores(chests, data):
    """Scores of four synthetic sets in the space of pixels, by set."""
    sets = {name: drawn_set(fit(name, data)[0], 80) for name in (*ADVERSARIES, "gaussian")}
    sets["fresh"] = chests["fresh"].to_image_set("synthetic")
    quick = ["privacy/authenticity", "privacy/highest_correlation", "variety/coverage", "variety/recall"]
    return {
        name: ff.evaluate(
            synthetic,
            chests["training"].to_image_set("training"),
            chests["holdout"].to_image_set("holdout"),
            features=("pixels",),
            # The search for copies takes seconds, so only the two that are to differ are searched.
            only=[*quick, "privacy/copies"] if name in ADVERSARIES else quick,
            scaling="0:1",
            store=False,
        )
        for name, synthetic in sets.items()
    }


def worst(scores, key, sign):
    return min(scores, key=lambda name: sign * scores[name][key].value)


def test_the_copier_is_worst_on_privacy(scores):
    assert worst(scores, "privacy/authenticity", 1) == "copier"
    assert worst(scores, "privacy/highest_correlation", -1) == "copier"
    assert scores["copier"]["privacy/copies"].value > 0.9
    assert scores["collapsed"]["privacy/copies"].value < 0.1


def test_the_collapsed_generator_is_worst_on_variety(scores):
    assert worst(scores, "variety/coverage", 1) == "collapsed"
    assert worst(scores, "variety/recall", 1) == "collapsed"
    assert scores["collapsed"]["variety/coverage"].value < scores["collapsed"]["variety/coverage"].null - 0.2


def test_the_copier_shows_training_images_of_the_class_and_says_so(data):
    generator, record = fit("copier", data, noise=0)
    known = {image.tobytes() for image in data.load()[data.labels == "lesion"]}
    assert {image.tobytes() for image in drawn(generator, 60, "lesion")} <= known
    assert record["holds_patient_images"]
    assert "never share it" in record["warnings"][0]
    assert recipe("copier").holds_patients


@pytest.mark.parametrize("prototypes", [1, 3])
def test_the_collapsed_generator_shows_a_few_images_a_class_none_of_them_a_patients(data, prototypes):
    generator, record = fit("collapsed", data, prototypes=prototypes, noise=0)
    shown = {label: {image.tobytes() for image in drawn(generator, 60, label)} for label in ("lesion", "normal")}
    assert [len(images) for images in shown.values()] == [prototypes, prototypes]
    assert not shown["lesion"] & shown["normal"]
    images = data.load().reshape(len(data), -1)
    made = generator.stored.images.reshape(-1, images.shape[1])
    apart = np.linalg.norm(images[:, None] - images, axis=2)
    nearest_real = np.median(np.where(np.eye(len(images), dtype=bool), np.inf, apart).min(axis=1))
    assert np.linalg.norm(made[:, None] - images, axis=2).min() > 0.5 * nearest_real
    assert "holds_patient_images" not in record


@pytest.mark.parametrize("name", ADVERSARIES)
def test_noise_has_the_strength_that_was_asked_for(name, data):
    quiet, loud = (drawn(fit(name, data, noise=noise)[0], 40, "normal") for noise in (0.0, 0.05))
    inside = (quiet > 0.2) & (quiet < 0.8)
    assert (loud - quiet)[inside].std() == pytest.approx(0.05, rel=0.05)


@pytest.mark.parametrize("name", ADVERSARIES)
def test_images_depend_on_seeds_alone_and_survive_restoring(name, data):
    generator, _ = fit(name, data)
    together = drawn(generator, 5, "normal")
    alone = generator.draw([3], Conditions(1, {"class": np.array(["normal"])}), Drawing())
    assert alone.tobytes() == together[3].tobytes()
    restored = type(generator).restore(data.shape, data.conditioning, generator.settings(), generator.arrays())
    assert drawn(restored, 5, "normal").tobytes() == together.tobytes()


def test_another_seed_collapses_onto_other_images(data):
    first, second = (fit("collapsed", data, seed=seed)[0].stored.images for seed in (0, 1))
    assert not np.array_equal(first, second)


@pytest.mark.parametrize("name", ADVERSARIES)
def test_volumes_in_colour_without_a_class_are_done_too(name):
    images = np.random.default_rng(0).random((12, 3, 4, 6, 5)).astype(np.float32)
    prepared = prepare({"training": ImageSet.from_array(images, name="training")}, scaling="0:1")["training"]
    data = TrainingSet(prepared, Conditioning(), Conditions(12), np.arange(12))
    shown = fit(name, data)[0].draw(range(4), Conditions(4), Drawing())
    assert shown.shape == (4, 3, 4, 6, 5)
    assert 0 <= shown.min() <= shown.max() <= 1


def test_options_out_of_range_are_refused():
    with pytest.raises(InputError, match="noise is a standard deviation from 0 up, got -1"):
        recipe("copier").Options(noise=-1)
    with pytest.raises(InputError, match="there is at least 1 prototype a class, got 0"):
        recipe("collapsed").Options(prototypes=0)
