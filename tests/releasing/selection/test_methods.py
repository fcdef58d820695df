import numpy as np
import pytest

from fourfold.errors import InputError
from fourfold.releasing.selection import METHODS, choose
from fourfold.releasing.selection.kernels import gaussian, squared_distances, width
from fourfold.releasing.selection.ratio import log_ratio
from fourfold.releasing.selection.spread import greedy_determinant

UNCALIBRATED = [name for name, method in METHODS.items() if not method.calibrated]


def clouds(seed=0, candidates=60, calibration=40, columns=3):
    rng = np.random.default_rng([51, seed])
    return (rng.normal(size=(size, columns)).astype(np.float32) for size in (candidates, calibration))


def kernel(left, right, scale):
    return np.exp(-((left[:, None] - right[None]) ** 2).sum(axis=-1) / (2 * scale**2))


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("n", [0, 1, 7, 60])
def test_every_method_gives_as_many_different_rows_as_asked(method, n):
    points, real = clouds()
    rows = choose(method, points, real, n, seed=3)
    assert len(rows) == len(set(rows.tolist())) == n
    assert set(rows.tolist()) <= set(range(60))


@pytest.mark.parametrize("method", METHODS)
def test_equal_candidates_are_no_obstacle(method):
    points = np.ones((50, 2), dtype=np.float32)
    assert sorted(choose(method, points, points[:40], 50).tolist()) == list(range(50))


@pytest.mark.parametrize("method", METHODS)
def test_the_same_seed_chooses_the_same(method):
    points, real = clouds()
    assert choose(method, points, real, 20, seed=4).tolist() == choose(method, points, real, 20, seed=4).tolist()


@pytest.mark.parametrize("method", UNCALIBRATED)
def test_methods_that_do_not_look_at_calibration_patients_do_without_them(method):
    points, real = clouds()
    assert choose(method, points, real, 9, seed=1).tolist() == choose(method, points, real[:0], 9, seed=1).tolist()


@pytest.mark.parametrize("method", sorted(set(METHODS) - set(UNCALIBRATED)))
def test_methods_that_look_at_calibration_patients_ask_for_them(method):
    points, real = clouds()
    with pytest.raises(InputError, match="needs calibration patients of the class; give some or use 'random'"):
        choose(method, points, real[:0], 9)


def test_unknown_methods_and_numbers_are_refused():
    points, real = clouds()
    with pytest.raises(InputError, match="no method of selection 'best'; choose from random, "):
        choose("best", points, real, 3)
    with pytest.raises(InputError, match="61 of 60 candidates cannot be chosen"):
        choose("random", points, real, 61)


@pytest.mark.parametrize("seed", range(5))
def test_herding_takes_the_step_that_brings_the_means_nearest(seed):
    points, real = clouds(seed, 25, 15)
    rows = choose("herding", points, real, 6, seed=seed)
    scale = width(real, np.random.default_rng([seed, 41]))
    wanted = kernel(points, real, scale).mean(axis=1)
    own = kernel(points, points, scale)

    def discrepancy(chosen):
        return own[np.ix_(chosen, chosen)].mean() - 2 * wanted[chosen].mean()

    for place, row in enumerate(rows):
        before = rows[:place].tolist()
        others = [other for other in range(len(points)) if other not in before]
        best = min(discrepancy([*before, other]) for other in others)
        assert discrepancy([*before, row]) == pytest.approx(best, abs=1e-9)


@pytest.mark.parametrize("seed", range(5))
def test_facility_location_takes_the_candidate_that_gains_most(seed):
    points, real = clouds(seed, 25, 15)
    rows = choose("facility", points, real, 6, seed=seed)
    values = kernel(points, real, width(real, np.random.default_rng([seed, 41])))
    reached = np.zeros(len(real))
    for row in rows:
        gains = np.maximum(values - reached, 0).sum(axis=1)
        assert gains[row] == pytest.approx(gains.max(), abs=1e-5)
        reached = np.maximum(reached, values[row])


