from pathlib import Path

import numpy as np
import pytest

from fourfold.errors import InputError
from fourfold.generate.baselines.components import PrincipalComponents, fit_components
from fourfold.generate.baselines.kde import BANDWIDTHS, likeliest_bandwidth, silverman_bandwidth
from fourfold.generate.baselines.law import Law, fit_mixtures
from fourfold.generate.conditioning import Conditioning, Conditions
from fourfold.generate.generator import Drawing
from fourfold.generate.recipe import Run, recipe
from fourfold.generate.training_set import TrainingSet, patients_of
from fourfold.images import ImageSet, prepare

BASELINES = ("gaussian", "mixture", "smote", "kde")
RUN = Run(Path())


def training_set(images, labels=None, patients=None, memory=1 << 30):
    patients = np.arange(len(images)) if patients is None else patients
    found = ImageSet.from_array(images.astype(np.float32), name="training", labels=labels, patients=patients)
    prepared = prepare({"training": found}, scaling="0:1")["training"]
    numbers, identified = patients_of(prepared)
    conditioning = Conditioning.fit(() if labels is None else ("class",), prepared, numbers)
    return TrainingSet(prepared, conditioning, conditioning.read(prepared), numbers, identified, memory=memory)


def fit(name, data, **options):
    found = recipe(name)
    return found.fit(data, found.Options(**options), RUN)


def draw(generator, seeds, label=None, **knobs):
    seeds = list(seeds)
    columns = {} if label is None else {"class": np.full(len(seeds), label)}
    return generator.draw(seeds, Conditions(len(seeds), columns), Drawing(**knobs))


