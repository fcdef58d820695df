"""The attacks as plain functions."""

from __future__ import annotations

import doctest
import importlib
import pkgutil

import numpy as np
import pytest

import fourfold.privacy.membership
from fourfold.neighbors import nearest
from fourfold.privacy.membership import (
    calibrated_distance_attack,
    classifier_attack,
    density_ratio_attack,
    distance_attack,
    distance_ratio_attack,
    kernel_density_attack,
    monte_carlo_attack,
    weighted_monte_carlo_attack,
)
from fourfold.statistics import ranked_area


@pytest.mark.parametrize("name", [one.name for one in pkgutil.iter_modules(fourfold.privacy.membership.__path__)])
def test_the_examples_in_the_docstrings_run(name: str) -> None:
    module = importlib.import_module(f"fourfold.privacy.membership.{name}")
    assert doctest.testmod(module).failed == 0


@pytest.fixture(scope="module")
def overfitted() -> dict[str, np.ndarray]:
    """150 members, 150 others, and synthetic images that hold half of the members with a little noise."""
    rng = np.random.default_rng(0)
    members, others, fresh, reference = (rng.normal(size=(size, 12)) for size in (150, 150, 75, 300))
    synthetic = np.concatenate([members[:75] + rng.normal(0, 0.2, (75, 12)), fresh])
    suspects = np.concatenate([members, others])
    return {
        "suspects": suspects,
        "synthetic": synthetic,
        "reference": reference,
        "to_synthetic": nearest(suspects, synthetic, 10).distances,
        "to_reference": nearest(suspects, reference, 10).distances,
    }


def _area(scores: np.ndarray) -> float:
    assert scores.shape == (300,)
    assert np.isfinite(scores).all()
    return ranked_area(scores[:150], scores[150:]).value


def test_every_attack_recognises_members_that_were_copied(overfitted: dict[str, np.ndarray]) -> None:
    given = overfitted
    areas = {
        "distance": _area(distance_attack(given["to_synthetic"])),
        "ratio": _area(distance_ratio_attack(given["to_synthetic"])),
        "calibrated": _area(calibrated_distance_attack(given["to_synthetic"], given["to_reference"])),
        "weighted": _area(weighted_monte_carlo_attack(given["to_synthetic"])),
        "density": _area(density_ratio_attack(given["to_synthetic"][:, :1], given["to_reference"][:, :1])),
        "kernel": _area(kernel_density_attack(given["suspects"], given["synthetic"], given["reference"], 0.5)),
    }
    assert min(areas.values()) > 0.68, areas
    assert _area(monte_carlo_attack(given["to_synthetic"])) > 0.57
    classifier = classifier_attack(given["suspects"], given["synthetic"], given["reference"])
    assert _area(classifier) > 0.6


@pytest.mark.parametrize("scale", [1e-3, 1.0, 1e3])
def test_the_unit_of_the_features_changes_no_order(overfitted: dict[str, np.ndarray], scale: float) -> None:
    near, far = overfitted["to_synthetic"], overfitted["to_reference"]
    for attack in (distance_attack, distance_ratio_attack, monte_carlo_attack, weighted_monte_carlo_attack):
        assert _area(attack(scale * near)) == pytest.approx(_area(attack(near)), abs=1e-4)
    for attack in (calibrated_distance_attack, density_ratio_attack):
        assert _area(attack(scale * near, scale * far)) == pytest.approx(_area(attack(near, far)), abs=1e-4)


def test_densities_of_far_away_images_do_not_underflow_to_ties(overfitted: dict[str, np.ndarray]) -> None:
    # exp(-d^2 / 2) is 0 in float64 from d = 39: the published density ratio ties all images at distances of 1 000.
    suspects, synthetic, reference = (1e3 * overfitted[name] for name in ("suspects", "synthetic", "reference"))
    assert nearest(suspects, synthetic, 1).distances.max() > 1e3
    assert np.exp(-0.5 * nearest(suspects, synthetic, 1).distances ** 2).max() == 0.0
    scores = kernel_density_attack(suspects, synthetic, reference, bandwidth=1.0)
    assert len(np.unique(scores)) == 300
    assert _area(scores) > 0.7


def test_exact_copies_have_finite_scores() -> None:
    rng = np.random.default_rng(1)
    synthetic = rng.normal(size=(40, 5))
    suspects = np.concatenate([synthetic[:30], rng.normal(size=(70, 5))])
    to_synthetic = nearest(suspects, synthetic, 5).distances
    to_reference = nearest(suspects, rng.normal(size=(50, 5)), 5).distances
    for scores in (
        distance_ratio_attack(to_synthetic),
        weighted_monte_carlo_attack(to_synthetic),
        density_ratio_attack(to_synthetic[:, :1], to_reference[:, :1]),
    ):
        assert np.isfinite(scores).all()
        assert scores[:30].min() > scores[30:].max()


def test_a_kernel_density_among_the_suspects_leaves_out_the_own_patient() -> None:
    rng = np.random.default_rng(2)
    synthetic, suspects = rng.normal(size=(60, 4)), rng.normal(size=(40, 4))
    patients = np.repeat(np.arange(20), 2)
    scores = kernel_density_attack(suspects, synthetic, suspects, 0.5, patients, patients)
    for image in (0, 7, 39):
        others = suspects[patients != patients[image]]
        alone = kernel_density_attack(suspects[[image]], synthetic, others, 0.5)
        assert scores[image] == pytest.approx(alone[0], abs=1e-9)


def test_a_classifier_without_a_reference_never_learns_from_the_patient_it_scores() -> None:
    # Suspects far away in pairs: whoever learned from the twin would call the image real with certainty.
    rng = np.random.default_rng(3)
    synthetic = rng.normal(size=(200, 3))
    suspects = np.repeat(rng.normal(size=(100, 3)), 2, axis=0)
    patients = np.repeat(np.arange(100), 2)
    apart = classifier_attack(suspects, synthetic, None, patients)
    leaked = classifier_attack(suspects, synthetic, None, np.arange(200))
    assert np.mean(apart) > np.mean(leaked) + 0.3