@pytest.mark.parametrize("seed", range(5))
def test_farthest_first_is_within_twice_of_the_best_radius(seed):
    from itertools import combinations

    points, real = clouds(seed, 12, 5)
    distances = np.sqrt(((points[:, None] - points[None]) ** 2).sum(axis=-1))
    best = min(distances[:, list(rows)].min(axis=1).max() for rows in combinations(range(12), 3))
    rows = choose("k-center", points, real, 3, seed=seed)
    assert distances[:, rows].min(axis=1).max() <= 2 * best + 1e-6


@pytest.mark.parametrize("seed", range(3))
def test_the_determinantal_choice_multiplies_the_determinant_most(seed):
    points, _ = clouds(seed, 15)
    rows = greedy_determinant(points, 5, 1.5).tolist()
    matrix = kernel(points, points, 1.5) + 1e-3 * np.eye(15)

    def determinant(chosen):
        return np.linalg.det(matrix[np.ix_(chosen, chosen)])

    for place in range(1, 5):
        others = [other for other in range(15) if other not in rows[:place]]
        best = max(determinant([*rows[:place], other]) for other in others)
        assert determinant(rows[: place + 1]) == pytest.approx(best, rel=1e-4)


def test_a_determinantal_choice_without_memory_is_made_in_groups():
    points, real = clouds(0, 400, 5)
    rows = choose("determinantal", points, real, 100, memory=20_000)
    assert len(set(rows.tolist())) == 100


def test_a_mode_that_is_drawn_too_often_is_thinned_to_what_real_patients_show():
    rng = np.random.default_rng(52)
    modes = np.array([[0.0, 0.0], [6.0, 0.0]])
    candidates = np.concatenate([modes[0] + rng.normal(size=(900, 2)), modes[1] + rng.normal(size=(200, 2))])
    real = np.concatenate([mode + rng.normal(size=(150, 2)) for mode in modes])
    shares = {name: np.mean(choose(name, candidates, real, 200) >= 900) for name in METHODS}
    assert 0.1 < shares["random"] < 0.27
    assert 0.38 < shares["ratio"] < 0.6
    assert 0.42 < shares["herding"] < 0.58
    assert shares["facility"] > 0.4


def test_the_density_ratio_is_that_of_the_laws():
    rng = np.random.default_rng(53)
    candidates, real = 1.5 * rng.normal(size=(3000, 1)), rng.normal(size=(3000, 1)) + 0.5
    found = log_ratio(candidates, real, rng)
    truth = -((candidates[:, 0] - 0.5) ** 2) / 2 + candidates[:, 0] ** 2 / 4.5 + np.log(1.5)
    inside = np.abs(candidates[:, 0]) < 3
    assert np.abs(found - truth)[inside].mean() < 0.15


def test_a_candidate_like_no_patient_is_hardly_ever_drawn():
    rng = np.random.default_rng(54)
    candidates = np.concatenate([rng.normal(size=(300, 4)), 4 * rng.normal(size=(100, 4))])
    real = rng.normal(size=(150, 4))
    broken = {name: np.mean(choose(name, candidates, real, 100) >= 300) for name in METHODS}
    # Some of the broken ones lie where patients do.
    assert broken["ratio"] < 0.1
    assert broken["random"] > 0.15
    # Methods that look for what is far from everything else take what is broken first.
    assert min(broken["k-center"], broken["determinantal"]) > 0.5


def test_candidates_like_the_patients_are_drawn_alike():
    rng = np.random.default_rng(55)
    found = log_ratio(rng.normal(size=(800, 6)), rng.normal(size=(800, 6)), rng)
    assert np.abs(found).max() < 1.5
    assert np.abs(found).mean() < 0.3


def test_squared_distances_of_equal_points_are_nothing():
    points, _ = clouds()
    assert squared_distances(points, points[7])[7] == 0
    assert gaussian(np.array([0.0]), 2.0)[0] == 1
