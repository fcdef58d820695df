from __future__ import annotations

import numpy as np
import pytest
import torch
from scipy import stats

from fourfold.comparison import Comparison, Features
from fourfold.privacy.likelihood import likelihood_gap, likelihood_gap_score
from fourfold.statistics.mixture import _loss, feature_likelihood_divergence, fit_bandwidths, negative_log_likelihoods

SCALES = np.arange(1, 65) ** -0.5


def _normals(rng: np.random.Generator, *sizes: int) -> list[np.ndarray]:
    return [rng.normal(size=(size, 64)) * SCALES for size in sizes]


def _with_copies(rng: np.random.Generator, synthetic: np.ndarray, training: np.ndarray, count: int) -> np.ndarray:
    copied = synthetic.copy()
    copied[:count] = training[rng.choice(len(training), count, replace=False)] + 0.01 * _normals(rng, count)[0]
    return copied


def _comparison(training, holdout, synthetic, views: int = 1, **options) -> Comparison:
    return Comparison(
        "space",
        Features(training.astype(np.float32), np.arange(len(training)) // views),
        Features(synthetic.astype(np.float32)),
        Features(holdout.astype(np.float32), 10_000 + np.arange(len(holdout)) // views),
        **options,
    )


def test_the_likelihood_is_that_of_a_mixture_of_gaussians() -> None:
    rng = np.random.default_rng(0)
    images, centres, log_variances = rng.normal(size=(7, 3)), rng.normal(size=(4, 3)), rng.normal(size=4)
    densities = [
        stats.multivariate_normal(centre, np.exp(log_variance) * np.eye(3)).pdf(images)
        for centre, log_variance in zip(centres, log_variances)
    ]
    expected = -np.log(np.mean(densities, axis=0)) / 3
    assert negative_log_likelihoods(images, centres, log_variances) == pytest.approx(expected)


def test_the_fit_descends_along_the_gradient_of_the_likelihood() -> None:
    rng = np.random.default_rng(8)
    squares, log_variances = torch.as_tensor(20 * rng.random((9, 4))), torch.as_tensor(rng.normal(size=4))
    traced = log_variances.clone().requires_grad_()
    loss = (
        np.log(4) - torch.logsumexp(-0.5 * (squares / traced.exp() + 6 * (traced + np.log(2 * np.pi))), 1)
    ).mean() / 6
    loss.backward()
    found, gradient = _loss(squares, log_variances, 6)
    assert found == pytest.approx(loss.item())
    assert gradient.numpy() == pytest.approx(traced.grad.numpy())


def test_the_centre_on_an_image_gets_a_tiny_bandwidth() -> None:
    rng = np.random.default_rng(1)
    images = rng.normal(size=(100, 16))
    centres = np.concatenate([images[:1], rng.normal(size=(20, 16))])
    log_variances = fit_bandwidths(images, centres)
    assert log_variances[0] < log_variances[1:].min() - 5
    assert np.abs(log_variances).max() <= 40


def test_distances_of_near_copies_keep_their_digits() -> None:
    image = np.full((1, 64), 100.0)
    near, nearer = image + 1e-7, image + 1e-8
    far, close = (negative_log_likelihoods(image, one, np.array([-30.0]))[0] for one in (near, nearer))
    assert far - close == pytest.approx(0.5 * (1e-14 - 1e-16) * np.exp(30), rel=1e-3)


def test_the_null_of_the_gap_is_zero_whatever_the_sizes() -> None:
    rng = np.random.default_rng(2)
    for sizes in ((200, 200, 200), (300, 80, 200), (80, 300, 300)):
        scores = [likelihood_gap_score(_comparison(*_normals(rng, *sizes))) for _ in range(12)]
        values = np.array([score.value for score in scores])
        errors = [score.null_interval[1] / 1.96 for score in scores]
        assert abs(values.mean()) < 4 * np.mean(errors) / np.sqrt(12)
        assert np.std(values) < 1.6 * np.mean(errors)


def test_two_percent_of_near_copies_are_seen() -> None:
    rng = np.random.default_rng(3)
    training, holdout, fresh = _normals(rng, 500, 500, 500)
    synthetic = _with_copies(rng, fresh, training, 10)
    score = likelihood_gap_score(_comparison(training, holdout, synthetic))
    assert -15 < score.value < -4
    assert score.departs() == "worse"
    assert set(np.argsort(-score.per_synthetic["memorisation"])[:10]) == set(range(10))
    assert abs(likelihood_gap(training, holdout, fresh).gap) < 2


def test_the_interval_takes_the_patient_as_the_unit() -> None:
    rng = np.random.default_rng(4)
    training, holdout, synthetic = _normals(rng, 60, 60, 150)
    training, holdout = (np.repeat(one, 4, axis=0) + 0.05 * rng.normal(size=(240, 64)) for one in (training, holdout))
    alone, grouped = (
        likelihood_gap_score(_comparison(training, holdout, synthetic, views)).null_interval[1] for views in (1, 4)
    )
    assert grouped > 1.5 * alone


def test_the_divergence_is_near_zero_for_fresh_images_and_large_for_copies_and_for_shifted_ones() -> None:
    rng = np.random.default_rng(5)
    training, holdout, fresh = _normals(rng, 300, 300, 150)
    assert abs(feature_likelihood_divergence(training, holdout, fresh)) < 3
    assert feature_likelihood_divergence(training, holdout, fresh + 0.7 * SCALES) > 10
    copied = training[:150] + 1e-3
    assert feature_likelihood_divergence(training, holdout, copied) > 10


def test_large_sets_are_drawn_from_and_the_score_says_so() -> None:
    rng = np.random.default_rng(6)
    score = likelihood_gap_score(_comparison(*_normals(rng, 60, 40, 150), memory=80 * 50**2))
    assert score.details["images"] == [50, 40, 50]
    assert score.reason == "50 images each were drawn from the training and synthetic set to stay in memory"
    assert np.isfinite(score.per_synthetic["memorisation"]).sum() == 50


def test_it_is_a_diagnostic_and_carries_no_endpoint() -> None:
    score = likelihood_gap_score(_comparison(*_normals(np.random.default_rng(7), 30, 30, 30)))
    assert score.details["diagnostic"] is True
    assert "endpoints" not in score.details


def test_what_it_lacks_becomes_a_reason() -> None:
    features = Features(np.zeros((5, 3), dtype=np.float32))
    assert "holdout" in likelihood_gap_score(Comparison("space", features, features)).reason
    assert "varies" in likelihood_gap_score(Comparison("space", features, features, features)).reason
