from __future__ import annotations

import numpy as np
import pytest
from scipy import integrate

from fourfold.privacy.predicates import (
    calibrate,
    isolation_baseline,
    isolation_in_cohort,
    isolation_integral,
    nearest_persons,
)


@pytest.mark.parametrize(("persons", "baseline"), [(100, 0.370), (1000, 0.368)])
def test_luck_alone_isolates_with_thirty_seven_per_cent_at_weight_one_over_n(persons: int, baseline: float) -> None:
    assert isolation_baseline(persons, 1 / persons) == pytest.approx(baseline, abs=5e-4)
    weights = np.linspace(0, 1, 2001)
    assert max(isolation_baseline(persons, weight) for weight in weights) <= isolation_baseline(persons, 1 / persons)


@pytest.mark.parametrize(("persons", "weight"), [(10, 1.0), (400, 1 / 400), (400, 0.1 / 400), (3000, 0.9)])
def test_the_integral_over_weights_agrees_with_quadrature_and_with_the_closed_form(persons: int, weight: float) -> None:
    total, _ = integrate.quad(lambda w: isolation_baseline(persons, w), 0, weight, epsabs=0, limit=400)
    assert isolation_integral(persons, weight) == pytest.approx(total, rel=1e-7)
    closed = (1 - (persons * weight + 1) * (1 - weight) ** persons) / (persons + 1)
    assert isolation_integral(persons, weight) == pytest.approx(closed, rel=1e-6)


def test_the_integral_keeps_its_digits_at_tiny_weights() -> None:
    # The closed form loses them all: 1 - (1 + x) exp(-x) is x^2 / 2.
    assert isolation_integral(1000, 1e-12) == pytest.approx(1000 * 1e-24 / 2, rel=1e-6)


def test_isolation_in_a_cohort_is_the_mean_over_random_cohorts() -> None:
    rng = np.random.default_rng(0)
    hits = 4
    drawn = [(rng.permutation(30)[:12] < hits).sum() == 1 for _ in range(20000)]
    assert isolation_in_cohort(30, 12, hits)[hits] == pytest.approx(np.mean(drawn), abs=0.012)
    assert isolation_in_cohort(30, 30, 3).tolist() == [0, 1, 0, 0]


def test_hits_beyond_the_number_of_persons_isolate_nobody() -> None:
    assert isolation_in_cohort(2, 2, 5)[3:].tolist() == [0, 0, 0]


def test_a_person_is_as_near_as_the_nearest_of_their_images() -> None:
    rng = np.random.default_rng(1)
    images, queries, persons = rng.normal(size=(120, 4)), rng.normal(size=(30, 4)), rng.integers(0, 25, 120)
    # One person with most of the images must not crowd the others out.
    images[60:] = 0.01 * images[60:]
    persons[60:] = 3
    found = nearest_persons(queries, images, persons, 10)
    distances = np.linalg.norm(queries[:, None] - images[None], axis=2)
    by_person = np.array([distances[:, persons == one].min(axis=1) for one in np.unique(persons)]).T
    assert found.distances == pytest.approx(np.sort(by_person, axis=1)[:, :10])
    assert all(len(set(row)) == 10 for row in found.persons.tolist())


def test_more_neighbours_than_persons_leave_places_empty() -> None:
    found = nearest_persons(np.zeros((1, 1)), np.array([[1.0], [2.0], [3.0]]), np.array([0, 0, 1]), 4)
    assert found.persons.tolist() == [[0, 1, -1, -1]]
    assert found.distances.tolist() == [[1.0, 3.0, np.inf, np.inf]]


@pytest.mark.parametrize("expected", [0.05, 0.5, 2.0, 10.0])
def test_predicates_have_the_weight_they_were_calibrated_to(expected: float) -> None:
    rng = np.random.default_rng(2)
    persons, dimension = 300, 4
    weights = []
    for _ in range(20):
        # A homogeneous cloud: the weight of a ball is known.
        images, queries = rng.uniform(size=(persons, dimension)), 0.35 + 0.3 * rng.uniform(size=(40, dimension))
        found = nearest_persons(queries, images, np.arange(persons), 30)
        radii, weight = calibrate(found, persons, without_judged=False).radii(expected / persons)
        assert weight == pytest.approx(expected / persons, rel=0.1)
        weights.append(np.mean(np.pi**2 / 2 * radii**dimension) / weight)
    assert np.mean(weights) == pytest.approx(1.0, abs=0.1)


def test_each_person_is_judged_by_a_radius_read_from_the_others() -> None:
    rng = np.random.default_rng(3)
    images, query = rng.normal(size=(60, 3)), rng.normal(size=(1, 3))
    found = nearest_persons(query, images, np.arange(60), 40)
    shared = calibrate(found, 60, without_judged=True)
    for person in found.persons[0, :5]:
        others = np.delete(images, person, axis=0)
        alone = calibrate(nearest_persons(query, others, np.arange(59), 39), 59, without_judged=False)
        # Radii are read from the fifth on.
        assert shared.distances[0, 4:] == pytest.approx(alone.distances[0, 4:])


def test_too_few_persons_to_calibrate_on_are_refused() -> None:
    found = nearest_persons(np.zeros((1, 1)), np.arange(6.0)[:, None], np.arange(6), 6)
    with pytest.raises(ValueError, match="too few to calibrate"):
        calibrate(found, 6, without_judged=True)
