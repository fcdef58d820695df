import json
from dataclasses import replace

import numpy as np
import pytest

from fourfold.errors import InputError
from fourfold.features import extract, get
from fourfold.images import ImageSet, prepare
from fourfold.images.phantoms import phantoms
from fourfold.images.sets import Entry
from fourfold.privacy import isolation_test
from fourfold.releasing.selection import METHODS, consistency, rare_labels, select, select_published, strata

SIZE = 32


@pytest.fixture(scope="module")
def sets():
    """Training, holdout, calibration and fresh phantoms, of whom the fresh ones are candidates."""
    sizes = {"training": 100, "holdout": 100, "calibration": 60, "candidates": 130}
    parts, first = {}, 0
    for name, patients in sizes.items():
        found = phantoms("chest", patients, size=SIZE, images_per_patient=2, first_patient=first, seed=8)
        parts[name] = found.to_image_set(name)
        first += patients
    return prepare(parts)


def everyone(images):
    return np.ones(len(images), dtype=bool)


def chosen(sets, candidates=None, allowed=None, **options):
    candidates = sets["candidates"] if candidates is None else candidates
    allowed = everyone(candidates) if allowed is None else allowed
    return select(candidates, allowed, sets["training"], sets["calibration"], **options)


def test_a_release_has_the_classes_of_the_training_set(sets):
    found = chosen(sets, count=100)
    share = np.mean(sets["training"].labels == "lesion")
    assert len(found.rows) == len(set(found.rows.tolist())) == 100
    assert np.mean(sets["candidates"].labels[found.rows] == "lesion") == pytest.approx(share, abs=0.005)
    assert found.figures["balance"]["short"] == {}


@pytest.mark.parametrize("method", METHODS)
def test_the_order_of_the_candidates_changes_nothing(sets, method):
    candidates = sets["candidates"]
    order = np.random.default_rng(3).permutation(len(candidates))
    allowed = np.arange(len(candidates)) % 3 > 0
    one = chosen(sets, allowed=allowed, count=50, method=method, seed=5)
    two = chosen(sets, candidates.take(order), allowed[order], count=50, method=method, seed=5)
    assert one.rows.tolist() == order[two.rows].tolist()


def test_another_seed_is_another_release_and_another_order(sets):
    one, two = chosen(sets, count=50, seed=1), chosen(sets, count=50, seed=2)
    assert set(one.rows.tolist()) != set(two.rows.tolist())
    assert not np.all(np.diff(one.rows) > 0)


def test_nothing_that_was_refused_is_chosen(sets):
    candidates = sets["candidates"]
    rng = np.random.default_rng(4)
    allowed, outside = rng.random(len(candidates)) < 0.6, rng.random(len(candidates)) < 0.2
    found = chosen(sets, allowed=allowed, outside=outside)
    assert np.all(allowed[found.rows] & ~outside[found.rows] & found.label_gate[found.rows])
    assert found.figures["allowed"] == allowed.sum()
    assert found.figures["outside"] == outside.sum()


def test_equal_pixels_are_released_once(sets):
    candidates = sets["candidates"]
    twice = candidates.take([*range(len(candidates)), *range(40)])
    found = chosen(sets, twice)
    pixels = {image.tobytes() for image in twice.load(found.rows)}
    assert len(pixels) == len(found.rows)
    assert found.figures["duplicates"] == np.sum(found.label_gate[:40])


def test_labels_that_hardly_anybody_carries_are_not_released(sets):
    def renamed(images, rows):
        entries = [replace(entry, label="rare") if row in rows else entry for row, entry in enumerate(images.entries)]
        return replace(images, entries=tuple(entries))

    training = renamed(sets["training"], range(8))  # four patients with two images each
    candidates = renamed(sets["candidates"], range(30))
    assert rare_labels(training) == {"rare"}
    assert rare_labels(training, k=4) == frozenset()
    found = chosen({**sets, "training": training}, candidates)
    assert found.rows.min() >= 30
    assert found.figures["rare_labels"] == {"fewer_than": 5, "labels": 1, "candidates": 30}
    unseen = chosen(sets, candidates)
    assert unseen.rows.min() >= 30


def test_a_shortage_is_recorded(sets):
    candidates = sets["candidates"]
    scarce = np.flatnonzero(candidates.labels == "lesion")[10:]
    allowed = everyone(candidates)
    allowed[scarce] = False
    found = chosen(sets, allowed=allowed, count=100, balance="equal")
    lesions = int(np.sum(candidates.labels[found.rows] == "lesion"))
    assert lesions <= 10
    assert found.figures["balance"]["short"] == {"lesion": 50 - lesions}
    scaled = chosen(sets, allowed=allowed, balance="equal")
    assert len(scaled.rows) == 2 * lesions
    assert scaled.figures["balance"]["scaled_to"] == "lesion"


def test_a_class_without_candidates_is_named(sets):
    found = chosen(sets, allowed=sets["candidates"].labels == "normal")
    assert found.figures["balance"]["missing"] == ["lesion"]
    assert set(sets["candidates"].labels[found.rows]) == {"normal"}


def test_images_without_labels_are_one_stratum(sets):
    bare = {
        name: replace(images, entries=tuple(replace(entry, label=None) for entry in images.entries))
        for name, images in sets.items()
    }
    found = chosen(bare, count=40, method="herding")
    assert len(found.rows) == 40
    assert found.label_gate.all()
    assert "no labels" in found.figures["label_gate"]["reason"]
    with pytest.raises(InputError, match="the candidates have labels and the training set has none; label both"):
        chosen({**sets, "training": bare["training"]})
    with pytest.raises(InputError, match="the training set has labels and the candidates have none; label both"):
        chosen({**sets, "candidates": bare["candidates"]})


