"""Kernel distance and its variance."""

import numpy as np
import pytest

from fourfold.comparison import Comparison, Features
from fourfold.errors import InputError
from fourfold.fidelity import kernel_distance, kernel_distance_with_variance
from fourfold.fidelity import kernel_seen as seen
from fourfold.fidelity.kernel_seen import seen_kernel_distance


def _brute_force(x: np.ndarray, y: np.ndarray, x_groups: np.ndarray, y_groups: np.ndarray) -> float:
    def kernel(a: np.ndarray, b: np.ndarray) -> np.ndarray:
        return (a @ b.T / a.shape[1] + 1) ** 3

    xx, yy = kernel(x, x), kernel(y, y)
    x_pairs, y_pairs = (groups[:, None] != groups[None] for groups in (x_groups, y_groups))
    return xx[x_pairs].mean() + yy[y_pairs].mean() - 2 * kernel(x, y).mean()


def test_the_golden_value_is_reached():
    rng = np.random.default_rng(0)
    real, _ = rng.normal(size=(300, 16)), rng.normal(size=(200, 16))
    synthetic = 0.8 * rng.normal(size=(250, 16)) + 0.3
    assert kernel_distance(real[:250], synthetic) == pytest.approx(0.3739478529881608, rel=1e-12)


def test_blocks_and_groups_agree_with_the_definition():
    rng = np.random.default_rng(1)
    x, y = rng.normal(size=(2500, 6)), rng.normal(size=(2100, 6)) + 0.2
    x_groups, y_groups = rng.integers(0, 700, 2500), rng.integers(0, 600, 2100)
    expected = _brute_force(x, y, x_groups, y_groups)
    found = kernel_distance_with_variance(x, y, x_groups=x_groups, y_groups=y_groups)
    assert found.value == pytest.approx(expected, rel=1e-10)
    assert kernel_distance(x, y) == pytest.approx(_brute_force(x, y, np.arange(2500), np.arange(2100)), rel=1e-10)


def test_groups_of_one_image_change_nothing():
    rng = np.random.default_rng(2)
    x, y = rng.normal(size=(120, 6)), rng.normal(size=(90, 6))
    plain = kernel_distance_with_variance(x, y)
    grouped = kernel_distance_with_variance(x, y, x_groups=np.arange(120), y_groups=np.arange(90))
    for name in ("value", "variance", "null_variance"):
        assert getattr(grouped, name) == pytest.approx(getattr(plain, name), rel=1e-10)


@pytest.mark.parametrize(("shift", "clustered"), [(0.0, False), (0.4, False), (0.0, True), (0.4, True)])
def test_the_variance_is_that_of_repeated_draws(shift, clustered):
    values, variances = [], []
    for draw in range(150):
        rng = np.random.default_rng([7, draw])
        sets = []
        for n in (60, 50):
            groups = np.repeat(np.arange(n), 3 if clustered else 1)
            sets += [rng.normal(size=(n, 8))[groups] + 0.4 * rng.normal(size=(len(groups), 8)), groups]
        x, x_groups, y, y_groups = sets
        found = kernel_distance_with_variance(x, y + shift, x_groups=x_groups, y_groups=y_groups)
        values.append(found.value)
        variances.append(found.variance)
    assert np.sqrt(np.mean(variances)) == pytest.approx(np.std(values), rel=0.35)
    if shift == 0.0:
        assert abs(np.mean(values)) < 4 * np.std(values) / np.sqrt(len(values))


def test_float32_features_lose_little():
    rng = np.random.default_rng(3)
    x, y = rng.normal(size=(300, 64)), rng.normal(size=(300, 64)) * 1.05
    assert kernel_distance(x.astype(np.float32), y.astype(np.float32)) == pytest.approx(kernel_distance(x, y), abs=1e-6)


@pytest.mark.parametrize(
    ("x", "y", "message"),
    [
        (np.zeros((1, 2)), np.zeros((5, 2)), "at least 2 images in each set, got 1"),
        (np.zeros((5, 2)), np.zeros((5, 3)), "2 and 3 features"),
        (np.full((5, 2), np.inf), np.zeros((5, 2)), "must be finite"),
    ],
)
def test_what_cannot_be_compared_is_refused_with_a_sentence(x, y, message):
    with pytest.raises(InputError, match=message):
        kernel_distance(x, y)


def test_a_single_patient_is_no_sample():
    x = np.zeros((4, 2))
    with pytest.raises(InputError, match="at least 2 groups in each set, got 1"):
        kernel_distance_with_variance(x, x, x_groups=np.zeros(4, dtype=int))


def _seen(sizes, offset=0.0, images=1):
    rng = np.random.default_rng(4)
    x, y = (rng.normal(size=(size, 8)).astype(np.float32) + np.float32(offset) for size in sizes)
    y *= 1.05
    sets = Features(x, np.arange(len(x)) // images), Features(y), Features(x[:40] + 1)
    comparison = Comparison("normal", *sets, depth=32)
    return comparison, seen_kernel_distance(comparison)


@pytest.mark.parametrize("offset", [0.0, 3.0])
def test_products_seen_in_a_search_for_neighbours_give_the_same_distance(monkeypatch, offset):
    monkeypatch.setattr(seen, "_WORTH_SEEING", 0)
    comparison, found = _seen((1400, 1300), offset)
    x, y = (one.values.astype(np.float64) for one in (comparison.training, comparison.synthetic))
    expected = kernel_distance_with_variance(x, y)
    for name, value in vars(expected).items():
        assert getattr(found, name) == pytest.approx(value, rel=1e-5), name
    assert found.value == pytest.approx(expected.value, abs=1e-6 * expected.variance**0.5)


def test_products_are_seen_only_where_each_image_is_a_patient_and_the_sets_are_large(monkeypatch):
    assert _seen((60, 50))[1] is None
    monkeypatch.setattr(seen, "_WORTH_SEEING", 0)
    assert _seen((60, 50), images=2)[1] is None
    comparison, found = _seen((60, 50))
    assert found is not None
    assert seen_kernel_distance(comparison) is None