def two_classes(shape=(1, 8, 8), n=80, seed=0):
    """Images of two classes, two of each patient, that lie around a dark and a bright mean."""
    rng = np.random.default_rng(seed)
    labels = np.where(np.arange(n) < n // 2, "bright", "dark")
    level = np.where(labels == "bright", 0.65, 0.35).reshape(-1, *(1,) * len(shape))
    patterns = rng.normal(size=(3, *shape))
    images = level + 0.03 * np.tensordot(rng.normal(size=(n, 3)), patterns, 1) + 0.005 * rng.normal(size=(n, *shape))
    return training_set(np.clip(images, 0, 1), labels, np.arange(n) // 2)


# ---- what all of them keep


@pytest.mark.parametrize("name", BASELINES)
@pytest.mark.parametrize("shape", [(1, 8, 8), (3, 8, 6), (1, 4, 6, 5)])
def test_images_have_the_shape_and_range_of_the_training_set(name, shape):
    generator, _ = fit(name, two_classes(shape))
    drawn = draw(generator, range(3), "dark")
    assert drawn.shape == (3, *shape)
    assert drawn.dtype == np.float32
    assert 0 <= drawn.min() <= drawn.max() <= 1


@pytest.mark.parametrize("name", BASELINES)
def test_an_image_depends_on_its_seed_and_not_on_its_batch(name):
    generator, _ = fit(name, two_classes())
    together = draw(generator, [5, 6, 7], "dark")
    assert draw(generator, [6], "dark").tobytes() == together[1].tobytes()
    assert not np.array_equal(together[0], together[2])


@pytest.mark.parametrize("name", BASELINES)
@pytest.mark.parametrize("conditional", [True, False])
def test_a_restored_generator_draws_the_same_bytes(name, conditional):
    data = two_classes()
    if not conditional:
        data = training_set(data.load(), None, data.patients)
    generator, _ = fit(name, data)
    label = "bright" if conditional else None
    restored = type(generator).restore(data.shape, data.conditioning, generator.settings(), generator.arrays())
    assert draw(restored, range(4), label).tobytes() == draw(generator, range(4), label).tobytes()


@pytest.mark.parametrize("name", BASELINES)
def test_classes_are_obeyed_as_the_nearest_class_mean_sees_it(name):
    data = two_classes()
    generator, _ = fit(name, data)
    means = np.stack([data.load()[data.labels == label].mean(axis=0) for label in ("bright", "dark")])
    for number, label in enumerate(("bright", "dark")):
        drawn = draw(generator, range(50), label)
        distances = np.square(drawn[:, None] - means).sum(axis=(2, 3, 4))
        assert (distances.argmin(axis=1) == number).mean() >= 0.9


@pytest.mark.parametrize("name", BASELINES)
def test_the_same_seed_fits_the_same_model(name):
    first, second = (fit(name, two_classes())[0].arrays() for _ in range(2))
    assert all(np.array_equal(first[key].numpy(), second[key].numpy()) for key in first)


@pytest.mark.parametrize("name", BASELINES)
def test_a_model_says_whether_it_holds_patients_and_is_right(name):
    data = two_classes()
    generator, record = fit(name, data)
    images = data.load().reshape(len(data), -1)
    arrays = [array.numpy() for array in generator.arrays().values()]
    rows = [array.reshape(-1, images.shape[1]) for array in arrays if array.size % images.shape[1] == 0]
    held = any(np.isclose(row, images, atol=1e-4).all(axis=1).any() for array in rows for row in array)
    assert recipe(name).holds_patients is held
    assert record.get("holds_patient_images", False) is held
    assert any("never share it" in sentence for sentence in record.get("warnings", ())) is held


@pytest.mark.parametrize("name", BASELINES)
def test_too_few_images_are_refused(name):
    found = recipe(name)
    few = training_set(np.random.default_rng(0).random((found.fewest - 1, 1, 4, 4)))
    with pytest.raises(InputError, match=f"the recipe {name} needs at least {found.fewest} images and there are"):
        found.check(few)


def test_a_missing_class_is_asked_for():
    generator, _ = fit("gaussian", two_classes())
    with pytest.raises(InputError, match="the model needs the condition 'class' for every image; give it"):
        draw(generator, [0])


# ---- components


def test_components_are_as_few_as_hold_the_share_and_leave_the_rest_at_each_pixel():
    rng = np.random.default_rng(1)
    images = 0.5 + rng.normal(size=(300, 1, 6, 6)) * np.linspace(0.001, 0.1, 36).reshape(6, 6)
    data = training_set(images)
    for share in (0.5, 0.8, 1.0):
        components, coordinates = fit_components(data, share, 256)
        fewer = fit_components(data, 1.0, len(components) - 1)[0]
        assert components.share >= share - 1e-6
        assert share == 1.0 or fewer.share < share
        np.testing.assert_allclose(coordinates.var(axis=0, ddof=1), 1, rtol=1e-3)
        held = np.square(components.directions * components.deviations[:, None]).sum(axis=0)
        total = data.load().reshape(300, -1).var(axis=0, ddof=1)
        np.testing.assert_allclose(held + components.residual**2, total, rtol=1e-3, atol=1e-9)


def test_coordinates_decode_to_the_image_that_they_came_from():
    data = two_classes()
    components, coordinates = fit_components(data, 1.0, 256)
    np.testing.assert_allclose(components.decode(coordinates[3]), data.load()[3].ravel(), atol=1e-4)
    restored = PrincipalComponents.restore(components.arrays())
    assert restored.decode(coordinates[3]).tobytes() == components.decode(coordinates[3]).tobytes()


def test_components_of_a_set_that_does_not_fit_into_memory_are_those_of_one_that_does():
    rng = np.random.default_rng(2)
    basis = np.linalg.qr(rng.normal(size=(64, 4)))[0].T.reshape(4, 1, 8, 8)
    images = 0.5 + np.tensordot(rng.normal(size=(2100, 4)) * [0.4, 0.3, 0.2, 0.1], basis, 1) * 0.3
    images += 0.003 * rng.normal(size=images.shape)
    at_once, _ = fit_components(training_set(images), 1.0, 4)
    by_batches, _ = fit_components(training_set(images, memory=1000), 1.0, 4)
    np.testing.assert_allclose(by_batches.deviations, at_once.deviations, rtol=1e-3)
    np.testing.assert_allclose(np.abs(by_batches.directions @ at_once.directions.T), np.eye(4), atol=0.02)
    np.testing.assert_allclose(by_batches.residual, at_once.residual, rtol=0.05)


def test_there_are_never_more_components_than_images_less_one():
    data = training_set(np.random.default_rng(0).random((9, 1, 8, 8)))
    assert len(fit_components(data, 1.0, 256)[0]) == 8


def test_images_that_are_all_the_same_are_refused():
    with pytest.raises(InputError, match="all images of the training set are the same"):
        fit_components(training_set(np.full((12, 1, 4, 4), 0.5)), 0.95, 10)


@pytest.mark.parametrize(("share", "most"), [(0.0, 5), (1.5, 5), (0.9, 0)])
def test_shares_and_numbers_of_components_out_of_range_are_refused(share, most):
    with pytest.raises(InputError, match=r"share of the variance|at least one component"):
        fit_components(two_classes(), share, most)


# ---- gaussian


def gaussian_images(n, seed):
    """Images of a known Gaussian: orthonormal directions, their deviations, and n images."""
    rng = np.random.default_rng(9)
    directions = np.linalg.qr(rng.normal(size=(64, 3)))[0].T
    deviations = np.array([0.5, 0.3, 0.15])
    coordinates = np.random.default_rng(seed).normal(size=(n, 3)) * deviations
    return directions, deviations, (0.5 + coordinates @ directions).reshape(n, 1, 8, 8)


def test_a_gaussian_reproduces_mean_and_covariance_of_a_known_law():
    directions, deviations, images = gaussian_images(3000, 0)
    generator, _ = fit("gaussian", training_set(images), share=0.9999)
    n = 3000
    coordinates = (draw(generator, range(n)).reshape(n, -1) - 0.5) @ directions.T
    scaled = coordinates / deviations
    # Both the fit and the drawing have a sampling error of 1 / sqrt(n), for variances sqrt(2 / n).
    assert np.abs(scaled.mean(axis=0)).max() < 4 * np.sqrt(2 / n)
    assert np.abs(np.cov(scaled.T) - np.eye(3)).max() < 4 * np.sqrt(4 / n)


def test_a_gaussian_a_class_reproduces_the_spread_of_each():
    rng = np.random.default_rng(3)
    labels = np.repeat(["narrow", "wide"], 600)
    spread = np.where(labels == "wide", 0.4, 0.1)
    direction = np.full(16, 0.25)
    images = 0.5 + (rng.normal(size=1200) * spread)[:, None] * direction
    generator, _ = fit("gaussian", training_set(images.reshape(-1, 1, 4, 4), labels))
    for label, expected in (("narrow", 0.1), ("wide", 0.4)):
        found = (draw(generator, range(1000), label).reshape(1000, -1) - 0.5) @ direction
        assert found.std() == pytest.approx(expected, rel=0.1)


@pytest.mark.parametrize("name", ["gaussian", "mixture"])
def test_truncation_narrows_the_spread_to_the_mean_of_the_class(name):
    data = two_classes(n=200)
    generator, _ = fit(name, data)
    spreads = [draw(generator, range(200), "dark", truncation=psi).std(axis=0).mean() for psi in (0, 0.3, 0.6, 1, 1.2)]
    assert spreads[0] == pytest.approx(0, abs=1e-6)
    assert np.all(np.diff(spreads) > 0.001)
    mean = data.load()[data.labels == "dark"].mean(axis=0)
    np.testing.assert_allclose(draw(generator, [1], "dark", truncation=0)[0], mean, atol=5e-3)


def test_noise_of_each_pixel_brings_back_the_variance_that_components_miss():
    rng = np.random.default_rng(4)
    _, _, images = gaussian_images(2000, 5)
    rough = images + rng.normal(size=images.shape) * np.linspace(0.005, 0.03, 64).reshape(8, 8)
    data = training_set(rough)
    real = data.load().var(axis=0)
    smooth, _ = fit("gaussian", data, share=0.9, most=3)
    noisy, _ = fit("gaussian", data, share=0.9, most=3, residual="pixel")
    assert draw(smooth, range(2000)).var(axis=0).mean() < 0.95 * real.mean()
    np.testing.assert_allclose(draw(noisy, range(2000)).var(axis=0), real, rtol=0.25)


@pytest.mark.parametrize("name", ["gaussian", "mixture"])
def test_a_class_of_few_patients_is_refused(name):
    data = two_classes()
    labels = np.array(["rare"] * 8 + ["common"] * 72)
    data = training_set(data.load(), labels, data.patients)
    with pytest.raises(InputError, match=f"{name} needs 5 patients or more in each class, and the class 'rare' has 4"):
        fit(name, data)


# ---- mixture


def planted_modes(n=900, seed=6):
    """Three modes with masses 0.6, 0.3 and 0.1: images, and the modes' means."""
    rng = np.random.default_rng(seed)
    directions = np.linalg.qr(rng.normal(size=(64, 2)))[0].T
    centres = 0.5 + np.array([[-0.5, -0.3], [0.6, -0.2], [0.0, 0.7]]) @ directions
    modes = rng.choice(3, size=n, p=[0.6, 0.3, 0.1])
    images = centres[modes] + rng.normal(size=(n, 2)) * 0.05 @ directions + rng.normal(size=(n, 64)) * 0.002
    return images.reshape(n, 1, 8, 8), centres


def test_a_mixture_finds_planted_modes_with_their_masses():
    images, centres = planted_modes()
    generator, record = fit("mixture", training_set(images), share=0.95)
    assert record["mixture_components"] == [3]
    drawn = draw(generator, range(2000)).reshape(2000, -1)
    distances = np.linalg.norm(drawn[:, None] - centres, axis=2)
    # Each image belongs to a mode; masses agree within the errors of fitting and drawing.
    assert distances.min(axis=1).max() < 0.35
    masses = np.bincount(distances.argmin(axis=1), minlength=3) / 2000
    np.testing.assert_allclose(masses, [0.6, 0.3, 0.1], atol=4 * np.sqrt(0.25 / 900 + 0.25 / 2000))


def test_temperature_zero_shows_the_means_of_the_components():
    images, _ = planted_modes()
    generator, _ = fit("mixture", training_set(images))
    assert len(np.unique(draw(generator, range(100), temperature=0).reshape(100, -1), axis=0)) == 3


@pytest.mark.parametrize("covariance", ["full", "tied", "diag"])
def test_a_mixture_has_the_covariance_that_was_asked_for(covariance):
    generator, _ = fit("mixture", two_classes(n=400), components=2, covariance=covariance, most=3)
    products = generator.law.factors @ generator.law.factors.transpose(0, 1, 3, 2)
    first, second = products[0][:2]
    off = np.abs(first - np.diag(np.diag(first))).max()
    assert bool(off < 1e-5) is (covariance == "diag")
    assert np.allclose(first, second, atol=1e-5) is (covariance == "tied")


@pytest.mark.parametrize("components", [None, 2])
def test_no_component_is_given_to_a_single_patient(components):
    rng = np.random.default_rng(7)
    points = np.concatenate([rng.normal(size=(270, 2)), 12 + 0.3 * rng.normal(size=(30, 2))])
    patients = np.concatenate([np.arange(270), np.full(30, 999)])
    law, record = fit_mixtures(points / points.std(), {"": np.arange(300)}, patients, components=components)
    assert record["mixture_components"] == [1]
    assert law.means.shape == (1, 1, 2)
    said = "2 components were asked for and 1 fitted, since some would have held fewer than 5 patients"
    assert any(said in note for note in record["warnings"]) is (components == 2)


def test_classes_with_different_numbers_of_components_share_one_law():
    rng = np.random.default_rng(8)
    one, two = rng.normal(size=(300, 2)), rng.normal(size=(300, 2)) * 0.2 + rng.choice([-2, 2], size=(300, 1))
    points = np.concatenate([one, two])
    law, record = fit_mixtures(points, {"a": np.arange(300), "b": np.arange(300, 600)}, np.arange(600))
    assert record["mixture_components"] == [1, 2]
    np.testing.assert_allclose(law.weights.sum(axis=1), 1)
    drawn = np.stack([law.draw(0, np.random.default_rng([seed])) for seed in range(500)])
    np.testing.assert_allclose(np.cov(drawn.T), np.eye(2), atol=0.3)
    restored = Law.restore(law.arrays())
    assert restored.draw(1, np.random.default_rng([1])).tobytes() == law.draw(1, np.random.default_rng([1])).tobytes()


def test_a_mixture_of_no_component_is_refused():
    with pytest.raises(InputError, match="a mixture has at least 1 component, got 0"):
        recipe("mixture").Options(components=0)


# ---- smote


def test_mixed_images_lie_between_near_images_of_one_class_and_two_patients():
    data = two_classes(n=60)
    generator, _ = fit("smote", data, neighbours=3)
    images = data.load().reshape(60, -1).astype(np.float64)
    allowed = (data.labels[:, None] == data.labels) & (data.patients[:, None] != data.patients)
    apart = np.linalg.norm(images[:, None] - images, axis=2)
    near = {(i, j) for i in range(60) for j in np.argsort(np.where(allowed[i], apart[i], np.inf))[:3]}
    used, shares = set(), []
    for label in ("bright", "dark"):
        for drawn in draw(generator, range(150), label).reshape(150, -1).astype(np.float64):
            best = min(near, key=lambda pair: off_segment(drawn, images[pair[0]], images[pair[1]])[0])
            off, share = off_segment(drawn, images[best[0]], images[best[1]])
            assert off < 1e-5
            assert data.labels[best[0]] == label
            used.add(best[0])
            shares.append(share)
    assert len(used) > 30
    # The place on the segment is uniform: mean 1/2, standard error 0.29 / sqrt(300).
    assert np.mean(shares) == pytest.approx(0.5, abs=0.08)


def off_segment(point, start, end):
    """Distance of a point from a segment, and its place along it."""
    along = end - start
    place = np.clip((point - start) @ along / (along @ along), 0, 1)
    return np.linalg.norm(point - start - place * along), place


def test_mixing_refuses_a_class_of_one_patient():
    data = two_classes()
    data = training_set(data.load(), np.array(["alone"] * 2 + ["many"] * 78), data.patients)
    with pytest.raises(InputError, match="smote needs 2 patients or more in each class, and the class 'alone' has 1"):
        fit("smote", data)


def test_mixing_makes_do_with_fewer_neighbours_than_asked_for():
    data = two_classes(n=8)
    generator, _ = fit("smote", data, neighbours=50)
    assert np.isfinite(draw(generator, range(20), "dark")).all()


# ---- kernel density


def test_bandwidth_zero_draws_training_images_themselves():
    data = two_classes()
    generator, _ = fit("kde", data, bandwidth=0)
    known = {image.tobytes() for image in data.load()[data.labels == "dark"]}
    drawn = draw(generator, range(200), "dark")
    assert {image.tobytes() for image in drawn} <= known
    assert len(np.unique(drawn.reshape(200, -1), axis=0)) > 30


def test_kernel_density_copies_leave_their_source_as_the_bandwidth_grows():
    data = two_classes()
    images = data.load().reshape(len(data), -1)
    distances = []
    for bandwidth in (0, 0.1, 0.3, 1.0):
        drawn = draw(fit("kde", data, bandwidth=bandwidth)[0], range(100), "dark").reshape(100, -1)
        distances.append(np.linalg.norm(drawn[:, None] - images, axis=2).min(axis=1).mean())
    assert np.all(np.diff(distances) > 0)
    one = fit("kde", data, bandwidth=0.5)[0]
    other = fit("kde", data, bandwidth=1.0)[0]
    warm = draw(one, range(5), "dark", temperature=2)
    np.testing.assert_allclose(warm, draw(other, range(5), "dark"), atol=1e-6)


def test_silvermans_bandwidth_is_that_of_the_book():
    assert silverman_bandwidth(100, 1) == pytest.approx((4 / 300) ** (1 / 5))
    assert silverman_bandwidth(1000, 4) == pytest.approx((4 / 6000) ** (1 / 8))


def test_the_likeliest_bandwidth_is_that_of_a_plain_computation():
    rng = np.random.default_rng(10)
    points, patients = rng.normal(size=(40, 2)), np.repeat(np.arange(20), 2)

    def likelihood(width):
        squared = np.square(points[:, None] - points).sum(axis=2)
        densities = np.exp(-squared / (2 * width**2)) / (2 * np.pi * width**2)
        other = patients[:, None] != patients
        return sum(np.log(densities[row][other[row]].mean() + 1e-300) for row in range(40))

    best = max(BANDWIDTHS, key=likelihood)
    assert likeliest_bandwidth(points, patients) == pytest.approx(best)


def test_several_images_of_a_patient_do_not_make_the_bandwidth_small():
    rng = np.random.default_rng(11)
    people = np.repeat(rng.normal(size=(60, 2)), 4, axis=0)
    points, patients = people + 0.001 * rng.normal(size=people.shape), np.repeat(np.arange(60), 4)
    assert likeliest_bandwidth(points, np.arange(240)) == BANDWIDTHS[0]
    assert likeliest_bandwidth(points, patients) > 0.2


def test_a_negative_bandwidth_is_refused():
    with pytest.raises(InputError, match="a bandwidth is a number from 0 up, got -1"):
        recipe("kde").Options(bandwidth=-1)
