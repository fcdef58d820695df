"""Features of the image itself as a condition."""

import json
from dataclasses import replace

import numpy as np
import pytest
import torch

import fourfold
from fourfold.errors import InputError
from fourfold.features import extract, get
from fourfold.generate.conditioning import Conditioning, Request, features
from fourfold.images import ImageSet, prepare


@pytest.fixture(scope="module")
def images():
    """Eighty patients with one chest phantom each."""
    found = fourfold.phantoms("chest", 80, size=16).to_image_set("training")
    _, first = np.unique(found.patients, return_index=True)
    return prepare({"training": found.take(first)})["training"]


def fit(images, *kinds, size=4, extractor="pixels", patients=None, private=False):
    patients = np.arange(len(images)) if patients is None else patients
    request = Request(features=extractor, feature_size=size, private=private)
    return Conditioning.fit([*kinds, "features"], images, patients, request)


def test_features_have_the_norm_of_a_one_hot_condition_times_the_root_of_their_size(images):
    conditioning = fit(images)
    column = conditioning.read(images).columns["features"]
    assert column.shape == (80, 4)
    assert column.dtype == np.float32
    assert np.linalg.norm(column, axis=1) == pytest.approx(2.0, abs=1e-5)
    drawn = conditioning.draw(range(50)).columns["features"]
    assert np.linalg.norm(drawn, axis=1) == pytest.approx(2.0, abs=1e-5)


def test_features_tell_images_apart_as_their_first_principal_components_do(images):
    flat = images.load().reshape(80, -1)
    _, _, directions = np.linalg.svd(flat - flat.mean(axis=0), full_matrices=False)
    expected = (flat - flat.mean(axis=0)) @ directions[:4].T
    expected = 2 * expected / np.linalg.norm(expected, axis=1, keepdims=True)
    column = fit(images).read(images).columns["features"]
    assert column @ column.T == pytest.approx(expected @ expected.T, abs=1e-3)


def test_an_image_has_its_features_whatever_stands_beside_it(images):
    conditioning = fit(images)
    order = np.random.default_rng(0).permutation(80)
    together = conditioning.read(images).columns["features"]
    assert conditioning.read(images.take(order)).columns["features"] == pytest.approx(together[order], abs=1e-5)
    assert conditioning.read(images.take([5])).columns["features"] == pytest.approx(together[[5]], abs=1e-5)


def test_drawn_features_follow_those_of_the_class(images):
    conditioning = fit(images, "class", size=2)
    real, drawn = conditioning.read(images), conditioning.draw(range(3000))
    for name in np.unique(images.labels):
        own = real.columns["features"][real.columns["class"] == name].mean(axis=0)
        new = drawn.columns["features"][drawn.columns["class"] == name].mean(axis=0)
        assert new == pytest.approx(own, abs=0.3)


def test_nothing_that_is_kept_grows_with_the_number_of_patients(images):
    few, many = fit(images.take(range(40))), fit(images)
    assert few.record() == many.record()
    assert {name: value.shape for name, value in few.arrays().items()} == {
        name: value.shape for name, value in many.arrays().items()
    }
    assert not any(len(value) in (40, 80) for value in many.arrays().values())


