from __future__ import annotations

import numpy as np
import pytest

from fourfold.privacy.patients import numbered
from fourfold.releasing.screen import disguised_near_duplicates, veto, veto_threshold
from fourfold.releasing.screen.veto import Rate, Veto

FRESH_P = (np.arange(300) + 1) / 301


def test_the_threshold_is_the_smallest_that_finds_enough() -> None:
    planted = np.concatenate([np.full(99, 1e-9), [0.3]])
    threshold, capped = veto_threshold(planted, FRESH_P, 0.05, 0.01)
    assert (threshold, capped) == (1e-9, False)
    assert np.mean(planted > threshold) <= 0.05


def test_sparing_fresh_patients_rules_where_both_cannot_be_had() -> None:
    planted = np.concatenate([np.full(50, 1e-9), np.full(50, 0.3)])
    threshold, capped = veto_threshold(planted, FRESH_P, 0.05, 0.01)
    assert capped
    assert np.mean(threshold >= FRESH_P) <= 0.01
    assert threshold <= 0.01


def test_fresh_patients_with_too_small_p_values_lower_the_threshold() -> None:
    fresh = FRESH_P**3
    threshold, _ = veto_threshold(np.full(10, 0.5), fresh, 0.05, 0.01)
    assert np.mean(fresh <= threshold) <= 0.01


def test_without_near_duplicates_or_fresh_patients_what_is_promised_holds() -> None:
    assert veto_threshold(np.empty(0), np.empty(0), 0.05, 0.01) == (0.01, False)
    assert veto_threshold(np.empty(0), np.array([0.001, 0.5]), 0.05, 0.01)[0] < 0.001


def _veto(world, candidates: np.ndarray, quick, near=None, **options) -> Veto:
    groups = numbered(
        world.training.patients, world.calibration.patients, (len(world.training), len(world.calibration))
    )
    calibration = world.calibration.load()
    return veto(
        candidates,
        world.training_images,
        calibration,
        *groups,
        near,
        representations=quick().representations,
        **options,
    )


@pytest.fixture(scope="module")
def pool(world) -> np.ndarray:
    rng = np.random.default_rng(2)
    pool = world.fresh[:120].copy()
    pool[:30] = np.clip(world.training_images[:30] + 0.03 * rng.normal(size=(30, 1, 32, 32)), 0, 1)
    return pool


@pytest.fixture(scope="module")
def found(world, pool, quick) -> Veto:
    return _veto(world, pool, quick, disguised_near_duplicates(world.training_images, pool, count=4))


def test_copies_are_vetoed_with_their_source_and_fresh_images_are_not(found) -> None:
    assert found.vetoed[:30].mean() > 0.9
    assert found.vetoed[30:].mean() < 0.07
    named = found.nearest[:30] == np.arange(30)
    assert named[found.vetoed[:30]].mean() > 0.9
    assert (found.kind[~found.vetoed] == "").all()
    assert (found.kind[found.vetoed] != "").all()


def test_both_rates_are_measured_and_reported(found) -> None:
    figures = found.figures()
    assert figures["miss_rate"]["of"] == sum(one["of"] for one in figures["miss_rate_by_kind"].values())
    low, high = figures["false_veto"]["interval"]
    assert low <= figures["false_veto"]["value"] <= 0.01
    assert high < 0.1
    assert figures["miss_rate_by_kind"]["none"]["value"] == 0.0
    assert Rate(1, 4).value == 0.25


def test_what_becomes_of_a_candidate_does_not_depend_on_its_neighbours(world, pool, quick, found) -> None:
    near = disguised_near_duplicates(world.training_images, pool, count=4)
    order = np.random.default_rng(3).permutation(len(pool))
    shuffled = _veto(world, pool[order], quick, near)
    assert shuffled.p == pytest.approx(found.p[order], rel=1e-3)
    assert (shuffled.vetoed == found.vetoed[order]).all()
    alone = _veto(world, pool[[4]], quick, near)
    assert alone.p == pytest.approx(found.p[[4]], rel=1e-3)


def test_no_representation_is_no_veto(world, pool, quick) -> None:
    with pytest.raises(ValueError, match="no representation is left to veto by"):
        _veto(world, pool[:5], quick, deciding=lambda name: False)
