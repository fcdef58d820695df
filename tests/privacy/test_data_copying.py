from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from fourfold.comparison import Comparison, Features
from fourfold.neighbors import nearest
from fourfold.privacy.data_copying import data_copying, data_copying_score, rank_sum_z, training_cells


def golden() -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Training, holdout and synthetic features of the published golden numbers."""
    rng = np.random.default_rng(0)
    training, holdout = rng.normal(size=(300, 16)), rng.normal(size=(200, 16))
    return training, holdout, 0.8 * rng.normal(size=(250, 16)) + 0.3


def _nearest(queries: np.ndarray, points: np.ndarray) -> np.ndarray:
    return nearest(queries, points, 1).distances[:, 0]


def _comparison(
    training: np.ndarray, holdout: np.ndarray, synthetic: np.ndarray, patients: np.ndarray | None = None, seed: int = 0
) -> Comparison:
    own = None if patients is None else np.arange(len(training)) + 10_000
    return Comparison(
        "space",
        Features(training.astype(np.float32), own),
        Features(synthetic.astype(np.float32)),
        Features(holdout.astype(np.float32), patients),
        seed=seed,
    )


def test_the_golden_values_without_cells_are_reproduced() -> None:
    training, holdout, synthetic = golden()
    fresh = _nearest(holdout, training)
    assert rank_sum_z(_nearest(synthetic, training), fresh) == pytest.approx(-7.35650815, abs=1e-8)
    # The published number has no correction for ties, and all copies lie at one distance but for rounding.
    copies = _nearest(training + 0.01, training) + 1e-6 * np.arange(300)
    assert rank_sum_z(copies, fresh) == pytest.approx(-18.9544044, abs=1e-6)


def test_ties_are_corrected_as_in_scipy() -> None:
    rng = np.random.default_rng(1)
    own, fresh = rng.integers(0, 6, 80).astype(float), rng.integers(0, 6, 50).astype(float)
    expected = stats.mannwhitneyu(own, fresh, alternative="less", method="asymptotic").pvalue
    assert stats.norm.cdf(rank_sum_z(own, fresh)) == pytest.approx(expected, rel=1e-9)
    assert rank_sum_z(np.ones(5), np.ones(7)) == 0.0


def test_the_standardised_statistic_is_standard_normal_and_the_published_one_is_not() -> None:
    rng = np.random.default_rng(2)
    found = []
    for _ in range(300):
        own, fresh = rng.random(300), rng.random(300)
        found.append(data_copying(own, rng.integers(0, 3, 300), fresh, rng.integers(0, 3, 300)))
    assert np.std([one.z for one in found]) == pytest.approx(1.0, abs=0.12)
    assert np.std([one.statistic for one in found]) == pytest.approx(np.sqrt(1 / 3), abs=0.08)
    assert np.mean([one.p < 0.05 for one in found]) < 0.09


def test_several_images_of_a_patient_are_not_independent() -> None:
    rng = np.random.default_rng(3)
    scores = []
    for draw in range(60):
        training, synthetic = rng.normal(size=(300, 6)), rng.normal(size=(300, 6))
        holdout = 0.9 * np.repeat(rng.normal(size=(30, 6)), 10, axis=0) + 0.44 * rng.normal(size=(300, 6))
        patients = np.repeat(np.arange(30), 10)
        scores.append(data_copying_score(_comparison(training, holdout, synthetic, patients, seed=draw)))
    assert np.std([score.value for score in scores]) < 1.3
    assert np.mean([score.details["design_effect"] for score in scores]) > 1.5


def test_cells_read_one_by_one_are_adjusted_for_their_number() -> None:
    rng = np.random.default_rng(4)
    own, fresh = rng.random(300), rng.random(300)
    cells = np.arange(300) % 3
    own[cells == 2] -= 0.3
    found = data_copying(own, cells, fresh, cells)
    assert [one.synthetic for one in found.cells] == [100, 100, 100]
    assert found.cells[2].p == pytest.approx(3 * stats.norm.cdf(found.cells[2].z))
    assert min(found.cells[0].p, found.cells[1].p) > 0.05


def test_a_cell_with_few_synthetic_images_is_left_out() -> None:
    rng = np.random.default_rng(5)
    cells = np.repeat([0, 1], [180, 20])
    found = data_copying(rng.random(200), cells, rng.random(200), np.arange(200) % 2)
    assert found.cells[1].z is None
    assert found.z == pytest.approx(found.cells[0].z)
    with pytest.raises(ValueError, match="more than 20 synthetic images"):
        data_copying(rng.random(20), np.zeros(20, dtype=int), rng.random(20), np.zeros(20, dtype=int))


def test_copies_of_a_fifth_are_worse_than_the_null() -> None:
    rng = np.random.default_rng(6)
    training, holdout, synthetic = (rng.normal(size=(400, 100)) for _ in range(3))
    synthetic[:80] = training[:80] + 0.01
    score = data_copying_score(_comparison(training, holdout, synthetic))
    assert score.departs() == "worse"
    assert score.details["p"] < 1e-3


def test_shrinking_reads_as_copying_which_is_why_it_is_a_diagnostic() -> None:
    training, holdout, synthetic = golden()
    score = data_copying_score(_comparison(training, holdout, synthetic))
    assert score.departs() == "worse"
    assert score.details["diagnostic"] is True
    assert "endpoints" not in score.details


def test_the_cells_depend_on_the_seed_alone() -> None:
    training, holdout, synthetic = golden()
    first, again = (training_cells(training, holdout, synthetic, seed=3) for _ in range(2))
    assert all((one == other).all() for one, other in zip(first, again))


def test_equal_training_images_make_one_cell() -> None:
    rng = np.random.default_rng(7)
    score = data_copying_score(_comparison(np.zeros((30, 4)), rng.normal(size=(40, 4)), rng.normal(size=(40, 4))))
    assert score.departs() == "no"


def test_without_a_holdout_there_is_a_reason() -> None:
    features = Features(np.zeros((30, 4), dtype=np.float32))
    assert "holdout" in data_copying_score(Comparison("space", features, features)).reason
