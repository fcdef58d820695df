"""Beta-recall, clipped coverage, topological recall and the retrieval gap."""

import sys

import numpy as np
import pytest
from scipy.stats import betabinom

from fourfold import variety
from fourfold.errors import InputError
from fourfold.variety.clipped import _share_of_good


@pytest.fixture
def golden() -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    rng = np.random.default_rng(0)
    real, holdout = rng.normal(size=(300, 16)), rng.normal(size=(200, 16))
    return real, holdout, 0.8 * rng.normal(size=(250, 16)) + 0.3


@pytest.fixture
def sets() -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Training, holdout and a fresh synthetic set of one distribution."""
    return tuple(np.random.default_rng(1).normal(size=(3, 250, 8)) / np.sqrt(np.arange(1, 9)))


def _collapsed(fresh: np.ndarray, prototypes: int) -> np.ndarray:
    chosen = np.arange(len(fresh)) % prototypes
    return fresh[chosen] + 1e-3 * np.random.default_rng(2).normal(size=fresh.shape)


def test_the_golden_values_are_reached(golden):
    real, holdout, synthetic = golden
    found = variety.beta_recall(real, synthetic)
    assert found.by_step == pytest.approx(0.569655, abs=1e-6)
    assert found.by_sum == pytest.approx(0.5840, abs=1e-12)
    assert variety.clipped_coverage(real, synthetic) == 1.0
    expected = variety.image_retrieval_score(real[:200], synthetic).alpha
    expected -= variety.image_retrieval_score(holdout, synthetic).alpha
    assert variety.retrieval_gap(real[:200], holdout, synthetic) == pytest.approx(expected, abs=1e-12)


def test_every_score_falls_the_more_a_set_collapses_and_is_highest_for_copies(sets):
    real, _, fresh = sets
    for function in (
        lambda x, y: variety.beta_recall(x, y).by_step,
        variety.clipped_coverage,
        variety.topological_recall,
    ):
        ladder = [function(real, one) for one in (real, _collapsed(fresh, 40), _collapsed(fresh, 3))]
        assert ladder[0] > 0.99
        assert ladder[0] > ladder[1] >= ladder[2]
        assert ladder[2] < 0.2


@pytest.mark.parametrize(("n", "m", "k"), [(300, 250, 5), (40, 10, 3), (200, 3, 5)])
def test_the_expectation_before_calibration_is_that_of_a_beta_binomial_count(n, m, k):
    counts = np.arange(m + 1)
    expected = (np.minimum(counts, k) / k) @ betabinom.pmf(counts, m, k, n - k)
    assert variety.expected_clipped_coverage(n, m, k) == pytest.approx(expected)


def test_fresh_images_reach_the_expectation():
    rng = np.random.default_rng(3)
    draws = [_share_of_good(*rng.normal(size=(2, 150, 6)), 5, "euclidean", None, 1 << 30) for _ in range(60)]
    assert np.mean(draws) == pytest.approx(1, abs=4 * np.std(draws) / np.sqrt(60))


@pytest.mark.parametrize("share", [0.2, 0.5, 0.8])
def test_clipped_coverage_falls_in_proportion_as_good_images_are_replaced(sets, share):
    real, _, fresh = sets
    mixed = fresh.copy()
    mixed[: int(share * len(mixed))] += 50
    assert variety.clipped_coverage(real, mixed) == pytest.approx(1 - share, abs=0.1)


def test_synthetic_outliers_widen_recall_and_neither_clipped_coverage_nor_topological_recall(sets):
    real, _, fresh = sets
    outliers = _collapsed(fresh, 3)
    outliers[:25] = 30 * np.random.default_rng(4).normal(size=(25, 8))
    assert variety.recall(real, outliers) > 0.9
    assert variety.clipped_coverage(real, outliers) < 0.1
    assert variety.topological_recall(real, outliers) < 0.1


def test_images_of_one_patient_do_not_shrink_the_balls():
    rng = np.random.default_rng(5)
    patients = np.repeat(np.arange(60), 7)
    real = rng.normal(size=(60, 3))[patients] + 1e-3 * rng.normal(size=(420, 3))
    fresh = rng.normal(size=(200, 3))
    assert variety.clipped_coverage(real, fresh) < 0.05
    assert variety.clipped_coverage(real, fresh, groups=patients) > 0.8
    assert variety.beta_recall(real, fresh, groups=patients).by_step > variety.beta_recall(real, fresh).by_step + 0.3


def test_copies_open_the_retrieval_gap_by_about_their_number(sets):
    training, holdout, fresh = sets
    assert abs(variety.retrieval_gap(training, holdout, fresh)) < 0.12
    ladder = []
    for copies in (0, 60, 120, 250):
        mixed = fresh.copy()
        mixed[:copies] = training[:copies]
        ladder.append(variety.retrieval_gap(training, holdout, mixed))
    assert sorted(ladder) == ladder
    assert ladder[-1] > 0.4
    assert variety.retrieval_gap(holdout, training, mixed) == pytest.approx(-ladder[-1])


def test_nearest_images_that_were_not_kept_are_searched_for_again(sets, monkeypatch):
    training, holdout, fresh = sets
    value = variety.retrieval_gap(training, holdout, fresh)
    monkeypatch.setattr(sys.modules["fourfold.variety.retrieval_gap"], "_KEPT", 1)
    assert variety.retrieval_gap(training, holdout, fresh) == pytest.approx(value, abs=1e-12)


def test_empty_sets_are_refused_with_a_sentence():
    empty, some = np.zeros((0, 2)), np.ones((9, 2))
    with pytest.raises(InputError, match="at least one training, one holdout and one synthetic image"):
        variety.retrieval_gap(some, empty, some)
    with pytest.raises(InputError, match="at least one synthetic image"):
        variety.clipped_coverage(some, empty)
    with pytest.raises(InputError, match="at least one synthetic image"):
        variety.beta_recall(some, empty)
