"""Intervals of means over patients hold what they should."""

from __future__ import annotations

import doctest

import numpy as np

from fourfold.pairing import mean_of_patients, mean_of_unrelated, means


def test_the_examples_run() -> None:
    assert doctest.testmod(means).failed == 0


def test_the_interval_of_few_patients_with_several_images_holds_the_mean_in_95_of_100() -> None:
    rng = np.random.default_rng(1)
    inside, draws = 0, 400
    for draw in range(draws):
        patients = np.repeat(np.arange(12), rng.integers(1, 5, 12))
        values = rng.normal(size=12)[patients] + 0.5 * rng.normal(size=len(patients))
        low, high = mean_of_patients(values, patients, seed=draw, draws=400).interval
        inside += low <= 0 <= high
    assert 0.92 <= inside / draws <= 0.98


def test_patients_are_drawn_whole() -> None:
    values = np.random.default_rng(1).normal(size=20)
    patients = np.arange(20)
    once = mean_of_patients(values, patients).interval
    thrice = mean_of_patients(np.repeat(values, 3), np.repeat(patients, 3)).interval
    assert abs(np.ptp(thrice) / np.ptp(once) - 1) < 0.1


def test_equal_seeds_draw_equal_patients_so_that_differences_are_paired() -> None:
    rng = np.random.default_rng(2)
    hard = rng.normal(scale=10, size=30)
    one, other = mean_of_patients(hard, np.arange(30)).interval, mean_of_patients(hard + 1, np.arange(30)).interval
    assert np.allclose(np.subtract(other, one), 1)
    assert np.ptp(mean_of_patients(hard + 1 - hard, np.arange(30)).interval) < 1e-9


def test_fewer_than_ten_patients_have_no_interval() -> None:
    patients = np.repeat(np.arange(9), 5)
    assert mean_of_patients(np.arange(45.0), patients).interval is None
    assert mean_of_unrelated(np.arange(45.0), patients, patients[::-1]).interval is None
