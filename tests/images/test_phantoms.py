from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from fourfold.errors import InputError
from fourfold.images.phantoms import Phantoms, phantoms

KINDS = ("chest", "brain")


def correlations(images: np.ndarray) -> np.ndarray:
    """Correlation of every pair of images, once what all images share is removed."""
    flat = images.reshape(len(images), -1)
    flat = flat - flat.mean(0)
    return np.corrcoef(flat)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("size", [32, (48, 40), (16, 24, 20)])
def test_images_are_float32_in_the_unit_range_and_of_the_asked_shape(kind, size):
    found = phantoms(kind, 4, images_per_patient=2, size=size)
    shape = (size, size) if isinstance(size, int) else size
    assert found.images.shape == (8, 1, *shape)
    assert found.masks.shape == found.images.shape
    assert found.images.dtype == np.float32
    assert found.masks.dtype == bool
    assert found.images.min() >= 0
    assert found.images.max() <= 1
    assert found.images.std() > 0.1


@pytest.mark.parametrize("kind", KINDS)
def test_a_patient_is_the_same_whatever_is_asked_beside_them(kind):
    many = phantoms(kind, 6, images_per_patient=3, size=32, seed=4)
    alone = phantoms(kind, 1, images_per_patient=1, size=32, seed=4, first_patient=5)
    row = np.flatnonzero(many.patients == "P00005")[0]
    assert np.array_equal(alone.images[0], many.images[row])
    assert alone.labels[0] == many.labels[row]
    assert np.array_equal(alone.acquisition[0], many.acquisition[row])
    other_seed = phantoms(kind, 1, images_per_patient=1, size=32, seed=5, first_patient=5)
    assert not np.allclose(alone.images, other_seed.images, atol=0.1)


def test_a_patient_looks_the_same_at_another_size():
    small = phantoms("chest", 10, images_per_patient=1, size=32).images
    large = phantoms("chest", 10, images_per_patient=1, size=128).images
    shrunk = large.reshape(10, 1, 32, 4, 32, 4).mean((3, 5))
    among = np.corrcoef((small - small.mean(0)).reshape(10, -1), (shrunk - shrunk.mean(0)).reshape(10, -1))[:10, 10:]
    assert np.array_equal(among.argmax(1), np.arange(10))


@pytest.mark.parametrize("kind", KINDS)
def test_fresh_patients_follow_the_same_law(kind):
    first = phantoms(kind, 250, images_per_patient=1, size=32)
    fresh = phantoms(kind, 250, images_per_patient=1, size=32, first_patient=250)
    assert not set(first.patients) & set(fresh.patients)
    features = [
        [
            population.images.mean((1, 2, 3)),
            population.images.std((1, 2, 3)),
            np.abs(np.diff(population.images)).mean((1, 2, 3)),
            population.images[:, 0, 16, 16],
            population.images[:, 0, 12, 9],
            population.masks.mean((1, 2, 3)),
            (population.labels == "lesion").astype(float),
        ]
        for population in (first, fresh)
    ]
    chances = [stats.ks_2samp(one, two).pvalue for one, two in zip(*features, strict=True)]
    assert min(chances) > 0.01 / len(chances)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("size", [64, (16, 24, 20)])
def test_images_of_one_patient_are_alike_but_no_copies(kind, size):
    found = phantoms(kind, 60, images_per_patient=2, size=size)
    alike = correlations(found.images)
    same = found.patients[:, None] == found.patients[None]
    within = alike[same & ~np.eye(len(found), dtype=bool)]
    between = alike[~same]
    assert np.median(within) > np.quantile(between, 0.99)
    assert within.max() < 0.99


def test_patients_differ_in_many_directions():
    images = phantoms("chest", 300, images_per_patient=1).images.reshape(300, -1)
    spectrum = np.linalg.svd(images - images.mean(0), compute_uv=False) ** 2
    needed = np.searchsorted(np.cumsum(spectrum) / spectrum.sum(), 0.9)
    assert needed > 40


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("size", [64, (20, 32, 28)])
def test_masks_lie_on_lesions_and_nowhere_else(kind, size):
    ill = phantoms(kind, 30, images_per_patient=1, size=size, prevalence=1.0)
    well = phantoms(kind, 30, images_per_patient=1, size=size, prevalence=0.0)
    changed = np.abs(ill.images - well.images)
    inside = np.array([change[mask].mean() for change, mask in zip(changed, ill.masks, strict=True)])
    outside = np.array([change[~mask].mean() for change, mask in zip(changed, ill.masks, strict=True)])
    assert np.all(inside > 10 * outside)
    assert np.all(inside > 0.02)