def test_combinations_of_findings_are_strata(sets):
    def marked(images):
        entries = [
            replace(entry, label=None, labels={"lesion": float(entry.label == "lesion"), "device": float(row % 4 == 0)})
            for row, entry in enumerate(images.entries)
        ]
        return replace(images, entries=tuple(entries))

    found = chosen({name: marked(images) for name, images in sets.items()}, count=60)
    assert set(found.figures["balance"]["given"]) == {"device", "lesion", "device + lesion", "no finding"}
    assert sum(found.figures["balance"]["given"].values()) == len(found.rows) == 60


def test_an_unknown_finding_is_marked():
    entries = (Entry("a", labels={"mass": 1.0, "edema": float("nan")}), Entry("b", labels={"mass": 0.0, "edema": 0.0}))
    assert strata(ImageSet("training", entries, lambda entry: None)).tolist() == ["edema? + mass", "no finding"]


def test_too_few_calibration_patients_of_a_class_are_not_looked_at(sets):
    few = np.flatnonzero(sets["calibration"].labels == "lesion")[:6]
    kept = [*np.flatnonzero(sets["calibration"].labels == "normal"), *few]
    found = chosen({**sets, "calibration": sets["calibration"].take(kept)}, count=40, method="herding")
    assert found.figures["method"]["at_random"] == ["lesion"]


@pytest.mark.parametrize("method", ["random", "ratio", "k-center"])
def test_selection_leaves_the_nearest_person_to_chance(sets, method):
    radiomics = get("radiomics")
    training, holdout = (extract(sets[name], radiomics) for name in ("training", "holdout"))
    spread = training.std(axis=0) + 1e-6
    rows = chosen(sets, count=120, method=method).rows
    found = isolation_test(
        extract(sets["candidates"].take(rows), radiomics) / spread,
        training / spread,
        holdout / spread,
        training_persons=np.repeat(np.arange(100), 2),
        holdout_persons=np.repeat(np.arange(100), 2),
        labels=199,
    )
    assert found.nearest.p_upper > 0.02
    assert found.nearest.p_lower > 0.02


def test_figures_are_aggregates_that_json_can_hold(sets):
    found = chosen(sets, count=20)
    text = json.dumps(found.figures)
    assert not any(patient in text for patient in set(sets["training"].patients))
    assert found.figures["images"] == 20


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"allowed": np.ones(3, dtype=bool)}, "allowed must have one entry for each of the 260 candidates"),
        ({"outside": np.ones(3, dtype=bool)}, "outside must have one entry for each of the 260 candidates"),
        ({"gate_share": 1.0}, r"must be in \(0, 1\), got 1"),
        ({"method": "best"}, "no method of selection 'best'"),
        ({"count": 0}, "at least 1 image, got 0"),
    ],
)
def test_wrong_calls_are_refused(sets, options, message):
    with pytest.raises(InputError, match=message):
        chosen(sets, **options)


def test_a_method_that_looks_at_calibration_patients_is_refused_without_them(sets):
    with pytest.raises(InputError, match="'herding' needs calibration patients"):
        select(sets["candidates"], everyone(sets["candidates"]), sets["training"], method="herding")
    assert len(select(sets["candidates"], everyone(sets["candidates"]), sets["training"], count=10).rows) == 10


def test_consistency_is_least_where_predictions_agree():
    source = np.array([[0.2, 0.8]])
    found = [consistency(source, np.array([[p, 1 - p]]))[0] for p in (0.1, 0.2, 0.4, 0.9)]
    assert np.argmin(found) == 1
    assert found[0] < found[3]
    assert np.isfinite(consistency(np.array([[0.0, 1.0]]), np.array([[1.0, 0.0]]))[0])


def published(sets, allowed=None, seed=0):
    """Four candidates a source: the image itself, two of other patients, and noise."""
    training = sets["training"]
    rng = np.random.default_rng(6)
    sources = np.repeat(np.arange(len(training)), 4)
    images = np.empty((len(sources), *training.shape), dtype=np.float32)
    own = training.load()
    images[0::4], images[1::4], images[2::4] = own, *(0.98 * own[rng.permutation(len(own))] for _ in range(2))
    images[3::4] = rng.random(own.shape, dtype=np.float32)
    candidates = ImageSet.from_array(images, name="candidates", labels=list(training.labels[sources]))
    candidates = replace(candidates, preparation=training.preparation)
    allowed = everyone(candidates) if allowed is None else allowed
    return select_published(candidates, allowed, sources, training, seed=seed), sources


def test_the_published_choice_is_the_candidate_that_is_seen_most_like_its_source(sets):
    found, sources = published(sets)
    assert len(set(sources[found.rows].tolist())) == len(found.rows)
    assert np.mean(found.rows % 4 == 0) > 0.9
    assert found.figures["consistency"]["chosen"] < found.figures["consistency"]["all"]


def test_a_vetoed_candidate_never_wins_however_consistent_it_is(sets):
    allowed = np.arange(4 * len(sets["training"])) % 4 != 0
    allowed[:4] = False
    found, sources = published(sets, allowed)
    assert allowed[found.rows].all()
    assert 0 not in sources[found.rows]
    assert found.figures["given_up"] >= 1


def test_the_order_of_a_published_release_says_nothing_about_its_sources(sets):
    found, sources = published(sets)
    places = sources[found.rows]
    assert abs(np.corrcoef(np.arange(len(places)), places)[0, 1]) < 0.25