def test_components_rest_on_five_patients_each(images):
    assert fit(images, size=0).width - 1 == 80 // 5
    assert fit(images, patients=np.arange(80) // 8).width - 1 == 2
    with pytest.raises(InputError, match="features need at least 5 patients and there are 4"):
        fit(images, patients=np.arange(80) // 20)


def test_condition_noise_moves_a_feature_and_keeps_its_norm(images):
    conditioning = fit(images)
    part, column = conditioning.part("features"), conditioning.read(images).columns["features"]
    near, far = (part.perturbed(column, sigma, range(80)) for sigma in (0.1, 1.0))
    assert np.linalg.norm(far, axis=1) == pytest.approx(2.0, abs=1e-5)
    assert 0 < np.abs(near - column).mean() < np.abs(far - column).mean()
    assert (part.perturbed(column[7:8], 0.1, [7]) == near[7:8]).all()
    assert part.perturbed(column, 0.0, range(80)) == pytest.approx(column, abs=1e-6)


def test_withheld_features_are_zeros_and_a_mark(images):
    conditioning = fit(images, "class")
    vector = conditioning.encode(conditioning.read(images)).withheld().vector
    assert torch.equal(vector, conditioning.withheld(80).vector)
    assert (vector[:, :-1] == 0).all()
    assert (vector[:, -1] == 1).all()


def test_a_restored_part_is_the_same(images):
    conditioning = fit(images, "class")
    again = Conditioning.restore(json.loads(json.dumps(conditioning.record())), conditioning.arrays())
    assert again.record() == conditioning.record()
    assert all(torch.equal(again.arrays()[name], value) for name, value in conditioning.arrays().items())
    assert (again.draw(range(9)).columns["features"] == conditioning.draw(range(9)).columns["features"]).all()
    column = conditioning.read(images).columns["features"]
    assert again.read(images).columns["features"] == pytest.approx(column, abs=1e-6)


def test_an_image_set_is_looked_at_once(images, monkeypatch):
    calls = []
    real = features.extract
    monkeypatch.setattr(features, "extract", lambda *given: calls.append(1) or real(*given))
    conditioning = fit(images)
    conditioning.read(images)
    conditioning.read(images)
    assert len(calls) == 1


def test_what_is_read_can_be_changed_without_harm(images):
    conditioning = fit(images)
    before = conditioning.read(images).columns["features"].copy()
    conditioning.read(images).columns["features"][:] = 0
    assert (conditioning.read(images).columns["features"] == before).all()


# Writing TorchScript warns that its end is near.
@pytest.mark.filterwarnings("ignore:.*torch.jit.*:DeprecationWarning")
def test_the_file_of_an_extractor_is_named_without_its_place_and_asked_for(images, tmp_path):
    file = tmp_path / "net.pt"
    torch.jit.script(torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(256, 6))).save(file)
    conditioning = fit(images, extractor=f"mine={file}?channels=1&size=16")
    assert conditioning.record()[0]["specification"] == "mine=net.pt?channels=1&size=16"
    assert str(tmp_path) not in json.dumps(conditioning.record())
    again = Conditioning.restore(conditioning.record(), conditioning.arrays())
    with pytest.raises(InputError, match=r"needs the feature extractor 'mine=net.pt.*--condition-features"):
        again.read(images)
    with pytest.raises(InputError, match="'pixels' is not the feature extractor that the model was trained with"):
        again.part("features").locate("pixels")
    again.part("features").locate(f"mine={file}?channels=1&size=16")
    expected = conditioning.read(images).columns["features"]
    assert again.read(images).columns["features"] == pytest.approx(expected, abs=1e-5)


def test_standardised_extractors_are_standardised(images):
    found = extract(images, get("radiomics")).astype(np.float64)
    assert found.std(axis=0).max() > 1000 * np.median(found.std(axis=0)), "one column would drown the others"
    varied = found.std(axis=0) > 1e-6 * np.abs(found).max(axis=0)
    standard = (found[:, varied] - found[:, varied].mean(axis=0)) / found[:, varied].std(axis=0)
    _, _, directions = np.linalg.svd(standard, full_matrices=False)
    expected = standard @ directions[:4].T
    expected = 2 * expected / np.linalg.norm(expected, axis=1, keepdims=True)
    column = fit(images, extractor="radiomics").read(images).columns["features"]
    assert column @ column.T == pytest.approx(expected @ expected.T, abs=1e-3)


def test_bad_requests_are_refused_in_words(images):
    with pytest.raises(InputError, match="a private model cannot be conditioned on features"):
        fit(images, private=True)
    with pytest.raises(InputError, match="features cannot be typed"):
        fit(images).draw([0], {"features": "1,2,3,4"})
    same = ImageSet.from_array(np.full((10, 1, 8, 8), 0.5, np.float32), name="training")
    same = replace(prepare({"training": same})["training"])
    with pytest.raises(InputError, match="the features 'pixels' are the same for every image"):
        fit(same)
