from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from fourfold.releasing.screen import person_weights
from fourfold.releasing.screen.weights import rank_law

DIMENSION = 12


class Population:
    """A mixture of eight Gaussians, or of eight clouds with heavy tails."""

    def __init__(self, seed: int, heavy: bool = False) -> None:
        self.rng = np.random.default_rng(seed)
        self.centres = self.rng.normal(0, 1.5, (8, DIMENSION))
        self.heavy = heavy

    def draw(self, size: int) -> np.ndarray:
        values = self.rng.normal(size=(size, DIMENSION))
        if self.heavy:
            values /= np.sqrt(self.rng.chisquare(3, size=(size, 1)) / 3)
        return self.centres[self.rng.integers(0, 8, size)] + values


def independent(candidates: np.ndarray) -> np.ndarray:
    return candidates


def blurred(candidates: np.ndarray) -> np.ndarray:
    return 0.7 * candidates


def beside_the_population(candidates: np.ndarray) -> np.ndarray:
    return candidates + np.where(np.arange(DIMENSION) % 2, 1.2, -1.2)


def weights(population: Population, candidates: np.ndarray, training: np.ndarray, size: int) -> np.ndarray:
    calibration = population.draw(size)
    persons = np.arange(len(training)), np.arange(size)
    return person_weights(candidates, training, calibration, *persons, rng=population.rng).values


@pytest.mark.parametrize("change", [independent, blurred, beside_the_population])
@pytest.mark.parametrize(("trained", "size", "heavy"), [(600, 200, False), (600, 200, True), (150, 600, False)])
def test_candidates_that_know_nothing_have_uniform_weights(change, trained: int, size: int, heavy: bool) -> None:
    distances, low = [], []
    for seed in range(6):
        population = Population(seed, heavy)
        v = weights(population, change(population.draw(600)), population.draw(trained), size)
        distances.append(stats.kstest(v, "uniform").statistic)
        low.append(np.mean(v < 0.02))
    # One training set and one calibration set make all weights of a pool lean a little to one side.
    assert np.mean(distances) < 0.12
    assert np.mean(low) < 0.035


def test_copies_have_the_smallest_weights_whatever_the_number_of_calibration_persons() -> None:
    for trained, size in ((600, 200), (200, 600), (300, 40)):
        population = Population(7)
        training, candidates = population.draw(trained), population.draw(300)
        candidates[:60] = training[:60] + 0.2 * population.rng.normal(size=(60, DIMENSION))
        v = weights(population, candidates, training, size)
        assert v[:60].max() < 0.01
        assert np.median(v[60:]) > 0.3


def test_coarse_perturbations_lean_to_zero_and_rejected_neighbourhoods_away_from_it() -> None:
    population = Population(8)
    training = population.draw(400)
    perturbed = training + 0.45 * population.rng.normal(size=training.shape)
    assert weights(population, perturbed, training, 200).mean() < 0.1
    pool = population.draw(2000)
    near = np.linalg.norm(pool[:, None] - training[None], axis=2).min(axis=1)
    assert np.mean(weights(population, pool[near > np.quantile(near, 0.3)], training, 200) < 0.1) < 0.05


def test_the_rank_law_is_that_of_drawing_without_replacement() -> None:
    rng = np.random.default_rng(0)
    orders = rng.permuted(np.tile(np.repeat([True, False], [6, 9]), (20_000, 1)), axis=1)
    first = orders.argmax(axis=1)
    for rank in range(9):
        assert rank_law(np.array(rank), 6, 9) == pytest.approx(np.mean(first < rank), abs=0.015)


def test_several_images_of_a_person_count_once() -> None:
    population = Population(9)
    training, calibration, candidates = population.draw(200), population.draw(100), population.draw(300)
    once = person_weights(
        candidates, training, calibration, np.arange(200), np.arange(100), rng=np.random.default_rng(0)
    )
    twice = person_weights(
        candidates,
        np.repeat(training, 3, axis=0),
        np.repeat(calibration, 2, axis=0),
        np.repeat(np.arange(200), 3),
        np.repeat(np.arange(100), 2),
        rng=np.random.default_rng(0),
    )
    assert twice.values == pytest.approx(once.values, abs=1e-6)


def test_verbatim_copies_and_identical_calibration_images_do_no_harm() -> None:
    rng = np.random.default_rng(1)
    training, calibration = rng.normal(size=(50, 4)), np.repeat(rng.normal(size=(4, 4)), 5, axis=0)
    found = person_weights(
        np.concatenate([training[:3], calibration[:3]]), training, calibration, np.arange(50), np.arange(20), rng=rng
    )
    assert np.isfinite(found.values).all()
    assert found.values[:3] == pytest.approx(0.0, abs=1e-3)
    assert found.nearest[:3].tolist() == [0, 1, 2]


def test_too_few_calibration_persons_are_refused() -> None:
    with pytest.raises(ValueError, match="9 persons are too few to calibrate on; at least 10 are needed"):
        person_weights(np.eye(3), np.eye(3), np.ones((9, 3)), np.arange(3), np.arange(9), rng=np.random.default_rng(0))
