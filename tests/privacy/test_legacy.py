from __future__ import annotations

import numpy as np
import pytest

from fourfold.comparison import Comparison, Features
from fourfold.privacy import legacy_triple
from fourfold.privacy.legacy import legacy_privacy


def _golden() -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(0)
    training = rng.normal(size=(300, 16))
    rng.normal(size=(200, 16))
    return training, 0.8 * rng.normal(size=(250, 16)) + 0.3


def test_the_golden_triple_is_reproduced() -> None:
    triple = legacy_triple(*_golden())
    assert triple.precision == pytest.approx(0.964, abs=1e-12)
    assert triple.precision_privacy == pytest.approx(0.196, abs=1e-12)
    assert triple.privacy == pytest.approx(0.232, abs=1e-12)


@pytest.mark.parametrize("seed", range(4))
def test_the_three_scores_are_two(seed: int) -> None:
    rng = np.random.default_rng(seed)
    triple = legacy_triple(rng.normal(size=(120, 6)), rng.uniform(0.3, 2.0) * rng.normal(size=(90, 6)))
    assert triple.precision_privacy == pytest.approx(triple.precision + triple.privacy - 1, abs=1e-12)
    assert triple.privacy >= 1 - triple.precision - 1e-12


def test_verbatim_copies_of_unique_images_have_no_privacy() -> None:
    training, _ = _golden()
    triple = legacy_triple(training, training[:100])
    assert (triple.precision, triple.precision_privacy, triple.privacy) == (1.0, 0.0, 0.0)


def test_known_failure_verbatim_copies_of_duplicated_images_score_full_privacy() -> None:
    training, _ = _golden()
    assert legacy_triple(np.concatenate([training, training]), training[:100]).privacy == 1.0


@pytest.mark.parametrize(
    ("dimension", "fidelity", "privacy"), [(1, 0.999, 0.242), (8, 0.946, 0.364), (16, 0.876, 0.469)]
)
def test_an_ideal_generator_scores_differently_in_every_dimension(
    dimension: int, fidelity: float, privacy: float
) -> None:
    rng = np.random.default_rng(dimension)
    triple = legacy_triple(rng.normal(size=(1000, dimension)), rng.normal(size=(1000, dimension)))
    assert triple.precision == pytest.approx(fidelity, abs=0.04)
    assert triple.privacy == pytest.approx(privacy, abs=0.06)


def test_shrinking_to_the_mean_reads_as_copying_and_leaving_the_data_as_privacy() -> None:
    rng = np.random.default_rng(7)
    training, fresh = rng.normal(size=(1000, 16)), rng.normal(size=(1000, 16))
    ladder = [legacy_triple(training, psi * fresh).privacy for psi in (0.25, 0.5, 0.75, 1.0, 1.25, 1.5)]
    assert ladder == pytest.approx([0, 0.004, 0.12, 0.465, 0.784, 0.912], abs=0.05)
    shifted = [legacy_triple(training, fresh + np.eye(16)[0] * shift).privacy for shift in (0.5, 2, 8)]
    assert shifted == pytest.approx([0.453, 0.676, 1.0], abs=0.05)


def test_the_guard_against_collapse_depends_on_the_scale_of_the_features() -> None:
    training, synthetic = _golden()
    assert legacy_triple(100 * training, 100 * synthetic).privacy == pytest.approx(0.232)
    assert legacy_triple(0.01 * training, 0.01 * synthetic).privacy < 0.05


def test_too_few_training_images_are_refused() -> None:
    with pytest.raises(ValueError, match="at least 6 are needed"):
        legacy_triple(np.zeros((5, 2)), np.zeros((3, 2)))


def test_the_registered_score_never_departs_from_its_null() -> None:
    training, synthetic = _golden()
    features = [Features(values.astype(np.float32)) for values in (training, synthetic, training[::-1] + 0.1)]
    score = legacy_privacy(Comparison("space", *features))
    assert score.departs() is None
    assert "uncalibrated" in score.reason
    assert score.details["calibrated"] is False