@pytest.mark.parametrize("kind", KINDS)
def test_exactly_the_images_of_the_second_class_have_a_mask(kind):
    found = phantoms(kind, 60, size=32, classes=("healthy", "mass"), prevalence=0.5)
    assert set(found.labels) == {"healthy", "mass"}
    assert np.array_equal(found.masks.any((1, 2, 3)), found.labels == "mass")
    for patient in np.unique(found.patients):
        assert len(set(found.labels[found.patients == patient])) == 1


@pytest.mark.parametrize("kind", KINDS)
def test_pixels_tell_the_classes_apart_but_not_perfectly(kind):
    from sklearn.linear_model import LogisticRegression
    from sklearn.model_selection import cross_val_score
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    found = phantoms(kind, 400, images_per_patient=1)
    probe = make_pipeline(StandardScaler(), LogisticRegression(C=1e-3, max_iter=1000))
    areas = cross_val_score(probe, found.images.reshape(400, -1), found.labels == "lesion", cv=5, scoring="roc_auc")
    assert 0.75 < areas.mean() < 0.98


@pytest.mark.parametrize("kind", KINDS)
def test_the_subgroups_look_different(kind):
    found = phantoms(kind, 300, images_per_patient=1, size=32, prevalence=0.0)
    groups = np.unique(found.subgroups)
    assert len(groups) == 2
    one, two = (found.images[found.subgroups == group] for group in groups)
    spread = np.sqrt((one.var(0) + two.var(0)) / 2) + 1e-3
    assert np.abs((one.mean(0) - two.mean(0)) / spread).max() > 1.0


def test_images_of_one_patient_have_an_acquisition_of_their_own():
    found = phantoms("chest", 20, images_per_patient=3, size=32)
    assert found.acquisition.shape == (60, len(found.acquisition_names))
    noise = found.acquisition[:, found.acquisition_names.index("noise")]
    assert len(np.unique(noise)) == 60


def test_the_number_of_images_lies_in_the_asked_range():
    _, counts = np.unique(phantoms("brain", 60, images_per_patient=(2, 4), size=16).patients, return_counts=True)
    assert set(counts.tolist()) == {2, 3, 4}


def test_rows_are_taken_and_populations_joined():
    one = phantoms("chest", 5, images_per_patient=2, size=16)
    two = phantoms("chest", 5, images_per_patient=1, size=16, first_patient=5)
    joined = Phantoms.concatenate([one, two])
    assert len(joined) == 15
    back = joined.take(joined.patients >= "P00005")
    assert np.array_equal(back.images, two.images)
    assert back.take([3, 1]).patients.tolist() == ["P00008", "P00006"]
    with pytest.raises(InputError, match="different kinds or sizes"):
        Phantoms.concatenate([one, phantoms("chest", 1, size=32)])
    with pytest.raises(InputError, match="nothing to concatenate"):
        Phantoms.concatenate([])


def test_an_image_set_keeps_labels_patients_and_subgroup():
    found = phantoms("brain", 6, size=16)
    image_set = found.to_image_set("holdout")
    assert image_set.name == "holdout"
    assert image_set.labels.tolist() == found.labels.tolist()
    assert image_set.patients.tolist() == found.patients.tolist()
    assert [entry.columns["scanner"] for entry in image_set.entries] == found.subgroups.tolist()
    assert np.array_equal(image_set.raw(3), found.images[3])


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"kind": "foot"}, "there are no phantoms of kind 'foot'; choose from chest, brain"),
        ({"patients": 0}, "patients must be at least 1, got 0"),
        ({"seed": -1}, "seed and first_patient must not be negative, got -1 and 0"),
        ({"size": 8}, "phantoms need at least 16 pixels a side to hold an anatomy, got 8"),
        ({"size": (32, 32), "spatial_dims": 3}, "that agrees with spatial_dims, got (32, 32)"),
        ({"images_per_patient": (3, 1)}, "images_per_patient must be at least 1 and in order, got (3, 1)"),
        ({"classes": ("a", "a")}, "classes must be two different names, got ('a', 'a')"),
        ({"classes": ("a", "../b")}, "a class becomes a folder, which cannot be called '../b'; choose another name"),
        ({"prevalence": 1.5}, "prevalence must lie in [0, 1], got 1.5"),
    ],
)
def test_arguments_out_of_range_are_refused_with_the_valid_range(arguments, message):
    with pytest.raises(InputError) as caught:
        phantoms(**arguments)
    assert message in str(caught.value)
